#include "tcp/user_timeout.h"

#include "base/compiler.h"
#include "tcp/rtt.h"

_Static_assert(USER_TIMEOUT_ADOPTED_MIN_NS > RTO_MAX_NS, "RFC 5482 3.1");

void user_timeout_advertise(struct user_timeout *u, uint64_t ns)
{
    u->advertised = user_timeout_encode(ns);
    if (!u->advertised)
        u->remote = 0;
}

void user_timeout_write(const struct user_timeout *u, struct tcp_options *options)
{
    if (!u->advertised)
        return;
    options->user_timeout = u->advertised;
    options->present |= TCP_OPT_USER_TIMEOUT;
}

void user_timeout_read(struct user_timeout *u, const struct tcp_options *options)
{
    if (u->advertised && options->present & TCP_OPT_USER_TIMEOUT)
        u->remote = options->user_timeout;
}

uint64_t user_timeout_in_force(const struct user_timeout *u, bool synchronized)
{
    if (u->own_ms || !u->advertised || !synchronized)
        return user_timeout_own(u);
    uint64_t longer_ns = HW_MAX(user_timeout_advertised(u), user_timeout_remote(u));
    return HW_MIN(USER_TIMEOUT_ADOPTED_MAX_NS, HW_MAX(longer_ns, USER_TIMEOUT_ADOPTED_MIN_NS));
}
