/* MP_CAPABLE and MP_JOIN, and what the connection has to do for them (RFC 8684 3.1, 3.2). */
#include <errno.h>

#include "mptcp/conn.h"

static void connection_opened(struct conn *conn)
{
    dsn64 first = dsn_add(conn->identity.remote_idsn, 1);
    data_rx_rebase(&conn->data_rx, first);
    conn->host->ops->token_add(conn->host, conn);
    fallback_settle(&conn->fallback, CONN_MPTCP);
    count(&conn->host->tcp.counters, conn->identity.server ? COUNT_MPTCP_PASSIVE : COUNT_MPTCP_ACTIVE);
}

void conn_established(struct subflow *subflow, uint64_t now_ns)
{
    struct conn *conn = subflow->conn;
    if (subflow->join) {
        if (!subflow->passive) {
            subflow->stage = SUBFLOW_PROVING;
            subflow_insist(subflow, now_ns);
        }
        return;
    }
    subflow->stage = SUBFLOW_JOINED;
    identity_reach(&conn->identity, IDENTITY_ESTABLISHED);
    data_tx_widen(&conn->data_tx, dsn_add(data_tx_una(&conn->data_tx), subflow->tcp.snd_wnd));
}

void conn_draw_key(struct conn *conn)
{
    struct mp_host *host = conn->host;
    uint64_t key;
    do {
        host->tcp.env.random(host->tcp.env.ctx, &key, sizeof key);
        identity_set_local_key(&conn->identity, host->ops->derive, key);
    } while (host->ops->token_taken(host, conn->identity.local_token));
}

void conn_take_opened(struct conn *conn, const struct conn_opened *opened)
{
    struct identity *id = &conn->identity;
    if (!opened->mptcp) {
        fallback_settle_plain(&conn->fallback, opened->fallen_back ? PLAIN_STRIPPED : PLAIN_NO_OFFER);
        count_n(&conn->host->tcp.counters, COUNT_MPTCP_FALLBACKS, opened->fallen_back);
        return;
    }
    if (opened->peer_refuses_joins)
        paths_close_first(&conn->paths);
    id->checksums = opened->checksums;
    identity_set_remote_key(id, conn->host->ops->derive, opened->remote_key);
    connection_opened(conn);
}

/* SYN/ACK of the first subflow. */
static void take_synack(struct subflow *subflow, const struct mptcp_options *mp, uint64_t now_ns)
{
    struct conn *conn = subflow->conn;
    bool mptcp = fallback_is_negotiating(&conn->fallback) && !subflow->plain && identity_answerable(mp);
    if (conn->opening)
        conn->host->ops->attempt_answered(conn->host, subflow, mptcp, now_ns);
    if (!mptcp) {
        conn_fall_back(conn, subflow->plain ? PLAIN_NO_ANSWER : PLAIN_NO_OFFER, now_ns);
        return;
    }
    if (mp->capable.no_more_here)
        paths_close_first(&conn->paths);
    identity_take_synack(&conn->identity, conn->host->ops->derive, &mp->capable, conn->host->checksum_required);
    connection_opened(conn);
}

bool conn_takes_joins(const struct conn *conn)
{
    bool over = endings_error(&conn->endings) || endings_abort_asked(&conn->endings) || conn_streams_over(conn);
    return fallback_is_mptcp(&conn->fallback) && identity_established(&conn->identity) && !over;
}

void conn_take_join(struct subflow *subflow)
{
    subflow->join = subflow->passive = true;
    conn_subflow_up(subflow);
    count(&subflow->tcp.host->counters, COUNT_MPTCP_JOINS_IN);
}

/* SYN/ACK of our join: the peer proves that it knows the keys. False: it does not. */
static bool take_join_synack(struct subflow *subflow, const struct mptcp_options *mp, uint64_t now_ns)
{
    struct conn *conn = subflow->conn;
    enum join_verdict verdict = join_proof_take_synack(&subflow->join_proof, &conn->identity, mp);
    if (verdict != JOIN_PROVED) {
        count_n(&conn->host->tcp.counters, COUNT_DROP_JOIN_HMAC, verdict == JOIN_FORGED);
        subflow_reset(subflow, MP_RST_MPTCP, -EACCES, now_ns);
        return false;
    }
    subflow->remote_id = mp->join.address_id;
    subflow->backup_remote = mp->join.backup;
    fallback_commit(&conn->fallback, COMMITTED_US);
    return true;
}

bool conn_take_handshake(struct subflow *subflow, const struct tcp_segment *segment, uint64_t now_ns)
{
    const struct mptcp_options *mp = &segment->options->mp;
    if (segment->header.flags & TCP_RST)
        return true;
    if (subflow->tcp.state == TCPS_SYN_SENT) {
        if (subflow->join)
            return take_join_synack(subflow, mp, now_ns);
        take_synack(subflow, mp, now_ns);
        return true;
    }
    if (subflow->passive && mptcp_has(mp, MPTCP_JOIN))
        tcp_ack_now(&subflow->tcp);          /* RFC 8684 3.2: the third packet again, so the fourth was lost */
    if (subflow->stage == SUBFLOW_PROVING) { /* whatever the peer says now acknowledges the third packet */
        conn_subflow_up(subflow);
        count(&subflow->tcp.host->counters, COUNT_MPTCP_JOINS_OUT);
    }
    return true;
}
