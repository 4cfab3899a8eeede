#include "sim/routes.h"

#include "base/check.h"
#include "sim/memory.h"
#include "sim/router.h"

/* A breadth-first walk from the address outwards. */
struct walk {
    struct node **queue;
    uint32_t *distance; /* by node id; 0: not reached yet */
    uint32_t head, tail;
};

static void reach(struct walk *walk, struct node_port at, uint32_t distance, const struct hawser_addr *addr)
{
    struct router *router = at.peer ? router_of(at.peer) : NULL;
    if (!router)
        return;
    uint32_t *known = &walk->distance[at.peer->id];
    if (*known == 0) {
        *known = distance;
        walk->queue[walk->tail++] = at.peer;
    }
    if (*known == distance)
        router_add_route(router, addr, at.peer_port);
}

void routes_add(struct world *world, const struct hawser_addr *addr, const struct node *home, unsigned port)
{
    struct walk walk = {.queue = sim_new((world->node_count + 1) * sizeof(struct node *)),
                        .distance = sim_new((world->node_count + 1) * sizeof(uint32_t))};
    reach(&walk, node_far_end(home, port), 1, addr);
    while (walk.head < walk.tail) {
        struct node *router = walk.queue[walk.head++];
        for (unsigned i = 0; i < router->port_count; i++)
            reach(&walk, node_far_end(router, i), walk.distance[router->id] + 1, addr);
    }
    sim_free(walk.queue);
    sim_free(walk.distance);
}
