/* Shortest ways to every address, for the routers of a world. */
#ifndef HW_SIM_ROUTES_H
#define HW_SIM_ROUTES_H

#include <hawser/addr.h>

#include "sim/world.h"

/* Tells every router of the world how to reach `addr`, which lives behind `port` of `home` (a host's interface, or the
 * inner side of a middlebox that owns the address). Ways with the fewest routers count, all of them. */
void routes_add(struct world *world, const struct hawser_addr *addr, const struct node *home, unsigned port);

#endif
