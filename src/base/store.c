#include "base/store.h"

#include <errno.h>

/* So much may stay. */
#define IDLE_BYTES (UINT64_C(16) << 10)

int store_init(struct store *store, const struct hawser_env *env)
{
    static const uint32_t sizes[STORE_POOLS] = {STORE_SMALL_BYTES, STORE_MEDIUM_BYTES,
                                                STORE_LARGE_BYTES, [STORE_VIEWS] = 0};
    *store = (struct store){0};
    for (unsigned i = 0; i < STORE_POOLS; i++) {
        int err = hawser_buf_pool_new(env, sizes[i], UINT32_MAX, &store->pools[i]);
        if (err == 0)
            continue;
        store_close(store);
        return err;
    }
    return 0;
}

void store_close(struct store *store)
{
    for (unsigned i = 0; i < STORE_POOLS; i++)
        if (store->pools[i])
            hawser_buf_pool_close(store->pools[i]);
    *store = (struct store){0};
}

static struct hawser_buf *take(struct hawser_buf_pool *pool, struct account *account, enum claim claim)
{
    if (!account_admits(account, buf_pool_each(pool), claim))
        return NULL;
    struct hawser_buf *buf = hawser_buf_new(pool);
    if (buf)
        buf_charge(buf, account);
    return buf;
}

struct hawser_buf *store_take(struct store *store, struct account *account, uint64_t wish, enum claim claim)
{
    struct hawser_buf *buf = NULL;
    for (unsigned i = STORE_SIZES; i-- > 0 && !buf;)
        if (i == 0 || 4 * wish >= buf_pool_capacity(store->pools[i]))
            buf = take(store->pools[i], account, claim);
    return buf;
}

struct hawser_buf *store_take_room(struct store *store, struct account *account, uint32_t len, enum claim claim)
{
    for (unsigned i = 0; i < STORE_SIZES; i++)
        if (len <= buf_pool_capacity(store->pools[i]))
            return take(store->pools[i], account, claim);
    return NULL;
}

struct hawser_buf *store_take_view(struct store *store, struct account *account, struct hawser_buf *whole,
                                   enum claim claim)
{
    if (!account_admits(account, (uint64_t)buf_pool_each(store->pools[STORE_VIEWS]) + buf_size(whole), claim))
        return NULL;
    struct hawser_buf *buf = buf_new_view(store->pools[STORE_VIEWS], whole);
    if (buf)
        buf_charge(buf, account);
    return buf;
}

void store_trim(struct store *store)
{
    for (unsigned i = 0; i < STORE_POOLS; i++)
        buf_pool_trim(store->pools[i]);
}

bool store_wants_trim(const struct store *store)
{
    uint64_t idle = 0;
    for (unsigned i = 0; i < STORE_POOLS; i++)
        idle += buf_pool_idle_bytes(store->pools[i]);
    return idle > IDLE_BYTES;
}

uint32_t store_smallest(const struct store *store) { return buf_pool_each(store->pools[0]); }

uint32_t store_in_use(const struct store *store)
{
    uint32_t in_use = 0;
    for (unsigned i = 0; i < STORE_POOLS; i++)
        in_use += buf_pool_in_use(store->pools[i]);
    return in_use;
}

uint64_t store_returns(const struct store *store)
{
    uint64_t returns = 0;
    for (unsigned i = 0; i < STORE_POOLS; i++)
        returns += buf_pool_returns(store->pools[i]);
    return returns;
}
