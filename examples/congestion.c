/*
 * A congestion controller of one's own, by delay: round trips that last longer than the shortest one say how much of
 * the window stands in a queue, and of that there shall be a few segments, no matter how large the queue may become. So
 * it never fills one, and gives way to those who do. congestion_demo.c has a transfer that it serves.
 */
#include <hawser/congestion.h>

enum { QUEUE_MIN = 2, QUEUE_MAX = 4 }; /* segments of ours that may stand in a queue */

/* Its memory for a subflow, zero at first. */
struct calm {
    uint64_t round_rtt_ns;       /* the least of this round trip; 0: none yet */
    uint32_t cwnd_before_losses; /* 0: nothing to undo */
    uint32_t ssthresh_before_losses;
};

static uint32_t at_least_two(const struct hawser_flow *flow, uint64_t bytes)
{
    uint64_t two = 2 * (uint64_t)flow->segment_bytes;
    return (uint32_t)(bytes > two ? bytes : two);
}

/* A round trip is over: of its window, what stood in a queue? */
static void adapt(struct hawser_flow *flow, uint64_t rtt_ns)
{
    uint64_t excess_ns = rtt_ns > flow->min_rtt_ns ? rtt_ns - flow->min_rtt_ns : 0;
    uint64_t queued = flow->cwnd_bytes * (excess_ns / 1000) / (rtt_ns / 1000 + 1);
    if (queued > (uint64_t)QUEUE_MAX * flow->segment_bytes) {
        flow->cwnd_bytes = at_least_two(flow, flow->cwnd_bytes - queued + (uint64_t)QUEUE_MIN * flow->segment_bytes);
        flow->ssthresh_bytes = flow->cwnd_bytes; /* no slow start from here */
    } else if (queued < (uint64_t)QUEUE_MIN * flow->segment_bytes && flow->cwnd_bytes >= flow->ssthresh_bytes) {
        flow->cwnd_bytes += flow->segment_bytes;
    }
}

static void on_ack(struct hawser_flow *flow, const struct hawser_ack *ack)
{
    struct calm *calm = flow->memory;
    const uint64_t rtt_ns = ack->rate.rtt_ns;
    if (rtt_ns && (calm->round_rtt_ns == 0 || rtt_ns < calm->round_rtt_ns))
        calm->round_rtt_ns = rtt_ns;
    if (!ack->cwnd_limited) /* a window that is not used tells nothing */
        return;
    if (flow->cwnd_bytes < flow->ssthresh_bytes)
        flow->cwnd_bytes += ack->acked_bytes / 2; /* half as steep as others, as the queue tells late */
    if (ack->round_start && calm->round_rtt_ns) {
        adapt(flow, calm->round_rtt_ns);
        calm->round_rtt_ns = 0;
    }
}

static void remember(struct hawser_flow *flow)
{
    struct calm *calm = flow->memory;
    calm->cwnd_before_losses = flow->cwnd_bytes;
    calm->ssthresh_before_losses = flow->ssthresh_bytes;
}

/* Recovery leads to ssthresh. */
static void on_loss(struct hawser_flow *flow, const struct hawser_loss *loss)
{
    (void)loss;
    remember(flow);
    flow->ssthresh_bytes = flow->cwnd_bytes = at_least_two(flow, flow->cwnd_bytes / 4 * 3);
}

static void on_timeout(struct hawser_flow *flow, const struct hawser_loss *loss)
{
    remember(flow);
    flow->ssthresh_bytes = at_least_two(flow, loss->prior_in_flight_bytes / 2);
    flow->cwnd_bytes = flow->segment_bytes;
}

static void undo(struct hawser_flow *flow)
{
    struct calm *calm = flow->memory;
    if (calm->cwnd_before_losses > flow->cwnd_bytes)
        flow->cwnd_bytes = calm->cwnd_before_losses;
    if (calm->cwnd_before_losses)
        flow->ssthresh_bytes = calm->ssthresh_before_losses;
    calm->cwnd_before_losses = 0;
}

extern const struct hawser_congestion calm;
const struct hawser_congestion calm = {
    .size = sizeof(struct hawser_congestion),
    .name = "calm",
    .state_bytes = sizeof(struct calm),
    .on_ack = on_ack,
    .on_loss = on_loss,
    .on_timeout = on_timeout,
    .undo = undo,
};
