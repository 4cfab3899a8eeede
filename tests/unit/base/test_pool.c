#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "base/pool.h"
#include "support.h"

enum { LIMIT = 700 };

static void objects_are_apart_and_aligned(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 7, 8, 24, 33, 1000, 16384, 40000};
    uint64_t seed = test_seed();
    for (size_t s = 0; s < HW_ARRAY_LEN(sizes); s++) {
        struct test_env t;
        struct pool pool;
        uint8_t *held[LIMIT] = {0};
        uint32_t limit = sizes[s] > 1000 ? 50 : LIMIT, in_use = 0;
        test_env_init(&t, seed);
        pool_init(&pool, &t.env, sizes[s], limit);
        assert_int_equal(t.allocations, 0);
        for (int step = 0; step < 6000; step++) {
            uint32_t i = (uint32_t)prng_below(&t.rng, limit);
            if (held[i]) { /* untouched by whatever was handed out since */
                for (size_t k = 0; k < sizes[s]; k += sizes[s] / 8 + 1)
                    assert_int_equal(held[i][k], (uint8_t)i);
                pool_put(&pool, held[i]);
                held[i] = NULL;
                in_use--;
            } else {
                held[i] = pool_get(&pool);
                assert_non_null(held[i]);
                assert_int_equal((uintptr_t)held[i] % sizeof(uint64_t), 0);
                memset(held[i], (int)i, sizes[s]);
                in_use++;
            }
            assert_int_equal(pool.in_use, in_use);
            assert_true(pool.total <= limit);
        }
        for (uint32_t i = 0; i < limit; i++) {
            if (held[i])
                pool_put(&pool, held[i]);
        }
        assert_int_equal(pool.refusals, 0);
        pool_destroy(&pool);
        test_env_check_clean(&t);
    }
}

static void limit_is_exact(void **state)
{
    (void)state;
    static const uint32_t limits[] = {0, 1, 255, 256, 257, LIMIT};
    for (size_t l = 0; l < HW_ARRAY_LEN(limits); l++) {
        struct test_env t;
        struct pool pool;
        void *held[LIMIT];
        test_env_init(&t, 1);
        pool_init(&pool, &t.env, 64, limits[l]);
        for (uint32_t i = 0; i < limits[l]; i++) {
            held[i] = pool_get(&pool);
            assert_non_null(held[i]);
        }
        assert_null(pool_get(&pool));
        assert_null(pool_get(&pool));
        assert_int_equal(pool.refusals, 2);
        assert_int_equal(pool.in_use, limits[l]);
        if (limits[l]) { /* one back, one out */
            pool_put(&pool, held[0]);
            held[0] = pool_get(&pool);
            assert_non_null(held[0]);
            assert_null(pool_get(&pool));
        }
        for (uint32_t i = 0; i < limits[l]; i++)
            pool_put(&pool, held[i]);
        pool_destroy(&pool);
        test_env_check_clean(&t);
    }
}

static void refuses_at_each_failed_allocation(void **state)
{
    (void)state;
    for (uint64_t n = 1; n <= 3; n++) {
        struct test_env t;
        struct pool pool;
        void *held[LIMIT];
        uint32_t count = 0;
        test_env_init(&t, 1);
        pool_init(&pool, &t.env, 64, LIMIT);
        t.fail_at = n;
        for (uint32_t i = 0; i < LIMIT; i++) {
            void *object = pool_get(&pool);
            if (object)
                held[count++] = object;
        }
        assert_int_equal(t.fail_at, 0);
        assert_int_equal(pool.refusals, 1);
        assert_int_equal(count, LIMIT - 1);
        while (count > 0)
            pool_put(&pool, held[--count]);
        pool_destroy(&pool);
        test_env_check_clean(&t);
    }
}

static void memory_is_taken_once(void **state)
{
    (void)state;
    struct test_env t;
    struct pool pool;
    test_env_init(&t, 1);
    pool_init(&pool, &t.env, 64, LIMIT);
    for (int round = 0; round < 10000; round++) {
        void *a = pool_get(&pool), *b = pool_get(&pool);
        pool_put(&pool, a);
        pool_put(&pool, b);
    }
    assert_int_equal(t.allocations, 1);
    pool_destroy(&pool);
    test_env_check_clean(&t);
}

/* Slabs that nobody uses go back but for one, wherever in the pool the objects lay; and what is still in use stays. */
static void what_is_empty_goes_back(void **state)
{
    (void)state;
    enum { MANY = 20000 };
    static uint64_t *held[MANY];
    struct test_env t;
    struct pool pool;
    test_env_init(&t, test_seed());
    pool_init(&pool, &t.env, 64, MANY);
    for (int round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < MANY; i++) {
            if (!held[i])
                held[i] = pool_get(&pool);
            *held[i] = i;
        }
        assert_int_equal(pool.total, MANY);
        for (uint32_t i = MANY; i-- > 1;) { /* in any order */
            uint32_t k = (uint32_t)prng_below(&t.rng, i + 1);
            uint64_t *swapped = held[i];
            held[i] = held[k];
            held[k] = swapped;
        }
        for (uint32_t i = round; i < MANY; i++) {
            pool_put(&pool, held[i]);
            held[i] = NULL;
        }
        assert_true(pool.total <= 4 * 256); /* two slabs at most with objects, and the one that is kept */
        if (round == 0)
            assert_true(pool.total <= 64); /* which is a small one */
        for (int i = 0; i < round; i++)
            assert_true(*held[i] < MANY);
    }
    uint64_t allocations = t.allocations;
    for (int i = 0; i < 1000; i++)
        pool_put(&pool, pool_get(&pool));
    assert_int_equal(t.allocations, allocations);
    for (int i = 0; i < 2; i++)
        pool_put(&pool, held[i]);
    pool_destroy(&pool);
    test_env_check_clean(&t);
}

static void destroy_it(void *pool) { pool_destroy(pool); }

static void put_twice(void *pool)
{
    void *object = pool_get(pool);
    pool_put(pool, object);
    pool_put(pool, object);
}

static void leaks_and_strangers_are_bugs(void **state)
{
    (void)state;
    struct test_env t;
    struct pool pool;
    test_env_init(&t, 1);
    pool_init(&pool, &t.env, 64, 2);
    assert_true(test_aborts(put_twice, &pool));
    void *object = pool_get(&pool);
    assert_true(test_aborts(destroy_it, &pool));
    pool_put(&pool, object);
    pool_destroy(&pool);
    test_env_check_clean(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects_are_apart_and_aligned),     cmocka_unit_test(limit_is_exact),
        cmocka_unit_test(refuses_at_each_failed_allocation), cmocka_unit_test(memory_is_taken_once),
        cmocka_unit_test(what_is_empty_goes_back),           cmocka_unit_test(leaks_and_strangers_are_bugs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
