/* What peers and middleboxes do wrong: both ends go on, or learn a definite error, and nothing stays behind. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "world.h"

#define PORT 5001
#define SECOND UINT64_C(1000000000)

struct pair {
    struct world w;
    struct hawser_listener *listener;
    struct hawser_conn *conn[2];
};

static void connect_pair(struct pair *p, uint64_t seed, bool plain)
{
    struct hawser_stack_options options = {.size = sizeof options, .no_mptcp = plain};
    world_init(&p->w, seed, 1, 1, false, &options, NULL);
    p->w.paths[0].rate_bps = 20000000;
    p->w.paths[0].queue_bytes = 64 * 1024;
    p->conn[1] = NULL;
    struct hawser_addr server = world_server_addr(&p->w, 0, PORT), any = {.port = PORT};
    assert_int_equal(hawser_listen(p->w.stack[1], &any, 4, NULL, &p->listener), 0);
    assert_int_equal(hawser_connect(p->w.stack[0], &server, NULL, p->w.now_ns, &p->conn[0]), 0);
    while (hawser_accept(p->listener, &p->conn[1]) < 0)
        assert_true(world_step(&p->w, p->w.now_ns + SECOND));
}

static void send_some(struct pair *p, int end, size_t len)
{
    static uint8_t bytes[1 << 20];
    assert_int_equal(hawser_send(p->conn[end], bytes, len), len);
}

static size_t read_all(struct pair *p, int end)
{
    static uint8_t bytes[1 << 16];
    size_t total = 0;
    for (ssize_t n; (n = hawser_recv(p->conn[end], bytes, sizeof bytes)) > 0;)
        total += (size_t)n;
    return total;
}

static void run(struct pair *p, uint64_t for_ns)
{
    uint64_t until = p->w.now_ns + for_ns;
    do
        for (int end = 0; end < 2; end++)
            read_all(p, end);
    while (world_step(&p->w, until));
}

static void finish(struct pair *p)
{
    hawser_close(p->conn[0]);
    hawser_close(p->conn[1]);
    world_destroy(&p->w);
}

/* From now on every MPTCP option of packets to the server becomes padding. */
static bool strip_to_server(void *ctx, int to, uint8_t *packet, uint16_t *len)
{
    (void)ctx;
    (void)len;
    uint8_t *tcp = packet + 20, *end = tcp + (tcp[12] >> 4) * 4;
    if (to != 1)
        return true;
    for (uint8_t *p = tcp + 20; p < end && *p != 0; p += *p == 1 ? 1 : p[1]) {
        uint32_t sum = (uint32_t)tcp[16] << 8 | tcp[17];
        if (*p != 30)
            continue;
        uint8_t size = p[1];
        for (uint8_t i = 0; i < size; i++) { /* RFC 1624, byte by byte */
            bool high = (p + i - tcp) % 2 == 0;
            sum += high ? (uint32_t)p[i] << 8 : p[i];
            sum += 0xffff ^ (high ? 1u << 8 : 1u);
            p[i] = 1;
        }
        while (sum >> 16)
            sum = (sum & 0xffff) + (sum >> 16);
        tcp[16] = (uint8_t)(sum >> 8);
        tcp[17] = (uint8_t)sum;
    }
    return true;
}

/* Changes a byte of payload now and then, with the TCP checksum made right: what an application gateway does. */
static bool rewrite_payload(void *ctx, int to, uint8_t *packet, uint16_t *len)
{
    unsigned *countdown = ctx;
    uint8_t *tcp = packet + 20, *payload = tcp + (tcp[12] >> 4) * 4;
    bool second_path = packet[14] == 1;
    if (to != 1 || !second_path || payload + 2 > packet + *len || (*countdown)-- > 0)
        return true;
    *countdown = 20;
    size_t at = (size_t)(payload - tcp);
    uint32_t sum = (uint32_t)tcp[16] << 8 | tcp[17], old = at % 2 ? payload[0] : (uint32_t)payload[0] << 8;
    payload[0] ^= 0x55;
    sum += (0xffff ^ (at % 2 ? payload[0] : (uint32_t)payload[0] << 8)) + old;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    tcp[16] = (uint8_t)(sum >> 8);
    tcp[17] = (uint8_t)sum;
    return true;
}

