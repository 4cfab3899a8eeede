/* The fall to plain TCP, and what the connection has to do for it (RFC 8684 3.7). */
#include <errno.h>

#include "mptcp/conn.h"

void conn_fall_back(struct conn *conn, enum plain_cause why, uint64_t now_ns)
{
    struct subflow *first = conn_way_back(conn);
    if (fallback_is_plain(&conn->fallback) || !first)
        return;
    count(&conn->host->tcp.counters, COUNT_MPTCP_FALLBACKS);
    if (fallback_go(&conn->fallback, why, first->tcp.snd_nxt))
        tcp_signal_now(&first->tcp);
    else
        tcp_drop_upper_options(&first->tcp);
    data_tx_forget_lost(&conn->data_tx); /* the one subflow's own retransmission is all there is now */
    data_tx_stop(&conn->data_tx);
    first->due_ns = TIME_NEVER;
    conn_touch(conn);
    subflows_abort_others(&conn->subflows, first, -EPROTO, now_ns);
    const struct mapping infinite = {.ssn = SSN_ORIGIN + 1, .dsn = dsn_add(conn->identity.remote_idsn, 1)};
    conn_hand_up(first, &infinite, now_ns); /* what waited for its mapping */
    data_rx_forget_end(&conn->data_rx);     /* now its FIN counts, */
    if (first->tcp.fin_at && first->tcp.rx.next > first->tcp.fin_at)
        subflow_note(first, TCP_EVENT_FIN); /* and one that came before */
    if (data_tx_fin_sent(&conn->data_tx))
        tcp_shutdown(&first->tcp, now_ns);
}

void conn_fall_back_or_reset(struct subflow *subflow, enum plain_cause why, enum counter cause, uint64_t now_ns)
{
    if (conn_way_back(subflow->conn) && !subflow->join)
        conn_fall_back(subflow->conn, why, now_ns);
    else
        subflow_give_up(subflow, cause, now_ns);
}

bool conn_options_vanished(const struct subflow *subflow, const struct tcp_segment *segment)
{
    const struct conn *conn = subflow->conn;
    const struct bare_segment bare = {.join = subflow->join,
                                      .dss_seen = subflow->dss_seen,
                                      .confirmed = identity_confirmed(&conn->identity),
                                      .payload = segment->payload.len,
                                      .acks_data = segment->ack > SSN_ORIGIN + 1};
    return !segment->options->mp.present && !(segment->header.flags & TCP_RST) &&
           fallback_needed(&conn->fallback, &bare);
}

/* RFC 8684 3.7: a checksum of ours failed at the peer's, or it answers that one of its own did at ours. */
void conn_take_fail(struct subflow *subflow, uint64_t now_ns)
{
    struct conn *conn = subflow->conn;
    if (fallback_is_mptcp(&conn->fallback) && conn->identity.checksums) {
        bool is_answer = subflow->fail_stage == FAIL_ASKING;
        if (!is_answer)
            subflow->fail_stage = FAIL_ON_RESET; /* if it comes to one */
        subflow->fail_dsn = data_rx_next(&conn->data_rx);
        conn_fall_back_or_reset(subflow, PLAIN_CHECKSUM, COUNT_DROP_DATA_CHECKSUM, now_ns);
        if (!is_answer && fallback_is_plain(&conn->fallback))
            fallback_made_by_fail(&conn->fallback);
    }
    if (fallback_owe_answer(&conn->fallback))
        tcp_signal_now(&subflow->tcp);
}

/* RFC 8684 3.3: a mapping of length 0 is infinite: the peer has fallen back. */
void conn_take_infinite(struct subflow *subflow, const struct mapping *map, uint64_t now_ns)
{
    struct conn *conn = subflow->conn;
    if (!subflow->join && dsn_eq(map->dsn, dsn_of_ssn(conn->identity.remote_idsn, map->ssn)))
        conn_fall_back_or_reset(subflow, PLAIN_INFINITE, COUNT_DROP_MAPPING, now_ns);
    else
        count(&conn->host->tcp.counters, COUNT_DROP_MAPPING);
}
