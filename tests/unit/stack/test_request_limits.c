/* What requests may take, and what becomes of them with their listener (<hawser/door.h>). */
#include <string.h>

#include "base/compiler.h"
#include "stack/door.h"

static void the_backlog_is_the_limit(void **state)
{
    (void)state;
    struct hawser_conn_options all = {.size = sizeof all, .share = HAWSER_SHARE_NONE};
    struct hawser_request *requests[BACKLOG];
    struct peer p;
    setup_with(&p, NULL, &all);
    for (uint16_t i = 0; i < BACKLOG + 3; i++)
        syn_from(&p, (uint16_t)(5000 + i));
    assert_int_equal(peer_counter(&p, "limit.requests"), 3);
    for (unsigned i = 0; i < BACKLOG; i++)
        requests[i] = told(&p);
    not_told(&p);
    syn_from(&p, 6000); /* the program has them, and they count */
    peer_wait(&p, 80 * NS_PER_S);
    assert_true(hawser_request_withdrawn(requests[0]));
    syn_from(&p, 6000); /* for as long as it has */
    assert_int_equal(peer_counter(&p, "limit.requests"), 5);
    refuse(&p, requests[0], HAWSER_REFUSE_RESET);
    syn_from(&p, 6000);
    assert_int_equal(peer_counter(&p, "limit.requests"), 5);
    assert_int_equal(p.seen_count, 0);
    peer_destroy(&p);
}

static void nobody_gets_more_than_he_leaves(void **state)
{
    (void)state;
    struct peer p;
    setup(&p);
    for (uint16_t i = 0; i < BACKLOG; i++)
        syn_from(&p, (uint16_t)(5000 + i));
    assert_int_equal(peer_counter(&p, "limit.shares_of_connections"), BACKLOG / 2);
    assert_int_equal(peer_counter(&p, "limit.requests"), 0);
    p.addr = addr_of("10.77.9.3", 5000);
    syn(&p);
    assert_int_equal(peer_counter(&p, "limit.shares_of_connections"), BACKLOG / 2);
    for (unsigned i = 0; i < BACKLOG / 2; i++) /* answered, they do not count any more */
        refuse(&p, told(&p), HAWSER_REFUSE_RESET);
    p.addr = addr_of("10.77.9.2", 5000);
    for (uint16_t i = 0; i < BACKLOG / 2; i++)
        syn_from(&p, (uint16_t)(6000 + i));
    assert_int_equal(peer_counter(&p, "limit.shares_of_connections"), BACKLOG / 2);
    peer_destroy(&p);
}

static void refusals_are_forgotten_in_the_end(void **state)
{
    (void)state;
    struct peer p;
    setup(&p);
    for (uint16_t i = 0; i < BACKLOG; i++) {
        syn_from(&p, (uint16_t)(5000 + i));
        refuse(&p, told(&p), HAWSER_REFUSE_RESET);
    }
    assert_int_equal(p.seen_count, BACKLOG);
    assert_int_equal(peer_counter(&p, "limit.refusals_remembered"), 0);
    syn_from(&p, 6000);
    refuse(&p, told(&p), HAWSER_REFUSE_RESET);
    assert_int_equal(peer_counter(&p, "limit.refusals_remembered"), 1);
    syn_from(&p, 5000); /* the oldest */
    (void)told(&p);
    peer_destroy(&p);
}

static void connections_are_limited_too(void **state)
{
    (void)state;
    struct hawser_stack_options few = {.size = sizeof few, .max_connections = 1};
    struct hawser_conn *second;
    struct peer p;
    setup_with(&p, &few, NULL);
    syn_from(&p, 5000);
    syn_from(&p, 5001);
    accept_it(&p, told(&p));
    struct hawser_request *request = told(&p);
    assert_int_equal(hawser_request_accept(request, &second), -ENOBUFS);
    peer_forget(&p);
    refuse(&p, request, HAWSER_REFUSE_RESET); /* it is the program's still */
    assert_int_equal(p.seen_count, 1);
    peer_destroy(&p);
}

static void scarce_memory_is_not_for_them(void **state)
{
    (void)state;
    struct peer p;
    setup(&p);
    struct account *memory = &p.stack->host.memory.account;
    uint64_t much = p.stack->host.memory.limit;
    account_charge(memory, much);
    syn(&p);
    not_told(&p);
    assert_int_equal(peer_counter(&p, "drop.no_memory"), 1);
    account_release(memory, much);
    struct hawser_request *request = ask(&p);
    account_charge(memory, much);
    assert_int_equal(hawser_request_accept(request, &p.conn), -ENOBUFS);
    account_release(memory, much);
    accept_it(&p, request);
    peer_destroy(&p);
}

/* Wherever memory is refused, once: the client is heard when it asks again, and nothing leaks. */
static void memory_may_fail_at_any_step(void **state)
{
    (void)state;
    bool failed = true;
    for (uint64_t at = 1; failed; at++) {
        struct peer p;
        struct hawser_request *request;
        setup(&p);
        p.env.fail_at = at;
        syn(&p);
        if (hawser_next_request(p.listener, &request) < 0)
            request = ask(&p);
        int err = hawser_request_accept(request, &p.conn);
        assert_true(err == 0 || err == -ENOBUFS || err == -ENOMEM);
        if (err < 0)
            assert_int_equal(hawser_request_accept(request, &p.conn), 0);
        peer_drain(&p);
        for (unsigned i = 0; i < 2; i++) /* the third packet comes again with the data */
            peer_send(&p, TCP_ACK, 1, 1, NULL, "bytes", 5);
        assert_true(hawser_conn_ready(p.conn) & HAWSER_CONNECTED);
        failed = p.env.fail_at == 0;
        peer_destroy(&p);
    }
}

