#include "mptcp/conn.h"

#include <errno.h>
#include <string.h>

#include "base/check.h"

static void on_signal_timer(struct deadline *timer, uint64_t now_ns)
{
    struct conn *conn = HW_CONTAINER(timer, struct conn, signal_timer);
    bool fin_waits = conn->data_tx.fin_sent && !conn->data_tx.fin_acked;
    if (fin_waits && !progress_asked(conn, now_ns))
        return;
    conn->data_tx.fin_tries += fin_waits;
    EACH_SUBFLOW (it, conn) {
        struct tcp *tcp = &subflow_at(it)->tcp;
        bool open = tcp_may_send(tcp) || tcp->state > TCPS_ESTABLISHED;
        if (open && (fin_waits || signal_allowed(subflow_at(it))))
            tcp_signal_now(tcp);
        if (fin_waits &&
            conn->identity
                .confirmed) /* a peer that took it, but whose DATA_ACK was lost, may not answer to a second one */
            tcp_probe_now(tcp);
    }
    conn->paths.announce_now = true;
    signal_arm(conn, now_ns);
}

#define LINGER_NS (60 * NS_PER_S)

void conn_linger(struct conn *conn, uint64_t now_ns)
{
    conn->endings.linger_acked = conn->data_tx.acked_bytes;
    deadline_set(&conn->host->tcp.timers, &conn->endings.linger_timer, now_ns + LINGER_NS);
}

static void on_linger_timer(struct deadline *timer, uint64_t now_ns)
{
    struct conn *conn = HW_CONTAINER(timer, struct conn, endings.linger_timer);
    if (!conn->endings.detached && !close_stranded(conn))
        return;
    if (conn->data_tx.acked_bytes != conn->endings.linger_acked || (conn->endings.detached && close_delivering(conn)))
        conn_linger(conn, now_ns);
    else if (!conn_closed(conn)) /* TIME-WAIT ends by itself */
        conn_abort(conn, -ETIMEDOUT, now_ns);
}

void conn_detach(struct conn *conn)
{
    conn->endings.detached = conn->endings.linger_asked = true;
    list_remove(&conn->event_link);
    list_remove(&conn->starved_link);
    conn_wake(conn);
}

void conn_ask_abort(struct conn *conn)
{
    conn->endings.abort_asked = true;
    conn_wake(conn);
}

void conn_begin_asked(struct conn *conn, uint64_t now_ns)
{
    if (conn->endings.abort_asked)
        conn_abort(conn, -ECONNABORTED, now_ns);
    if (conn->endings.linger_asked)
        conn_linger(conn, now_ns);
    conn->endings.abort_asked = conn->endings.linger_asked = false;
}

/* How finely a peer may chop what fills the receive buffer: each piece costs a node beside its bytes. */
#define BYTES_PER_PIECE 128u
#define PIECES_MIN 256u
/* Gaps lie no nearer to each other: two paths that take turns, one of them dead, leave one for each segment. */
#define BYTES_PER_GAP 1024u

struct conn *conn_new(struct mp_host *host, const struct conn_config *config)
{
    struct conn *conn = pool_get(&host->conns);
    if (!conn) {
        count(&host->tcp.counters, COUNT_LIMIT_CONNECTIONS);
        return NULL;
    }
    memset(conn, 0, sizeof *conn);
    conn->host = host;
    conn->identity.server = config->server;
    conn->data_rx.recv_limit = config->recv_limit;
    conn->keepalive = config->keepalive;
    list_init(&conn->subflows);
    list_init(&conn->ready_link);
    list_init(&conn->event_link);
    list_init(&conn->disorder_link);
    list_init(&conn->starved_link);
    list_init(&conn->accept_link);
    list_push_back(&host->connections, &conn->link);
    deadline_init(&conn->signal_timer, on_signal_timer);
    deadline_init(&conn->data_tx.progress.timer, progress_on_timer);
    deadline_init(&conn->endings.linger_timer, on_linger_timer);
    conn->fallback.mode = config->no_mptcp || host->no_mptcp ? CONN_PLAIN : CONN_NEGOTIATING;
    conn_choose_key(conn);
    dsn64 first = dsn_add(conn->identity.local_idsn, 1);
    sendq_init(&conn->data_tx.sendq, &host->tcp.env, host->chunks, first, config->send_limit);
    conn->data_tx.snd_nxt = conn->data_tx.snd_edge = conn->data_tx.progress.una = first;
    carriers_init(&conn->data_tx.carriers, &host->tcp.env, first);
    uint32_t ranges = HW_MAX(config->send_limit / BYTES_PER_GAP, REINJECT_RANGES_MIN);
    iset_init(&conn->data_tx.reinject, &host->tcp.env, ranges);
    iset_init(&conn->data_tx.repeated, &host->tcp.env, ranges);
    reassembly_init(&conn->data_rx.reassembly, &host->tcp.env, &host->nodes, dsn_at(1));
    conn->data_rx.reassembly.node_limit = HW_MAX(conn->data_rx.recv_limit / BYTES_PER_PIECE, PIECES_MIN);
    conn->data_rx.reassembly.gap_limit = HW_MAX(conn->data_rx.recv_limit / BYTES_PER_GAP, REASSEMBLY_GAPS_MIN);
    return conn;
}

