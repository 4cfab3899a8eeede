/* One direction of a link against arithmetic: rate, delay, jitter, order, size, cuts and changes. */
#include "unit/sim/lanes.h"

#define MS NS_PER_MS

static void rate_and_delay(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b, (struct lane_config){.rate_bps = 12000000, .delay_ns = 5 * MS}); /* 1500 bytes take 1 ms */
    for (uint32_t i = 0; i < 10; i++)
        push(&b, T0, 1500, i);
    assert_true(lane_backlog(&b.lane) == 9 * 1500);
    for (uint32_t i = 0; i < 10; i++)
        expect_exit(&b, T0 + (i + 1) * MS + 5 * MS, i);
    expect_silence(&b);
    assert_true(b.lane.counters.busy_ns == 10 * MS);
    assert_true(b.lane.counters.delivered_bytes == 15000);
    bench_finish(&b);
}

/* The n-th packet of a busy link leaves at the whole part of bits / rate, exactly, however many came before. */
static void rounding_does_not_add_up(void **state)
{
    (void)state;
    static const uint64_t rates[] = {9600, 7000003, 12000000, 100000000, 999999937, UINT64_C(100000000000)};
    for (size_t r = 0; r < HW_ARRAY_LEN(rates); r++) {
        struct bench b;
        uint64_t bytes = 0;
        bench_start(&b, (struct lane_config){.rate_bps = rates[r]});
        push(&b, T0, 1000, 0);
        for (uint32_t i = 0; i < 100000; i++) {
            uint32_t len = 1000 + i % 7 * 83;
            push(&b, T0, 1000 + (i + 1) % 7 * 83, i + 1); /* always one more waits */
            bytes += len;
            expect_exit(&b, T0 + bytes * 8 * NS_PER_S / rates[r], i);
        }
        bench_finish(&b);
    }
}

static void an_idle_link_sends_at_once(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b, (struct lane_config){.rate_bps = 7000003, .delay_ns = MS});
    for (uint32_t i = 0; i < 100; i++) {
        uint64_t at = T0 + i * 10 * MS + i;
        push(&b, at, 1499, i);
        expect_exit(&b, at + UINT64_C(1499) * 8 * NS_PER_S / 7000003 + MS, i);
    }
    bench_finish(&b);
}

static void without_a_rate_nothing_queues(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b, (struct lane_config){.delay_ns = MS, .queue = {.packets = 1}});
    for (uint32_t i = 0; i < 500; i++)
        push(&b, T0, 1500, i);
    for (uint32_t i = 0; i < 500; i++)
        expect_exit(&b, T0 + MS, i);
    assert_true(b.lane.counters.lost_queue == 0);
    bench_finish(&b);
}

struct spread {
    uint64_t sum, least, most;
    unsigned overtaken; /* left after one that entered later */
};

/* Sends `n` packets `gap_ns` apart and measures how long each took. */
static struct spread measure(struct bench *b, uint32_t n, uint64_t gap_ns)
{
    struct spread s = {.least = UINT64_MAX};
    uint32_t newest = 0;
    for (uint32_t i = 0; i < n; i++)
        push(b, T0 + i * gap_ns, 100, i);
    for (struct exit out; (out = next_exit(b, TIME_NEVER - 1)).at_ns != TIME_NEVER;) {
        uint64_t took = out.at_ns - T0 - out.number * gap_ns;
        s.sum += took;
        s.least = HW_MIN(s.least, took);
        s.most = HW_MAX(s.most, took);
        s.overtaken += out.number < newest;
        newest = HW_MAX(newest, out.number);
    }
    return s;
}

static void jitter_is_uniform_in_its_bounds(void **state)
{
    (void)state;
    enum { N = 20000 };
    struct bench b;
    bench_start(&b, (struct lane_config){.delay_ns = 10 * MS, .jitter_ns = 4 * MS});
    struct spread s = measure(&b, N, NS_PER_S);
    assert_in_range(s.least, 10 * MS, 10 * MS + 4 * MS / 1000); /* a thousandth is missed with e^-20 */
    assert_in_range(s.most, 14 * MS - 4 * MS / 1000, 14 * MS);
    /* 12 ms, within five of 4 ms / sqrt(12 N) = 8165 ns */
    assert_in_range(s.sum / N, 12 * MS - 41000, 12 * MS + 41000);
    assert_int_equal(s.overtaken, 0);
    bench_finish(&b);
}

