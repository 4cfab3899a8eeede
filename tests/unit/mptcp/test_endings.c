/* How a connection ends, as the part decides it from what it is told. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mptcp/endings.h"

#define MINUTE (60 * NS_PER_S)

static void nothing_ends_by_itself(void **state)
{
    (void)state;
    struct endings e;
    const struct ending_facts open = {0};
    endings_init(&e);
    assert_int_equal(endings_begin(&e, &open, 1), 0);
    endings_note(&e, &open, 1);
    assert_int_equal(endings_due(&e, 0), TIME_NEVER);
    assert_false(endings_unattended(&e, true));
}

/* A peer that has everything and does not finish is waited for a minute. */
static void a_minute_after_the_program_let_go(void **state)
{
    (void)state;
    struct endings e;
    const struct ending_facts facts = {0};
    endings_init(&e);
    endings_finish(&e, false);
    endings_detach(&e);
    assert_int_equal(endings_due(&e, 0), TIME_NEVER); /* no time is known yet */
    assert_int_equal(endings_begin(&e, &facts, NS_PER_S), 0);
    assert_int_equal(endings_due(&e, 0), NS_PER_S + MINUTE);
    assert_true(endings_on_timer(&e, &facts, endings_due(&e, 0)));
}

/* As long as something is to be delivered, it is: others know when nobody is there. */
static void delivery_takes_its_time(void **state)
{
    (void)state;
    struct endings e;
    struct ending_facts facts = {.delivering = true};
    endings_init(&e);
    endings_finish(&e, false);
    endings_detach(&e);
    (void)endings_begin(&e, &facts, NS_PER_S);
    assert_true(endings_unattended(&e, facts.delivering));
    for (uint64_t now_ns = NS_PER_S + MINUTE; now_ns < 100 * MINUTE; now_ns += MINUTE) {
        assert_false(endings_on_timer(&e, &facts, now_ns));
        assert_int_equal(endings_due(&e, 0), now_ns + MINUTE);
    }
    facts.delivering = false;
    facts.acked_bytes = 1; /* and its last bytes went just now */
    assert_false(endings_on_timer(&e, &facts, 200 * MINUTE));
    assert_int_equal(endings_due(&e, 0), 201 * MINUTE);
    assert_true(endings_on_timer(&e, &facts, 201 * MINUTE));
    assert_false(endings_unattended(&e, facts.delivering));
}

static void what_was_not_read_is_told_at_once(void **state)
{
    (void)state;
    struct endings e;
    const struct ending_facts facts = {.delivering = true};
    endings_init(&e);
    endings_finish(&e, true);
    endings_detach(&e);
    assert_true(endings_unattended(&e, true)); /* what is lost with it counts as undelivered */
    assert_int_equal(endings_begin(&e, &facts, 1), -ECONNRESET);
    assert_int_equal(endings_begin(&e, &facts, 1), 0);
}

static void an_abort_is_what_was_asked_for(void **state)
{
    (void)state;
    struct endings e;
    const struct ending_facts facts = {.delivering = true};
    endings_init(&e);
    endings_ask_abort(&e);
    endings_finish(&e, true);
    endings_detach(&e);
    assert_int_equal(endings_begin(&e, &facts, 1), -ECONNABORTED);
    assert_false(endings_unattended(&e, true)); /* no loss: it was wanted */
    assert_int_equal(endings_begin(&e, &facts, 1), 0);
}

