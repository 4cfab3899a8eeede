#include "base/packer.h"

#include <string.h>

#include "base/compiler.h"

static uint32_t room_of(const struct packer *packer)
{
    return packer->buf ? hawser_buf_capacity(packer->buf) - buf_filled(packer->buf) : 0;
}

struct slice packer_copy(struct packer *packer, struct store *store, struct account *account, struct slice bytes,
                         uint64_t wish, enum claim claim)
{
    if (packer->buf && !buf_is_shared(packer->buf)) /* nobody holds what was copied before */
        buf_set_filled(packer->buf, 0);
    if (room_of(packer) == 0) {
        packer_release(packer);
        packer->buf = store_take(store, account, wish, claim);
        if (packer->buf)
            buf_set_filled(packer->buf, 0);
    }
    bytes.len = HW_MIN(bytes.len, room_of(packer));
    if (bytes.len == 0)
        return (struct slice){0};
    uint32_t filled = buf_filled(packer->buf);
    uint8_t *to = hawser_buf_data(packer->buf) + filled;
    memcpy(to, bytes.data, bytes.len);
    buf_set_filled(packer->buf, filled + bytes.len);
    return (struct slice){packer->buf, to, bytes.len};
}

/* A buffer that a link lent is large, and may be one of few. */
static bool is_worth_holding(struct slice bytes)
{
    return 4 * (uint64_t)bytes.len >= hawser_buf_capacity(bytes.buf) && !buf_is_scarce(bytes.buf);
}

bool packer_may_keep(const struct account *account, struct slice bytes, enum claim claim)
{
    if (!bytes.buf || slice_cost(bytes) == 0)
        return bytes.buf;
    return claim == CLAIM_OWED || (is_worth_holding(bytes) && account_admits(account, slice_cost(bytes), claim));
}

struct slice packer_keep(struct packer *packer, struct store *store, struct account *account, struct slice bytes,
                         uint64_t wish, enum claim claim)
{
    if (packer_may_keep(account, bytes, claim))
        return bytes;
    return packer_copy(packer, store, account, bytes, wish, claim);
}

void packer_take_back(struct packer *packer, struct slice bytes)
{
    if (!packer->buf || bytes.buf != packer->buf)
        return;
    uint32_t filled = buf_filled(packer->buf);
    if (bytes.data + bytes.len == hawser_buf_data(packer->buf) + filled)
        buf_set_filled(packer->buf, filled - bytes.len);
}

void packer_release(struct packer *packer)
{
    if (packer->buf)
        hawser_buf_unref(packer->buf);
    *packer = (struct packer){0};
}
