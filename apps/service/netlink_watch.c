#include "service/netlink_watch.h"

#include <net/if.h>

#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/netconf.h>
#include <linux/rtnetlink.h>

#include "base/compiler.h"
#include "service/host_view.h"
#include "service/netlink_news.h"
#include "service/policy_routes.h"

int netlink_watch_open(struct netlink_watch *w)
{
    static const int groups[] = {RTNLGRP_LINK,       RTNLGRP_IPV4_IFADDR,  RTNLGRP_IPV6_IFADDR,
                                 RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE,   RTNLGRP_IPV4_RULE,
                                 RTNLGRP_IPV6_RULE,  RTNLGRP_IPV4_NETCONF, RTNLGRP_IPV6_NETCONF};
    *w = (struct netlink_watch){.socket = NULL};
    return netlink_news_open(&w->socket, NETLINK_ROUTE, groups, HW_ARRAY_LEN(groups));
}

void netlink_watch_close(struct netlink_watch *w)
{
    if (w->socket)
        mnl_socket_close(w->socket);
    w->socket = NULL;
}

void netlink_watch_see_own(struct netlink_watch *w) { w->sees_own = true; }

int netlink_watch_fd(const struct netlink_watch *w) { return mnl_socket_get_fd(w->socket); }

static void watch_lose(struct netlink_watch *w, const struct watch_loss *loss)
{
    if (w->loss_count == WATCH_LOSSES)
        w->overruns++;
    else
        w->losses[w->loss_count++] = *loss;
}

static void watch_take_address_loss(struct netlink_watch *w, const struct nlmsghdr *header)
{
    const struct ifaddrmsg *info = mnl_nlmsg_get_payload(header);
    struct watch_loss loss = {.index = info->ifa_index};
    const struct nlattr *attr;
    NETLINK_ATTRS(attr, header, sizeof(*info))
    {
        bool local = mnl_attr_get_type(attr) == IFA_LOCAL;
        if (local || (mnl_attr_get_type(attr) == IFA_ADDRESS && !loss.has_addr))
            loss.has_addr = netlink_get_addr(attr, &loss.addr);
    }
    watch_lose(w, &loss);
}

/* Ours are heard of only where they vanish. */
static bool watch_route_matters(const struct nlmsghdr *header)
{
    const struct rtmsg *info = mnl_nlmsg_get_payload(header);
    if (info->rtm_protocol == POLICY_PROTOCOL)
        return header->nlmsg_type == RTM_DELROUTE;
    return info->rtm_dst_len == 0 && !(info->rtm_flags & RTM_F_CLONED);
}

/* Of ours none; that of another may name a table that is to be looked up, too. */
static bool watch_is_foreign_rule(const struct nlmsghdr *header)
{
    const struct nlattr *attr;
    NETLINK_ATTRS(attr, header, sizeof(struct fib_rule_hdr))
    {
        if (mnl_attr_get_type(attr) == FRA_PROTOCOL && mnl_attr_validate(attr, MNL_TYPE_U8) == 0)
            return mnl_attr_get_u8(attr) != POLICY_PROTOCOL;
    }
    return true;
}

static bool watch_is_of_all(const struct nlmsghdr *header)
{
    const struct nlattr *attr;
    NETLINK_ATTRS(attr, header, sizeof(struct netconfmsg))
    {
        if (mnl_attr_get_type(attr) == NETCONFA_IFINDEX && mnl_attr_validate(attr, MNL_TYPE_U32) == 0)
            return (int)mnl_attr_get_u32(attr) == NETCONFA_IFINDEX_ALL;
    }
    return false;
}

/* As a new one is not, of which all is said to have changed. */
static bool watch_is_set_down(const struct nlmsghdr *header)
{
    const struct ifinfomsg *info = mnl_nlmsg_get_payload(header);
    return header->nlmsg_type == RTM_NEWLINK && !(info->ifi_flags & IFF_UP) && info->ifi_change != UINT32_MAX &&
           info->ifi_change & IFF_UP;
}

void netlink_watch_take(struct netlink_watch *w, const struct nlmsghdr *header)
{
    size_t len = mnl_nlmsg_get_payload_len(header);
    switch (header->nlmsg_type) {
    case RTM_NEWLINK:
    case RTM_DELLINK: {
        const struct ifinfomsg *info = mnl_nlmsg_get_payload(header);
        if (len < sizeof(*info) || info->ifi_family != AF_UNSPEC) /* of a bridge's port, say */
            return;
        if (view_is_own(header, sizeof(*info), IFLA_IFNAME)) {
            w->changed |= w->sees_own && watch_is_set_down(header);
            return;
        }
        w->changed = true;
        if (header->nlmsg_type == RTM_DELLINK || !(info->ifi_flags & IFF_UP))
            watch_lose(w, &(struct watch_loss){.index = (unsigned)info->ifi_index});
        return;
    }
    case RTM_NEWADDR:
    case RTM_DELADDR:
        if (len < sizeof(struct ifaddrmsg) || view_is_own(header, sizeof(struct ifaddrmsg), IFA_LABEL))
            return;
        w->changed = true;
        if (header->nlmsg_type == RTM_DELADDR)
            watch_take_address_loss(w, header);
        return;
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
        if (len >= sizeof(struct rtmsg) && watch_route_matters(header))
            w->changed = true;
        return;
    case RTM_NEWNETCONF:
        if (watch_is_of_all(header)) /* somebody has made a router of this host, or no longer */
            w->changed = true;
        return;
    case RTM_NEWRULE:
        if (len >= sizeof(struct fib_rule_hdr) && watch_is_foreign_rule(header))
            w->changed = true;
        return;
    case RTM_DELRULE: /* whose ever: a foreign one costs a look */
        w->changed = true;
        return;
    default:
        return;
    }
}

static int watch_each(const struct nlmsghdr *header, void *user)
{
    netlink_watch_take(user, header);
    return MNL_CB_OK;
}

bool netlink_watch_read(struct netlink_watch *w)
{
    unsigned lost = netlink_news_read(w->socket, watch_each, w);
    w->changed |= lost > 0;
    w->overruns += lost;
    return w->changed;
}

void netlink_watch_forget(struct netlink_watch *w)
{
    w->changed = false;
    w->loss_count = 0;
}

bool netlink_watch_lost(const struct netlink_watch *w, unsigned index, const struct hawser_addr *addr)
{
    for (size_t i = 0; i < w->loss_count; i++) {
        const struct watch_loss *loss = &w->losses[i];
        if (loss->index == index && (!loss->has_addr || hawser_addr_same_ip(&loss->addr, addr)))
            return true;
    }
    return false;
}
