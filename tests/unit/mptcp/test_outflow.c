/* The outgoing stream handed to subflows, without a connection: which bytes leave where, and who must let go of what.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bundle.h"
#include "mptcp/outflow.h"
#include "wire/bytes.h"
#include "wire/checksum.h"

#define FAST (20 * NS_PER_MS)
#define SLOW (80 * NS_PER_MS)

struct bench {
    struct bundle bundle;
    struct outflow out;
    struct subflow *fast, *slow;
    struct tx_batch batch;
};

static void set_up(struct bench *b)
{
    bundle_init(&b->bundle);
    b->fast = bundle_open(&b->bundle, FAST);
    b->slow = bundle_open(&b->bundle, SLOW);
    b->out = bundle_outflow(&b->bundle);
    b->batch = (struct tx_batch){b->bundle.packets, 0, BUNDLE_PACKETS};
}

static void tear_down(struct bench *b) { bundle_destroy(&b->bundle); }

static void queue(struct bench *b, uint32_t len)
{
    assert_int_equal(data_tx_write(&b->bundle.tx, b->bundle.bytes, len), len);
}

static bool send(struct bench *b)
{
    size_t before = b->batch.count;
    subflows_resend(&b->bundle.subflows, &b->batch, b->bundle.now_ns); /* a turn begins */
    (void)outflow_send(&b->out, 1, &b->batch, b->bundle.now_ns);       /* one piece */
    return b->batch.count > before;
}

/* The newest record of a subflow is just these bytes, and its mapping. */
static void expect_carried(const struct subflow *s, uint64_t n, uint32_t len)
{
    dsn64 from;
    const struct txq *q = tcp_txq(&s->tcp);
    assert_true(q->count > 0);
    assert_int_equal(subflow_record_data(txq_newest(q), &from), len);
    assert_true(dsn_eq(from, nth_byte(n)));
    assert_true(txq_newest(q)->note.ssn == txq_newest(q)->ssn);
    assert_int_equal(txq_newest(q)->note.len, len);
}

/* The subflow carries so much that it takes several records. */
static void carry(struct bench *b, struct subflow *s, uint32_t from, uint32_t len)
{
    for (uint32_t at = 0, piece; at < len; at += piece) {
        piece = HW_MIN(len - at, UINT32_C(60000));
        bundle_carry(&b->bundle, s, from + at, piece);
    }
}

/* The peer acknowledges `n` bytes at the data level. */
static void data_ack(struct bench *b, uint64_t n)
{
    const struct tx_news news = data_tx_take_ack(&b->bundle.tx, nth_byte(n), BUNDLE_LIMIT, b->bundle.now_ns);
    assert_int_equal(news.what, TX_ACKED);
}

/* ---- what is new ---- */

static void the_scheduler_says_where(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b);
    assert_false(send(&b));
    queue(&b, 300);
    assert_true(send(&b));
    expect_carried(b.fast, 0, 300);
    assert_true(dsn_eq(data_tx_next(&b.bundle.tx), nth_byte(300)));
    assert_int_equal(data_tx_oldest_carrier(&b.bundle.tx), b.fast->slot);
    assert_false(send(&b));
    b.fast->backup_remote = true;
    queue(&b, 200);
    assert_true(send(&b));
    expect_carried(b.slow, 300, 200);
    b.fast->stale = b.slow->stale = true;
    b.fast->stage = b.slow->stage = SUBFLOW_PROVING;
    b.fast->join = true;
    queue(&b, 1);
    assert_false(send(&b));
    tear_down(&b);
}

/* As much as the congestion window has room for, in whole segments but for the last one. */
static void pieces_are_whole_segments(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b);
    uint32_t room = tcp_send_room(&b.fast->tcp);
    b.fast->tcp.snd_wnd = 3 * BUNDLE_MSS + 500;
    assert_true(3 * BUNDLE_MSS + 500 < room);
    queue(&b, 4 * BUNDLE_MSS + 100);
    assert_true(send(&b));
    expect_carried(b.fast, 0, 3 * BUNDLE_MSS);
    assert_true(send(&b)); /* the sliver that is left waits */
    expect_carried(b.slow, 3 * BUNDLE_MSS, BUNDLE_MSS + 100);
    tear_down(&b);
}

