/* Links of varying rate, from traces in Mahimahi's format: what each opportunity carries, and which are lost. */
#include "unit/sim/lanes.h"

#define MS NS_PER_MS

static uint32_t some_ms[] = {10, 20, 20, 50};
static const struct rate_trace some = {some_ms, HW_ARRAY_LEN(some_ms)};

static void a_full_packet_takes_one_opportunity(void **state)
{
    (void)state;
    static const uint64_t period[] = {10, 20, 20, 50};
    struct bench b;
    bench_start(&b, (struct lane_config){.trace = &some});
    for (uint32_t i = 0; i < 400; i++)
        push(&b, T0, 1500, i);
    for (uint32_t i = 0; i < 400; i++) /* it wraps after 50 ms */
        expect_exit(&b, T0 + (i / 4 * 50 + period[i % 4]) * MS, i);
    expect_silence(&b);
    bench_finish(&b);
}

static void small_packets_share_and_large_ones_span(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b, (struct lane_config){.trace = &some});
    for (uint32_t i = 0; i < 4; i++)
        push(&b, T0, 500, i);
    for (uint32_t i = 4; i < 6; i++)
        push(&b, T0, 1900, i);
    push(&b, T0, 100, 6);
    for (uint32_t i = 0; i < 3; i++)
        expect_exit(&b, T0 + 10 * MS, i); /* 1500 bytes of the first */
    expect_exit(&b, T0 + 20 * MS, 3);     /* 500 of the second */
    expect_exit(&b, T0 + 20 * MS, 4);     /* 1000 of the second, 900 of the third */
    expect_exit(&b, T0 + 50 * MS, 5);     /* 600 of the third, 1300 of the fourth */
    expect_exit(&b, T0 + 50 * MS, 6);     /* 100 more */
    bench_finish(&b);
}

static void an_idle_link_loses_its_opportunities(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b, (struct lane_config){.trace = &some});
    push(&b, T0 + 25 * MS, 1500, 0); /* 10, 20 and 20 are gone */
    expect_exit(&b, T0 + 50 * MS, 0);
    push(&b, T0 + 70 * MS, 1500, 1); /* both at 70 are there still */
    expect_exit(&b, T0 + 70 * MS, 1);
    push(&b, T0 + 1001 * MS, 1500, 2); /* twenty periods later */
    expect_exit(&b, T0 + 1010 * MS, 2);
    bench_finish(&b);
}

/* The rest of an opportunity is for what waits at that time. */
static void the_rest_of_an_opportunity_is_not_kept(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b, (struct lane_config){.trace = &some});
    push(&b, T0, 500, 0);
    expect_exit(&b, T0 + 10 * MS, 0);
    push(&b, T0 + 15 * MS, 500, 1);
    expect_exit(&b, T0 + 20 * MS, 1);
    bench_finish(&b);
}

/* Twelve opportunities a millisecond are 144 Mbit/s, for ten seconds. */
static void many_periods_do_not_drift(void **state)
{
    (void)state;
    static uint32_t dense_ms[] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    static const struct rate_trace dense = {dense_ms, HW_ARRAY_LEN(dense_ms)};
    struct bench b;
    bench_start(&b, (struct lane_config){.trace = &dense});
    push(&b, T0, 1500, 0);
    for (uint32_t i = 0; i < 120000; i++) {
        push(&b, T0, 1500, i + 1);
        expect_exit(&b, T0 + (i / 12 + 1) * MS, i);
    }
    bench_finish(&b);
}

static void a_trace_begins_when_it_is_set(void **state)
{
    (void)state;
    struct bench b;
    struct lane_config config = {.rate_bps = 12000000};
    bench_start(&b, config);
    push(&b, T0, 1500, 0);
    expect_exit(&b, T0 + MS, 0);
    config.trace = &some;
    lane_configure(&b.lane, &config, T0 + 7 * MS);
    push(&b, T0 + 8 * MS, 1500, 1);
    expect_exit(&b, T0 + 17 * MS, 1);
    config.delay_ns = 3 * MS; /* the same trace goes on */
    lane_configure(&b.lane, &config, T0 + 20 * MS);
    push(&b, T0 + 20 * MS, 1500, 2);
    expect_exit(&b, T0 + 30 * MS, 2);
    config.trace = NULL;
    lane_configure(&b.lane, &config, T0 + 40 * MS);
    push(&b, T0 + 40 * MS, 1500, 3);
    expect_exit(&b, T0 + 44 * MS, 3);
    bench_finish(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_packet_takes_one_opportunity),
        cmocka_unit_test(small_packets_share_and_large_ones_span),
        cmocka_unit_test(an_idle_link_loses_its_opportunities),
        cmocka_unit_test(the_rest_of_an_opportunity_is_not_kept),
        cmocka_unit_test(many_periods_do_not_drift),
        cmocka_unit_test(a_trace_begins_when_it_is_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
