/*
 * Busy polling: a service that has nothing to do looks for packets a little longer before it sleeps, as waking it costs
 * more than an answer from nearby takes. It does so only where answers have come that soon several times, stops when
 * they no longer do, and never spends more time on it than on what it is there for. The clock is the caller's.
 */
#ifndef HW_APPS_SERVICE_BUSY_POLL_H
#define HW_APPS_SERVICE_BUSY_POLL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/units.h"

#define BUSY_POLL_NS (30 * NS_PER_US)        /* a look; longer waits are slept */
#define BUSY_POLL_SHORT_NS (50 * NS_PER_US)  /* a wait that a look would have made shorter: with the waking up */
#define BUSY_POLL_NO_WAIT_NS (5 * NS_PER_US) /* something was there already, which tells nothing of what comes next */
#define BUSY_POLL_WORK_NS (100 * NS_PER_US)  /* after more of it than that, the waking up is a small matter */
#define BUSY_POLL_SAVED_NS (1 * NS_PER_MS)   /* of the time that it worked, for looks to come */

enum {
    BUSY_POLL_SEEN = 4,       /* short waits until it looks */
    BUSY_POLL_REMEMBERED = 8, /* of them; each look in vain halves that, so that two are the most in a row */
};

struct busy_poll {
    bool alone;                  /* on one processor: a look takes the time of who is to answer */
    uint64_t began_ns, ended_ns; /* the wait under way, or the last one */
    uint64_t saved_ns;           /* for so long it may look */
    unsigned seen;               /* short waits */
};

/* `processors`: on how many it may run. */
void busy_poll_init(struct busy_poll *poll, unsigned processors);

/* A wait begins. Returns until when to look before sleep; `now_ns`: not at all. */
uint64_t busy_poll_begin(struct busy_poll *poll, uint64_t now_ns);

/* It is over, and there is something to do. `looked_ns`: for so long it did not sleep. */
void busy_poll_end(struct busy_poll *poll, uint64_t looked_ns, uint64_t now_ns);

#endif
