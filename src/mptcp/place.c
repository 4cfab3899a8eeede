/* Arrived payload finds its place in the stream: by its mapping, and once a DSS checksum has proved it (RFC
 * 8684 3.3.1). */
#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "mptcp/conn.h"

/* The copies that are left when no more mappings are begun: room for payload that only passes through. */
#define COPIES_KEPT 1u

/* Data behind a gap may take half of each pool, so that what closes the gap finds room. A buffer of a link is large and
 * may be held for a few bytes of it: when these are scarce, such bytes are copied to where they take no more than they
 * are, as long as an eighth of that is left. */
static bool has_room(struct conn *conn, struct slice *bytes)
{
    struct hawser_buf_pool *copies = conn->host->copies;
    if (pool_is_scarce(&conn->host->nodes))
        return false;
    if (!buf_is_scarce(bytes->buf))
        return true;
    bool left = buf_pool_left(copies) > buf_pool_limit(copies) / 8 + COPIES_KEPT;
    return left && !buf_is_of(bytes->buf, copies) && packer_copy(&conn->packed, copies, bytes);
}

static void note_disorder(struct conn *conn)
{
    if (reassembly_has_gaps(&conn->rx)) {
        if (list_empty(&conn->disorder_link))
            list_push_back(&conn->host->disordered, &conn->disorder_link);
        return;
    }
    list_remove(&conn->disorder_link);
    packer_release(&conn->packed);
}

static bool insert(struct conn *conn, dsn64 dsn, struct slice bytes)
{
    if (conn->peer_fin_known &&
        dsn_lt(conn->peer_fin, dsn_add(dsn, bytes.len))) { /* RFC 8684 3.3.3: no data follows it */
        count(&conn->host->tcp.counters, COUNT_DROP_DATA_WINDOW);
        int64_t before = dsn_diff(conn->peer_fin, dsn);
        if (before <= 0)
            return true;
        bytes.len = (uint32_t)before;
    }
    dsn64 edge = dsn_max(conn->rcv_edge, dsn_add(conn->rx.read_next, conn->recv_limit));
    if (dsn_lt(edge, dsn_add(dsn, bytes.len))) {
        count(&conn->host->tcp.counters, COUNT_DROP_DATA_WINDOW);
        return false;
    }
    if (reassembly_insert(&conn->rx, dsn, bytes) < 0) {
        count(&conn->host->tcp.counters, COUNT_DROP_NO_MEMORY);
        return false;
    }
    return true;
}

/* False when there is no room. */
static bool deliver(struct conn *conn, dsn64 dsn, struct slice bytes)
{
    bool inserted = insert(conn, dsn, bytes);
    note_disorder(conn);
    return inserted;
}

/* RFC 8684 3.3.2: the peer keeps what was not acknowledged at the data level and sends it again. For sure only where
 * another subflow shows that options pass; and bytes that one subflow has SACKed only its own peer would send again. */
static bool may_shed(const struct conn *conn) { return conn->mode == CONN_MPTCP && conn->multipath; }

enum admission {
    ADMIT,
    REFUSE,  /* it counts as not arrived */
    SWALLOW, /* acknowledged on its subflow and forgotten */
};

/* Behind a gap, and memory is scarce: what the subflow itself waits for next must go, or what closes the gap could not
 * get past it. */
static enum admission admit(struct subflow *subflow, dsn64 dsn, struct slice *bytes, bool in_order)
{
    struct conn *conn = subflow->conn;
    conn->host->pressed = buf_is_scarce(bytes->buf);
    bool next = dsn_le(dsn, reassembly_next(&conn->rx));
    if (next || has_room(conn, bytes))
        return ADMIT;
    bool gone = in_order && may_shed(conn);
    count(&conn->host->tcp.counters, gone ? COUNT_LIMIT_DISORDER_DROPPED : COUNT_LIMIT_DISORDER);
    return gone ? SWALLOW : REFUSE;
}

bool place_shed(struct mp_host *host)
{
    LIST_EACH (it, &host->disordered) {
        struct conn *conn = LIST_ENTRY(it, struct conn, disorder_link);
        list_remove(it);
        if (!may_shed(conn))
            continue;
        count(&host->tcp.counters, COUNT_LIMIT_DISORDER_DROPPED);
        reassembly_drop_disorder(&conn->rx);
        packer_release(&conn->packed);
        return true;
    }
    return false;
}

/* What a middlebox did to this subflow cannot be mended here. The bytes are acknowledged on the subflow already, so it
 * must go, or its peer would wait for ever; other subflows carry them again (RFC 8684 3.7). */
