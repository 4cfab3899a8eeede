/* CUBIC against the formulas of RFC 9438, here in floating point and segments. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/prng.h"
#include "flow.h"

enum { MSS = 1448 };

struct reference {
    double w_max, start, k; /* segments, segments, seconds */
    uint64_t epoch_ns;
};

static double cube_root(double x)
{
    double low = 0, high = 1000;
    for (int i = 0; i < 60; i++) {
        double mid = (low + high) / 2;
        if (mid * mid * mid > x)
            high = mid;
        else
            low = mid;
    }
    return low;
}

static double apart(double a, double b) { return a > b ? a - b : b - a; }

static struct reference reference(const struct flow *f, double w_max)
{
    double start = (double)f->cc.cwnd_bytes / MSS;
    return (struct reference){w_max, start, cube_root((w_max - start) / 0.4), f->now_ns};
}

static double w_cubic(const struct reference *r, double t)
{
    double d = t - r->k;
    return 0.4 * d * d * d + r->w_max;
}

static double seconds_since(const struct flow *f, uint64_t epoch_ns)
{
    return ((double)f->now_ns - (double)epoch_ns) / 1e9;
}

static double segments(const struct flow *f) { return (double)f->cc.cwnd_bytes / MSS; }

/* Steering at W(t + RTT) over a round, the window is between the curve a round earlier and a round later. */
static void assert_on_curve(const struct flow *f, const struct reference *r)
{
    double t = seconds_since(f, r->epoch_ns), rtt = (double)f->rtt_ns / 1e9, w = segments(f);
    if (w < w_cubic(r, t - rtt) - 1 || w > w_cubic(r, t + rtt) + 1)
        fail_msg("%.1f segments after %.2f s, expected %.1f", w, t, w_cubic(r, t));
}

static void run_for(struct flow *f, const struct reference *r, double seconds)
{
    uint64_t until = f->now_ns + (uint64_t)(seconds * 1e9);
    while (f->now_ns < until) {
        flow_round(f);
        if (r)
            assert_on_curve(f, r);
    }
}

static void follows_the_curve(void **state)
{
    (void)state;
    static const uint32_t windows[] = {200, 1000, 5000};
    static const uint32_t ack_segments[] = {1, 2, 44};
    for (size_t i = 0; i < HW_ARRAY_LEN(windows); i++) {
        for (size_t k = 0; k < HW_ARRAY_LEN(ack_segments); k++) {
            struct flow f;
            flow_init(&f, &cc_cubic, MSS, 100 * NS_PER_MS);
            f.ack_bytes = ack_segments[k] * MSS;
            flow_settle(&f, windows[i]);
            assert_in_range(f.cc.cwnd_bytes, windows[i] * MSS / 10 * 7 - MSS, windows[i] * MSS / 10 * 7 + MSS);
            struct reference r = reference(&f, windows[i]);
            run_for(&f, &r, 1.5 * r.k);
        }
    }
}

static void rests_at_w_max_then_accelerates(void **state)
{
    (void)state;
    struct flow f;
    flow_init(&f, &cc_cubic, MSS, 100 * NS_PER_MS);
    flow_settle(&f, 1000);
    struct reference r = reference(&f, 1000);
    assert_true(r.k > 9 && r.k < 9.1); /* cube root of 300 / 0.4 */
    run_for(&f, &r, r.k - 1);
    double before = segments(&f);
    run_for(&f, &r, 2);
    assert_true(before > 998 && segments(&f) < 1003); /* two seconds for less than five segments */
    double last = segments(&f), last_gain = 0;
    for (int second = 0; second < 6; second++) {
        run_for(&f, &r, 1);
        double gain = segments(&f) - last;
        assert_true(gain > last_gain);
        last_gain = gain;
        last = segments(&f);
    }
    assert_true(last > 1100);
}

/* RFC 9438 4.3: where Reno would be ahead, its estimate rules: alpha segments a round at first, then one. */
static void friendly_to_reno_on_short_paths(void **state)
{
    (void)state;
    struct flow f;
    flow_init(&f, &cc_cubic, MSS, 10 * NS_PER_MS);
    flow_settle(&f, 60);
    double w_est = segments(&f);
    assert_true(w_est > 41.9 && w_est < 42.1);
    for (int round = 0; round < 150; round++) {
        flow_round(&f);
        w_est += w_est >= 60 ? 1 : 9.0 / 17;
        assert_true(apart(segments(&f), w_est) < 0.02 * w_est + 1);
    }
    assert_true(w_est > 150); /* CUBIC alone would not have reached 60 yet */
}

