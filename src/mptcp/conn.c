#include "mptcp/conn.h"

#include <errno.h>
#include <string.h>

#include "base/check.h"

void conn_detach(struct conn *conn)
{
    bool unread = data_rx_readable(&conn->data_rx) && conn->data_tx.fin == DATA_FIN_NONE;
    endings_detach(&conn->endings, unread);
    conn_consume(conn, SIZE_MAX);
    if (identity_established(&conn->identity) || conn->endings.error)
        conn_shutdown(conn);
    else /* RFC 9293 3.10.4: nothing was queued, and nobody is there yet to be told */
        endings_ask_abort(&conn->endings);
    list_remove(&conn->event_link);
    list_remove(&conn->starved_link);
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
    conn->identity.server = config->opened != NULL;
    paths_init(&conn->paths, config->opened == NULL);
    account_open(&conn->account, payer);
    conn->keepalive = config->keepalive;
    list_init(&conn->subflows);
    list_init(&conn->ready_link);
    list_init(&conn->event_link);
    list_init(&conn->disorder_link);
    list_init(&conn->starved_link);
    list_init(&conn->accept_link);
    list_init(&conn->idle_link);
    list_init(&conn->share_link);
    list_init(&conn->touched_link);
    quota_init(&conn->half_open, HALF_OPEN_JOINS_MAX);
    list_push_back(&host->connections, &conn->link);
    deadline_init(&conn->timer, conn_on_timer);
    endings_init(&conn->endings);
    conn->fallback.mode = config->no_mptcp || host->no_mptcp ? CONN_PLAIN : CONN_NEGOTIATING;
    if (config->opened)
        identity_set_local_key(&conn->identity, host->ops->derive, config->opened->local_key);
    else
        conn_draw_key(conn);
    data_tx_init(&conn->data_tx, &host->store, &conn->account, conn->identity.local_idsn, config->send_limit);
    data_rx_init(&conn->data_rx, &host->nodes, &host->store, &conn->account, config->recv_limit);
    if (config->opened)
        conn_take_opened(conn, config->opened);
    return conn;
}

static void drop_subflow(struct subflow *subflow)
{
    struct conn *conn = subflow->conn;
    struct mp_host *host = conn->host;
    if (subflow->bound)
        host->ops->subflow_unbind(host, subflow);
    rx_mapping_destroy(&subflow->rx_mapping);
    tcp_destroy(&subflow->tcp);
    carriers_forget(&conn->data_tx.carriers, subflow->slot);
    list_remove(&subflow->link);
    host->joined_subflows -= --conn->subflow_count > 0;
    pool_put(&host->subflows, subflow);
}

void conn_free(struct conn *conn)
{
    struct mp_host *host = conn->host;
    EACH_SUBFLOW (it, conn)
        drop_subflow(subflow_at(it));
    deadline_set(&host->tcp.timers, &conn->timer, TIME_NEVER);
    data_tx_destroy(&conn->data_tx);
    paths_destroy(&conn->paths, &conn->account);
    data_rx_destroy(&conn->data_rx);
    account_close(&conn->account);
    host->ops->conn_gone(host, conn);
    list_remove(&conn->link);
    list_remove(&conn->ready_link);
    list_remove(&conn->touched_link);
    list_remove(&conn->event_link);
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
        drop_subflow(subflow);
    }
    if (!conn->endings.detached || conn->listener || conn->subflow_count || endings_awaits_rescue(&conn->endings))
        return false;
    conn_free(conn);
    return true;
}

/* Of the subflows beyond the first ones, what is kept for connections that have none. */
#define JOINS_SPARE 8u

/* Every connection that there may be has a first subflow for sure: others take what is left, and the last of that only
 * those that would be a connection's second. */
static bool may_join(const struct mp_host *host, const struct conn *conn)
{
    uint32_t limit = host->subflows.limit - host->conns.limit;
    if (conn->subflow_count > 1)
        limit -= limit / JOINS_SPARE;
    return conn->subflow_count < SUBFLOWS_MAX && host->joined_subflows < limit;
}

int conn_add_subflow(struct conn *conn, const struct local_address *local, uint16_t local_port,
                     const struct hawser_addr *remote, uint64_t now_ns, struct subflow **out)
{
    struct mp_host *host = conn->host;
    bool joins = conn->subflow_count > 0;
    if (joins && !may_join(host, conn)) {
        count(&host->tcp.counters, COUNT_LIMIT_SUBFLOWS);
        return -ENOBUFS;
    }
    struct subflow *subflow = pool_get(&host->subflows);
    if (!subflow) {
        count(&host->tcp.counters, COUNT_LIMIT_SUBFLOWS);
        return -ENOBUFS;
    }
    memset(subflow, 0, sizeof *subflow);
    subflow->conn = conn;
    subflow->slot = subflows_free_slot(&conn->subflows);
    list_init(&subflow->link);
    subflow->due_ns = TIME_NEVER;
    rx_mapping_init(&subflow->rx_mapping, &host->holds, &host->store, data_rx_account(&conn->data_rx));
    struct tcp_config config = {
        .local = local->addr,
        .remote = *remote,
        .mtu = (uint16_t)HW_MIN(local->mtu, UINT16_MAX),
        .gso_bytes = (uint16_t)HW_MIN(local->gso_bytes, UINT16_MAX),
        .link = local->link,
        .upper_overhead = 28, /* DSS: 64-bit DATA_ACK, 64-bit DSN, checksum or not */
        .keepalive = &conn->keepalive,
    };
    config.local.port = local_port;
    tcp_init(&subflow->tcp, &subflow_hooks, &host->tcp, &config, host->cc, data_rx_limit_max(&conn->data_rx));
    list_push_back(&conn->subflows, &subflow->link);
    conn->subflow_count++;
    host->joined_subflows += joins;
    if (!joins && !paths_begun(&conn->paths))
        paths_begin(&conn->paths, local, remote);
    int err = host->ops->subflow_bind(host, subflow); /* settles the local port */
    if (err < 0) {
        drop_subflow(subflow);
        return err;
    }
    subflow->bound = true;
    struct tcp_config *c = &subflow->tcp.config;
    const struct initial_numbers numbers = host->ops->initial_numbers(host, &c->local, &c->remote, now_ns);
    c->iss = numbers.iss;
    c->ts_offset = numbers.ts_offset;
    *out = subflow;
    return 0;
}

