/* DSS checksums (RFC 8684 3.3.1, figure 10): once every byte of a mapping has left, they are added up. */
#include <inttypes.h>

#include "sim/judges/rules.h"

static uint64_t add_number(uint64_t sum, uint64_t number)
{
    for (; number; number >>= 16)
        sum += number & 0xffff;
    return sum;
}

/* Bytes of the stream from `at` on, as numbers of 16 bits, the last one filled up with zeros. */
static uint64_t add_bytes(uint64_t sum, const struct judge_conn *conn, uint64_t at, uint64_t len)
{
    for (uint64_t i = 0; i < len; i++) {
        uint64_t byte = conn->bytes[(at + i) % conn->bytes_size];
        sum += i % 2 ? byte : byte << 8;
    }
    return sum;
}

static bool is_there(const struct judge_conn *conn, uint64_t from, uint64_t len)
{
    return len == 0 || (conn->bytes_size && from >= conn->bytes_from && from + len <= conn->data_max);
}

/* Of a mapping whose bytes are there. The sum over everything and its complement has all bits set. */
static void check_sum(const struct judge_subflow *s, const struct judge_sum *m)
{
    const struct judge_conn *conn = s->conn;
    uint64_t sum = add_bytes(m->checksum, conn, m->data, m->len);
    sum = add_number(add_number(sum, conn->local.idsn + m->data), m->ssn);
    sum += m->len + m->fin;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    if (sum != 0xffff)
        judge_says(s, "dss-checksum", "%04x over %" PRIu64 " bytes of the stream from %" PRIu64 " is wrong by %04x",
                   m->checksum, m->len, m->data, (unsigned)(0xffff - sum));
}

/* The mapping with a checksum that a segment declares. */
static bool sum_of(const struct judge_subflow *s, const struct seen *seen, struct judge_sum *out)
{
    const struct judge_conn *conn = s->conn;
    const struct seen_capable *first = &seen->capable;
    const struct seen_dss *dss = &seen->dss;
    if (seen_has(seen, SEEN_CAPABLE)) { /* RFC 8684 3.1: the first data, whose numbers are not said */
        *out = (struct judge_sum){.data = 1, .len = first->data_len, .ssn = 1, .checksum = first->checksum};
        return first->len == 24;
    }
    if (!dss->has_map || !dss->has_checksum)
        return false;
    *out = (struct judge_sum){.data = stream_offset(&conn->local, dss->dsn, dss->dsn_is_64, conn->data_max),
                              .len = (uint64_t)(dss->len - dss->fin),
                              .ssn = dss->ssn,
                              .checksum = dss->checksum,
                              .fin = dss->fin};
    return true;
}

static bool same_sum(const struct judge_sum *a, const struct judge_sum *b)
{
    return a->data == b->data && a->len == b->len && a->ssn == b->ssn && a->checksum == b->checksum && a->fin == b->fin;
}

void checksums_sent(struct judge_subflow *s, const struct seen *seen, uint64_t now_ns)
{
    (void)now_ns;
    struct judge_sum sum;
    const struct judge_conn *conn = s->conn;
    if (s->blind || conn->stream_blind || !conn->local.known || seen->flags & SEEN_RST)
        return;
    if (sum_of(s, seen, &sum)) {
        bool infinite = !seen_has(seen, SEEN_CAPABLE) && seen->dss.len == 0;
        if (infinite && sum.checksum) /* RFC 8684 3.3.1 */
            judge_says(s, "dss-checksum", "an infinite mapping has a checksum: %04x", sum.checksum);
        if (!infinite && !(s->sum_checked && same_sum(&sum, &s->sum))) {
            s->sum = sum;
            s->sum_checked = false;
            s->sum_waits = true;
        }
    }
    if (!s->sum_waits || !is_there(conn, s->sum.data, s->sum.len))
        return;
    s->sum_waits = false;
    s->sum_checked = true;
    check_sum(s, &s->sum);
}
