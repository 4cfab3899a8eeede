/* How often an address may begin something (apps/service/pace.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/units.h"
#include "service/pace.h"

static struct pace pace;

static unsigned begin_all(uint64_t hash, uint64_t now_ns)
{
    unsigned count = 0;
    while (count < 1000 && pace_begin(&pace, hash, now_ns))
        count++;
    return count;
}

static void so_many_at_once_and_a_second(void **state)
{
    (void)state;
    const uint64_t now_ns = 100 * NS_PER_S;
    pace_init(&pace, 8, 2);
    assert_int_equal(begin_all(7, now_ns), 8);
    assert_int_equal(begin_all(8, now_ns), 8); /* another place */
    assert_int_equal(begin_all(7, now_ns + NS_PER_S / 2 - 1), 0);
    assert_int_equal(begin_all(7, now_ns + NS_PER_S / 2), 1);
    assert_int_equal(begin_all(7, now_ns + 2 * NS_PER_S), 3);
    assert_int_equal(begin_all(7, now_ns + 1000 * NS_PER_S), 8); /* nobody saves up more */
}

static void what_is_given_back_does_not_count(void **state)
{
    (void)state;
    pace_init(&pace, 2, 1);
    for (unsigned i = 0; i < 1000; i++) {
        assert_true(pace_begin(&pace, 7, NS_PER_S));
        pace_give_back(&pace, 7);
    }
    assert_int_equal(begin_all(7, NS_PER_S), 2);
    pace_give_back(&pace, 9); /* nothing is owed to who has nothing */
    assert_int_equal(begin_all(9, NS_PER_S), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(so_many_at_once_and_a_second),
        cmocka_unit_test(what_is_given_back_does_not_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
