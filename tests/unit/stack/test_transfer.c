/* Whole connections between two stacks in simulated time: the stream arrives equal, whatever the paths do. */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "world.h"

#define PORT 5001
#define SECOND UINT64_C(1000000000)
#define CHUNK 16384
/* What is offered to a peer at first. */
#define FIRST_WINDOW 65000

/* One direction of a transfer. */
struct stream {
    uint64_t total, sent, received;
    bool shut, ended;
};

struct transfer {
    struct world *w;
    struct hawser_listener *listener;
    struct hawser_conn *conn[2];
    struct stream up, down;
    int error[2];
};

static uint8_t pattern(uint64_t at) { return (uint8_t)(at * 31 + (at >> 8) * 17 + (at >> 16) * 7); }

static void pump_out(struct transfer *t, int end, struct stream *s)
{
    uint8_t bytes[CHUNK];
    if (!(hawser_conn_ready(t->conn[end]) & HAWSER_CONNECTED))
        return;
    while (s->sent < s->total) {
        size_t want = s->total - s->sent < CHUNK ? (size_t)(s->total - s->sent) : CHUNK;
        for (size_t i = 0; i < want; i++)
            bytes[i] = pattern(s->sent + i);
        ssize_t n = hawser_send(t->conn[end], bytes, want);
        if (n <= 0)
            return;
        s->sent += (uint64_t)n;
    }
    if (!s->shut)
        hawser_shutdown(t->conn[end]);
    s->shut = true;
}

static void pump_in(struct transfer *t, int end, struct stream *s)
{
    uint8_t bytes[CHUNK];
    ssize_t n;
    while ((n = hawser_recv(t->conn[end], bytes, sizeof bytes)) > 0) {
        for (ssize_t i = 0; i < n; i++)
            if (bytes[i] != pattern(s->received + (uint64_t)i))
                fail_msg("byte %" PRIu64 " differs", s->received + (uint64_t)i);
        s->received += (uint64_t)n;
    }
    if (n == 0)
        s->ended = true;
    else if (n != -EAGAIN)
        t->error[end] = (int)n;
}

static void pump(struct transfer *t)
{
    if (!t->conn[1] && hawser_accept(t->listener, &t->conn[1]) < 0)
        t->conn[1] = NULL;
    pump_out(t, 0, &t->up);
    pump_in(t, 0, &t->down);
    if (!t->conn[1])
        return;
    pump_out(t, 1, &t->down);
    pump_in(t, 1, &t->up);
}

static void begin_with(struct transfer *t, struct world *w, uint64_t up, uint64_t down,
                       const struct hawser_conn_options *options)
{
    *t = (struct transfer){.w = w, .up = {.total = up}, .down = {.total = down}};
    struct hawser_addr server = world_server_addr(w, 0, PORT), any = {.port = PORT};
    assert_int_equal(hawser_listen(w->stack[1], &any, 8, options, &t->listener), 0);
    assert_int_equal(hawser_connect(w->stack[0], &server, options, w->now_ns, &t->conn[0]), 0);
}

static void begin(struct transfer *t, struct world *w, uint64_t up, uint64_t down) { begin_with(t, w, up, down, NULL); }

static bool finished(const struct transfer *t) { return t->up.ended && t->down.ended; }

static void run(struct transfer *t, uint64_t for_ns)
{
    uint64_t until = t->w->now_ns + for_ns;
    do
        pump(t);
    while (!finished(t) && !t->error[0] && !t->error[1] && world_step(t->w, until));
    pump(t);
}

static void expect_whole(const struct transfer *t)
{
    assert_int_equal(t->error[0], 0);
    assert_int_equal(t->error[1], 0);
    assert_int_equal(t->up.received, t->up.total);
    assert_int_equal(t->down.received, t->down.total);
    assert_true(t->up.ended && t->down.ended);
}

