#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "support.h"
#include "wire/bytes.h"
#include "wire/checksum.h"
#include "wire/ip.h"
#include "wire/tcp.h"

static struct hawser_addr addr(const char *text)
{
    struct hawser_addr a;
    assert_int_equal(hawser_addr_parse(&a, text, 0), 0);
    return a;
}

static size_t build(uint8_t *p, bool v6, uint32_t payload)
{
    struct hawser_addr src = addr(v6 ? "fd00::1" : "10.0.0.1"), dst = addr(v6 ? "fd00::2" : "10.0.0.2");
    size_t len = ip_emit(p, &src, &dst, 2, payload);
    assert_int_equal(len, ip_header_len(&dst));
    memset(p + len, 0x5a, payload);
    return len + payload;
}

static void round_trips(void **state)
{
    (void)state;
    for (int v6 = 0; v6 < 2; v6++) {
        uint8_t p[200];
        struct ip_header h;
        size_t len = build(p, v6, 50);
        assert_int_equal(ip_parse(p, len, false, &h), IP_OK);
        assert_int_equal(h.is_v4, !v6);
        assert_int_equal(h.protocol, IP_PROTO_TCP);
        assert_int_equal(h.ecn, 2);
        assert_int_equal(h.hop_limit, 64);
        assert_int_equal(h.payload_len, 50);
        struct hawser_addr src = addr(v6 ? "fd00::1" : "10.0.0.1");
        assert_true(hawser_addr_equal(&h.src, &src));
        /* Padding behind the packet is not payload. */
        assert_int_equal(ip_parse(p, len + 6, false, &h), IP_OK);
        assert_int_equal(h.payload_len, 50);
    }
}

/* Every truncated prefix, each in memory of its own so that the sanitizer sees a read past it. */
static void truncated(void **state)
{
    (void)state;
    for (int v6 = 0; v6 < 2; v6++) {
        uint8_t p[200];
        size_t len = build(p, v6, 20);
        for (size_t n = 0; n < len; n++) {
            uint8_t *exact = malloc(n ? n : 1);
            struct ip_header h;
            memcpy(exact, p, n);
            assert_int_equal(ip_parse(exact, n, false, &h), IP_TRUNCATED);
            free(exact);
        }
    }
}

static void fix_v4(uint8_t *p)
{
    size_t len = (size_t)(p[0] & 15) * 4;
    put16(p + 10, 0);
    struct csum c = {0, false};
    csum_add(&c, p, len);
    put16(p + 10, csum_finish(&c));
}

static void bad_v4(void **state)
{
    (void)state;
    uint8_t p[200];
    struct ip_header h;
    size_t len = build(p, false, 20);
    p[8] ^= 1;
    assert_int_equal(ip_parse(p, len, false, &h), IP_BAD_CHECKSUM);
    build(p, false, 20);
    p[0] = 0x44; /* a header of 16 bytes */
    assert_int_equal(ip_parse(p, len, false, &h), IP_BAD_HEADER);
    p[0] = 0x75;
    assert_int_equal(ip_parse(p, len, false, &h), IP_BAD_VERSION);
    static const uint16_t fragments[] = {0x2000, 1, 0x2001};
    for (size_t i = 0; i < HW_ARRAY_LEN(fragments); i++) {
        build(p, false, 20);
        put16(p + 6, fragments[i]);
        fix_v4(p);
        assert_int_equal(ip_parse(p, len, false, &h), IP_FRAGMENT);
    }
    static const char *const v6_sources[] = {"::", "ff02::1", "ff0e::1"};
    for (size_t i = 0; i < HW_ARRAY_LEN(v6_sources); i++) {
        struct hawser_addr source;
        build(p, true, 20);
        assert_int_equal(hawser_addr_parse(&source, v6_sources[i], 0), 0);
        memcpy(p + 8, source.ip, 16);
        assert_int_equal(ip_parse(p, IPV6_HEADER_LEN + 20, false, &h), IP_BAD_ADDRESS);
    }
    static const uint8_t sources[] = {224, 239, 255};
    for (size_t i = 0; i < HW_ARRAY_LEN(sources); i++) {
        build(p, false, 20);
        p[12] = sources[i];
        fix_v4(p);
        assert_int_equal(ip_parse(p, len, false, &h), IP_BAD_ADDRESS);
    }
}

