/*
 * Work that blocks: done beside the loop by a thread, one job after the other. Users take turns, so that none waits for
 * all that another one has asked for; those of one user are in the order in which they came. A job's work may look at
 * what belongs to it, and nothing else.
 */
#ifndef HW_APPS_SERVICE_ASIDE_H
#define HW_APPS_SERVICE_ASIDE_H

#include <sys/types.h>
#include <systemd/sd-event.h>

#include "base/list.h"

struct aside;

struct aside_job {
    void (*work)(struct aside_job *job); /* in the thread */
    void (*done)(struct aside_job *job); /* in the loop, afterwards; the job is its owner's again */
    bool skipped;                        /* it was never begun: aside_end() */
    uid_t user;
    struct list link;
};

#define ASIDE_NO_USER ((uid_t)-1) /* it is the service itself that has something done */

/* The thread begins with the first job, as what its process is then. Returns 0 or a negative errno. */
int aside_new(sd_event *loop, struct aside **out);

/* Hands a job over, which is done in the turn of `user`. Returns 0; or a negative errno, and it stays the caller's. */
int aside_do(struct aside *aside, struct aside_job *job, uid_t user);

/* Waits for the job that is under way, and is done with all of them. NULL is harmless. */
void aside_end(struct aside *aside);

#endif
