/* IP and TCP headers: whatever is accepted lies within the packet. */
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "fuzz.h"
#include "wire/ip.h"
#include "wire/tcp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ip_header ip;
    struct tcp_header tcp;
    if (size < 1)
        return 0;
    bool merged = data[0] & 1;
    data++;
    size--;
    if (ip_parse(data, size, merged, &ip) != IP_OK)
        return 0;
    CHECK(ip.header_len <= size && ip.payload_len <= size - ip.header_len);
    CHECK(hawser_addr_is_v4(&ip.src) == ip.is_v4 && hawser_addr_is_v4(&ip.dst) == ip.is_v4);
    if (tcp_header_parse(data + ip.header_len, ip.payload_len, &tcp))
        CHECK(tcp.header_len >= TCP_HEADER_LEN && tcp.header_len <= ip.payload_len);
    return 0;
}
