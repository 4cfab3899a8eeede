/*
 * Interval sets: sorted, disjoint, non-touching half-open ranges of offsets. One module serves out-of-order arrival on
 * a subflow, the choice of SACK blocks and the data ranges that wait for reinjection.
 *
 * Offsets are 64-bit and do not wrap; a caller with wrapping numbers keeps offsets relative to a base of its own.
 */
#ifndef HW_BASE_ISET_H
#define HW_BASE_ISET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/account.h"

struct range {
    uint64_t start, end; /* [start, end) */
};

struct iset {
    struct account *account; /* borrowed; pays for the ranges */
    struct range *ranges;    /* sorted by start; behind one that says for how many there is room; NULL: for none */
    uint32_t count, limit;
};

/* At most `limit` ranges, charged to `account`. Allocates nothing yet. */
void iset_init(struct iset *s, struct account *account, uint32_t limit);
void iset_destroy(struct iset *s);
void iset_clear(struct iset *s);
/* Gives back the memory of an empty set. */
void iset_idle(struct iset *s);

/* Makes room for `count` ranges in all. Returns 0, or -ENOBUFS at the limit or without memory. */
int iset_reserve(struct iset *s, uint32_t count);

/* Adds [start, end), merging with what it overlaps or touches. Returns 0, or -ENOBUFS (nothing changed) when that would
 * need more than `limit` ranges or memory is out. An empty range is a no-op. */
int iset_add(struct iset *s, uint64_t start, uint64_t end);

/* Takes [start, end) away. Returns 0, or -ENOBUFS (nothing changed) when splitting a range would pass the limit. */
int iset_remove(struct iset *s, uint64_t start, uint64_t end);

/* Takes away everything below `end`; cannot fail. */
void iset_remove_below(struct iset *s, uint64_t end);

bool iset_contains(const struct iset *s, uint64_t at);

/* The first range that ends after `at`, or NULL. */
const struct range *iset_find(const struct iset *s, uint64_t at);

/* The first sub-range of [from, to) that is not in the set; empty (start == end) when all of it is. */
struct range iset_first_gap(const struct iset *s, uint64_t from, uint64_t to);

#endif
