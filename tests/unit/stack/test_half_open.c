/* Handshakes that others begin, before their third packet (RFC 9293 3.5, RFC 4987, RFC 8684 3.1). */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "base/units.h"
#include "peer.h"
#include "stack/stack.h"
#include "wire/keys.h"

#define BACKLOG 4 /* of peer_init() */

static const struct tcp_options *capable(bool with_keys, uint64_t own, uint64_t stacks)
{
    static struct tcp_options o;
    o = (struct tcp_options){.mp = {.present = 1u << MPTCP_CAPABLE}};
    o.mp.capable = (struct mp_capable){.version = MPTCP_VERSION, .algorithms = MPTCP_HMAC_SHA256};
    o.mp.capable.has_sender_key = o.mp.capable.has_receiver_key = with_keys;
    o.mp.capable.sender_key = own;
    o.mp.capable.receiver_key = stacks;
    return &o;
}

/* The first data bring the keys, as the third packet would have. */
static void send_keys_and_data(struct peer *p, uint64_t stacks)
{
    struct tcp_options o = *capable(true, p->key, stacks);
    o.mp.capable.has_data_len = true;
    o.mp.capable.data_len = 5;
    peer_send(p, TCP_ACK, 1, 1, &o, "bytes", 5);
}

static void syn_from(struct peer *p, uint16_t port, const struct tcp_options *options)
{
    p->addr.port = port;
    peer_forget(p);
    peer_send(p, TCP_SYN, 0, 0, options, NULL, 0);
}

static bool offers_mptcp(const struct peer_segment *synack)
{
    assert_non_null(synack);
    return mptcp_has(&synack->options.mp, MPTCP_CAPABLE);
}

/* Uses up the records of the listener. */
static void press(struct peer *p)
{
    for (uint16_t i = 0; i < BACKLOG; i++) {
        syn_from(p, (uint16_t)(30000 + i), NULL);
        assert_non_null(peer_last(p, TCP_SYN | TCP_ACK));
    }
    assert_int_equal(peer_counter(p, "tcp.syn_cookies_sent"), 0);
}

static void expect_plain(struct peer *p)
{
    uint8_t bytes[5];
    assert_int_equal(hawser_accept(p->listener, &p->conn), 0);
    assert_int_equal(hawser_recv(p->conn, bytes, sizeof bytes), 5);
    peer_forget(p);
    assert_int_equal(hawser_send(p->conn, "answer", 6), 6);
    peer_drain(p);
    const struct peer_segment *answer = peer_last(p, TCP_ACK);
    assert_int_equal(answer->len, 6);
    assert_int_equal(answer->options.mp.present, 0);
}

static void expect_mptcp(struct peer *p)
{
    struct hawser_conn_info info = {.size = sizeof info};
    uint8_t bytes[5];
    assert_int_equal(hawser_accept(p->listener, &p->conn), 0);
    assert_int_equal(hawser_conn_get_info(p->conn, &info), 0);
    assert_true(info.mptcp);
    assert_int_equal(hawser_recv(p->conn, bytes, sizeof bytes), 5);
    peer_forget(p);
    assert_int_equal(hawser_send(p->conn, "answer", 6), 6);
    peer_drain(p);
    const struct peer_segment *answer = peer_last(p, TCP_ACK);
    assert_int_equal(answer->len, 6);
    assert_true(mptcp_has(&answer->options.mp, MPTCP_DSS));
}

/* Whether there is a record or a cookie: the third packet is lost, and the first data stands in for it. */
static void the_third_packet_is_lost(void **state)
{
    (void)state;
    for (int pressed = 0; pressed < 2; pressed++) {
        for (int mptcp = 0; mptcp < 2; mptcp++) {
            struct peer p;
            peer_init(&p, NULL, NULL);
            if (pressed)
                press(&p);
            syn_from(&p, 4000, mptcp ? capable(false, 0, 0) : NULL);
            const struct peer_segment *synack = peer_last(&p, TCP_SYN | TCP_ACK);
            assert_int_equal(offers_mptcp(synack), mptcp);
            assert_int_equal(peer_counter(&p, "tcp.syn_cookies_sent"), pressed);
            struct tcp_options o = {0};
            if (mptcp) {
                o = *capable(true, p.key, synack->options.mp.capable.sender_key);
                o.mp.capable.has_data_len = true;
                o.mp.capable.data_len = 5;
            }
            peer_send(&p, TCP_ACK | TCP_PSH, 1, 1, &o, "bytes", 5);
            assert_int_equal(peer_counter(&p, "tcp.syn_cookies_answered"), pressed);
            if (mptcp)
                expect_mptcp(&p);
            else
                expect_plain(&p);
            peer_destroy(&p);
        }
    }
}

