/* What delivered packets tell a host about data: which bytes arrived, which of its own are wanted (RFC 8684 3.3). */
#include "sim/judges/model.h"

/* No stream of a simulation is that long: whoever names such numbers is guessing. */
#define OFFSET_MAX (UINT64_C(1) << 62)

bool model_mapping(const struct seen *seen, const struct judge_key *key, uint64_t near_ssn, uint64_t near_data,
                   struct map *out)
{
    if (seen_has(seen, SEEN_CAPABLE) && seen->capable.len >= 22) { /* RFC 8684 3.1: the first data */
        *out = (struct map){.start = 1,
                            .end = 1 + (uint64_t)seen->capable.data_len,
                            .data = 1,
                            .checksum = seen->capable.checksum,
                            .has_checksum = seen->capable.len == 24};
        return seen->capable.data_len > 0;
    }
    const struct seen_dss *dss = &seen->dss;
    if (!dss->has_map || !key->known)
        return false;
    uint64_t start = unwrap(dss->ssn, near_ssn), len = dss->len - (uint64_t)dss->fin;
    bool infinite = dss->len == 0;
    *out = (struct map){.start = start,
                        .end = infinite ? OFFSET_MAX : start + len,
                        .data = stream_offset(key, dss->dsn, dss->dsn_is_64, near_data),
                        .checksum = dss->checksum,
                        .has_checksum = dss->has_checksum};
    return infinite || len > 0;
}

static void add_data(struct judge_conn *conn, uint64_t start, uint64_t end)
{
    conn->data_blind |= !spans_add(&conn->data, start, end);
}

/* Bytes [start, end) of the subflow are there, and so is `map`. */
static void place(struct judge_conn *conn, const struct map *map, uint64_t start, uint64_t end)
{
    start = HW_MAX(start, map->start);
    end = HW_MIN(end, map->end);
    if (start < end)
        add_data(conn, map->data + (start - map->start), map->data + (end - map->start));
}

static void take_mapping(struct judge_subflow *s, const struct seen *seen)
{
    struct judge_conn *conn = s->conn;
    struct map map;
    if (!model_mapping(seen, &conn->remote, s->arrived.next, conn->data.next, &map) || map.data > OFFSET_MAX)
        return;
    enum maps_result result = maps_learn(&s->heard_maps, &map);
    if (result == MAPS_CONFLICT || result == MAPS_FULL)
        conn->data_blind = true;
    if (result != MAPS_NEW)
        return;
    place(conn, &map, 0, s->arrived.next);
    for (size_t i = spans_find(&s->arrived, map.start); i < s->arrived.count; i++) {
        if (s->arrived.islands[i].start >= map.end)
            break;
        place(conn, &map, s->arrived.islands[i].start, s->arrived.islands[i].end);
    }
}

static void take_payload(struct judge_subflow *s, const struct seen *seen)
{
    uint64_t at = peer_seq(s, seen->seq), end = at + seen_span(seen);
    if (at == end)
        return;
    if (!spans_add(&s->arrived, at, end)) {
        model_blind(s);
        return;
    }
    if (seen->flags & SEEN_FIN && s->arrived.next >= end)
        s->peer_fin = true;
    uint64_t start = at + !!(seen->flags & SEEN_SYN);
    end = start + seen->len;
    for (const struct map *map = maps_find(&s->heard_maps, start); map && map->start < end;
         map = maps_next(&s->heard_maps, map))
        place(s->conn, map, start, end);
    maps_retire(&s->heard_maps, s->arrived.next);
}

static void take_data_fin(struct judge_conn *conn, const struct seen_dss *dss)
{
    if (!dss->fin || !conn->remote.known)
        return;
    uint64_t at = stream_offset(&conn->remote, dss->dsn, dss->dsn_is_64, conn->data.next) + dss->len - 1;
    if (at < OFFSET_MAX)
        add_data(conn, at, at + 1);
}

/* Acknowledgements of what was never sent count for nothing. */
static void take_ack(struct judge_subflow *s, const struct seen *seen)
{
    struct judge_conn *conn = s->conn;
    bool syn = seen->flags & SEEN_SYN;
    uint64_t window = (uint64_t)seen->window << (syn ? 0 : peer_scale(s));
    if (seen->flags & SEEN_ACK && s->iss_known) {
        uint64_t ack = unwrap(seen->ack - s->iss, s->acked);
        if (ack <= s->sent_max) {
            s->acked = HW_MAX(s->acked, ack);
            s->peer_edge = HW_MAX(s->peer_edge, ack + window);
        }
    }
    if (seen->dss.has_ack && conn->local.known) {
        uint64_t ack = stream_offset(&conn->local, seen->dss.ack, seen->dss.ack_is_64, conn->data_acked);
        if (ack <= conn->data_max + 1) { /* the DATA_FIN */
            conn->data_acked = HW_MAX(conn->data_acked, ack);
            conn->data_edge = HW_MAX(conn->data_edge, ack + window);
        }
    } else if (!s->join && (syn || seen_has(seen, SEEN_CAPABLE))) {
        conn->data_edge = HW_MAX(conn->data_edge, 1 + window); /* MP_CAPABLE has the first number of the stream */
    }
}

void tidings_take(struct judge_subflow *s, const struct seen *seen)
{
    struct judge_conn *conn = s->conn;
    bool syn = seen->flags & SEEN_SYN;
    take_ack(s, seen);
    if (seen_has(seen, SEEN_DSS) || (seen_has(seen, SEEN_CAPABLE) && seen->capable.len >= 22)) {
        conn->heard_dss = true;
        take_mapping(s, seen);
        take_data_fin(conn, &seen->dss);
    }
    take_payload(s, seen);
    if (s->join && !syn)
        s->proved |= s->opened ? s->proof_sent : seen_has(seen, SEEN_JOIN);
    if (seen_span(seen) || seen->dss.fin || seen->mptcp & ~(1u << SEEN_DSS))
        conn->causes++;
}
