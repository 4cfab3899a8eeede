/* Who listens where, and what connections and listeners say of their addresses. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "base/units.h"
#include "stack/stack.h"
#include "world.h"

#define PORT 5001

static struct hawser_addr parse(const char *text, uint16_t port)
{
    struct hawser_addr addr;
    assert_int_equal(hawser_addr_parse(&addr, text, port), 0);
    return addr;
}

static struct hawser_listener *listen_on(struct hawser_stack *stack, const char *text, uint16_t port, int err)
{
    const struct hawser_addr local = parse(text, port);
    struct hawser_listener *listener = NULL;
    assert_int_equal(hawser_listen(stack, &local, 4, NULL, &listener), err);
    return listener;
}

static void run(struct world *w)
{
    uint64_t until_ns = w->now_ns + NS_PER_S;
    while (world_step(w, until_ns))
        ;
    w->now_ns = until_ns;
}

/* Does who asks for that address of the server come to this listener? NULL: to nobody. */
static void expect(struct world *w, unsigned server, struct hawser_listener *wanted)
{
    const struct hawser_addr to = world_server_addr(w, server, PORT);
    struct hawser_conn *out, *in = NULL;
    assert_int_equal(hawser_connect(w->stack[0], &to, NULL, w->now_ns, &out), 0);
    run(w);
    assert_int_equal(wanted ? hawser_accept(wanted, &in) : hawser_conn_error(out), wanted ? 0 : -ECONNREFUSED);
    hawser_abort(out);
    if (in)
        hawser_abort(in);
    run(w);
}

static void the_most_specific_listener_is_asked(void **state)
{
    (void)state;
    static const char *const places[] = {"10.9.0.2", "0.0.0.0", "::"}; /* the more specific, the earlier */
    static const unsigned orders[][3] = {{0, 1, 2}, {2, 1, 0}, {1, 2, 0}, {2, 0, 1}};
    for (size_t i = 0; i < HW_ARRAY_LEN(orders); i++) {
        struct world w;
        struct hawser_listener *on[3];
        world_init(&w, 3, 2, 2, false, NULL, NULL);
        for (unsigned k = 0; k < 3; k++)
            on[orders[i][k]] = listen_on(w.stack[1], places[orders[i][k]], PORT, 0);
        (void)listen_on(w.stack[1], "::", PORT + 1, 0); /* another port is another matter */
        expect(&w, 0, on[0]);
        expect(&w, 1, on[1]); /* the other address */
        hawser_listener_close(on[0]);
        expect(&w, 0, on[1]);
        hawser_listener_close(on[1]);
        expect(&w, 0, on[2]);
        hawser_listener_close(on[2]);
        expect(&w, 0, NULL);
        world_destroy(&w);
    }
}

static void ipv6_is_not_for_who_listens_on_ipv4(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 3, 1, 1, true, NULL, NULL);
    struct hawser_listener *v4 = listen_on(w.stack[1], "0.0.0.0", PORT, 0);
    expect(&w, 0, NULL);
    struct hawser_listener *any = listen_on(w.stack[1], "::", PORT, 0);
    expect(&w, 0, any);
    hawser_listener_close(v4);
    world_destroy(&w);
}

static void a_place_is_taken_once(void **state)
{
    (void)state;
    static const char *const places[] = {"10.9.0.2", "0.0.0.0", "::"};
    struct world w;
    world_init(&w, 3, 1, 1, false, NULL, NULL);
    for (size_t i = 0; i < HW_ARRAY_LEN(places); i++) {
        struct hawser_listener *listener = listen_on(w.stack[1], places[i], PORT, 0);
        (void)listen_on(w.stack[1], places[i], PORT, -EADDRINUSE);
        hawser_listener_close(listener);
        (void)listen_on(w.stack[1], places[i], PORT, 0);
    }
    (void)listen_on(w.stack[1], "10.9.0.7", PORT, -EADDRNOTAVAIL);
    world_destroy(&w);
}

/* As many as there are, each another one. */
static void a_port_is_chosen(void **state)
{
    (void)state;
    static struct hawser_listener *listeners[PORTS_COUNT];
    static bool seen[UINT16_MAX + 1];
    struct world w;
    struct hawser_addr local;
    world_init(&w, 3, 1, 1, false, NULL, NULL);
    for (unsigned i = 0; i < PORTS_COUNT; i++) {
        listeners[i] = listen_on(w.stack[1], i % 2 ? "::" : "10.9.0.2", 0, 0);
        hawser_listener_local(listeners[i], &local);
        assert_int_equal(hawser_shard_of_port(local.port, 1), 0);
        assert_false(seen[local.port]); /* not even at another address */
        seen[local.port] = true;
    }
    (void)listen_on(w.stack[1], "10.9.0.2", 0, -EADDRINUSE);
    assert_int_equal(world_counter(&w, 1, "limit.ports"), 1);
    hawser_listener_local(listeners[7], &local);
    hawser_listener_close(listeners[7]);
    hawser_listener_local(listen_on(w.stack[1], "0.0.0.0", 0, 0), &local);
    const struct hawser_addr v4 = parse("0.0.0.0", 0);
    assert_true(hawser_addr_same_ip(&local, &v4));
    world_destroy(&w);
}

/* Of the first subflow, even when that is gone. */
static void connections_know_their_ends(void **state)
{
    (void)state;
    struct world w;
    struct hawser_conn *conn[2];
    struct hawser_addr local[2], peer[2], was;
    struct hawser_subflow_info info = {.size = sizeof info};
    world_init(&w, 3, 2, 1, false, NULL, NULL);
    struct hawser_listener *listener = listen_on(w.stack[1], "::", PORT, 0);
    const struct hawser_addr to = world_server_addr(&w, 0, PORT), from = world_client_addr(&w, 0);
    assert_int_equal(hawser_connect(w.stack[0], &to, NULL, w.now_ns, &conn[0]), 0);
    hawser_conn_peer(conn[0], &peer[0]);
    assert_true(hawser_addr_equal(&peer[0], &to)); /* before anybody has answered */
    hawser_conn_local(conn[0], &was);
    run(&w);
    assert_int_equal(hawser_accept(listener, &conn[1]), 0);
    assert_int_equal(hawser_send(conn[0], "hello", 5), 5);
    assert_int_equal(hawser_send(conn[1], "hello", 5), 5);
    run(&w);
    for (int gone = 0; gone < 2; gone++) {
        for (int end = 0; end < 2; end++) {
            hawser_conn_local(conn[end], &local[end]);
            hawser_conn_peer(conn[end], &peer[end]);
        }
        assert_true(hawser_addr_equal(&local[0], &was) && hawser_addr_same_ip(&was, &from) && was.port);
        assert_true(hawser_addr_equal(&local[0], &peer[1]));
        assert_true(hawser_addr_equal(&local[1], &to) && hawser_addr_equal(&peer[0], &to));
        assert_int_equal(hawser_stack_remove_address(w.stack[0], &from, w.now_ns), gone ? -ENOENT : 0);
        run(&w);
    }
    assert_int_equal(hawser_subflow_get_info(conn[0], 0, &info), 0);
    assert_false(hawser_addr_same_ip(&info.local, &from));
    world_destroy(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_most_specific_listener_is_asked),
        cmocka_unit_test(ipv6_is_not_for_who_listens_on_ipv4),
        cmocka_unit_test(a_place_is_taken_once),
        cmocka_unit_test(a_port_is_chosen),
        cmocka_unit_test(connections_know_their_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
