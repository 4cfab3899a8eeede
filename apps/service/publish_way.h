/* The way between the stack and published servers: what comes from the device goes to the server untranslated, and what
 * the server answers goes back to the device, whatever else leads to the client. */
#ifndef HW_APPS_SERVICE_PUBLISH_WAY_H
#define HW_APPS_SERVICE_PUBLISH_WAY_H

#include <systemd/sd-event.h>

#include "service/netlink.h"

struct publish_way;

/* By these our own are known again, also by the next start after a sudden end. */
enum {
    PUBLISH_MARK = 0x4857,   /* of packets and connections ("HW") */
    PUBLISH_PROTOCOL = 73,   /* of our routes and rules (RTA_PROTOCOL; 'I') */
    PUBLISH_PREFERENCE = 48, /* of the first of our rules: before the host's own, which may go by source */
    PUBLISH_TABLE = 485600,
};

#define PUBLISH_NFT_TABLE "hawser_publish"

/*
 * `device` exists and is up; `memory` is a file that holds what is changed in /proc/sys/net, for the next start after a
 * sudden end. Puts back from then on, from `loop`, what others take away. Returns 0 and *out, or a negative errno and
 * in `why` one line that says what to do.
 */
int publish_way_open(struct publish_way **out, sd_event *loop, const char *device, const char *memory, char *why,
                     size_t why_size);

/* Takes everything back. NULL is nothing. */
void publish_way_close(struct publish_way *way);

/* Takes away the rules that a sudden end has left; routes have gone with the device. */
void publish_way_sweep(struct netlink *netlink, const char *device);

#endif
