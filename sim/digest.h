/* A fast 64-bit mix for trace hashes and seeds: the same on every build, no secret. */
#ifndef HW_SIM_DIGEST_H
#define HW_SIM_DIGEST_H

#include <stddef.h>
#include <stdint.h>

/* The finalizer of SplitMix64. */
static inline uint64_t digest_mix(uint64_t x)
{
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

/* Folds `value` into `state`. */
static inline uint64_t digest_add(uint64_t state, uint64_t value)
{
    return digest_mix(state * UINT64_C(0x9e3779b97f4a7c15) + value);
}

/* Folds `len` bytes into `state`, eight at a time, little-endian on every machine. */
static inline uint64_t digest_bytes(uint64_t state, const uint8_t *p, size_t len)
{
    state += len;
    for (; len >= 8; p += 8, len -= 8) {
        uint64_t word = 0;
        for (unsigned i = 0; i < 8; i++)
            word |= (uint64_t)p[i] << 8 * i;
        state = (state ^ word) * UINT64_C(0x9e3779b97f4a7c15);
        state ^= state >> 29;
    }
    while (len--)
        state = (state ^ *p++) * UINT64_C(0x100000001b3);
    return digest_mix(state);
}

#endif
