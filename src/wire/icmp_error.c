#include "wire/icmp_error.h"

#include "base/compiler.h"
#include "wire/bytes.h"
#include "wire/checksum.h"
#include "wire/icmp.h"

/* All of TCP's header that every router quotes (RFC 792): ports and sequence number. */
#define QUOTED_TCP_MIN 8
#define MTU_AT_V4 6
#define MTU_AT_V6 4

/* RFC 792, RFC 1812 5.2.7 and 5.3.8; RFC 4443 3. Source quench is none any more (RFC 6633). */
enum { V4_UNREACHABLE = 3, V4_TIME_EXCEEDED = 11, V4_PARAMETER_PROBLEM = 12 };
enum { V6_UNREACHABLE = 1, V6_TOO_BIG = 2, V6_TIME_EXCEEDED = 3, V6_PARAMETER_PROBLEM = 4, V6_NEXT_HEADER_CODE = 1 };

static const uint8_t v4_unreachable[] = {
    [0] = ICMP_NO_NETWORK,       [1] = ICMP_NO_HOST,
    [2] = ICMP_NO_PROTOCOL,      [3] = ICMP_NO_PORT,
    [4] = ICMP_TOO_BIG,          [5] = ICMP_NO_NETWORK,
    [6] = ICMP_NO_NETWORK,       [7] = ICMP_NO_HOST,
    [8] = ICMP_NO_HOST,          [9] = ICMP_PROHIBITED_NETWORK,
    [10] = ICMP_PROHIBITED_HOST, [11] = ICMP_NO_NETWORK,
    [12] = ICMP_NO_HOST,         [13] = ICMP_PROHIBITED_HOST,
    [14] = ICMP_PROHIBITED_HOST, [15] = ICMP_PROHIBITED_HOST,
};
static const uint8_t v6_unreachable[] = {
    [0] = ICMP_NO_NETWORK, [1] = ICMP_PROHIBITED, [2] = ICMP_NO_HOST,    [3] = ICMP_NO_HOST,
    [4] = ICMP_NO_PORT,    [5] = ICMP_PROHIBITED, [6] = ICMP_PROHIBITED,
};

/* ICMP_KINDS: it is none. */
static enum icmp_kind kind_v4(uint8_t type, uint8_t code)
{
    switch (type) {
    case V4_UNREACHABLE:
        return code < HW_ARRAY_LEN(v4_unreachable) ? v4_unreachable[code] : ICMP_KINDS;
    case V4_TIME_EXCEEDED:
        return ICMP_TIME_EXCEEDED;
    case V4_PARAMETER_PROBLEM:
        return ICMP_PARAMETER_PROBLEM;
    default:
        return ICMP_KINDS;
    }
}

static enum icmp_kind kind_v6(uint8_t type, uint8_t code)
{
    switch (type) {
    case V6_UNREACHABLE:
        return code < HW_ARRAY_LEN(v6_unreachable) ? v6_unreachable[code] : ICMP_KINDS;
    case V6_TOO_BIG:
        return ICMP_TOO_BIG;
    case V6_TIME_EXCEEDED:
        return ICMP_TIME_EXCEEDED;
    case V6_PARAMETER_PROBLEM:
        return code == V6_NEXT_HEADER_CODE ? ICMP_NO_PROTOCOL : ICMP_PARAMETER_PROBLEM;
    default:
        return ICMP_KINDS;
    }
}

static bool checksum_good(const uint8_t *p, const struct ip_header *ip)
{
    struct csum sum = {0, false};
    if (!ip->is_v4) /* RFC 4443 2.3 */
        csum_add_pseudo_as(&sum, IP_PROTO_ICMPV6, &ip->src, &ip->dst, ip->payload_len);
    csum_add(&sum, p, ip->payload_len);
    return csum_finish(&sum) == 0;
}

static enum icmp_result read_quote(const uint8_t *p, size_t len, bool v4, struct icmp_error *out)
{
    struct ip_header quoted;
    if (ip_parse_quoted(p, len, &quoted) != IP_OK || quoted.is_v4 != v4)
        return ICMP_MALFORMED;
    if (quoted.protocol != IP_PROTO_TCP)
        return ICMP_OTHER;
    if (len - quoted.header_len < QUOTED_TCP_MIN || quoted.payload_len < QUOTED_TCP_MIN)
        return ICMP_MALFORMED;
    const uint8_t *tcp = p + quoted.header_len;
    out->local = quoted.src;
    out->local.port = get16(tcp);
    out->remote = quoted.dst;
    out->remote.port = get16(tcp + 2);
    out->seq = seq_at(get32(tcp + 4));
    out->packet_len = quoted.header_len + quoted.payload_len;
    return ICMP_ERROR;
}

enum icmp_result icmp_error_parse(const uint8_t *p, const struct ip_header *ip, struct icmp_error *out)
{
    if (ip->payload_len < ICMP_HEADER_LEN)
        return ICMP_MALFORMED;
    if (!checksum_good(p, ip))
        return ICMP_BAD_CHECKSUM;
    enum icmp_kind kind = ip->is_v4 ? kind_v4(p[0], p[1]) : kind_v6(p[0], p[1]);
    if (kind == ICMP_KINDS)
        return ICMP_OTHER;
    *out = (struct icmp_error){.kind = kind};
    if (kind == ICMP_TOO_BIG) /* RFC 1191 4: old routers leave it 0 */
        out->mtu = ip->is_v4 ? get16(p + MTU_AT_V4) : get32(p + MTU_AT_V6);
    return read_quote(p + ICMP_HEADER_LEN, ip->payload_len - ICMP_HEADER_LEN, ip->is_v4, out);
}

uint32_t icmp_plateau_below(uint32_t packet_len)
{
    static const uint16_t plateaus[] = {65535, 32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296, 68};
    for (size_t i = 0; i < HW_ARRAY_LEN(plateaus); i++)
        if (plateaus[i] < packet_len)
            return plateaus[i];
    return plateaus[HW_ARRAY_LEN(plateaus) - 1];
}
