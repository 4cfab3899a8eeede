/* An uplink: one address family of an interface that leads to everywhere. And which of them a host has. */
#ifndef HW_APPS_SERVICE_UPLINK_H
#define HW_APPS_SERVICE_UPLINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hawser/addr.h>

#include "service/host_view.h"

enum {
    UPLINK_SLOTS = 16, /* interfaces at once */
    UPLINKS_MAX = 2 * UPLINK_SLOTS,
    UPLINK_OUTSIDE = 16, /* addresses of one family on an interface */
};

struct uplink {
    char name[VIEW_NAME_SIZE]; /* of the interface */
    unsigned index;
    bool v4, carrier, has_gateway;
    uint32_t metric, mtu;                       /* the least of the interface's and its default route's */
    uint32_t route_mtu;                         /* of that route, where it is less than the interface's; else 0 */
    uint8_t prefix_len;                         /* of the first address outside */
    struct hawser_addr prefix;                  /* likewise */
    struct hawser_addr gateway;                 /* of either family */
    struct hawser_addr outside[UPLINK_OUTSIDE]; /* the first is what peers are told */
    size_t outside_count;
    uint64_t until_ns;         /* its default route is missing: then it goes (uplinks.c); else 0 */
    unsigned slot;             /* 0..UPLINK_SLOTS - 1, one for both families of an interface, given by uplinks.c */
    struct hawser_addr inside; /* likewise; what the stack calls this uplink */
};

/* Why an interface is none; UPLINK_IS for one that is. */
enum uplink_verdict {
    UPLINK_IS,
    UPLINK_LOOPBACK,
    UPLINK_OWN,        /* a device of Hawser */
    UPLINK_EXCLUDED,   /* by configuration */
    UPLINK_DOWN,       /* not set up */
    UPLINK_NO_ADDRESS, /* no global one that is ready for use */
    UPLINK_NO_ROUTE,   /* addresses, but no default route */
    UPLINK_NAME,       /* holds characters that a packet filter's rule cannot */
};

/* What never is an uplink, by name: devices of one's own, others than those that are allowed, if any are, and those
 * that are excluded. The lists end with NULL and may be NULL. */
struct uplink_names {
    const char *const *own, *const *allowed, *const *excluded;
};

/* What `link` is in one address family; fills `uplink` (but slot and inside) for UPLINK_IS. */
enum uplink_verdict uplink_of_link(const struct host_view *view, const struct view_link *link, bool v4,
                                   const struct uplink_names *names, struct uplink *uplink);

/* Writes all uplinks to `out`, the lowest metric of IPv4 first, of UPLINKS_MAX at most; returns how many.
 * `*left_out`: how many there are beyond. */
size_t uplinks_of_view(const struct host_view *view, const struct uplink_names *names, struct uplink *out,
                       unsigned *left_out);

/* An interface that leads to some networks only, such as a container's bridge: what lies there is reached by it,
 * whatever uplink a connection is of. */
struct near_link {
    char name[VIEW_NAME_SIZE];
    bool v4;
    bool routes_already; /* the host forwards what comes by it for reasons of its own */
};

enum { NEAR_MAX = 64 };

/* Writes NEAR_MAX of them at most, IPv4 first; returns how many. */
size_t near_of_view(const struct host_view *view, const struct uplink_names *names, struct near_link *out);

/* One line without a full stop, such as "no default route". */
const char *uplink_verdict_text(enum uplink_verdict verdict);

/* Whether two are the same endpoint, so that connections over one go on over the other. */
bool uplink_same(const struct uplink *a, const struct uplink *b);

/* Whether the same endpoint has the same way out as well. */
bool uplink_unchanged(const struct uplink *a, const struct uplink *b);

#endif
