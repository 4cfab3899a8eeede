/* What acknowledgements may claim: hostile SACKs and DSACKs, windows that open and shut, segments outside of them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/units.h"
#include "peer.h"
#include "stack/stack.h"

enum { FULL = 1000, SCALE = 7 };
static uint8_t bytes[1000000];

static struct tcp_host *host_of(struct peer *p) { return &p->stack->host.tcp; }

static struct tcp *tcp_of(struct peer *p)
{
    struct conn *conn = LIST_ENTRY(p->stack->host.connections.next, struct conn, link);
    return &subflow_at(conn->subflows.next)->tcp;
}

/* Plain TCP with SACK, window scaling, 20 ms a round trip, and segments of FULL bytes. */
static void open_plain(struct peer *p)
{
    struct tcp_options o = {.present = TCP_OPT_SACK_PERMITTED | TCP_OPT_MSS | TCP_OPT_WSCALE, .wscale = SCALE};
    o.mss = FULL;
    peer_init(p, NULL, NULL);
    peer_send(p, TCP_SYN, 0, 0, &o, NULL, 0);
    peer_wait(p, 20 * NS_PER_MS);
    peer_send(p, TCP_ACK, 1, 1, NULL, NULL, 0);
    assert_int_equal(hawser_accept(p->listener, &p->conn), 0);
    assert_int_equal(tcp_of(p)->segment_bytes, FULL);
}

/* Says with the cumulative number `ack` that it holds the blocks, of `len` bytes each, from `first` on, `step` apart.
 */
static void sack(struct peer *p, uint32_t ack, uint32_t first, uint32_t len, uint32_t step, unsigned count)
{
    struct tcp_options o = {.present = TCP_OPT_SACK, .sack_count = (uint8_t)count};
    for (unsigned i = 0; i < count; i++)
        o.sack[i] = (struct sack_block){seq_at(p->irs + first + i * step), seq_at(p->irs + first + i * step + len)};
    peer_forget(p);
    peer_send(p, TCP_ACK, 1, ack, &o, NULL, 0);
}

/* Opens the congestion window to `want` bytes and leaves that much outstanding, from the byte returned on. */
static uint32_t fill(struct peer *p, uint32_t want)
{
    const struct tcp *tcp = tcp_of(p);
    uint32_t una = 1;
    for (;;) {
        (void)hawser_send(p->conn, bytes, sizeof bytes);
        peer_forget(p);
        peer_drain(p);
        peer_wait(p, 20 * NS_PER_MS);
        if (tcp->snd_nxt - tcp->snd_una >= want)
            break;
        assert_true(tcp->snd_nxt > tcp->snd_una);
        una = (uint32_t)(tcp->snd_nxt - SSN_ORIGIN);
        peer_forget(p);
        peer_send(p, TCP_ACK, 1, una, NULL, NULL, 0);
    }
    return una;
}

/* Every other byte: no record is smaller than a segment, and nothing smaller is sent again. */
static void sacks_of_single_bytes(void **state)
{
    (void)state;
    struct peer p;
    open_plain(&p);
    uint32_t una = fill(&p, 80 * FULL), outstanding = (uint32_t)(tcp_of(&p)->snd_nxt - tcp_of(&p)->snd_una);
    for (uint32_t at = una + 1; at + 8 < una + outstanding; at += 8) {
        sack(&p, una, at, 1, 2, 4);
        for (unsigned i = 0; i < p.seen_count; i++)
            assert_true(p.seen[i].len == 0 || p.seen[i].len >= FULL);
    }
    assert_int_equal(tcp_txq(tcp_of(&p))->sacked_bytes, 0);
    assert_in_range(host_of(&p)->records.in_use, 1, outstanding / FULL + 1);
    peer_destroy(&p);
}

