/* What only all subflows of a connection together can tell, without one. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bundle.h"

#define RTT (40 * NS_PER_MS)

static void slots_come_back(void **state)
{
    (void)state;
    struct bundle b;
    bundle_init(&b);
    assert_int_equal(subflows_free_slot(&b.subflows), 0);
    for (uint8_t i = 0; i < 3; i++)
        assert_int_equal(bundle_add(&b)->slot, i);
    list_remove(&b.all[1].link);
    assert_int_equal(subflows_free_slot(&b.subflows), 1);
    assert_int_equal(bundle_add(&b)->slot, 1);
    assert_int_equal(subflows_free_slot(&b.subflows), 3);
    bundle_destroy(&b);
}

/* Who asks for one more than there may be is refused afterwards. */
static void no_slot_is_left(void **state)
{
    (void)state;
    static struct subflow all[SUBFLOWS_MAX];
    struct list subflows;
    list_init(&subflows);
    for (uint8_t i = 0; i < SUBFLOWS_MAX; i++) {
        assert_int_equal(subflows_free_slot(&subflows), i);
        all[i].slot = i;
        list_push_back(&subflows, &all[i].link);
    }
    assert_int_equal(subflows_free_slot(&subflows), SUBFLOWS_MAX);
}

static void any_has_news(void **state)
{
    (void)state;
    struct bundle b;
    bundle_init(&b);
    assert_false(subflows_have_news(&b.subflows));
    bundle_open(&b, RTT);
    struct subflow *s = bundle_open(&b, RTT);
    assert_false(subflows_have_news(&b.subflows));
    subflow_note(s, TCP_EVENT_FIN);
    assert_true(subflows_have_news(&b.subflows));
    assert_int_equal(subflow_take_news(s), SUBFLOW_ENDED);
    assert_false(subflows_have_news(&b.subflows));
    bundle_destroy(&b);
}

/* ---- is there any left? ---- */

enum { CLOSED = 1, LOST = 2, STRANDED = 4, OVER = 8 };

/* What the others being closed, one in that state means for the whole. */
static const struct standing {
    enum tcp_state state;
    bool join;
    enum subflow_stage stage;
    unsigned is;
} standings[] = {
    {TCPS_CLOSED, false, SUBFLOW_OPENING, CLOSED | LOST | STRANDED | OVER},
    {TCPS_CLOSED, true, SUBFLOW_JOINED, CLOSED | LOST | STRANDED | OVER},
    {TCPS_SYN_SENT, false, SUBFLOW_OPENING, 0},
    {TCPS_SYN_SENT, true, SUBFLOW_OPENING, LOST | STRANDED},
    {TCPS_ESTABLISHED, true, SUBFLOW_PROVING, LOST | STRANDED},
    {TCPS_ESTABLISHED, true, SUBFLOW_JOINED, 0},
    {TCPS_FIN_WAIT_2, true, SUBFLOW_LEAVING, 0},
    {TCPS_CLOSE_WAIT, false, SUBFLOW_OPENING, STRANDED},
    {TCPS_LAST_ACK, true, SUBFLOW_JOINED, STRANDED},
    {TCPS_TIME_WAIT, true, SUBFLOW_JOINED, STRANDED | OVER},
};

static void what_is_left(void **state)
{
    (void)state;
    struct bundle b;
    bundle_init(&b);
    struct subflow *gone = bundle_open(&b, RTT), *s = bundle_open(&b, RTT);
    tcp_abort(&gone->tcp, -ECONNRESET, b.now_ns);
    for (unsigned i = 0; i < HW_ARRAY_LEN(standings); i++) {
        const struct standing *t = &standings[i];
        s->tcp.state = t->state;
        s->join = t->join;
        s->stage = (uint8_t)t->stage;
        unsigned is = subflows_closed(&b.subflows) ? CLOSED : 0;
        is |= subflows_lost(&b.subflows) ? LOST : 0;
        is |= subflows_stranded(&b.subflows) ? STRANDED : 0;
        is |= subflows_over(&b.subflows) ? OVER : 0;
        assert_int_equal(is, t->is);
        assert_int_equal(subflows_alive(&b.subflows), !(is & CLOSED));
    }
    bundle_destroy(&b);
}

/* One that is opening may never come to be, one that is stale carries only where nothing else does, and one under
 * suspicion is no successor. */
