/* Sets a network device up and routes prefixes to it, by rtnetlink. */
#ifndef HW_RUN_NETDEV_H
#define HW_RUN_NETDEV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "run/link_spec.h"

struct netdev;

/*
 * Brings the device `spec->device` up with the MTU asked for (if any) and routes the prefix of each address to it. The
 * kernel gets no address there: the stack owns them. `lasting`: the device outlives us, so its state is put back by
 * netdev_restore(). Returns 0 and *out (and the MTU in force in *mtu), or a negative errno with nothing changed and in
 * `why` one line that says what to do.
 */
int netdev_setup(const struct link_spec *spec, bool lasting, struct netdev **out, uint32_t *mtu, char *why,
                 size_t why_size);

/* Routes the prefix of one more address there. Returns 0, or a negative errno with nothing changed and one line in
 * `why`. */
int netdev_add_address(struct netdev *dev, const struct link_address *address, char *why, size_t why_size);

/* Forgets an address, and takes the route of its prefix away, unless another one lies in it. */
void netdev_drop_address(struct netdev *dev, const struct hawser_addr *addr);

/* Whether `dev` has this name. */
bool netdev_is(const struct netdev *dev, const char *device);

/* Takes away what netdev_setup() added, as far as it is still there, and frees `dev`. */
void netdev_restore(struct netdev *dev);

#endif
