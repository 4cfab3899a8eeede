/* One seed of the swarm in a process of its own, so that a crash or an endless loop is a verdict like any other. */
#ifndef HW_APPS_SIM_SWARM_TRY_H
#define HW_APPS_SIM_SWARM_TRY_H

#include <sys/types.h>

#include "sim/swarm.h"

/* A story takes milliseconds; one that takes this long never ends. */
enum { SWARM_TRY_SECONDS = 120 };

struct swarm_try {
    pid_t pid; /* 0: none runs */
    int fd;    /* the verdict comes through here */
    uint64_t seed;
};

/* Starts to play the plan; `capture` may be NULL. With `quiet` what the story prints is thrown away. 0 or -errno. */
int swarm_try_start(struct swarm_try *t, const struct swarm_plan *plan, const char *capture, bool quiet);

/* Waits for its end. A process that died is a verdict of the rule "no-crash". */
void swarm_try_finish(struct swarm_try *t, struct swarm_verdict *verdict);

#endif
