/* What is said of doors, and the packet filter's rules of those for networks. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "service/door_filter.h"
#include "service/doors.h"

static void rules(void **state)
{
    (void)state;
    struct door_rule rule;
    char why[256];
    assert_int_equal(door_rule_read("lan0", &rule, why, sizeof why), 0);
    assert_true(!rule.spec && strcmp(rule.interface, "lan0") == 0 && !rule.fails_closed);
    assert_int_equal(door_rule_read("abcdefghijklmno,when-down=closed", &rule, why, sizeof why), 0);
    assert_true(strcmp(rule.interface, "abcdefghijklmno") == 0 && rule.fails_closed);
    assert_int_equal(door_rule_read("br-lan.7,when-down=direct", &rule, why, sizeof why), 0);
    assert_true(strcmp(rule.interface, "br-lan.7") == 0 && !rule.fails_closed);
}

static void nonsense(void **state)
{
    (void)state;
    static const char *const bad[][2] = {{"", "no name of an interface"},
                                         {",when-down=closed", "no name of an interface"},
                                         {"a b", "no name of an interface"},
                                         {"a\"b", "no name of an interface"},
                                         {"..", "no name of an interface"},
                                         {"../x", "no name of an interface"},
                                         {"lan*", "no name of an interface"},
                                         {"abcdefghijklmnop", "at most 15 characters"},
                                         {"lo", "hawser run"},
                                         {"up0", "a device of Hawser"},
                                         {"pub0", "a device of Hawser"},
                                         {"hawser+lan0", "a device of Hawser"},
                                         {"lan0,", "when-down=direct or when-down=closed"},
                                         {"lan0,when-down=", "when-down=direct or when-down=closed"},
                                         {"lan0,when-down=closed,", "when-down=direct or when-down=closed"},
                                         {"lan0,mtu=1400", "when-down=direct or when-down=closed"}};
    struct door_rule rule;
    char why[256], text[300];
    for (size_t i = 0; i < HW_ARRAY_LEN(bad); i++) {
        assert_int_equal(door_rule_read(bad[i][0], &rule, why, sizeof why), -EINVAL);
        if (!strstr(why, bad[i][1]))
            fail_msg("%s\n  is told: %s", bad[i][0], why);
    }
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    assert_int_equal(door_rule_read(text, &rule, why, sizeof why), -EINVAL);
}

static void specs(void **state)
{
    (void)state;
    static const char *const bad[][2] = {{"tun", "dev="},
                                         {"tun,dev=a/b", "not a device name"},
                                         {"tun,dev=a,mtu=100", "1280 to 65535"},
                                         {"tun,dev=abcdefghijklmnop", "15"}};
    struct door_rule rule;
    char why[512], name[DOOR_NAME_SIZE], text[6000] = "tun,dev=door0,pcap=/";
    assert_int_equal(door_spec_read("tun,mtu=1400,dev=door0,nogso", &rule, why, sizeof why), 0);
    door_rule_device(&rule, name);
    assert_string_equal(name, "door0");
    assert_int_equal(door_rule_read("enp0s31f6", &rule, why, sizeof why), 0);
    door_rule_device(&rule, name);
    assert_string_equal(name, "hawser+np0s31f6");
    for (size_t i = 0; i < HW_ARRAY_LEN(bad); i++) {
        assert_int_equal(door_spec_read(bad[i][0], &rule, why, sizeof why), -EINVAL);
        if (!strstr(why, bad[i][1]))
            fail_msg("%s\n  is told: %s", bad[i][0], why);
    }
    memset(text + strlen(text), 'x', sizeof text - 1 - strlen(text));
    text[sizeof text - 1] = '\0';
    assert_int_equal(door_spec_read(text, &rule, why, sizeof why), -EINVAL);
}

/* As long as the kernel takes them, by what tells interfaces apart. */
static void devices(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {{"lan0", "hawser+lan0"},
                                           {"enp0s31f", "hawser+enp0s31f"},
                                           {"enp0s31f6", "hawser+np0s31f6"},
                                           {"abcdefghijklmno", "hawser+hijklmno"}};
    for (size_t i = 0; i < HW_ARRAY_LEN(pairs); i++) {
        char name[DOOR_NAME_SIZE];
        door_device_name(pairs[i][0], name);
        assert_string_equal(name, pairs[i][1]);
    }
}

static bool says(const char *text, const char *part) { return strstr(text, part) != NULL; }

/* Who is no router for reasons of his own forwards to the door alone. */
static void filter(void **state)
{
    (void)state;
    const struct door_filter_rule all[] = {{"lan0", "hawser+lan0", 7, true, false},
                                           {"br0", "hawser+br0", 8, false, true}};
    char *text = door_filter_text(all, 2);
    assert_non_null(text);
    assert_true(says(text, "iifname \"lan0\" oifname != \"hawser+lan0\" meta nfproto ipv6 ct state"));
    assert_false(says(text, "iifname \"lan0\" oifname != \"hawser+lan0\" meta nfproto ipv4"));
    assert_true(says(text, "iifname \"br0\" oifname != \"hawser+br0\" meta nfproto ipv4 ct state"));
    assert_false(says(text, "iifname \"br0\" oifname != \"hawser+br0\" meta nfproto ipv6"));
    assert_true(says(text, "iifname \"hawser+br0\" ct mark 0 ct mark set 8\n"));
    assert_true(
        says(text, "iifname \"br0\" meta l4proto tcp ct direction reply ct mark != { 0, 8, 18519 } meta mark set"));
    assert_true(says(text, "oifname \"hawser+lan0\" meta l4proto tcp snat ip to ip saddr\n"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules), cmocka_unit_test(nonsense), cmocka_unit_test(devices),
        cmocka_unit_test(specs), cmocka_unit_test(filter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