/* Both ends give up their handles and everything goes away by itself. */
static void expect_clean_close(struct transfer *t)
{
    hawser_close(t->conn[0]);
    hawser_close(t->conn[1]);
    hawser_listener_close(t->listener);
    while (world_step(t->w, t->w->now_ns + 300 * SECOND))
        ;
    assert_int_equal(hawser_stack_deadline(t->w->stack[0]), HAWSER_NEVER);
    assert_int_equal(hawser_stack_deadline(t->w->stack[1]), HAWSER_NEVER);
}

static void check_transfer(unsigned paths, unsigned server_addresses, bool v6, uint64_t up, uint64_t down, double loss,
                           bool plain, uint64_t seed)
{
    struct world w;
    struct transfer t;
    struct hawser_stack_options options = {.size = sizeof options, .no_mptcp = plain};
    world_init(&w, seed, paths, server_addresses, v6, &options, NULL);
    for (unsigned i = 0; i < paths; i++) {
        w.paths[i].rate_bps = 50000000;
        w.paths[i].queue_bytes = 128 * 1024;
        w.paths[i].loss = loss;
    }
    begin(&t, &w, up, down);
    uint64_t start = w.now_ns;
    run(&t, 120 * SECOND);
    expect_whole(&t);
    printf("  %u paths, loss %.0f%%: %.1f Mbit/s\n", paths, loss * 100,
           (double)(up > down ? up : down) * 8000 / (double)(w.now_ns - start));
    struct hawser_conn_info info = {.size = sizeof info};
    assert_int_equal(hawser_conn_get_info(t.conn[0], &info), 0);
    assert_int_equal(info.mptcp, !plain);
    if (!plain && paths > 1 && loss == 0)
        for (unsigned i = 0; i < paths; i++)
            assert_true(w.paths[i].delivered_bytes[up < down] > (up > down ? up : down) / (5 * paths / 2));
    expect_clean_close(&t);
    world_destroy(&w);
}

static void one_path_up(void **state)
{
    (void)state;
    check_transfer(1, 1, false, 8 << 20, 0, 0, false, 1);
}
static void one_path_down(void **state)
{
    (void)state;
    check_transfer(1, 1, false, 0, 8 << 20, 0, false, 2);
}
static void two_paths_up(void **state)
{
    (void)state;
    check_transfer(2, 1, false, 8 << 20, 0, 0, false, 3);
}
static void two_paths_down(void **state)
{
    (void)state;
    check_transfer(2, 1, false, 0, 8 << 20, 0, false, 4);
}
static void two_paths_v6(void **state)
{
    (void)state;
    check_transfer(2, 1, true, 8 << 20, 0, 0, false, 5);
}
static void both_ways(void **state)
{
    (void)state;
    check_transfer(2, 1, false, 4 << 20, 4 << 20, 0, false, 6);
}

/* What is under way on a path that dies is elsewhere after two round trips, before any timeout. Then it is asked once a
 * second at most, whatever goes on beside it. */
static void a_dead_path_costs_two_round_trips(void **state)
{
    (void)state;
    enum { WARM = 1 << 20, LEN = 14000 }; /* after idleness a path takes an initial window at once (RFC 5681 4.1) */
    const uint64_t one_way_ns = SECOND / 25;
    struct world w;
    struct transfer t;
    world_init(&w, 13, 2, 1, false, NULL, NULL);
    w.paths[0].delay_ns = one_way_ns - SECOND / 100; /* which is preferred */
    w.paths[1].delay_ns = one_way_ns;
    begin(&t, &w, WARM, 0);
    t.up.shut = true; /* not yet */
    run(&t, 3 * SECOND);
    assert_int_equal(t.up.received, WARM);
    t.up.total += LEN;
    w.paths[0].down = true;
    run(&t, (2 + 1) * 2 * one_way_ns);
    assert_int_equal(t.up.received, t.up.total);
    assert_true(w.paths[0].dropped > 0);
    assert_int_equal(world_counter(&w, 0, "tcp.timeouts"), 0);
    for (unsigned second = 0; second < 20; second++) {
        uint64_t before = w.paths[0].dropped, until_ns = w.now_ns + SECOND;
        while (w.now_ns < until_ns) {
            t.up.total += LEN / 10;
            run(&t, one_way_ns);
            w.now_ns += one_way_ns;
        }
        assert_true(second == 0 || w.paths[0].dropped - before <= 1 + 3 * 2); /* and questions of two packets */
    }
    assert_int_equal(t.up.received, t.up.total);
    world_destroy(&w);
}

