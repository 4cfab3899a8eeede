#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/prng.h"
#include "run/link_spec.h"
#include "support.h"

static struct link_spec spec;

static void the_shortest_spec(void **state)
{
    (void)state;
    char why[200] = "";
    assert_int_equal(link_spec_parse("tun,dev=hw0,addr=10.9.1.1/24", &spec, why, sizeof(why)), 0);
    assert_string_equal(spec.device, "hw0");
    assert_string_equal(spec.pcap_path, "");
    assert_int_equal(spec.address_count, 1);
    assert_int_equal(spec.addresses[0].prefix_len, 24);
    assert_int_equal(spec.mtu, 0);
    assert_false(spec.no_gso);
    struct hawser_addr expected;
    hawser_addr_parse(&expected, "10.9.1.1", 0);
    assert_true(hawser_addr_equal(&spec.addresses[0].addr, &expected));
}

static void every_field_in_any_order(void **state)
{
    (void)state;
    char why[200] = "";
    const char *text = "tun,nogso,addr=fd09::1/64,mtu=9000,pcap=/tmp/x y.pcap,addr=10.9.1.1/32,dev=a-15-characters,"
                       "addr=10.9.1.2/1";
    assert_int_equal(link_spec_parse(text, &spec, why, sizeof(why)), 0);
    assert_string_equal(spec.device, "a-15-characters");
    assert_string_equal(spec.pcap_path, "/tmp/x y.pcap");
    assert_int_equal(spec.address_count, 3);
    assert_false(hawser_addr_is_v4(&spec.addresses[0].addr));
    assert_int_equal(spec.addresses[0].prefix_len, 64);
    assert_int_equal(spec.addresses[1].prefix_len, 32);
    assert_int_equal(spec.addresses[2].prefix_len, 1);
    assert_int_equal(spec.mtu, 9000);
    assert_true(spec.no_gso);
}

/* Two hosts share a prefix of 31 bits (RFC 3021), one has all of 32; IPv6 has no broadcast, and 10.9.1.0 and 10.9.1.255
 * are hosts like others of a larger network. */
static void the_ends_of_a_prefix_that_are_hosts(void **state)
{
    (void)state;
    static const char *const texts[] = {"10.9.1.0/31", "10.9.1.1/31", "10.9.1.0/32",   "10.9.1.255/32",
                                        "10.9.1.0/23", "fd09::/64",   "10.9.0.255/23", "fd09::ffff:ffff:ffff:ffff/64",
                                        "10.9.1.5/30"};
    for (size_t i = 0; i < HW_ARRAY_LEN(texts); i++) {
        char text[100], why[200] = "";
        snprintf(text, sizeof(text), "tun,dev=hw0,addr=%s", texts[i]);
        if (link_spec_parse(text, &spec, why, sizeof(why)) != 0)
            fail_msg("%s", why);
    }
}

static void a_door_needs_no_address(void **state)
{
    (void)state;
    char why[200] = "";
    assert_int_equal(link_spec_parse("tun,dev=door0,door", &spec, why, sizeof(why)), 0);
    assert_true(spec.door);
    assert_int_equal(spec.address_count, 0);
    assert_int_equal(link_spec_parse("tun,dev=hw0,addr=10.9.1.1/24", &spec, why, sizeof(why)), 0);
    assert_false(spec.door);
}

