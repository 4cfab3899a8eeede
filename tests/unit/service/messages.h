/* Messages of rtnetlink as the kernel sends them, by hand. */
#ifndef HW_TESTS_SERVICE_MESSAGES_H
#define HW_TESTS_SERVICE_MESSAGES_H

#include <string.h>
#include <sys/socket.h>

#include <linux/fib_rules.h>
#include <linux/icmpv6.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/ipv6.h>
#include <linux/rtnetlink.h>

#include "service/host_view.h"
#include "service/netlink.h"

static inline struct hawser_addr ip(const char *text)
{
    struct hawser_addr addr;
    if (hawser_addr_parse(&addr, text, 0) != 0)
        memset(&addr, 0xee, sizeof(addr));
    return addr;
}

static inline struct nlmsghdr *link_message(struct netlink_message *m, uint16_t type, unsigned index, const char *name,
                                            unsigned flags)
{
    struct nlmsghdr *header = netlink_start(m, type, 0);
    struct ifinfomsg *info = mnl_nlmsg_put_extra_header(header, sizeof(*info));
    info->ifi_index = (int)index;
    info->ifi_flags = flags;
    mnl_attr_put_strz(header, IFLA_IFNAME, name);
    mnl_attr_put_u32(header, IFLA_MTU, 1500);
    return header;
}

static inline struct nlmsghdr *address_message(struct netlink_message *m, uint16_t type, unsigned index,
                                               const char *text, unsigned prefix_len, uint32_t flags)
{
    struct hawser_addr addr = ip(text);
    struct nlmsghdr *header = netlink_start(m, type, 0);
    struct ifaddrmsg *info = mnl_nlmsg_put_extra_header(header, sizeof(*info));
    info->ifa_family = netlink_family(&addr);
    info->ifa_prefixlen = (uint8_t)prefix_len;
    info->ifa_index = index;
    info->ifa_flags = (uint8_t)flags;
    netlink_put_addr(header, IFA_ADDRESS, &addr);
    if (info->ifa_family == AF_INET)
        netlink_put_addr(header, IFA_LOCAL, &addr);
    mnl_attr_put_u32(header, IFA_FLAGS, flags);
    return header;
}

static inline void put_mtu_v6(struct nlmsghdr *header, int32_t mtu)
{
    const int32_t settings[] = {[DEVCONF_MTU6] = mtu};
    struct nlattr *families = mnl_attr_nest_start(header, IFLA_AF_SPEC);
    struct nlattr *family = mnl_attr_nest_start(header, AF_INET6);
    mnl_attr_put(header, IFLA_INET6_CONF, sizeof(settings), settings);
    mnl_attr_nest_end(header, family);
    mnl_attr_nest_end(header, families);
}

/* `to` NULL: a default route. */
static inline struct nlmsghdr *route_message(struct netlink_message *m, unsigned index, const char *to, unsigned len,
                                             const char *gateway, uint32_t metric)
{
    struct hawser_addr hop = ip(gateway);
    struct nlmsghdr *header = netlink_start(m, RTM_NEWROUTE, 0);
    struct rtmsg *info = mnl_nlmsg_put_extra_header(header, sizeof(*info));
    info->rtm_family = netlink_family(&hop);
    info->rtm_dst_len = (uint8_t)len;
    info->rtm_table = RT_TABLE_MAIN;
    info->rtm_type = RTN_UNICAST;
    info->rtm_protocol = RTPROT_DHCP;
    if (to) {
        struct hawser_addr addr = ip(to);
        netlink_put_addr(header, RTA_DST, &addr);
    }
    netlink_put_addr(header, RTA_GATEWAY, &hop);
    mnl_attr_put_u32(header, RTA_OIF, index);
    mnl_attr_put_u32(header, RTA_PRIORITY, metric);
    return header;
}

/* ip rule add pref PREFERENCE lookup TABLE */
static inline struct nlmsghdr *rule_message(struct netlink_message *m, uint8_t family, uint32_t preference,
                                            uint32_t table)
{
    struct nlmsghdr *header = netlink_start(m, RTM_NEWRULE, 0);
    struct fib_rule_hdr *info = mnl_nlmsg_put_extra_header(header, sizeof(*info));
    info->family = family;
    info->action = FR_ACT_TO_TBL;
    info->table = table < 256 ? (uint8_t)table : RT_TABLE_COMPAT;
    mnl_attr_put_u32(header, FRA_TABLE, table);
    mnl_attr_put_u32(header, FRA_SUPPRESS_PREFIXLEN, UINT32_MAX);
    mnl_attr_put_u8(header, FRA_PROTOCOL, RTPROT_BOOT);
    mnl_attr_put_u32(header, FRA_PRIORITY, preference);
    return header;
}

static inline void see_link(struct host_view *view, unsigned index, const char *name, unsigned flags)
{
    struct netlink_message m;
    host_view_take(view, link_message(&m, RTM_NEWLINK, index, name, flags));
}

static inline void see_address(struct host_view *view, unsigned index, const char *text, unsigned len, uint32_t flags)
{
    struct netlink_message m;
    host_view_take(view, address_message(&m, RTM_NEWADDR, index, text, len, flags));
}

static inline void see_default(struct host_view *view, unsigned index, const char *gateway, uint32_t metric)
{
    struct netlink_message m;
    host_view_take(view, route_message(&m, index, NULL, 0, gateway, metric));
}

static inline void see_default_of_mtu(struct host_view *view, unsigned index, const char *gateway, uint32_t mtu)
{
    struct netlink_message m;
    struct nlmsghdr *header = route_message(&m, index, NULL, 0, gateway, 100);
    netlink_put_mtu(header, mtu);
    host_view_take(view, header);
}

static inline void see_default_of_preference(struct host_view *view, unsigned index, const char *gateway,
                                             uint8_t preference)
{
    struct netlink_message m;
    struct nlmsghdr *header = route_message(&m, index, NULL, 0, gateway, 1024);
    mnl_attr_put_u8(header, RTA_PREF, preference);
    host_view_take(view, header);
}

#endif
