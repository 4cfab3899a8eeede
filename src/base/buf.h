/* Reference-counted buffers and slices of them. The public half is <hawser/packet.h>. */
#ifndef HW_BASE_BUF_H
#define HW_BASE_BUF_H

#include <hawser/packet.h>

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

/* How many buffers of the pool are lent out. */
uint32_t buf_pool_in_use(const struct hawser_buf_pool *pool);

/* Does anybody hold it beside the caller? */
bool buf_is_shared(const struct hawser_buf *buf);

/* Did it come from this pool? */
bool buf_is_of(const struct hawser_buf *buf, const struct hawser_buf_pool *pool);

/* Is more than half of the pool, or of the pool that the buffer came from, lent out? */
bool buf_pool_is_scarce(const struct hawser_buf_pool *pool);
bool buf_is_scarce(const struct hawser_buf *buf);

/* How many buffers it may lend out, and their bytes. */
uint32_t buf_pool_limit(const struct hawser_buf_pool *pool);
uint64_t buf_pool_bytes(const struct hawser_buf_pool *pool);

/* How many more may be lent out, if the system has the memory. */
uint32_t buf_pool_left(const struct hawser_buf_pool *pool);

/* How many buffers came back so far: who was refused one may try again when that grows. */
uint64_t buf_pool_returns(const struct hawser_buf_pool *pool);

/* How often the limit or memory refused a buffer. */
uint64_t buf_pool_refusals(const struct hawser_buf_pool *pool);

#endif