/* RFC 9438 4.7: who loses below the last maximum aims at 0.85 of what it had. */
static void converges_fast(void **state)
{
    (void)state;
    struct flow f;
    flow_init(&f, &cc_cubic, MSS, 100 * NS_PER_MS);
    flow_settle(&f, 1000);
    struct reference r = reference(&f, 1000);
    run_for(&f, &r, 4);
    double lost_at = segments(&f);
    assert_true(lost_at < 960);
    flow_loss(&f);
    r = reference(&f, lost_at * 0.85);
    assert_true(apart(segments(&f), 0.7 * lost_at) < 1);
    run_for(&f, &r, 1.5 * r.k);

    lost_at = segments(&f); /* beyond the maximum: the whole of it is the next one */
    assert_true(lost_at > r.w_max);
    flow_loss(&f);
    r = reference(&f, lost_at);
    run_for(&f, &r, 1.5 * r.k);
}

/* RFC 9438 4.8: after a timeout, slow start to 0.7 of the window; the curve begins there at its plateau. */
static void begins_anew_after_a_timeout(void **state)
{
    (void)state;
    struct flow f;
    flow_init(&f, &cc_cubic, MSS, 100 * NS_PER_MS);
    f.cc.cwnd_bytes = 1000 * MSS;
    flow_timeout(&f);
    assert_int_equal(f.cc.cwnd_bytes, MSS);
    while (cc_in_slow_start(&f.cc))
        flow_round(&f);
    assert_true(apart(segments(&f), 700) < 2);
    struct reference r = reference(&f, segments(&f));
    assert_true(r.k < 1e-9);
    for (int round = 0; round < 50; round++) { /* 0.4 t^3 is 50 after 5 seconds, Reno's estimate 26 */
        flow_round(&f);
        double t = seconds_since(&f, r.epoch_ns), friendly = r.start + 9.0 / 17 * t * 10;
        assert_true(segments(&f) <= HW_MAX(w_cubic(&r, t + 0.2), friendly) + 1);
        assert_true(segments(&f) >= HW_MAX(w_cubic(&r, t - 0.2), friendly) - 2);
    }
    assert_true(segments(&f) > 740);
}

/* RFC 9438 5.8: time without demand, told by acknowledgements or by silence, is no time of the curve. */
static void clock_stops_without_demand(void **state)
{
    (void)state;
    for (int silent = 0; silent <= 2; silent++) {
        struct flow f;
        flow_init(&f, &cc_cubic, MSS, 100 * NS_PER_MS);
        flow_settle(&f, 1000);
        struct reference r = reference(&f, 1000);
        run_for(&f, &r, 3);
        uint64_t pause_ns = f.now_ns;
        uint32_t before = f.cc.cwnd_bytes;
        if (silent) {
            f.now_ns += 60 * NS_PER_S;
            rest(&f.cc, 60 * NS_PER_S, f.now_ns);
            if (silent == 2) { /* both tell of the same time, which counts once */
                f.app_limited = true;
                flow_ack(&f, MSS, true);
                f.app_limited = false;
            }
        } else {
            f.app_limited = true;
            run_for(&f, NULL, 60);
            f.app_limited = false;
        }
        assert_int_equal(f.cc.cwnd_bytes, before);
        r.epoch_ns += f.now_ns - pause_ns;
        run_for(&f, &r, 12);
        assert_true(segments(&f) > 1060);
    }
}

/* However long it took: half a window a round at most (RFC 9438 4.2); and a clock before its start stands at 0. */
static void extreme_times(void **state)
{
    (void)state;
    static const uint64_t jumps_s[] = {2000, 2650, 3000, 100000, 10000000, UINT32_MAX};
    for (size_t i = 0; i < sizeof jumps_s / sizeof jumps_s[0]; i++) {
        struct flow f;
        flow_init(&f, &cc_cubic, MSS, 100 * NS_PER_MS);
        flow_settle(&f, 1000);
        flow_round(&f);
        uint32_t before = f.cc.cwnd_bytes;
        f.now_ns += jumps_s[i] * NS_PER_S;
        flow_ack(&f, before, true);
        assert_in_range(f.cc.cwnd_bytes, before + before / 2 - MSS, before + before / 2 + MSS);

        flow_init(&f, &cc_cubic, MSS, 100 * NS_PER_MS);
        flow_settle(&f, 1000);
        flow_round(&f);
        before = f.cc.cwnd_bytes;
        rest(&f.cc, jumps_s[i] * NS_PER_S, f.now_ns);
        flow_ack(&f, before, true);
        assert_in_range(f.cc.cwnd_bytes, before, before + 10 * MSS);
    }
}

/* 2^22 ms after the plateau: a cube without bounds would be 2^66, which 64 bits hold as 0. */
static void cube_does_not_wrap(void **state)
{
    (void)state;
    struct flow f;
    flow_init(&f, &cc_cubic, MSS, 0);
    f.cc.cwnd_bytes = f.cc.ssthresh_bytes = 1000 * MSS;
    flow_ack(&f, MSS, true); /* the epoch begins, at its plateau */
    f.now_ns += (UINT64_C(1) << 22) * NS_PER_MS;
    flow_ack(&f, f.cc.cwnd_bytes, true);
    assert_in_range(f.cc.cwnd_bytes, 1499 * MSS, 1500 * MSS);
}

