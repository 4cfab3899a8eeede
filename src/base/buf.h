/* Reference-counted buffers and slices of them. The public half is <hawser/packet.h>. */
#ifndef HW_BASE_BUF_H
#define HW_BASE_BUF_H

#include <hawser/packet.h>

#include "base/account.h"

/* A run of bytes inside a buffer. Whoever stores a slice holds one reference of `buf`. */
struct slice {
    struct hawser_buf *buf;
    const uint8_t *data;
    uint32_t len; /* bytes */
};

/* The bytes [from, from + len) of `s`; takes no reference. The range must lie inside. */
static inline struct slice slice_sub(struct slice s, uint32_t from, uint32_t len)
{
    return (struct slice){s.buf, s.data + from, len};
}

/* A buffer whose bytes are those of `whole`, to which it holds a reference, and whose size is that of both: so that who
 * queues what others hold as well can be charged for it. NULL when memory is out. `pool` has buffers of no bytes. */
struct hawser_buf *buf_new_view(struct hawser_buf_pool *pool, struct hawser_buf *whole);
/* With NULL: are the bytes its own? */
bool buf_is_view_of(const struct hawser_buf *buf, const struct hawser_buf *whole);

/* Charges a buffer to who took it, until its last reference goes, or it is discharged. Once. */
void buf_charge(struct hawser_buf *buf, struct account *account);
void buf_discharge(struct hawser_buf *buf);

/* What it costs to queue this slice: nothing when its buffer is charged to who took it, else all of the buffer. */
uint32_t slice_cost(struct slice s);

/* The memory of one buffer, its head included. */
uint32_t buf_size(const struct hawser_buf *buf);
uint32_t buf_pool_each(const struct hawser_buf_pool *pool);

/* Gives back to the system what was not needed since the last call: whoever owns the pool calls it now and then. */
void buf_pool_trim(struct hawser_buf_pool *pool);

/* What buffers hold that are not lent out. */
uint64_t buf_pool_idle_bytes(const struct hawser_buf_pool *pool);

/* How many buffers of the pool are lent out. */
uint32_t buf_pool_in_use(const struct hawser_buf_pool *pool);

/* How many hold it, and does anybody beside the caller? */
uint32_t buf_refs(const struct hawser_buf *buf);
bool buf_is_shared(const struct hawser_buf *buf);

/* How many bytes of one that is lent out its packer has filled (base/packer.h). */
uint32_t buf_filled(const struct hawser_buf *buf);
void buf_set_filled(struct hawser_buf *buf, uint32_t len);

/* Is more than half of the pool that the buffer came from lent out? */
bool buf_is_scarce(const struct hawser_buf *buf);

/* The bytes that one of its buffers has room for. */
uint32_t buf_pool_capacity(const struct hawser_buf_pool *pool);

/* How many buffers came back so far: who was refused one may try again when that grows. */
uint64_t buf_pool_returns(const struct hawser_buf_pool *pool);

/* How often the limit or memory refused a buffer. */
uint64_t buf_pool_refusals(const struct hawser_buf_pool *pool);

#endif
