/* The path model against arithmetic. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/units.h"
#include "link/impair.h"
#include "support.h"

struct rig {
    struct test_env env;
    struct impair im;
};

static void start(struct rig *r, struct impair_config config)
{
    test_env_init(&r->env, 1);
    if (config.packet_limit == 0)
        config.packet_limit = 4096;
    assert_int_equal(impair_init(&r->im, &r->env.env, &config, 7), 0);
}

static void finish(struct rig *r)
{
    while (impair_drain(&r->im))
        ;
    impair_destroy(&r->im);
    test_env_check_clean(&r->env);
}

static void *handle(uintptr_t n) { return (void *)(n + 1); }

static void rate_and_delay(void **state)
{
    (void)state;
    struct rig r;
    start(&r, (struct impair_config){.rate_bps = 12000000, .delay_ns = 5 * NS_PER_MS}); /* 1500 bytes take 1 ms */
    for (uintptr_t i = 0; i < 10; i++)
        assert_int_equal(impair_push(&r.im, 0, handle(i), 1500), IMPAIR_TAKEN);
    for (uintptr_t i = 0; i < 10; i++) {
        void *out;
        uint64_t due = (i + 1) * NS_PER_MS + 5 * NS_PER_MS;
        assert_true(impair_next_time(&r.im) == due);
        assert_int_equal(impair_pop(&r.im, due - 1, &out), IMPAIR_NOTHING);
        assert_int_equal(impair_pop(&r.im, due, &out), IMPAIR_DELIVER);
        assert_ptr_equal(out, handle(i));
    }
    assert_true(impair_next_time(&r.im) == UINT64_MAX);
    finish(&r);
}

/* Rounding must not add up: a rate that no packet time divides evenly. */
static void long_run_rate(void **state)
{
    (void)state;
    struct rig r;
    start(&r, (struct impair_config){.rate_bps = 7000003});
    uint64_t now = 0;
    for (uintptr_t i = 0; i < 100000; i++) {
        void *out;
        assert_int_equal(impair_push(&r.im, now, handle(i), 1499), IMPAIR_TAKEN);
        now = impair_next_time(&r.im);
        assert_int_equal(impair_pop(&r.im, now, &out), IMPAIR_DELIVER);
    }
    uint64_t expected = (uint64_t)(100000.0 * 1499 * 8 * 1e9 / 7000003);
    assert_true(now + 100000 > expected && now < expected + 100000); /* a nanosecond a packet at most */
    finish(&r);
}

static void queue_limit(void **state)
{
    (void)state;
    struct rig r;
    void *out;
    start(&r, (struct impair_config){.rate_bps = 12000000, .queue_bytes = 15000});
    for (uintptr_t i = 0; i < 10; i++)
        assert_int_equal(impair_push(&r.im, 0, handle(i), 1500), IMPAIR_TAKEN);
    assert_int_equal(impair_push(&r.im, 0, handle(10), 1500), IMPAIR_QUEUE_FULL);
    assert_true(impair_backlog(&r.im, 0) == 15000);
    assert_int_equal(impair_push(&r.im, NS_PER_MS, handle(10), 1500), IMPAIR_TAKEN); /* one was sent */
    assert_int_equal(impair_push(&r.im, NS_PER_MS, handle(11), 1500), IMPAIR_QUEUE_FULL);
    while (impair_pop(&r.im, NS_PER_S, &out) == IMPAIR_DELIVER)
        ;
    assert_true(impair_backlog(&r.im, NS_PER_S) == 0);
    finish(&r);
}

static void loss_frequency(void **state)
{
    (void)state;
    struct rig r;
    unsigned lost = 0;
    start(&r, (struct impair_config){.loss_ppm = 20000});
    for (uintptr_t i = 0; i < 50000; i++) {
        void *out;
        assert_int_equal(impair_push(&r.im, i, handle(i), 100), IMPAIR_TAKEN);
        enum impair_exit end = impair_pop(&r.im, i, &out);
        lost += end == IMPAIR_LOST;
        assert_true(end == IMPAIR_LOST || end == IMPAIR_DELIVER);
    }
    /* 1000 expected, standard deviation 31: five of them */
    assert_in_range(lost, 845, 1155);
    finish(&r);
}

