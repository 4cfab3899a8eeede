#include "base/hash.h"

#include <errno.h>
#include <string.h>

#include "base/check.h"

/* Their array has a size that a size_t holds, on 32 bits too. */
#define BUCKETS_MAX (UINT32_C(1) << 28)

static uint64_t rotl(uint64_t x, int b) { return x << b | x >> (64 - b); }

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotl(v[1], 13) ^ v[0];
    v[0] = rotl(v[0], 32);
    v[2] += v[3];
    v[3] = rotl(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotl(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotl(v[1], 17) ^ v[2];
    v[2] = rotl(v[2], 32);
}

static uint64_t load_le(const uint8_t *p, size_t n)
{
    uint64_t x = 0;
    for (size_t i = 0; i < n; i++)
        x |= (uint64_t)p[i] << (8 * i);
    return x;
}

uint64_t hash_bytes(const struct hash_table *t, const void *data, size_t len)
{
    const uint8_t *p = data;
    uint64_t v[4] = {t->key[0] ^ UINT64_C(0x736f6d6570736575), t->key[1] ^ UINT64_C(0x646f72616e646f6d),
                     t->key[0] ^ UINT64_C(0x6c7967656e657261), t->key[1] ^ UINT64_C(0x7465646279746573)};
    size_t left = len;
    for (; left >= 8; p += 8, left -= 8) {
        uint64_t m = load_le(p, 8);
        v[3] ^= m;
        sip_round(v);
        v[0] ^= m;
    }
    uint64_t last = (uint64_t)len << 56 | load_le(p, left);
    v[3] ^= last;
    sip_round(v);
    v[0] ^= last;
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static struct hash_node **new_buckets(const struct hawser_env *env, uint32_t n)
{
    struct hash_node **buckets = env->alloc(env->ctx, n * sizeof(struct hash_node *));
    if (buckets)
        memset(buckets, 0, n * sizeof(struct hash_node *));
    return buckets;
}

int hash_init(struct hash_table *t, const struct hawser_env *env, uint32_t expected)
{
    uint32_t n = 8;
    while (n < expected && n < BUCKETS_MAX)
        n *= 2;
    *t = (struct hash_table){.env = env, .buckets = new_buckets(env, n), .mask = n - 1};
    if (!t->buckets)
        return -ENOMEM;
    env->random(env->ctx, t->key, sizeof t->key);
    return 0;
}

void hash_destroy(struct hash_table *t)
{
    if (t->buckets)
        t->env->free(t->env->ctx, t->buckets);
    t->buckets = NULL;
    t->count = 0;
}

static void push(struct hash_node **buckets, uint32_t mask, struct hash_node *node)
{
    struct hash_node **head = &buckets[node->hash & mask];
    node->next = *head;
    *head = node;
}

static void grow(struct hash_table *t)
{
    uint32_t n = 2 * (t->mask + 1);
    struct hash_node **buckets = n <= BUCKETS_MAX ? new_buckets(t->env, n) : NULL;
    if (!buckets)
        return;
    for (uint32_t i = 0; i <= t->mask; i++) {
        for (struct hash_node *node = t->buckets[i], *next; node; node = next) {
            next = node->next;
            push(buckets, n - 1, node);
        }
    }
    t->env->free(t->env->ctx, t->buckets);
    t->buckets = buckets;
    t->mask = n - 1;
}

void hash_insert(struct hash_table *t, struct hash_node *node, uint64_t hash)
{
    if (t->count > t->mask)
        grow(t);
    node->hash = hash;
    push(t->buckets, t->mask, node);
    t->count++;
}

void hash_remove(struct hash_table *t, struct hash_node *node)
{
    struct hash_node **at = &t->buckets[node->hash & t->mask];
    while (*at != node) {
        CHECK(*at);
        at = &(*at)->next;
    }
    *at = node->next;
    t->count--;
}

static struct hash_node *same_hash(struct hash_node *node, uint64_t hash)
{
    while (node && node->hash != hash)
        node = node->next;
    return node;
}

struct hash_node *hash_first(const struct hash_table *t, uint64_t hash)
{
    return same_hash(t->buckets[hash & t->mask], hash);
}

struct hash_node *hash_next(const struct hash_node *node) { return same_hash(node->next, node->hash); }
