/* The peer sends no more on the last subflow, and its stream has not ended (RFC 8684 3.3.3): who opens subflows opens
 * another one, which may bring the rest. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/units.h"
#include "mptcp/subflows.h"
#include "peer.h"

#define LINGER (60 * NS_PER_S)

static const uint8_t hello[5] = "hello";

static void begin(struct peer *p)
{
    peer_init(p, NULL, NULL);
    peer_connect_mptcp(p);
}

static void finish(struct peer *p)
{
    const struct tcp_options o = peer_dss(p, 1, 0, 0, 0);
    peer_forget(p);
    peer_send(p, TCP_ACK | TCP_FIN, 1, 1, &o, NULL, 0);
}

/* The same pair is opened again, and until then what there is carries our bytes. */
static void a_finished_one_carries_on_until_another_comes(void **state)
{
    (void)state;
    struct peer p;
    begin(&p);
    uint16_t first = p.own.port;
    uint32_t irs = p.irs;
    finish(&p);
    assert_int_equal(peer_count_syns(&p), 1);
    assert_null(peer_last(&p, TCP_FIN));
    struct peer_segment syn = *peer_last(&p, TCP_SYN);
    assert_int_equal(hawser_send(p.conn, hello, sizeof hello), sizeof hello);
    peer_drain(&p);
    assert_int_equal(peer_last(&p, TCP_PSH)->local.port, first);
    struct tcp_options o = peer_dss(&p, 1 + sizeof hello, 0, 0, 0);
    p.irs = irs;
    peer_send(&p, TCP_ACK, 2, 1 + sizeof hello, &o, NULL, 0);
    p.seen[p.seen_count++] = syn; /* what peer_answer_join() answers */
    p.irs = syn.number;
    peer_answer_join(&p);
    assert_int_equal(peer_last(&p, TCP_FIN)->local.port, first);
    o = peer_dss(&p, 1 + sizeof hello, 1, 1, sizeof hello);
    peer_send(&p, TCP_ACK, 1, 1, &o, hello, sizeof hello);
    uint8_t bytes[sizeof hello];
    assert_int_equal(hawser_recv(p.conn, bytes, sizeof bytes), sizeof bytes);
    peer_wait(&p, 2 * LINGER);
    assert_true(peer_is_open(&p));
    hawser_abort(p.conn);
    peer_drain(&p);
    peer_destroy(&p);
}

/* Who finishes each one as it comes is not asked for ever. */
static void one_that_finishes_all_is_given_up(void **state)
{
    (void)state;
    struct peer p;
    unsigned syns = 0;
    begin(&p);
    uint64_t from_ns = p.now_ns;
    finish(&p);
    while (hawser_conn_error(p.conn) == 0) {
        assert_true(p.now_ns < from_ns + 2 * LINGER);
        if (peer_count_syns(&p)) {
            syns++;
            peer_answer_join(&p);
            finish(&p);
        }
        peer_wait(&p, NS_PER_S / 10);
    }
    assert_in_range(syns, 1, SUBFLOWS_DEFAULT - 1);
    assert_int_equal(hawser_conn_error(p.conn), -ETIMEDOUT);
    peer_destroy(&p);
}

/* Unless each brings the stream on. */
static void one_that_brings_something_is_asked_again(void **state)
{
    (void)state;
    struct peer p;
    uint8_t bytes[sizeof hello];
    begin(&p);
    finish(&p);
    for (uint64_t dsn = 1; dsn < 6 * sizeof hello; dsn += sizeof hello) {
        peer_answer_join(&p);
        struct tcp_options o = peer_dss(&p, 1, dsn, 1, sizeof hello);
        peer_send(&p, TCP_ACK, 1, 1, &o, hello, sizeof hello);
        assert_int_equal(hawser_recv(p.conn, bytes, sizeof bytes), sizeof bytes);
        o = peer_dss(&p, 1, 0, 0, 0);
        peer_forget(&p);
        peer_send(&p, TCP_ACK | TCP_FIN, 1 + sizeof hello, 1, &o, NULL, 0);
        assert_int_equal(peer_count_syns(&p), 1);
        assert_true(peer_is_open(&p));
    }
    hawser_abort(p.conn);
    peer_drain(&p);
    peer_destroy(&p);
}

