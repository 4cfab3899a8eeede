/* Which bytes of the stream travel where: declared once, and for good (RFC 8684 3.3.1, 3.3.3, 3.7). */
#include <inttypes.h>
#include <string.h>

#include "sim/judges/rules.h"
#include "sim/memory.h"

/* ---- the bytes themselves ---- */

static void copy_ring(uint8_t *to, uint32_t to_size, const struct judge_conn *conn)
{
    if (conn->bytes_size == 0)
        return;
    for (uint64_t at = conn->bytes_from, n; at < conn->data_max; at += n) {
        n = HW_MIN(conn->data_max - at, conn->bytes_size - at % conn->bytes_size);
        n = HW_MIN(n, to_size - at % to_size);
        memcpy(to + at % to_size, conn->bytes + at % conn->bytes_size, n);
    }
}

/* The ring holds what the peer has not acknowledged, and more. False: no room, nothing is compared. */
static bool make_room(struct judge_conn *conn, uint64_t end)
{
    struct judges *all = conn->at->all;
    uint64_t want = end - HW_MIN(conn->data_acked, end);
    uint32_t size = conn->bytes_size ? conn->bytes_size : JUDGE_BYTES_MIN;
    while (size < want && size < JUDGE_BYTES_MAX)
        size *= 2;
    if (size == conn->bytes_size)
        return true;
    if (all->bytes_held + size - conn->bytes_size > JUDGE_BYTES_TOTAL)
        return conn->bytes_size > 0;
    uint8_t *bytes = sim_new(size);
    copy_ring(bytes, size, conn);
    sim_free(conn->bytes);
    all->bytes_held += size - conn->bytes_size;
    conn->bytes = bytes;
    conn->bytes_size = size;
    return true;
}

static void check_known(const struct judge_subflow *s, uint64_t from, const uint8_t *p, uint64_t to)
{
    const struct judge_conn *conn = s->conn;
    for (uint64_t n; from < to; from += n, p += n) {
        n = HW_MIN(to - from, conn->bytes_size - from % conn->bytes_size);
        if (memcmp(conn->bytes + from % conn->bytes_size, p, n) != 0) {
            judge_says(s, "bytes-fixed", "other bytes than before near %" PRIu64 " of the stream", from);
            return;
        }
    }
}

static void remember(struct judge_conn *conn, uint64_t from, const uint8_t *p, uint64_t to)
{
    for (uint64_t n; from < to; from += n, p += n) {
        n = HW_MIN(to - from, conn->bytes_size - from % conn->bytes_size);
        memcpy(conn->bytes + from % conn->bytes_size, p, n);
    }
}

/* Bytes [from, to) of the stream leave, for the first time or not. */
static void take_bytes(struct judge_subflow *s, uint64_t from, const uint8_t *p, uint64_t to)
{
    struct judge_conn *conn = s->conn;
    if (conn->stream_blind)
        return;
    if (from > conn->data_max) {
        judge_says(s, "sequence-contiguous", "stream from %" PRIu64 ", but %" PRIu64 " was never sent", from,
                   conn->data_max);
        return;
    }
    if (conn->data_fin && to > conn->data_fin)
        judge_says(s, "mapping-fixed", "stream to %" PRIu64 " after a DATA_FIN at %" PRIu64, to, conn->data_fin);
    if (!s->over && make_room(conn, to)) {
        uint64_t known = HW_MIN(to, conn->data_max), start = HW_MAX(from, conn->bytes_from);
        if (start < known)
            check_known(s, start, p + (start - from), known);
        if (to > conn->data_max)
            remember(conn, conn->data_max, p + (conn->data_max - from), to);
    } else if (to > conn->data_max) {
        conn->bytes_from = to; /* new bytes that are not kept: nothing up to here is comparable */
    }
    conn->data_max = HW_MAX(conn->data_max, to);
    uint64_t kept = conn->data_max - HW_MIN(conn->bytes_size, conn->data_max);
    conn->bytes_from = HW_MAX(conn->bytes_from, kept);
}

/* ---- mappings ---- */

