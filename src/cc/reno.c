/* RFC 5681, the yardstick. */
#include "cc/growth.h"

struct reno {
    uint32_t counted; /* bytes acknowledged toward the next increase */
    uint32_t undo_cwnd, undo_ssthresh;
};

static struct reno *state(struct hawser_flow *cc) { return cc->memory; }

static void reno_on_ack(struct hawser_flow *cc, const struct hawser_ack *ack)
{
    struct reno *r = state(cc);
    if (!ack->cwnd_limited)
        return;
    uint32_t left = cc_in_slow_start(cc) ? slow_start(cc, ack->acked_bytes) : ack->acked_bytes;
    uint64_t counted = (uint64_t)r->counted + left;
    if (counted >= cc->cwnd_bytes) { /* one segment a window */
        counted -= cc->cwnd_bytes;
        cwnd_grow(cc, cc->segment_bytes);
    }
    r->counted = (uint32_t)HW_MIN(counted, cc->cwnd_bytes);
}

static void halve(struct hawser_flow *cc, uint32_t in_flight)
{
    struct reno *r = state(cc);
    r->undo_cwnd = cc->cwnd_bytes;
    r->undo_ssthresh = cc->ssthresh_bytes;
    r->counted = 0;
    cc->ssthresh_bytes = at_least_segments(cc, HW_MIN(in_flight, cc->cwnd_bytes) / 2, 2); /* equation 4 */
}

static void reno_on_loss(struct hawser_flow *cc, const struct hawser_loss *loss)
{
    halve(cc, loss->prior_in_flight_bytes);
    cc->cwnd_bytes = cc->ssthresh_bytes;
}

static void reno_on_timeout(struct hawser_flow *cc, const struct hawser_loss *loss)
{
    halve(cc, loss->prior_in_flight_bytes);
    cc->cwnd_bytes = cc->segment_bytes;
}

static void reno_undo(struct hawser_flow *cc)
{
    struct reno *r = state(cc);
    if (r->undo_cwnd == 0)
        return;
    cc->cwnd_bytes = HW_MAX(cc->cwnd_bytes, r->undo_cwnd);
    cc->ssthresh_bytes = r->undo_ssthresh;
    r->undo_cwnd = 0;
}

const struct hawser_congestion cc_reno = {
    .size = sizeof(struct hawser_congestion),
    .name = "reno",
    .state_bytes = sizeof(struct reno),
    .on_ack = reno_on_ack,
    .on_loss = reno_on_loss,
    .on_timeout = reno_on_timeout,
    .undo = reno_undo,
};
