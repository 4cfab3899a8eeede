/*
 * Work that blocks: done beside the loop by a thread, one job after the other, in the order in which they came. A job's
 * work may look at what belongs to it, and nothing else.
 */
#ifndef HW_APPS_SERVICE_ASIDE_H
#define HW_APPS_SERVICE_ASIDE_H

#include <systemd/sd-event.h>

#include "base/list.h"

struct aside;

struct aside_job {
    void (*work)(struct aside_job *job); /* in the thread */
    void (*done)(struct aside_job *job); /* in the loop, afterwards; the job is its owner's again */
    bool skipped;                        /* it was never begun: aside_end() */
    struct list link;
};

/* The thread begins with the first job, as what its process is then. Returns 0 or a negative errno. */
int aside_new(sd_event *loop, struct aside **out);

/* Hands a job over. Returns 0; or a negative errno, and it stays the caller's. */
int aside_do(struct aside *aside, struct aside_job *job);

/* Waits for the job that is under way, and is done with all of them. NULL is harmless. */
void aside_end(struct aside *aside);

#endif
