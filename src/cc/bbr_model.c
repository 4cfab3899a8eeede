/* What BBR believes of the path: how much it delivers, how long that takes, and in what gulps acknowledgements come. */
#include "base/units.h"
#include "cc/bbr.h"

/* draft-ietf-ccwg-bbr 2.11, 2.14: how long a round trip counts, and when a lower one is looked for. */
#define MIN_RTT_NS (10 * NS_PER_S)
#define PROBE_RTT_NS (5 * NS_PER_S)
/* 2.11: a gulp counts for ten rounds: five, and the five before. */
#define EXTRA_ROUNDS 5u
/* 5.3.1.2: three rounds without a quarter more say that the pipe is full. */
#define FULL_ROUNDS 3u

void bbr_round_begin(struct bbr *b) { b->round.end = b->delivered; }

void bbr_full_reset(struct bbr *b, uint64_t bw)
{
    b->full.bw = bw;
    b->full.rounds = 0;
    b->full.now = false;
}

static void count_round(struct bbr *b, const struct bbr_sample *s)
{
    b->round.start = s->rate->delivered_bytes && s->rate->prior_delivered_bytes >= b->round.end;
    if (!b->round.start)
        return;
    bbr_round_begin(b);
    b->round.count++;
    b->rounds_since_up++;
}

/* draft-ietf-ccwg-bbr 5.5.6: what a program held back says nothing, unless it is more than was thought possible. */
void bbr_learn_bw(struct bbr *b, const struct bbr_sample *s)
{
    count_round(b, s);
    if (s->bw && (s->bw >= bbr_max_bw(b) || !s->limited))
        b->model.bw[1] = HW_MAX(b->model.bw[1], s->bw);
}

/* 5.5.7: the filter is two cycles long, and time is cycles. One in which nothing was learnt does not count. */
void bbr_advance_bw(struct bbr *b)
{
    if (b->model.bw[1] == 0)
        return;
    b->model.bw[0] = b->model.bw[1];
    b->model.bw[1] = 0;
}

/* 5.5.9: how much more is acknowledged at once than the rate explains: so much more has to be under way meanwhile. */
void bbr_learn_extra(struct bbr *b, const struct hawser_flow *flow, const struct bbr_sample *s)
{
    struct bbr_model *m = &b->model;
    uint64_t expected = bbr_bytes_in(b->bw, b->now_ns - m->extra_since_ns);
    if (m->extra_delivered <= expected) {
        m->extra_delivered = expected = 0;
        m->extra_since_ns = b->now_ns;
    }
    m->extra_delivered += s->rate->newly_acked_bytes;
    uint64_t extra = HW_MIN(m->extra_delivered - expected, flow->cwnd_bytes);
    if (b->round.start && ++m->extra_rounds >= (b->full.reached ? EXTRA_ROUNDS : 1)) {
        m->extra_rounds = 0;
        m->extra[0] = b->full.reached ? m->extra[1] : 0;
        m->extra[1] = 0;
    }
    m->extra[1] = HW_MAX(m->extra[1], extra);
}

uint64_t bbr_extra(const struct bbr *b) { return HW_MAX(b->model.extra[0], b->model.extra[1]); }

/* 5.3.4.3 */
void bbr_learn_rtt(struct bbr *b, uint64_t rtt_ns)
{
    struct bbr_model *m = &b->model;
    m->probe_expired = b->now_ns > m->probed_at_ns + PROBE_RTT_NS;
    if (rtt_ns && (rtt_ns < m->probed_ns || m->probe_expired)) {
        m->probed_ns = rtt_ns;
        m->probed_at_ns = b->now_ns;
    }
    if (m->probed_ns < m->min_rtt_ns || b->now_ns > m->min_rtt_at_ns + MIN_RTT_NS) {
        m->min_rtt_ns = m->probed_ns;
        m->min_rtt_at_ns = m->probed_at_ns;
    }
}

/* 5.3.1.2 */
void bbr_learn_full(struct bbr *b, const struct bbr_sample *s)
{
    struct bbr_full *f = &b->full;
    if (f->now || !b->round.start || s->limited)
        return;
    if (s->bw >= f->bw + f->bw / 4) {
        bbr_full_reset(b, s->bw);
        return;
    }
    f->now = ++f->rounds >= FULL_ROUNDS;
    f->reached |= f->now;
}

uint64_t bbr_bdp(const struct bbr *b, const struct hawser_flow *flow, uint32_t percent)
{
    if (b->model.min_rtt_ns == BBR_NONE)
        return cc_initial_window(flow->segment_bytes);
    return bbr_bytes_in(b->bw, b->model.min_rtt_ns) * percent / 100;
}

/* 5.6.4.2: three quanta keep sender, path and receiver busy; four segments, delayed acknowledgements. */
uint64_t bbr_inflight(const struct bbr *b, const struct hawser_flow *flow, uint64_t bytes)
{
    bytes = HW_MAX(bytes, UINT64_C(3) * flow->quantum_bytes);
    bytes = HW_MAX(bytes, bbr_least(flow));
    return b->phase == BBR_UP ? bytes + UINT64_C(2) * flow->segment_bytes : bytes;
}
