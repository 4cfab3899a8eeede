/*
 * Congestion control behind one small interface (hawser/congestion.h). A controller owns the window, ssthresh and the
 * rate of one subflow and decides from what it is told; it never sees a connection. Loss detection and recovery are the
 * subflow's (src/tcp), which calls these functions and not the table: they do nothing where it has none, and see that
 * whatever a controller sets can be.
 */
#ifndef HW_CC_CC_H
#define HW_CC_CC_H

#include <hawser/congestion.h>

#include "base/compiler.h"

/* No window needs to exceed what sequence space allows in flight (RFC 7323 2.3). */
#define CWND_MAX (UINT32_C(1) << 30)

/* RFC 6928: ten segments, but no more than 14600 bytes unless two segments are more. */
static inline uint32_t cc_initial_window(uint32_t segment_bytes)
{
    uint32_t most = HW_MAX(2 * segment_bytes, UINT32_C(14600));
    return HW_MIN(10 * segment_bytes, most);
}

static inline bool cc_in_slow_start(const struct hawser_flow *cc) { return cc->cwnd_bytes < cc->ssthresh_bytes; }

/* What it sends is spread over the round trip, so that no acknowledgement, however much it covers, makes a burst. */
static inline bool cc_is_paced(const struct hawser_flow *cc) { return cc->pacing_bps || cc->srtt_ns; }

/* Can it be used? 0, -EINVAL, or -E2BIG: it asks for what the library does not know. NULL, which is nobody, can. */
int cc_check(const struct hawser_congestion *policy);

/* Initial window, ssthresh unlimited; idle. */
void cc_init(struct hawser_flow *cc, const struct hawser_congestion *policy, uint32_t segment_bytes);

/* From idleness, with `state_bytes` of memory until cc_fold(). */
void cc_resume(struct hawser_flow *cc, void *memory, uint32_t seed, uint64_t now_ns);
void cc_fold(struct hawser_flow *cc);

void cc_on_ack(struct hawser_flow *cc, const struct hawser_ack *ack);
void cc_on_loss(struct hawser_flow *cc, const struct hawser_loss *loss);
void cc_on_lost(struct hawser_flow *cc, const struct hawser_loss *loss);
void cc_on_timeout(struct hawser_flow *cc, const struct hawser_loss *loss);
void cc_on_recovery_end(struct hawser_flow *cc);
void cc_undo(struct hawser_flow *cc);

/* The flow sends again after `idle_ns` of silence, longer than a retransmission timeout: tells the controller, and
 * takes the window back to the initial one (RFC 5681 4.1), unless the controller has a rate of its own.
 * ssthresh keeps what the window was (RFC 2861 3.2), so that slow start leads back. */
void cc_restart(struct hawser_flow *cc, uint64_t idle_ns, uint64_t now_ns);

/* RFC 5681 with appropriate byte counting (RFC 3465, L = 2). */
extern const struct hawser_congestion cc_reno;
/* RFC 9438, with HyStart++ (RFC 9406) in slow start. */
extern const struct hawser_congestion cc_cubic;
/* draft-ietf-ccwg-bbr */
extern const struct hawser_congestion cc_bbr;

#endif
