/* Peers that want to do harm: at random, from a seed. Nothing crashes, leaks or loops; what the application gets is
 * what was mapped; and a client that means well is served beside them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "base/units.h"
#include "peer.h"
#include "wire/checksum.h"
#include "wire/keys.h"

enum {
    FOES = 12,
    CONNS_MAX = 48,
    SIEGES = 12,
    STEPS = 5000,
    LEN_MAX = 1400,
    LINK_BUFFER = 4096,
    VICTIM_PORT = 50000, /* and up */
    ANSWER = 8,
    STREAM = 1 << 20,
};

/* A subflow of the enemy's. Numbers are relative. One with an even port maps data byte n + shift to its byte n, always,
 * in whatever pieces; its bytes are those of `stream`. Others say anything. */
struct foe {
    uint16_t port;
    bool heard, mptcp, checksums;
    uint32_t irs, next, sent; /* the stack's initial number, what it waits for, and where it is itself */
    uint64_t data_sent;       /* likewise at the data level */
    uint64_t key, idsn;       /* the stack's */
    uint32_t nonce, shift;
    struct mp_dss map; /* the last mapping */
};

struct siege {
    struct peer peer;
    struct prng rng;
    struct foe foes[FOES];
    struct hawser_conn *conns[CONNS_MAX];
    uint16_t ports[CONNS_MAX]; /* of their first subflows */
    uint32_t read[CONNS_MAX];
    uint16_t next_port, next_victim;
    bool answered, lazy; /* the victim was; the application reads now and then only */
    uint8_t stream[STREAM];
};

static uint32_t below(struct siege *s, uint32_t n) { return (uint32_t)prng_below(&s->rng, n); }
static bool one_in(struct siege *s, uint32_t n) { return below(s, n) == 0; }
static bool is_honest(uint16_t port) { return port % 2 == 0; }
/* What ends a connection soon is done more seldom by one half of them. */
static bool seldom(struct siege *s, const struct foe *foe, uint32_t n)
{
    return one_in(s, foe->port % 4 < 2 ? 30 * n : n);
}

/* ---- the application ---- */

static void drop(struct siege *s, unsigned i, bool abort)
{
    if (abort)
        hawser_abort(s->conns[i]);
    else
        hawser_close(s->conns[i]);
    s->conns[i] = NULL;
}

static void accept_all(struct siege *s)
{
    struct hawser_conn *conn;
    while (hawser_accept(s->peer.listener, &conn) == 0) {
        struct hawser_subflow_info info = {.size = sizeof info};
        unsigned i = 0;
        while (i < CONNS_MAX && s->conns[i])
            i++;
        if (i == CONNS_MAX)
            drop(s, i = below(s, CONNS_MAX), true);
        (void)hawser_subflow_get_info(conn, 0, &info); /* it may be gone already */
        s->conns[i] = conn;
        s->ports[i] = info.remote.port;
        s->read[i] = 0;
    }
}

static void serve(struct siege *s, unsigned i)
{
    uint8_t bytes[4096];
    ssize_t n = 0;
    bool victim = s->ports[i] >= VICTIM_PORT;
    while ((victim || !s->lazy || one_in(s, 20)) && (n = hawser_recv(s->conns[i], bytes, sizeof bytes)) > 0) {
        if (!victim && is_honest(s->ports[i]) && s->ports[i])
            assert_memory_equal(bytes, s->stream + 1 + s->read[i], (size_t)n);
        s->read[i] += (uint32_t)n;
        if (victim && s->read[i] == 5)
            (void)hawser_send(s->conns[i], "answered", ANSWER);
    }
    if (!victim && one_in(s, 4))
        (void)hawser_send(s->conns[i], s->stream, below(s, 3000));
    if (n == 0 && !one_in(s, 4) && !victim)
        return;
    if ((n <= 0 && n != -EAGAIN && hawser_conn_error(s->conns[i])) || (!victim && one_in(s, 3000)))
        drop(s, i, one_in(s, 2));
}

static void run_application(struct siege *s)
{
    accept_all(s);
    while (next_told(s->peer.stack))
        ;
    for (unsigned i = 0; i < CONNS_MAX; i++)
        if (s->conns[i])
            serve(s, i);
}

/* ---- what the stack said ---- */

