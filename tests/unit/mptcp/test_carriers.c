#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mptcp/carriers.h"
#include "support.h"

#define FIRST UINT64_C(0xfffffffffffffff0) /* numbers wrap on the way */

static dsn64 at(uint64_t offset) { return dsn_at(FIRST + offset); }

struct bench {
    struct test_env env;
    struct account_root memory;
    struct carriers carriers;
    struct iset repeated;
};

/* Everything below `upto` is acknowledged; offsets count from FIRST. */
static uint32_t acked(void **state, uint64_t upto)
{
    struct bench *bench = *state;
    return carriers_acked(&bench->carriers, at(upto), &bench->repeated, at(0));
}

static int begin(void **state)
{
    struct bench *bench = test_calloc(1, sizeof *bench);
    test_env_init(&bench->env, 1);
    account_init(&bench->memory, &bench->env.env, UINT64_MAX, 0);
    iset_init(&bench->repeated, &bench->memory.account, 8);
    carriers_init(&bench->carriers, &bench->memory.account, at(0));
    *state = bench;
    return 0;
}

static int end(void **state)
{
    struct bench *bench = *state;
    carriers_destroy(&bench->carriers);
    iset_destroy(&bench->repeated);
    test_env_check_clean(&bench->env);
    test_free(bench);
    return 0;
}

static void the_oldest_byte_has_a_carrier(void **state)
{
    struct carriers *c = &((struct bench *)*state)->carriers;
    assert_int_equal(carriers_oldest(c), CARRIER_NONE);
    carriers_push(c, at(10), 3);
    carriers_push(c, at(20), 3);
    carriers_push(c, at(30), 1);
    assert_int_equal(c->count, 2);
    assert_int_equal(carriers_oldest(c), 3);
    assert_int_equal(acked(state, 19), 1u << 3);
    assert_int_equal(carriers_oldest(c), 3);
    assert_int_equal(acked(state, 20), 1u << 3);
    assert_int_equal(carriers_oldest(c), 1);
    assert_int_equal(acked(state, 30), 1u << 1);
    assert_int_equal(carriers_oldest(c), CARRIER_NONE);
}

static void what_was_repeated_is_nobodys_merit(void **state)
{
    struct carriers *c = &((struct bench *)*state)->carriers;
    carriers_push(c, at(10), 0);
    carriers_push(c, at(20), 1);
    carriers_push(c, at(30), 2);
    assert_int_equal(iset_add(&((struct bench *)*state)->repeated, 0, 15), 0);
    assert_int_equal(iset_add(&((struct bench *)*state)->repeated, 20, 29), 0);
    assert_int_equal(acked(state, 10), 0);
    assert_int_equal(acked(state, 29), 1u << 1);
    assert_int_equal(acked(state, 30), 1u << 2);
}

static void one_that_is_gone_is_forgotten(void **state)
{
    struct carriers *c = &((struct bench *)*state)->carriers;
    carriers_push(c, at(10), 0);
    carriers_push(c, at(20), 1);
    carriers_push(c, at(30), 0);
    carriers_forget(c, 0);
    assert_int_equal(carriers_oldest(c), CARRIER_NONE);
    assert_int_equal(acked(state, 30), 1u << 1);
}

static void at_the_limit_new_data_counts_as_the_last_ones(void **state)
{
    struct carriers *c = &((struct bench *)*state)->carriers;
    for (uint64_t i = 1; i <= CARRIER_RUNS_MAX + 5; i++)
        carriers_push(c, at(i), i % 2);
    assert_int_equal(c->count, CARRIER_RUNS_MAX);
    assert_int_equal(iset_add(&((struct bench *)*state)->repeated, 0, CARRIER_RUNS_MAX + 1), 0);
    assert_int_equal(acked(state, CARRIER_RUNS_MAX + 5), 1u << CARRIER_RUNS_MAX % 2);
    assert_int_equal(carriers_oldest(c), CARRIER_NONE);
}

/* Without memory the one before is blamed, and nothing else changes. */
static void without_memory(void **state)
{
    struct carriers *c = &((struct bench *)*state)->carriers;
    carriers_push(c, at(10), 2); /* which takes none */
    ((struct bench *)*state)->env.fail_at = 1;
    carriers_push(c, at(20), 3);
    assert_int_equal(carriers_oldest(c), 2);
    assert_int_equal(acked(state, 15), 1u << 2);
    carriers_push(c, at(30), 3);
    assert_int_equal(acked(state, 20), 1u << 2);
    assert_int_equal(acked(state, 30), 1u << 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_oldest_byte_has_a_carrier, begin, end),
        cmocka_unit_test_setup_teardown(what_was_repeated_is_nobodys_merit, begin, end),
        cmocka_unit_test_setup_teardown(one_that_is_gone_is_forgotten, begin, end),
        cmocka_unit_test_setup_teardown(at_the_limit_new_data_counts_as_the_last_ones, begin, end),
        cmocka_unit_test_setup_teardown(without_memory, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
