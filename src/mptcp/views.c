#include "mptcp/views.h"

#define BITS_PER_BYTE 8

uint32_t views_room(const struct data_tx *tx, const struct subflow *subflow)
{
    uint64_t outstanding = subflow->tcp.snd_nxt - subflow->tcp.snd_una;
    return HW_MIN(tcp_send_room(&subflow->tcp), data_tx_room_on(tx, outstanding));
}

bool views_is_sliver(const struct subflow *subflow, uint32_t room, uint64_t waiting)
{
    const struct tcp *tcp = &subflow->tcp;
    return room < HW_MIN(waiting, tcp->segment_bytes) && tcp->snd_nxt != tcp->snd_una;
}

/* What it delivers: what its controller says, or a window in each round trip. */
static uint64_t rate_bps(const struct tcp *tcp)
{
    if (tcp->cc.pacing_bps || !tcp->rtt.srtt_ns)
        return tcp->cc.pacing_bps;
    return tcp->cc.cwnd_bytes * NS_PER_S / tcp->rtt.srtt_ns * BITS_PER_BYTE;
}

/* Its own window stays shut, which has been asked, and the connection's is open: so does a middlebox that acknowledges
 * in the peer's place (RFC 8684 3.3.5), and one whose peer told of new room elsewhere only. */
static bool stays_shut(const struct data_tx *tx, const struct tcp *tcp)
{
    return tcp->liveness.window_probes && tcp->snd_wnd == 0 && tcp->snd_nxt == tcp->snd_una &&
           data_tx_window_left(tx) > 0;
}

/* But for its room and whether it is willing. */
static struct hawser_path view_of(const struct outflow *out, const struct subflow *subflow)
{
    const struct tcp *tcp = &subflow->tcp;
    const struct scheduler_path *kept = scheduler_path(out->scheduler, subflow->slot);
    uint64_t una = data_tx_place(out->tx, data_tx_una(out->tx));
    return (struct hawser_path){
        .id = subflow->id,
        .backup = subflow->backup_local || subflow->backup_remote,
        .stale = subflow->stale || subflow->suspect_since_ns || stays_shut(out->tx, tcp),
        .in_recovery = tcp->flight && tcp->flight->recovery.active,
        .cwnd_bytes = tcp->cc.cwnd_bytes,
        .window_bytes = tcp->snd_wnd,
        .in_flight_bytes = tcp_in_flight(tcp),
        .segment_bytes = tcp->segment_bytes,
        .srtt_ns = tcp->rtt.srtt_ns,
        .rttvar_ns = tcp->rtt.rttvar_ns,
        .min_rtt_ns = tcp->rtt.min_ns,
        .rate_bps = rate_bps(tcp),
        .cursor = kept ? HW_MAX(kept->cursor, una) : una,
        .memory = scheduler_path_memory(out->scheduler, subflow->slot),
    };
}

/* ---- their order ---- */

/* How willingly a path is used: a worse standing carries bytes only when no path stands better. */
enum standing {
    STANDING_REGULAR,
    STANDING_BACKUP, /* RFC 8684 3.3.8: only when no regular path is available */
    STANDING_STALE,  /* nothing says that it still works */
    STANDING_STALE_BACKUP,
};

static enum standing standing_of(const struct hawser_path *path)
{
    if (path->stale)
        return path->backup ? STANDING_STALE_BACKUP : STANDING_STALE;
    return path->backup ? STANDING_BACKUP : STANDING_REGULAR;
}

/* A path without a measurement comes after all that have one: with room on those there is no need to gamble, and
 * without it the path is chosen and so gets measured. */
static uint64_t rtt_rank(const struct hawser_path *path) { return path->srtt_ns ? path->srtt_ns : UINT64_MAX; }

static bool is_better(const struct hawser_path *a, const struct hawser_path *b)
{
    if (standing_of(a) != standing_of(b))
        return standing_of(a) < standing_of(b);
    return rtt_rank(a) < rtt_rank(b);
}

/* Equals stay in the order of their list. */
static void put_in_order(struct views *v, size_t i)
{
    const struct hawser_path *path = &v->paths[i];
    for (; i > 0 && is_better(path, v->order[i - 1]); i--)
        v->order[i] = v->order[i - 1];
    v->order[i] = path;
}

