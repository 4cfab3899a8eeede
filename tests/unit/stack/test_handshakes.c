/* MP_CAPABLE and MP_JOIN: what is agreed, what counts before it is, and how it is refused (RFC 8684 3.1, 3.2). */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "base/units.h"
#include "mptcp/conn.h"
#include "peer.h"
#include "stack/stack.h"
#include "wire/bytes.h"
#include "wire/keys.h"

/* An MPTCP connection; returns its token. */
static uint32_t open_for_joins(struct peer *p)
{
    uint32_t token;
    uint64_t idsn;
    peer_init(p, NULL, NULL);
    peer_open_mptcp(p);
    mptcp_key_derive(p->stack_key, &token, &idsn);
    return token;
}

/* Who has seen a token, and no key, may begin a join. What such a one says of the connection does not count, whatever
 * kind of segment it comes with (RFC 8684 3.2). */
static void nothing_counts_before_the_proof(void **state)
{
    (void)state;
    static const uint8_t flags[] = {TCP_RST, TCP_RST | TCP_ACK, TCP_ACK, TCP_ACK | TCP_PSH, TCP_ACK | TCP_FIN};
    for (size_t i = 0; i < HW_ARRAY_LEN(flags); i++) {
        struct peer p;
        struct hawser_conn_info info = {.size = sizeof info};
        uint8_t bytes[1000] = {0};
        struct tcp_options join = {.mp = {.present = 1u << MPTCP_JOIN, .join = {.shape = MP_JOIN_SYN, .nonce = 5}}};
        join.mp.join.token = open_for_joins(&p);
        assert_int_equal(hawser_send(p.conn, bytes, sizeof bytes), sizeof bytes);
        peer_drain(&p);
        p.addr.port++;
        peer_send(&p, TCP_SYN, 0, 0, &join, NULL, 0);
        struct tcp_options o = peer_dss(&p, 1 + sizeof bytes, 1, 0, 1);
        o.mp.dss.data_fin = true;
        o.mp.present |= 1u << MPTCP_REMOVE_ADDR;
        o.mp.remove_addr = (struct mp_remove_addr){.count = 1, .ids = {0}};
        peer_send(&p, flags[i], 1, 1, &o, NULL, 0);
        assert_int_equal(hawser_conn_get_info(p.conn, &info), 0);
        assert_int_equal(info.acked_bytes, 0);
        assert_int_equal(hawser_recv(p.conn, bytes, sizeof bytes), -EAGAIN);
        assert_int_equal(hawser_conn_error(p.conn), 0);
        peer_destroy(&p);
    }
}

/* RFC 8684 3.1: the MP_CAPABLE of the third packet is held against the same rules as that of the SYN, and confirms what
 * was agreed of checksums. */
static void third_packets_that_fall_back(void **state)
{
    (void)state;
    static const struct mp_capable wrong[] = {
        {.version = 2, .algorithms = 1},
        {.version = 0, .algorithms = 1},
        {.version = 1, .algorithms = 1, .extended = true},
        {.version = 1, .algorithms = 0},
        {.version = 1, .algorithms = 2},
        {.version = 1, .algorithms = 1, .checksum_required = true},
        {.version = 1, .algorithms = 1}, /* and here they are */
    };
    for (size_t i = 0; i < HW_ARRAY_LEN(wrong); i++) {
        struct peer p;
        uint8_t bytes[5];
        const struct hawser_stack_options options = {.size = sizeof options,
                                                     .checksum_required = i == HW_ARRAY_LEN(wrong) - 1};
        struct tcp_options o = {.mp = {.present = 1u << MPTCP_CAPABLE, .capable = {.version = 1, .algorithms = 1}}};
        peer_init(&p, &options, NULL);
        peer_send(&p, TCP_SYN, 0, 0, &o, NULL, 0);
        const struct peer_segment *synack = peer_last(&p, TCP_SYN | TCP_ACK);
        assert_non_null(synack);
        o.mp.capable = wrong[i];
        o.mp.capable.has_sender_key = o.mp.capable.has_receiver_key = true;
        o.mp.capable.sender_key = p.key;
        o.mp.capable.receiver_key = synack->options.mp.capable.sender_key;
        peer_send(&p, TCP_ACK, 1, 1, &o, NULL, 0);
        peer_send(&p, TCP_ACK, 1, 1, NULL, "plain", 5);
        assert_int_equal(hawser_accept(p.listener, &p.conn), 0);
        assert_int_equal(hawser_recv(p.conn, bytes, sizeof bytes), 5);
        peer_forget(&p);
        assert_int_equal(hawser_send(p.conn, bytes, sizeof bytes), 5);
        peer_drain(&p);
        assert_int_equal(peer_last(&p, 0)->len, 5);
        assert_int_equal(peer_last(&p, 0)->options.mp.present, 0);
        peer_destroy(&p);
    }
}

