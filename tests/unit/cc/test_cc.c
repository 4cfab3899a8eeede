/* What holds for every controller. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "flow.h"
#include "support.h"

static const struct hawser_congestion *const controllers[] = {&cc_reno, &cc_cubic};

static void found_by_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < HW_ARRAY_LEN(controllers); i++)
        assert_ptr_equal(hawser_congestion_find(controllers[i]->name), controllers[i]);
    assert_ptr_equal(hawser_congestion_find("reno"), &cc_reno);
    assert_ptr_equal(hawser_congestion_find("cubic"), &cc_cubic);
    assert_null(hawser_congestion_find(""));
    assert_null(hawser_congestion_find("Cubic"));
    assert_null(hawser_congestion_find("cubic2"));
    size_t n = 0;
    for (; hawser_congestion_at(n); n++) {
        assert_ptr_equal(hawser_congestion_find(hawser_congestion_at(n)->name), hawser_congestion_at(n));
        assert_int_equal(cc_check(hawser_congestion_at(n)), 0);
    }
    assert_int_equal(n, 3);
}

static void absurd_ack(struct hawser_flow *flow, const struct hawser_ack *ack)
{
    flow->cwnd_bytes = ack->now_ns ? UINT32_MAX : 0;
    flow->ssthresh_bytes = 0;
}
static void absurd_loss(struct hawser_flow *flow, const struct hawser_loss *loss)
{
    (void)loss;
    flow->cwnd_bytes = flow->ssthresh_bytes = 0;
}
static const struct hawser_congestion absurd = {
    .size = sizeof absurd, .name = "absurd", .on_ack = absurd_ack, .on_loss = absurd_loss, .on_timeout = absurd_loss};

/* A table from outside: what it must have, and what becomes of what it sets. */
static void tables_are_looked_at(void **state)
{
    (void)state;
    assert_int_equal(cc_check(NULL), 0);
    assert_int_equal(cc_check(&absurd), 0);
    struct hawser_congestion wrong[6] = {absurd, absurd, absurd, absurd, absurd, absurd};
    wrong[0].name = "";
    wrong[1].on_ack = NULL;
    wrong[2].on_loss = NULL;
    wrong[3].on_timeout = NULL;
    wrong[4].state_bytes = HAWSER_CONGESTION_STATE_MAX + 1;
    wrong[5].size = 8;
    for (size_t i = 0; i < HW_ARRAY_LEN(wrong); i++)
        assert_int_equal(cc_check(&wrong[i]), -EINVAL);
    struct {
        struct hawser_congestion known;
        void *unknown;
    } newer = {absurd, &newer};
    newer.known.size = sizeof newer;
    assert_int_equal(cc_check(&newer.known), -E2BIG);
}

static void no_controller_breaks_the_window(void **state)
{
    (void)state;
    struct flow f;
    flow_init(&f, &absurd, 1448, 50 * NS_PER_MS);
    flow_ack(&f, 1448, true);
    assert_int_equal(f.cc.cwnd_bytes, CWND_MAX);
    assert_int_equal(f.cc.ssthresh_bytes, 1448);
    flow_loss(&f);
    assert_int_equal(f.cc.cwnd_bytes, 1448);
    flow_timeout(&f);
    assert_int_equal(f.cc.cwnd_bytes, 1448);
    const struct hawser_loss one = {.now_ns = f.now_ns, .lost_bytes = 1448, .size_bytes = 1448};
    cc_on_lost(&f.cc, &one); /* of which it does not want to hear */
    cc_on_recovery_end(&f.cc);
    cc_undo(&f.cc);
    cc_fold(&f.cc);
    assert_int_equal(f.cc.cwnd_bytes, 1448);
}

/* RFC 3465 2.3: without pacing, two segments an acknowledgement, however much that covers. */
static void unpaced_slow_start_is_limited(void **state)
{
    (void)state;
    for (size_t i = 0; i < HW_ARRAY_LEN(controllers); i++) {
        struct hawser_ack ack = {.now_ns = 1, .acked_bytes = 10 * 1448, .cwnd_limited = true};
        struct flow f;
        flow_init(&f, controllers[i], 1448, 50 * NS_PER_MS);
        f.cc.srtt_ns = 0;
        assert_false(cc_is_paced(&f.cc));
        cc_on_ack(&f.cc, &ack);
        assert_int_equal(f.cc.cwnd_bytes, 12 * 1448);
        f.cc.srtt_ns = 50 * NS_PER_MS;
        assert_true(cc_is_paced(&f.cc));
        cc_on_ack(&f.cc, &ack);
        assert_int_equal(f.cc.cwnd_bytes, 22 * 1448);
    }
}