/* ---- listeners ---- */

static void a_link_has_one_listener(void **state)
{
    (void)state;
    struct hawser_conn_options no_size = {.no_mptcp = true};
    struct hawser_listener *other;
    struct peer p;
    setup(&p);
    assert_int_equal(hawser_listen_link(p.stack, DOOR, 1, NULL, &other), -EADDRINUSE);
    assert_int_equal(hawser_listen_link(p.stack, UPLINK, 1, NULL, &other), -EINVAL);
    assert_int_equal(hawser_listen_link(p.stack, OTHER_DOOR + 1, 1, NULL, &other), -EINVAL);
    assert_int_equal(hawser_listen_link(p.stack, -1, 1, NULL, &other), -EINVAL);
    assert_int_equal(hawser_listen_link(p.stack, OTHER_DOOR, 0, NULL, &other), -EINVAL);
    assert_int_equal(hawser_listen_link(p.stack, OTHER_DOOR, 1, &no_size, &other), -EINVAL);
    p.env.refuses = true;
    assert_int_equal(hawser_listen_link(p.stack, OTHER_DOOR, 1, NULL, &other), -ENOMEM);
    p.env.refuses = false;
    assert_int_equal(hawser_listen_link(p.stack, OTHER_DOOR, 1, NULL, &other), 0);
    assert_int_equal(hawser_accept(p.listener, &p.conn), -EAGAIN);
    peer_destroy(&p);
}

static void an_address_of_ours_is_more_specific(void **state)
{
    (void)state;
    struct hawser_addr any = {.port = PEER_PORT};
    struct hawser_listener *listener;
    struct peer p;
    setup(&p);
    assert_int_equal(hawser_listen(p.stack, &any, 4, NULL, &listener), 0);
    (void)ask(&p); /* to an address that is not ours */
    p.own = addr_of("10.0.0.1", PEER_PORT + 1);
    (void)ask(&p); /* nobody else listens there */
    p.own.port = PEER_PORT;
    syn(&p);
    not_told(&p);
    assert_non_null(peer_last(&p, TCP_SYN | TCP_ACK));
    peer_destroy(&p);
}

static void closing_forgets_all_but_connections(void **state)
{
    (void)state;
    struct peer p;
    setup(&p);
    syn_from(&p, 5000);
    accept_it(&p, told(&p));
    uint32_t irs = p.irs;
    syn_from(&p, 5001);
    refuse(&p, told(&p), HAWSER_REFUSE_HOST);
    syn_from(&p, 5002);
    peer_send(&p, TCP_RST, 1, 0, NULL, NULL, 0);
    syn_from(&p, 5003);
    (void)told(&p);
    peer_send(&p, TCP_RST, 1, 0, NULL, NULL, 0);
    syn_from(&p, 5004);
    (void)told(&p);
    (void)told(&p);
    syn_from(&p, 5005);
    hawser_listener_close(p.listener);
    assert_false(hawser_stack_pending(p.stack));
    assert_int_equal(p.stack->requests.pool.in_use, 0);
    peer_forget(&p);
    for (uint16_t port = 5001; port < 5006; port++)
        syn_from(&p, port);
    assert_int_equal(p.seen_count, 5); /* nobody listens */
    assert_true(p.seen[0].flags & TCP_RST);
    p.addr.port = 5000;
    p.irs = irs;
    peer_send(&p, TCP_ACK, 1, 1, NULL, NULL, 0);
    assert_true(hawser_conn_ready(p.conn) & HAWSER_CONNECTED);
    assert_int_equal(hawser_listen_link(p.stack, DOOR, BACKLOG, NULL, &p.listener), 0);
    syn_from(&p, 5001);
    (void)told(&p);
    peer_destroy(&p);
}

static void a_stack_goes_with_all_its_requests(void **state)
{
    (void)state;
    struct peer p;
    setup(&p);
    syn_from(&p, 5000);
    accept_it(&p, told(&p));
    syn_from(&p, 5001);
    hawser_request_refuse(told(&p), HAWSER_REFUSE_HOST);
    syn_from(&p, 5002);
    (void)told(&p);
    peer_send(&p, TCP_RST, 1, 0, NULL, NULL, 0);
    syn_from(&p, 5003);
    peer_destroy(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_backlog_is_the_limit),
        cmocka_unit_test(nobody_gets_more_than_he_leaves),
        cmocka_unit_test(refusals_are_forgotten_in_the_end),
        cmocka_unit_test(connections_are_limited_too),
        cmocka_unit_test(scarce_memory_is_not_for_them),
        cmocka_unit_test(memory_may_fail_at_any_step),
        cmocka_unit_test(a_link_has_one_listener),
        cmocka_unit_test(an_address_of_ours_is_more_specific),
        cmocka_unit_test(closing_forgets_all_but_connections),
        cmocka_unit_test(a_stack_goes_with_all_its_requests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