static void plain_tcp(void **state)
{
    (void)state;
    check_transfer(1, 1, false, 2 << 20, 2 << 20, 0, true, 7);
}
static void empty_streams(void **state)
{
    (void)state;
    check_transfer(1, 1, false, 0, 0, 0, false, 8);
}
static void one_byte(void **state)
{
    (void)state;
    check_transfer(1, 1, false, 1, 1, 0, false, 9);
}

static void lossy_paths(void **state)
{
    (void)state;
    uint64_t seed = test_seed();
    for (uint64_t i = 0; i < 5; i++)
        check_transfer(2, 1, false, 2 << 20, 1 << 20, 0.02, false, seed + i);
    check_transfer(1, 1, false, 1 << 20, 1 << 20, 0.05, true, seed);
}

static void cut_path(void **state)
{
    (void)state;
    struct world w;
    struct transfer t;
    world_init(&w, 11, 2, 1, false, NULL, NULL);
    for (unsigned i = 0; i < 2; i++) {
        w.paths[i].rate_bps = 50000000;
        w.paths[i].queue_bytes = 128 * 1024;
    }
    begin(&t, &w, 16 << 20, 0);
    run(&t, SECOND / 2);
    assert_true(t.up.received > 0 && !finished(&t));
    w.paths[0].down = true;
    run(&t, 60 * SECOND);
    expect_whole(&t);
    assert_true(world_counter(&w, 0, "mptcp.reinjections") > 0);
    world_destroy(&w);
}

/* Two equal paths take turns, so that the dead one leaves a gap for each of its segments, thousands of them: all of
 * them are filled at once by the other, at its full rate. */
static void thousands_of_gaps(void **state)
{
    (void)state;
    struct world w;
    struct transfer t;
    struct hawser_conn_options large = {
        .size = sizeof large, .send_buffer_bytes = 16 << 20, .recv_buffer_bytes = 32 << 20};
    world_init(&w, 12, 2, 1, false, NULL, NULL);
    for (unsigned i = 0; i < 2; i++) {
        w.paths[i].rate_bps = 100000000;
        w.paths[i].delay_ns = SECOND / 20;
        w.paths[i].queue_bytes = 4 << 20;
    }
    begin_with(&t, &w, 60 << 20, 0, &large);
    run(&t, 2 * SECOND);
    assert_true(t.up.received > 0 && !finished(&t));
    w.paths[0].down = true;
    run(&t, 8 * SECOND);
    expect_whole(&t);
    assert_true(world_counter(&w, 0, "mptcp.reinjections") > 1024);
    world_destroy(&w);
}

static bool strip_mptcp(void *ctx, int to, uint8_t *packet, uint16_t *len)
{
    (void)ctx;
    (void)to;
    for (uint8_t *p = NULL; (p = world_find_mptcp(packet, p));)
        memset(p, 1, p[1]);
    world_fix_checksum(packet, *len);
    return true;
}

/* Holds the DATA_ACKs to the client at the first one seen until `until_ns`. */
struct frozen_ack {
    const struct world *w;
    uint64_t until_ns;
    uint8_t first[8];
    bool seen;
};

