/*
 * What a connection keeps for its scheduler (hawser/scheduler.h): who decides, his memory, and where each path's cursor
 * stands. The memory comes when there is a second path. It knows neither the stream nor subflows: these have slots.
 */
#ifndef HW_MPTCP_SCHEDULER_H
#define HW_MPTCP_SCHEDULER_H

#include <hawser/scheduler.h>

#include "base/account.h"
#include "base/counters.h"
#include "base/units.h"

/* Slots are below that. */
#define SCHEDULER_SLOTS 32

struct scheduler_memory;

struct scheduler {
    const struct hawser_scheduler *policy;
    struct scheduler_memory *memory; /* NULL: it has none, or not yet */
};

/* What the policy was told of a path, and where that stands. */
struct scheduler_path {
    uint64_t cursor;     /* an offset; below the oldest missing byte it stands there */
    uint64_t told_acked; /* sequence number of the subflow; 0: nothing yet */
    uint64_t told_lost;  /* bytes */
};

extern const struct hawser_scheduler scheduler_lowest_rtt, scheduler_redundant;

/* Can it be used? 0, -EINVAL, or -E2BIG: it asks for what the library does not know. NULL, which is nobody, can. */
int scheduler_check(const struct hawser_scheduler *policy);

static inline void scheduler_init(struct scheduler *s, const struct hawser_scheduler *policy)
{
    *s = (struct scheduler){.policy = policy};
}
void scheduler_destroy(struct scheduler *s, struct account *payer);

/* The paths of the connection are these, a bit set of slots. Without memory for them lowest RTT decides, and it is
 * counted. */
void scheduler_serve(struct scheduler *s, struct account *payer, uint32_t slots, struct counters *counters);
/* One is gone, which was known by this id. */
void scheduler_drop(struct scheduler *s, struct account *payer, uint8_t slot, uint32_t id);

static inline const struct hawser_scheduler *scheduler_policy(const struct scheduler *s) { return s->policy; }
static inline bool scheduler_is_default(const struct scheduler *s) { return s->policy == &scheduler_lowest_rtt; }
static inline bool scheduler_has_memory(const struct scheduler *s) { return s->memory != NULL; }
/* The policy's own memory, of the connection and of a path, and what is kept of that; NULL: there is none. */
void *scheduler_conn_memory(const struct scheduler *s);
void *scheduler_path_memory(const struct scheduler *s, uint8_t slot);
struct scheduler_path *scheduler_path(const struct scheduler *s, uint8_t slot);

/* It is asked once more at that time, or TIME_NEVER. */
uint64_t scheduler_due(const struct scheduler *s);
void scheduler_set_due(struct scheduler *s, uint64_t due_ns);
/* It sends nothing now, and wants to be asked at `until_ns`; 0: it names no time. */
void scheduler_postpone(struct scheduler *s, uint64_t until_ns, uint64_t now_ns);
/* It sends nothing while bytes wait and nothing is under way, and wants to be asked at `until_ns`, or at no time: 0.
 * False: it has had its way for too long. */
bool scheduler_may_wait(struct scheduler *s, uint64_t until_ns, uint64_t now_ns);
/* Something left, of which `copied` bytes had left before, by way of a cursor. */
void scheduler_sent(struct scheduler *s, uint32_t copied);
/* Bytes that did, in all. */
uint64_t scheduler_copied_bytes(const struct scheduler *s);

#endif