/* The user timeout, from when the program waits, and anew with each acknowledgement; not once it failed. */
static void patience_of_the_program(void **state)
{
    (void)state;
    struct endings e;
    const uint64_t timeout_ns = 7 * NS_PER_MS;
    const struct ending_facts facts = {.delivering = true, .own_timeout_ns = timeout_ns};
    endings_init(&e);
    endings_watch_delivery(&e, true, NS_PER_S);
    assert_int_equal(endings_due(&e, 0), TIME_NEVER);
    assert_int_equal(endings_due(&e, timeout_ns), NS_PER_S + timeout_ns);
    endings_watch_delivery(&e, true, 2 * NS_PER_S); /* it goes on */
    assert_int_equal(endings_due(&e, timeout_ns), NS_PER_S + timeout_ns);
    assert_false(endings_on_timer(&e, &facts, NS_PER_S + timeout_ns - 1));
    assert_true(endings_on_timer(&e, &facts, NS_PER_S + timeout_ns));
    endings_note_delivery(&e, 3 * NS_PER_S);
    assert_int_equal(endings_due(&e, timeout_ns), 3 * NS_PER_S + timeout_ns);
    endings_watch_delivery(&e, false, 3 * NS_PER_S);
    endings_note_delivery(&e, 3 * NS_PER_S);
    assert_int_equal(endings_due(&e, timeout_ns), TIME_NEVER);
    endings_watch_delivery(&e, true, 4 * NS_PER_S);
    assert_int_equal(endings_due(&e, UINT64_MAX), TIME_NEVER);
    endings_fail(&e, -ECONNRESET);
    assert_int_equal(endings_error(&e), -ECONNRESET);
    endings_watch_delivery(&e, true, 5 * NS_PER_S);
    assert_int_equal(endings_due(&e, timeout_ns), TIME_NEVER);
}

/* One that is adopted makes other times longer, and is none of the stream's: a peer may keep its window shut (RFC 9293
 * 3.8.6.1). */
static void not_of_the_peer(void **state)
{
    (void)state;
    struct endings e;
    const struct ending_facts facts = {.delivering = true, .user_timeout_ns = 100 * NS_PER_S};
    endings_init(&e);
    endings_watch_delivery(&e, true, NS_PER_S);
    assert_int_equal(endings_due(&e, facts.own_timeout_ns), TIME_NEVER);
    assert_false(endings_on_timer(&e, &facts, 1000 * NS_PER_S));
}

/* No subflow can bring the end of the peer's stream: a new one may come, for a time. */
static void a_stranded_connection_is_not_kept_for_ever(void **state)
{
    (void)state;
    struct endings e;
    struct ending_facts facts = {.stranded = true};
    endings_init(&e);
    endings_note(&e, &facts, NS_PER_S);
    assert_int_equal(endings_due(&e, 0), NS_PER_S + MINUTE);
    endings_note(&e, &facts, 2 * NS_PER_S); /* once */
    assert_int_equal(endings_due(&e, 0), NS_PER_S + MINUTE);
    assert_true(endings_on_timer(&e, &facts, endings_due(&e, 0)));
    endings_init(&e);
    endings_note(&e, &facts, NS_PER_S);
    facts.stranded = false; /* one came */
    assert_false(endings_on_timer(&e, &facts, endings_due(&e, 0)));
    assert_int_equal(endings_due(&e, 0), TIME_NEVER);
    facts.stranded = true;
    e.error = -ECONNRESET; /* the program knows that it is over */
    endings_note(&e, &facts, NS_PER_S);
    assert_int_equal(endings_due(&e, 0), TIME_NEVER);
}

/* Who finishes each subflow as it comes is not asked at every pair anew, unless they bring the streams on. */
static void stranded_again_it_is_asked_anew_for_what_moved(void **state)
{
    (void)state;
    struct endings e;
    struct ending_facts facts = {.stranded = true, .moved = 7};
    endings_init(&e);
    assert_true(endings_strand(&e, &facts));
    endings_note(&e, &facts, NS_PER_S);
    assert_false(endings_strand(&e, &facts));
    facts.moved++;
    assert_true(endings_strand(&e, &facts));
    assert_false(endings_strand(&e, &facts));
    facts.stranded = false; /* one came, and lasted */
    assert_false(endings_on_timer(&e, &facts, endings_due(&e, 0)));
    facts.stranded = true;
    assert_true(endings_strand(&e, &facts));
}

