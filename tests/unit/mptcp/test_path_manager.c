/* Pairs of addresses and the subflows between them, without a connection: what is wished, what becomes of it, and
 * whether an address that the peer took back still answers. */
#include <errno.h>

#include "mptcp/pairs.h"
#include "path_bench.h"

/* Two round trips and four deviations: what a keepalive has at first. */
#define ANSWER_NS (4 * RTT)

/* The subflow goes between these. */
static struct subflow *between(struct subflow *s, unsigned n, unsigned m)
{
    s->tcp.config.local = bundle_local(n);
    s->tcp.config.remote = bundle_remote(m);
    return s;
}

static void hear_removed(struct bench *b, uint8_t id)
{
    const struct mp_remove_addr remove = {.count = 2, .ids = {99, id}};
    path_manager_take_remove_addr(&b->pm, &remove, b->bundle.now_ns);
    (void)paths_take_news(&b->paths, b->bundle.now_ns);
}

/* ---- wishes ---- */

static void a_wish_comes_true(void **state)
{
    (void)state;
    struct bench b;
    struct mptcp_options mp = {0};
    set_up(&b, true, 2);
    expect_wish(&b, 2, 1);
    struct subflow *s = between(bundle_join(&b.bundle), 2, 1);
    s->join = false;
    path_manager_opened(&b.pm, &b.wishes.opens[0], s, &b.bundle.env.env);
    assert_true(s->join);
    assert_int_equal(s->local_id, 2);
    assert_int_equal(s->remote_id, 0);
    join_proof_write_syn(&s->join_proof, &b.id, s->local_id, false, &mp);
    assert_int_not_equal(mp.join.nonce, 0);
    assert_int_equal(wish(&b), 0);
    assert_int_equal(due(&b), TIME_NEVER);
    tear_down(&b);
}

static void what_could_not_be_opened_has_to_wait(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b, true, 2);
    expect_wish(&b, 2, 1);
    b.bundle.env.fail_at = 1; /* there is no room to remember that */
    path_manager_unopened(&b.pm, &b.wishes.opens[0], b.bundle.now_ns);
    assert_int_equal(counted(&b, COUNT_LIMIT_PAIRS), 1);
    expect_wish(&b, 2, 1);
    for (unsigned i = 0; i < 5; i++) { /* however often */
        path_manager_unopened(&b.pm, &b.wishes.opens[0], b.bundle.now_ns);
        assert_int_equal(wish(&b), 0);
        assert_int_equal(due(&b), b.bundle.now_ns + PAIR_RETRY_NS);
        b.bundle.now_ns += PAIR_RETRY_NS;
        expect_wish(&b, 2, 1);
    }
    tear_down(&b);
}

enum again { AT_ONCE, LATER, NOT_BY_ITSELF, NEVER };

static const struct {
    bool passive, joined, for_good;
    uint8_t reason; /* of our own reset; 0: it was not */
    int error;
    enum again again;
} ends[] = {
    {.error = -ETIMEDOUT, .again = LATER},
    {.error = -ECONNREFUSED, .again = NOT_BY_ITSELF},
    {.error = -ENETUNREACH, .again = AT_ONCE}, /* the peer took its address back */
    {.joined = true, .error = -EADDRNOTAVAIL, .again = AT_ONCE},
    {.joined = true, .error = -ECONNRESET, .again = LATER},
    {.joined = true, .error = 0, .again = NOT_BY_ITSELF},
    {.joined = true, .error = -ECONNRESET, .for_good = true, .again = NEVER},
    {.joined = true, .error = -EPROTO, .reason = MP_RST_MIDDLEBOX, .again = NEVER},
    {.joined = true, .error = -ENOBUFS, .reason = MP_RST_OUTSTANDING, .again = LATER},
    {.passive = true, .joined = true, .error = -EPROTO, .reason = MP_RST_MIDDLEBOX, .again = AT_ONCE},
};

