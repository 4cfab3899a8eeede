#include "base/pool.h"

#include <string.h>

#include "base/check.h"
#include "base/compiler.h"

/* Of a slab: enough to make the allocator's work rare, little enough not to waste on a small stack; and the first ones
 * of a pool are smaller yet. */
#define SLAB_BYTES 32768u
#define SLAB_BYTES_MIN 4096u

/* Each object is followed by the address of its slab, so that it finds its way home. */
struct pool_slab {
    struct list link; /* in one of the pool's lists */
    void *free;       /* singly linked through the first word of each idle object */
    uint32_t in_use, total;
    uint64_t objects[]; /* which hold nothing that is wider */
};

void pool_init(struct pool *pool, const struct hawser_env *env, size_t object_size, uint32_t limit)
{
    size_t word = sizeof(void *), align = sizeof(uint64_t);
    object_size = (HW_MAX(object_size, word) + word - 1) / word * word;
    *pool = (struct pool){.env = env,
                          .object_size = object_size,
                          .stride = (object_size + sizeof(struct pool_slab *) + align - 1) / align * align,
                          .limit = limit};
    list_init(&pool->open);
    list_init(&pool->full);
}

static struct pool_slab **home_of(const struct pool *pool, void *object)
{
    return (struct pool_slab **)(void *)((unsigned char *)object + pool->object_size);
}

static void push(struct pool_slab *slab, void *object)
{
    memcpy(object, &slab->free, sizeof slab->free);
    slab->free = object;
}

static struct pool_slab *grow(struct pool *pool)
{
    size_t bytes = HW_MIN(HW_MAX(pool->total * pool->stride, SLAB_BYTES_MIN), SLAB_BYTES);
    uint32_t n = (uint32_t)HW_MAX(bytes / pool->stride, 1u);
    n = HW_MIN(n, pool->limit - pool->total);
    struct pool_slab *slab = n ? pool->env->alloc(pool->env->ctx, sizeof *slab + n * pool->stride) : NULL;
    if (!slab)
        return NULL;
    slab->free = NULL;
    slab->in_use = 0;
    slab->total = n;
    while (n-- > 0) {
        void *object = (unsigned char *)slab->objects + n * pool->stride;
        *home_of(pool, object) = slab;
        push(slab, object);
    }
    list_init(&slab->link);
    list_push_front(&pool->open, &slab->link);
    pool->total += slab->total;
    return slab;
}

static void give_back(struct pool *pool, struct pool_slab *slab)
{
    list_remove(&slab->link);
    pool->total -= slab->total;
    pool->env->free(pool->env->ctx, slab);
}

void *pool_get(struct pool *pool)
{
    struct list *first = list_first(&pool->open);
    struct pool_slab *slab = first ? LIST_ENTRY(first, struct pool_slab, link) : grow(pool);
    if (!slab) {
        pool->refusals++;
        return NULL;
    }
    void *object = slab->free;
    memcpy(&slab->free, object, sizeof slab->free);
    if (slab == pool->spare)
        pool->spare = NULL;
    slab->in_use++;
    pool->in_use++;
    if (slab->in_use == slab->total) {
        list_move_back(&pool->full, &slab->link);
    }
    return object;
}

/* One empty slab is kept, the smaller one of two, for those who take and give one object again and again. */
static void keep_or_give_back(struct pool *pool, struct pool_slab *slab)
{
    struct pool_slab *other = pool->spare;
    list_move_back(&pool->open, &slab->link);
    pool->spare = other && other->total < slab->total ? other : slab;
    if (other)
        give_back(pool, pool->spare == other ? slab : other);
}

/* What is nearly full is filled first, and what is empty last, so that slabs run empty. */
void pool_put(struct pool *pool, void *object)
{
    struct pool_slab *slab = *home_of(pool, object);
    CHECK(pool->in_use > 0 && slab->in_use > 0);
    bool was_full = slab->in_use == slab->total;
    push(slab, object);
    slab->in_use--;
    pool->in_use--;
    if (slab->in_use == 0) {
        keep_or_give_back(pool, slab);
    } else if (was_full) {
        list_remove(&slab->link);
        list_push_front(&pool->open, &slab->link);
    }
}

void pool_destroy(struct pool *pool)
{
    CHECK(pool->in_use == 0);
    LIST_EACH (it, &pool->open)
        give_back(pool, LIST_ENTRY(it, struct pool_slab, link));
}
