/* What a connection holds of arrivals, and gives up when memory is short (docs/ARCHITECTURE.md). */
#include "mptcp/conn.h"
#include "mptcp/inflow.h"

/* RFC 8684 3.3.2: the peer keeps what was not acknowledged at the data level and sends it again. For sure only where it
 * knows of another subflow, for then it cannot fall back; and bytes that one subflow has SACKed only its own peer would
 * send again. */
bool conn_sheds(const struct conn *conn)
{
    return fallback_is_mptcp(&conn->fallback) && fallback_peer_committed(&conn->fallback);
}

/* RFC 2018 8: whoever sent what was SACKed keeps it until it is acknowledged. What lies behind a gap of the stream is
 * that, and nothing else, where one subflow carries the stream in order. */
static bool may_renege(const struct conn *conn)
{
    return !conn_sheds(conn) && conn->subflow_count == 1 &&
           (fallback_is_plain(&conn->fallback) || !fallback_rx_diverged(&conn->fallback));
}

void conn_note_disorder(struct conn *conn)
{
    if (!data_rx_has_disorder(&conn->data_rx) && !inflow_holds_unmapped(&conn->subflows))
        list_remove(&conn->disorder_link);
    else if (list_empty(&conn->disorder_link))
        list_push_back(&conn->host->disordered, &conn->disorder_link);
}

void conn_forget_disorder(struct conn *conn)
{
    (void)inflow_drop_disorder(&conn->data_rx, &conn->subflows);
    conn_note_disorder(conn);
}

static bool shed(struct conn *conn, enum shed what)
{
    switch (what) {
    case SHED_UNMAPPED:
        return conn_sheds(conn) && inflow_drop_unmapped(&conn->subflows);
    case SHED_DISORDER:
        return conn_sheds(conn) && inflow_drop_disorder(&conn->data_rx, &conn->subflows);
    case SHED_SACKED:
        return may_renege(conn) && inflow_renege(&conn->data_rx, &conn->subflows);
    }
    return false;
}

bool conn_shed(struct conn *conn, enum shed what)
{
    static const enum counter counters[] = {[SHED_UNMAPPED] = COUNT_LIMIT_UNMAPPED_DROPPED,
                                            [SHED_DISORDER] = COUNT_LIMIT_DISORDER_DROPPED,
                                            [SHED_SACKED] = COUNT_LIMIT_SACKED_DROPPED};
    if (!shed(conn, what))
        return false;
    conn_note_disorder(conn);
    conn->arrived = true; /* but it is gone, and is not waited for */
    count(&conn->host->tcp.counters, counters[what]);
    return true;
}

void conn_idle(struct conn *conn) { inflow_idle(&conn->data_rx, &conn->subflows); }