static void begin_join(struct peer *p, uint32_t token)
{
    struct tcp_options o = {.mp = {.present = 1u << MPTCP_JOIN, .join = {.shape = MP_JOIN_SYN, .nonce = 5}}};
    o.mp.join.token = token;
    o.mp.join.address_id = 3;
    p->addr.port++;
    peer_forget(p);
    peer_send(p, TCP_SYN, 0, 0, &o, NULL, 0);
}

static void prove_join(struct peer *p)
{
    struct tcp_options o = {.mp = {.present = 1u << MPTCP_JOIN, .join = {.shape = MP_JOIN_ACK}}};
    const struct peer_segment *synack = peer_last(p, TCP_SYN | TCP_ACK);
    assert_non_null(synack);
    mptcp_join_hmac(p->key, p->stack_key, 5, synack->options.mp.join.nonce, o.mp.join.hmac);
    peer_send(p, TCP_ACK, 1, 1, &o, NULL, 0);
}

static unsigned subflows(const struct peer *p)
{
    struct hawser_conn_info info = {.size = sizeof info};
    assert_int_equal(hawser_conn_get_info(p->conn, &info), 0);
    return info.subflows;
}

static void expect_refusal(const struct peer *p, uint8_t reason)
{
    const struct peer_segment *rst = peer_last(p, TCP_RST);
    assert_non_null(rst);
    assert_true(mptcp_has(&rst->options.mp, MPTCP_TCPRST));
    assert_int_equal(rst->options.mp.tcprst.reason, reason);
    assert_int_equal(rst->options.mp.tcprst.flags, reason == MP_RST_RESOURCES); /* there may be room again */
}

/* RFC 8684 3.2, 3.6. */
static void a_refused_join_is_told_why(void **state)
{
    (void)state;
    struct peer p;
    uint32_t token = open_for_joins(&p);
    begin_join(&p, token + 1); /* nobody's */
    expect_refusal(&p, MP_RST_MPTCP);
    for (unsigned i = 1; i < SUBFLOWS_DEFAULT; i++) {
        begin_join(&p, token);
        prove_join(&p);
        assert_null(peer_last(&p, TCP_RST));
    }
    begin_join(&p, token);
    expect_refusal(&p, MP_RST_RESOURCES);
    p.addr.port++; /* what is no join is refused without a word of MPTCP */
    peer_forget(&p);
    peer_send(&p, TCP_ACK, 1, 1, NULL, NULL, 0);
    assert_non_null(peer_last(&p, TCP_RST));
    assert_int_equal(peer_last(&p, TCP_RST)->options.mp.present, 0);
    peer_destroy(&p);
}

/* Whatever the program allows, within what there are names for. */
static void the_program_says_how_many_subflows(void **state)
{
    (void)state;
    static const struct {
        uint32_t asked, most;
    } limits[] = {{1, 1}, {3, 3}, {SUBFLOWS_MAX, SUBFLOWS_MAX}, {1000, SUBFLOWS_MAX}};
    for (unsigned i = 0; i < HW_ARRAY_LEN(limits); i++) {
        struct peer p;
        uint32_t token;
        uint64_t idsn;
        const struct hawser_conn_options options = {.size = sizeof options, .max_subflows = limits[i].asked};
        peer_init(&p, NULL, &options);
        peer_open_mptcp(&p);
        mptcp_key_derive(p.stack_key, &token, &idsn);
        for (unsigned n = 2; n <= limits[i].most + 1; n++) {
            peer_forget(&p);
            begin_join(&p, token);
            if (n <= limits[i].most)
                prove_join(&p);
            assert_int_equal(subflows(&p), HW_MIN(n, limits[i].most));
        }
        expect_refusal(&p, MP_RST_RESOURCES);
        assert_int_equal(peer_counter(&p, "limit.subflows"), 1);
        peer_destroy(&p);
    }
}

