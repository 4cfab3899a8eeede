/* CUBIC (RFC 9438) with HyStart++ (RFC 9406) in slow start. Integers throughout, so that every build computes alike. */
#include "base/units.h"
#include "cc/growth.h"

/* RFC 9438 4.6 (beta = 0.7), 4.1 (C = 0.4 segments a second cubed), 4.3 (alpha = 3 (1 - beta) / (1 + beta)) */
#define BETA_NUM 7u
#define BETA_DEN 10u
#define ALPHA_NUM 9u
#define ALPHA_DEN 17u
/* C again: the time cubed in which W_cubic moves a thousandth of a segment, (1 / 0.4) * 10^9 / 1000. */
#define MS3_PER_MILLI_SEGMENT UINT64_C(2500000)
/* Keeps d^3 and its product with the segment size in 64 bits; longer than any K (of CWND_MAX one-byte segments). */
#define DISTANCE_MAX_MS 2000000u
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

/* Where the window is on its way: W_cubic and W_est of RFC 9438 4.2 and 4.3. */
struct curve {
    uint64_t epoch_ns;   /* start of this congestion avoidance, later by each time without demand */
    bool running;        /* epoch_ns, k_ms and w_est are set */
    uint32_t w_max;      /* bytes; 0: none, the curve starts at its plateau */
    uint32_t k_ms;       /* time to reach w_max */
    uint32_t w_est;      /* what Reno would have, bytes */
    uint32_t cwnd_prior; /* when ssthresh was last set; 0: no loss yet */
};

struct cubic {
    struct curve curve;
    uint64_t last_ack_ns;
    uint64_t credit;     /* toward the next segment of cwnd; in bytes times cwnd, so that small steps are not lost */
    uint32_t est_credit; /* toward the next segment of w_est, in bytes acknowledged */
    struct {
        uint32_t cwnd, ssthresh; /* cwnd 0: nothing to undo */
        struct curve curve;
    } before;
    struct hystart hystart;
};

static struct cubic *state(struct hawser_flow *cc) { return cc->memory; }

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

/* RFC 9438 5.8: after idleness a new epoch begins, on the way to the same maximum. */
static void cubic_resume(struct hawser_flow *cc, uint32_t seed, uint64_t now_ns)
{
    (void)seed;
    (void)now_ns;
    state(cc)->curve.w_max = cc->kept[0];
    state(cc)->curve.cwnd_prior = cc->kept[1];
}

static void cubic_fold(struct hawser_flow *cc)
{
    cc->kept[0] = state(cc)->curve.w_max;
    cc->kept[1] = state(cc)->curve.cwnd_prior;
}

/* RFC 9438 4.2: K is the cube root of (w_max - cwnd) / C, here in milliseconds: 1 s^3 is 10^9 ms^3, 1 / C is 2.5.
 * RFC 9438 4.8, 4.10: after a timeout, or slow start without loss, the plateau is where the epoch begins. */
static void start_epoch(struct hawser_flow *cc, uint64_t now_ns)
{
    struct curve *c = &state(cc)->curve;
    c->running = true;
    c->epoch_ns = now_ns;
    c->w_est = cc->cwnd_bytes;
    c->w_max = HW_MAX(c->w_max, cc->cwnd_bytes);
    uint64_t milli_segments = (uint64_t)(c->w_max - cc->cwnd_bytes) * 1000 / cc->segment_bytes;
    c->k_ms = cube_root(milli_segments * MS3_PER_MILLI_SEGMENT);
    state(cc)->credit = 0;
    state(cc)->est_credit = 0;
}

/* W_cubic(t) in bytes (RFC 9438 4.2, figure 1). */
static uint64_t window_at(const struct curve *c, uint32_t mss, uint64_t t_ms)
{
    uint64_t d = t_ms > c->k_ms ? t_ms - c->k_ms : c->k_ms - t_ms;
    d = HW_MIN(d, DISTANCE_MAX_MS);
    uint64_t bytes = d * d * d / MS3_PER_MILLI_SEGMENT * mss / 1000;
    if (t_ms > c->k_ms)
        return c->w_max + bytes;
    return c->w_max > bytes ? c->w_max - bytes : 0;
}

/* RFC 9438 4.3: alpha segments a window, a whole one once back at the window of the last loss. */
static void grow_estimate(const struct hawser_flow *cc, struct cubic *cubic, uint32_t acked)
{
    struct curve *c = &cubic->curve;
    uint64_t credit = c->w_est >= c->cwnd_prior ? acked : (uint64_t)acked * ALPHA_NUM / ALPHA_DEN;
    credit += cubic->est_credit;
    if (credit >= cc->cwnd_bytes) {
        credit -= cc->cwnd_bytes;
        c->w_est = (uint32_t)HW_MIN((uint64_t)c->w_est + cc->segment_bytes, CWND_MAX);
    }
    cubic->est_credit = (uint32_t)HW_MIN(credit, cc->cwnd_bytes);
}

static void avoid_congestion(struct hawser_flow *cc, const struct hawser_ack *ack)
{
    struct cubic *cubic = state(cc);
    struct curve *c = &cubic->curve;
    if (!c->running)
        start_epoch(cc, ack->now_ns);
    grow_estimate(cc, cubic, ack->acked_bytes);
    uint64_t elapsed_ns = ack->now_ns > c->epoch_ns ? ack->now_ns - c->epoch_ns : 0;
    uint64_t target = window_at(c, cc->segment_bytes, (elapsed_ns + cc->srtt_ns) / NS_PER_MS);
    target = HW_MIN(HW_MAX(target, cc->cwnd_bytes), (uint64_t)cc->cwnd_bytes + cc->cwnd_bytes / 2);
    cubic->credit += (target - cc->cwnd_bytes) * ack->acked_bytes; /* spread over the window */
    uint64_t bytes = cubic->credit / cc->cwnd_bytes;
    if (bytes >= cc->segment_bytes) {
        cwnd_grow(cc, bytes);
        cubic->credit = 0;
    }
    cc->cwnd_bytes = HW_MAX(cc->cwnd_bytes, c->w_est);
}