/* RFC 8684 3.3.1: the checksum is of the mapping, its header included. */
static void a_mapping_has_its_checksum(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b);
    queue(&b, 2001);
    assert_true(send(&b));
    assert_int_equal(txq_newest(tcp_txq(&b.fast->tcp))->note.checksum, 0);
    b.out.checksums = true;
    assert_int_equal(data_tx_write(&b.bundle.tx, b.bundle.bytes, 1501), 1501);
    assert_true(send(&b));
    const struct tx_note *note = &txq_newest(tcp_txq(&b.fast->tcp))->note;
    struct csum sum = {0, false};
    csum_add(&sum, b.bundle.bytes, 1501);
    assert_int_equal(note->len, 1501);
    assert_int_equal(note->checksum, csum_dss(nth_byte(2001).v, (uint32_t)nth_ssn(2001), 1501, &sum));
    tear_down(&b);
}

/* PSH goes with the last byte there is (RFC 9293 3.9.1.2). */
static void the_last_byte_is_pushed(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b);
    b.fast->tcp.config.gso_bytes = 0;
    queue(&b, BUNDLE_MSS + 1);
    assert_true(send(&b) && send(&b));
    for (unsigned i = 0; i < 2; i++) {
        const struct hawser_tx *packet = &b.bundle.packets[i];
        assert_int_equal(!!(packet->head[packet->l3_len + 13] & TCP_PSH), i == 1);
    }
    tear_down(&b);
}

static void what_holds_it_back(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b);
    queue(&b, 300);
    b.batch.max = 0;
    assert_false(send(&b));
    b.batch.max = BUNDLE_PACKETS;
    b.bundle.host.records.limit = 0;
    assert_false(send(&b));
    assert_true(dsn_eq(data_tx_next(&b.bundle.tx), nth_byte(0)));
    b.bundle.host.records.limit = UINT32_MAX;
    assert_true(send(&b));
    const uint32_t used = BUNDLE_WINDOW - BUNDLE_WINDOW / 32; /* of two that carry */
    carry(&b, b.slow, 300, used - 400);
    queue(&b, 300);
    assert_true(send(&b)); /* what the peer's window admits */
    expect_carried(b.fast, used - 100, 100);
    assert_false(send(&b));
    data_tx_widen(&b.bundle.tx, nth_byte(BUNDLE_LIMIT));
    assert_true(send(&b));
    expect_carried(b.fast, used, 200);
    tear_down(&b);
}

/* ---- what is to go again elsewhere ---- */

/* Is the timer of the stream to be armed anew? Then it is. */
static bool watch(struct bench *b)
{
    const struct tx_paths paths = subflows_tx_paths(&b->bundle.subflows, true);
    if (!data_tx_watch(&b->bundle.tx, true, b->bundle.now_ns))
        return false;
    data_tx_arm(&b->bundle.tx, &paths, b->bundle.now_ns);
    return true;
}

/* What is outstanding on one goes to others before anything new, and counts as theirs. */
static void what_one_holds_goes_to_others(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b);
    queue(&b, 3000);
    assert_true(send(&b));
    assert_true(watch(&b));
    b.fast->stale = true;
    bundle_ack(&b.bundle, b.fast, 1000);
    assert_false(watch(&b));
    outflow_reinject(&b.bundle.tx, b.fast);
    assert_true(watch(&b));  /* the timer may have to go off earlier */
    b.out.committed = false; /* it would take them for new ones */
    assert_false(send(&b));
    b.out.committed = true;
    queue(&b, 100);
    assert_true(send(&b));
    expect_carried(b.slow, 1000, 2000);
    assert_int_equal(data_tx_reinjected_bytes(&b.bundle.tx), 2000);
    assert_int_equal(bundle_counted(&b.bundle, COUNT_MPTCP_REINJECTIONS), 1);
    assert_false(b.slow->carried_again); /* the oldest missing byte is on the first one still */
    assert_true(send(&b));
    expect_carried(b.slow, 3000, 100);
    assert_false(send(&b));
    tear_down(&b);
}