static void how_it_ended_says_when_it_is_tried_again(void **state)
{
    (void)state;
    for (unsigned i = 0; i < HW_ARRAY_LEN(ends); i++) {
        struct bench b;
        set_up(&b, true, 2);
        struct subflow *s = between(bundle_join(&b.bundle), 2, 1);
        s->passive = ends[i].passive;
        s->stage = ends[i].joined ? SUBFLOW_JOINED : SUBFLOW_PROVING;
        s->closed_for_good = ends[i].for_good;
        if (ends[i].reason)
            subflow_reset(s, ends[i].reason, ends[i].error, b.bundle.now_ns);
        else
            tcp_abort(&s->tcp, ends[i].error, b.bundle.now_ns);
        path_manager_closed(&b.pm, s, b.bundle.now_ns);
        assert_int_equal(wish(&b), ends[i].again == AT_ONCE ? 1 : 0);
        uint64_t due_ns = due(&b);
        assert_int_equal(due_ns, ends[i].again == LATER ? b.bundle.now_ns + PAIR_RETRY_NS : TIME_NEVER);
        paths_begin_rescue(&b.paths, true);
        assert_int_equal(wish(&b), ends[i].again == NEVER ? 0 : 1);
        tear_down(&b);
    }
}

/* How long the end of the stream waits for a join: while it opens, and as long as its first SYN has to be answered. */
static void the_end_has_patience_with_joins(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b, true, 2);
    const uint64_t answer_ns = HW_MAX(3 * RTT, rtt_rto(&b.first->tcp.rtt));
    assert_int_equal(path_manager_patience(&b.pm), answer_ns); /* before the connection is confirmed */
    b.id.stage = IDENTITY_CONFIRMED;
    assert_int_equal(path_manager_patience(&b.pm), 0);
    struct subflow *s = between(bundle_join(&b.bundle), 2, 1);
    assert_int_equal(path_manager_patience(&b.pm), answer_ns);
    b.first->tcp.rtt.srtt_ns = 9 * NS_PER_S;
    assert_int_equal(path_manager_patience(&b.pm), NS_PER_S);
    s->stage = SUBFLOW_PROVING;
    s->tcp.state = TCPS_ESTABLISHED;
    assert_int_equal(path_manager_patience(&b.pm), NS_PER_S);
    s->tcp.liveness.timeouts = 1;
    assert_int_equal(path_manager_patience(&b.pm), 0);
    s->tcp.liveness.timeouts = 0;
    s->stage = SUBFLOW_JOINED;
    assert_int_equal(path_manager_patience(&b.pm), 0);
    b.id.stage = IDENTITY_ESTABLISHED;
    b.pm.locals.count = 1; /* there will be none */
    assert_int_equal(path_manager_patience(&b.pm), 0);
    tear_down(&b);
}

/* Only when nothing is left; before that there is no hurry. */
static void all_refused(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b, true, 1);
    assert_int_equal(wish(&b), 0);
    b.first->closed_for_good = true;
    tcp_abort(&b.first->tcp, -ECONNRESET, b.bundle.now_ns);
    path_manager_closed(&b.pm, b.first, b.bundle.now_ns);
    assert_int_equal(wish(&b), 0);
    assert_true(b.wishes.in_vain);
    b.pm.locals.count = 0; /* an address may come */
    assert_int_equal(wish(&b), 0);
    tear_down(&b);
}

/* Nor is anything left where the peer sends no more, and its stream has not ended. */
static void all_refused_beside_one_half_closed(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b, true, 1);
    b.pm.end_missing = true;
    b.first->tcp.state = TCPS_CLOSE_WAIT;
    expect_wish(&b, 1, 1);
    struct subflow *s = between(bundle_join(&b.bundle), 1, 1);
    s->stage = SUBFLOW_OPENING;
    s->tcp.state = TCPS_SYN_SENT;
    assert_int_equal(wish(&b), 0); /* it may come about */
    tcp_abort(&s->tcp, -ECONNREFUSED, b.bundle.now_ns);
    path_manager_closed(&b.pm, s, b.bundle.now_ns);
    assert_int_equal(wish(&b), 0);
    assert_true(b.wishes.in_vain);
    b.pm.end_missing = false;
    assert_int_equal(wish(&b), 0);
    tear_down(&b);
}

