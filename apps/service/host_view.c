#include "service/host_view.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/fib_rules.h>
#include <linux/icmpv6.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/ipv6.h>
#include <linux/rtnetlink.h>

#include "service/policy_routes.h"

enum { VIEW_TRIES = 5 };

/* Shorter prefixes (0.0.0.0/1 of a tunnel) are ways to everywhere in disguise: nobody's own network. */
enum { VIEW_SHORTEST_V4 = 8, VIEW_SHORTEST_V6 = 16 };

struct hawser_addr view_inside_v4(void)
{
    return (struct hawser_addr){.ip = {[10] = 0xff, [11] = 0xff, [12] = 198, [13] = 18}};
}

struct hawser_addr view_inside_v6(void) { return (struct hawser_addr){.ip = {0xfd, 0x48, 0x61, 0x77, 0x73, 0x72}}; }

bool view_prefix_match(const struct hawser_addr *a, const struct hawser_addr *b, unsigned len)
{
    if (hawser_addr_is_v4(a) != hawser_addr_is_v4(b))
        return false;
    unsigned bits = (hawser_addr_is_v4(a) ? 96 : 0) + len;
    if (memcmp(a->ip, b->ip, bits / 8) != 0)
        return false;
    return bits % 8 == 0 || ((a->ip[bits / 8] ^ b->ip[bits / 8]) >> (8 - bits % 8)) == 0;
}

static void view_note_prefix(struct host_view *view, unsigned index, const struct hawser_addr *addr, unsigned len)
{
    bool v4 = hawser_addr_is_v4(addr);
    struct hawser_addr inside = v4 ? view_inside_v4() : view_inside_v6();
    unsigned inside_len = v4 ? VIEW_INSIDE_V4_LEN : VIEW_INSIDE_V6_LEN;
    if (len < (v4 ? VIEW_SHORTEST_V4 : VIEW_SHORTEST_V6) ||
        !view_prefix_match(addr, &inside, len < inside_len ? len : inside_len))
        return;
    if (view->prefix_count == VIEW_PREFIXES)
        view->left_out++;
    else
        view->prefixes[view->prefix_count++] = (struct view_prefix){.index = index, .addr = *addr, .len = (uint8_t)len};
}

bool view_is_own(const struct nlmsghdr *header, size_t size, uint16_t type)
{
    static const char prefix[] = "hawser";
    const struct nlattr *attr;
    NETLINK_ATTRS(attr, header, size)
    {
        if (mnl_attr_get_type(attr) != type || mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) < 0)
            continue;
        const char *name = mnl_attr_get_str(attr), *end = name + sizeof(prefix) - 1;
        return strncmp(name, prefix, sizeof(prefix) - 1) == 0 && (*end == '-' || *end == '+');
    }
    return false;
}

static uint32_t view_get_mtu_v6(const struct nlattr *families)
{
    const struct nlattr *family, *attr;
    int32_t settings[DEVCONF_MTU6 + 1];
    NETLINK_EACH(family, mnl_attr_get_payload(families), mnl_attr_get_payload_len(families))
    {
        if (mnl_attr_get_type(family) != AF_INET6)
            continue;
        NETLINK_EACH(attr, mnl_attr_get_payload(family), mnl_attr_get_payload_len(family))
        {
            if (mnl_attr_get_type(attr) != IFLA_INET6_CONF || mnl_attr_get_payload_len(attr) < sizeof(settings))
                continue;
            memcpy(settings, mnl_attr_get_payload(attr), sizeof(settings));
            return (uint32_t)settings[DEVCONF_MTU6];
        }
    }
    return 0;
}

static void view_take_link(struct host_view *view, const struct nlmsghdr *header)
{
    const struct ifinfomsg *info = mnl_nlmsg_get_payload(header);
    struct view_link link = {.index = (unsigned)info->ifi_index,
                             .up = info->ifi_flags & IFF_UP,
                             .carrier = info->ifi_flags & IFF_LOWER_UP,
                             .loopback = info->ifi_flags & IFF_LOOPBACK};
    const struct nlattr *attr;
    NETLINK_ATTRS(attr, header, sizeof(*info))
    {
        if (mnl_attr_get_type(attr) == IFLA_MTU && mnl_attr_validate(attr, MNL_TYPE_U32) == 0)
            link.mtu = mnl_attr_get_u32(attr);
        else if (mnl_attr_get_type(attr) == IFLA_IFNAME && mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) == 0)
            strncpy(link.name, mnl_attr_get_str(attr), sizeof(link.name) - 1);
        else if (mnl_attr_get_type(attr) == IFLA_AF_SPEC)
            link.mtu_v6 = view_get_mtu_v6(attr);
    }
    if (!link.name[0])
        return;
    if (view->link_count == VIEW_LINKS)
        view->left_out++;
    else
        view->links[view->link_count++] = link;
}