/* When both streams are over no join is of use, not even one that had begun. */
static void a_join_of_what_is_over(void **state)
{
    (void)state;
    for (int begun = 0; begun < 2; begun++) {
        struct peer p;
        uint32_t token;
        uint64_t idsn;
        peer_init(&p, NULL, NULL);
        peer_open_mptcp(&p);
        mptcp_key_derive(p.stack_key, &token, &idsn);
        uint32_t irs = p.irs;
        if (begun)
            begin_join(&p, token);
        const struct peer_segment synack = begun ? *peer_last(&p, TCP_SYN | TCP_ACK) : (struct peer_segment){0};
        hawser_shutdown(p.conn);
        peer_drain(&p);
        p.addr.port = (uint16_t)(p.addr.port - begun);
        p.irs = irs;
        struct tcp_options o = peer_dss(&p, 2, 1, 0, 1);
        o.mp.dss.data_fin = true;
        peer_send(&p, TCP_ACK, 1, 1, &o, NULL, 0);
        if (begun) {
            p.addr.port++;
            p.irs = synack.number;
            peer_forget(&p);
            p.seen[p.seen_count++] = synack;
            prove_join(&p);
        } else {
            begin_join(&p, token);
        }
        expect_refusal(&p, MP_RST_MPTCP);
        assert_int_equal(peer_counter(&p, "drop.join_refused"), 1);
        assert_int_equal(peer_counter(&p, "mptcp.joins_accepted"), 0);
        peer_destroy(&p);
    }
}

/* RFC 8684 3.2: RST where the third packet lacks its MP_JOIN, or is wrong; and nothing is left of the join. */
static void bad_third_packets_of_joins(void **state)
{
    (void)state;
    for (int kind = 0; kind < 4; kind++) {
        struct peer p;
        struct tcp_options o = {0}, none = {0};
        uint32_t token = open_for_joins(&p);
        begin_join(&p, token);
        assert_int_equal(subflows(&p), 1);
        if (kind == 1) {
            o = peer_dss(&p, 1, 1, 1, 5);
        } else if (kind == 2) {
            o.mp.present = 1u << MPTCP_JOIN;
            o.mp.join.shape = MP_JOIN_ACK;
        } else if (kind == 3) {
            o.mp.present = 1u << MPTCP_PRIO;
        }
        peer_forget(&p);
        peer_send(&p, TCP_ACK, 1, 1, kind ? &o : &none, "bytes", 5);
        expect_refusal(&p, MP_RST_MPTCP);
        assert_int_equal(peer_counter(&p, "drop.join_bad_hmac"), 1);
        assert_int_equal(subflows(&p), 1);
        peer_forget(&p);
        peer_wait(&p, 10 * NS_PER_S);
        assert_int_equal(p.seen_count, 0);
        peer_destroy(&p);
    }
}

/* An address that the stack, which opened the connection, is to join. */
static void announce(struct peer *p)
{
    struct tcp_options o = {.mp.present = 1u << MPTCP_ADD_ADDR};
    struct mp_add_addr *add = &o.mp.add_addr;
    *add = (struct mp_add_addr){.is_v4 = true, .address_id = 3, .addr = p->addr};
    add->addr.ip[15]++;
    add->addr.port = 0;
    add->hmac64 = mptcp_add_addr_hmac(p->key, p->stack_key, add);
    peer_send(p, TCP_ACK, 1, 1, &o, NULL, 0);
}

/* RFC 8684 3.2: RST where the answer to our join lacks MP_JOIN, or does not prove that whoever answers has the keys;
 * what worked before goes on. */
