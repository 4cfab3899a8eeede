#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/units.h"
#include "mptcp/pairs.h"

static void an_unanswered_pair_waits_longer_each_time(void **state)
{
    (void)state;
    struct pairs p = {0};
    assert_null(pairs_find(&p, 1, 0));
    for (unsigned i = 0; i < 300; i++) {
        assert_true(pairs_note(&p, 1, 0, PAIR_UNANSWERED, 7));
        uint64_t doublings = i < PAIR_DOUBLINGS_MAX ? i : PAIR_DOUBLINGS_MAX;
        assert_int_equal(pairs_find(&p, 1, 0)->again_ns, 7 + (NS_PER_S << doublings));
    }
    assert_int_equal(p.count, 1);
}

/* RFC 8684 3.9.3: to that address not again, wherever from. */
static void a_refusal_speaks_for_the_address(void **state)
{
    (void)state;
    struct pairs p = {0};
    pairs_note(&p, 1, 2, PAIR_REFUSED, 0);
    pairs_note(&p, 1, 3, PAIR_USELESS, 0);
    assert_true(pairs_refused(&p, 2));
    assert_false(pairs_refused(&p, 3));
    assert_int_equal(pairs_find(&p, 1, 2)->again_ns, TIME_NEVER);
    assert_int_equal(pairs_find(&p, 1, 3)->again_ns, TIME_NEVER);
    pairs_forget_remote(&p, 2);
    assert_false(pairs_refused(&p, 2));
    assert_null(pairs_find(&p, 1, 2));
}

static void what_is_useless_stays_so_until_its_address_comes_anew(void **state)
{
    (void)state;
    struct pairs p = {0};
    pairs_note(&p, 1, 2, PAIR_REFUSED, 0);
    pairs_note(&p, 1, 3, PAIR_USELESS, 0);
    pairs_note(&p, 2, 3, PAIR_CLOSED, 0);
    pairs_note(&p, 2, 4, PAIR_UNANSWERED, 0);
    pairs_forgive(&p);
    assert_int_equal(p.count, 1);
    assert_non_null(pairs_find(&p, 1, 3));
    pairs_forget_local(&p, 1);
    assert_int_equal(p.count, 0);
}

static void beyond_the_limit_the_next_one_due_makes_way(void **state)
{
    (void)state;
    struct pairs p = {0};
    for (uint8_t i = 0; i < PAIRS_MAX; i++)
        assert_true(pairs_note(&p, i, 0, i == 5 ? PAIR_UNANSWERED : PAIR_REFUSED, i));
    assert_true(pairs_note(&p, 3, 0, PAIR_CLOSED, 0));
    assert_false(pairs_note(&p, 100, 0, PAIR_REFUSED, 0));
    assert_null(pairs_find(&p, 5, 0));
    assert_non_null(pairs_find(&p, 100, 0));
    assert_int_equal(p.count, PAIRS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_unanswered_pair_waits_longer_each_time),
        cmocka_unit_test(a_refusal_speaks_for_the_address),
        cmocka_unit_test(what_is_useless_stays_so_until_its_address_comes_anew),
        cmocka_unit_test(beyond_the_limit_the_next_one_due_makes_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
