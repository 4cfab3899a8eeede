/* How far an IP address is known: which addresses can meet (RFC 6724 3.1, RFC 4291 2.5 to 2.7, RFC 1122 3.2.1.3). */
#ifndef HW_BASE_SCOPE_H
#define HW_BASE_SCOPE_H

#include <hawser/addr.h>

/* In order of reach; the numbers are those of RFC 6724 3.1. */
enum scope {
    SCOPE_LINK = 0x2, /* fe80::/10, 169.254/16 and what never leaves a host */
    SCOPE_SITE = 0x5, /* fec0::/10 */
    SCOPE_GLOBAL = 0xe,
};

enum scope scope_of(const struct hawser_addr *addr);

/* Can a packet from one of them reach the other: same family, same scope? */
bool scope_meets(const struct hawser_addr *a, const struct hawser_addr *b);

/* Are the first `bits` of `addr` those of `prefix`, of the same family? Of IPv4 there are 32. */
bool scope_covers(const struct hawser_addr *prefix, unsigned bits, const struct hawser_addr *addr);

/* Can a host have this address, seen from another one? */
bool scope_is_reachable(const struct hawser_addr *addr);

/* May a single host have this address for itself? */
bool scope_is_unicast(const struct hawser_addr *addr);

#endif
