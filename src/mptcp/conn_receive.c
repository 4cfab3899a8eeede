/* What arrives: DSS and the other options of an accepted segment (RFC 8684 3.3 to 3.7). */
#include <errno.h>

#include "mptcp/conn.h"
#include "mptcp/dss.h"
#include "mptcp/outflow.h"

/* RFC 8684 3.3: has the mapping a checksum, or none, as was negotiated? False: the subflow is gone for it. */
static bool is_as_negotiated(struct subflow *subflow, const struct mapping *map, uint64_t now_ns)
{
    const struct conn *conn = subflow->conn;
    if (map->has_checksum == conn->identity.checksums)
        return true;
    count(&conn->host->tcp.counters, COUNT_DROP_MAPPING);
    subflow_reset(subflow, MP_RST_MPTCP, -EPROTO, now_ns);
    return false;
}

/* False when there is no room for it: the segment must come again, for its bytes would be of no use without. */
static bool take_mapping(struct subflow *subflow, const struct mapping *map, uint64_t now_ns)
{
    struct conn *conn = subflow->conn;
    fallback_note_divergence(&conn->fallback, !dsn_eq(map->dsn, dsn_of_ssn(conn->identity.remote_idsn, map->ssn)));
    enum rxmap_result result = rx_mapping_add(&subflow->rx_mapping, map, !conn->identity.checksums);
    if (result == RXMAP_CONFLICT || result == RXMAP_FULL)
        count(&conn->host->tcp.counters, result == RXMAP_FULL ? COUNT_LIMIT_MAPPINGS : COUNT_DROP_MAPPING);
    else if (result == RXMAP_ADDED && rx_mapping_holds(&subflow->rx_mapping)) /* it came later than its bytes */
        conn_hand_up(subflow, map, now_ns);
    return result != RXMAP_FULL;
}

static void take_data_ack(struct conn *conn, dsn64 ack, uint32_t window, uint64_t now_ns)
{
    struct tx_news news = data_tx_take_ack(&conn->data_tx, ack, window, now_ns);
    count_n(&conn->host->tcp.counters, COUNT_DROP_DATA_ACK, !!(news.what & TX_IMPOSSIBLE));
    if (!(news.what & TX_ACKED))
        return;
    endings_note_delivery(&conn->endings, now_ns);
    if (paths_in_rescue(&conn->paths) && data_tx_all_acked(&conn->data_tx))
        paths_look_at(&conn->paths, 0); /* nothing of ours would be lost if all refuse */
    subflows_clear(&conn->subflows, news.merit);
    conn_wake(conn);
}

static void take_data_fin(struct subflow *subflow, const struct mapping *end, uint64_t now_ns)
{
    struct conn *conn = subflow->conn;
    if (data_rx_is_over(&conn->data_rx)) /* our DATA_ACK was lost. Not at once, lest two ends answer without pause */
        tcp_ack_soon(&subflow->tcp, now_ns);
    else if (!conn->identity.checksums || (!end->len && dss_end_is_proved(end)))
        count_n(&conn->host->tcp.counters, COUNT_DROP_MAPPING,
                !data_rx_know_end(&conn->data_rx, dsn_add(end->dsn, end->len)));
    else if (!end->len && subflow->fail_stage != FAIL_ASKING) { /* behind bytes it is proved with them */
        subflow->fail_dsn = end->dsn;
        conn_refuse_forged(subflow, now_ns);
    }
}

static bool take_dss(struct subflow *subflow, const struct tcp_segment *segment, uint64_t now_ns)
{
    struct conn *conn = subflow->conn;
    const struct dss_news dss = dss_read(&segment->options->mp.dss, data_tx_una(&conn->data_tx),
                                         data_rx_next(&conn->data_rx), subflow->tcp.rx.next);
    identity_reach(&conn->identity, IDENTITY_CONFIRMED);
    subflow->dss_seen = true;
    if (dss.has_ack) {
        fallback_note_options(&conn->fallback, segment->ack > SSN_ORIGIN + 1);
        take_data_ack(conn, dss.ack, (uint32_t)segment->header.window << subflow->tcp.snd_wscale, now_ns);
    }
    conn->identity.peer_dsn_64 |= dss.dsn_is_64;
    conn->arrived |= dss.maps != DSS_NOTHING;
    if (dss.maps != DSS_NOTHING && !is_as_negotiated(subflow, &dss.map, now_ns))
        return false;
    switch (dss.maps) {
    case DSS_NOTHING:
        return true;
    case DSS_INVALID:
        count(&conn->host->tcp.counters, COUNT_DROP_MAPPING);
        return true;
    case DSS_INFINITE:
        conn_take_infinite(subflow, &dss.map, now_ns);
        return true;
    case DSS_END:
        take_data_fin(subflow, &dss.map, now_ns);
        return dss.map.len == 0 || take_mapping(subflow, &dss.map, now_ns);
    case DSS_BYTES:
        return take_mapping(subflow, &dss.map, now_ns);
    }
    return true;
}

