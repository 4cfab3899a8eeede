/* What the kernel says of the host, read message by message. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "base/compiler.h"
#include "messages.h"
#include "service/policy_routes.h"

static struct host_view view;

static int fresh(void **state)
{
    (void)state;
    memset(&view, 0, sizeof(view));
    return 0;
}

static void test_links(void **state)
{
    (void)state;
    see_link(&view, 1, "lo", IFF_UP | IFF_LOOPBACK | IFF_LOWER_UP);
    see_link(&view, 7, "wlan0", IFF_UP);
    assert_int_equal(view.link_count, 2);
    assert_true(view.links[0].loopback);
    const struct view_link *link = host_view_link(&view, 7);
    assert_non_null(link);
    assert_string_equal(link->name, "wlan0");
    assert_int_equal(link->mtu, 1500);
    assert_true(link->up && !link->carrier && !link->loopback);
    assert_null(host_view_link(&view, 8));
}

static void test_addresses_that_are_ready(void **state)
{
    (void)state;
    struct netlink_message m;
    see_address(&view, 2, "192.0.2.2", 24, IFA_F_PERMANENT);
    see_address(&view, 2, "192.0.2.3", 24, IFA_F_SECONDARY);
    see_address(&view, 2, "2001:db8::2", 64, IFA_F_MANAGETEMPADDR);
    see_address(&view, 2, "2001:db8::3", 64, IFA_F_TEMPORARY);
    see_address(&view, 2, "2001:db8::4", 64, IFA_F_TENTATIVE);
    see_address(&view, 2, "2001:db8::5", 64, IFA_F_TENTATIVE | IFA_F_DADFAILED);
    see_address(&view, 2, "2001:db8::6", 64, IFA_F_DEPRECATED);
    struct nlmsghdr *header = address_message(&m, RTM_NEWADDR, 2, "fe80::2", 64, IFA_F_PERMANENT);
    ((struct ifaddrmsg *)mnl_nlmsg_get_payload(header))->ifa_scope = RT_SCOPE_LINK;
    host_view_take(&view, header);
    assert_int_equal(view.address_count, 5);
    assert_false(view.addresses[1].temporary); /* the same bit means another thing in IPv4 */
    assert_false(view.addresses[2].temporary);
    assert_true(view.addresses[3].temporary && !view.addresses[3].deprecated);
    assert_true(view.addresses[4].deprecated);
}

static void test_default_routes_of_main_only(void **state)
{
    (void)state;
    struct netlink_message m;
    see_default(&view, 2, "192.0.2.1", 100);
    see_default(&view, 3, "fe80::1", 1024);
    host_view_take(&view, route_message(&m, 2, "10.0.0.0", 8, "192.0.2.1", 0));
    struct nlmsghdr *header = route_message(&m, 4, NULL, 0, "192.0.2.1", 0);
    mnl_attr_put_u32(header, RTA_TABLE, 485700);
    host_view_take(&view, header);
    header = route_message(&m, 4, NULL, 0, "192.0.2.1", 0);
    ((struct rtmsg *)mnl_nlmsg_get_payload(header))->rtm_type = RTN_UNREACHABLE;
    host_view_take(&view, header);
    assert_int_equal(view.route_count, 2);
    assert_true(view.routes[0].v4 && view.routes[0].has_gateway && view.routes[0].metric == 100);
    assert_true(!view.routes[1].v4 && view.routes[1].index == 3);
}

/* ip route add default nexthop via 192.0.2.1 dev e1 nexthop via inet6 fe80::9 dev e2 */
static void put_hop(uint8_t **at, int index, const struct hawser_addr *gateway)
{
    struct rtnexthop hop = {.rtnh_ifindex = index};
    bool v4 = hawser_addr_is_v4(gateway);
    struct rtattr attr = {.rta_type = v4 ? RTA_GATEWAY : RTA_VIA, .rta_len = v4 ? 8 : 4 + 2 + 16};
    uint16_t family = AF_INET6;
    hop.rtnh_len = (uint16_t)(sizeof(hop) + attr.rta_len);
    memcpy(*at, &hop, sizeof(hop));
    memcpy(*at + sizeof(hop), &attr, sizeof(attr));
    if (v4) {
        memcpy(*at + sizeof(hop) + 4, gateway->ip + 12, 4);
    } else {
        memcpy(*at + sizeof(hop) + 4, &family, 2);
        memcpy(*at + sizeof(hop) + 6, gateway->ip, 16);
    }
    *at += RTNH_ALIGN((size_t)hop.rtnh_len);
}

