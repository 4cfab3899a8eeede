/*
 * The transmit queue of a subflow: one record for each run of sequence space that was sent and not yet acknowledged.
 * A record names bytes by reference, it does not hold them. All of them are linked in sequence order. Those that the
 * peer does not hold (SACK) lie in a tree as well, in the same order, so that what is new in a block is found at once,
 * however much it covers; and each of them is on one of two lists: `sent`, in order of its last transmission, or
 * `lost`, waiting to be sent again.
 *
 * A record is split where the peer holds a part of it, or a part is to be sent again; the parts that the peer holds
 * become one again. So there are no more records than were sent, and two for each hole.
 *
 * Sequence numbers are relative subflow sequence numbers extended to 64 bits (see tcp.h).
 */
#ifndef HW_TCP_TXQ_H
#define HW_TCP_TXQ_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/list.h"
#include "base/pool.h"
#include "base/tree.h"
#include "tcp/rate.h"

/* Pieces of split records beyond which what the peer holds is not noted when a record had to be split once more: holes
 * for a tenth of all segments in 64 MiB under way. */
#define TXQ_PIECES_MAX 16384
/* A record's payload lies in at most this many chunks. */
#define TX_RECORD_PARTS 2

/* What the upper layer says about a record's bytes each time they are sent; TCP carries it and never looks inside. */
struct tx_note {
    uint64_t dsn;      /* of the mapping's first byte */
    uint64_t ssn;      /* of the mapping's first byte */
    uint32_t len;      /* of the whole mapping, which a split record keeps */
    uint16_t checksum; /* of the whole mapping */
    bool mapped;
};

struct tx_record {
    struct list order;         /* in `records` */
    struct list link;          /* in `sent` or `lost`, or alone */
    struct tree_node unsacked; /* unless it is */
    uint64_t ssn;              /* first sequence number */
    uint64_t sent_ns;          /* last transmission */
    uint32_t len;              /* payload bytes */
    bool syn, fin;             /* each takes one sequence number */
    bool sacked, lost, retransmitted;
    bool probe;              /* one packet, larger than others, to learn whether such a one arrives */
    bool piece;              /* split from the record before it */
    struct rate_stamp stamp; /* of its last transmission */
    struct tx_note note;
    struct slice parts[TX_RECORD_PARTS];
};

struct txq {
    struct pool *pool;       /* of struct tx_record; borrowed */
    struct account *account; /* pays for the records; borrowed */
    struct list records;     /* in sequence order */
    uint32_t count, pieces;  /* of all, and of those that were split from others */
    struct tree unsacked;    /* records that the peer is not known to hold, in sequence order */
    struct list sent, lost;
    uint64_t sacked_bytes; /* sequence space held by the peer above snd_una */
    uint64_t lost_bytes;   /* sequence space that waits to be sent again */
};

/* Sequence numbers the record takes. */
static inline uint32_t tx_record_span(const struct tx_record *r) { return r->len + r->syn + r->fin; }
static inline uint64_t tx_record_end(const struct tx_record *r) { return r->ssn + tx_record_span(r); }

void txq_init(struct txq *q, struct pool *pool, struct account *account);
/* Drops every record and its references. */
void txq_destroy(struct txq *q);

static inline struct tx_record *txq_oldest(const struct txq *q)
{
    return q->count ? LIST_ENTRY(q->records.next, struct tx_record, order) : NULL;
}
static inline struct tx_record *txq_newest(const struct txq *q)
{
    return q->count ? LIST_ENTRY(q->records.prev, struct tx_record, order) : NULL;
}
/* The neighbours of a record, or NULL. */
static inline struct tx_record *txq_after(const struct txq *q, const struct tx_record *r)
{
    return r->order.next == &q->records ? NULL : LIST_ENTRY(r->order.next, struct tx_record, order);
}
static inline struct tx_record *txq_before(const struct txq *q, const struct tx_record *r)
{
    return r->order.prev == &q->records ? NULL : LIST_ENTRY(r->order.prev, struct tx_record, order);
}

/* Walks all records in sequence order. */
#define TXQ_EACH(r, q) for (const struct tx_record *r = txq_oldest(q); r; r = txq_after(q, r))

/* A zeroed record at the end of the queue, on the `sent` list; NULL when the pool or memory is out. The caller fills it
 * in; slices it stores bring a reference each. */
struct tx_record *txq_append(struct txq *q, uint64_t ssn);

/* Of the records that the peer is not known to hold, the one that contains `ssn`, or the first one after it; NULL when
 * there is none. O(log n). */
struct tx_record *txq_find_unsacked(const struct txq *q, uint64_t ssn);

/* Splits a record that the peer is not known to hold before sequence number `ssn`, strictly inside its payload; the
 * later part becomes a record behind it, with the same state. Returns 0 or -ENOMEM (nothing changed). O(log n). */
int txq_split(struct txq *q, struct tx_record *r, uint64_t ssn);

/* Takes the oldest record out and frees it. */
void txq_pop(struct txq *q);

/* Shortens the oldest record by `bytes` of payload, fewer than it has, at the front: they were acknowledged. */
void txq_trim_oldest(struct txq *q, uint32_t bytes);

/* State changes that keep lists, tree and sums right. */

/* The peer holds [start, end) of a record that it was not known to hold: what is left of that stays, and the rest is
 * one with what it holds of the same record already, so that the record may be no more. Returns 0, -ENOMEM, or -ENOBUFS
 * with too many pieces: then it is not noted. O(log n). */
int txq_mark_sacked(struct txq *q, struct tx_record *r, uint64_t start, uint64_t end);
void txq_mark_lost(struct txq *q, struct tx_record *r);
/* One that is not sacked leaves. */
void txq_mark_sent(struct txq *q, struct tx_record *r, uint64_t now_ns);
/* What was deemed lost and not sent again since was not lost after all. */
void txq_unmark_lost(struct txq *q);
/* Marks all that the peer does not hold lost, in sequence order. With `forget_sacks`, what it said it holds as well: it
 * may have reneged (RFC 2018 8). */
void txq_mark_all_lost(struct txq *q, bool forget_sacks);

#endif
