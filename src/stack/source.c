#include "stack/source.h"

#include <string.h>

#include "base/scope.h"

/* The length of the prefix of `local` where that covers `addr`, else -1. */
static int covered_bits(const struct local_address *local, const struct hawser_addr *addr)
{
    unsigned first = hawser_addr_is_v4(&local->addr) ? 96 : 0;
    for (unsigned bit = first; bit < first + local->prefix_len; bit++)
        if ((local->addr.ip[bit / 8] ^ addr->ip[bit / 8]) & 0x80 >> bit % 8)
            return -1;
    return local->prefix_len;
}

/* What is more than any prefix, and than both. */
#define SAME_SCOPE 256
#define REGULAR 512

static int fit_of(const struct local_address *local, const struct path_plan *plan, const struct hawser_addr *remote)
{
    return covered_bits(local, remote) + (scope_meets(&local->addr, remote) ? SAME_SCOPE : 0) +
           (path_plan_is_backup(plan, &local->addr, local->backup) ? 0 : REGULAR);
}

const struct local_address *source_best(const struct local_address *addresses, unsigned count,
                                        const struct path_plan *plan, const struct hawser_addr *remote,
                                        const uint8_t *tried, unsigned tried_count)
{
    const struct local_address *best = NULL;
    for (unsigned i = 0; i < count; i++) {
        const struct local_address *local = &addresses[i];
        if (hawser_addr_is_v4(&local->addr) != hawser_addr_is_v4(remote) || scope_of(&local->addr) < scope_of(remote) ||
            (tried_count && memchr(tried, local->id, tried_count)) || !path_plan_owns(plan, &local->addr))
            continue;
        if (!best || fit_of(local, plan, remote) > fit_of(best, plan, remote))
            best = local;
    }
    return best;
}
