/* An end that is the kernel's own MPTCP or TCP. */
#ifndef HW_APPS_LAB_KERNEL_END_H
#define HW_APPS_LAB_KERNEL_END_H

#include "lab/lab.h"

/* Runs the end `side` to its end, in the calling process's namespace, and fills in `result`. */
void kernel_end_run(const struct lab_options *o, enum lab_side side, struct lab_shared *shared,
                    struct lab_result *result);

#endif
