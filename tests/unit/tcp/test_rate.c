#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "base/units.h"
#include "tcp/rate.h"

#define MS NS_PER_MS
enum { MSS = 1000, COUNT = 200 };

/* What is under way, in order. */
struct sender {
    struct rate rate;
    struct rate_stamp stamps[COUNT];
    uint64_t sent_ns[COUNT];
    uint32_t in_flight;
};

static void leave(struct sender *s, unsigned i, uint64_t now_ns)
{
    s->in_flight += MSS;
    rate_sent(&s->rate, &s->stamps[i], s->in_flight, MSS, now_ns);
    s->sent_ns[i] = now_ns;
}

/* One acknowledgement delivers [first, last]. */
static struct hawser_rate_sample arrive(struct sender *s, unsigned first, unsigned last, uint64_t now_ns)
{
    for (unsigned i = first; i <= last; i++)
        rate_delivered(&s->rate, &s->stamps[i], s->sent_ns[i], i + 1);
    rate_settle(&s->rate, (last - first + 1) * MSS, now_ns);
    s->in_flight -= (last - first + 1) * MSS;
    return rate_take(&s->rate, 10 * MS, now_ns);
}

/* A segment a millisecond leaves, and arrives ten later: 8 Mbit/s. */
static void a_steady_path(void **state)
{
    (void)state;
    struct sender s = {0};
    for (unsigned ms = 0; ms < 100; ms++) {
        if (ms >= 10) {
            const struct hawser_rate_sample r = arrive(&s, ms - 10, ms - 10, ms * MS);
            assert_int_equal(r.tx_in_flight_bytes, (ms - 10 < 10 ? ms - 9 : 10) * MSS);
            if (ms >= 30)
                assert_int_equal(r.delivery_bps, 8000000);
            assert_true(r.interval_ns >= 10 * MS && !r.is_app_limited && r.lost_bytes == 0);
        }
        leave(&s, ms, ms * MS);
    }
}

/* Acknowledgements that come all at once do not make the path faster than what was sent. */
static void compressed_acknowledgements(void **state)
{
    (void)state;
    struct sender s = {0};
    for (unsigned i = 0; i < 40; i++)
        leave(&s, i, i * MS);
    for (unsigned i = 0; i < 40; i += 10) {
        const struct hawser_rate_sample r = arrive(&s, i, i + 9, 50 * MS + i);
        assert_in_range(r.delivery_bps, 1, 8300000);
    }
}

/* A stretched acknowledgement, however much it covers, is one sample, of the newest segment. */
static void one_for_many(void **state)
{
    (void)state;
    struct sender s = {0};
    for (unsigned i = 0; i < 20; i++)
        leave(&s, i, i * MS);
    const struct hawser_rate_sample r = arrive(&s, 0, 19, 40 * MS);
    assert_int_equal(r.delivered_bytes, 20 * MSS);
    assert_int_equal(r.prior_delivered_bytes, 0);
    assert_int_equal(r.interval_ns, 40 * MS);
    assert_int_equal(r.delivery_bps, 20 * MSS * 8 * 25);
}

/* What fills a hole late was sent before what has arrived since: it adds bytes, but the newer one is the sample. */
static void a_hole_is_filled(void **state)
{
    (void)state;
    struct sender s = {0};
    for (unsigned i = 0; i < 10; i++)
        leave(&s, i, i * MS);
    (void)arrive(&s, 1, 5, 20 * MS); /* by SACK */
    for (unsigned i = 6; i < 10; i++)
        rate_delivered(&s.rate, &s.stamps[i], s.sent_ns[i], i + 1);
    rate_delivered(&s.rate, &s.stamps[0], s.sent_ns[0], 1);
    rate_settle(&s.rate, 5 * MSS, 24 * MS);
    const struct hawser_rate_sample r = rate_take(&s.rate, MS, 24 * MS);
    assert_int_equal(r.tx_in_flight_bytes, 10 * MSS);
    assert_int_equal(r.delivered_bytes, 10 * MSS);
    assert_int_equal(s.rate.delivered, 10 * MSS);
}