/* Each malformed spec is refused with a message that names the trouble. */
static void malformed_specs_are_explained(void **state)
{
    (void)state;
    static const struct {
        const char *text, *why;
    } cases[] = {
        {"", "is no kind of link"},
        {"tap,dev=hw0,addr=10.9.1.1/24", "\"tap\" is no kind of link"},
        {"dev=hw0,addr=10.9.1.1/24", "is no kind of link"},
        {"tun", "names no device"},
        {"tun,", "\"\" means nothing"},
        {"tun,dev=hw0", "has no address"},
        {"tun,dev=hw0,addr=none,addr=10.9.1.1/24", "addr=none beside other addresses"},
        {"tun,dev=hw0,addr=10.9.1.1/24,addr=none", "addr=none beside other addresses"},
        {"tun,dev=hw0,addr=no", "no prefix length"},
        {"tun,addr=10.9.1.1/24", "names no device"},
        {"tun,dev=,addr=10.9.1.1/24", "not a device name"},
        {"tun,dev=.,addr=10.9.1.1/24", "not a device name"},
        {"tun,dev=..,addr=10.9.1.1/24", "not a device name"},
        {"tun,dev=a/b,addr=10.9.1.1/24", "not a device name"},
        {"tun,dev=a:b,addr=10.9.1.1/24", "not a device name"},
        {"tun,dev=a b,addr=10.9.1.1/24", "not a device name"},
        {"tun,dev=tun%d,addr=10.9.1.1/24", "not a device name"},
        {"tun,dev=a\xc3\xa4,addr=10.9.1.1/24", "not a device name"},
        {"tun,dev=a16-characters--,addr=10.9.1.1/24", "at most 15"},
        {"tun,dev=hw0,dev=hw1,addr=10.9.1.1/24", "given twice"},
        {"tun,dev=hw0,addr=", "no prefix length"},
        {"tun,dev=hw0,addr=10.9.1.1", "no prefix length"},
        {"tun,dev=hw0,addr=/24", "not an IPv4 or IPv6 address"},
        {"tun,dev=hw0,addr=host/24", "not an IPv4 or IPv6 address"},
        {"tun,dev=hw0,addr=10.9.1/24", "not an IPv4 or IPv6 address"},
        {"tun,dev=hw0,addr=10.9.1.256/24", "not an IPv4 or IPv6 address"},
        {"tun,dev=hw0,addr=10.9.1.1:80/24", "not an IPv4 or IPv6 address"},
        {"tun,dev=hw0,addr=fe80::1%eth0/64", "not an IPv4 or IPv6 address"},
        {"tun,dev=hw0,addr=0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:1/64", "not an IPv4 or IPv6 address"},
        {"tun,dev=hw0,addr=10.9.1.1/", "must be 1 to 32"},
        {"tun,dev=hw0,addr=10.9.1.1/0", "must be 1 to 32"},
        {"tun,dev=hw0,addr=10.9.1.1/33", "must be 1 to 32"},
        {"tun,dev=hw0,addr=10.9.1.1/-1", "must be 1 to 32"},
        {"tun,dev=hw0,addr=10.9.1.1/+24", "must be 1 to 32"},
        {"tun,dev=hw0,addr=10.9.1.1/24x", "must be 1 to 32"},
        {"tun,dev=hw0,addr=10.9.1.1/24/24", "must be 1 to 32"},
        {"tun,dev=hw0,addr=10.9.1.1/4294967320", "must be 1 to 32"},
        {"tun,dev=hw0,addr=fd09::1/129", "must be 1 to 128"},
        {"tun,dev=hw0,addr=0.0.0.0/24", "not an address for a host"},
        {"tun,dev=hw0,addr=127.0.0.2/8", "not an address for a host"},
        {"tun,dev=hw0,addr=224.0.0.1/24", "not an address for a host"},
        {"tun,dev=hw0,addr=255.255.255.255/24", "not an address for a host"},
        {"tun,dev=hw0,addr=::/64", "not an address for a host"},
        {"tun,dev=hw0,addr=::1/64", "not an address for a host"},
        {"tun,dev=hw0,addr=ff02::1/64", "not an address for a host"},
        {"tun,dev=hw0,addr=fe80::1/64", "not an address for a host"},
        {"tun,dev=hw0,addr=10.9.1.0/24", "the network's own or its broadcast address"},
        {"tun,dev=hw0,addr=10.9.1.255/24", "the network's own or its broadcast address"},
        {"tun,dev=hw0,addr=10.9.1.4/30", "the network's own or its broadcast address"},
        {"tun,dev=hw0,addr=10.255.255.255/8", "the network's own or its broadcast address"},
        {"tun,dev=hw0,addr=128.0.0.0/1", "the network's own or its broadcast address"},
        {"tun,dev=hw0,addr=10.9.1.1/24,addr=10.9.1.1/32", "given twice"},
        {"tun,dev=hw0,addr=10.9.1.1/24,mtu=", "1280 to 65535"},
        {"tun,dev=hw0,addr=10.9.1.1/24,mtu=1279", "1280 to 65535"},
        {"tun,dev=hw0,addr=10.9.1.1/24,mtu=65536", "1280 to 65535"},
        {"tun,dev=hw0,addr=10.9.1.1/24,mtu=1500b", "1280 to 65535"},
        {"tun,dev=hw0,addr=10.9.1.1/24,mtu=0x600", "1280 to 65535"},
        {"tun,dev=hw0,addr=10.9.1.1/24,mtu=99999999999999999999", "1280 to 65535"},
        {"tun,dev=hw0,addr=10.9.1.1/24,mtu=1500,mtu=1500", "given twice"},
        {"tun,dev=hw0,addr=10.9.1.1/24,pcap=", "no file name"},
        {"tun,dev=hw0,addr=10.9.1.1/24,pcap=a,pcap=b", "given twice"},
        {"tun,dev=hw0,addr=10.9.1.1/24,gso", "\"gso\" means nothing"},
        {"tun,dev=hw0,addr=10.9.1.1/24,nogso=1", "\"nogso=1\" means nothing"},
        {"tun,dev=hw0,,addr=10.9.1.1/24", "\"\" means nothing"},
        {"tun,DEV=hw0,addr=10.9.1.1/24", "means nothing"},
    };
    for (size_t i = 0; i < HW_ARRAY_LEN(cases); i++) {
        char why[300] = "";
        assert_int_equal(link_spec_parse(cases[i].text, &spec, why, sizeof(why)), -EINVAL);
        if (!strstr(why, cases[i].why))
            fail_msg("%s\nwas explained as: %s\nnot as: ...%s...", cases[i].text, why, cases[i].why);
        assert_null(strchr(why, '\n'));
    }
}

