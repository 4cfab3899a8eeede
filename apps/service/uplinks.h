/*
 * The host's interfaces as uplinks of the stack: found, watched, each given an address inside, routed apart and
 * translated; and all of it taken back.
 */
#ifndef HW_APPS_SERVICE_UPLINKS_H
#define HW_APPS_SERVICE_UPLINKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "service/forwarding.h"
#include "service/uplink.h"

struct uplinks;

enum { UPLINKS_FIRST_PORT = 20000, UPLINKS_LAST_PORT = 29999 };

struct uplinks_options {
    const char *device; /* of the stack; exists */
    const char *memory; /* a file that outlives a sudden end of this process; NULL: none */
    /* Of translated connections; the stack takes its own from them too. 0: UPLINKS_FIRST_PORT, UPLINKS_LAST_PORT */
    uint16_t first_port, last_port;
    struct uplink_names names; /* `device` is one's own without being named; the lists outlive the uplinks */
};

enum uplink_news {
    UPLINK_CAME,    /* its inside address may be used: everything is in place */
    UPLINK_WENT,    /* its inside address must not be: connections over it are dead */
    UPLINK_CHANGED, /* another gateway, metric, MTU, carrier; connections over it go on */
};

struct uplink_event {
    enum uplink_news news;
    struct uplink uplink;
};

/*
 * Takes away what a sudden end has left, and looks at the host. Returns 0 and *out, with an event for each uplink that
 * there is, or a negative errno with nothing changed, and in `why` one line that says what to do.
 */
int uplinks_start(struct uplinks **out, const struct uplinks_options *options, char *why, size_t why_size);

/* Takes everything back. */
void uplinks_stop(struct uplinks *u);

/* Poll this for reading, and until uplinks_deadline() at most; then call uplinks_work(). */
int uplinks_fd(const struct uplinks *u);
uint64_t uplinks_deadline(const struct uplinks *u); /* ns, of the monotonic clock; UINT64_MAX: none */

/* Looks at what has changed, a few milliseconds after the first change. Take all events before the next call. Returns
 * 0, or a negative errno and, unless the last call failed likewise, one line in `why`: it is tried again by itself, and
 * what could not be set up has not come. */
int uplinks_work(struct uplinks *u, uint64_t now_ns, char *why, size_t why_size);

/* The next uplinks_work() looks, whatever has changed: as when the lists of options.names have. */
void uplinks_look_again(struct uplinks *u);

/* Would that interface be an uplink, as the host was when it was looked at last, if others were allowed and excluded?
 */
bool uplinks_would_have(const struct uplinks *u, const char *interface, const struct uplink_names *names);

/* Whether the host forwards what comes by it for other reasons than these uplinks. */
bool uplinks_forwarding_is_anyway(const struct uplinks *u, const struct forwarding *f);

enum { UPLINKS_PUBLISHED = 64 };

/*
 * Connections from outside to these TCP ports, of any address of an uplink, are translated to its address inside, and
 * the same port; to no others any more. Returns 0; -E2BIG for more than UPLINKS_PUBLISHED, or another negative errno,
 * and one line in `why`.
 */
int uplinks_publish(struct uplinks *u, const uint16_t *ports, size_t count, char *why, size_t why_size);

/* The i-th uplink that is in place, the lowest metric of IPv4 first; NULL past the end. Good until the next call. */
const struct uplink *uplinks_at(const struct uplinks *u, size_t i);

/* One line about what could be an uplink and is left aside, for want of room or of the kernel's support; NULL: nothing.
 */
const char *uplinks_left_aside(const struct uplinks *u);

/* Whether a firewall is in the way now; its chains, in quotes. */
bool uplinks_hindered(const struct uplinks *u, char *chains, size_t size);

/* An address of that interface in whose network an uplink is, too, and which; NULL: none. Good until the next call. */
const struct view_address *uplinks_overlap(const struct uplinks *u, const char *interface, const char **uplink);

/* The table of a VPN that takes this host's traffic; NULL: none. Good until the next call. */
const struct view_table *uplinks_vpn(const struct uplinks *u);

/* Takes the next event; false when there is none. */
bool uplinks_next(struct uplinks *u, struct uplink_event *event);

#endif
