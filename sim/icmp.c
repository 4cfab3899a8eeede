#include "sim/icmp.h"

#include <string.h>

#include "base/compiler.h"
#include "wire/bytes.h"
#include "wire/checksum.h"
#include "wire/ip.h"

enum { QUOTE_BYTES = 64, HEADER_LEN = 8, MTU_OFFSET = 4 };

struct said {
    uint8_t type, code;
};
static const struct said v4[] = {[ICMP_SAYS_PORT] = {3, 3},
                                 [ICMP_SAYS_TOO_BIG] = {3, 4},
                                 [ICMP_SAYS_HOST] = {3, 1},
                                 [ICMP_SAYS_PROHIBITED] = {3, 13}};
static const struct said v6[] = {[ICMP_SAYS_PORT] = {1, 4},
                                 [ICMP_SAYS_TOO_BIG] = {2, 0},
                                 [ICMP_SAYS_HOST] = {1, 3},
                                 [ICMP_SAYS_PROHIBITED] = {1, 1}};

void icmp_seal(struct packet *icmp)
{
    struct ip_header ip;
    struct csum sum = {0, false};
    if (ip_parse(icmp->data, icmp->len, false, &ip) != IP_OK)
        return;
    uint8_t *p = icmp->data + ip.header_len;
    put16(p + 2, 0);
    if (!ip.is_v4) /* RFC 4443 2.3 */
        csum_add_pseudo_as(&sum, IP_PROTO_ICMPV6, &ip.src, &ip.dst, ip.payload_len);
    csum_add(&sum, p, ip.payload_len);
    put16(p + 2, csum_finish(&sum));
    packet_rewritten(icmp);
}

struct packet *icmp_about(struct hawser_buf_pool *pool, const struct packet *quoted, enum icmp_said what, uint32_t mtu)
{
    struct ip_header ip;
    if (ip_parse(quoted->data, quoted->len, false, &ip) != IP_OK)
        return NULL;
    struct packet *packet = packet_new(pool);
    if (!packet)
        return NULL;
    const struct said *said = ip.is_v4 ? &v4[what] : &v6[what];
    uint32_t quote = HW_MIN(quoted->len, (uint32_t)QUOTE_BYTES), len = HEADER_LEN + quote;
    size_t l3 = ip_emit_as(packet->data, ip.is_v4 ? IP_PROTO_ICMP : IP_PROTO_ICMPV6, &ip.dst, &ip.src, 0, len);
    uint8_t *p = packet->data + l3;
    memset(p, 0, HEADER_LEN);
    p[0] = said->type;
    p[1] = said->code;
    if (what == ICMP_SAYS_TOO_BIG)
        put32(p + MTU_OFFSET, mtu);
    memcpy(p + HEADER_LEN, quoted->data, quote);
    packet->len = (uint32_t)l3 + len;
    icmp_seal(packet);
    return packet;
}
