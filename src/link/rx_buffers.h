/*
 * Room for packets that arrive: several packets share one large buffer of the receive pool, each with a reference of
 * its own. When the pool is empty the link's own spare buffer serves, whose packets nobody may keep.
 */
#ifndef HW_LINK_RX_BUFFERS_H
#define HW_LINK_RX_BUFFERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hawser/packet.h>

#include "link/link.h"

struct rx_buffers {
    struct hawser_buf_pool *pool; /* borrowed; its buffers hold at least LINK_PACKET_MAX bytes */
    struct hawser_buf *open;      /* being filled, or NULL */
    uint32_t offset;              /* of the next packet in `open` */
    uint32_t lent_count;
    struct hawser_buf *lent[LINK_BATCH]; /* one reference for each packet handed out */
    bool spare_used;
    uint8_t spare[LINK_PACKET_MAX];
};

void rx_buffers_init(struct rx_buffers *r, struct hawser_buf_pool *pool);
void rx_buffers_destroy(struct rx_buffers *r);

/* Where the next packet of up to LINK_PACKET_MAX bytes may be written; *buf is its buffer, or NULL for the spare. NULL
 * when the spare is taken too: release first. */
uint8_t *rx_buffers_room(struct rx_buffers *r, struct hawser_buf **buf);

/* The packet of `len` bytes that was written to the room just given now belongs to the batch. */
void rx_buffers_commit(struct rx_buffers *r, struct hawser_buf *buf, uint32_t len);

/* Ends the batch. */
void rx_buffers_release(struct rx_buffers *r);

#endif