/* What leaves again is judged from when it left again. */
static void sent_again(void **state)
{
    (void)state;
    struct sender s = {0};
    leave(&s, 0, 0);
    leave(&s, 1, MS);
    (void)arrive(&s, 1, 1, 20 * MS);
    rate_lost(&s.rate, MSS);
    s.in_flight -= MSS;
    leave(&s, 0, 30 * MS);
    const struct hawser_rate_sample r = arrive(&s, 0, 0, 50 * MS);
    assert_int_equal(r.interval_ns, 20 * MS); /* nothing was in flight when it left */
    assert_int_equal(r.delivered_bytes, MSS);
    assert_int_equal(r.lost_bytes, 0);
    assert_int_equal(r.newly_lost_bytes, MSS); /* since the last sample */
}

static void losses_since_it_left(void **state)
{
    (void)state;
    struct sender s = {0};
    for (unsigned i = 0; i < 10; i++)
        leave(&s, i, i * MS);
    rate_lost(&s.rate, 3 * MSS);
    const struct hawser_rate_sample r = arrive(&s, 9, 9, 30 * MS);
    assert_int_equal(r.lost_bytes, 3 * MSS);
    assert_int_equal(r.newly_lost_bytes, 3 * MSS);
    leave(&s, 10, 30 * MS);
    assert_int_equal(arrive(&s, 10, 10, 50 * MS).lost_bytes, 0);
}

/* A bubble of silence marks what leaves within it, and nothing once that is delivered. */
static void a_program_with_nothing_to_send(void **state)
{
    (void)state;
    struct sender s = {0};
    leave(&s, 0, 0);
    rate_mark_limited(&s.rate, s.in_flight);
    assert_true(rate_is_limited(&s.rate));
    leave(&s, 1, 5 * MS);
    assert_false(arrive(&s, 0, 0, 20 * MS).is_app_limited); /* it left before */
    leave(&s, 2, 20 * MS);
    assert_true(arrive(&s, 1, 1, 25 * MS).is_app_limited);
    assert_false(rate_is_limited(&s.rate));
    leave(&s, 3, 25 * MS);
    assert_true(arrive(&s, 2, 2, 40 * MS).is_app_limited); /* it left when that was not known */
    assert_false(arrive(&s, 3, 3, 45 * MS).is_app_limited);
}

/* After idleness time begins anew: silence does not make the path slow. */
static void after_idleness(void **state)
{
    (void)state;
    struct sender s = {0};
    leave(&s, 0, 0);
    (void)arrive(&s, 0, 0, 20 * MS);
    leave(&s, 1, 10 * NS_PER_S);
    const struct hawser_rate_sample r = arrive(&s, 1, 1, 10 * NS_PER_S + 20 * MS);
    assert_int_equal(r.interval_ns, 20 * MS);
    assert_int_equal(r.delivery_bps, MSS * 8 * 50);
}

/* No sample is shorter than a round trip can be, and without one there is none. */
static void none_at_all(void **state)
{
    (void)state;
    struct sender s = {0};
    leave(&s, 0, 0);
    assert_int_equal(arrive(&s, 0, 0, 9 * MS).delivery_bps, 0);
    const struct hawser_rate_sample r = rate_take(&s.rate, 0, 10 * MS);
    assert_true(r.delivered_bytes == 0 && r.delivery_bps == 0 && r.interval_ns == 0);
    rate_settle(&s.rate, 0, NS_PER_S);
    assert_int_equal(s.rate.delivered_ns, 9 * MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_steady_path),
        cmocka_unit_test(compressed_acknowledgements),
        cmocka_unit_test(one_for_many),
        cmocka_unit_test(a_hole_is_filled),
        cmocka_unit_test(sent_again),
        cmocka_unit_test(losses_since_it_left),
        cmocka_unit_test(a_program_with_nothing_to_send),
        cmocka_unit_test(after_idleness),
        cmocka_unit_test(none_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