static void others_that_can_carry_on(void **state)
{
    (void)state;
    struct bundle b;
    bundle_init(&b);
    struct subflow *s = bundle_open(&b, RTT), *other = bundle_open(&b, RTT);
    assert_true(subflows_have_other(&b.subflows, s));
    assert_true(subflows_have_successor(&b.subflows, s));
    other->suspect_since_ns = b.now_ns;
    assert_true(subflows_have_other(&b.subflows, s));
    assert_false(subflows_have_successor(&b.subflows, s));
    other->suspect_since_ns = 0;
    other->stale = true;
    assert_true(subflows_have_other(&b.subflows, s));
    assert_false(subflows_have_successor(&b.subflows, s));
    other->stale = false;
    other->stage = SUBFLOW_PROVING;
    assert_false(subflows_have_other(&b.subflows, s));
    assert_true(subflows_have_other(&b.subflows, other));
    bundle_destroy(&b);
}

static void the_peer_acknowledged_the_fin(void **state)
{
    (void)state;
    struct bundle b;
    bundle_init(&b);
    assert_false(subflows_fin_acked(&b.subflows));
    struct subflow *s = bundle_open(&b, RTT);
    assert_false(subflows_fin_acked(&b.subflows));
    tcp_shutdown(&s->tcp, b.now_ns);
    assert_int_equal(bundle_say(&b, s), 1);
    assert_false(subflows_fin_acked(&b.subflows));
    bundle_hear(&b, s, TCP_ACK, NULL);
    assert_true(subflows_fin_acked(&b.subflows));
    bundle_destroy(&b);
}

/* ---- when, and as others see them ---- */

static void the_first_of_them_is_due(void **state)
{
    (void)state;
    struct bundle b;
    bundle_init(&b);
    struct subflow *s[3];
    for (int i = 0; i < 3; i++)
        s[i] = bundle_open(&b, 0);
    assert_int_equal(subflows_due(&b.subflows), TIME_NEVER);
    s[0]->suspect_since_ns = b.now_ns;
    assert_int_equal(subflows_due(&b.subflows), subflow_judge_due(s[0]));
    bundle_carry(&b, s[1], 0, 10);
    assert_int_equal(subflows_due(&b.subflows), s[1]->tcp.due_ns);
    s[2]->due_ns = b.now_ns + 1;
    assert_int_equal(subflows_due(&b.subflows), b.now_ns + 1);
    subflow_note(s[1], TCP_EVENT_FIN);
    assert_int_equal(subflows_due(&b.subflows), SUBFLOWS_HAVE_NEWS);
    bundle_destroy(&b);
}

static void the_slowest(void **state)
{
    (void)state;
    struct bundle b;
    bundle_init(&b);
    assert_int_equal(subflows_slowest_ns(&b.subflows), 0);
    bundle_open(&b, RTT);
    bundle_open(&b, 3 * RTT);
    bundle_open(&b, 2 * RTT);
    assert_int_equal(subflows_slowest_ns(&b.subflows), 3 * RTT);
    bundle_destroy(&b);
}

static void as_the_timer_of_the_stream_sees_them(void **state)
{
    (void)state;
    struct bundle b;
    bundle_init(&b);
    struct subflow *fast = bundle_open(&b, RTT), *slow = bundle_open(&b, 4 * RTT);
    struct tx_paths paths = subflows_tx_paths(&b.subflows, true);
    assert_true(paths.committed && !paths.busy && !paths.opening);
    assert_int_equal(paths.user_timeout_ns, 0);
    user_timeout_set(&slow->tcp.config.patience->user_timeout, 7 * NS_PER_S);
    assert_int_equal(subflows_tx_paths(&b.subflows, true).user_timeout_ns, 7 * NS_PER_S);
    assert_int_equal(paths.srtt_ns, 4 * RTT);
    assert_int_equal(paths.rto_ns, rtt_rto(&slow->tcp.rtt));
    slow->stale = true; /* it does not answer */
    rtt_back_off(&fast->tcp.rtt);
    bundle_carry(&b, slow, 0, 10);
    paths = subflows_tx_paths(&b.subflows, false);
    assert_true(!paths.committed && !paths.busy);
    assert_int_equal(paths.srtt_ns, RTT);
    assert_int_equal(paths.rto_ns, rtt_rto(&fast->tcp.rtt));
    assert_int_equal(paths.timeout_ns, rtt_rto(&fast->tcp.rtt)); /* what subflows wait for is their affair */
    bundle_carry(&b, fast, 10, 10);
    assert_true(subflows_tx_paths(&b.subflows, false).busy);
    tcp_shutdown(&fast->tcp, b.now_ns); /* it answers, and carries nothing more */
    paths = subflows_tx_paths(&b.subflows, false);
    assert_false(paths.busy);
    assert_int_equal(paths.timeout_ns, 0);
    assert_int_equal(paths.rto_ns, rtt_rto(&fast->tcp.rtt));
    bundle_join(&b);
    assert_true(subflows_tx_paths(&b.subflows, false).opening);
    bundle_destroy(&b);
}

