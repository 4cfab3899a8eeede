/* A subflow as its connection sees it, without one: what is outstanding on it, its news, its judgement, and its end. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bundle.h"

#define RTT (40 * NS_PER_MS)

/* ---- what is outstanding ---- */

/* A mapping is delivered as a whole: until then its first byte is outstanding, though its subflow acknowledged it. */
static void a_mapping_is_held_until_all_of_it_arrived(void **state)
{
    (void)state;
    struct bundle b;
    dsn64 from;
    bundle_init(&b);
    struct subflow *s = bundle_open(&b, RTT);
    assert_false(subflow_holds(s, nth_byte(0)));
    bundle_carry(&b, s, 0, 3 * BUNDLE_MSS);
    bundle_carry(&b, s, 3 * BUNDLE_MSS, 500);
    bundle_ack(&b, s, BUNDLE_MSS);
    assert_true(subflow_holds(s, nth_byte(0)));
    assert_true(subflow_holds(s, nth_byte(2999)));
    assert_true(subflow_holds(s, nth_byte(3499)));
    assert_false(subflow_holds(s, nth_byte(3500)));
    assert_int_equal(subflow_record_data(txq_oldest(tcp_txq(&s->tcp)), &from), 2 * BUNDLE_MSS);
    assert_true(dsn_eq(from, nth_byte(BUNDLE_MSS)));
    bundle_ack(&b, s, 3 * BUNDLE_MSS);
    assert_false(subflow_holds(s, nth_byte(0)));
    assert_int_equal(subflow_record_data(txq_oldest(tcp_txq(&s->tcp)), &from), 500);
    assert_true(dsn_eq(from, nth_byte(3 * BUNDLE_MSS)));
    bundle_destroy(&b);
}

static void a_fin_maps_nothing(void **state)
{
    (void)state;
    struct bundle b;
    dsn64 from;
    bundle_init(&b);
    struct subflow *s = bundle_open(&b, RTT);
    tcp_shutdown(&s->tcp, b.now_ns);
    assert_int_equal(bundle_say(&b, s), 1);
    assert_int_equal(tcp_txq(&s->tcp)->count, 1);
    assert_int_equal(subflow_record_data(txq_oldest(tcp_txq(&s->tcp)), &from), 0);
    assert_false(subflow_holds(s, dsn_at(0)));
    assert_int_equal(subflow_lagging_bytes(s, nth_byte(0)), 0);
    bundle_destroy(&b);
}

/* Whole pieces only, and the oldest. */
static void lagging_bytes(void **state)
{
    (void)state;
    struct bundle b;
    bundle_init(&b);
    struct subflow *s = bundle_open(&b, RTT);
    bundle_carry(&b, s, 0, 1000);
    bundle_carry(&b, s, 1000, 2000);
    bundle_carry(&b, s, 3000, 1000);
    assert_int_equal(subflow_lagging_bytes(s, nth_byte(999)), 0);
    assert_int_equal(subflow_lagging_bytes(s, nth_byte(2999)), 1000);
    assert_int_equal(subflow_lagging_bytes(s, nth_byte(3000)), 3000);
    bundle_ack(&b, s, 1000);
    assert_int_equal(subflow_lagging_bytes(s, nth_byte(4000)), 3000);
    bundle_destroy(&b);
}

/* ---- news ---- */

static void what_happens_to_tcp_is_news(void **state)
{
    (void)state;
    struct bundle b;
    bundle_init(&b);
    struct subflow *s = bundle_open(&b, RTT);
    assert_int_equal(subflow_take_news(s), 0);
    subflow_note(s, TCP_EVENT_FIN);
    subflow_note(s, TCP_EVENT_TIME_WAIT);
    assert_int_equal(subflow_take_news(s), SUBFLOW_ENDED | SUBFLOW_PARTED);
    assert_int_equal(subflow_take_news(s), 0);
    tcp_abort(&s->tcp, -ECONNRESET, b.now_ns);
    assert_int_equal(subflow_take_news(s), SUBFLOW_CLOSED);
    bundle_destroy(&b);
}

/* What was true between two looks is none any more. */
static void the_later_of_stale_and_alive_is_news(void **state)
{
    (void)state;
    struct bundle b;
    bundle_init(&b);
    struct subflow *s = bundle_open(&b, RTT);
    subflow_note(s, TCP_EVENT_SILENT);
    assert_true(s->stale);
    subflow_note(s, TCP_EVENT_ALIVE);
    assert_false(s->stale);
    assert_int_equal(subflow_take_news(s), SUBFLOW_CAME_BACK);
    subflow_note(s, TCP_EVENT_ALIVE);
    subflow_note(s, TCP_EVENT_TIMEOUT);
    assert_true(s->stale);
    assert_int_equal(subflow_take_news(s), SUBFLOW_WENT_STALE);
    bundle_destroy(&b);
}