/* Of what follows nobody can tell whether it belongs to a cookie: it is not refused, and the first data opens the
 * connection. */
static void what_follows_a_cookie_comes_first(void **state)
{
    (void)state;
    struct peer p;
    peer_init(&p, NULL, NULL);
    press(&p);
    syn_from(&p, 4000, NULL);
    peer_forget(&p);
    peer_send(&p, TCP_ACK | TCP_PSH, 6, 1, NULL, "later", 5);
    peer_send(&p, TCP_ACK, 11, 1, NULL, NULL, 0);
    assert_int_equal(p.seen_count, 0);
    peer_send(&p, TCP_ACK | TCP_PSH, 1, 1, NULL, "bytes", 5);
    expect_plain(&p);
    peer_wait(&p, 130 * NS_PER_S); /* no cookies are about any more */
    p.addr.port++;
    peer_forget(&p);
    peer_send(&p, TCP_ACK | TCP_PSH, 6, 1, NULL, "later", 5);
    assert_non_null(peer_last(&p, TCP_RST));
    peer_destroy(&p);
}

/* RFC 9293 3.10.7.2: a peer of a connection that is gone learns so, though a trickle of SYNs keeps cookies about for as
 * long as it likes: what may follow a cookie acknowledges it. Some are taken for such as do, but not for long. */
static void whoever_has_no_cookie_is_refused(void **state)
{
    (void)state;
    enum { STALE = 64, TRIES = 6 };
    bool refused[STALE] = {false};
    unsigned at_once = 0, in_the_end = 0;
    struct peer p;
    peer_init(&p, NULL, NULL);
    press(&p);
    for (unsigned try = 0; try < TRIES; try++) {
        for (uint16_t i = 0; i < 2 * BACKLOG; i++)
            syn_from(&p, (uint16_t)(5000 + i), NULL);
        for (uint16_t i = 0; i < STALE; i++) {
            p.addr.port = (uint16_t)(20000 + i);
            p.irs = UINT32_C(0x9e3779b9) * (i + 1);
            peer_forget(&p);
            peer_send(&p, TCP_ACK | TCP_PSH, 1000, 1000, NULL, i % 2 ? "bytes" : NULL, i % 2 ? 5 : 0);
            refused[i] |= peer_last(&p, TCP_RST) != NULL;
        }
        peer_wait(&p, 64 * NS_PER_S);
        for (unsigned i = 0; try == 0 && i < STALE; i++)
            at_once += refused[i];
    }
    for (unsigned i = 0; i < STALE; i++)
        in_the_end += refused[i];
    assert_true(at_once >= STALE * 7 / 8);
    assert_int_equal(in_the_end, STALE);
    assert_true(peer_counter(&p, "tcp.syn_cookies_sent") >= TRIES);
    peer_destroy(&p);
}

static bool always_taken(struct mp_host *host, uint32_t token)
{
    (void)host;
    (void)token;
    return true;
}

/* RFC 8684 3.1: our key follows from the SYN, and cannot be another one. Where its token is another connection's, be it
 * only when the third packet comes, MPTCP is not spoken; whether there is a record or a cookie. */
static void a_token_that_is_taken(void **state)
{
    (void)state;
    for (int pressed = 0; pressed < 2; pressed++) {
        for (int later = 0; later < 2; later++) {
            struct peer p;
            peer_init(&p, NULL, NULL);
            if (pressed)
                press(&p);
            struct mp_host_ops ops = *p.stack->host.ops;
            ops.token_taken = always_taken;
            p.stack->host.ops = later ? p.stack->host.ops : &ops;
            syn_from(&p, 4000, capable(false, 0, 0));
            const struct peer_segment *synack = peer_last(&p, TCP_SYN | TCP_ACK);
            assert_int_equal(offers_mptcp(synack), later);
            uint64_t key = synack->options.mp.capable.sender_key;
            p.stack->host.ops = &ops;
            peer_send(&p, TCP_ACK, 1, 1, later ? capable(true, p.key, key) : NULL, NULL, 0);
            peer_send(&p, TCP_ACK, 1, 1, NULL, "bytes", 5);
            expect_plain(&p);
            peer_destroy(&p);
        }
    }
}

