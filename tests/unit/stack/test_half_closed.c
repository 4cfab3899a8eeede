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

/* Who finishes each one as it comes, or refuses, is not asked for ever. */
static void one_that_finishes_all_is_given_up(void **state)
{
    (void)state;
    for (int refuses = 0; refuses < 2; refuses++) {
        struct peer p;
        unsigned syns = 0;
        begin(&p);
        uint64_t from_ns = p.now_ns;
        finish(&p);
        while (hawser_conn_error(p.conn) == 0) {
            assert_true(p.now_ns < from_ns + 2 * LINGER);
            if (peer_count_syns(&p)) {
                syns++;
                if (refuses) {
                    peer_refuse_join(&p);
                    peer_forget(&p);
                } else {
                    peer_answer_join(&p);
                    finish(&p);
                }
            }
            peer_wait(&p, NS_PER_S / 10);
        }
        assert_in_range(syns, 1, SUBFLOWS_MAX - 1);
        assert_int_equal(hawser_conn_error(p.conn), -ETIMEDOUT);
        peer_destroy(&p);
    }
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
        cmocka_unit_test(after_the_end_of_the_stream_none_is_missed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
