/* BBR version 3: what it hears, and what follows for the window and the rate (draft-ietf-ccwg-bbr 5.2, 5.6). */
#include "cc/bbr.h"

#include "base/units.h"

#define BITS_PER_BYTE 8
/* 2.4, 2.5, 5.6.1: gains in percent; a hundredth less than the model says leaves as much of a queue to go away. */
#define STARTUP_GAIN 277u
#define MARGIN_PERCENT 1u
#define QUANTUM_NS NS_PER_MS
#define QUANTUM_MAX (64u * 1024)
#define SLOW_SEGMENT_NS (8 * NS_PER_MS)
/* What outlasts idleness: the rate, in thousands, and the round trip. */
enum { KEPT_KBYTES = 0, KEPT_RTT_US = 1 };

struct gains {
    uint16_t pacing, cwnd;
};

static struct gains gains_of(enum bbr_phase phase)
{
    static const struct gains all[] = {
        [BBR_STARTUP] = {STARTUP_GAIN, 200}, [BBR_DRAIN] = {50, 200},   [BBR_DOWN] = {90, 200},
        [BBR_CRUISE] = {100, 200},           [BBR_REFILL] = {100, 200}, [BBR_UP] = {125, 225},
        [BBR_PROBE_RTT] = {100, 50},
    };
    return all[phase];
}

/* ---- what follows ---- */

static void pace(const struct bbr *b, struct hawser_flow *flow, uint32_t gain, uint64_t bw)
{
    uint64_t bps = HW_MIN(bw, BBR_RATE_MAX) * gain / 100 * (100 - MARGIN_PERCENT) / 100 * BITS_PER_BYTE;
    bps = HW_MAX(bps, BITS_PER_BYTE);
    if (b->full.reached || bps > flow->pacing_bps)
        flow->pacing_bps = bps;
}

/* 5.6.2: before anything is measured, the first window in a round trip. */
static void pace_first(struct bbr *b, struct hawser_flow *flow)
{
    uint64_t window = cc_initial_window(flow->segment_bytes);
    uint64_t rtt_ns = flow->srtt_ns ? flow->srtt_ns : NS_PER_MS;
    b->has_rtt = flow->srtt_ns != 0;
    flow->pacing_bps = 0;
    pace(b, flow, STARTUP_GAIN, window * NS_PER_S / rtt_ns);
}

/* 5.6.3 has two segments at least; where each takes so long, two in a row are a burst. */
static void set_quantum(struct hawser_flow *flow)
{
    uint64_t quantum = bbr_bytes_in(flow->pacing_bps / BITS_PER_BYTE, QUANTUM_NS);
    bool slow = bbr_bytes_in(flow->pacing_bps / BITS_PER_BYTE, SLOW_SEGMENT_NS) < flow->segment_bytes;
    uint64_t least = slow ? flow->segment_bytes : UINT64_C(2) * flow->segment_bytes;
    flow->quantum_bytes = (uint32_t)HW_MAX(HW_MIN(quantum, QUANTUM_MAX), least);
}

/* 5.6.4.6: no more than what is safe, and what the last losses leave of that. */
static uint64_t bound_of(const struct bbr *b, const struct hawser_flow *flow)
{
    uint64_t cap = BBR_NONE;
    if (b->phase == BBR_PROBE_RTT || b->phase == BBR_CRUISE)
        cap = bbr_with_headroom(b, flow);
    else if (bbr_is_cycling(b))
        cap = b->loss.inflight_long;
    return HW_MAX(HW_MIN(cap, b->loss.inflight_short), bbr_least(flow));
}