/* Nobody can bring the rest: both programs learn it. */
static void refused_by_all_it_ends_at_once(void **state)
{
    (void)state;
    for (unsigned addresses = 1; addresses < 3; addresses++) {
        struct peer p;
        struct hawser_addr other;
        begin(&p);
        const struct peer first = p;
        assert_int_equal(hawser_addr_parse(&other, "10.0.0.3", 0), 0);
        if (addresses == 2) { /* refused before, which counts for nothing now */
            assert_int_equal(hawser_stack_add_address(p.stack, 0, &other, 24, p.now_ns), 0);
            peer_drain(&p);
            peer_refuse_join(&p);
            p.own = first.own;
            p.irs = first.irs;
        }
        finish(&p);
        assert_int_equal(peer_count_syns(&p), addresses);
        for (unsigned i = 0, left = p.seen_count; i < left; i++) {
            if (p.seen[i].flags != TCP_SYN)
                continue;
            assert_true(peer_is_open(&p));
            p.own = p.seen[i].local;
            p.irs = p.seen[i].number;
            peer_send(&p, TCP_RST | TCP_ACK, 0, 1, NULL, NULL, 0);
        }
        assert_int_equal(hawser_conn_error(p.conn), -ECONNRESET);
        assert_true(hawser_conn_ready(p.conn) & HAWSER_CLOSED);
        assert_true(mptcp_has(&peer_last(&p, TCP_RST)->options.mp, MPTCP_FASTCLOSE));
        hawser_close(p.conn);
        peer_drain(&p);
        peer_destroy(&p);
    }
}

/* But not before what is under way has got there: that, a half-closed one can carry. */
static void nothing_is_cut_off_that_still_arrives(void **state)
{
    (void)state;
    for (int goes_on = 0; goes_on < 2; goes_on++) {
        struct peer p;
        begin(&p);
        const struct peer first = p;
        assert_int_equal(hawser_send(p.conn, hello, sizeof hello), sizeof hello);
        peer_drain(&p);
        finish(&p);
        peer_refuse_join(&p);
        assert_true(peer_is_open(&p));
        p.own = first.own;
        p.irs = first.irs;
        struct tcp_options o = peer_dss(&p, 1 + sizeof hello, 0, 0, 0);
        if (goes_on)
            peer_send(&p, TCP_ACK, 2, 1 + sizeof hello, &o, NULL, 0);
        else
            peer_wait(&p, 2 * LINGER);
        assert_int_equal(hawser_conn_error(p.conn), goes_on ? -ECONNRESET : -ETIMEDOUT);
        hawser_close(p.conn);
        peer_drain(&p);
        peer_destroy(&p);
    }
}

/* Who does not answer is waited for. */
static void silence_is_a_timeout(void **state)
{
    (void)state;
    struct peer p;
    begin(&p);
    finish(&p);
    peer_wait(&p, LINGER - NS_PER_S);
    assert_true(peer_is_open(&p));
    peer_wait(&p, 2 * NS_PER_S);
    assert_int_equal(hawser_conn_error(p.conn), -ETIMEDOUT);
    hawser_close(p.conn);
    peer_drain(&p);
    peer_destroy(&p);
}

/* What the peer has said to the end needs no other. */
static void after_the_end_of_the_stream_none_is_missed(void **state)
{
    (void)state;
    struct peer p;
    begin(&p);
    struct tcp_options o = peer_dss(&p, 1, 1, 0, 1);
    o.mp.dss.data_fin = true;
    peer_send(&p, TCP_ACK, 1, 1, &o, NULL, 0);
    finish(&p);
    peer_wait(&p, 2 * LINGER);
    assert_int_equal(peer_count_syns(&p), 0);
    assert_true(peer_is_open(&p));
    hawser_abort(p.conn);
    peer_drain(&p);
    peer_destroy(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_finished_one_carries_on_until_another_comes),
        cmocka_unit_test(one_that_finishes_all_is_given_up),
        cmocka_unit_test(one_that_brings_something_is_asked_again),
        cmocka_unit_test(refused_by_all_it_ends_at_once),
        cmocka_unit_test(nothing_is_cut_off_that_still_arrives),
        cmocka_unit_test(silence_is_a_timeout),
        cmocka_unit_test(after_the_end_of_the_stream_none_is_missed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
