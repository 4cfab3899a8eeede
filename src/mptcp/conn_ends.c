/* The ends of subflows and of the connection (RFC 8684 3.3.3). */
#include <errno.h>

#include "mptcp/conn.h"
#include "mptcp/outflow.h"

/* As far as this end can tell. */
static bool are_both_over(const struct conn *conn, const struct subflow *last)
{
    /* RFC 9293 3.10.7.4: as in LAST-ACK, a RST for the end of the stream comes from a peer that knows it is over. */
    bool in_order = last->tcp.error == 0 || (last->tcp.error == -ECONNRESET && !last->told_why);
    return data_rx_is_over(&conn->data_rx) &&
           (data_tx_end_acked(&conn->data_tx) ||
            (data_tx_fin_sent(&conn->data_tx) && data_tx_all_acked(&conn->data_tx) && in_order));
}

static void note_closed(struct subflow *subflow, uint64_t now_ns)
{
    struct conn *conn = subflow->conn;
    const struct path_manager pm = conn_path_manager(conn);
    if (conn_wants_paths(conn))
        path_manager_closed(&pm, subflow, now_ns);
}

/* Addresses that a peer has who opens subflows are known to itself only: who brought a second one may bring a third. */
static bool has_others(const struct subflow *last)
{
    const struct conn *conn = last->conn;
    const struct path_manager pm = conn_path_manager(last->conn);
    return path_manager_has_others(&pm, last) || (conn->identity.server && fallback_peer_committed(&conn->fallback));
}

/* Is there anybody whom another subflow would serve, and may one come? */
static bool may_be_rescued(const struct subflow *last)
{
    const struct conn *conn = last->conn;
    bool possible =
        fallback_is_mptcp(&conn->fallback) && (identity_confirmed(&conn->identity) || conn->half_open.count);
    return possible && conn_is_missed(conn) &&
           (!subflow_is_useless(last) || conn->half_open.count || rest_count(&conn->subflows) || has_others(last));
}

/* No subflow is left but joins that may come to nothing, and those that rest. */
static void last_subflow_closed(struct subflow *last, uint64_t now_ns)
{
    struct conn *conn = last->conn;
    const struct ending_facts facts = conn_ending_facts(conn);
    int error = last->tcp.error ? last->tcp.error : -ECONNRESET;
    if (are_both_over(conn, last)) {
        data_tx_take_end_ack(&conn->data_tx);
        note_closed(last, now_ns);
    } else if (endings_awaits_rescue(&conn->endings)) {
        note_closed(last, now_ns);
    } else if (may_be_rescued(last)) {
        bool anew = endings_lose(&conn->endings, &facts, error, now_ns);
        note_closed(last, now_ns);
        paths_begin_rescue(&conn->paths, anew);
    } else if (tcp_rests(&last->tcp)) {
        last->due_ns = time_after(HW_MAX(REST_NS, conn_user_timeout(conn)), now_ns);
    } else if (!endings_error(&conn->endings)) {
        if (last->tcp.reset_wanted) /* no use in the peer's waiting for another subflow */
            endings_abort(&conn->endings);
        conn_fail(conn, error);
        rest_end(&conn->subflows, now_ns);
    }
    if (!endings_awaits_rescue(&conn->endings) && !tcp_rests(&last->tcp))
        conn_forget_disorder(conn);
}

/* Or rests. */
static void subflow_closed(struct subflow *subflow, uint64_t now_ns)
{
    struct conn *conn = subflow->conn;
    conn_reinject(subflow);
    if (conn->opening)
        conn->host->ops->attempt_over(conn->host, subflow, now_ns);
    else if (subflows_lost(&conn->subflows))
        last_subflow_closed(subflow, now_ns);
    else
        note_closed(subflow, now_ns);
}

static void subflow_fin(struct subflow *subflow, uint64_t now_ns)
{
    struct conn *conn = subflow->conn;
    if (fallback_is_plain(&conn->fallback) && data_rx_has_disorder(&conn->data_rx))
        conn_abort(conn, -EPROTO, now_ns); /* the end, but not all that lies before it */
    else if (fallback_is_plain(&conn->fallback))
        data_rx_end_here(&conn->data_rx);
}

void conn_take_subflow_news(struct subflow *subflow, uint64_t now_ns)
{
    struct conn *conn = subflow->conn;
    unsigned news = subflow_take_news(subflow);
    if (news & SUBFLOW_ENDED)
        subflow_fin(subflow, now_ns);
    if (news & SUBFLOW_WENT_STALE) { /* with another path at hand there is no reason to wait for the timeout */
        conn_reinject(subflow);
        if (subflows_have_other(&conn->subflows, subflow))
            silence_begin(subflow, now_ns);
        if (path_manager_silent(subflow, now_ns))
            conn_paths_changed(conn, HAWSER_PM_SUBFLOW_STALE);
    }
    if (news & SUBFLOW_CAME_BACK) {
        silence_end(subflow, false);
        outflow_forget_reinjection(&conn->data_tx, subflow);
        conn_paths_changed(conn, HAWSER_PM_SUBFLOW_ALIVE);
    }
    if (news & (SUBFLOW_CLOSED | SUBFLOW_RESTS))
        subflow_closed(subflow, now_ns);
}