static void bad_answers_to_our_joins(void **state)
{
    (void)state;
    static const uint16_t options[] = {0, 1u << MPTCP_CAPABLE, 1u << MPTCP_JOIN};
    static const uint8_t flags[] = {TCP_SYN | TCP_ACK, TCP_SYN}; /* the latter opens at the same time */
    for (size_t i = 0; i < HW_ARRAY_LEN(options) * HW_ARRAY_LEN(flags); i++) {
        struct peer p;
        struct tcp_options o = {.mp = {.present = options[i / 2], .capable = {.version = 1, .algorithms = 1}}};
        o.mp.join = (struct mp_join){.shape = i % 2 ? MP_JOIN_SYN : MP_JOIN_SYNACK, .address_id = 3};
        o.mp.capable.has_sender_key = i % 2 == 0;
        peer_init(&p, NULL, NULL);
        peer_connect_mptcp(&p);
        announce(&p);
        const struct peer_segment *syn = peer_last(&p, TCP_SYN);
        assert_non_null(syn);
        p.own = syn->local;
        p.addr = syn->remote;
        peer_forget(&p);
        peer_send(&p, flags[i % 2], 0, 1, &o, NULL, 0);
        expect_refusal(&p, MP_RST_MPTCP);
        assert_int_equal(p.seen_count, 1);
        assert_int_equal(p.seen[0].seq, 1);
        assert_int_equal(p.seen[0].ack, 1);
        assert_int_equal(subflows(&p), 1);
        assert_int_equal(hawser_conn_error(p.conn), 0);
        peer_forget(&p);
        peer_wait(&p, 100 * NS_PER_S);
        assert_null(peer_last(&p, TCP_SYN)); /* 3.9.3: nor is it tried again */
        peer_destroy(&p);
    }
}

/* The SYN/ACK proves the peer to us. What it says next may overtake the answer to our third packet, and counts; it is
 * such an answer. */
static void the_answer_to_our_join_is_proof_enough(void **state)
{
    (void)state;
    for (int end = 0; end < 2; end++) {
        struct peer p;
        uint8_t bytes[5];
        peer_init(&p, NULL, NULL);
        peer_connect_mptcp(&p);
        announce(&p);
        peer_synack_join(&p);
        assert_int_equal(subflows(&p), 1);
        struct tcp_options o = peer_dss(&p, 1, 1, end ? 0 : 1, end ? 1 : 5);
        o.mp.dss.data_fin = end;
        peer_forget(&p);
        peer_send(&p, TCP_ACK, 1, 1, &o, "hello", end ? 0 : 5);
        assert_int_equal(hawser_recv(p.conn, bytes, sizeof bytes), end ? 0 : 5);
        assert_int_equal(subflows(&p), 2);
        peer_wait(&p, 10 * NS_PER_S);
        for (unsigned i = 0; i < p.seen_count; i++)
            assert_false(mptcp_has(&p.seen[i].options.mp, MPTCP_JOIN)); /* it is not repeated any more */
        peer_destroy(&p);
    }
}

/* Who has seen a token cannot keep those out who have the keys, not even for a round trip. */
static void incomplete_joins_keep_nobody_out(void **state)
{
    (void)state;
    struct peer p;
    uint32_t token = open_for_joins(&p);
    for (unsigned i = 0; i < HALF_OPEN_JOINS_MAX - 1; i++) {
        begin_join(&p, token);
        assert_non_null(peer_last(&p, TCP_SYN | TCP_ACK));
    }
    assert_int_equal(subflows(&p), 1);
    begin_join(&p, token);
    prove_join(&p);
    assert_int_equal(subflows(&p), 2);
    assert_null(peer_last(&p, TCP_RST));
    begin_join(&p, token);
    begin_join(&p, token); /* now the limit is reached: in silence, */
    assert_int_equal(p.seen_count, 0);
    assert_int_equal(peer_counter(&p, "drop.too_many_half_open"), 1);
    p.now_ns += NS_PER_S;
    p.addr.port--;
    begin_join(&p, token); /* and when it is asked again there is room */
    prove_join(&p);
    assert_int_equal(subflows(&p), 3);
    assert_int_equal(peer_counter(&p, "limit.half_open"), 1);
    peer_destroy(&p);
}

/* Likewise when they never cease: four each millisecond. */
static void a_flood_of_joins_keeps_nobody_out(void **state)
{
    (void)state;
    enum { MILLISECONDS = 1500, EACH = 4 };
    struct peer p;
    uint32_t token = open_for_joins(&p);
    for (unsigned i = 1; i <= MILLISECONDS * EACH; i++) {
        begin_join(&p, token);
        assert_non_null(peer_last(&p, TCP_SYN | TCP_ACK));
        p.now_ns += i % EACH == 0 ? NS_PER_MS : 0;
    }
    prove_join(&p);
    assert_int_equal(subflows(&p), 2);
    assert_int_equal(peer_counter(&p, "drop.too_many_half_open"), 0);
    peer_destroy(&p);
}

