#include "mptcp/inflow.h"

#include <errno.h>

/* There is no room for what lies behind a gap. What the subflow itself waits for next must go, or what closes the gap
 * could not get past it: it is acknowledged there and forgotten. True: it is; else it counts as not arrived. */
static bool swallow_early(const struct inflow *in, const struct subflow *subflow, bool in_order)
{
    bool gone = in_order && in->sheds;
    count(&subflow->tcp.host->counters, gone ? COUNT_LIMIT_DISORDER_DROPPED : COUNT_LIMIT_DISORDER);
    return gone;
}

/* Is it worth while that somebody makes room for what was not stored? What closes a gap gets that of what lies behind
 * others. */
static bool may_hope(const struct inflow *in, enum data_rx_answer answer, bool early)
{
    return answer == DATA_RX_NO_ROOM && !early && !in->hopeless;
}

/* Stores what belongs at `dsn`; *taken says how many bytes from the front found room, or are known or not wanted. */
static enum data_rx_answer deliver(const struct inflow *in, const struct subflow *subflow, dsn64 dsn,
                                   struct slice bytes, bool early, bool acknowledged, uint32_t *taken)
{
    enum data_rx_answer answer = data_rx_place(in->rx, dsn, bytes, acknowledged, taken);
    if (answer != DATA_RX_PLACED && !may_hope(in, answer, early))
        count(&subflow->tcp.host->counters, answer == DATA_RX_NO_ROOM ? COUNT_DROP_NO_MEMORY : COUNT_DROP_DATA_WINDOW);
    return answer;
}

/* ---- held for its mapping, or its checksum ---- */

/* Nobody knows where it belongs, nor when that will be known. Returns how many bytes found room; for more of it than
 * comes by accident the subflow is given up. */
static uint32_t hold_unmapped(const struct inflow *in, struct subflow *subflow, uint64_t ssn, struct slice bytes,
                              uint64_t now_ns)
{
    uint32_t taken;
    enum rx_hold held = rx_mapping_hold_unmapped(&subflow->rx_mapping, ssn, bytes, &taken);
    if (held == RX_TOO_MUCH && !in->checksums) {
        subflow_give_up(subflow, COUNT_DROP_UNMAPPED, now_ns);
        return bytes.len;
    }
    count_n(&subflow->tcp.host->counters, COUNT_LIMIT_UNMAPPED, held != RX_HELD);
    return taken;
}

/* There was no room for bytes that the subflow has acknowledged. The peer's data level sends them again, so that they
 * come late; where nobody does, the subflow is of no use any more. */
static void miss(struct inflow *in, struct subflow *subflow, uint64_t now_ns)
{
    in->missed = true;
    if (in->sheds)
        return;
    count(&subflow->tcp.host->counters, COUNT_DROP_NO_MEMORY);
    subflow_reset(subflow, MP_RST_RESOURCES, -ENOBUFS, now_ns);
}

/* Everything held that `map` covers goes up. */
static enum inflow_verdict hand_up(struct inflow *in, struct subflow *subflow, const struct mapping *map,
                                   uint64_t now_ns)
{
    struct rx_mapping *m = &subflow->rx_mapping;
    uint64_t ssn;
    struct slice bytes;
    while (subflow->tcp.state != TCPS_CLOSED && rx_mapping_take(m, map, &ssn, &bytes)) {
        uint32_t taken;
        dsn64 dsn = dsn_add(map->dsn, ssn - map->ssn);
        bool early = data_rx_is_early(in->rx, dsn);
        enum data_rx_answer answer = deliver(in, subflow, dsn, bytes, early, true, &taken);
        struct slice rest = slice_sub(bytes, taken, bytes.len - taken);
        in->stuck = may_hope(in, answer, early) && rx_mapping_put_back(m, map, ssn + taken, rest);
        if (rest.len && !in->stuck)
            miss(in, subflow, now_ns);
        hawser_buf_unref(bytes.buf);
        if (in->stuck) {
            in->stuck_map = *map;
            return INFLOW_NO_ROOM;
        }
    }
    rx_mapping_finish(m, map);
    return INFLOW_TAKEN;
}

