/*
 * The data-level send queue: the application's bytes, once, in reference-counted chunks in data sequence order, from
 * the oldest the peer has not acknowledged at the data level to the newest queued. Knows nothing of subflows.
 */
#ifndef HW_MPTCP_SENDQ_H
#define HW_MPTCP_SENDQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/seq.h"
#include "base/store.h"

/* The part of a buffer that is in use. */
struct sendq_chunk {
    struct slice bytes;
    dsn64 start; /* number of its first byte */
};

struct sendq {
    struct store *store;      /* borrowed; of all connections of a stack */
    struct account *account;  /* borrowed; what is queued is charged to it */
    struct sendq_chunk *ring; /* oldest first: a growing power-of-two ring, while anything is queued */
    uint32_t head, count, capacity;
    uint32_t limit; /* most bytes held */
    dsn64 una;      /* first byte held */
    dsn64 end;      /* one past the last byte held */
};

/* An empty queue whose first byte will have number `first`. */
void sendq_init(struct sendq *q, struct store *store, struct account *account, dsn64 first, uint32_t limit);
void sendq_destroy(struct sendq *q);

/* Copies up to `len` bytes to the end, filling the last chunk before taking a new one. Returns how many were taken:
 * less at the limit, or when there is no memory. Few bytes lie in small buffers. */
size_t sendq_write(struct sendq *q, const void *data, size_t len);

/* Likewise, but the bytes are not copied where that is worth it: where they are STORE_VIEW_MIN and a quarter of the
 * buffer they lie in, which is charged as a whole, or that buffer is that of the last ones queued; unless memory is
 * short. */
size_t sendq_write_slice(struct sendq *q, struct slice bytes);

/* Bytes that sendq_write() would take by the limit alone. */
uint32_t sendq_room(const struct sendq *q);

/* The peer holds everything below `upto`: chunks wholly below it lose this queue's reference. `upto` beyond the end or
 * before `una` is a caller's bug. */
void sendq_ack(struct sendq *q, dsn64 upto);

/*
 * Points `out[0..max)` at the bytes from `from` on, at most `len` of them. Returns the number of bytes covered, which
 * is less than asked at the end of the queue or when more than `max` chunks would be needed; *parts says how many
 * slices were set. No references are taken. `from` must lie in [una, end]. O(log chunks).
 */
uint32_t sendq_peek(const struct sendq *q, dsn64 from, uint32_t len, struct slice *out, unsigned max, unsigned *parts);

#endif
