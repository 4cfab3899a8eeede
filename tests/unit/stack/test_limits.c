/* Every demand on memory has a limit; at the limit the newest demand is refused and what exists goes on. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "peer.h"
#include "world.h"

#define PORT 5001
#define MS UINT64_C(1000000)
#define SECOND UINT64_C(1000000000)

static struct hawser_conn *connect_one(struct world *w, struct hawser_listener *listener, struct hawser_conn **accepted)
{
    struct hawser_conn *conn;
    struct hawser_addr server = world_server_addr(w, 0, PORT);
    assert_int_equal(hawser_connect(w->stack[0], &server, NULL, w->now_ns, &conn), 0);
    while (hawser_accept(listener, accepted) < 0)
        assert_true(world_step(w, w->now_ns + SECOND));
    return conn;
}

static void settle(struct world *w, uint64_t for_ns)
{
    for (uint64_t until = w->now_ns + for_ns; world_step(w, until);)
        ;
}

/* A peer that sends byte by byte to an application that does not read: neither its own connection nor any other of the
 * host runs out of memory, although the host has little of it. */
static void a_byte_a_segment(void **state)
{
    (void)state;
    struct world w;
    struct hawser_stack_options small = {.size = sizeof small, .max_memory_bytes = 1 << 20};
    struct hawser_listener *listener;
    struct hawser_conn *client[2], *server[2];
    uint8_t bytes[4096];
    const size_t total = 20000;
    world_init(&w, 51, 1, 1, false, NULL, &small);
    w.paths[0].delay_ns = MS / 100;
    struct hawser_addr any = {.port = PORT};
    assert_int_equal(hawser_listen(w.stack[1], &any, 4, NULL, &listener), 0);
    for (int i = 0; i < 2; i++)
        client[i] = connect_one(&w, listener, &server[i]);
    for (size_t i = 0; i < total; i++) {
        bytes[0] = (uint8_t)(i % 251);
        assert_int_equal(hawser_send(client[0], bytes, 1), 1);
        settle(&w, MS / 10);
    }
    settle(&w, SECOND);
    assert_true(world_counter(&w, 0, "ip.packets_out") > total);
    assert_int_equal(world_counter(&w, 1, "drop.no_memory"), 0);
    assert_int_equal(hawser_send(client[1], bytes, sizeof bytes), sizeof bytes);
    settle(&w, SECOND);
    assert_int_equal(hawser_recv(server[1], bytes, sizeof bytes), sizeof bytes);
    size_t got = 0;
    for (ssize_t n; (n = hawser_recv(server[0], bytes, sizeof bytes)) > 0;)
        for (ssize_t i = 0; i < n; i++, got++)
            assert_int_equal(bytes[i], got % 251);
    assert_int_equal(got, total);
    world_destroy(&w);
}

/* RFC 4987 3.3: SYNs that nobody answers for fill the backlog only until their SYN/ACK had to be repeated. */
static void half_open_connections_make_way(void **state)
{
    (void)state;
    struct peer p;
    peer_init(&p, NULL, NULL); /* a backlog of four */
    for (unsigned i = 0; i < 4; i++) {
        p.addr.port = (uint16_t)(5000 + i);
        peer_send(&p, TCP_SYN, 0, 0, NULL, NULL, 0);
    }
    peer_forget(&p);
    p.addr.port = 6000;
    peer_send(&p, TCP_SYN, 0, 0, NULL, NULL, 0);
    assert_int_equal(p.seen_count, 0); /* as long as the others may be on their way */
    peer_wait(&p, 1500 * MS);
    peer_forget(&p);
    peer_open_plain(&p);
    assert_int_equal(hawser_conn_error(p.conn), 0);
    peer_destroy(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_byte_a_segment),
        cmocka_unit_test(half_open_connections_make_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
