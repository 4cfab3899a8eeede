/* TIME-WAIT: what a closed subflow still says, for how long, and what it costs. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "base/units.h"
#include "peer.h"
#include "stack/time_wait.h"
#include "wire/keys.h"

enum { MAX_DEFAULT = 4096 };

/* The stack closes first, and the peer a moment later: all numbers after are 2. */
static void close_plain(struct peer *p)
{
    hawser_close(p->conn);
    peer_drain(p);
    assert_int_equal(peer_last(p, TCP_FIN)->seq, 1);
    peer_send(p, TCP_FIN | TCP_ACK, 1, 2, NULL, NULL, 0);
    assert_int_equal(peer_last(p, TCP_ACK)->ack, 2);
    peer_forget(p);
}

static void into_time_wait(struct peer *p, const struct hawser_stack_options *options)
{
    peer_init(p, options, NULL);
    p->timestamps = true;
    peer_open_plain(p);
    close_plain(p);
    assert_int_equal(hawser_stack_time_wait(p->stack), 1);
}

static void expect_acknowledgement(struct peer *p, unsigned n)
{
    assert_int_equal(p->seen_count, n);
    for (unsigned i = 0; i < n; i++) {
        assert_int_equal(p->seen[i].flags, TCP_ACK);
        assert_int_equal(p->seen[i].seq, 2);
        assert_int_equal(p->seen[i].ack, 2);
    }
    peer_forget(p);
}

/* RFC 9293 3.10.7.4, eighth: a FIN that comes again is acknowledged, and the minute begins anew. */
static void a_fin_again_is_acknowledged(void **state)
{
    (void)state;
    struct peer p;
    into_time_wait(&p, NULL);
    for (int i = 0; i < 3; i++) {
        peer_wait(&p, 50 * NS_PER_S);
        peer_send(&p, TCP_FIN | TCP_ACK, 1, 2, NULL, NULL, 0);
        assert_int_equal(p.seen[0].options.ts_ecr, p.now_ns / NS_PER_MS);
        expect_acknowledgement(&p, 1);
    }
    peer_wait(&p, 59 * NS_PER_S);
    assert_int_equal(hawser_stack_time_wait(p.stack), 1);
    peer_wait(&p, 2 * NS_PER_S);
    assert_int_equal(hawser_stack_time_wait(p.stack), 0);
    assert_int_equal(hawser_stack_deadline(p.stack), HAWSER_NEVER);
    peer_send(&p, TCP_FIN | TCP_ACK, 1, 2, NULL, NULL, 0);
    assert_int_equal(peer_last(&p, 0)->flags, TCP_RST);
    peer_destroy(&p);
}

/* Whatever else comes is answered now and then at most (RFC 5961 7), and what is in order not at all. */
static void the_rest_is_rationed(void **state)
{
    (void)state;
    static const struct {
        uint8_t flags;
        uint32_t seq, ack, len;
    } late[] = {
        {TCP_ACK, 1, 2, 1},           {TCP_ACK, 900000, 2, 0},      {TCP_ACK, 2, 2, 100},
        {TCP_ACK, 2, 3, 0},           {TCP_SYN, 0, 0, 0},           {TCP_SYN, 2, 0, 0},
        {TCP_SYN | TCP_ACK, 0, 2, 0}, {TCP_ACK | TCP_FIN, 2, 2, 0}, {TCP_ACK | TCP_RST, 5, 2, 0},
    };
    uint8_t bytes[100] = {0};
    for (size_t i = 0; i < HW_ARRAY_LEN(late); i++) {
        struct peer p;
        into_time_wait(&p, NULL);
        p.ts_val = late[i].flags & TCP_SYN ? 1 : 0; /* an old one, so that it does not open anew */
        for (unsigned n = 0; n < 50; n++)
            peer_send(&p, late[i].flags, late[i].seq, late[i].ack, NULL, bytes, late[i].len);
        expect_acknowledgement(&p, 1);
        peer_wait(&p, NS_PER_S);
        for (unsigned n = 0; n < 50; n++)
            peer_send(&p, late[i].flags, late[i].seq, late[i].ack, NULL, bytes, late[i].len);
        assert_int_equal(p.seen_count, 1);
        assert_int_equal(peer_counter(&p, "tcp.challenge_acks"), 2);
        peer_destroy(&p);
    }
    struct peer p;
    into_time_wait(&p, NULL);
    peer_send(&p, TCP_ACK, 2, 2, NULL, NULL, 0);
    peer_send(&p, TCP_PSH, 2, 0, NULL, NULL, 0);
    peer_send(&p, TCP_RST, 1, 0, NULL, NULL, 0);
    assert_int_equal(p.seen_count, 0);
    peer_destroy(&p);
}

