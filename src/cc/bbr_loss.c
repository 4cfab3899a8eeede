/* What losses say to BBR: for now, that less is to be under way; of a probe, how much the path takes. */
#include "cc/bbr.h"

/* draft-ietf-ccwg-bbr 2.7: what is kept after a loss is 0.7 of a bound, and 0.85 where there is to be room. */
#define BETA_PERCENT 70u
#define HEADROOM_PERCENT 15u
/* 2.7: losses of one in fifty are what an empty queue may have. */
#define LOSS_ONE_IN 50u

/*
 * 5.5.10.2: is more than a fiftieth lost? Another way than there, of a path that loses one in a hundred at random some
 * round is beyond that every second, and each would cost it a third of its window. So what is lost has to exceed a
 * fiftieth by more than chance explains: two standard deviations, sqrt(n * 1/50 * 49/50) each, of n segments of which
 * k are lost. In fiftieths of a segment: 50 k - n > 2 sqrt(49 n).
 */
bool bbr_is_too_high(const struct hawser_flow *flow, uint64_t lost, uint64_t in_flight)
{
    if (lost && !flow->has_sack)
        return true;
    uint64_t n = in_flight / flow->segment_bytes, k = lost / flow->segment_bytes;
    n = HW_MIN(n, UINT64_C(1) << 30);
    k = HW_MIN(k, UINT64_C(1) << 25);
    uint64_t excess = LOSS_ONE_IN * k > n ? LOSS_ONE_IN * k - n : 0;
    return excess * excess > UINT64_C(4) * (LOSS_ONE_IN - 1) * n && excess;
}

bool bbr_round_is_lossy(const struct bbr *b, const struct hawser_flow *flow)
{
    const struct bbr_loss *l = &b->loss;
    return bbr_is_too_high(flow, l->lost, b->delivered - l->delivered_before + l->lost);
}

void bbr_short_reset(struct bbr *b) { b->loss.bw_short = b->loss.inflight_short = BBR_NONE; }

void bbr_signals_reset(struct bbr *b)
{
    b->loss.in_round = false;
    b->loss.bw_latest = b->loss.inflight_latest = 0;
}

void bbr_signals_begin(struct bbr *b, const struct bbr_sample *s)
{
    struct bbr_loss *l = &b->loss;
    l->bw_latest = HW_MAX(l->bw_latest, s->bw);
    l->inflight_latest = HW_MAX(l->inflight_latest, s->rate->delivered_bytes);
    l->round_start = s->rate->delivered_bytes && s->rate->prior_delivered_bytes >= l->round_end;
    if (l->round_start)
        l->round_end = b->delivered;
}

/* 5.5.10.3: once a round trip, and not while it probes: what was delivered is what the path carries, and no less than
 * 0.7 of what was thought. */
void bbr_signals_adapt(struct bbr *b, const struct hawser_flow *flow)
{
    struct bbr_loss *l = &b->loss;
    bool probing = b->phase == BBR_STARTUP || b->phase == BBR_REFILL || b->phase == BBR_UP;
    if (!l->round_start)
        return;
    if (l->in_round && !probing && bbr_round_is_lossy(b, flow)) {
        if (l->bw_short == BBR_NONE)
            l->bw_short = bbr_max_bw(b);
        if (l->inflight_short == BBR_NONE)
            l->inflight_short = flow->cwnd_bytes;
        l->bw_short = HW_MAX(l->bw_latest, l->bw_short * BETA_PERCENT / 100);
        l->inflight_short = HW_MAX(l->inflight_latest, l->inflight_short * BETA_PERCENT / 100);
    }
    l->in_round = false;
}

void bbr_signals_end(struct bbr *b, const struct bbr_sample *s)
{
    if (!b->loss.round_start)
        return;
    b->loss.bw_latest = s->bw;
    b->loss.inflight_latest = s->rate->delivered_bytes;
    b->loss.events = 0;
    b->loss.lost = 0;
    b->loss.delivered_before = b->delivered;
}

void bbr_save_cwnd(struct bbr *b, const struct hawser_flow *flow)
{
    bool settled = !b->recovering && b->phase != BBR_PROBE_RTT;
    b->prior_cwnd = settled ? flow->cwnd_bytes : HW_MAX(b->prior_cwnd, flow->cwnd_bytes);
}

void bbr_note_loss(struct bbr *b, const struct hawser_flow *flow)
{
    struct bbr_loss *l = &b->loss;
    if (!l->in_round) {
        l->round_end = b->delivered;
        bbr_save_cwnd(b, flow);
        l->before.phase = BBR_PROBE_RTT;
        l->before.bw_short = l->bw_short;
        l->before.inflight_short = l->inflight_short;
        l->before.inflight_long = l->inflight_long;
    }
    l->in_round = true;
}

/* 5.5.10.2: up to which byte of a packet of several segments losses were no more than a fiftieth. */
uint64_t bbr_inflight_at(const struct hawser_loss *loss)
{
    uint64_t size = loss->size_bytes, in_flight = HW_MAX(loss->tx_in_flight_bytes, size), before = in_flight - size;
    uint64_t lost = loss->lost_bytes > size ? loss->lost_bytes - size : 0, allowed = before / LOSS_ONE_IN;
    uint64_t prefix = allowed > lost ? (allowed - lost) * LOSS_ONE_IN / (LOSS_ONE_IN - 1) : 0;
    return before + HW_MIN(prefix, size);
}

uint64_t bbr_with_headroom(const struct bbr *b, const struct hawser_flow *flow)
{
    uint64_t bound = b->loss.inflight_long;
    if (bound == BBR_NONE)
        return BBR_NONE;
    uint64_t room = HW_MAX(flow->segment_bytes, bound * HEADROOM_PERCENT / 100);
    return HW_MAX(bound > room ? bound - room : 0, bbr_least(flow));
}
