#include "service/door_routes.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <linux/fib_rules.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/rtnetlink.h>

#include "service/door_filter.h"

/* The rules of a door. */
enum door_rule_kind {
    DOOR_RULE_NEAR, /* main, but for its default routes */
    DOOR_RULE_TCP,  /* the door */
    DOOR_RULE_ICMP, /* likewise, by the mark */
    DOOR_RULE_KINDS,
};

enum { DOOR_LEFT_MAX = 2 * DOOR_SLOTS }; /* of a kind, that may be left */

int door_routes_device(struct netlink *n, unsigned device)
{
    struct netlink_message m;
    struct nlmsghdr *header = netlink_start(&m, RTM_NEWLINK, 0);
    struct ifinfomsg *info = mnl_nlmsg_put_extra_header(header, sizeof(*info));
    info->ifi_index = (int)device;
    struct nlattr *families = mnl_attr_nest_start(header, IFLA_AF_SPEC);
    struct nlattr *inet = mnl_attr_nest_start(header, AF_INET);
    struct nlattr *conf = mnl_attr_nest_start(header, IFLA_INET_CONF);
    mnl_attr_put_u32(header, IPV4_DEVCONF_RP_FILTER, 2);
    mnl_attr_nest_end(header, conf);
    mnl_attr_nest_end(header, inet);
    mnl_attr_nest_end(header, families);
    int error = netlink_request(n, &m, NULL, NULL);
    return error ? error : netlink_give_dummy(n, device);
}

/* A default route: by the device, or with index 0 one that says "unreachable". */
static int change_route(struct netlink *n, uint8_t family, unsigned slot, unsigned device, bool add)
{
    struct netlink_message m;
    struct nlmsghdr *header = netlink_start(&m, add ? RTM_NEWROUTE : RTM_DELROUTE, add ? NLM_F_CREATE | NLM_F_EXCL : 0);
    struct rtmsg *route = mnl_nlmsg_put_extra_header(header, sizeof(*route));
    route->rtm_family = family;
    route->rtm_table = RT_TABLE_UNSPEC;
    route->rtm_protocol = DOOR_PROTOCOL;
    route->rtm_scope = device && family == AF_INET ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
    route->rtm_type = device ? RTN_UNICAST : RTN_UNREACHABLE;
    mnl_attr_put_u32(header, RTA_TABLE, DOOR_TABLE_FIRST + slot);
    mnl_attr_put_u32(header, RTA_PRIORITY, device ? DOOR_METRIC : DOOR_METRIC_LAST);
    if (device)
        mnl_attr_put_u32(header, RTA_OIF, device);
    int error = netlink_request(n, &m, NULL, NULL);
    return error == -EEXIST ? 0 : error;
}

static struct nlmsghdr *start_rule(struct netlink_message *m, uint8_t family, enum door_rule_kind kind, bool add)
{
    struct nlmsghdr *header = netlink_start(m, add ? RTM_NEWRULE : RTM_DELRULE, add ? NLM_F_CREATE | NLM_F_EXCL : 0);
    struct fib_rule_hdr *rule = mnl_nlmsg_put_extra_header(header, sizeof(*rule));
    rule->family = family;
    rule->action = FR_ACT_TO_TBL;
    mnl_attr_put_u32(header, FRA_PRIORITY, DOOR_PREFERENCE + kind);
    mnl_attr_put_u8(header, FRA_PROTOCOL, DOOR_PROTOCOL);
    return header;
}

static int change_rule(struct netlink *n, uint8_t family, const struct door_route *r, enum door_rule_kind kind,
                       bool add)
{
    struct netlink_message m;
    struct nlmsghdr *header = start_rule(&m, family, kind, add);
    mnl_attr_put_u32(header, FRA_TABLE, kind == DOOR_RULE_NEAR ? RT_TABLE_MAIN : DOOR_TABLE_FIRST + r->slot);
    if (kind == DOOR_RULE_ICMP) {
        mnl_attr_put_u32(header, FRA_FWMARK, DOOR_MARK_FIRST + r->slot);
        mnl_attr_put_u8(header, FRA_IP_PROTO, family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6);
    } else {
        mnl_attr_put_strz(header, FRA_IIFNAME, r->interface);
        mnl_attr_put_u8(header, FRA_IP_PROTO, IPPROTO_TCP);
        mnl_attr_put_u32(header, FRA_FWMARK, 0); /* without the bit: with it the host's own rules decide */
        mnl_attr_put_u32(header, FRA_FWMASK, DOOR_MARK_NOT_OURS);
    }
    if (kind == DOOR_RULE_NEAR)
        mnl_attr_put_u32(header, FRA_SUPPRESS_PREFIXLEN, 0);
    int error = netlink_request(n, &m, NULL, NULL);
    return error == -EEXIST ? 0 : error;
}

/* Rules come last and go first: nobody looks up a table that is not complete. */
int door_routes_add(struct netlink *n, const struct door_route *r, uint8_t family)
{
    int error = r->fails_closed ? change_route(n, family, r->slot, 0, true) : 0;
    if (!error)
        error = change_route(n, family, r->slot, r->device, true);
    for (int kind = 0; kind < DOOR_RULE_KINDS && !error; kind++)
        error = change_rule(n, family, r, kind, true);
    return error;
}

void door_routes_remove(struct netlink *n, const struct door_route *r, uint8_t family)
{
    for (int kind = DOOR_RULE_KINDS - 1; kind >= 0; kind--)
        change_rule(n, family, r, kind, false);
    change_route(n, family, r->slot, r->device, false);
    change_route(n, family, r->slot, 0, false);
}

bool door_routes_sweep(struct netlink *n)
{
    static const uint8_t families[] = {AF_INET, AF_INET6};
    bool found = false;
    for (size_t i = 0; i < sizeof(families); i++) {
        for (int kind = DOOR_RULE_KINDS - 1; kind >= 0; kind--) {
            struct netlink_message m;
            for (int left = DOOR_LEFT_MAX; left; left--) {
                start_rule(&m, families[i], kind, false);
                if (netlink_request(n, &m, NULL, NULL) != 0)
                    break;
                found = true;
            }
        }
        for (unsigned slot = 0; slot < DOOR_SLOTS && found; slot++)
            change_route(n, families[i], slot, 0, false);
    }
    return found;
}