/* RFC 9293 3.10.7.4, second; RFC 5961 3.2 */
static void only_the_exact_reset_ends_it(void **state)
{
    (void)state;
    struct peer p;
    into_time_wait(&p, NULL);
    peer_send(&p, TCP_RST, 3, 0, NULL, NULL, 0);
    assert_int_equal(hawser_stack_time_wait(p.stack), 1);
    peer_send(&p, TCP_RST, 2, 0, NULL, NULL, 0);
    assert_int_equal(hawser_stack_time_wait(p.stack), 0);
    assert_int_equal(hawser_stack_deadline(p.stack), HAWSER_NEVER);
    peer_destroy(&p);
}

/* RFC 6191 2, case by case. */
static void who_may_take_over(void **state)
{
    (void)state;
    enum { LAST = 1000, STAMP = 0xfffffff0 };
    static const struct {
        bool stamped, was_stamped;
        uint32_t ts_val, seq;
        bool yields;
    } cases[] = {
        {true, true, STAMP + 1, LAST - 500, true},
        {true, true, 5, LAST - 500, true},
        {true, true, STAMP - 1, LAST + 500, false},
        {true, true, STAMP, LAST + 1, true},
        {true, true, STAMP, LAST, false},
        {false, true, 0, LAST + 1, true},
        {false, true, 0, LAST, false},
        {true, false, 5, LAST - 500, true},
        {false, false, 0, LAST + 1, true},
        {false, false, 0, LAST, false},
        {false, false, 0, LAST + 0x80000002u, false},
    };
    for (size_t i = 0; i < HW_ARRAY_LEN(cases); i++) {
        struct time_wait record = {.rcv_nxt = seq_at(LAST + 1), .timestamps = cases[i].was_stamped, .ts_recent = STAMP};
        struct tcp_options o = {.present = cases[i].stamped ? TCP_OPT_TIMESTAMPS : 0, .ts_val = cases[i].ts_val};
        struct tcp_segment syn = {.header = {.seq = seq_at(cases[i].seq), .flags = TCP_SYN}, .options = &o};
        assert_int_equal(time_wait_yields(&record, &syn), cases[i].yields);
    }
}

/* RFC 9293 3.6.1: the new connection begins above all that the old one said, and nothing is left of that. */
static void a_new_connection_takes_over(void **state)
{
    (void)state;
    struct peer p;
    enum { MUCH = 1000000 };
    static const uint8_t much[20000];
    uint8_t bytes[100] = {0};
    peer_init(&p, NULL, NULL);
    p.timestamps = true;
    peer_open_plain(&p);
    for (unsigned i = 0; i < MUCH / sizeof much; i++)
        assert_int_equal(hawser_send(p.conn, much, sizeof much), sizeof much);
    hawser_close(p.conn);
    peer_drain(&p);
    uint32_t first = p.irs;
    while (!peer_last(&p, TCP_FIN)) { /* it is faster than the clock of initial sequence numbers */
        uint32_t got = peer_last(&p, 0)->seq + peer_last(&p, 0)->len;
        peer_forget(&p);
        p.now_ns += NS_PER_MS;
        peer_send(&p, TCP_ACK, 1, got, NULL, NULL, 0);
    }
    peer_send(&p, TCP_FIN | TCP_ACK, 1, MUCH + 2, NULL, NULL, 0);
    assert_int_equal(hawser_stack_time_wait(p.stack), 1);
    peer_forget(&p);
    p.iss -= 5000; /* lower than before: the timestamp is what counts */
    p.now_ns += NS_PER_MS;
    peer_open_plain(&p);
    assert_int_equal(hawser_stack_time_wait(p.stack), 0);
    assert_true((int32_t)(p.irs - (first + MUCH + 2)) > 0);
    peer_send(&p, TCP_ACK, 1, 1, NULL, bytes, sizeof bytes);
    assert_int_equal(hawser_recv(p.conn, bytes, sizeof bytes), sizeof bytes);
    peer_destroy(&p);
}

