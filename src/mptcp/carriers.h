/*
 * Which subflow was the first to carry which data: runs of data sequence numbers in order, as new data is handed out.
 * What the peer has not acknowledged at the data level though it arrived on its subflow tells against the carrier.
 */
#ifndef HW_MPTCP_CARRIERS_H
#define HW_MPTCP_CARRIERS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/iset.h"
#include "base/seq.h"

/* Most runs; beyond that new data counts as its predecessor's, which may blame the wrong subflow but costs no byte. */
#define CARRIER_RUNS_MAX 4096u
/* Nobody, or a subflow that is gone. */
#define CARRIER_NONE UINT8_MAX

struct carrier_run {
    dsn64 end; /* it begins where the run before ends */
    uint8_t slot;
};

struct carriers {
    struct account *account;  /* borrowed; pays for the ring */
    struct carrier_run *ring; /* power-of-two ring, oldest first: `one`, until there are more */
    uint32_t head, count, capacity;
    dsn64 begin; /* of the oldest run */
    struct carrier_run one;
};

/* Data begins at `first`. It stays where it is. */
void carriers_init(struct carriers *c, struct account *account, dsn64 first);
void carriers_destroy(struct carriers *c);

/* New data up to `end` left on subflow `slot` (below 32), right behind that of the call before. */
void carriers_push(struct carriers *c, dsn64 end, uint8_t slot);

/* Who carried the oldest byte that is not acknowledged; CARRIER_NONE when there is none, or nobody knows. */
uint8_t carriers_oldest(const struct carriers *c);

/* Did more than one carry what is not acknowledged? */
static inline bool carriers_mixed(const struct carriers *c) { return c->count > 1; }

/* Everything below `upto` is acknowledged at the data level. Returns the bit set of the slots that carried some of it
 * that is not in `repeated`, the offsets from `base` of bytes that were sent again elsewhere: it arrived by their merit
 * alone. */
uint32_t carriers_acked(struct carriers *c, dsn64 upto, const struct iset *repeated, dsn64 base);

/* The subflow is gone; its slot may come to mean another. */
void carriers_forget(struct carriers *c, uint8_t slot);

#endif
