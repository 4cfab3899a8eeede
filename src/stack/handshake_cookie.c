/*
 * RFC 4987 3.6. The high 23 bits of a cookie are a digest under the stack's secret, the low 9 what the peer will not
 * say again: which slot of time it was, its largest segment, its window scale and whether it takes SACK.
 */
#include <string.h>

#include <hawser/stack.h>

#include "base/compiler.h"
#include "stack/handshake.h"
#include "stack/tuple.h"
#include "wire/keys.h"

#define INFO_BITS 9
#define INFO_MASK ((1u << INFO_BITS) - 1)
#define SLOT_BIT 8
#define SACK_BIT 7
#define SCALE_AT 3
#define SCALE_NONE 15u

/* The usual ones, and their like behind tunnels; the peer's is rounded down. */
static const uint16_t segment_sizes[8] = {88, 536, 1220, 1300, 1380, 1420, 1460, 8940};

static uint64_t slot_of(uint64_t now_ns) { return now_ns / COOKIE_SLOT_NS; }

static uint32_t digest(const uint8_t *secret, const struct handshake *h, uint32_t info, uint64_t slot)
{
    uint8_t input[TUPLE_LEN + 4 + 2 + 8 + HAWSER_SECRET_LEN], out[32];
    tuple_write(input, &h->local, &h->remote);
    put32(input + TUPLE_LEN, h->terms.irs);
    put16(input + TUPLE_LEN + 4, (uint16_t)info);
    put64(input + TUPLE_LEN + 6, slot);
    memcpy(input + TUPLE_LEN + 14, secret, HAWSER_SECRET_LEN);
    mptcp_sha256(input, sizeof input, out);
    return get32(out) & ~INFO_MASK;
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
    return digest(secret, h, info, slot_of(now_ns)) | info;
}

bool cookie_read(const uint8_t *secret, struct handshake *h, uint64_t now_ns)
{
    struct tcp_terms *terms = &h->terms;
    uint32_t info = h->iss & INFO_MASK;
    uint64_t slot = slot_of(now_ns);
    if ((slot & 1) != (info >> SLOT_BIT & 1)) {
        if (slot == 0)
            return false;
        slot--;
    }
    if ((digest(secret, h, info, slot) | info) != h->iss)
        return false;
    uint32_t scale = info >> SCALE_AT & 15;
    terms->mss = segment_sizes[info & 7];
    terms->window_scaling = scale != SCALE_NONE;
    terms->wscale = (uint8_t)(terms->window_scaling ? scale : 0);
    terms->sack = info >> SACK_BIT & 1;
    h->local_key = key_in_slot(secret, h, slot);
    return true;
}
