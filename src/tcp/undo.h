/*
 * Was an episode of recovery for nothing? Two witnesses tell, and of this episode only: the acknowledgement of its
 * first retransmission, when it echoes a timestamp older than that (Eifel, RFC 3522), and DSACKs, when they report
 * every retransmission as a duplicate (RFC 3708).
 */
#ifndef HW_TCP_UNDO_H
#define HW_TCP_UNDO_H

#include <stdbool.h>
#include <stdint.h>

#include "base/iset.h"

struct undo {
    bool possible;         /* the controller reduced its window for it, and did not go back yet */
    bool resent;           /* something left again since */
    bool echo_awaited;     /* of the first retransmission, which lay at `first_ssn` and left at `first_ts` */
    uint32_t first_ts;     /* our timestamp */
    uint64_t first_ssn;    /* sequence number */
    struct iset again;     /* what was sent again and not yet reported as a duplicate, each number once */
    uint64_t needed_bytes; /* likewise, every time; 0 with `resent`: all of it was for nothing */
};

/* `payer` is charged for the ranges that are remembered. */
void undo_init(struct undo *u, struct account *payer);
void undo_destroy(struct undo *u);

/* The controller is about to reduce its window. */
void undo_watch(struct undo *u);

/* [start, end) leaves again; `una` is the oldest number outstanding. `ts`: our timestamp in it; without timestamps
 * `has_ts` is false. */
void undo_resent(struct undo *u, uint64_t start, uint64_t end, uint64_t una, bool has_ts, uint32_t ts);

/* The peer says that [start, end) came twice. */
void undo_duplicate(struct undo *u, uint64_t start, uint64_t end);

/* A question leaves, whose answer may echo something old. */
static inline void undo_asked(struct undo *u) { u->echo_awaited = false; }

/* An acknowledgement up to `una` came, with an echo unless `has_echo` is false. True: the episode was for nothing,
 * which is said once. */
bool undo_is_due(struct undo *u, uint64_t una, bool has_echo, uint32_t echo);

#endif