/* RFC 8684 3.3.1: the checksum finds it, the subflow goes, the other carries the bytes: not one wrong byte comes up. */
static void checksums_find_rewritten_payload(void **state)
{
    (void)state;
    struct world w;
    struct hawser_stack_options options = {.size = sizeof options, .checksum_required = true};
    struct hawser_conn *conn[2] = {NULL, NULL};
    struct hawser_listener *listener;
    unsigned countdown = 50;
    static uint8_t bytes[1 << 16];
    world_init(&w, 36, 2, 1, false, NULL, &options);
    for (int i = 0; i < 2; i++) {
        w.paths[i].rate_bps = 20000000;
        w.paths[i].queue_bytes = 64 * 1024;
    }
    w.tamper = rewrite_payload;
    w.tamper_ctx = &countdown;
    struct hawser_addr server = world_server_addr(&w, 0, PORT), any = {.port = PORT};
    assert_int_equal(hawser_listen(w.stack[1], &any, 4, NULL, &listener), 0);
    assert_int_equal(hawser_connect(w.stack[0], &server, NULL, w.now_ns, &conn[0]), 0);
    uint64_t sent = 0, received = 0, total = 4 << 20, until = w.now_ns + 60 * SECOND;
    while (received < total && world_step(&w, until)) {
        if (!conn[1] && hawser_accept(listener, &conn[1]) < 0)
            conn[1] = NULL;
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = (uint8_t)((sent + i) % 251);
        size_t want = total - sent < sizeof bytes ? (size_t)(total - sent) : sizeof bytes;
        ssize_t n = want ? hawser_send(conn[0], bytes, want) : 0;
        sent += n > 0 ? (uint64_t)n : 0;
        while (conn[1] && (n = hawser_recv(conn[1], bytes, sizeof bytes)) > 0)
            for (ssize_t i = 0; i < n; i++, received++)
                assert_int_equal(bytes[i], received % 251);
    }
    assert_int_equal(received, total);
    struct hawser_conn_info info = {.size = sizeof info};
    assert_int_equal(hawser_conn_get_info(conn[0], &info), 0);
    assert_true(info.checksums);
    assert_true(world_counter(&w, 1, "drop.dss_bad_checksum") > 0);
    hawser_close(conn[0]);
    hawser_close(conn[1]);
    world_destroy(&w);
}

static void options_vanish_in_mid_connection(void **state)
{
    (void)state;
    struct pair p;
    connect_pair(&p, 31, false);
    send_some(&p, 0, 100000);
    run(&p, SECOND);
    p.w.tamper = strip_to_server;
    send_some(&p, 0, 1 << 20);
    run(&p, 60 * SECOND);
    assert_int_equal(world_counter(&p.w, 1, "drop.tcp_bad_checksum"), 0); /* the middlebox is a careful one */
    assert_true(world_counter(&p.w, 1, "drop.unmapped_data") > 0);
    assert_true(hawser_conn_error(p.conn[0]) < 0);
    assert_true(hawser_conn_error(p.conn[1]) < 0);
    finish(&p);
}

/* A peer that never closes its side does not keep a connection alive that the application has let go. */
static void a_closed_connection_is_not_kept_for_ever(void **state)
{
    (void)state;
    for (int plain = 0; plain < 2; plain++) {
        struct pair p;
        connect_pair(&p, 32, plain);
        send_some(&p, 0, 1000);
        hawser_close(p.conn[0]);
        struct hawser_subflow_info info = {.size = sizeof info};
        uint64_t until = p.w.now_ns + 200 * SECOND;
        while (world_step(&p.w, until)) /* the server reads, but neither closes nor sends */
            read_all(&p, 1);
        assert_int_equal(hawser_stack_deadline(p.w.stack[0]), HAWSER_NEVER);
        assert_int_equal(hawser_conn_error(p.conn[1]), -ECONNRESET);
        assert_int_equal(hawser_subflow_get_info(p.conn[1], 0, &info), -ENOENT);
        hawser_close(p.conn[1]);
        world_destroy(&p.w);
    }
}

