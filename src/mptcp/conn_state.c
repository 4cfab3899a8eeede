/* How a connection stands, for whoever works for it; and the marks by which it is found again. */
#include "mptcp/conn.h"
#include "mptcp/outflow.h"

struct tx_paths conn_tx_paths(const struct conn *conn)
{
    return subflows_tx_paths(&conn->subflows, fallback_peer_committed(&conn->fallback));
}

static struct readiness conn_readiness(const struct conn *conn)
{
    return (struct readiness){.id = &conn->identity,
                              .endings = &conn->endings,
                              .tx = &conn->data_tx,
                              .rx = &conn->data_rx,
                              .subflows = &conn->subflows,
                              .low_water = conn->send_low_water,
                              .starved = !list_empty(&conn->starved_link),
                              .passed_on = conn->patience.keepalive.passed_on};
}

unsigned conn_ready(const struct conn *conn)
{
    const struct readiness r = conn_readiness(conn);
    return readiness_of(&r, 1);
}

void conn_event(struct conn *conn)
{
    const struct readiness r = conn_readiness(conn);
    told_line_up(&conn->told, &conn->host->events, readiness_news(&r, &conn->told));
}

unsigned conn_take_event(struct conn *conn)
{
    const struct readiness r = conn_readiness(conn);
    return readiness_tell(&r, &conn->told);
}

struct ending_facts conn_ending_facts(const struct conn *conn)
{
    return (struct ending_facts){.acked_bytes = data_tx_acked_bytes(&conn->data_tx),
                                 .moved = data_tx_acked_bytes(&conn->data_tx) + data_rx_next(&conn->data_rx).v,
                                 .delivering = !data_tx_end_acked(&conn->data_tx),
                                 .user_timeout_ns = conn_user_timeout(conn),
                                 .own_timeout_ns = user_timeout_own(&conn->patience.user_timeout),
                                 .stranded = !data_rx_is_over(&conn->data_rx) && subflows_stranded(&conn->subflows)};
}

bool conn_unfinished(const struct conn *conn)
{
    return !conn->listener && endings_unattended(&conn->endings, !data_tx_end_acked(&conn->data_tx));
}

struct path_manager conn_path_manager(struct conn *conn)
{
    struct mp_host *host = conn->host;
    return (struct path_manager){.paths = &conn->paths,
                                 .subflows = &conn->subflows,
                                 .locals = {host->addresses, conn->door ? 0u : host->address_count},
                                 .payer = &conn->account,
                                 .end_missing = !data_rx_is_over(&conn->data_rx),
                                 .subflow_limit = conn->subflow_limit,
                                 .bytes = conn->progress.bytes,
                                 .id = &conn->identity,
                                 .counters = &host->tcp.counters};
}

struct outflow conn_outflow(struct conn *conn)
{
    return (struct outflow){.tx = &conn->data_tx,
                            .subflows = &conn->subflows,
                            .scheduler = &conn->scheduler,
                            .checksums = conn->identity.checksums,
                            .committed = fallback_peer_committed(&conn->fallback)};
}

bool conn_is_missed(const struct conn *conn)
{
    const struct endings *e = &conn->endings;
    return endings_goes_on(e) && (conn->listener || !endings_finished(e) || !data_tx_end_acked(&conn->data_tx));
}

bool conn_streams_over(const struct conn *conn)
{
    return data_tx_end_acked(&conn->data_tx) && data_rx_is_over(&conn->data_rx);
}

struct subflow *conn_way_back(const struct conn *conn)
{
    return fallback_open(&conn->fallback) ? outflow_only_carrier(&conn->data_tx, &conn->subflows) : NULL;
}

void conn_reinject(struct subflow *subflow)
{
    struct conn *conn = subflow->conn;
    if (!fallback_is_mptcp(&conn->fallback))
        return;
    outflow_reinject(&conn->data_tx, subflow);
    conn_wake(conn);
}

/* ---- the end ---- */

void conn_fail(struct conn *conn, int error)
{
    if (!endings_error(&conn->endings) && !conn_streams_over(conn)) {
        count_n(&conn->host->tcp.counters, COUNT_MPTCP_UNDELIVERED, conn_unfinished(conn));
        endings_fail(&conn->endings, error);
    }
    conn_event(conn);
}

void conn_abort(struct conn *conn, int error, uint64_t now_ns)
{
    endings_abort(&conn->endings);
    conn_fail(conn, error);
    subflows_abort(&conn->subflows, error, now_ns);
    conn_forget_disorder(conn);
    conn_wake(conn);
}