enum inflow_verdict inflow_mapped(struct inflow *in, struct subflow *subflow, const struct mapping *map,
                                  uint64_t now_ns)
{
    struct rx_mapping *m = &subflow->rx_mapping;
    bool checked = in->checksums && map->len, goes_on = in->stuck;
    in->stuck = false;
    if (goes_on) /* it was judged */
        return hand_up(in, subflow, map, now_ns);
    if (subflow->tcp.state == TCPS_CLOSED)
        return INFLOW_TAKEN;
    if (subflow->fail_stage == FAIL_ASKING && map->len) /* RFC 8684 3.7: from there on no mapping can be trusted */
        return INFLOW_TAKEN;
    if (rx_mapping_is_swallowed(m, map->ssn) && in->checksums) {
        rx_mapping_swallow(m, map);
        return INFLOW_TAKEN;
    }
    if (checked) { /* all of it is there, and right */
        struct range missing = rxseq_new_part(&subflow->tcp.rx, map->ssn, mapping_end(map));
        if (missing.start < missing.end)
            return INFLOW_TAKEN;
        if (!rx_mapping_is_proved(m, map)) {
            subflow->fail_dsn = map->dsn;
            return INFLOW_FORGED;
        }
        if (map->ends)
            count_n(&subflow->tcp.host->counters, COUNT_DROP_MAPPING,
                    !data_rx_know_end(in->rx, dsn_add(map->dsn, map->len)));
    }
    return hand_up(in, subflow, map, now_ns);
}

/* ---- with a checksum ---- */

/* Does all of it lie before the next byte of the stream? */
static bool is_old(const struct inflow *in, const struct mapping *map)
{
    return dsn_le(dsn_add(map->dsn, map->len), data_rx_next(in->rx));
}

/* The next part of a mapping on its subflow waits for its checksum, all of it or nothing. */
static enum inflow_verdict hold_next(struct inflow *in, struct subflow *subflow, const struct mapping *map,
                                     uint64_t ssn, struct slice part, uint32_t *taken, uint64_t now_ns)
{
    struct rx_mapping *m = &subflow->rx_mapping;
    bool early = data_rx_is_early(in->rx, map->dsn), begins = !rx_mapping_is_begun(m, map);
    enum claim claim = begins && early ? CLAIM_SURPLUS : CLAIM_URGENT;
    *taken = part.len;
    if (rx_mapping_hold_next(m, map, ssn, part, claim, now_ns) == RX_HELD)
        return INFLOW_TAKEN;
    *taken = 0;
    if (early || is_old(in, map)) {
        if (swallow_early(in, subflow, true)) {
            rx_mapping_swallow(m, map);
            *taken = part.len;
        }
        return INFLOW_TAKEN;
    }
    if (begins && !in->hopeless)
        return INFLOW_NO_ROOM;
    count(&subflow->tcp.host->counters, COUNT_DROP_NO_MEMORY);
    return INFLOW_TAKEN;
}

/* A part of one mapping is held until its checksum proves it. */
static enum inflow_verdict place_checked(struct inflow *in, struct subflow *subflow, const struct mapping *map,
                                         uint64_t ssn, struct slice part, uint32_t *taken, uint64_t now_ns)
{
    struct rx_mapping *m = &subflow->rx_mapping;
    enum inflow_verdict verdict = INFLOW_TAKEN;
    *taken = part.len;
    if (rx_mapping_is_swallowed(m, ssn)) { /* perhaps to make room for it */
        rx_mapping_swallow(m, map);
        return INFLOW_TAKEN;
    }
    if (ssn <= subflow->tcp.rx.next)
        verdict = hold_next(in, subflow, map, ssn, part, taken, now_ns);
    else if (rx_mapping_hold_ahead(m, map, ssn, part, taken) != RX_HELD)
        count(&subflow->tcp.host->counters, COUNT_LIMIT_DISORDER);
    if (verdict != INFLOW_TAKEN || *taken < part.len)
        return verdict;
    return inflow_mapped(in, subflow, map, now_ns);
}

/* ---- without ---- */