void place_give_up(struct subflow *subflow, enum counter cause, uint64_t now_ns)
{
    count(&subflow->conn->host->tcp.counters, cause);
    subflow->reset_with_reason = true;
    subflow->reset_reason = MP_RST_MIDDLEBOX;
    tcp_abort(&subflow->tcp, -EPROTO, now_ns);
}

static void hold(struct subflow *subflow, uint64_t ssn, struct slice bytes, uint64_t now_ns)
{
    bool waits_for_checksum = subflow->conn->checksums;
    if ((!waits_for_checksum && subflow->held.count >= UNMAPPED_MAX) || holdq_add(&subflow->held, ssn, bytes) < 0)
        place_give_up(subflow, COUNT_DROP_UNMAPPED, now_ns);
}

static uint64_t mapping_end(const struct mapping *map) { return map->len ? map->ssn + map->len : UINT64_MAX; }

static bool proved(struct subflow *subflow, const struct mapping *map, uint64_t now_ns)
{
    struct csum sum = holdq_sum(&subflow->held, map->ssn, mapping_end(map));
    if (csum_same(csum_dss(map->dsn.v, ssn_wire(map->ssn), (uint16_t)map->len, &sum), map->checksum))
        return true;
    subflow->fail_dsn = map->dsn;
    if (fallback_possible(subflow->conn)) { /* RFC 8684 3.7: the bytes wait until the peer answers the MP_FAIL */
        count(&subflow->conn->host->tcp.counters, COUNT_DROP_DATA_CHECKSUM);
        subflow->failing = subflow->failed = true;
        subflow_insist(subflow, now_ns);
        return false;
    }
    subflow->failed = true;
    place_give_up(subflow, COUNT_DROP_DATA_CHECKSUM, now_ns);
    return false;
}

/* There was no room for bytes that the subflow has acknowledged. The peer's data level sends them again, so that they
 * come late; plain TCP, where nobody would, is out of the question from now on. */
static void missed(struct subflow *subflow, uint64_t now_ns)
{
    subflow->conn->scattered = true;
    if (!may_shed(subflow->conn)) /* nobody sends it again */
        place_give_up(subflow, COUNT_DROP_NO_MEMORY, now_ns);
}

/* Everything held that `map` covers goes up; under a checksum only when all of it is there and right. */
void place_mapped(struct subflow *subflow, const struct mapping *map, uint64_t now_ns)
{
    const struct tcp *tcp = &subflow->tcp;
    uint64_t end = mapping_end(map), ssn;
    struct slice bytes;
    if (subflow->failing && map->len) /* RFC 8684 3.7: from there on no mapping can be trusted */
        return;
    if (subflow->conn->checksums && map->len) {
        struct range missing = rxseq_new_part(&tcp->rx, map->ssn, end);
        if (missing.start < missing.end || !proved(subflow, map, now_ns))
            return;
    }
    while (holdq_take(&subflow->held, map->ssn, end, &ssn, &bytes)) {
        if (!deliver(subflow->conn, dsn_add(map->dsn, ssn - map->ssn), bytes))
            missed(subflow, now_ns);
        hawser_buf_unref(bytes.buf);
    }
    struct assembly *a = &subflow->assembly;
    if (a->ssn != map->ssn)
        return;
    a->len = 0;
    if (a->buf && !buf_is_shared(a->buf))
        place_release(a);
}

void place_release(struct assembly *assembly)
{
    if (assembly->buf)
        hawser_buf_unref(assembly->buf);
    *assembly = (struct assembly){0};
}

void place_idle(struct conn *conn)
{
    EACH_SUBFLOW (it, conn)
        if (subflow_at(it)->held.count == 0)
            place_release(&subflow_at(it)->assembly);
}

static bool is_begun(const struct assembly *a, const struct mapping *map)
{
    return a->len && a->ssn == map->ssn && a->len == map->len;
}

/* Moves a part of a mapping to where the rest of it will come: once begun it must never wait for memory that others
 * hold who wait likewise. False: there is no room to begin. */
static bool gather(struct subflow *subflow, const struct mapping *map, uint64_t ssn, struct slice *bytes,
                   uint64_t now_ns)
{
    struct assembly *a = &subflow->assembly;
    struct hawser_buf_pool *copies = subflow->conn->host->copies;
    if (!is_begun(a, map)) {
        if (a->buf && hawser_buf_capacity(a->buf) - a->used < map->len)
            place_release(a);
        if (!a->buf && buf_pool_left(copies) > COPIES_KEPT)
            *a = (struct assembly){.buf = hawser_buf_new(copies)};
        if (!a->buf)
            return false;
        a->ssn = map->ssn;
        a->len = map->len;
        a->at = a->used;
        a->used += map->len;
    }
    uint64_t offset = ssn - map->ssn;
    CHECK(offset + bytes->len <= a->len);
    uint8_t *to = hawser_buf_data(a->buf) + a->at + offset;
    memcpy(to, bytes->data, bytes->len);
    *bytes = (struct slice){a->buf, to, bytes->len};
    a->touched_ns = now_ns;
    return true;
}