/* RFC 8684 3.1: whose keys are not those that were said is not spoken MPTCP with; cookies are no way round that. */
static void a_cookie_with_a_wrong_key(void **state)
{
    (void)state;
    struct peer p;
    peer_init(&p, NULL, NULL);
    press(&p);
    syn_from(&p, 4000, capable(false, 0, 0));
    uint64_t key = peer_last(&p, TCP_SYN | TCP_ACK)->options.mp.capable.sender_key;
    peer_send(&p, TCP_ACK, 1, 1, capable(true, p.key, key + 1), NULL, 0);
    peer_send(&p, TCP_ACK, 1, 1, NULL, "bytes", 5);
    expect_plain(&p);
    peer_destroy(&p);
}

/* A cookie is good for whom it was given to, as long as it lasts, and while there is need of cookies at all. */
static void bad_cookies(void **state)
{
    (void)state;
    struct peer p;
    peer_init(&p, NULL, NULL);
    peer_send(&p, TCP_ACK, 1, 1, NULL, NULL, 0);
    assert_non_null(peer_last(&p, TCP_RST));
    press(&p);
    syn_from(&p, 4000, NULL);
    p.addr.port++; /* another's */
    peer_send(&p, TCP_ACK, 1, 1, NULL, NULL, 0);
    assert_non_null(peer_last(&p, TCP_RST));
    p.addr.port--;
    peer_forget(&p);
    peer_send(&p, TCP_ACK, 1, 2, NULL, NULL, 0); /* acknowledges what was not said */
    assert_non_null(peer_last(&p, TCP_RST));
    peer_forget(&p);
    peer_send(&p, TCP_ACK, 2, 1, NULL, NULL, 0); /* it might follow the right one */
    peer_send(&p, TCP_RST | TCP_ACK, 1, 1, NULL, NULL, 0);
    peer_send(&p, TCP_RST, 1, 0, NULL, NULL, 0);
    assert_int_equal(p.seen_count, 0);
    peer_wait(&p, 130 * NS_PER_S); /* past its life */
    peer_forget(&p);
    peer_send(&p, TCP_ACK, 1, 1, NULL, NULL, 0);
    assert_non_null(peer_last(&p, TCP_RST));
    assert_int_equal(peer_counter(&p, "tcp.syn_cookies_answered"), 0);
    assert_int_equal(hawser_accept(p.listener, &p.conn), -EAGAIN);
    peer_destroy(&p);
}

/* The number of a record that has to make way while the listener is pressed was a cookie, too. */
static void who_made_way_may_still_come(void **state)
{
    (void)state;
    struct peer p;
    peer_init(&p, NULL, NULL);
    press(&p);
    syn_from(&p, 3999, NULL);
    peer_wait(&p, 3 * NS_PER_S);
    for (uint16_t i = 0; i < BACKLOG; i++)
        syn_from(&p, (uint16_t)(4000 + i), capable(false, 0, 0));
    const struct peer_segment slow = *peer_last(&p, TCP_SYN | TCP_ACK);
    peer_wait(&p, 4 * NS_PER_S);
    for (uint16_t i = 0; i < BACKLOG; i++)
        syn_from(&p, (uint16_t)(5000 + i), NULL);
    assert_int_equal(peer_counter(&p, "limit.half_open"), 2 * BACKLOG);
    p.addr.port = slow.remote.port;
    p.irs = slow.number;
    send_keys_and_data(&p, slow.options.mp.capable.sender_key);
    expect_mptcp(&p);
    peer_destroy(&p);
}

/* So may who was answered by a cookie, though a record was made when its SYN came once more, in another slot of time.
 */
static void a_cookie_beside_a_record(void **state)
{
    (void)state;
    struct peer p;
    peer_init(&p, NULL, NULL);
    press(&p);
    syn_from(&p, 4000, capable(false, 0, 0));
    const struct peer_segment first = *peer_last(&p, TCP_SYN | TCP_ACK);
    assert_int_equal(peer_counter(&p, "tcp.syn_cookies_sent"), 1);
    peer_wait(&p, 64 * NS_PER_S);
    syn_from(&p, 4000, capable(false, 0, 0));
    assert_int_not_equal(peer_last(&p, TCP_SYN | TCP_ACK)->number, first.number);
    assert_int_equal(peer_counter(&p, "tcp.syn_cookies_sent"), 1);
    p.irs = first.number;
    send_keys_and_data(&p, first.options.mp.capable.sender_key);
    expect_mptcp(&p);
    peer_forget(&p);
    peer_wait(&p, 10 * NS_PER_S);
    assert_null(peer_last(&p, TCP_SYN));
    peer_destroy(&p);
}

