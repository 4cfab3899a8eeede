/* The arithmetic of proportional rate reduction (RFC 6937). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "tcp/prr.h"

enum { MSS = 1000 };

/* An acknowledgement of one segment; all that may leave in whole segments does. Returns the bytes that left. */
static uint32_t ack(struct prr *p, uint32_t *pipe, uint32_t ssthresh)
{
    *pipe -= MSS;
    uint32_t out = prr_allowance(p, MSS, *pipe, ssthresh, MSS) / MSS * MSS;
    prr_sent(p, out);
    *pipe += out;
    return out;
}

/* RFC 6937 3: from 20 segments to 10, one leaves for each two that arrive. */
static void in_proportion(void **state)
{
    (void)state;
    struct prr p;
    uint32_t pipe = 20 * MSS, out = 0;
    prr_begin(&p, 20 * MSS);
    pipe -= MSS; /* deemed lost */
    out += ack(&p, &pipe, 10 * MSS);
    assert_int_equal(out, MSS); /* at once */
    for (unsigned i = 2; pipe > 11 * MSS; i++) {
        out += ack(&p, &pipe, 10 * MSS);
        assert_int_equal(out, i / 2 * MSS);
    }
    for (unsigned i = 0; i < 5; i++) {
        (void)ack(&p, &pipe, 10 * MSS);
        assert_int_equal(pipe, 10 * MSS);
    }
}

/* Too little is under way: slow start, one segment more than what arrived, and never beyond ssthresh. */
static void slow_start_from_below(void **state)
{
    (void)state;
    struct prr p;
    uint32_t pipe = 3 * MSS;
    prr_begin(&p, 20 * MSS);
    for (unsigned want = 4; want <= 10; want++) {
        assert_int_equal(ack(&p, &pipe, 10 * MSS), 2 * MSS);
        assert_int_equal(pipe, want * MSS);
    }
    assert_int_equal(ack(&p, &pipe, 10 * MSS), MSS);
    assert_int_equal(pipe, 10 * MSS);
}

/* Nothing but the first retransmission leaves when nothing arrives. */
static void nothing_for_nothing(void **state)
{
    (void)state;
    struct prr p;
    prr_begin(&p, 20 * MSS);
    assert_int_equal(prr_allowance(&p, 0, 19 * MSS, 10 * MSS, MSS), MSS);
    prr_sent(&p, MSS);
    assert_int_equal(prr_allowance(&p, 0, 20 * MSS, 10 * MSS, MSS), 0);
}

/* The largest window that sequence numbers allow, in segments of a byte and of 64 KiB. */
static void extremes(void **state)
{
    (void)state;
    struct prr p;
    prr_begin(&p, 0);
    assert_in_range(prr_allowance(&p, 1, UINT32_MAX - 5, UINT32_C(1) << 30, 65535), 0, 5);
    prr_begin(&p, UINT32_C(1) << 30);
    for (unsigned i = 0; i < 1000; i++)
        prr_sent(&p, prr_allowance(&p, UINT32_C(1) << 30, UINT32_C(1) << 30, UINT32_C(1) << 29, 1));
    assert_int_equal(p.out, UINT64_C(1000) << 29);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_proportion),
        cmocka_unit_test(slow_start_from_below),
        cmocka_unit_test(nothing_for_nothing),
        cmocka_unit_test(extremes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
