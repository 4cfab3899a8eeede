/* The life of a connection. */
#include "mptcp/conn.h"

#include <string.h>

/* One, and room for its timer. */
static struct conn *take_conn(struct mp_host *host)
{
    struct conn *conn = pool_get(&host->conns);
    if (conn && deadline_queue_reserve(&host->tcp.timers, 1) == 0)
        return conn;
    if (conn)
        pool_put(&host->conns, conn);
    count(&host->tcp.counters, COUNT_LIMIT_CONNECTIONS);
    return NULL;
}

struct conn *conn_new(struct mp_host *host, const struct conn_config *config)
{
    struct account *payer = config->payer ? config->payer : &host->memory.account;
    if (account_is_full(payer)) {
        count(&host->tcp.counters, COUNT_LIMIT_NEW);
        return NULL;
    }
    struct conn *conn = take_conn(host);
    if (!conn)
        return NULL;
    memset(conn, 0, sizeof *conn);
    conn->host = host;
    conn->door = config->door;
    conn->identity.server = config->opened != NULL;
    paths_init(&conn->paths, path_plan_ref(config->plan), config->opened == NULL);
    account_open(&conn->account, payer);
    conn->patience = config->patience;
    conn->subflow_limit = config->subflow_limit;
    list_init(&conn->subflows);
    list_init(&conn->ready_link);
    told_init(&conn->told, false);
    conn->send_low_water = config->send_low_water;
    list_init(&conn->disorder_link);
    list_init(&conn->starved_link);
    list_init(&conn->lent_link);
    list_init(&conn->accept_link);
    list_init(&conn->idle_link);
    list_init(&conn->share_link);
    list_init(&conn->touched_link);
    quota_init(&conn->half_open, HALF_OPEN_JOINS_MAX);
    list_push_back(&host->connections, &conn->link);
    deadline_init(&conn->timer, conn_on_timer);
    endings_init(&conn->endings);
    fallback_begin(&conn->fallback, host->no_mptcp ? PLAIN_WANTED : config->plain);
    if (config->opened)
        identity_set_local_key(&conn->identity, host->ops->derive, config->opened->local_key);
    else
        conn_draw_key(conn);
    data_tx_init(&conn->data_tx, &host->store, &conn->account, conn->identity.local_idsn, config->send_limit);
    data_tx_set_nagle(&conn->data_tx, config->nagle);
    data_rx_init(&conn->data_rx, &host->nodes, &host->store, &conn->account, config->recv_limit);
    scheduler_init(&conn->scheduler, config->scheduler ? config->scheduler : host->scheduler);
    if (config->opened && !config->opened->awaited)
        conn_take_opened(conn, config->opened);
    return conn;
}

void conn_free(struct conn *conn)
{
    struct mp_host *host = conn->host;
    EACH_SUBFLOW (it, conn)
        conn_drop_subflow(subflow_at(it));
    deadline_set(&host->tcp.timers, &conn->timer, TIME_NEVER);
    scheduler_destroy(&conn->scheduler, &conn->account);
    data_tx_destroy(&conn->data_tx);
    paths_destroy(&conn->paths, &conn->account, &host->tcp.env);
    data_rx_destroy(&conn->data_rx);
    account_close(&conn->account);
    host->ops->conn_gone(host, conn);
    list_remove(&conn->link);
    list_remove(&conn->ready_link);
    list_remove(&conn->touched_link);
    told_leave(&conn->told);
    list_remove(&conn->disorder_link);
    list_remove(&conn->starved_link);
    list_remove(&conn->accept_link);
    deadline_queue_release(&host->tcp.timers, 1);
    pool_put(&host->conns, conn);
}

bool conn_reap(struct conn *conn, uint64_t now_ns)
{
    EACH_SUBFLOW (it, conn) {
        struct subflow *subflow = subflow_at(it);
        if (subflow->tcp.state != TCPS_TIME_WAIT && !tcp_finished(&subflow->tcp))
            continue;
        conn->host->ops->subflow_remember(conn->host, subflow, now_ns);
        conn_drop_subflow(subflow);
    }
    if (!endings_detached(&conn->endings) || conn->listener || conn->subflow_count ||
        endings_awaits_rescue(&conn->endings))
        return false;
    conn_free(conn);
    return true;
}

/* ---- what a subflow tells and asks ---- */

static bool hook_blocked(struct tcp *tcp)
{
    const struct conn *conn = subflow_of(tcp)->conn;
    if (!identity_established(&conn->identity) ||
        !data_tx_waits(&conn->data_tx, fallback_peer_committed(&conn->fallback)))
        return false;
    const struct tx_paths paths = conn_tx_paths(conn);
    return tcp->snd_wnd == 0 || data_tx_blocked(&conn->data_tx, &paths); /* RFC 8684 3.3.5: its window is its own */
}

static uint32_t hook_window(struct tcp *tcp, uint32_t most)
{
    return data_rx_window(&subflow_of(tcp)->conn->data_rx, tcp->segment_bytes, most);
}

static struct account *hook_payer(struct tcp *tcp, bool sending)
{
    struct conn *conn = subflow_of(tcp)->conn;
    return sending ? data_tx_account(&conn->data_tx) : data_rx_account(&conn->data_rx);
}

static void hook_wake(struct tcp *tcp) { conn_wake(subflow_of(tcp)->conn); }

static size_t hook_siblings(struct tcp *tcp, struct hawser_sibling *out, size_t max)
{
    return subflows_siblings(&subflow_of(tcp)->conn->subflows, out, max);
}

static void hook_event(struct tcp *tcp, enum tcp_event event, uint64_t now_ns)
{
    struct subflow *subflow = subflow_of(tcp);
    if (event == TCP_EVENT_ESTABLISHED)
        conn_established(subflow, now_ns);
    subflow_note(subflow, event);
    conn_touch(subflow->conn);
    conn_wake(subflow->conn);
}

const struct tcp_hooks conn_hooks = {
    .write_options = conn_write_options,
    .options_sent = conn_options_sent,
    .segment = conn_receive_segment,
    .receive = conn_receive_payload,
    .progress = conn_receive_progress,
    .event = hook_event,
    .window = hook_window,
    .blocked_by_window = hook_blocked,
    .siblings = hook_siblings,
    .payer = hook_payer,
    .wake = hook_wake,
};
