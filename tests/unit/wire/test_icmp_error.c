/* ICMP errors, read: each kind, each truncated prefix, and what they quote. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "wire/bytes.h"
#include "wire/checksum.h"
#include "wire/icmp_error.h"

enum { MESSAGE_MAX = 400, SEQ = 0xfedcba98, TOTAL = 1500 };

struct message {
    struct ip_header ip;
    uint8_t bytes[MESSAGE_MAX];
    size_t quote; /* where it begins: behind the header of the message */
};

static struct hawser_addr addr(const char *text)
{
    struct hawser_addr a;
    assert_int_equal(hawser_addr_parse(&a, text, 0), 0);
    return a;
}

static void seal(struct message *m)
{
    struct csum sum = {0, false};
    put16(m->bytes + 2, 0);
    if (!m->ip.is_v4)
        csum_add_pseudo_as(&sum, IP_PROTO_ICMPV6, &m->ip.src, &m->ip.dst, m->ip.payload_len);
    csum_add(&sum, m->bytes, m->ip.payload_len);
    put16(m->bytes + 2, csum_finish(&sum));
}

/* An error of a router about a segment from port 4660 to port 80, of which eight bytes are quoted. */
static void build(struct message *m, bool v6, uint8_t type, uint8_t code, uint32_t rest)
{
    struct hawser_addr own = addr(v6 ? "fd00::1" : "10.0.0.1"), peer = addr(v6 ? "fd00::2" : "10.0.0.2");
    memset(m, 0, sizeof *m);
    m->quote = 8;
    m->bytes[0] = type;
    m->bytes[1] = code;
    put32(m->bytes + 4, rest);
    size_t l3 = ip_emit(m->bytes + 8, &own, &peer, 0, (uint32_t)(TOTAL - ip_header_len(&own)));
    put16(m->bytes + 8 + l3, 4660);
    put16(m->bytes + 8 + l3 + 2, 80);
    put32(m->bytes + 8 + l3 + 4, SEQ);
    m->ip = (struct ip_header){
        .src = addr(v6 ? "fd00::ff" : "10.9.9.9"), .dst = own, .is_v4 = !v6, .payload_len = (uint32_t)(8 + l3 + 8)};
    seal(m);
}

static enum icmp_result parse(const struct message *m, struct icmp_error *out)
{
    return icmp_error_parse(m->bytes, &m->ip, out);
}

static void says_which_segment(void **state)
{
    (void)state;
    for (int v6 = 0; v6 < 2; v6++) {
        struct message m;
        struct icmp_error e;
        struct hawser_addr own = addr(v6 ? "fd00::1" : "10.0.0.1"), peer = addr(v6 ? "fd00::2" : "10.0.0.2");
        own.port = 4660;
        peer.port = 80;
        build(&m, v6, v6 ? 2 : 3, v6 ? 0 : 4, v6 ? 1400 : 0xabcd0000 | 1400);
        assert_int_equal(parse(&m, &e), ICMP_ERROR);
        assert_int_equal(e.kind, ICMP_TOO_BIG);
        assert_int_equal(e.mtu, 1400);
        assert_true(hawser_addr_equal(&e.local, &own));
        assert_true(hawser_addr_equal(&e.remote, &peer));
        assert_int_equal(e.seq.v, (uint32_t)SEQ);
        assert_int_equal(e.packet_len, TOTAL);
    }
}

