/*
 * For whom we hold how much memory, by address: of what there is for all, nobody begins anything more
 * once that would leave less for others than he has.
 */
#ifndef HW_APPS_SERVICE_HOLDERS_H
#define HW_APPS_SERVICE_HOLDERS_H

#include <hawser/addr.h>

#include "base/hash.h"
#include "base/list.h"

struct holders {
    struct hash_table table; /* struct holder */
    struct list all;         /* likewise */
    uint64_t bytes, max;     /* held now; who holds already may go beyond */
    uint64_t refused;        /* so far, as there was no room for them */
};

struct holder; /* an address */

/* One thing that is held for an address. */
struct held {
    struct list link;  /* of the holder's */
    struct holder *by; /* NULL: it is charged to nobody */
    uint64_t bytes;
};

/* Returns 0 or -ENOMEM. `env` outlives it. */
int holders_init(struct holders *holders, const struct hawser_env *env, uint64_t max);
/* Nothing is held any more. */
void holders_destroy(struct holders *holders);

/* Begins to hold so many bytes for that address. Returns 0; -ENOBUFS: there is no room, or no more for it; or -ENOMEM.
 */
int holders_enter(struct holders *holders, struct held *held, const struct hawser_addr *addr, uint64_t bytes);
/* So many it is now. */
void holders_charge(struct holders *holders, struct held *held, uint64_t bytes);
/* It is gone; harmless when it was before. */
void holders_leave(struct holders *holders, struct held *held);

/* The largest one of the address that has most; NULL: nothing is held. */
struct held *holders_largest(const struct holders *holders);

#endif
