/* For whom how much is held (apps/service/holders.h). */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "service/holders.h"
#include "support.h"

enum { MAX = 1000 };

static struct test_env env;
static struct holders holders;

static int enter(struct held *held, const char *text, uint64_t bytes)
{
    struct hawser_addr addr;
    assert_int_equal(hawser_addr_parse(&addr, text, 4000), 0);
    return holders_enter(&holders, held, &addr, bytes);
}

static int set_up(void **state)
{
    (void)state;
    test_env_init(&env, 1);
    assert_int_equal(holders_init(&holders, &env.env, MAX), 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    assert_int_equal(holders.bytes, 0);
    assert_null(holders_largest(&holders));
    holders_destroy(&holders);
    test_env_check_clean(&env);
    return 0;
}

/* Who comes first has half, the next one half of the rest. */
static void one_leaves_room_for_others(void **state)
{
    (void)state;
    struct held held[100];
    unsigned count = 0;
    while (enter(&held[count], "2001:db8::1", 50) == 0)
        count++;
    assert_int_equal(count, 10);
    assert_int_equal(enter(&held[count], "2001:db8::1", 50), -ENOBUFS);
    while (enter(&held[count], "192.0.2.2", 50) == 0)
        count++;
    assert_int_equal(count, 15);
    assert_int_equal(holders.refused, 3);
    assert_int_equal(holders.bytes, 750);
    for (unsigned i = 0; i < count; i++)
        holders_leave(&holders, &held[i]);
}

/* Those who are there may have more, but nobody else comes in then. */
static void the_largest_of_who_has_most(void **state)
{
    (void)state;
    struct held a[2], b, c;
    assert_int_equal(enter(&a[0], "192.0.2.1", 10), 0);
    assert_int_equal(enter(&b, "192.0.2.2", 10), 0);
    assert_int_equal(enter(&a[1], "192.0.2.1", 10), 0);
    holders_charge(&holders, &a[1], 300);
    holders_charge(&holders, &b, 305);
    assert_ptr_equal(holders_largest(&holders), &a[1]); /* of 310 */
    holders_charge(&holders, &a[0], 900);
    assert_ptr_equal(holders_largest(&holders), &a[0]);
    assert_int_equal(holders.bytes, 1505);
    assert_int_equal(enter(&c, "192.0.2.3", 1), -ENOBUFS);
    holders_leave(&holders, &a[0]);
    holders_leave(&holders, &a[0]);
    holders_charge(&holders, &a[0], 5);
    assert_int_equal(holders.bytes, 605);
    assert_ptr_equal(holders_largest(&holders), &b);
    assert_int_equal(enter(&c, "192.0.2.3", 1), 0);
    holders_leave(&holders, &a[1]);
    holders_leave(&holders, &b);
    holders_leave(&holders, &c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_leaves_room_for_others, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_largest_of_who_has_most, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