static void hear(struct foe *foe, const struct peer_segment *seen)
{
    const struct mp_dss *dss = &seen->options.mp.dss;
    if (seen->flags & TCP_SYN) {
        foe->irs = seen->number;
        foe->heard = true;
        foe->mptcp = mptcp_has(&seen->options.mp, MPTCP_CAPABLE) || mptcp_has(&seen->options.mp, MPTCP_JOIN);
        if (mptcp_has(&seen->options.mp, MPTCP_CAPABLE)) {
            uint32_t token;
            foe->key = seen->options.mp.capable.sender_key;
            foe->checksums = seen->options.mp.capable.checksum_required;
            mptcp_key_derive(foe->key, &token, &foe->idsn);
        } else if (mptcp_has(&seen->options.mp, MPTCP_JOIN)) {
            foe->nonce = seen->options.mp.join.nonce;
        }
    }
    if (seen->flags & TCP_RST)
        foe->heard = false;
    uint32_t end = seen->number - foe->irs + seen->len + !!(seen->flags & (TCP_SYN | TCP_FIN));
    foe->sent = HW_MAX(foe->sent, end);
    foe->next = seen->flags & TCP_ACK ? seen->ack : foe->next;
    if (mptcp_has(&seen->options.mp, MPTCP_DSS) && dss->has_map)
        foe->data_sent = HW_MAX(foe->data_sent, dss->dsn + dss->len - foe->idsn);
}

static void listen_in(struct siege *s)
{
    for (unsigned i = 0; i < s->peer.seen_count; i++) {
        const struct peer_segment *seen = &s->peer.seen[i];
        for (unsigned j = 0; j < FOES; j++)
            if (s->foes[j].port == seen->remote.port)
                hear(&s->foes[j], seen);
        s->answered |= seen->remote.port + 1 == s->next_victim && seen->len == ANSWER;
    }
    peer_forget(&s->peer);
}

static void say(struct siege *s, const struct foe *foe, uint8_t flags, uint32_t seq, uint32_t ack,
                const struct tcp_options *o, const uint8_t *payload, uint32_t len)
{
    s->peer.irs = foe->irs;
    s->peer.addr.port = foe->port;
    peer_send(&s->peer, flags, seq, ack, o, payload, len);
    listen_in(s);
}

static void pass(struct siege *s, uint64_t ns)
{
    uint64_t until = s->peer.now_ns + ns;
    peer_drain(&s->peer);
    listen_in(s);
    for (unsigned rounds = 0; hawser_stack_deadline(s->peer.stack) <= until; rounds++) {
        assert_true(rounds < 200000); /* timers without end */
        uint64_t next = HW_MAX(hawser_stack_deadline(s->peer.stack), s->peer.now_ns);
        peer_wait(&s->peer, next - s->peer.now_ns);
        listen_in(s);
    }
    s->peer.now_ns = until;
}

/* ---- the enemy ---- */

static struct tcp_options with_capable(struct siege *s, const struct foe *foe, bool checksums)
{
    struct tcp_options o = {.mp.present = 1u << MPTCP_CAPABLE};
    o.mp.capable = (struct mp_capable){.version = MPTCP_VERSION, .algorithms = 1, .checksum_required = checksums};
    if (foe->heard) {
        o.mp.capable.has_sender_key = o.mp.capable.has_receiver_key = true;
        o.mp.capable.sender_key = s->peer.key;
        o.mp.capable.receiver_key = one_in(s, 50) ? 1 : foe->key;
    }
    return o;
}

static void open_first(struct siege *s, struct foe *foe)
{
    struct tcp_options o = with_capable(s, foe, one_in(s, 2));
    if (one_in(s, 6))
        o.mp.present = 0;
    if (one_in(s, 2))
        o.present |= TCP_OPT_SACK_PERMITTED;
    if (one_in(s, 3)) {
        o.present |= TCP_OPT_TIMESTAMPS | TCP_OPT_WSCALE;
        o.wscale = (uint8_t)below(s, 16);
    }
    say(s, foe, TCP_SYN, 0, 0, &o, NULL, 0);
    if (!foe->heard || one_in(s, 10)) /* half open */
        return;
    o = with_capable(s, foe, foe->checksums);
    say(s, foe, TCP_ACK, 1, 1, foe->mptcp ? &o : NULL, NULL, 0);
}

