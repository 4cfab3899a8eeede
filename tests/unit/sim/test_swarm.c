/* The swarm's plans: what the shrinker leaves is what is to blame, and its numbers replay the story. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "sim/swarm.h"

struct blame {
    const unsigned *faults; /* it fails when all of these are enabled */
    size_t count;
};

static bool fails(const struct swarm_plan *plan, void *ctx)
{
    const struct blame *blame = ctx;
    for (size_t i = 0; i < blame->count; i++)
        if (!plan->faults[blame->faults[i]].enabled)
            return false;
    return true;
}

static unsigned enabled_count(const struct swarm_plan *plan)
{
    unsigned n = 0;
    for (unsigned i = 0; i < plan->fault_count; i++)
        n += plan->faults[i].enabled;
    return n;
}

/* The first plan from `seed` on with so many faults, all enabled. */
static void plan_with(struct swarm_plan *plan, uint64_t seed, unsigned faults)
{
    swarm_plan_make(plan, seed);
    while (plan->fault_count < faults || enabled_count(plan) < plan->fault_count) {
        swarm_plan_fini(plan);
        swarm_plan_make(plan, ++seed);
    }
}

static void the_shrinker_leaves_what_is_to_blame(void **state)
{
    (void)state;
    static const unsigned pair[] = {1, 4};
    for (size_t count = 0; count <= HW_ARRAY_LEN(pair); count++) {
        struct swarm_plan plan;
        struct blame blame = {pair, count};
        plan_with(&plan, 1, 6);
        assert_true(swarm_shrink(&plan, fails, &blame) >= plan.fault_count);
        assert_int_equal(enabled_count(&plan), count);
        assert_true(fails(&plan, &blame));
        swarm_plan_fini(&plan);
    }
}

/* A fault that is left out must not change those that stay: the numbers alone replay the rest. */
static void numbers_of_faults_replay_a_story(void **state)
{
    (void)state;
    static const unsigned kept[] = {0, 2, 3};
    struct swarm_verdict verdicts[2];
    for (unsigned i = 0; i < 2; i++) {
        struct swarm_plan plan;
        struct blame blame = {kept, HW_ARRAY_LEN(kept)};
        plan_with(&plan, 20, 6);
        if (i == 0)
            swarm_shrink(&plan, fails, &blame);
        for (unsigned k = 0; i == 1 && k < plan.fault_count; k++)
            plan.faults[k].enabled = k == 0 || k == 2 || k == 3;
        swarm_play(&plan, NULL, &verdicts[i]);
        swarm_plan_fini(&plan);
    }
    assert_true(verdicts[0].good);
    assert_true(verdicts[0].hops > 0);
    assert_true(verdicts[0].trace == verdicts[1].trace);
}

/* Errors are excused by what may cause them, and by nothing else. */
static void only_links_that_fail_demand_success(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed < 200; seed++) {
        struct swarm_plan plan;
        struct scenario s;
        bool excuse = false;
        swarm_plan_make(&plan, seed);
        for (unsigned i = 0; i < plan.fault_count; i++)
            excuse |=
                plan.faults[i].enabled && plan.faults[i].kind > FAULT_QUEUE && plan.faults[i].kind != FAULT_READER;
        swarm_plan_stage(&plan, &s);
        assert_int_equal(s.must_complete, !excuse);
        scenario_fini(&s);
        swarm_plan_fini(&plan);
    }
}

static void a_capture_that_fails_is_told(void **state)
{
    (void)state;
    struct swarm_plan plan;
    struct swarm_verdict verdict;
    swarm_plan_make(&plan, 1);
    swarm_play(&plan, "/no-such-folder/x.pcapng", &verdict);
    assert_true(verdict.good);
    assert_true(verdict.capture_err < 0);
    swarm_plan_fini(&plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_shrinker_leaves_what_is_to_blame),
        cmocka_unit_test(numbers_of_faults_replay_a_story),
        cmocka_unit_test(only_links_that_fail_demand_success),
        cmocka_unit_test(a_capture_that_fails_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
