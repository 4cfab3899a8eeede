/* Acknowledgements are honest, at both levels (RFC 9293 3.4, RFC 2018 4, RFC 8684 3.3.2), and are not taken back. */
#include <inttypes.h>

#include "sim/judges/rules.h"

static void check_ack(struct judge_subflow *s, const struct seen *seen)
{
    uint64_t ack = peer_seq(s, seen->ack);
    if (ack > s->arrived.next)
        judge_says(s, "ack-honest", "acknowledges %" PRIu64 ", but %" PRIu64 " has not arrived", ack, s->arrived.next);
    if (ack < s->ack_max)
        judge_says(s, "ack-back", "acknowledges %" PRIu64 " after %" PRIu64, ack, s->ack_max);
    s->ack_max = HW_MAX(s->ack_max, ack);
}

/* What lies before the SYN is taken for an old duplicate, and may be named as one (RFC 2883). */
static void check_sack(const struct judge_subflow *s, const struct seen *seen)
{
    for (unsigned i = 0; i < seen->sack_count; i++) {
        uint32_t from = seen->sack[i].start, to = seen->sack[i].end;
        uint64_t start = peer_seq(s, from), end = peer_seq(s, to);
        if ((int32_t)(to - from) <= 0 || !spans_has(&s->arrived, start, end))
            judge_says(s, "sack-honest", "block %" PRIu64 " to %" PRIu64 " has not arrived", start, end);
    }
}

static void check_data_ack(const struct judge_subflow *s, const struct seen *seen)
{
    struct judge_conn *conn = s->conn;
    if (!conn->remote.known) {
        if (conn->data_blind) /* it may have come by the subflow that is not seen */
            return;
        judge_says(s, "data-ack-honest", "a DATA_ACK before the peer's key arrived");
        return;
    }
    uint64_t ack = stream_offset(&conn->remote, seen->dss.ack, seen->dss.ack_is_64, conn->data.next);
    if (ack > conn->data.next && !conn->data_blind)
        judge_says(s, "data-ack-honest", "DATA_ACK %" PRIu64 ", but %" PRIu64 " has not arrived", ack, conn->data.next);
    if (ack < conn->data_ack)
        judge_says(s, "data-ack-back", "DATA_ACK %" PRIu64 " after %" PRIu64, ack, conn->data_ack);
    conn->data_ack = HW_MAX(conn->data_ack, ack);
}

void acks_sent(struct judge_subflow *s, const struct seen *seen, uint64_t now_ns)
{
    (void)now_ns;
    if (!(seen->flags & SEEN_ACK) || seen->flags & SEEN_RST)
        return;
    if (!s->irs_known) {
        judge_says(s, "ack-honest", "acknowledges before any SYN arrived");
        return;
    }
    check_ack(s, seen);
    check_sack(s, seen);
    if (seen->dss.has_ack)
        check_data_ack(s, seen);
}
