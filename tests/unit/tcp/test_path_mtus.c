/* What is remembered of paths that are narrower than their links. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/units.h"
#include "support.h"
#include "tcp/path_mtus.h"

static struct hawser_addr addr(unsigned i)
{
    struct hawser_addr a = {.ip = {[10] = 0xff, [11] = 0xff, [12] = 10}, .port = (uint16_t)i};
    a.ip[14] = (uint8_t)(i >> 8);
    a.ip[15] = (uint8_t)i;
    return a;
}

static void by_pair_of_addresses_and_for_a_time(void **state)
{
    (void)state;
    struct test_env env;
    struct counters counters = {{0}};
    struct path_mtus p;
    const struct hawser_addr a = addr(1), b = addr(2), c = addr(3);
    test_env_init(&env, 1);
    assert_int_equal(path_mtus_init(&p, &env.env, &counters), 0);
    assert_int_equal(path_mtus_find(&p, &a, &b, 0), 0);
    path_mtus_note(&p, &a, &b, 1400, 5);
    struct hawser_addr other_port = b;
    other_port.port = 9999;
    assert_int_equal(path_mtus_find(&p, &a, &other_port, 5), 1400);
    assert_int_equal(path_mtus_find(&p, &b, &a, 5), 0);
    assert_int_equal(path_mtus_find(&p, &a, &c, 5), 0);
    assert_int_equal(path_mtus_find(&p, &c, &b, 5), 0);
    assert_int_equal(path_mtus_find(&p, &a, &b, 5 + PATH_MTU_NS - 1), 1400);
    assert_int_equal(path_mtus_find(&p, &a, &b, 5 + PATH_MTU_NS), 0);
    path_mtus_note(&p, &a, &b, 1300, PATH_MTU_NS);
    assert_int_equal(path_mtus_find(&p, &a, &b, PATH_MTU_NS + 10), 1300);
    path_mtus_forget(&p, &a, &b);
    path_mtus_forget(&p, &a, &c);
    assert_int_equal(path_mtus_find(&p, &a, &b, PATH_MTU_NS + 10), 0);
    path_mtus_destroy(&p);
    test_env_check_clean(&env);
}

static void the_oldest_makes_way(void **state)
{
    (void)state;
    struct test_env env;
    struct counters counters = {{0}};
    struct path_mtus p;
    const struct hawser_addr own = addr(60000);
    test_env_init(&env, 1);
    assert_int_equal(path_mtus_init(&p, &env.env, &counters), 0);
    for (unsigned i = 0; i < PATH_MTUS_MAX; i++) {
        const struct hawser_addr to = addr(i);
        path_mtus_note(&p, &own, &to, 1400, i);
    }
    const struct hawser_addr first = addr(0), second = addr(1), one_more = addr(PATH_MTUS_MAX);
    path_mtus_note(&p, &own, &first, 1350, 1000); /* it is the latest now */
    assert_int_equal(counters.v[COUNT_LIMIT_PATH_MTUS], 0);
    path_mtus_note(&p, &own, &one_more, 1400, 1000);
    assert_int_equal(counters.v[COUNT_LIMIT_PATH_MTUS], 1);
    assert_int_equal(path_mtus_find(&p, &own, &first, 1000), 1350);
    assert_int_equal(path_mtus_find(&p, &own, &second, 1000), 0);
    assert_int_equal(path_mtus_find(&p, &own, &one_more, 1000), 1400);
    path_mtus_destroy(&p);
    test_env_check_clean(&env);
}

static void lives_without_memory(void **state)
{
    (void)state;
    struct test_env env;
    struct counters counters = {{0}};
    struct path_mtus p;
    const struct hawser_addr a = addr(1), b = addr(2);
    test_env_init(&env, 1);
    env.refuses = true;
    assert_int_equal(path_mtus_init(&p, &env.env, &counters), -12);
    env.refuses = false;
    assert_int_equal(path_mtus_init(&p, &env.env, &counters), 0);
    env.refuses = true;
    path_mtus_note(&p, &a, &b, 1400, 0);
    assert_int_equal(path_mtus_find(&p, &a, &b, 0), 0);
    env.refuses = false;
    path_mtus_note(&p, &a, &b, 1400, 0);
    assert_int_equal(path_mtus_find(&p, &a, &b, 0), 1400);
    path_mtus_destroy(&p);
    test_env_check_clean(&env);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_pair_of_addresses_and_for_a_time),
        cmocka_unit_test(the_oldest_makes_way),
        cmocka_unit_test(lives_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
