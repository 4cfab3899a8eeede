/* MP_CAPABLE and MP_JOIN (RFC 8684 3.1, 3.2). */
#include <errno.h>
#include <string.h>

#include "mptcp/conn.h"
#include "wire/bytes.h"
#include "wire/keys.h"

/* RFC 8684 3.1: after this many SYNs with MP_CAPABLE the next goes without, lest a middlebox eats them all. */
#define CAPABLE_SYNS 2
#define PROOF_TRIES_MAX 6

void negotiate_key(struct conn *conn, const struct conn_opened *opened)
{
    struct mp_host *host = conn->host;
    struct identity *id = &conn->identity;
    uint64_t idsn;
    do {
        if (opened)
            id->local_key = opened->local_key;
        else
            host->tcp.env.random(host->tcp.env.ctx, &id->local_key, sizeof id->local_key);
        host->ops->derive(id->local_key, &id->local_token, &idsn);
    } while (!opened && host->ops->token_taken(host, id->local_token));
    id->local_idsn = dsn_at(idsn);
}

static void learn_remote_key(struct conn *conn, uint64_t key)
{
    uint64_t idsn;
    conn->identity.remote_key = key;
    conn->host->ops->derive(key, &conn->identity.remote_token, &idsn);
    conn->identity.remote_idsn = dsn_at(idsn);
    data_rx_rebase(&conn->data_rx, dsn_add(conn->identity.remote_idsn, 1));
}

/* RFC 8684 3.1: a usable offer is version 1 or more, HMAC-SHA256 and no unknown extension. */
bool negotiate_acceptable(const struct mptcp_options *mp)
{
    return mptcp_has(mp, MPTCP_CAPABLE) && mp->capable.version >= MPTCP_VERSION && !mp->capable.extended &&
           mp->capable.algorithms & MPTCP_HMAC_SHA256;
}

/* RFC 8684 3.1: when either host requires them, both use them. */
static void settle_checksums(struct conn *conn, const struct mp_capable *offer)
{
    conn->identity.checksums = conn->host->checksum_required || offer->checksum_required;
}

static void connection_opened(struct conn *conn)
{
    conn->fallback.mode = CONN_MPTCP;
    count(&conn->host->tcp.counters, conn->identity.server ? COUNT_MPTCP_PASSIVE : COUNT_MPTCP_ACTIVE);
}

/* SYN/ACK of the first subflow. */
static void client_synack(struct subflow *subflow, const struct mptcp_options *mp, uint64_t now_ns)
{
    struct conn *conn = subflow->conn;
    if (conn->fallback.mode != CONN_NEGOTIATING)
        return;
    if (!negotiate_acceptable(mp) || !mp->capable.has_sender_key || mp->capable.version != MPTCP_VERSION) {
        conn_fall_back(conn, now_ns);
        return;
    }
    if (mp->capable.no_more_here)
        paths_close_first(&conn->paths);
    settle_checksums(conn, &mp->capable);
    learn_remote_key(conn, mp->capable.sender_key);
    conn->host->ops->token_add(conn->host, conn);
    connection_opened(conn);
}

void negotiate_opened(struct conn *conn, const struct conn_opened *opened)
{
    if (!opened->mptcp) {
        conn->fallback.mode = CONN_PLAIN;
        count_n(&conn->host->tcp.counters, COUNT_MPTCP_FALLBACKS, opened->fallen_back);
        return;
    }
    conn->identity.checksums = opened->checksums;
    if (opened->peer_refuses_joins)
        paths_close_first(&conn->paths);
    learn_remote_key(conn, opened->remote_key);
    conn->host->ops->token_add(conn->host, conn);
    connection_opened(conn);
}

bool negotiate_takes_joins(const struct conn *conn)
{
    bool over = conn->endings.error || conn->endings.asked == ASKED_ABORT ||
                (conn->data_tx.fin == DATA_FIN_ACKED && data_rx_is_over(&conn->data_rx));
    return conn->fallback.mode == CONN_MPTCP && conn->identity.established && !over;
}

void negotiate_joined(struct subflow *subflow)
{
    struct conn *conn = subflow->conn;
    subflow->join = subflow->passive = true;
    subflow->stage = SUBFLOW_JOINED;
    conn_paths_subflow_up(subflow);
    fallback_commit(&conn->fallback, COMMITTED_BOTH);
    count(&conn->host->tcp.counters, COUNT_MPTCP_JOINS_IN);
}

/* SYN/ACK of our join: the peer proves that it knows the keys. */
static bool join_synack(struct subflow *subflow, const struct mptcp_options *mp, uint64_t now_ns)
{
    const struct conn *conn = subflow->conn;
    uint8_t expected[MPTCP_HMAC_LEN];
    if (!mptcp_has(mp, MPTCP_JOIN) || mp->join.shape != MP_JOIN_SYNACK) {
        conn_reset_subflow(subflow, MP_RST_MPTCP, -EACCES, now_ns);
        return false;
    }
    subflow->join_proof.remote_nonce = mp->join.nonce;
    subflow->remote_id = mp->join.address_id;
    subflow->backup_remote = mp->join.backup;
    mptcp_join_hmac(conn->identity.remote_key, conn->identity.local_key, subflow->join_proof.remote_nonce,
                    subflow->join_proof.local_nonce, expected);
    uint8_t got[8];
    put64(got, mp->join.hmac64);
    if (!secret_equal(got, expected, sizeof got)) {
        count(&conn->host->tcp.counters, COUNT_DROP_JOIN_HMAC);
        conn_reset_subflow(subflow, MP_RST_MPTCP, -EACCES, now_ns);
        return false;
    }
    fallback_commit(&subflow->conn->fallback, COMMITTED_US);
    return true;
}

