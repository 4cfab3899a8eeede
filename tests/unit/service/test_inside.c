/* Networks of our own where nobody else has any. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>

#include "messages.h"
#include "service/inside.h"

enum { OWN = 9 };

static struct host_view view;
static struct inside inside;
static char why[300];

static int fresh(void **state)
{
    (void)state;
    memset(&view, 0, sizeof(view));
    return 0;
}

static bool is(const struct hawser_addr *addr, const char *text)
{
    struct hawser_addr other = ip(text);
    return hawser_addr_same_ip(addr, &other);
}

static void see_route(unsigned index, const char *to, unsigned len)
{
    struct netlink_message m;
    host_view_take(&view, route_message(&m, index, to, len, strchr(to, ':') ? "fe80::1" : "192.0.2.1", 0));
}

static void test_the_first_when_nothing_is_there(void **state)
{
    (void)state;
    assert_int_equal(inside_choose(&view, OWN, &inside, why, sizeof(why)), 0);
    assert_true(is(&inside.v4, "198.18.0.0"));
    assert_true(is(&inside.v6, "fd48:6177:7372::"));
    struct hawser_addr first = inside_addr(&inside, true, 0), last = inside_addr(&inside, false, 15);
    assert_true(is(&first, "198.18.0.1"));
    assert_true(is(&last, "fd48:6177:7372::10"));
}

static void test_what_is_taken_is_passed_over(void **state)
{
    (void)state;
    see_address(&view, 2, "198.18.0.200", 32, 0);
    see_route(2, "198.18.1.0", 25);
    see_route(2, "fd48:6177:7372::", 64);
    see_route(OWN, "198.18.2.0", 24); /* our own */
    assert_int_equal(inside_choose(&view, OWN, &inside, why, sizeof(why)), 0);
    assert_true(is(&inside.v4, "198.18.2.0"));
    assert_true(is(&inside.v6, "fd48:6177:7372:1::"));
    assert_false(inside_taken(&view, OWN, &inside.v4, INSIDE_V4_LEN));
    see_address(&view, 2, "198.18.2.9", 24, 0);
    assert_true(inside_taken(&view, OWN, &inside.v4, INSIDE_V4_LEN));
}

static void test_the_second_half(void **state)
{
    (void)state;
    see_route(2, "198.18.0.0", 17);
    assert_int_equal(inside_choose(&view, OWN, &inside, why, sizeof(why)), 0);
    assert_true(is(&inside.v4, "198.18.128.0"));
}

static void test_all_taken(void **state)
{
    (void)state;
    see_route(2, "198.16.0.0", 12);
    assert_int_equal(inside_choose(&view, OWN, &inside, why, sizeof(why)), -EADDRINUSE);
    assert_non_null(strstr(why, "uses all of 198.18.0.0/16"));
    fresh(NULL);
    see_route(2, "fd00::", 16);
    assert_int_equal(inside_choose(&view, OWN, &inside, why, sizeof(why)), 0); /* fd48:: is not in it */
    see_route(2, "fd48:6177:7372::", 48);
    assert_int_equal(inside_choose(&view, OWN, &inside, why, sizeof(why)), -EADDRINUSE);
    assert_non_null(strstr(why, "uses all of fd48:6177:7372::/48"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_the_first_when_nothing_is_there, fresh),
        cmocka_unit_test_setup(test_what_is_taken_is_passed_over, fresh),
        cmocka_unit_test_setup(test_the_second_half, fresh),
        cmocka_unit_test_setup(test_all_taken, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
