/* A run without privilege: two Hawser stacks and the emulated paths between them, in one process and real time. */
#ifndef HW_APPS_LAB_IN_PROCESS_H
#define HW_APPS_LAB_IN_PROCESS_H

#include "lab/lab.h"

/* Runs until both results are known, or shared->stop. Returns 0 or a negative errno, and in `why` what failed. */
int in_process_run(const struct lab_options *o, struct lab_shared *shared, struct lab_result results[LAB_SIDES],
                   char why[LAB_WHY]);

#endif
