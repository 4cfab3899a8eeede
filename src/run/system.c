#include "run/system.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#include "base/check.h"
#include "base/units.h"

static void *system_alloc(void *ctx, size_t size)
{
    (void)ctx;
    return malloc(size);
}

static void system_free(void *ctx, void *ptr)
{
    (void)ctx;
    free(ptr);
}

static void system_random(void *ctx, void *dst, size_t len)
{
    (void)ctx;
    uint8_t *at = dst;
    while (len > 0) {
        ssize_t n = getrandom(at, len, 0);
        if (n < 0) {
            /* Keys must not be guessable: a system without randomness cannot go on. */
            CHECK(errno == EINTR);
            continue;
        }
        at += n;
        len -= (size_t)n;
    }
}

const struct hawser_env *system_env(void)
{
    static const struct hawser_env env = {NULL, system_alloc, system_free, system_random};
    return &env;
}

uint64_t system_now(void)
{
    struct timespec t;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &t) == 0);
    return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}