static void test_each_next_hop_is_a_route(void **state)
{
    (void)state;
    struct netlink_message m;
    uint8_t hops[128] = {0}, *end = hops;
    struct hawser_addr one = ip("192.0.2.1"), other = ip("fe80::9");
    put_hop(&end, 2, &one);
    put_hop(&end, 3, &other);
    struct nlmsghdr *header = netlink_start(&m, RTM_NEWROUTE, 0);
    struct rtmsg *info = mnl_nlmsg_put_extra_header(header, sizeof(*info));
    info->rtm_family = AF_INET;
    info->rtm_table = RT_TABLE_MAIN;
    info->rtm_type = RTN_UNICAST;
    mnl_attr_put(header, RTA_MULTIPATH, (size_t)(end - hops), hops);
    host_view_take(&view, header);
    assert_int_equal(view.route_count, 2);
    assert_int_equal(view.routes[0].index, 2);
    assert_true(hawser_addr_same_ip(&view.routes[0].gateway, &one));
    assert_int_equal(view.routes[1].index, 3);
    assert_true(view.routes[1].v4 && hawser_addr_same_ip(&view.routes[1].gateway, &other));
}

/* A link may have another one for IPv6, and a route one of its own. */
static void test_mtus(void **state)
{
    (void)state;
    struct netlink_message m;
    struct nlmsghdr *header = link_message(&m, RTM_NEWLINK, 2, "wlan0", IFF_UP);
    put_mtu_v6(header, 1400);
    host_view_take(&view, header);
    see_link(&view, 3, "eth0", IFF_UP);
    assert_int_equal(view.links[0].mtu, 1500);
    assert_int_equal(view.links[0].mtu_v6, 1400);
    assert_int_equal(view.links[1].mtu_v6, 0);
    see_default(&view, 2, "192.0.2.1", 0);
    see_default_of_mtu(&view, 2, "192.0.2.1", 1300);
    see_default_of_mtu(&view, 2, "fe80::1", 1280);
    header = route_message(&m, 2, NULL, 0, "192.0.2.1", 0);
    mnl_attr_put_u32(header, RTA_METRICS, 7); /* broken */
    host_view_take(&view, header);
    assert_int_equal(view.route_count, 4);
    assert_int_equal(view.routes[0].mtu, 0);
    assert_int_equal(view.routes[1].mtu, 1300);
    assert_int_equal(view.routes[2].mtu, 1280);
    assert_int_equal(view.routes[3].mtu, 0);
}

static void test_preferences_of_routers(void **state)
{
    (void)state;
    static const struct {
        uint8_t said;
        int8_t means;
    } cases[] = {{ICMPV6_ROUTER_PREF_HIGH, 1},
                 {ICMPV6_ROUTER_PREF_MEDIUM, 0},
                 {ICMPV6_ROUTER_PREF_LOW, -1},
                 {ICMPV6_ROUTER_PREF_INVALID, 0}};
    for (size_t i = 0; i < HW_ARRAY_LEN(cases); i++) {
        see_default_of_preference(&view, 2, "fe80::1", cases[i].said);
        assert_int_equal(view.routes[i].preference, cases[i].means);
    }
    struct netlink_message m;
    struct nlmsghdr *header = route_message(&m, 2, NULL, 0, "fe80::1", 7);
    mnl_attr_put(header, RTA_PREF, 0, NULL); /* broken */
    host_view_take(&view, header);
    assert_int_equal(view.routes[HW_ARRAY_LEN(cases)].preference, 0);
}

static void test_prefixes_within_the_inside(void **state)
{
    (void)state;
    struct netlink_message m;
    see_address(&view, 2, "192.0.2.2", 24, 0);
    see_address(&view, 2, "198.18.5.2", 24, 0);
    host_view_take(&view, route_message(&m, 3, "198.18.128.0", 17, "192.0.2.1", 0));
    host_view_take(&view, route_message(&m, 3, "198.19.0.0", 30, "192.0.2.1", 0)); /* a program's */
    host_view_take(&view, route_message(&m, 3, "128.0.0.0", 1, "192.0.2.1", 0));   /* of a tunnel: everywhere, half */
    host_view_take(&view, route_message(&m, 3, "198.0.0.0", 8, "192.0.2.1", 0));
    host_view_take(&view, route_message(&m, 3, "fd48:6177:7372:1::", 64, "fe80::1", 0));
    assert_int_equal(view.prefix_count, 4);
}

/* One for each program, and there are many. */
static void test_devices_of_programs_are_passed_over(void **state)
{
    (void)state;
    struct netlink_message m;
    struct nlmsghdr *header = address_message(&m, RTM_NEWADDR, 3, "192.0.2.2", 30, 0);
    mnl_attr_put_strz(header, IFA_LABEL, "hawser-0");
    host_view_take(&view, header);
    see_link(&view, 3, "hawser-0", IFF_UP);
    see_link(&view, 4, "hawser+0", IFF_UP);
    assert_int_equal(view.address_count + view.link_count, 0);
    see_link(&view, 5, "hawser0", IFF_UP);
    assert_int_equal(view.link_count, 1);
}

