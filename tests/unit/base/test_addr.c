#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <hawser/addr.h>

#include "base/compiler.h"
#include "support.h"

static void reads_and_spells(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
        bool v4;
    } cases[] = {
        {"0.0.0.0", "0.0.0.0", true},
        {"10.9.1.1", "10.9.1.1", true},
        {"255.255.255.255", "255.255.255.255", true},
        {"::ffff:10.9.1.1", "10.9.1.1", true}, /* the one form of IPv4, however it was written */
        {"::ffff:a09:101", "10.9.1.1", true},
        {"::", "::", false},
        {"::1", "::1", false},
        {"1::", "1::", false},
        /* RFC 5952 4.1: no leading zeroes; 4.3: lower case */
        {"2001:0DB8:0000:0000:0000:0000:0002:0001", "2001:db8::2:1", false},
        /* RFC 5952 4.2.2: one group is not shortened; 4.2.3: the longest run is, the first of equal ones */
        {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1", false},
        {"2001:db8::1:1:1:1:1", "2001:db8:0:1:1:1:1:1", false},
        {"2001:0:0:1:0:0:0:1", "2001:0:0:1::1", false},
        {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1", false},
        {"64:ff9b::192.0.2.33", "64:ff9b::c000:221", false},
        {"1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8", false},
        {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", false},
    };
    for (size_t i = 0; i < HW_ARRAY_LEN(cases); i++) {
        struct hawser_addr addr;
        char text[HAWSER_ADDR_STRLEN], with_port[HAWSER_ADDR_STRLEN + 8];
        assert_int_equal(hawser_addr_parse(&addr, cases[i].in, 0), 0);
        assert_int_equal(addr.port, 0);
        assert_int_equal(hawser_addr_is_v4(&addr), cases[i].v4);
        assert_string_equal(hawser_addr_format(&addr, text, sizeof text), cases[i].out);
        assert_int_equal(hawser_addr_parse(&addr, cases[i].in, 65535), 0);
        assert_int_equal(addr.port, 65535);
        snprintf(with_port, sizeof with_port, cases[i].v4 ? "%s:65535" : "[%s]:65535", cases[i].out);
        assert_string_equal(hawser_addr_format(&addr, text, sizeof text), with_port);
    }
}

static void v4_is_held_mapped(void **state)
{
    (void)state;
    static const uint8_t expected[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1};
    struct hawser_addr addr;
    assert_int_equal(hawser_addr_parse(&addr, "192.0.2.1", 80), 0);
    assert_memory_equal(addr.ip, expected, sizeof expected);
}

static void refuses_what_is_no_address(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        " ",
        ".",
        ":",
        ":::",
        "1",
        "1.2.3",
        "1.2.3.",
        ".1.2.3",
        "1.2.3.4.",
        "1.2.3.4.5",
        "256.1.1.1",
        "1.2.3.256",
        "1.2.3.-1",
        "+1.2.3.4",
        "0x1.2.3.4",
        "1.2.3.4 ",
        " 1.2.3.4",
        "1.2.3.4\n",
        "1.2.3.4:80",
        "1.2.3.4/24",
        "1..2.3",
        "01.2.3.4",
        "1.2.3.0004",
        "99999999999.1.1.1",
        "localhost",
        "::1%lo",
        "fe80::1%1",
        "[::1]",
        "[::1]:80",
        "::g",
        "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:8:9",
        "1:2:3:4:5:6:7:8:",
        ":1:2:3:4:5:6:7:8",
        "1::2::3",
        "12345::",
        "::12345",
        "::1.2.3",
        "::1.2.3.256",
        "1.2.3.4::",
        "::1.2.3.4:5",
        "1:2:3:4:5:6:7:1.2.3.4",
        "::ffff:1.2.3.4.5",
        "::1/64",
        "\xff\xfe",
        "\xd9\xa1.2.3.4",
    };
    for (size_t i = 0; i < HW_ARRAY_LEN(bad); i++) {
        struct hawser_addr addr, before;
        memset(&addr, 0x5a, sizeof addr);
        before = addr;
        if (hawser_addr_parse(&addr, bad[i], 7) != -EINVAL)
            fail_msg("accepted \"%s\"", bad[i]);
        assert_memory_equal(&addr, &before, sizeof addr);
    }
    char endless[4096];
    memset(endless, '1', sizeof endless);
    endless[sizeof endless - 1] = 0;
    struct hawser_addr addr;
    assert_int_equal(hawser_addr_parse(&addr, endless, 0), -EINVAL);
    memset(endless, ':', sizeof endless - 1);
    assert_int_equal(hawser_addr_parse(&addr, endless, 0), -EINVAL);
}

static void random_addresses_come_back(void **state)
{
    (void)state;
    struct prng rng;
    prng_seed(&rng, test_seed());
    for (int i = 0; i < 20000; i++) {
        struct hawser_addr addr, again;
        char text[HAWSER_ADDR_STRLEN];
        prng_fill(&rng, addr.ip, sizeof addr.ip);
        for (int word = 0; word < 8; word++) { /* zero groups make the spelling interesting */
            if (prng_below(&rng, 2))
                addr.ip[2 * word] = addr.ip[2 * word + 1] = 0;
        }
        if (prng_below(&rng, 4) == 0)
            memcpy(addr.ip, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);
        addr.port = 0;
        hawser_addr_format(&addr, text, sizeof text);
        assert_int_equal(hawser_addr_parse(&again, text, addr.port), 0);
        assert_true(hawser_addr_equal(&addr, &again));
        assert_int_equal(hawser_addr_is_v4(&addr), strchr(text, ':') == NULL);
    }
}

static void random_text_is_read_or_refused(void **state)
{
    (void)state;
    static const char alphabet[] = "0123456789abcdefF:::...%[]/ gx-";
    struct prng rng;
    prng_seed(&rng, test_seed());
    for (int i = 0; i < 50000; i++) {
        char text[40], out[HAWSER_ADDR_STRLEN];
        size_t len = prng_below(&rng, sizeof text);
        for (size_t k = 0; k < len; k++)
            text[k] = alphabet[prng_below(&rng, sizeof alphabet - 1)];
        text[len] = 0;
        struct hawser_addr addr, again;
        int err = hawser_addr_parse(&addr, text, 1);
        assert_true(err == 0 || err == -EINVAL);
        if (err < 0)
            continue;
        addr.port = 0;
        assert_int_equal(hawser_addr_parse(&again, hawser_addr_format(&addr, out, sizeof out), 0), 0);
        assert_true(hawser_addr_equal(&addr, &again));
    }
}

static void never_writes_beyond(void **state)
{
    (void)state;
    static const char longest[] = "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535";
    struct hawser_addr addr = {.port = 65535};
    memset(addr.ip, 0xff, sizeof addr.ip);
    for (size_t size = 0; size <= HAWSER_ADDR_STRLEN; size++) {
        char text[HAWSER_ADDR_STRLEN + 1];
        memset(text, '#', sizeof text);
        assert_ptr_equal(hawser_addr_format(&addr, text, size), text);
        assert_int_equal(text[size], '#');
        if (size == 0)
            continue;
        size_t len = HW_MIN(size - 1, sizeof longest - 1);
        assert_int_equal(strlen(text), len);
        assert_memory_equal(text, longest, len);
    }
}

static void compares(void **state)
{
    (void)state;
    struct hawser_addr a, b;
    assert_int_equal(hawser_addr_parse(&a, "192.0.2.1", 80), 0);
    assert_int_equal(hawser_addr_parse(&b, "::ffff:192.0.2.1", 80), 0);
    assert_true(hawser_addr_equal(&a, &b));
    b.port = 81;
    assert_true(hawser_addr_same_ip(&a, &b));
    assert_false(hawser_addr_equal(&a, &b));
    for (size_t i = 0; i < sizeof b.ip; i++) {
        b = a;
        b.ip[i] ^= 1;
        assert_false(hawser_addr_same_ip(&a, &b));
        assert_false(hawser_addr_equal(&a, &b));
        assert_int_equal(hawser_addr_is_v4(&b), i >= 12);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_and_spells),
        cmocka_unit_test(v4_is_held_mapped),
        cmocka_unit_test(refuses_what_is_no_address),
        cmocka_unit_test(random_addresses_come_back),
        cmocka_unit_test(random_text_is_read_or_refused),
        cmocka_unit_test(never_writes_beyond),
        cmocka_unit_test(compares),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
