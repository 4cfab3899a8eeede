/* Subflows that went silent while others go on, without a connection: when they are asked, and what an answer means. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "bundle.h"
#include "mptcp/silence.h"

#define RTT (40 * NS_PER_MS)
#define TIMEOUT (240 * NS_PER_MS) /* of such a path, when nothing else is known of it */
#define HALF (500 * NS_PER_MS)

enum { CONNECTIONS = 1000 };

struct two {
    struct bundle b;
    struct silence_budget budget;
    struct subflow *silent, *other;
    uint64_t began_ns; /* the silence */
};

/* One of the two brought payload, and is silent for so long. */
static void begin(struct two *t, uint64_t silent_ns)
{
    silence_budget_init(&t->budget, CONNECTIONS);
    bundle_init(&t->b);
    t->silent = bundle_open(&t->b, RTT);
    t->other = bundle_open(&t->b, RTT);
    t->silent->tcp.ts.used = t->other->tcp.ts.used = true;
    silence_end(t->silent, true);
    t->began_ns = t->b.now_ns;
    t->b.now_ns += silent_ns;
    silence_look(&t->b.subflows, t->b.now_ns);
}

/* How many packets are said of it all at `at_ns`. */
static unsigned ask(struct two *t, uint64_t at_ns)
{
    t->b.now_ns = at_ns;
    silence_ask(&t->b.subflows, &t->budget, &t->b.host.counters, at_ns);
    return bundle_say(&t->b, t->silent) + bundle_say(&t->b, t->other);
}

/* When the first question is due. */
static uint64_t first(const struct two *t) { return t->began_ns + 2 * rtt_rto(&t->silent->tcp.rtt); }

/* What it says echoes what it heard at `heard_ns`. */
static void answer(struct two *t, uint64_t heard_ns)
{
    const struct tcp *tcp = &t->silent->tcp;
    struct tcp_options o = {.present = TCP_OPT_TIMESTAMPS, .ts_val = 1, .ts_ecr = (uint32_t)(heard_ns / NS_PER_MS)};
    const struct tcp_segment segment = {
        .header = {.flags = TCP_ACK}, .options = &o, .ssn = tcp->rx.next, .ack = tcp->snd_una, .wire_segments = 1};
    silence_note_answer(&t->b.subflows, t->silent, &segment, t->b.now_ns);
}

static void after_two_timeouts_it_is_asked_twice_a_second(void **state)
{
    (void)state;
    struct two t;
    begin(&t, TIMEOUT);
    assert_int_equal(subflow_judge_due(t.other), TIME_NEVER);
    for (unsigned i = 0; i < 10; i++) {
        uint64_t due_ns = first(&t) + i * HALF;
        assert_int_equal(subflow_judge_due(t.silent), due_ns);
        assert_int_equal(ask(&t, due_ns - 1), 0);
        assert_int_equal(ask(&t, due_ns), 2); /* an acknowledgement with the time, and what must be answered */
    }
    bundle_destroy(&t.b);
}

static void who_brought_nothing_or_was_just_heard_is_not_asked(void **state)
{
    (void)state;
    struct two t;
    begin(&t, NS_PER_S / 10);
    assert_int_equal(subflow_judge_due(t.silent), TIME_NEVER);
    t.b.now_ns += NS_PER_S;
    t.silent->silence.brought = false;
    silence_look(&t.b.subflows, t.b.now_ns);
    assert_int_equal(subflow_judge_due(t.silent), TIME_NEVER);
    bundle_destroy(&t.b);
}

/* One that rested, and goes silent then, is asked no earlier and no faster for that. */
static void rest_is_no_silence(void **state)
{
    (void)state;
    struct two t;
    begin(&t, 100 * NS_PER_S);
    uint64_t timeout_ns = rtt_rto(&t.silent->tcp.rtt), due_ns = subflow_judge_due(t.silent);
    assert_in_range(due_ns, t.b.now_ns + timeout_ns, t.b.now_ns + timeout_ns + NS_PER_MS);
    assert_int_equal(ask(&t, due_ns), 2);
    assert_int_equal(subflow_judge_due(t.silent), due_ns + HALF);
    bundle_destroy(&t.b);
}