/* The last subflow is lost, and another one may come. */
static void another_subflow_has_its_time(void **state)
{
    (void)state;
    struct endings e;
    const struct ending_facts facts = {.stranded = true};
    endings_init(&e);
    assert_true(endings_lose(&e, &facts, -ECONNRESET, NS_PER_S));
    assert_true(endings_awaits_rescue(&e));
    assert_int_equal(e.lost_error, -ECONNRESET);
    uint64_t due_ns = endings_due(&e, 0);
    assert_int_equal(due_ns, NS_PER_S + MINUTE / 2);
    endings_finish(&e, false);
    endings_detach(&e);
    assert_int_equal(endings_begin(&e, &facts, 2 * NS_PER_S), 0); /* which makes it no longer */
    endings_note(&e, &facts, 2 * NS_PER_S);
    assert_int_equal(endings_due(&e, 0), due_ns);
    assert_true(endings_on_timer(&e, &facts, due_ns));
    assert_false(endings_awaits_rescue(&e));
}

/* One that came need not have moved a byte to last: half a minute does. */
static void a_rescue_is_over_when_its_subflow_lasts(void **state)
{
    (void)state;
    struct endings e;
    const struct ending_facts facts = {.moved = 7};
    endings_init(&e);
    assert_true(endings_lose(&e, &facts, -ECONNRESET, NS_PER_S));
    endings_recover(&e);
    assert_false(endings_awaits_rescue(&e));
    uint64_t due_ns = endings_due(&e, 0);
    assert_false(endings_on_timer(&e, &facts, due_ns));
    assert_int_equal(endings_due(&e, 0), TIME_NEVER);
    assert_true(endings_lose(&e, &facts, -ECONNRESET, due_ns + NS_PER_S));
    assert_int_equal(endings_due(&e, 0), due_ns + NS_PER_S + MINUTE / 2);
}