static void grow_randomly(struct flow *f, uint64_t seed)
{
    struct prng rng;
    prng_seed(&rng, seed);
    for (int i = 0; i < 3000; i++) {
        f->now_ns += prng_below(&rng, 10 * NS_PER_MS);
        flow_ack(f, (uint32_t)prng_below(&rng, 10 * MSS), prng_below(&rng, 10) == 0);
    }
}

/* RFC 9438 4.9: after undo everything goes on as if the loss had not been. */
static void undo_restores_the_curve(void **state)
{
    (void)state;
    for (int timeout = 0; timeout <= 1; timeout++) {
        for (uint32_t window = 0; window <= 500; window += 500) { /* 0: in the first slow start */
            struct flow spared, hit;
            flow_init(&spared, &cc_cubic, MSS, 100 * NS_PER_MS);
            if (window) {
                flow_settle(&spared, window);
                grow_randomly(&spared, 1);
            }
            hit = spared;
            hit.cc.memory = hit.memory;
            if (timeout)
                flow_timeout(&hit);
            else
                flow_loss(&hit);
            assert_true(hit.cc.cwnd_bytes < spared.cc.cwnd_bytes);
            cc_undo(&hit.cc);
            for (int i = 0; i < 20; i++) {
                grow_randomly(&spared, (uint64_t)i);
                grow_randomly(&hit, (uint64_t)i);
                assert_int_equal(hit.cc.ssthresh_bytes, spared.cc.ssthresh_bytes);
                assert_int_equal(hit.cc.cwnd_bytes, spared.cc.cwnd_bytes);
            }
        }
    }
}

/* RFC 9438 5.8: through idleness the maximum is remembered, and a new epoch leads there. */
static void idleness_keeps_the_maximum(void **state)
{
    (void)state;
    struct flow f;
    flow_init(&f, &cc_cubic, MSS, 100 * NS_PER_MS);
    flow_settle(&f, 500);
    uint32_t after_loss = f.cc.cwnd_bytes;
    for (int i = 0; i < 5; i++)
        flow_round(&f);
    cc_fold(&f.cc);
    assert_null(f.cc.memory);
    f.now_ns += 100 * NS_PER_S;
    cc_resume(&f.cc, f.memory, 1, f.now_ns);
    cc_restart(&f.cc, 100 * NS_PER_S, f.now_ns);
    assert_int_equal(f.cc.cwnd_bytes, 10 * MSS);
    while (f.cc.cwnd_bytes < after_loss)
        flow_round(&f);
    unsigned rounds = 0;
    for (; f.cc.cwnd_bytes < 499u * MSS; rounds++)
        flow_round(&f);
    assert_in_range(rounds, 40, 80); /* K: the cube root of 150 segments over 0.4 is 7.2 s */
    for (unsigned i = 0; i < 10; i++)
        flow_round(&f);
    assert_in_range(f.cc.cwnd_bytes, 499 * MSS, 510 * MSS); /* the plateau */
}

/* The same numbers from every compiler at every level of optimisation. A change of the algorithm changes this one. */
static void every_build_computes_alike(void **state)
{
    (void)state;
    uint64_t digest = UINT64_C(0xcbf29ce484222325);
    struct prng rng;
    struct flow f;
    prng_seed(&rng, 9438);
    flow_init(&f, &cc_cubic, MSS, 30 * NS_PER_MS);
    for (int i = 0; i < 200000; i++) {
        f.now_ns += prng_below(&rng, NS_PER_MS);
        f.rtt_ns = 30 * NS_PER_MS + prng_below(&rng, 9 * NS_PER_MS);
        f.app_limited = prng_below(&rng, 50) == 0;
        uint64_t event = prng_below(&rng, 4000);
        if (event == 0)
            flow_timeout(&f);
        else if (event < 4)
            flow_loss(&f);
        else if (event == 4)
            cc_undo(&f.cc);
        else
            flow_ack(&f, (uint32_t)prng_below(&rng, 3 * MSS), event % 40 == 0);
        digest = (digest ^ f.cc.cwnd_bytes) * UINT64_C(0x100000001b3);
        digest = (digest ^ f.cc.ssthresh_bytes) * UINT64_C(0x100000001b3);
    }
    if (digest != UINT64_C(0x96dbf4ccb2ab4b15))
        fail_msg("digest 0x%016" PRIx64, digest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_the_curve),
        cmocka_unit_test(rests_at_w_max_then_accelerates),
        cmocka_unit_test(friendly_to_reno_on_short_paths),
        cmocka_unit_test(converges_fast),
        cmocka_unit_test(begins_anew_after_a_timeout),
        cmocka_unit_test(clock_stops_without_demand),
        cmocka_unit_test(extreme_times),
        cmocka_unit_test(cube_does_not_wrap),
        cmocka_unit_test(undo_restores_the_curve),
        cmocka_unit_test(idleness_keeps_the_maximum),
        cmocka_unit_test(every_build_computes_alike),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
