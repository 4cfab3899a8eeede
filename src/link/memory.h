/* An in-process pair of links: what one end transmits, the other receives. */
#ifndef HW_LINK_MEMORY_H
#define HW_LINK_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

#include "link/link.h"

struct memory_options {
    uint32_t mtu;           /* larger wire segments are dropped and counted */
    uint32_t queue_packets; /* each direction; further ones are dropped and counted */
    uint32_t queue_bytes;   /* likewise */
    bool gso;               /* super-segments pass whole, checksums stay partial; else both are done in software */
};

/*
 * Makes the two ends. Queues come from `env` (which must outlive both), received packets from the receiving end's pool
 * (buffers of at least LINK_PACKET_MAX bytes; borrowed). An end's fd polls readable while packets wait there. The ends
 * are destroyed one by one, in any order; what is sent to a missing end is dropped and counted.
 * Returns 0 or a negative errno.
 */
int memory_pair_new(const struct hawser_env *env, const struct memory_options *options, struct hawser_buf_pool *pool_a,
                    struct hawser_buf_pool *pool_b, struct link **a, struct link **b);

#endif
