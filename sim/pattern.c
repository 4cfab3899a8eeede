#include "sim/pattern.h"

#include "base/compiler.h"
#include "base/prng.h"
#include "sim/digest.h"

void pattern_init(struct pattern *pattern)
{
    struct prng rng;
    prng_seed(&rng, PATTERN_PERIOD);
    prng_fill(&rng, pattern->noise, PATTERN_PERIOD);
    for (size_t i = 0; i < PATTERN_PERIOD; i++)
        pattern->noise[PATTERN_PERIOD + i] = pattern->noise[i];
}

/* Within one period a stream is the noise with one byte added: where to read the noise and what to add. */
struct run {
    const uint8_t *noise;
    uint8_t add;
    size_t len; /* until the period ends */
};

static struct run run_at(const struct pattern *pattern, uint64_t stream, uint64_t at)
{
    uint64_t start = digest_mix(stream + 1) % PATTERN_PERIOD;
    size_t within = (size_t)(at % PATTERN_PERIOD);
    uint8_t add = (uint8_t)digest_mix(at / PATTERN_PERIOD + (stream << 32));
    return (struct run){pattern->noise + (start + within) % PATTERN_PERIOD, add, PATTERN_PERIOD - within};
}

void pattern_make(const struct pattern *pattern, uint64_t stream, uint64_t at, uint8_t *dst, size_t len)
{
    while (len) {
        struct run run = run_at(pattern, stream, at);
        size_t n = HW_MIN(len, run.len);
        for (size_t i = 0; i < n; i++)
            dst[i] = (uint8_t)(run.noise[i] + run.add);
        dst += n;
        at += n;
        len -= n;
    }
}

size_t pattern_check(const struct pattern *pattern, uint64_t stream, uint64_t at, const uint8_t *bytes, size_t len)
{
    size_t good = 0;
    while (good < len) {
        struct run run = run_at(pattern, stream, at + good);
        size_t n = HW_MIN(len - good, run.len);
        uint8_t wrong = 0;
        for (size_t i = 0; i < n; i++) /* without an exit, so that the compiler can make it wide */
            wrong |= (uint8_t)(bytes[good + i] ^ (uint8_t)(run.noise[i] + run.add));
        if (wrong) {
            size_t same = 0;
            while (same < n && bytes[good + same] == (uint8_t)(run.noise[same] + run.add))
                same++;
            return good + same;
        }
        good += n;
    }
    return good;
}
