#include "service/policy_routes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>

enum {
    POLICY_ROUTES_EACH = 3, /* default, own network, unreachable */
    POLICY_WANTED = UPLINKS_MAX * POLICY_ROUTES_EACH + 2 /* to the inside */,
    POLICY_FOUND = 4 * POLICY_WANTED, /* of ours that are left from before */
    POLICY_OTHERS = 16,               /* tables of others that are looked up; more are not */
};

struct policy_route {
    uint32_t table, metric, mtu; /* mtu 0: none of its own */
    unsigned index;              /* 0: unreachable */
    uint8_t len;
    bool v4, has_gateway;
    struct hawser_addr to, gateway;
};

enum policy_kind {
    POLICY_NEAR,   /* whatever comes by our device: main, but for its default routes; and likewise tables of others */
    POLICY_UPLINK, /* from an address inside: that uplink's table */
    POLICY_NOBODY, /* from any other there: unreachable */
};

struct policy_rule {
    enum policy_kind kind;
    struct hawser_addr source; /* an address, or that of the network inside; of the family alone for POLICY_NEAR */
    uint32_t table;
};

/* A table that this host looks up before main, wherever a packet is from, as some VPNs have one. */
struct policy_other {
    bool v4;
    uint32_t table;
};

/* What is wanted, and what is there. */
struct policy_set {
    struct policy_other others[POLICY_OTHERS];
    size_t other_count;
    struct policy_route routes[POLICY_FOUND];
    struct policy_rule rules[POLICY_FOUND];
    size_t route_count, rule_count;
};

static bool policy_same_route(const struct policy_route *a, const struct policy_route *b)
{
    return a->table == b->table && a->metric == b->metric && a->mtu == b->mtu && a->index == b->index &&
           a->len == b->len && a->v4 == b->v4 && a->has_gateway == b->has_gateway &&
           hawser_addr_same_ip(&a->to, &b->to) && hawser_addr_same_ip(&a->gateway, &b->gateway);
}

static bool policy_has_route(const struct policy_set *set, const struct policy_route *route)
{
    for (size_t i = 0; i < set->route_count; i++) {
        if (policy_same_route(&set->routes[i], route))
            return true;
    }
    return false;
}

static bool policy_has_rule(const struct policy_set *set, const struct policy_rule *rule)
{
    for (size_t i = 0; i < set->rule_count; i++) {
        const struct policy_rule *has = &set->rules[i];
        if (has->kind == rule->kind && has->table == rule->table && hawser_addr_same_ip(&has->source, &rule->source))
            return true;
    }
    return false;
}

static void policy_note_route(struct policy_set *set, const struct policy_route *route)
{
    if (set->route_count < POLICY_FOUND)
        set->routes[set->route_count++] = *route;
}

static struct hawser_addr policy_anywhere(bool v4)
{
    struct hawser_addr addr = {.port = 0};
    if (v4)
        addr.ip[10] = addr.ip[11] = 0xff;
    return addr;
}

