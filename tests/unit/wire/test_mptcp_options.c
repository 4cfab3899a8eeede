/* Each MPTCP option: round trip, every truncated prefix and wrong length, wrong flags, duplicates, unknown subtypes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "wire/mptcp_options.h"

struct sample {
    const char *name;
    enum mptcp_subtype subtype;
    bool syn, ack;
    struct mptcp_options value;
    size_t len;
    const char *hex; /* what must stand on the wire, worked out by hand from the figures of RFC 8684; NULL: any */
};

#define V4                                                                                                             \
    {                                                                                                                  \
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1                                                          \
    }
#define V6                                                                                                             \
    {                                                                                                                  \
        0x20, 1, 0xd, 0xb8, [15] = 7                                                                                   \
    }

static const struct sample samples[] = {
    {"MP_CAPABLE SYN", MPTCP_CAPABLE, true, false, {.capable = {.version = 1, .algorithms = 1}}, 4, "1e040101"},
    {"MP_CAPABLE SYN, A and C",
     MPTCP_CAPABLE,
     true,
     false,
     {.capable = {.version = 1, .algorithms = 1, .checksum_required = true, .no_more_here = true}},
     4,
     "1e0401a1"},
    {"MP_CAPABLE SYN/ACK",
     MPTCP_CAPABLE,
     true,
     true,
     {.capable = {.version = 1, .algorithms = 1, .has_sender_key = true, .sender_key = UINT64_C(0x0102030405060708)}},
     12,
     "1e0c01010102030405060708"},
    {"MP_CAPABLE ACK",
     MPTCP_CAPABLE,
     false,
     true,
     {.capable = {.version = 1,
                  .algorithms = 1,
                  .has_sender_key = true,
                  .has_receiver_key = true,
                  .sender_key = 1,
                  .receiver_key = 2}},
     20,
     "1e14010100000000000000010000000000000002"},
    {"MP_CAPABLE data",
     MPTCP_CAPABLE,
     false,
     true,
     {.capable = {.version = 1,
                  .algorithms = 1,
                  .has_sender_key = true,
                  .has_receiver_key = true,
                  .has_data_len = true,
                  .data_len = 0x1234}},
     22,
     NULL},
    {"MP_CAPABLE data, checksum",
     MPTCP_CAPABLE,
     false,
     true,
     {.capable = {.version = 1,
                  .algorithms = 1,
                  .checksum_required = true,
                  .has_sender_key = true,
                  .has_receiver_key = true,
                  .has_data_len = true,
                  .has_checksum = true,
                  .data_len = 1,
                  .checksum = 0xabcd}},
     24,
     NULL},
    {"MP_JOIN SYN",
     MPTCP_JOIN,
     true,
     false,
     {.join = {.shape = MP_JOIN_SYN, .backup = true, .address_id = 5, .token = 0x01020304, .nonce = 0x0a0b0c0d}},
     12,
     "1e0c1105010203040a0b0c0d"},
    {"MP_JOIN SYN/ACK",
     MPTCP_JOIN,
     true,
     true,
     {.join = {.shape = MP_JOIN_SYNACK, .address_id = 6, .hmac64 = UINT64_C(0x1122334455667788), .nonce = 9}},
     16,
     "1e101006112233445566778800000009"},
    {"MP_JOIN ACK", MPTCP_JOIN, false, true, {.join = {.shape = MP_JOIN_ACK, .hmac = {1, 2, [19] = 20}}}, 24, NULL},
    {"DSS ack", MPTCP_DSS, false, true, {.dss = {.has_ack = true, .ack = 7}}, 8, "1e08200100000007"},
    {"DSS ack64",
     MPTCP_DSS,
     false,
     true,
     {.dss = {.has_ack = true, .ack_is_64 = true, .ack = 7}},
     12,
     "1e0c20030000000000000007"},
    {"DSS map",
     MPTCP_DSS,
     false,
     true,
     {.dss = {.has_map = true, .dsn = 1, .ssn = 2, .len = 3}},
     14,
     "1e0e20040000000100000002"
     "0003"},
    {"DSS map, checksum",
     MPTCP_DSS,
     false,
     true,
     {.dss = {.has_map = true, .has_checksum = true, .dsn = 1, .ssn = 2, .len = 3, .checksum = 4}},
     16,
     NULL},
    {"DSS all, 64 bits, FIN",
     MPTCP_DSS,
     false,
     true,
     {.dss = {.has_ack = true,
              .ack_is_64 = true,
              .has_map = true,
              .dsn_is_64 = true,
              .has_checksum = true,
              .data_fin = true,
              .ack = UINT64_MAX,
              .dsn = UINT64_MAX - 1,
              .ssn = UINT32_MAX,
              .len = UINT16_MAX,
              .checksum = 1}},
     28,
     NULL},
    {"DSS ack, map64",
     MPTCP_DSS,
     false,
     true,
     {.dss = {.has_ack = true, .ack = 1, .has_map = true, .dsn_is_64 = true, .dsn = 2, .len = 1}},
     22,
     NULL},
    {"ADD_ADDR v4",
     MPTCP_ADD_ADDR,
     false,
     true,
     {.add_addr = {.is_v4 = true, .address_id = 2, .addr = {.ip = V4}, .hmac64 = 5}},
     16,
     "1e1030020a0000010000000000000005"},
    {"ADD_ADDR v4 port",
     MPTCP_ADD_ADDR,
     false,
     true,
     {.add_addr = {.is_v4 = true, .has_port = true, .address_id = 2, .addr = {.ip = V4, .port = 80}, .hmac64 = 5}},
     18,
     NULL},
    {"ADD_ADDR v4 echo",
     MPTCP_ADD_ADDR,
     false,
     true,
     {.add_addr = {.is_v4 = true, .echo = true, .address_id = 2, .addr = {.ip = V4}}},
     8,
     "1e0831020a000001"},
    {"ADD_ADDR v4 port echo",
     MPTCP_ADD_ADDR,
     false,
     true,
     {.add_addr = {.is_v4 = true, .echo = true, .has_port = true, .address_id = 2, .addr = {.ip = V4, .port = 1}}},
     10,
     NULL},
    {"ADD_ADDR v6",
     MPTCP_ADD_ADDR,
     false,
     true,
     {.add_addr = {.address_id = 9, .addr = {.ip = V6}, .hmac64 = 1}},
     28,
     NULL},
    {"ADD_ADDR v6 port",
     MPTCP_ADD_ADDR,
     false,
     true,
     {.add_addr = {.has_port = true, .address_id = 9, .addr = {.ip = V6, .port = 65535}, .hmac64 = 1}},
     30,
     NULL},
    {"ADD_ADDR v6 echo",
     MPTCP_ADD_ADDR,
     false,
     true,
     {.add_addr = {.echo = true, .address_id = 9, .addr = {.ip = V6}}},
     20,
     NULL},
    {"ADD_ADDR v6 port echo",
     MPTCP_ADD_ADDR,
     false,
     true,
     {.add_addr = {.echo = true, .has_port = true, .address_id = 9, .addr = {.ip = V6, .port = 2}}},
     22,
     NULL},
    {"MP_PRIO", MPTCP_PRIO, false, true, {.prio = {.backup = true}}, 3, "1e0351"},
    {"MP_FAIL", MPTCP_FAIL, false, true, {.fail = {.dsn = 3}}, 12, "1e0c60000000000000000003"},
    {"MP_FASTCLOSE", MPTCP_FASTCLOSE, false, true, {.fastclose = {.receiver_key = 4}}, 12, "1e0c70000000000000000004"},
    {"MP_TCPRST", MPTCP_TCPRST, false, true, {.tcprst = {.transient = true, .flags = 1, .reason = 3}}, 4, "1e048103"},
};

