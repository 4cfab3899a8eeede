/* The cycle of BBR (draft-ietf-ccwg-bbr 5.3): it starts up, drains, and then probes for more every few seconds. */
#include "base/units.h"
#include "cc/bbr.h"

/* 2.7, 5.3.1.3: losses in Startup say that the pipe is full when they come at six places within a round trip. */
#define STARTUP_EVENTS 6u
#define DRAIN_ROUNDS 3u
#define BETA_PERCENT 70u
/* 5.3.3.5: a probe in two to three seconds, or in as many rounds as Reno would take to need one, at most so many. */
#define WAIT_NS (2 * NS_PER_S)
#define WAIT_RANDOM_NS NS_PER_S
#define RENO_ROUNDS_MAX 63u
/* 2.14 */
#define PROBE_RTT_LASTS_NS (200 * NS_PER_MS)
#define PROBE_RTT_PERCENT 50u
#define UP_ROUNDS_MAX 30u

void bbr_enter_startup(struct bbr *b) { b->phase = BBR_STARTUP; }

static void enter_down(struct bbr *b)
{
    bbr_signals_reset(b);
    b->up_per_segment = BBR_NONE;
    b->rounds_since_up = prng_below(&b->lots, 2);
    b->wait_ns = WAIT_NS + prng_below(&b->lots, WAIT_RANDOM_NS);
    b->cycle_at_ns = b->now_ns;
    b->acks = BBR_ACKS_STOPPING;
    bbr_round_begin(b);
    b->phase = BBR_DOWN;
}

void bbr_enter_refill(struct bbr *b)
{
    bbr_short_reset(b);
    b->up_rounds = 0;
    b->up_acked = 0;
    b->precautionary = false;
    b->acks = BBR_ACKS_REFILLING;
    bbr_round_begin(b);
    b->phase = BBR_REFILL;
}

/* 5.3.3.6: the bound rises slowly at first, and twice as fast in each round. */
static void raise_slope(struct bbr *b, const struct hawser_flow *flow)
{
    uint64_t growth = UINT64_C(1) << b->up_rounds;
    b->up_rounds = HW_MIN(b->up_rounds + 1, UP_ROUNDS_MAX);
    b->up_per_segment = HW_MAX(flow->cwnd_bytes / growth, flow->segment_bytes);
}

static void enter_up(struct bbr *b, const struct hawser_flow *flow, const struct bbr_sample *s)
{
    b->acks = BBR_ACKS_STARTING;
    bbr_round_begin(b);
    bbr_full_reset(b, s->bw);
    b->phase = BBR_UP;
    raise_slope(b, flow);
}

static void enter_drain(struct bbr *b)
{
    b->phase = BBR_DRAIN;
    b->drain_round = b->round.count;
}

/* ---- how far a probe goes ---- */

void bbr_handle_too_high(struct bbr *b, const struct hawser_flow *flow, uint64_t in_flight, bool limited)
{
    b->too_high = true;
    b->is_probe_sample = false; /* once a probe */
    if (!limited)
        b->loss.inflight_long = HW_MAX(in_flight, bbr_target(b, flow) * BETA_PERCENT / 100);
    if (b->phase == BBR_UP) {
        b->loss.before.phase = BBR_UP;
        enter_down(b);
    }
}

static void probe_upward(struct bbr *b, const struct hawser_flow *flow, const struct bbr_sample *s)
{
    if (!s->cwnd_limited || flow->cwnd_bytes < b->loss.inflight_long)
        return;
    b->up_acked += s->rate->newly_acked_bytes;
    if (b->up_acked >= b->up_per_segment) {
        uint64_t segments = b->up_acked / b->up_per_segment;
        b->up_acked -= segments * b->up_per_segment;
        b->loss.inflight_long = HW_MIN(b->loss.inflight_long + segments * flow->segment_bytes, CWND_MAX);
    }
    if (b->round.start)
        raise_slope(b, flow);
}

/* True: a phase began. */
static bool adapt_long_term(struct bbr *b, const struct hawser_flow *flow, const struct bbr_sample *s)
{
    const struct hawser_rate_sample *rate = s->rate;
    if (b->acks == BBR_ACKS_STARTING && b->round.start)
        b->acks = BBR_ACKS_FEEDBACK;
    if (b->acks == BBR_ACKS_STOPPING && b->round.start) {
        b->is_probe_sample = false;
        b->acks = BBR_ACKS_INIT;
        if (bbr_is_cycling(b) && !s->limited)
            bbr_advance_bw(b);
        if (bbr_is_cycling(b) && b->precautionary && !b->too_high) { /* it stopped short, and nothing was lost */
            bbr_enter_refill(b);
            return true;
        }
    }
    if (bbr_is_too_high(flow, rate->lost_bytes, rate->tx_in_flight_bytes) || b->loss.inflight_long == BBR_NONE)
        return false;
    b->loss.inflight_long = HW_MAX(b->loss.inflight_long, rate->tx_in_flight_bytes);
    if (b->phase == BBR_UP)
        probe_upward(b, flow, s);
    return false;
}

/* ---- from one phase to the next ---- */

