/* What a host must not do any more, or not too often. */
#include <inttypes.h>

#include "base/units.h"
#include "sim/judges/rules.h"

/* RFC 8684 3: signalling must not look like congestion to a middlebox. */
#define SIGNAL_ACKS_MAX 2u
/* And what would look like it ends with a silence that no loss outlasts. */
#define SIGNAL_ROW_NS (30 * NS_PER_S)
/* Acknowledgements without data that a packet worth an answer may cause on a subflow, and those that come by themselves
 * (probes, openings of the window). */
#define ACKS_PER_CAUSE 2u
#define ACKS_PER_S 200u
#define ACKS_AT_ONCE 2000u

static bool is_bare(const struct seen *seen)
{
    return seen->len == 0 && !(seen->flags & (SEEN_SYN | SEEN_FIN | SEEN_RST));
}

/* What belongs to the fall itself: the infinite mapping, and the answer to an MP_FAIL. */
static bool tells_the_fall(const struct seen *seen)
{
    const struct seen_dss *dss = &seen->dss;
    bool infinite = seen->mptcp == 1u << SEEN_DSS && dss->has_map && dss->len == 0 && !dss->fin && !dss->has_ack;
    return infinite || seen->mptcp == 1u << SEEN_FAIL;
}

/* RFC 8684 3.7, 3.1: whoever fell back, or was never answered, says no more of MPTCP. */
static void check_fallback(const struct judge_subflow *s, const struct seen *seen)
{
    const struct judge_conn *conn = s->conn;
    if (!seen->mptcp || seen->flags & SEEN_SYN || s->join)
        return;
    bool refused = s->opened ? s->irs_known && !conn->peer_answered : !conn->offered;
    if (refused || (conn->fallen && !tells_the_fall(seen)))
        judge_says(s, "fallback-final", "MPTCP options on a connection that is plain TCP");
}

static void check_signals(struct judge_subflow *s, const struct seen *seen, uint64_t now_ns)
{
    bool repeats = s->last_sent_ack == seen->ack && s->last_sent_seq == seen->seq && s->last_window == seen->window &&
                   now_ns - s->last_sent_ns < SIGNAL_ROW_NS;
    bool signals = is_bare(seen) && seen->mptcp & SIGNAL_OPTIONS && seen->sack_count == 0;
    s->signals = signals && repeats ? s->signals + 1 : 0;
    if (s->signals > SIGNAL_ACKS_MAX)
        judge_says(s, "signal-acks", "%u duplicate acknowledgements in a row for the sake of options", s->signals);
    s->last_sent_ack = seen->ack;
    s->last_sent_seq = seen->seq;
    s->last_window = seen->window;
    s->last_sent_ns = now_ns;
}

/* A bucket that what was delivered fills, and time. Counted in thousandths of an acknowledgement. */
static void check_storm(struct judge_subflow *s, const struct seen *seen, uint64_t now_ns)
{
    uint64_t credit = s->ack_credit + (s->conn->causes - s->causes_seen) * ACKS_PER_CAUSE * 1000 +
                      (now_ns - s->credit_ns) / NS_PER_US * ACKS_PER_S / 1000;
    s->causes_seen = s->conn->causes;
    s->ack_credit = HW_MIN(credit, ACKS_AT_ONCE * UINT64_C(1000));
    s->credit_ns = now_ns;
    if (!is_bare(seen))
        return;
    if (s->ack_credit < 1000)
        judge_says(s, "ack-storm", "acknowledgements that nothing asked for");
    else
        s->ack_credit -= 1000;
}

/* RFC 7323 3.2 and 5.2: on every segment once agreed, and the clock does not run backwards. */
static void check_timestamps(struct judge_subflow *s, const struct seen *seen)
{
    bool syn = seen->flags & SEEN_SYN, agreed = s->timestamps_sent && s->peer_timestamps;
    if (!syn && s->irs_known && seen->has_timestamps != agreed)
        judge_says(s, "timestamp-agreed", "a segment %s timestamps", agreed ? "without" : "with");
    if (!seen->has_timestamps)
        return;
    if (s->ts_known && (int32_t)(seen->ts_val - s->ts_val) < 0)
        judge_says(s, "timestamp-back", "timestamp %u after %u", seen->ts_val, s->ts_val);
    s->ts_known = true;
    s->ts_val = seen->ts_val;
}

void manners_sent(struct judge_subflow *s, const struct seen *seen, uint64_t now_ns)
{
    check_fallback(s, seen);
    if (seen->flags & SEEN_RST)
        return;
    if (s->reset)
        judge_says(s, "reset-final", "a segment after the RST");
    check_timestamps(s, seen);
    check_signals(s, seen, now_ns);
    check_storm(s, seen, now_ns);
}
