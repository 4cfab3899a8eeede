/*
 * BBR version 3 (draft-ietf-ccwg-bbr): a model of the path - what it delivers at most, and how long that takes when no
 * queue stands - and a cycle that looks for more, drains what that piled up, and then cruises.
 *
 * bbr.c (what it hears, what it sets), bbr_phases.c (the cycle), bbr_loss.c (what losses say), bbr_model.c (what it
 * believes): each calls those named after it. Rates are bytes a second.
 */
#ifndef HW_CC_BBR_H
#define HW_CC_BBR_H

#include "base/prng.h"
#include "cc/cc.h"

#define BBR_NONE UINT64_MAX /* of a bound: there is none */
/* Beyond that, 137 Gbit/s, rates are all the same: so that a rate times a second of nanoseconds is in 64 bits. */
#define BBR_RATE_MAX (UINT64_C(1) << 34)

enum bbr_phase { BBR_STARTUP, BBR_DRAIN, BBR_DOWN, BBR_CRUISE, BBR_REFILL, BBR_UP, BBR_PROBE_RTT };

/* Which part of a probe the acknowledgements that arrive are about. */
enum bbr_acks { BBR_ACKS_INIT, BBR_ACKS_REFILLING, BBR_ACKS_STARTING, BBR_ACKS_FEEDBACK, BBR_ACKS_STOPPING };

/* What the path has shown that it can do. */
struct bbr_model {
    uint64_t bw[2];                     /* the most of the cycle before, and of this one */
    uint64_t min_rtt_ns, min_rtt_at_ns; /* the least of ten seconds; BBR_NONE: not seen yet */
    uint64_t probed_ns, probed_at_ns;   /* the least of five seconds, after which it is looked for */
    bool probe_expired;
    uint64_t extra[2], extra_rounds; /* acknowledged at once beyond the rate: the most of some rounds, twice */
    uint64_t extra_since_ns, extra_delivered;
};

/* Is the pipe full? */
struct bbr_full {
    uint64_t bw;
    uint32_t rounds; /* in which that did not grow */
    bool now;        /* it is, by this probe */
    bool reached;    /* it was once */
};

struct bbr_round {
    uint64_t end, count; /* it ends when so much is delivered */
    bool start;
};

/* What losses have to say. */
struct bbr_loss {
    uint64_t round_end; /* losses of a round trip count as one */
    bool round_start, in_round;
    uint32_t events; /* in this round: times at which some were found */
    uint64_t event_ns;
    uint64_t lost, delivered_before;     /* bytes in this round; of the flow when it began */
    uint64_t bw_latest, inflight_latest; /* the most of this round */
    uint64_t bw_short, inflight_short;   /* bounds until the next probe; BBR_NONE */
    uint64_t inflight_long;              /* what is safe, by the last probe; BBR_NONE */
    struct {
        enum bbr_phase phase; /* that it left because of a loss: STARTUP or UP, else none */
        uint64_t bw_short, inflight_short, inflight_long;
    } before;
};

struct bbr {
    enum bbr_phase phase;
    struct bbr_model model;
    struct bbr_full full;
    struct bbr_round round;
    struct bbr_loss loss;
    uint64_t bw;                       /* what is believed now */
    uint64_t delivered, ignored_until; /* bytes of the flow; samples of what left before that one say little */
    uint64_t now_ns;                   /* of the last call that told */

    /* the cycle */
    enum bbr_acks acks;
    uint64_t cycle_at_ns, wait_ns;
    uint64_t rounds_since_up;
    uint64_t up_per_segment, up_acked; /* the bound rises by a segment for so many bytes acknowledged */
    uint32_t up_rounds;
    bool is_probe_sample;         /* losses are of what a probe sent */
    bool too_high, precautionary; /* the last probe lost; this one stops before it does */
    uint64_t drain_round;
    uint64_t probe_rtt_done_ns;
    bool probe_rtt_round_done;
    bool idle_restart;

    uint32_t prior_cwnd;
    bool recovering;
    bool has_rtt;
    struct prng lots;
};

