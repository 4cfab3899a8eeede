/* The options a connection puts on its segments: DSS, ADD_ADDR, MP_FASTCLOSE and the rest (RFC 8684 3.3 to 3.6). */
#include "mptcp/conn.h"
#include "wire/checksum.h"
#include "wire/keys.h"

#define SIGNAL_REPEAT_NS NS_PER_S
/* Where another signal would be one too many: until then something else may have come between. */
#define SIGNAL_SILENCE_NS (30 * NS_PER_S)
#define SIGNAL_BACKOFF_MAX 5
static void write_dss(const struct conn *conn, const struct tx_record *record, struct mptcp_options *mp)
{
    struct mp_dss *dss = &mp->dss;
    /* RFC 8684 3.3.2: what came with a 64-bit DSN is acknowledged with 64 bits. */
    *dss = (struct mp_dss){.has_ack = true,
                           .ack_is_64 = !record || conn->identity.peer_dsn_64,
                           .ack_stays_64 = conn->identity.peer_dsn_64,
                           .ack = data_rx_next(&conn->data_rx).v};
    if (record && record->note.mapped) {
        dss->has_map = dss->dsn_is_64 = true;
        dss->dsn = record->note.dsn;
        dss->ssn = ssn_wire(record->note.ssn);
        dss->len = (uint16_t)record->note.len;
        dss->checksum = record->note.checksum;
    } else if (!record && data_tx_fin_waits(&conn->data_tx)) { /* RFC 8684 3.3.3: a DATA_FIN alone maps nothing */
        dss->has_map = dss->dsn_is_64 = dss->data_fin = true;
        dss->dsn = conn->data_tx.sendq.end.v;
        dss->ssn = 0;
        dss->len = 1;
        const struct csum nothing = {0, false};
        dss->checksum = csum_dss(dss->dsn, 0, 1, &nothing);
    }
    dss->has_checksum = dss->has_map && conn->identity.checksums;
    mp->present |= 1u << MPTCP_DSS;
}

static void write_add_addr(struct conn *conn, struct mptcp_options *mp)
{
    if (conn->paths.echo_wanted) {
        mp->add_addr = conn->paths.echo;
        mp->present |= 1u << MPTCP_ADD_ADDR;
        return;
    }
    const struct announcement *next = conn->paths.announce_now ? paths_next_announcement(conn) : NULL;
    if (!next)
        return;
    struct mp_add_addr *add = &mp->add_addr;
    *add = (struct mp_add_addr){.is_v4 = hawser_addr_is_v4(&next->addr), .address_id = next->id, .addr = next->addr};
    add->hmac64 = mptcp_add_addr_hmac(conn->identity.local_key, conn->identity.remote_key, add);
    mp->present |= 1u << MPTCP_ADD_ADDR;
}

static void write_remove_addr(const struct conn *conn, struct mptcp_options *mp)
{
    if (!conn->paths.removed_tells || mptcp_has(mp, MPTCP_ADD_ADDR))
        return;
    mp->remove_addr = conn->paths.removed;
    mp->present |= 1u << MPTCP_REMOVE_ADDR;
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
    negotiate_write(subflow, record, flags, mp);
    if (flags & TCP_RST) {
        write_reset(subflow, mp);
        return;
    }
    if (mp->present || flags & TCP_SYN || conn->fallback.mode != CONN_MPTCP)
        return;
    if (!record && subflow_may_signal(subflow)) {
        write_add_addr(conn, mp);
        write_remove_addr(conn, mp);
    }
    /* An IPv6 address with its HMAC fills the option space; the DATA_ACK goes with the next segment. */
    const struct mp_add_addr *add = &mp->add_addr;
    if (!mptcp_has(mp, MPTCP_ADD_ADDR) || add->is_v4 || add->echo)
        write_dss(conn, record, mp);
    if (subflow->fail_stage == FAIL_ASKING && !record) { /* until it is answered */
        mp->fail.dsn = subflow->fail_dsn.v;
        mp->present |= 1u << MPTCP_FAIL;
    }
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
    if (mptcp_has(&sent->mp, MPTCP_REMOVE_ADDR) && --conn->paths.removed_tells == 0)
        conn->paths.removed.count = 0;
    conn->identity.key_said = mptcp_has(&sent->mp, MPTCP_CAPABLE) && sent->mp.capable.has_receiver_key;
    if (conn->identity.key_said && data_tx_fin_sent(&conn->data_tx)) /* it took the place of a DATA_FIN */
        tcp_signal_now(tcp);
    if (!mptcp_has(&sent->mp, MPTCP_ADD_ADDR))
        return;
    struct announcement *next = paths_next_announcement(conn);
    if (sent->mp.add_addr.echo) {
        conn->paths.echo_wanted = false;
    } else if (next) {
        conn->paths.announce_now = false;
        if (next->tries++ == 0)
            count(&conn->host->tcp.counters, COUNT_MPTCP_ADD_ADDR_OUT);
    }
    if (!mptcp_has(&sent->mp, MPTCP_DSS)) /* it took the place of a DATA_ACK that somebody may wait for */
        tcp_signal_now(tcp);
}

/* One timer repeats what must be answered: a DATA_FIN (RFC 8684 3.3.3) and announced addresses (3.4.1). */
void signal_arm(struct conn *conn, uint64_t now_ns)
{
    uint64_t wait = 0;
    if (data_tx_fin_waits(&conn->data_tx) && conn->fallback.mode == CONN_MPTCP)
        wait = SIGNAL_REPEAT_NS << HW_MIN(conn->data_tx.fin_tries, SIGNAL_BACKOFF_MAX);
    if (paths_next_announcement(conn)) {
        uint64_t again = SIGNAL_SILENCE_NS;
        EACH_SUBFLOW (it, conn)
            if (subflow_may_signal(subflow_at(it)))
                again = SIGNAL_REPEAT_NS;
        wait = wait ? HW_MIN(wait, again) : again;
    }
    conn->signal_due_ns = wait && !conn_closed(conn) ? now_ns + wait : TIME_NEVER;
    conn_touch(conn);
}

void signal_on_timer(struct conn *conn, uint64_t now_ns)
{
    const struct tx_paths paths = conn_tx_paths(conn);
    bool fin_waits = data_tx_fin_waits(&conn->data_tx);
    enum tx_due due = fin_waits ? data_tx_repeat_fin(&conn->data_tx, &paths, now_ns) : TX_ASK;
    conn->signal_due_ns = TIME_NEVER;
    if (due != TX_ASK) {
        conn_obey(conn, due, now_ns);
        return;
    }
    EACH_SUBFLOW (it, conn) {
        struct tcp *tcp = &subflow_at(it)->tcp;
        bool open = tcp_may_send(tcp) || tcp->state > TCPS_ESTABLISHED;
        if (open && (fin_waits || subflow_may_signal(subflow_at(it))))
            tcp_signal_now(tcp);
        if (fin_waits && conn->identity.confirmed)
            tcp_probe_now(tcp); /* a peer that took it, but whose DATA_ACK was lost, may not answer to a second one */
    }
    conn->paths.announce_now = true;
    signal_arm(conn, now_ns);
}