void conn_wake(struct conn *conn)
{
    if (list_empty(&conn->ready_link))
        list_push_back(&conn->host->ready, &conn->ready_link);
}

void conn_touch(struct conn *conn)
{
    if (list_empty(&conn->touched_link))
        list_push_back(&conn->host->touched, &conn->touched_link);
}

void conn_event(struct conn *conn)
{
    bool news = conn->listener ? identity_established(&conn->identity) : !conn->endings.detached;
    if (news && list_empty(&conn->event_link))
        list_push_back(conn->listener ? &conn->host->acceptable : &conn->host->events, &conn->event_link);
}

size_t conn_send(struct conn *conn, const void *data, size_t len)
{
    size_t taken = sendq_write(&conn->data_tx.sendq, data, len);
    bool starved = taken < len && sendq_room(&conn->data_tx.sendq);
    if (taken)
        conn_wake(conn);
    count_n(&conn->host->tcp.counters, COUNT_LIMIT_MEMORY, starved);
    if (!starved)
        list_remove(&conn->starved_link);
    else if (list_empty(&conn->starved_link))
        list_push_back(&conn->host->starved, &conn->starved_link);
    return taken;
}

/* The application took bytes: the window may have opened. */
static void conn_consumed(struct conn *conn)
{
    conn_idle(conn);
    if (!data_rx_consumed(&conn->data_rx))
        return;
    EACH_SUBFLOW (it, conn)
        if (subflow_at(it)->tcp.state >= TCPS_ESTABLISHED)
            tcp_ack_now(&subflow_at(it)->tcp);
}

size_t conn_recv(struct conn *conn, void *data, size_t len)
{
    size_t n = data_rx_read(&conn->data_rx, data, len);
    if (n)
        conn_consumed(conn);
    return n;
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
    if (conn->data_tx.fin != DATA_FIN_NONE)
        return;
    conn->data_tx.fin = DATA_FIN_WANTED;
    conn_wake(conn);
}

void conn_fail(struct conn *conn, int error)
{
    if (conn->endings.error == 0 && !(conn->data_tx.fin == DATA_FIN_ACKED && data_rx_is_over(&conn->data_rx))) {
        count_n(&conn->host->tcp.counters, COUNT_MPTCP_UNDELIVERED, conn_unfinished(conn));
        conn->endings.error = error;
    }
    conn_event(conn);
}

void conn_abort(struct conn *conn, int error, uint64_t now_ns)
{
    conn->endings.aborted = true;
    conn_fail(conn, error);
    subflows_abort(&conn->subflows, error, now_ns);
    conn_forget_disorder(conn);
    conn_wake(conn);
}

/* ---- hooks that are one line ---- */

static bool hook_blocked(struct tcp *tcp)
{
    const struct conn *conn = subflow_of(tcp)->conn;
    if (!identity_established(&conn->identity) ||
        !data_tx_waits(&conn->data_tx, fallback_peer_committed(&conn->fallback)))
        return false;
    const struct tx_paths paths = conn_tx_paths(conn);
    return data_tx_blocked(&conn->data_tx, &paths);
}

static uint32_t hook_window(struct tcp *tcp, uint32_t most)
{
    return data_rx_window(&subflow_of(tcp)->conn->data_rx, tcp->segment_bytes, most);
}

static struct account *hook_payer(struct tcp *tcp, bool sending)
{
    struct conn *conn = subflow_of(tcp)->conn;
    return sending ? &conn->data_tx.account : data_rx_account(&conn->data_rx);
}

static void hook_wake(struct tcp *tcp) { conn_wake(subflow_of(tcp)->conn); }

static size_t hook_siblings(struct tcp *tcp, struct cc_sibling *out, size_t max)
{
    return subflows_siblings(&subflow_of(tcp)->conn->subflows, out, max);
}

static void hook_event(struct tcp *tcp, enum tcp_event event, uint64_t now_ns)
{
    close_subflow_event(subflow_of(tcp), event, now_ns);
}

const struct tcp_hooks subflow_hooks = {
    .write_options = signal_write_options,
    .options_sent = signal_options_sent,
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
