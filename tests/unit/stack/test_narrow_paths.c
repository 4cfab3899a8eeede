/* Whole transfers over paths that are narrower than their links, in super-segments and beside other paths. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "base/units.h"
#include "peer.h"
#include "stack/stack.h"
#include "tcp/internal.h"
#include "wire/bytes.h"
#include "world.h"

struct transfer {
    struct hawser_conn *from, *to;
    uint64_t sent, received, longest_ns;
};

static uint8_t pattern(uint64_t at) { return (uint8_t)(at * 31 + (at >> 8) * 17 + (at >> 16) * 7); }

static void pump(struct transfer *t, uint64_t total)
{
    uint8_t chunk[16384];
    ssize_t n;
    while (t->sent < total) {
        size_t want = HW_MIN(total - t->sent, (uint64_t)sizeof chunk);
        for (size_t i = 0; i < want; i++)
            chunk[i] = pattern(t->sent + i);
        if ((n = hawser_send(t->from, chunk, want)) <= 0)
            break;
        t->sent += (uint64_t)n;
    }
    while ((n = hawser_recv(t->to, chunk, sizeof chunk)) > 0)
        for (ssize_t i = 0; i < n; i++)
            assert_int_equal(chunk[i], pattern(t->received++));
}

/* Sends `total` bytes and notes the longest time in which none arrived. */
static void run(struct world *w, struct transfer *t, uint64_t total)
{
    uint64_t until_ns = w->now_ns + 100 * NS_PER_S, latest_ns = w->now_ns, before;
    total += t->received;
    while (t->received < total) {
        before = t->received;
        pump(t, total);
        if (t->received != before) {
            t->longest_ns = HW_MAX(t->longest_ns, w->now_ns - latest_ns);
            latest_ns = w->now_ns;
        }
        if (t->received < total)
            assert_true(world_step(w, until_ns));
    }
}

/* `down`: the server sends. */
static void open_world(struct world *w, struct transfer *t, unsigned paths, bool v6, bool down)
{
    struct hawser_listener *listener;
    struct hawser_conn *client, *server;
    struct hawser_addr any = {.port = 80};
    world_init(w, 5, paths, 1, v6, NULL, NULL);
    for (unsigned i = 0; i < paths; i++) {
        w->paths[i].rate_bps = 50000000;
        w->paths[i].queue_bytes = 128000;
    }
    struct hawser_addr to = world_server_addr(w, 0, 80);
    assert_int_equal(hawser_listen(w->stack[1], &any, 8, NULL, &listener), 0);
    assert_int_equal(hawser_connect(w->stack[0], &to, NULL, w->now_ns, &client), 0);
    while (hawser_accept(listener, &server) < 0)
        assert_true(world_step(w, 10 * NS_PER_S));
    *t = (struct transfer){.from = down ? server : client, .to = down ? client : server};
}

static struct tcp *sender_of(struct world *w, bool down, unsigned path)
{
    struct conn *conn = LIST_ENTRY(w->stack[down]->host.connections.next, struct conn, link);
    struct hawser_addr client = world_client_addr(w, path);
    EACH_SUBFLOW (it, conn) {
        const struct tcp_config *c = &subflow_at(it)->tcp.config;
        if (hawser_addr_same_ip(down ? &c->remote : &c->local, &client))
            return &subflow_at(it)->tcp;
    }
    fail_msg("path %u has no subflow", path);
    return NULL;
}

static void a_narrow_path_that_says_so(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct world w;
        struct transfer t;
        bool v6 = i & 1, down = i & 2;
        open_world(&w, &t, 1, v6, down);
        w.paths[0].mtu = 1300;
        w.paths[0].tells = true;
        run(&w, &t, 3 << 20);
        assert_int_equal(sender_of(&w, down, 0)->config.path.mtu, 1300);
        assert_true(t.longest_ns < 70 * NS_PER_MS); /* one round trip of 20 ms to learn it, one for the first bytes */
        assert_int_equal(world_counter(&w, down, "tcp.timeouts"), 0);
        assert_in_range(w.paths[0].too_big, 1, 20);
        world_destroy(&w);
    }
}