static struct hawser_addr policy_network(const struct hawser_addr *addr, unsigned len)
{
    struct hawser_addr net = *addr;
    for (unsigned bit = (hawser_addr_is_v4(addr) ? 96 : 0) + len; bit < 128; bit++)
        net.ip[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
    return net;
}

static void policy_want(struct policy_set *set, const struct uplink *uplink)
{
    bool v4 = uplink->v4;
    struct hawser_addr none = policy_anywhere(v4);
    uint32_t table = POLICY_TABLE_FIRST + uplink->slot;
    policy_note_route(set, &(struct policy_route){.table = table, .metric = POLICY_METRIC_LAST, .v4 = v4, .to = none});
    struct policy_route to_all = {
        .table = table, .metric = POLICY_METRIC, .index = uplink->index, .v4 = v4, .to = none};
    to_all.mtu = uplink->route_mtu;
    to_all.has_gateway = uplink->has_gateway;
    if (uplink->has_gateway)
        to_all.gateway = uplink->gateway;
    policy_note_route(set, &to_all);
    if (uplink->prefix_len < (v4 ? 32 : 128) && uplink->has_gateway) {
        struct policy_route near = to_all;
        near.mtu = 0;
        near.has_gateway = false;
        memset(&near.gateway, 0, sizeof(near.gateway));
        near.to = policy_network(&uplink->prefix, uplink->prefix_len);
        near.len = uplink->prefix_len;
        policy_note_route(set, &near);
    }
    set->rules[set->rule_count++] = (struct policy_rule){POLICY_UPLINK, uplink->inside, table};
}

/* In the family of an uplink only: the host may have no other. */
static void policy_want_inside(struct policy_set *set, const struct policy_set *found, unsigned own_index,
                               const struct inside *inside, bool v4)
{
    struct policy_route route = {.table = RT_TABLE_MAIN, .metric = POLICY_METRIC, .index = own_index, .v4 = v4};
    route.to = v4 ? inside->v4 : inside->v6;
    route.len = v4 ? INSIDE_V4_LEN : INSIDE_V6_LEN;
    if (!policy_has_route(set, &route))
        policy_note_route(set, &route);
    const struct policy_rule near = {POLICY_NEAR, policy_anywhere(v4), RT_TABLE_MAIN};
    const struct policy_rule nobody = {POLICY_NOBODY, route.to, RT_TABLE_UNSPEC};
    if (policy_has_rule(set, &near))
        return;
    for (size_t i = 0; i < found->other_count; i++)
        if (found->others[i].v4 == v4)
            set->rules[set->rule_count++] = (struct policy_rule){POLICY_NEAR, near.source, found->others[i].table};
    set->rules[set->rule_count++] = near;
    set->rules[set->rule_count++] = nobody;
}

static int policy_take_route(const struct nlmsghdr *header, void *user)
{
    const struct rtmsg *info = mnl_nlmsg_get_payload(header);
    struct policy_route route = {.v4 = info->rtm_family == AF_INET, .len = info->rtm_dst_len, .table = info->rtm_table};
    if (mnl_nlmsg_get_payload_len(header) < sizeof(*info) || info->rtm_protocol != POLICY_PROTOCOL)
        return MNL_CB_OK;
    route.to = policy_anywhere(route.v4);
    const struct nlattr *attr;
    NETLINK_ATTRS(attr, header, sizeof(*info))
    {
        unsigned type = mnl_attr_get_type(attr);
        if (type == RTA_DST)
            netlink_get_addr(attr, &route.to);
        else if (type == RTA_GATEWAY)
            route.has_gateway = netlink_get_addr(attr, &route.gateway);
        else if (type == RTA_VIA && mnl_attr_get_payload_len(attr) == sizeof(struct rtvia) + 16) {
            memcpy(route.gateway.ip, (const uint8_t *)mnl_attr_get_payload(attr) + sizeof(struct rtvia), 16);
            route.has_gateway = true;
        } else if (type == RTA_METRICS)
            route.mtu = netlink_get_mtu(attr);
        else if (type == RTA_TABLE)
            route.table = mnl_attr_get_u32(attr);
        else if (type == RTA_OIF && info->rtm_type == RTN_UNICAST) /* IPv6 says "lo" of what is unreachable */
            route.index = mnl_attr_get_u32(attr);
        else if (type == RTA_PRIORITY)
            route.metric = mnl_attr_get_u32(attr);
    }
    policy_note_route(user, &route);
    return MNL_CB_OK;
}

static void policy_take_other(struct policy_set *set, const struct nlmsghdr *header, uint32_t table)
{
    const struct fib_rule_hdr *info = mnl_nlmsg_get_payload(header);
    const struct nlattr *attr;
    bool any = info->action == FR_ACT_TO_TBL && !info->src_len && !info->dst_len && !info->tos &&
               !(info->flags & FIB_RULE_INVERT);
    NETLINK_ATTRS(attr, header, sizeof(*info))
    {
        unsigned type = mnl_attr_get_type(attr); /* another one is a condition */
        any &= type == FRA_TABLE || type == FRA_PRIORITY || type == FRA_PROTOCOL || type == FRA_SUPPRESS_PREFIXLEN;
    }
    if (any && netlink_is_special(table) && set->other_count < POLICY_OTHERS)
        set->others[set->other_count++] = (struct policy_other){info->family == AF_INET, table};
}

static int policy_take_rule(const struct nlmsghdr *header, void *user)
{
    struct policy_set *set = user;
    const struct fib_rule_hdr *info = mnl_nlmsg_get_payload(header);
    struct policy_rule rule = {.source = policy_anywhere(info->family == AF_INET), .table = info->table};
    uint32_t preference = 0;
    uint8_t protocol = 0;
    const struct nlattr *attr;
    NETLINK_ATTRS(attr, header, sizeof(*info))
    {
        unsigned type = mnl_attr_get_type(attr);
        if (type == FRA_SRC)
            netlink_get_addr(attr, &rule.source);
        else if (type == FRA_TABLE)
            rule.table = mnl_attr_get_u32(attr);
        else if (type == FRA_PRIORITY)
            preference = mnl_attr_get_u32(attr);
        else if (type == FRA_PROTOCOL)
            protocol = mnl_attr_get_u8(attr);
    }
    if (protocol != POLICY_PROTOCOL && preference < POLICY_MAIN_PREFERENCE)
        policy_take_other(set, header, rule.table);
    rule.kind = (enum policy_kind)(preference - POLICY_PREFERENCE);
    if (preference >= POLICY_PREFERENCE && rule.kind <= POLICY_NOBODY && protocol == POLICY_PROTOCOL &&
        set->rule_count < POLICY_FOUND)
        set->rules[set->rule_count++] = rule;
    return MNL_CB_OK;
}

static int policy_find(struct netlink *netlink, struct policy_set *found)
{
    static const uint8_t families[] = {AF_INET, AF_INET6};
    int error = 0;
    for (size_t i = 0; i < 2 && !error; i++) {
        struct netlink_message m;
        struct nlmsghdr *header = netlink_start(&m, RTM_GETROUTE, NLM_F_DUMP);
        struct rtmsg *route = mnl_nlmsg_put_extra_header(header, sizeof(*route));
        route->rtm_family = families[i];
        route->rtm_protocol = POLICY_PROTOCOL;
        error = netlink_request(netlink, &m, policy_take_route, found);
        if (error == -ENOENT)
            error = 0;
        if (error)
            break;
        header = netlink_start(&m, RTM_GETRULE, NLM_F_DUMP);
        struct fib_rule_hdr *rule = mnl_nlmsg_put_extra_header(header, sizeof(*rule));
        rule->family = families[i];
        error = netlink_request(netlink, &m, policy_take_rule, found);
        if (error == -EAFNOSUPPORT || error == -EOPNOTSUPP) /* a kernel without IPv6 */
            error = 0;
    }
    return error;
}

static int policy_change_route(struct netlink *netlink, const struct policy_route *r, bool add)
{
    struct netlink_message m;
    struct nlmsghdr *header = netlink_start(&m, add ? RTM_NEWROUTE : RTM_DELROUTE, add ? NLM_F_CREATE | NLM_F_EXCL : 0);
    struct rtmsg *route = mnl_nlmsg_put_extra_header(header, sizeof(*route));
    route->rtm_family = r->v4 ? AF_INET : AF_INET6;
    route->rtm_dst_len = r->len;
    route->rtm_table = RT_TABLE_UNSPEC;
    route->rtm_protocol = POLICY_PROTOCOL;
    route->rtm_scope = r->v4 && r->index && !r->has_gateway ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
    route->rtm_type = r->index ? RTN_UNICAST : RTN_UNREACHABLE;
    mnl_attr_put_u32(header, RTA_TABLE, r->table);
    mnl_attr_put_u32(header, RTA_PRIORITY, r->metric);
    if (r->len)
        netlink_put_addr(header, RTA_DST, &r->to);
    if (r->index)
        mnl_attr_put_u32(header, RTA_OIF, r->index);
    if (r->has_gateway && hawser_addr_is_v4(&r->gateway) == r->v4) {
        netlink_put_addr(header, RTA_GATEWAY, &r->gateway);
    } else if (r->has_gateway) {
        uint8_t via[sizeof(struct rtvia) + 16] = {AF_INET6}; /* the family is of two bytes, in the host's order */
        memcpy(via, &(uint16_t){AF_INET6}, 2);
        memcpy(via + sizeof(struct rtvia), r->gateway.ip, 16);
        mnl_attr_put(header, RTA_VIA, sizeof(via), via);
    }
    if (r->mtu)
        netlink_put_mtu(header, r->mtu);
    if (r->has_gateway)
        route->rtm_flags = RTNH_F_ONLINK; /* the table knows of no network that the gateway lies in */
    return netlink_request(netlink, &m, NULL, NULL);
}

static int policy_change_rule(struct netlink *netlink, const char *device, const struct policy_rule *r, bool add)
{
    struct netlink_message m;
    struct nlmsghdr *header = netlink_start(&m, add ? RTM_NEWRULE : RTM_DELRULE, add ? NLM_F_CREATE | NLM_F_EXCL : 0);
    struct fib_rule_hdr *rule = mnl_nlmsg_put_extra_header(header, sizeof(*rule));
    rule->family = netlink_family(&r->source);
    rule->action = r->kind == POLICY_NOBODY ? FR_ACT_UNREACHABLE : FR_ACT_TO_TBL;
    if (r->kind != POLICY_NOBODY)
        mnl_attr_put_u32(header, FRA_TABLE, r->table);
    mnl_attr_put_u32(header, FRA_PRIORITY, POLICY_PREFERENCE + r->kind);
    mnl_attr_put_u8(header, FRA_PROTOCOL, POLICY_PROTOCOL);
    if (r->kind == POLICY_NEAR) {
        mnl_attr_put_strz(header, FRA_IIFNAME, device);
        mnl_attr_put_u32(header, FRA_SUPPRESS_PREFIXLEN, 0);
    } else {
        bool v4 = hawser_addr_is_v4(&r->source), one = r->kind == POLICY_UPLINK;
        rule->src_len = one ? (v4 ? 32 : 128) : v4 ? INSIDE_V4_LEN : INSIDE_V6_LEN;
        netlink_put_addr(header, FRA_SRC, &r->source);
    }
    return netlink_request(netlink, &m, NULL, NULL);
}

static void policy_keep(int *first, int error)
{
    /* The interface went meanwhile, or came back: the next look settles it. */
    bool expected = error == -ENODEV || error == -ENETDOWN || error == -ESRCH || error == -ENOENT || error == -EEXIST;
    if (!*first && error && !expected)
        *first = error;
}

/* Rules go first and come last: a source never looks up a table that is not complete. */
static int policy_settle(struct netlink *netlink, const char *device, const struct policy_set *wanted,
                         const struct policy_set *found)
{
    int error = 0;
    for (size_t i = 0; i < found->rule_count; i++) {
        if (!policy_has_rule(wanted, &found->rules[i]))
            policy_keep(&error, policy_change_rule(netlink, device, &found->rules[i], false));
    }
    for (size_t i = 0; i < found->route_count; i++) {
        if (!policy_has_route(wanted, &found->routes[i]))
            policy_keep(&error, policy_change_route(netlink, &found->routes[i], false));
    }
    for (size_t i = 0; i < wanted->route_count; i++) {
        if (!policy_has_route(found, &wanted->routes[i]))
            policy_keep(&error, policy_change_route(netlink, &wanted->routes[i], true));
    }
    for (size_t i = 0; i < wanted->rule_count; i++) {
        if (!policy_has_rule(found, &wanted->rules[i]))
            policy_keep(&error, policy_change_rule(netlink, device, &wanted->rules[i], true));
    }
    return error;
}

int policy_routes_apply(struct netlink *netlink, const char *device, unsigned own_index, const struct inside *inside,
                        const struct uplink *uplinks, size_t count)
{
    struct policy_set *sets = calloc(2, sizeof(*sets));
    if (!sets)
        return -ENOMEM;
    int error = policy_find(netlink, &sets[1]);
    for (size_t i = 0; inside && i < count && i < UPLINKS_MAX; i++) {
        policy_want_inside(&sets[0], &sets[1], own_index, inside, uplinks[i].v4);
        policy_want(&sets[0], &uplinks[i]);
    }
    if (!error)
        error = policy_settle(netlink, device, &sets[0], &sets[1]);
    free(sets);
    return error;
}
