/* What the time is to a stack: what its caller says, at the call that says it, and never less than before. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "peer.h"
#include "world.h"

#define PORT 5001
#define SECOND UINT64_C(1000000000)
#define LONG_SILENCE (100 * SECOND)

/* ---- calls that bring no time, long after the last one that did ---- */

struct pair {
    struct world w;
    struct hawser_listener *listener;
    struct hawser_conn *conn[2];
};

static void connect_pair(struct pair *p, bool plain)
{
    struct hawser_stack_options options = {.size = sizeof options, .no_mptcp = plain};
    world_init(&p->w, 71, plain ? 1 : 2, 1, false, &options, NULL);
    struct hawser_addr server = world_server_addr(&p->w, 0, PORT), any = {.port = PORT};
    assert_int_equal(hawser_listen(p->w.stack[1], &any, 4, NULL, &p->listener), 0);
    assert_int_equal(hawser_connect(p->w.stack[0], &server, NULL, p->w.now_ns, &p->conn[0]), 0);
    while (hawser_accept(p->listener, &p->conn[1]) < 0)
        assert_true(world_step(&p->w, p->w.now_ns + SECOND));
}

static void run(struct pair *p, uint64_t for_ns)
{
    uint64_t until = p->w.now_ns + for_ns;
    while (world_step(&p->w, until))
        ;
    p->w.now_ns = until;
}

static void finish(struct pair *p)
{
    for (int end = 0; end < 2; end++)
        assert_int_equal(world_counter(&p->w, end, "time.went_back"), 0);
    world_destroy(&p->w);
}

/* <hawser/socket.h>: queued bytes are still delivered. */
static void closing_after_a_long_silence_delivers_what_was_sent(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct pair p;
        uint8_t bytes[10000] = {0};
        int closer = i & 1, other = !closer;
        connect_pair(&p, i & 2);
        run(&p, LONG_SILENCE);
        assert_int_equal(hawser_send(p.conn[closer], bytes, sizeof bytes), sizeof bytes);
        hawser_close(p.conn[closer]);
        run(&p, 10 * SECOND);
        assert_int_equal(hawser_recv(p.conn[other], bytes, sizeof bytes), sizeof bytes);
        assert_int_equal(hawser_recv(p.conn[other], bytes, sizeof bytes), 0);
        hawser_close(p.conn[other]);
        finish(&p);
    }
}

/* And a peer that does not finish is waited for as long as ever. */
static void the_linger_lasts_a_minute_from_the_close(void **state)
{
    (void)state;
    struct pair p;
    connect_pair(&p, true);
    run(&p, LONG_SILENCE);
    hawser_close(p.conn[0]);
    run(&p, 59 * SECOND);
    assert_int_equal(world_counter(&p.w, 0, "tcp.resets_out"), 0);
    run(&p, 2 * SECOND);
    assert_int_equal(world_counter(&p.w, 0, "tcp.resets_out"), 1);
    hawser_close(p.conn[1]);
    finish(&p);
}

static void aborts_after_a_long_silence_reach_the_peer(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct pair p;
        connect_pair(&p, i);
        run(&p, LONG_SILENCE);
        hawser_abort(p.conn[0]);
        run(&p, SECOND);
        assert_int_equal(hawser_conn_error(p.conn[1]), -ECONNRESET);
        hawser_close(p.conn[1]);
        run(&p, 61 * SECOND); /* for so long it is remembered */
        assert_int_equal(hawser_stack_deadline(p.w.stack[0]), HAWSER_NEVER);
        finish(&p);
    }
}

static void closing_a_listener_after_a_long_silence_resets_what_waits(void **state)
{
    (void)state;
    struct pair p;
    struct hawser_conn *second;
    struct hawser_addr server;
    connect_pair(&p, false);
    server = world_server_addr(&p.w, 0, PORT);
    assert_int_equal(hawser_connect(p.w.stack[0], &server, NULL, p.w.now_ns, &second), 0);
    run(&p, LONG_SILENCE);
    hawser_listener_close(p.listener);
    run(&p, SECOND);
    assert_int_equal(hawser_conn_error(second), -ECONNRESET);
    assert_int_equal(hawser_conn_error(p.conn[0]), 0);
    hawser_close(second);
    finish(&p);
}

/* An address that comes after a long silence is announced, and a lost announcement repeated after the usual time. */
static void an_address_after_a_long_silence_is_told_of_in_time(void **state)
{
    (void)state;
    struct pair p;
    connect_pair(&p, false);
    assert_int_equal(hawser_send(p.conn[0], "x", 1), 1); /* with it the server knows that options come through */
    run(&p, LONG_SILENCE);
    struct hawser_addr addr = world_server_addr(&p.w, 1, 0);
    assert_int_equal(hawser_stack_add_address(p.w.stack[1], 0, &addr, 24, p.w.now_ns), 0);
    assert_in_range(hawser_stack_deadline(p.w.stack[1]), p.w.now_ns, p.w.now_ns + 60 * SECOND);
    run(&p, SECOND);
    assert_int_equal(world_counter(&p.w, 0, "mptcp.addresses_learned"), 1);
    finish(&p);
}

