/* CUBIC (RFC 9438) with HyStart++ (RFC 9406) in slow start. Integers throughout, so that every build computes alike. */
#include "base/check.h"
#include "base/units.h"
#include "cc/growth.h"

/* RFC 9438 4.6 (beta = 0.7), 4.1 (C = 0.4 segments a second cubed), 4.3 (alpha = 3 (1 - beta) / (1 + beta)) */
#define BETA_NUM 7u
#define BETA_DEN 10u
#define ALPHA_NUM 9u
#define ALPHA_DEN 17u
/* RFC 9406 4.3 */
#define RTT_THRESHOLD_MIN_NS (4 * NS_PER_MS)
#define RTT_THRESHOLD_MAX_NS (16 * NS_PER_MS)
#define ROUND_SAMPLES 8u
#define CSS_GROWTH_DIVISOR 4u
#define CSS_ROUNDS 5u

struct hystart {
    uint64_t last_round_min_ns, this_round_min_ns, css_baseline_ns; /* 0: none */
    uint32_t samples;
    uint32_t css_rounds; /* rounds left in conservative slow start; 0: not in it */
};

struct cubic {
    uint64_t epoch_ns; /* start of this congestion avoidance; 0: none */
    uint32_t w_max;    /* bytes */
    uint32_t k_ms;     /* time to reach w_max */
    uint32_t w_est;    /* what Reno would have, bytes */
    uint32_t est_credit, credit;
    uint32_t undo_cwnd, undo_ssthresh, undo_w_max;
    struct hystart hystart;
};

_Static_assert(sizeof(struct cubic) <= CC_PRIVATE_WORDS * sizeof(uint64_t), "private state is bounded");

static struct cubic *state(struct cc *cc) { return (struct cubic *)(void *)cc->private_; }

static uint32_t cube_root(uint64_t x)
{
    uint64_t root = 0;
    for (uint64_t bit = UINT64_C(1) << 20; bit; bit >>= 1) {
        uint64_t next = root | bit;
        if (next * next * next <= x)
            root = next;
    }
    return (uint32_t)root;
}

static void cubic_init(struct cc *cc) { *state(cc) = (struct cubic){0}; }

/* RFC 9438 4.2: K is the cube root of (w_max - cwnd) / C, here in milliseconds: 1 s^3 is 10^9 ms^3, 1 / C is 2.5. */
static void start_epoch(struct cc *cc, uint64_t now_ns)
{
    struct cubic *c = state(cc);
    c->epoch_ns = now_ns;
    c->w_est = cc->cwnd;
    c->est_credit = c->credit = 0;
    if (c->w_max <= cc->cwnd) {
        c->w_max = cc->cwnd;
        c->k_ms = 0;
        return;
    }
    uint64_t milli_segments = (uint64_t)(c->w_max - cc->cwnd) * 1000 / cc->mss;
    c->k_ms = cube_root(milli_segments * 2500000); /* 10^9 * 2.5 / 1000 */
}

/* W_cubic(t) in bytes (RFC 9438 4.2, figure 1). */
static uint64_t window_at(const struct cc *cc, const struct cubic *c, uint64_t t_ms)
{
    uint64_t distance = t_ms > c->k_ms ? t_ms - c->k_ms : c->k_ms - t_ms;
    distance = HW_MIN(distance, 500000); /* beyond that the window is at its bounds anyway */
    uint64_t milli = distance * distance / 1000 * distance / 2500000; /* 0.4 d^3 in thousandths of a segment */
    uint64_t bytes = milli * cc->mss / 1000;
    if (t_ms > c->k_ms)
        return c->w_max + bytes;
    return c->w_max > bytes ? c->w_max - bytes : 0;
}

static void grow_estimate(struct cc *cc, struct cubic *c, uint32_t acked)
{
    /* RFC 9438 4.3: alpha segments a window, one segment a window once back at the old maximum. */
    bool reached = c->w_est >= c->w_max;
    c->est_credit += reached ? acked : (uint32_t)((uint64_t)acked * ALPHA_NUM / ALPHA_DEN);
    if (c->est_credit >= cc->cwnd) {
        c->est_credit -= cc->cwnd;
        c->w_est = (uint32_t)HW_MIN((uint64_t)c->w_est + cc->mss, CWND_MAX);
    }
}

static void avoid_congestion(struct cc *cc, const struct cc_ack *ack, uint32_t acked)
{
    struct cubic *c = state(cc);
    if (c->epoch_ns == 0)
        start_epoch(cc, ack->now_ns);
    grow_estimate(cc, c, acked);
    uint64_t t_ms = (ack->now_ns - c->epoch_ns + ack->srtt_ns) / NS_PER_MS;
    uint64_t target = window_at(cc, c, t_ms);
    target = HW_MIN(HW_MAX(target, cc->cwnd), (uint64_t)cc->cwnd + cc->cwnd / 2);
    uint64_t gain = (target - cc->cwnd) * acked / cc->cwnd; /* spread over the window */
    c->credit += (uint32_t)HW_MIN(gain, UINT32_C(1) << 24);
    if (c->credit >= cc->mss) {
        cwnd_grow(cc, c->credit);
        c->credit = 0;
    }
    if (c->w_est > cc->cwnd)
        cc->cwnd = c->w_est;
}

