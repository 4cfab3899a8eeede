/*
 * The ports that we open connections from (RFC 6056). For each pair of our address and a destination, address and port,
 * there is a group that knows which of them are taken, so that a free one is found, or that there is none, in a
 * number of steps that does not depend on how many are.
 */
#ifndef HW_STACK_PORTS_H
#define HW_STACK_PORTS_H

#include <hawser/addr.h>

#include "base/hash.h"
#include "base/pool.h"

/* Of which each shard has a part. */
#define PORTS_FIRST 32768u
#define PORTS_COUNT 28232u

struct ports {
    const struct hawser_env *env; /* borrowed */
    struct pool groups;
    struct hash_table table; /* groups by what they are for */
    uint16_t first, count;   /* our part */
};

/* Whose part is it in, of so many shards? -1: nobody's. */
int ports_shard(uint16_t port, uint32_t shards);

struct port_range {
    uint16_t first, count;
};

/* The part of shard `shard` of `shards`. */
struct port_range ports_part(uint32_t shard, uint32_t shards);

/* At most `limit` groups. Returns 0 or -ENOMEM. */
int ports_init(struct ports *p, const struct hawser_env *env, uint32_t limit, struct port_range range);
void ports_destroy(struct ports *p);

/* A port chosen at random. */
uint16_t ports_random(const struct ports *p);
/* The first one from `from` on, round and round, that is not taken; 0: all are. */
uint16_t ports_free_from(const struct ports *p, const struct hawser_addr *local, const struct hawser_addr *remote,
                         uint16_t from);

/* Takes a free one. Returns 0, or -ENOBUFS at a limit or without memory. */
int ports_take(struct ports *p, const struct hawser_addr *local, const struct hawser_addr *remote, uint16_t port);
void ports_give(struct ports *p, const struct hawser_addr *local, const struct hawser_addr *remote, uint16_t port);

#endif
