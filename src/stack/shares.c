#include "stack/shares.h"

#include "base/compiler.h"

/* Of an IPv6 address, what a provider gives to one subscriber. */
#define SUBSCRIBER_BYTES 8u

int shares_init(struct shares *s, const struct hawser_env *env, uint32_t connections, struct account *memory)
{
    *s = (struct shares){.limit = connections, .memory = memory};
    for (unsigned i = 0; i < SHARES_LEVELS; i++)
        list_init(&s->levels[i]);
    pool_init(&s->pool, env, sizeof(struct share), connections);
    return hash_init(&s->table, env, 16);
}

void shares_destroy(struct shares *s)
{
    hash_destroy(&s->table);
    pool_destroy(&s->pool);
}

static uint64_t hash_of(const struct shares *s, enum hawser_share by, const struct hawser_addr *peer)
{
    const bool whole = by == HAWSER_SHARE_BY_HOST || hawser_addr_is_v4(peer);
    return hash_bytes(&s->table, peer->ip, whole ? sizeof peer->ip : SUBSCRIBER_BYTES);
}

static struct share *find(const struct shares *s, uint64_t hash)
{
    struct hash_node *node = hash_first(&s->table, hash);
    return node ? HW_CONTAINER(node, struct share, node) : NULL;
}

struct share *shares_find(const struct shares *s, enum hawser_share by, const struct hawser_addr *peer)
{
    return by == HAWSER_SHARE_NONE ? NULL : find(s, hash_of(s, by, peer));
}

bool shares_admit(const struct shares *s, enum hawser_share by, const struct hawser_addr *peer, uint32_t in_use)
{
    if (by == HAWSER_SHARE_NONE || in_use < s->limit - s->limit / SHARES_SPARE)
        return true;
    const struct share *share = shares_find(s, by, peer);
    uint32_t divided = s->limit - (in_use - s->connections);
    return !share || share->connections < divided / (s->table.count + 1) || shares_greedier(s, share);
}

static unsigned level_of(uint32_t connections)
{
    unsigned log = hw_log2(connections);
    return log ? 2 * log - 1 + (connections >> (log - 1) & 1) : 0;
}

/* Among those that have about as many. */
static void enlist(struct shares *s, struct share *share)
{
    list_move_back(&s->levels[level_of(share->connections)], &share->link);
}

static struct share *find_or_make(struct shares *s, enum hawser_share by, const struct hawser_addr *peer)
{
    if (by == HAWSER_SHARE_NONE)
        return NULL;
    uint64_t hash = hash_of(s, by, peer);
    struct share *share = find(s, hash);
    if (share)
        return share;
    share = pool_get(&s->pool);
    if (!share)
        return NULL;
    share->connections = share->requests = 0;
    list_init(&share->link);
    account_open(&share->account, s->memory);
    list_init(&share->members);
    hash_insert(&s->table, &share->node, hash);
    return share;
}

static void drop_unless_needed(struct shares *s, struct share *share)
{
    if (share->connections || share->requests)
        return;
    account_close(&share->account);
    hash_remove(&s->table, &share->node);
    pool_put(&s->pool, share);
}

struct share *shares_enter(struct shares *s, enum hawser_share by, const struct hawser_addr *peer)
{
    struct share *share = find_or_make(s, by, peer);
    if (!share)
        return NULL;
    share->connections++;
    s->connections++;
    enlist(s, share);
    return share;
}

void shares_leave(struct shares *s, struct share *share)
{
    s->connections--;
    if (--share->connections)
        enlist(s, share);
    else
        list_remove(&share->link);
    drop_unless_needed(s, share);
}

struct share *shares_ask(struct shares *s, enum hawser_share by, const struct hawser_addr *peer)
{
    struct share *share = find_or_make(s, by, peer);
    if (share)
        share->requests++;
    return share;
}

void shares_unask(struct shares *s, struct share *share)
{
    share->requests--;
    drop_unless_needed(s, share);
}

struct share *shares_greedier(const struct shares *s, const struct share *than)
{
    unsigned level = SHARES_LEVELS;
    while (level > 0 && list_empty(&s->levels[level - 1]))
        level--;
    if (level == 0)
        return NULL;
    struct share *share = LIST_ENTRY(list_first(&s->levels[level - 1]), struct share, link);
    return share->connections > (than ? than->connections : 0) + 1 ? share : NULL;
}
