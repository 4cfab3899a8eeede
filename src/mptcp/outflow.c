#include "mptcp/outflow.h"

#include <errno.h>

#include "wire/checksum.h"

/* A path is given no more at once than it delivers in this time, or so many segments, while there is another one: by
 * then that may be the better choice. */
#define PIECE_NS (5 * NS_PER_MS)
#define PIECE_SEGMENTS 4u
#define BITS_PER_BYTE 8

static uint32_t trim_to_segments(const struct tcp *tcp, uint32_t len, uint64_t waiting)
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

/* What is to leave on one subflow. */
struct piece {
    struct subflow *subflow;
    dsn64 from;
    uint64_t waiting; /* bytes that are to go from there on */
    uint32_t most;    /* of which may now */
};

/* Returns how many bytes of it went, 0 when the batch or memory is full, or there is no room. */
static uint32_t send_piece(const struct outflow *out, const struct piece *piece, struct tx_batch *batch,
                           uint64_t now_ns)
{
    struct tcp *tcp = &piece->subflow->tcp;
    struct slice parts[TX_RECORD_PARTS];
    unsigned part_count = 0;
    if (views_is_sliver(piece->subflow, piece->most, piece->waiting))
        return 0;
    const uint32_t max = tcp_send_max(tcp);
    uint32_t most = (uint32_t)HW_MIN(HW_MIN(piece->most, max), piece->waiting);
    uint32_t want = most < max ? trim_to_segments(tcp, most, piece->waiting) : max;
    uint32_t len = data_tx_peek(out->tx, piece->from, want, parts, TX_RECORD_PARTS, &part_count);
    if (len == 0)
        return 0;
    struct tx_note note = {.dsn = piece->from.v, .ssn = tcp->snd_nxt, .len = len, .mapped = true};
    if (out->checksums)
        note.checksum = mapping_checksum(&note, parts, part_count);
    bool push = dsn_eq(dsn_add(piece->from, len), data_tx_stream_end(out->tx));
    if (tcp_send(tcp, parts, part_count, len, &note, push, batch, now_ns) < 0)
        return 0;
    return len;
}

/* ---- of three kinds ---- */

static uint32_t send_new(const struct outflow *out, struct subflow *subflow, uint32_t most, struct tx_batch *batch,
                         uint64_t now_ns)
{
    struct data_tx *tx = out->tx;
    const struct piece piece = {subflow, data_tx_next(tx), data_tx_ready(tx, subflow->tcp.segment_bytes), most};
    uint32_t len = send_piece(out, &piece, batch, now_ns);
    if (len)
        data_tx_sent(tx, len, subflow->slot, now_ns);
    return len;
}

/* What seems lost with other subflows, or at the data level. */
static uint32_t send_again(const struct outflow *out, struct subflow *subflow, struct range bytes, uint32_t most,
                           struct tx_batch *batch, uint64_t now_ns)
{
    const struct piece piece = {subflow, dsn_at(bytes.start), bytes.end - bytes.start, most};
    uint32_t len = send_piece(out, &piece, batch, now_ns);
    if (len == 0)
        return 0;
    subflow->carried_again |= data_tx_resent(out->tx, piece.from, len);
    count(&subflow->tcp.host->counters, COUNT_MPTCP_REINJECTIONS);
    return len;
}

/* A copy may be in vain: it never makes a laggard of who carries it. And who still names bytes that the peer has, a few
 * of each buffer, keeps no more memory by that than a laggard may. */
static uint32_t copies_room(const struct data_tx *tx, const struct subflow *subflow)
{
    uint64_t used = subflow->tcp.snd_nxt - subflow->tcp.snd_una, limit = data_tx_laggard_limit(tx);
    const struct tx_record *oldest = txq_oldest(tcp_txq(&subflow->tcp));
    dsn64 from;
    bool lags = oldest && subflow_record_data(oldest, &from) && dsn_lt(from, data_tx_una(tx));
    if (lags)
        used = HW_MAX(used, data_tx_kept_bytes(tx));
    return (uint32_t)(limit - HW_MIN(used, limit));
}