static void tells_the_kinds_apart(void **state)
{
    (void)state;
    static const struct {
        uint8_t v6, type, code;
        enum icmp_kind kind;
    } cases[] = {
        {0, 3, 0, ICMP_NO_NETWORK},
        {0, 3, 1, ICMP_NO_HOST},
        {0, 3, 2, ICMP_NO_PROTOCOL},
        {0, 3, 3, ICMP_NO_PORT},
        {0, 3, 4, ICMP_TOO_BIG},
        {0, 3, 5, ICMP_NO_NETWORK},
        {0, 3, 6, ICMP_NO_NETWORK},
        {0, 3, 7, ICMP_NO_HOST},
        {0, 3, 8, ICMP_NO_HOST},
        {0, 3, 9, ICMP_PROHIBITED_NETWORK},
        {0, 3, 10, ICMP_PROHIBITED_HOST},
        {0, 3, 11, ICMP_NO_NETWORK},
        {0, 3, 12, ICMP_NO_HOST},
        {0, 3, 13, ICMP_PROHIBITED_HOST},
        {0, 3, 14, ICMP_PROHIBITED_HOST},
        {0, 3, 15, ICMP_PROHIBITED_HOST},
        {0, 11, 0, ICMP_TIME_EXCEEDED},
        {0, 11, 1, ICMP_TIME_EXCEEDED},
        {0, 12, 0, ICMP_PARAMETER_PROBLEM},
        {1, 1, 0, ICMP_NO_NETWORK},
        {1, 1, 1, ICMP_PROHIBITED},
        {1, 1, 2, ICMP_NO_HOST},
        {1, 1, 3, ICMP_NO_HOST},
        {1, 1, 4, ICMP_NO_PORT},
        {1, 1, 5, ICMP_PROHIBITED},
        {1, 1, 6, ICMP_PROHIBITED},
        {1, 2, 0, ICMP_TOO_BIG},
        {1, 3, 0, ICMP_TIME_EXCEEDED},
        {1, 4, 0, ICMP_PARAMETER_PROBLEM},
        {1, 4, 1, ICMP_NO_PROTOCOL},
    };
    for (size_t i = 0; i < HW_ARRAY_LEN(cases); i++) {
        struct message m;
        struct icmp_error e;
        build(&m, cases[i].v6, cases[i].type, cases[i].code, 0);
        assert_int_equal(parse(&m, &e), ICMP_ERROR);
        assert_int_equal(e.kind, cases[i].kind);
        assert_int_equal(e.mtu, 0);
    }
}

/* Echo, redirects, source quench (RFC 6633), neighbours, codes that nobody has heard of. */
static void leaves_other_messages_alone(void **state)
{
    (void)state;
    for (unsigned type = 0; type < 256; type++) {
        struct message m;
        struct icmp_error e;
        build(&m, false, (uint8_t)type, 0, 0);
        bool v4 = type == 3 || type == 11 || type == 12, v6 = type >= 1 && type <= 4;
        assert_int_equal(parse(&m, &e), v4 ? ICMP_ERROR : ICMP_OTHER);
        build(&m, true, (uint8_t)type, 0, 0);
        assert_int_equal(parse(&m, &e), v6 ? ICMP_ERROR : ICMP_OTHER);
        build(&m, type & 1, type & 1 ? 1 : 3, (uint8_t)type, 0);
        assert_int_equal(parse(&m, &e), type < (type & 1 ? 7u : 16u) ? ICMP_ERROR : ICMP_OTHER);
    }
    for (int v6 = 0; v6 < 2; v6++) { /* about UDP */
        struct message m;
        struct icmp_error e;
        build(&m, v6, v6 ? 1 : 3, 1, 0);
        m.bytes[8 + (v6 ? 6 : 9)] = 17;
        seal(&m);
        assert_int_equal(parse(&m, &e), ICMP_OTHER);
    }
}

static void checks_the_sum(void **state)
{
    (void)state;
    for (int v6 = 0; v6 < 2; v6++) {
        struct message m;
        struct icmp_error e;
        build(&m, v6, v6 ? 1 : 3, 1, 0);
        for (size_t i = 0; i < m.ip.payload_len; i++) {
            m.bytes[i] ^= 0x10;
            assert_int_equal(parse(&m, &e), ICMP_BAD_CHECKSUM);
            m.bytes[i] ^= 0x10;
        }
        m.ip.dst.ip[15] ^= 1; /* only ICMPv6 covers the addresses */
        assert_int_equal(parse(&m, &e), v6 ? ICMP_BAD_CHECKSUM : ICMP_ERROR);
    }
}

/* Every truncated prefix, each in memory of its own so that the sanitizer sees a read past it. */
static void truncated(void **state)
{
    (void)state;
    for (int v6 = 0; v6 < 2; v6++) {
        struct message m, cut;
        struct icmp_error e;
        build(&m, v6, v6 ? 1 : 3, 1, 0);
        for (uint32_t len = 0; len < m.ip.payload_len; len++) {
            cut = m;
            cut.ip.payload_len = len;
            if (len >= 8)
                seal(&cut);
            uint8_t *alone = malloc(len ? len : 1);
            assert_non_null(alone);
            memcpy(alone, cut.bytes, len);
            assert_int_equal(icmp_error_parse(alone, &cut.ip, &e), ICMP_MALFORMED);
            free(alone);
        }
    }
}