static void open_join(struct siege *s, struct foe *foe, const struct foe *first)
{
    uint64_t idsn;
    struct tcp_options o = {.mp.present = 1u << MPTCP_JOIN};
    o.mp.join = (struct mp_join){.shape = MP_JOIN_SYN, .address_id = (uint8_t)below(s, 4), .nonce = 5};
    mptcp_key_derive(first->key, &o.mp.join.token, &idsn);
    foe->key = first->key;
    foe->idsn = first->idsn;
    foe->checksums = first->checksums;
    foe->shift = below(s, 6000);
    say(s, foe, TCP_SYN, 0, 0, &o, NULL, 0);
    if (!foe->heard || one_in(s, 10))
        return;
    uint8_t hmac[MPTCP_HMAC_LEN];
    mptcp_join_hmac(s->peer.key, foe->key, 5, foe->nonce, hmac);
    o.mp.join.shape = MP_JOIN_ACK;
    memcpy(o.mp.join.hmac, hmac, sizeof hmac);
    o.mp.join.hmac[0] ^= one_in(s, 20);
    say(s, foe, TCP_ACK, 1, 1, &o, NULL, 0);
}

static void open_anew(struct siege *s, struct foe *foe)
{
    const struct foe *first = &s->foes[below(s, FOES)];
    bool join = first != foe && first->heard && first->key && !one_in(s, 3);
    uint16_t port = (uint16_t)(s->next_port + 2);
    s->next_port++;
    if (join) /* as honest as its first subflow */
        port = (uint16_t)(port + (port % 2 != first->port % 2));
    s->next_port = (uint16_t)HW_MAX(s->next_port, port);
    *foe = (struct foe){.port = port};
    if (join)
        open_join(s, foe, first);
    else
        open_first(s, foe);
}

/* A mapping of any size around the byte `ssn`, said now for the first or the tenth time. */
static void add_mapping(struct siege *s, struct foe *foe, uint32_t ssn, uint32_t len, struct mp_dss *dss)
{
    if (foe->map.len && foe->map.ssn <= ssn && ssn - foe->map.ssn < foe->map.len && !one_in(s, 10)) {
        uint64_t ack = dss->ack;
        bool has_ack = dss->has_ack, wide = dss->ack_is_64;
        *dss = foe->map; /* another part of the last one */
        dss->has_ack = has_ack;
        dss->ack_is_64 = wide;
        dss->ack = ack;
        return;
    }
    static const uint32_t sizes[] = {1, 10, 1000, 3000, 10000, 65535};
    uint32_t before = one_in(s, 2) ? 0 : below(s, HW_MIN(ssn, 3000u));
    uint32_t size = one_in(s, 3) ? len + before : 1 + below(s, sizes[below(s, 6)]);
    uint32_t start = ssn - before;
    if (one_in(s, 3)) { /* such as others will say too */
        start = 1 + ssn / 4096 * 4096;
        size = 4096;
    }
    if (foe->map.len && foe->map.ssn < ssn && ssn - foe->map.ssn <= foe->map.len && one_in(s, 2))
        start = foe->map.ssn; /* the last one, longer now or shorter */
    size = HW_MAX(HW_MIN(size, 65535u), 1u);
    dss->has_map = dss->dsn_is_64 = true;
    dss->ssn = start;
    dss->len = (uint16_t)size;
    dss->dsn = s->peer.idsn + start + foe->shift;
    if (!is_honest(foe->port) && one_in(s, 4))
        dss->dsn += below(s, 20000);
    dss->has_checksum = foe->checksums != seldom(s, foe, 50);
    /* Some believe that bytes which are there already are not summed up again. */
    uint32_t fresh = !one_in(s, 4) ? start : HW_MIN(HW_MAX(start, foe->next), start + size);
    struct csum sum = {0, false};
    csum_add(&sum, s->stream + fresh + foe->shift, start + size - fresh);
    dss->checksum = (uint16_t)(csum_dss(dss->dsn, start, dss->len, &sum) + seldom(s, foe, 50));
    if (seldom(s, foe, 100))
        dss->data_fin = true;
    foe->map = *dss;
    if (seldom(s, foe, 300))
        dss->len = 0;
}