bool negotiate_segment(struct subflow *subflow, const struct tcp_segment *segment, uint64_t now_ns)
{
    const struct mptcp_options *mp = &segment->options->mp;
    if (segment->header.flags & TCP_RST)
        return true;
    if (subflow->tcp.state == TCPS_SYN_SENT) {
        if (subflow->join)
            return join_synack(subflow, mp, now_ns);
        client_synack(subflow, mp, now_ns);
        return true;
    }
    if (subflow->passive && mptcp_has(mp, MPTCP_JOIN))
        tcp_ack_now(&subflow->tcp);          /* RFC 8684 3.2: the third packet again, so the fourth was lost */
    if (subflow->stage == SUBFLOW_PROVING) { /* whatever the peer says now acknowledges the third packet */
        subflow->stage = SUBFLOW_JOINED;
        conn_paths_subflow_up(subflow);
        fallback_commit(&subflow->conn->fallback, COMMITTED_BOTH);
        subflow->due_ns = TIME_NEVER;
        count(&subflow->conn->host->tcp.counters, COUNT_MPTCP_JOINS_OUT);
    }
    return true;
}

/* RFC 8684 3.2: the third packet of a join is repeated until it is acknowledged; 3.7: so is an MP_FAIL. */
void subflow_insist(struct subflow *subflow, uint64_t now_ns)
{
    if (subflow->join_proof.tries++ >= PROOF_TRIES_MAX) {
        tcp_abort(&subflow->tcp, -ETIMEDOUT, now_ns);
        return;
    }
    tcp_signal_now(&subflow->tcp);
    uint64_t wait = rtt_timeout(&subflow->tcp.rtt) << HW_MIN(subflow->join_proof.tries, (uint8_t)8);
    subflow->due_ns = now_ns + wait / 2;
    conn_touch(subflow->conn);
}

static void write_capable(struct subflow *subflow, const struct tx_record *record, uint8_t flags,
                          struct mptcp_options *mp)
{
    const struct conn *conn = subflow->conn;
    bool syn = flags & TCP_SYN, ack = flags & TCP_ACK;
    struct mp_capable *o = &mp->capable;
    *o = (struct mp_capable){.version = MPTCP_VERSION, .algorithms = MPTCP_HMAC_SHA256};
    mp->present |= 1u << MPTCP_CAPABLE;
    o->checksum_required = syn && !ack ? conn->host->checksum_required : conn->identity.checksums;
    if (syn && !ack)
        return;
    o->has_sender_key = true;
    o->sender_key = conn->identity.local_key;
    if (syn)
        return;
    o->has_receiver_key = true;
    o->receiver_key = conn->identity.remote_key;
    if (record && record->note.mapped) {
        o->has_data_len = true;
        o->data_len = (uint16_t)record->note.len;
        o->has_checksum = conn->identity.checksums;
        o->checksum = record->note.checksum;
    }
}

static void write_join(struct subflow *subflow, uint8_t flags, struct mptcp_options *mp)
{
    const struct conn *conn = subflow->conn;
    struct mp_join *o = &mp->join;
    uint8_t hmac[MPTCP_HMAC_LEN];
    mp->present |= 1u << MPTCP_JOIN;
    *o = (struct mp_join){.backup = subflow->backup_local,
                          .address_id = subflow->local_id,
                          .token = conn->identity.remote_token,
                          .nonce = subflow->join_proof.local_nonce};
    if (flags & TCP_SYN && !(flags & TCP_ACK)) {
        o->shape = MP_JOIN_SYN;
        return;
    }
    mptcp_join_hmac(conn->identity.local_key, conn->identity.remote_key, subflow->join_proof.local_nonce,
                    subflow->join_proof.remote_nonce, hmac);
    if (flags & TCP_SYN) {
        o->shape = MP_JOIN_SYNACK;
        o->hmac64 = get64(hmac);
    } else {
        o->shape = MP_JOIN_ACK;
        memcpy(o->hmac, hmac, sizeof hmac);
    }
}

void negotiate_write(struct subflow *subflow, const struct tx_record *record, uint8_t flags, struct mptcp_options *mp)
{
    const struct conn *conn = subflow->conn;
    bool syn = flags & TCP_SYN;
    if (flags & TCP_RST)
        return;
    if (subflow->join) {
        if (syn || subflow->stage == SUBFLOW_PROVING)
            write_join(subflow, flags, mp);
        return;
    }
    if (syn && conn->fallback.mode == CONN_NEGOTIATING) {
        if (subflow->tcp.handshake_tries <= CAPABLE_SYNS)
            write_capable(subflow, record, flags, mp);
        return;
    }
    /* RFC 8684 3.1: our key must reach the peer, so it goes with the first data and with bare segments, of which one
     * may answer a repeated SYN/ACK. A stream that has ended needs a DSS for its DATA_FIN, so the two options take
     * turns until one is answered. */
    bool first_data = record && record->note.mapped && record->note.ssn == SSN_ORIGIN + 1 &&
                      record->note.dsn == dsn_add(conn->identity.local_idsn, 1).v;
    if (!syn && !conn->identity.server && conn->fallback.mode == CONN_MPTCP && !conn->identity.confirmed &&
        (first_data || (!record && !(data_tx_fin_sent(&conn->data_tx) && conn->identity.key_said))))
        write_capable(subflow, record, flags, mp);
}