static size_t from_hex(const char *hex, uint8_t *out)
{
    size_t n = strlen(hex) / 2;
    for (size_t i = 0; i < n; i++) {
        const char *digits = "0123456789abcdef";
        out[i] = (uint8_t)((strchr(digits, hex[2 * i]) - digits) << 4 | (strchr(digits, hex[2 * i + 1]) - digits));
    }
    return n;
}

static void round_trips(void **state)
{
    (void)state;
    for (size_t i = 0; i < HW_ARRAY_LEN(samples); i++) {
        const struct sample *s = &samples[i];
        uint8_t bytes[64], expected[64], again[64];
        struct mptcp_options parsed = {0};
        print_message("  %s\n", s->name);
        assert_int_equal(mptcp_option_len(&s->value, s->subtype), s->len);
        assert_int_equal(mptcp_option_emit(bytes, &s->value, s->subtype), s->len);
        if (s->hex) {
            assert_int_equal(from_hex(s->hex, expected), s->len);
            assert_memory_equal(bytes, expected, s->len);
        }
        assert_int_equal(mptcp_option_parse(bytes, s->len, s->syn, s->ack, &parsed), MPTCP_PARSED);
        assert_int_equal(parsed.present, 1 << s->subtype);
        assert_int_equal(mptcp_option_emit(again, &parsed, s->subtype), s->len);
        assert_memory_equal(again, bytes, s->len);
        /* A second one of the same kind is malformed, and the first stands. */
        assert_int_equal(mptcp_option_parse(bytes, s->len, s->syn, s->ack, &parsed), MPTCP_MALFORMED);
    }
}