static enum inflow_verdict place_part(struct inflow *in, struct subflow *subflow, uint64_t ssn, dsn64 dsn,
                                      struct slice bytes, uint32_t *taken)
{
    bool in_order = !in->plain && ssn <= subflow->tcp.rx.next, early = data_rx_is_early(in->rx, dsn);
    enum data_rx_answer answer = DATA_RX_NO_ROOM;
    *taken = 0;
    if (!early || data_rx_has_room(in->rx, bytes))
        answer = deliver(in, subflow, dsn, bytes, early, false, taken);
    if (may_hope(in, answer, early))
        return INFLOW_NO_ROOM;
    if (answer == DATA_RX_NO_ROOM && early && swallow_early(in, subflow, in_order))
        *taken = bytes.len;
    return INFLOW_TAKEN;
}

/* A merged segment may span mappings: the part in the first of them, or that has none. */
static enum inflow_verdict place_by_mapping(struct inflow *in, struct subflow *subflow, uint64_t ssn,
                                            struct slice bytes, uint32_t *taken, uint32_t *wanted, uint64_t now_ns)
{
    const struct mapping *map = rx_mapping_find(&subflow->rx_mapping, ssn);
    *wanted = bytes.len;
    if (!map || (in->checksums && !map->len)) {
        *taken = hold_unmapped(in, subflow, ssn, bytes, now_ns);
        return INFLOW_TAKEN;
    }
    *wanted = bytes.len = (uint32_t)HW_MIN(bytes.len, mapping_end(map) - ssn);
    return in->checksums ? place_checked(in, subflow, map, ssn, bytes, taken, now_ns)
                         : place_part(in, subflow, ssn, dsn_add(map->dsn, ssn - map->ssn), bytes, taken);
}

enum inflow_verdict inflow_place(struct inflow *in, struct subflow *subflow, uint64_t ssn, struct slice bytes,
                                 uint32_t *taken, uint64_t now_ns)
{
    enum inflow_verdict verdict = INFLOW_TAKEN;
    *taken = 0;
    if (in->plain)
        return place_part(in, subflow, ssn, dsn_of_ssn(in->idsn, ssn), bytes, taken);
    if (in->stuck)
        verdict = inflow_mapped(in, subflow, &in->stuck_map, now_ns);
    while (verdict == INFLOW_TAKEN && *taken < bytes.len && subflow->tcp.state != TCPS_CLOSED) {
        uint32_t done, wanted;
        struct slice rest = slice_sub(bytes, *taken, bytes.len - *taken);
        verdict = place_by_mapping(in, subflow, ssn + *taken, rest, &done, &wanted, now_ns);
        *taken += done;
        if (done < wanted)
            break;
    }
    return verdict;
}

/* ---- what can be given up ---- */

bool inflow_holds_unmapped(const struct list *subflows)
{
    LIST_EACH (it, subflows)
        if (rx_mapping_holds(&subflow_at(it)->rx_mapping))
            return true;
    return false;
}

bool inflow_drop_unmapped(struct list *subflows)
{
    if (!inflow_holds_unmapped(subflows))
        return false;
    LIST_EACH (it, subflows)
        rx_mapping_surrender(&subflow_at(it)->rx_mapping);
    return true;
}

void inflow_idle(struct data_rx *rx, struct list *subflows)
{
    if (data_rx_readable(rx))
        return;
    data_rx_idle(rx);
    LIST_EACH (it, subflows)
        rx_mapping_idle(&subflow_at(it)->rx_mapping);
}

bool inflow_drop_disorder(struct data_rx *rx, struct list *subflows)
{
    bool had_some = data_rx_has_disorder(rx);
    data_rx_forget_disorder(rx);
    LIST_EACH (it, subflows)
        rx_mapping_idle(&subflow_at(it)->rx_mapping);
    return had_some;
}

bool inflow_renege(struct data_rx *rx, struct list *subflows)
{
    bool forgot = data_rx_has_disorder(rx);
    LIST_EACH (it, subflows) {
        struct subflow *subflow = subflow_at(it);
        forgot |= rx_mapping_forget_ahead(&subflow->rx_mapping, subflow->tcp.rx.next);
        if (forgot)
            rxseq_forget_ahead(&subflow->tcp.rx);
    }
    if (forgot)
        (void)inflow_drop_disorder(rx, subflows);
    return forgot;
}
