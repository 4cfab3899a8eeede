#include "base/packer.h"

#include <string.h>

bool packer_has_room(const struct packer *packer, uint32_t len)
{
    return packer->buf && hawser_buf_capacity(packer->buf) - packer->used >= len;
}

bool packer_copy(struct packer *packer, struct hawser_buf_pool *pool, struct slice *bytes)
{
    if (packer->buf && !buf_is_shared(packer->buf)) /* nobody holds what was copied before */
        packer->used = 0;
    if (!packer_has_room(packer, bytes->len))
        packer_release(packer);
    if (!packer->buf)
        *packer = (struct packer){hawser_buf_new(pool), 0};
    if (!packer->buf || hawser_buf_capacity(packer->buf) < bytes->len)
        return false;
    uint8_t *to = hawser_buf_data(packer->buf) + packer->used;
    memcpy(to, bytes->data, bytes->len);
    packer->used += bytes->len;
    *bytes = (struct slice){packer->buf, to, bytes->len};
    return true;
}

void packer_take_back(struct packer *packer, struct slice bytes)
{
    if (bytes.buf == packer->buf && bytes.data + bytes.len == hawser_buf_data(packer->buf) + packer->used)
        packer->used -= bytes.len;
}

void packer_release(struct packer *packer)
{
    if (packer->buf)
        hawser_buf_unref(packer->buf);
    *packer = (struct packer){0};
}