static void drop_subflow(struct subflow *subflow)
{
    struct conn *conn = subflow->conn;
    struct mp_host *host = conn->host;
    if (subflow->bound)
        host->ops->subflow_unbind(host, subflow);
    deadline_set(&host->tcp.timers, &subflow->timer, TIME_NEVER);
    place_release(&subflow->rx_mapping.assembly);
    holdq_destroy(&subflow->rx_mapping.held);
    rxmap_destroy(&subflow->rx_mapping.maps);
    tcp_destroy(&subflow->tcp);
    carriers_forget(&conn->data_tx.carriers, subflow->slot);
    list_remove(&subflow->link);
    conn->subflow_count--;
    pool_put(&host->subflows, subflow);
}

void conn_free(struct conn *conn)
{
    struct mp_host *host = conn->host;
    EACH_SUBFLOW (it, conn)
        drop_subflow(subflow_at(it));
    if (conn->token_added)
        host->ops->token_remove(host, conn);
    deadline_set(&host->tcp.timers, &conn->signal_timer, TIME_NEVER);
    deadline_set(&host->tcp.timers, &conn->data_tx.progress.timer, TIME_NEVER);
    deadline_set(&host->tcp.timers, &conn->endings.linger_timer, TIME_NEVER);
    sendq_destroy(&conn->data_tx.sendq);
    reassembly_destroy(&conn->data_rx.reassembly);
    packer_release(&conn->data_rx.packed);
    iset_destroy(&conn->data_tx.reinject);
    iset_destroy(&conn->data_tx.repeated);
    carriers_destroy(&conn->data_tx.carriers);
    list_remove(&conn->link);
    list_remove(&conn->ready_link);
    list_remove(&conn->event_link);
    list_remove(&conn->disorder_link);
    list_remove(&conn->starved_link);
    list_remove(&conn->accept_link);
    pool_put(&host->conns, conn);
}

bool conn_reap(struct conn *conn)
{
    EACH_SUBFLOW (it, conn)
        if (tcp_finished(&subflow_at(it)->tcp))
            drop_subflow(subflow_at(it));
    if (!conn->endings.detached || conn->subflow_count)
        return false;
    conn_free(conn);
    return true;
}

static void on_subflow_timer(struct deadline *timer, uint64_t now_ns)
{
    struct subflow *subflow = HW_CONTAINER(timer, struct subflow, timer);
    if (subflow->stage == SUBFLOW_LEAVING)
        close_on_subflow_timer(subflow, now_ns);
    else
        subflow_insist(subflow, now_ns);
}

static uint8_t free_slot(const struct conn *conn)
{
    uint32_t taken = 0;
    EACH_SUBFLOW (it, conn)
        taken |= UINT32_C(1) << subflow_at(it)->slot;
    return (uint8_t)__builtin_ctz(~taken);
}

