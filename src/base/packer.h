/* Copies bytes one behind the other into buffers of a store, so that small pieces do not take a buffer each. */
#ifndef HW_BASE_PACKER_H
#define HW_BASE_PACKER_H

#include <stdbool.h>

#include "base/store.h"

struct packer {
    struct hawser_buf *buf; /* being filled: one reference; or NULL */
};

/* Copies the first of `bytes` behind those that were copied before, or into a new buffer (store_take()) when there is
 * no room at all. Returns the copy: of no length when no buffer is to be had. The packer keeps the reference: whoever
 * stores the slice takes its own. */
struct slice packer_copy(struct packer *packer, struct store *store, struct account *account, struct slice bytes,
                         uint64_t wish, enum claim claim);

/* May `bytes` be queued where they lie? That must be a buffer of which they are a quarter at least and that is not
 * scarce, or one that is paid for. */
bool packer_may_keep(const struct account *account, struct slice bytes, enum claim claim);

/* The first of `bytes` as they may be queued: where they lie, or as packer_copy() says. */
struct slice packer_keep(struct packer *packer, struct store *store, struct account *account, struct slice bytes,
                         uint64_t wish, enum claim claim);

/* Nobody wanted what was copied last. */
void packer_take_back(struct packer *packer, struct slice bytes);

/* Gives up the buffer being filled; what was copied stays with those who hold it. */
void packer_release(struct packer *packer);

#endif