static bool freeze_data_ack(void *ctx, int to, uint8_t *packet, uint16_t *len)
{
    struct frozen_ack *f = ctx;
    uint8_t *p = to == 0 && f->w->now_ns < f->until_ns ? world_find_mptcp(packet, NULL) : NULL;
    if (!p || p[2] >> 4 != 2 || (p[3] & 3) != 3) /* a DSS with a 64-bit DATA_ACK */
        return true;
    if (!f->seen)
        memcpy(f->first, p + 4, 8);
    f->seen = true;
    memcpy(p + 4, f->first, 8);
    world_fix_checksum(packet, *len);
    return true;
}

/* Every subflow-level acknowledgement arrives, but no DATA_ACK, until nothing is outstanding on the subflow. */
static void lost_data_acks_are_asked_for(void **state)
{
    (void)state;
    struct world w;
    struct transfer t;
    world_init(&w, 21, 1, 1, false, NULL, NULL);
    struct frozen_ack frozen = {.w = &w, .until_ns = w.now_ns + 2 * SECOND};
    w.tamper = freeze_data_ack;
    w.tamper_ctx = &frozen;
    begin(&t, &w, 8 << 20, 0); /* more than the send buffer holds */
    run(&t, 30 * SECOND);
    expect_whole(&t);
    assert_true(frozen.seen);
    expect_clean_close(&t);
    world_destroy(&w);
}

static void stripped_options_fall_back(void **state)
{
    (void)state;
    struct world w;
    struct transfer t;
    world_init(&w, 12, 1, 1, false, NULL, NULL);
    w.tamper = strip_mptcp;
    begin(&t, &w, 1 << 20, 1 << 20);
    run(&t, 60 * SECOND);
    expect_whole(&t);
    struct hawser_conn_info info = {.size = sizeof info};
    assert_int_equal(hawser_conn_get_info(t.conn[0], &info), 0);
    assert_false(info.mptcp);
    expect_clean_close(&t);
    world_destroy(&w);
}

static void announced_address_is_joined(void **state)
{
    (void)state;
    for (int v6 = 0; v6 < 2; v6++) {
        struct world w;
        struct transfer t;
        world_init(&w, 13, 1, 2, v6, NULL, NULL);
        begin(&t, &w, 4 << 20, 0);
        run(&t, 60 * SECOND);
        expect_whole(&t);
        assert_int_equal(world_counter(&w, 0, "mptcp.addresses_learned"), 1);
        assert_int_equal(world_counter(&w, 1, "mptcp.joins_accepted"), 1);
        expect_clean_close(&t);
        world_destroy(&w);
    }
}

static void join_needs_no_listener(void **state)
{
    (void)state;
    struct world w;
    struct transfer t;
    world_init(&w, 14, 1, 1, false, NULL, NULL);
    begin(&t, &w, 8 << 20, 0);
    while (!t.conn[1]) {
        assert_true(world_step(&w, w.now_ns + SECOND));
        pump(&t);
    }
    hawser_listener_close(t.listener);
    struct hawser_addr any = {.port = PORT + 1};
    assert_int_equal(hawser_listen(w.stack[1], &any, 1, NULL, &t.listener), 0);
    w.path_count = 2;
    w.paths[1] = w.paths[0];
    struct hawser_addr second = world_client_addr(&w, 1);
    assert_int_equal(hawser_stack_add_address(w.stack[0], 0, &second, 24, w.now_ns), 0);
    run(&t, 60 * SECOND);
    expect_whole(&t);
    assert_int_equal(world_counter(&w, 1, "mptcp.joins_accepted"), 1);
    expect_clean_close(&t);
    world_destroy(&w);
}

static void nobody_listens(void **state)
{
    (void)state;
    struct world w;
    struct hawser_conn *conn;
    world_init(&w, 15, 1, 1, false, NULL, NULL);
    struct hawser_addr server = world_server_addr(&w, 0, PORT);
    assert_int_equal(hawser_connect(w.stack[0], &server, NULL, w.now_ns, &conn), 0);
    while (world_step(&w, w.now_ns + 10 * SECOND))
        ;
    assert_int_equal(hawser_conn_error(conn), -ECONNREFUSED);
    assert_true(hawser_conn_ready(conn) & HAWSER_ERROR);
    hawser_close(conn);
    world_destroy(&w);
}