static struct slice part(const struct bundle *b, uint64_t n, uint32_t len)
{
    return (struct slice){NULL, b->bytes + n, len};
}

/* One whose mapping was begun, and that is under suspicion. */
static struct subflow *open_suspect(struct bundle *b)
{
    struct subflow *s = bundle_open(b, RTT);
    const struct mapping map = {.ssn = nth_ssn(0), .dsn = nth_byte(0), .len = 30000, .has_checksum = true};
    enum rx_hold held = rx_mapping_hold_next(&s->rx_mapping, &map, map.ssn, part(b, 0, 10), CLAIM_URGENT, b->now_ns);
    assert_int_equal(held, RX_HELD);
    s->suspect_since_ns = b->now_ns;
    return s;
}

static void what_is_closed_is_not_judged(void **state)
{
    (void)state;
    struct bundle b;
    bundle_init(&b);
    struct subflow *s = open_suspect(&b);
    assert_int_not_equal(subflow_judge_due(s), TIME_NEVER);
    uint64_t held = b.memory.account.held;
    tcp_abort(&s->tcp, -ECONNRESET, b.now_ns);
    assert_int_equal(subflow_judge_due(s), TIME_NEVER);
    assert_int_equal(s->suspect_since_ns, 0);
    rx_mapping_surrender(&s->rx_mapping);
    assert_true(b.memory.account.held < held);
    bundle_destroy(&b);
}

/* ---- judgement ---- */

/* Three timeouts, of which a second at first: RFC 8684 3.7 leaves it to us when options are deemed not to pass. */
static void payload_waits_in_vain_for_its_mapping(void **state)
{
    (void)state;
    struct bundle b;
    uint32_t taken;
    bundle_init(&b);
    struct subflow *s = bundle_open(&b, 0);
    assert_int_equal(rx_mapping_hold_unmapped(&s->rx_mapping, nth_ssn(0), part(&b, 0, 100), &taken), RX_HELD);
    subflow_note_unmapped(s, b.now_ns);
    assert_int_equal(subflow_judge_due(s), TIME_NEVER); /* it is ahead of its subflow */
    s->tcp.rx.next = nth_ssn(100);
    s->fail_stage = FAIL_ASKING; /* nobody maps until that is answered */
    subflow_note_unmapped(s, b.now_ns);
    assert_int_equal(subflow_judge_due(s), TIME_NEVER);
    s->fail_stage = FAIL_NONE;
    subflow_note_unmapped(s, b.now_ns);
    uint64_t due_ns = subflow_judge_due(s);
    assert_int_equal(due_ns, b.now_ns + 3 * RTO_INITIAL_NS);
    assert_int_equal(subflow_judge(s, due_ns - 1), SUBFLOW_FINE);
    assert_int_equal(subflow_judge(s, due_ns), SUBFLOW_UNMAPPED);
    rtt_sample(&s->tcp.rtt, 5 * NS_PER_S, b.now_ns);
    assert_int_equal(subflow_judge_due(s), b.now_ns + 5 * NS_PER_S);
    bundle_destroy(&b);
}

/* Guilty is who acknowledged data without a word of MPTCP. */
static void a_suspicion_ends(void **state)
{
    (void)state;
    struct bundle b;
    bundle_init(&b);
    struct subflow *s = bundle_open(&b, 0);
    assert_int_equal(subflow_judge_due(s), TIME_NEVER);
    s->suspect_since_ns = b.now_ns;
    uint64_t due_ns = subflow_judge_due(s);
    assert_int_equal(due_ns, b.now_ns + 2 * RTO_INITIAL_NS);
    assert_false(subflow_trusted(s));
    assert_int_equal(subflow_judge(s, due_ns - 1), SUBFLOW_FINE);
    assert_false(subflow_trusted(s));
    assert_int_equal(subflow_judge(s, due_ns), SUBFLOW_FINE);
    assert_true(subflow_trusted(s));
    s->suspect_since_ns = b.now_ns;
    s->bare_acks = true;
    assert_int_equal(subflow_judge(s, due_ns), SUBFLOW_CONVICTED);
    assert_true(subflow_trusted(s));
    bundle_destroy(&b);
}

