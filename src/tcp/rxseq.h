/*
 * The received sequence space of a subflow: what arrived, not the bytes themselves, which went up at once. Decides what
 * of a segment is new, what rcv_nxt is, and which SACK blocks to send.
 */
#ifndef HW_TCP_RXSEQ_H
#define HW_TCP_RXSEQ_H

#include <stdbool.h>
#include <stdint.h>

#include "base/iset.h"
#include "base/pool.h"

/* Most gaps in the sequence space; a segment that would open one more is dropped. */
#define RXSEQ_GAPS_MAX 1024
#define RXSEQ_RECENT 4

/* What there is beside rcv_nxt as long as something is out of order or came twice. */
struct rx_disorder {
    struct iset ahead;             /* ranges above `next` */
    struct range duplicate;        /* DSACK to report (RFC 2883); empty when none */
    uint64_t recent[RXSEQ_RECENT]; /* a number inside each range touched last, newest first (RFC 2018 4) */
    uint8_t recent_count;
};

struct rxseq {
    uint64_t next;                /* rcv_nxt: everything below has arrived */
    struct rx_disorder *disorder; /* NULL: none */
    struct pool *pool;            /* of struct rx_disorder; borrowed */
};

void rxseq_init(struct rxseq *r, struct pool *pool);
void rxseq_destroy(struct rxseq *r);

/* Begins the space: the next number expected is `next`. */
void rxseq_start(struct rxseq *r, uint64_t next);

/* The first part of [from, to) not arrived yet; empty when there is none. */
struct range rxseq_new_part(const struct rxseq *r, uint64_t from, uint64_t to);

/* The first part of [from, to) that has arrived already; empty when there is none. */
struct range rxseq_old_part(const struct rxseq *r, uint64_t from, uint64_t to);

/* How many gaps there are. */
static inline uint32_t rxseq_gaps(const struct rxseq *r) { return r->disorder ? r->disorder->ahead.count : 0; }

/* Records the arrival of [start, end), a part that rxseq_new_part() found, charging `payer` with what lies beyond a
 * gap, and advancing `next` over whatever becomes contiguous. Returns 0, or -ENOBUFS when there might be more gaps than
 * the limit, or memory is out: then the segment counts as not arrived. rxseq_settle() follows. */
int rxseq_add(struct rxseq *r, struct account *payer, uint64_t start, uint64_t end);

/* Takes back what rxseq_add() recorded a moment ago, [start, end), from `from` on: there was no room for those bytes.
 * rxseq_add() made sure that this can be said. */
void rxseq_take_back(struct rxseq *r, uint64_t start, uint64_t from, uint64_t end);

/* Forgets what lies above `next`: it was given up again (RFC 2018 8). */
void rxseq_forget_ahead(struct rxseq *r);

/* Lets go of what is of no use as long as nothing is out of order. */
void rxseq_settle(struct rxseq *r);

/* Notes that [start, end) arrived again, for a DSACK: with what touches it and is not reported yet, for it came in the
 * same batch, else in place of that. Without memory it is not reported. */
void rxseq_note_duplicate(struct rxseq *r, struct account *payer, uint64_t start, uint64_t end);

/* Is there any block to report? */
static inline bool rxseq_has_blocks(const struct rxseq *r)
{
    return r->disorder && (r->disorder->ahead.count || r->disorder->duplicate.start < r->disorder->duplicate.end);
}

/* Up to `max` blocks in the order RFC 2018 4 asks for (a DSACK first, then the block of the newest arrival, which holds
 * that of a DSACK beyond `next`, then recent ones). So many `later` arrivals have an acknowledgement of their own to
 * come: then the one before them is the newest, unless there is a DSACK. Returns how many. Does not change anything. */
unsigned rxseq_sack_blocks(const struct rxseq *r, struct range *out, unsigned max, unsigned later);

/* A DSACK is reported once: call when an acknowledgement with the blocks has left. */
void rxseq_blocks_sent(struct rxseq *r);

#endif
