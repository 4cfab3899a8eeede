#include "mptcp/sendq.h"

#include <string.h>

#include "base/check.h"

#define RING_CAPACITY_MIN 8

/* The first chunk begins exactly at `una`: acknowledged bytes are trimmed off. */

static struct sendq_chunk *chunk_at(const struct sendq *q, uint32_t i)
{
    return &q->ring[(q->head + i) & (q->capacity - 1)];
}

static struct slice *last_chunk(const struct sendq *q) { return q->count ? &chunk_at(q, q->count - 1)->bytes : NULL; }

static uint32_t held(const struct sendq *q) { return (uint32_t)dsn_diff(q->end, q->una); }

/* Bytes of the chunk's buffer behind those in use. */
static uint32_t chunk_space(const struct slice *chunk)
{
    if (!buf_is_view_of(chunk->buf, NULL))
        return 0;
    uint32_t used = (uint32_t)(chunk->data - hawser_buf_data(chunk->buf)) + chunk->len;
    return hawser_buf_capacity(chunk->buf) - used;
}

void sendq_init(struct sendq *q, struct store *store, struct account *account, dsn64 first, uint32_t limit)
{
    *q = (struct sendq){.store = store, .account = account, .limit = limit, .una = first, .end = first};
}

/* The buffer itself is charged for as long as anybody refers to it. */
static void drop_first_chunk(struct sendq *q)
{
    hawser_buf_unref(chunk_at(q, 0)->bytes.buf);
    q->head = (q->head + 1) & (q->capacity - 1);
    q->count--;
}

static void drop_ring(struct sendq *q)
{
    account_free(q->account, q->ring, q->capacity * sizeof *q->ring);
    q->ring = NULL;
    q->head = q->capacity = 0;
}

void sendq_destroy(struct sendq *q)
{
    while (q->count)
        drop_first_chunk(q);
    drop_ring(q);
    q->una = q->end;
}

static bool ring_make_room(struct sendq *q)
{
    if (q->count < q->capacity)
        return true;
    uint32_t capacity = q->capacity ? 2 * q->capacity : RING_CAPACITY_MIN;
    struct sendq_chunk *ring = account_alloc(q->account, capacity * sizeof *ring, CLAIM_OWED);
    if (!ring)
        return false;
    for (uint32_t i = 0; i < q->count; i++)
        ring[i] = *chunk_at(q, i);
    drop_ring(q);
    q->ring = ring;
    q->capacity = capacity;
    return true;
}

static struct slice *append_chunk(struct sendq *q, struct slice bytes)
{
    struct sendq_chunk *chunk = chunk_at(q, q->count++);
    *chunk = (struct sendq_chunk){bytes, q->end};
    return &chunk->bytes;
}

/* The chunk that takes the next of `len` bytes, or NULL when there is no memory for one. */
static struct slice *chunk_to_fill(struct sendq *q, size_t len)
{
    struct slice *last = last_chunk(q);
    if (last && chunk_space(last))
        return last;
    if (!ring_make_room(q))
        return NULL;
    struct hawser_buf *buf = store_take(q->store, q->account, held(q) + len, CLAIM_NEED);
    return buf ? append_chunk(q, (struct slice){buf, hawser_buf_data(buf), 0}) : NULL;
}

size_t sendq_write(struct sendq *q, const void *data, size_t len)
{
    const uint8_t *from = data;
    size_t wanted = HW_MIN(len, sendq_room(q));
    size_t taken = 0;
    while (taken < wanted) {
        struct slice *chunk = chunk_to_fill(q, wanted - taken);
        if (!chunk)
            break;
        uint32_t space = chunk_space(chunk);
        uint32_t n = (uint32_t)HW_MIN(wanted - taken, space);
        memcpy(hawser_buf_data(chunk->buf) + (hawser_buf_capacity(chunk->buf) - space), from + taken, n);
        chunk->len += n;
        taken += n;
        q->end = dsn_add(q->end, n);
    }
    if (!q->count)
        drop_ring(q);
    return taken;
}

/* Bytes that follow the last ones queued in memory, too. */
static bool lengthen_last(struct slice *last, struct slice bytes)
{
    if (!last || !buf_is_view_of(last->buf, bytes.buf) || last->data + last->len != bytes.data)
        return false;
    last->len += bytes.len;
    return true;
}

/* The buffer by which they are queued, with a reference; NULL: they are to be copied. */
static struct hawser_buf *view_for(struct sendq *q, const struct slice *last, struct slice bytes)
{
    if (bytes.len < STORE_VIEW_MIN)
        return NULL;
    if (last && buf_is_view_of(last->buf, bytes.buf))
        return hawser_buf_ref(last->buf);
    if (4 * (uint64_t)bytes.len < hawser_buf_capacity(bytes.buf) || buf_is_scarce(bytes.buf))
        return NULL;
    return store_take_view(q->store, q->account, bytes.buf, CLAIM_NEED);
}

size_t sendq_write_slice(struct sendq *q, struct slice bytes)
{
    bytes.len = HW_MIN(bytes.len, sendq_room(q));
    if (bytes.len == 0)
        return 0;
    if (!lengthen_last(last_chunk(q), bytes)) {
        struct hawser_buf *view = ring_make_room(q) ? view_for(q, last_chunk(q), bytes) : NULL;
        if (!view)
            return sendq_write(q, bytes.data, bytes.len);
        (void)append_chunk(q, (struct slice){view, bytes.data, bytes.len});
    }
    q->end = dsn_add(q->end, bytes.len);
    return bytes.len;
}

uint32_t sendq_room(const struct sendq *q) { return q->limit > held(q) ? q->limit - held(q) : 0; }

void sendq_ack(struct sendq *q, dsn64 upto)
{
    CHECK(dsn_le(q->una, upto) && dsn_le(upto, q->end));
    uint32_t acked = (uint32_t)dsn_diff(upto, q->una);
    q->una = upto;
    while (acked) {
        struct sendq_chunk *first = chunk_at(q, 0);
        if (acked < first->bytes.len) {
            first->bytes = slice_sub(first->bytes, acked, first->bytes.len - acked);
            first->start = upto;
            return;
        }
        acked -= first->bytes.len;
        drop_first_chunk(q);
    }
    if (!q->count)
        drop_ring(q);
}

/* The chunk that holds byte `at`, which is queued. */
static uint32_t find_chunk(const struct sendq *q, dsn64 at)
{
    uint32_t low = 0, high = q->count;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (dsn_le(chunk_at(q, middle)->start, at))
            low = middle;
        else
            high = middle;
    }
    return low;
}

uint32_t sendq_peek(const struct sendq *q, dsn64 from, uint32_t len, struct slice *out, unsigned max, unsigned *parts)
{
    CHECK(dsn_le(q->una, from) && dsn_le(from, q->end));
    *parts = 0;
    len = HW_MIN(len, (uint32_t)dsn_diff(q->end, from));
    if (!len)
        return 0;
    uint32_t index = find_chunk(q, from), offset = (uint32_t)dsn_diff(from, chunk_at(q, index)->start), covered = 0;
    while (covered < len && *parts < max) {
        const struct slice *chunk = &chunk_at(q, index++)->bytes;
        uint32_t n = HW_MIN(len - covered, chunk->len - offset);
        out[(*parts)++] = slice_sub(*chunk, offset, n);
        covered += n;
        offset = 0;
    }
    return covered;
}
