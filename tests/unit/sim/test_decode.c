/* The judges' own decoder, by packets made by hand, and their sets of spans and mappings, against plain arrays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "base/prng.h"
#include "sim/judges/decode.h"
#include "sim/judges/maps.h"
#include "sim/judges/spans.h"

enum { V4 = 20, TCP = 20, ROOM = 256 };

/* A packet of either family with these TCP flags, options (a multiple of 4 bytes) and payload bytes of 0xab. */
struct made {
    uint8_t bytes[ROOM];
    size_t len, header;
};

static uint32_t sum(uint32_t acc, const uint8_t *p, size_t len)
{
    for (size_t i = 0; i < len; i++)
        acc += (uint32_t)p[i] << (i & 1 ? 0 : 8);
    while (acc >> 16)
        acc = (acc & 0xffff) + (acc >> 16);
    return acc;
}

static void finish(struct made *m, size_t tcp_len)
{
    uint8_t *p = m->bytes, *tcp = p + m->header;
    bool v4 = m->header == V4;
    tcp[16] = tcp[17] = 0;
    uint32_t s = sum((uint32_t)tcp_len + 6, v4 ? p + 12 : p + 8, v4 ? 8 : 32);
    s = ~sum(s, tcp, tcp_len);
    tcp[16] = (uint8_t)(s >> 8);
    tcp[17] = (uint8_t)s;
    if (v4) {
        p[10] = p[11] = 0;
        s = ~sum(0, p, V4);
        p[10] = (uint8_t)(s >> 8);
        p[11] = (uint8_t)s;
    }
}

static struct made make(bool v4, uint8_t flags, const uint8_t *options, size_t options_len, size_t payload)
{
    struct made m = {.header = v4 ? V4 : 40};
    size_t tcp_len = TCP + options_len + payload;
    m.len = m.header + tcp_len;
    uint8_t *p = m.bytes, *tcp = p + m.header;
    if (v4) {
        memcpy(p, (const uint8_t[]){0x45, 0, 0, (uint8_t)m.len, 0, 0, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2},
               V4);
    } else {
        memcpy(p, (const uint8_t[]){0x60, 0, 0, 0, 0, (uint8_t)tcp_len, 6, 64, 0xfd}, 9);
        p[23] = 1;
        p[24] = 0xfd;
        p[39] = 2;
    }
    memcpy(tcp, (const uint8_t[]){0x12, 0x34, 0, 80, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0x10, 0x20}, 16);
    tcp[12] = (uint8_t)((TCP + options_len) / 4 << 4);
    tcp[13] = flags;
    if (options_len)
        memcpy(tcp + TCP, options, options_len);
    memset(tcp + TCP + options_len, 0xab, payload);
    finish(&m, tcp_len);
    return m;
}

static void test_headers(void **state)
{
    (void)state;
    for (unsigned v4 = 0; v4 < 2; v4++) {
        struct made m = make(v4, SEEN_ACK | SEEN_PSH, NULL, 0, 9);
        struct seen seen;
        assert_true(decode(m.bytes, m.len, false, &seen));
        assert_null(seen.fault);
        assert_null(seen.option_fault);
        assert_int_equal(hawser_addr_is_v4(&seen.src), v4);
        assert_int_equal(seen.src.ip[15], 1);
        assert_int_equal(seen.dst.ip[15], 2);
        assert_int_equal(seen.src.port, 0x1234);
        assert_int_equal(seen.dst.port, 80);
        assert_int_equal(seen.seq, 0x01020304);
        assert_int_equal(seen.ack, 0x05060708);
        assert_int_equal(seen.window, 0x1020);
        assert_int_equal(seen.len, 9);
        assert_int_equal(seen.payload[0], 0xab);
        assert_int_equal(seen_span(&seen), 9);
    }
}

