#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/units.h"
#include "mptcp/pairs.h"
#include "support.h"

struct bench {
    struct test_env env;
    struct account_root memory;
    struct pairs p;
};

static void begin(struct bench *b)
{
    *b = (struct bench){0};
    test_env_init(&b->env, test_seed());
    account_init(&b->memory, &b->env.env, 1 << 20, 0);
}

static void finish(struct bench *b)
{
    pairs_destroy(&b->p, &b->memory.account);
    account_close(&b->memory.account);
    test_env_check_clean(&b->env);
}

static bool note(struct bench *b, uint8_t local_id, uint8_t remote_id, enum pair_outcome outcome, uint64_t now_ns)
{
    return pairs_note(&b->p, &b->memory.account, local_id, remote_id, outcome, now_ns);
}

static void an_unanswered_pair_waits_longer_each_time(void **state)
{
    (void)state;
    struct bench b;
    begin(&b);
    assert_null(pairs_find(&b.p, 1, 0));
    for (unsigned i = 0; i < 300; i++) {
        assert_true(note(&b, 1, 0, PAIR_UNANSWERED, 7));
        uint64_t doublings = i < PAIR_DOUBLINGS_MAX ? i : PAIR_DOUBLINGS_MAX;
        assert_int_equal(pairs_find(&b.p, 1, 0)->again_ns, 7 + (NS_PER_S << doublings));
    }
    assert_int_equal(b.p.count, 1);
    finish(&b);
}

static void what_worked_for_long_begins_anew(void **state)
{
    (void)state;
    struct bench b;
    uint64_t now_ns = 7;
    begin(&b);
    for (unsigned i = 0; i < 9; i++) { /* each time it works for a little less */
        assert_true(note(&b, 1, 0, PAIR_UNANSWERED, now_ns));
        now_ns = pairs_find(&b.p, 1, 0)->again_ns + PAIR_STEADY_NS - 1;
    }
    assert_int_equal(pairs_find(&b.p, 1, 0)->tries, 9);
    note(&b, 1, 0, PAIR_UNANSWERED, now_ns + 1);
    assert_int_equal(pairs_find(&b.p, 1, 0)->tries, 1);
    assert_int_equal(pairs_find(&b.p, 1, 0)->again_ns, now_ns + 1 + PAIR_RETRY_NS);
    finish(&b);
}

/* What this end is short of says nothing about the pair. */
static void what_could_not_be_opened_is_no_failure(void **state)
{
    (void)state;
    struct bench b;
    begin(&b);
    for (unsigned i = 0; i < 10; i++) {
        unsigned failures = i / 5;
        assert_true(note(&b, 1, 0, PAIR_UNOPENED, 7 * i));
        assert_int_equal(pairs_find(&b.p, 1, 0)->again_ns, 7 * i + PAIR_RETRY_NS);
        assert_int_equal(pairs_find(&b.p, 1, 0)->tries, failures);
        if (i == 4)
            note(&b, 1, 0, PAIR_UNANSWERED, 0);
    }
    finish(&b);
}

/* RFC 8684 3.9.3: to that address not again, wherever from, be it after the address of ours that met it is gone. */
static void a_refusal_speaks_for_the_address(void **state)
{
    (void)state;
    struct bench b;
    begin(&b);
    note(&b, 1, 2, PAIR_REFUSED, 0);
    note(&b, 1, 3, PAIR_USELESS, 0);
    assert_true(pairs_refused(&b.p, 2));
    assert_false(pairs_refused(&b.p, 3));
    assert_int_equal(pairs_find(&b.p, 1, 2)->again_ns, TIME_NEVER);
    assert_int_equal(pairs_find(&b.p, 1, 3)->again_ns, TIME_NEVER);
    pairs_forget_local(&b.p, 1);
    assert_true(pairs_refused(&b.p, 2));
    assert_null(pairs_find(&b.p, 1, 3));
    pairs_forget_remote(&b.p, 2);
    assert_false(pairs_refused(&b.p, 2));
    assert_null(pairs_find(&b.p, 1, 2));
    finish(&b);
}

static void what_is_useless_stays_so_until_its_address_comes_anew(void **state)
{
    (void)state;
    struct bench b;
    begin(&b);
    note(&b, 1, 2, PAIR_REFUSED, 0);
    note(&b, 1, 3, PAIR_USELESS, 0);
    note(&b, 2, 3, PAIR_CLOSED, 0);
    note(&b, 2, 4, PAIR_UNANSWERED, 0);
    pairs_forgive(&b.p);
    assert_int_equal(b.p.count, 1);
    assert_non_null(pairs_find(&b.p, 1, 3));
    pairs_forget_local(&b.p, 1);
    assert_int_equal(b.p.count, 0);
    finish(&b);
}

static void beyond_the_limit_the_next_one_due_makes_way(void **state)
{
    (void)state;
    struct bench b;
    begin(&b);
    for (unsigned i = 0; i < PAIRS_MAX; i++)
        assert_true(note(&b, (uint8_t)i, (uint8_t)(i / 100), i == 5 ? PAIR_UNANSWERED : PAIR_REFUSED, i));
    assert_true(note(&b, 3, 0, PAIR_CLOSED, 0));
    assert_false(note(&b, 100, 7, PAIR_REFUSED, 0));
    assert_null(pairs_find(&b.p, 5, 0));
    assert_non_null(pairs_find(&b.p, 100, 7));
    assert_int_equal(b.p.count, PAIRS_MAX);
    finish(&b);
}

/* In whatever order they came, */
static void each_pair_is_found(void **state)
{
    (void)state;
    struct bench b;
    begin(&b);
    for (unsigned i = 0; i < 100; i++) {
        uint8_t local_id = (uint8_t)(i * 37 % 10), remote_id = (uint8_t)(i * 73 % 100 / 10);
        bool known = pairs_find(&b.p, local_id, remote_id);
        assert_true(note(&b, local_id, remote_id, PAIR_CLOSED, 0));
        assert_int_equal(pairs_find(&b.p, local_id, remote_id)->tries, known ? 2 : 1);
    }
    for (unsigned i = 1; i < b.p.count; i++)
        assert_true(b.p.list[i - 1].local_id * 256 + b.p.list[i - 1].remote_id <
                    b.p.list[i].local_id * 256 + b.p.list[i].remote_id);
    finish(&b);
}

/* and without memory another one makes way, if there is any. */
static void without_memory_another_one_makes_way(void **state)
{
    (void)state;
    struct bench b;
    begin(&b);
    b.env.fail_at = 1;
    assert_false(note(&b, 1, 0, PAIR_REFUSED, 0));
    assert_int_equal(b.p.count, 0);
    for (uint8_t i = 0; i < 4; i++)
        assert_true(note(&b, i, 0, i == 2 ? PAIR_UNANSWERED : PAIR_REFUSED, 0));
    b.env.fail_at = 1;
    assert_false(note(&b, 9, 0, PAIR_REFUSED, 0));
    assert_int_equal(b.p.count, 4);
    assert_null(pairs_find(&b.p, 2, 0));
    finish(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_unanswered_pair_waits_longer_each_time),
        cmocka_unit_test(what_worked_for_long_begins_anew),
        cmocka_unit_test(what_could_not_be_opened_is_no_failure),
        cmocka_unit_test(a_refusal_speaks_for_the_address),
        cmocka_unit_test(what_is_useless_stays_so_until_its_address_comes_anew),
        cmocka_unit_test(beyond_the_limit_the_next_one_due_makes_way),
        cmocka_unit_test(each_pair_is_found),
        cmocka_unit_test(without_memory_another_one_makes_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