/* One question may be lost by accident, or two; but who answers late was never gone. */
static void an_answer_is_news_after_two_in_vain(void **state)
{
    (void)state;
    static const struct {
        unsigned asked, answered; /* so many questions, and the answer is to this one */
        bool replaced;
    } rows[] = {{1, 0, false}, {2, 1, false}, {3, 1, false}, {3, 2, true}, {9, 0, false}, {9, 8, true}};
    for (size_t i = 0; i < HW_ARRAY_LEN(rows); i++) {
        struct two t;
        begin(&t, TIMEOUT);
        for (unsigned n = 0; n < rows[i].asked; n++)
            assert_int_equal(ask(&t, first(&t) + n * HALF), 2);
        t.b.now_ns += RTT;
        answer(&t, t.began_ns + NS_PER_S / 8); /* what was under way before is none */
        assert_int_equal(t.silent->silence.questions, rows[i].asked);
        answer(&t, first(&t) + rows[i].answered * HALF);
        assert_int_equal(t.silent->tcp.state, rows[i].replaced ? TCPS_CLOSED : TCPS_ESTABLISHED);
        assert_int_equal(t.silent->tcp.error, rows[i].replaced ? -ECANCELED : 0);
        assert_false(
            t.silent->silence.brought); /* that it brings nothing any more says nothing, until it brings something */
        assert_int_equal(subflow_judge_due(t.silent), TIME_NEVER);
        bundle_destroy(&t.b);
    }
}

/* The peer's to replace; or the only one; or ours to send again on. */
static void not_every_one_is_replaced(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        struct two t;
        begin(&t, TIMEOUT);
        t.silent->passive = i == 0;
        if (i == 1)
            tcp_abort(&t.other->tcp, -ECANCELED, t.b.now_ns);
        if (i == 2)
            bundle_carry(&t.b, t.silent, 0, 100);
        for (unsigned n = 0; n < 3; n++)
            (void)ask(&t, first(&t) + n * HALF);
        if (i == 2) {
            for (unsigned timeout = 0; timeout < 2; timeout++) {
                t.b.now_ns = t.silent->tcp.due_ns;
                tcp_run_timers(&t.silent->tcp, t.b.now_ns);
                (void)bundle_say(&t.b, t.silent);
            }
            assert_true(t.silent->tcp.due_ns > t.b.now_ns);
        }
        t.b.now_ns = first(&t) + 2 * HALF + RTT;
        answer(&t, first(&t) + 2 * HALF);
        assert_int_equal(t.silent->tcp.state, TCPS_ESTABLISHED);
        if (i == 2)
            assert_int_equal(t.silent->tcp.due_ns, t.b.now_ns); /* it goes again now */
        bundle_destroy(&t.b);
    }
}

/* Its sequence number, from the first byte of the stream on. */
static uint32_t number(const struct two *t, unsigned packet)
{
    struct tcp_header h;
    const struct hawser_tx *tx = &t->b.packets[packet];
    assert_true(tcp_header_parse(tx->head + tx->l3_len, tx->head_len - tx->l3_len, &h));
    return h.seq.v - t->silent->tcp.config.iss - (uint32_t)nth_ssn(0);
}

/* A peer that lacks something takes the time of nothing that comes after it, nor of what is older than what it has: the
 * question has the very number that it waits for, and then one that it must answer. */
static void the_time_of_a_question_counts_where_something_was_lost(void **state)
{
    (void)state;
    struct two t;
    begin(&t, TIMEOUT);
    bundle_carry(&t.b, t.silent, 0, 100);
    bundle_carry(&t.b, t.silent, 100, 100);
    bundle_ack(&t.b, t.silent, 100);
    t.b.now_ns = subflow_judge_due(t.silent);
    silence_ask(&t.b.subflows, &t.budget, &t.b.host.counters, t.b.now_ns);
    assert_int_equal(bundle_say(&t.b, t.silent), 2);
    assert_int_equal(number(&t, 0), 100);
    assert_int_equal(number(&t, 1), 99);
    bundle_destroy(&t.b);
}

static void payload_ends_it(void **state)
{
    (void)state;
    struct two t;
    begin(&t, TIMEOUT);
    assert_int_equal(ask(&t, first(&t)), 2);
    silence_end(t.silent, true);
    assert_int_equal(subflow_judge_due(t.silent), TIME_NEVER);
    answer(&t, first(&t));
    assert_int_equal(t.silent->tcp.state, TCPS_ESTABLISHED);
    bundle_destroy(&t.b);
}

