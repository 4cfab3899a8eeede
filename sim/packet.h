/*
 * A packet on its way through the simulated network: a descriptor and the bytes, together in one reference-counted
 * buffer, so that the stack which receives it keeps the bytes by reference.
 */
#ifndef HW_SIM_PACKET_H
#define HW_SIM_PACKET_H

#include <stdbool.h>
#include <stdint.h>

#include <hawser/packet.h>

#include "base/list.h"

struct packet {
    struct list link; /* in whatever holds it */
    struct hawser_buf *buf;
    uint8_t *data;         /* from the first byte of the IP header */
    uint32_t len;          /* bytes */
    uint32_t room;         /* bytes that fit at `data` */
    bool checksum_pending; /* nobody touched it since it left its host: the TCP checksum need not be computed */
    bool damaged;          /* by a lane that corrupts, with a checksum that tells */
    uint64_t at_ns;        /* when it leaves where it is */
    uint64_t queued_ns;    /* when it was queued */
    uint64_t digest;       /* of its bytes, for the trace hash */
};

/* Bytes of a pool's buffers for packets of up to `room` bytes. */
uint32_t packet_buffer_bytes(uint32_t room);

/* An empty packet, or NULL when the pool is at its limit. */
struct packet *packet_new(struct hawser_buf_pool *pool);
void packet_free(struct packet *packet);

/* One wire segment of a stack's output, its checksum pending. NULL like packet_new(). */
struct packet *packet_from_tx(struct hawser_buf_pool *pool, const struct hawser_tx *tx);

struct packet *packet_copy(struct hawser_buf_pool *pool, const struct packet *packet);

/* Before anything but a host looks at the checksum or changes a byte: makes the checksum a real one. */
void packet_settle(struct packet *packet);

/* After bytes were changed: computes IP (version 4) and TCP checksums anew, as a middlebox that rewrites must. The TCP
 * checksum of a damaged packet stays wrong: real boxes correct it by the difference that they make. */
void packet_rewritten(struct packet *packet);

/* "Congestion experienced" on an ECN-capable packet (RFC 3168 5); false when it is not capable. */
bool packet_mark_ce(struct packet *packet);

#endif
