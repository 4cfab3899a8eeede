/* What the kernel says of this host: its links, their global addresses, its default routes, and who goes before those.
 */
#ifndef HW_APPS_SERVICE_HOST_VIEW_H
#define HW_APPS_SERVICE_HOST_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hawser/addr.h>

#include "service/netlink.h"

enum {
    VIEW_LINKS = 1024,
    VIEW_ADDRESSES = 1024,
    VIEW_ROUTES = 128,
    VIEW_PREFIXES = 256,
    VIEW_TABLES = 16,
    VIEW_NAME_SIZE = 16, /* the kernel's IFNAMSIZ, with the NUL */
};

/* Whether the link that a message is of is one of many that the service itself makes, "hawser-N" or "hawser+N" for each
 * program that it lets in: they are not looked at. `size`: of the message's header; `type`: of the attribute with a
 * name, IFLA_IFNAME or IFA_LABEL. */
bool view_is_own(const struct nlmsghdr *header, size_t size, uint16_t type);

struct view_link {
    unsigned index;
    uint32_t mtu, mtu_v6; /* what routers have told of IPv6 may be less; 0: it has no IPv6 */
    char name[VIEW_NAME_SIZE];
    bool up, carrier, loopback;
};

/* Usable ones only: of global scope, not tentative. */
struct view_address {
    unsigned index; /* of its link */
    struct hawser_addr addr, prefix;
    uint8_t prefix_len;
    bool temporary;
    bool deprecated; /* good for what has it already, and for nothing new (RFC 4862 5.5.4) */
};

/* A way to everywhere in the main table; one of several next hops stands for itself. */
struct view_route {
    unsigned index;
    bool v4, has_gateway;
    struct hawser_addr gateway; /* of either family, whatever the route's */
    uint32_t metric;
    int8_t preference; /* of a router of IPv6 among those of one metric (RFC 4191): 1 high, 0 medium, -1 low */
    uint32_t mtu;      /* 0: none of its own */
};

/* What addresses and routes other than the default ones cover within the networks that Hawser takes its own from. */
struct view_prefix {
    unsigned index;
    struct hawser_addr addr;
    uint8_t len;
};

/* A table that this host looks up before main for whatever has no mark: a VPN's. */
struct view_table {
    uint32_t number;
    bool v4;
    bool first; /* before Hawser's own: for what goes by Hawser, too */
    bool leads; /* it has a way to everywhere */
};

struct host_view {
    struct view_link links[VIEW_LINKS];
    struct view_address addresses[VIEW_ADDRESSES];
    struct view_route routes[VIEW_ROUTES];
    struct view_prefix prefixes[VIEW_PREFIXES];
    struct view_table tables[VIEW_TABLES];
    size_t link_count, address_count, route_count, prefix_count, table_count;
    unsigned left_out; /* did not fit */
};

/* The networks whose parts Hawser takes for the inside: 198.18.0.0/16 (RFC 2544; programs have the other half of that
 * /15) and one of fd00::/8 (RFC 4193). */
struct hawser_addr view_inside_v4(void);
struct hawser_addr view_inside_v6(void);
enum { VIEW_INSIDE_V4_LEN = 16, VIEW_INSIDE_V6_LEN = 48 };

/* True when the first `len` bits (1..32 or 1..128) of both agree; false for two families. */
bool view_prefix_match(const struct hawser_addr *a, const struct hawser_addr *b, unsigned len);

/* Asks the kernel for everything. Returns 0, or a negative errno; -EINTR when it changed meanwhile, again and again. */
int host_view_read(struct host_view *view, struct netlink *netlink);

/* Takes one RTM_NEWLINK, RTM_NEWADDR, RTM_NEWRULE or RTM_NEWROUTE in, routes of a table after the rules that lead
 * there; others, and broken ones, are passed over. */
void host_view_take(struct host_view *view, const struct nlmsghdr *header);

/* The table by which this host's traffic goes elsewhere than by main's default routes; NULL: none. */
const struct view_table *host_view_vpn(const struct host_view *view);

const struct view_link *host_view_link(const struct host_view *view, unsigned index);

#endif
