#include "sim/explorer.h"

#include "base/compiler.h"
#include "sim/judges/decode.h"
#include "sim/memory.h"

enum { JOIN_ACK_LEN = 24, CAPABLE_ACK_LEN = 20 };

/* What of the connection decides whether a deviation excuses an error. */
struct progress {
    const struct path *first; /* that the connection began on: of several attempts the one that was answered first */
    bool answered;            /* one was */
    bool elsewhere;           /* not the first of them: it began that much later */
    bool late;                /* a SYN was, or its answer: what is lost next takes three seconds (RFC 6298 5.7) */
    bool data;                /* payload was sent */
    unsigned thirds;          /* packets with both keys that were sent (3.1) */
    bool torn;                /* options vanished for good after one */
    bool established;         /* the client has received a DATA_ACK: it may join (RFC 8684 3.2) */
    bool joined;              /* the third packet of a join has arrived */
    bool lone;                /* data was acknowledged without options before: an end may take no join any more (3.7) */
};

struct path_record {
    bool hurt;          /* an error on it is excused */
    bool stripped;      /* it loses options for good */
    bool bound;         /* a connection that begins on it may have to stay there */
    uint64_t proof_ns;  /* the third packet of a join left last, */
    uint64_t joined_ns; /* and that one of those that arrived */
};

struct explorer {
    struct watcher watcher;
    struct stage *stage;
    struct explorer_options options;
    struct gates gates;
    struct path_record *records; /* by path */
    unsigned delays, costs;      /* deviations that cost no subflow by themselves, and that may */
    unsigned seen;               /* points that came, a set */
    enum explorer_point at;      /* the latest of them that counts */
    bool counting, deviated;
    unsigned count; /* packets from there on */
    struct progress progress;
};

const char *explorer_point_name(enum explorer_point point)
{
    static const char *const names[] = {"syn", "data", "join", "close"};
    return names[point];
}

/* ---- points ---- */

static bool is_at(enum explorer_point point, const struct seen *seen)
{
    switch (point) {
    case POINT_SYN:
        return seen->flags & SEEN_SYN;
    case POINT_DATA:
        return seen->len > 0;
    case POINT_JOIN:
        return seen->flags & SEEN_SYN && seen_has(seen, SEEN_JOIN);
    default:
        return seen->flags & SEEN_FIN || seen_has(seen, SEEN_FASTCLOSE) || (seen_has(seen, SEEN_DSS) && seen->dss.fin);
    }
}

static void note_points(struct explorer *e, const struct seen *seen)
{
    for (unsigned point = 0; point < POINTS; point++) {
        if (e->seen >> point & 1 || !is_at((enum explorer_point)point, seen))
            continue;
        e->seen |= 1u << point;
        if (e->deviated || !(e->options.points >> point & 1))
            continue;
        e->at = (enum explorer_point)point;
        e->counting = true;
        e->count = 0;
    }
}

/* ---- excuses ---- */

static bool loses_options(enum deviation what)
{
    return what == DEVIATE_STRIP || what == DEVIATE_STRIP_OUTWARD || what == DEVIATE_STRIP_INWARD ||
           what == DEVIATE_STRIP_BOTH;
}

/* Its interfaces have their addresses, the last ones that they get. When they got them; TIME_NEVER if they have not. */
static uint64_t steady_since(const struct explorer *e, const struct path *path, uint64_t now_ns)
{
    const struct scenario *s = e->stage->scenario;
    uint64_t since = WORLD_START_NS;
    for (size_t i = 0; i < s->address_count; i++) {
        const struct address_spec *change = &s->addresses[i];
        const struct wire_spec *link = scenario_find_link(s, change->link);
        if (link != gate_link(path->end[0]) && link != gate_link(path->end[1]))
            continue;
        bool there = !change->remove && WORLD_START_NS + change->at_ns < now_ns;
        since = there ? WORLD_START_NS + change->at_ns : TIME_NEVER;
    }
    return since;
}

