/*
 * A hub: many links that are one to the stack. Behind each member are addresses of its own: a packet to one of them
 * leaves by that member, and a packet from anybody else does not come in by it.
 */
#ifndef HW_LINK_HUB_H
#define HW_LINK_HUB_H

#include <hawser/addr.h>
#include <hawser/env.h>

#include "link/link.h"

enum { HUB_ADDRESSES = 2 }; /* of a member */

struct hub_member;

/* Makes an empty hub, whose members have this MTU and take super-segments of up to `gso_bytes`. `env` outlives it.
 * Returns 0 and the link in *out, or a negative errno. */
int hub_new(const struct hawser_env *env, uint32_t mtu, uint32_t gso_bytes, struct link **out);

/*
 * Adds a link, which is the hub's from now on, and `count` addresses behind it, whose ports do not matter. Returns 0
 * and *out; or -EINVAL (too many addresses), -EEXIST (one of them is behind another member), -ENOMEM or what the system
 * said, and the link stays the caller's.
 */
int hub_add(struct link *hub, struct link *link, const struct hawser_addr *addrs, size_t count, void *user,
            struct hub_member **out);

/* The `user` of the member behind which this address is, whatever its port; NULL: there is none. */
void *hub_owner(struct link *hub, const struct hawser_addr *addr);

/* The `user` of a member whose link has failed, once for each; false when there is none. It is still to be removed. */
bool hub_next_gone(struct link *hub, void **user);

/* Destroys the member and its link. Not between a receive() and its release(). */
void hub_remove(struct hub_member *member);

#endif
