/* A sender reduced to its window: rounds of acknowledgements for everything in flight, without loss. */
#ifndef HW_TESTS_CC_FLOW_H
#define HW_TESTS_CC_FLOW_H

#include "base/compiler.h"
#include "base/units.h"
#include "cc/cc.h"
#include "cc/growth.h"

struct flow {
    struct cc cc;
    uint64_t memory[CC_PRIVATE_WORDS];
    uint64_t now_ns, rtt_ns;
    uint32_t ack_bytes; /* what one acknowledgement covers */
    bool app_limited;
};

static inline void flow_init(struct flow *f, const struct cc_ops *ops, uint32_t mss, uint64_t rtt_ns)
{
    *f = (struct flow){.now_ns = 5 * NS_PER_S, .rtt_ns = rtt_ns, .ack_bytes = 2 * mss};
    cc_init(&f->cc, ops, mss);
    cc_resume(&f->cc, f->memory);
}

static inline void flow_ack(struct flow *f, uint32_t acked, bool round_start)
{
    struct cc_ack ack = {
        .now_ns = f->now_ns,
        .acked = acked,
        .in_flight = f->cc.cwnd,
        .rtt_ns = f->rtt_ns,
        .srtt_ns = f->rtt_ns,
        .min_rtt_ns = f->rtt_ns,
        .cwnd_limited = !f->app_limited,
        .round_start = round_start,
    };
    f->cc.ops->on_ack(&f->cc, &ack);
}

/* One round trip: a window's worth of acknowledgements, evenly spread. */
static inline void flow_round(struct flow *f)
{
    uint64_t start_ns = f->now_ns;
    uint32_t window = f->cc.cwnd;
    for (uint32_t done = 0; done < window;) {
        uint32_t acked = HW_MIN(f->ack_bytes, window - done);
        bool round_start = done == 0;
        done += acked;
        f->now_ns = start_ns + f->rtt_ns * done / window;
        flow_ack(f, acked, round_start);
    }
}

static inline void flow_loss(struct flow *f) { f->cc.ops->on_loss(&f->cc, f->now_ns, f->cc.cwnd); }
static inline void flow_timeout(struct flow *f) { f->cc.ops->on_timeout(&f->cc, f->now_ns, f->cc.cwnd); }

/* Puts the flow into congestion avoidance by a loss with `segments` in the window. */
static inline void flow_settle(struct flow *f, uint32_t segments)
{
    f->cc.cwnd = segments * f->cc.mss;
    flow_loss(f);
}

#endif
