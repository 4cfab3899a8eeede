/* A seeded generator for tests and the simulator (xoshiro256**, Blackman and Vigna 2018). Not for secrets. */
#ifndef HW_BASE_PRNG_H
#define HW_BASE_PRNG_H

#include <stddef.h>
#include <stdint.h>

struct prng {
    uint64_t s[4];
};

/* Expands `seed` with SplitMix64. */
void prng_seed(struct prng *p, uint64_t seed);
uint64_t prng_next(struct prng *p);
/* Uniform in [0, bound), without bias; bound > 0. */
uint64_t prng_below(struct prng *p, uint64_t bound);
/* Uniform in [0, 1). */
double prng_unit(struct prng *p);
void prng_fill(struct prng *p, void *dst, size_t len);

#endif