/* RFC 6928 2: min(10 * MSS, max(2 * MSS, 14600)). */
static void initial_window(void **state)
{
    (void)state;
    static const struct {
        uint32_t mss, cwnd;
    } cases[] = {{1, 10}, {536, 5360}, {1448, 14480}, {1460, 14600}, {2000, 14600}, {8948, 17896}, {65535, 131070}};
    for (size_t i = 0; i < HW_ARRAY_LEN(cases); i++) {
        struct hawser_flow cc;
        memset(&cc, 0xff, sizeof cc);
        cc_init(&cc, &cc_reno, cases[i].mss);
        assert_int_equal(cc.cwnd_bytes, cases[i].cwnd);
        assert_int_equal(cc.segment_bytes, cases[i].mss);
        assert_int_equal(cc.ssthresh_bytes, UINT32_MAX);
        assert_int_equal(cc.pacing_bps, 0);
        assert_true(cc_in_slow_start(&cc));
    }
}

static void slow_start_doubles_each_round(void **state)
{
    (void)state;
    static const uint32_t ack_segments[] = {1, 2, 44};
    for (size_t i = 0; i < HW_ARRAY_LEN(controllers); i++) {
        for (size_t k = 0; k < HW_ARRAY_LEN(ack_segments); k++) {
            struct flow f;
            flow_init(&f, controllers[i], 1448, 50 * NS_PER_MS);
            f.ack_bytes = ack_segments[k] * 1448;
            uint32_t expected = f.cc.cwnd_bytes;
            for (int round = 0; round < 10; round++) {
                flow_round(&f);
                expected *= 2;
                assert_int_equal(f.cc.cwnd_bytes, expected);
            }
            assert_true(cc_in_slow_start(&f.cc));
        }
    }
}

static void slow_start_ends_at_ssthresh(void **state)
{
    (void)state;
    for (size_t i = 0; i < HW_ARRAY_LEN(controllers); i++) {
        struct flow f;
        flow_init(&f, controllers[i], 1000, 50 * NS_PER_MS);
        f.cc.ssthresh_bytes = 12345;
        flow_ack(&f, 2000, true);
        assert_int_equal(f.cc.cwnd_bytes, 12000);
        flow_ack(&f, 2000, false);
        assert_int_equal(f.cc.cwnd_bytes, 12345);
    }
}

/* RFC 9438 5.8, RFC 5681 2: a window that is not used says nothing about what the path would carry. */
static void no_growth_without_demand(void **state)
{
    (void)state;
    for (size_t i = 0; i < HW_ARRAY_LEN(controllers); i++) {
        for (int settled = 0; settled <= 1; settled++) {
            struct flow f;
            flow_init(&f, controllers[i], 1448, 50 * NS_PER_MS);
            if (settled)
                flow_settle(&f, 100);
            f.app_limited = true;
            uint32_t before = f.cc.cwnd_bytes;
            for (int round = 0; round < 300; round++)
                flow_round(&f);
            assert_int_equal(f.cc.cwnd_bytes, before);
        }
    }
}

static void loss_and_timeout_have_floors(void **state)
{
    (void)state;
    for (size_t i = 0; i < HW_ARRAY_LEN(controllers); i++) {
        struct flow f;
        flow_init(&f, controllers[i], 1448, 50 * NS_PER_MS);
        for (int n = 0; n < 10; n++) {
            lose(&f.cc, f.now_ns, n % 2 ? f.cc.cwnd_bytes : 0);
            assert_true(f.cc.cwnd_bytes >= 2 * 1448);
            assert_int_equal(f.cc.cwnd_bytes, f.cc.ssthresh_bytes);
        }
        assert_int_equal(f.cc.cwnd_bytes, 2 * 1448);
        f.cc.cwnd_bytes = 100 * 1448;
        flow_timeout(&f);
        assert_int_equal(f.cc.cwnd_bytes, 1448);
        assert_in_range(f.cc.ssthresh_bytes, 50 * 1448, 70 * 1448);
        assert_true(cc_in_slow_start(&f.cc));
        flow_timeout(&f);
        assert_int_equal(f.cc.cwnd_bytes, 1448);
        assert_int_equal(f.cc.ssthresh_bytes, 2 * 1448);
    }
}