static void silent_peer_times_out(void **state)
{
    (void)state;
    struct world w;
    struct hawser_conn *conn;
    world_init(&w, 16, 1, 1, false, NULL, NULL);
    w.paths[0].down = true;
    struct hawser_addr server = world_server_addr(&w, 0, PORT);
    assert_int_equal(hawser_connect(w.stack[0], &server, NULL, w.now_ns, &conn), 0);
    while (world_step(&w, w.now_ns + 1000 * SECOND))
        ;
    assert_int_equal(hawser_conn_error(conn), -ETIMEDOUT);
    hawser_close(conn);
    world_destroy(&w);
}

static void abort_tells_the_peer(void **state)
{
    (void)state;
    struct world w;
    struct transfer t;
    world_init(&w, 17, 1, 1, false, NULL, NULL);
    w.paths[0].rate_bps = 50000000;
    w.paths[0].queue_bytes = 128 * 1024;
    begin(&t, &w, 64 << 20, 0);
    run(&t, SECOND);
    assert_non_null(t.conn[1]);
    hawser_abort(t.conn[0]);
    for (int i = 0; i < 1000 && hawser_conn_error(t.conn[1]) == 0; i++)
        world_step(&w, w.now_ns + SECOND);
    assert_int_equal(hawser_conn_error(t.conn[1]), -ECONNRESET);
    hawser_close(t.conn[1]);
    world_destroy(&w);
}

static void slow_reader_loses_nothing(void **state)
{
    (void)state;
    struct world w;
    struct transfer t;
    world_init(&w, 18, 1, 1, false, NULL, NULL);
    begin(&t, &w, 16 << 20, 0);
    while (!t.conn[1] || t.up.sent < (10u << 20)) { /* the server reads nothing until the windows are full */
        if (!t.conn[1] && hawser_accept(t.listener, &t.conn[1]) < 0)
            t.conn[1] = NULL;
        uint64_t before = t.up.sent;
        pump_out(&t, 0, &t.up);
        if (!world_step(&w, w.now_ns + 20 * SECOND) || (before == t.up.sent && w.now_ns > 100 * SECOND))
            break;
    }
    assert_int_equal(world_counter(&w, 1, "drop.data_out_of_window"), 0);
    run(&t, 120 * SECOND);
    expect_whole(&t);
    world_destroy(&w);
}

/* A plain connection on which the server has sent all and closed while the client has read nothing yet. */
static void server_closes_first(struct world *w, struct transfer *t, uint64_t bytes)
{
    struct hawser_stack_options plain = {.size = sizeof plain, .no_mptcp = true};
    world_init(w, 19, 1, 1, false, &plain, NULL);
    begin(t, w, 0, bytes);
    for (uint64_t until = w->now_ns + 20 * SECOND; world_step(w, until);) {
        if (!t->conn[1] && hawser_accept(t->listener, &t->conn[1]) < 0)
            t->conn[1] = NULL;
        if (t->conn[1])
            pump_out(t, 1, &t->down);
        pump_out(t, 0, &t->up);
    }
    assert_true(t->down.shut);
}

static void no_window_update_after_the_fin(void **state)
{
    (void)state;
    struct world w;
    struct transfer t;
    server_closes_first(&w, &t, FIRST_WINDOW);
    uint64_t before = world_counter(&w, 0, "ip.packets_out");
    pump_in(&t, 0, &t.down);
    assert_int_equal(t.down.received, FIRST_WINDOW);
    world_step(&w, w.now_ns + SECOND);
    assert_int_equal(world_counter(&w, 0, "ip.packets_out"), before);
    world_destroy(&w);
}

