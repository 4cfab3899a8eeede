/* How much leaves during fast recovery (proportional rate reduction, RFC 6937): in proportion to what arrives, until as
 * little is under way as the congestion controller wants. Bytes throughout. */
#ifndef HW_TCP_PRR_H
#define HW_TCP_PRR_H

#include <stdint.h>

struct prr {
    uint64_t delivered, out; /* since recovery began: to the peer, and by us */
    uint32_t flight;         /* outstanding when it began (RecoverFS) */
};

void prr_begin(struct prr *p, uint32_t flight);

/* So many bytes left. */
static inline void prr_sent(struct prr *p, uint32_t bytes) { p->out += bytes; }

/* An acknowledgement delivered `delivered` more; `pipe` are under way. Returns how many may leave now. */
uint32_t prr_allowance(struct prr *p, uint32_t delivered, uint32_t pipe, uint32_t ssthresh, uint32_t segment_bytes);

#endif
