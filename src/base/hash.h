/* Hash tables of intrusive nodes with a keyed hash, so that a peer cannot choose its bucket. */
#ifndef HW_BASE_HASH_H
#define HW_BASE_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hawser/env.h>

#include "base/segments.h"

struct hash_node {
    struct hash_node *next;
    uint64_t hash;
};

/* Grows and shrinks a bucket at a time (linear hashing: Litwin, 1980): no call moves more than a few chains. */
struct hash_table {
    struct segments buckets; /* heads of chains */
    uint32_t size, size_min; /* buckets in use */
    uint32_t mask;           /* covers them: at least half of what it admits is in use */
    uint32_t count;
    uint64_t key[2]; /* from the environment's randomness */
};

/* Returns 0 or -ENOMEM. `expected` nodes fit without growing; the table never gets smaller than that. */
int hash_init(struct hash_table *t, const struct hawser_env *env, uint32_t expected);
void hash_destroy(struct hash_table *t);

/* SipHash-1-3 of `len` bytes under the table's key (Aumasson and Bernstein, 2012). */
uint64_t hash_bytes(const struct hash_table *t, const void *data, size_t len);

/* Adds a node under hash_bytes() of its key. The caller made sure that no equal key is present. When memory for
 * more buckets is out, the table stays at its size and works on. */
void hash_insert(struct hash_table *t, struct hash_node *node, uint64_t hash);
void hash_remove(struct hash_table *t, struct hash_node *node);

/* The first node with this hash, then the next one: the caller compares keys. NULL at the end. */
struct hash_node *hash_first(const struct hash_table *t, uint64_t hash);
struct hash_node *hash_next(const struct hash_node *node);

#endif
