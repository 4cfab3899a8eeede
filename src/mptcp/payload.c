/* Arrived payload finds its place in the stream: by its mapping, and once a DSS checksum has proved it (RFC
 * 8684 3.3.1). */
#include <errno.h>

#include "base/check.h"
#include "mptcp/conn.h"
#include "mptcp/pressure.h"

static struct counters *counters_of(const struct conn *conn) { return &conn->host->tcp.counters; }

enum admission {
    ADMIT,
    REFUSE,  /* it counts as not arrived */
    SWALLOW, /* acknowledged on its subflow and forgotten */
};

/* There is no room for what lies behind a gap. What the subflow itself waits for next must go, or what closes the gap
 * could not get past it. */
static enum admission turn_away(const struct conn *conn, bool in_order)
{
    bool gone = in_order && pressure_may_shed(conn);
    count(counters_of(conn), gone ? COUNT_LIMIT_DISORDER_DROPPED : COUNT_LIMIT_DISORDER);
    return gone ? SWALLOW : REFUSE;
}

/* Stores what belongs at `dsn`; *taken says how many bytes from the front found room, or are known or not wanted. What
 * closes a gap gets the room of what lies behind others. */
static enum data_rx_answer deliver(struct subflow *subflow, dsn64 dsn, struct slice bytes, bool acknowledged,
                                   uint32_t *taken, uint64_t now_ns)
{
    struct conn *conn = subflow->conn;
    dsn64 next = data_rx_next(&conn->data_rx);
    bool early = dsn_lt(next, dsn);
    enum data_rx_answer answer = data_rx_place(&conn->data_rx, dsn, bytes, acknowledged, taken);
    while (answer == DATA_RX_NO_ROOM && !early && pressure_relieve(subflow, now_ns)) {
        uint32_t more;
        struct slice rest = slice_sub(bytes, *taken, bytes.len - *taken);
        answer = data_rx_place(&conn->data_rx, dsn_add(dsn, *taken), rest, acknowledged, &more);
        *taken += more;
    }
    if (dsn_lt(next, data_rx_next(&conn->data_rx)))
        conn->host->refused_since_ns = 0;
    if (answer != DATA_RX_PLACED)
        count(counters_of(conn), answer == DATA_RX_NO_ROOM ? COUNT_DROP_NO_MEMORY : COUNT_DROP_DATA_WINDOW);
    pressure_note(conn);
    return answer;
}

/* Payload without its mapping: nobody knows where it belongs, nor when that will be known. Returns how many bytes found
 * room; for more of it than comes by accident the subflow is given up. */
static uint32_t hold_unmapped(struct subflow *subflow, uint64_t ssn, struct slice bytes, uint64_t now_ns)
{
    uint32_t taken;
    enum rx_hold held = rx_mapping_hold_unmapped(&subflow->rx_mapping, ssn, bytes, &taken);
    if (held == RX_TOO_MUCH && !subflow->conn->identity.checksums) {
        subflow_give_up(subflow, COUNT_DROP_UNMAPPED, now_ns);
        return bytes.len;
    }
    count_n(counters_of(subflow->conn), COUNT_LIMIT_UNMAPPED, held != RX_HELD);
    pressure_note(subflow->conn);
    return taken;
}

static bool proved(struct subflow *subflow, const struct mapping *map, uint64_t now_ns)
{
    if (rx_mapping_is_proved(&subflow->rx_mapping, map))
        return true;
    subflow->fail_dsn = map->dsn;
    if (conn_may_fall_back(subflow->conn)) { /* RFC 8684 3.7: the bytes wait until the peer answers the MP_FAIL */
        count(counters_of(subflow->conn), COUNT_DROP_DATA_CHECKSUM);
        subflow->fail_stage = FAIL_ASKING;
        subflow_insist(subflow, now_ns);
        return false;
    }
    subflow->fail_stage = FAIL_ON_RESET;
    subflow_give_up(subflow, COUNT_DROP_DATA_CHECKSUM, now_ns);
    return false;
}

/* There was no room for bytes that the subflow has acknowledged. The peer's data level sends them again, so that they
 * come late; plain TCP, where nobody would, is out of the question from now on. */
static void missed(struct subflow *subflow, uint64_t now_ns)
{
    subflow->conn->fallback.rx_diverged = true;
    if (!pressure_may_shed(subflow->conn)) /* nobody sends it again */
        subflow_give_up(subflow, COUNT_DROP_NO_MEMORY, now_ns);
}

/* Everything held that `map` covers goes up; under a checksum only when all of it is there and right. */
void payload_mapped(struct subflow *subflow, const struct mapping *map, uint64_t now_ns)
{
    const struct tcp *tcp = &subflow->tcp;
    uint64_t end = mapping_end(map), ssn;
    struct slice bytes;
    if (subflow->fail_stage == FAIL_ASKING && map->len) /* RFC 8684 3.7: from there on no mapping can be trusted */
        return;
    if (rx_mapping_is_swallowed(&subflow->rx_mapping, map->ssn) && subflow->conn->identity.checksums) {
        rx_mapping_swallow(&subflow->rx_mapping, map);
        return;
    }
    if (subflow->conn->identity.checksums && map->len) {
        struct range missing = rxseq_new_part(&tcp->rx, map->ssn, end);
        if (missing.start < missing.end || !proved(subflow, map, now_ns))
            return;
    }
    while (tcp->state != TCPS_CLOSED && rx_mapping_take(&subflow->rx_mapping, map, &ssn, &bytes)) {
        uint32_t taken;
        (void)deliver(subflow, dsn_add(map->dsn, ssn - map->ssn), bytes, true, &taken, now_ns);
        if (taken < bytes.len)
            missed(subflow, now_ns);
        hawser_buf_unref(bytes.buf);
    }
    rx_mapping_finish(&subflow->rx_mapping, map);
}

