/* Who has how many connections (apps/service/guests.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "service/guests.h"
#include "support.h"

enum { MAX = 100 };

static struct test_env env;
static struct guests guests;

static struct guest *enter(const char *text)
{
    struct hawser_addr addr;
    assert_int_equal(hawser_addr_parse(&addr, text, 4000), 0);
    return guests_enter(&guests, &addr);
}

static struct guest *enter_from_the_internet(const char *text)
{
    struct hawser_addr addr;
    assert_int_equal(hawser_addr_parse(&addr, text, 4000), 0);
    guest_subscriber(&addr);
    return guests_enter(&guests, &addr);
}

static int set_up(void **state)
{
    (void)state;
    test_env_init(&env, 1);
    assert_int_equal(guests_init(&guests, &env.env, MAX), 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    assert_int_equal(guests.count, 0);
    guests_destroy(&guests);
    test_env_check_clean(&env);
    return 0;
}

/* Who comes first has half, the next one half of the rest, and so on. */
static void one_leaves_room_for_others(void **state)
{
    (void)state;
    struct guest *in[MAX];
    unsigned count = 0;
    while ((in[count] = enter("192.0.2.1")))
        count++;
    assert_int_equal(count, MAX / 2);
    while ((in[count] = enter("192.0.2.2")))
        count++;
    assert_int_equal(count, MAX * 3 / 4);
    assert_int_equal(guests.turned_away, 2);
    guests_leave(&guests, in[0]);
    in[0] = enter("192.0.2.3");
    assert_non_null(in[0]);
    for (unsigned i = 0; i < count; i++)
        guests_leave(&guests, in[i]);
}

static void all_of_them_have_room(void **state)
{
    (void)state;
    struct guest *in[MAX];
    char text[20];
    for (unsigned i = 0; i < MAX; i++) {
        snprintf(text, sizeof text, "192.0.2.%u", i);
        in[i] = enter(text);
        assert_non_null(in[i]);
    }
    assert_null(enter("192.0.2.200"));
    for (unsigned i = 0; i < MAX; i++)
        guests_leave(&guests, in[i]);
}

static void a_subscriber_of_ipv6_is_one(void **state)
{
    (void)state;
    struct guest *one = enter_from_the_internet("2001:db8:0:1::1"),
                 *same = enter_from_the_internet("2001:db8:0:1:ffff::2"),
                 *other = enter_from_the_internet("2001:db8:0:2::1");
    assert_ptr_equal(one, same);
    assert_ptr_not_equal(one, other);
    guests_leave(&guests, one);
    guests_leave(&guests, same);
    guests_leave(&guests, other);
}

/* Of a link, on which all have the same /64, and of IPv4. */
static void others_are_single_hosts(void **state)
{
    (void)state;
    struct guest *in[] = {enter("2001:db8:0:1::1"), enter("2001:db8:0:1::2"), enter_from_the_internet("192.0.2.1"),
                          enter_from_the_internet("192.0.2.2")};
    for (unsigned i = 1; i < HW_ARRAY_LEN(in); i++)
        assert_ptr_not_equal(in[i], in[i - 1]);
    for (unsigned i = 0; i < HW_ARRAY_LEN(in); i++)
        guests_leave(&guests, in[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_leaves_room_for_others, set_up, tear_down),
        cmocka_unit_test_setup_teardown(all_of_them_have_room, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_subscriber_of_ipv6_is_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(others_are_single_hosts, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