/* A join counts for nothing before its proof; then there may be no room any more, or no connection. */
static void a_join_comes_too_late(void **state)
{
    (void)state;
    for (int over = 0; over < 2; over++) {
        struct peer p;
        uint32_t token = open_for_joins(&p);
        begin_join(&p, token);
        struct peer_segment synack = *peer_last(&p, TCP_SYN | TCP_ACK);
        uint16_t port = p.addr.port;
        for (unsigned i = 1; i < SUBFLOWS_DEFAULT && !over; i++) {
            begin_join(&p, token);
            prove_join(&p);
        }
        if (over) {
            hawser_abort(p.conn);
            peer_drain(&p);
        }
        peer_forget(&p);
        p.seen[p.seen_count++] = synack;
        p.addr.port = port;
        p.irs = synack.number;
        prove_join(&p);
        const struct peer_segment *rst = peer_last(&p, TCP_RST);
        assert_non_null(rst);
        if (!over)
            expect_refusal(&p, MP_RST_RESOURCES);
        peer_forget(&p);
        peer_wait(&p, 10 * NS_PER_S);
        assert_null(peer_last(&p, TCP_SYN));
        peer_destroy(&p);
    }
}

/* What ends with the same batch, or call, with which a join came is not joined. */
static void a_join_comes_to_a_dying_connection(void **state)
{
    (void)state;
    for (int aborted = 0; aborted < 2; aborted++) {
        struct peer p;
        uint8_t bytes[2][PEER_PACKET_MAX];
        struct hawser_rx rx[2];
        struct tcp_options join = {.mp = {.present = 1u << MPTCP_JOIN, .join = {.shape = MP_JOIN_SYN, .nonce = 5}}};
        struct tcp_options close = {.mp = {.present = 1u << MPTCP_FASTCLOSE}};
        join.mp.join.token = open_for_joins(&p);
        close.mp.fastclose.receiver_key = p.stack_key;
        uint32_t closing = (uint32_t)peer_packet(&p, bytes[1], TCP_ACK, 1, 1, &close, NULL, 0);
        p.addr.port++;
        uint32_t joining = (uint32_t)peer_packet(&p, bytes[0], TCP_SYN, 0, 0, &join, NULL, 0);
        rx[0] = (struct hawser_rx){.data = bytes[0], .len = joining, .flags = HAWSER_RX_CSUM_OK};
        rx[1] = (struct hawser_rx){.data = bytes[1], .len = closing, .flags = HAWSER_RX_CSUM_OK};
        hawser_stack_input(p.stack, 0, rx, aborted ? 1 : 2, p.now_ns);
        if (aborted)
            hawser_abort(p.conn);
        peer_wait(&p, 10 * NS_PER_S);
        assert_null(peer_last(&p, TCP_SYN));
        peer_destroy(&p);
    }
}

/* RFC 8684 3.3: a checksum that was not negotiated, or is missing though it was, ends the subflow, and nothing is taken
 * from it: neither bytes nor the end of the stream, together or alone, nor the way back to plain TCP. */
static void checksums_are_as_negotiated(void **state)
{
    (void)state;
    for (int i = 0; i < 8; i++) {
        struct peer p;
        const bool negotiated = i % 2, end = i >= 2 && i < 6;
        const uint16_t len = i < 4 ? 5 : 0;
        struct hawser_stack_options options = {.size = sizeof options, .checksum_required = negotiated};
        peer_init(&p, &options, NULL);
        peer_open_mptcp(&p);
        struct tcp_options o = peer_dss(&p, 1, 1, len ? 1 : 0, (uint16_t)(len + end));
        if (i >= 6)
            o.mp.dss = (struct mp_dss){.has_map = true, .dsn_is_64 = true, .dsn = p.idsn + 1, .ssn = 1};
        o.mp.dss.has_checksum = !negotiated;
        o.mp.dss.data_fin = end;
        peer_forget(&p);
        peer_send(&p, TCP_ACK, 1, 1, &o, "bytes", len);
        expect_refusal(&p, MP_RST_MPTCP);
        assert_int_not_equal(hawser_recv(p.conn, &(uint8_t){0}, 1), 0);
        peer_destroy(&p);
    }
}

