/* An end that is a shell command, with whatever it starts. */
#ifndef HW_APPS_LAB_COMMAND_END_H
#define HW_APPS_LAB_COMMAND_END_H

#include "lab/lab.h"

/* Runs it in the calling process's network namespace until it ends by itself or the run is over; then all that it
 * started is killed. What it says is appended to the file `output`. */
void command_end_run(const struct lab_options *o, enum lab_side side, struct lab_shared *shared,
                     struct lab_result *result, int output);

#endif