static void check_data_fin(const struct judge_subflow *s, const struct seen_dss *dss)
{
    struct judge_conn *conn = s->conn;
    if (!dss->fin || !conn->local.known)
        return;
    uint64_t at = stream_offset(&conn->local, dss->dsn, dss->dsn_is_64, conn->data_max) + dss->len - 1;
    if ((conn->data_fin && at != conn->data_fin) || at < conn->data_max)
        judge_says(s, "mapping-fixed", "DATA_FIN at %" PRIu64 ", not behind the stream or not where it was", at);
    conn->data_fin = at;
}

/* RFC 8684 3.7: the last mapping of a host that falls back. It may be repeated and reach back, but not be another. */
static void declare_infinite(struct judge_subflow *s, const struct map *map)
{
    struct judge_conn *conn = s->conn;
    const struct map *other = maps_find(&s->sent_maps, map->start);
    uint64_t lead = map->data - map->start;
    bool differs = conn->fallen && lead != conn->plain_lead;
    if (other && other->start <= map->start)
        differs |= lead != other->data - other->start;
    if (differs)
        judge_says(s, "mapping-fixed", "the infinite mapping from %" PRIu64 " is not what was mapped before",
                   map->start);
    conn->fallen = true;
    conn->plain_lead = lead;
}

static void declare(struct judge_subflow *s, const struct seen *seen)
{
    struct map map;
    if (!model_mapping(seen, &s->conn->local, s->sent_max, s->conn->data_max, &map))
        return;
    uint64_t start = payload_start(s, seen);
    if (!seen_has(seen, SEEN_CAPABLE) && seen->dss.len == 0) {
        declare_infinite(s, &map);
        return;
    }
    if (map.start >= start + seen->len || map.end <= start)
        judge_says(s, "mapping-applies", "mapping from %" PRIu64 " on a segment of %u bytes at %" PRIu64, map.start,
                   seen->len, start);
    switch (maps_declare(&s->sent_maps, &map)) {
    case MAPS_CONFLICT:
        judge_says(s, "mapping-fixed", "%" PRIu64 " to %" PRIu64 " was mapped otherwise before", map.start, map.end);
        break;
    case MAPS_FULL:
        model_blind(s);
        break;
    default:
        break;
    }
}

static void mapped_data(struct judge_subflow *s, uint64_t start, uint64_t end, const uint8_t *payload)
{
    uint64_t at = start;
    for (const struct map *map = maps_find(&s->sent_maps, start); map && at < end;
         map = maps_next(&s->sent_maps, map)) {
        uint64_t to = HW_MIN(end, map->end), data = map->data + (at - map->start);
        take_bytes(s, data, payload + (at - start), data + (to - at));
        windows_data(s, data + (to - at));
        at = to;
    }
}

void mappings_sent(struct judge_subflow *s, const struct seen *seen, uint64_t now_ns)
{
    (void)now_ns;
    struct judge_conn *conn = s->conn;
    if (seen->flags & SEEN_RST)
        return;
    uint64_t seq = sent_seq(s, seen->seq), start = payload_start(s, seen), end = start + seen->len;
    if (seq > s->sent_max)
        judge_says(s, "sequence-contiguous", "sends from %" PRIu64 ", but %" PRIu64 " was never sent", seq,
                   s->sent_max);
    if (seen->mptcp) {
        declare(s, seen);
        check_data_fin(s, &seen->dss);
    }
    if (seen->len == 0 || s->blind)
        return;
    bool speaks = conn->speaks || seen->mptcp;
    if (speaks && !conn->fallen && !maps_cover(&s->sent_maps, start, end)) {
        if (seen->mptcp || s->join)
            judge_says(s, "mapping-missing", "%" PRIu64 " to %" PRIu64 " is not mapped", start, end);
        conn->fallen = true; /* without a word: possible as long as every byte has the same number at both levels */
        conn->stream_blind = s->sent_max != conn->data_max;
    }
    if (speaks && !conn->fallen)
        mapped_data(s, start, end, seen->payload);
    else if (!s->join)
        take_bytes(s, start + conn->plain_lead, seen->payload, end + conn->plain_lead);
    maps_retire(&s->sent_maps, s->acked);
}