/* Whether a path is alive does not depend on its room: a full regular path is waited for, not replaced by a backup.
 * Once no path is alive at all, any that has room may try. */
static void note_willing(struct views *v)
{
    enum standing worst = v->count ? standing_of(v->order[0]) : STANDING_REGULAR;
    if (worst == STANDING_STALE)
        worst = STANDING_STALE_BACKUP;
    for (size_t i = 0; i < v->count; i++)
        v->paths[i].willing = standing_of(&v->paths[i]) <= worst;
}

/* ---- the stream ---- */

static uint32_t path_id_of(const struct views *v, uint8_t slot)
{
    for (size_t i = 0; i < v->count; i++)
        if (v->subflows[i]->slot == slot)
            return v->paths[i].id;
    return HAWSER_NO_PATH;
}

/* What changes with each piece that leaves. */
static void look_at_bytes(struct views *v, const struct outflow *out)
{
    const struct data_tx *tx = out->tx;
    const struct range again = out->committed ? data_tx_lost(tx) : (struct range){0};
    bool any = again.start != again.end; /* they are numbers, which begin anew some time */
    struct hawser_stream *s = &v->stream;
    s->next = data_tx_place(tx, data_tx_next(tx));
    s->new_bytes = HW_MIN(data_tx_window_left(tx), data_tx_unsent(tx));
    s->again_from = any ? data_tx_place(tx, dsn_at(again.start)) : 0;
    s->again_end = any ? data_tx_place(tx, dsn_at(again.end)) : 0;
}

static void look_at_stream(struct views *v, const struct outflow *out, uint64_t now_ns)
{
    const struct data_tx *tx = out->tx;
    v->stream = (struct hawser_stream){
        .now_ns = now_ns,
        .una = data_tx_place(tx, data_tx_una(tx)),
        .end = data_tx_place(tx, data_tx_stream_end(tx)),
        .window_end = data_tx_place(tx, data_tx_next(tx)) + data_tx_window_left(tx),
        .head_path = path_id_of(v, data_tx_oldest_carrier(tx)),
        .may_copy = out->committed,
        .end_known = data_tx_ends(tx),
        .memory = scheduler_conn_memory(out->scheduler),
        .paths = v->order,
        .path_count = v->count,
    };
    look_at_bytes(v, out);
}

/* The least that may go at once: where a path has room for that, it is no sliver. */
static void judge_rooms(struct views *v)
{
    struct hawser_stream *s = &v->stream;
    uint64_t again = s->again_end - s->again_from, rooms = 0;
    uint64_t waiting = again && s->new_bytes ? HW_MIN(again, s->new_bytes) : again + s->new_bytes;
    for (size_t i = 0; i < v->count; i++) {
        v->paths[i].room_bytes = views_is_sliver(v->subflows[i], v->rooms[i], waiting) ? 0 : v->rooms[i];
        rooms += v->rooms[i];
    }
    s->app_limited = s->end - s->next < rooms;
}

void views_renew(struct views *v, const struct outflow *out, size_t i)
{
    bool willing = v->paths[i].willing;
    v->paths[i] = view_of(out, v->subflows[i]);
    v->paths[i].willing = willing;
    v->rooms[i] = views_room(out->tx, v->subflows[i]);
    v->under_way |= !v->paths[i].stale;
    look_at_bytes(v, out);
    if (v->stream.head_path == HAWSER_NO_PATH)
        v->stream.head_path = path_id_of(v, data_tx_oldest_carrier(out->tx));
    judge_rooms(v);
}

void views_find(struct views *v, const struct outflow *out)
{
    v->count = 0;
    LIST_EACH (it, out->subflows)
        if (subflow_usable(subflow_at(it)))
            v->subflows[v->count++] = subflow_at(it);
}

void views_look(struct views *v, const struct outflow *out, uint64_t now_ns)
{
    v->under_way = false;
    for (size_t i = 0; i < v->count; i++) {
        v->paths[i] = view_of(out, v->subflows[i]);
        v->rooms[i] = views_room(out->tx, v->subflows[i]);
        const struct tcp *tcp = &v->subflows[i]->tcp;
        v->under_way |= !v->paths[i].stale && (tcp_txq(tcp)->count || tcp_waits_for_pace(tcp));
        put_in_order(v, i);
    }
    note_willing(v);
    look_at_stream(v, out, now_ns);
    judge_rooms(v);
}