static void set_window(const struct bbr *b, struct hawser_flow *flow, uint32_t acked)
{
    uint64_t most = bbr_inflight(b, flow, bbr_bdp(b, flow, gains_of(b->phase).cwnd) + bbr_extra(b));
    uint64_t cwnd = flow->cwnd_bytes;
    if (b->full.reached)
        cwnd = HW_MIN(cwnd + acked, most);
    else if (cwnd < most || b->delivered < cc_initial_window(flow->segment_bytes))
        cwnd += acked;
    cwnd = HW_MAX(cwnd, bbr_least(flow));
    if (b->phase == BBR_PROBE_RTT)
        cwnd = HW_MIN(cwnd, bbr_probe_rtt_window(b, flow));
    flow->cwnd_bytes = (uint32_t)HW_MIN(HW_MIN(cwnd, bound_of(b, flow)), CWND_MAX);
}

/* ---- what it hears ---- */

static void hear(struct bbr *b, const struct hawser_flow *flow, uint64_t now_ns)
{
    b->now_ns = now_ns;
    b->delivered = flow->delivered_bytes;
}

/* What was known before idleness is where it begins: at that rate, which may have changed since, so that it starts up
 * from there. */
static void resume(struct hawser_flow *flow, uint32_t seed, uint64_t now_ns)
{
    struct bbr *b = flow->memory;
    uint64_t known = UINT64_C(1000) * flow->kept[KEPT_KBYTES], rtt_ns = NS_PER_US * flow->kept[KEPT_RTT_US];
    hear(b, flow, now_ns);
    prng_seed(&b->lots, seed);
    b->model.min_rtt_ns = b->model.probed_ns = flow->srtt_ns ? flow->srtt_ns : BBR_NONE;
    b->model.min_rtt_at_ns = b->model.probed_at_ns = b->model.extra_since_ns = now_ns;
    b->loss.inflight_long = BBR_NONE;
    b->loss.before.phase = BBR_PROBE_RTT;
    b->up_per_segment = BBR_NONE;
    bbr_short_reset(b);
    bbr_enter_startup(b);
    pace_first(b, flow);
    pace(b, flow, 100, known);
    set_quantum(flow);
    uint64_t window = HW_MAX(bbr_bytes_in(known, rtt_ns), cc_initial_window(flow->segment_bytes));
    flow->cwnd_bytes = (uint32_t)HW_MIN(flow->cwnd_bytes, window);
}

static void fold(struct hawser_flow *flow)
{
    const struct bbr *b = flow->memory;
    uint64_t kbytes = HW_MIN(bbr_max_bw(b), BBR_RATE_MAX) / 1000, us = b->model.min_rtt_ns / NS_PER_US;
    flow->kept[KEPT_KBYTES] = b->full.reached ? (uint32_t)kbytes : flow->kept[KEPT_KBYTES];
    flow->kept[KEPT_RTT_US] = b->full.reached ? (uint32_t)HW_MIN(us, UINT32_MAX) : flow->kept[KEPT_RTT_US];
}

static void on_ack(struct hawser_flow *flow, const struct hawser_ack *ack)
{
    struct bbr *b = flow->memory;
    hear(b, flow, ack->now_ns);
    const struct bbr_sample s = {
        .rate = &ack->rate,
        .bw = HW_MIN(ack->rate.delivery_bps / BITS_PER_BYTE, BBR_RATE_MAX),
        .limited = ack->rate.is_app_limited || ack->rate.prior_delivered_bytes < b->ignored_until,
        .cwnd_limited = ack->cwnd_limited,
    };
    if (!b->has_rtt && flow->srtt_ns)
        pace_first(b, flow);
    b->recovering = flow->in_recovery;
    bbr_signals_begin(b, &s);
    bbr_learn_bw(b, &s);
    bbr_signals_adapt(b, flow);
    bbr_learn_extra(b, flow, &s);
    bbr_learn_full(b, &s);
    bbr_advance_phase(b, flow, &s);
    bbr_learn_rtt(b, ack->rate.rtt_ns);
    bbr_probe_rtt(b, flow, &s);
    bbr_signals_end(b, &s);
    b->bw = HW_MIN(bbr_max_bw(b), b->loss.bw_short);
    pace(b, flow, gains_of(b->phase).pacing, b->bw);
    set_quantum(flow);
    set_window(b, flow, ack->rate.newly_acked_bytes);
}

