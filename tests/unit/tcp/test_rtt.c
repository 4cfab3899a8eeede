#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tcp/rtt.h"

#define MS NS_PER_MS

static void first_sample(void **state)
{
    (void)state;
    struct rtt r;
    rtt_init(&r);
    assert_true(rtt_timeout(&r) == NS_PER_S); /* RFC 6298 2.1 */
    rtt_sample(&r, 400 * MS, 0);
    assert_true(r.srtt_ns == 400 * MS && r.rttvar_ns == 200 * MS && rtt_rto(&r) == 1200 * MS); /* 2.2 */
}

static void later_samples(void **state)
{
    (void)state;
    struct rtt r;
    rtt_init(&r);
    rtt_sample(&r, 400 * MS, 0);
    rtt_sample(&r, 480 * MS, 1);
    assert_true(r.rttvar_ns == 170 * MS); /* 3/4 * 200 + 1/4 * 80 */
    assert_true(r.srtt_ns == 410 * MS);   /* 7/8 * 400 + 1/8 * 480 */
    assert_true(rtt_rto(&r) == 1090 * MS);
}

static void a_steady_path_keeps_the_floor(void **state)
{
    (void)state;
    struct rtt r;
    rtt_init(&r);
    for (uint64_t i = 0; i < 200; i++)
        rtt_sample(&r, 10 * MS, i * MS);
    assert_true(rtt_timeout(&r) == 10 * MS + RTO_MIN_NS);
}

/* The timeout grows, the round trip does not. */
static void a_doubtful_round_trip(void **state)
{
    (void)state;
    struct rtt r;
    rtt_init(&r);
    rtt_doubt(&r, 3000 * MS);
    assert_true(r.srtt_ns == 0 && rtt_rto(&r) == NS_PER_S);
    rtt_sample(&r, 20 * MS, 0);
    rtt_doubt(&r, 3000 * MS);
    assert_true(r.srtt_ns == 20 * MS && r.min_ns == 20 * MS && rtt_rto(&r) > 3000 * MS);
}

static void backing_off(void **state)
{
    (void)state;
    struct rtt r;
    rtt_init(&r);
    rtt_sample(&r, 100 * MS, 0);
    uint64_t last = rtt_timeout(&r);
    for (int i = 0; i < 30; i++) {
        rtt_back_off(&r);
        uint64_t next = rtt_timeout(&r);
        assert_true(next == (2 * last < RTO_MAX_NS ? 2 * last : RTO_MAX_NS));
        last = next;
    }
    rtt_sample(&r, 100 * MS, 1);
    assert_true(rtt_timeout(&r) < NS_PER_S);
}

static void the_least_is_forgotten_in_time(void **state)
{
    (void)state;
    struct rtt r;
    rtt_init(&r);
    rtt_sample(&r, 10 * MS, 0);
    rtt_sample(&r, 50 * MS, NS_PER_S);
    assert_true(r.min_ns == 10 * MS);
    rtt_sample(&r, 50 * MS, 31 * NS_PER_S);
    assert_true(r.min_ns == 50 * MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_sample),
        cmocka_unit_test(later_samples),
        cmocka_unit_test(a_steady_path_keeps_the_floor),
        cmocka_unit_test(a_doubtful_round_trip),
        cmocka_unit_test(backing_off),
        cmocka_unit_test(the_least_is_forgotten_in_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