/* Whether some sample of the same subtype and flags has that length too. */
static bool legal_length(const struct sample *s, size_t len)
{
    for (size_t i = 0; i < HW_ARRAY_LEN(samples); i++)
        if (samples[i].subtype == s->subtype && samples[i].syn == s->syn && samples[i].ack == s->ack &&
            samples[i].len == len)
            return true;
    return false;
}

static void wrong_lengths(void **state)
{
    (void)state;
    for (size_t i = 0; i < HW_ARRAY_LEN(samples); i++) {
        const struct sample *s = &samples[i];
        uint8_t bytes[64] = {0};
        mptcp_option_emit(bytes, &s->value, s->subtype);
        for (size_t len = 2; len <= 40; len++) {
            struct mptcp_options parsed = {0};
            bytes[1] = (uint8_t)len;
            if (len == s->len)
                continue;
            /* A DSS's flags fix its length, but for the checksum; the others have a set of lengths. */
            bool checksum_twin = s->subtype == MPTCP_DSS && s->value.dss.has_map &&
                                 (s->value.dss.has_checksum ? len + 2 == s->len : len == s->len + 2);
            bool twin = s->subtype == MPTCP_DSS ? checksum_twin : legal_length(s, len);
            enum mptcp_parse_result result = mptcp_option_parse(bytes, len, s->syn, s->ack, &parsed);
            if (twin && s->subtype != MPTCP_ADD_ADDR)
                assert_int_equal(result, MPTCP_PARSED);
            else if (s->subtype != MPTCP_ADD_ADDR)
                assert_int_equal(result, MPTCP_MALFORMED);
            assert_int_equal(parsed.present, result == MPTCP_PARSED ? 1 << s->subtype : 0);
        }
    }
}

static void add_addr_lengths(void **state)
{
    (void)state;
    for (unsigned echo = 0; echo < 2; echo++) {
        for (size_t len = 2; len <= 40; len++) {
            uint8_t bytes[64] = {30, (uint8_t)len, (uint8_t)(MPTCP_ADD_ADDR << 4 | echo), 1};
            struct mptcp_options parsed = {0};
            size_t body = len - (echo ? 0 : 8); /* RFC 8684 3.4.1: the echo has no HMAC */
            bool legal = body == 8 || body == 10 || body == 20 || body == 22;
            assert_int_equal(mptcp_option_parse(bytes, len, false, true, &parsed),
                             legal ? MPTCP_PARSED : MPTCP_MALFORMED);
        }
    }
}

/* A shape belongs to its flags: every sample on a segment with other flags is malformed. */
static void wrong_flags(void **state)
{
    (void)state;
    for (size_t i = 0; i < HW_ARRAY_LEN(samples); i++) {
        const struct sample *s = &samples[i];
        if (s->subtype != MPTCP_CAPABLE && s->subtype != MPTCP_JOIN)
            continue;
        uint8_t bytes[64];
        mptcp_option_emit(bytes, &s->value, s->subtype);
        for (unsigned flags = 0; flags < 4; flags++) {
            struct mptcp_options parsed = {0};
            bool syn = flags & 1, ack = flags & 2;
            if (syn == s->syn && ack == s->ack)
                continue;
            assert_int_equal(mptcp_option_parse(bytes, s->len, syn, ack, &parsed), MPTCP_MALFORMED);
        }
    }
}

static void remove_addr(void **state)
{
    (void)state;
    for (uint8_t n = 1; n <= MPTCP_REMOVE_READ_MAX; n++) {
        struct mptcp_options value = {.remove_addr = {.count = n}}, parsed = {0};
        uint8_t bytes[64];
        for (uint8_t i = 0; i < n; i++)
            value.remove_addr.ids[i] = (uint8_t)(i * 3 + 1);
        assert_int_equal(mptcp_option_emit(bytes, &value, MPTCP_REMOVE_ADDR), 3 + n);
        assert_int_equal(mptcp_option_parse(bytes, 3u + n, false, true, &parsed), MPTCP_PARSED);
        assert_int_equal(parsed.remove_addr.count, n);
        assert_memory_equal(parsed.remove_addr.ids, value.remove_addr.ids, n);
    }
    const uint8_t empty[] = {30, 3, MPTCP_REMOVE_ADDR << 4};
    struct mptcp_options parsed = {0};
    assert_int_equal(mptcp_option_parse(empty, sizeof empty, false, true, &parsed), MPTCP_MALFORMED);
}

