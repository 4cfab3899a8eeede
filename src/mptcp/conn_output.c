/* Departure of data: which bytes on which subflow (RFC 8684 3.3.5, 3.3.6). */
#include "mptcp/conn.h"
#include "wire/checksum.h"

static uint32_t trim_to_segments(const struct tcp *tcp, uint32_t len, uint32_t waiting)
{
    if (len < waiting && len > tcp->segment_bytes)
        len -= len % tcp->segment_bytes;
    return len;
}

static uint16_t mapping_checksum(const struct tx_note *note, const struct slice *parts, unsigned n)
{
    struct csum payload = {0, false};
    for (unsigned i = 0; i < n; i++)
        csum_add(&payload, parts[i].data, parts[i].len);
    return csum_dss(note->dsn, ssn_wire(note->ssn), (uint16_t)note->len, &payload);
}

/* Sends up to `most` bytes from `from` on `subflow`; returns how many went, 0 when the batch or memory is full. */
static uint32_t send_piece(struct conn *conn, struct subflow *subflow, dsn64 from, uint32_t most, uint32_t room,
                           struct tx_batch *batch, uint64_t now_ns)
{
    struct tcp *tcp = &subflow->tcp;
    struct slice parts[TX_RECORD_PARTS];
    unsigned count_parts = 0;
    uint32_t want = trim_to_segments(tcp, HW_MIN(HW_MIN(most, room), tcp_send_max(tcp)), most);
    uint32_t len = sendq_peek(&conn->data_tx.sendq, from, want, parts, TX_RECORD_PARTS, &count_parts);
    if (len == 0)
        return 0;
    struct tx_note note = {.dsn = from.v, .ssn = tcp->snd_nxt, .len = len, .mapped = true};
    if (conn->identity.checksums)
        note.checksum = mapping_checksum(&note, parts, count_parts);
    bool push = dsn_eq(dsn_add(from, len), conn->data_tx.sendq.end);
    if (tcp_send(tcp, parts, count_parts, len, &note, push, batch, now_ns) < 0)
        return 0;
    return len;
}

/* One piece of what other subflows seem to have lost. False when none can go now. */
static bool send_again(struct conn *conn, struct tx_batch *batch, uint64_t now_ns)
{
    struct range lost = data_tx_lost(&conn->data_tx);
    if (lost.start == lost.end ||
        !fallback_peer_committed(&conn->fallback)) /* fallen back, it would take them for new ones */
        return false;
    struct path_view views[SUBFLOWS_MAX];
    struct subflow *subflows[SUBFLOWS_MAX];
    uint32_t waiting = (uint32_t)HW_MIN(lost.end - lost.start, UINT32_MAX);
    size_t n = subflows_view(&conn->subflows, waiting, views, subflows);
    for (size_t i = 0; i < n; i++)
        views[i].usable &= !views[i].stale; /* not back to where they got stuck or lost */
    struct demand demand = {.unsent_bytes = waiting, .window_bytes = waiting, .reinjection = true};
    int pick = conn->host->scheduler->pick(views, n, &demand);
    if (pick == SCHEDULE_NONE)
        return false;
    uint32_t len = send_piece(conn, subflows[pick], dsn_at(lost.start), waiting, views[pick].room, batch, now_ns);
    if (len == 0)
        return false;
    subflows[pick]->carried_again |= data_tx_resent(&conn->data_tx, len);
    count(&conn->host->tcp.counters, COUNT_MPTCP_REINJECTIONS);
    return true;
}

static bool send_new(struct conn *conn, struct tx_batch *batch, uint64_t now_ns)
{
    struct data_tx *tx = &conn->data_tx;
    uint32_t unsent = data_tx_unsent(tx), window = data_tx_window_left(tx), waiting = HW_MIN(unsent, window);
    if (waiting == 0)
        return false;
    struct path_view views[SUBFLOWS_MAX];
    struct subflow *subflows[SUBFLOWS_MAX];
    size_t n = subflows_view(&conn->subflows, unsent, views, subflows);
    struct demand demand = {.unsent_bytes = unsent, .window_bytes = window};
    int pick = conn->host->scheduler->pick(views, n, &demand);
    if (pick == SCHEDULE_NONE)
        return false;
    uint32_t len = send_piece(conn, subflows[pick], tx->snd_nxt, waiting, views[pick].room, batch, now_ns);
    if (len)
        data_tx_sent(tx, len, subflows[pick]->slot, now_ns);
    return len != 0;
}

/* RFC 8684 3.3.3: the end of the stream, once every byte was sent. */
static void send_end(struct conn *conn, uint64_t now_ns)
{
    if (!identity_established(&conn->identity) || !data_tx_may_finish(&conn->data_tx))
        return;
    conn->data_tx.fin = DATA_FIN_SENT;
    EACH_SUBFLOW (it, conn) {
        if (conn->fallback.mode == CONN_PLAIN)
            tcp_shutdown(&subflow_at(it)->tcp, now_ns);
        else if (subflow_usable(subflow_at(it)))
            tcp_signal_now(&subflow_at(it)->tcp);
    }
    signal_arm(conn, now_ns);
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

bool conn_output(struct conn *conn, struct tx_batch *batch, uint64_t now_ns)
{
    size_t first = batch->count;
    bool more = true;
    conn->deficit = HW_MIN(conn->deficit + TURN_BYTES, TURN_BYTES);
    conn_begin_asked(conn, now_ns);
    send_end(conn, now_ns);
    /* Lost data first, then new data, which carries the acknowledgements; bare ones last. */
    EACH_SUBFLOW (it, conn)
        if (tcp_txq(&subflow_at(it)->tcp)->lost_bytes)
            tcp_output(&subflow_at(it)->tcp, batch, now_ns);
    for (charge_turn(conn, batch, &first); more && !tx_batch_full(batch) && conn->deficit > 0;) {
        more =
            identity_established(&conn->identity) && (send_again(conn, batch, now_ns) || send_new(conn, batch, now_ns));
        charge_turn(conn, batch, &first);
    }
    send_end(conn, now_ns);
    EACH_SUBFLOW (it, conn) {
        tcp_output(&subflow_at(it)->tcp, batch, now_ns);
        tcp_update_persist(&subflow_at(it)->tcp, now_ns);
    }
    conn_settle(conn, now_ns);
    charge_turn(conn, batch, &first);
    more = more || tx_batch_full(batch);
    if (!more)
        conn->deficit = 0;
    return more;
}

/* RFC 8684 3.3.2: a SACK says nothing of the data level. A peer may hand bytes up in the order of the subflow only
 * (Linux does), and half a mapping is of no use under a checksum: behind a hole they are lost with the path. */
void conn_reinject(struct subflow *subflow)
{
    struct conn *conn = subflow->conn;
    dsn64 from;
    if (conn->fallback.mode != CONN_MPTCP)
        return;
    for (uint32_t i = 0; i < tcp_txq(&subflow->tcp)->count; i++) {
        uint32_t len = subflow_record_data(subflow, i, &from);
        if (len)
            data_tx_reinject(&conn->data_tx, from, len);
    }
    conn_wake(conn);
}

void conn_forget_reinjection(struct subflow *subflow)
{
    dsn64 from;
    for (uint32_t i = 0; i < tcp_txq(&subflow->tcp)->count; i++) {
        uint32_t len = subflow_record_data(subflow, i, &from);
        if (len)
            data_tx_forget_reinjection(&subflow->conn->data_tx, from, len);
    }
}
