/*
 * Where the bytes of connections lie: buffers of a few sizes, each charged as a whole to the account it was taken for
 * (base/account.h). Few bytes get a small one, so that five bytes do not hold 64 KiB.
 */
#ifndef HW_BASE_STORE_H
#define HW_BASE_STORE_H

#include "base/account.h"
#include "base/buf.h"

/* So few bytes are not worth a reference to the buffer of another: they are copied. */
#define STORE_VIEW_MIN 4096u
/* A segment of the usual link in the smallest, a super-segment in the largest. */
#define STORE_SMALL_BYTES 2000u
#define STORE_MEDIUM_BYTES (16u * 1024)
#define STORE_LARGE_BYTES (64u * 1024 + 128)
#define STORE_SIZES 3u
/* Behind these a pool of views, which have no bytes of their own. */
#define STORE_VIEWS STORE_SIZES
#define STORE_POOLS (STORE_SIZES + 1)

struct store {
    struct hawser_buf_pool *pools[STORE_POOLS]; /* the smallest first */
};

/* 0, or -ENOMEM: then there is nothing to close. */
int store_init(struct store *store, const struct hawser_env *env);
/* Buffers that somebody holds go with their last reference. */
void store_close(struct store *store);

/* A buffer with one reference for some of `wish` bytes: the largest that they fill by a quarter and that is admitted,
 * or the smallest. NULL when none is, or the system has no memory. */
struct hawser_buf *store_take(struct store *store, struct account *account, uint64_t wish, enum claim claim);

/* One that has room for `len` bytes, up to STORE_LARGE_BYTES. */
struct hawser_buf *store_take_room(struct store *store, struct account *account, uint32_t len, enum claim claim);

/* A buffer with one reference, whose bytes are all of `whole`, charged for both. NULL when they are not admitted, or
 * the system has no memory. */
struct hawser_buf *store_take_view(struct store *store, struct account *account, struct hawser_buf *whole,
                                   enum claim claim);

/* What the smallest costs. */
uint32_t store_smallest(const struct store *store);

/* To be called now and then while it is worth it: gives back to the system what was not needed since. */
void store_trim(struct store *store);
bool store_wants_trim(const struct store *store);

/* Buffers that are held. */
uint32_t store_in_use(const struct store *store);
/* How many buffers came back so far: who was refused one may try again when that grows. */
uint64_t store_returns(const struct store *store);

#endif
