#include "base/scope.h"

#include <string.h>

enum scope scope_of(const struct hawser_addr *addr)
{
    const uint8_t *ip = addr->ip;
    if (hawser_addr_is_v4(addr)) /* RFC 6724 3.2: private addresses have global scope */
        return ip[12] == 127 || (ip[12] == 169 && ip[13] == 254) ? SCOPE_LINK : SCOPE_GLOBAL;
    static const uint8_t loopback[16] = {[15] = 1};
    if (memcmp(ip, loopback, sizeof loopback) == 0 || (ip[0] == 0xfe && ip[1] >> 6 == 2))
        return SCOPE_LINK;
    return ip[0] == 0xfe && ip[1] >> 6 == 3 ? SCOPE_SITE : SCOPE_GLOBAL;
}

bool scope_meets(const struct hawser_addr *a, const struct hawser_addr *b)
{
    return hawser_addr_is_v4(a) == hawser_addr_is_v4(b) && scope_of(a) == scope_of(b);
}

bool scope_is_reachable(const struct hawser_addr *addr)
{
    static const uint8_t zero[15];
    if (hawser_addr_is_v4(addr)) {
        uint8_t first = addr->ip[12];
        return first != 0 && first != 127 && first < 224;
    }
    return addr->ip[0] != 0xff && (memcmp(addr->ip, zero, sizeof zero) != 0 || addr->ip[15] > 1);
}

bool scope_is_unicast(const struct hawser_addr *addr)
{
    static const uint8_t zero[16], broadcast[4] = {255, 255, 255, 255};
    const uint8_t *v4 = addr->ip + 12;
    if (!hawser_addr_is_v4(addr))
        return memcmp(addr->ip, zero, sizeof zero) != 0 && addr->ip[0] != 0xff;
    bool multicast = v4[0] >> 4 == 14;
    return !multicast && memcmp(v4, zero, 4) != 0 && memcmp(v4, broadcast, 4) != 0;
}

bool scope_covers(const struct hawser_addr *prefix, unsigned bits, const struct hawser_addr *addr)
{
    const bool v4 = hawser_addr_is_v4(prefix);
    const unsigned all = bits + (v4 ? 96 : 0), whole = all / 8, rest = all % 8;
    if (hawser_addr_is_v4(addr) != v4 || memcmp(prefix->ip, addr->ip, whole) != 0)
        return false;
    return rest == 0 || (prefix->ip[whole] ^ addr->ip[whole]) >> (8 - rest) == 0;
}