struct last_packet {
    uint8_t bytes[WORLD_PACKET_MAX];
    uint16_t len;
};

static bool keep_last_to_client(void *ctx, int to, uint8_t *packet, uint16_t *len)
{
    struct last_packet *last = ctx;
    if (to == 0) {
        memcpy(last->bytes, packet, *len);
        last->len = *len;
    }
    return true;
}

static void reset_in_time_wait_is_no_error(void **state)
{
    (void)state;
    struct world w;
    struct transfer t;
    struct last_packet last = {.len = 0};
    struct hawser_stack_options plain = {.size = sizeof plain, .no_mptcp = true};
    world_init(&w, 20, 1, 1, false, &plain, NULL);
    w.tamper = keep_last_to_client;
    w.tamper_ctx = &last;
    begin(&t, &w, 0, 100000);
    run(&t, 20 * SECOND);
    expect_whole(&t);
    while (world_step(&w, w.now_ns + SECOND))
        ;
    assert_int_equal(hawser_stack_time_wait(w.stack[0]), 1);
    uint8_t *tcp = last.bytes + 20;
    uint32_t seq = (uint32_t)tcp[4] << 24 | (uint32_t)tcp[5] << 16 | (uint32_t)tcp[6] << 8 | tcp[7];
    seq += (uint32_t)(last.len - 20 - (tcp[12] >> 4) * 4) + (tcp[13] & 1);
    for (int i = 0; i < 4; i++)
        tcp[4 + i] = (uint8_t)(seq >> (24 - 8 * i));
    tcp[13] = 0x14; /* RST, ACK */
    struct hawser_rx rst = {
        .data = last.bytes, .len = last.len, .flags = HAWSER_RX_CSUM_OK}; /* its checksum is stale, and not the point */
    hawser_stack_input(w.stack[0], 0, &rst, 1, w.now_ns);
    assert_int_equal(world_counter(&w, 0, "tcp.resets_in"), 1);
    assert_int_equal(hawser_stack_time_wait(w.stack[0]), 0);
    assert_int_equal(hawser_conn_error(t.conn[0]), 0);
    assert_true(hawser_conn_ready(t.conn[0]) & HAWSER_CLOSED);
    expect_clean_close(&t);
    world_destroy(&w);
}

static void both_open_at_once(void **state)
{
    (void)state;
    struct world w;
    struct transfer t = {.w = &w, .up = {.total = 1 << 20}, .down = {.total = 1 << 20}};
    world_init(&w, 22, 1, 1, false, NULL, NULL);
    struct hawser_addr ends[2] = {world_client_addr(&w, 0), world_server_addr(&w, 0, PORT)};
    ends[0].port = PORT + 1;
    for (int end = 0; end < 2; end++) {
        struct hawser_conn_options options = {.size = sizeof options, .local = ends[end]};
        assert_int_equal(hawser_connect(w.stack[end], &ends[!end], &options, w.now_ns, &t.conn[end]), 0);
    }
    run(&t, 20 * SECOND);
    expect_whole(&t);
    assert_int_equal(world_counter(&w, 0, "drop.syn_in_connection"), 0);
    for (int end = 0; end < 2; end++)
        hawser_close(t.conn[end]);
    world_destroy(&w);
}

/* Options that pass on SYNs only, in both directions or in one of them. */
struct late_strip {
    bool to[2];
};

static bool strip_after_the_syn(void *ctx, int to, uint8_t *packet, uint16_t *len)
{
    const struct late_strip *strip = ctx;
    return !strip->to[to] || packet[20 + 13] & 2 || strip_mptcp(NULL, to, packet, len);
}

/* RFC 8684 3.7: an infinite mapping tells a peer that still sees options; the DATA_FIN that was said already is said
 * again as a FIN. */
