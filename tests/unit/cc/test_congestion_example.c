/* The controller of examples/congestion.c, on a line with a large queue. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "flow.h"
#include "line.h"

#include "../../../examples/congestion.c"

#define RTT (40 * NS_PER_MS)
enum { RATE = 6250000, BDP = RATE / 25 }; /* 50 Mbit/s */

static struct line line; /* is large */

static void fills_the_line_and_hardly_a_queue(void **state)
{
    (void)state;
    assert_int_equal(cc_check(&calm), 0);
    line_init(&line, &calm, RATE, RTT, 8 * BDP);
    (void)line_run(&line, 5 * NS_PER_S);
    assert_in_range(line_run(&line, 10 * NS_PER_S), 95, 101);
    assert_true(line.queue_most < (uint32_t)BDP / 4);
    assert_int_equal(line.rate.lost, 0);
}

static void yields_to_losses(void **state)
{
    (void)state;
    struct flow f;
    flow_init(&f, &calm, LINE_MSS, RTT);
    f.cc.cwnd_bytes = 100 * LINE_MSS;
    flow_loss(&f);
    assert_int_equal(f.cc.cwnd_bytes, 75 * LINE_MSS);
    assert_int_equal(f.cc.ssthresh_bytes, 75 * LINE_MSS);
    cc_undo(&f.cc);
    assert_int_equal(f.cc.cwnd_bytes, 100 * LINE_MSS);
    flow_timeout(&f);
    assert_int_equal(f.cc.cwnd_bytes, LINE_MSS);
    assert_int_equal(f.cc.ssthresh_bytes, 50 * LINE_MSS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fills_the_line_and_hardly_a_queue),
        cmocka_unit_test(yields_to_losses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