/* An address of ours that went may come back for as long as the user timeout; a peer that refuses has half a minute. */
static void a_rescue_lasts_as_long_as_the_user_timeout(void **state)
{
    (void)state;
    static const struct {
        int error;
        uint64_t user_timeout_ns, until_ns;
    } cases[] = {
        {-EADDRNOTAVAIL, 0, NS_PER_S + MINUTE / 2},          {-EADDRNOTAVAIL, MINUTE / 4, NS_PER_S + MINUTE / 2},
        {-EADDRNOTAVAIL, 9 * MINUTE, NS_PER_S + 9 * MINUTE}, {-EADDRNOTAVAIL, TIME_NEVER, TIME_NEVER},
        {-ECONNRESET, 9 * MINUTE, NS_PER_S + MINUTE / 2},    {-ETIMEDOUT, 9 * MINUTE, NS_PER_S + MINUTE / 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct endings e;
        const struct ending_facts facts = {.user_timeout_ns = cases[i].user_timeout_ns};
        endings_init(&e);
        assert_true(endings_lose(&e, &facts, cases[i].error, NS_PER_S));
        assert_int_equal(endings_lost_error(&e), cases[i].error);
        assert_int_equal(endings_due(&e, cases[i].user_timeout_ns), cases[i].until_ns);
    }
}

/* Nor does it matter meanwhile that nobody brings the peer's end. */
static void a_rescue_outlasts_the_linger(void **state)
{
    (void)state;
    struct endings e;
    const uint64_t timeout_ns = 9 * MINUTE;
    const struct ending_facts facts = {.stranded = true, .user_timeout_ns = timeout_ns};
    endings_init(&e);
    assert_true(endings_lose(&e, &facts, -EADDRNOTAVAIL, NS_PER_S));
    endings_note(&e, &facts, NS_PER_S);
    for (uint64_t due_ns; (due_ns = endings_due(&e, timeout_ns)) < NS_PER_S + timeout_ns;)
        assert_false(endings_on_timer(&e, &facts, due_ns));
    assert_true(endings_on_timer(&e, &facts, NS_PER_S + timeout_ns));
}

/* Who lets each come, and resets it, does not keep the connection for ever. */
static void a_subflow_that_brings_nothing_buys_no_time(void **state)
{
    (void)state;
    struct endings e;
    struct ending_facts facts = {.moved = 7};
    endings_init(&e);
    assert_true(endings_lose(&e, &facts, -ECONNRESET, NS_PER_S));
    uint64_t due_ns = endings_due(&e, 0);
    endings_recover(&e);
    assert_false(endings_lose(&e, &facts, -ENETUNREACH, 20 * NS_PER_S));
    assert_int_equal(endings_due(&e, 0), due_ns);
    endings_recover(&e);
    facts.moved++;
    assert_true(endings_lose(&e, &facts, -ENETUNREACH, 25 * NS_PER_S));
    assert_int_equal(endings_due(&e, 0), 25 * NS_PER_S + MINUTE / 2);
    e.error = -ECONNABORTED; /* it is over */
    assert_false(endings_awaits_rescue(&e));
    assert_false(endings_on_timer(&e, &facts, endings_due(&e, 0)));
}

/* That an address of ours goes is not the peer's doing: it has all the time to come back, whoever stood in before. */
static void an_address_that_goes_has_all_of_its_time(void **state)
{
    (void)state;
    for (int longer = 0; longer < 2; longer++) {
        struct endings e;
        const struct ending_facts facts = {.moved = 7, .user_timeout_ns = longer ? 60 * MINUTE : 0};
        endings_init(&e);
        assert_true(endings_lose(&e, &facts, -ECONNRESET, NS_PER_S));
        endings_recover(&e);
        assert_true(endings_lose(&e, &facts, -EADDRNOTAVAIL, 29 * NS_PER_S));
        assert_int_equal(endings_due(&e, 0), 29 * NS_PER_S + (longer ? 60 * MINUTE : MINUTE / 2));
        endings_recover(&e);
        assert_false(endings_lose(&e, &facts, -ECONNRESET, 30 * NS_PER_S));
    }
}

/* Meanwhile the time that a program which let go has given runs on. */
static void a_rescue_does_not_put_off_the_linger(void **state)
{
    (void)state;
    struct endings e;
    const struct ending_facts facts = {0};
    endings_init(&e);
    endings_finish(&e, false);
    endings_detach(&e);
    (void)endings_begin(&e, &facts, NS_PER_S);
    for (uint64_t now_ns = 2 * NS_PER_S; now_ns < MINUTE; now_ns += MINUTE / 2) {
        (void)endings_lose(&e, &facts, -ECONNRESET, now_ns);
        endings_recover(&e);
        if (endings_due(&e, 0) < NS_PER_S + MINUTE)
            assert_false(endings_on_timer(&e, &facts, endings_due(&e, 0)));
    }
    assert_int_equal(endings_due(&e, 0), NS_PER_S + MINUTE);
    assert_true(endings_on_timer(&e, &facts, NS_PER_S + MINUTE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_ends_by_itself),
        cmocka_unit_test(a_minute_after_the_program_let_go),
        cmocka_unit_test(delivery_takes_its_time),
        cmocka_unit_test(what_was_not_read_is_told_at_once),
        cmocka_unit_test(an_abort_is_what_was_asked_for),
        cmocka_unit_test(patience_of_the_program),
        cmocka_unit_test(not_of_the_peer),
        cmocka_unit_test(a_rescue_lasts_as_long_as_the_user_timeout),
        cmocka_unit_test(a_rescue_outlasts_the_linger),
        cmocka_unit_test(a_stranded_connection_is_not_kept_for_ever),
        cmocka_unit_test(stranded_again_it_is_asked_anew_for_what_moved),
        cmocka_unit_test(another_subflow_has_its_time),
        cmocka_unit_test(a_rescue_is_over_when_its_subflow_lasts),
        cmocka_unit_test(a_subflow_that_brings_nothing_buys_no_time),
        cmocka_unit_test(an_address_that_goes_has_all_of_its_time),
        cmocka_unit_test(a_rescue_does_not_put_off_the_linger),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