/* Nor does it give way where nobody listens. */
static void nobody_takes_over_without_a_listener(void **state)
{
    (void)state;
    struct peer p;
    into_time_wait(&p, NULL);
    hawser_listener_close(p.listener);
    p.now_ns += NS_PER_MS;
    peer_send(&p, TCP_SYN, 100, 0, NULL, NULL, 0);
    assert_int_equal(p.seen_count, 1);
    assert_int_equal(p.seen[0].flags, TCP_ACK);
    assert_int_equal(hawser_stack_time_wait(p.stack), 1);
    peer_destroy(&p);
}

/* RFC 9293 3.6: nor do we open from a port that still waits. */
static void its_port_is_taken(void **state)
{
    (void)state;
    struct peer p;
    struct hawser_conn *again;
    peer_init(&p, NULL, NULL);
    peer_connect(&p, true);
    peer_send(&p, TCP_SYN | TCP_ACK, 0, 1, NULL, NULL, 0);
    close_plain(&p);
    struct hawser_conn_options options = {.size = sizeof options, .local = p.own};
    assert_int_equal(hawser_connect(p.stack, &p.addr, &options, p.now_ns, &again), -EADDRINUSE);
    peer_wait(&p, 61 * NS_PER_S);
    assert_int_equal(hawser_connect(p.stack, &p.addr, &options, p.now_ns, &again), 0);
    peer_destroy(&p);
}

/* RFC 8684 3.3, 3.3.3: a peer whose last answer got lost learns that its end of the stream arrived, by the answer to
 * its FIN and by that to its DATA_FIN. */
static void what_mptcp_still_has_to_say(void **state)
{
    (void)state;
    struct peer p;
    struct hawser_conn_options small = {.size = sizeof small, .recv_buffer_bytes = 20000};
    peer_init(&p, NULL, &small);
    p.timestamps = true;
    peer_open_mptcp(&p);
    hawser_close(p.conn);
    peer_drain(&p);
    struct tcp_options end = peer_dss(&p, 2, 1, 0, 1);
    end.mp.dss.data_fin = true;
    peer_send(&p, TCP_ACK, 1, 1, &end, NULL, 0);
    const struct peer_segment *fin = peer_last(&p, TCP_FIN);
    assert_int_equal(fin->seq, 1);
    peer_send(&p, TCP_FIN | TCP_ACK, 1, 2, &end, NULL, 0);
    assert_int_equal(hawser_stack_time_wait(p.stack), 1);
    static const struct {
        uint8_t flags;
        uint32_t seq;
    } again[] = {{TCP_FIN | TCP_ACK, 1}, {TCP_ACK, 2}};
    for (size_t i = 0; i < HW_ARRAY_LEN(again); i++) {
        peer_forget(&p);
        peer_send(&p, again[i].flags, again[i].seq, 2, &end, NULL, 0);
        assert_int_equal(p.seen_count, 1);
        const struct mp_dss *dss = &p.seen[0].options.mp.dss;
        assert_true(mptcp_has(&p.seen[0].options.mp, MPTCP_DSS) && dss->has_ack && dss->ack_is_64);
        assert_true(dss->ack == p.idsn + 2);
        assert_int_equal(p.seen[0].window, 20000); /* RFC 8684 3.3.4: its right edge does not move back */
    }
    peer_destroy(&p);
}

