#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "base/units.h"
#include "tcp/pacing.h"

enum { MSS = 1448, SUPER = 44 * MSS };

static void rate_follows_from_the_window(void **state)
{
    (void)state;
    assert_int_equal(pacing_rate(100000, UINT32_MAX, 0), 0);
    assert_int_equal(pacing_rate(100000, UINT32_MAX, NS_PER_S), 200000);
    assert_int_equal(pacing_rate(100000, 150000, NS_PER_S), 120000); /* slow start is about to end */
    assert_int_equal(pacing_rate(100000, 100000, NS_PER_S / 10), 1200000);
    assert_int_equal(pacing_rate(1, 1, UINT64_MAX), 1);
    assert_true(pacing_rate(UINT32_C(1) << 30, UINT32_MAX, 1) > UINT64_C(1) << 60);
}

static void quantum_is_a_millisecond_of_whole_segments(void **state)
{
    (void)state;
    static const struct {
        uint64_t rate;
        uint32_t most, quantum;
    } cases[] = {{1, SUPER, MSS},
                 {100000, SUPER, MSS},       /* a segment takes 14 ms */
                 {1000000, SUPER, 2 * MSS},  /* 1.4 ms */
                 {10000000, SUPER, 6 * MSS}, /* 10000 bytes */
                 {1000000000, SUPER, SUPER},
                 {UINT64_MAX, SUPER, SUPER},
                 {1000000000, MSS, 2 * MSS}}; /* of a link without super-segments: two of them */
    for (size_t i = 0; i < HW_ARRAY_LEN(cases); i++)
        assert_int_equal(pacing_quantum(cases[i].rate, MSS, cases[i].most, 0), cases[i].quantum);
}

static void first_window_leaves_at_once(void **state)
{
    (void)state;
    struct pacing p;
    pacing_begin(&p, 10 * MSS);
    pacing_look(&p, 1000000, 2 * MSS, NS_PER_S);
    assert_in_range(pacing_room(&p), 10 * MSS, UINT32_MAX);
    pacing_sent(&p, 1000000, 10 * MSS, MSS, NS_PER_S);
    assert_int_equal(p.burst, 0);
    assert_true(p.next_ns >= NS_PER_S); /* what comes after it begins there */
}

/* Of a demand without end as much leaves as the rate says, whatever the quantum, and though timers are late. */
static void keeps_the_rate(void **state)
{
    (void)state;
    static const uint64_t rates[] = {50000, 1000000, 12500000, 1250000000}, late[] = {0, 1000, 900000};
    for (size_t i = 0; i < HW_ARRAY_LEN(rates); i++) {
        for (size_t k = 0; k < HW_ARRAY_LEN(late); k++) {
            struct pacing p;
            uint64_t now = NS_PER_S, sent = 0;
            uint32_t quantum = pacing_quantum(rates[i], MSS, SUPER, 0), most = 0;
            pacing_begin(&p, 0);
            while (now < 5 * NS_PER_S) {
                uint64_t before = sent;
                for (pacing_look(&p, rates[i], quantum, now); pacing_room(&p) >= MSS; sent += MSS)
                    pacing_sent(&p, rates[i], MSS, MSS, now);
                most = HW_MAX(most, (uint32_t)(sent - before));
                assert_true(p.due_ns > now && p.due_ns != TIME_NEVER);
                assert_true(!pacing_is_due(&p, now) && pacing_is_due(&p, p.due_ns));
                now = p.due_ns + late[k];
            }
            assert_in_range(sent, rates[i] * 4 * 98 / 100, rates[i] * 4 * 101 / 100 + 3 * quantum);
            assert_in_range(most, MSS, 2 * quantum + rates[i] / 1000 + MSS);
        }
    }
}

/* After a second of silence there is no second's worth to be made up for. */
static void silence_is_not_saved_up(void **state)
{
    (void)state;
    struct pacing p;
    pacing_begin(&p, 0);
    pacing_look(&p, 1000000, 2 * MSS, NS_PER_S);
    pacing_sent(&p, 1000000, 2 * MSS, MSS, NS_PER_S);
    pacing_look(&p, 1000000, 2 * MSS, 2 * NS_PER_S);
    assert_in_range(pacing_room(&p), 2 * MSS, 4 * MSS);
}

static void waits_until_paid(void **state)
{
    (void)state;
    struct pacing p;
    pacing_begin(&p, 0);
    pacing_look(&p, 1448000, 2 * MSS, NS_PER_S);
    uint32_t room = pacing_room(&p);
    pacing_sent(&p, 1448000, room, MSS, NS_PER_S);
    uint64_t due = p.due_ns;
    assert_in_range(due, NS_PER_S + NS_PER_MS, NS_PER_S + 4 * NS_PER_MS);
    pacing_look(&p, 1448000, 2 * MSS, due - 1);
    assert_int_equal(pacing_room(&p), 0);
    assert_true(p.due_ns == due);
    pacing_look(&p, 1448000, 2 * MSS, due);
    assert_int_equal(pacing_room(&p), 2 * MSS);
    assert_true(p.due_ns == TIME_NEVER); /* nobody waits */
}

static void without_a_rate_all_may_leave(void **state)
{
    (void)state;
    static const uint64_t rates[] = {0, UINT64_MAX};
    for (size_t i = 0; i < HW_ARRAY_LEN(rates); i++) {
        struct pacing p;
        pacing_begin(&p, 5);
        pacing_look(&p, rates[i], MSS, 1);
        assert_int_equal(pacing_room(&p), UINT32_MAX);
        pacing_sent(&p, rates[i], UINT32_C(1) << 30, MSS, 1);
        assert_int_equal(pacing_room(&p), UINT32_MAX);
        assert_true(p.due_ns == TIME_NEVER);
    }
}

/* Where the round trip is short, small pieces gain nothing; from some milliseconds on it makes no difference. */
static void short_trips_have_large_quanta(void **state)
{
    (void)state;
    const uint64_t rate = 1000 * MSS; /* a segment a millisecond */
    assert_int_equal(pacing_quantum(rate, MSS, SUPER, 0), 2 * MSS);
    assert_int_equal(pacing_quantum(rate, MSS, SUPER, 50 * NS_PER_US), SUPER / MSS * MSS);
    assert_in_range(pacing_quantum(rate, MSS, SUPER, 600 * NS_PER_US), SUPER / 2, SUPER / 2 + MSS);
    assert_in_range(pacing_quantum(rate, MSS, SUPER, 1100 * NS_PER_US), SUPER / 4, SUPER / 4 + MSS);
    assert_int_equal(pacing_quantum(rate, MSS, SUPER, 8 * NS_PER_MS), 2 * MSS);
    assert_int_equal(pacing_quantum(rate, MSS, SUPER, UINT64_MAX), 2 * MSS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rate_follows_from_the_window), cmocka_unit_test(quantum_is_a_millisecond_of_whole_segments),
        cmocka_unit_test(first_window_leaves_at_once),  cmocka_unit_test(keeps_the_rate),
        cmocka_unit_test(silence_is_not_saved_up),      cmocka_unit_test(waits_until_paid),
        cmocka_unit_test(without_a_rate_all_may_leave), cmocka_unit_test(short_trips_have_large_quanta),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
