/* ICMP errors, taken apart byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "wire/icmp.h"

enum { QUOTE_MAX = 120, V4_HEAD = 28, V6_HEAD = 48 };

static unsigned word(const uint8_t *p) { return (unsigned)p[0] << 8 | p[1]; }

/* The sum of RFC 1071, of an odd number of bytes as if a zero followed. */
static unsigned ones_sum(const uint8_t *p, size_t len, unsigned sum)
{
    for (size_t i = 0; i < len; i++)
        sum += i % 2 ? p[i] : (unsigned)p[i] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

static size_t build(uint8_t *packet, enum icmp_unreachable why, const char *from, const char *to, size_t quote_len)
{
    uint8_t quote[QUOTE_MAX];
    struct hawser_addr src, dst;
    assert_int_equal(hawser_addr_parse(&src, from, 80), 0);
    assert_int_equal(hawser_addr_parse(&dst, to, 4000), 0);
    for (size_t i = 0; i < quote_len; i++)
        quote[i] = (uint8_t)(i * 37 + 11);
    size_t head = icmp_unreachable_emit(packet, why, &src, &dst, quote, quote_len);
    memcpy(packet + head, quote, quote_len);
    return head;
}

static void says_what_is_unreachable(void **state)
{
    (void)state;
    static const struct {
        enum icmp_unreachable why;
        uint8_t v4, v6; /* codes */
    } cases[] = {{ICMP_UNREACHABLE_NETWORK, 0, 0},
                 {ICMP_UNREACHABLE_HOST, 1, 3},
                 {ICMP_UNREACHABLE_PROTOCOL, 2, 4},
                 {ICMP_UNREACHABLE_PORT, 3, 4},
                 {ICMP_UNREACHABLE_PROHIBITED, 13, 1}};
    uint8_t p[V6_HEAD + QUOTE_MAX];
    for (size_t i = 0; i < HW_ARRAY_LEN(cases); i++) {
        assert_int_equal(build(p, cases[i].why, "192.0.2.1", "10.0.0.2", 60), V4_HEAD);
        assert_int_equal(p[20], 3);
        assert_int_equal(p[21], cases[i].v4);
        assert_int_equal(build(p, cases[i].why, "2001:db8::1", "fd00::2", 60), V6_HEAD);
        assert_int_equal(p[40], 1);
        assert_int_equal(p[41], cases[i].v6);
    }
}

static void is_whole_in_ipv4(void **state)
{
    (void)state;
    static const uint8_t addresses[8] = {192, 0, 2, 1, 10, 0, 0, 2}, unused[4];
    for (size_t len = 0; len <= QUOTE_MAX; len++) {
        uint8_t p[V4_HEAD + QUOTE_MAX];
        assert_int_equal(build(p, ICMP_UNREACHABLE_HOST, "192.0.2.1", "10.0.0.2", len), V4_HEAD);
        assert_int_equal(p[0], 0x45);
        assert_int_equal(word(p + 2), V4_HEAD + len);
        assert_int_equal(p[9], 1); /* ICMP */
        assert_int_equal(ones_sum(p, 20, 0), 0xffff);
        assert_memory_equal(p + 12, addresses, sizeof addresses);
        assert_memory_equal(p + 24, unused, sizeof unused);
        assert_int_equal(ones_sum(p + 20, 8 + len, 0), 0xffff);
    }
}

static void is_whole_in_ipv6(void **state)
{
    (void)state;
    static const uint8_t unused[4];
    for (size_t len = 0; len <= QUOTE_MAX; len++) {
        uint8_t p[V6_HEAD + QUOTE_MAX];
        assert_int_equal(build(p, ICMP_UNREACHABLE_HOST, "2001:db8::1", "fd00::2", len), V6_HEAD);
        assert_int_equal(p[0] >> 4, 6);
        assert_int_equal(word(p + 4), 8 + len);
        assert_int_equal(p[6], 58); /* ICMPv6 */
        assert_int_equal(p[8], 0x20);
        assert_int_equal(p[24], 0xfd);
        assert_memory_equal(p + 44, unused, sizeof unused);
        unsigned pseudo = ones_sum(p + 8, 32, 58 + 8 + (unsigned)len); /* RFC 8200 8.1 */
        assert_int_equal(ones_sum(p + 40, 8 + len, pseudo), 0xffff);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_what_is_unreachable),
        cmocka_unit_test(is_whole_in_ipv4),
        cmocka_unit_test(is_whole_in_ipv6),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