/* The oldest is forgotten at the limit. */
static void the_oldest_makes_way(void **state)
{
    (void)state;
    enum { LIMIT = 4, CLOSED = 7 };
    struct peer p;
    struct hawser_stack_options options = {.size = sizeof options, .max_time_wait = LIMIT};
    peer_init(&p, &options, NULL);
    for (unsigned i = 0; i < CLOSED; i++) {
        p.addr.port = (uint16_t)(5000 + i);
        peer_open_plain(&p);
        close_plain(&p);
    }
    assert_int_equal(hawser_stack_time_wait(p.stack), LIMIT);
    assert_int_equal(peer_counter(&p, "limit.time_waits"), CLOSED - LIMIT);
    assert_int_equal(peer_counter(&p, "tcp.time_waits"), CLOSED);
    for (unsigned i = 0; i < CLOSED; i++) {
        p.addr.port = (uint16_t)(5000 + i);
        peer_forget(&p);
        peer_send(&p, TCP_FIN | TCP_ACK, 1, 2, NULL, NULL, 0);
        assert_int_equal(p.seen[0].flags, i < CLOSED - LIMIT ? TCP_RST : TCP_ACK);
    }
    peer_destroy(&p);
}

/* As many have closed as there may be connections, and twice: the next one is served like the first. */
static void a_server_does_not_go_deaf(void **state)
{
    (void)state;
    struct peer p;
    uint8_t bytes[8] = "hear me";
    peer_init(&p, NULL, NULL);
    for (unsigned i = 0; i < 2 * MAX_DEFAULT; i++) {
        p.addr.port = (uint16_t)(5000 + i);
        peer_open_plain(&p);
        close_plain(&p);
    }
    assert_int_equal(hawser_stack_time_wait(p.stack), 2 * MAX_DEFAULT);
    p.addr.port = 4000;
    peer_open_mptcp(&p);
    struct tcp_options o = peer_dss(&p, 1, 1, 1, sizeof bytes);
    peer_send(&p, TCP_ACK, 1, 1, &o, bytes, sizeof bytes);
    assert_int_equal(hawser_recv(p.conn, bytes, sizeof bytes), sizeof bytes);
    assert_int_equal(peer_counter(&p, "limit.connections"), 0);
    peer_destroy(&p);
}

/* With the pool's address behind it, and its place in the table. */
static void a_record_is_small(void **state)
{
    (void)state;
    assert_true(sizeof(struct time_wait) + 2 * sizeof(void *) <= 128);
}

/* More answers than that do not wait for an output; one whose record goes meanwhile is not sent. */
static void answers_are_bounded(void **state)
{
    (void)state;
    enum { CLOSED = TIME_WAIT_ANSWERS_MAX + 10 };
    struct peer p;
    peer_init(&p, NULL, NULL);
    for (unsigned i = 0; i < CLOSED; i++) {
        p.addr.port = (uint16_t)(5000 + i);
        peer_open_plain(&p);
        close_plain(&p);
    }
    for (unsigned i = 0; i < CLOSED + 2; i++) {
        uint8_t packet[PEER_PACKET_MAX];
        struct hawser_rx rx = {.data = packet, .flags = HAWSER_RX_CSUM_OK};
        bool reset = i >= CLOSED; /* the first two are gone for good */
        p.addr.port = (uint16_t)(5000 + i % CLOSED);
        rx.len = (uint32_t)peer_packet(&p, packet, reset ? TCP_RST : TCP_FIN | TCP_ACK, 1 + reset, 2, NULL, NULL, 0);
        hawser_stack_input(p.stack, 0, &rx, 1, p.now_ns);
    }
    assert_int_equal(peer_counter(&p, "limit.stateless_replies"), CLOSED - TIME_WAIT_ANSWERS_MAX);
    peer_drain(&p);
    assert_int_equal(p.seen_count, TIME_WAIT_ANSWERS_MAX - 2);
    assert_int_equal(hawser_stack_time_wait(p.stack), CLOSED - 2);
    peer_destroy(&p);
}

/* ---- connections that were aborted ---- */

