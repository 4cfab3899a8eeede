/* The options a connection puts on its segments: DSS, ADD_ADDR, MP_FASTCLOSE and the rest (RFC 8684 3.3 to 3.6). */
#include "mptcp/conn.h"
#include "mptcp/dss.h"

#define SIGNAL_REPEAT_NS NS_PER_S
#define SIGNAL_BACKOFF_MAX 5
static void write_dss(const struct subflow *subflow, const struct tx_record *record, struct mptcp_options *mp)
{
    const struct conn *conn = subflow->conn;
    /* Where there must be room for an MP_FAIL the DATA_FIN is left out. */
    bool fin = !record && data_tx_fin_waits(&conn->data_tx) && subflow->fail_stage != FAIL_ASKING;
    const struct dss_facts facts = {.rcv_next = data_rx_next(&conn->data_rx),
                                    .peer_dsn_64 = conn->identity.peer_dsn_64,
                                    .checksums = conn->identity.checksums,
                                    .bare = !record,
                                    .note = record && record->note.mapped ? &record->note : NULL,
                                    .fin = fin,
                                    .end = conn->data_tx.sendq.end};
    dss_write(&facts, mp);
}

static void write_reset(const struct subflow *subflow, struct mptcp_options *mp)
{
    const struct conn *conn = subflow->conn;
    if (subflow->fail_stage) { /* RFC 8684 3.7 */
        mp->fail.dsn = subflow->fail_dsn.v;
        mp->present |= 1u << MPTCP_FAIL;
    }
    if (conn->endings.aborted && conn->identity.remote_key) { /* RFC 8684 3.5, option R */
        mp->fastclose.receiver_key = conn->identity.remote_key;
        mp->present |= 1u << MPTCP_FASTCLOSE;
    }
    if (subflow->reset_with_reason) {
        mp->tcprst = (struct mp_tcprst){.reason = subflow->reset_reason,
                                        .transient = subflow->reset_reason == MP_RST_OUTSTANDING};
        mp->present |= 1u << MPTCP_TCPRST;
    }
}

static void write_infinite(const struct subflow *subflow, const struct tx_record *record, uint8_t flags,
                           struct mptcp_options *mp)
{
    const struct conn *conn = subflow->conn;
    if (subflow->join || flags & (TCP_SYN | TCP_RST))
        return;
    const struct infinite_facts facts = {.bare = !record,
                                         .checksums = conn->identity.checksums,
                                         .snd_una = subflow->tcp.snd_una,
                                         .una = conn->data_tx.sendq.una,
                                         .idsn = conn->identity.local_idsn,
                                         .rcv_next = data_rx_next(&conn->data_rx)};
    fallback_write(&conn->fallback, &facts, mp);
}

void signal_write_options(struct tcp *tcp, const struct tx_record *record, uint8_t flags, struct tcp_options *options)
{
    struct subflow *subflow = subflow_of(tcp);
    struct conn *conn = subflow->conn;
    struct mptcp_options *mp = &options->mp;
    if (conn->fallback.mode == CONN_PLAIN) {
        write_infinite(subflow, record, flags, mp);
        return;
    }
    conn_write_handshake(subflow, record, flags, mp);
    if (flags & TCP_RST) {
        write_reset(subflow, mp);
        return;
    }
    if (mp->present || flags & TCP_SYN || conn->fallback.mode != CONN_MPTCP)
        return;
    bool bare = !record;
    if (bare && subflow->fail_stage != FAIL_ASKING)
        conn_paths_write(subflow, options);
    const uint16_t signals = mp->present;
    write_dss(subflow, record, mp);
    if (bare && subflow->fail_stage == FAIL_ASKING) { /* until it is answered */
        mp->fail.dsn = subflow->fail_dsn.v;
        mp->present |= 1u << MPTCP_FAIL;
    }
    if (signals && !tcp_options_fit(options)) /* the DATA_ACK goes with the next segment */
        mp->present = signals;
}

void signal_options_sent(struct tcp *tcp, const struct tcp_options *sent)
{
    struct conn *conn = subflow_of(tcp)->conn;
    if (conn->fallback.mode == CONN_PLAIN) {
        if (fallback_sent(&conn->fallback, &sent->mp))
            tcp_signal_now(tcp);
        return;
    }
    if (mptcp_has(&sent->mp, MPTCP_ADD_ADDR) || mptcp_has(&sent->mp, MPTCP_REMOVE_ADDR))
        subflow_count_signal(subflow_of(tcp));
    conn_paths_sent(subflow_of(tcp), &sent->mp);
    conn->identity.capable_said = mptcp_has(&sent->mp, MPTCP_CAPABLE) && sent->mp.capable.has_receiver_key;
    if (conn->identity.capable_said && data_tx_fin_sent(&conn->data_tx)) /* it took the place of a DATA_FIN */
        tcp_signal_now(tcp);
}

/* RFC 8684 3.3.3: a DATA_FIN is repeated until it is answered. */
void signal_arm(struct conn *conn, uint64_t now_ns)
{
    uint64_t wait = 0;
    if (data_tx_fin_waits(&conn->data_tx) && conn->fallback.mode == CONN_MPTCP)
        wait = SIGNAL_REPEAT_NS << HW_MIN(conn->data_tx.fin_tries, SIGNAL_BACKOFF_MAX);
    conn->signal_due_ns = wait && !conn_closed(conn) ? now_ns + wait : TIME_NEVER;
    conn_touch(conn);
}

void signal_on_timer(struct conn *conn, uint64_t now_ns)
{
    const struct tx_paths paths = conn_tx_paths(conn);
    conn->signal_due_ns = TIME_NEVER;
    if (!data_tx_fin_waits(&conn->data_tx))
        return;
    enum tx_due due = data_tx_repeat_fin(&conn->data_tx, &paths, now_ns);
    if (due != TX_ASK) {
        conn_obey(conn, due, now_ns);
        return;
    }
    EACH_SUBFLOW (it, conn) {
        struct tcp *tcp = &subflow_at(it)->tcp;
        if (tcp_may_send(tcp) || tcp->state > TCPS_ESTABLISHED)
            tcp_signal_now(tcp);
        if (identity_confirmed(&conn->identity))
            tcp_probe_now(tcp); /* a peer that took it, but whose DATA_ACK was lost, may not answer to a second one */
    }
    signal_arm(conn, now_ns);
}