/* Bytes that others have sent already, which nobody misses, and new ones behind them. A copy may be in vain, so it
 * never makes a laggard of who carries it, nor does it keep more memory than a laggard may. */
static uint32_t send_copy(const struct outflow *out, struct subflow *subflow, struct range bytes, uint32_t most,
                          struct tx_batch *batch, uint64_t now_ns)
{
    struct data_tx *tx = out->tx;
    dsn64 from = dsn_at(bytes.start);
    uint32_t old = (uint32_t)HW_MIN((uint64_t)dsn_diff(data_tx_next(tx), from), bytes.end - bytes.start);
    if (old)
        most = HW_MIN(most, copies_room(tx, subflow));
    uint64_t fresh = HW_MIN(bytes.end - bytes.start - old, (uint64_t)data_tx_ready(tx, subflow->tcp.segment_bytes));
    const struct piece piece = {subflow, from, old + fresh, most};
    uint32_t len = send_piece(out, &piece, batch, now_ns);
    if (len && old) {
        subflow->carried_again |= data_tx_copied(tx, from, HW_MIN(len, old));
        count(&subflow->tcp.host->counters, COUNT_MPTCP_COPIES);
    }
    if (len > old)
        data_tx_sent(tx, len - old, subflow->slot, now_ns);
    return len;
}

/* ---- what the scheduler says ---- */

static uint32_t piece_limit(const struct hawser_path *path, const struct hawser_decision *d)
{
    uint64_t at_once =
        HW_MAX(path->rate_bps / BITS_PER_BYTE * PIECE_NS / NS_PER_S, PIECE_SEGMENTS * path->segment_bytes);
    return (uint32_t)HW_MIN(HW_MIN(path->room_bytes, at_once), HW_MAX(d->len, path->segment_bytes));
}

/* Can it be followed? */
static bool makes_sense(const struct hawser_stream *stream, const struct hawser_path *path,
                        const struct hawser_decision *d)
{
    bool behind = path->cursor < stream->next;
    switch (d->what) {
    case HAWSER_SEND_NOTHING:
        return true;
    case HAWSER_SEND_NEW:
        return d->len && stream->new_bytes;
    case HAWSER_SEND_AGAIN:
        return d->len && stream->may_copy && d->from >= stream->una && d->from < stream->next;
    case HAWSER_SEND_CURSOR:
        return d->len && (behind ? stream->may_copy : stream->new_bytes > 0);
    }
    return false;
}

/* Where the path's cursor stood it moves along. */
static void move_cursor(const struct outflow *out, const struct hawser_path *path, uint8_t slot, uint64_t from,
                        uint32_t len)
{
    struct scheduler_path *kept = scheduler_path(out->scheduler, slot);
    if (kept && path->cursor == from)
        kept->cursor = from + len;
}

/* Up to `len` bytes from a place in the stream on, and no further than `end`. */
static struct range run_of(const struct data_tx *tx, uint64_t from, uint64_t len, uint64_t end)
{
    uint64_t first = data_tx_at(tx, from).v;
    return (struct range){first, first + HW_MIN(len, end - from)};
}

