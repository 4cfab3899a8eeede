#include "wire/icmp.h"

#include <string.h>

#include "wire/bytes.h"
#include "wire/checksum.h"
#include "wire/ip.h"

/* RFC 792 and RFC 1812 5.2.7.1; RFC 4443 3.1. */
enum { V4_TYPE = 3, V6_TYPE = 1 };
static const uint8_t v4_codes[] = {[ICMP_UNREACHABLE_NETWORK] = 0,
                                   [ICMP_UNREACHABLE_HOST] = 1,
                                   [ICMP_UNREACHABLE_PROTOCOL] = 2,
                                   [ICMP_UNREACHABLE_PORT] = 3,
                                   [ICMP_UNREACHABLE_PROHIBITED] = 13};
static const uint8_t v6_codes[] = {[ICMP_UNREACHABLE_NETWORK] = 0,
                                   [ICMP_UNREACHABLE_HOST] = 3,
                                   [ICMP_UNREACHABLE_PROTOCOL] = 4,
                                   [ICMP_UNREACHABLE_PORT] = 4,
                                   [ICMP_UNREACHABLE_PROHIBITED] = 1};

size_t icmp_unreachable_emit(uint8_t *p, enum icmp_unreachable why, const struct hawser_addr *src,
                             const struct hawser_addr *dst, const uint8_t *quote, size_t quote_len)
{
    bool v4 = hawser_addr_is_v4(dst);
    uint32_t len = (uint32_t)(ICMP_HEADER_LEN + quote_len);
    size_t l3 = ip_emit_as(p, v4 ? IP_PROTO_ICMP : IP_PROTO_ICMPV6, src, dst, 0, len);
    uint8_t *icmp = p + l3;
    memset(icmp, 0, ICMP_HEADER_LEN);
    icmp[0] = v4 ? V4_TYPE : V6_TYPE;
    icmp[1] = v4 ? v4_codes[why] : v6_codes[why];
    struct csum sum = {0, false};
    if (!v4) /* RFC 4443 2.3 */
        csum_add_pseudo_as(&sum, IP_PROTO_ICMPV6, src, dst, len);
    csum_add(&sum, icmp, ICMP_HEADER_LEN);
    csum_add(&sum, quote, quote_len);
    put16(icmp + 2, csum_finish(&sum));
    return l3 + ICMP_HEADER_LEN;
}