static void as_a_coupled_controller_sees_them(void **state)
{
    (void)state;
    struct bundle b;
    struct hawser_sibling out[2];
    bundle_init(&b);
    bundle_join(&b);
    struct subflow *s = bundle_open(&b, RTT);
    assert_int_equal(subflows_siblings(&b.subflows, out, 2), 1);
    assert_int_equal(out[0].cwnd_bytes, s->tcp.cc.cwnd_bytes);
    assert_int_equal(out[0].srtt_ns, RTT);
    bundle_open(&b, RTT);
    bundle_open(&b, RTT);
    assert_int_equal(subflows_siblings(&b.subflows, out, 2), 2);
    bundle_destroy(&b);
}

/* ---- whom to trust ---- */

static void who_carries_a_byte(void **state)
{
    (void)state;
    struct bundle b;
    bundle_init(&b);
    bundle_open(&b, RTT);
    struct subflow *s = bundle_open(&b, RTT);
    bundle_carry(&b, s, 0, 100);
    assert_true(subflows_carry(&b.subflows, nth_byte(99)));
    assert_false(subflows_carry(&b.subflows, nth_byte(100)));
    s->suspect_since_ns = b.now_ns;
    assert_false(subflows_carry(&b.subflows, nth_byte(99)));
    s->suspect_since_ns = 0;
    s->stale = true;
    assert_false(subflows_carry(&b.subflows, nth_byte(99)));
    bundle_destroy(&b);
}

static void suspicion_falls_on_who_carried(void **state)
{
    (void)state;
    struct bundle b;
    bundle_init(&b);
    struct subflow *first = bundle_open(&b, RTT), *again = bundle_open(&b, RTT), *third = bundle_open(&b, RTT);
    again->carried_again = true;
    subflows_suspect(&b.subflows, first->slot, b.now_ns);
    assert_int_equal(first->suspect_since_ns, b.now_ns);
    assert_int_equal(again->suspect_since_ns, b.now_ns);
    assert_int_equal(third->suspect_since_ns, 0);
    assert_true(subflows_any_trusted(&b.subflows));
    subflows_suspect(&b.subflows, first->slot, b.now_ns + 5); /* since when, stays */
    assert_int_equal(first->suspect_since_ns, b.now_ns);
    subflows_suspect(&b.subflows, third->slot, b.now_ns + 5); /* it cannot be all of them */
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(b.all[i].suspect_since_ns, 0);
    bundle_destroy(&b);
}

static void merit_clears(void **state)
{
    (void)state;
    struct bundle b;
    bundle_init(&b);
    struct subflow *s[3];
    for (int i = 0; i < 3; i++) {
        s[i] = bundle_open(&b, RTT);
        s[i]->suspect_since_ns = b.now_ns;
        s[i]->bare_acks = s[i]->carried_again = true;
    }
    assert_false(subflows_any_trusted(&b.subflows));
    subflows_clear(&b.subflows, 1u << s[1]->slot);
    for (int i = 0; i < 3; i++) {
        assert_false(s[i]->carried_again);
        assert_int_equal(s[i]->bare_acks, i != 1);
        assert_int_equal(s[i]->suspect_since_ns, i == 1 ? 0 : b.now_ns);
    }
    bundle_destroy(&b);
}

/* ---- what all of them do ---- */

/* Nobody who is the only one to be trusted is convicted. */
static void the_convicted_go_unless_nobody_is_left(void **state)
{
    (void)state;
    struct bundle b;
    bundle_init(&b);
    struct subflow *s = bundle_open(&b, RTT), *other = bundle_open(&b, RTT);
    uint64_t later_ns = b.now_ns + 10 * NS_PER_S;
    s->bare_acks = true;
    s->suspect_since_ns = b.now_ns;
    subflows_judge(&b.subflows, b.now_ns);
    assert_int_equal(s->tcp.state, TCPS_ESTABLISHED);
    subflows_judge(&b.subflows, later_ns);
    assert_int_equal(s->tcp.state, TCPS_CLOSED);
    assert_int_equal(bundle_counted(&b, COUNT_MPTCP_USELESS), 1);
    other->bare_acks = other->stale = true;
    other->suspect_since_ns = b.now_ns;
    subflows_judge(&b.subflows, later_ns);
    assert_int_equal(other->tcp.state, TCPS_ESTABLISHED);
    bundle_destroy(&b);
}

