#include "mptcp/outflow.h"

#include <errno.h>

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

/* Where a piece goes, and how much may. */
struct choice {
    struct subflow *subflow; /* NULL: nowhere now */
    uint32_t room;
};

/* What the send buffer leaves for it; no sliver, for which a record and a mapping would be too much, as long as more
 * will open. */
static uint32_t room_on(const struct outflow *out, const struct subflow *subflow, uint32_t waiting)
{
    uint64_t outstanding = subflow->tcp.snd_nxt - subflow->tcp.snd_una;
    uint32_t room = data_tx_room_on(out->tx, outstanding);
    bool sliver = outstanding && room < HW_MIN(waiting, subflow->tcp.segment_bytes);
    return sliver ? 0 : room;
}

static struct choice choose(const struct outflow *out, const struct demand *demand)
{
    struct path_view views[SUBFLOWS_MAX];
    struct subflow *subflows[SUBFLOWS_MAX];
    size_t n = subflows_view(out->subflows, demand->unsent_bytes, views, subflows);
    for (size_t i = 0; i < n; i++) {
        views[i].room = HW_MIN(views[i].room, room_on(out, subflows[i], demand->unsent_bytes));
        views[i].usable &= !demand->reinjection || !views[i].stale; /* not back to where they got stuck or lost */
    }
    int pick = out->scheduler->pick(views, n, demand);
    return pick == SCHEDULE_NONE ? (struct choice){0} : (struct choice){subflows[pick], views[pick].room};
}

/* Sends up to `most` bytes from `from`; returns how many went, 0 when the batch or memory is full. */
static uint32_t send_piece(const struct outflow *out, const struct choice *to, dsn64 from, uint32_t most,
                           struct tx_batch *batch, uint64_t now_ns)
{
    struct tcp *tcp = &to->subflow->tcp;
    struct slice parts[TX_RECORD_PARTS];
    unsigned part_count = 0;
    uint32_t want = trim_to_segments(tcp, HW_MIN(HW_MIN(most, to->room), tcp_send_max(tcp)), most);
    uint32_t len = data_tx_peek(out->tx, from, want, parts, TX_RECORD_PARTS, &part_count);
    if (len == 0)
        return 0;
    struct tx_note note = {.dsn = from.v, .ssn = tcp->snd_nxt, .len = len, .mapped = true};
    if (out->checksums)
        note.checksum = mapping_checksum(&note, parts, part_count);
    bool push = dsn_eq(dsn_add(from, len), data_tx_stream_end(out->tx));
    if (tcp_send(tcp, parts, part_count, len, &note, push, batch, now_ns) < 0)
        return 0;
    return len;
}

/* One piece of what other subflows seem to have lost. */
static bool send_again(const struct outflow *out, struct tx_batch *batch, uint64_t now_ns)
{
    struct range lost = data_tx_lost(out->tx);
    if (lost.start == lost.end || !out->committed) /* fallen back, it would take them for new ones */
        return false;
    uint32_t waiting = (uint32_t)HW_MIN(lost.end - lost.start, UINT32_MAX);
    const struct demand demand = {.unsent_bytes = waiting, .window_bytes = waiting, .reinjection = true};
    struct choice to = choose(out, &demand);
    if (!to.subflow)
        return false;
    uint32_t len = send_piece(out, &to, dsn_at(lost.start), waiting, batch, now_ns);
    if (len == 0)
        return false;
    to.subflow->carried_again |= data_tx_resent(out->tx, len);
    count(&to.subflow->tcp.host->counters, COUNT_MPTCP_REINJECTIONS);
    return true;
}

static bool send_new(const struct outflow *out, struct tx_batch *batch, uint64_t now_ns)
{
    struct data_tx *tx = out->tx;
    const struct demand demand = {.unsent_bytes = data_tx_unsent(tx), .window_bytes = data_tx_window_left(tx)};
    uint32_t waiting = HW_MIN(demand.unsent_bytes, demand.window_bytes);
    if (waiting == 0)
        return false;
    struct choice to = choose(out, &demand);
    if (!to.subflow)
        return false;
    uint32_t len = send_piece(out, &to, data_tx_next(tx), waiting, batch, now_ns);
    if (len)
        data_tx_sent(tx, len, to.subflow->slot, now_ns);
    return len != 0;
}

bool outflow_send(const struct outflow *out, struct tx_batch *batch, uint64_t now_ns)
{
    return send_again(out, batch, now_ns) || send_new(out, batch, now_ns);
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
    bool alive = data_tx_question_due(out->tx) > now_ns || on_question_timer(out, now_ns);
    return alive && (data_tx_fin_due(out->tx) > now_ns || on_fin_timer(out, confirmed, now_ns));
}

/* RFC 8684 3.3.2: a SACK says nothing of the data level. A peer may hand bytes up in the order of the subflow only
 * (Linux does), and half a mapping is of no use under a checksum: behind a hole they are lost with the path. */
void outflow_reinject(struct data_tx *tx, const struct subflow *subflow)
{
    dsn64 from;
    for (uint32_t i = 0; i < tcp_txq(&subflow->tcp)->count; i++) {
        uint32_t len = subflow_record_data(subflow, i, &from);
        if (len)
            data_tx_reinject(tx, from, len);
    }
    data_tx_rearm(tx);
}

void outflow_forget_reinjection(struct data_tx *tx, const struct subflow *subflow)
{
    dsn64 from;
    for (uint32_t i = 0; i < tcp_txq(&subflow->tcp)->count; i++) {
        uint32_t len = subflow_record_data(subflow, i, &from);
        if (len)
            data_tx_forget_reinjection(tx, from, len);
    }
}

void outflow_reset_laggards(struct data_tx *tx, struct list *subflows, uint64_t now_ns)
{
    if (!data_tx_look_for_laggards(tx))
        return;
    LIST_EACH (it, subflows) {
        struct subflow *subflow = subflow_at(it);
        bool laggard = subflow_lagging_bytes(subflow, data_tx_una(tx)) > data_tx_laggard_limit(tx);
        if (!laggard || !subflows_have_successor(subflows, subflow))
            continue;
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
