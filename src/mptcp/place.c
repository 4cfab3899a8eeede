/* Arrived payload finds its place in the stream: by its mapping, and once a DSS checksum has proved it (RFC
 * 8684 3.3.1). */
#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "mptcp/conn.h"

/* The copies that are left when no more mappings are begun: room for payload that only passes through. */
#define COPIES_KEPT 1u

/* Of the memory for copies an eighth is kept for what closes gaps, a mapping to begin at the least. */
static bool may_copy(const struct mp_host *host)
{
    return buf_pool_left(host->copies) > buf_pool_limit(host->copies) / 8 + COPIES_KEPT + 1;
}

/* A buffer of a link is large and may be held for a few bytes of it: when these are scarce, such bytes are copied to
 * where they take no more than they are. */
static bool should_pack(const struct conn *conn, struct slice bytes)
{
    const struct hawser_buf_pool *copies = conn->host->copies;
    return buf_is_scarce(bytes.buf) && !buf_is_of(bytes.buf, copies) &&
           (packer_has_room(&conn->data_rx.packed, bytes.len) || may_copy(conn->host));
}

/* Data behind a gap may take half of each pool, so that what closes the gap finds room. */
static bool has_room(const struct conn *conn, struct slice bytes)
{
    return !pool_is_scarce(&conn->host->nodes) && (!buf_is_scarce(bytes.buf) || should_pack(conn, bytes));
}

static bool is_early(const struct conn *conn, dsn64 dsn)
{
    return dsn_lt(reassembly_next(&conn->data_rx.reassembly), dsn);
}

static void note_disorder(struct conn *conn)
{
    if (reassembly_has_gaps(&conn->data_rx.reassembly)) {
        if (list_empty(&conn->disorder_link))
            list_push_back(&conn->host->disordered, &conn->disorder_link);
        return;
    }
    list_remove(&conn->disorder_link);
    packer_release(&conn->data_rx.packed);
}

/* 0; -ENOBUFS when there is no room; -ERANGE when the bytes lie outside of the window. */
static int deliver(struct conn *conn, dsn64 dsn, struct slice bytes)
{
    struct mp_host *host = conn->host;
    if (conn->data_rx.peer_fin_known &&
        dsn_lt(conn->data_rx.peer_fin, dsn_add(dsn, bytes.len))) { /* RFC 8684 3.3.3: no data follows it */
        count(&host->tcp.counters, COUNT_DROP_DATA_WINDOW);
        int64_t before = dsn_diff(conn->data_rx.peer_fin, dsn);
        if (before <= 0)
            return 0;
        bytes.len = (uint32_t)before;
    }
    dsn64 edge = dsn_max(conn->data_rx.rcv_edge, dsn_add(conn->data_rx.reassembly.read_next, conn->data_rx.recv_limit));
    if (dsn_lt(edge, dsn_add(dsn, bytes.len))) {
        count(&host->tcp.counters, COUNT_DROP_DATA_WINDOW);
        return -ERANGE;
    }
    bool packed =
        is_early(conn, dsn) && should_pack(conn, bytes) && packer_copy(&conn->data_rx.packed, host->copies, &bytes);
    int64_t fresh = reassembly_insert(&conn->data_rx.reassembly, dsn, bytes);
    if (packed && fresh <= 0)
        packer_take_back(&conn->data_rx.packed, bytes);
    count_n(&host->tcp.counters, COUNT_DROP_NO_MEMORY, fresh < 0);
    note_disorder(conn);
    return fresh < 0 ? -ENOBUFS : 0;
}

/* RFC 8684 3.3.2: the peer keeps what was not acknowledged at the data level and sends it again. For sure only where it
 * knows of another subflow, for then it cannot fall back; and bytes that one subflow has SACKed only its own peer would
 * send again. */
static bool may_shed(const struct conn *conn)
{
    return conn->fallback.mode == CONN_MPTCP && fallback_peer_committed(&conn->fallback);
}

enum admission {
    ADMIT,
    REFUSE,  /* it counts as not arrived */
    SWALLOW, /* acknowledged on its subflow and forgotten */
};

/* There is no room for what lies behind a gap. What the subflow itself waits for next must go, or what closes the gap
 * could not get past it. */
static enum admission turn_away(const struct conn *conn, bool in_order)
{
    bool gone = in_order && may_shed(conn);
    count(&conn->host->tcp.counters, gone ? COUNT_LIMIT_DISORDER_DROPPED : COUNT_LIMIT_DISORDER);
    return gone ? SWALLOW : REFUSE;
}

static enum admission admit(const struct conn *conn, bool early, struct slice bytes, bool in_order)
{
    return !early || has_room(conn, bytes) ? ADMIT : turn_away(conn, in_order);
}

