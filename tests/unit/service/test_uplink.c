/* Which interfaces are uplinks, and with what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "base/compiler.h"
#include "messages.h"
#include "service/uplink.h"

enum { UP = IFF_UP | IFF_LOWER_UP };

static struct host_view view;
static struct uplink found[UPLINKS_MAX];
static unsigned left_out;
static const struct uplink_names no_names;

static int fresh(void **state)
{
    (void)state;
    memset(&view, 0, sizeof(view));
    return 0;
}

static size_t find(void) { return uplinks_of_view(&view, &no_names, found, &left_out); }

static enum uplink_verdict verdict(unsigned index, bool v4, const struct uplink_names *names)
{
    return uplink_of_link(&view, host_view_link(&view, index), v4, names, &found[0]);
}

static void see_uplink(unsigned index, const char *name, unsigned net, uint32_t metric)
{
    char addr[20], gateway[20];
    snprintf(addr, sizeof(addr), "10.%u.0.2", net);
    snprintf(gateway, sizeof(gateway), "10.%u.0.1", net);
    see_link(&view, index, name, UP);
    see_address(&view, index, addr, 24, IFA_F_PERMANENT);
    see_default(&view, index, gateway, metric);
}

static void test_each_family_for_itself(void **state)
{
    (void)state;
    see_uplink(2, "wlan0", 1, 600);
    see_address(&view, 2, "2001:db8::2", 64, 0);
    see_default(&view, 2, "fe80::1", 1024);
    see_uplink(3, "eth0", 2, 100);
    assert_int_equal(find(), 3);
    assert_string_equal(found[0].name, "eth0"); /* the lower metric first, IPv6 last */
    assert_string_equal(found[1].name, "wlan0");
    assert_true(found[0].v4 && found[1].v4 && !found[2].v4);
    assert_int_equal(found[2].metric, 1024);
    struct hawser_addr outside = ip("10.2.0.2"), gateway = ip("10.2.0.1");
    assert_true(hawser_addr_same_ip(&found[0].outside[0], &outside));
    assert_true(found[0].has_gateway && hawser_addr_same_ip(&found[0].gateway, &gateway));
    assert_int_equal(found[0].mtu, 1500);
    assert_true(found[0].carrier);
}

/* Interfaces with networks and no way to everywhere; also one that is not to be an uplink. */
static void test_near(void **state)
{
    (void)state;
    static const char *const own[] = {"up0", NULL}, *const excluded[] = {"wlan0", "eth9", NULL};
    const struct uplink_names names = {.own = own, .excluded = excluded};
    static const char *const names_here[] = {"", "lo", "up0", "wlan0", "eth0", "docker0", "eth9", "down", "odd name"};
    struct near_link near[NEAR_MAX];
    for (unsigned i = 1; i < 9; i++)
        see_link(&view, i, names_here[i], i == 1 ? UP | IFF_LOOPBACK : i == 7 ? 0 : UP);
    for (unsigned i = 1; i < 9; i++) {
        char addr[20];
        snprintf(addr, sizeof(addr), "10.%u.0.2", i);
        if (i != 6)
            see_address(&view, i, addr, 24, IFA_F_PERMANENT);
    }
    see_default(&view, 3, "10.3.0.1", 1);
    see_default(&view, 4, "10.4.0.1", 2);
    see_address(&view, 4, "2001:db8::2", 64, 0);
    assert_int_equal(near_of_view(&view, &names, near), 3);
    assert_string_equal(near[0].name, "wlan0");
    assert_string_equal(near[1].name, "docker0");
    assert_true(near[0].v4 && near[1].v4 && !near[2].v4);
    assert_string_equal(near[2].name, "eth0");
    for (unsigned i = 9; i < 9 + NEAR_MAX; i++) {
        char name[VIEW_NAME_SIZE];
        snprintf(name, sizeof(name), "br%u", i);
        see_link(&view, i, name, UP);
        see_address(&view, i, "10.99.0.1", 24, IFA_F_PERMANENT);
    }
    assert_int_equal(near_of_view(&view, &names, near), NEAR_MAX);
}