/* Payload of a mapping that nobody waits for: its last bytes will not be missed by those that were held. */
static void swallow(struct subflow *subflow, const struct mapping *map)
{
    uint64_t ssn;
    struct slice bytes;
    subflow->swallowed_to = HW_MAX(subflow->swallowed_to, mapping_end(map));
    while (holdq_take(&subflow->held, map->ssn, mapping_end(map), &ssn, &bytes))
        hawser_buf_unref(bytes.buf);
}

/* Whether to hold the part of a mapping for its checksum; moves it to where the rest will come. */
static enum admission admit_part(struct subflow *subflow, const struct mapping *map, uint64_t ssn, struct slice *part,
                                 uint64_t now_ns)
{
    struct conn *conn = subflow->conn;
    bool in_order = ssn <= subflow->tcp.rx.next, whole = part->len == map->len;
    enum admission verdict = is_begun(&subflow->assembly, map) ? ADMIT : admit(subflow, map->dsn, part, in_order);
    if (verdict != ADMIT)
        return verdict;
    bool room = in_order ? whole || gather(subflow, map, ssn, part, now_ns) : !buf_is_scarce(part->buf);
    bool next = in_order && dsn_eq(map->dsn, reassembly_next(&conn->rx));
    while (!room && next && place_shed(conn->host)) /* out-of-order data goes first */
        room = gather(subflow, map, ssn, part, now_ns);
    count_n(&conn->host->tcp.counters, COUNT_LIMIT_DISORDER, !room);
    return room ? ADMIT : REFUSE;
}

/* A merged segment may span mappings; it is taken or refused as a whole. */
static bool place_checked(struct subflow *subflow, uint64_t ssn, struct slice bytes, uint64_t now_ns)
{
    bool first = true;
    while (bytes.len && subflow->tcp.state != TCPS_CLOSED) {
        const struct mapping *map = rxmap_find(&subflow->maps, ssn);
        if (!map || !map->len) {
            hold(subflow, ssn, bytes, now_ns);
            return true;
        }
        uint32_t len = (uint32_t)HW_MIN(bytes.len, mapping_end(map) - ssn);
        struct slice part = slice_sub(bytes, 0, len);
        bool gone = ssn < subflow->swallowed_to;
        enum admission verdict = gone ? SWALLOW : admit_part(subflow, map, ssn, &part, now_ns);
        if (verdict == REFUSE && first)
            return false;
        if (verdict == SWALLOW || (verdict == REFUSE && may_shed(subflow->conn))) {
            swallow(subflow, map);
        } else {
            hold(subflow, ssn, part, now_ns);
            place_mapped(subflow, map, now_ns);
        }
        first = false;
        ssn += len;
        bytes = slice_sub(bytes, len, bytes.len - len);
    }
    return true;
}

/* False when there is no room. */
static bool place_part(struct subflow *subflow, uint64_t ssn, dsn64 dsn, struct slice bytes)
{
    bool in_order = subflow->conn->mode == CONN_MPTCP && ssn <= subflow->tcp.rx.next;
    enum admission verdict = admit(subflow, dsn, &bytes, in_order);
    return verdict == SWALLOW || (verdict == ADMIT && deliver(subflow->conn, dsn, bytes));
}

bool place_payload(struct tcp *tcp, uint64_t ssn, struct slice bytes, uint64_t now_ns)
{
    struct subflow *subflow = subflow_of(tcp);
    struct conn *conn = subflow->conn;
    if (conn->mode == CONN_PLAIN)
        return place_part(subflow, ssn, dsn_add(conn->remote_idsn, ssn - SSN_ORIGIN), bytes);
    if (conn->checksums)
        return place_checked(subflow, ssn, bytes, now_ns);
    while (bytes.len) {
        const struct mapping *map = rxmap_find(&subflow->maps, ssn);
        if (!map) {
            hold(subflow, ssn, bytes, now_ns);
            return true;
        }
        uint32_t len = (uint32_t)HW_MIN(bytes.len, mapping_end(map) - ssn);
        if (!place_part(subflow, ssn, dsn_add(map->dsn, ssn - map->ssn), slice_sub(bytes, 0, len)))
            return false;
        ssn += len;
        bytes = slice_sub(bytes, len, bytes.len - len);
    }
    return true;
}
