/* Sources that nobody beyond a link can have (RFC 1122 3.2.1.3, RFC 1812 5.3.7, RFC 4291 2.5.3). Those that are no
 * host's at all, such as multicast ones, do not get past ip_parse(). */
#include <string.h>

#include "stack/stack.h"

static bool is_loopback(const struct hawser_addr *src)
{
    static const uint8_t loopback[16] = {[15] = 1};
    return memcmp(src->ip, loopback, sizeof loopback) == 0;
}

bool martian_source(const struct hawser_stack *stack, const struct hawser_addr *src)
{
    bool v4 = hawser_addr_is_v4(src);
    if (v4 ? src->ip[12] == 0 || src->ip[12] == 127 : is_loopback(src))
        return true;
    for (unsigned i = 0; i < stack->host.address_count; i++) {
        const struct local_address *own = &stack->host.addresses[i];
        if (hawser_addr_same_ip(&own->addr, src) || local_address_broadcasts(own, src))
            return true;
    }
    return false;
}
