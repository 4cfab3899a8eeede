#include "mptcp/sendq.h"

#include <string.h>

#include "base/check.h"

#define RING_CAPACITY_MIN 8

/*
 * What makes finding a byte a division: the first chunk's slice begins exactly at `una` (acknowledged bytes are trimmed
 * off), every chunk but the last is filled to its buffer's end, and all buffers of a pool are equally large.
 */

static struct slice *chunk_at(const struct sendq *q, uint32_t i) { return &q->ring[(q->head + i) & (q->capacity - 1)]; }

static uint32_t held(const struct sendq *q) { return (uint32_t)dsn_diff(q->end, q->una); }

/* Bytes of the chunk's buffer behind those in use. */
static uint32_t chunk_space(const struct slice *chunk)
{
    uint32_t used = (uint32_t)(chunk->data - hawser_buf_data(chunk->buf)) + chunk->len;
    return hawser_buf_capacity(chunk->buf) - used;
}

void sendq_init(struct sendq *q, const struct hawser_env *env, struct hawser_buf_pool *chunks, dsn64 first,
                uint32_t limit)
{
    *q = (struct sendq){.env = env, .chunks = chunks, .limit = limit, .una = first, .end = first};
}

static void drop_first_chunk(struct sendq *q)
{
    hawser_buf_unref(chunk_at(q, 0)->buf);
    q->head = (q->head + 1) & (q->capacity - 1);
    q->count--;
}

void sendq_destroy(struct sendq *q)
{
    while (q->count)
        drop_first_chunk(q);
    if (q->ring)
        q->env->free(q->env->ctx, q->ring);
    q->ring = NULL;
    q->head = q->capacity = 0;
    q->una = q->end;
}

void sendq_rebase(struct sendq *q, dsn64 una)
{
    q->end = dsn_add(una, held(q));
    q->una = una;
}

static bool ring_make_room(struct sendq *q)
{
    if (q->count < q->capacity)
        return true;
    uint32_t capacity = q->capacity ? 2 * q->capacity : RING_CAPACITY_MIN;
    struct slice *ring = q->env->alloc(q->env->ctx, capacity * sizeof *ring);
    if (!ring)
        return false;
    for (uint32_t i = 0; i < q->count; i++)
        ring[i] = *chunk_at(q, i);
    if (q->ring)
        q->env->free(q->env->ctx, q->ring);
    q->ring = ring;
    q->head = 0;
    q->capacity = capacity;
    return true;
}

/* The chunk that takes the next byte, or NULL when there is no memory for one. */
static struct slice *chunk_to_fill(struct sendq *q)
{
    if (q->count && chunk_space(chunk_at(q, q->count - 1)))
        return chunk_at(q, q->count - 1);
    if (!ring_make_room(q))
        return NULL;
    struct hawser_buf *buf = hawser_buf_new(q->chunks);
    if (!buf)
        return NULL;
    struct slice *chunk = chunk_at(q, q->count++);
    *chunk = (struct slice){buf, hawser_buf_data(buf), 0};
    return chunk;
}

size_t sendq_write(struct sendq *q, const void *data, size_t len)
{
    const uint8_t *from = data;
    size_t wanted = HW_MIN(len, sendq_room(q));
    size_t taken = 0;
    while (taken < wanted) {
        struct slice *chunk = chunk_to_fill(q);
        if (!chunk)
            break;
        uint32_t space = chunk_space(chunk);
        uint32_t n = (uint32_t)HW_MIN(wanted - taken, space);
        memcpy(hawser_buf_data(chunk->buf) + (hawser_buf_capacity(chunk->buf) - space), from + taken, n);
        chunk->len += n;
        taken += n;
    }
    q->end = dsn_add(q->end, taken);
    return taken;
}

uint32_t sendq_room(const struct sendq *q) { return q->limit > held(q) ? q->limit - held(q) : 0; }

void sendq_ack(struct sendq *q, dsn64 upto)
{
    CHECK(dsn_le(q->una, upto) && dsn_le(upto, q->end));
    uint32_t acked = (uint32_t)dsn_diff(upto, q->una);
    q->una = upto;
    while (acked) {
        struct slice *first = chunk_at(q, 0);
        if (acked < first->len) {
            *first = slice_sub(*first, acked, first->len - acked);
            return;
        }
        acked -= first->len;
        drop_first_chunk(q);
    }
}

uint32_t sendq_peek(const struct sendq *q, dsn64 from, uint32_t len, struct slice *out, unsigned max, unsigned *parts)
{
    CHECK(dsn_le(q->una, from) && dsn_le(from, q->end));
    *parts = 0;
    len = HW_MIN(len, (uint32_t)dsn_diff(q->end, from));
    if (!len)
        return 0;
    uint32_t index = 0, offset = (uint32_t)dsn_diff(from, q->una);
    if (offset >= chunk_at(q, 0)->len) {
        uint32_t chunk_size = hawser_buf_capacity(chunk_at(q, 0)->buf);
        offset -= chunk_at(q, 0)->len;
        index = 1 + offset / chunk_size;
        offset %= chunk_size;
    }
    uint32_t covered = 0;
    while (covered < len && *parts < max) {
        const struct slice *chunk = chunk_at(q, index++);
        uint32_t n = HW_MIN(len - covered, chunk->len - offset);
        out[(*parts)++] = slice_sub(*chunk, offset, n);
        covered += n;
        offset = 0;
    }
    return covered;
}
