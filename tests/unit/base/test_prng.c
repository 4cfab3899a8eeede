#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "base/prng.h"
#include "support.h"

/* Worked out from the published formulas by a program in another language. */
static void known_sequences(void **state)
{
    (void)state;
    static const struct {
        uint64_t seed, out[3];
    } vectors[] = {
        {0, {UINT64_C(0x99ec5f36cb75f2b4), UINT64_C(0xbf6e1f784956452a), UINT64_C(0x1a5f849d4933e6e0)}},
        {1234567, {UINT64_C(0x30a3a1c363600467), UINT64_C(0x19405f0f579929ca), UINT64_C(0x115beaac046ddbd9)}},
        {UINT64_MAX, {UINT64_C(0x8f5520d52a7ead08), UINT64_C(0xc476a018caa1802d), UINT64_C(0x81de31c0d260469e)}},
    };
    for (size_t i = 0; i < HW_ARRAY_LEN(vectors); i++) {
        struct prng p;
        prng_seed(&p, vectors[i].seed);
        for (int k = 0; k < 3; k++)
            assert_true(prng_next(&p) == vectors[i].out[k]);
    }
}

/* The bytes are the words, lowest byte first, whatever the machine. */
static void fill_is_the_same_everywhere(void **state)
{
    (void)state;
    static const uint8_t expected[19] = {0xb4, 0xf2, 0x75, 0xcb, 0x36, 0x5f, 0xec, 0x99, 0x2a, 0x45,
                                         0x56, 0x49, 0x78, 0x1f, 0x6e, 0xbf, 0xe0, 0xe6, 0x33};
    for (size_t len = 0; len <= sizeof expected; len++) {
        struct prng p;
        uint8_t out[sizeof expected + 1];
        memset(out, 0x55, sizeof out);
        prng_seed(&p, 0);
        prng_fill(&p, out, len);
        assert_memory_equal(out, expected, len);
        assert_int_equal(out[len], 0x55);
    }
}

static void below_is_uniform(void **state)
{
    (void)state;
    struct prng p;
    prng_seed(&p, test_seed());
    for (uint64_t bound = 1; bound <= 10; bound++) {
        uint32_t hits[10] = {0};
        for (int i = 0; i < 10000; i++) {
            uint64_t x = prng_below(&p, bound);
            assert_true(x < bound);
            hits[x]++;
        }
        for (uint64_t i = 0; i < bound; i++) /* eight standard deviations at most */
            assert_in_range(hits[i], 10000 / bound - (bound > 1) * 400, 10000 / bound + 400);
    }
    /* A bound of three quarters of the range: folding the upper quarter down would double the lowest third. */
    uint64_t bound = UINT64_C(3) << 62, low = 0;
    for (int i = 0; i < 30000; i++)
        low += prng_below(&p, bound) < UINT64_C(1) << 62;
    assert_in_range(low, 9000, 11000);
    assert_true(prng_below(&p, UINT64_MAX) < UINT64_MAX);
}

static void unit_is_in_its_interval(void **state)
{
    (void)state;
    struct prng p;
    prng_seed(&p, test_seed());
    double sum = 0;
    for (int i = 0; i < 10000; i++) {
        double x = prng_unit(&p);
        assert_true(x >= 0 && x < 1);
        sum += x;
    }
    assert_true(sum > 4700 && sum < 5300);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_sequences),
        cmocka_unit_test(fill_is_the_same_everywhere),
        cmocka_unit_test(below_is_uniform),
        cmocka_unit_test(unit_is_in_its_interval),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
