#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/prng.h"
#include "base/seq.h"
#include "support.h"

/* Order is that of distances below half of the space, wherever the numbers wrap (RFC 9293 3.4). */
static void order_survives_the_wrap(void **state)
{
    (void)state;
    struct prng rng;
    prng_seed(&rng, test_seed());
    for (int i = 0; i < 20000; i++) {
        uint32_t n = 1 + (uint32_t)prng_below(&rng, INT32_MAX);
        seq32 a = seq_at((uint32_t)prng_next(&rng)), b = seq_add(a, n);
        assert_true(seq_lt(a, b) && seq_le(a, b) && seq_le(a, a));
        assert_false(seq_lt(b, a) || seq_le(b, a) || seq_lt(a, a) || seq_eq(a, b));
        assert_true(seq_eq(seq_max(a, b), b) && seq_eq(seq_sub(b, n), a));
        assert_int_equal(seq_diff(b, a), n);
        assert_true(seq_diff(a, b) == -(int64_t)n);

        uint64_t m = 1 + prng_below(&rng, INT64_MAX);
        dsn64 c = dsn_at(prng_next(&rng)), d = dsn_add(c, m);
        assert_true(dsn_lt(c, d) && dsn_le(c, d) && dsn_le(c, c));
        assert_false(dsn_lt(d, c) || dsn_le(d, c) || dsn_lt(c, c) || dsn_eq(c, d));
        assert_true(dsn_eq(dsn_max(c, d), d) && dsn_eq(dsn_min(d, c), c));
        assert_true(dsn_diff(d, c) == (int64_t)m && dsn_diff(c, d) == -(int64_t)m);
    }
}

static void expands_to_the_nearest(void **state)
{
    (void)state;
    struct prng rng;
    prng_seed(&rng, test_seed());
    for (int i = 0; i < 20000; i++) {
        dsn64 near = dsn_at(prng_below(&rng, 3) ? prng_next(&rng) : prng_next(&rng) & UINT64_C(0xffffffff00000003));
        uint64_t distance = prng_below(&rng, UINT64_C(1) << 31);
        dsn64 after = dsn_add(near, distance), before = dsn_at(near.v - distance);
        assert_true(dsn_eq(dsn_expand((uint32_t)after.v, near), after));
        assert_true(dsn_eq(dsn_expand((uint32_t)before.v, near), before));
    }
    assert_true(dsn_expand(0, dsn_at(UINT32_MAX)).v == UINT64_C(1) << 32);
    assert_true(dsn_expand(UINT32_MAX, dsn_at(UINT64_C(1) << 32)).v == UINT32_MAX);
    assert_true(dsn_expand(5, dsn_at(UINT64_MAX)).v == 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_survives_the_wrap),
        cmocka_unit_test(expands_to_the_nearest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