/* Sends what was decided for path `i`; false when nothing could go. */
static bool follow(const struct outflow *out, struct views *v, size_t i, const struct hawser_decision *d,
                   struct tx_batch *batch)
{
    const struct hawser_path *path = &v->paths[i];
    const struct hawser_stream *s = &v->stream;
    struct subflow *subflow = v->subflows[i];
    const uint64_t now_ns = s->now_ns, next = s->next;
    const bool lost = d->what == HAWSER_SEND_AGAIN && d->from >= s->again_from && d->from < s->again_end;
    uint32_t len, most = piece_limit(path, d);
    uint64_t from = d->what == HAWSER_SEND_NEW ? next : d->what == HAWSER_SEND_CURSOR ? path->cursor : d->from;
    if (d->what == HAWSER_SEND_NEW)
        len = send_new(out, subflow, most, batch, now_ns);
    else if (lost)
        len = send_again(out, subflow, run_of(out->tx, from, HW_MAX(d->len, path->segment_bytes), s->again_end), most,
                         batch, now_ns);
    else if (d->what == HAWSER_SEND_AGAIN)
        len = send_copy(out, subflow, run_of(out->tx, from, HW_MAX(d->len, path->segment_bytes), next), most, batch,
                        now_ns);
    else
        len = send_copy(out, subflow, run_of(out->tx, from, UINT64_MAX, next + s->new_bytes), most, batch, now_ns);
    if (len == 0)
        return false;
    if (d->what != HAWSER_SEND_AGAIN)
        move_cursor(out, path, subflow->slot, from, len);
    scheduler_sent(out->scheduler, from < next && !lost ? (uint32_t)HW_MIN(len, next - from) : 0);
    views_renew(v, out, i);
    const struct hawser_scheduler *policy = scheduler_policy(out->scheduler);
    if (policy->sent)
        policy->sent(s, path, from, len);
    return true;
}

static bool ask(const struct outflow *out, struct views *v, const struct hawser_scheduler *policy,
                struct tx_batch *batch, uint64_t *until_ns)
{
    for (size_t k = 0; k < v->count; k++) {
        const struct hawser_path *path = v->order[k];
        const size_t i = (size_t)(path - v->paths);
        if (path->room_bytes == 0)
            continue;
        const struct hawser_decision d = policy->ask(&v->stream, path);
        if (!makes_sense(&v->stream, path, &d)) {
            count(&v->subflows[i]->tcp.host->counters, COUNT_MPTCP_SCHEDULER_MISTAKES);
            continue;
        }
        if (d.what != HAWSER_SEND_NOTHING) {
            if (follow(out, v, i, &d, batch))
                return true;
        } else if (d.until_ns) {
            *until_ns = *until_ns ? HW_MIN(*until_ns, d.until_ns) : d.until_ns;
        }
    }
    return false;
}

/* No stream stands still because of its scheduler. */
static bool overrule(const struct outflow *out, struct views *v, struct tx_batch *batch)
{
    uint64_t none = 0;
    if (!ask(out, v, &scheduler_lowest_rtt, batch, &none))
        return false;
    count(&v->subflows[0]->tcp.host->counters, COUNT_MPTCP_SCHEDULER_OVERRULED);
    return true;
}

static bool pull(const struct outflow *out, struct views *v, struct tx_batch *batch)
{
    struct scheduler *scheduler = out->scheduler;
    uint64_t until_ns = 0, now_ns = v->stream.now_ns;
    scheduler_set_due(scheduler, TIME_NEVER);
    if (ask(out, v, scheduler_policy(scheduler), batch, &until_ns))
        return true;
    bool waits = v->stream.new_bytes || v->stream.again_from < v->stream.again_end;
    if (scheduler_is_default(scheduler))
        return false;
    if (v->under_way || !waits) {
        scheduler_postpone(scheduler, until_ns, now_ns);
        return false;
    }
    return !scheduler_may_wait(scheduler, until_ns, now_ns) && overrule(out, v, batch);
}

/* Who is alone carries everything. */
static bool send_alone(const struct outflow *out, struct subflow *subflow, struct tx_batch *batch, uint64_t now_ns)
{
    const struct range lost = data_tx_lost(out->tx);
    uint32_t room = views_room(out->tx, subflow);
    bool again = lost.start != lost.end && out->committed && !subflow->stale && !subflow->suspect_since_ns;
    return (again && send_again(out, subflow, lost, room, batch, now_ns)) ||
           send_new(out, subflow, room, batch, now_ns);
}