/* Inserts `len` bytes into what is quoted. */
static void insert(struct message *m, size_t at, const uint8_t *bytes, size_t len)
{
    uint8_t *to = m->bytes + 8 + at;
    memmove(to + len, to, m->ip.payload_len - 8 - at);
    memcpy(to, bytes, len);
    m->ip.payload_len += (uint32_t)len;
}

static void skips_options_and_extension_headers(void **state)
{
    (void)state;
    static const uint8_t options[40] = {1}, hop[8] = {6}, chain[8] = {0};
    struct message m;
    struct icmp_error e;
    build(&m, false, 3, 1, 0);
    insert(&m, 20, options, sizeof options);
    m.bytes[8] = 0x4f;
    seal(&m);
    assert_int_equal(parse(&m, &e), ICMP_ERROR);
    assert_int_equal(e.seq.v, (uint32_t)SEQ);
    assert_int_equal(e.packet_len, TOTAL);
    build(&m, true, 1, 3, 0);
    insert(&m, 40, hop, sizeof hop);
    m.bytes[8 + 6] = 0; /* hop-by-hop options */
    seal(&m);
    assert_int_equal(parse(&m, &e), ICMP_ERROR);
    assert_int_equal(e.seq.v, (uint32_t)SEQ);
    assert_int_equal(e.remote.port, 80);
    for (unsigned i = 0; i < 20; i++) /* without end */
        insert(&m, 40, chain, sizeof chain);
    seal(&m);
    assert_int_equal(parse(&m, &e), ICMP_MALFORMED);
}

/* A later fragment has no TCP header; nor has what says that it is shorter. */
static void refuses_impossible_quotes(void **state)
{
    (void)state;
    static const struct {
        size_t at;
        uint8_t value;
    } v4[] = {{0, 0x65}, {0, 0x44}, {0, 0x4f}, {2, 0}, {7, 1}, {6, 0x1f}};
    struct message m;
    struct icmp_error e;
    for (size_t i = 0; i < HW_ARRAY_LEN(v4); i++) {
        build(&m, false, 3, 1, 0);
        m.bytes[8 + v4[i].at] = v4[i].value;
        if (v4[i].at == 2)
            m.bytes[8 + 3] = 27; /* a byte less than ports and number take */
        seal(&m);
        assert_int_equal(parse(&m, &e), ICMP_MALFORMED);
    }
    build(&m, true, 1, 0, 0);
    m.bytes[8] = 0x45; /* of another family than the message */
    seal(&m);
    assert_int_equal(parse(&m, &e), ICMP_MALFORMED);
    build(&m, true, 1, 0, 0);
    put16(m.bytes + 8 + 4, 7);
    seal(&m);
    assert_int_equal(parse(&m, &e), ICMP_MALFORMED);
    build(&m, true, 1, 0, 0);
    m.bytes[8 + 6] = 44; /* a fragment: we send none */
    seal(&m);
    assert_int_equal(parse(&m, &e), ICMP_MALFORMED);
}

/* RFC 1191 7, table 7-1. */
static void knows_the_plateaus(void **state)
{
    (void)state;
    assert_int_equal(icmp_plateau_below(70000), 65535);
    assert_int_equal(icmp_plateau_below(9000), 8166);
    assert_int_equal(icmp_plateau_below(1500), 1492);
    assert_int_equal(icmp_plateau_below(1492), 1006);
    assert_int_equal(icmp_plateau_below(1006), 508);
    assert_int_equal(icmp_plateau_below(69), 68);
    assert_int_equal(icmp_plateau_below(0), 68);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_which_segment),
        cmocka_unit_test(tells_the_kinds_apart),
        cmocka_unit_test(leaves_other_messages_alone),
        cmocka_unit_test(checks_the_sum),
        cmocka_unit_test(truncated),
        cmocka_unit_test(skips_options_and_extension_headers),
        cmocka_unit_test(refuses_impossible_quotes),
        cmocka_unit_test(knows_the_plateaus),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
