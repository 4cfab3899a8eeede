/* ICMP errors: what is taken for one lies within the message. The first byte says of which family it is. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/check.h"
#include "fuzz.h"
#include "wire/bytes.h"
#include "wire/checksum.h"
#include "wire/icmp_error.h"

#define MESSAGE_MAX 2048

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t bytes[MESSAGE_MAX];
    struct ip_header ip = {.is_v4 = size && data[0] & 1};
    struct icmp_error error;
    if (size < 1 + 4 || size > MESSAGE_MAX)
        return 0;
    ip.payload_len = (uint32_t)size - 1;
    memcpy(bytes, data + 1, ip.payload_len);
    struct csum sum = {0, false};
    put16(bytes + 2, 0);
    if (!ip.is_v4)
        csum_add_pseudo_as(&sum, IP_PROTO_ICMPV6, &ip.src, &ip.dst, ip.payload_len);
    csum_add(&sum, bytes, ip.payload_len);
    put16(bytes + 2, csum_finish(&sum));
    if (icmp_error_parse(bytes, &ip, &error) != ICMP_ERROR)
        return 0;
    CHECK(error.kind < ICMP_KINDS && (error.kind == ICMP_TOO_BIG || error.mtu == 0));
    CHECK(hawser_addr_is_v4(&error.local) == ip.is_v4 || !ip.is_v4);
    CHECK(error.packet_len >= (ip.is_v4 ? 28u : 48u));
    CHECK(icmp_plateau_below(error.packet_len) < error.packet_len || error.packet_len < 70);
    return 0;
}