/* What seems to be in flight beyond the window is no reason to enlarge it. */
static void loss_never_raises_a_window(void **state)
{
    (void)state;
    for (size_t i = 0; i < HW_ARRAY_LEN(controllers); i++) {
        struct flow f;
        flow_init(&f, controllers[i], 1448, 50 * NS_PER_MS);
        f.cc.cwnd_bytes = 100 * 1448;
        lose(&f.cc, f.now_ns, 100000 * 1448);
        assert_in_range(f.cc.cwnd_bytes, 50 * 1448, 70 * 1448);
    }
}

static void undo_goes_back_once(void **state)
{
    (void)state;
    for (size_t i = 0; i < HW_ARRAY_LEN(controllers); i++) {
        for (int timeout = 0; timeout <= 1; timeout++) {
            struct flow f;
            flow_init(&f, controllers[i], 1448, 50 * NS_PER_MS);
            cc_undo(&f.cc); /* nothing to undo */
            assert_int_equal(f.cc.cwnd_bytes, 14480);
            assert_int_equal(f.cc.ssthresh_bytes, UINT32_MAX);
            f.cc.cwnd_bytes = 100 * 1448;
            f.cc.ssthresh_bytes = 80 * 1448;
            if (timeout)
                flow_timeout(&f);
            else
                flow_loss(&f);
            assert_true(f.cc.cwnd_bytes < 100 * 1448);
            cc_undo(&f.cc);
            assert_int_equal(f.cc.cwnd_bytes, 100 * 1448);
            assert_int_equal(f.cc.ssthresh_bytes, 80 * 1448);
            f.cc.cwnd_bytes = 10 * 1448; /* as if reduced by another hand: a second undo has no say */
            cc_undo(&f.cc);
            assert_int_equal(f.cc.cwnd_bytes, 10 * 1448);
        }
    }
}

static uint32_t any_u32(struct prng *rng) { return (uint32_t)(prng_next(rng) >> (32 + prng_below(rng, 32))); }

static struct hawser_ack any_ack(struct prng *rng, uint64_t now_ns)
{
    uint64_t rtt = prng_below(rng, 4) ? prng_below(rng, 10 * NS_PER_S) : 0;
    uint32_t acked = any_u32(rng);
    return (struct hawser_ack){
        .now_ns = now_ns,
        .acked_bytes = acked,
        .rate = {.newly_acked_bytes = acked, .prior_in_flight_bytes = any_u32(rng), .rtt_ns = rtt},
        .cwnd_limited = prng_below(rng, 4) > 0,
        .round_start = prng_below(rng, 8) == 0,
    };
}

static void assert_ack_is_sane(struct hawser_flow *cc, const struct hawser_ack *ack)
{
    uint32_t before = cc->cwnd_bytes;
    cc_on_ack(cc, ack);
    assert_in_range(cc->cwnd_bytes, cc->segment_bytes, CWND_MAX);
    assert_true(cc->cwnd_bytes >= before);
    assert_true(ack->cwnd_limited || cc->cwnd_bytes == before);
    assert_true((uint64_t)cc->cwnd_bytes <= (uint64_t)before + ack->rate.newly_acked_bytes + 2 * cc->segment_bytes);
}

/* Any order of events with any numbers leaves a window in bounds. The sanitizers watch the arithmetic. */
static void any_input_keeps_the_bounds(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {1, 2, 64, 536, 1448, 8948, 65535};
    uint64_t seed = test_seed();
    for (uint64_t run = 0; run < 400; run++) {
        struct prng rng;
        struct hawser_flow cc;
        uint64_t memory[HAWSER_CONGESTION_STATE_MAX / 8];
        prng_seed(&rng, seed + run);
        uint64_t now = prng_below(&rng, 2) ? 0 : prng_next(&rng) >> 2;
        cc_init(&cc, controllers[run % 2], sizes[prng_below(&rng, HW_ARRAY_LEN(sizes))]);
        cc_resume(&cc, memory, 1, 0);
        for (int step = 0; step < 400; step++) {
            now += prng_below(&rng, 20) ? prng_below(&rng, NS_PER_S) : prng_below(&rng, 100000 * NS_PER_S);
            uint32_t flight = any_u32(&rng), before = cc.cwnd_bytes;
            struct hawser_ack ack = any_ack(&rng, now);
            cc.srtt_ns = prng_below(&rng, 4) ? ack.rate.rtt_ns : 0;
            cc.min_rtt_ns = ack.rate.rtt_ns / 2;
            switch (prng_below(&rng, 17)) {
            case 16:
                cc_fold(&cc);
                cc_resume(&cc, memory, 1, 0);
                break;
            case 0:
                lose(&cc, now, flight);
                assert_in_range(cc.cwnd_bytes, 2 * cc.segment_bytes, CWND_MAX);
                assert_int_equal(cc.cwnd_bytes, cc.ssthresh_bytes);
                assert_true(cc.cwnd_bytes <= HW_MAX(before, 2 * cc.segment_bytes));
                break;
            case 1:
                time_out(&cc, now, flight);
                assert_int_equal(cc.cwnd_bytes, cc.segment_bytes);
                assert_in_range(cc.ssthresh_bytes, 2 * cc.segment_bytes, CWND_MAX);
                break;
            case 2:
                cc_undo(&cc);
                assert_in_range(cc.cwnd_bytes, before, CWND_MAX);
                break;
            case 3:
                rest(&cc, prng_next(&rng) >> prng_below(&rng, 64), now);
                assert_int_equal(cc.cwnd_bytes, before);
                break;
            default:
                assert_ack_is_sane(&cc, &ack);
            }
        }
    }
}