static void jitter_stays_in_its_bounds(void **state)
{
    (void)state;
    struct rig r;
    uint64_t sum = 0, least = UINT64_MAX, most = 0;
    start(&r, (struct impair_config){.delay_ns = 10 * NS_PER_MS, .jitter_ns = 4 * NS_PER_MS});
    for (uintptr_t i = 0; i < 20000; i++) {
        void *out;
        uint64_t now = i * NS_PER_S;
        impair_push(&r.im, now, handle(i), 100);
        uint64_t took = impair_next_time(&r.im) - now;
        assert_int_equal(impair_pop(&r.im, now + NS_PER_S, &out), IMPAIR_DELIVER);
        sum += took;
        least = took < least ? took : least;
        most = took > most ? took : most;
    }
    assert_true(least >= 10 * NS_PER_MS && most <= 14 * NS_PER_MS);
    assert_true(least < 10 * NS_PER_MS + 10000 && most > 14 * NS_PER_MS - 10000);
    assert_in_range(sum / 20000, 11950000, 12050000); /* the mean of a uniform spread */
    finish(&r);
}

static void cut_and_restored(void **state)
{
    (void)state;
    struct rig r;
    void *out;
    start(&r, (struct impair_config){.delay_ns = NS_PER_MS});
    assert_int_equal(impair_push(&r.im, 0, handle(0), 100), IMPAIR_TAKEN);
    impair_set_down(&r.im, true);
    assert_int_equal(impair_push(&r.im, 0, handle(1), 100), IMPAIR_DOWN);
    assert_int_equal(impair_pop(&r.im, NS_PER_MS, &out), IMPAIR_CUT);
    impair_set_down(&r.im, false);
    assert_int_equal(impair_push(&r.im, NS_PER_MS, handle(2), 100), IMPAIR_TAKEN);
    assert_int_equal(impair_pop(&r.im, 2 * NS_PER_MS, &out), IMPAIR_DELIVER);
    assert_ptr_equal(out, handle(2));
    finish(&r);
}

static void packets_are_bounded(void **state)
{
    (void)state;
    struct rig r;
    start(&r, (struct impair_config){.delay_ns = NS_PER_S, .packet_limit = 3});
    for (uintptr_t i = 0; i < 3; i++)
        assert_int_equal(impair_push(&r.im, 0, handle(i), 1), IMPAIR_TAKEN);
    assert_int_equal(impair_push(&r.im, 0, handle(3), 1), IMPAIR_TOO_MANY);
    finish(&r);
}

static void the_same_seed_gives_the_same_fates(void **state)
{
    (void)state;
    uint64_t hash[2] = {0, 0};
    for (int run = 0; run < 2; run++) {
        struct rig r;
        start(&r, (struct impair_config){.rate_bps = 50000000,
                                         .queue_bytes = 64000,
                                         .delay_ns = NS_PER_MS,
                                         .jitter_ns = NS_PER_MS,
                                         .loss_ppm = 50000,
                                         .reorder_ppm = 50000});
        for (uintptr_t i = 0; i < 5000; i++) {
            void *out = NULL;
            (void)impair_push(&r.im, i * 200000, handle(i), 1000);
            hash[run] = hash[run] * 31 + (uint64_t)impair_pop(&r.im, i * 200000, &out) * 7 + (uintptr_t)out;
        }
        finish(&r);
    }
    assert_true(hash[0] == hash[1]);
}

static void without_memory(void **state)
{
    (void)state;
    for (uint64_t n = 1; n < 4; n++) {
        struct test_env env;
        struct impair im;
        struct impair_config config = {.packet_limit = 16};
        test_env_init(&env, 1);
        env.fail_at = n;
        int error = impair_init(&im, &env.env, &config, 1);
        assert_true(error == 0 || error == -ENOMEM);
        if (error == 0)
            impair_destroy(&im);
        test_env_check_clean(&env);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rate_and_delay),
        cmocka_unit_test(long_run_rate),
        cmocka_unit_test(queue_limit),
        cmocka_unit_test(loss_frequency),
        cmocka_unit_test(jitter_stays_in_its_bounds),
        cmocka_unit_test(cut_and_restored),
        cmocka_unit_test(packets_are_bounded),
        cmocka_unit_test(the_same_seed_gives_the_same_fates),
        cmocka_unit_test(without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
