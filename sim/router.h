/* A router: forwards by destination address; among equally near ways it chooses by a hash of the flow. */
#ifndef HW_SIM_ROUTER_H
#define HW_SIM_ROUTER_H

#include <hawser/addr.h>

#include "sim/node.h"

struct router *router_new(struct world *world, const char *name);
struct node *router_node(struct router *router);
/* NULL when the node is none. */
struct router *router_of(struct node *node);

/* One more equally good way to `to`, by `port`. */
void router_add_route(struct router *router, const struct hawser_addr *to, unsigned port);
void router_clear_routes(struct router *router);

/* Packets without a route, dropped. */
uint64_t router_unroutable(const struct router *router);

#endif