static void who_is_given_the_oldest_byte(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b);
    queue(&b, 1000);
    assert_true(send(&b));
    outflow_reinject(&b.bundle.tx, b.fast);
    b.fast->stale = true;
    assert_true(send(&b));
    assert_true(b.slow->carried_again);
    assert_false(b.fast->carried_again);
    tear_down(&b);
}

/* Not back to where they got stuck or lost; what is new has to go somewhere. */
static void not_to_who_does_not_answer(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b);
    queue(&b, 1000);
    assert_true(send(&b));
    outflow_reinject(&b.bundle.tx, b.fast);
    b.fast->stale = b.slow->stale = true;
    assert_false(send(&b));
    queue(&b, 10);
    assert_true(send(&b));
    expect_carried(b.fast, 1000, 10);
    tear_down(&b);
}

/* The numbers of the stream begin anew behind byte 5000 (BUNDLE_IDSN): what lies on both sides goes again as well, be
 * there another path or not. */
static void what_is_lost_where_numbers_wrap_goes_again(void **state)
{
    (void)state;
    for (unsigned alone = 0; alone < 2; alone++) {
        struct bench b;
        set_up(&b);
        bundle_carry(&b.bundle, b.slow, 4500, 1000);
        outflow_reinject(&b.bundle.tx, b.slow);
        if (alone)
            tcp_shutdown(&b.slow->tcp, b.bundle.now_ns);
        assert_true(send(&b));
        expect_carried(b.fast, 4500, 1000);
        tear_down(&b);
    }
}

static void only_data_goes_again(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b);
    tcp_shutdown(&b.fast->tcp, b.bundle.now_ns);
    assert_int_equal(bundle_say(&b.bundle, b.fast), 1);
    outflow_reinject(&b.bundle.tx, b.fast);
    struct range lost = data_tx_lost(&b.bundle.tx);
    assert_true(lost.start == lost.end);
    tear_down(&b);
}

/* Who answers again keeps what it has; what another one lost still goes. */
static void what_came_back_is_not_sent_again(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b);
    bundle_carry(&b.bundle, b.fast, 0, 1000);
    bundle_carry(&b.bundle, b.slow, 1000, 1000);
    bundle_carry(&b.bundle, b.fast, 2000, 500);
    outflow_reinject(&b.bundle.tx, b.fast);
    outflow_reinject(&b.bundle.tx, b.slow);
    struct range lost = data_tx_lost(&b.bundle.tx);
    assert_true(lost.start == nth_byte(0).v && lost.end == nth_byte(2500).v);
    outflow_forget_reinjection(&b.bundle.tx, b.fast);
    lost = data_tx_lost(&b.bundle.tx);
    assert_true(lost.start == nth_byte(1000).v && lost.end == nth_byte(2000).v);
    outflow_forget_reinjection(&b.bundle.tx, b.slow);
    lost = data_tx_lost(&b.bundle.tx);
    assert_true(lost.start == lost.end);
    tear_down(&b);
}

/* ---- laggards ---- */

/* The fast one carries what is past half of the limit, by `more` bytes, for longer than three of its timeouts, and
 * another one brought all of it. */
static void lag(struct bench *b, uint32_t more)
{
    enum { HALF = BUNDLE_LIMIT / 2 };
    carry(b, b->fast, 0, HALF + more);
    b->bundle.now_ns += 3 * rtt_rto(&b->fast->tcp.rtt) + 1;
    data_ack(b, HALF + more);
}

static void a_laggard_is_reset(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b);
    lag(&b, 1);
    outflow_reset_laggards(&b.bundle.tx, &b.bundle.subflows, b.bundle.now_ns);
    assert_int_equal(b.fast->tcp.state, TCPS_CLOSED);
    assert_int_equal(b.fast->tcp.error, -ENOBUFS);
    assert_int_equal(b.fast->reset_reason, MP_RST_OUTSTANDING);
    assert_int_equal(bundle_counted(&b.bundle, COUNT_LIMIT_LAGGARD), 1);
    assert_int_equal(b.slow->tcp.state, TCPS_ESTABLISHED);
    tear_down(&b);
}

