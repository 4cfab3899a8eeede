/* How connections and subflows begin (RFC 8684 3.1 and 3.2). */
#include <inttypes.h>

#include "sim/judges/rules.h"

/* Bits of MP_CAPABLE's second octet. */
enum { FLAG_CHECKSUM = 0x80, FLAG_EXTENDED = 0x40, FLAGS_CRYPTO = 0x1f, CRYPTO_HMAC_SHA256 = 0x01 };
enum { LEN_SYN_ACK = 12, LEN_ACK = 20, LEN_DATA = 22, LEN_DATA_CHECKSUM = 24 };

static bool checksums_agreed(const struct judge_conn *conn)
{
    return conn->wants_checksums[0] || conn->wants_checksums[1];
}

/* What is wrong with an MP_CAPABLE, or NULL. */
static const char *capable_fault(const struct judge_subflow *s, const struct seen *seen)
{
    const struct judge_conn *conn = s->conn;
    const struct seen_capable *o = &seen->capable;
    bool syn = seen->flags & SEEN_SYN;
    if (s->join)
        return "MP_CAPABLE on a subflow that joined";
    if (o->version != 1)
        return "another version than 1";
    if (o->flags & FLAG_EXTENDED || (o->flags & FLAGS_CRYPTO) != CRYPTO_HMAC_SHA256)
        return "flags that version 1 does not have";
    if (syn && !s->opened && !conn->offered)
        return "an answer to an offer that never came";
    if (o->len >= LEN_SYN_ACK && o->sender_key != conn->local.key)
        return "another key than before";
    if (o->len < LEN_ACK)
        return NULL;
    if (!s->opened)
        return "both keys, from the listener";
    if (!conn->remote.known || o->receiver_key != conn->remote.key)
        return "a key that the peer did not give";
    if (!(o->flags & FLAG_CHECKSUM) == checksums_agreed(conn))
        return "flag A that does not confirm what was agreed";
    if (o->len >= LEN_DATA && (o->len == LEN_DATA_CHECKSUM) != checksums_agreed(conn))
        return "a checksum where none was agreed, or none";
    return NULL;
}

static bool holds(const struct host_prefixes *prefixes, const struct hawser_addr *addr)
{
    bool any = false;
    for (uint32_t i = 0; i < prefixes->count; i++) {
        const struct hawser_prefix *p = &prefixes->list[i];
        unsigned bits = p->bits + (hawser_addr_is_v4(&p->addr) ? 96 : 0);
        bool equal = hawser_addr_is_v4(&p->addr) == hawser_addr_is_v4(addr);
        for (unsigned k = 0; k < bits; k++)
            equal &= ((p->addr.ip[k / 8] ^ addr->ip[k / 8]) >> (7 - k % 8) & 1) == 0;
        any |= equal;
    }
    return any;
}

/* By the lists of its host. */
static bool is_allowed(const struct host_spec *spec, const struct hawser_addr *addr)
{
    return (spec->allow.count == 0 || holds(&spec->allow, addr)) && !holds(&spec->deny, addr);
}

static void check_join(const struct judge_subflow *s, const struct seen *seen)
{
    bool syn = seen->flags & SEEN_SYN;
    if (syn && s->opened && !s->conn->heard_dss)
        judge_says(s, "join-after-dss", "MP_JOIN before a DSS has passed");
    const struct host_spec *spec = s->conn->at->spec;
    if (syn && !(is_allowed(spec, &s->local) && is_allowed(spec, &s->remote)))
        judge_says(s, "path-allowed", "MP_JOIN between addresses that its options do not allow");
    /* Each side waits for the proof of the other: the third packet, and what answers it. */
    if (seen->len && !s->proved)
        judge_says(s, "join-early-data", "%u bytes before the subflow is fully established", seen->len);
}

void handshake_sent(struct judge_subflow *s, const struct seen *seen, uint64_t now_ns)
{
    (void)now_ns;
    const struct judge_conn *conn = s->conn;
    if (seen_has(seen, SEEN_CAPABLE)) {
        const char *fault = capable_fault(s, seen);
        if (fault)
            judge_says(s, "capable-consistent", "MP_CAPABLE has %s", fault);
    }
    if (s->join && !(seen->flags & SEEN_RST))
        check_join(s, seen);
    const struct seen_dss *dss = &seen->dss;
    if (dss->has_map && (dss->len || dss->fin) && dss->has_checksum != checksums_agreed(conn))
        judge_says(s, "checksums-agreed", "a mapping %s a checksum", dss->has_checksum ? "with" : "without");
}