static void test_verdicts(void **state)
{
    (void)state;
    static const char *const own[] = {"up0", NULL}, *const excluded[] = {"wlan0", NULL};
    struct uplink_names names = {.own = own, .excluded = excluded};
    see_link(&view, 1, "lo", UP | IFF_LOOPBACK);
    see_uplink(2, "up0", 1, 0);
    see_uplink(3, "wlan0", 2, 0);
    see_link(&view, 4, "eth0", 0);
    see_link(&view, 5, "eth1", UP);
    see_link(&view, 6, "eth2", UP);
    see_address(&view, 6, "10.6.0.2", 24, 0);
    see_uplink(7, "eth\"3", 7, 0);
    assert_int_equal(verdict(1, true, &names), UPLINK_LOOPBACK);
    assert_int_equal(verdict(2, true, &names), UPLINK_OWN);
    assert_int_equal(verdict(3, true, &names), UPLINK_EXCLUDED);
    assert_int_equal(verdict(3, true, &no_names), UPLINK_IS);
    static const char *const allowed[] = {"wlan0", "up0", NULL}, *const others[] = {"eth9", NULL},
                             *const nobody[] = {NULL};
    assert_int_equal(verdict(3, true, &(struct uplink_names){.allowed = allowed}), UPLINK_IS);
    assert_int_equal(verdict(3, true, &(struct uplink_names){.allowed = allowed, .excluded = excluded}),
                     UPLINK_EXCLUDED);
    assert_int_equal(verdict(3, true, &(struct uplink_names){.allowed = others}), UPLINK_EXCLUDED);
    assert_int_equal(verdict(3, true, &(struct uplink_names){.allowed = nobody}), UPLINK_IS);
    assert_int_equal(verdict(2, true, &(struct uplink_names){.allowed = allowed, .own = own}), UPLINK_OWN);
    assert_int_equal(verdict(4, true, &names), UPLINK_DOWN);
    assert_int_equal(verdict(5, true, &names), UPLINK_NO_ADDRESS);
    assert_int_equal(verdict(6, true, &names), UPLINK_NO_ROUTE);
    assert_int_equal(verdict(6, false, &names), UPLINK_NO_ADDRESS);
    assert_int_equal(verdict(7, true, &names), UPLINK_NAME);
    for (int v = UPLINK_IS; v <= UPLINK_NAME; v++)
        assert_true(uplink_verdict_text((enum uplink_verdict)v)[0]);
}

/* As masquerade chooses: by the gateway's network in IPv4, the lasting one in IPv6. */
static void test_what_peers_are_told(void **state)
{
    (void)state;
    see_link(&view, 2, "eth0", UP);
    see_address(&view, 2, "10.9.0.2", 24, 0);
    see_address(&view, 2, "10.1.0.2", 24, 0);
    see_default(&view, 2, "10.1.0.1", 0);
    see_address(&view, 2, "2001:db8::aaaa", 64, IFA_F_TEMPORARY);
    see_address(&view, 2, "2001:db8::2", 64, 0);
    see_default(&view, 2, "fe80::1", 0);
    assert_int_equal(find(), 2);
    struct hawser_addr v4 = ip("10.1.0.2"), other = ip("10.9.0.2"), v6 = ip("2001:db8::2");
    assert_true(hawser_addr_same_ip(&found[0].outside[0], &v4));
    assert_int_equal(found[0].outside_count, 2);
    assert_true(hawser_addr_same_ip(&found[0].outside[1], &other));
    assert_true(hawser_addr_same_ip(&found[0].prefix, &v4));
    assert_true(hawser_addr_same_ip(&found[1].outside[0], &v6));
    assert_int_equal(found[1].outside_count, 2);
}

/* What has it goes on with it; but nothing begins with it. */
static void test_a_deprecated_address(void **state)
{
    (void)state;
    see_link(&view, 2, "eth0", UP);
    see_address(&view, 2, "2001:db8::2", 64, IFA_F_DEPRECATED);
    see_default(&view, 2, "fe80::1", 0);
    assert_int_equal(find(), 0);
    assert_int_equal(verdict(2, false, &(struct uplink_names){.own = NULL}), UPLINK_NO_ADDRESS);
    see_address(&view, 2, "2001:db8::3", 64, 0);
    assert_int_equal(find(), 1);
    struct hawser_addr old = ip("2001:db8::2"), now = ip("2001:db8::3");
    assert_int_equal(found[0].outside_count, 2);
    assert_true(hawser_addr_same_ip(&found[0].outside[0], &now));
    assert_true(hawser_addr_same_ip(&found[0].outside[1], &old));
}

static void test_the_best_of_two_routes(void **state)
{
    (void)state;
    see_uplink(2, "eth0", 1, 600);
    see_default(&view, 2, "10.1.0.9", 100);
    assert_int_equal(find(), 1);
    struct hawser_addr gateway = ip("10.1.0.9");
    assert_int_equal(found[0].metric, 100);
    assert_true(hawser_addr_same_ip(&found[0].gateway, &gateway));
}

/* Of several routers on one link the one that is preferred, whichever was heard first (RFC 4191 2.1). */
static void test_the_preferred_router(void **state)
{
    (void)state;
    static const uint8_t best_last[] = {ICMPV6_ROUTER_PREF_LOW, ICMPV6_ROUTER_PREF_MEDIUM, ICMPV6_ROUTER_PREF_HIGH};
    const char *const gateways[] = {"fe80::1", "fe80::2", "fe80::3"};
    struct hawser_addr second = ip("fe80::2"), third = ip("fe80::3"), metric = ip("fe80::9");
    for (int backwards = 0; backwards < 2; backwards++) {
        fresh(NULL);
        see_link(&view, 2, "eth0", UP);
        see_address(&view, 2, "2001:db8::2", 64, 0);
        for (int i = 0; i < 3; i++) {
            int router = backwards ? 2 - i : i;
            see_default_of_preference(&view, 2, gateways[router], best_last[router]);
            assert_int_equal(find(), 1);
            if (i == 1)
                assert_true(hawser_addr_same_ip(&found[0].gateway, backwards ? &third : &second));
        }
        assert_true(hawser_addr_same_ip(&found[0].gateway, &third));
        see_default(&view, 2, "fe80::9", 1023); /* the metric decides first */
        assert_int_equal(find(), 1);
        assert_true(hawser_addr_same_ip(&found[0].gateway, &metric));
    }
}