/* More failures are known than a connection remembers. */
static void more_pairs_than_are_remembered(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b, true, 2);
    const struct mp_add_addr adds[] = {announcement(2), announcement(3)};
    hear(&b, &adds[0]);
    hear(&b, &adds[1]);
    for (unsigned n = 0; n < PAIRS_MAX + 1; n++) {
        assert_int_equal(counted(&b, COUNT_LIMIT_PAIRS), 0);
        b.locals[0].id = (uint8_t)(1 + n % 200);
        tcp_abort(&b.first->tcp, -ECONNRESET, b.bundle.now_ns);
        path_manager_closed(&b.pm, between(b.first, 1, 2 + n / 200), b.bundle.now_ns);
    }
    assert_int_equal(counted(&b, COUNT_LIMIT_PAIRS), 1);
    tear_down(&b);
}

/* A join that nobody answers goes as soon as both its ends have something that works. */
static void nobody_needs_it_any_more(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b, true, 2);
    const struct mp_add_addr add = announcement(2);
    hear(&b, &add);
    struct subflow *s = between(bundle_join(&b.bundle), 2, 2);
    between(bundle_open(&b.bundle, RTT), 2, 1);
    struct subflow *fourth = between(bundle_join(&b.bundle), 1, 2);
    s->tcp.liveness.timeouts = 1;
    assert_int_equal(wish(&b), 0);
    assert_int_equal(s->tcp.state, TCPS_SYN_SENT);
    fourth->tcp.state = TCPS_ESTABLISHED;
    fourth->stage = SUBFLOW_JOINED;
    assert_int_equal(wish(&b), 0);
    assert_int_equal(s->tcp.state, TCPS_CLOSED);
    assert_int_equal(s->tcp.error, -ETIMEDOUT);
    assert_int_equal(fourth->tcp.state, TCPS_ESTABLISHED);
    tear_down(&b);
}

/* Our second address is served by a subflow that works, or that is on its way without trouble. */
static void what_serves_an_address(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b, true, 2);
    const struct mp_add_addr add = announcement(2);
    hear(&b, &add);
    struct subflow *s = between(bundle_open(&b.bundle, RTT), 2, 2);
    assert_int_equal(wish(&b), 0);
    s->tcp.liveness.unanswered_since_ns = b.bundle.now_ns; /* it does not answer, for a second */
    b.bundle.now_ns += NS_PER_S - 1;
    assert_int_equal(wish(&b), 0);
    b.bundle.now_ns++;
    assert_int_equal(wish(&b), 1);
    s->tcp.liveness.unanswered_since_ns = 0;
    assert_int_equal(wish(&b), 0);
    s->stage = SUBFLOW_PROVING;
    for (int i = 0; i < 2; i++)
        subflow_insist(s, b.bundle.now_ns);
    assert_int_equal(wish(&b), 0);
    subflow_insist(s, b.bundle.now_ns); /* nobody acknowledges its third packet */
    assert_int_equal(wish(&b), 1);
    s->stage = SUBFLOW_JOINED;
    assert_int_equal(wish(&b), 0);
    tcp_shutdown(&s->tcp, b.bundle.now_ns); /* it is closing, and its pair is free */
    expect_wish(&b, 2, 2);
    tear_down(&b);
}

static void a_join_that_nobody_answers_is_over(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b, true, 2);
    struct subflow *s = bundle_join(&b.bundle);
    s->tcp.handshake_tries = 3;
    assert_true(path_manager_silent(s, b.bundle.now_ns));
    assert_int_equal(s->tcp.state, TCPS_SYN_SENT);
    s->tcp.handshake_tries++;
    s->join = false; /* the first one has longer */
    assert_true(path_manager_silent(s, b.bundle.now_ns));
    assert_int_equal(s->tcp.state, TCPS_SYN_SENT);
    s->join = true;
    assert_true(path_manager_silent(s, b.bundle.now_ns));
    assert_int_equal(s->tcp.error, -ETIMEDOUT);
    assert_false(path_manager_silent(b.first, b.bundle.now_ns));
    b.first->tcp.liveness.unanswered_since_ns = b.bundle.now_ns;
    assert_false(path_manager_silent(b.first, b.bundle.now_ns + NS_PER_S - 1));
    assert_true(path_manager_silent(b.first, b.bundle.now_ns + NS_PER_S));
    tear_down(&b);
}

