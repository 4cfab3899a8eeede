#include "stack/ports.h"

#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "base/compiler.h"
#include "stack/tuple.h"

/* Most groups have few ports, and remember them one by one; the others have a bit for each. */
#define FEW 16u
/* At so few they go back to that. */
#define FEW_AGAIN 8u
#define WORD_BITS 64u

/* Known by the hash alone. Should two pairs ever share it they share the group, and keep out of each other's way. */
struct port_group {
    struct hash_node node;
    uint64_t *taken;   /* bits, from the first port on; NULL: listed */
    uint16_t few[FEW]; /* indices, in any order */
    uint16_t used;
};

static uint32_t words(const struct ports *p) { return (p->count + WORD_BITS - 1) / WORD_BITS; }

static uint32_t part_begin(uint32_t shard, uint32_t shards) { return PORTS_FIRST + shard * PORTS_COUNT / shards; }

int ports_shard(uint16_t port, uint32_t shards)
{
    if (port < PORTS_FIRST || port >= PORTS_FIRST + PORTS_COUNT)
        return -1;
    uint32_t shard = (port - PORTS_FIRST) * shards / PORTS_COUNT;
    return (int)(shard + (port >= part_begin(shard + 1, shards)));
}

struct port_range ports_part(uint32_t shard, uint32_t shards)
{
    uint32_t begin = part_begin(shard, shards);
    return (struct port_range){(uint16_t)begin, (uint16_t)(part_begin(shard + 1, shards) - begin)};
}

int ports_init(struct ports *p, const struct hawser_env *env, uint32_t limit, struct port_range range)
{
    *p = (struct ports){.env = env, .first = range.first, .count = range.count};
    pool_init(&p->groups, env, sizeof(struct port_group), limit);
    return hash_init(&p->table, env, 16);
}

void ports_destroy(struct ports *p)
{
    CHECK(p->table.count == 0);
    hash_destroy(&p->table);
    pool_destroy(&p->groups);
}

static uint64_t hash_of(const struct ports *p, const struct hawser_addr *local, const struct hawser_addr *remote)
{
    uint8_t key[TUPLE_LEN];
    struct hawser_addr any_port = *local;
    any_port.port = 0;
    tuple_write(key, &any_port, remote);
    return hash_bytes(&p->table, key, sizeof key);
}

static struct port_group *find(const struct ports *p, uint64_t hash)
{
    struct hash_node *node = hash_first(&p->table, hash);
    return node ? HW_CONTAINER(node, struct port_group, node) : NULL;
}

uint16_t ports_random(const struct ports *p)
{
    uint32_t drawn;
    p->env->random(p->env->ctx, &drawn, sizeof drawn);
    return (uint16_t)(p->first + drawn % p->count);
}

static bool listed(const struct port_group *group, uint32_t index)
{
    for (unsigned i = 0; i < group->used; i++)
        if (group->few[i] == index)
            return true;
    return false;
}

static bool is_taken(const struct port_group *group, uint32_t index)
{
    return group->taken ? group->taken[index / WORD_BITS] >> index % WORD_BITS & 1 : listed(group, index);
}

/* The bits beyond the last port are set, as if they were taken. */
static uint32_t first_clear(const struct ports *p, const uint64_t *taken, uint32_t from)
{
    uint64_t before = (UINT64_C(1) << from % WORD_BITS) - 1; /* in the word where it begins */
    uint32_t first = from / WORD_BITS, n = words(p);
    for (uint32_t i = 0; i <= n; i++) {
        uint32_t at = (first + i) % n;
        uint64_t clear = ~taken[at] & (i == 0 ? ~before : ~UINT64_C(0));
        if (clear)
            return at * WORD_BITS + hw_lowest_bit(clear);
    }
    return p->count;
}

uint16_t ports_free_from(const struct ports *p, const struct hawser_addr *local, const struct hawser_addr *remote,
                         uint16_t from)
{
    const struct port_group *group = find(p, hash_of(p, local, remote));
    uint32_t index = (uint32_t)(from - p->first) % p->count;
    if (group && group->used == p->count)
        return 0;
    if (group && group->taken)
        index = first_clear(p, group->taken, index);
    else if (group)
        while (listed(group, index))
            index = (index + 1) % p->count;
    return (uint16_t)(p->first + index);
}

/* From a list to bits. */
static bool spread(const struct ports *p, struct port_group *group)
{
    uint32_t n = words(p);
    uint64_t *taken = p->env->alloc(p->env->ctx, n * sizeof *taken);
    if (!taken)
        return false;
    memset(taken, 0, n * sizeof *taken);
    if (p->count % WORD_BITS)
        taken[n - 1] = ~UINT64_C(0) << p->count % WORD_BITS;
    for (unsigned i = 0; i < group->used; i++)
        taken[group->few[i] / WORD_BITS] |= UINT64_C(1) << group->few[i] % WORD_BITS;
    group->taken = taken;
    return true;
}

/* And back. */
static void gather(const struct ports *p, struct port_group *group)
{
    uint64_t *taken = group->taken;
    unsigned n = 0;
    if (p->count % WORD_BITS)
        taken[words(p) - 1] &= ~(~UINT64_C(0) << p->count % WORD_BITS);
    for (uint32_t at = 0; at < words(p); at++)
        for (uint64_t word = taken[at]; word; word &= word - 1)
            group->few[n++] = (uint16_t)(at * WORD_BITS + hw_lowest_bit(word));
    group->taken = NULL;
    p->env->free(p->env->ctx, taken);
}

static void drop_if_unused(struct ports *p, struct port_group *group)
{
    if (group->used)
        return;
    if (group->taken)
        p->env->free(p->env->ctx, group->taken);
    hash_remove(&p->table, &group->node);
    pool_put(&p->groups, group);
}

int ports_take(struct ports *p, const struct hawser_addr *local, const struct hawser_addr *remote, uint16_t port)
{
    uint64_t hash = hash_of(p, local, remote);
    struct port_group *group = find(p, hash);
    uint16_t index = (uint16_t)(port - p->first);
    if (!group) {
        group = pool_get(&p->groups);
        if (!group)
            return -ENOBUFS;
        *group = (struct port_group){.used = 0};
        hash_insert(&p->table, &group->node, hash);
    }
    CHECK(index < p->count && !is_taken(group, index));
    if (group->used == FEW && !group->taken && !spread(p, group))
        return -ENOBUFS;
    if (group->taken)
        group->taken[index / WORD_BITS] |= UINT64_C(1) << index % WORD_BITS;
    else
        group->few[group->used] = index;
    group->used++;
    return 0;
}

void ports_give(struct ports *p, const struct hawser_addr *local, const struct hawser_addr *remote, uint16_t port)
{
    struct port_group *group = find(p, hash_of(p, local, remote));
    uint16_t index = (uint16_t)(port - p->first);
    CHECK(group && is_taken(group, index));
    group->used--;
    if (group->taken) {
        group->taken[index / WORD_BITS] &= ~(UINT64_C(1) << index % WORD_BITS);
        if (group->used == FEW_AGAIN)
            gather(p, group);
    } else {
        for (unsigned i = 0; i < group->used; i++)
            if (group->few[i] == index)
                group->few[i] = group->few[group->used];
    }
    drop_if_unused(p, group);
}
