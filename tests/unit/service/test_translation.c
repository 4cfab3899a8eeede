/* The rules of the packet filter, as text: that the kernel takes them and what they do is interop/uplinks' to show. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "messages.h"
#include "service/translation.h"

static struct uplink uplinks[2];
static bool routes_already[2];
static struct translation_rules rules;

static int fresh(void **state)
{
    (void)state;
    memset(uplinks, 0, sizeof(uplinks));
    uplinks[0] = (struct uplink){.name = "wlan0", .v4 = true, .inside = ip("198.18.0.1"), .outside_count = 2};
    uplinks[0].outside[0] = ip("192.0.2.2");
    uplinks[0].outside[1] = ip("192.0.2.3");
    uplinks[1] = (struct uplink){.name = "eth0.7", .inside = ip("fd48::2"), .outside_count = 1};
    uplinks[1].outside[0] = ip("2001:db8::2");
    routes_already[0] = routes_already[1] = false;
    rules = (struct translation_rules){.device = "up0",
                                       .inside = {ip("198.18.0.0"), ip("fd48::")},
                                       .first_port = 20000,
                                       .last_port = 29999,
                                       .uplinks = uplinks,
                                       .count = 2,
                                       .routes_already = routes_already};
    return 0;
}

static bool says(const char *words)
{
    char *text = translation_text(&rules);
    assert_non_null(text);
    bool found = strstr(text, words) != NULL;
    free(text);
    return found;
}

static void test_translates(void **state)
{
    (void)state;
    assert_true(says("ip saddr 198.18.0.1 oifname \"wlan0\" masquerade to :20000-29999\n"));
    assert_true(says("ip6 saddr fd48::2 oifname \"eth0.7\" masquerade to :20000-29999\n"));
}

/* What comes by the uplink that has the address goes there, even if another one has the same. */
static void test_publishes(void **state)
{
    (void)state;
    static const uint16_t ports[] = {80, 443};
    assert_false(says("dport { 80") || says("sport"));
    rules.published = ports;
    rules.published_count = 2;
    assert_true(says("ip saddr 198.18.0.1 oifname \"wlan0\" masquerade to :tcp sport map { 80 : 80, 443 : 443 }\n"));
    assert_true(
        says("iifname \"wlan0\" ip daddr { 192.0.2.2, 192.0.2.3 } tcp dport { 80, 443 } dnat ip to 198.18.0.1\n"
             "iifname \"eth0.7\" ip6 daddr { 2001:db8::2 } tcp dport { 80, 443 } dnat ip6 to fd48::2\n"
             "iifname { \"wlan0\", \"eth0.7\" } ip daddr { 192.0.2.2, 192.0.2.3 } tcp dport { 80, 443 } dnat ip "
             "to 198.18.0.1\n"));
    rules.count = 0;
    assert_false(says("dnat ip"));
}

/* To the stack, or, where conntrack makes nothing of it, to nobody; but not a host's own. */
static void test_what_belongs_to_no_connection(void **state)
{
    (void)state;
    assert_true(
        says("iifname \"wlan0\" meta nfproto ipv4 tcp dport 20000-29999 socket transparent 0 accept\n"
             "iifname \"wlan0\" meta nfproto ipv4 tcp dport 20000-29999 tcp flags & (fin | syn | rst | ack) != syn "
             "ip daddr { 192.0.2.2, 192.0.2.3 } limit rate 50/second burst 200 packets dnat ip to 198.18.0.1\n"));
    assert_true(says("ip6 nexthdr tcp ip6 daddr { 2001:db8::2 } limit rate 50/second burst 200 packets dnat ip6 to"));
    assert_true(says("iifname \"eth0.7\" meta nfproto ipv6 tcp dport 20000-29999 socket transparent 0 accept\n"
                     "iifname \"eth0.7\" meta nfproto ipv6 tcp dport 20000-29999 ct state invalid,new "
                     "tcp flags & (fin | syn | rst | ack) != syn counter drop\n"));
}

/* What is near is reached from any address inside, translated too; for who is there the host is no router. */
static void test_near(void **state)
{
    (void)state;
    static struct near_link near[] = {{.name = "docker0", .v4 = true, .routes_already = true}, {.name = "br0"}};
    rules.near = near;
    rules.near_count = 2;
    assert_true(says("meta l4proto tcp oifname \"docker0\" ip saddr == 198.18.0.0/24 masquerade to :20000-29999\n"));
    assert_true(says("iifname \"up0\" oifname \"docker0\" ip saddr == 198.18.0.0/24 accept\n"));
    assert_true(says("iifname \"up0\" oifname \"docker0\" ip saddr != 198.18.0.0/24 accept\n"));
    assert_true(says("iifname \"up0\" oifname \"br0\" ip6 saddr != fd48::/64 accept\n"));
    assert_false(says("iifname \"docker0\" meta nfproto"));
    assert_true(says("iifname \"br0\" meta nfproto ipv6 ct state != { established, related } counter drop\n"));
    rules.count = 0; /* there are no addresses inside */
    assert_false(says("docker0"));
}

static void test_tells_what_goes_through(void **state)
{
    (void)state;
    assert_true(says("iifname \"up0\" tcp flags & (syn | rst) == syn tcp option maxseg size set rt mtu\n"));
}

static void test_lets_nothing_out_that_is_not_translated(void **state)
{
    (void)state;
    assert_true(says("iifname \"up0\" oifname \"wlan0\" ip saddr { 192.0.2.2, 192.0.2.3 } accept\n"));
    assert_true(says("iifname \"up0\" oifname \"eth0.7\" ip6 saddr { 2001:db8::2 } accept\n"));
    assert_true(says("iifname \"up0\" counter drop\n"));
    assert_true(says("ip saddr 198.18.0.0/24 counter drop\n"));
    assert_true(says("ip6 saddr fd48::/64 counter drop\n"));
}

static void test_makes_no_router_of_who_was_none(void **state)
{
    (void)state;
    assert_true(says("iifname \"wlan0\" meta nfproto ipv4 ct state != { established, related } counter drop\n"));
    routes_already[0] = true;
    assert_false(says("iifname \"wlan0\" meta nfproto ipv4 ct state != { established, related } counter drop\n"));
    assert_true(says("iifname \"eth0.7\" meta nfproto ipv6 ct state != { established, related } counter drop\n"));
}

/* With no uplink at all, nothing of the stack leaves. */
static void test_without_uplinks(void **state)
{
    (void)state;
    rules.count = 0;
    assert_false(says("masquerade"));
    assert_true(says("iifname \"up0\" counter drop\n"));
    assert_true(says("flags owner"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_translates, fresh),
        cmocka_unit_test_setup(test_publishes, fresh),
        cmocka_unit_test_setup(test_what_belongs_to_no_connection, fresh),
        cmocka_unit_test_setup(test_near, fresh),
        cmocka_unit_test_setup(test_tells_what_goes_through, fresh),
        cmocka_unit_test_setup(test_lets_nothing_out_that_is_not_translated, fresh),
        cmocka_unit_test_setup(test_makes_no_router_of_who_was_none, fresh),
        cmocka_unit_test_setup(test_without_uplinks, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