/* An edge inside a segment: the whole ones count, the rest does not. */
static void sacks_count_whole_segments(void **state)
{
    (void)state;
    struct peer p;
    open_plain(&p);
    assert_int_equal(hawser_send(p.conn, bytes, 10 * FULL), 10 * FULL);
    peer_drain(&p);
    sack(&p, 1, 1 + FULL / 2, 5 * FULL, 0, 1); /* half of the first, four whole, half of the sixth */
    assert_int_equal(tcp_txq(tcp_of(&p))->sacked_bytes, 4 * FULL);
    sack(&p, 1, 1 + 5 * FULL + 10, 10, 0, 1); /* inside of one */
    sack(&p, 1, 1 + 6 * FULL - 10, 20, 0, 1); /* of two */
    assert_int_equal(tcp_txq(tcp_of(&p))->sacked_bytes, 4 * FULL);
    sack(&p, 1, 1 + 9 * FULL + 1, FULL - 1, 0, 1); /* the end of the last one */
    assert_int_equal(tcp_txq(tcp_of(&p))->sacked_bytes, 4 * FULL);
    sack(&p, 1, 1 + 9 * FULL, FULL, 0, 1);
    assert_int_equal(tcp_txq(tcp_of(&p))->sacked_bytes, 5 * FULL);
    hawser_shutdown(p.conn);
    peer_drain(&p);
    for (uint32_t cut = 0; cut < 3; cut++) /* around the FIN, which has a number of its own */
        sack(&p, 1, 1 + 10 * FULL - cut, 1 + cut, 0, 1);
    assert_int_equal(tcp_txq(tcp_of(&p))->sacked_bytes, 5 * FULL + 1);
    peer_send(&p, TCP_ACK, 1, 2 + 10 * FULL, NULL, NULL, 0);
    assert_int_equal(tcp_txq(tcp_of(&p))->count, 0);
    peer_destroy(&p);
}

/* The first of five segments is sent again; what DSACK gives the window back? */
static void invented_dsacks(void **state)
{
    (void)state;
    static const struct {
        uint32_t start, end, again;
        bool undone;
    } cases[] = {
        {1, 1 + FULL, 0, true},             /* what was sent again */
        {1 + FULL, 1 + 2 * FULL, 0, false}, /* what was not */
        {1 + FULL, 1 + 5 * FULL, 0, false},
        {1, 1 + 5 * FULL, 0, false}, /* more than that */
        {1, 1 + FULL / 2, 1, false}, /* half of it, twice */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct peer p;
        open_plain(&p);
        assert_int_equal(hawser_send(p.conn, bytes, 5 * FULL), 5 * FULL);
        peer_drain(&p);
        uint32_t window = tcp_of(&p)->cc.cwnd_bytes;
        peer_wait(&p, 20 * NS_PER_MS);
        sack(&p, 1, 1 + FULL, 4 * FULL, 0, 1);
        peer_wait(&p, 5 * NS_PER_MS);
        assert_int_equal(peer_counter(&p, "tcp.retransmits"), 1);
        peer_send(&p, TCP_ACK, 1, 1 + 5 * FULL, NULL, NULL, 0);
        assert_true(tcp_of(&p)->cc.cwnd_bytes < window);
        for (uint32_t k = 0; k <= cases[i].again; k++)
            sack(&p, 1 + 5 * FULL, cases[i].start, cases[i].end - cases[i].start, 0, 1);
        assert_int_equal(peer_counter(&p, "tcp.spurious_recoveries"), cases[i].undone);
        assert_int_equal(tcp_of(&p)->cc.cwnd_bytes >= window, cases[i].undone);
        peer_destroy(&p);
    }
}

/* One-byte segments that belong nowhere are answered, but not each of them. A second later there are answers again. */
static void segments_outside_of_the_window(void **state)
{
    (void)state;
    static const uint32_t where[] = {1, 0x10000000};
    for (int far = 0; far < 2; far++) {
        struct peer p;
        open_plain(&p);
        peer_send(&p, TCP_ACK, 1, 1, NULL, bytes, 100);
        for (unsigned second = 1; second <= 3; second++) {
            unsigned answers = 0;
            for (unsigned i = 0; i < 500; i++) {
                peer_forget(&p);
                peer_send(&p, TCP_ACK, where[far], 1, NULL, bytes, 1);
                assert_true(i > 0 || p.seen_count == 1);
                answers += p.seen_count;
            }
            assert_int_equal(answers, 100);
            assert_int_equal(peer_counter(&p, "limit.answers_to_repeats"), second * 400);
            peer_wait(&p, NS_PER_S);
        }
        peer_destroy(&p);
    }
}

