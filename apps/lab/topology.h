/*
 * The stage of a run: two anonymous network namespaces, a TUN device per path in each, addresses and routes. Nothing
 * has a name outside, so that everything is gone as soon as the last process of the run is.
 */
#ifndef HW_APPS_LAB_TOPOLOGY_H
#define HW_APPS_LAB_TOPOLOGY_H

#include "lab/lab.h"

struct topology {
    int netns[LAB_SIDES];          /* the same namespace twice where the ends share one */
    int tun[LAB_PATHS][LAB_SIDES]; /* the end of the path in that namespace; -1: none */
};

/*
 * Builds the stage and leaves the calling process in one of its namespaces. Returns 0 or a negative errno; then `why`
 * says in one line what is missing and what to do.
 */
int topology_build(struct topology *t, const struct lab_options *o, char why[LAB_WHY]);
void topology_close(struct topology *t);

/* How many addresses an end has, and which. The first is the one that connects or listens. */
unsigned lab_address_count(const struct lab_options *o, enum lab_side side);
struct hawser_addr lab_address(const struct lab_options *o, enum lab_side side, unsigned i);

#endif