/* RFC 8684 3.2: the third packet of a join is answered, and again when it comes again, for the answer may be lost. */
static void the_third_packet_of_a_join_is_answered_each_time(void **state)
{
    (void)state;
    struct peer p;
    begin_join(&p, open_for_joins(&p));
    const struct peer_segment synack = *peer_last(&p, TCP_SYN | TCP_ACK);
    for (unsigned i = 0; i < 3; i++) {
        peer_forget(&p);
        p.seen[p.seen_count++] = synack;
        prove_join(&p);
        assert_int_equal(p.seen_count, 2);
        assert_int_equal(p.seen[1].flags, TCP_ACK);
        assert_int_equal(subflows(&p), 2);
    }
    peer_destroy(&p);
}

/* RFC 8684 3.2: nor is data sent on our join before the third packet was answered. */
static void no_data_before_the_third_packet_is_answered(void **state)
{
    (void)state;
    static const uint8_t bytes[40000];
    struct peer p;
    peer_init(&p, NULL, NULL);
    peer_connect_mptcp(&p);
    announce(&p);
    assert_int_equal(hawser_send(p.conn, bytes, sizeof bytes), sizeof bytes); /* more than the first takes at once */
    peer_synack_join(&p);
    for (unsigned i = 0; i < p.seen_count; i++)
        assert_true(p.seen[i].len == 0 || p.seen[i].local.port != p.own.port);
    peer_forget(&p);
    peer_send(&p, TCP_ACK, 1, 1, NULL, NULL, 0);
    assert_true(p.seen_count > 0 && p.seen[0].len > 0);
    assert_int_equal(p.seen[0].local.port, p.own.port);
    peer_destroy(&p);
}

/* RFC 8684 5: nor does a proof say anything of another one. */
static void each_join_has_a_nonce_of_its_own(void **state)
{
    (void)state;
    struct peer p;
    struct mp_join said[4];
    const uint32_t token = open_for_joins(&p);
    for (unsigned i = 0; i < HW_ARRAY_LEN(said); i++) {
        begin_join(&p, token);
        said[i] = peer_last(&p, TCP_SYN | TCP_ACK)->options.mp.join;
        for (unsigned before = 0; before < i; before++) {
            assert_int_not_equal(said[before].nonce, said[i].nonce);
            assert_true(said[before].hmac64 != said[i].hmac64);
        }
    }
    peer_destroy(&p);
}

/* RFC 8684 3.1: that MPTCP gets through, both ways, is shown by the peer's first DSS. */
static void no_join_before_a_dss(void **state)
{
    (void)state;
    struct peer p;
    struct hawser_addr other;
    struct tcp_options o = {.mp = {.present = 1u << MPTCP_CAPABLE, .capable = {.version = 1, .algorithms = 1}}};
    peer_init(&p, NULL, NULL);
    assert_int_equal(hawser_addr_parse(&other, "10.0.0.9", 0), 0);
    assert_int_equal(hawser_stack_add_address(p.stack, 0, &other, 24, p.now_ns), 0);
    peer_connect(&p, false);
    o.mp.capable.has_sender_key = true;
    o.mp.capable.sender_key = p.key;
    peer_send(&p, TCP_SYN | TCP_ACK, 0, 1, &o, NULL, 0);
    peer_forget(&p);
    peer_wait(&p, NS_PER_S);
    o = (struct tcp_options){.mp.present = 1u << MPTCP_PRIO};
    peer_send(&p, TCP_ACK, 1, 1, &o, NULL, 0);
    peer_wait(&p, NS_PER_S);
    assert_int_equal(peer_count_syns(&p), 0);
    o = (struct tcp_options){.mp = {.present = 1u << MPTCP_DSS, .dss = {.has_ack = true}}};
    peer_send(&p, TCP_ACK, 1, 1, &o, NULL, 0);
    assert_int_equal(peer_count_syns(&p), 1);
    peer_destroy(&p);
}