/* ---- time that goes back ---- */

static uint64_t went_back(const struct peer *p) { return peer_counter(p, "time.went_back"); }

/* Data that was sent at 100 s is not sent again before it is due from there, whatever earlier time is told meanwhile.
 */
static void time_that_goes_back_is_counted_and_stands_still(void **state)
{
    (void)state;
    struct peer p;
    struct hawser_tx tx;
    struct hawser_conn *conn;
    struct hawser_addr other;
    uint64_t early = 50 * SECOND;
    peer_init(&p, NULL, NULL);
    p.now_ns = 100 * SECOND;
    peer_open_plain(&p);
    assert_int_equal(hawser_send(p.conn, "x", 1), 1);
    peer_drain(&p);
    uint64_t due = hawser_stack_deadline(p.stack);
    assert_true(due > p.now_ns);
    assert_int_equal(went_back(&p), 0);
    hawser_stack_advance(p.stack, early);
    assert_int_equal(went_back(&p), 1);
    (void)hawser_stack_output(p.stack, &tx, 1, early);
    assert_int_equal(went_back(&p), 2);
    assert_int_equal(hawser_addr_parse(&other, "10.0.0.9", 0), 0);
    assert_int_equal(hawser_stack_add_address(p.stack, 0, &other, 24, early), 0);
    assert_int_equal(went_back(&p), 3);
    assert_int_equal(hawser_stack_remove_address(p.stack, &other, early), 0);
    assert_int_equal(went_back(&p), 4);
    hawser_stack_input(p.stack, 0, NULL, 0, early);
    assert_int_equal(went_back(&p), 5);
    assert_int_equal(hawser_stack_deadline(p.stack), due);
    p.addr.port = 4001;
    assert_int_equal(hawser_connect(p.stack, &p.addr, NULL, early, &conn), 0);
    assert_int_equal(went_back(&p), 6);
    assert_int_equal(hawser_stack_output(p.stack, &tx, 1, early), 1);
    assert_true(hawser_stack_deadline(p.stack) > p.now_ns); /* the SYN's timer too */
    hawser_close(conn);
    peer_drain(&p);
    hawser_close(p.conn);
    peer_destroy(&p);
}

/* The same instant again is no step back. */
static void time_may_stand_still(void **state)
{
    (void)state;
    struct peer p;
    peer_init(&p, NULL, NULL);
    peer_open_plain(&p);
    hawser_stack_advance(p.stack, p.now_ns);
    hawser_stack_advance(p.stack, p.now_ns);
    assert_int_equal(went_back(&p), 0);
    hawser_close(p.conn);
    peer_destroy(&p);
}

/* RFC 7323 5.5: after 24 days a peer's clock looks as if it went back. What it says is taken, and counts from then on.
 */
static void a_peers_clock_that_has_wrapped_meanwhile(void **state)
{
    (void)state;
    uint8_t bytes[2];
    struct peer p;
    peer_init(&p, NULL, NULL);
    p.timestamps = true;
    peer_open_plain(&p);
    peer_wait(&p, 25 * 86400 * SECOND);
    const uint32_t now_ms = (uint32_t)(p.now_ns / 1000000);
    peer_send(&p, TCP_ACK, 1, 1, NULL, "x", 1);
    peer_wait(&p, SECOND);
    assert_int_equal(peer_last(&p, TCP_ACK)->ack, 2);
    assert_int_equal(peer_last(&p, TCP_ACK)->options.ts_ecr, now_ms);
    p.ts_val = now_ms - 100; /* of less it may be that others overtook it */
    peer_send(&p, TCP_ACK, 2, 1, NULL, "y", 1);
    assert_int_equal(peer_counter(&p, "drop.old_timestamp"), 1);
    assert_int_equal(hawser_recv(p.conn, bytes, sizeof bytes), 1);
    hawser_close(p.conn);
    peer_destroy(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(closing_after_a_long_silence_delivers_what_was_sent),
        cmocka_unit_test(the_linger_lasts_a_minute_from_the_close),
        cmocka_unit_test(aborts_after_a_long_silence_reach_the_peer),
        cmocka_unit_test(closing_a_listener_after_a_long_silence_resets_what_waits),
        cmocka_unit_test(an_address_after_a_long_silence_is_told_of_in_time),
        cmocka_unit_test(time_that_goes_back_is_counted_and_stands_still),
        cmocka_unit_test(time_may_stand_still),
        cmocka_unit_test(a_peers_clock_that_has_wrapped_meanwhile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