/* So is an address in doubt: each question has a timeout more than the one before. */
static void a_doubt_has_its_time(void **state)
{
    (void)state;
    struct bundle b;
    bundle_init(&b);
    struct subflow *s = bundle_open(&b, RTT);
    s->doubted_ns = b.now_ns;
    s->doubts = 1;
    assert_int_equal(subflow_judge_due(s), b.now_ns + 2 * RTT + 4 * s->tcp.rtt.rttvar_ns);
    assert_int_equal(subflow_doubt_due(s), subflow_judge_due(s));
    s->doubts = 3;
    assert_int_equal(subflow_judge_due(s), b.now_ns + 2 * RTT + 4 * s->tcp.rtt.rttvar_ns + 3 * rtt_rto(&s->tcp.rtt));
    assert_int_equal(subflow_judge(s, TIME_NEVER - 1), SUBFLOW_FINE); /* that is for others to judge */
    struct subflow *near = bundle_open(&b, NS_PER_US * 100), *unknown = bundle_open(&b, 0);
    near->doubted_ns = unknown->doubted_ns = b.now_ns;
    near->doubts = unknown->doubts = 1;
    assert_int_equal(subflow_judge_due(near), b.now_ns + 10 * NS_PER_MS); /* the peer takes its time, too */
    assert_int_equal(subflow_judge_due(unknown), b.now_ns + RTO_INITIAL_NS);
    bundle_destroy(&b);
}

/* A mapping that was begun has its time when memory is scarce and its connection holds more than its share, and else
 * another. */
static void a_mapping_that_was_begun_hoards(void **state)
{
    (void)state;
    struct bundle b;
    bundle_init(&b);
    struct subflow *s = open_suspect(&b);
    s->suspect_since_ns = 0;
    uint64_t due_ns = subflow_judge_due(s);
    assert_int_equal(due_ns, b.now_ns + 10 * NS_PER_S);
    assert_int_equal(subflow_judge(s, due_ns), SUBFLOW_FINE);
    assert_int_equal(subflow_judge_due(s), due_ns + 10 * NS_PER_S);
    bundle_press(&b, BUNDLE_MEMORY / 4);
    assert_int_equal(subflow_judge(s, due_ns), SUBFLOW_FINE);
    assert_int_equal(subflow_judge(s, due_ns + 10 * NS_PER_S), SUBFLOW_FINE);
    struct account *conn = &b.conn;
    account_charge(conn, BUNDLE_MEMORY / 2);
    assert_int_equal(subflow_judge(s, due_ns + 20 * NS_PER_S), SUBFLOW_HOARDING);
    account_release(conn, BUNDLE_MEMORY / 2);
    bundle_destroy(&b);
}

/* ---- bare acknowledgements for the sake of options ---- */

static void two_signals_in_a_row(void **state)
{
    (void)state;
    struct bundle b;
    bundle_init(&b);
    struct subflow *s = bundle_open(&b, RTT);
    for (int i = 0; i < 2; i++) {
        assert_true(subflow_may_signal(s));
        subflow_count_signal(s);
    }
    assert_false(subflow_may_signal(s));
    s->tcp.rx.next++; /* the peer sent something */
    assert_true(subflow_may_signal(s));
    subflow_count_signal(s);
    subflow_count_signal(s);
    assert_false(subflow_may_signal(s));
    bundle_carry(&b, s, 0, 10); /* or we did */
    assert_true(subflow_may_signal(s));
    bundle_destroy(&b);
}

static void a_full_row_ends(void **state)
{
    (void)state;
    struct bundle b;
    bundle_init(&b);
    struct subflow *s = bundle_open(&b, RTT);
    b.now_ns = (UINT64_C(1) << 32) * NS_PER_MS - NS_PER_S; /* the clock in milliseconds is about to wrap */
    subflow_count_signal(s);
    subflow_end_row(s, b.now_ns - SIGNAL_ROW_NS); /* it is not full */
    subflow_count_signal(s);
    subflow_end_row(s, b.now_ns);
    assert_false(subflow_may_signal(s));
    subflow_end_row(s, b.now_ns + SIGNAL_ROW_NS - NS_PER_MS);
    assert_false(subflow_may_signal(s));
    subflow_end_row(s, b.now_ns + SIGNAL_ROW_NS);
    assert_true(subflow_may_signal(s));
    bundle_destroy(&b);
}