static void other_pairs(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b, true, 2);
    assert_true(path_manager_has_others(&b.pm, b.first));
    b.pm.locals.count = 1;
    assert_false(path_manager_has_others(&b.pm, b.first));
    const struct mp_add_addr add = announcement(2);
    hear(&b, &add);
    assert_true(path_manager_has_others(&b.pm, b.first));
    tear_down(&b);
}

/* ---- addresses of which the peer says that they are gone ---- */

static void what_is_gone_is_not_wished(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b, true, 1);
    const struct mp_add_addr add = announcement(2);
    hear(&b, &add);
    expect_wish(&b, 1, 2);
    hear_removed(&b, 2);
    assert_int_equal(wish(&b), 0);
    tear_down(&b);
}

static void who_is_opening_goes_at_once(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b, true, 2);
    struct subflow *s = bundle_join(&b.bundle);
    hear_removed(&b, 3);
    assert_int_equal(s->tcp.state, TCPS_SYN_SENT);
    hear_removed(&b, 2);
    assert_int_equal(s->tcp.error, -ENETUNREACH);
    assert_int_equal(say(&b, b.first), 0);
    tear_down(&b);
}

/* RFC 8684 3.4.2: who is established is asked, and goes when no answer comes while another one works. */
static void who_does_not_answer_goes(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b, false, 1);
    struct subflow *s = bundle_open(&b.bundle, RTT);
    hear_removed(&b, 2);
    assert_int_equal(say(&b, s), 2);
    assert_int_equal(subflow_take_news(s), SUBFLOW_WENT_STALE);
    uint64_t due_ns = due(&b);
    assert_int_equal(due_ns, b.bundle.now_ns + ANSWER_NS);
    b.bundle.now_ns += ANSWER_NS / 2;
    hear_removed(&b, 2); /* it is told in three rounds */
    assert_int_equal(say(&b, s), 0);
    assert_int_equal(due(&b), due_ns);
    run(&b, due_ns - 1);
    assert_int_equal(s->tcp.state, TCPS_ESTABLISHED);
    run(&b, due_ns);
    assert_int_equal(s->tcp.error, -ENETUNREACH);
    assert_int_equal(due(&b), TIME_NEVER);
    assert_int_equal(b.first->tcp.state, TCPS_ESTABLISHED);
    tear_down(&b);
}

/* The last one does not go for a keepalive that may have been lost: each waits twice as long. */
static void the_last_one_is_asked_again(void **state)
{
    (void)state;
    struct bench b;
    unsigned asked = 0;
    set_up(&b, false, 1);
    uint64_t begin_ns = b.bundle.now_ns;
    hear_removed(&b, 0);
    for (; b.first->tcp.state == TCPS_ESTABLISHED; run(&b, b.bundle.now_ns)) {
        asked++;
        assert_int_equal(say(&b, b.first), 2);
        b.bundle.now_ns = due(&b);
        uint64_t wait_ns = ANSWER_NS + ((UINT64_C(1) << (asked - 1)) - 1) * rtt_rto(&b.first->tcp.rtt);
        assert_int_equal(b.bundle.now_ns, begin_ns + wait_ns);
    }
    assert_int_equal(asked, 8);
    assert_int_equal(b.first->tcp.error, -ENETUNREACH);
    tear_down(&b);
}

/* A segment came, with that echo of a timestamp if any are used. */
static void answer(struct bench *b, struct subflow *s, uint32_t echo_ms)
{
    struct tcp_options options = {.present = s->tcp.ts.used ? TCP_OPT_TIMESTAMPS : 0, .ts_ecr = echo_ms};
    const struct tcp_segment segment = {.options = &options};
    path_manager_note_answer(s, &segment, b->bundle.now_ns);
}

static void who_answers_stays(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b, false, 1);
    answer(&b, b.first, 0);
    assert_int_equal(subflow_take_news(b.first), 0); /* nobody asked */
    hear_removed(&b, 0);
    b.bundle.now_ns += RTT - 1;
    answer(&b, b.first, 0); /* it was under way before */
    assert_true(b.first->stale);
    b.bundle.now_ns++;
    answer(&b, b.first, 0);
    assert_false(b.first->stale);
    assert_int_equal(subflow_take_news(b.first), SUBFLOW_CAME_BACK);
    assert_int_equal(due(&b), TIME_NEVER);
    run(&b, b.bundle.now_ns + 10 * NS_PER_S);
    assert_int_equal(b.first->tcp.state, TCPS_ESTABLISHED);
    tear_down(&b);
}

