/*
 * The judges: a watcher that looks at every packet each host of a stage sends and receives, and says by
 * world_violation() which rule one of them broke. What they know comes from the packets; see rules.h for the rules.
 */
#ifndef HW_SIM_JUDGES_JUDGES_H
#define HW_SIM_JUDGES_JUDGES_H

#include "sim/stage.h"

/* For stage_watch(), which takes ownership. */
struct watcher *judges_new(void);

#endif