static void half_of_the_limit_is_no_lag(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b);
    lag(&b, 0);
    outflow_reset_laggards(&b.bundle.tx, &b.bundle.subflows, b.bundle.now_ns);
    assert_int_equal(b.fast->tcp.state, TCPS_ESTABLISHED);
    tear_down(&b);
}

/* Its acknowledgements may be there, and not read yet, or its peer busy. Once they should have come it is looked at
 * again. */
static void who_may_be_answered_by_now_is_no_laggard(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b);
    lag(&b, 1);
    b.bundle.now_ns--;
    outflow_reset_laggards(&b.bundle.tx, &b.bundle.subflows, b.bundle.now_ns);
    assert_int_equal(b.fast->tcp.state, TCPS_ESTABLISHED);
    assert_int_equal(data_tx_due(&b.bundle.tx), b.bundle.now_ns + 1);
    outflow_reset_laggards(&b.bundle.tx, &b.bundle.subflows, b.bundle.now_ns + 1);
    assert_int_equal(b.fast->tcp.state, TCPS_CLOSED);
    tear_down(&b);
}

/* Nobody could carry on: looked at again once an eighth of the limit later. */
static void the_last_laggard_stays(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b);
    b.slow->stale = true;
    lag(&b, 1);
    outflow_reset_laggards(&b.bundle.tx, &b.bundle.subflows, b.bundle.now_ns);
    assert_int_equal(b.fast->tcp.state, TCPS_ESTABLISHED);
    b.slow->stale = false;
    outflow_reset_laggards(&b.bundle.tx, &b.bundle.subflows, b.bundle.now_ns);
    assert_int_equal(b.fast->tcp.state, TCPS_ESTABLISHED);
    uint64_t n = BUNDLE_LIMIT / 2 + 1 + BUNDLE_LIMIT / 8;
    bundle_carry(&b.bundle, b.slow, BUNDLE_LIMIT / 2 + 1, BUNDLE_LIMIT / 8);
    data_ack(&b, n);
    outflow_reset_laggards(&b.bundle.tx, &b.bundle.subflows, b.bundle.now_ns);
    assert_int_equal(b.fast->tcp.state, TCPS_CLOSED);
    tear_down(&b);
}

/* The only one holds what the send buffer does, but for a hundred bytes: these wait for more room, unless they are all.
 */
static void no_sliver_for_a_laggard(void **state)
{
    (void)state;
    static const uint32_t waiting[] = {100, 5000};
    for (unsigned i = 0; i < 2; i++) {
        struct bench b;
        set_up(&b);
        b.slow->stale = true;
        b.slow->tcp.cc.cwnd_bytes = 0;
        b.fast->tcp.cc.pacing_bps = UINT64_MAX;
        carry(&b, b.fast, 0, BUNDLE_LIMIT - 100);
        data_ack(&b, BUNDLE_LIMIT - 100);
        b.fast->tcp.cc.cwnd_bytes = b.fast->tcp.snd_wnd = 4 * BUNDLE_LIMIT;
        queue(&b, waiting[i]);
        assert_int_equal(send(&b), waiting[i] == 100);
        bundle_ack(&b.bundle, b.fast, BUNDLE_LIMIT / 2);
        b.fast->tcp.cc.cwnd_bytes = b.fast->tcp.snd_wnd = 4 * BUNDLE_LIMIT;
        assert_int_equal(send(&b), waiting[i] > 100);
        tear_down(&b);
    }
}

/* ---- the way back to plain TCP ---- */

static struct subflow *only_carrier(struct bench *b)
{
    return outflow_only_carrier(&b->bundle.tx, &b->bundle.subflows);
}