/* However many are silent: a dead line with ten thousand connections is no flood. */
static void a_stack_asks_so_much_in_a_second(void **state)
{
    (void)state;
    struct two t;
    begin(&t, TIMEOUT);
    t.budget.second_ns = first(&t) - 1;
    t.budget.asked = t.budget.most;
    assert_int_equal(ask(&t, first(&t)), 0);
    assert_int_equal(bundle_counted(&t.b, COUNT_LIMIT_QUESTIONS), 1);
    assert_int_equal(ask(&t, first(&t) + HALF), 0);
    assert_int_equal(ask(&t, first(&t) + 2 * HALF), 2);
    /* That is the first one, and it is answered: the others never left. */
    t.b.now_ns += RTT;
    answer(&t, first(&t) + 2 * HALF);
    assert_int_equal(t.silent->tcp.state, TCPS_ESTABLISHED);
    assert_int_equal(subflow_judge_due(t.silent), TIME_NEVER);
    bundle_destroy(&t.b);
}

/* By its size: a question for two connections, and so many however large it is. */
static void a_small_stack_asks_less(void **state)
{
    (void)state;
    static const uint32_t most[][2] = {{1, 8}, {16, 8}, {64, 32}, {200, 100}, {65536, 100}, {UINT32_MAX, 100}};
    for (size_t i = 0; i < HW_ARRAY_LEN(most); i++) {
        struct silence_budget budget;
        silence_budget_init(&budget, most[i][0]);
        assert_int_equal(budget.most, most[i][1]);
        assert_int_equal(budget.asked, 0);
    }
}

/* Between questions that leave some are held back: what counts is how many had no answer. */
static void what_is_held_back_is_not_unanswered(void **state)
{
    (void)state;
    static const struct {
        unsigned turns, sent; /* so many turns, in which these questions leave, a bit each */
        bool replaced;
    } rows[] = {{5, 0x11, false}, {6, 0x31, true}, {4, 0x0b, true}, {4, 0x0a, false}};
    for (size_t i = 0; i < HW_ARRAY_LEN(rows); i++) {
        struct two t;
        begin(&t, TIMEOUT);
        unsigned n = 0, last = 0; /* halves of a second: who is held back waits for two */
        for (unsigned turn = 0; turn < rows[i].turns; turn++) {
            const bool sent = rows[i].sent >> turn & 1;
            t.budget.second_ns = first(&t) + n * HALF;
            t.budget.asked = sent ? 0 : t.budget.most;
            assert_int_equal(ask(&t, first(&t) + n * HALF), sent ? 2 : 0);
            last = n;
            n += sent ? 1 : 2;
        }
        t.b.now_ns += RTT;
        answer(&t, first(&t) + last * HALF);
        assert_int_equal(t.silent->tcp.state, rows[i].replaced ? TCPS_CLOSED : TCPS_ESTABLISHED);
        bundle_destroy(&t.b);
    }
}

/* After two minutes it is left to its timeouts. */
static void questions_end(void **state)
{
    (void)state;
    struct two t;
    begin(&t, TIMEOUT);
    for (unsigned n = 0; n < UINT8_MAX; n++)
        assert_int_equal(ask(&t, first(&t) + n * HALF), 2);
    assert_int_equal(subflow_judge_due(t.silent), TIME_NEVER);
    bundle_destroy(&t.b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(after_two_timeouts_it_is_asked_twice_a_second),
        cmocka_unit_test(who_brought_nothing_or_was_just_heard_is_not_asked),
        cmocka_unit_test(rest_is_no_silence),
        cmocka_unit_test(an_answer_is_news_after_two_in_vain),
        cmocka_unit_test(not_every_one_is_replaced),
        cmocka_unit_test(the_time_of_a_question_counts_where_something_was_lost),
        cmocka_unit_test(payload_ends_it),
        cmocka_unit_test(a_stack_asks_so_much_in_a_second),
        cmocka_unit_test(a_small_stack_asks_less),
        cmocka_unit_test(what_is_held_back_is_not_unanswered),
        cmocka_unit_test(questions_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