static void view_take_address(struct host_view *view, const struct nlmsghdr *header)
{
    const struct ifaddrmsg *info = mnl_nlmsg_get_payload(header);
    struct view_address address = {.index = info->ifa_index, .prefix_len = info->ifa_prefixlen};
    uint32_t flags = info->ifa_flags;
    bool has_local = false, has_prefix = false;
    const struct nlattr *attr;
    NETLINK_ATTRS(attr, header, sizeof(*info))
    {
        if (mnl_attr_get_type(attr) == IFA_LOCAL)
            has_local = netlink_get_addr(attr, &address.addr);
        else if (mnl_attr_get_type(attr) == IFA_ADDRESS)
            has_prefix = netlink_get_addr(attr, &address.prefix);
        else if (mnl_attr_get_type(attr) == IFA_FLAGS && mnl_attr_validate(attr, MNL_TYPE_U32) == 0)
            flags = mnl_attr_get_u32(attr);
    }
    if (!has_prefix)
        address.prefix = address.addr;
    if (!has_local) /* IPv6 has no other end */
        address.addr = address.prefix;
    if ((!has_local && !has_prefix) || address.prefix_len > (hawser_addr_is_v4(&address.addr) ? 32 : 128))
        return;
    view_note_prefix(view, address.index, &address.prefix, address.prefix_len);
    if (info->ifa_scope != RT_SCOPE_UNIVERSE || flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED))
        return;
    /* On an IPv4 address the same bit says that it is a secondary one. */
    address.temporary = flags & IFA_F_TEMPORARY && !hawser_addr_is_v4(&address.addr);
    address.deprecated = flags & IFA_F_DEPRECATED;
    if (view->address_count == VIEW_ADDRESSES)
        view->left_out++;
    else
        view->addresses[view->address_count++] = address;
}

/* The next hop in `attr`, RTA_GATEWAY or RTA_VIA; false when it is none. */
static bool view_get_gateway(const struct nlattr *attr, struct hawser_addr *gateway)
{
    if (mnl_attr_get_type(attr) == RTA_GATEWAY)
        return netlink_get_addr(attr, gateway);
    const struct rtvia *via = mnl_attr_get_payload(attr);
    if (mnl_attr_get_type(attr) != RTA_VIA || mnl_attr_get_payload_len(attr) != sizeof(*via) + 16 ||
        via->rtvia_family != AF_INET6)
        return false;
    memset(gateway, 0, sizeof(*gateway));
    memcpy(gateway->ip, via->rtvia_addr, 16);
    return true;
}

static void view_add_route(struct host_view *view, const struct view_route *route)
{
    if (!route->index)
        return;
    if (view->route_count == VIEW_ROUTES)
        view->left_out++;
    else
        view->routes[view->route_count++] = *route;
}

static void view_take_hops(struct host_view *view, const struct nlattr *hops, const struct view_route *common)
{
    const struct rtnexthop *hop = mnl_attr_get_payload(hops);
    size_t left = mnl_attr_get_payload_len(hops);
    while (left >= sizeof(*hop) && hop->rtnh_len >= sizeof(*hop) && hop->rtnh_len <= left) {
        struct view_route route = *common;
        route.index = (unsigned)hop->rtnh_ifindex;
        const struct nlattr *attr;
        NETLINK_EACH(attr, (const void *)(hop + 1), hop->rtnh_len - sizeof(*hop))
        {
            if (view_get_gateway(attr, &route.gateway))
                route.has_gateway = true;
        }
        view_add_route(view, &route);
        size_t step = RTNH_ALIGN((size_t)hop->rtnh_len);
        if (step >= left)
            return;
        left -= step;
        hop = (const void *)((const uint8_t *)hop + step);
    }
}

static struct view_table *view_find_table(struct host_view *view, uint32_t number, bool v4)
{
    for (size_t i = 0; i < view->table_count; i++) {
        if (view->tables[i].number == number && view->tables[i].v4 == v4)
            return &view->tables[i];
    }
    return NULL;
}

