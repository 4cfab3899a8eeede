/* Windows never shrink, and nobody sends beyond the peer's (RFC 9293 3.8.6, RFC 8684 3.3.4 and 3.3.5). */
#include <inttypes.h>

#include "sim/judges/rules.h"

/* RFC 7323 2.4: the field is rounded down, so up to a unit of the scale may seem to go. */
static void check_edge(const struct judge_subflow *s, const struct seen *seen, uint64_t ack, uint64_t *edge,
                       bool *known)
{
    uint64_t unit = UINT64_C(1) << own_scale(s), now = ack + seen->window * unit;
    bool saturated = seen->window == UINT16_MAX; /* the field says all it can */
    if (*known && !saturated && now + unit - 1 < *edge)
        judge_says(s, "window-shrinks", "right edge %" PRIu64 " after %" PRIu64, now, *edge);
    *edge = HW_MAX(*edge, now);
    *known = true;
}

static void check_own_window(struct judge_subflow *s, const struct seen *seen)
{
    struct judge_conn *conn = s->conn;
    bool plain = !s->join && (conn->fallen || (!seen->mptcp && !conn->speaks));
    if (seen->flags & (SEEN_SYN | SEEN_RST) || !s->irs_known)
        return;
    if (plain)
        check_edge(s, seen, peer_seq(s, seen->ack), &s->window_edge, &s->window_known);
    else if (seen->dss.has_ack && conn->remote.known)
        check_edge(s, seen, stream_offset(&conn->remote, seen->dss.ack, seen->dss.ack_is_64, conn->data.next),
                   &conn->window_edge, &conn->window_known);
}

void windows_sent(struct judge_subflow *s, const struct seen *seen, uint64_t now_ns)
{
    (void)now_ns;
    check_own_window(s, seen);
    uint64_t end = payload_start(s, seen) + seen->len;
    if (seen->len && end > s->peer_edge)
        judge_says(s, "window-exceeded", "data to %" PRIu64 "; the window of the subflow ends at %" PRIu64, end,
                   s->peer_edge);
}

void windows_data(const struct judge_subflow *s, uint64_t end)
{
    if (s->conn->stream_blind)
        return; /* an acknowledgement of what was not seen to leave told no edge */
    if (end > s->conn->data_edge)
        judge_says(s, "window-exceeded", "stream to %" PRIu64 "; the window of the connection ends at %" PRIu64, end,
                   s->conn->data_edge);
}
