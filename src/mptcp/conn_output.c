/* A turn of a connection: what leaves, and in which order (RFC 8684 3.3). */
#include "mptcp/conn.h"
#include "mptcp/options.h"
#include "mptcp/outflow.h"

/* RFC 8684 3.3.3: the end of the stream, once every byte was sent. */
static void send_end(struct conn *conn, uint64_t now_ns)
{
    if (!identity_established(&conn->identity) || !data_tx_may_finish(&conn->data_tx))
        return;
    bool receives = conn_wants_paths(conn) && !data_rx_is_over(&conn->data_rx) && !endings_detached(&conn->endings);
    if (receives)
        (void)conn_paths_settle(conn, now_ns); /* what is wished for comes first */
    const struct path_manager pm = conn_path_manager(conn);
    if (receives && data_tx_hold_end(&conn->data_tx, path_manager_patience(&pm), now_ns))
        return;
    data_tx_end_leaves(&conn->data_tx);
    subflows_end(&conn->subflows, fallback_is_plain(&conn->fallback), now_ns);
    data_tx_arm_fin(&conn->data_tx, now_ns);
}

/* Payload of a turn: enough for two super-segments, so that many small connections wait for a large one no longer than
 * these take. */
#define TURN_BYTES (128 * 1024)

/* Charges the turn for the packets from *first on. */
static void charge_turn(struct conn *conn, const struct tx_batch *batch, size_t *first)
{
    for (; *first < batch->count; ++*first)
        conn->deficit = HW_MAX(conn->deficit - (int32_t)batch->packets[*first].payload_len, -TURN_BYTES);
}

static void go_on(struct conn *conn, uint64_t now_ns)
{
    const struct path_manager pm = conn_path_manager(conn);
    if (!rest_leave(&pm, now_ns))
        return;
    paths_end_rescue(&conn->paths);
    endings_resume(&conn->endings);
    EACH_SUBFLOW (it, conn) /* before what seemed lost with it leaves once more */
        if (subflow_at(it)->news & SUBFLOW_CAME_BACK)
            outflow_forget_reinjection(&conn->data_tx, subflow_at(it));
}

bool conn_output(struct conn *conn, struct tx_batch *batch, uint64_t now_ns)
{
    size_t first = batch->count;
    conn->deficit = HW_MIN(conn->deficit + TURN_BYTES, TURN_BYTES);
    conn_begin_asked(conn, now_ns);
    if (rest_count(&conn->subflows))
        go_on(conn, now_ns);
    send_end(conn, now_ns);
    /* Lost data first, then new data, which carries the acknowledgements; bare ones last. */
    subflows_resend(&conn->subflows, batch, now_ns);
    const struct outflow out = conn_outflow(conn);
    charge_turn(conn, batch, &first);
    bool more = identity_established(&conn->identity) && outflow_send(&out, conn->deficit, batch, now_ns);
    send_end(conn, now_ns);
    subflows_output(&conn->subflows, batch, now_ns);
    conn_settle(conn, now_ns);
    charge_turn(conn, batch, &first);
    more = more || tx_batch_full(batch);
    if (!more)
        conn->deficit = 0;
    return more;
}

/* ---- what segments say ---- */

void conn_write_options(struct tcp *tcp, const struct tx_record *record, uint8_t flags, struct tcp_options *options)
{
    struct subflow *subflow = subflow_of(tcp);
    struct conn *conn = subflow->conn;
    struct path_manager pm;
    struct speakers who = {.id = &conn->identity,
                           .fallback = &conn->fallback,
                           .tx = &conn->data_tx,
                           .rx = &conn->data_rx,
                           .checksum_required = conn->host->checksum_required,
                           .aborted = endings_aborted(&conn->endings)};
    if (!record && paths_owes(&conn->paths, subflow->slot)) {
        pm = conn_path_manager(conn);
        who.pm = &pm;
    }
    options_write(&who, subflow, record, flags, options);
}

void conn_options_sent(struct tcp *tcp, const struct tcp_options *sent)
{
    struct conn *conn = subflow_of(tcp)->conn;
    if (fallback_is_plain(&conn->fallback)) {
        if (fallback_sent(&conn->fallback, &sent->mp))
            tcp_signal_now(tcp);
        return;
    }
    if (sent->mp.present & (1u << MPTCP_ADD_ADDR | 1u << MPTCP_REMOVE_ADDR | 1u << MPTCP_PRIO)) {
        const struct path_manager pm = conn_path_manager(conn);
        path_manager_sent(&pm, subflow_of(tcp), &sent->mp);
    }
    conn->identity.capable_said = mptcp_has(&sent->mp, MPTCP_CAPABLE) && sent->mp.capable.has_receiver_key;
    if (conn->identity.capable_said && data_tx_fin_sent(&conn->data_tx)) /* it took the place of a DATA_FIN */
        tcp_signal_now(tcp);
}