static void jitter_keeps_the_order_unless_told(void **state)
{
    (void)state;
    enum { N = 20000 };
    for (unsigned reorders = 0; reorders < 2; reorders++) {
        struct bench b;
        bench_start(&b, (struct lane_config){.delay_ns = 10 * MS, .jitter_ns = 4 * MS, .jitter_reorders = reorders});
        struct spread s = measure(&b, N, MS);
        assert_in_range(s.least, 10 * MS, 14 * MS);
        assert_in_range(s.most, 10 * MS, 14 * MS);
        if (reorders)
            assert_in_range(s.sum / N, 12 * MS - 41000, 12 * MS + 41000);
        /* Overtaken by one of the three after it: 1 ms behind with (3/4)^2 / 2, 2 ms with (1/2)^2 / 2, 3 ms with
         * (1/4)^2 / 2; together between the greatest of them and their sum. */
        if (reorders)
            assert_in_range(s.overtaken, N * 281 / 1000, N * 438 / 1000);
        else
            assert_int_equal(s.overtaken, 0);
        bench_finish(&b);
    }
}

static void reordered_packets_come_late_by_a_known_time(void **state)
{
    (void)state;
    enum { N = 20000 };
    struct bench b;
    unsigned late = 0;
    bench_start(&b, (struct lane_config){.delay_ns = 10 * MS, .reorder_ppm = 100000, .reorder_ns = 5 * MS / 2});
    struct spread s = measure(&b, N, MS);
    late = (unsigned)b.lane.counters.reordered;
    assert_in_range(late, 2000 - 213, 2000 + 213); /* five of sqrt(N 0.1 0.9) = 42.4 */
    assert_true(s.least == 10 * MS && s.most == 10 * MS + 5 * MS / 2);
    assert_true(s.sum == N * (10 * MS) + late * (5 * MS / 2));
    /* Late and one of the two after it is not: 1 - 0.01. The last two cannot be overtaken. */
    assert_in_range(s.overtaken, late * 97 / 100, late);
    bench_finish(&b);
}

static void duplicates_arrive_as_well(void **state)
{
    (void)state;
    enum { N = 20000 };
    struct bench b;
    unsigned seen[N] = {0}, twice = 0;
    bench_start(&b, (struct lane_config){.delay_ns = MS, .duplicate_ppm = 50000});
    for (uint32_t i = 0; i < N; i++)
        push(&b, T0 + i * MS, 100, i);
    for (struct exit out; (out = next_exit(&b, TIME_NEVER - 1)).at_ns != TIME_NEVER;) {
        assert_true(out.at_ns == T0 + (out.number + 1) * MS);
        seen[out.number]++;
    }
    for (uint32_t i = 0; i < N; i++) {
        assert_in_range(seen[i], 1, 2);
        twice += seen[i] == 2;
    }
    assert_int_equal(twice, b.lane.counters.duplicated);
    assert_in_range(twice, 1000 - 155, 1000 + 155); /* five of sqrt(N 0.05 0.95) = 30.8 */
    assert_true(b.lane.counters.delivered == N + twice);
    bench_finish(&b);
}

static void packets_above_the_mtu_are_lost(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b, (struct lane_config){.mtu = 1400});
    push(&b, T0, 1400, 1);
    push(&b, T0, 1401, 2);
    push(&b, T0, 20, 3);
    expect_exit(&b, T0, 1);
    expect_exit(&b, T0, 3);
    expect_silence(&b);
    assert_true(b.lane.counters.lost_size == 1 && b.lane.counters.entered == 3);
    bench_finish(&b);
}

/* ---- changes on the way ---- */

static void nothing_passes_while_down(void **state)
{
    (void)state;
    struct bench b;
    struct lane_config config = {.rate_bps = 12000000, .delay_ns = 10 * MS};
    bench_start(&b, config);
    for (uint32_t i = 0; i < 10; i++) /* they leave the transmitter at 1, 2, ... 10 ms and the wire at 11, ... 20 ms */
        push(&b, T0, 1500, i);
    assert_int_equal(drain(&b, T0 + 13 * MS), 3);
    config.down = true;
    lane_configure(&b.lane, &config, T0 + 13 * MS);
    assert_int_equal(drain(&b, T0 + 16 * MS), 0); /* 3, 4 and 5 were due */
    for (uint32_t i = 10; i < 15; i++)
        push(&b, T0 + 16 * MS, 1500, i);
    config.down = false;
    lane_configure(&b.lane, &config, T0 + 16 * MS);
    for (uint32_t i = 6; i < 10; i++)
        expect_exit(&b, T0 + (11 + i) * MS, i);
    assert_true(b.lane.counters.lost_down == 3 + 5);
    for (uint32_t i = 20; i < 120; i++) { /* as before the cut */
        push(&b, T0 + i * MS, 1500, i);
        expect_exit(&b, T0 + (i + 11) * MS, i);
    }
    expect_silence(&b);
    bench_finish(&b);
}

