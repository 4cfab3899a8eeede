/* What is left to be tried when the last subflow is lost. */
#include "wish_bench.h"

/* The last subflow is lost: every pair has its turn once more, and one refusal does not speak for the others. */
static void a_rescue_tries_every_pair_but_the_useless(void **state)
{
    (void)state;
    struct bench b;
    begin(&b, true, 3);
    ended(&b, 0, 1, PATH_END_LOST);
    ended(&b, 1, 1, PATH_END_REFUSED);
    ended(&b, 2, 1, PATH_END_USELESS);
    expect_no_wish(&b);
    paths_begin_rescue(&b.paths, true);
    expect_wish(&b, 0, 1);
    ended(&b, 0, 1, PATH_END_REFUSED);
    expect_wish(&b, 1, 1);
    ended(&b, 1, 1, PATH_END_REFUSED);
    expect_no_wish(&b);
    assert_int_equal(paths_deadline(&b.paths), TIME_NEVER);
    finish(&b);
}

static bool has_others(const struct bench *b, uint8_t local, uint8_t net)
{
    struct hawser_addr remote = address(net, 2, 80);
    return paths_has_others(&b->paths, &b->view.locals, &b->locals[local].addr, &remote);
}

/* Is another pair than that of the last subflow left to be tried? */
static void what_is_left_beside_the_last(void **state)
{
    (void)state;
    struct bench b;
    begin(&b, true, 1);
    assert_false(has_others(&b, 0, 1));
    assert_int_equal(hear(&b, 7, address(2, 2, 0)), PATHS_LEARNED);
    assert_true(has_others(&b, 0, 1));
    ended(&b, 0, 2, PATH_END_USELESS);
    assert_false(has_others(&b, 0, 1));
    add_local(&b, 2, 2);
    assert_true(has_others(&b, 0, 1));
    ended(&b, 1, 1, PATH_END_USELESS);
    ended(&b, 1, 2, PATH_END_REFUSED); /* which may have changed its mind */
    assert_true(has_others(&b, 0, 1));
    finish(&b);
    begin(&b, false, 1); /* what the peer has to come from is not known here, but what it may go to */
    assert_false(has_others(&b, 0, 1));
    add_local(&b, 2, 2);
    assert_true(has_others(&b, 0, 1));
    finish(&b);
}

/* When every pair refused nothing is left; not when it is an address of ours that is missing. */
static void a_rescue_that_all_refuse_is_in_vain(void **state)
{
    (void)state;
    struct bench b;
    begin(&b, true, 2);
    ended(&b, 0, 1, PATH_END_LOST);
    paths_begin_rescue(&b.paths, true);
    for (uint8_t local = 0; local < 2; local++) {
        expect_wish(&b, local, 1);
        ended(&b, local, 1, PATH_END_REFUSED);
    }
    expect_no_wish(&b);
    assert_true(paths_exhausted(&b.paths, &b.view.locals) && path_policy_is_done(&b.pm));
    ended(&b, 0, 1, PATH_END_UNANSWERED);
    expect_no_wish(&b);
    assert_false(paths_exhausted(&b.paths, &b.view.locals) && path_policy_is_done(&b.pm)); /* it has its turn again */
    b.view.locals.count = 0;
    expect_no_wish(&b);
    assert_false(paths_exhausted(&b.paths, &b.view.locals) && path_policy_is_done(&b.pm));
    paths_remove_addr(&b.paths, 0); /* then no address of ours would be of use */
    expect_no_wish(&b);
    assert_true(paths_exhausted(&b.paths, &b.view.locals) && path_policy_is_done(&b.pm));
    finish(&b);
    begin(&b, false, 1);
    expect_no_wish(&b);
    assert_false(paths_exhausted(&b.paths, &b.view.locals) && path_policy_is_done(&b.pm)); /* it is not ours to try */
    finish(&b);
}

/* One that goes on tries what was lost again in its time only. */
static void a_rescue_that_goes_on_backs_off(void **state)
{
    (void)state;
    struct bench b;
    begin(&b, true, 1);
    ended(&b, 0, 1, PATH_END_LOST);
    paths_begin_rescue(&b.paths, false);
    expect_no_wish(&b);
    assert_int_equal(paths_deadline(&b.paths), NS_PER_S);
    paths_begin_rescue(&b.paths, true);
    expect_wish(&b, 0, 1);
    finish(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rescue_tries_every_pair_but_the_useless),
        cmocka_unit_test(what_is_left_beside_the_last),
        cmocka_unit_test(a_rescue_that_all_refuse_is_in_vain),
        cmocka_unit_test(a_rescue_that_goes_on_backs_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
