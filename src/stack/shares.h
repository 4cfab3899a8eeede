/*
 * Who has how many of the connections that others opened to us. When they get scarce, who has more than his share of
 * them, all but our own divided by those who have any, gets no more, unless somebody has more yet; and when hardly any
 * is left, one has to go for each that comes (stack/evict.c): so that nobody locks out the others by sitting still.
 */
#ifndef HW_STACK_SHARES_H
#define HW_STACK_SHARES_H

#include <hawser/socket.h>

#include "base/account.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/pool.h"

/* They are scarce once all but this part of them are in use. */
#define SHARES_SPARE 8u
/* Shares of so many connections, and less than the next of these numbers, are of one level: 1, 2, 3, 4, 6, 8, 12, ...
 */
#define SHARES_LEVELS 63u

/* Known by the hash alone: should two peers ever have the same one, they share. */
struct share {
    struct hash_node node;
    struct list link;    /* among those of its level */
    struct list members; /* connections, by share_link; who made no progress for longest comes first */
    struct account account;
    uint32_t connections;
    uint32_t requests; /* that programs have not decided about */
};

struct shares {
    struct pool pool;
    struct hash_table table;
    struct list levels[SHARES_LEVELS];
    struct account *memory;
    uint32_t limit;       /* of connections in all; */
    uint32_t connections; /* so many have shares */
};

int shares_init(struct shares *s, const struct hawser_env *env, uint32_t connections, struct account *memory);
void shares_destroy(struct shares *s);

/* May `peer` have one more, of which `in_use` are taken in all? */
bool shares_admit(const struct shares *s, enum hawser_share by, const struct hawser_addr *peer, uint32_t in_use);
/* Its share; NULL: it has none. */
struct share *shares_find(const struct shares *s, enum hawser_share by, const struct hawser_addr *peer);
/* It has one more: its share, or NULL when it counts to none, or when there is no memory to count. */
struct share *shares_enter(struct shares *s, enum hawser_share by, const struct hawser_addr *peer);
void shares_leave(struct shares *s, struct share *share);
/* Likewise for a request; it is no connection, and does not count as one. */
struct share *shares_ask(struct shares *s, enum hawser_share by, const struct hawser_addr *peer);
void shares_unask(struct shares *s, struct share *share);
/* One that has at least two thirds as many as anybody, and no fewer than `than` (NULL: none) even if one of them became
 * that one's; NULL: nobody has. */
struct share *shares_greedier(const struct shares *s, const struct share *than);

#endif