static void add_signals(struct siege *s, const struct foe *foe, struct mptcp_options *mp)
{
    switch (below(s, 7)) {
    case 0:
        mp->present |= 1u << MPTCP_FAIL;
        mp->fail.dsn = s->peer.idsn + below(s, 9000);
        break;
    case 1:
        mp->present |= 1u << MPTCP_ADD_ADDR;
        mp->add_addr = (struct mp_add_addr){.is_v4 = true, .echo = one_in(s, 2), .address_id = (uint8_t)below(s, 5)};
        mp->add_addr.addr = s->peer.addr;
        mp->add_addr.addr.port = 0;
        mp->add_addr.hmac64 = mptcp_add_addr_hmac(s->peer.key, foe->key, &mp->add_addr);
        break;
    case 2:
        mp->present |= 1u << MPTCP_REMOVE_ADDR;
        mp->remove_addr = (struct mp_remove_addr){.count = 2, .ids = {(uint8_t)below(s, 4), (uint8_t)below(s, 4)}};
        break;
    case 3:
        mp->present |= 1u << MPTCP_PRIO;
        mp->prio.backup = one_in(s, 2);
        break;
    case 4:
        mp->present |= 1u << MPTCP_FASTCLOSE;
        mp->fastclose.receiver_key = one_in(s, 2) ? foe->key : 1;
        break;
    case 5:
        *mp = with_capable(s, foe, foe->checksums).mp;
        mp->capable.has_data_len = true;
        mp->capable.data_len = (uint16_t)below(s, 5000);
        break;
    default:
        mp->present = 0;
    }
}

static struct tcp_options draw_options(struct siege *s, struct foe *foe, uint32_t ssn, uint32_t len)
{
    static const uint64_t lies[] = {0, 1, UINT64_C(1) << 20, UINT64_C(1) << 40};
    struct tcp_options o = {0};
    if (one_in(s, 10)) {
        o.present |= TCP_OPT_SACK;
        o.sack_count = 1;
        o.sack[0].start = seq_at(foe->irs + below(s, foe->sent + 100));
        o.sack[0].end = seq_at(o.sack[0].start.v + below(s, 5000));
    }
    if (!foe->mptcp || seldom(s, foe, 40))
        return o;
    struct mp_dss *dss = &o.mp.dss;
    o.mp.present = 1u << MPTCP_DSS;
    dss->has_ack = !one_in(s, 10);
    dss->ack_is_64 = one_in(s, 2);
    dss->ack =
        foe->idsn + (one_in(s, 4) ? foe->data_sent + lies[below(s, 4)] : 1 + below(s, 1 + (uint32_t)foe->data_sent));
    if (len && !seldom(s, foe, 8))
        add_mapping(s, foe, ssn, len, dss);
    if (seldom(s, foe, 60))
        add_signals(s, foe, &o.mp);
    return o;
}

static void attack(struct siege *s, struct foe *foe)
{
    static const uint16_t windows[] = {0, 1, 500, 5000, 65535};
    if (!foe->heard || seldom(s, foe, 400) || foe->next > STREAM / 2) {
        open_anew(s, foe);
        return;
    }
    uint32_t ssn = HW_MAX(foe->next, 1u), len = one_in(s, 4) ? 1 + below(s, 30) : 1 + below(s, LEN_MAX);
    if (one_in(s, 4))
        ssn += below(s, one_in(s, 2) ? 3000 : 60000);
    else if (one_in(s, 4))
        ssn -= below(s, HW_MIN(ssn, 2000u));
    if (one_in(s, 5))
        len = 0;
    uint8_t flags = TCP_ACK;
    if (seldom(s, foe, 100))
        flags |= (uint8_t)(1u << below(s, 6));
    uint32_t ack = one_in(s, 20)  ? below(s, foe->sent + 100)
                   : one_in(s, 2) ? foe->sent
                                  : HW_MIN(foe->sent, 1 + below(s, 1 + foe->sent));
    s->peer.window = windows[below(s, 5)];
    s->peer.timestamps = one_in(s, 2);
    s->peer.ts_val = seldom(s, foe, 100) ? (uint32_t)prng_next(&s->rng) : 0;
    s->peer.ts_ecr = (uint32_t)prng_next(&s->rng);
    struct tcp_options o = draw_options(s, foe, ssn, len);
    say(s, foe, flags, ssn, ack, &o, s->stream + ssn + foe->shift, len);
}

/* ---- the victim ---- */