static void the_first_has_carried_all(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b);
    assert_ptr_equal(only_carrier(&b), b.fast);
    bundle_carry(&b.bundle, b.fast, 0, 1000);
    assert_ptr_equal(only_carrier(&b), b.fast);
    b.slow->tcp.recv_bytes = 1;
    assert_null(only_carrier(&b));
    b.slow->tcp.recv_bytes = 0;
    assert_ptr_equal(only_carrier(&b), b.fast);
    data_tx_reinject(&b.bundle.tx, nth_byte(0), 10);
    assert_true(data_tx_resent(&b.bundle.tx, nth_byte(0), 10));
    assert_null(only_carrier(&b));
    tear_down(&b);
}

/* What it carried twice it did not carry in order. */
static void in_order_and_once(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b);
    bundle_carry(&b.bundle, b.fast, 0, 1000);
    bundle_carry(&b.bundle, b.fast, 0, 10);
    assert_null(only_carrier(&b));
    tear_down(&b);
    for (unsigned from = 0; from <= 1000; from += 1000) { /* nor what another one carried, too, or alone */
        set_up(&b);
        bundle_carry(&b.bundle, b.fast, 0, 1000);
        bundle_carry(&b.bundle, b.slow, from, 10);
        assert_null(only_carrier(&b));
        tear_down(&b);
    }
}

/* The FIN of the subflow would end a stream that has not ended. */
static void nor_is_there_a_way_behind_its_fin(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b);
    tcp_shutdown(&b.fast->tcp, b.bundle.now_ns);
    assert_null(only_carrier(&b));
    data_tx_end(&b.bundle.tx);
    data_tx_end_leaves(&b.bundle.tx);
    assert_ptr_equal(only_carrier(&b), b.fast);
    list_remove(&b.fast->link);
    assert_null(only_carrier(&b));
    tear_down(&b);
}

/* What the stream's timers say is done to the subflows; and when nobody is there, that is told. */
static void timers(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b);
    uint64_t *now_ns = &b.bundle.now_ns;
    assert_true(outflow_on_timer(&b.out, true, *now_ns)); /* nothing is due */
    assert_int_equal(bundle_say(&b.bundle, b.fast), 0);
    data_tx_end(&b.bundle.tx);
    data_tx_end_leaves(&b.bundle.tx);
    data_tx_arm_fin(&b.bundle.tx, *now_ns);
    *now_ns = data_tx_fin_due(&b.bundle.tx);
    assert_true(outflow_on_timer(&b.out, false, *now_ns));
    assert_true(data_tx_fin_due(&b.bundle.tx) > *now_ns);
    assert_true(bundle_say(&b.bundle, b.fast) > 0); /* it is said again, everywhere */
    assert_true(bundle_say(&b.bundle, b.slow) > 0);
    bool alive = true;
    for (unsigned i = 0; i < 100 && alive; i++) {
        *now_ns = data_tx_fin_due(&b.bundle.tx);
        alive = outflow_on_timer(&b.out, true, *now_ns);
    }
    assert_false(alive);
    tear_down(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timers),
        cmocka_unit_test(the_scheduler_says_where),
        cmocka_unit_test(pieces_are_whole_segments),
        cmocka_unit_test(a_mapping_has_its_checksum),
        cmocka_unit_test(the_last_byte_is_pushed),
        cmocka_unit_test(what_holds_it_back),
        cmocka_unit_test(what_one_holds_goes_to_others),
        cmocka_unit_test(who_is_given_the_oldest_byte),
        cmocka_unit_test(not_to_who_does_not_answer),
        cmocka_unit_test(what_is_lost_where_numbers_wrap_goes_again),
        cmocka_unit_test(only_data_goes_again),
        cmocka_unit_test(what_came_back_is_not_sent_again),
        cmocka_unit_test(a_laggard_is_reset),
        cmocka_unit_test(half_of_the_limit_is_no_lag),
        cmocka_unit_test(no_sliver_for_a_laggard),
        cmocka_unit_test(who_may_be_answered_by_now_is_no_laggard),
        cmocka_unit_test(the_last_laggard_stays),
        cmocka_unit_test(the_first_has_carried_all),
        cmocka_unit_test(in_order_and_once),
        cmocka_unit_test(nor_is_there_a_way_behind_its_fin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