/* Does the address go by which it began? Plain TCP goes with it. */
static bool first_goes(const struct explorer *e, uint64_t now_ns)
{
    return e->progress.first && steady_since(e, e->progress.first, now_ns) != WORLD_START_NS;
}

/* After two delays a join may come so late that nothing else is left meanwhile, or that an end falls back before; and
 * options that vanish for good before there is data, whereupon ends fall back, may do so when it is too late for that.
 */
static bool is_good(const struct explorer *e, const struct path *path, uint64_t now_ns)
{
    const struct path_record *record = &e->records[path->number];
    uint64_t since = steady_since(e, path, now_ns);
    if (record->hurt || since == TIME_NEVER)
        return false;
    bool has_subflow = path == e->progress.first ? since == WORLD_START_NS : record->joined_ns > since;
    unsigned borne = e->seen >> POINT_CLOSE & 1 ? 0 : 1; /* an end that closes may be gone before a join comes again */
    return e->delays <= borne || (has_subflow && !record->stripped);
}

static bool has_good_path(const struct explorer *e, uint64_t now_ns)
{
    for (size_t i = 0; i < e->gates.path_count; i++)
        if (is_good(e, &e->gates.paths[i], now_ns))
            return true;
    return false;
}

/* Does some path lose options for good? */
static bool is_stripped(const struct explorer *e)
{
    for (size_t i = 0; i < e->gates.path_count; i++)
        if (e->records[i].stripped)
            return true;
    return false;
}

/* Can the deviation cost the path its subflow? A packet that is lost, doubled, late or cut cannot. Nor can options that
 * vanish where the handshake is all there was (RFC 8684 3.1), or once from a packet without data while there is one
 * subflow: that falls back or goes on (3.7). */
static bool costs_subflow(const struct explorer *e, enum deviation what, const struct seen *seen)
{
    if (loses_options(what))
        return e->progress.data && (what != DEVIATE_STRIP || seen->len > 0 || e->seen >> POINT_JOIN & 1);
    return what == DEVIATE_BLACK_HOLE || what == DEVIATE_ACKING_PROXY;
}

/* Both keys, from the client. */
static bool is_third(const struct seen *seen)
{
    return seen_has(seen, SEEN_CAPABLE) && seen->capable.len >= CAPABLE_ACK_LEN;
}

/* Can the connection not do without its first path? An end whose only subflow loses its options, or whose data a proxy
 * acknowledges without any, must fall back and takes no join any more (RFC 8684 3.7); the proxy still delivers. */
static bool needs_first(const struct progress *p, enum deviation what)
{
    return p->lone || !(what == DEVIATE_BLACK_HOLE ? p->established : p->joined);
}

/* An error is excused when no path stays well, or the first one goes wrong before the connection has learned to do
 * without it. */
static void weigh(struct explorer *e, const struct path *path, enum deviation what, const struct seen *seen,
                  uint64_t now_ns)
{
    struct progress *p = &e->progress;
    bool costs = costs_subflow(e, what, seen), for_good = loses_options(what) && what != DEVIATE_STRIP;
    bool needed = costs && path == p->first && needs_first(p, what);
    p->lone |= what == DEVIATE_ACKING_PROXY && path == p->first && !p->joined;
    e->records[path->number].hurt |= costs;
    e->records[path->number].stripped |= for_good;
    e->delays += !costs;
    e->costs += costs;
    /* Plain TCP: without options, or after two SYNs that were lost. Or too late for the first DATA_ACK. */
    p->late |= seen->flags & SEEN_SYN && !costs;
    unsigned borne = (p->late ? 1 : 2) - p->elsewhere;
    bool proxied = what == DEVIATE_ACKING_PROXY && !p->answered;
    e->records[path->number].bound |=
        loses_options(what) || proxied ? !p->joined : !p->established && e->delays > borne;
    needed |= e->records[path->number].bound && path == p->first && first_goes(e, now_ns);
    bool too_late = is_stripped(e) && e->delays + e->costs > 2; /* for the fall back: the subflow is reset instead */
    e->stage->meddled |= too_late || (costs && what != DEVIATE_BLACK_HOLE);
    /* The server has the key, and the client its data, when the answers lose their options: who falls back is open
     * (3.7). */
    p->torn |= for_good && path == p->first && !p->data && p->thirds > is_third(seen);
    needed |= too_late && p->torn;
    if (needed || (e->costs && !has_good_path(e, now_ns)))
        e->stage->must_complete = false;
}

