#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "flow.h"

enum { MSS = 1448 };

/* RFC 5681 3.1: one segment a round trip, however much an acknowledgement covers. */
static void grows_one_segment_a_round(void **state)
{
    (void)state;
    static const uint32_t ack_bytes[] = {MSS / 3, MSS, 2 * MSS, 44 * MSS};
    for (size_t i = 0; i < HW_ARRAY_LEN(ack_bytes); i++) {
        struct flow f;
        flow_init(&f, &cc_reno, MSS, 20 * NS_PER_MS);
        flow_settle(&f, 200);
        f.ack_bytes = ack_bytes[i];
        assert_int_equal(f.cc.cwnd_bytes, 100 * MSS);
        for (uint32_t round = 1; round <= 100; round++) {
            flow_round(&f);
            assert_in_range(f.cc.cwnd_bytes, (99 + round) * MSS, (100 + round) * MSS);
        }
    }
}

static void halves_the_flight(void **state)
{
    (void)state;
    struct flow f;
    flow_init(&f, &cc_reno, MSS, 20 * NS_PER_MS);
    f.cc.cwnd_bytes = 100 * MSS;
    lose(&f.cc, f.now_ns, 60 * MSS);
    assert_int_equal(f.cc.ssthresh_bytes, 30 * MSS);
    assert_int_equal(f.cc.cwnd_bytes, 30 * MSS);
    f.cc.cwnd_bytes = 100 * MSS;
    time_out(&f.cc, f.now_ns, 60 * MSS);
    assert_int_equal(f.cc.ssthresh_bytes, 30 * MSS);
    assert_int_equal(f.cc.cwnd_bytes, MSS);
}

/* What is acknowledged beyond ssthresh counts toward congestion avoidance, and a loss starts the count anew. */
static void counts_from_ssthresh_on(void **state)
{
    (void)state;
    struct flow f;
    flow_init(&f, &cc_reno, MSS, 20 * NS_PER_MS);
    f.cc.ssthresh_bytes = 11 * MSS;
    flow_ack(&f, 10 * MSS, true); /* one to reach ssthresh, nine counted */
    assert_int_equal(f.cc.cwnd_bytes, 11 * MSS);
    flow_ack(&f, 2 * MSS, false);
    assert_int_equal(f.cc.cwnd_bytes, 12 * MSS);
    flow_ack(&f, 11 * MSS, false);
    assert_int_equal(f.cc.cwnd_bytes, 12 * MSS);
    flow_loss(&f);
    flow_ack(&f, 5 * MSS, false);
    assert_int_equal(f.cc.cwnd_bytes, 6 * MSS);
    flow_ack(&f, MSS, false);
    assert_int_equal(f.cc.cwnd_bytes, 7 * MSS);
}

/* What is counted beyond a window is not forgotten: seven tenths of one at a time give seven segments in ten steps. */
static void carries_the_remainder(void **state)
{
    (void)state;
    struct flow f;
    flow_init(&f, &cc_reno, MSS, 20 * NS_PER_MS);
    flow_settle(&f, 2000);
    for (int i = 0; i < 100; i++)
        flow_ack(&f, f.cc.cwnd_bytes / 10 * 7, false);
    assert_in_range(f.cc.cwnd_bytes, (1000 + 68) * MSS, (1000 + 70) * MSS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grows_one_segment_a_round),
        cmocka_unit_test(halves_the_flight),
        cmocka_unit_test(counts_from_ssthresh_on),
        cmocka_unit_test(carries_the_remainder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
