#include "base/buf.h"

#include <errno.h>
#include <stdbool.h>

#include "base/check.h"
#include "base/compiler.h"

/* A buffer of more would have a size beyond what 32 bits can count. */
#define CAP_MAX (UINT32_C(1) << 30)
struct hawser_buf {
    struct hawser_buf_pool *pool; /* NULL: a program's bytes (struct wrapped) */
    union {
        struct hawser_buf *next; /* among the idle ones */
        uint32_t filled;         /* of one that is lent out */
    };
    struct hawser_buf *whole; /* whose bytes these are; NULL: its own */
    struct account *account;  /* who pays for it; NULL: who queues a part of it */
    uint8_t *bytes;
    uint32_t refs;
    uint32_t cap;
};

struct wrapped {
    struct hawser_buf buf;
    struct hawser_env env;
    void (*release)(void *ctx);
    void *ctx;
};

struct hawser_buf_pool {
    struct hawser_env env;
    struct hawser_buf *idle;
    uint32_t cap, limit, in_use, total;
    uint32_t peak; /* most that were lent out at once since the pool was trimmed last */
    uint64_t returns, refusals;
    bool closed;
};

int hawser_buf_pool_new(const struct hawser_env *env, uint32_t cap, uint32_t limit, struct hawser_buf_pool **out)
{
    if (cap > CAP_MAX)
        return -EINVAL;
    struct hawser_buf_pool *pool = env->alloc(env->ctx, sizeof *pool);
    if (!pool)
        return -ENOMEM;
    *pool = (struct hawser_buf_pool){.env = *env, .cap = cap, .limit = limit};
    *out = pool;
    return 0;
}

static void free_one(struct hawser_buf_pool *pool)
{
    struct hawser_buf *buf = pool->idle;
    pool->idle = buf->next;
    pool->total--;
    pool->env.free(pool->env.ctx, buf);
}

void hawser_buf_pool_close(struct hawser_buf_pool *pool)
{
    pool->closed = true;
    while (pool->idle)
        free_one(pool);
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
        pool->total++;
    }
    *buf = (struct hawser_buf){.pool = pool, .bytes = (uint8_t *)(buf + 1), .refs = 1, .cap = pool->cap};
    pool->in_use++;
    pool->peak = HW_MAX(pool->peak, pool->in_use);
    return buf;
}

struct hawser_buf *buf_new_view(struct hawser_buf_pool *pool, struct hawser_buf *whole)
{
    CHECK(!whole->account && !whole->whole);
    struct hawser_buf *buf = hawser_buf_new(pool);
    if (!buf)
        return NULL;
    buf->whole = hawser_buf_ref(whole);
    buf->bytes = whole->bytes;
    buf->cap = whole->cap;
    return buf;
}

int hawser_buf_wrap(const struct hawser_env *env, const void *data, uint32_t len, void (*release)(void *ctx), void *ctx,
                    struct hawser_buf **out)
{
    if (len == 0 || len > CAP_MAX)
        return -EINVAL;
    struct wrapped *wrapped = env->alloc(env->ctx, sizeof *wrapped);
    if (!wrapped)
        return -ENOMEM;
    *wrapped = (struct wrapped){
        .buf = {.bytes = (uint8_t *)(uintptr_t)data, .refs = 1, .cap = len}, /* nobody writes to them */
        .env = *env,
        .release = release,
        .ctx = ctx,
    };
    *out = &wrapped->buf;
    return 0;
}

struct hawser_buf *hawser_buf_ref(struct hawser_buf *buf)
{
    CHECK(buf->refs > 0 && buf->refs < UINT32_MAX);
    buf->refs++;
    return buf;
}

static void free_wrapped(struct hawser_buf *buf)
{
    struct wrapped *wrapped = HW_CONTAINER(buf, struct wrapped, buf);
    struct hawser_env env = wrapped->env;
    if (wrapped->release)
        wrapped->release(wrapped->ctx);
    env.free(env.ctx, wrapped);
}

static void give_back(struct hawser_buf *buf)
{
    struct hawser_buf_pool *pool = buf->pool;
    pool->in_use--;
    pool->returns++;
    buf->next = pool->idle;
    pool->idle = buf;
    if (pool->closed)
        hawser_buf_pool_close(pool);
}

void hawser_buf_unref(struct hawser_buf *buf)
{
    for (struct hawser_buf *whole; buf; buf = whole) {
        CHECK(buf->refs > 0);
        if (--buf->refs > 0)
            return;
        whole = buf->whole;
        buf_discharge(buf);
        if (buf->pool)
            give_back(buf);
        else
            free_wrapped(buf);
    }
}

uint8_t *hawser_buf_data(struct hawser_buf *buf) { return buf->bytes; }

uint32_t hawser_buf_capacity(const struct hawser_buf *buf) { return buf->cap; }

void buf_charge(struct hawser_buf *buf, struct account *account)
{
    CHECK(!buf->account);
    buf->account = account;
    account_charge(account, buf_size(buf));
}

void buf_discharge(struct hawser_buf *buf)
{
    if (buf->account)
        account_release(buf->account, buf_size(buf));
    buf->account = NULL;
}

uint32_t slice_cost(struct slice s) { return s.buf->account ? 0 : buf_size(s.buf); }

static uint32_t own_size(const struct hawser_buf *buf)
{
    return buf->pool ? buf_pool_each(buf->pool) : (uint32_t)sizeof(struct wrapped) + buf->cap;
}

uint32_t buf_size(const struct hawser_buf *buf) { return own_size(buf) + (buf->whole ? own_size(buf->whole) : 0); }

uint32_t buf_pool_each(const struct hawser_buf_pool *pool) { return (uint32_t)sizeof(struct hawser_buf) + pool->cap; }

void buf_pool_trim(struct hawser_buf_pool *pool)
{
    while (pool->total > pool->peak)
        free_one(pool);
    pool->peak = pool->in_use;
}

uint64_t buf_pool_idle_bytes(const struct hawser_buf_pool *pool)
{
    return (uint64_t)(pool->total - pool->in_use) * buf_pool_each(pool);
}

uint32_t buf_pool_in_use(const struct hawser_buf_pool *pool) { return pool->in_use; }

uint32_t buf_refs(const struct hawser_buf *buf) { return buf->refs; }

bool buf_is_shared(const struct hawser_buf *buf) { return buf->refs > 1; }

bool buf_is_view_of(const struct hawser_buf *buf, const struct hawser_buf *whole) { return buf->whole == whole; }

uint32_t buf_filled(const struct hawser_buf *buf) { return buf->filled; }

void buf_set_filled(struct hawser_buf *buf, uint32_t len) { buf->filled = len; }

bool buf_is_scarce(const struct hawser_buf *buf) { return buf->pool && buf->pool->in_use > buf->pool->limit / 2; }

uint32_t buf_pool_capacity(const struct hawser_buf_pool *pool) { return pool->cap; }

uint64_t buf_pool_returns(const struct hawser_buf_pool *pool) { return pool->returns; }

uint64_t buf_pool_refusals(const struct hawser_buf_pool *pool) { return pool->refusals; }
