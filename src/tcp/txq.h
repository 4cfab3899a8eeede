/*
 * The transmit queue of a subflow: one record for each run of sequence space that was sent and not yet acknowledged.
 * A record names bytes by reference, it does not hold them. The records are kept in sequence order for lookup, and
 * each is on one of two lists: `sent`, in order of its last transmission, or `lost`, waiting to be sent again. A record
 * that the peer holds (SACK) is on neither.
 *
 * Sequence numbers are relative subflow sequence numbers extended to 64 bits (see tcp.h).
 */
#ifndef HW_TCP_TXQ_H
#define HW_TCP_TXQ_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/iset.h"
#include "base/list.h"
#include "base/pool.h"

/* Most ranges that the peer may hold beyond what it acknowledged; what would be one more counts as not held. */
#define TXQ_SACKED_MAX 1024
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
    struct list link; /* in `sent` or `lost`, or alone */
    uint64_t ssn;     /* first sequence number */
    uint64_t sent_ns; /* last transmission */
    uint32_t len;     /* payload bytes */
    bool syn, fin;    /* each takes one sequence number */
    bool sacked, lost, retransmitted;
    bool probe; /* one packet, larger than others, to learn whether such a one arrives */
    struct tx_note note;
    struct slice parts[TX_RECORD_PARTS];
};

struct txq {
    struct pool *pool;       /* of struct tx_record; borrowed */
    struct account *account; /* pays for the records and the ring; borrowed */
    struct tx_record **ring; /* power-of-two ring of records in sequence order */
    uint32_t head, count, capacity;
    struct list sent, lost;
    struct iset sacked;    /* sequence numbers of the records that the peer holds */
    uint64_t sacked_bytes; /* sequence space held by the peer above snd_una */
    uint64_t lost_bytes;   /* sequence space that waits to be sent again */
};

/* Sequence numbers the record takes. */
static inline uint32_t tx_record_span(const struct tx_record *r) { return r->len + r->syn + r->fin; }
static inline uint64_t tx_record_end(const struct tx_record *r) { return r->ssn + tx_record_span(r); }

void txq_init(struct txq *q, struct pool *pool, struct account *account);
/* Drops every record and its references. */
void txq_destroy(struct txq *q);

static inline struct tx_record *txq_at(const struct txq *q, uint32_t i)
{
    return q->ring[(q->head + i) & (q->capacity - 1)];
}
static inline struct tx_record *txq_oldest(const struct txq *q) { return q->count ? txq_at(q, 0) : NULL; }
static inline struct tx_record *txq_newest(const struct txq *q) { return q->count ? txq_at(q, q->count - 1) : NULL; }

/* A zeroed record at the end of the queue, on the `sent` list; NULL when the pool or memory is out. The caller fills it
 * in; slices it stores bring a reference each. */
struct tx_record *txq_append(struct txq *q, uint64_t ssn);

/* Index of the record that contains `ssn`, or of the first one after it; `count` when there is none. O(log n). */
uint32_t txq_find(const struct txq *q, uint64_t ssn);

/* Splits record `i` before sequence number `ssn`, strictly inside its payload; the later part becomes record i + 1 with
 * the same state. Returns 0 or -ENOMEM (nothing changed). */
int txq_split(struct txq *q, uint32_t i, uint64_t ssn);

/* Takes the oldest record out and frees it; a txq_acknowledged() follows. */
void txq_pop(struct txq *q);

/* All before `ssn` was acknowledged and taken out. */
static inline void txq_acknowledged(struct txq *q, uint64_t ssn) { iset_remove_below(&q->sacked, ssn); }

/* Shortens the oldest record by `bytes` of payload, fewer than it has, at the front: they were acknowledged. */
void txq_trim_oldest(struct txq *q, uint32_t bytes);

/* State changes that keep lists and sums right. 0, or -ENOBUFS: one range too many, nothing changed. */
int txq_mark_sacked(struct txq *q, struct tx_record *r);
void txq_mark_lost(struct txq *q, struct tx_record *r);
void txq_mark_sent(struct txq *q, struct tx_record *r, uint64_t now_ns);
/* What was deemed lost and not sent again since was not lost after all. */
void txq_unmark_lost(struct txq *q);
/* Marks all that the peer does not hold lost, in sequence order. With `forget_sacks`, what it said it holds as well: it
 * may have reneged (RFC 2018 8). */
void txq_mark_all_lost(struct txq *q, bool forget_sacks);

#endif
