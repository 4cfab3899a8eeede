#include "base/prng.h"

static uint64_t rotl(uint64_t x, int k) { return x << k | x >> (64 - k); }

void prng_seed(struct prng *p, uint64_t seed)
{
    for (int i = 0; i < 4; i++) { /* SplitMix64 */
        uint64_t z = seed += UINT64_C(0x9e3779b97f4a7c15);
        z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
        p->s[i] = z ^ z >> 31;
    }
}

uint64_t prng_next(struct prng *p)
{
    uint64_t *s = p->s, result = rotl(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 45);
    return result;
}

uint64_t prng_below(struct prng *p, uint64_t bound)
{
    uint64_t threshold = (0 - bound) % bound, x;
    do
        x = prng_next(p);
    while (x < threshold);
    return x % bound;
}

double prng_unit(struct prng *p) { return (double)(prng_next(p) >> 11) * 0x1.0p-53; }

void prng_fill(struct prng *p, void *dst, size_t len)
{
    uint8_t *out = dst;
    while (len) {
        uint64_t x = prng_next(p);
        size_t n = len < sizeof x ? len : sizeof x;
        for (size_t i = 0; i < n; i++, x >>= 8) /* little-endian everywhere: the same seed, the same bytes */
            *out++ = (uint8_t)x;
        len -= n;
    }
}