static void hystart_round(struct cc *cc, struct hystart *h)
{
    h->last_round_min_ns = h->this_round_min_ns;
    h->this_round_min_ns = 0;
    h->samples = 0;
    if (h->css_rounds && --h->css_rounds == 0)
        cc->ssthresh = cc->cwnd; /* the delay stayed: congestion avoidance */
}

/* RFC 9406 4.2: returns the bytes by which slow start may grow. */
static uint32_t hystart(struct cc *cc, const struct cc_ack *ack)
{
    struct hystart *h = &state(cc)->hystart;
    if (ack->round_start)
        hystart_round(cc, h);
    if (ack->rtt_ns) {
        h->samples++;
        if (h->this_round_min_ns == 0 || ack->rtt_ns < h->this_round_min_ns)
            h->this_round_min_ns = ack->rtt_ns;
    }
    if (h->samples < ROUND_SAMPLES || h->last_round_min_ns == 0)
        return h->css_rounds ? ack->acked / CSS_GROWTH_DIVISOR : ack->acked;
    if (h->css_rounds) {
        if (h->this_round_min_ns < h->css_baseline_ns)
            h->css_rounds = 0; /* a false alarm */
    } else {
        uint64_t threshold = HW_MIN(HW_MAX(h->last_round_min_ns / 8, RTT_THRESHOLD_MIN_NS), RTT_THRESHOLD_MAX_NS);
        if (h->this_round_min_ns >= h->last_round_min_ns + threshold) {
            h->css_baseline_ns = h->this_round_min_ns;
            h->css_rounds = CSS_ROUNDS;
        }
    }
    return h->css_rounds ? ack->acked / CSS_GROWTH_DIVISOR : ack->acked;
}

static void cubic_on_ack(struct cc *cc, const struct cc_ack *ack)
{
    if (!ack->cwnd_limited) {
        state(cc)->epoch_ns = 0; /* RFC 9438 5.8: time without demand is not time to grow */
        return;
    }
    if (cc_in_slow_start(cc)) {
        uint32_t step = cc->ssthresh == UINT32_MAX ? hystart(cc, ack) : ack->acked;
        if (cc_in_slow_start(cc))
            slow_start(cc, step);
        return;
    }
    avoid_congestion(cc, ack, ack->acked);
}

static void reduce(struct cc *cc, uint32_t in_flight)
{
    struct cubic *c = state(cc);
    c->undo_cwnd = cc->cwnd;
    c->undo_ssthresh = cc->ssthresh;
    c->undo_w_max = c->w_max;
    c->epoch_ns = 0;
    c->hystart = (struct hystart){0};
    /* RFC 9438 4.7, fast convergence: a flow that is still below its last maximum yields more. */
    uint64_t w = cc->cwnd;
    c->w_max = w < c->w_max ? (uint32_t)(w * (BETA_DEN + BETA_NUM) / (2 * BETA_DEN)) : (uint32_t)w;
    uint64_t base = HW_MIN(w, HW_MAX((uint64_t)in_flight, w / 2));
    cc->ssthresh = at_least_segments(cc, base * BETA_NUM / BETA_DEN, 2);
}

static void cubic_on_loss(struct cc *cc, uint64_t now_ns, uint32_t in_flight)
{
    (void)now_ns;
    reduce(cc, in_flight);
    cc->cwnd = cc->ssthresh;
}

static void cubic_on_timeout(struct cc *cc, uint64_t now_ns, uint32_t in_flight)
{
    (void)now_ns;
    reduce(cc, in_flight);
    cc->cwnd = cc->mss;
}

static void cubic_undo(struct cc *cc)
{
    struct cubic *c = state(cc);
    if (c->undo_cwnd == 0)
        return;
    cc->cwnd = HW_MAX(cc->cwnd, c->undo_cwnd);
    cc->ssthresh = c->undo_ssthresh;
    c->w_max = c->undo_w_max;
}

static void cubic_on_idle(struct cc *cc, uint64_t idle_ns)
{
    struct cubic *c = state(cc);
    if (c->epoch_ns)
        c->epoch_ns += idle_ns;
}

const struct cc_ops cc_cubic = {"cubic",          cubic_init, cubic_on_ack, cubic_on_loss,
                                cubic_on_timeout, cubic_undo, cubic_on_idle};
