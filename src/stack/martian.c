/* Sources that nobody beyond a link can have (RFC 1122 3.2.1.3, RFC 1812 5.3.7, RFC 4291 2.5.3). */
#include "base/scope.h"
#include "stack/stack.h"

bool martian_source(const struct hawser_stack *stack, const struct hawser_addr *src)
{
    if (!scope_is_reachable(src))
        return true;
    for (unsigned i = 0; i < stack->host.address_count; i++) {
        const struct local_address *own = &stack->host.addresses[i];
        if (hawser_addr_same_ip(&own->addr, src) || local_address_broadcasts(own, src))
            return true;
    }
    return false;
}