static bool victim_is_served(struct siege *s)
{
    struct foe victim = {.port = s->next_victim++};
    struct peer *p = &s->peer;
    p->window = 65535;
    p->timestamps = false;
    s->answered = false;
    for (unsigned tries = 0; tries < 4 && !s->answered; tries++) {
        if (!victim.heard) {
            p->addr.port = victim.port;
            peer_send(p, TCP_SYN, 0, 0, NULL, NULL, 0);
            for (unsigned i = 0; i < p->seen_count; i++)
                if (p->seen[i].remote.port == victim.port && p->seen[i].flags & TCP_SYN)
                    hear(&victim, &p->seen[i]);
            listen_in(s);
        }
        if (victim.heard)
            say(s, &victim, TCP_ACK | TCP_PSH, 1, 1, NULL, (const uint8_t *)"knock", 5);
        run_application(s);
        pass(s, NS_PER_S);
    }
    if (victim.heard)
        say(s, &victim, TCP_RST, 6, 0, NULL, NULL, 0);
    run_application(s);
    return s->answered;
}

static void siege_begin(struct siege *s, uint64_t seed, const struct hawser_stack_options *options,
                        const struct hawser_conn_options *listening)
{
    memset(s, 0, sizeof *s);
    prng_seed(&s->rng, seed);
    peer_init(&s->peer, options, listening);
    if (one_in(s, 2)) /* what comes lies in a link's buffers, and these are few */
        assert_int_equal(hawser_buf_pool_new(&s->peer.env.env, LINK_BUFFER, 4 + below(s, 60), &s->peer.rx), 0);
    uint32_t token;
    mptcp_key_derive(s->peer.key, &token, &s->peer.idsn);
    prng_fill(&s->rng, s->stream, sizeof s->stream);
    s->next_port = 10000;
    s->next_victim = VICTIM_PORT;
}

static unsigned besiege(struct siege *s, unsigned steps)
{
    unsigned forsaken = 0;
    for (unsigned i = 0; i < steps; i++) {
        struct foe *foe = &s->foes[below(s, FOES)];
        for (unsigned n = 1 + below(s, 8); n > 0; n--)
            attack(s, foe);
        if (!one_in(s, 3))
            run_application(s);
        pass(s, one_in(s, 200) ? below(s, 100) * NS_PER_S : below(s, 50) * NS_PER_MS);
        if (i % 250 == 249)
            forsaken += !victim_is_served(s);
    }
    return forsaken;
}

static void siege_end(struct siege *s)
{
    for (unsigned i = 0; i < CONNS_MAX; i++)
        if (s->conns[i])
            drop(s, i, false);
    pass(s, 200 * NS_PER_S);
    assert_true(victim_is_served(s)); /* all that they held is given back */
    hawser_listener_close(s->peer.listener);
    pass(s, 1000 * NS_PER_S);
    assert_int_equal(hawser_stack_deadline(s->peer.stack), HAWSER_NEVER);
    if (s->peer.rx) {
        assert_int_equal(buf_pool_in_use(s->peer.rx), 0);
        hawser_buf_pool_close(s->peer.rx);
    }
    peer_destroy(&s->peer);
}

static void run_siege(uint64_t seed, bool lazy, uint32_t memory)
{
    struct hawser_stack_options options = {
        .size = sizeof options, .max_memory_bytes = memory, .checksum_required = seed % 2};
    struct hawser_conn_options listening = {.size = sizeof listening,
                                            .send_buffer_bytes = 60000,
                                            .recv_buffer_bytes = memory ? 200000 : 0,
                                            .keepalive_idle_ns = seed % 3 ? 0 : 10 * NS_PER_S};
    struct siege *s = malloc(sizeof *s);
    assert_non_null(s);
    siege_begin(s, seed, &options, &listening);
    s->lazy = lazy;
    unsigned forsaken = besiege(s, STEPS);
    if (!memory) /* the little that there is may all be theirs */
        assert_int_equal(forsaken, 0);
    siege_end(s);
    free(s);
}

static void random_peers(void **state)
{
    (void)state;
    uint64_t seed = test_seed();
    for (unsigned i = 0; i < SIEGES; i++)
        run_siege(seed + i, i % 2, 0);
}

static void random_peers_against_little_memory(void **state)
{
    (void)state;
    uint64_t seed = test_seed();
    for (unsigned i = 0; i < SIEGES; i++)
        run_siege(seed + i, i % 2, 1 << 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_peers),
        cmocka_unit_test(random_peers_against_little_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