static void view_take_rule(struct host_view *view, const struct nlmsghdr *header)
{
    const struct fib_rule_hdr *info = mnl_nlmsg_get_payload(header);
    const bool v4 = info->family == AF_INET, inverted = info->flags & FIB_RULE_INVERT;
    uint32_t preference = 0, table = info->table, mark = 0;
    bool own = false, any = info->action == FR_ACT_TO_TBL && !info->src_len && !info->dst_len && !info->tos;
    const struct nlattr *attr;
    NETLINK_ATTRS(attr, header, sizeof(*info))
    {
        unsigned type = mnl_attr_get_type(attr);
        if (type == FRA_PROTOCOL) {
            own = mnl_attr_validate(attr, MNL_TYPE_U8) == 0 && mnl_attr_get_u8(attr) == POLICY_PROTOCOL;
            continue;
        }
        const uint32_t value = mnl_attr_validate(attr, MNL_TYPE_U32) == 0 ? mnl_attr_get_u32(attr) : 0;
        if (type == FRA_PRIORITY)
            preference = value;
        else if (type == FRA_TABLE)
            table = value;
        else if (type == FRA_FWMARK)
            mark = value;
        else if (type == FRA_SUPPRESS_PREFIXLEN) /* its default routes do not count */
            any &= value == UINT32_MAX;
        else /* a condition */
            any &= type == FRA_FWMASK;
    }
    any &= inverted == (mark != 0); /* holds for what has no mark */
    if (own || !any || !netlink_is_special(table) || preference >= POLICY_MAIN_PREFERENCE ||
        (!v4 && info->family != AF_INET6) || view_find_table(view, table, v4))
        return;
    if (view->table_count == VIEW_TABLES)
        view->left_out++;
    else
        view->tables[view->table_count++] =
            (struct view_table){.number = table, .v4 = v4, .first = preference <= POLICY_PREFERENCE};
}

/* A default route of a table that is not main. */
static void view_note_lead(struct host_view *view, uint32_t number, bool v4)
{
    struct view_table *table = view_find_table(view, number, v4);
    if (table)
        table->leads = true;
}

const struct view_table *host_view_vpn(const struct host_view *view)
{
    for (size_t i = 0; i < view->table_count; i++) {
        if (view->tables[i].leads)
            return &view->tables[i];
    }
    return NULL;
}

static int8_t view_get_preference(const struct nlattr *attr)
{
    uint8_t preference = mnl_attr_get_u8(attr);
    return preference == ICMPV6_ROUTER_PREF_HIGH ? 1 : preference == ICMPV6_ROUTER_PREF_LOW ? -1 : 0;
}

static void view_take_route(struct host_view *view, const struct nlmsghdr *header)
{
    const struct rtmsg *info = mnl_nlmsg_get_payload(header);
    struct view_route route = {.v4 = info->rtm_family == AF_INET};
    struct hawser_addr destination;
    const struct nlattr *hops = NULL;
    uint32_t table = info->rtm_table;
    bool has_destination = false;
    const struct nlattr *attr;
    NETLINK_ATTRS(attr, header, sizeof(*info))
    {
        unsigned type = mnl_attr_get_type(attr);
        if (view_get_gateway(attr, &route.gateway))
            route.has_gateway = true;
        else if (type == RTA_DST)
            has_destination = netlink_get_addr(attr, &destination);
        else if (type == RTA_MULTIPATH)
            hops = attr;
        else if (type == RTA_METRICS)
            route.mtu = netlink_get_mtu(attr);
        else if (type == RTA_PREF && mnl_attr_validate(attr, MNL_TYPE_U8) == 0)
            route.preference = view_get_preference(attr);
        else if (mnl_attr_validate(attr, MNL_TYPE_U32) < 0)
            continue;
        else if (type == RTA_TABLE)
            table = mnl_attr_get_u32(attr);
        else if (type == RTA_OIF)
            route.index = mnl_attr_get_u32(attr);
        else if (type == RTA_PRIORITY)
            route.metric = mnl_attr_get_u32(attr);
    }
    if ((info->rtm_family != AF_INET && info->rtm_family != AF_INET6) || info->rtm_flags & RTM_F_CLONED)
        return;
    if (table == RT_TABLE_MAIN && info->rtm_dst_len && has_destination)
        view_note_prefix(view, route.index, &destination, info->rtm_dst_len);
    if (info->rtm_dst_len || info->rtm_src_len || info->rtm_tos || info->rtm_type != RTN_UNICAST)
        return;
    if (table != RT_TABLE_MAIN)
        view_note_lead(view, table, route.v4);
    else if (hops)
        view_take_hops(view, hops, &route);
    else
        view_add_route(view, &route);
}