static void v4_options_are_skipped(void **state)
{
    (void)state;
    uint8_t p[100] = {0};
    struct ip_header h;
    build(p, false, 30);
    p[0] = 0x46; /* four bytes of what was payload are options now */
    fix_v4(p);
    assert_int_equal(ip_parse(p, 50, false, &h), IP_OK);
    assert_int_equal(h.header_len, 24);
    assert_int_equal(h.payload_len, 26);
}

/* RFC 8200 4: what a host may skip it skips; a fragment and an unfinished route it does not. */
static void v6_extension_headers(void **state)
{
    (void)state;
    static const struct {
        uint8_t next, byte3;
        enum ip_result expected;
    } cases[] = {
        {0, 0, IP_OK}, {60, 0, IP_OK}, {43, 0, IP_OK}, {43, 1, IP_BAD_HEADER}, {44, 0, IP_FRAGMENT},
    };
    for (size_t i = 0; i < HW_ARRAY_LEN(cases); i++) {
        uint8_t p[200];
        struct ip_header h;
        size_t len = build(p, true, 40);
        p[6] = cases[i].next;
        p[40] = IP_PROTO_TCP;
        p[41] = 0; /* eight bytes */
        p[43] = cases[i].byte3;
        assert_int_equal(ip_parse(p, len, false, &h), cases[i].expected);
        if (cases[i].expected == IP_OK) {
            assert_int_equal(h.protocol, IP_PROTO_TCP);
            assert_int_equal(h.payload_len, 32);
        }
        p[41] = 255; /* runs past the end */
        if (cases[i].expected == IP_OK)
            assert_int_equal(ip_parse(p, len, false, &h), IP_TRUNCATED);
    }
}

static void v6_chain_without_end(void **state)
{
    (void)state;
    uint8_t p[300];
    struct ip_header h;
    size_t len = build(p, true, 200);
    p[6] = 60;
    memset(p + 40, 0, 200);
    for (size_t at = 40; at < len; at += 8)
        p[at] = 60;
    assert_int_equal(ip_parse(p, len, false, &h), IP_BAD_HEADER);
}

static void merged_lengths(void **state)
{
    (void)state;
    uint8_t p[200];
    struct ip_header h;
    size_t len = build(p, false, 100);
    put16(p + 2, 0);
    fix_v4(p);
    assert_int_equal(ip_parse(p, len, true, &h), IP_OK);
    assert_int_equal(h.payload_len, 100);
    assert_int_not_equal(ip_parse(p, len, false, &h), IP_OK);
    len = build(p, true, 100);
    put16(p + 4, 0);
    assert_int_equal(ip_parse(p, len, true, &h), IP_OK);
    assert_int_equal(h.payload_len, 100);
}

static void tcp_headers(void **state)
{
    (void)state;
    struct tcp_header h = {.src_port = 1,
                           .dst_port = 65535,
                           .seq = seq_at(0xfffffffe),
                           .ack = seq_at(7),
                           .header_len = 24,
                           .flags = TCP_ACK | TCP_CWR,
                           .window = 500,
                           .checksum = 0xabcd,
                           .urgent = 3},
                      back;
    uint8_t p[60] = {0};
    tcp_header_emit(p, &h);
    assert_true(tcp_header_parse(p, 24, &back));
    assert_memory_equal(&h, &back, sizeof h);
    for (size_t len = 0; len < 24; len++)
        assert_false(tcp_header_parse(p, len, &back));
    for (unsigned words = 0; words < 16; words++) {
        p[12] = (uint8_t)(words << 4);
        assert_int_equal(tcp_header_parse(p, 40, &back), words >= 5 && words <= 10);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trips),
        cmocka_unit_test(truncated),
        cmocka_unit_test(bad_v4),
        cmocka_unit_test(v4_options_are_skipped),
        cmocka_unit_test(v6_extension_headers),
        cmocka_unit_test(v6_chain_without_end),
        cmocka_unit_test(merged_lengths),
        cmocka_unit_test(tcp_headers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
