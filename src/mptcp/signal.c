/* The options a connection puts on its segments: DSS, ADD_ADDR, MP_FASTCLOSE and the rest (RFC 8684 3.3 to 3.6). */
#include "mptcp/conn.h"
#include "mptcp/dss.h"

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
    subflow_write_reset(subflow, mp);
    if (conn->endings.aborted && conn->identity.remote_key) { /* RFC 8684 3.5, option R */
        mp->fastclose.receiver_key = conn->identity.remote_key;
        mp->present |= 1u << MPTCP_FASTCLOSE;
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
    if (bare && subflow->fail_stage == FAIL_ASKING) /* until it is answered */
        subflow_write_fail(subflow, mp);
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
