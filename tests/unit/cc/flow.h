/* A sender reduced to its window: rounds of acknowledgements for everything in flight, without loss. */
#ifndef HW_TESTS_CC_FLOW_H
#define HW_TESTS_CC_FLOW_H

#include "base/compiler.h"
#include "base/units.h"
#include "cc/growth.h"

struct flow {
    struct hawser_flow cc;
    uint64_t memory[HAWSER_CONGESTION_STATE_MAX / 8];
    uint64_t now_ns, rtt_ns;
    uint32_t ack_bytes; /* what one acknowledgement covers */
    bool app_limited;
};

static inline void flow_init(struct flow *f, const struct hawser_congestion *ops, uint32_t mss, uint64_t rtt_ns)
{
    *f = (struct flow){.now_ns = 5 * NS_PER_S, .rtt_ns = rtt_ns, .ack_bytes = 2 * mss};
    cc_init(&f->cc, ops, mss);
    f->cc.srtt_ns = f->cc.min_rtt_ns = rtt_ns;
    f->cc.has_sack = true;
    cc_resume(&f->cc, f->memory, 1, f->now_ns);
}

static inline void flow_ack(struct flow *f, uint32_t acked, bool round_start)
{
    f->cc.srtt_ns = f->cc.min_rtt_ns = f->rtt_ns;
    struct hawser_ack ack = {
        .now_ns = f->now_ns,
        .acked_bytes = acked,
        .rate = {.newly_acked_bytes = acked, .prior_in_flight_bytes = f->cc.cwnd_bytes, .rtt_ns = f->rtt_ns},
        .cwnd_limited = !f->app_limited,
        .round_start = round_start,
    };
    cc_on_ack(&f->cc, &ack);
}

/* One round trip: a window's worth of acknowledgements, evenly spread. */
static inline void flow_round(struct flow *f)
{
    uint64_t start_ns = f->now_ns;
    uint32_t window = f->cc.cwnd_bytes;
    for (uint32_t done = 0; done < window;) {
        uint32_t acked = HW_MIN(f->ack_bytes, window - done);
        bool round_start = done == 0;
        done += acked;
        f->now_ns = start_ns + f->rtt_ns * done / window;
        flow_ack(f, acked, round_start);
    }
}

/* A loss, or a timeout, with so much in flight. */
static inline void lose(struct hawser_flow *cc, uint64_t now_ns, uint32_t in_flight)
{
    const struct hawser_loss loss = {
        .now_ns = now_ns, .lost_bytes = cc->segment_bytes, .prior_in_flight_bytes = in_flight};
    cc_on_loss(cc, &loss);
}
static inline void time_out(struct hawser_flow *cc, uint64_t now_ns, uint32_t in_flight)
{
    const struct hawser_loss loss = {.now_ns = now_ns, .lost_bytes = in_flight, .prior_in_flight_bytes = in_flight};
    cc_on_timeout(cc, &loss);
}
static inline void rest(struct hawser_flow *cc, uint64_t idle_ns, uint64_t now_ns)
{
    if (cc->policy->on_idle)
        cc->policy->on_idle(cc, idle_ns, now_ns);
}
static inline void flow_loss(struct flow *f) { lose(&f->cc, f->now_ns, f->cc.cwnd_bytes); }
static inline void flow_timeout(struct flow *f) { time_out(&f->cc, f->now_ns, f->cc.cwnd_bytes); }

/* Puts the flow into congestion avoidance by a loss with `segments` in the window. */
static inline void flow_settle(struct flow *f, uint32_t segments)
{
    f->cc.cwnd_bytes = segments * f->cc.segment_bytes;
    flow_loss(f);
}

#endif