static void abort_mptcp(struct peer *p)
{
    peer_open_mptcp(p);
    hawser_abort(p->conn);
    peer_drain(p);
    assert_true(mptcp_has(&peer_last(p, TCP_RST)->options.mp, MPTCP_FASTCLOSE));
    peer_forget(p);
}

static void expect_fastclose(struct peer *p, uint32_t seq)
{
    assert_int_equal(p->seen_count, 1);
    assert_int_equal(p->seen[0].flags, TCP_RST);
    assert_int_equal(p->seen[0].seq, seq);
    assert_true(mptcp_has(&p->seen[0].options.mp, MPTCP_FASTCLOSE));
    assert_true(p->seen[0].options.mp.fastclose.receiver_key == p->key);
    peer_forget(p);
}

/* RFC 8684 3.5: whoever did not take the reset, as RFC 5961 3.2 may have him challenge it, learns from the answer that
 * it was the connection's. */
static void an_abort_is_told_again(void **state)
{
    (void)state;
    struct peer p;
    uint8_t bytes[8] = {0};
    peer_init(&p, NULL, NULL);
    abort_mptcp(&p);
    assert_int_equal(hawser_stack_time_wait(p.stack), 1);
    assert_int_equal(peer_counter(&p, "tcp.time_waits"), 0);
    peer_send(&p, TCP_ACK, 1, 1, NULL, NULL, 0);
    expect_fastclose(&p, 1);
    struct tcp_options o = peer_dss(&p, 1, 1, 1, sizeof bytes);
    peer_send(&p, TCP_ACK, 1, 1, &o, bytes, sizeof bytes);
    expect_fastclose(&p, 1);
    peer_send(&p, TCP_RST, 1, 0, NULL, NULL, 0); /* as ever, that is not answered */
    assert_int_equal(p.seen_count, 0);
    peer_wait(&p, 61 * NS_PER_S);
    assert_int_equal(hawser_stack_time_wait(p.stack), 0);
    assert_int_equal(hawser_stack_deadline(p.stack), HAWSER_NEVER);
    peer_send(&p, TCP_ACK, 1, 1, NULL, NULL, 0);
    assert_false(mptcp_has(&peer_last(&p, TCP_RST)->options.mp, MPTCP_FASTCLOSE));
    peer_destroy(&p);
}

/* RFC 8684 3.2: nor is there anything to join. */
static void what_was_aborted_is_not_joined(void **state)
{
    (void)state;
    struct peer p;
    uint64_t idsn;
    peer_init(&p, NULL, NULL);
    abort_mptcp(&p);
    struct tcp_options o = {.mp = {.present = 1u << MPTCP_JOIN, .join = {.shape = MP_JOIN_SYN, .nonce = 5}}};
    mptcp_key_derive(p.stack_key, &o.mp.join.token, &idsn);
    for (unsigned i = 0; i < 2; i++) { /* from the same port, too */
        peer_forget(&p);
        peer_send(&p, TCP_SYN, 0, 0, &o, NULL, 0);
        assert_int_equal(p.seen_count, 1);
        assert_int_equal(p.seen[0].flags, TCP_RST | TCP_ACK);
        assert_true(mptcp_has(&p.seen[0].options.mp, MPTCP_TCPRST));
        p.addr.port++;
    }
    peer_destroy(&p);
}

static void a_plain_one_leaves_nothing(void **state)
{
    (void)state;
    struct peer p;
    peer_init(&p, NULL, NULL);
    peer_open_plain(&p);
    hawser_abort(p.conn);
    peer_drain(&p);
    assert_int_equal(hawser_stack_time_wait(p.stack), 0);
    peer_destroy(&p);
}

