/* Bounded pools of equal objects: memory comes in slabs, objects are recycled, nothing is zeroed, and slabs that nobody
 * uses go back. */
#ifndef HW_BASE_POOL_H
#define HW_BASE_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hawser/env.h>

#include "base/list.h"

struct pool_slab;

struct pool {
    const struct hawser_env *env; /* borrowed; must outlive the pool */
    struct list open, full;       /* slabs with idle objects, and those without */
    size_t object_size, stride;
    uint32_t limit, in_use, total;
    struct pool_slab *spare; /* an empty slab that is kept, also among the open ones; or NULL */
    uint64_t refusals;       /* pool_get() calls that found the limit or no memory */
};

/* `object_size` bytes each, at most `limit` objects. Allocates nothing yet. */
void pool_init(struct pool *pool, const struct hawser_env *env, size_t object_size, uint32_t limit);

/* An object of indeterminate content, or NULL at the limit or without memory. */
void *pool_get(struct pool *pool);

void pool_put(struct pool *pool, void *object);

/* Frees what is kept. CHECKs that every object came back: a leak is a bug. */
void pool_destroy(struct pool *pool);

#endif