/* Every bit of a packet matters to some check or field, but for the few that nobody protects. */
static void test_checksums_see_every_flipped_bit(void **state)
{
    (void)state;
    for (unsigned v4 = 0; v4 < 2; v4++) {
        struct made m = make(v4, SEEN_ACK, NULL, 0, 11);
        size_t from = v4 ? 0 : 8; /* an IPv6 header has no checksum of its own */
        for (size_t bit = from * 8; bit < m.len * 8; bit++) {
            struct seen seen;
            m.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
            (void)decode(m.bytes, m.len, false, &seen);
            assert_non_null(seen.fault);
            m.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
    }
}

static void test_every_prefix_is_refused(void **state)
{
    (void)state;
    for (unsigned v4 = 0; v4 < 2; v4++) {
        struct made m = make(v4, SEEN_ACK, (const uint8_t[]){1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2}, 12, 5);
        for (size_t len = 0; len < m.len; len++) {
            uint8_t *exact = malloc(len + !len); /* the sanitizer sees a read beyond */
            struct seen seen;
            assert_non_null(exact);
            memcpy(exact, m.bytes, len);
            (void)decode(exact, len, true, &seen);
            assert_non_null(seen.fault);
            free(exact);
        }
    }
}

static void test_flags_that_do_not_go_together(void **state)
{
    (void)state;
    for (unsigned flags = 0; flags < 0x40; flags++) {
        struct made m = make(true, (uint8_t)flags, NULL, 0, 0);
        struct seen seen;
        unsigned loud = !!(flags & SEEN_SYN) + !!(flags & SEEN_FIN) + !!(flags & SEEN_RST);
        bool good = loud < 2 && flags & (SEEN_SYN | SEEN_RST | SEEN_ACK) && !(flags & SEEN_URG);
        assert_true(decode(m.bytes, m.len, false, &seen));
        assert_int_equal(seen.fault == NULL, good);
    }
}

/* ---- options ---- */

/* Decodes a segment with one option, padded; tells whether the option is legal there. */
static bool legal(uint8_t flags, size_t payload, const uint8_t *option, size_t len, struct seen *seen)
{
    static struct made m; /* `seen` points into it */
    uint8_t padded[40];
    memset(padded, 1, sizeof padded);
    memcpy(padded, option, len);
    m = make(true, flags, padded, (len + 3) / 4 * 4, payload);
    assert_true(decode(m.bytes, m.len, false, seen));
    return seen->option_fault == NULL;
}

static void test_mptcp_lengths(void **state)
{
    (void)state;
    static const struct {
        uint8_t subtype, low, flags_byte, flags;
        uint64_t lengths; /* bit set of those that are legal */
    } cases[] = {
#define L(n) (UINT64_C(1) << (n))
        {SEEN_CAPABLE, 1, 1, SEEN_SYN, L(4)},
        {SEEN_CAPABLE, 1, 1, SEEN_SYN | SEEN_ACK, L(12)},
        {SEEN_CAPABLE, 1, 1, SEEN_ACK, L(20) | L(22) | L(24)},
        {SEEN_JOIN, 0, 0, SEEN_SYN, L(12)},
        {SEEN_JOIN, 1, 0, SEEN_SYN | SEEN_ACK, L(16)},
        {SEEN_JOIN, 0, 0, SEEN_ACK, L(24)},
        {SEEN_JOIN, 1, 0, SEEN_ACK, 0}, /* a reserved bit */
        {SEEN_DSS, 0, 0x01, SEEN_ACK, L(8)},
        {SEEN_DSS, 0, 0x03, SEEN_ACK, L(12)},
        {SEEN_DSS, 0, 0x04, SEEN_ACK, L(14) | L(16)},
        {SEEN_DSS, 0, 0x0c, SEEN_ACK, L(18) | L(20)},
        {SEEN_DSS, 0, 0x0d, SEEN_ACK, L(22) | L(24)},
        {SEEN_DSS, 0, 0x0f, SEEN_ACK, L(26) | L(28)},
        {SEEN_DSS, 0, 0x21, SEEN_ACK, 0}, /* a reserved bit */
        {SEEN_DSS, 0, 0x11, SEEN_ACK, 0}, /* a DATA_FIN without a mapping */
        {SEEN_DSS, 0, 0x01, SEEN_SYN, 0},
        {SEEN_ADD_ADDR, 0, 3, SEEN_ACK, L(16) | L(18) | L(28) | L(30)},
        {SEEN_ADD_ADDR, 1, 3, SEEN_ACK, L(8) | L(10) | L(20) | L(22)},
        {SEEN_REMOVE_ADDR, 0, 3, SEEN_ACK, (L(41) - 1) & ~(L(4) - 1)},
        {SEEN_PRIO, 1, 0, SEEN_ACK, L(3)},
        {SEEN_FAIL, 0, 0, SEEN_ACK, L(12)},
        {SEEN_FASTCLOSE, 0, 0, SEEN_ACK, L(12)},
        {SEEN_TCPRST, 0, 0, SEEN_RST, L(4)},
        {SEEN_TCPRST, 0, 0, SEEN_ACK, 0},
        {0x9, 0, 0, SEEN_ACK, 0},
#undef L
    };
    for (size_t i = 0; i < HW_ARRAY_LEN(cases); i++)
        for (unsigned len = 3; len <= 40; len++) {
            uint8_t option[40] = {30, (uint8_t)len, (uint8_t)(cases[i].subtype << 4 | cases[i].low),
                                  cases[i].flags_byte};
            struct seen seen;
            bool right = cases[i].lengths >> len & 1;
            assert_int_equal(legal(cases[i].flags, 9, option, len, &seen), right);
            assert_int_equal(seen_has(&seen, cases[i].subtype), right);
        }
}

static void test_dss_fields(void **state)
{
    (void)state;
    struct seen seen;
    const uint8_t small[] = {30, 16, 0x20, 0x05, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 4};
    uint8_t option[18];
    memcpy(option, small, sizeof small);
    option[1] = 18;
    assert_true(legal(SEEN_ACK, 4, option, sizeof option, &seen));
    assert_true(seen.dss.has_ack && seen.dss.has_map && !seen.dss.has_checksum && !seen.dss.fin);
    assert_int_equal(seen.dss.ack, 1);
    assert_int_equal(seen.dss.dsn, 2);
    assert_int_equal(seen.dss.ssn, 3);
    assert_int_equal(seen.dss.len, 4);
    const uint8_t large[] = {30, 28, 0x20, 0x1f, 1, 0, 0, 0, 0, 0, 0, 2, 3, 0,
                             0,  0,  0,    0,    0, 4, 0, 0, 0, 0, 0, 1, 9, 8};
    assert_true(legal(SEEN_ACK, 0, large, sizeof large, &seen));
    assert_true(seen.dss.fin && seen.dss.has_checksum && seen.dss.ack_is_64 && seen.dss.dsn_is_64);
    assert_true(seen.dss.ack == UINT64_C(0x0100000000000002) && seen.dss.dsn == UINT64_C(0x0300000000000004));
    assert_int_equal(seen.dss.len, 1);
    assert_int_equal(seen.dss.checksum, 0x0908);
}

static void test_tcp_options(void **state)
{
    (void)state;
    struct seen seen;
    const uint8_t syn[] = {2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 7, 0, 0, 0, 0, 1, 3, 3, 7};
    assert_true(legal(SEEN_SYN, 0, syn, sizeof syn, &seen));
    assert_true(seen.has_mss && seen.has_scale && seen.has_sack_permitted && seen.has_timestamps);
    assert_int_equal(seen.mss, 1460);
    assert_int_equal(seen.scale, 7);
    assert_int_equal(seen.ts_val, 7);
    assert_false(legal(SEEN_ACK, 0, syn, sizeof syn, &seen)); /* not on others */
    const uint8_t sack[] = {5, 18, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4};
    assert_true(legal(SEEN_ACK, 0, sack, sizeof sack, &seen));
    assert_int_equal(seen.sack_count, 2);
    assert_int_equal(seen.sack[1].start, 3);
    assert_int_equal(seen.sack[1].end, 4);
    for (unsigned len = 0; len < 18; len++) {
        uint8_t bad[sizeof sack];
        memcpy(bad, sack, sizeof sack);
        bad[1] = (uint8_t)len;
        if (len != 10) /* which is right, and leaves bytes that are not */
            assert_false(legal(SEEN_ACK, 0, bad, sizeof bad, &seen));
    }
    const uint8_t after_end[] = {0, 0, 0, 1};
    assert_false(legal(SEEN_ACK, 0, after_end, sizeof after_end, &seen));
    const uint8_t unknown[] = {99, 4, 0, 0};
    assert_false(legal(SEEN_ACK, 0, unknown, sizeof unknown, &seen));
}

/* ---- sets ---- */

#define SPACE 200u

static void test_spans_against_an_array(void **state)
{
    (void)state;
    struct prng rng;
    prng_seed(&rng, 1);
    for (unsigned round = 0; round < 300; round++) {
        bool there[SPACE + 1] = {false};
        struct spans s = {0};
        for (unsigned step = 0; step < 60; step++) {
            uint64_t start = prng_below(&rng, SPACE), end = start + prng_below(&rng, SPACE / 10);
            end = HW_MIN(end, (uint64_t)SPACE);
            assert_true(spans_add(&s, start, end));
            for (uint64_t at = start; at < end; at++)
                there[at] = true;
            unsigned next = 0;
            while (there[next])
                next++;
            assert_int_equal(s.next, next);
            uint64_t from = prng_below(&rng, SPACE), to = from + prng_below(&rng, SPACE - (uint32_t)from);
            bool all = true;
            for (uint64_t at = from; at < to; at++)
                all &= there[at];
            assert_int_equal(spans_has(&s, from, to), all);
            for (size_t i = 0; i < s.count; i++) /* sorted, apart */
                assert_true(s.islands[i].start > (i ? s.islands[i - 1].end : s.next));
        }
        spans_fini(&s);
    }
}

static void test_spans_have_a_limit(void **state)
{
    (void)state;
    struct spans s = {0};
    for (uint64_t i = 1; i <= SPANS_ISLANDS_MAX; i++)
        assert_true(spans_add(&s, 2 * i, 2 * i + 1));
    assert_false(spans_add(&s, 1000000, 1000001));
    assert_true(spans_add(&s, 0, 2)); /* what joins needs no room */
    spans_fini(&s);
}

static void test_learned_mappings_against_an_array(void **state)
{
    (void)state;
    struct prng rng;
    prng_seed(&rng, 2);
    for (unsigned round = 0; round < 300; round++) {
        uint64_t relation[SPACE] = {0}; /* 0: none, else data - start */
        struct maps m = {0};
        for (unsigned step = 0; step < 40; step++) {
            uint64_t start = prng_below(&rng, SPACE - 1), delta = 1000 + 1000 * prng_below(&rng, 2);
            uint64_t end = start + 1 + prng_below(&rng, SPACE / 10);
            end = HW_MIN(end, (uint64_t)SPACE);
            bool conflict = false;
            for (uint64_t at = start; at < end; at++)
                conflict |= relation[at] && relation[at] != delta;
            const struct map map = {.start = start, .end = end, .data = start + delta};
            assert_int_equal(maps_learn(&m, &map) == MAPS_CONFLICT, conflict);
            for (uint64_t at = start; at < end && !conflict; at++)
                relation[at] = delta;
            for (uint64_t at = 0; at < SPACE; at++) {
                const struct map *found = maps_find(&m, at);
                bool mapped = found && found->start <= at;
                assert_int_equal(mapped ? found->data - found->start : 0, relation[at]);
                assert_int_equal(maps_cover(&m, at, at + 1), mapped);
            }
        }
        maps_fini(&m);
    }
}

static void test_declared_mappings_are_kept_to_the_letter(void **state)
{
    (void)state;
    struct maps m = {0};
    for (uint64_t i = 0; i < 100; i++) {
        const struct map map = {.start = 10 * i, .end = 10 * i + 10, .data = 7 + 10 * i, .checksum = 5};
        assert_int_equal(maps_declare(&m, &map), MAPS_NEW);
    }
    struct map again = {.start = 500, .end = 510, .data = 507, .checksum = 5};
    assert_int_equal(maps_declare(&m, &again), MAPS_KNOWN);
    again.checksum = 6;
    assert_int_equal(maps_declare(&m, &again), MAPS_CONFLICT);
    again.checksum = 5;
    again.end = 505;
    assert_int_equal(maps_declare(&m, &again), MAPS_CONFLICT);
    assert_true(maps_cover(&m, 0, 1000));
    assert_false(maps_cover(&m, 0, 1001));
    maps_retire(&m, 500);
    assert_int_equal(maps_find(&m, 0)->start, 490);
    assert_true(maps_cover(&m, 490, 1000));
    maps_fini(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_checksums_see_every_flipped_bit),
        cmocka_unit_test(test_every_prefix_is_refused),
        cmocka_unit_test(test_flags_that_do_not_go_together),
        cmocka_unit_test(test_mptcp_lengths),
        cmocka_unit_test(test_dss_fields),
        cmocka_unit_test(test_tcp_options),
        cmocka_unit_test(test_spans_against_an_array),
        cmocka_unit_test(test_spans_have_a_limit),
        cmocka_unit_test(test_learned_mappings_against_an_array),
        cmocka_unit_test(test_declared_mappings_are_kept_to_the_letter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