/* ip route add default via GATEWAY table TABLE */
static struct nlmsghdr *default_of_table(struct netlink_message *m, const char *gateway, uint32_t table)
{
    struct nlmsghdr *header = route_message(m, 5, NULL, 0, gateway, 0);
    mnl_attr_put_u32(header, RTA_TABLE, table);
    return header;
}

/* ip rule add pref 32765 not fwmark MARK lookup TABLE */
static struct nlmsghdr *not_marked_message(struct netlink_message *m, uint32_t mark, uint32_t table)
{
    struct nlmsghdr *header = rule_message(m, AF_INET, 32765, table);
    ((struct fib_rule_hdr *)mnl_nlmsg_get_payload(header))->flags = FIB_RULE_INVERT;
    mnl_attr_put_u32(header, FRA_FWMARK, mark);
    mnl_attr_put_u32(header, FRA_FWMASK, UINT32_MAX);
    return header;
}

static void test_vpn_of_all(void **state)
{
    (void)state;
    struct netlink_message m;
    host_view_take(&view, rule_message(&m, AF_INET, 5270, 52));
    host_view_take(&view, rule_message(&m, AF_INET, 5271, 52));
    assert_int_equal(view.table_count, 1);
    assert_null(host_view_vpn(&view));
    host_view_take(&view, default_of_table(&m, "fe80::1", 52));
    host_view_take(&view, default_of_table(&m, "192.0.2.1", 53));
    struct nlmsghdr *header = route_message(&m, 5, "10.0.0.0", 8, "192.0.2.1", 0);
    mnl_attr_put_u32(header, RTA_TABLE, 52);
    host_view_take(&view, header);
    header = default_of_table(&m, "192.0.2.1", 52);
    ((struct rtmsg *)mnl_nlmsg_get_payload(header))->rtm_type = RTN_UNREACHABLE;
    host_view_take(&view, header);
    assert_null(host_view_vpn(&view));
    host_view_take(&view, default_of_table(&m, "192.0.2.1", 52));
    assert_int_equal(host_view_vpn(&view)->number, 52);
    assert_false(host_view_vpn(&view)->first);
    assert_int_equal(view.route_count, 0);
}

static void test_vpn_of_what_has_no_mark(void **state)
{
    (void)state;
    struct netlink_message m;
    host_view_take(&view, not_marked_message(&m, 51820, 51820));
    host_view_take(&view, default_of_table(&m, "192.0.2.1", 51820));
    assert_int_equal(host_view_vpn(&view)->number, 51820);
}

/* Who comes when Hawser's rules are there is given a preference before them. */
static void test_vpn_of_hawsers_too(void **state)
{
    (void)state;
    struct netlink_message m;
    host_view_take(&view, rule_message(&m, AF_INET6, POLICY_PREFERENCE - 1, 52));
    host_view_take(&view, default_of_table(&m, "fe80::1", 52));
    assert_int_equal(host_view_vpn(&view)->number, 52);
    assert_true(host_view_vpn(&view)->first);
}

/* Rules that take some of this host's traffic, or none, or are Hawser's own. */
static void test_no_vpn(void **state)
{
    (void)state;
    struct netlink_message m;
    const struct hawser_addr addr = ip("192.0.2.2");
    host_view_take(&view, rule_message(&m, AF_INET, POLICY_MAIN_PREFERENCE, 52));
    host_view_take(&view, rule_message(&m, AF_INET, 40000, 52));
    for (uint32_t table = RT_TABLE_DEFAULT; table <= RT_TABLE_LOCAL; table++)
        host_view_take(&view, rule_message(&m, AF_INET, 5270, table));
    struct nlmsghdr *header = rule_message(&m, AF_INET, POLICY_PREFERENCE, 52);
    mnl_attr_put_u8(header, FRA_PROTOCOL, POLICY_PROTOCOL);
    host_view_take(&view, header);
    header = rule_message(&m, AF_INET, 5270, 52);
    ((struct fib_rule_hdr *)mnl_nlmsg_get_payload(header))->src_len = 32;
    netlink_put_addr(header, FRA_SRC, &addr);
    host_view_take(&view, header);
    header = rule_message(&m, AF_INET, 5270, 52);
    ((struct fib_rule_hdr *)mnl_nlmsg_get_payload(header))->dst_len = 32;
    netlink_put_addr(header, FRA_DST, &addr);
    host_view_take(&view, header);
    header = rule_message(&m, AF_INET, 5270, 52);
    ((struct fib_rule_hdr *)mnl_nlmsg_get_payload(header))->action = FR_ACT_UNREACHABLE;
    host_view_take(&view, header);
    mnl_attr_put_strz(header = rule_message(&m, AF_INET, 5270, 52), FRA_IIFNAME, "lan0");
    host_view_take(&view, header);
    mnl_attr_put_u32(header = rule_message(&m, AF_INET, 5270, 52), FRA_FWMARK, 1);
    host_view_take(&view, header);
    mnl_attr_put_u32(header = rule_message(&m, AF_INET, 5270, 52), FRA_SUPPRESS_PREFIXLEN, 0);
    host_view_take(&view, header);
    host_view_take(&view, not_marked_message(&m, 0, 52)); /* none */
    host_view_take(&view, default_of_table(&m, "192.0.2.1", 52));
    assert_int_equal(view.table_count, 0);
    assert_null(host_view_vpn(&view));
}