/* ---- the packets ---- */

static enum deviation on_leave(void *ctx, struct path *path, unsigned end, struct packet *packet, uint64_t now_ns)
{
    struct explorer *e = ctx;
    struct seen seen;
    if (e->deviated && e->count >= e->options.packets)
        return DEVIATE_NOT;
    if (!decode(packet->data, packet->len, packet->checksum_pending, &seen))
        return DEVIATE_NOT;
    note_points(e, &seen);
    e->progress.data |= seen.len > 0;
    e->progress.thirds += is_third(&seen);
    if (seen.join_len == JOIN_ACK_LEN)
        e->records[path->number].proof_ns = now_ns;
    if (!e->progress.first)
        e->progress.first = path;
    if (!e->counting || ++e->count > e->options.packets)
        return DEVIATE_NOT;
    const struct explored_packet explored = {.point = e->at,
                                             .number = e->count,
                                             .path = path,
                                             .end = end,
                                             .packet = packet,
                                             .deviations = path_deviations(path, end, packet),
                                             .now_ns = now_ns};
    enum deviation what = e->options.choose(e->options.ctx, &explored);
    if (what == DEVIATE_NOT)
        return what;
    e->deviated = true;
    weigh(e, path, what, &seen, now_ns);
    return what;
}

static void on_arrival(void *ctx, struct path *path, unsigned end, const struct packet *packet)
{
    struct explorer *e = ctx;
    struct progress *p = &e->progress;
    struct seen seen;
    if (!decode(packet->data, packet->len, packet->checksum_pending, &seen))
        return;
    bool at_client = gate_host(path->end[end]) == e->stage->flows[0]->plan.client;
    if (at_client && seen.flags & SEEN_SYN && !seen_has(&seen, SEEN_JOIN) && !p->answered) {
        p->answered = true;
        p->elsewhere = path != p->first;
        p->first = path;
        const struct path_record *record = &e->records[path->number];
        if (record->hurt || (record->bound && first_goes(e, e->stage->world.now_ns)))
            e->stage->must_complete = false;
    }
    p->established |= at_client && seen_has(&seen, SEEN_DSS) && seen.dss.has_ack;
    p->joined |= seen.join_len == JOIN_ACK_LEN;
    if (seen.join_len == JOIN_ACK_LEN)
        e->records[path->number].joined_ns = e->records[path->number].proof_ns;
}

/* ---- the watcher ---- */

static void begin(struct watcher *watcher, struct stage *stage)
{
    static const struct gates_ops ops = {on_leave, on_arrival};
    struct explorer *e = HW_CONTAINER(watcher, struct explorer, watcher);
    e->stage = stage;
    stage->must_complete = stage->scenario->box_count == 0; /* middleboxes excuse what they like */
    gates_install(&e->gates, stage, &ops, e);
    e->records = sim_new((e->gates.path_count + 1) * sizeof *e->records);
}

static void destroy(struct watcher *watcher)
{
    struct explorer *e = HW_CONTAINER(watcher, struct explorer, watcher);
    gates_free(&e->gates);
    sim_free(e->records);
    sim_free(e);
}

struct watcher *explorer_new(const struct explorer_options *options)
{
    struct explorer *e = sim_new(sizeof *e);
    e->watcher = (struct watcher){.begin = begin, .destroy = destroy};
    list_init(&e->watcher.link);
    e->options = *options;
    return &e->watcher;
}
