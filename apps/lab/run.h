/* One run: the processes of the stage, and what came of it. */
#ifndef HW_APPS_LAB_RUN_H
#define HW_APPS_LAB_RUN_H

#include "lab/lab.h"

/* Shared by all processes of a run. */
struct run {
    struct lab_shared shared;
    struct lab_result results[LAB_SIDES];
    _Atomic bool reported[LAB_SIDES];
    _Atomic bool refused; /* the stage could not be built: `why` says in one line what to do */
    char why[LAB_WHY];
    int output[LAB_SIDES]; /* files of what the commands of the ends wrote */
};

/* How a run ended, beside what its ends report. */
enum run_end {
    RUN_DONE,    /* both ends reported */
    RUN_REFUSED, /* no stage */
    RUN_FAILED,  /* an end failed, or a process died */
    RUN_TIMED_OUT,
    RUN_INTERRUPTED, /* by a signal */
};

/* Called about ten times a second while the run goes on. */
typedef void run_watch(void *ctx, const struct run *run, uint64_t now_ns);

/* Returns NULL when memory is out. */
struct run *run_new(void);
void run_free(struct run *run);

/* Everything the run made is gone when this returns. */
enum run_end run_execute(struct run *run, const struct lab_options *o, run_watch *watch, void *ctx);

#endif