/* Stacks that stand for one host know each other's cookies. */
static void a_cookie_of_another_shard(void **state)
{
    (void)state;
    struct hawser_stack_options options = {.size = sizeof options, .secret = "of all shards"};
    struct peer a, b;
    peer_init(&a, &options, NULL);
    peer_init(&b, &options, NULL);
    press(&a);
    press(&b);
    syn_from(&b, 3999, NULL);
    syn_from(&a, 4000, capable(false, 0, 0));
    b.addr.port = 4000;
    b.irs = a.irs;
    peer_forget(&b);
    uint64_t key = peer_last(&a, TCP_SYN | TCP_ACK)->options.mp.capable.sender_key;
    send_keys_and_data(&b, key);
    expect_mptcp(&b);
    peer_destroy(&a);
    peer_destroy(&b);
}

/* Something on the way back eats SYN/ACKs with options that it does not know: after some one goes without. */
static void synacks_with_mp_capable_are_eaten(void **state)
{
    (void)state;
    struct peer p;
    peer_init(&p, NULL, NULL);
    syn_from(&p, 4000, capable(false, 0, 0));
    for (unsigned i = 0; i < HANDSHAKE_CAPABLE_TRIES; i++) {
        assert_true(offers_mptcp(peer_last(&p, TCP_SYN | TCP_ACK)));
        peer_forget(&p);
        peer_wait(&p, NS_PER_S << i);
    }
    assert_false(offers_mptcp(peer_last(&p, TCP_SYN | TCP_ACK)));
    peer_send(&p, TCP_ACK, 1, 1, NULL, "bytes", 5);
    expect_plain(&p);
    peer_destroy(&p);
}

/* RFC 8684 3.1: they may overtake each other; what counts is the third packet, which knows our key. */
static void the_third_packet_decides(void **state)
{
    (void)state;
    struct peer p;
    peer_init(&p, NULL, NULL);
    syn_from(&p, 4000, capable(false, 0, 0));
    uint64_t key = peer_last(&p, TCP_SYN | TCP_ACK)->options.mp.capable.sender_key;
    peer_wait(&p, NS_PER_S << HANDSHAKE_CAPABLE_TRIES);
    assert_false(offers_mptcp(peer_last(&p, TCP_SYN | TCP_ACK)));
    send_keys_and_data(&p, key);
    expect_mptcp(&p);
    peer_destroy(&p);
}

/* RFC 8684 3.1: a SYN without MP_CAPABLE is answered without, though one with it came before. */
static void a_syn_without_mp_capable(void **state)
{
    (void)state;
    struct peer p;
    peer_init(&p, NULL, NULL);
    syn_from(&p, 4000, capable(false, 0, 0));
    assert_true(offers_mptcp(peer_last(&p, TCP_SYN | TCP_ACK)));
    syn_from(&p, 4000, NULL);
    assert_false(offers_mptcp(peer_last(&p, TCP_SYN | TCP_ACK)));
    peer_forget(&p);
    peer_wait(&p, 2 * NS_PER_S);
    assert_false(offers_mptcp(peer_last(&p, TCP_SYN | TCP_ACK)));
    syn_from(&p, 4000, capable(false, 0, 0)); /* an old one */
    assert_false(offers_mptcp(peer_last(&p, TCP_SYN | TCP_ACK)));
    peer_send(&p, TCP_ACK, 1, 1, NULL, "bytes", 5);
    expect_plain(&p);
    peer_destroy(&p);
}