static void payload_without_a_mapping_is_the_end(void **state)
{
    (void)state;
    struct bundle b;
    uint32_t taken;
    bundle_init(&b);
    struct subflow *s = bundle_open(&b, RTT), *other = bundle_open(&b, RTT);
    const struct slice bytes = {NULL, b.bytes, 100};
    assert_int_equal(rx_mapping_hold_unmapped(&s->rx_mapping, nth_ssn(0), bytes, &taken), RX_HELD);
    s->tcp.rx.next = nth_ssn(100);
    subflows_note_unmapped(&b.subflows, b.now_ns);
    subflows_judge(&b.subflows, b.now_ns + 10 * NS_PER_S);
    assert_int_equal(s->tcp.state, TCPS_CLOSED);
    assert_true(subflow_is_useless(s));
    assert_int_equal(bundle_counted(&b, COUNT_DROP_UNMAPPED), 1);
    assert_int_equal(other->tcp.state, TCPS_ESTABLISHED);
    bundle_destroy(&b);
}

/* It may come back. */
static void who_hoards_goes_for_the_time_being(void **state)
{
    (void)state;
    struct bundle b;
    bundle_init(&b);
    struct subflow *s = bundle_open(&b, RTT);
    const struct mapping map = {.ssn = nth_ssn(0), .dsn = nth_byte(0), .len = 30000, .has_checksum = true};
    const struct slice bytes = {NULL, b.bytes, 100};
    (void)rx_mapping_hold_next(&s->rx_mapping, &map, map.ssn, bytes, CLAIM_URGENT, b.now_ns);
    bundle_press(&b, BUNDLE_MEMORY / 4);
    account_charge(&b.conn, BUNDLE_MEMORY / 2); /* more than its share */
    subflows_judge(&b.subflows, b.now_ns + 11 * NS_PER_S);
    account_release(&b.conn, BUNDLE_MEMORY / 2);
    assert_int_equal(s->tcp.state, TCPS_CLOSED);
    assert_int_equal(s->tcp.error, -ENOBUFS);
    assert_int_equal(s->reset_reason, MP_RST_RESOURCES);
    assert_int_equal(bundle_counted(&b, COUNT_LIMIT_ASSEMBLY), 1);
    bundle_destroy(&b);
}

static void those_that_answer_are_given_up(void **state)
{
    (void)state;
    struct bundle b;
    bundle_init(&b);
    struct subflow *s = bundle_open(&b, RTT), *stale = bundle_open(&b, RTT), *opening = bundle_join(&b);
    stale->stale = true;
    subflows_give_up_answering(&b.subflows, b.now_ns);
    assert_int_equal(s->tcp.state, TCPS_CLOSED);
    assert_int_equal(stale->tcp.state, TCPS_ESTABLISHED);
    assert_int_equal(opening->tcp.state, TCPS_SYN_SENT);
    assert_int_equal(bundle_counted(&b, COUNT_MPTCP_USELESS), 1);
    bundle_destroy(&b);
}

/* A question is a probe behind a bare acknowledgement; a signal is that alone. */
static void questions_and_signals(void **state)
{
    (void)state;
    struct bundle b;
    bundle_init(&b);
    struct subflow *s = bundle_open(&b, RTT), *opening = bundle_join(&b), *leaving = bundle_open(&b, RTT);
    tcp_shutdown(&leaving->tcp, b.now_ns);
    assert_int_equal(bundle_say(&b, leaving), 1);
    subflows_signal(&b.subflows, false);
    assert_int_equal(bundle_say(&b, s), 1);
    assert_int_equal(bundle_say(&b, opening), 0);
    assert_int_equal(bundle_say(&b, leaving), 1);
    subflows_signal(&b.subflows, true);
    assert_int_equal(bundle_say(&b, s), 2);
    assert_int_equal(bundle_say(&b, opening), 0);
    subflows_ask(&b.subflows);
    assert_int_equal(bundle_say(&b, s), 2);
    assert_int_equal(bundle_say(&b, opening), 0);
    bundle_destroy(&b);
}