static void too_many_addresses_are_refused(void **state)
{
    (void)state;
    char text[1000] = "tun,dev=hw0", why[200] = "";
    for (int i = 1; i <= LINK_SPEC_ADDRESSES; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), ",addr=10.9.1.%d/24", i);
    assert_int_equal(link_spec_parse(text, &spec, why, sizeof(why)), 0);
    assert_int_equal(spec.address_count, LINK_SPEC_ADDRESSES);
    strcat(text, ",addr=10.9.1.200/24");
    assert_int_equal(link_spec_parse(text, &spec, why, sizeof(why)), -EINVAL);
    assert_non_null(strstr(why, "too many addresses"));
}

/* Fields of every length around the limits: refused or taken, never written past their room. */
static void long_fields_are_bounded(void **state)
{
    (void)state;
    static const char *const prefixes[] = {"tun,dev=hw0,addr=10.9.1.1/24,pcap=", "tun,dev=", "tun,dev=hw0,addr=", ""};
    for (size_t p = 0; p < HW_ARRAY_LEN(prefixes); p++) {
        for (size_t len = 0; len<2 * LINK_SPEC_PATH_SIZE; len += len> 100 && len % 1000 ? 97 : 1) {
            char why[100] = "";
            size_t prefix_len = strlen(prefixes[p]);
            char *text = malloc(prefix_len + len + 1);
            memcpy(text, prefixes[p], prefix_len);
            memset(text + prefix_len, 'x', len);
            text[prefix_len + len] = '\0';
            int error = link_spec_parse(text, &spec, why, sizeof(why));
            assert_int_equal(error, p == 0 && len > 0 && len < LINK_SPEC_PATH_SIZE ? 0 : -EINVAL);
            if (error)
                assert_true(strlen(why) > 10);
            free(text);
        }
    }
}

/* Words of the language strung together at random: whatever is taken satisfies what the header promises. */
static void random_specs_keep_the_promises(void **state)
{
    (void)state;
    static const char *const words[] = {"tun", ",",  "dev=", "addr=", "mtu=", "pcap=", "nogso", "10.9.1.1", "fd09::1",
                                        "/",   "24", "128",  "hw0",   "1500", "::",    "%",     "=",        "0"};
    struct prng rng;
    unsigned taken = 0;
    prng_seed(&rng, test_seed());
    for (int i = 0; i < 200000; i++) {
        char text[400] = "tun,dev=hw0,addr=10.9.1.2/24", why[200] = "";
        if (prng_below(&rng, 4) == 0)
            text[0] = '\0';
        for (uint64_t n = prng_below(&rng, 8); n > 0; n--)
            strcat(text, words[prng_below(&rng, HW_ARRAY_LEN(words))]);
        int error = link_spec_parse(text, &spec, why, sizeof(why));
        if (error) {
            assert_int_equal(error, -EINVAL);
            assert_true(strlen(why) > 10);
            continue;
        }
        taken++;
        assert_true(spec.device[0] && spec.address_count >= 1 && spec.address_count <= LINK_SPEC_ADDRESSES);
        assert_true(spec.mtu == 0 || (spec.mtu >= 1280 && spec.mtu <= 65535));
        for (size_t a = 0; a < spec.address_count; a++) {
            unsigned bits = hawser_addr_is_v4(&spec.addresses[a].addr) ? 32 : 128;
            assert_true(spec.addresses[a].prefix_len >= 1 && spec.addresses[a].prefix_len <= bits);
        }
    }
    assert_true(taken > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_shortest_spec),
        cmocka_unit_test(every_field_in_any_order),
        cmocka_unit_test(the_ends_of_a_prefix_that_are_hosts),
        cmocka_unit_test(a_door_needs_no_address),
        cmocka_unit_test(malformed_specs_are_explained),
        cmocka_unit_test(too_many_addresses_are_refused),
        cmocka_unit_test(long_fields_are_bounded),
        cmocka_unit_test(random_specs_keep_the_promises),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
