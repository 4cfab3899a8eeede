/* The way between an interface and its door: rules and a table for the TCP that comes in by it, apart from everything
 * that others have set up. */
#ifndef HW_APPS_SERVICE_DOOR_ROUTES_H
#define HW_APPS_SERVICE_DOOR_ROUTES_H

#include <stdbool.h>
#include <stdint.h>

#include "service/netlink.h"

/* By these our own are known again, also by the next start after a sudden end. */
enum {
    DOOR_PROTOCOL = 74,     /* of our routes and rules (RTA_PROTOCOL; 'J') */
    DOOR_PREFERENCE = 4840, /* of the first of our rules: before those of uplinks */
    DOOR_TABLE_FIRST = 485500,
    DOOR_MARK_FIRST = 0x48580000, /* of connections ("HX"), a number of its own for each door likewise */
    DOOR_METRIC = 100,
    DOOR_METRIC_LAST = 4000, /* of what says "unreachable" when the device has gone */
    DOOR_SLOTS = 16,
};

struct door_route {
    unsigned slot; /* 0..DOOR_SLOTS - 1, its own */
    const char *interface;
    unsigned device;   /* the index of the door's */
    bool fails_closed; /* without the device nothing gets through, not even as it did without a door */
};

/* Gives the device what the kernel wants of one by which anybody's packets come: an address for ICMP errors, which
 * nobody is ever told of, and no look at where their sources are. Returns 0 or a negative errno. */
int door_routes_device(struct netlink *netlink, unsigned device);

/* Leads TCP of that family to the device, but for what main knows a way to other than by default routes; and ICMP
 * errors about such connections, which are known by their mark. Adds what is missing. Returns 0 or a negative errno. */
int door_routes_add(struct netlink *netlink, const struct door_route *route, uint8_t family);

/* Takes that back. */
void door_routes_remove(struct netlink *netlink, const struct door_route *route, uint8_t family);

/* Takes back whatever a sudden end has left; returns whether there was anything. */
bool door_routes_sweep(struct netlink *netlink);

#endif
