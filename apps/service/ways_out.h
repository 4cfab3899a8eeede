/*
 * The ways out that the service finds by itself: each uplink of this host is an address of its stack, on one device,
 * for as long as it is there. Peers are told of it as it is seen from outside.
 */
#ifndef HW_APPS_SERVICE_WAYS_OUT_H
#define HW_APPS_SERVICE_WAYS_OUT_H

#include "service/forwarding.h"
#include "service/service.h"
#include "service/uplinks.h"

#define WAYS_DEVICE "up0"

struct ways_out;

/* Takes away what a sudden end has left of uplinks that were found, for every start, which may look for none itself;
 * unless the device is there, as another service has it then. */
void ways_sweep(void);

/*
 * Makes the device, and looks after uplinks from now on, but those in `names`, whose lists are copied. That there is
 * none yet is no error. The stack is to open connections from UPLINKS_FIRST_PORT to UPLINKS_LAST_PORT, which the
 * translation keeps: others are exchanged at random, for one that the destination may remember too well. Returns 0 and
 * *out, or a negative errno and in `why` one line that says what to do.
 */
int ways_open(struct ways_out **out, struct service *service, const struct uplink_names *names, char *why,
              size_t why_size);

/* Takes back what the host was changed by. To be called when the stack has said its last word: after service_end(). */
void ways_close(struct ways_out *w);

/* The i-th uplink that there is, the lowest metric of IPv4 first; NULL past the end. Good until the loop goes on. */
const struct uplink *ways_uplink(const struct ways_out *w, size_t i);

/* A firewall is seen when uplinks change, and when somebody asks. */
void ways_look_for_firewall(struct ways_out *w);

/* The i-th line that is to be said of the uplinks as they are now; NULL past the end. Likewise. */
const char *ways_remark(const struct ways_out *w, size_t i);

/* The uplink whose address inside this is, whatever its port; NULL: none. Likewise. */
const struct uplink *ways_find(const struct ways_out *w, const struct hawser_addr *inside);

/* Allows and leaves out other interfaces from now on, and looks at once. Both lists end with NULL and are copied.
 * Returns 0, -E2BIG or -ENOMEM, with nothing changed. */
int ways_select(struct ways_out *w, const char *const *allowed, const char *const *excluded);

/* Would that interface be an uplink now, if these were allowed and excluded? Others' `own` does not matter. */
bool ways_would_use(const struct ways_out *w, const char *interface, const struct uplink_names *names);

/* Whether the host forwards what comes by it for other reasons than the uplinks. */
bool ways_forwarding_is_anyway(const struct ways_out *w, const struct forwarding *f);

/* Doors have come or gone, of which there may be something to remark. */
void ways_look_at_doors(struct ways_out *w);

/* Calls that whenever uplinks came, went or changed, until ways_close(); NULL: nobody. */
void ways_on_change(struct ways_out *w, void (*changed)(void *of), void *of);

/*
 * Connections from outside to these TCP ports of this host, at most UPLINKS_PUBLISHED, come to the stack: to the
 * address inside of the uplink that they came by, and the same port. No other ports do any more. The host's own
 * listeners there hear nothing from outside meanwhile. Returns 0, or a negative errno and `why` likewise.
 */
int ways_publish(struct ways_out *w, const uint16_t *ports, size_t count, char *why, size_t why_size);

#endif
