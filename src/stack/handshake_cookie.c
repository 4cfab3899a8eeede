/*
 * RFC 4987 3.6. The high 23 bits of a cookie are a digest under the stack's secret, the low 9 what the peer will not
 * say again: which slot of time it was, its largest segment, its window scale and whether it takes SACK. Of the digest
 * 18 bits depend on the number of the SYN, too, so that only the segment after it brings a cookie; by the other 5 it is
 * known for one in those that follow.
 */
#include <string.h>

#include <hawser/stack.h>

#include "base/compiler.h"
#include "stack/handshake.h"
#include "stack/tuple.h"
#include "wire/keys.h"

#define INFO_BITS 9
#define INFO_MASK ((1u << INFO_BITS) - 1)
#define MARK_BITS 5
#define MARK_MASK (~(UINT32_MAX >> MARK_BITS))
#define SLOT_BIT 8
#define SACK_BIT 7
#define SCALE_AT 3
#define SCALE_NONE 15u

/* The usual ones, and their like behind tunnels; the peer's is rounded down. */
static const uint16_t segment_sizes[8] = {48, 536, 1220, 1300, 1380, 1420, 1460, 8940};

static uint64_t slot_of(uint64_t now_ns) { return now_ns / COOKIE_SLOT_NS; }

/* Cookies for these addresses, with this to say, from the slot. */
struct mint {
    uint32_t mark;
    uint8_t key[32];
};

static struct mint mint_of(const uint8_t *secret, const struct handshake *h, uint32_t info, uint64_t slot)
{
    uint8_t input[TUPLE_LEN + 2 + 8 + HAWSER_SECRET_LEN];
    struct mint mint;
    tuple_write(input, &h->local, &h->remote);
    put16(input + TUPLE_LEN, (uint16_t)info);
    put64(input + TUPLE_LEN + 2, slot);
    memcpy(input + TUPLE_LEN + 10, secret, HAWSER_SECRET_LEN);
    mptcp_sha256(input, sizeof input, mint.key);
    mint.mark = get32(mint.key) & MARK_MASK;
    return mint;
}

static uint32_t coin(const struct mint *mint, uint32_t irs, uint32_t info)
{
    uint8_t input[sizeof mint->key + 4], out[32];
    memcpy(input, mint->key, sizeof mint->key);
    put32(input + sizeof mint->key, irs);
    mptcp_sha256(input, sizeof input, out);
    return mint->mark | (get32(out) & ~(MARK_MASK | INFO_MASK)) | info;
}

static uint64_t key_in_slot(const uint8_t *secret, const struct handshake *h, uint64_t slot)
{
    uint8_t input[TUPLE_LEN + 4 + 8 + HAWSER_SECRET_LEN], out[32];
    tuple_write(input, &h->local, &h->remote);
    put32(input + TUPLE_LEN, h->iss);
    put64(input + TUPLE_LEN + 4, slot);
    memcpy(input + TUPLE_LEN + 12, secret, HAWSER_SECRET_LEN);
    mptcp_sha256(input, sizeof input, out);
    return get64(out);
}

uint64_t cookie_key(const uint8_t *secret, const struct handshake *h, uint64_t now_ns)
{
    return key_in_slot(secret, h, slot_of(now_ns));
}

uint32_t cookie_make(const uint8_t *secret, const struct handshake *h, uint64_t now_ns)
{
    const struct tcp_terms *terms = &h->terms;
    uint32_t size = HW_ARRAY_LEN(segment_sizes) - 1;
    while (size > 0 && segment_sizes[size] > terms->mss)
        size--;
    uint32_t info = size | (terms->window_scaling ? terms->wscale : SCALE_NONE) << SCALE_AT;
    info |= (uint32_t)terms->sack << SACK_BIT | (uint32_t)(slot_of(now_ns) & 1) << SLOT_BIT;
    const struct mint mint = mint_of(secret, h, info, slot_of(now_ns));
    return coin(&mint, terms->irs, info);
}

enum cookie cookie_read(const uint8_t *secret, struct handshake *h, uint64_t now_ns)
{
    struct tcp_terms *terms = &h->terms;
    uint32_t info = h->iss & INFO_MASK;
    uint64_t slot = slot_of(now_ns);
    if ((slot & 1) != (info >> SLOT_BIT & 1)) {
        if (slot == 0)
            return COOKIE_NONE;
        slot--;
    }
    const struct mint mint = mint_of(secret, h, info, slot);
    if (mint.mark != (h->iss & MARK_MASK))
        return COOKIE_NONE;
    if (coin(&mint, terms->irs, info) != h->iss)
        return COOKIE_UNREADABLE;
    uint32_t scale = info >> SCALE_AT & 15;
    terms->mss = segment_sizes[info & 7];
    terms->window_scaling = scale != SCALE_NONE;
    terms->wscale = (uint8_t)(terms->window_scaling ? scale : 0);
    terms->sack = info >> SACK_BIT & 1;
    h->local_key = key_in_slot(secret, h, slot);
    return COOKIE_OURS;
}