/* Two ends whose numbers an attacker made disagree must not answer each other's acknowledgements for ever. */
struct shifted {
    bool on;
};

static bool shift_sequence(void *ctx, int to, uint8_t *packet, uint16_t *len)
{
    const struct shifted *s = ctx;
    (void)to;
    (void)len;
    if (!s->on)
        return true;
    uint8_t *tcp = packet + 20;
    uint32_t sum = ((uint32_t)tcp[16] << 8 | tcp[17]) + (0xffff ^ ((uint32_t)tcp[4] << 8 | tcp[5]));
    tcp[4] ^= 0x40; /* far outside of any window */
    sum += (uint32_t)tcp[4] << 8 | tcp[5];
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    tcp[16] = (uint8_t)(sum >> 8);
    tcp[17] = (uint8_t)sum;
    return true;
}

static void no_storm_of_acknowledgements(void **state)
{
    (void)state;
    struct pair p;
    struct shifted shifted = {false};
    connect_pair(&p, 33, true);
    p.w.tamper = shift_sequence;
    p.w.tamper_ctx = &shifted;
    send_some(&p, 0, 1000);
    run(&p, SECOND);
    shifted.on = true;
    uint64_t before = world_counter(&p.w, 0, "ip.packets_out") + world_counter(&p.w, 1, "ip.packets_out");
    send_some(&p, 0, 1);
    run(&p, 10 * SECOND);
    uint64_t sent = world_counter(&p.w, 0, "ip.packets_out") + world_counter(&p.w, 1, "ip.packets_out") - before;
    assert_in_range(sent, 2, 250); /* ten a second and side, and retransmissions */
    finish(&p);
}

static void text_after_a_fin_is_ignored(void **state)
{
    (void)state;
    struct pair p;
    connect_pair(&p, 34, true);
    send_some(&p, 0, 500);
    hawser_shutdown(p.conn[0]);
    run(&p, SECOND);
    assert_int_equal(hawser_recv(p.conn[1], &(uint8_t){0}, 1), 0);
    struct hawser_conn_info info = {.size = sizeof info};
    assert_int_equal(hawser_conn_get_info(p.conn[1], &info), 0);
    assert_int_equal(info.recv_bytes, 500);
    finish(&p);
}

/* Every allocation may fail: the calls say so, nothing leaks, and the stack goes on. */
static void allocations_fail(void **state)
{
    (void)state;
    for (uint64_t n = 1; n < 60; n++) {
        struct world w;
        struct hawser_conn *conn = NULL;
        struct hawser_listener *listener;
        world_init(&w, 35, 1, 1, false, NULL, NULL);
        struct hawser_addr server = world_server_addr(&w, 0, PORT), any = {.port = PORT};
        assert_int_equal(hawser_listen(w.stack[1], &any, 4, NULL, &listener), 0);
        w.env[0].fail_at = n;
        w.env[1].fail_at = n;
        if (hawser_connect(w.stack[0], &server, NULL, w.now_ns, &conn) == 0) {
            uint8_t bytes[4000] = {0};
            for (uint64_t until = w.now_ns + 30 * SECOND; world_step(&w, until);)
                (void)hawser_send(conn, bytes, sizeof bytes);
            hawser_abort(conn);
        }
        world_destroy(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checksums_find_rewritten_payload),
        cmocka_unit_test(options_vanish_in_mid_connection),
        cmocka_unit_test(a_closed_connection_is_not_kept_for_ever),
        cmocka_unit_test(no_storm_of_acknowledgements),
        cmocka_unit_test(text_after_a_fin_is_ignored),
        cmocka_unit_test(allocations_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
