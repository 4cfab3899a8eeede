#include "base/pool.h"

#include <stdalign.h>
#include <string.h>

#include "base/check.h"

/* Objects to a slab: enough to make the allocator's work rare, few enough not to waste on a small stack. */
#define SLAB_BYTES 16384u

struct pool_slab {
    struct pool_slab *next;
    alignas(max_align_t) unsigned char objects[];
};

void pool_init(struct pool *pool, const struct hawser_env *env, size_t object_size, uint32_t limit)
{
    size_t align = alignof(max_align_t);
    if (object_size < sizeof(void *))
        object_size = sizeof(void *);
    *pool = (struct pool){.env = env, .object_size = (object_size + align - 1) / align * align, .limit = limit};
}

static void push(struct pool *pool, void *object)
{
    memcpy(object, &pool->free, sizeof pool->free);
    pool->free = object;
}

static void grow(struct pool *pool)
{
    size_t fit = SLAB_BYTES / pool->object_size;
    uint32_t n = fit ? (uint32_t)fit : 1;
    if (n > pool->limit - pool->total)
        n = pool->limit - pool->total;
    if (n == 0)
        return;
    struct pool_slab *slab = pool->env->alloc(pool->env->ctx, sizeof *slab + n * pool->object_size);
    if (!slab)
        return;
    slab->next = pool->slabs;
    pool->slabs = slab;
    pool->total += n;
    while (n-- > 0)
        push(pool, slab->objects + n * pool->object_size);
}

void *pool_get(struct pool *pool)
{
    if (!pool->free)
        grow(pool);
    void *object = pool->free;
    if (!object) {
        pool->refusals++;
        return NULL;
    }
    memcpy(&pool->free, object, sizeof pool->free);
    pool->in_use++;
    return object;
}

void pool_put(struct pool *pool, void *object)
{
    CHECK(pool->in_use > 0);
    pool->in_use--;
    push(pool, object);
}

void pool_destroy(struct pool *pool)
{
    CHECK(pool->in_use == 0);
    while (pool->slabs) {
        struct pool_slab *slab = pool->slabs;
        pool->slabs = slab->next;
        pool->env->free(pool->env->ctx, slab);
    }
    pool->free = NULL;
    pool->total = 0;
}
