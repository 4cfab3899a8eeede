/* Subflows for the pairs of addresses that the path manager wishes. */
#include "mptcp/conn.h"

#include <errno.h>

bool conn_wants_paths(const struct conn *conn)
{
    bool none = subflows_over(&conn->subflows) && !endings_awaits_rescue(&conn->endings);
    return fallback_is_mptcp(&conn->fallback) && !endings_error(&conn->endings) && !conn_streams_over(conn) && !none;
}

void conn_paths_changed(struct conn *conn, unsigned what)
{
    paths_note(&conn->paths, what);
    conn_touch(conn);
}

/* False: this end has no port or no memory for it. */
static bool open_pair(struct conn *conn, const struct path_manager *pm, const struct path_wish *pair, uint64_t now_ns)
{
    struct subflow *subflow;
    if (conn_add_subflow(conn, pair->local, 0, &pair->remote.addr, now_ns, &subflow) == 0) {
        path_manager_opened(pm, pair, subflow, &conn->host->tcp.env);
        if (tcp_connect(&subflow->tcp, now_ns) == 0)
            return true;
        conn_drop_subflow(subflow);
    }
    path_manager_unopened(pm, pair, now_ns);
    return false;
}

static bool open_pairs(struct conn *conn, const struct path_manager *pm, const struct path_wishes *wishes,
                       uint64_t now_ns)
{
    bool all = true;
    for (unsigned i = 0; i < wishes->count; i++)
        all &= open_pair(conn, pm, &wishes->opens[i], now_ns);
    return all;
}

static void open_wished(struct conn *conn, const struct path_manager *pm, uint64_t now_ns)
{
    struct path_wishes wishes;
    path_manager_decide(pm, &wishes, now_ns);
    if (!open_pairs(conn, pm, &wishes, now_ns)) { /* others have their turn; but what is short is short for all */
        paths_note(&conn->paths, HAWSER_PM_SUBFLOW_DOWN);
        path_manager_decide(pm, &wishes, now_ns);
        (void)open_pairs(conn, pm, &wishes, now_ns);
    }
    wishes.in_vain &= !rest_count(&conn->subflows);
    if (wishes.in_vain && endings_awaits_rescue(&conn->endings)) {
        conn_fail(conn, endings_lost_error(&conn->endings));
        conn_forget_disorder(conn);
        conn_wake(conn);
    } else if (wishes.in_vain && !conn_unfinished(conn) && data_tx_all_acked(&conn->data_tx)) {
        conn_abort(conn, -ECONNRESET, now_ns); /* what is half closed has carried all it could */
    }
}

uint64_t conn_paths_settle(struct conn *conn, uint64_t now_ns)
{
    if (paths_deadline(&conn->paths) == TIME_NEVER || !conn_wants_paths(conn))
        return TIME_NEVER;
    const struct path_manager pm = conn_path_manager(conn);
    uint64_t due_ns = path_manager_due(&pm, now_ns);
    if (due_ns > now_ns)
        return due_ns;
    rest_yield(&pm, now_ns);
    path_manager_speak_up(&pm, now_ns);
    if (paths_wish_due(&conn->paths) <= now_ns) {
        open_wished(conn, &pm, now_ns);
        path_manager_speak_up(&pm, now_ns); /* what the path manager wished to be told */
    }
    return conn_wants_paths(conn) ? path_manager_due(&pm, now_ns) : TIME_NEVER;
}

void conn_paths_confirmed(struct conn *conn)
{
    paths_confirm(&conn->paths);
    conn_touch(conn);
}

void conn_subflow_up(struct subflow *subflow)
{
    struct conn *conn = subflow->conn;
    subflow_joined(subflow);
    paths_end_rescue(&conn->paths);
    endings_recover(&conn->endings);
    if (data_tx_fin_waits(&conn->data_tx)) /* nobody was there to repeat it */
        tcp_signal_now(&subflow->tcp);
    fallback_commit(&conn->fallback, COMMITTED_BOTH);
    conn_paths_changed(conn, HAWSER_PM_SUBFLOW_UP);
}

void conn_address_added(struct conn *conn)
{
    if (rest_count(&conn->subflows))
        conn_wake(conn);
    if (!conn_wants_paths(conn))
        return;
    paths_local_added(&conn->paths);
    conn_touch(conn);
}

void conn_address_removed(struct conn *conn, const struct local_address *local, uint64_t now_ns)
{
    const struct path_manager pm = conn_path_manager(conn);
    bool rest = conn_is_missed(conn) && rest_begin(&conn->subflows, local, now_ns);
    if (rest)
        paths_local_rests(&conn->paths, local);
    else if (conn_wants_paths(conn))
        path_manager_local_removed(&pm, local);
    subflows_abort_from(&conn->subflows, &local->addr, -EADDRNOTAVAIL, now_ns);
    conn_touch(conn);
}