static void unknown_subtypes_are_ignored(void **state)
{
    (void)state;
    for (unsigned subtype = 9; subtype < 15; subtype++) {
        const uint8_t bytes[] = {30, 4, (uint8_t)(subtype << 4), 0};
        struct mptcp_options parsed = {0};
        assert_int_equal(mptcp_option_parse(bytes, sizeof bytes, false, true, &parsed), MPTCP_UNKNOWN);
        assert_int_equal(parsed.present, 0);
    }
}

static void experimental_is_kept_as_bytes(void **state)
{
    (void)state;
    const uint8_t bytes[] = {30, 7, MPTCP_EXPERIMENTAL << 4, 1, 2, 3, 4};
    uint8_t again[64];
    struct mptcp_options parsed = {0};
    assert_int_equal(mptcp_option_parse(bytes, sizeof bytes, false, true, &parsed), MPTCP_PARSED);
    assert_int_equal(mptcp_option_emit(again, &parsed, MPTCP_EXPERIMENTAL), sizeof bytes);
    assert_memory_equal(again, bytes, sizeof bytes);
}

/* RFC 8684 3.3: 'a' without 'A' and 'm' without 'M' mean nothing. */
static void width_flags_alone_mean_nothing(void **state)
{
    (void)state;
    const uint8_t bytes[] = {30, 4, MPTCP_DSS << 4, 0x0a};
    struct mptcp_options parsed = {0};
    assert_int_equal(mptcp_option_parse(bytes, sizeof bytes, false, true, &parsed), MPTCP_PARSED);
    assert_false(parsed.dss.has_ack || parsed.dss.ack_is_64 || parsed.dss.has_map || parsed.dss.dsn_is_64);
}

/* RFC 8684 3.2, 3.3, 3.4.1, 3.6: what is reserved may come to mean something that an older host need not know. */
static void reserved_bits_are_ignored(void **state)
{
    (void)state;
    static const struct {
        uint8_t at, bits;
    } reserved[] = {
        [MPTCP_JOIN] = {2, 0x0e},        [MPTCP_DSS] = {3, 0xe0},  [MPTCP_ADD_ADDR] = {2, 0x0e},
        [MPTCP_REMOVE_ADDR] = {2, 0x0f}, [MPTCP_PRIO] = {2, 0x0e}, [MPTCP_FAIL] = {3, 0xff},
        [MPTCP_FASTCLOSE] = {3, 0xff},
    };
    for (size_t i = 0; i < HW_ARRAY_LEN(samples); i++) {
        const struct sample *s = &samples[i];
        uint8_t bytes[64], again[64];
        struct mptcp_options parsed = {0};
        if (s->subtype >= HW_ARRAY_LEN(reserved) || !reserved[s->subtype].bits)
            continue;
        mptcp_option_emit(bytes, &s->value, s->subtype);
        const uint8_t at = reserved[s->subtype].at, sent = bytes[at];
        assert_int_equal(sent & reserved[s->subtype].bits, 0);
        bytes[at] |= reserved[s->subtype].bits;
        assert_int_equal(mptcp_option_parse(bytes, s->len, s->syn, s->ack, &parsed), MPTCP_PARSED);
        mptcp_option_emit(again, &parsed, s->subtype);
        bytes[at] = sent;
        assert_memory_equal(again, bytes, s->len);
    }
}

/* RFC 8684 3.6: of the four only T means something. */
static void flags_of_a_reset(void **state)
{
    (void)state;
    for (uint8_t flags = 0; flags < 16; flags++) {
        const uint8_t bytes[] = {30, 4, (uint8_t)(MPTCP_TCPRST << 4 | flags), MP_RST_RESOURCES};
        struct mptcp_options parsed = {0};
        assert_int_equal(mptcp_option_parse(bytes, sizeof bytes, false, true, &parsed), MPTCP_PARSED);
        assert_int_equal(parsed.tcprst.transient, flags & 1);
        assert_int_equal(parsed.tcprst.reason, MP_RST_RESOURCES);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trips),
        cmocka_unit_test(wrong_lengths),
        cmocka_unit_test(add_addr_lengths),
        cmocka_unit_test(wrong_flags),
        cmocka_unit_test(remove_addr),
        cmocka_unit_test(unknown_subtypes_are_ignored),
        cmocka_unit_test(experimental_is_kept_as_bytes),
        cmocka_unit_test(width_flags_alone_mean_nothing),
        cmocka_unit_test(reserved_bits_are_ignored),
        cmocka_unit_test(flags_of_a_reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