void host_view_take(struct host_view *view, const struct nlmsghdr *header)
{
    size_t len = mnl_nlmsg_get_payload_len(header);
    if (header->nlmsg_type == RTM_NEWLINK && len >= sizeof(struct ifinfomsg)) {
        if (!view_is_own(header, sizeof(struct ifinfomsg), IFLA_IFNAME))
            view_take_link(view, header);
    } else if (header->nlmsg_type == RTM_NEWADDR && len >= sizeof(struct ifaddrmsg)) {
        if (!view_is_own(header, sizeof(struct ifaddrmsg), IFA_LABEL))
            view_take_address(view, header);
    } else if (header->nlmsg_type == RTM_NEWRULE && len >= sizeof(struct fib_rule_hdr)) {
        view_take_rule(view, header);
    } else if (header->nlmsg_type == RTM_NEWROUTE && len >= sizeof(struct rtmsg)) {
        view_take_route(view, header);
    }
}

static int view_each(const struct nlmsghdr *header, void *user)
{
    host_view_take(user, header);
    return MNL_CB_OK;
}

static int view_dump(struct host_view *view, struct netlink *netlink, uint16_t type, size_t header_size, uint8_t family)
{
    struct netlink_message m;
    struct nlmsghdr *header = netlink_start(&m, type, NLM_F_DUMP);
    uint8_t *extra = mnl_nlmsg_put_extra_header(header, header_size);
    extra[0] = family; /* stands first in all of them */
    return netlink_request(netlink, &m, view_each, view);
}

static int view_dump_routes(struct host_view *view, struct netlink *netlink, uint8_t family, uint32_t table)
{
    struct netlink_message m;
    struct nlmsghdr *header = netlink_start(&m, RTM_GETROUTE, NLM_F_DUMP);
    struct rtmsg *route = mnl_nlmsg_put_extra_header(header, sizeof(*route));
    route->rtm_family = family;
    mnl_attr_put_u32(header, RTA_TABLE, table);
    int error = netlink_request(netlink, &m, view_each, view);
    return error == -ENOENT ? 0 : error; /* a table that nobody has used is none */
}

static int view_dump_rules(struct host_view *view, struct netlink *netlink, uint8_t family)
{
    int error = view_dump(view, netlink, RTM_GETRULE, sizeof(struct fib_rule_hdr), family);
    return error == -EAFNOSUPPORT || error == -EOPNOTSUPP ? 0 : error; /* a kernel without that family, or rules */
}

static int view_read_once(struct host_view *view, struct netlink *netlink)
{
    view->link_count = view->address_count = view->route_count = view->prefix_count = view->left_out = 0;
    view->table_count = 0;
    int error = view_dump(view, netlink, RTM_GETLINK, sizeof(struct ifinfomsg), AF_UNSPEC);
    if (!error)
        error = view_dump(view, netlink, RTM_GETADDR, sizeof(struct ifaddrmsg), AF_INET);
    if (!error)
        error = view_dump(view, netlink, RTM_GETADDR, sizeof(struct ifaddrmsg), AF_INET6);
    if (!error)
        error = view_dump_routes(view, netlink, AF_INET, RT_TABLE_MAIN);
    if (!error)
        error = view_dump_routes(view, netlink, AF_INET6, RT_TABLE_MAIN);
    if (!error)
        error = view_dump_rules(view, netlink, AF_INET);
    if (!error)
        error = view_dump_rules(view, netlink, AF_INET6);
    for (size_t i = 0; i < view->table_count && !error; i++)
        error = view_dump_routes(view, netlink, view->tables[i].v4 ? AF_INET : AF_INET6, view->tables[i].number);
    return error;
}

int host_view_read(struct host_view *view, struct netlink *netlink)
{
    int error = -EINTR;
    for (int i = 0; i < VIEW_TRIES && error == -EINTR; i++)
        error = view_read_once(view, netlink);
    return error;
}

const struct view_link *host_view_link(const struct host_view *view, unsigned index)
{
    for (size_t i = 0; i < view->link_count; i++) {
        if (view->links[i].index == index)
            return &view->links[i];
    }
    return NULL;
}