static void huge_windows_do_not_wrap(void **state)
{
    (void)state;
    for (size_t i = 0; i < HW_ARRAY_LEN(controllers); i++) {
        for (int settled = 0; settled <= 1; settled++) {
            struct flow f;
            flow_init(&f, controllers[i], 65535, NS_PER_S);
            f.cc.cwnd_bytes = UINT32_MAX - 1;
            if (settled)
                flow_loss(&f);
            for (int n = 0; n < 100; n++) {
                f.now_ns += 1000 * NS_PER_S;
                flow_ack(&f, UINT32_MAX, true);
                assert_in_range(f.cc.cwnd_bytes, CWND_MAX / 2, CWND_MAX);
            }
            assert_int_equal(f.cc.cwnd_bytes, CWND_MAX);
        }
    }
}

static void no_segment_size_divides_by_zero(void **state)
{
    (void)state;
    for (size_t i = 0; i < HW_ARRAY_LEN(controllers); i++) {
        struct flow f;
        flow_init(&f, controllers[i], 0, 0); /* nor a round trip of 0 */
        flow_loss(&f);
        f.ack_bytes = 1;
        for (int round = 0; round < 20; round++)
            flow_round(&f);
        assert_true(f.cc.cwnd_bytes >= 2);
    }
}

/* RFC 5681 4.1: the restart window is the initial one; slow start leads back to near where it was. */
static void restarts_after_silence(void **state)
{
    (void)state;
    static const struct hawser_congestion *const all[] = {&cc_reno, &cc_cubic};
    for (size_t i = 0; i < HW_ARRAY_LEN(all); i++) {
        struct hawser_flow cc;
        uint64_t memory[HAWSER_CONGESTION_STATE_MAX / 8];
        cc_init(&cc, all[i], 1460);
        cc_resume(&cc, memory, 1, 0);
        uint32_t initial = cc.cwnd_bytes;
        cc_restart(&cc, NS_PER_S, NS_PER_S);
        assert_int_equal(cc.cwnd_bytes, initial);
        assert_int_equal(cc.ssthresh_bytes, UINT32_MAX);
        cc.cwnd_bytes = 1000 * 1460;
        cc.ssthresh_bytes = 500 * 1460;
        cc_restart(&cc, NS_PER_S, NS_PER_S);
        assert_int_equal(cc.cwnd_bytes, initial);
        assert_int_equal(cc.ssthresh_bytes, 750 * 1460);
        cc.cwnd_bytes = 1000 * 1460;
        cc.pacing_bps = 1000000;
        cc_restart(&cc, NS_PER_S, NS_PER_S);
        assert_int_equal(cc.cwnd_bytes, 1000 * 1460);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(restarts_after_silence),
        cmocka_unit_test(found_by_name),
        cmocka_unit_test(tables_are_looked_at),
        cmocka_unit_test(no_controller_breaks_the_window),
        cmocka_unit_test(unpaced_slow_start_is_limited),
        cmocka_unit_test(initial_window),
        cmocka_unit_test(slow_start_doubles_each_round),
        cmocka_unit_test(slow_start_ends_at_ssthresh),
        cmocka_unit_test(no_growth_without_demand),
        cmocka_unit_test(loss_and_timeout_have_floors),
        cmocka_unit_test(loss_never_raises_a_window),
        cmocka_unit_test(undo_goes_back_once),
        cmocka_unit_test(any_input_keeps_the_bounds),
        cmocka_unit_test(huge_windows_do_not_wrap),
        cmocka_unit_test(no_segment_size_divides_by_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