static void a_narrow_path_that_is_silent(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct world w;
        struct transfer t;
        bool v6 = i & 1, down = i & 2;
        open_world(&w, &t, 1, v6, down);
        w.paths[0].mtu = 1400;
        run(&w, &t, 4 << 20);
        assert_true(t.longest_ns < 700 * NS_PER_MS);
        assert_int_equal(world_counter(&w, down, "tcp.timeouts"), 1);
        run(&w, &t, 60 << 20); /* ten seconds, in which it finds out what fits */
        assert_in_range(sender_of(&w, down, 0)->config.path.mtu, 1400 - PATH_MTU_PRECISION, 1400 + 4);
        assert_int_equal(world_counter(&w, down, "tcp.timeouts"), 1);
        world_destroy(&w);
    }
}

static void it_becomes_narrow_and_wide_again(void **state)
{
    (void)state;
    for (int tells = 0; tells < 2; tells++) {
        struct world w;
        struct transfer t;
        open_world(&w, &t, 1, false, false);
        run(&w, &t, 2 << 20);
        w.paths[0].mtu = 1000;
        w.paths[0].tells = tells;
        run(&w, &t, 2 << 20);
        assert_true(t.longest_ns < (tells ? 200 : 3000) * NS_PER_MS);
        assert_in_range(sender_of(&w, false, 0)->config.path.mtu, 576, 1000);
        w.paths[0].mtu = 0;
        w.now_ns += 11 * 60 * NS_PER_S;
        run(&w, &t, 8 << 20);
        assert_int_equal(sender_of(&w, false, 0)->config.path.mtu, 1500);
        world_destroy(&w);
    }
}

/* Beside a good path a silent one costs no more than its own bytes. */
static void beside_a_good_path(void **state)
{
    (void)state;
    struct world w;
    struct transfer t;
    open_world(&w, &t, 2, false, true);
    run(&w, &t, 1 << 20);
    w.paths[0].mtu = 1280;
    run(&w, &t, 20 << 20);
    assert_true(t.longest_ns < 200 * NS_PER_MS);
    assert_int_equal(sender_of(&w, true, 0)->config.path.mtu, 1280);
    uint64_t before = w.paths[0].delivered_bytes[1];
    run(&w, &t, 20 << 20);
    assert_true(w.paths[0].delivered_bytes[1] - before > 5 << 20); /* and it carries its share */
    world_destroy(&w);
}

/* Somebody who sees every packet says of each that it is too big. */
static bool lie(void *ctx, int to, uint8_t *packet, uint16_t *len)
{
    struct world *w = ctx;
    const bool v6 = packet[0] >> 4 == 6;
    const struct hawser_addr client = world_client_addr(w, 0), server = world_server_addr(w, 0, 0);
    const uint8_t *tcp = packet + (v6 ? 40 : 20);
    struct peer_icmp icmp = {.type = v6 ? 2 : 3,
                             .code = v6 ? 0 : 4,
                             .rest = v6 ? 1280 : 68,
                             .local = to ? client : server,
                             .remote = to ? server : client,
                             .number = get32(tcp + 4),
                             .packet_len = *len};
    if (packet[v6 ? 6 : 9] != 6) /* TCP */
        return true;
    icmp.local.port = get16(tcp);
    icmp.remote.port = get16(tcp + 2);
    struct world_packet answer = {.to = (uint8_t)!to, .at_ns = w->now_ns + NS_PER_MS, .order = w->order++};
    answer.len = (uint16_t)peer_icmp_packet(answer.bytes, &icmp);
    assert_true(w->flight_count < WORLD_FLIGHT_MAX);
    w->flight[w->flight_count++] = answer;
    return true;
}

static void lies_cost_no_more_than_headers(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        uint64_t took_ns[2];
        for (unsigned lies = 0; lies < 2; lies++) {
            struct world w;
            struct transfer t;
            open_world(&w, &t, 1, i & 1, i & 2);
            if (lies) {
                w.tamper = lie;
                w.tamper_ctx = &w;
            }
            took_ns[lies] = w.now_ns;
            run(&w, &t, 2 << 20);
            took_ns[lies] = w.now_ns - took_ns[lies];
            assert_int_equal(world_counter(&w, i & 2 ? 1 : 0, "tcp.timeouts"), 0);
            world_destroy(&w);
        }
        assert_true(took_ns[1] < took_ns[0] + took_ns[0] / 5);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_narrow_path_that_says_so),       cmocka_unit_test(a_narrow_path_that_is_silent),
        cmocka_unit_test(it_becomes_narrow_and_wide_again), cmocka_unit_test(beside_a_good_path),
        cmocka_unit_test(lies_cost_no_more_than_headers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
