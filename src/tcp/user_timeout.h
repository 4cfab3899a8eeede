/*
 * How long a connection waits for its peer to acknowledge more (RFC 9293 3.9.1), and what the two ends tell each other
 * of that (RFC 5482). All subflows of a connection share it, and whichever of them brings the peer's word last counts.
 */
#ifndef HW_TCP_USER_TIMEOUT_H
#define HW_TCP_USER_TIMEOUT_H

#include "base/units.h"
#include "wire/tcp_options.h"

/* RFC 5482 3.1: what is adopted lies between these. L_LIMIT is longer than any retransmission timeout. U_LIMIT is for
 * how long a peer can have us keep a connection by a word and then say nothing. By answers to window probes, one a
 * minute, it can have us keep one for as long as it likes: so an hour gives it little, and outlasts most outages. */
#define USER_TIMEOUT_ADOPTED_MIN_NS (100 * NS_PER_S)
#define USER_TIMEOUT_ADOPTED_MAX_NS (3600 * NS_PER_S)

struct user_timeout {
    uint32_t own_ms;     /* the program's; 0: none, so that the peer has a say (CHANGEABLE) */
    uint16_t advertised; /* as on the wire; 0: the peer is neither told nor heard (ENABLED) */
    uint16_t remote;     /* likewise, what the peer advertised last; 0: nothing */
};

/* The program's own. Whole milliseconds, rounded up; 0: none. */
static inline void user_timeout_set(struct user_timeout *u, uint64_t ns) { u->own_ms = ms_of_ns(ns); }
static inline uint64_t user_timeout_own(const struct user_timeout *u) { return ns_of_ms(u->own_ms); }
/* What the peer is told, as user_timeout_encode() says it; 0: nothing, and what it says is ignored, too. */
void user_timeout_advertise(struct user_timeout *u, uint64_t ns);
static inline uint64_t user_timeout_advertised(const struct user_timeout *u)
{
    return user_timeout_decode(u->advertised);
}
/* What the peer advertised last; 0: nothing. */
static inline uint64_t user_timeout_remote(const struct user_timeout *u) { return user_timeout_decode(u->remote); }

/* The option, if the peer is told, / of a segment that was accepted, if it is heard. */
void user_timeout_write(const struct user_timeout *u, struct tcp_options *options);
void user_timeout_read(struct user_timeout *u, const struct tcp_options *options);

/* What counts: the program's own, or what is adopted (RFC 5482 3.1), but not before the handshake is over (3.3). 0:
 * none does. */
uint64_t user_timeout_in_force(const struct user_timeout *u, bool synchronized);
/* Likewise where the option is used, else 0: no keepalive ends such a connection sooner (RFC 5482 4.2). */
static inline uint64_t user_timeout_shared(const struct user_timeout *u)
{
    return u->advertised ? user_timeout_in_force(u, true) : 0;
}

#endif
