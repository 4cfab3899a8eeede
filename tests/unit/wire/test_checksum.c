#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support.h"
#include "wire/checksum.h"

/* RFC 1071 4.1, word by word. */
static uint16_t naive(const uint8_t *p, size_t len)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < len; i++)
        sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

static void the_example_of_rfc_1071(void **state)
{
    (void)state;
    const uint8_t bytes[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
    struct csum c = {0, false};
    csum_add(&c, bytes, sizeof bytes);
    assert_int_equal(csum_fold(&c), 0xddf2);
    assert_int_equal(csum_finish(&c), 0xffff ^ 0xddf2);
}

/* Any lengths, alignments and splits give what one pass gives. */
static void pieces_add_up(void **state)
{
    (void)state;
    struct prng rng;
    uint8_t bytes[600];
    prng_seed(&rng, test_seed());
    for (int round = 0; round < 5000; round++) {
        size_t from = prng_below(&rng, 16), len = prng_below(&rng, sizeof bytes - 16);
        prng_fill(&rng, bytes, sizeof bytes);
        if (round % 7 == 0)
            memset(bytes, 0xff, sizeof bytes);
        struct csum c = {0, false};
        for (size_t at = 0; at < len;) {
            size_t piece = 1 + prng_below(&rng, len - at);
            csum_add(&c, bytes + from + at, piece);
            at += piece;
        }
        assert_int_equal(c.odd, len % 2);
        assert_int_equal(csum_fold(&c), naive(bytes + from, len));
    }
}

static void words_are_bytes(void **state)
{
    (void)state;
    const uint8_t bytes[] = {1, 2, 3, 4, 5, 6, 7, 8, 0xff, 0xfe, 0xfd, 0xfc, 9, 10};
    struct csum c = {0, false};
    csum_add64(&c, UINT64_C(0x0102030405060708));
    csum_add32(&c, 0xfffefdfc);
    csum_add16(&c, 0x090a);
    assert_int_equal(csum_fold(&c), naive(bytes, sizeof bytes));
}

static void pseudo_headers(void **state)
{
    (void)state;
    struct hawser_addr a, b;
    struct csum c = {0, false};
    const uint8_t v4[] = {10, 1, 2, 3, 192, 0, 2, 9, 0, 6, 0x05, 0xdc};
    assert_int_equal(hawser_addr_parse(&a, "10.1.2.3", 0) | hawser_addr_parse(&b, "192.0.2.9", 0), 0);
    csum_add_pseudo(&c, &a, &b, 1500);
    assert_int_equal(csum_fold(&c), naive(v4, sizeof v4));
    assert_int_equal(hawser_addr_parse(&a, "2001:db8::1", 0) | hawser_addr_parse(&b, "fe80::2", 0), 0);
    uint8_t v6[40] = {0};
    memcpy(v6, a.ip, 16);
    memcpy(v6 + 16, b.ip, 16);
    v6[33] = 1; /* length 65536 + 5 */
    v6[35] = 5;
    v6[39] = 6;
    c = (struct csum){0, false};
    csum_add_pseudo(&c, &a, &b, 65541);
    assert_int_equal(csum_fold(&c), naive(v6, sizeof v6));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_of_rfc_1071),
        cmocka_unit_test(pieces_add_up),
        cmocka_unit_test(words_are_bytes),
        cmocka_unit_test(pseudo_headers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
