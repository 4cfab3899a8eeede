/*
 * The uplinks that the service is told by name: devices whose addresses are its own; what leads on from there is set up
 * by others.
 */
#ifndef HW_APPS_SERVICE_NAMED_UPLINKS_H
#define HW_APPS_SERVICE_NAMED_UPLINKS_H

#include "service/service.h"

enum { NAMED_UPLINKS_MAX = 16 };

struct named_uplinks;

/* Checks what named_uplinks_set() is to be given: each as hawser_host_add_link() reads it, and nothing twice. Returns
 * 0, or -EINVAL or -E2BIG and one line in `why`. */
int named_uplinks_check(const char *const *specs, unsigned count, char *why, size_t why_size);

/* Is there one with this device among those, which were checked? */
bool named_uplinks_have(const char *const *specs, unsigned count, const char *device);

/* Returns 0 and *out, of no uplink yet, or -ENOMEM. */
int named_uplinks_new(struct named_uplinks **out, struct service *service);

/*
 * Has these and no others from now on, the first in order first. One that is as before goes on; one with other
 * addresses keeps those that it had, and what else goes on there; what differs otherwise, or was deleted by somebody,
 * is made anew. Connections over what goes are as when an interface vanishes. Returns 0; or what named_uplinks_check()
 * or hawser_host_add_link() says, and one line in `why`: then those from before are there, as far as they can be.
 */
int named_uplinks_set(struct named_uplinks *uplinks, const char *const *specs, unsigned count, char *why,
                      size_t why_size);
/* Are all there that it was set to, or had before it could not be? */
bool named_uplinks_complete(const struct named_uplinks *uplinks);

/* After service_end(), which takes the devices along. NULL is nothing. */
void named_uplinks_free(struct named_uplinks *uplinks);

#endif
