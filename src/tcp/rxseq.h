/*
 * The received sequence space of a subflow: what arrived, not the bytes themselves, which went up at once. Decides what
 * of a segment is new, what rcv_nxt is, and which SACK blocks to send.
 */
#ifndef HW_TCP_RXSEQ_H
#define HW_TCP_RXSEQ_H

#include <stdbool.h>
#include <stdint.h>

#include "base/iset.h"

/* Most gaps in the sequence space; a segment that would open one more is dropped. */
#define RXSEQ_GAPS_MAX 1024
#define RXSEQ_RECENT 4

struct rxseq {
    uint64_t next;                 /* rcv_nxt: everything below has arrived */
    struct iset ahead;             /* ranges above `next` */
    struct range duplicate;        /* DSACK to report (RFC 2883); empty when none */
    uint64_t recent[RXSEQ_RECENT]; /* a number inside each range touched last, newest first (RFC 2018 4) */
    uint8_t recent_count;
};

void rxseq_init(struct rxseq *r, const struct hawser_env *env);
void rxseq_destroy(struct rxseq *r);

/* Begins the space: the next number expected is `next`. */
void rxseq_start(struct rxseq *r, uint64_t next);

/* The first part of [from, to) not arrived yet; empty when there is none. */
struct range rxseq_new_part(const struct rxseq *r, uint64_t from, uint64_t to);

/* Records the arrival of [start, end), advancing `next` over whatever becomes contiguous. Returns 0, or -ENOBUFS when
 * it would open more gaps than the limit: then the segment counts as not arrived. */
int rxseq_add(struct rxseq *r, uint64_t start, uint64_t end);

/* Takes back what rxseq_add() recorded a moment ago, [start, end), from `from` on: there was no room for those bytes.
 * All of it when the rest would be one gap too many. */
void rxseq_take_back(struct rxseq *r, uint64_t start, uint64_t from, uint64_t end);

/* Notes that [start, end) arrived again, for a DSACK. */
void rxseq_note_duplicate(struct rxseq *r, uint64_t start, uint64_t end);

/* Up to `max` blocks in the order RFC 2018 4 asks for (a DSACK first, then the block of the newest arrival, then recent
 * ones). Returns how many. Does not change anything. */
unsigned rxseq_sack_blocks(const struct rxseq *r, struct range *out, unsigned max);

/* A DSACK is reported once: call when an acknowledgement with the blocks has left. */
static inline void rxseq_blocks_sent(struct rxseq *r) { r->duplicate = (struct range){0, 0}; }

#endif