/* RFC 9293 3.10.7.4 for SYN-RECEIVED. */
static void what_is_no_third_packet(void **state)
{
    (void)state;
    static const struct {
        uint8_t flags;
        uint32_t seq, ack;
        const char *counter;
    } cases[] = {
        {TCP_ACK, 1, 0, "drop.bad_ack"},
        {TCP_ACK, 1, 2, "drop.bad_ack"},
        {TCP_ACK, 0, 1, "drop.out_of_window"},
        {TCP_ACK, 70000, 1, "drop.out_of_window"},
        {TCP_PSH, 1, 1, "drop.no_ack_flag"},
        {TCP_SYN | TCP_ACK, 1, 1, "drop.syn_in_connection"},
        {TCP_SYN | TCP_FIN, 1, 1, "drop.syn_in_connection"},
        {TCP_RST, 2, 0, "drop.bad_rst"},
        {TCP_RST, 0, 0, "drop.bad_rst"},
    };
    for (size_t i = 0; i < HW_ARRAY_LEN(cases); i++) {
        struct peer p;
        peer_init(&p, NULL, NULL);
        syn_from(&p, 4000, NULL);
        peer_forget(&p);
        peer_send(&p, cases[i].flags, cases[i].seq, cases[i].ack, NULL, NULL, 0);
        assert_int_equal(p.seen_count, 0);
        assert_int_equal(peer_counter(&p, cases[i].counter), 1);
        assert_int_equal(hawser_accept(p.listener, &p.conn), -EAGAIN);
        peer_send(&p, TCP_ACK, 1, 1, NULL, "bytes", 5); /* it has done no harm */
        expect_plain(&p);
        peer_destroy(&p);
    }
}

/* An old timestamp is none of this handshake's (RFC 7323 5.3); later data may come first. */
static void timestamps_and_order(void **state)
{
    (void)state;
    struct peer p;
    peer_init(&p, NULL, NULL);
    p.timestamps = true;
    p.ts_val = 1000;
    syn_from(&p, 4000, NULL);
    p.ts_ecr = peer_last(&p, TCP_SYN | TCP_ACK)->options.ts_val;
    assert_int_equal(peer_last(&p, TCP_SYN | TCP_ACK)->options.ts_ecr, 1000);
    p.ts_val = 999;
    peer_send(&p, TCP_ACK, 1, 1, NULL, NULL, 0);
    assert_int_equal(peer_counter(&p, "drop.old_timestamp"), 1);
    assert_int_equal(hawser_accept(p.listener, &p.conn), -EAGAIN);
    p.ts_val = 1001;
    peer_send(&p, TCP_ACK, 3, 1, NULL, "tes", 3);
    peer_send(&p, TCP_ACK, 1, 1, NULL, "by", 2);
    expect_plain(&p);
    peer_destroy(&p);
}

/* RFC 9293 3.10.7.4, second: back to LISTEN. */
static void a_reset_ends_it(void **state)
{
    (void)state;
    struct peer p;
    peer_init(&p, NULL, NULL);
    syn_from(&p, 4000, NULL);
    peer_send(&p, TCP_RST, 1, 0, NULL, NULL, 0);
    peer_forget(&p);
    peer_wait(&p, 100 * NS_PER_S);
    assert_int_equal(p.seen_count, 0);
    assert_true(hawser_stack_deadline(p.stack) == HAWSER_NEVER);
    peer_send(&p, TCP_ACK, 1, 1, NULL, NULL, 0);
    assert_non_null(peer_last(&p, TCP_RST));
    peer_destroy(&p);
}

/* RFC 9293 3.5.1: a peer that lost its memory begins anew, from another number. */
static void a_peer_begins_anew(void **state)
{
    (void)state;
    struct peer p;
    peer_init(&p, NULL, NULL);
    syn_from(&p, 4000, NULL);
    p.iss += 100000;
    syn_from(&p, 4000, NULL);
    const struct peer_segment *old = peer_last(&p, TCP_SYN | TCP_ACK);
    assert_int_equal(old->ack, (uint32_t)-99999);
    peer_send(&p, TCP_RST, old->ack, 0, NULL, NULL, 0); /* which it cannot make sense of */
    syn_from(&p, 4000, NULL);
    assert_int_equal(peer_last(&p, TCP_SYN | TCP_ACK)->ack, 1);
    peer_send(&p, TCP_ACK, 1, 1, NULL, "bytes", 5);
    expect_plain(&p);
    peer_destroy(&p);
}