/* 5.5.10.2 */
static void on_lost(struct hawser_flow *flow, const struct hawser_loss *loss)
{
    struct bbr *b = flow->memory;
    hear(b, flow, loss->now_ns);
    bbr_note_loss(b, flow);
    if (b->loss.events == 0 || b->loss.event_ns != loss->now_ns)
        b->loss.events++;
    b->loss.event_ns = loss->now_ns;
    b->loss.lost += loss->size_bytes;
    if (b->is_probe_sample && bbr_is_too_high(flow, loss->lost_bytes, loss->tx_in_flight_bytes))
        bbr_handle_too_high(b, flow, bbr_inflight_at(loss), loss->is_app_limited);
}

/* 5.6.4.4: the window stays, as what was lost is no longer in flight. */
static void on_loss(struct hawser_flow *flow, const struct hawser_loss *loss)
{
    struct bbr *b = flow->memory;
    hear(b, flow, loss->now_ns);
    bbr_save_cwnd(b, flow);
    bbr_note_loss(b, flow);
}

static void on_timeout(struct hawser_flow *flow, const struct hawser_loss *loss)
{
    struct bbr *b = flow->memory;
    hear(b, flow, loss->now_ns);
    bbr_save_cwnd(b, flow);
    bbr_note_loss(b, flow);
    b->recovering = true;
    flow->cwnd_bytes = flow->in_flight_bytes + flow->segment_bytes;
}

static void on_recovery_end(struct hawser_flow *flow)
{
    struct bbr *b = flow->memory;
    b->recovering = false;
    flow->cwnd_bytes = HW_MAX(flow->cwnd_bytes, b->prior_cwnd);
}

/* 5.5.10.4 */
static void undo(struct hawser_flow *flow)
{
    struct bbr *b = flow->memory;
    struct bbr_loss *l = &b->loss;
    enum bbr_phase before = l->before.phase;
    flow->cwnd_bytes = HW_MAX(flow->cwnd_bytes, b->prior_cwnd);
    l->in_round = false;
    bbr_full_reset(b, 0);
    l->bw_short = HW_MAX(l->bw_short, l->before.bw_short);
    l->inflight_short = HW_MAX(l->inflight_short, l->before.inflight_short);
    l->inflight_long = HW_MAX(l->inflight_long, l->before.inflight_long);
    if (before == BBR_STARTUP && b->phase != BBR_STARTUP) {
        b->full.reached = false;
        if (b->phase != BBR_PROBE_RTT)
            bbr_enter_startup(b);
    } else if (before == BBR_UP && b->phase != BBR_UP && b->phase != BBR_PROBE_RTT) {
        bbr_enter_refill(b);
    }
    l->before.phase = BBR_PROBE_RTT;
}

/* 5.4.1 */
static void on_idle(struct hawser_flow *flow, uint64_t idle_ns, uint64_t now_ns)
{
    struct bbr *b = flow->memory;
    (void)idle_ns;
    hear(b, flow, now_ns);
    b->idle_restart = true;
    b->model.extra_since_ns = now_ns;
    if (bbr_is_cycling(b))
        pace(b, flow, 100, b->bw);
    else if (b->phase == BBR_PROBE_RTT)
        bbr_probe_rtt_end(b, flow);
}

const struct hawser_congestion cc_bbr = {
    .size = sizeof(struct hawser_congestion),
    .name = "bbr",
    .state_bytes = sizeof(struct bbr),
    .rules_recovery = true,
    .resume = resume,
    .fold = fold,
    .on_ack = on_ack,
    .on_loss = on_loss,
    .on_lost = on_lost,
    .on_timeout = on_timeout,
    .on_recovery_end = on_recovery_end,
    .undo = undo,
    .on_idle = on_idle,
};