/* Does all of it lie before the next byte of the stream? */
static bool is_old(const struct conn *conn, const struct mapping *map)
{
    return dsn_le(dsn_add(map->dsn, map->len), data_rx_next(&conn->data_rx));
}

/* The next part of a mapping on its subflow waits for its checksum. */
static enum admission hold_next(struct subflow *subflow, const struct mapping *map, uint64_t ssn, struct slice part,
                                uint64_t now_ns)
{
    struct conn *conn = subflow->conn;
    struct rx_mapping *m = &subflow->rx_mapping;
    bool early = data_rx_is_early(&conn->data_rx, map->dsn), begins = !rx_mapping_is_begun(m, map);
    enum claim claim = begins && early ? CLAIM_SURPLUS : CLAIM_URGENT;
    enum rx_hold held;
    do
        held = rx_mapping_hold_next(m, map, ssn, part, claim, now_ns);
    while (held != RX_HELD && begins && !early && !is_old(conn, map) && pressure_relieve(subflow, now_ns));
    if (rx_mapping_is_swallowed(m, ssn)) /* it was what made room */
        return SWALLOW;
    if (held == RX_HELD)
        return ADMIT;
    if (early || is_old(conn, map))
        return turn_away(conn, true);
    count(counters_of(conn), COUNT_DROP_NO_MEMORY);
    return REFUSE;
}

/* Holds a part of one mapping until its checksum proves it. Returns how many bytes found room. */
static uint32_t place_checked(struct subflow *subflow, const struct mapping *map, uint64_t ssn, struct slice part,
                              uint64_t now_ns)
{
    struct rx_mapping *m = &subflow->rx_mapping;
    uint32_t taken = part.len;
    if (rx_mapping_is_swallowed(m, ssn)) {
        rx_mapping_swallow(m, map);
        return taken;
    }
    enum admission verdict = ADMIT;
    if (ssn <= subflow->tcp.rx.next)
        verdict = hold_next(subflow, map, ssn, part, now_ns);
    else if (rx_mapping_hold_ahead(m, map, ssn, part, &taken) != RX_HELD)
        count(counters_of(subflow->conn), COUNT_LIMIT_DISORDER);
    pressure_note(subflow->conn);
    if (verdict == SWALLOW)
        rx_mapping_swallow(m, map);
    if (verdict != ADMIT)
        return verdict == SWALLOW ? part.len : 0;
    if (taken == part.len)
        payload_mapped(subflow, map, now_ns);
    return taken;
}

/* Returns how many bytes found room. */
static uint32_t place_part(struct subflow *subflow, uint64_t ssn, dsn64 dsn, struct slice bytes, uint64_t now_ns)
{
    struct conn *conn = subflow->conn;
    bool in_order = conn->fallback.mode == CONN_MPTCP && ssn <= subflow->tcp.rx.next;
    bool early = data_rx_is_early(&conn->data_rx, dsn);
    uint32_t taken = 0;
    enum data_rx_answer answer = DATA_RX_NO_ROOM;
    if (!early || data_rx_has_room(&conn->data_rx, bytes))
        answer = deliver(subflow, dsn, bytes, false, &taken, now_ns);
    if (answer == DATA_RX_NO_ROOM && early && turn_away(conn, in_order) == SWALLOW)
        return bytes.len;
    return taken;
}

/* A merged segment may span mappings. */
static uint32_t place_by_mapping(struct subflow *subflow, uint64_t ssn, struct slice bytes, uint64_t now_ns)
{
    uint32_t done = 0;
    while (done < bytes.len && subflow->tcp.state != TCPS_CLOSED) {
        uint64_t at = ssn + done;
        struct slice rest = slice_sub(bytes, done, bytes.len - done);
        const struct mapping *map = rx_mapping_find(&subflow->rx_mapping, at);
        bool checked = subflow->conn->identity.checksums;
        if (!map || (checked && !map->len))
            return done + hold_unmapped(subflow, at, rest, now_ns);
        rest.len = (uint32_t)HW_MIN(rest.len, mapping_end(map) - at);
        uint32_t taken = checked ? place_checked(subflow, map, at, rest, now_ns)
                                 : place_part(subflow, at, dsn_add(map->dsn, at - map->ssn), rest, now_ns);
        done += taken;
        if (taken < rest.len)
            break;
    }
    return done;
}

uint32_t payload_place(struct tcp *tcp, uint64_t ssn, struct slice bytes, uint64_t now_ns)
{
    struct subflow *subflow = subflow_of(tcp);
    const struct conn *conn = subflow->conn;
    if (conn->fallback.mode != CONN_PLAIN)
        return place_by_mapping(subflow, ssn, bytes, now_ns);
    return place_part(subflow, ssn, dsn_add(conn->identity.remote_idsn, ssn - SSN_ORIGIN), bytes, now_ns);
}
