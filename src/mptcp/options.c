#include "mptcp/options.h"

#include "mptcp/dss.h"

static void write_handshake(const struct speakers *who, const struct subflow *subflow, const struct tx_record *record,
                            uint8_t flags, struct mptcp_options *mp)
{
    const struct identity *id = who->id;
    const struct tx_note *note = record && record->note.mapped ? &record->note : NULL;
    bool syn = flags & TCP_SYN;
    if (flags & TCP_RST)
        return;
    if (subflow->join) {
        subflow_write_join(subflow, id, syn, mp);
    } else if (syn) {
        if (fallback_is_negotiating(who->fallback) && !subflow->plain)
            identity_write_syn(who->checksum_required, mp);
    } else if (fallback_is_mptcp(who->fallback)) {
        bool first_data = note && note->ssn == SSN_ORIGIN + 1 && note->dsn == dsn_add(id->local_idsn, 1).v;
        if (identity_owes_key(id, !record, first_data, data_tx_fin_sent(who->tx)))
            identity_write_keys(id, note ? note->len : 0, note ? note->checksum : 0, mp);
    }
}

static void write_dss(const struct speakers *who, const struct subflow *subflow, const struct tx_record *record,
                      struct mptcp_options *mp)
{
    /* Where there must be room for an MP_FAIL the DATA_FIN is left out. */
    bool fin = !record && data_tx_fin_waits(who->tx) && subflow->fail_stage != FAIL_ASKING;
    const struct dss_facts facts = {.rcv_next = data_rx_next(who->rx),
                                    .peer_dsn_64 = who->id->peer_dsn_64,
                                    .checksums = who->id->checksums,
                                    .bare = !record,
                                    .note = record && record->note.mapped ? &record->note : NULL,
                                    .fin = fin,
                                    .end = data_tx_stream_end(who->tx)};
    dss_write(&facts, mp);
}

static void write_reset(const struct speakers *who, const struct subflow *subflow, struct mptcp_options *mp)
{
    subflow_write_reset(subflow, mp);
    if (who->aborted && who->id->remote_key) { /* RFC 8684 3.5, option R */
        mp->fastclose.receiver_key = who->id->remote_key;
        mp->present |= 1u << MPTCP_FASTCLOSE;
    }
}

static void write_infinite(const struct speakers *who, const struct subflow *subflow, const struct tx_record *record,
                           uint8_t flags, struct mptcp_options *mp)
{
    if (subflow->join || flags & (TCP_SYN | TCP_RST))
        return;
    const struct infinite_facts facts = {.bare = !record,
                                         .checksums = who->id->checksums,
                                         .snd_una = subflow->tcp.snd_una,
                                         .una = data_tx_una(who->tx),
                                         .idsn = who->id->local_idsn,
                                         .rcv_next = data_rx_next(who->rx)};
    fallback_write(who->fallback, &facts, mp);
}

void options_write(const struct speakers *who, const struct subflow *subflow, const struct tx_record *record,
                   uint8_t flags, struct tcp_options *options)
{
    struct mptcp_options *mp = &options->mp;
    if (fallback_is_plain(who->fallback)) {
        write_infinite(who, subflow, record, flags, mp);
        return;
    }
    write_handshake(who, subflow, record, flags, mp);
    if (flags & TCP_RST) {
        write_reset(who, subflow, mp);
        return;
    }
    if (mp->present || flags & TCP_SYN || !fallback_is_mptcp(who->fallback))
        return;
    bool bare = !record;
    if (bare && subflow->fail_stage != FAIL_ASKING && who->pm)
        path_manager_write(who->pm, subflow, options);
    const uint16_t signals = mp->present;
    write_dss(who, subflow, record, mp);
    if (bare && subflow->fail_stage == FAIL_ASKING) /* until it is answered */
        subflow_write_fail(subflow, mp);
    if (signals && !tcp_options_fit(options)) /* the DATA_ACK goes with the next segment */
        mp->present = signals;
}
