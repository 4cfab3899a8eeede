/* The routing of inside addresses: a rule and a table for each, apart from everything that others have set up. */
#ifndef HW_APPS_SERVICE_POLICY_ROUTES_H
#define HW_APPS_SERVICE_POLICY_ROUTES_H

#include <stddef.h>
#include <stdint.h>

#include "service/inside.h"
#include "service/netlink.h"
#include "service/uplink.h"

/* By these our own are known again, also by the next start after a sudden end. */
enum {
    POLICY_PROTOCOL = 72,        /* of our routes and rules (RTA_PROTOCOL; 'H') */
    POLICY_PREFERENCE = 4856,    /* of the first of our rules: before main, after those of the doors */
    POLICY_TABLE_FIRST = 485700, /* of the first slot; a number of its own for each */
    POLICY_MAIN_PREFERENCE = 32766,
    POLICY_METRIC = 100,
    POLICY_METRIC_LAST = 4000, /* of what says "unreachable" when all else has gone */
};

/*
 * Makes rules and routes such that packets from uplinks[i].inside leave by that uplink or not at all, and that packets
 * to the networks inside go to the device of that name and index; adds what is missing, deletes what is ours and not
 * needed, touches nothing else. What main knows a way to, but for its default routes, comes first: a network that is
 * near this host is reached from any address inside. With `inside` NULL: deletes all. Returns 0 or the first negative
 * errno; it did what it could.
 */
int policy_routes_apply(struct netlink *netlink, const char *device, unsigned own_index, const struct inside *inside,
                        const struct uplink *uplinks, size_t count);

#endif