/* ---- its end ---- */

/* RFC 8684 3.6: what is for the time being says so. */
static void a_reset_says_why(void **state)
{
    (void)state;
    static const struct {
        uint8_t reason;
        bool transient;
    } reasons[] = {
        {MP_RST_OUTSTANDING, true}, {MP_RST_RESOURCES, true}, {MP_RST_MIDDLEBOX, false}, {MP_RST_MPTCP, false}};
    struct bundle b;
    bundle_init(&b);
    for (unsigned i = 0; i < HW_ARRAY_LEN(reasons); i++) {
        struct mptcp_options mp = {0};
        struct subflow *s = bundle_open(&b, RTT);
        subflow_reset(s, reasons[i].reason, -ENOBUFS, b.now_ns);
        assert_int_equal(s->tcp.state, TCPS_CLOSED);
        assert_int_equal(s->tcp.error, -ENOBUFS);
        subflow_write_reset(s, &mp);
        assert_int_equal(mp.present, 1u << MPTCP_TCPRST);
        assert_int_equal(mp.tcprst.reason, reasons[i].reason);
        assert_int_equal(mp.tcprst.transient, reasons[i].transient);
        assert_int_equal(subflow_is_useless(s), !reasons[i].transient);
        assert_int_equal(bundle_say(&b, s), 1);
    }
    bundle_destroy(&b);
}

static void one_that_a_middlebox_spoils_is_given_up(void **state)
{
    (void)state;
    struct bundle b;
    struct mptcp_options mp = {0};
    bundle_init(&b);
    struct subflow *s = bundle_open(&b, RTT);
    s->fail_stage = FAIL_ON_RESET;
    s->fail_dsn = nth_byte(7);
    subflow_give_up(s, COUNT_DROP_DATA_CHECKSUM, b.now_ns);
    assert_int_equal(bundle_counted(&b, COUNT_DROP_DATA_CHECKSUM), 1);
    assert_int_equal(s->tcp.error, -EPROTO);
    assert_true(subflow_is_useless(s));
    subflow_write_reset(s, &mp);
    assert_int_equal(mp.present, 1u << MPTCP_TCPRST | 1u << MPTCP_FAIL);
    assert_int_equal(mp.tcprst.reason, MP_RST_MIDDLEBOX);
    assert_true(mp.fail.dsn == nth_byte(7).v);
    bundle_destroy(&b);
}

static void an_abort_gives_no_reason(void **state)
{
    (void)state;
    struct bundle b;
    struct mptcp_options mp = {0};
    bundle_init(&b);
    struct subflow *s = bundle_open(&b, RTT);
    tcp_abort(&s->tcp, -ETIMEDOUT, b.now_ns);
    subflow_write_reset(s, &mp);
    assert_int_equal(mp.present, 0);
    assert_false(subflow_is_useless(s));
    bundle_destroy(&b);
}

/* It has two timeouts from the first word on. */
static void good_bye_has_its_time(void **state)
{
    (void)state;
    struct bundle b;
    bundle_init(&b);
    struct subflow *s = bundle_open(&b, 0);
    subflow_say_good_bye(s, b.now_ns);
    assert_int_equal(s->stage, SUBFLOW_LEAVING);
    assert_true(s->tcp.fin_wanted);
    assert_int_equal(s->due_ns, b.now_ns + 2 * RTO_INITIAL_NS);
    subflow_say_good_bye(s, b.now_ns + NS_PER_S);
    assert_int_equal(s->due_ns, b.now_ns + 2 * RTO_INITIAL_NS);
    b.now_ns = s->due_ns;
    subflow_on_timer(s, false, b.now_ns); /* nobody told the peer: it goes on */
    assert_int_equal(s->tcp.state, TCPS_ESTABLISHED);
    assert_int_equal(s->due_ns, b.now_ns + 2 * RTO_INITIAL_NS);
    subflow_on_timer(s, true, b.now_ns);
    assert_int_equal(s->tcp.state, TCPS_CLOSED);
    assert_int_equal(s->tcp.error, -ETIMEDOUT);
    assert_int_equal(s->due_ns, TIME_NEVER);
    bundle_destroy(&b);
}

