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

/* What is more than any prefix, and than both: from another scope nothing may come back. */
#define ROLE 256
#define SAME_SCOPE 512

static int fit_of(const struct source_wish *wish, const struct local_address *local)
{
    bool backup = path_plan_is_backup(wish->plan, &local->addr, local->backup);
    return covered_bits(local, wish->remote) + (backup == wish->backup ? ROLE : 0) +
           (scope_meets(&local->addr, wish->remote) ? SAME_SCOPE : 0);
}

const struct local_address *source_best(const struct local_address *addresses, unsigned count,
                                        const struct source_wish *wish)
{
    const struct local_address *best = NULL;
    for (unsigned i = 0; i < count; i++) {
        const struct local_address *local = &addresses[i];
        if (hawser_addr_is_v4(&local->addr) != hawser_addr_is_v4(wish->remote) ||
            scope_of(&local->addr) < scope_of(wish->remote) ||
            (wish->tried_count && memchr(wish->tried, local->id, wish->tried_count)) ||
            !path_plan_owns(wish->plan, &local->addr))
            continue;
        if (!best || fit_of(wish, local) > fit_of(wish, best))
            best = local;
    }
    return best;
}