static void a_new_rate_holds_for_what_is_sent_next(void **state)
{
    (void)state;
    struct bench b;
    struct lane_config config = {.rate_bps = 12000000};
    bench_start(&b, config);
    for (uint32_t i = 0; i < 6; i++)
        push(&b, T0, 1500, i);
    expect_exit(&b, T0 + MS, 0);
    config.rate_bps = 1200000; /* 10 ms a packet; number 1 is on its way already */
    lane_configure(&b.lane, &config, T0 + 3 * MS / 2);
    expect_exit(&b, T0 + 2 * MS, 1);
    expect_exit(&b, T0 + 12 * MS, 2);
    config.rate_bps = 0;
    lane_configure(&b.lane, &config, T0 + 13 * MS);
    for (uint32_t i = 3; i < 6; i++)
        expect_exit(&b, T0 + 22 * MS, i);
    bench_finish(&b);
}

/* What is left of a division counts in units of its own rate. */
static void a_new_rate_forgets_the_old_remainder(void **state)
{
    (void)state;
    struct bench b;
    struct lane_config config = {.rate_bps = 999999937};
    bench_start(&b, config);
    push(&b, T0, 1500, 0);
    push(&b, T0, 1500, 1);
    push(&b, T0, 1000, 2);
    config.rate_bps = 100000;
    lane_configure(&b.lane, &config, T0);
    expect_exit(&b, T0 + 12000, 0); /* 12000.0008 ns: a remainder of 756000, which would now be 7 ns */
    expect_exit(&b, T0 + 12000 + 120 * MS, 1);
    expect_exit(&b, T0 + 12000 + 200 * MS, 2);
    bench_finish(&b);
}

static void a_shorter_delay_keeps_the_order(void **state)
{
    (void)state;
    struct bench b;
    struct lane_config config = {.delay_ns = 50 * MS};
    bench_start(&b, config);
    push(&b, T0, 100, 0);
    config.delay_ns = 5 * MS;
    lane_configure(&b.lane, &config, T0 + MS);
    push(&b, T0 + MS, 100, 1);
    push(&b, T0 + 60 * MS, 100, 2);
    expect_exit(&b, T0 + 50 * MS, 0);
    expect_exit(&b, T0 + 50 * MS, 1);
    expect_exit(&b, T0 + 65 * MS, 2);
    bench_finish(&b);
}

static void a_smaller_queue_keeps_what_waits(void **state)
{
    (void)state;
    struct bench b;
    struct lane_config config = {.rate_bps = 12000000, .queue = {.packets = 10}};
    bench_start(&b, config);
    for (uint32_t i = 0; i < 11; i++) /* one in the transmitter */
        push(&b, T0, 1500, i);
    config.queue.packets = 5;
    lane_configure(&b.lane, &config, T0);
    push(&b, T0, 1500, 99);
    assert_true(b.lane.counters.lost_queue == 1);
    for (uint32_t i = 0; i < 5; i++)
        expect_exit(&b, T0 + (i + 1) * MS, i);
    push(&b, T0 + 5 * MS, 1500, 98); /* five still wait */
    assert_true(b.lane.counters.lost_queue == 2);
    expect_exit(&b, T0 + 6 * MS, 5);
    push(&b, T0 + 6 * MS, 1500, 97);
    for (uint32_t i = 6; i < 11; i++)
        expect_exit(&b, T0 + (i + 1) * MS, i);
    expect_exit(&b, T0 + 12 * MS, 97);
    bench_finish(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rate_and_delay),
        cmocka_unit_test(rounding_does_not_add_up),
        cmocka_unit_test(an_idle_link_sends_at_once),
        cmocka_unit_test(without_a_rate_nothing_queues),
        cmocka_unit_test(jitter_is_uniform_in_its_bounds),
        cmocka_unit_test(jitter_keeps_the_order_unless_told),
        cmocka_unit_test(reordered_packets_come_late_by_a_known_time),
        cmocka_unit_test(duplicates_arrive_as_well),
        cmocka_unit_test(packets_above_the_mtu_are_lost),
        cmocka_unit_test(nothing_passes_while_down),
        cmocka_unit_test(a_new_rate_holds_for_what_is_sent_next),
        cmocka_unit_test(a_new_rate_forgets_the_old_remainder),
        cmocka_unit_test(a_shorter_delay_keeps_the_order),
        cmocka_unit_test(a_smaller_queue_keeps_what_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
