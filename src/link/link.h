/*
 * A link: where packets come from and go to. One table of functions; links compose as wrappers (a recorder around a
 * tun device). The host drives a link like this: receive, use the packets, release; transmit.
 */
#ifndef HW_LINK_LINK_H
#define HW_LINK_LINK_H

#include <stddef.h>
#include <stdint.h>

#include <hawser/packet.h>

/* Packets a link hands out between two calls of link_release(). */
enum { LINK_BATCH = 64 };

/* The largest packet that can arrive: an IPv6 header and the most its payload length can say. */
enum { LINK_PACKET_MAX = 40 + 65535 };

/* Name and public counter. */
#define LINK_COUNTERS(X)                                                                                               \
    X(rx_packets, "link.packets_in")                                                                                   \
    X(rx_bytes, "link.bytes_in")                                                                                       \
    X(tx_packets, "link.packets_out")                                                                                  \
    X(tx_bytes, "link.bytes_out")                                                                                      \
    X(rx_unpooled, "link.receive_pool_empty")                                                                          \
    X(rx_foreign, "drop.link_foreign_source")                                                                          \
    X(rx_errors, "drop.link_receive_error")                                                                            \
    X(tx_full, "drop.link_full")                                                                                       \
    X(tx_too_big, "drop.link_packet_too_big")                                                                          \
    X(tx_errors, "drop.link_transmit_error")                                                                           \
    X(not_recorded, "link.packets_not_recorded")

/* A super-segment counts as one packet. */
struct link_counters {
#define LINK_COUNTER_FIELD(id, name) uint64_t id;
    LINK_COUNTERS(LINK_COUNTER_FIELD)
#undef LINK_COUNTER_FIELD
};

struct link;

struct link_ops {
    /*
     * Fills up to `max` (at most LINK_BATCH) packets and returns how many, 0 when none wait, or -ENODEV when the link
     * is gone for good. The bytes are valid until release(). A packet whose `buf` is NULL came while the receive pool
     * was empty: held packets must not keep new ones, the acknowledgements among them, from coming in.
     */
    int (*receive)(struct link *link, struct hawser_rx *out, size_t max, uint64_t now_ns);

    /* Takes back the packets of the last receive(). */
    void (*release)(struct link *link);

    /* Sends `count` packets; what the link has no room for is dropped and counted, as on any network. Returns how many
     * left, or -ENODEV when the link is gone for good. */
    int (*transmit)(struct link *link, const struct hawser_tx *packets, size_t count, uint64_t now_ns);

    void (*destroy)(struct link *link);
};

/* The head of every link. */
struct link {
    const struct link_ops *ops;
    int fd;             /* polls readable while packets wait */
    uint32_t mtu;       /* bytes of an IP packet on the wire */
    uint32_t gso_bytes; /* largest payload of a super-segment; 0: it takes wire segments only */
    struct link_counters counters;
};

static inline int link_receive(struct link *link, struct hawser_rx *out, size_t max, uint64_t now_ns)
{
    return link->ops->receive(link, out, max, now_ns);
}

static inline void link_release(struct link *link) { link->ops->release(link); }

static inline int link_transmit(struct link *link, const struct hawser_tx *packets, size_t count, uint64_t now_ns)
{
    return link->ops->transmit(link, packets, count, now_ns);
}

static inline void link_destroy(struct link *link) { link->ops->destroy(link); }

#endif