/* Opens its window and shuts it, in turn, and acknowledges nothing: that is no answer. It is given up once the window
 * was open for the time that a silent peer has. */
static void a_window_that_opens_and_shuts(void **state)
{
    (void)state;
    static const uint64_t periods_ns[] = {50 * NS_PER_MS, NS_PER_S, 20 * NS_PER_S};
    for (size_t i = 0; i < 3; i++) {
        struct peer p;
        open_plain(&p);
        assert_int_equal(hawser_send(p.conn, bytes, 5 * FULL), 5 * FULL);
        peer_drain(&p);
        uint64_t begun_ns = p.now_ns;
        while (hawser_conn_error(p.conn) == 0 && p.now_ns - begun_ns < 2000 * NS_PER_S) {
            p.window = p.window ? 0 : 1000;
            peer_forget(&p);
            peer_send(&p, TCP_ACK, 1, 1, NULL, NULL, 0);
            peer_wait(&p, periods_ns[i]);
        }
        assert_int_equal(hawser_conn_error(p.conn), -ETIMEDOUT);
        assert_in_range((p.now_ns - begun_ns) / NS_PER_S, 100, 400);
        peer_destroy(&p);
    }
}

/* But one that says that its window is shut is waited for. */
static void a_window_that_stays_shut(void **state)
{
    (void)state;
    struct peer p;
    open_plain(&p);
    assert_int_equal(hawser_send(p.conn, bytes, 5 * FULL), 5 * FULL);
    peer_drain(&p);
    p.window = 0;
    for (unsigned i = 0; i < 2000; i++) {
        peer_forget(&p);
        peer_send(&p, TCP_ACK, 1, 1, NULL, NULL, 0);
        peer_wait(&p, NS_PER_S);
    }
    assert_int_equal(hawser_conn_error(p.conn), 0);
    p.window = 1000;
    peer_forget(&p);
    peer_send(&p, TCP_ACK, 1, 1, NULL, NULL, 0);
    peer_wait(&p, 2 * NS_PER_S);
    assert_int_equal(p.seen[0].len, FULL);
    peer_destroy(&p);
}

/* RFC 6298 3: three segments, the first of which is lost and comes a timeout later. */
static void what_waited_behind_a_gap_tells_no_round_trip(void **state)
{
    (void)state;
    struct peer p;
    open_plain(&p);
    uint64_t before_ns = tcp_of(&p)->rtt.srtt_ns;
    assert_in_range(before_ns, NS_PER_MS, 50 * NS_PER_MS);
    assert_int_equal(hawser_send(p.conn, bytes, 3 * FULL), 3 * FULL);
    peer_drain(&p);
    while (peer_counter(&p, "tcp.timeouts") == 0)
        peer_wait(&p, NS_PER_MS);
    peer_wait(&p, 10 * NS_PER_MS);
    peer_send(&p, TCP_ACK, 1, 1 + 3 * FULL, NULL, NULL, 0);
    assert_int_equal(tcp_of(&p)->snd_una, tcp_of(&p)->snd_nxt);
    assert_true(tcp_of(&p)->rtt.srtt_ns <= before_ns);
    peer_destroy(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sacks_of_single_bytes),
        cmocka_unit_test(sacks_count_whole_segments),
        cmocka_unit_test(what_waited_behind_a_gap_tells_no_round_trip),
        cmocka_unit_test(invented_dsacks),
        cmocka_unit_test(segments_outside_of_the_window),
        cmocka_unit_test(a_window_that_opens_and_shuts),
        cmocka_unit_test(a_window_that_stays_shut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
