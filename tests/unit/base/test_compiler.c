/* What the compiler's extensions are used for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/compiler.h"

static void min_and_max_evaluate_each_once(void **state)
{
    (void)state;
    int calls = 0;
    assert_int_equal(HW_MIN(++calls, 9), 1);
    assert_int_equal(HW_MAX(++calls, 0), 2);
    assert_int_equal(HW_MIN(HW_MAX(++calls, 2), HW_MIN(++calls, 7)), 3);
    assert_int_equal(calls, 4);
}

static void they_have_the_type_that_both_convert_to(void **state)
{
    (void)state;
    const uint32_t small = 5;
    const uint64_t large = UINT64_C(1) << 40;
    assert_true(HW_MAX(small, large) == large);
    assert_true(HW_MIN(large, small) == 5);
    assert_int_equal(sizeof HW_MIN(small, large), sizeof(uint64_t));
    assert_int_equal(HW_MIN(-1, 1), -1);
}

static void bits_are_counted_from_0(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < 64; bit++) {
        assert_int_equal(hw_lowest_bit(UINT64_C(1) << bit | UINT64_C(1) << 63), bit);
        if (bit < 32)
            assert_int_equal(hw_log2(UINT32_C(1) << bit | 1), bit);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(min_and_max_evaluate_each_once),
        cmocka_unit_test(they_have_the_type_that_both_convert_to),
        cmocka_unit_test(bits_are_counted_from_0),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