static void stripped_after_the_syn_falls_back(void **state)
{
    (void)state;
    for (unsigned ways = 1; ways < 4; ways++)
        for (uint64_t bytes = 1000; bytes < 4000000; bytes *= 1000) {
            struct world w;
            struct transfer t;
            struct late_strip strip = {.to = {ways & 1, ways & 2}};
            world_init(&w, 23, 1, 1, false, NULL, NULL);
            w.tamper = strip_after_the_syn;
            w.tamper_ctx = &strip;
            begin(&t, &w, bytes, bytes);
            run(&t, 60 * SECOND);
            expect_whole(&t);
            expect_clean_close(&t);
            world_destroy(&w);
        }
}

/* A middlebox that changes bytes of the only path now and then, with checksums in use: the stream goes on as through a
 * middlebox of plain TCP, altered but whole. */
static bool change_a_byte(void *ctx, int to, uint8_t *packet, uint16_t *len)
{
    unsigned *packets = ctx;
    uint8_t *payload = packet + 20 + (packet[20 + 12] >> 4) * 4;
    if (to == 1 && payload < packet + *len && ++*packets % 100 == 50) {
        *payload ^= 1;
        world_fix_checksum(packet, *len);
    }
    return true;
}

static void altered_bytes_on_the_only_path(void **state)
{
    (void)state;
    struct world w;
    struct transfer t;
    unsigned packets = 0;
    uint8_t bytes[CHUNK];
    struct hawser_stack_options options = {.size = sizeof options, .checksum_required = true};
    world_init(&w, 24, 1, 1, false, &options, NULL);
    w.tamper = change_a_byte;
    w.tamper_ctx = &packets;
    begin(&t, &w, 4 << 20, 0);
    for (uint64_t until = w.now_ns + 60 * SECOND; !t.up.ended && world_step(&w, until);) {
        pump_out(&t, 0, &t.up);
        if (!t.conn[1] && hawser_accept(t.listener, &t.conn[1]) < 0)
            t.conn[1] = NULL;
        for (ssize_t n = 1; t.conn[1] && n > 0; t.up.received += n > 0 ? (uint64_t)n : 0) {
            n = hawser_recv(t.conn[1], bytes, sizeof bytes);
            t.up.ended = n == 0;
        }
    }
    assert_int_equal(t.up.received, 4 << 20);
    assert_int_equal(world_counter(&w, 1, "drop.dss_bad_checksum"), 1);
    for (int end = 0; end < 2; end++) {
        assert_int_equal(hawser_conn_error(t.conn[end]), 0);
        assert_int_equal(world_counter(&w, end, "mptcp.fallbacks"), 1);
    }
    expect_clean_close(&t);
    world_destroy(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_path_up),
        cmocka_unit_test(one_path_down),
        cmocka_unit_test(two_paths_up),
        cmocka_unit_test(two_paths_down),
        cmocka_unit_test(two_paths_v6),
        cmocka_unit_test(both_ways),
        cmocka_unit_test(plain_tcp),
        cmocka_unit_test(empty_streams),
        cmocka_unit_test(one_byte),
        cmocka_unit_test(lossy_paths),
        cmocka_unit_test(cut_path),
        cmocka_unit_test(a_dead_path_costs_two_round_trips),
        cmocka_unit_test(thousands_of_gaps),
        cmocka_unit_test(stripped_options_fall_back),
        cmocka_unit_test(lost_data_acks_are_asked_for),
        cmocka_unit_test(announced_address_is_joined),
        cmocka_unit_test(join_needs_no_listener),
        cmocka_unit_test(nobody_listens),
        cmocka_unit_test(silent_peer_times_out),
        cmocka_unit_test(abort_tells_the_peer),
        cmocka_unit_test(slow_reader_loses_nothing),
        cmocka_unit_test(no_window_update_after_the_fin),
        cmocka_unit_test(reset_in_time_wait_is_no_error),
        cmocka_unit_test(both_open_at_once),
        cmocka_unit_test(stripped_after_the_syn_falls_back),
        cmocka_unit_test(altered_bytes_on_the_only_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
