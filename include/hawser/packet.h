/* What passes between a stack and its links: reference-counted buffers, packets in and packets out. */
#ifndef HAWSER_PACKET_H
#define HAWSER_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hawser/env.h>

/*
 * A reference-counted run of bytes. A link that receives reads packets into buffers of its own pool, several
 * packets to a buffer where they fit; the stack holds references while the bytes wait for the application.
 */
struct hawser_buf;
struct hawser_buf_pool;

/*
 * A pool of equal buffers of `cap` bytes each; at most `limit` are alive at once. Buffers given back are kept for
 * reuse. Returns 0 and *out, owned by the caller; -EINVAL when `cap` is above 1 GiB; or -ENOMEM.
 */
HAWSER_API int hawser_buf_pool_new(const struct hawser_env *env, uint32_t cap, uint32_t limit,
                                   struct hawser_buf_pool **out);

/* Ends the owner's hold. Idle buffers are freed now, lent ones when their last reference goes, then the pool. */
HAWSER_API void hawser_buf_pool_close(struct hawser_buf_pool *pool);

/* A buffer with one reference, owned by the caller; NULL when the limit or memory is reached. */
HAWSER_API struct hawser_buf *hawser_buf_new(struct hawser_buf_pool *pool);

/*
 * A buffer whose bytes are the caller's, with one reference: `len` of them (at most 1 GiB) at `data`, which stay there
 * and unchanged until release(ctx) is called, once, when the last reference goes. That is in whatever call drops it,
 * most often one into a stack (an acknowledgement arrived): release() must not call into the stack. It may be NULL.
 * Returns 0 and *out, -EINVAL (no length, or too much), -ENOMEM.
 */
HAWSER_API int hawser_buf_wrap(const struct hawser_env *env, const void *data, uint32_t len, void (*release)(void *ctx),
                               void *ctx, struct hawser_buf **out);

/* References are counted, not locked: a buffer belongs to one thread, and so do its pool and the stacks that use it. */
HAWSER_API struct hawser_buf *hawser_buf_ref(struct hawser_buf *buf);
HAWSER_API void hawser_buf_unref(struct hawser_buf *buf);

/* The buffer's bytes and how many there are. */
HAWSER_API uint8_t *hawser_buf_data(struct hawser_buf *buf);
HAWSER_API uint32_t hawser_buf_capacity(const struct hawser_buf *buf);

/* A run of bytes inside a buffer. */
struct hawser_slice {
    struct hawser_buf *buf;
    const uint8_t *data; /* in the buffer */
    uint32_t len;        /* bytes */
};

/* Flags of a received packet. */
enum {
    /* The TCP checksum need not be verified: the link vouches for it (or it is still partial, never having
     * left the machine). */
    HAWSER_RX_CSUM_OK = 1u << 0,
};

/* One packet in. The bytes and the buffer reference stay the caller's; the stack takes references of its own. */
struct hawser_rx {
    struct hawser_buf *buf; /* holds `data`; NULL: the stack copies what it must keep */
    const uint8_t *data;    /* an IP packet, from its first header byte */
    uint32_t len;           /* bytes, at most 65535 + 40 */
    uint16_t gso_size;      /* payload bytes of each wire segment merged into this one; 0: not merged */
    uint8_t flags;          /* HAWSER_RX_... */
};

/* IPv6 (40) or IPv4 (20) header and the longest TCP header (60), with room to spare. */
#define HAWSER_TX_HEAD 104
/* A segment's payload lies in at most this many pieces. */
#define HAWSER_TX_PARTS 4

struct hawser_part {
    const uint8_t *data;
    uint32_t len;
};

/* Flags of a packet to send. */
enum {
    /* Every checksum in it is complete: it leaves as it is. It need not be TCP (on a door, ICMP errors are not). */
    HAWSER_TX_CSUM_DONE = 1u << 0,
};

/*
 * One packet out: `head` (IP and TCP headers) followed by the payload parts. The parts point into the stack's
 * buffers and are valid until the next call into that stack; a link that keeps a packet longer copies it.
 *
 * Unless HAWSER_TX_CSUM_DONE says otherwise it is TCP, whose checksum field holds the folded, uncomplemented sum of the
 * pseudo-header, as checksum offload expects; hawser_tx_finish_checksum() completes it in software. `payload_len` may
 * exceed one wire segment: then `gso_size` is the payload size of each wire segment but the last, and
 * hawser_tx_segment() cuts it in software.
 */
struct hawser_tx {
    uint8_t head[HAWSER_TX_HEAD];
    uint8_t head_len; /* bytes used in `head` */
    uint8_t l3_len;   /* of which the IP header */
    uint8_t part_count;
    uint8_t link;  /* index of the link this leaves by, as hawser_stack_add_link() numbered it */
    uint8_t flags; /* HAWSER_TX_... */
    struct hawser_part parts[HAWSER_TX_PARTS];
    uint32_t payload_len; /* sum of the parts */
    uint16_t gso_size;    /* 0: one wire segment */
};

/* Computes the TCP checksum over header and payload and stores it in `head`, where it is not complete already. For one
 * wire segment; called again it changes nothing. */
HAWSER_API void hawser_tx_finish_checksum(struct hawser_tx *tx);

/*
 * Cuts the next wire segment from the super-segment `super`: payload bytes [*offset, *offset + gso_size), sequence
 * number, IP length and identification adjusted, FIN and PSH only on the last (CWR only on the first), checksum still
 * partial. Advances *offset (start it at 0). Returns true while it made a segment in `out`; a packet without payload
 * gives exactly one.
 */
HAWSER_API bool hawser_tx_segment(const struct hawser_tx *super, uint32_t *offset, struct hawser_tx *out);

/* Copies head and payload, one after the other, to `dst`, which must hold head_len + payload_len bytes; returns that
 * length. */
HAWSER_API size_t hawser_tx_flatten(const struct hawser_tx *tx, uint8_t *dst);

#endif
