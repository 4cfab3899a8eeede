/* Counts what of a story was drawn, and what of that acted. */
#ifndef HW_SIM_SWARM_TALLY_H
#define HW_SIM_SWARM_TALLY_H

#include "sim/stage.h"
#include "sim/swarm.h"

/* A watcher that fills in `drawn` and `acted` of the verdict; plan and verdict outlive it. For stage_watch(). */
struct watcher *swarm_tally_new(const struct swarm_plan *plan, struct swarm_verdict *verdict);

#endif