/* The least of what the interface says, of IPv6 too, and its default route. */
static void test_the_least_mtu(void **state)
{
    (void)state;
    static const struct {
        int32_t v6;
        uint32_t route, mtu, route_mtu;
    } cases[] = {{0, 0, 1500, 0},       {0, 1400, 1400, 1400},    {0, 1500, 1500, 0},
                 {0, 9000, 1500, 0},    {1400, 0, 1400, 0},       {1400, 1300, 1300, 1300},
                 {1400, 1450, 1400, 0}, {9000, 1450, 1450, 1450}, {1400, 1400, 1400, 0}};
    for (size_t i = 0; i < HW_ARRAY_LEN(cases); i++) {
        struct netlink_message m;
        struct nlmsghdr *header = link_message(&m, RTM_NEWLINK, 2, "eth0", UP);
        fresh(NULL);
        put_mtu_v6(header, cases[i].v6);
        host_view_take(&view, header);
        see_address(&view, 2, "10.1.0.2", 24, 0);
        see_address(&view, 2, "2001:db8::2", 64, 0);
        see_default_of_mtu(&view, 2, "10.1.0.1", 1350);
        see_default_of_mtu(&view, 2, "fe80::1", cases[i].route);
        assert_int_equal(find(), 2);
        assert_int_equal(found[0].mtu, 1350); /* of IPv4, to which the other is nothing */
        assert_int_equal(found[0].route_mtu, 1350);
        assert_int_equal(found[1].mtu, cases[i].mtu);
        assert_int_equal(found[1].route_mtu, cases[i].route_mtu);
    }
}

static void test_what_is_the_same(void **state)
{
    (void)state;
    see_uplink(2, "eth0", 1, 600);
    find();
    struct uplink one = found[0], other = one;
    assert_true(uplink_same(&one, &other) && uplink_unchanged(&one, &other));
    other.mtu = 1400;
    assert_true(uplink_same(&one, &other) && !uplink_unchanged(&one, &other));
    other = one;
    other.carrier = false;
    assert_false(uplink_unchanged(&one, &other));
    other = one;
    other.gateway = ip("10.1.0.3");
    assert_false(uplink_unchanged(&one, &other));
    other = one;
    other.outside[other.outside_count++] = ip("10.1.0.3");
    assert_true(uplink_same(&one, &other) && !uplink_unchanged(&one, &other));
    other = one;
    other.outside[0] = ip("10.1.0.3");
    assert_false(uplink_same(&one, &other));
    other = one;
    other.index = 3;
    assert_false(uplink_same(&one, &other));
}

static void test_limits(void **state)
{
    (void)state;
    for (unsigned i = 0; i < UPLINK_SLOTS + 3; i++)
        see_uplink(i + 2, "eth", i, i);
    assert_int_equal(find(), UPLINK_SLOTS);
    assert_int_equal(left_out, 3);
    fresh(NULL);
    see_uplink(2, "eth0", 1, 0);
    for (unsigned i = 0; i < UPLINK_OUTSIDE + 3; i++)
        see_address(&view, 2, "10.8.0.2", 24, 0);
    assert_int_equal(find(), 1);
    assert_int_equal(found[0].outside_count, UPLINK_OUTSIDE);
}

/* The one that peers are told is kept though the list is full when it is found. */
static void test_the_best_comes_last(void **state)
{
    (void)state;
    see_link(&view, 2, "eth0", UP);
    for (unsigned i = 0; i < UPLINK_OUTSIDE + 3; i++)
        see_address(&view, 2, "10.8.0.2", 24, 0);
    see_address(&view, 2, "10.1.0.2", 24, 0);
    see_default(&view, 2, "10.1.0.1", 0);
    assert_int_equal(find(), 1);
    struct hawser_addr best = ip("10.1.0.2"), other = ip("10.8.0.2");
    assert_int_equal(found[0].outside_count, UPLINK_OUTSIDE);
    assert_true(hawser_addr_same_ip(&found[0].outside[0], &best));
    for (size_t i = 1; i < UPLINK_OUTSIDE; i++)
        assert_true(hawser_addr_same_ip(&found[0].outside[i], &other));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_each_family_for_itself, fresh),
        cmocka_unit_test_setup(test_near, fresh),
        cmocka_unit_test_setup(test_verdicts, fresh),
        cmocka_unit_test_setup(test_what_peers_are_told, fresh),
        cmocka_unit_test_setup(test_a_deprecated_address, fresh),
        cmocka_unit_test_setup(test_the_best_of_two_routes, fresh),
        cmocka_unit_test_setup(test_the_preferred_router, fresh),
        cmocka_unit_test_setup(test_the_least_mtu, fresh),
        cmocka_unit_test_setup(test_what_is_the_same, fresh),
        cmocka_unit_test_setup(test_limits, fresh),
        cmocka_unit_test_setup(test_the_best_comes_last, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
