#include "sim/judges/decode.h"

#include <string.h>

#include "base/compiler.h"

enum { V4_HEADER = 20, V6_HEADER = 40, TCP_HEADER = 20, PROTOCOL_TCP = 6 };
enum { KIND_END = 0, KIND_NOP = 1, KIND_MSS = 2, KIND_SCALE = 3, KIND_SACK_OK = 4, KIND_SACK = 5, KIND_TIMES = 8 };
enum { KIND_MPTCP = 30 };

static uint32_t big(const uint8_t *p, unsigned bytes)
{
    uint32_t v = 0;
    while (bytes--)
        v = v << 8 | *p++;
    return v;
}

static uint64_t big64(const uint8_t *p) { return (uint64_t)big(p, 4) << 32 | big(p + 4, 4); }

/* RFC 1071: the ones' complement sum, in the order of the bytes. */
static uint32_t add_up(uint32_t sum, const uint8_t *p, size_t len)
{
    uint64_t wide = sum;
    for (; len > 1; p += 2, len -= 2)
        wide += big(p, 2);
    if (len)
        wide += (uint64_t)*p << 8;
    while (wide >> 16)
        wide = (wide & 0xffff) + (wide >> 16);
    return (uint32_t)wide;
}

static void set_fault(struct seen *s, const char *what)
{
    if (!s->fault)
        s->fault = what;
}

static void set_option_fault(struct seen *s, const char *what)
{
    if (!s->option_fault)
        s->option_fault = what;
}

/* ---- MPTCP options: one function an option, `p` at its kind byte; false: this length or form is not allowed ---- */

/* RFC 8684 3.1: the form follows from SYN and ACK flags. */
static bool read_capable(struct seen *s, const uint8_t *p, unsigned len)
{
    bool syn = s->flags & SEEN_SYN, ack = s->flags & SEEN_ACK;
    struct seen_capable *o = &s->capable;
    bool right = syn ? len == (ack ? 12 : 4) : len == 20 || len == 22 || len == 24;
    if (!right || s->flags & SEEN_RST || (len > 20 && s->len == 0))
        return false;
    *o = (struct seen_capable){.len = (uint8_t)len, .version = p[2] & 0xf, .flags = p[3]};
    if (len >= 12)
        o->sender_key = big64(p + 4);
    if (len >= 20)
        o->receiver_key = big64(p + 12);
    if (len >= 22)
        o->data_len = (uint16_t)big(p + 20, 2);
    if (len >= 24)
        o->checksum = (uint16_t)big(p + 22, 2);
    return true;
}

/* RFC 8684 3.2 */
static bool read_join(struct seen *s, const uint8_t *p, unsigned len)
{
    bool syn = s->flags & SEEN_SYN, ack = s->flags & SEEN_ACK;
    if (len != (!syn ? 24u : ack ? 16u : 12u) || s->flags & SEEN_RST || p[2] & (syn ? 0xe : 0xf))
        return false;
    s->join_len = (uint8_t)len;
    if (len == 12)
        s->join_token = big(p + 4, 4);
    return true;
}

/* RFC 8684 3.3 */
static bool read_dss(struct seen *s, const uint8_t *p, unsigned len)
{
    struct seen_dss o = {.fin = p[3] & 0x10, .has_map = p[3] & 0x04, .has_ack = p[3] & 0x01};
    o.dsn_is_64 = p[3] & 0x08;
    o.ack_is_64 = p[3] & 0x02;
    unsigned ack_len = o.ack_is_64 ? 8 : 4, dsn_len = o.dsn_is_64 ? 8 : 4;
    unsigned want = 4 + (o.has_ack ? ack_len : 0) + (o.has_map ? dsn_len + 6 : 0);
    o.has_checksum = o.has_map && len == want + 2;
    bool reserved = p[2] & 0xf || p[3] & 0xe0;
    if (len != want + (o.has_checksum ? 2 : 0) || reserved || (o.fin && !o.has_map) || s->flags & SEEN_SYN)
        return false;
    p += 4;
    if (o.has_ack) {
        o.ack = o.ack_is_64 ? big64(p) : big(p, 4);
        p += ack_len;
    }
    if (o.has_map) {
        o.dsn = o.dsn_is_64 ? big64(p) : big(p, 4);
        p += dsn_len;
        o.ssn = big(p, 4);
        o.len = (uint16_t)big(p + 4, 2);
        if (o.has_checksum)
            o.checksum = (uint16_t)big(p + 6, 2);
        if (o.fin && o.len == 0)
            return false;
    }
    s->dss = o;
    return true;
}

