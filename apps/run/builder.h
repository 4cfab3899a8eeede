/*
 * The builder: a process that makes the program's namespace, furnishes it, and ends. The one that becomes the program
 * joins when all is there, and has never left its own network where anything fails.
 */
#ifndef HW_APPS_RUN_BUILDER_H
#define HW_APPS_RUN_BUILDER_H

#include <stddef.h>

#include "run/options.h"

/* Has this process's network replaced by one whose TCP goes by the service behind `control`, which stays the caller's.
 * Returns 0, or a negative errno and one line in `why`: then nothing has changed. */
int builder_run(const struct run_options *options, int control, char *why, size_t why_size);

#endif
