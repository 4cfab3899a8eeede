#include "base/hash.h"

#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "base/compiler.h"

#define SIZE_MIN 8u
/* Buckets added or taken away by one call: more than one of them, so that the size follows the count. */
#define GROWS_AT_ONCE 2u
#define SHRINKS_AT_ONCE 4u

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

int hash_init(struct hash_table *t, const struct hawser_env *env, uint32_t expected)
{
    *t = (struct hash_table){.count = 0};
    segments_init(&t->buckets, env, HW_MAX(expected, SIZE_MIN));
    if (segments_reserve(&t->buckets, 1) < 0)
        return -ENOMEM;
    t->size = t->size_min = t->buckets.capacity;
    t->mask = t->size - 1;
    memset(t->buckets.parts[0], 0, t->size * sizeof(void *));
    env->random(env->ctx, t->key, sizeof t->key);
    return 0;
}

void hash_destroy(struct hash_table *t)
{
    segments_destroy(&t->buckets);
    t->count = 0;
}

static void **bucket(const struct hash_table *t, uint64_t hash)
{
    uint32_t i = (uint32_t)hash & t->mask;
    return segments_at(&t->buckets, i < t->size ? i : i & t->mask >> 1);
}

static void push(struct hash_table *t, struct hash_node *node)
{
    void **head = bucket(t, node->hash);
    node->next = *head;
    *head = node;
}

/* One more bucket, which takes its share of the one that stood in for it. False: it is not to be had. */
static bool grow(struct hash_table *t)
{
    uint32_t added = t->size;
    if (segments_reserve(&t->buckets, added + 1) < 0)
        return false;
    if (added > t->mask)
        t->mask = 2 * t->mask + 1;
    void **from = segments_at(&t->buckets, added & t->mask >> 1);
    struct hash_node *node = *from;
    *from = *segments_at(&t->buckets, added) = NULL;
    t->size++;
    for (struct hash_node *next; node; node = next) {
        next = node->next;
        push(t, node);
    }
    return true;
}

/* One fewer. */
static void shrink(struct hash_table *t)
{
    uint32_t gone = --t->size;
    struct hash_node *node = *segments_at(&t->buckets, gone);
    if (gone == (t->mask + 1) / 2) /* half of it covers what is left */
        t->mask >>= 1;
    for (struct hash_node *next; node; node = next) {
        next = node->next;
        push(t, node);
    }
    segments_trim(&t->buckets, t->size);
}

void hash_insert(struct hash_table *t, struct hash_node *node, uint64_t hash)
{
    node->hash = hash;
    push(t, node);
    t->count++;
    for (unsigned i = 0; i < GROWS_AT_ONCE && t->count > t->size && grow(t); i++)
        ;
}

void hash_remove(struct hash_table *t, struct hash_node *node)
{
    void **head = bucket(t, node->hash);
    struct hash_node *at = *head;
    if (at == node) {
        *head = node->next;
    } else {
        while (at && at->next != node)
            at = at->next;
        CHECK(at);
        at->next = node->next;
    }
    t->count--;
    for (unsigned i = 0; i < SHRINKS_AT_ONCE && t->size > t->size_min && t->count < t->size / 4; i++)
        shrink(t);
}

static struct hash_node *same_hash(struct hash_node *node, uint64_t hash)
{
    while (node && node->hash != hash)
        node = node->next;
    return node;
}

struct hash_node *hash_first(const struct hash_table *t, uint64_t hash) { return same_hash(*bucket(t, hash), hash); }

struct hash_node *hash_next(const struct hash_node *node) { return same_hash(node->next, node->hash); }