/* What happened on the paths since the scheduler was told last. */
static void tell(const struct outflow *out, struct views *v)
{
    const struct hawser_scheduler *policy = scheduler_policy(out->scheduler);
    for (size_t i = 0; i < v->count && scheduler_has_memory(out->scheduler); i++) {
        const struct tcp *tcp = &v->subflows[i]->tcp;
        struct scheduler_path *kept = scheduler_path(out->scheduler, v->subflows[i]->slot);
        if (!kept)
            continue;
        const struct scheduler_path before = *kept;
        kept->told_acked = before.told_acked ? HW_MAX(before.told_acked, tcp->snd_una) : tcp->snd_nxt;
        kept->told_lost = tcp->retransmitted_bytes;
        if (before.told_acked == 0) /* what left before it never heard of */
            continue;
        if (policy->acked && tcp->snd_una > before.told_acked)
            policy->acked(&v->stream, &v->paths[i], tcp->snd_una - before.told_acked);
        if (policy->lost && tcp->retransmitted_bytes > before.told_lost)
            policy->lost(&v->stream, &v->paths[i], tcp->retransmitted_bytes - before.told_lost);
    }
}

/* Is there anything that might leave? Copies are a matter of taste. */
static bool has_something(const struct outflow *out)
{
    const struct data_tx *tx = out->tx;
    return data_tx_waits(tx, out->committed) || (scheduler_has_memory(out->scheduler) && data_tx_outstanding(tx));
}

static void begin(const struct outflow *out, struct views *views, uint64_t now_ns)
{
    views->count = 0;
    if (!has_something(out))
        return;
    views_find(views, out);
    if (views->count < 2 && !scheduler_has_memory(out->scheduler))
        return;
    views_look(views, out, now_ns);
    tell(out, views);
}

static bool send_next(const struct outflow *out, struct views *views, struct tx_batch *batch, uint64_t now_ns)
{
    uint64_t never = 0;
    if (views->count > 1)
        return pull(out, views, batch);
    if (scheduler_has_memory(out->scheduler)) /* it goes on hearing of all */
        return ask(out, views, &scheduler_lowest_rtt, batch, &never);
    return views->count && send_alone(out, views->subflows[0], batch, now_ns);
}

bool outflow_send(const struct outflow *out, int64_t budget, struct tx_batch *batch, uint64_t now_ns)
{
    struct views views;
    begin(out, &views, now_ns);
    while (budget > 0 && !tx_batch_full(batch)) {
        if (!send_next(out, &views, batch, now_ns))
            return false;
        budget -= batch->packets[batch->count - 1].payload_len;
    }
    return true;
}

static bool obey(const struct outflow *out, enum tx_due due, uint64_t now_ns)
{
    switch (due) {
    case TX_WAIT:
    case TX_TIMEOUT:
        break;
    case TX_ASK:
        subflows_ask(out->subflows);
        break;
    case TX_AGAIN:
        subflows_suspect(out->subflows, data_tx_oldest_carrier(out->tx), now_ns);
        break;
    case TX_USELESS:
        subflows_give_up_answering(out->subflows, now_ns);
        break;
    }
    return due != TX_TIMEOUT;
}

static bool on_question_timer(const struct outflow *out, uint64_t now_ns)
{
    const struct tx_paths paths = subflows_tx_paths(out->subflows, out->committed);
    bool under_way = subflows_carry(out->subflows, data_tx_una(out->tx));
    return obey(out, data_tx_on_timer(out->tx, &paths, under_way, now_ns), now_ns);
}

static bool on_fin_timer(const struct outflow *out, bool confirmed, uint64_t now_ns)
{
    if (data_tx_release_end(out->tx))
        return true;
    enum tx_due due = TX_WAIT; /* when there is no subflow, until there is one again */
    if (!subflows_over(out->subflows)) {
        const struct tx_paths paths = subflows_tx_paths(out->subflows, out->committed);
        due = data_tx_repeat_fin(out->tx, &paths, now_ns);
    }
    data_tx_arm_fin(out->tx, now_ns);
    if (due != TX_ASK)
        return obey(out, due, now_ns);
    subflows_signal(out->subflows, confirmed); /* a peer that took it, but whose DATA_ACK was lost, may not answer to a
                                                  second one */
    return true;
}

