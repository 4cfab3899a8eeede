/* A flood of SYNs that nobody stands behind keeps nobody out (RFC 4987). */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "base/units.h"
#include "peer.h"
#include "stack/handshake.h"
#include "wire/keys.h"

#define BACKLOG 128
#define CLIENTS 40
#define CLIENT_EVERY_NS (200 * NS_PER_MS)
#define ROUND_TRIP_NS (80 * NS_PER_MS)
#define SYNS_A_SECOND 1000
#define PORT 81

/* One that opens a connection, says five bytes and waits for eight. */
struct client {
    struct hawser_addr addr;
    bool mptcp, answered, served;
    uint32_t irs;
    uint64_t key;
    uint64_t say_ns; /* when its third packet and its request arrive; 0: no SYN/ACK yet */
};

struct flood {
    struct peer peer;
    struct hawser_listener *listener;
    struct prng rng;
    struct client clients[CLIENTS];
    unsigned started;
};

static struct tcp_options capable(bool with_keys, uint64_t own, uint64_t stacks)
{
    struct tcp_options o = {.mp = {.present = 1u << MPTCP_CAPABLE}};
    o.mp.capable = (struct mp_capable){.version = MPTCP_VERSION, .algorithms = MPTCP_HMAC_SHA256};
    o.mp.capable.has_sender_key = o.mp.capable.has_receiver_key = o.mp.capable.has_data_len = with_keys;
    o.mp.capable.sender_key = own;
    o.mp.capable.receiver_key = stacks;
    o.mp.capable.data_len = 5;
    return o;
}

static struct client *client_at(struct flood *f, const struct hawser_addr *addr)
{
    for (unsigned i = 0; i < f->started; i++)
        if (hawser_addr_equal(&f->clients[i].addr, addr))
            return &f->clients[i];
    return NULL;
}

/* What the stack said, to whom of the clients it may concern. */
static void hear(struct flood *f)
{
    struct peer *p = &f->peer;
    for (unsigned i = 0; i < p->seen_count; i++) {
        const struct peer_segment *s = &p->seen[i];
        struct client *c = client_at(f, &s->remote);
        assert_true(!c || !(s->flags & TCP_RST));
        if (c && s->flags & TCP_SYN && c->say_ns == 0) {
            c->irs = s->number;
            assert_int_equal(mptcp_has(&s->options.mp, MPTCP_CAPABLE), c->mptcp);
            c->key = s->options.mp.capable.sender_key;
            c->say_ns = p->now_ns + ROUND_TRIP_NS;
        }
        if (c && s->len == 8) {
            assert_int_equal(mptcp_has(&s->options.mp, MPTCP_DSS), c->mptcp);
            c->served = true;
        }
    }
    peer_forget(p);
}

static void start_client(struct flood *f)
{
    struct peer *p = &f->peer;
    struct client *c = &f->clients[f->started++];
    c->mptcp = f->started % 2;
    assert_int_equal(hawser_addr_parse(&c->addr, "192.0.2.1", (uint16_t)(40000 + f->started)), 0);
    const struct tcp_options o = capable(false, 0, 0);
    p->addr = c->addr;
    peer_send(p, TCP_SYN, 0, 0, c->mptcp ? &o : NULL, NULL, 0);
}

static void speak(struct flood *f)
{
    struct peer *p = &f->peer;
    for (unsigned i = 0; i < f->started; i++) {
        struct client *c = &f->clients[i];
        if (c->answered || c->say_ns == 0 || c->say_ns > p->now_ns)
            continue;
        const struct tcp_options o = capable(true, p->key, c->key);
        c->answered = true;
        p->addr = c->addr;
        p->irs = c->irs;
        peer_send(p, TCP_ACK, 1, 1, c->mptcp ? &o : NULL, "hello", 5);
    }
}

static void be_nobody(struct flood *f)
{
    char text[HAWSER_ADDR_STRLEN];
    snprintf(text, sizeof text, "198.51.%u.%u", (unsigned)prng_below(&f->rng, 256), (unsigned)prng_below(&f->rng, 256));
    assert_int_equal(hawser_addr_parse(&f->peer.addr, text, (uint16_t)(1 + prng_below(&f->rng, 65535))), 0);
}