static void check_startup(struct bbr *b, const struct hawser_flow *flow, const struct bbr_sample *s)
{
    const struct hawser_rate_sample *rate = s->rate;
    if (b->phase != BBR_STARTUP)
        return;
    bool lossy = b->loss.round_start && b->recovering && (b->loss.events >= STARTUP_EVENTS || !flow->has_sack) &&
                 bbr_is_too_high(flow, rate->lost_bytes, rate->tx_in_flight_bytes);
    if (lossy) {
        b->loss.before.phase = BBR_STARTUP;
        b->full.reached = true;
        b->loss.inflight_long = HW_MAX(bbr_bdp(b, flow, 100), b->loss.inflight_latest);
    }
    if (b->full.reached)
        enter_drain(b);
}

static bool is_time_to_probe(const struct bbr *b, const struct hawser_flow *flow)
{
    uint64_t reno_rounds = HW_MIN(bbr_target(b, flow) / flow->segment_bytes, RENO_ROUNDS_MAX);
    return b->now_ns > b->cycle_at_ns + b->wait_ns || b->rounds_since_up >= reno_rounds;
}

static bool is_time_to_cruise(const struct bbr *b, const struct hawser_flow *flow)
{
    uint64_t full = bbr_inflight(b, flow, bbr_bytes_in(bbr_max_bw(b), b->model.min_rtt_ns));
    return flow->in_flight_bytes <= bbr_with_headroom(b, flow) && flow->in_flight_bytes <= full;
}

static bool is_time_to_go_down(struct bbr *b, const struct hawser_flow *flow, const struct bbr_sample *s)
{
    if (b->too_high && flow->in_flight_bytes >= b->loss.inflight_long) {
        b->precautionary = true;
        return true;
    }
    if (s->cwnd_limited && flow->cwnd_bytes >= b->loss.inflight_long)
        bbr_full_reset(b, s->bw); /* it is the bound that limits it */
    else if (b->full.now)
        return true;
    return false;
}

void bbr_advance_phase(struct bbr *b, struct hawser_flow *flow, const struct bbr_sample *s)
{
    check_startup(b, flow, s);
    if (b->phase == BBR_DRAIN && (flow->in_flight_bytes <= bbr_inflight(b, flow, bbr_bdp(b, flow, 100)) ||
                                  b->round.count > b->drain_round + DRAIN_ROUNDS))
        enter_down(b);
    if (!b->full.reached || adapt_long_term(b, flow, s))
        return;
    switch (b->phase) {
    case BBR_DOWN:
    case BBR_CRUISE:
        if (is_time_to_probe(b, flow))
            bbr_enter_refill(b);
        else if (b->phase == BBR_DOWN && is_time_to_cruise(b, flow))
            b->phase = BBR_CRUISE;
        break;
    case BBR_REFILL:
        if (b->round.start) {
            b->is_probe_sample = true;
            enter_up(b, flow, s);
        }
        break;
    case BBR_UP:
        if (is_time_to_go_down(b, flow, s)) {
            b->too_high = false;
            enter_down(b);
        }
        break;
    default:
        break;
    }
}

/* ---- the round trip without a queue ---- */

uint64_t bbr_probe_rtt_window(const struct bbr *b, const struct hawser_flow *flow)
{
    return HW_MAX(bbr_bdp(b, flow, PROBE_RTT_PERCENT), bbr_least(flow));
}

void bbr_probe_rtt_end(struct bbr *b, struct hawser_flow *flow)
{
    if (b->probe_rtt_done_ns == 0 || b->now_ns <= b->probe_rtt_done_ns)
        return;
    b->model.probed_at_ns = b->now_ns;
    flow->cwnd_bytes = HW_MAX(flow->cwnd_bytes, b->prior_cwnd);
    bbr_short_reset(b);
    if (b->full.reached) {
        enter_down(b);
        b->phase = BBR_CRUISE;
    } else {
        bbr_enter_startup(b);
    }
}

void bbr_probe_rtt(struct bbr *b, struct hawser_flow *flow, const struct bbr_sample *s)
{
    if (b->phase != BBR_PROBE_RTT && b->model.probe_expired && !b->idle_restart) {
        bbr_save_cwnd(b, flow);
        b->phase = BBR_PROBE_RTT;
        b->probe_rtt_done_ns = 0;
        b->acks = BBR_ACKS_STOPPING;
        bbr_round_begin(b);
    }
    if (b->phase == BBR_PROBE_RTT) {
        b->ignored_until = b->delivered + flow->in_flight_bytes; /* it is slow on purpose */
        if (b->probe_rtt_done_ns == 0 && flow->in_flight_bytes <= bbr_probe_rtt_window(b, flow)) {
            b->probe_rtt_done_ns = b->now_ns + PROBE_RTT_LASTS_NS;
            b->probe_rtt_round_done = false;
            bbr_round_begin(b);
        } else if (b->probe_rtt_done_ns) {
            b->probe_rtt_round_done |= b->round.start;
            if (b->probe_rtt_round_done)
                bbr_probe_rtt_end(b, flow);
        }
    }
    if (s->rate->delivered_bytes)
        b->idle_restart = false;
}