/* It is answered as often as it may have to ask, then the handshake begins anew. */
static void a_peer_that_asks_and_asks(void **state)
{
    (void)state;
    struct peer p;
    unsigned answers = 0;
    peer_init(&p, NULL, NULL);
    for (unsigned i = 0; i < 100; i++) {
        syn_from(&p, 4000, NULL);
        answers += peer_last(&p, TCP_SYN | TCP_ACK) != NULL;
        assert_true(p.seen_count <= 1);
    }
    assert_true(answers >= 90);
    syn_from(&p, 4000, NULL);
    peer_send(&p, TCP_ACK, 1, 1, NULL, "bytes", 5);
    expect_plain(&p);
    peer_destroy(&p);
}

/* RFC 5681 3.1: after a SYN/ACK that was lost the first window is one segment; and what it would tell of the round trip
 * is not known (RFC 6298 3). */
static void the_synack_is_lost(void **state)
{
    (void)state;
    static uint8_t bytes[20000];
    for (int lost = 0; lost < 2; lost++) {
        struct peer p;
        struct hawser_subflow_info info = {.size = sizeof info};
        peer_init(&p, NULL, NULL);
        syn_from(&p, 4000, NULL);
        peer_wait(&p, 300 * NS_PER_MS + (lost ? NS_PER_S : 0));
        peer_send(&p, TCP_ACK, 1, 1, NULL, NULL, 0);
        assert_int_equal(hawser_accept(p.listener, &p.conn), 0);
        assert_int_equal(hawser_subflow_get_info(p.conn, 0, &info), 0);
        assert_int_equal(info.srtt_ns, lost ? 0 : 300 * NS_PER_MS);
        peer_forget(&p);
        assert_int_equal(hawser_send(p.conn, bytes, sizeof bytes), sizeof bytes);
        peer_drain(&p);
        assert_int_equal(p.seen_count, lost ? 1 : 10);
        peer_destroy(&p);
    }
}

/* Who nobody accepts waits outside, and is let in by one of the SYN/ACKs that are repeated. */
static void the_accept_queue_is_full(void **state)
{
    (void)state;
    struct peer p;
    struct hawser_conn *conns[BACKLOG];
    peer_init(&p, NULL, NULL);
    syn_from(&p, 3999, NULL);
    uint32_t irs = p.irs;
    for (uint16_t i = 0; i < BACKLOG; i++) {
        syn_from(&p, (uint16_t)(4000 + i), NULL);
        peer_send(&p, TCP_ACK, 1, 1, NULL, NULL, 0);
    }
    p.addr.port = 3999;
    p.irs = irs;
    peer_forget(&p);
    peer_send(&p, TCP_ACK, 1, 1, NULL, NULL, 0);
    peer_send(&p, TCP_ACK, 1, 1, NULL, "bytes", 5);
    assert_int_equal(p.seen_count, 0);
    assert_int_equal(peer_counter(&p, "drop.accept_queue_full"), 2);
    syn_from(&p, 5000, NULL); /* nor is anybody else asked in */
    assert_int_equal(p.seen_count, 0);
    assert_int_equal(peer_counter(&p, "drop.backlog_full"), 1);
    for (unsigned i = 0; i < BACKLOG; i++)
        assert_int_equal(hawser_accept(p.listener, &conns[i]), 0);
    assert_int_equal(hawser_accept(p.listener, &p.conn), -EAGAIN);
    p.addr.port = 3999;
    peer_wait(&p, NS_PER_S);
    assert_non_null(peer_last(&p, TCP_SYN | TCP_ACK));
    peer_send(&p, TCP_ACK, 1, 1, NULL, "bytes", 5);
    expect_plain(&p);
    peer_destroy(&p);
}

/* With the listener, or the address, go the handshakes. */
static void nobody_left_to_answer_for(void **state)
{
    (void)state;
    for (int address = 0; address < 2; address++) {
        struct peer p;
        peer_init(&p, NULL, NULL);
        press(&p);
        p.addr.port = 4000;
        peer_forget(&p);
        if (address)
            assert_int_equal(hawser_stack_remove_address(p.stack, &p.own, p.now_ns), 0);
        else
            hawser_listener_close(p.listener);
        peer_wait(&p, 100 * NS_PER_S);
        assert_int_equal(p.seen_count, 0);
        assert_true(hawser_stack_deadline(p.stack) == HAWSER_NEVER);
        peer_destroy(&p);
    }
}

/* Handshakes that a listener began, by record or by cookie, are nothing to the next one in its place: RFC 9293 3.6.1.
 */