static void who_has_said_good_bye_is_left_alone(void **state)
{
    (void)state;
    struct bundle b;
    bundle_init(&b);
    struct subflow *closed = bundle_open(&b, RTT), *s = bundle_open(&b, RTT);
    tcp_abort(&closed->tcp, -ECONNRESET, b.now_ns);
    subflow_say_good_bye(closed, b.now_ns);
    assert_int_equal(closed->due_ns, TIME_NEVER);
    subflow_say_good_bye(s, b.now_ns);
    assert_int_equal(bundle_say(&b, s), 1);
    bundle_hear(&b, s, TCP_ACK, NULL);
    bundle_hear(&b, s, TCP_ACK | TCP_FIN, NULL);
    assert_int_equal(s->tcp.state, TCPS_TIME_WAIT);
    subflow_on_timer(s, true, b.now_ns);
    assert_int_equal(s->tcp.state, TCPS_TIME_WAIT);
    assert_int_equal(s->due_ns, TIME_NEVER);
    bundle_destroy(&b);
}

/* ---- its timer, and options ---- */

/* RFC 8684 3.2: a third packet that nobody answers goes out again, further and further apart, and not for ever. */
static void a_join_insists(void **state)
{
    (void)state;
    struct bundle b;
    unsigned tries = 0;
    uint64_t waited_ns = 0;
    bundle_init(&b);
    struct subflow *s = bundle_open(&b, RTT);
    s->stage = SUBFLOW_PROVING;
    join_proof_begin(&s->join_proof, &b.env.env);
    for (;; tries++, b.now_ns = s->due_ns) {
        subflow_on_timer(s, false, b.now_ns);
        if (s->tcp.state == TCPS_CLOSED)
            break;
        assert_int_equal(bundle_say(&b, s), 1);
        assert_true(s->due_ns - b.now_ns > waited_ns);
        waited_ns = s->due_ns - b.now_ns;
    }
    assert_int_equal(tries, 6);
    assert_int_equal(s->tcp.error, -ETIMEDOUT);
    bundle_destroy(&b);
}

static void mp_join_goes_where_it_is_due(void **state)
{
    (void)state;
    static const enum subflow_stage silent[] = {SUBFLOW_OPENING, SUBFLOW_JOINED, SUBFLOW_LEAVING};
    const struct identity id = {.remote_token = 0x12345678, .local_key = 1, .remote_key = 2};
    struct bundle b;
    struct mptcp_options mp = {0};
    bundle_init(&b);
    struct subflow *s = bundle_open(&b, RTT);
    s->local_id = 9;
    s->backup_local = true;
    join_proof_begin(&s->join_proof, &b.env.env);
    subflow_write_join(s, &id, true, &mp);
    assert_int_equal(mp.present, 1u << MPTCP_JOIN);
    assert_int_equal(mp.join.shape, MP_JOIN_SYN);
    assert_int_equal(mp.join.token, 0x12345678);
    assert_int_equal(mp.join.address_id, 9);
    assert_true(mp.join.backup);
    for (unsigned i = 0; i < HW_ARRAY_LEN(silent); i++) {
        mp.present = 0;
        s->stage = (uint8_t)silent[i];
        subflow_write_join(s, &id, false, &mp);
        assert_int_equal(mp.present, 0);
    }
    s->stage = SUBFLOW_PROVING;
    subflow_write_join(s, &id, false, &mp);
    assert_int_equal(mp.present, 1u << MPTCP_JOIN);
    assert_int_equal(mp.join.shape, MP_JOIN_ACK);
    bundle_destroy(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mapping_is_held_until_all_of_it_arrived),
        cmocka_unit_test(a_fin_maps_nothing),
        cmocka_unit_test(lagging_bytes),
        cmocka_unit_test(what_happens_to_tcp_is_news),
        cmocka_unit_test(the_later_of_stale_and_alive_is_news),
        cmocka_unit_test(what_is_closed_is_not_judged),
        cmocka_unit_test(payload_waits_in_vain_for_its_mapping),
        cmocka_unit_test(a_suspicion_ends),
        cmocka_unit_test(a_doubt_has_its_time),
        cmocka_unit_test(a_mapping_that_was_begun_hoards),
        cmocka_unit_test(two_signals_in_a_row),
        cmocka_unit_test(a_full_row_ends),
        cmocka_unit_test(a_reset_says_why),
        cmocka_unit_test(one_that_a_middlebox_spoils_is_given_up),
        cmocka_unit_test(an_abort_gives_no_reason),
        cmocka_unit_test(good_bye_has_its_time),
        cmocka_unit_test(who_has_said_good_bye_is_left_alone),
        cmocka_unit_test(a_join_insists),
        cmocka_unit_test(mp_join_goes_where_it_is_due),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
