/* Departure of data: which bytes on which subflow (RFC 8684 3.3.5, 3.3.6). */
#include <errno.h>

#include "base/check.h"
#include "mptcp/conn.h"
#include "wire/checksum.h"

bool send_usable(const struct subflow *subflow)
{
    return tcp_may_send(&subflow->tcp) && (!subflow->join || subflow->stage == SUBFLOW_JOINED);
}

/* Room that is worth using: a sliver of a segment waits until more opens, unless nothing is under way (RFC 9293
 * 3.8.6.2.1). */
static uint32_t useful_room(const struct tcp *tcp, uint32_t waiting)
{
    uint32_t room = tcp_send_room(tcp);
    if (room < waiting && room < tcp->segment_bytes && tcp_in_flight(tcp) > 0)
        return 0;
    return room;
}

static size_t view_paths(const struct conn *conn, uint32_t waiting, struct path_view *views, struct subflow **subflows)
{
    size_t n = 0;
    EACH_SUBFLOW (it, conn) {
        struct subflow *subflow = subflow_at(it);
        const struct tcp *tcp = &subflow->tcp;
        views[n] = (struct path_view){
            .usable = send_usable(subflow),
            .backup = subflow->backup_local || subflow->backup_remote,
            .stale = subflow->stale || subflow->suspect_since_ns,
            .room = send_usable(subflow) ? useful_room(tcp, waiting) : 0,
            .cwnd = tcp->cc.cwnd,
            .in_flight = tcp_in_flight(tcp),
            .mss = tcp->segment_bytes,
            .srtt_ns = tcp->rtt.srtt_ns,
            .rttvar_ns = tcp->rtt.rttvar_ns,
            .pacing_bps = tcp->cc.pacing_bps,
        };
        subflows[n++] = subflow;
    }
    return n;
}

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
static bool send_reinjection(struct conn *conn, struct tx_batch *batch, uint64_t now_ns)
{
    const struct range *range = iset_find(&conn->data_tx.reinject, 0);
    if (!range || !conn->fallback.peer_committed) /* fallen back, it would take them for new ones */
        return false;
    struct path_view views[SUBFLOWS_MAX];
    struct subflow *subflows[SUBFLOWS_MAX];
    uint32_t waiting = (uint32_t)HW_MIN(range->end - range->start, UINT32_MAX);
    size_t n = view_paths(conn, waiting, views, subflows);
    for (size_t i = 0; i < n; i++)
        views[i].usable &= !views[i].stale; /* not back to where they got stuck or lost */
    struct demand demand = {.unsent_bytes = waiting, .window_bytes = waiting, .reinjection = true};
    int pick = conn->host->scheduler->pick(views, n, &demand);
    if (pick == SCHEDULE_NONE)
        return false;
    uint64_t start = range->start;
    uint32_t len = send_piece(conn, subflows[pick], dsn_add(conn->identity.local_idsn, start), waiting,
                              views[pick].room, batch, now_ns);
    if (len == 0)
        return false;
    (void)iset_add(&conn->data_tx.repeated, start, start + len); /* full: it counts as carried once, to nobody's harm */
    subflows[pick]->carried_again |= start == conn->data_tx.sendq.una.v - conn->identity.local_idsn.v;
    conn->data_tx.reinjected_bytes += len;
    count(&conn->host->tcp.counters, COUNT_MPTCP_REINJECTIONS);
    iset_remove_below(&conn->data_tx.reinject, start + len);
    return true;
}

static uint32_t window_left(const struct conn *conn)
{
    int64_t left = dsn_diff(conn->data_tx.snd_edge, conn->data_tx.snd_nxt);
    return left <= 0 ? 0 : (uint32_t)HW_MIN(left, (int64_t)UINT32_MAX);
}

static bool send_new(struct conn *conn, struct tx_batch *batch, uint64_t now_ns)
{
    uint32_t unsent = (uint32_t)dsn_diff(conn->data_tx.sendq.end, conn->data_tx.snd_nxt);
    uint32_t waiting = HW_MIN(unsent, window_left(conn));
    if (waiting == 0)
        return false;
    struct path_view views[SUBFLOWS_MAX];
    struct subflow *subflows[SUBFLOWS_MAX];
    size_t n = view_paths(conn, unsent, views, subflows);
    struct demand demand = {.unsent_bytes = unsent, .window_bytes = window_left(conn)};
    int pick = conn->host->scheduler->pick(views, n, &demand);
    if (pick == SCHEDULE_NONE)
        return false;
    uint32_t len = send_piece(conn, subflows[pick], conn->data_tx.snd_nxt, waiting, views[pick].room, batch, now_ns);
    if (len == 0)
        return false;
    if (dsn_eq(conn->data_tx.sendq.una, conn->data_tx.snd_nxt))
        conn->data_tx.progress.una_since_ns = now_ns;
    conn->data_tx.snd_nxt = dsn_add(conn->data_tx.snd_nxt, len);
    carriers_push(&conn->data_tx.carriers, conn->data_tx.snd_nxt, subflows[pick]->slot);
    conn->data_tx.sent_bytes += len;
    return true;
}

