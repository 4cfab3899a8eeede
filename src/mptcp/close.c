/* The ends of subflows and of the connection (RFC 8684 3.3.3). */
#include <errno.h>

#include "mptcp/conn.h"
#include "mptcp/outflow.h"

static void subflow_established(struct subflow *subflow, uint64_t now_ns)
{
    struct conn *conn = subflow->conn;
    if (subflow->join) {
        if (!subflow->passive) {
            subflow->stage = SUBFLOW_PROVING;
            subflow_insist(subflow, now_ns);
        }
        return;
    }
    subflow->stage = SUBFLOW_JOINED;
    identity_reach(&conn->identity, IDENTITY_ESTABLISHED);
    conn->data_tx.snd_edge = dsn_max(conn->data_tx.snd_edge, dsn_add(conn->data_tx.sendq.una, subflow->tcp.snd_wnd));
    conn_event(conn);
}

/* As far as this end can tell. */
static bool are_both_over(const struct conn *conn, const struct subflow *last)
{
    /* RFC 9293 3.10.7.4: as in LAST-ACK, a RST for the end of the stream comes from a peer that knows it is over. */
    bool all_acked = data_tx_all_acked(&conn->data_tx);
    bool in_order = last->tcp.error == 0 || (last->tcp.error == -ECONNRESET && all_acked);
    return data_rx_is_over(&conn->data_rx) &&
           (conn->data_tx.fin == DATA_FIN_ACKED || (data_tx_fin_sent(&conn->data_tx) && in_order));
}

/* Is there anybody whom another subflow would serve, and may one come? */
static bool may_be_rescued(const struct subflow *last)
{
    const struct conn *conn = last->conn;
    const struct endings *e = &conn->endings;
    bool possible = conn->fallback.mode == CONN_MPTCP && (identity_confirmed(&conn->identity) || conn->half_open.count);
    bool missed = conn->listener || !e->detached || conn_unfinished(conn);
    return possible && missed && !e->error && !e->aborted && e->asked < ASKED_ABORT &&
           (!subflow_is_useless(last) || conn->half_open.count || conn_paths_has_others(last));
}

/* No subflow is left but joins that may come to nothing. */
static void last_subflow_closed(struct subflow *last, uint64_t now_ns)
{
    struct conn *conn = last->conn;
    int error = last->tcp.error ? last->tcp.error : -ECONNRESET;
    if (endings_awaits_rescue(&conn->endings) || are_both_over(conn, last)) {
        conn_paths_subflow_closed(last, now_ns);
    } else if (may_be_rescued(last)) {
        conn_paths_rescue(last, error, now_ns);
    } else if (!conn->endings.error) {
        conn->endings.aborted |= last->tcp.reset_wanted; /* no use in the peer's waiting for another subflow */
        conn_fail(conn, error);
    }
    if (!endings_awaits_rescue(&conn->endings))
        conn_forget_disorder(conn);
}

static void subflow_closed(struct subflow *subflow, uint64_t now_ns)
{
    struct conn *conn = subflow->conn;
    subflow->suspect_since_ns = 0;
    rx_mapping_close(&subflow->rx_mapping);
    conn_reinject(subflow);
    if (subflows_lost(&conn->subflows))
        last_subflow_closed(subflow, now_ns);
    else
        conn_paths_subflow_closed(subflow, now_ns);
    conn_event(conn);
}

static void subflow_fin(struct subflow *subflow, uint64_t now_ns)
{
    struct conn *conn = subflow->conn;
    if (conn->fallback.mode == CONN_PLAIN && data_rx_has_disorder(&conn->data_rx)) {
        conn_abort(conn, -EPROTO, now_ns); /* the end, but not all that lies before it */
    } else if (conn->fallback.mode == CONN_PLAIN) {
        data_rx_end_here(&conn->data_rx);
        conn_event(conn);
    } else if (!data_rx_knows_end(&conn->data_rx) && subflows_have_successor(&conn->subflows, subflow)) {
        /* RFC 8684 3.3.3: a subflow's FIN says nothing of the connection; answer it and keep the others. */
        tcp_shutdown(&subflow->tcp, now_ns);
    }
}

void close_subflow_event(struct subflow *subflow, enum tcp_event event, uint64_t now_ns)
{
    struct conn *conn = subflow->conn;
    conn->news |= NEWS_SUBFLOWS;
    conn_touch(conn);
    switch (event) {
    case TCP_EVENT_ESTABLISHED:
        subflow_established(subflow, now_ns);
        break;
    case TCP_EVENT_FIN:
        subflow_fin(subflow, now_ns);
        break;
    case TCP_EVENT_SILENT: /* with another path at hand there is no reason to wait for the timeout */
    case TCP_EVENT_TIMEOUT:
        subflow->stale = true;
        conn_reinject(subflow);
        conn_paths_subflow_silent(subflow, now_ns);
        break;
    case TCP_EVENT_ALIVE:
        subflow->stale = false;
        outflow_forget_reinjection(&conn->data_tx, subflow);
        break;
    case TCP_EVENT_TIME_WAIT:
        conn_event(conn);
        break;
    case TCP_EVENT_CLOSED:
        subflow_closed(subflow, now_ns);
        break;
    }
    conn_wake(conn);
}
