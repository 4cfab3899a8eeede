/* The process that is the network: moves packets between the two ends of each path. */
#ifndef HW_APPS_LAB_EMULATOR_H
#define HW_APPS_LAB_EMULATOR_H

#include "lab/lab.h"
#include "lab/topology.h"

/* Runs until shared->stop. Returns 0 or a negative errno, and in `why` what failed. */
int emulator_run(const struct lab_options *o, const struct topology *t, struct lab_shared *shared, char why[LAB_WHY]);

#endif