bool outflow_on_timer(const struct outflow *out, bool confirmed, uint64_t now_ns)
{
    if (scheduler_due(out->scheduler) <= now_ns)
        scheduler_set_due(out->scheduler, TIME_NEVER);
    bool alive = data_tx_question_due(out->tx) > now_ns || on_question_timer(out, now_ns);
    return alive && (data_tx_fin_due(out->tx) > now_ns || on_fin_timer(out, confirmed, now_ns));
}

void outflow_note_answer(struct data_tx *tx, const struct subflow *subflow, const struct tcp_segment *segment)
{
    uint64_t asked_ns = data_tx_asked_since(tx);
    bool bare = segment->payload.len == 0 && !(segment->header.flags & (TCP_SYN | TCP_FIN | TCP_RST));
    if (asked_ns && bare && tcp_echoes_since(&subflow->tcp, segment, asked_ns))
        data_tx_note_answer(tx, segment->options->mp.present);
}

/* RFC 8684 3.3.2: a SACK says nothing of the data level. A peer may hand bytes up in the order of the subflow only
 * (Linux does), and half a mapping is of no use under a checksum: behind a hole they are lost with the path. */
void outflow_reinject(struct data_tx *tx, const struct subflow *subflow)
{
    dsn64 from;
    TXQ_EACH (record, tcp_txq(&subflow->tcp)) {
        uint32_t len = subflow_record_data(record, &from);
        if (len)
            data_tx_reinject(tx, from, len);
    }
    data_tx_rearm(tx);
}

void outflow_forget_reinjection(struct data_tx *tx, const struct subflow *subflow)
{
    dsn64 from;
    TXQ_EACH (record, tcp_txq(&subflow->tcp)) {
        uint32_t len = subflow_record_data(record, &from);
        if (len)
            data_tx_forget_reinjection(tx, from, len);
    }
}

/* So many timeouts after it was sent an answer to the oldest that a subflow carries is overdue. On fast paths the
 * acknowledgements of others may be read first, and much be acknowledged there meanwhile; and where a queue grows, or
 * the peer is busy, it takes longer than one for a while, and the subflow is well. */
#define LAGGARD_TIMEOUTS 3u

static uint64_t answer_due(const struct subflow *subflow)
{
    const struct tx_record *oldest = txq_oldest(tcp_txq(&subflow->tcp));
    return oldest ? oldest->sent_ns + LAGGARD_TIMEOUTS * rtt_rto(&subflow->tcp.rtt) : TIME_NEVER;
}

void outflow_reset_laggards(struct data_tx *tx, struct list *subflows, uint64_t now_ns)
{
    if (!data_tx_look_for_laggards(tx, now_ns))
        return;
    LIST_EACH (it, subflows) {
        struct subflow *subflow = subflow_at(it);
        bool laggard = subflow_lagging_bytes(subflow, data_tx_una(tx)) > data_tx_laggard_limit(tx);
        if (!laggard || !subflows_have_successor(subflows, subflow))
            continue;
        if (answer_due(subflow) >= now_ns) {
            data_tx_look_again(tx, answer_due(subflow) + 1);
            continue;
        }
        count(&subflow->tcp.host->counters, COUNT_LIMIT_LAGGARD);
        subflow_reset(subflow, MP_RST_OUTSTANDING, -ENOBUFS, now_ns);
    }
}

struct subflow *outflow_only_carrier(const struct data_tx *tx, const struct list *subflows)
{
    struct subflow *first = NULL;
    LIST_EACH (it, subflows) {
        struct subflow *subflow = subflow_at(it);
        if (!subflow->join)
            first = subflow;
        else if (tcp_sent_bytes(&subflow->tcp) || tcp_recv_bytes(&subflow->tcp))
            return NULL;
    }
    bool all = first && data_tx_reinjected_bytes(tx) == 0 && tcp_sent_bytes(&first->tcp) == data_tx_sent_bytes(tx);
    all = all && (data_tx_fin_sent(tx) || !first->tcp.fin_wanted); /* its FIN would end a stream that has not ended */
    return all ? first : NULL;
}
