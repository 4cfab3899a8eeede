/*
 * What became of joins that failed, by pair of addresses (RFC 8684 3.4.1, 3.6, 3.9.3): so that nobody knocks in vain
 * too often, and every pair has its turn. A pair of which nothing is known was never tried, or worked.
 */
#ifndef HW_MPTCP_PAIRS_H
#define HW_MPTCP_PAIRS_H

#include "base/account.h"

/* Most pairs that are remembered; the one that is due first makes way, for it has least to lose. */
#define PAIRS_MAX 256
/* After the first failure a pair waits so long, then twice as long each time. */
#define PAIR_RETRY_NS UINT64_C(1000000000)
#define PAIR_DOUBLINGS_MAX 6u
/* A pair that did not fail for so long since it had its turn has worked: that begins anew. A join fails sooner. */
#define PAIR_STEADY_NS (120 * PAIR_RETRY_NS)

enum pair_outcome {
    PAIR_UNANSWERED, /* nobody answered, or what worked went silent or was reset: again after a time */
    PAIR_REFUSED,    /* the peer does not want it: not again before it announces the address afresh */
    PAIR_CLOSED,     /* the peer closed it */
    PAIR_USELESS,    /* one end gave it up for good */
    PAIR_UNOPENED,   /* this end had no port or no memory for it, which is no failure of the pair's */
};

struct pair {
    uint64_t again_ns; /* TIME_NEVER: not by itself */
    uint8_t local_id, remote_id, tries;
    uint8_t outcome; /* enum pair_outcome */
};

/* All zero: none is known. */
struct pairs {
    struct pair *list; /* in the order of their IDs */
    uint16_t count, capacity;
    uint32_t forgotten; /* so many made way, or found no room */
};

/* The pair failed. False when there are as many as may be, or `payer`, always the same one, has no memory for more:
 * then another one is forgotten for it, if there is any. */
bool pairs_note(struct pairs *p, struct account *payer, uint8_t local_id, uint8_t remote_id, enum pair_outcome outcome,
                uint64_t now_ns);
void pairs_destroy(struct pairs *p, struct account *payer);

/* The entry, or NULL. */
const struct pair *pairs_find(const struct pairs *p, uint8_t local_id, uint8_t remote_id);

/* RFC 8684 3.9.3: one refusal speaks for the address, wherever we come from. */
bool pairs_refused(const struct pairs *p, uint8_t remote_id);

/* The address is gone, or came anew: what failed with it says nothing any more. But one of ours that goes takes no
 * refusal with it, which speaks for the address of the peer's. */
void pairs_forget_local(struct pairs *p, uint8_t local_id);
void pairs_forget_remote(struct pairs *p, uint8_t remote_id);

/* What failed may work by now; but nothing cures what is useless. */
void pairs_forgive(struct pairs *p);

#endif
