#include "run/network.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include <linux/fib_rules.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/rtnetlink.h>

#include "service/netlink.h"

#define PAIR_ADDRESS_V6 "fe80::2"

enum {
    TABLE = 100,
    RESOLVERS_TABLE = 101,
    PREFERENCE = 1000,
    RESOLVERS_PREFERENCE = 980,
    QUIC_PREFERENCE = 990,
    METRIC = 100,
    LAST_METRIC = 4000,
    QUIC_PORT = 443,
    DNS_PORT = 53,
    LOOSE = 2
};

static int set_up_link(struct netlink *n, unsigned index)
{
    struct netlink_message m;
    struct nlmsghdr *header = netlink_start(&m, RTM_NEWLINK, 0);
    struct ifinfomsg *info = mnl_nlmsg_put_extra_header(header, sizeof(*info));
    info->ifi_index = (int)index;
    info->ifi_change = info->ifi_flags = IFF_UP;
    return netlink_request(n, &m, NULL, NULL);
}

static int put_families(struct netlink *n, unsigned index, bool v6)
{
    struct netlink_message m;
    struct nlmsghdr *header = netlink_start(&m, RTM_NEWLINK, 0);
    struct ifinfomsg *info = mnl_nlmsg_put_extra_header(header, sizeof(*info));
    info->ifi_index = (int)index;
    struct nlattr *families = mnl_attr_nest_start(header, IFLA_AF_SPEC);
    struct nlattr *family = mnl_attr_nest_start(header, v6 ? AF_INET6 : AF_INET);
    if (v6) {
        mnl_attr_put_u8(header, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
    } else {
        struct nlattr *conf = mnl_attr_nest_start(header, IFLA_INET_CONF);
        mnl_attr_put_u32(header, IPV4_DEVCONF_RP_FILTER, LOOSE);
        mnl_attr_nest_end(header, conf);
    }
    mnl_attr_nest_end(header, family);
    mnl_attr_nest_end(header, families);
    return netlink_request(n, &m, NULL, NULL);
}

/* What comes in by one of the devices may have left by the other; and the kernel says nothing there of its own accord.
 * A kernel without IPv6 does not, either. */
static int quieten(struct netlink *n, unsigned index)
{
    put_families(n, index, true);
    return put_families(n, index, false);
}

static int add_address(struct netlink *n, unsigned index, const struct hawser_addr *addr, unsigned len)
{
    struct netlink_message m;
    struct nlmsghdr *header = netlink_start(&m, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL);
    struct ifaddrmsg *info = mnl_nlmsg_put_extra_header(header, sizeof(*info));
    info->ifa_family = netlink_family(addr);
    info->ifa_prefixlen = (uint8_t)len;
    info->ifa_index = index;
    info->ifa_flags = IFA_F_NODAD;
    netlink_put_addr(header, IFA_LOCAL, addr);
    netlink_put_addr(header, IFA_ADDRESS, addr);
    return netlink_request(n, &m, NULL, NULL);
}

/* To everywhere. Without a device: it is unreachable. */
static int add_route(struct netlink *n, uint8_t family, uint32_t table, unsigned index,
                     const struct hawser_addr *gateway)
{
    struct netlink_message m;
    struct nlmsghdr *header = netlink_start(&m, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL);
    struct rtmsg *route = mnl_nlmsg_put_extra_header(header, sizeof(*route));
    route->rtm_family = family;
    route->rtm_protocol = RTPROT_STATIC;
    route->rtm_scope = gateway || family == AF_INET6 || !index ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
    route->rtm_type = index ? RTN_UNICAST : RTN_UNREACHABLE;
    mnl_attr_put_u32(header, RTA_TABLE, table);
    mnl_attr_put_u32(header, RTA_PRIORITY, index ? METRIC : LAST_METRIC);
    if (index)
        mnl_attr_put_u32(header, RTA_OIF, index);
    if (gateway)
        netlink_put_addr(header, RTA_GATEWAY, gateway);
    return netlink_request(n, &m, NULL, NULL);
}

/* Of a protocol, to a port (0: any): by a table (0: it is refused). */
static int add_rule(struct netlink *n, uint8_t family, uint8_t protocol, uint16_t port, uint32_t table)
{
    struct netlink_message m;
    struct nlmsghdr *header = netlink_start(&m, RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL);
    struct fib_rule_hdr *rule = mnl_nlmsg_put_extra_header(header, sizeof(*rule));
    const struct fib_rule_port_range ports = {port, port};
    rule->family = family;
    rule->action = table ? FR_ACT_TO_TBL : FR_ACT_UNREACHABLE;
    if (table)
        mnl_attr_put_u32(header, FRA_TABLE, table);
    mnl_attr_put_u32(header, FRA_PRIORITY, table ? PREFERENCE : QUIC_PREFERENCE);
    mnl_attr_put_u8(header, FRA_IP_PROTO, protocol);
    if (port)
        mnl_attr_put(header, FRA_DPORT_RANGE, sizeof(ports), &ports);
    return netlink_request(n, &m, NULL, NULL);
}

/* Without the source it would, by IPv4, be the resolver's own address, and the answer's way would be another one. */
static int add_own_route(struct netlink *n, const struct hawser_addr *to, const struct hawser_addr *source)
{
    struct netlink_message m;
    struct nlmsghdr *header = netlink_start(&m, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE);
    struct rtmsg *route = mnl_nlmsg_put_extra_header(header, sizeof(*route));
    route->rtm_family = netlink_family(to);
    route->rtm_dst_len = hawser_addr_is_v4(to) ? 32 : 128;
    route->rtm_protocol = RTPROT_STATIC;
    route->rtm_scope = RT_SCOPE_HOST;
    route->rtm_type = RTN_LOCAL;
    mnl_attr_put_u32(header, RTA_TABLE, RESOLVERS_TABLE);
    mnl_attr_put_u32(header, RTA_OIF, if_nametoindex("lo"));
    netlink_put_addr(header, RTA_DST, to);
    if (hawser_addr_is_v4(to))
        netlink_put_addr(header, RTA_PREFSRC, source);
    return netlink_request(n, &m, NULL, NULL);
}

static int add_own_rule(struct netlink *n, uint8_t family, uint8_t protocol)
{
    struct netlink_message m;
    struct nlmsghdr *header = netlink_start(&m, RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL);
    struct fib_rule_hdr *rule = mnl_nlmsg_put_extra_header(header, sizeof(*rule));
    const struct fib_rule_port_range ports = {DNS_PORT, DNS_PORT};
    rule->family = family;
    rule->action = FR_ACT_TO_TBL;
    mnl_attr_put_u32(header, FRA_TABLE, RESOLVERS_TABLE);
    mnl_attr_put_u32(header, FRA_PRIORITY, RESOLVERS_PREFERENCE);
    mnl_attr_put_u8(header, FRA_IP_PROTO, protocol);
    mnl_attr_put(header, FRA_DPORT_RANGE, sizeof(ports), &ports);
    return netlink_request(n, &m, NULL, NULL);
}

/* To those of IPv6 there may be no other way, by TCP neither. Where IPv6 is off nobody asks them. */
static int keep_resolvers(struct netlink *n, const struct network *network)
{
    bool v4 = false, v6 = false;
    int error = 0;
    for (size_t i = 0; i < network->resolver_count && !error; i++) {
        const bool is_v4 = hawser_addr_is_v4(&network->resolvers[i]);
        int failed = add_own_route(n, &network->resolvers[i], &network->v4);
        v4 |= is_v4;
        v6 |= !is_v4 && !failed;
        error = is_v4 ? failed : 0;
    }
    if (!error && v4)
        error = add_own_rule(n, AF_INET, IPPROTO_UDP);
    if (!error && v6)
        error = add_own_rule(n, AF_INET6, IPPROTO_UDP);
    return error || !v6 ? error : add_own_rule(n, AF_INET6, IPPROTO_TCP);
}

/* TCP of a family: nothing of it leaves but by the door, be it there or not. */
static int lead_tcp(struct netlink *n, uint8_t family, unsigned door)
{
    int error = add_route(n, family, TABLE, 0, NULL);
    if (!error)
        error = add_route(n, family, TABLE, door, NULL);
    return error ? error : add_rule(n, family, IPPROTO_TCP, 0, TABLE);
}

static int set_up_door(struct netlink *n, const struct network *network, unsigned door)
{
    int error = quieten(n, door);
    if (!error)
        error = add_address(n, door, &network->v4, 32);
    if (!error)
        error = set_up_link(n, door);
    if (!error)
        error = lead_tcp(n, AF_INET, door);
    if (!error && network->has_v6 && add_address(n, door, &network->v6, 128) == 0)
        error = lead_tcp(n, AF_INET6, door);
    return error;
}

/* Without a gateway nothing but TCP leaves by IPv6, and the C library takes IPv4 first. */
static int set_up_pair_v6(struct netlink *n, const struct network *network, unsigned pair)
{
    struct hawser_addr own;
    hawser_addr_parse(&own, PAIR_ADDRESS_V6, 0);
    int error = add_address(n, pair, &own, 64);
    if (!error)
        error = add_address(n, pair, &network->v6, 128);
    return error ? error : add_route(n, AF_INET6, RT_TABLE_MAIN, pair, &network->gateway_v6);
}

static int set_up_pair(struct netlink *n, const struct network *network, unsigned pair)
{
    int error = quieten(n, pair);
    if (!error)
        error = add_address(n, pair, &network->v4, network->v4_len);
    if (!error)
        error = set_up_link(n, pair);
    if (!error && network->has_v6 && network->has_gateway_v6)
        error = set_up_pair_v6(n, network, pair);
    return error ? error : add_route(n, AF_INET, RT_TABLE_MAIN, pair, &network->gateway);
}

int network_begin(void)
{
    struct netlink n;
    int error = netlink_open(&n);
    if (error)
        return error;
    error = set_up_link(&n, if_nametoindex("lo"));
    netlink_close(&n);
    return error;
}

int network_set_up(const struct network *network, char *why, size_t why_size)
{
    struct netlink n;
    unsigned door = if_nametoindex("door0"), pair = if_nametoindex("eth0");
    int error = door && pair ? netlink_open(&n) : -ENODEV;
    if (!error) {
        error = set_up_door(&n, network, door);
        if (!error)
            error = set_up_pair(&n, network, pair);
        if (!error && network->no_quic)
            error = add_rule(&n, AF_INET, IPPROTO_UDP, QUIC_PORT, 0);
        if (!error && network->no_quic && network->has_v6)
            error = add_rule(&n, AF_INET6, IPPROTO_UDP, QUIC_PORT, 0);
        if (!error)
            error = keep_resolvers(&n, network);
        netlink_close(&n);
    }
    if (error)
        snprintf(why, why_size,
                 "cannot configure the program's network: %s: is the kernel built with policy routing "
                 "(CONFIG_IP_MULTIPLE_TABLES)?",
                 strerror(-error));
    return error;
}
