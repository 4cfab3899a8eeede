/* A link between two nodes: two lanes, one for each direction. */
#ifndef HW_SIM_CABLE_H
#define HW_SIM_CABLE_H

#include "sim/lane.h"
#include "sim/node.h"

struct cable {
    struct node node;     /* ports 0 and 1 are its ends */
    struct lane lanes[2]; /* by the port where packets enter */
};

/* lanes[0] carries what enters at port 0. */
struct cable *cable_new(struct world *world, const char *name, const struct lane_config lanes[2]);

/* Changes one direction from now on. */
void cable_configure(struct cable *cable, unsigned from_port, const struct lane_config *config, uint64_t now_ns);

#endif
