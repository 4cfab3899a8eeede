/* Which user timeout counts: the program's own, or what both ends advertise, between the limits (RFC 5482 3.1). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "tcp/rtt.h"
#include "tcp/user_timeout.h"

#define LEAST (100 * NS_PER_S)
#define MOST (3600 * NS_PER_S)

static void hear(struct user_timeout *u, uint64_t ns)
{
    const struct tcp_options o = {.present = TCP_OPT_USER_TIMEOUT, .user_timeout = user_timeout_encode(ns)};
    user_timeout_read(u, &o);
}

static void the_program_s_own(void **state)
{
    (void)state;
    struct user_timeout u = {0};
    assert_int_equal(user_timeout_in_force(&u, true), 0);
    user_timeout_set(&u, 7 * NS_PER_MS - 1); /* whole milliseconds */
    assert_int_equal(user_timeout_own(&u), 7 * NS_PER_MS);
    assert_int_equal(user_timeout_in_force(&u, true), 7 * NS_PER_MS);
    assert_int_equal(user_timeout_in_force(&u, false), 7 * NS_PER_MS);
    assert_int_equal(user_timeout_shared(&u), 0);
    user_timeout_set(&u, UINT64_MAX);
    assert_int_equal(user_timeout_in_force(&u, true), TIME_NEVER);
}

/* min(U_LIMIT, max(ADV_UTO, REMOTE_UTO, L_LIMIT)) */
static void what_both_advertise(void **state)
{
    (void)state;
    static const struct {
        uint64_t advertised_ns, remote_ns, adopted_ns;
    } cases[] = {
        {NS_PER_S, 0, LEAST},
        {NS_PER_S, NS_PER_S, LEAST},
        {LEAST + NS_PER_S, 0, LEAST + NS_PER_S},
        {500 * NS_PER_S, 400 * NS_PER_S, 500 * NS_PER_S},
        {NS_PER_S, 500 * NS_PER_S, 500 * NS_PER_S},
        {NS_PER_S, MOST, MOST},
        {NS_PER_S, MOST + NS_PER_S, MOST},
        {NS_PER_S, 32767 * 60 * NS_PER_S, MOST},
        {32767 * 60 * NS_PER_S, NS_PER_S, MOST},
    };
    assert_true(LEAST > RTO_MAX_NS);
    for (size_t i = 0; i < HW_ARRAY_LEN(cases); i++) {
        struct user_timeout u = {0};
        user_timeout_advertise(&u, cases[i].advertised_ns);
        assert_int_equal(user_timeout_advertised(&u), cases[i].advertised_ns);
        if (cases[i].remote_ns)
            hear(&u, cases[i].remote_ns);
        assert_int_equal(user_timeout_remote(&u), cases[i].remote_ns);
        assert_int_equal(user_timeout_in_force(&u, true), cases[i].adopted_ns);
        assert_int_equal(user_timeout_shared(&u), cases[i].adopted_ns);
        assert_int_equal(user_timeout_in_force(&u, false), 0);
        user_timeout_set(&u, 5 * NS_PER_S); /* the program's own is not for the peer to change */
        assert_int_equal(user_timeout_in_force(&u, true), 5 * NS_PER_S);
        assert_int_equal(user_timeout_remote(&u), cases[i].remote_ns);
    }
}

/* Of two values the last one counts, however much shorter. */
static void the_last_one_counts(void **state)
{
    (void)state;
    struct user_timeout u = {0};
    user_timeout_advertise(&u, 200 * NS_PER_S);
    hear(&u, 1000 * NS_PER_S);
    hear(&u, 300 * NS_PER_S);
    assert_int_equal(user_timeout_in_force(&u, true), 300 * NS_PER_S);
    const struct tcp_options without = {.user_timeout = 7}; /* none is there */
    user_timeout_read(&u, &without);
    assert_int_equal(user_timeout_in_force(&u, true), 300 * NS_PER_S);
}

/* Neither written nor read where it is off; and once it is off again, nothing is left of it. */
static void off(void **state)
{
    (void)state;
    struct user_timeout u = {0};
    struct tcp_options o = {0};
    user_timeout_write(&u, &o);
    assert_int_equal(o.present, 0);
    hear(&u, 1000 * NS_PER_S);
    assert_int_equal(user_timeout_remote(&u), 0);
    assert_int_equal(user_timeout_in_force(&u, true), 0);
    user_timeout_advertise(&u, 200 * NS_PER_S);
    user_timeout_write(&u, &o);
    assert_int_equal(o.present, TCP_OPT_USER_TIMEOUT);
    assert_int_equal(o.user_timeout, 200);
    hear(&u, 1000 * NS_PER_S);
    user_timeout_advertise(&u, 0);
    assert_int_equal(user_timeout_advertised(&u), 0);
    assert_int_equal(user_timeout_remote(&u), 0);
    assert_int_equal(user_timeout_in_force(&u, true), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_program_s_own),
        cmocka_unit_test(what_both_advertise),
        cmocka_unit_test(the_last_one_counts),
        cmocka_unit_test(off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
