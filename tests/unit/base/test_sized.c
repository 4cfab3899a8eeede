/* Structs that grow: what an older and a newer program may say. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/sized.h"

struct first {
    size_t size;
    uint32_t a, b;
};
struct known {
    size_t size;
    uint32_t a, b;
    uint64_t c;
};
struct newer {
    size_t size;
    uint32_t a, b;
    uint64_t c, d;
};
#define LEAST SIZED_SINCE(struct known, b)

static void options_of_any_age(void **state)
{
    (void)state;
    struct known o;
    const struct first older = {sizeof older, 1, 2};
    const struct known same = {sizeof same, 1, 2, 3};
    struct newer newer = {sizeof newer, 1, 2, 3, 0};
    memset(&o, 0xff, sizeof o);
    assert_int_equal(sized_take(&o, sizeof o, LEAST, NULL), 0);
    assert_true(o.size == 0 && o.a == 0 && o.c == 0);
    memset(&o, 0xff, sizeof o);
    assert_int_equal(sized_take(&o, sizeof o, LEAST, &older), 0);
    assert_true(o.a == 1 && o.b == 2 && o.c == 0);
    assert_int_equal(sized_take(&o, sizeof o, LEAST, &same), 0);
    assert_true(o.a == 1 && o.b == 2 && o.c == 3);
    assert_int_equal(sized_take(&o, sizeof o, LEAST, &newer), 0);
    assert_true(o.a == 1 && o.b == 2 && o.c == 3);
    newer.d = UINT64_C(1) << 56; /* in the last byte, on some machines */
    assert_int_equal(sized_take(&o, sizeof o, LEAST, &newer), -E2BIG);
    newer.d = 1;
    assert_int_equal(sized_take(&o, sizeof o, LEAST, &newer), -E2BIG);
}

static void options_without_their_size(void **state)
{
    (void)state;
    struct known o, given = {0, 1, 2, 3};
    for (size_t size = 0; size < LEAST; size++) {
        given.size = size;
        assert_int_equal(sized_take(&o, sizeof o, LEAST, &given), -EINVAL);
        assert_int_equal(sized_give(&given, &o, sizeof o, LEAST), -EINVAL);
    }
    given.size = LEAST;
    assert_int_equal(sized_take(&o, sizeof o, LEAST, &given), 0);
}

static void answers_of_any_age(void **state)
{
    (void)state;
    const struct known info = {0, 1, 2, 3};
    struct first older = {.size = sizeof older};
    struct newer newer = {.size = sizeof newer, .d = 7};
    assert_int_equal(sized_give(&older, &info, sizeof info, LEAST), 0);
    assert_true(older.size == sizeof older && older.a == 1 && older.b == 2);
    assert_int_equal(sized_give(&newer, &info, sizeof info, LEAST), 0);
    assert_true(newer.size == sizeof newer && newer.a == 1 && newer.c == 3 && newer.d == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_of_any_age),
        cmocka_unit_test(options_without_their_size),
        cmocka_unit_test(answers_of_any_age),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
