/* How the swarm draws, and the parts of a plan in the order in which they are drawn. */
#ifndef HW_SIM_SWARM_DRAW_H
#define HW_SIM_SWARM_DRAW_H

#include "base/units.h"
#include "sim/swarm.h"

/* In a story that begins in peace nothing goes wrong before this: time for all joins, over any of its paths. */
#define PEACE_NS (6 * NS_PER_S)

/* Of a link's queue, for each connection of a crowd. */
#define SWARM_CROWD_QUEUE_PACKETS UINT64_C(3)

/* What each connection of a crowd needs of the server's memory to get on: a payload buffer each way. */
#define SWARM_SHARE_BYTES (2 * (UINT32_C(64) * 1024 + 128))

static inline uint64_t between(struct prng *rng, uint64_t low, uint64_t high)
{
    return low + prng_below(rng, high - low + 1);
}

static inline bool one_in(struct prng *rng, uint32_t n) { return prng_below(rng, n) == 0; }

/* Any order of magnitude between the two is as likely as any other. */
static inline uint64_t between_log(struct prng *rng, uint64_t low, uint64_t high)
{
    unsigned doublings = 0;
    while (low << (doublings + 1) <= high)
        doublings++;
    uint64_t floor = low << prng_below(rng, doublings + 1u);
    return between(rng, floor, HW_MIN(2 * floor, high));
}

/* swarm_topology.c: hosts, routers, links and routes. */
void swarm_draw_topology(struct swarm_plan *plan, struct prng *rng);
/* swarm_faults.c */
void swarm_draw_faults(struct swarm_plan *plan, struct prng *rng);
/* Every path goes down in its turn, again and again. */
void swarm_draw_flaps(struct swarm_plan *plan);
/* swarm_habits.c */
void swarm_draw_ways(struct swarm_plan *plan);
void swarm_draw_policies(struct swarm_plan *plan);
void swarm_draw_habits(struct swarm_plan *plan);

/* Does the program say from which address the flow is to begin? */
bool swarm_is_bound(const struct flow_plan *flow);
/* Can the flow begin on that route? */
bool swarm_serves(const struct swarm_plan *plan, unsigned route, const struct flow_plan *flow);
/* The way of a flow's first subflow, if it has its answer at once, as a bit set of links. */
uint32_t swarm_first_route(const struct swarm_plan *plan, const struct flow_plan *flow);
/* Of a handshake on links without load or fault; TIME_NEVER where rates vary. */
uint64_t swarm_round_trip_ns(const struct swarm_plan *plan, uint32_t route);

static inline bool is_link_fault(const struct swarm_fault *fault) { return fault->kind <= FAULT_QUEUE; }
static inline bool is_box_fault(const struct swarm_fault *fault)
{
    return fault->kind == FAULT_BOX || fault->kind == FAULT_STAYING;
}

#define SWARM_BOX_KINDS 17
#define SWARM_BOXES_THAT_STAY 10
/* The kinds of middleboxes that it draws; those that may stay for good come first. */
extern const char *const swarm_boxes[SWARM_BOX_KINDS];
/* May a box of that kind stay for good? */
bool swarm_box_may_stay(const char *kind);

#endif
