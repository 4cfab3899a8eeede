/*
 * Data-level reassembly: what arrived on any subflow, by reference, in data sequence order. Contiguous segments form a
 * run; the runs are few (one more than the gaps) and sorted, so that the common arrival, at the end of some run, costs
 * a binary search over the runs and no walk.
 */
#ifndef HW_MPTCP_REASSEMBLY_H
#define HW_MPTCP_REASSEMBLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/pool.h"
#include "base/seq.h"

/* Most gaps a peer can open unless more are allowed; beyond that the newest arrival is refused. */
#define REASSEMBLY_GAPS_MIN 1024u

struct reassembly_run;

struct reassembly {
    struct pool *nodes;          /* borrowed: pool of objects of reassembly_node_size() bytes */
    struct account *account;     /* borrowed; what is held is charged to it, nodes and runs too */
    struct reassembly_run *runs; /* sorted by dsn; runs[0] holds what is readable when it starts at `read_next` */
    uint32_t run_count, run_capacity;
    dsn64 read_next;                 /* the next byte the application will read */
    uint32_t held;                   /* bytes stored, readable or not */
    uint32_t node_count, node_limit; /* pieces that the bytes lie in, and the most of them; set the limit after init */
    uint32_t gap_limit;              /* likewise */
    uint64_t duplicate_bytes;        /* bytes that were there already */
};

size_t reassembly_node_size(void);

void reassembly_init(struct reassembly *r, struct pool *nodes, struct account *account, dsn64 first);
void reassembly_destroy(struct reassembly *r);

/* Gives back the memory of an empty queue. */
void reassembly_idle(struct reassembly *r);

/* Renumbers an empty queue. */
void reassembly_rebase(struct reassembly *r, dsn64 first);

/*
 * Stores `bytes`, which begin at `dsn`, but for the parts that are already held or read: what is new is referenced
 * (bytes.buf must not be NULL). Returns the number of new bytes, 0 when all was known, or -ENOBUFS when the node pool
 * or the limits of gaps or pieces refused some (then nothing is stored). The caller has checked the receive window.
 * What is not in order may take half of the pieces, so that what closes the gaps always finds one.
 */
int64_t reassembly_insert(struct reassembly *r, dsn64 dsn, struct slice bytes);

/* How many of `len` bytes from `dsn` on were read or are readable: they come once more. */
uint32_t reassembly_skip(struct reassembly *r, dsn64 dsn, uint32_t len);

/* What one more piece behind a gap costs, beside its bytes. */
uint64_t reassembly_piece_cost(const struct reassembly *r);

/* Drops all that is not in order. */
void reassembly_drop_disorder(struct reassembly *r);

/* Is anything held behind a gap? */
bool reassembly_has_gaps(const struct reassembly *r);

/* One past the last byte in order: what a DATA_ACK says. */
dsn64 reassembly_next(const struct reassembly *r);

/* Bytes the application can read now. */
uint32_t reassembly_readable(const struct reassembly *r);

/* Points `parts` at readable bytes, in order; returns how many parts were set. */
size_t reassembly_peek(const struct reassembly *r, struct hawser_part *parts, size_t max);

/* Likewise the slices they lie in; takes no references. */
size_t reassembly_pieces(const struct reassembly *r, struct slice *pieces, size_t max);

/* Takes `len` readable bytes off, dropping the references. */
void reassembly_consume(struct reassembly *r, uint32_t len);

/* Copies and consumes up to `len` bytes; returns how many. */
size_t reassembly_read(struct reassembly *r, void *dst, size_t len);

#endif