bool place_shed(struct mp_host *host)
{
    LIST_EACH (it, &host->disordered) {
        struct conn *conn = LIST_ENTRY(it, struct conn, disorder_link);
        list_remove(it);
        if (!may_shed(conn))
            continue;
        count(&host->tcp.counters, COUNT_LIMIT_DISORDER_DROPPED);
        place_forget_disorder(conn);
        return true;
    }
    return false;
}

/* Payload without its mapping: nobody knows where it belongs, nor when that will be known. False when there is no room;
 * for more of it than comes by accident the subflow is given up. */
static bool hold_unmapped(struct subflow *subflow, uint64_t ssn, struct slice bytes, uint64_t now_ns)
{
    const struct mp_host *host = subflow->conn->host;
    if (buf_is_scarce(bytes.buf) || buf_pool_is_scarce(host->copies) || pool_is_scarce(&host->holds)) {
        count(&subflow->conn->host->tcp.counters, COUNT_LIMIT_DISORDER);
        return false;
    }
    bool others_wait_for_checksums = subflow->conn->identity.checksums;
    if (others_wait_for_checksums || subflow->rx_mapping.held.count < UNMAPPED_MAX)
        return holdq_add(&subflow->rx_mapping.held, ssn, bytes) == 0;
    conn_give_up_subflow(subflow, COUNT_DROP_UNMAPPED, now_ns);
    return true;
}

static uint64_t mapping_end(const struct mapping *map) { return map->len ? map->ssn + map->len : UINT64_MAX; }

static bool proved(struct subflow *subflow, const struct mapping *map, uint64_t now_ns)
{
    struct csum sum = holdq_sum(&subflow->rx_mapping.held, map->ssn, mapping_end(map));
    if (csum_same(csum_dss(map->dsn.v, ssn_wire(map->ssn), (uint16_t)map->len, &sum), map->checksum))
        return true;
    subflow->fail_dsn = map->dsn;
    if (conn_may_fall_back(subflow->conn)) { /* RFC 8684 3.7: the bytes wait until the peer answers the MP_FAIL */
        count(&subflow->conn->host->tcp.counters, COUNT_DROP_DATA_CHECKSUM);
        subflow->fail_stage = FAIL_ASKING;
        subflow_insist(subflow, now_ns);
        return false;
    }
    subflow->fail_stage = FAIL_ON_RESET;
    conn_give_up_subflow(subflow, COUNT_DROP_DATA_CHECKSUM, now_ns);
    return false;
}

/* There was no room for bytes that the subflow has acknowledged. The peer's data level sends them again, so that they
 * come late; plain TCP, where nobody would, is out of the question from now on. */
static void missed(struct subflow *subflow, uint64_t now_ns)
{
    subflow->conn->fallback.rx_diverged = true;
    if (!may_shed(subflow->conn)) /* nobody sends it again */
        conn_give_up_subflow(subflow, COUNT_DROP_NO_MEMORY, now_ns);
}

/* Everything held that `map` covers goes up; under a checksum only when all of it is there and right. */
void place_mapped(struct subflow *subflow, const struct mapping *map, uint64_t now_ns)
{
    const struct tcp *tcp = &subflow->tcp;
    uint64_t end = mapping_end(map), ssn;
    struct slice bytes;
    if (subflow->fail_stage == FAIL_ASKING && map->len) /* RFC 8684 3.7: from there on no mapping can be trusted */
        return;
    if (subflow->conn->identity.checksums && map->len) {
        struct range missing = rxseq_new_part(&tcp->rx, map->ssn, end);
        if (missing.start < missing.end || !proved(subflow, map, now_ns))
            return;
    }
    while (tcp->state != TCPS_CLOSED && holdq_take(&subflow->rx_mapping.held, map->ssn, end, &ssn, &bytes)) {
        if (deliver(subflow->conn, dsn_add(map->dsn, ssn - map->ssn), bytes) < 0)
            missed(subflow, now_ns);
        hawser_buf_unref(bytes.buf);
    }
    struct assembly *a = &subflow->rx_mapping.assembly;
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
        if (subflow_at(it)->rx_mapping.held.count == 0)
            place_release(&subflow_at(it)->rx_mapping.assembly);
}

void place_forget_disorder(struct conn *conn)
{
    reassembly_drop_disorder(&conn->data_rx.reassembly);
    note_disorder(conn);
    place_idle(conn);
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
    struct assembly *a = &subflow->rx_mapping.assembly;
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
        a->begun_ns = a->touched_ns = now_ns;
    }
    uint64_t offset = ssn - map->ssn;
    CHECK(offset + bytes->len <= a->len);
    uint8_t *to = hawser_buf_data(a->buf) + a->at + offset;
    memcpy(to, bytes->data, bytes->len);
    *bytes = (struct slice){a->buf, to, bytes->len};
    return true;
}

