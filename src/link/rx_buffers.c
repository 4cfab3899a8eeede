#include "link/rx_buffers.h"

#include "base/check.h"

/* Packets begin on a cache line of their own. */
enum { RX_ALIGN = 64 };

void rx_buffers_init(struct rx_buffers *r, struct hawser_buf_pool *pool)
{
    r->pool = pool;
    r->open = NULL;
    r->offset = 0;
    r->lent_count = 0;
    r->spare_used = false;
}

void rx_buffers_destroy(struct rx_buffers *r)
{
    rx_buffers_release(r);
    if (r->open)
        hawser_buf_unref(r->open);
    r->open = NULL;
}

uint8_t *rx_buffers_room(struct rx_buffers *r, struct hawser_buf **buf)
{
    if (r->open && hawser_buf_capacity(r->open) - r->offset < LINK_PACKET_MAX) {
        hawser_buf_unref(r->open);
        r->open = NULL;
    }
    if (!r->open) {
        r->open = hawser_buf_new(r->pool);
        r->offset = 0;
    }
    *buf = r->open;
    if (r->open)
        return hawser_buf_data(r->open) + r->offset;
    return r->spare_used ? NULL : r->spare;
}

void rx_buffers_commit(struct rx_buffers *r, struct hawser_buf *buf, uint32_t len)
{
    if (!buf) {
        r->spare_used = true;
        return;
    }
    CHECK(buf == r->open && r->lent_count < LINK_BATCH);
    r->lent[r->lent_count++] = hawser_buf_ref(buf);
    uint32_t capacity = hawser_buf_capacity(buf);
    uint32_t end = r->offset + (len + RX_ALIGN - 1) / RX_ALIGN * RX_ALIGN;
    r->offset = end < capacity ? end : capacity;
}

void rx_buffers_release(struct rx_buffers *r)
{
    for (uint32_t i = 0; i < r->lent_count; i++)
        hawser_buf_unref(r->lent[i]);
    r->lent_count = 0;
    r->spare_used = false;
}
