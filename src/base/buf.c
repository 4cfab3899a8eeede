#include "base/buf.h"

#include <stdbool.h>

#include "base/check.h"

/* A buffer of more would have a size beyond what 32 bits can count. */
#define CAP_MAX (UINT32_C(1) << 30)

struct hawser_buf {
    struct hawser_buf_pool *pool;
    struct hawser_buf *next; /* among the idle ones */
    uint32_t refs;
    uint32_t cap;
    uint8_t data[];
};

struct hawser_buf_pool {
    struct hawser_env env;
    struct hawser_buf *idle;
    uint32_t cap, limit, in_use, total;
    uint64_t returns, refusals;
    bool closed;
};

struct hawser_buf_pool *hawser_buf_pool_new(const struct hawser_env *env, uint32_t cap, uint32_t limit)
{
    if (cap > CAP_MAX)
        return NULL;
    struct hawser_buf_pool *pool = env->alloc(env->ctx, sizeof *pool);
    if (!pool)
        return NULL;
    *pool = (struct hawser_buf_pool){.env = *env, .cap = cap, .limit = limit};
    return pool;
}

static void free_idle(struct hawser_buf_pool *pool)
{
    while (pool->idle) {
        struct hawser_buf *buf = pool->idle;
        pool->idle = buf->next;
        pool->total--;
        pool->env.free(pool->env.ctx, buf);
    }
}

void hawser_buf_pool_close(struct hawser_buf_pool *pool)
{
    pool->closed = true;
    free_idle(pool);
    if (pool->in_use == 0) {
        struct hawser_env env = pool->env;
        env.free(env.ctx, pool);
    }
}

struct hawser_buf *hawser_buf_new(struct hawser_buf_pool *pool)
{
    struct hawser_buf *buf = pool->idle;
    if (buf) {
        pool->idle = buf->next;
    } else {
        if (pool->total < pool->limit)
            buf = pool->env.alloc(pool->env.ctx, sizeof *buf + pool->cap);
        if (!buf) {
            pool->refusals++;
            return NULL;
        }
        buf->pool = pool;
        buf->cap = pool->cap;
        pool->total++;
    }
    buf->refs = 1;
    buf->next = NULL;
    pool->in_use++;
    return buf;
}

struct hawser_buf *hawser_buf_ref(struct hawser_buf *buf)
{
    CHECK(buf->refs > 0 && buf->refs < UINT32_MAX);
    buf->refs++;
    return buf;
}

void hawser_buf_unref(struct hawser_buf *buf)
{
    struct hawser_buf_pool *pool = buf->pool;
    CHECK(buf->refs > 0);
    if (--buf->refs > 0)
        return;
    pool->in_use--;
    pool->returns++;
    buf->next = pool->idle;
    pool->idle = buf;
    if (pool->closed)
        hawser_buf_pool_close(pool);
}

uint8_t *hawser_buf_data(struct hawser_buf *buf) { return buf->data; }

uint32_t hawser_buf_capacity(const struct hawser_buf *buf) { return buf->cap; }

uint32_t buf_pool_in_use(const struct hawser_buf_pool *pool) { return pool->in_use; }

bool buf_is_shared(const struct hawser_buf *buf) { return buf->refs > 1; }

bool buf_is_of(const struct hawser_buf *buf, const struct hawser_buf_pool *pool) { return buf->pool == pool; }

bool buf_pool_is_scarce(const struct hawser_buf_pool *pool) { return pool->in_use > pool->limit / 2; }

bool buf_is_scarce(const struct hawser_buf *buf) { return buf_pool_is_scarce(buf->pool); }

uint64_t buf_pool_bytes(const struct hawser_buf_pool *pool) { return (uint64_t)pool->limit * pool->cap; }

uint32_t buf_pool_limit(const struct hawser_buf_pool *pool) { return pool->limit; }

uint32_t buf_pool_left(const struct hawser_buf_pool *pool) { return pool->limit - pool->in_use; }

uint64_t buf_pool_returns(const struct hawser_buf_pool *pool) { return pool->returns; }

uint64_t buf_pool_refusals(const struct hawser_buf_pool *pool) { return pool->refusals; }