/* RFC 8684 3.3.3: the end of the stream, once every byte was sent. */
static void send_end(struct conn *conn, uint64_t now_ns)
{
    if (!conn->data_tx.fin_wanted || conn->data_tx.fin_sent || !conn->identity.established ||
        !dsn_eq(conn->data_tx.snd_nxt, conn->data_tx.sendq.end))
        return;
    conn->data_tx.fin_sent = true;
    if (conn->fallback.mode == CONN_PLAIN) {
        EACH_SUBFLOW (it, conn)
            tcp_shutdown(&subflow_at(it)->tcp, now_ns);
        return;
    }
    EACH_SUBFLOW (it, conn)
        if (send_usable(subflow_at(it)))
            tcp_signal_now(&subflow_at(it)->tcp);
    signal_arm(conn, now_ns);
}

void conn_output(struct conn *conn, struct tx_batch *batch, uint64_t now_ns)
{
    send_end(conn, now_ns);
    /* Lost data first, then new data, which carries the acknowledgements; bare ones last. */
    EACH_SUBFLOW (it, conn)
        if (tcp_txq(&subflow_at(it)->tcp)->lost_bytes)
            tcp_output(&subflow_at(it)->tcp, batch, now_ns);
    while (!tx_batch_full(batch) && conn->identity.established)
        if (!send_reinjection(conn, batch, now_ns) && !send_new(conn, batch, now_ns))
            break;
    send_end(conn, now_ns);
    EACH_SUBFLOW (it, conn) {
        tcp_output(&subflow_at(it)->tcp, batch, now_ns);
        tcp_update_persist(&subflow_at(it)->tcp, now_ns);
    }
}

/* A byte of a mapping is outstanding until all of it has arrived: before that the peer cannot make sure of it. */
bool send_holds(const struct subflow *subflow, dsn64 at)
{
    const struct txq *q = tcp_txq(&subflow->tcp);
    for (uint32_t i = 0; i < q->count; i++) {
        const struct tx_note *note = &txq_at(q, i)->note;
        if (note->mapped && at.v - note->dsn < note->len)
            return true;
    }
    return false;
}

/* The data range of a record, as offsets from our IDSN; empty when it maps nothing. */
static struct range record_range(const struct conn *conn, const struct tx_record *record)
{
    if (!record->note.mapped || record->len == 0)
        return (struct range){0, 0};
    uint64_t start = record->note.dsn - conn->identity.local_idsn.v + (record->ssn - record->note.ssn);
    return (struct range){start, start + record->len};
}

void send_reinject(struct subflow *subflow)
{
    struct conn *conn = subflow->conn;
    uint64_t una = conn->data_tx.sendq.una.v - conn->identity.local_idsn.v;
    if (conn->fallback.mode != CONN_MPTCP)
        return;
    const struct txq *q = tcp_txq(&subflow->tcp);
    for (uint32_t i = 0; i < q->count; i++) {
        const struct tx_record *record = txq_at(q, i);
        struct range range = record_range(conn, record);
        /* RFC 8684 3.3.2: a SACK says nothing of the data level. A peer may hand bytes up in the order of the subflow
         * only (Linux does), and half a mapping is of no use under a checksum: behind a hole they are lost with the
         * path. */
        if (range.end > una)
            (void)iset_add(&conn->data_tx.reinject, HW_MAX(range.start, una),
                           range.end); /* full: the subflow goes on trying */
    }
    conn_wake(conn);
}

void send_forget_reinjection(struct subflow *subflow)
{
    struct conn *conn = subflow->conn;
    const struct txq *q = tcp_txq(&subflow->tcp);
    for (uint32_t i = 0; i < q->count; i++) {
        struct range range = record_range(conn, txq_at(q, i));
        if (range.end > range.start)
            (void)iset_remove(&conn->data_tx.reinject, range.start, range.end);
    }
}

/* Something waits and nothing is under way on a path that works: no acknowledgement will come by itself to let it go.
 */
bool send_blocked_by_window(const struct conn *conn)
{
    bool waits = dsn_lt(conn->data_tx.snd_nxt, conn->data_tx.sendq.end) ||
                 (conn->data_tx.reinject.count && conn->fallback.peer_committed);
    if (!conn->identity.established || !waits)
        return false;
    EACH_SUBFLOW (it, conn) {
        const struct subflow *subflow = subflow_at(it);
        if (tcp_txq(&subflow->tcp)->count && !subflow->stale && send_usable(subflow))
            return false;
    }
    return true;
}
