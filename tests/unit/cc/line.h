/* A sender without end and a line with a queue: what leaves by the window and the rate of a controller, arrives or is
 * dropped, and is acknowledged, segment by segment. */
#ifndef HW_TESTS_CC_LINE_H
#define HW_TESTS_CC_LINE_H

#include <string.h>

#include "base/compiler.h"
#include "base/prng.h"
#include "base/units.h"
#include "cc/cc.h"
#include "tcp/rate.h"

enum { LINE_MSS = 1448, LINE_SLOTS = 16384 };

struct line_segment {
    struct rate_stamp stamp;
    uint64_t sent_ns, acked_ns; /* the latter is when it is known that it arrived, or did not */
    bool dropped;
};

struct line {
    struct hawser_flow cc;
    uint64_t memory[HAWSER_CONGESTION_STATE_MAX / 8];
    struct rate rate;
    struct line_segment way[LINE_SLOTS];
    uint64_t first, last; /* of the numbers under way, and the next one */
    uint64_t now_ns, next_ns, free_ns, recovery_end, round_end;
    uint64_t bytes_per_s, rtt_ns;
    uint32_t queue_bytes, lost_permille; /* room in the queue; what gets lost at random */
    uint32_t queue_most;                 /* that stood in it */
    uint64_t arrived_bytes;
    struct prng rng;
};

static inline void line_init(struct line *l, const struct hawser_congestion *policy, uint64_t bytes_per_s,
                             uint64_t rtt_ns, uint32_t queue_bytes)
{
    memset(l, 0, sizeof *l);
    l->now_ns = NS_PER_S;
    l->bytes_per_s = bytes_per_s;
    l->rtt_ns = rtt_ns;
    l->queue_bytes = queue_bytes;
    prng_seed(&l->rng, 1);
    cc_init(&l->cc, policy, LINE_MSS);
    l->cc.srtt_ns = l->cc.min_rtt_ns = rtt_ns;
    l->cc.has_sack = true;
    cc_resume(&l->cc, l->memory, 7, l->now_ns);
}

static inline void line_see(struct line *l)
{
    l->cc.delivered_bytes = l->rate.delivered;
    l->cc.in_recovery = l->recovery_end > l->first;
}

static inline void line_leave(struct line *l)
{
    struct line_segment *s = &l->way[l->last++ % LINE_SLOTS];
    uint64_t bps = l->cc.pacing_bps ? l->cc.pacing_bps : l->cc.cwnd_bytes * 8 * NS_PER_S / l->cc.srtt_ns;
    uint64_t queued = l->free_ns > l->now_ns ? (l->free_ns - l->now_ns) * l->bytes_per_s / NS_PER_S : 0;
    l->cc.in_flight_bytes += LINE_MSS;
    rate_sent(&l->rate, &s->stamp, l->cc.in_flight_bytes, LINE_MSS, l->now_ns);
    s->sent_ns = l->now_ns;
    s->dropped = queued + LINE_MSS > l->queue_bytes || prng_below(&l->rng, 1000) < l->lost_permille;
    if (!s->dropped) {
        l->free_ns = HW_MAX(l->free_ns, l->now_ns) + LINE_MSS * NS_PER_S / l->bytes_per_s;
        l->queue_most = HW_MAX(l->queue_most, (uint32_t)queued + LINE_MSS);
    }
    s->acked_ns = HW_MAX(l->free_ns, l->now_ns) + l->rtt_ns;
    l->next_ns = HW_MAX(l->next_ns, l->now_ns) + LINE_MSS * 8 * NS_PER_S / bps;
}

static inline void line_hear(struct line *l)
{
    struct line_segment *s = &l->way[l->first % LINE_SLOTS];
    uint32_t before = l->cc.in_flight_bytes;
    l->cc.in_flight_bytes -= LINE_MSS;
    if (s->dropped) {
        rate_lost(&l->rate, LINE_MSS);
        const struct hawser_loss loss = {.now_ns = l->now_ns,
                                         .lost_bytes = (uint32_t)((uint32_t)l->rate.lost - s->stamp.lost),
                                         .prior_in_flight_bytes = before,
                                         .size_bytes = LINE_MSS,
                                         .tx_in_flight_bytes = s->stamp.tx_in_flight};
        bool begins = l->recovery_end <= l->first;
        l->recovery_end = begins ? l->last : l->recovery_end;
        line_see(l);
        cc_on_lost(&l->cc, &loss);
        if (begins)
            cc_on_loss(&l->cc, &loss);
        l->first++;
        return;
    }
    l->first++;
    if (l->recovery_end && l->recovery_end <= l->first) {
        l->recovery_end = 0;
        cc_on_recovery_end(&l->cc);
    }
    rate_delivered(&l->rate, &s->stamp, s->sent_ns, l->first);
    rate_settle(&l->rate, LINE_MSS, l->now_ns);
    struct hawser_ack ack = {.now_ns = l->now_ns,
                             .rate = rate_take(&l->rate, l->rtt_ns, l->now_ns),
                             .cwnd_limited = before + 2 * LINE_MSS > l->cc.cwnd_bytes,
                             .round_start = l->first > l->round_end};
    l->round_end = ack.round_start ? l->last : l->round_end;
    ack.rate.newly_acked_bytes = ack.acked_bytes = LINE_MSS;
    ack.rate.prior_in_flight_bytes = before;
    ack.rate.rtt_ns = l->now_ns - s->sent_ns;
    l->cc.srtt_ns = (7 * l->cc.srtt_ns + ack.rate.rtt_ns) / 8;
    l->cc.min_rtt_ns = HW_MIN(l->cc.min_rtt_ns, ack.rate.rtt_ns);
    l->arrived_bytes += LINE_MSS;
    line_see(l);
    if (!l->cc.in_recovery || l->cc.policy->rules_recovery)
        cc_on_ack(&l->cc, &ack);
}

/* So much time goes by. Returns the share of the line that was used, in percent. */
static inline unsigned line_run(struct line *l, uint64_t ns)
{
    uint64_t end_ns = l->now_ns + ns, before = l->arrived_bytes;
    l->queue_most = 0;
    while (l->now_ns < end_ns) {
        bool may = l->cc.in_flight_bytes + LINE_MSS <= l->cc.cwnd_bytes && l->last - l->first < LINE_SLOTS;
        uint64_t leaves_ns = may ? HW_MAX(l->next_ns, l->now_ns) : TIME_NEVER;
        uint64_t acked_ns = l->first < l->last ? l->way[l->first % LINE_SLOTS].acked_ns : TIME_NEVER;
        uint64_t at_ns = HW_MIN(HW_MIN(leaves_ns, acked_ns), end_ns);
        l->now_ns = HW_MAX(l->now_ns, at_ns);
        if (at_ns == acked_ns)
            line_hear(l);
        else if (at_ns == leaves_ns)
            line_leave(l);
    }
    return (unsigned)((l->arrived_bytes - before) * 100 / (l->bytes_per_s * (ns / NS_PER_MS) / 1000));
}

#endif
