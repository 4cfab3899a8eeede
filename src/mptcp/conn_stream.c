/* The program's side of a connection: its two streams, and its wish to end them. */
#include "mptcp/conn.h"

#include <hawser/event.h>

void conn_queued(struct conn *conn, size_t taken, size_t len)
{
    bool starved = taken < len && data_tx_room(&conn->data_tx);
    if (taken)
        conn_wake(conn);
    count_n(&conn->host->tcp.counters, COUNT_LIMIT_MEMORY, starved);
    if (!starved)
        list_remove(&conn->starved_link);
    else if (list_empty(&conn->starved_link))
        list_push_back(&conn->host->starved, &conn->starved_link);
    if (taken < len || data_tx_room(&conn->data_tx) == 0)
        told_forget(&conn->told, HAWSER_WRITABLE);
    conn_event(conn);
}

void conn_consumed(struct conn *conn)
{
    conn_idle(conn);
    conn_event(conn);
    subflows_opened(&conn->subflows, data_rx_promised(&conn->data_rx), data_rx_consumed(&conn->data_rx));
}

void conn_consume(struct conn *conn, size_t len)
{
    data_rx_consume(&conn->data_rx, len);
    conn_consumed(conn);
}

bool conn_at_end(const struct conn *conn)
{
    return data_rx_is_over(&conn->data_rx) && data_rx_readable(&conn->data_rx) == 0;
}

void conn_shutdown(struct conn *conn)
{
    if (data_tx_ends(&conn->data_tx))
        return;
    data_tx_end(&conn->data_tx);
    if (!endings_finished(&conn->endings) && !subflows_brought(&conn->subflows))
        conn_paths_changed(conn, HAWSER_PM_LISTENING);
    conn_event(conn);
    conn_wake(conn);
}

void conn_finish(struct conn *conn)
{
    if (endings_finished(&conn->endings))
        return;
    endings_finish(&conn->endings, data_rx_readable(&conn->data_rx) && !data_tx_ends(&conn->data_tx));
    conn_consume(conn, SIZE_MAX);
    if (identity_established(&conn->identity) || endings_error(&conn->endings))
        conn_shutdown(conn);
    else /* RFC 9293 3.10.4: nothing was queued, and nobody is there yet to be told */
        endings_ask_abort(&conn->endings);
    list_remove(&conn->starved_link);
    conn_wake(conn);
}

void conn_detach(struct conn *conn)
{
    conn_finish(conn);
    endings_detach(&conn->endings);
    conn_event(conn);
    conn_wake(conn);
}

void conn_ask_abort(struct conn *conn)
{
    endings_ask_abort(&conn->endings);
    conn_wake(conn);
}

void conn_begin_asked(struct conn *conn, uint64_t now_ns)
{
    if (!endings_asked(&conn->endings))
        return;
    const struct ending_facts facts = conn_ending_facts(conn);
    int error = endings_begin(&conn->endings, &facts, now_ns);
    if (error)
        conn_abort(conn, error, now_ns);
}