/* RFC 8684 3.4.1: an address of either family, with or without port; the HMAC is missing from echoes only. */
static bool right_add_addr(const uint8_t *p, unsigned len)
{
    bool echo = p[2] & 1;
    unsigned rest = len - (echo ? 4 : 12);
    return !(p[2] & 0xe) && len > (echo ? 4 : 12) && (rest == 4 || rest == 6 || rest == 16 || rest == 18);
}

static bool read_mptcp(struct seen *s, const uint8_t *p, unsigned len)
{
    unsigned subtype = len > 2 ? p[2] >> 4 : 0xe;
    bool good;
    if (len < 3 || (len < 4 && subtype != SEEN_PRIO) || s->mptcp >> subtype & 1)
        return false;
    switch (subtype) {
    case SEEN_CAPABLE:
        good = read_capable(s, p, len);
        break;
    case SEEN_JOIN:
        good = read_join(s, p, len);
        break;
    case SEEN_DSS:
        good = read_dss(s, p, len);
        break;
    case SEEN_ADD_ADDR:
        good = right_add_addr(p, len);
        break;
    case SEEN_REMOVE_ADDR:
        good = len > 3;
        break;
    case SEEN_PRIO:
        good = len == 3;
        break;
    case SEEN_FAIL:
    case SEEN_FASTCLOSE:
        good = len == 12;
        break;
    case SEEN_TCPRST: /* RFC 8684 3.6: on a RST and nowhere else */
        good = len == 4 && s->flags & SEEN_RST;
        break;
    default:
        good = subtype == SEEN_EXPERIMENTAL;
    }
    if (good)
        s->mptcp |= (uint16_t)(1u << subtype);
    return good;
}

/* ---- TCP options ---- */

static bool read_sack(struct seen *s, const uint8_t *p, unsigned len)
{
    unsigned n = (len - 2) / 8;
    if (len != 2 + 8 * n || n == 0 || n > SEEN_SACK_MAX || s->sack_count)
        return false;
    p += 2;
    for (unsigned i = 0; i < n; i++, p += 8) {
        s->sack[i].start = big(p, 4);
        s->sack[i].end = big(p + 4, 4);
    }
    s->sack_count = (uint8_t)n;
    return true;
}

/* One option of more than one byte. RFC 9293 3.2, RFC 7323 2 and 3, RFC 2018. */
static const char *read_option(struct seen *s, const uint8_t *p, unsigned len)
{
    bool syn = s->flags & SEEN_SYN;
    switch (p[0]) {
    case KIND_MSS:
        if (len != 4 || !syn || s->has_mss)
            return "maximum segment size";
        s->has_mss = true;
        s->mss = (uint16_t)big(p + 2, 2);
        return NULL;
    case KIND_SCALE:
        if (len != 3 || !syn || s->has_scale || p[2] > 14)
            return "window scale";
        s->has_scale = true;
        s->scale = p[2];
        return NULL;
    case KIND_SACK_OK:
        if (len != 2 || !syn || s->has_sack_permitted)
            return "SACK permitted";
        s->has_sack_permitted = true;
        return NULL;
    case KIND_SACK:
        return !syn && read_sack(s, p, len) ? NULL : "SACK";
    case KIND_TIMES:
        if (len != 10 || s->has_timestamps)
            return "timestamps";
        s->has_timestamps = true;
        s->ts_val = big(p + 2, 4);
        s->ts_ecr = big(p + 6, 4);
        return NULL;
    case KIND_MPTCP:
        return read_mptcp(s, p, len) ? NULL : "MPTCP";
    default:
        return "an option that Hawser does not know";
    }
}

static void read_options(struct seen *s, const uint8_t *p, unsigned left)
{
    while (left) {
        if (p[0] == KIND_END) {
            for (unsigned i = 0; i < left; i++)
                if (p[i])
                    set_option_fault(s, "bytes after the end of the options");
            return;
        }
        unsigned len = p[0] == KIND_NOP ? 1 : left > 1 ? p[1] : 0;
        if (len == 0 || len > left || (len == 1 && p[0] != KIND_NOP)) {
            set_option_fault(s, "an option's length leaves the header");
            return;
        }
        const char *what = len > 1 ? read_option(s, p, len) : NULL;
        if (what)
            set_option_fault(s, what);
        p += len;
        left -= len;
    }
}

/* ---- headers ---- */

