/* Steps that more than one controller takes. */
#ifndef HW_CC_GROWTH_H
#define HW_CC_GROWTH_H

#include "base/compiler.h"
#include "cc/cc.h"

/* No window needs to exceed what sequence space allows in flight (RFC 7323 2.3). */
#define CWND_MAX (UINT32_C(1) << 30)

static inline void cwnd_grow(struct cc *cc, uint64_t bytes)
{
    cc->cwnd = (uint32_t)HW_MIN((uint64_t)cc->cwnd + bytes, CWND_MAX);
}

/* RFC 3465 2.2 with L = 2 applied to each segment acknowledged: grows by what was acknowledged, up to ssthresh; returns
 * the bytes left over for congestion avoidance. */
static inline uint32_t slow_start(struct cc *cc, uint32_t acked)
{
    uint32_t room = cc->ssthresh - cc->cwnd, step = HW_MIN(acked, room);
    cwnd_grow(cc, step);
    return acked - step;
}

static inline uint32_t at_least_segments(const struct cc *cc, uint64_t bytes, uint32_t segments)
{
    return (uint32_t)HW_MIN(HW_MAX(bytes, (uint64_t)segments * cc->mss), CWND_MAX);
}

#endif