static void good_bye_on_each(void **state)
{
    (void)state;
    struct bundle b;
    bundle_init(&b);
    struct subflow *s = bundle_open(&b, RTT), *other = bundle_open(&b, RTT);
    assert_false(subflows_say_good_bye(&b.subflows, b.now_ns));
    assert_true(s->tcp.fin_wanted && other->tcp.fin_wanted);
    assert_int_equal(bundle_say(&b, s), 1);
    assert_false(subflows_say_good_bye(&b.subflows, b.now_ns));
    bundle_hear(&b, s, TCP_ACK, NULL);
    assert_true(subflows_say_good_bye(&b.subflows, b.now_ns));
    bundle_destroy(&b);
}

static void all_abort_or_those_of_an_address(void **state)
{
    (void)state;
    struct bundle b;
    bundle_init(&b);
    struct subflow *s[3];
    for (int i = 0; i < 3; i++)
        s[i] = bundle_open(&b, RTT);
    const struct hawser_addr gone = {.ip = {[10] = 0xff, [11] = 0xff, 10, 0, 2, 1}};
    subflows_abort_from(&b.subflows, &gone, -EADDRNOTAVAIL, b.now_ns);
    assert_int_equal(s[0]->tcp.state, TCPS_ESTABLISHED);
    assert_int_equal(s[1]->tcp.error, -EADDRNOTAVAIL);
    assert_int_equal(s[2]->tcp.state, TCPS_ESTABLISHED);
    subflows_abort(&b.subflows, -ECONNABORTED, b.now_ns);
    assert_true(subflows_closed(&b.subflows));
    assert_int_equal(s[0]->tcp.error, -ECONNABORTED);
    assert_int_equal(s[1]->tcp.error, -EADDRNOTAVAIL);
    bundle_destroy(&b);
}

/* What one that carries data says of room is not heard on another one, whose window may be shut. */
static void each_is_told_of_a_window_that_opened(void **state)
{
    const struct {
        uint32_t promised, open;
        bool first, second; /* 10,000 were said on the first, 0 on the second */
    } table[] = {
        {20000, 9000, false, false}, {20000, 10000, false, true}, {20000, 19999, false, true},
        {20000, 20000, true, true},  {5000, 15000, true, true},   {0, 9999, false, false},
        {0, 10000, true, true},      {20000, 0, false, false},
    };
    (void)state;
    for (size_t i = 0; i < HW_ARRAY_LEN(table); i++) {
        struct bundle b;
        bundle_init(&b);
        struct subflow *opening = bundle_add(&b), *s[2] = {bundle_open(&b, RTT), bundle_open(&b, RTT)};
        for (unsigned k = 0; k < 2; k++) {
            s[k]->tcp.rcv_edge = s[k]->tcp.rx.next + (k ? 0 : 10000);
            s[k]->tcp.acking.now = false;
        }
        subflows_opened(&b.subflows, table[i].promised, (struct data_rx_opening){table[i].open, 10000});
        assert_int_equal(s[0]->tcp.acking.now, table[i].first);
        assert_int_equal(s[1]->tcp.acking.now, table[i].second);
        assert_false(opening->tcp.acking.now);
        bundle_destroy(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slots_come_back),
        cmocka_unit_test(no_slot_is_left),
        cmocka_unit_test(any_has_news),
        cmocka_unit_test(what_is_left),
        cmocka_unit_test(others_that_can_carry_on),
        cmocka_unit_test(the_peer_acknowledged_the_fin),
        cmocka_unit_test(the_first_of_them_is_due),
        cmocka_unit_test(the_slowest),
        cmocka_unit_test(as_the_timer_of_the_stream_sees_them),
        cmocka_unit_test(as_a_coupled_controller_sees_them),
        cmocka_unit_test(who_carries_a_byte),
        cmocka_unit_test(suspicion_falls_on_who_carried),
        cmocka_unit_test(merit_clears),
        cmocka_unit_test(the_convicted_go_unless_nobody_is_left),
        cmocka_unit_test(payload_without_a_mapping_is_the_end),
        cmocka_unit_test(who_hoards_goes_for_the_time_being),
        cmocka_unit_test(those_that_answer_are_given_up),
        cmocka_unit_test(questions_and_signals),
        cmocka_unit_test(each_is_told_of_a_window_that_opened),
        cmocka_unit_test(good_bye_on_each),
        cmocka_unit_test(all_abort_or_those_of_an_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