static void v4_address(struct hawser_addr *addr, const uint8_t *p)
{
    memset(addr->ip, 0, 10);
    addr->ip[10] = addr->ip[11] = 0xff;
    memcpy(addr->ip + 12, p, 4);
}

/* Offset of the TCP header, 0 when there is none; `*len` becomes what the IP header says. */
static size_t read_v4(const uint8_t *p, size_t *len, struct seen *s)
{
    size_t header = (size_t)(p[0] & 0xf) * 4, total = big(p + 2, 2);
    if (header < V4_HEADER || total < header || total > *len) {
        set_fault(s, "IPv4 lengths");
        return 0;
    }
    if (total != *len)
        set_fault(s, "bytes after the IPv4 packet");
    if (add_up(0, p, header) != 0xffff) {
        s->checksum_wrong = true;
        set_fault(s, "IPv4 header checksum");
    }
    if (big(p + 6, 2) & 0x3fff || p[9] != PROTOCOL_TCP) {
        set_fault(s, "a fragment, or no TCP");
        return 0;
    }
    if (p[8] == 0)
        set_fault(s, "time to live is 0");
    *len = total;
    v4_address(&s->src, p + 12);
    v4_address(&s->dst, p + 16);
    return header;
}

static size_t read_v6(const uint8_t *p, size_t *len, struct seen *s)
{
    size_t total = V6_HEADER + big(p + 4, 2);
    if (total > *len) {
        set_fault(s, "IPv6 lengths");
        return 0;
    }
    if (total != *len)
        set_fault(s, "bytes after the IPv6 packet");
    if (p[6] != PROTOCOL_TCP) {
        set_fault(s, "no TCP");
        return 0;
    }
    if (p[7] == 0)
        set_fault(s, "hop limit is 0");
    *len = total;
    memcpy(s->src.ip, p + 8, 16);
    memcpy(s->dst.ip, p + 24, 16);
    return V6_HEADER;
}

static void check_tcp_sum(const uint8_t *packet, const uint8_t *tcp, size_t len, struct seen *s)
{
    bool v4 = packet[0] >> 4 == 4;
    uint32_t sum = add_up((uint32_t)len + PROTOCOL_TCP, packet + (v4 ? 12 : 8), v4 ? 8 : 32);
    if (add_up(sum, tcp, len) != 0xffff) {
        s->checksum_wrong = true;
        set_fault(s, "TCP checksum");
    }
}

static void check_flags(struct seen *s, const uint8_t *tcp)
{
    unsigned f = s->flags;
    bool two_of_three = (f & SEEN_SYN && f & (SEEN_FIN | SEEN_RST)) || (f & SEEN_FIN && f & SEEN_RST);
    if (two_of_three || !(f & (SEEN_SYN | SEEN_RST | SEEN_ACK)))
        set_fault(s, "TCP flags that do not go together");
    if (tcp[12] & 0xf)
        set_fault(s, "reserved bits of the TCP header");
    if (f & SEEN_URG || big(tcp + 18, 2))
        set_fault(s, "urgent data");
}

bool decode(const uint8_t *packet, size_t len, bool checksum_pending, struct seen *out)
{
    memset(out, 0, sizeof *out);
    unsigned version = len ? packet[0] >> 4 : 0;
    size_t at = 0;
    if (version == 4 && len >= V4_HEADER)
        at = read_v4(packet, &len, out);
    else if (version == 6 && len >= V6_HEADER)
        at = read_v6(packet, &len, out);
    if (at == 0) {
        set_fault(out, "no IP header");
        return false;
    }
    const uint8_t *tcp = packet + at;
    size_t tcp_len = len - at, header = tcp_len >= TCP_HEADER ? (size_t)(tcp[12] >> 4) * 4 : 0;
    if (header < TCP_HEADER || header > tcp_len) {
        set_fault(out, "TCP header length");
        return false;
    }
    if (!checksum_pending)
        check_tcp_sum(packet, tcp, tcp_len, out);
    out->src.port = (uint16_t)big(tcp, 2);
    out->dst.port = (uint16_t)big(tcp + 2, 2);
    out->seq = big(tcp + 4, 4);
    out->ack = big(tcp + 8, 4);
    out->flags = tcp[13];
    out->window = (uint16_t)big(tcp + 14, 2);
    out->option_bytes = (uint8_t)(header - TCP_HEADER);
    out->payload = tcp + header;
    out->len = (uint32_t)(tcp_len - header);
    check_flags(out, tcp);
    read_options(out, tcp + TCP_HEADER, out->option_bytes);
    return true;
}
