#include "pattern.h"

#include <stdlib.h>

#include <nettle/sha2.h>

#include "base/prng.h"

enum { PATTERN_WORDS = 128 * 1024, PATTERN_BYTES = PATTERN_WORDS * 8 };

/* A block of random words; the stream's n-th block is this one with every word changed in the same, n-specific way. */
struct pattern {
    uint64_t seed;
    uint64_t rendered; /* number of the block in `bytes` */
    uint64_t block[PATTERN_WORDS];
    uint64_t bytes[PATTERN_WORDS];
};

static uint64_t pattern_mask(const struct pattern *p, uint64_t number)
{
    struct prng rng;
    prng_seed(&rng, p->seed ^ (number + 1) * UINT64_C(0x9e3779b97f4a7c15));
    return prng_next(&rng);
}

static void pattern_render(struct pattern *p, uint64_t number)
{
    uint64_t mask = pattern_mask(p, number);
    for (size_t i = 0; i < PATTERN_WORDS; i++)
        p->bytes[i] = p->block[i] ^ mask;
    p->rendered = number;
}

struct pattern *pattern_new(uint64_t seed)
{
    struct pattern *p = malloc(sizeof(*p));
    if (!p)
        return NULL;
    struct prng rng;
    prng_seed(&rng, seed);
    p->seed = seed;
    prng_fill(&rng, p->block, sizeof(p->block));
    pattern_render(p, 0);
    return p;
}

void pattern_free(struct pattern *p) { free(p); }

const uint8_t *pattern_at(struct pattern *p, uint64_t at, size_t *len)
{
    uint64_t number = at / PATTERN_BYTES;
    size_t offset = at % PATTERN_BYTES;
    if (number != p->rendered)
        pattern_render(p, number);
    *len = PATTERN_BYTES - offset;
    return (const uint8_t *)p->bytes + offset;
}

bool pattern_digest(uint64_t seed, uint64_t bytes, uint8_t sha256[LAB_SHA256_BYTES])
{
    struct pattern *p = pattern_new(seed);
    if (!p)
        return false;
    struct sha256_ctx sha;
    sha256_init(&sha);
    for (uint64_t at = 0; at < bytes;) {
        size_t len;
        const uint8_t *piece = pattern_at(p, at, &len);
        len = len < bytes - at ? len : (size_t)(bytes - at);
        sha256_update(&sha, len, piece);
        at += len;
    }
    sha256_digest(&sha, LAB_SHA256_BYTES, sha256);
    pattern_free(p);
    return true;
}