static void forge(struct flood *f)
{
    struct peer *p = &f->peer;
    const struct tcp_options o = capable(false, 0, 0);
    be_nobody(f);
    peer_send(p, TCP_SYN, (uint32_t)prng_next(&f->rng), 0, prng_below(&f->rng, 2) ? &o : NULL, NULL, 0);
}

static void serve(struct flood *f)
{
    struct hawser_conn *conn;
    uint8_t bytes[8];
    while (hawser_accept(f->listener, &conn) == 0) {
        assert_int_equal(hawser_recv(conn, bytes, sizeof bytes), 5);
        assert_int_equal(hawser_send(conn, "answer..", 8), 8);
        peer_drain(&f->peer);
    }
}

static struct flood *begin(void)
{
    struct flood *f = calloc(1, sizeof *f);
    struct peer *p = &f->peer;
    prng_seed(&f->rng, 8);
    peer_init(p, NULL, NULL);
    p->own.port = PORT;
    struct hawser_addr any = {.port = PORT};
    assert_int_equal(hawser_listen(p->stack, &any, BACKLOG, NULL, &f->listener), 0);
    return f;
}

static void end(struct flood *f)
{
    peer_destroy(&f->peer);
    free(f);
}

/* All at once: there are as many cookies as wait to be sent, and then no more. */
static void cookies_that_wait_are_bounded(void **state)
{
    (void)state;
    enum { MORE = 10, BATCH = HANDSHAKE_COOKIES_MAX + MORE };
    struct flood *f = begin();
    struct peer *p = &f->peer;
    static uint8_t packets[BATCH][PEER_PACKET_MAX];
    struct hawser_rx rx[BATCH];
    for (unsigned i = 0; i < BACKLOG; i++)
        forge(f);
    for (unsigned i = 0; i < BATCH; i++) {
        be_nobody(f);
        rx[i] = (struct hawser_rx){.data = packets[i], .flags = HAWSER_RX_CSUM_OK};
        rx[i].len = (uint32_t)peer_packet(p, packets[i], TCP_SYN, 0, 0, NULL, NULL, 0);
    }
    peer_forget(p);
    hawser_stack_input(p->stack, 0, rx, BATCH, p->now_ns);
    assert_int_equal(peer_counter(p, "limit.syn_cookies_waiting"), MORE);
    peer_drain(p);
    assert_int_equal(p->seen_count, HANDSHAKE_COOKIES_MAX);
    assert_int_equal(peer_counter(p, "tcp.syn_cookies_sent"), HANDSHAKE_COOKIES_MAX);
    end(f);
}

static void nobody_is_kept_out(void **state)
{
    (void)state;
    struct flood *f = begin();
    struct peer *p = &f->peer;
    const uint64_t begin_ns = p->now_ns, flood_ns = 2 * NS_PER_S;
    uint64_t next_ns = begin_ns + flood_ns;
    for (uint64_t end_ns = next_ns + (CLIENTS + 2) * CLIENT_EVERY_NS; p->now_ns < end_ns;) {
        forge(f);
        if (f->started < CLIENTS && p->now_ns >= next_ns) {
            start_client(f);
            next_ns += CLIENT_EVERY_NS;
        }
        hear(f);
        speak(f);
        serve(f);
        hear(f);
        peer_wait(p, NS_PER_S / SYNS_A_SECOND);
        hear(f);
    }
    for (unsigned i = 0; i < CLIENTS; i++)
        assert_true(f->clients[i].served);
    assert_int_equal(peer_counter(p, "mptcp.connections_accepted"), CLIENTS / 2);
    assert_true(peer_counter(p, "tcp.syn_cookies_answered") > CLIENTS / 2);
    assert_int_equal(peer_counter(p, "drop.backlog_full"), 0);
    assert_int_equal(peer_counter(p, "limit.connections"), 0);
    end(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cookies_that_wait_are_bounded),
        cmocka_unit_test(nobody_is_kept_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
