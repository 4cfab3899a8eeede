/* HyStart++ (RFC 9406): slow start ends before the queue overflows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "flow.h"

enum { MSS = 1448 };

static void start(struct flow *f, uint64_t rtt_ms)
{
    flow_init(f, &cc_cubic, MSS, rtt_ms * NS_PER_MS);
    f->ack_bytes = MSS;
    flow_round(f);
    flow_round(f);
    assert_int_equal(f->cc.cwnd_bytes, 40 * MSS);
}

/* RFC 9406 4.2: from the eighth sample of the round on, a quarter of the growth for five rounds, then no more of it. */
static void rising_delay_ends_slow_start(void **state)
{
    (void)state;
    struct flow f;
    start(&f, 40);
    f.rtt_ns = 46 * NS_PER_MS; /* 40 / 8 is 5 */
    flow_round(&f);
    /* Eight samples at most grow at full speed, the rest of the round at a quarter. */
    assert_in_range(f.cc.cwnd_bytes, 40 * MSS + 7 * MSS + 32 * MSS / 4, 40 * MSS + 8 * MSS + 33 * MSS / 4);
    for (int round = 2; round <= 5; round++) { /* the partial round was the first of five */
        uint32_t before = f.cc.cwnd_bytes;
        flow_round(&f);
        assert_int_equal(f.cc.ssthresh_bytes, UINT32_MAX);
        assert_in_range(f.cc.cwnd_bytes, before + before / 4 - MSS, before + before / 4 + MSS);
    }
    uint32_t before = f.cc.cwnd_bytes;
    flow_round(&f);
    assert_int_equal(f.cc.ssthresh_bytes, before);
    assert_in_range(f.cc.cwnd_bytes, before, before + 2 * MSS);
    assert_false(cc_in_slow_start(&f.cc));
}

static void steady_delay_does_not(void **state)
{
    (void)state;
    static const uint64_t rise_us[][3] = {
        /* RTT, a rise that is not yet enough, one that is: an eighth, but 4 ms at least and 16 at most */
        {1000, 3999, 4000},
        {40000, 4999, 5000},
        {300000, 15999, 16000},
    };
    for (size_t i = 0; i < HW_ARRAY_LEN(rise_us); i++) {
        for (int enough = 0; enough <= 1; enough++) {
            struct flow f;
            flow_init(&f, &cc_cubic, MSS, rise_us[i][0] * NS_PER_US);
            f.ack_bytes = MSS;
            flow_round(&f);
            flow_round(&f);
            f.rtt_ns += rise_us[i][1 + enough] * NS_PER_US;
            flow_round(&f);
            if (enough)
                assert_true(f.cc.cwnd_bytes < 60 * MSS);
            else
                assert_int_equal(f.cc.cwnd_bytes, 80 * MSS);
        }
    }
}

static void false_alarm_resumes_slow_start(void **state)
{
    (void)state;
    struct flow f;
    start(&f, 40);
    f.rtt_ns = 50 * NS_PER_MS;
    flow_round(&f);
    flow_round(&f); /* conservative by now */
    f.rtt_ns = 40 * NS_PER_MS;
    flow_round(&f);
    for (int round = 0; round < 6; round++) {
        uint32_t before = f.cc.cwnd_bytes;
        flow_round(&f);
        assert_int_equal(f.cc.cwnd_bytes, 2 * before);
        assert_int_equal(f.cc.ssthresh_bytes, UINT32_MAX);
    }
}

/* The least of a round counts, not one late answer; and of fewer than eight answers nothing is concluded. */
static void noise_is_no_queue(void **state)
{
    (void)state;
    struct flow f;
    start(&f, 40);
    for (int round = 0; round < 6; round++) {
        uint32_t window = f.cc.cwnd_bytes, count = window / MSS;
        for (uint32_t i = 0; i < count; i++) {
            f.rtt_ns = (i == 3 ? 40 : 90) * NS_PER_MS;
            f.now_ns += 40 * NS_PER_MS / count;
            flow_ack(&f, MSS, i == 0);
        }
        assert_int_equal(f.cc.cwnd_bytes, 2 * window);
    }

    start(&f, 40);
    f.rtt_ns = 200 * NS_PER_MS;
    f.ack_bytes = 40 * MSS / 7 + 1; /* seven acknowledgements */
    flow_round(&f);
    assert_int_equal(f.cc.cwnd_bytes, 80 * MSS);
}

/* Rounds go by while the application is quiet, too: the delay of before is not compared with that of much later. */
static void quiet_rounds_count_as_rounds(void **state)
{
    (void)state;
    struct flow f;
    start(&f, 40);
    f.app_limited = true;
    f.rtt_ns = 44 * NS_PER_MS;
    flow_round(&f);
    assert_int_equal(f.cc.cwnd_bytes, 40 * MSS);
    f.app_limited = false;
    f.rtt_ns = 48 * NS_PER_MS; /* 20 % above the first rounds, less than an eighth above the last */
    flow_round(&f);
    assert_int_equal(f.cc.cwnd_bytes, 80 * MSS);
}

/* RFC 9406 4.3: after a loss the way to ssthresh is slow start as ever. */
static void only_the_first_slow_start_is_watched(void **state)
{
    (void)state;
    struct flow f;
    start(&f, 40);
    f.cc.cwnd_bytes = 1000 * MSS;
    flow_timeout(&f);
    uint32_t ssthresh = f.cc.ssthresh_bytes;
    for (int round = 0; round < 9; round++) {
        uint32_t before = f.cc.cwnd_bytes;
        f.rtt_ns += 20 * NS_PER_MS;
        flow_round(&f);
        assert_int_equal(f.cc.cwnd_bytes, 2 * before);
        assert_int_equal(f.cc.ssthresh_bytes, ssthresh);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rising_delay_ends_slow_start),   cmocka_unit_test(steady_delay_does_not),
        cmocka_unit_test(false_alarm_resumes_slow_start), cmocka_unit_test(noise_is_no_queue),
        cmocka_unit_test(quiet_rounds_count_as_rounds),   cmocka_unit_test(only_the_first_slow_start_is_watched),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