/* Payload of a mapping that nobody waits for: its last bytes will not be missed by those that were held. */
static void swallow(struct subflow *subflow, const struct mapping *map)
{
    uint64_t ssn;
    struct slice bytes;
    subflow->rx_mapping.swallowed_to = HW_MAX(subflow->rx_mapping.swallowed_to, mapping_end(map));
    while (holdq_take(&subflow->rx_mapping.held, map->ssn, mapping_end(map), &ssn, &bytes))
        hawser_buf_unref(bytes.buf);
    if (is_begun(&subflow->rx_mapping.assembly, map))
        subflow->rx_mapping.assembly.len = 0;
}

/* Whether to hold the part of a mapping for its checksum; moves it to where the rest will come. */
static enum admission admit_part(struct subflow *subflow, const struct mapping *map, uint64_t ssn, struct slice *part,
                                 uint64_t now_ns)
{
    struct conn *conn = subflow->conn;
    bool in_order = ssn <= subflow->tcp.rx.next, whole = part->len == map->len;
    bool begun = is_begun(&subflow->rx_mapping.assembly, map), early = is_early(conn, map->dsn);
    enum admission verdict = begun ? ADMIT : admit(conn, early, *part, in_order);
    if (verdict != ADMIT)
        return verdict;
    bool room = whole || !buf_is_scarce(part->buf);
    if (in_order && !whole)
        room = (begun || !early || may_copy(conn->host)) && gather(subflow, map, ssn, part, now_ns);
    bool next = in_order && dsn_eq(map->dsn, reassembly_next(&conn->data_rx.reassembly));
    while (!room && next && place_shed(conn->host)) /* out-of-order data goes first */
        room = gather(subflow, map, ssn, part, now_ns);
    return room ? ADMIT : turn_away(conn, in_order && early);
}

/* Places what begins one mapping or part of it. False when there is no room. */
static bool place_checked(struct subflow *subflow, const struct mapping *map, uint64_t ssn, struct slice part,
                          uint64_t now_ns)
{
    bool gone = ssn < subflow->rx_mapping.swallowed_to;
    enum admission verdict = gone ? SWALLOW : admit_part(subflow, map, ssn, &part, now_ns);
    if (verdict == ADMIT && holdq_add(&subflow->rx_mapping.held, ssn, part) < 0) {
        count(&subflow->conn->host->tcp.counters, COUNT_DROP_NO_MEMORY);
        return false;
    }
    if (verdict == SWALLOW)
        swallow(subflow, map);
    if (verdict != ADMIT)
        return verdict == SWALLOW;
    subflow->rx_mapping.assembly.touched_ns = now_ns;
    place_mapped(subflow, map, now_ns);
    return true;
}

/* False when there is no room. */
static bool place_part(struct subflow *subflow, uint64_t ssn, dsn64 dsn, struct slice bytes)
{
    struct conn *conn = subflow->conn;
    bool in_order = conn->fallback.mode == CONN_MPTCP && ssn <= subflow->tcp.rx.next, early = is_early(conn, dsn);
    enum admission verdict = admit(conn, early, bytes, in_order);
    int err = verdict == ADMIT ? deliver(conn, dsn, bytes) : 0;
    if (err == -ENOBUFS && early) /* a limit of its own */
        verdict = turn_away(conn, in_order);
    else if (err < 0)
        verdict = REFUSE;
    return verdict != REFUSE;
}

/* A merged segment may span mappings. */
static uint32_t place_by_mapping(struct subflow *subflow, uint64_t ssn, struct slice bytes, uint64_t now_ns)
{
    uint32_t taken = 0;
    while (taken < bytes.len && subflow->tcp.state != TCPS_CLOSED) {
        uint64_t at = ssn + taken;
        struct slice rest = slice_sub(bytes, taken, bytes.len - taken);
        const struct mapping *map = rxmap_find(&subflow->rx_mapping.maps, at);
        bool checked = subflow->conn->identity.checksums;
        if (!map || (checked && !map->len))
            return hold_unmapped(subflow, at, rest, now_ns) ? bytes.len : taken;
        rest.len = (uint32_t)HW_MIN(rest.len, mapping_end(map) - at);
        if (!(checked ? place_checked(subflow, map, at, rest, now_ns)
                      : place_part(subflow, at, dsn_add(map->dsn, at - map->ssn), rest)))
            break;
        taken += rest.len;
    }
    return taken;
}

uint32_t place_payload(struct tcp *tcp, uint64_t ssn, struct slice bytes, uint64_t now_ns)
{
    struct subflow *subflow = subflow_of(tcp);
    const struct conn *conn = subflow->conn;
    if (conn->fallback.mode != CONN_PLAIN)
        return place_by_mapping(subflow, ssn, bytes, now_ns);
    return place_part(subflow, ssn, dsn_add(conn->identity.remote_idsn, ssn - SSN_ORIGIN), bytes) ? bytes.len : 0;
}