/* Or where none is known: the answer takes 5 ms there. */
static void who_is_near_has_time_to_answer(void **state)
{
    (void)state;
    static const uint64_t rtts_ns[] = {0, 100 * NS_PER_US};
    for (size_t i = 0; i < HW_ARRAY_LEN(rtts_ns); i++) {
        struct bench b;
        set_up(&b, false, 1);
        struct subflow *s = bundle_open(&b.bundle, rtts_ns[i]);
        hear_removed(&b, 2);
        assert_int_equal(say(&b, s), 2);
        b.bundle.now_ns += 5 * NS_PER_MS;
        run(&b, b.bundle.now_ns);
        answer(&b, s, 0);
        run(&b, b.bundle.now_ns + 10 * NS_PER_S);
        assert_int_equal(s->tcp.state, TCPS_ESTABLISHED);
        assert_int_equal(due(&b), TIME_NEVER);
        tear_down(&b);
    }
}

static void an_echo_tells_what_is_an_answer(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b, false, 1);
    uint32_t now_ms = (uint32_t)(b.bundle.now_ns / NS_PER_MS);
    b.first->tcp.ts.used = true;
    hear_removed(&b, 0);
    b.bundle.now_ns += RTT;
    answer(&b, b.first, now_ms - 1);
    assert_true(b.first->stale);
    answer(&b, b.first, now_ms);
    assert_false(b.first->stale);
    tear_down(&b);
}

/* Lest each removal that comes on the very subflow it names is an answer, and draws more questions. */
static void who_answered_is_left_alone_for_a_second(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b, false, 1);
    hear_removed(&b, 0);
    assert_int_equal(say(&b, b.first), 2);
    b.bundle.now_ns += RTT;
    answer(&b, b.first, 0);
    assert_false(b.first->stale);
    hear_removed(&b, 0);
    assert_false(b.first->stale);
    assert_int_equal(say(&b, b.first), 0);
    b.bundle.now_ns += NS_PER_S;
    hear_removed(&b, 0);
    assert_int_equal(say(&b, b.first), 2);
    assert_true(b.first->stale);
    tear_down(&b);
}

/* It is there, but what it carries is not acknowledged. */
static void who_answers_may_be_stale_still(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b, false, 1);
    bundle_carry(&b.bundle, b.first, 0, 100);
    b.first->tcp.flight->alive_pending = true;
    hear_removed(&b, 0);
    b.bundle.now_ns += RTT;
    answer(&b, b.first, 0);
    assert_true(b.first->stale);
    assert_int_equal(b.first->doubts, 0);
    tear_down(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wish_comes_true),
        cmocka_unit_test(what_could_not_be_opened_has_to_wait),
        cmocka_unit_test(how_it_ended_says_when_it_is_tried_again),
        cmocka_unit_test(the_end_has_patience_with_joins),
        cmocka_unit_test(all_refused),
        cmocka_unit_test(all_refused_beside_one_half_closed),
        cmocka_unit_test(more_pairs_than_are_remembered),
        cmocka_unit_test(nobody_needs_it_any_more),
        cmocka_unit_test(what_serves_an_address),
        cmocka_unit_test(a_join_that_nobody_answers_is_over),
        cmocka_unit_test(other_pairs),
        cmocka_unit_test(what_is_gone_is_not_wished),
        cmocka_unit_test(who_is_opening_goes_at_once),
        cmocka_unit_test(who_does_not_answer_goes),
        cmocka_unit_test(the_last_one_is_asked_again),
        cmocka_unit_test(who_answers_stays),
        cmocka_unit_test(who_is_near_has_time_to_answer),
        cmocka_unit_test(an_echo_tells_what_is_an_answer),
        cmocka_unit_test(who_answered_is_left_alone_for_a_second),
        cmocka_unit_test(who_answers_may_be_stale_still),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