static void a_listener_in_the_place_of_another(void **state)
{
    (void)state;
    for (int cookies = 0; cookies < 2; cookies++) {
        struct peer p;
        struct hawser_conn *conn;
        const struct hawser_addr any = {.port = PEER_PORT};
        peer_init(&p, NULL, NULL);
        if (cookies)
            press(&p);
        syn_from(&p, 4000, NULL);
        hawser_listener_close(p.listener);
        assert_int_equal(hawser_listen(p.stack, &any, BACKLOG, NULL, &p.listener), 0);
        peer_forget(&p);
        peer_wait(&p, 10 * NS_PER_S);
        assert_int_equal(p.seen_count, 0);
        peer_send(&p, TCP_ACK, 1, 1, NULL, "bytes", 5);
        assert_non_null(peer_last(&p, TCP_RST));
        assert_int_equal(hawser_accept(p.listener, &conn), -EAGAIN);
        p.addr.port = 4001;
        peer_open_plain(&p);
        peer_destroy(&p);
    }
}

/* RFC 3168 6.1.1: a SYN that asks for ECN is one; it is answered without. */
static void a_syn_that_asks_for_more(void **state)
{
    (void)state;
    static const uint8_t more[] = {TCP_ECE | TCP_CWR, TCP_ECE, TCP_CWR, TCP_PSH};
    for (unsigned i = 0; i < HW_ARRAY_LEN(more); i++) {
        struct peer p;
        peer_init(&p, NULL, NULL);
        peer_send(&p, TCP_SYN | more[i], 0, 0, NULL, NULL, 0);
        assert_int_equal(p.seen_count, 1);
        assert_int_equal(p.seen[0].flags, TCP_SYN | TCP_ACK);
        peer_destroy(&p);
    }
}

/* What was acknowledged before anybody accepted the connection is not taken back, however it ended. */
static void bytes_that_came_before_the_accept(void **state)
{
    (void)state;
    struct peer p;
    struct hawser_conn *conn;
    char bytes[8];
    peer_init(&p, NULL, NULL);
    for (uint16_t i = 0; i < 2; i++) {
        syn_from(&p, (uint16_t)(5000 + i), NULL);
        peer_send(&p, TCP_ACK, 1, 1, NULL, NULL, 0);
        if (i == 0)
            peer_send(&p, TCP_ACK, 1, 1, NULL, "bytes", 5);
        peer_send(&p, TCP_RST | TCP_ACK, i == 0 ? 6 : 1, 1, NULL, NULL, 0);
        peer_wait(&p, NS_PER_S);
    }
    assert_int_equal(hawser_accept(p.listener, &conn), 0);
    assert_int_equal(hawser_recv(conn, bytes, sizeof bytes), 5);
    assert_int_equal(hawser_recv(conn, bytes, sizeof bytes), -ECONNRESET);
    hawser_close(conn);
    assert_int_equal(hawser_accept(p.listener, &conn), -EAGAIN); /* the other one had nothing to say */
    peer_destroy(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_third_packet_is_lost),
        cmocka_unit_test(a_token_that_is_taken),
        cmocka_unit_test(a_cookie_with_a_wrong_key),
        cmocka_unit_test(bad_cookies),
        cmocka_unit_test(what_follows_a_cookie_comes_first),
        cmocka_unit_test(whoever_has_no_cookie_is_refused),
        cmocka_unit_test(who_made_way_may_still_come),
        cmocka_unit_test(a_cookie_beside_a_record),
        cmocka_unit_test(a_cookie_of_another_shard),
        cmocka_unit_test(synacks_with_mp_capable_are_eaten),
        cmocka_unit_test(the_third_packet_decides),
        cmocka_unit_test(a_syn_without_mp_capable),
        cmocka_unit_test(what_is_no_third_packet),
        cmocka_unit_test(timestamps_and_order),
        cmocka_unit_test(a_reset_ends_it),
        cmocka_unit_test(a_peer_begins_anew),
        cmocka_unit_test(a_peer_that_asks_and_asks),
        cmocka_unit_test(the_synack_is_lost),
        cmocka_unit_test(the_accept_queue_is_full),
        cmocka_unit_test(nobody_left_to_answer_for),
        cmocka_unit_test(a_listener_in_the_place_of_another),
        cmocka_unit_test(a_syn_that_asks_for_more),
        cmocka_unit_test(bytes_that_came_before_the_accept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