/* Unlike TIME-WAIT it is in nobody's way: neither the peer's, whatever its numbers, nor ours. */
static void what_was_aborted_makes_way(void **state)
{
    (void)state;
    struct peer p;
    peer_init(&p, NULL, NULL);
    abort_mptcp(&p);
    p.iss -= 100000;
    peer_open_mptcp(&p);
    assert_int_equal(hawser_stack_time_wait(p.stack), 0);
    hawser_abort(p.conn);
    peer_drain(&p);
    peer_forget(&p);
    p.own.port++; /* where nobody listens */
    peer_send(&p, TCP_SYN, 0, 0, NULL, NULL, 0);
    assert_int_equal(peer_last(&p, TCP_RST)->options.mp.present, 0);
    peer_destroy(&p);
    for (unsigned i = 0; i < 2; i++) {
        struct hawser_conn_options options = {.size = sizeof options, .local = {.port = 6000}};
        if (i == 0)
            peer_init(&p, NULL, NULL);
        assert_int_equal(hawser_addr_parse(&options.local, "10.0.0.1", 6000), 0);
        p.addr.port = PEER_PORT;
        assert_int_equal(hawser_connect(p.stack, &p.addr, &options, p.now_ns, &p.conn), 0);
        peer_drain(&p);
        p.own = peer_last(&p, TCP_SYN)->local;
        struct tcp_options o = {.mp = {.present = 1u << MPTCP_CAPABLE}};
        o.mp.capable =
            (struct mp_capable){.version = MPTCP_VERSION, .algorithms = 1, .has_sender_key = true, .sender_key = p.key};
        peer_send(&p, TCP_SYN | TCP_ACK, 0, 1, &o, NULL, 0);
        hawser_abort(p.conn);
        peer_drain(&p);
        assert_int_equal(hawser_stack_time_wait(p.stack), 1);
    }
    peer_destroy(&p);
}

/* They share the limit. */
static void the_oldest_abort_is_forgotten_first(void **state)
{
    (void)state;
    struct peer p;
    struct hawser_stack_options options = {.size = sizeof options, .max_time_wait = 1};
    peer_init(&p, &options, NULL);
    abort_mptcp(&p);
    p.addr.port = 4001;
    abort_mptcp(&p);
    assert_int_equal(hawser_stack_time_wait(p.stack), 1);
    assert_int_equal(peer_counter(&p, "limit.time_waits"), 1);
    peer_send(&p, TCP_ACK, 1, 1, NULL, NULL, 0);
    expect_fastclose(&p, 1);
    p.addr.port = 4000;
    peer_send(&p, TCP_ACK, 1, 1, NULL, NULL, 0);
    assert_int_equal(peer_last(&p, TCP_RST)->options.mp.present, 0);
    peer_destroy(&p);
}

/* What is not there cannot be kept: then it answers with a RST like any stranger. */
static void without_memory_nothing_is_kept(void **state)
{
    (void)state;
    struct peer p;
    peer_init(&p, NULL, NULL);
    peer_open_plain(&p);
    hawser_close(p.conn);
    peer_drain(&p);
    p.env.fail_at = 1;
    peer_send(&p, TCP_FIN | TCP_ACK, 1, 2, NULL, NULL, 0);
    assert_int_equal(hawser_stack_time_wait(p.stack), 0);
    assert_int_equal(peer_counter(&p, "limit.time_waits"), 1);
    peer_destroy(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fin_again_is_acknowledged),
        cmocka_unit_test(the_rest_is_rationed),
        cmocka_unit_test(only_the_exact_reset_ends_it),
        cmocka_unit_test(who_may_take_over),
        cmocka_unit_test(a_new_connection_takes_over),
        cmocka_unit_test(nobody_takes_over_without_a_listener),
        cmocka_unit_test(its_port_is_taken),
        cmocka_unit_test(what_mptcp_still_has_to_say),
        cmocka_unit_test(the_oldest_makes_way),
        cmocka_unit_test(a_server_does_not_go_deaf),
        cmocka_unit_test(a_record_is_small),
        cmocka_unit_test(answers_are_bounded),
        cmocka_unit_test(an_abort_is_told_again),
        cmocka_unit_test(what_was_aborted_is_not_joined),
        cmocka_unit_test(a_plain_one_leaves_nothing),
        cmocka_unit_test(what_was_aborted_makes_way),
        cmocka_unit_test(the_oldest_abort_is_forgotten_first),
        cmocka_unit_test(without_memory_nothing_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
