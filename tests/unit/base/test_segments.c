#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "base/segments.h"
#include "support.h"

enum { MANY = 5000 };

/* Every entry has a place of its own, which it keeps as long as it is there. */
static void entries_stay_where_they_are(void **state)
{
    (void)state;
    static const uint32_t firsts[] = {0, 1, 2, 7, 8, 64, 1000};
    static void **places[MANY];
    for (size_t f = 0; f < HW_ARRAY_LEN(firsts); f++) {
        struct test_env t;
        struct segments s;
        test_env_init(&t, 1);
        segments_init(&s, &t.env, firsts[f]);
        assert_int_equal(t.allocations, 0);
        for (uint32_t i = 0; i < MANY; i++) {
            assert_int_equal(segments_reserve(&s, i + 1), 0);
            assert_true(s.capacity > i);
            places[i] = segments_at(&s, i);
            *places[i] = &places[i];
        }
        assert_true(s.capacity <= 2 * MANY);
        for (uint32_t left = MANY; left > 0; left -= HW_MIN(left, 7u)) {
            segments_trim(&s, left);
            assert_true(s.capacity >= left);
            for (uint32_t i = 0; i < left; i += 1 + left / 16) {
                assert_ptr_equal(segments_at(&s, i), places[i]);
                assert_ptr_equal(*places[i], &places[i]);
            }
        }
        segments_trim(&s, 0);
        assert_int_equal(s.capacity, 0);
        test_env_check_clean(&t);
    }
}

static void without_memory_it_stays_as_it_is(void **state)
{
    (void)state;
    struct test_env t;
    struct segments s;
    test_env_init(&t, 1);
    segments_init(&s, &t.env, 8);
    t.fail_at = 3;
    assert_int_equal(segments_reserve(&s, 17), -ENOMEM);
    assert_int_equal(s.capacity, 16);
    assert_int_equal(segments_reserve(&s, 17), 0);
    assert_int_equal(s.capacity, 32);
    segments_destroy(&s);
    test_env_check_clean(&t);
}

static void *nothing_behind(void *ctx, size_t size)
{
    (void)size;
    return ctx;
}

static void free_nothing(void *ctx, void *ptr) { assert_ptr_equal(ctx, ptr); }

/* Nor does it go round where 32 bits end. */
static void there_is_an_end(void **state)
{
    (void)state;
    int ctx;
    const struct hawser_env env = {&ctx, nothing_behind, free_nothing, NULL};
    static const uint32_t firsts[] = {1, UINT32_C(1) << 28, UINT32_MAX};
    for (size_t f = 0; f < HW_ARRAY_LEN(firsts); f++) {
        struct segments s;
        segments_init(&s, &env, firsts[f]);
        assert_int_equal(segments_reserve(&s, UINT32_C(1) << 28), 0);
        assert_int_equal(segments_reserve(&s, (UINT32_C(1) << 28) + 1), -ENOMEM);
        assert_int_equal(segments_reserve(&s, UINT32_MAX), -ENOMEM);
        assert_int_equal(s.capacity, UINT32_C(1) << 28);
        segments_destroy(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_stay_where_they_are),
        cmocka_unit_test(without_memory_it_stays_as_it_is),
        cmocka_unit_test(there_is_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
