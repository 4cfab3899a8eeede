#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/counters.h"

static void each_counter_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (int i = 0; i < COUNTER_TOTAL; i++) {
        const char *name = counter_name((enum counter)i);
        assert_non_null(name);
        assert_true(strlen(name) > 0);
        for (int k = 0; k < i; k++)
            assert_string_not_equal(name, counter_name((enum counter)k));
    }
}

static void counting_touches_one_counter(void **state)
{
    (void)state;
    for (int i = 0; i < COUNTER_TOTAL; i++) {
        struct counters c = {{0}};
        count(&c, (enum counter)i);
        count(&c, (enum counter)i);
        for (int k = 0; k < COUNTER_TOTAL; k++)
            assert_int_equal(c.v[k], k == i ? 2 : 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_counter_has_a_name_of_its_own),
        cmocka_unit_test(counting_touches_one_counter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
