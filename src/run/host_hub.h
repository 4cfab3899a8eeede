/* A host's door of many devices: one for each program that has a network namespace of its own. */
#ifndef HW_RUN_HOST_HUB_H
#define HW_RUN_HOST_HUB_H

#include <hawser/host.h>

#include "link/hub.h"

/* Attaches an empty hub, a door, for devices of this MTU. Returns the link's index in the stack and the hub in
 * *out, the host's; or a negative errno. */
int host_add_hub(struct hawser_host *host, uint32_t mtu, struct link **out);

/* Adds a TUN device by a descriptor as tun_adopt() takes it, with the addresses behind it. Returns 0 and *out; or what
 * tun_adopt() and hub_add() say, and the descriptor stays the caller's. */
int host_hub_adopt(struct hawser_host *host, struct link *hub, int fd, const struct hawser_addr *addrs, size_t count,
                   void *user, struct hub_member **out);

#endif