/* A sample, with rates in bytes. */
struct bbr_sample {
    const struct hawser_rate_sample *rate;
    uint64_t bw;
    bool limited; /* the program had no more, or it was held back on purpose */
    bool cwnd_limited;
};

/* ---- bbr_model.c ---- */

static inline uint64_t bbr_bytes_in(uint64_t bw, uint64_t ns)
{
    bw = HW_MIN(bw, BBR_RATE_MAX);
    ns = HW_MIN(ns, UINT64_C(1) << 36); /* a minute */
    return bw * (ns / 1000000000) + bw * (ns % 1000000000) / 1000000000;
}
static inline uint64_t bbr_max_bw(const struct bbr *b) { return HW_MAX(b->model.bw[0], b->model.bw[1]); }
void bbr_round_begin(struct bbr *b);
void bbr_full_reset(struct bbr *b, uint64_t bw);
void bbr_learn_bw(struct bbr *b, const struct bbr_sample *s);
void bbr_advance_bw(struct bbr *b);
void bbr_learn_extra(struct bbr *b, const struct hawser_flow *flow, const struct bbr_sample *s);
void bbr_learn_rtt(struct bbr *b, uint64_t rtt_ns);
void bbr_learn_full(struct bbr *b, const struct bbr_sample *s);
uint64_t bbr_extra(const struct bbr *b);
/* Bytes that fill the path, times `percent`; and what of that is in flight where bursts are to be allowed for. */
uint64_t bbr_bdp(const struct bbr *b, const struct hawser_flow *flow, uint32_t percent);
uint64_t bbr_inflight(const struct bbr *b, const struct hawser_flow *flow, uint64_t bytes);
static inline uint64_t bbr_least(const struct hawser_flow *flow) { return UINT64_C(4) * flow->segment_bytes; }
/* What it wants in flight, unless a loss says less. */
static inline uint64_t bbr_target(const struct bbr *b, const struct hawser_flow *flow)
{
    return HW_MIN(bbr_bdp(b, flow, 100), flow->cwnd_bytes);
}

/* ---- bbr_loss.c ---- */

void bbr_short_reset(struct bbr *b);
void bbr_signals_reset(struct bbr *b);
void bbr_signals_begin(struct bbr *b, const struct bbr_sample *s);
void bbr_signals_adapt(struct bbr *b, const struct hawser_flow *flow);
void bbr_signals_end(struct bbr *b, const struct bbr_sample *s);
bool bbr_is_too_high(const struct hawser_flow *flow, uint64_t lost, uint64_t in_flight);
/* Something was: what there was before is remembered. */
void bbr_note_loss(struct bbr *b, const struct hawser_flow *flow);
/* Of this round, more than chance explains. */
bool bbr_round_is_lossy(const struct bbr *b, const struct hawser_flow *flow);
void bbr_save_cwnd(struct bbr *b, const struct hawser_flow *flow);
/* What was in flight when losses became too many, by what was when a packet of several segments left that is lost. */
uint64_t bbr_inflight_at(const struct hawser_loss *loss);
/* With room for others. */
uint64_t bbr_with_headroom(const struct bbr *b, const struct hawser_flow *flow);

/* ---- bbr_phases.c ---- */

static inline bool bbr_is_cycling(const struct bbr *b) { return b->phase >= BBR_DOWN && b->phase <= BBR_UP; }
void bbr_enter_startup(struct bbr *b);
void bbr_enter_refill(struct bbr *b);
/* The probe sent too much: `in_flight` bytes. */
void bbr_handle_too_high(struct bbr *b, const struct hawser_flow *flow, uint64_t in_flight, bool limited);
void bbr_advance_phase(struct bbr *b, struct hawser_flow *flow, const struct bbr_sample *s);
/* Half a window for a moment, so that a queue of its own making goes, and the round trip without it is seen. */
void bbr_probe_rtt(struct bbr *b, struct hawser_flow *flow, const struct bbr_sample *s);
void bbr_probe_rtt_end(struct bbr *b, struct hawser_flow *flow);
uint64_t bbr_probe_rtt_window(const struct bbr *b, const struct hawser_flow *flow);

#endif