static void test_prefix_match(void **state)
{
    (void)state;
    struct hawser_addr a = ip("198.18.0.0"), b = ip("198.19.255.255"), c = ip("198.20.0.0"), v6 = ip("fd48::");
    assert_true(view_prefix_match(&a, &b, 15));
    assert_false(view_prefix_match(&a, &b, 16));
    assert_false(view_prefix_match(&a, &c, 15));
    assert_true(view_prefix_match(&a, &a, 32));
    assert_false(view_prefix_match(&a, &v6, 1));
}

/* Each kind of message, cut at each length, with the space after it not ours to read. */
static void test_truncated(void **state)
{
    (void)state;
    for (int kind = 0; kind < 4; kind++) {
        struct netlink_message m;
        struct nlmsghdr *header = kind == 0   ? link_message(&m, RTM_NEWLINK, 2, "wlan0", IFF_UP)
                                  : kind == 1 ? address_message(&m, RTM_NEWADDR, 2, "2001:db8::2", 64, 0)
                                  : kind == 2 ? route_message(&m, 2, "198.18.0.0", 16, "192.0.2.1", 7)
                                              : rule_message(&m, AF_INET, 5270, 52);
        if (kind == 0)
            put_mtu_v6(header, 1400);
        else if (kind == 2)
            netlink_put_mtu(header, 1400);
        for (uint32_t len = NLMSG_HDRLEN; len < header->nlmsg_len; len++) {
            struct nlmsghdr *cut = malloc(len);
            assert_non_null(cut);
            memcpy(cut, header, len);
            cut->nlmsg_len = len;
            host_view_take(&view, cut);
            free(cut);
        }
    }
}

static void test_limits(void **state)
{
    (void)state;
    for (unsigned i = 0; i < VIEW_LINKS + 3; i++)
        see_link(&view, i + 1, "e", IFF_UP);
    for (unsigned i = 0; i < VIEW_ADDRESSES + 3; i++)
        see_address(&view, i + 1, "192.0.2.2", 24, 0);
    for (unsigned i = 0; i < VIEW_ROUTES + 3; i++)
        see_default(&view, i + 1, "192.0.2.1", 0);
    for (unsigned i = 0; i < VIEW_PREFIXES + 3; i++) {
        struct netlink_message m;
        host_view_take(&view, route_message(&m, 3, "198.18.0.0", 16, "192.0.2.1", i));
    }
    for (unsigned i = 0; i < VIEW_TABLES + 3; i++) {
        struct netlink_message m;
        host_view_take(&view, rule_message(&m, AF_INET6, 5270 + i, 1000 + i));
    }
    assert_int_equal(view.left_out, 5 * 3);
}

static void test_of_the_kernel(void **state)
{
    (void)state;
    struct netlink netlink;
    assert_int_equal(netlink_open(&netlink), 0);
    assert_int_equal(host_view_read(&view, &netlink), 0);
    netlink_close(&netlink);
    assert_true(view.link_count > 0);
    assert_string_equal(host_view_link(&view, 1)->name, "lo");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_links, fresh),
        cmocka_unit_test_setup(test_addresses_that_are_ready, fresh),
        cmocka_unit_test_setup(test_default_routes_of_main_only, fresh),
        cmocka_unit_test_setup(test_each_next_hop_is_a_route, fresh),
        cmocka_unit_test_setup(test_mtus, fresh),
        cmocka_unit_test_setup(test_preferences_of_routers, fresh),
        cmocka_unit_test_setup(test_prefixes_within_the_inside, fresh),
        cmocka_unit_test_setup(test_prefix_match, fresh),
        cmocka_unit_test_setup(test_vpn_of_all, fresh),
        cmocka_unit_test_setup(test_vpn_of_what_has_no_mark, fresh),
        cmocka_unit_test_setup(test_vpn_of_hawsers_too, fresh),
        cmocka_unit_test_setup(test_no_vpn, fresh),
        cmocka_unit_test_setup(test_devices_of_programs_are_passed_over, fresh),
        cmocka_unit_test_setup(test_truncated, fresh),
        cmocka_unit_test_setup(test_limits, fresh),
        cmocka_unit_test_setup(test_of_the_kernel, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
