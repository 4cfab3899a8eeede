/* Copies bytes one behind the other into buffers of a pool, so that small pieces do not take a buffer each. */
#ifndef HW_BASE_PACKER_H
#define HW_BASE_PACKER_H

#include <stdbool.h>

#include "base/buf.h"

struct packer {
    struct hawser_buf *buf; /* being filled: one reference; or NULL */
    uint32_t used;          /* bytes */
};

/* Moves `bytes` behind those that were copied before, into a new buffer of `pool` when the last one has no room. The
 * packer keeps the reference: whoever stores the slice takes its own. False without memory: then `bytes` is as it was.
 */
bool packer_copy(struct packer *packer, struct hawser_buf_pool *pool, struct slice *bytes);

/* Has the buffer being filled room for `len` bytes more? */
bool packer_has_room(const struct packer *packer, uint32_t len);

/* Nobody wanted what was copied last. */
void packer_take_back(struct packer *packer, struct slice bytes);

/* Gives up the buffer being filled; what was copied stays with those who hold it. */
void packer_release(struct packer *packer);

#endif
