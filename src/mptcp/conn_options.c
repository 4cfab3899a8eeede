/* The options that a connection puts on its segments (RFC 8684 3). */
#include "mptcp/conn.h"
#include "mptcp/dss.h"

/* RFC 8684 3.1: after this many SYNs with MP_CAPABLE the next goes without, lest a middlebox eats them all. */
#define CAPABLE_SYNS 2

static void write_handshake(struct subflow *subflow, const struct tx_record *record, uint8_t flags,
                            struct mptcp_options *mp)
{
    const struct conn *conn = subflow->conn;
    const struct identity *id = &conn->identity;
    const struct tx_note *note = record && record->note.mapped ? &record->note : NULL;
    bool syn = flags & TCP_SYN;
    if (flags & TCP_RST)
        return;
    if (subflow->join) {
        subflow_write_join(subflow, id, syn, mp);
    } else if (syn) {
        if (fallback_is_negotiating(&conn->fallback) && subflow->tcp.handshake_tries <= CAPABLE_SYNS)
            identity_write_syn(conn->host->checksum_required, mp);
    } else if (fallback_is_mptcp(&conn->fallback)) {
        bool first_data = note && note->ssn == SSN_ORIGIN + 1 && note->dsn == dsn_add(id->local_idsn, 1).v;
        if (identity_owes_key(id, !record, first_data, data_tx_fin_sent(&conn->data_tx)))
            identity_write_keys(id, note ? note->len : 0, note ? note->checksum : 0, mp);
    }
}

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
                                    .end = data_tx_stream_end(&conn->data_tx)};
    dss_write(&facts, mp);
}

static void write_reset(const struct subflow *subflow, struct mptcp_options *mp)
{
    const struct conn *conn = subflow->conn;
    subflow_write_reset(subflow, mp);
    if (endings_aborted(&conn->endings) && conn->identity.remote_key) { /* RFC 8684 3.5, option R */
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
                                         .una = data_tx_una(&conn->data_tx),
                                         .idsn = conn->identity.local_idsn,
                                         .rcv_next = data_rx_next(&conn->data_rx)};
    fallback_write(&conn->fallback, &facts, mp);
}

void conn_write_options(struct tcp *tcp, const struct tx_record *record, uint8_t flags, struct tcp_options *options)
{
    struct subflow *subflow = subflow_of(tcp);
    struct conn *conn = subflow->conn;
    struct mptcp_options *mp = &options->mp;
    if (fallback_is_plain(&conn->fallback)) {
        write_infinite(subflow, record, flags, mp);
        return;
    }
    write_handshake(subflow, record, flags, mp);
    if (flags & TCP_RST) {
        write_reset(subflow, mp);
        return;
    }
    if (mp->present || flags & TCP_SYN || !fallback_is_mptcp(&conn->fallback))
        return;
    bool bare = !record;
    if (bare && subflow->fail_stage != FAIL_ASKING && paths_owes(&conn->paths, subflow->slot)) {
        const struct path_manager pm = conn_path_manager(conn);
        path_manager_write(&pm, subflow, options);
    }
    const uint16_t signals = mp->present;
    write_dss(subflow, record, mp);
    if (bare && subflow->fail_stage == FAIL_ASKING) /* until it is answered */
        subflow_write_fail(subflow, mp);
    if (signals && !tcp_options_fit(options)) /* the DATA_ACK goes with the next segment */
        mp->present = signals;
}

void conn_options_sent(struct tcp *tcp, const struct tcp_options *sent)
{
    struct conn *conn = subflow_of(tcp)->conn;
    if (fallback_is_plain(&conn->fallback)) {
        if (fallback_sent(&conn->fallback, &sent->mp))
            tcp_signal_now(tcp);
        return;
    }
    if (mptcp_has(&sent->mp, MPTCP_ADD_ADDR) || mptcp_has(&sent->mp, MPTCP_REMOVE_ADDR)) {
        const struct path_manager pm = conn_path_manager(conn);
        path_manager_sent(&pm, subflow_of(tcp), &sent->mp);
    }
    conn->identity.capable_said = mptcp_has(&sent->mp, MPTCP_CAPABLE) && sent->mp.capable.has_receiver_key;
    if (conn->identity.capable_said && data_tx_fin_sent(&conn->data_tx)) /* it took the place of a DATA_FIN */
        tcp_signal_now(tcp);
}