/* RFC 8684 3.1: where a super-segment was cut, each piece has the MP_CAPABLE of the whole. */
static void the_first_mapping_may_come_twice(void **state)
{
    (void)state;
    struct peer p;
    struct tcp_options o = {.mp = {.present = 1u << MPTCP_CAPABLE, .capable = {.version = 1, .algorithms = 1}}};
    uint8_t bytes[16];
    peer_init(&p, NULL, NULL);
    peer_send(&p, TCP_SYN, 0, 0, &o, NULL, 0);
    o.mp.capable.has_sender_key = o.mp.capable.has_receiver_key = o.mp.capable.has_data_len = true;
    o.mp.capable.sender_key = p.key;
    o.mp.capable.receiver_key = peer_last(&p, TCP_SYN | TCP_ACK)->options.mp.capable.sender_key;
    o.mp.capable.data_len = 10;
    peer_send(&p, TCP_ACK, 1, 1, &o, "first", 5);
    peer_send(&p, TCP_ACK, 6, 1, &o, "bytes", 5);
    peer_send(&p, TCP_ACK, 1, 1, &o, "first", 5);
    assert_int_equal(hawser_accept(p.listener, &p.conn), 0);
    assert_int_equal(hawser_recv(p.conn, bytes, sizeof bytes), 10);
    assert_memory_equal(bytes, "firstbytes", 10);
    assert_int_equal(subflows(&p), 1);
    assert_int_equal(peer_counter(&p, "drop.bad_mapping"), 0);
    peer_destroy(&p);
}

static bool odd_ones_are_taken(struct mp_host *host, uint32_t token)
{
    (void)host;
    return token % 2;
}

/* RFC 8684 3.1: a key whose token another connection has is drawn again. */
static void our_key_has_a_token_of_its_own(void **state)
{
    (void)state;
    struct peer p;
    peer_init(&p, NULL, NULL);
    struct mp_host_ops ops = *p.stack->host.ops;
    ops.token_taken = odd_ones_are_taken;
    p.stack->host.ops = &ops;
    for (unsigned i = 0; i < 16; i++) {
        peer_connect(&p, false);
        assert_int_equal(((const struct conn *)p.conn)->identity.local_token % 2, 0);
        hawser_abort(p.conn);
        peer_drain(&p);
        peer_forget(&p);
    }
    peer_destroy(&p);
}

/* RFC 8684 3.4.2: an address that goes must not take the only subflow that works with it, whatever else is half open.
 */
static void remove_addr_beside_a_half_open_join(void **state)
{
    (void)state;
    struct peer p;
    struct hawser_conn_info info = {.size = sizeof info};
    uint32_t token = open_for_joins(&p);
    uint32_t irs = p.irs;
    begin_join(&p, token);
    p.addr.port--;
    p.irs = irs;
    struct tcp_options o = peer_dss(&p, 1, 0, 0, 0);
    o.mp.present |= 1u << MPTCP_REMOVE_ADDR;
    o.mp.remove_addr = (struct mp_remove_addr){.count = 1, .ids = {0}};
    peer_forget(&p);
    peer_send(&p, TCP_ACK, 1, 1, &o, NULL, 0);
    assert_null(peer_last(&p, TCP_RST));
    assert_int_equal(hawser_send(p.conn, "bytes", 5), 5);
    peer_drain(&p);
    assert_int_equal(peer_last(&p, 0)->len, 5);
    assert_int_equal(hawser_conn_get_info(p.conn, &info), 0);
    assert_true(info.mptcp);
    peer_destroy(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_counts_before_the_proof),
        cmocka_unit_test(third_packets_that_fall_back),
        cmocka_unit_test(a_refused_join_is_told_why),
        cmocka_unit_test(the_program_says_how_many_subflows),
        cmocka_unit_test(checksums_are_as_negotiated),
        cmocka_unit_test(a_join_of_what_is_over),
        cmocka_unit_test(bad_third_packets_of_joins),
        cmocka_unit_test(bad_answers_to_our_joins),
        cmocka_unit_test(the_answer_to_our_join_is_proof_enough),
        cmocka_unit_test(incomplete_joins_keep_nobody_out),
        cmocka_unit_test(a_flood_of_joins_keeps_nobody_out),
        cmocka_unit_test(a_join_comes_too_late),
        cmocka_unit_test(a_join_comes_to_a_dying_connection),
        cmocka_unit_test(remove_addr_beside_a_half_open_join),
        cmocka_unit_test(the_third_packet_of_a_join_is_answered_each_time),
        cmocka_unit_test(no_data_before_the_third_packet_is_answered),
        cmocka_unit_test(each_join_has_a_nonce_of_its_own),
        cmocka_unit_test(no_join_before_a_dss),
        cmocka_unit_test(the_first_mapping_may_come_twice),
        cmocka_unit_test(our_key_has_a_token_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
