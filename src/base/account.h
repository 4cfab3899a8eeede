/*
 * Memory, charged to whoever makes us hold it. Accounts form a tree: the stack's, whose limit binds all; one a key that
 * shares are dealt out by; one a connection; one a direction of it. What is charged to one counts in all above it.
 *
 * What is charged is what is held. A buffer of our own (base/store.h) is charged as a whole to whom it was taken for,
 * until its last reference goes, wherever that is: the bytes that a transmit record still names belong to the
 * connection that queued them. A buffer that a link lent is charged as a whole with every piece of it that is queued,
 * for as long as that piece is (slice_cost()): a piece is at least a quarter of it, so that nobody is charged more than
 * four times what is held, and nobody pays for what another one keeps. Nodes, records, mappings and the arrays that
 * queues and sets lie in (account_alloc()) are charged too; half-open records, for which nobody answers yet, to the
 * stack alone.
 *
 * Who may have more, of the limit less the emergency reserve:
 *
 *   up to a half       whoever asks
 *   to three quarters  who stays within his share: half of the whole, dealt out level by level
 *   up to all          who needs it to go on, as long as that direction holds next to nothing (a quantum)
 *                      and, of the last eighth, its key stays within its share
 *   and the reserve    likewise: what begins at the next byte of a stream, one piece of any size, in a direction that
 *                      holds less
 *
 * So neither those who came first nor those who hold most can keep others from going on, and nothing is taken from
 * anybody for that.
 */
#ifndef HW_BASE_ACCOUNT_H
#define HW_BASE_ACCOUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hawser/env.h>

/* Most and least that a direction may hold of the last quarter. */
#define ACCOUNT_QUANTUM_MAX UINT64_C(8192)
#define ACCOUNT_QUANTUM_MIN UINT64_C(4096)

/* An idle connection has three: more than 2^38 bytes are not to be had, and no more than 2^24 connections. */
struct account {
    struct account *parent; /* NULL: the stack's, which is in a struct account_root */
    uint64_t held : 38;     /* bytes */
    uint64_t parts : 26;    /* accounts that have this one for their parent */
};

struct account_root {
    struct account account;       /* comes first: what has no parent is one of these */
    uint64_t limit;               /* bytes, the reserve included */
    uint64_t reserve;             /* of which for emergencies */
    const struct hawser_env *env; /* borrowed; where account_alloc() finds memory */
};

enum claim {
    CLAIM_SURPLUS, /* may come again, or later */
    CLAIM_NEED,    /* without it the connection does not go on */
    CLAIM_URGENT,  /* without it others cannot be given back: what begins at the next byte of a stream */
    CLAIM_OWED,    /* it was admitted before and only moves */
};

/* The stack's account. */
void account_init(struct account_root *root, const struct hawser_env *env, uint64_t limit, uint64_t reserve);
void account_open(struct account *account, struct account *parent);
/* CHECKs that nothing is charged to it any more. */
void account_close(struct account *account);

void account_charge(struct account *account, uint64_t bytes);
void account_release(struct account *account, uint64_t bytes);

/* Memory that is charged while it is held; NULL when it is not admitted, or the system has none. */
void *account_alloc(struct account *account, size_t bytes, enum claim claim);
/* The same for an array that grows: at first whoever asks gets it, more only while there is enough. */
static inline enum claim claim_to_grow(const void *array) { return array ? CLAIM_SURPLUS : CLAIM_OWED; }
/* Another block of `to` bytes, with the first `from` bytes of `block`, which is given back; NULL, and the block stays,
 * when that is not admitted, or the system has none. */
void *account_grow(struct account *account, void *block, size_t from, size_t to);
/* Gives back `bytes` from account_alloc(); nothing when `block` is NULL. */
void account_free(struct account *account, void *block, size_t bytes);

/* Bytes that are its own under pressure. */
uint64_t account_share(const struct account *account);
/* What it holds above that. */
uint64_t account_excess(const struct account *account);
/* Does it hold more than its share? */
bool account_is_greedy(const struct account *account);
/* Is more than an eighth of the stack's memory held, so that nobody gets what he has no use for yet? */
bool account_is_frugal(const struct account *account);
/* What somebody may have for which he has no use yet: the less, the nearer the whole comes to a quarter of the stack's
 * memory. So however many wait, they leave the rest of a half to those who go on. */
uint64_t account_spare(const struct account *account);
/* Is more than half of it? */
bool account_is_pressed(const struct account *account);
/* Is there no room for another connection of this key, or of none, where it is the stack's? */
bool account_is_full(const struct account *parent);
/* Likewise: is so little left that somebody has to go for each that comes, even when `leaving` bytes come back? */
bool account_is_scarce(const struct account *parent, uint64_t leaving);
/* May this direction of a connection (an account two levels below the stack's or deeper) have `bytes` more? NULL, where
 * nobody is charged, may. */
bool account_admits(const struct account *account, uint64_t bytes, enum claim claim);

#endif
