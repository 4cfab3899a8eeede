/*
 * Destinations to which SYNs with MP_CAPABLE got lost and plain ones did not: connections to them are plain TCP from
 * the first SYN on, for a time. By address and not by port: it is a middlebox on the way that eats options, whatever
 * the service.
 */
#ifndef HW_STACK_PLAIN_PEERS_H
#define HW_STACK_PLAIN_PEERS_H

#include <hawser/addr.h>

#include "base/counters.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/pool.h"

/* At the limit the one that was proved longest ago makes way. */
#define PLAIN_PEERS_MAX 256u
/* So long after the first proof MP_CAPABLE is tried again, and eight times as long after each further one, up to a day:
 * an attempt in vain five times on the first day, and chance that looked like a middlebox costs MPTCP for a minute. */
#define PLAIN_PEER_NS (60 * NS_PER_S)
#define PLAIN_PEER_GROWTH_BITS 3
#define PLAIN_PEER_NS_MAX (24 * 3600 * NS_PER_S)

struct plain_peer {
    struct hash_node node;
    struct list link;
    struct hawser_addr addr; /* port 0 */
    uint64_t until_ns; /* MP_CAPABLE is not tried before; afterwards it is remembered how often that was in vain */
    uint32_t times;
};

struct plain_peers {
    struct pool pool;
    struct hash_table table;
    struct list order; /* the latest proof comes last */
    struct counters *counters;
};

/* 0 or -ENOMEM. */
int plain_peers_init(struct plain_peers *p, const struct hawser_env *env, struct counters *counters);
void plain_peers_destroy(struct plain_peers *p);

/* MP_CAPABLE got lost there. What several connections find out at the same time counts once. */
void plain_peers_note(struct plain_peers *p, const struct hawser_addr *addr, uint64_t now_ns);
/* Is it not to be tried now? */
bool plain_peers_hold(const struct plain_peers *p, const struct hawser_addr *addr, uint64_t now_ns);
/* It comes through. */
void plain_peers_forget(struct plain_peers *p, const struct hawser_addr *addr);
void plain_peers_forget_all(struct plain_peers *p);
/* The i-th, latest proof last; NULL past the end. */
const struct plain_peer *plain_peers_at(const struct plain_peers *p, size_t i);

#endif
