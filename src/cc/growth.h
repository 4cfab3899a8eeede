/* Steps that more than one controller takes. */
#ifndef HW_CC_GROWTH_H
#define HW_CC_GROWTH_H

#include "cc/cc.h"

static inline void cwnd_grow(struct hawser_flow *cc, uint64_t bytes)
{
    cc->cwnd_bytes = (uint32_t)HW_MIN((uint64_t)cc->cwnd_bytes + bytes, CWND_MAX);
}

/* Grows by what was acknowledged, up to ssthresh; returns the bytes left over for congestion avoidance. RFC 3465 2.2:
 * by two segments at most, lest the window that opens at once leave as a burst; where it is paced it does not. */
static inline uint32_t slow_start(struct hawser_flow *cc, uint32_t acked)
{
    uint32_t room = cc->ssthresh_bytes - cc->cwnd_bytes, step = HW_MIN(acked, room);
    uint32_t most = cc_is_paced(cc) ? UINT32_MAX : 2 * cc->segment_bytes;
    cwnd_grow(cc, HW_MIN(step, most));
    return acked - step;
}

static inline uint32_t at_least_segments(const struct hawser_flow *cc, uint64_t bytes, uint32_t segments)
{
    return (uint32_t)HW_MIN(HW_MAX(bytes, (uint64_t)segments * cc->segment_bytes), CWND_MAX);
}

#endif
