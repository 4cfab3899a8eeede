/* How many connections each client has, by its address, so that one leaves room for others. */
#ifndef HW_APPS_SERVICE_GUESTS_H
#define HW_APPS_SERVICE_GUESTS_H

#include <hawser/addr.h>

#include "base/hash.h"

struct guests {
    struct hash_table table; /* struct guest */
    uint32_t max, count;     /* connections */
    uint64_t turned_away;    /* so far */
};

struct guest; /* an address, with as many connections as it was given */

/* Makes of an address on the Internet what counts there: of IPv6 one subscriber has a /64. On a link of ours all have
 * one, and each counts by itself. */
void guest_subscriber(struct hawser_addr *addr);
/* Of an address, as nobody outside can know it. */
uint64_t guests_hash(const struct guests *guests, const struct hawser_addr *addr);

/* Room for `max` connections. Returns 0 or -ENOMEM. `env` outlives it. */
int guests_init(struct guests *guests, const struct hawser_env *env, uint32_t max);
/* All have left. */
void guests_destroy(struct guests *guests);

/* One more connection of that address. NULL: there is no room, or it would have more than are left for others, or there
 * is no memory. */
struct guest *guests_enter(struct guests *guests, const struct hawser_addr *addr);
void guests_leave(struct guests *guests, struct guest *guest);
/* Likewise, for who is told by a pointer alone that it is over, as by socket_end_on_close(). */
void guest_left(void *guest);
/* How many it has. */
uint32_t guest_count(const struct guest *guest);

#endif