static bool take_capable(struct subflow *subflow, const struct mp_capable *capable, uint64_t now_ns)
{
    struct conn *conn = subflow->conn;
    if (subflow->join || !capable->has_data_len || capable->receiver_key != conn->identity.local_key)
        return true;
    identity_reach(&conn->identity, IDENTITY_CONFIRMED);
    conn->identity.peer_dsn_64 = true;
    const struct mapping map = dss_of_capable(capable, SSN_ORIGIN + 1, dsn_add(conn->identity.remote_idsn, 1));
    return map.len == 0 || (is_as_negotiated(subflow, &map, now_ns) && take_mapping(subflow, &map, now_ns));
}

static void take_addresses(struct subflow *subflow, const struct mptcp_options *mp, uint64_t now_ns)
{
    struct conn *conn = subflow->conn;
    const struct path_manager pm = conn_path_manager(conn);
    if (mptcp_has(mp, MPTCP_REMOVE_ADDR)) /* first, for what is added may take its place (RFC 8684 3.4.1) */
        path_manager_take_remove_addr(&pm, &mp->remove_addr, now_ns);
    if (mptcp_has(mp, MPTCP_ADD_ADDR))
        path_manager_take_add_addr(&pm, subflow, &mp->add_addr, now_ns);
}

static void take_signals(struct subflow *subflow, const struct mptcp_options *mp, uint64_t now_ns)
{
    struct conn *conn = subflow->conn;
    if (mptcp_has(mp, MPTCP_ADD_ADDR) || mptcp_has(mp, MPTCP_REMOVE_ADDR))
        take_addresses(subflow, mp, now_ns);
    if (mptcp_has(mp, MPTCP_PRIO) && subflow_take_priority(subflow, mp->prio.backup))
        conn_paths_changed(conn, HAWSER_PM_PRIORITY);
    if (identity_closed_by(&conn->identity, mp)) {
        conn_fail(conn, -ECONNRESET);
        subflows_abort(&conn->subflows, -ECONNRESET, now_ns);
    }
}

bool conn_receive_segment(struct tcp *tcp, const struct tcp_segment *segment, uint64_t now_ns)
{
    struct subflow *subflow = subflow_of(tcp);
    struct conn *conn = subflow->conn;
    const struct mptcp_options *mp = &segment->options->mp;
    conn_touch(conn);
    count_n(&conn->host->tcp.counters, COUNT_TCP_OPTION_MALFORMED, segment->options->malformed);
    if (!conn_take_handshake(subflow, segment, now_ns))
        return false;
    if (mptcp_has(mp, MPTCP_FAIL) && !(segment->header.flags & (TCP_SYN | TCP_RST)))
        conn_take_fail(subflow, now_ns);
    if (segment->payload.len &&
        fallback_contradicted(&conn->fallback, mp, conn->identity.remote_idsn)) /* better no stream than a wrong one */
        subflow_give_up(subflow, COUNT_DROP_MAPPING, now_ns);
    if (!fallback_is_mptcp(&conn->fallback) || segment->header.flags & TCP_SYN)
        return tcp->state != TCPS_CLOSED;
    bool was_confirmed = identity_confirmed(&conn->identity), taken = true;
    outflow_note_answer(&conn->data_tx, subflow, segment);
    path_manager_note_answer(subflow, segment, now_ns);
    silence_note_answer(&conn->subflows, subflow, segment, now_ns);
    subflow_note_reason(subflow, segment->header.flags, mp);
    subflow->bare_acks |= segment->ack > tcp->snd_una && !mp->present;
    if (mptcp_has(mp, MPTCP_DSS))
        taken = take_dss(subflow, segment, now_ns);
    else if (mptcp_has(mp, MPTCP_CAPABLE))
        taken = take_capable(subflow, &mp->capable, now_ns);
    else if (conn_options_vanished(subflow, segment))
        conn_fall_back_or_reset(subflow, PLAIN_STRIPPED, COUNT_DROP_UNMAPPED, now_ns);
    take_signals(subflow, mp, now_ns);
    if (!was_confirmed && identity_confirmed(&conn->identity) && fallback_is_mptcp(&conn->fallback))
        conn_paths_confirmed(conn);
    return tcp->state != TCPS_CLOSED && (taken || segment->payload.len == 0);
}

void conn_receive_progress(struct tcp *tcp, uint64_t now_ns)
{
    struct subflow *subflow = subflow_of(tcp);
    struct conn *conn = subflow->conn;
    if (fallback_is_plain(&conn->fallback)) { /* the subflow's acknowledgement is the connection's */
        uint64_t acked = HW_MIN(tcp->snd_una, tcp->snd_nxt - tcp->fin_sent);
        if (acked > SSN_ORIGIN)
            take_data_ack(conn, dsn_of_ssn(conn->identity.local_idsn, acked), tcp->snd_wnd, now_ns);
        if (tcp->snd_una == tcp->snd_nxt && fallback_data_is_bare(&conn->fallback, tcp->snd_una))
            tcp_drop_upper_options(tcp);
    } else {
        rx_mapping_retire(&subflow->rx_mapping, tcp->rx.next);
    }
    if (data_rx_take_end(&conn->data_rx)) {
        conn_note_disorder(conn);
        tcp_ack_now(tcp);
    }
}