int conn_add_subflow(struct conn *conn, const struct local_address *local, uint16_t local_port,
                     const struct hawser_addr *remote, uint64_t now_ns, struct subflow **out)
{
    struct mp_host *host = conn->host;
    if (conn->subflow_count >= SUBFLOWS_MAX) {
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
    subflow->slot = free_slot(conn);
    list_init(&subflow->link);
    deadline_init(&subflow->timer, on_subflow_timer);
    rxmap_init(&subflow->rx_mapping.maps, &host->tcp.env);
    holdq_init(&subflow->rx_mapping.held, &host->holds);
    struct tcp_config config = {
        .local = local->addr,
        .remote = *remote,
        .mtu = local->mtu,
        .gso_bytes = local->gso_bytes,
        .link = local->link,
        .window_max = conn->data_rx.recv_limit,
        .upper_overhead = 28, /* DSS: 64-bit DATA_ACK, 64-bit DSN, checksum or not */
        .cc = host->cc,
        .keepalive = conn->keepalive,
    };
    config.local.port = local_port;
    tcp_init(&subflow->tcp, &subflow_hooks, &host->tcp, &config);
    list_push_back(&conn->subflows, &subflow->link);
    if (conn->subflow_count++ == 0 && conn->paths.remote.port == 0) {
        conn->paths.local = local->addr;
        conn->paths.remote = *remote;
    }
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

void conn_event(struct conn *conn)
{
    bool news = conn->listener ? conn->identity.established : !conn->endings.detached;
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

void conn_consumed(struct conn *conn)
{
    if (reassembly_readable(&conn->data_rx.reassembly) == 0)
        place_idle(conn);
    if (conn->data_rx.peer_fin_taken ||
        (conn->data_rx.peer_fin_known && dsn_le(conn->data_rx.peer_fin, conn->data_rx.rcv_edge)))
        return; /* all that will come has room, so no window matters, and the peer may be gone already */
    /* Tell the peer once the window opens by a fair step (RFC 9293 3.8.6.2.2). */
    uint32_t limit = receive_limit(conn);
    int64_t opened = dsn_diff(dsn_add(conn->data_rx.reassembly.read_next, limit), conn->data_rx.rcv_edge);
    if (opened < (int64_t)HW_MIN(limit / 2, 256u * 1024))
        return;
    EACH_SUBFLOW (it, conn)
        if (subflow_at(it)->tcp.state >= TCPS_ESTABLISHED)
            tcp_ack_now(&subflow_at(it)->tcp);
}

size_t conn_recv(struct conn *conn, void *data, size_t len)
{
    size_t n = reassembly_read(&conn->data_rx.reassembly, data, len);
    if (n)
        conn_consumed(conn);
    return n;
}

bool conn_at_end(const struct conn *conn)
{
    return conn->data_rx.peer_fin_taken && reassembly_readable(&conn->data_rx.reassembly) == 0;
}

void conn_shutdown(struct conn *conn)
{
    if (conn->data_tx.fin_wanted)
        return;
    conn->data_tx.fin_wanted = true;
    conn_wake(conn);
}

void conn_fail(struct conn *conn, int error)
{
    if (conn->endings.error == 0 && !(conn->data_tx.fin_acked && conn->data_rx.peer_fin_taken)) {
        count_n(&conn->host->tcp.counters, COUNT_MPTCP_UNDELIVERED, close_unfinished(conn));
        conn->endings.error = error;
    }
    conn_event(conn);
}

void conn_abort(struct conn *conn, int error, uint64_t now_ns)
{
    conn->endings.aborted = true;
    conn_fail(conn, error);
    EACH_SUBFLOW (it, conn)
        tcp_abort(&subflow_at(it)->tcp, error, now_ns);
    conn_wake(conn);
}

bool conn_closed(const struct conn *conn)
{
    EACH_SUBFLOW (it, conn) {
        enum tcp_state state = subflow_at(it)->tcp.state;
        if (state != TCPS_CLOSED && state != TCPS_TIME_WAIT)
            return false;
    }
    return true;
}

/* ---- hooks that are one line ---- */

static bool hook_blocked(struct tcp *tcp)
{
    const struct conn *conn = subflow_of(tcp)->conn;
    return send_blocked_by_window(conn);
}

static uint32_t hook_window(struct tcp *tcp, uint32_t most)
{
    return receive_window(subflow_of(tcp)->conn, tcp->segment_bytes, most);
}

static void hook_wake(struct tcp *tcp) { conn_wake(subflow_of(tcp)->conn); }

static size_t hook_siblings(struct tcp *tcp, struct cc_sibling *out, size_t max)
{
    size_t n = 0;
    EACH_SUBFLOW (it, subflow_of(tcp)->conn) {
        const struct tcp *sibling = &subflow_at(it)->tcp;
        if (n < max && sibling->state >= TCPS_ESTABLISHED)
            out[n++] = (struct cc_sibling){sibling->cc.cwnd, sibling->segment_bytes, sibling->rtt.srtt_ns};
    }
    return n;
}

static void hook_event(struct tcp *tcp, enum tcp_event event, uint64_t now_ns)
{
    close_subflow_event(subflow_of(tcp), event, now_ns);
}

const struct tcp_hooks subflow_hooks = {
    .write_options = signal_write_options,
    .options_sent = signal_options_sent,
    .segment = receive_segment,
    .receive = place_payload,
    .progress = receive_progress,
    .event = hook_event,
    .window = hook_window,
    .blocked_by_window = hook_blocked,
    .siblings = hook_siblings,
    .wake = hook_wake,
};