static void hystart_round(struct hawser_flow *cc, struct hystart *h)
{
    h->last_round_min_ns = h->this_round_min_ns;
    h->this_round_min_ns = 0;
    h->samples = 0;
    if (h->css_rounds && --h->css_rounds == 0)
        cc->ssthresh_bytes = cc->cwnd_bytes; /* the delay stayed: congestion avoidance */
}

/* RFC 9406 4.2: watches for a round trip that rises because the queue does. */
static void hystart_on_ack(struct hawser_flow *cc, const struct hawser_ack *ack)
{
    struct hystart *h = &state(cc)->hystart;
    if (ack->round_start)
        hystart_round(cc, h);
    if (ack->rate.rtt_ns) {
        h->samples++;
        if (h->this_round_min_ns == 0 || ack->rate.rtt_ns < h->this_round_min_ns)
            h->this_round_min_ns = ack->rate.rtt_ns;
    }
    if (h->samples < ROUND_SAMPLES || h->last_round_min_ns == 0)
        return;
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
}

/* RFC 9438 5.8: t stands still while the application, not the window, holds the sender back. */
static void stop_clock_without_demand(struct cubic *cubic, const struct hawser_ack *ack)
{
    if (!ack->cwnd_limited && ack->now_ns > cubic->last_ack_ns)
        cubic->curve.epoch_ns += ack->now_ns - cubic->last_ack_ns;
    cubic->last_ack_ns = HW_MAX(cubic->last_ack_ns, ack->now_ns);
}

static void cubic_on_ack(struct hawser_flow *cc, const struct hawser_ack *ack)
{
    struct cubic *cubic = state(cc);
    if (cc->ssthresh_bytes == UINT32_MAX)
        hystart_on_ack(cc, ack); /* RFC 9406 4.3: in the first slow start only */
    stop_clock_without_demand(cubic, ack);
    if (!ack->cwnd_limited)
        return;
    if (cc_in_slow_start(cc))
        slow_start(cc, cubic->hystart.css_rounds ? ack->acked_bytes / CSS_GROWTH_DIVISOR : ack->acked_bytes);
    else
        avoid_congestion(cc, ack);
}

static void reduce(struct hawser_flow *cc, uint32_t in_flight)
{
    struct cubic *cubic = state(cc);
    struct curve *c = &cubic->curve;
    cubic->before.cwnd = cc->cwnd_bytes;
    cubic->before.ssthresh = cc->ssthresh_bytes;
    cubic->before.curve = *c;
    cubic->hystart = (struct hystart){0};
    c->running = false;
    c->cwnd_prior = cc->cwnd_bytes;
    /* RFC 9438 4.7, fast convergence: a flow that is still below its last maximum yields more. */
    uint64_t w = cc->cwnd_bytes;
    c->w_max = w < c->w_max ? (uint32_t)(w * (BETA_DEN + BETA_NUM) / (UINT64_C(2) * BETA_DEN)) : (uint32_t)w;
    /* RFC 9438 4.6: from what was in flight; but one quiet moment shall not cost more than half of the window. */
    uint64_t base = HW_MIN(w, HW_MAX((uint64_t)in_flight, w / 2));
    cc->ssthresh_bytes = at_least_segments(cc, base * BETA_NUM / BETA_DEN, 2);
}

static void cubic_on_loss(struct hawser_flow *cc, const struct hawser_loss *loss)
{
    reduce(cc, loss->prior_in_flight_bytes);
    cc->cwnd_bytes = cc->ssthresh_bytes;
}

static void cubic_on_timeout(struct hawser_flow *cc, const struct hawser_loss *loss)
{
    reduce(cc, loss->prior_in_flight_bytes);
    state(cc)->curve.w_max = 0; /* RFC 9438 4.8 */
    cc->cwnd_bytes = cc->segment_bytes;
}

/* RFC 9438 4.9 */
static void cubic_undo(struct hawser_flow *cc)
{
    struct cubic *cubic = state(cc);
    if (cubic->before.cwnd == 0)
        return;
    cc->cwnd_bytes = HW_MAX(cc->cwnd_bytes, cubic->before.cwnd);
    cc->ssthresh_bytes = cubic->before.ssthresh;
    cubic->curve = cubic->before.curve;
    cubic->before.cwnd = 0;
}

static void cubic_on_idle(struct hawser_flow *cc, uint64_t idle_ns, uint64_t now_ns)
{
    (void)now_ns;
    struct cubic *cubic = state(cc);
    cubic->curve.epoch_ns += idle_ns;
    cubic->last_ack_ns += idle_ns; /* the next acknowledgement shall not count this time again */
}

const struct hawser_congestion cc_cubic = {
    .size = sizeof(struct hawser_congestion),
    .name = "cubic",
    .state_bytes = sizeof(struct cubic),
    .resume = cubic_resume,
    .fold = cubic_fold,
    .on_ack = cubic_on_ack,
    .on_loss = cubic_on_loss,
    .on_timeout = cubic_on_timeout,
    .undo = cubic_undo,
    .on_idle = cubic_on_idle,
};
