#include "meter.h"

#include <stddef.h>

/* A block is some six instructions. A copy moves 64 bytes in as many; SHA-256 of 64 bytes takes 2,500 where the
 * processor has no instructions of its own for it. */
enum { BYTES_A_BLOCK = 64, BYTES_A_HASH = 64, BLOCKS_A_HASH = 500, HASHES_A_HMAC_KEY = 2, HASHES_AN_HMAC = 2 };

static uint64_t blocks; /* the compiler calls by name, without an argument */

uint64_t meter_read(void) { return blocks; }
void meter_set_back(uint64_t reading) { blocks = reading; }

void __sanitizer_cov_trace_pc(void);
void __sanitizer_cov_trace_pc(void) { blocks++; }

/* What the linker's --wrap makes of calls to libraries. */
#define WRAPPED(type, name, ...)                                                                                       \
    type __real_##name(__VA_ARGS__);                                                                                   \
    type __wrap_##name(__VA_ARGS__);                                                                                   \
    type __wrap_##name(__VA_ARGS__)

WRAPPED(void *, memcpy, void *dst, const void *src, size_t len)
{
    blocks += 1 + len / BYTES_A_BLOCK;
    return __real_memcpy(dst, src, len);
}

WRAPPED(void *, memmove, void *dst, const void *src, size_t len)
{
    blocks += 1 + len / BYTES_A_BLOCK;
    return __real_memmove(dst, src, len);
}

WRAPPED(void *, memset, void *dst, int byte, size_t len)
{
    blocks += 1 + len / BYTES_A_BLOCK;
    return __real_memset(dst, byte, len);
}

WRAPPED(int, memcmp, const void *a, const void *b, size_t len)
{
    blocks += 1 + len / BYTES_A_BLOCK;
    return __real_memcmp(a, b, len);
}

WRAPPED(void, nettle_sha256_update, void *ctx, size_t len, const uint8_t *bytes)
{
    blocks += len / BYTES_A_HASH * BLOCKS_A_HASH;
    __real_nettle_sha256_update(ctx, len, bytes);
}

WRAPPED(void, nettle_sha256_digest, void *ctx, size_t len, uint8_t *digest)
{
    blocks += BLOCKS_A_HASH;
    __real_nettle_sha256_digest(ctx, len, digest);
}

WRAPPED(void, nettle_hmac_sha256_set_key, void *ctx, size_t len, const uint8_t *key)
{
    blocks += HASHES_A_HMAC_KEY * BLOCKS_A_HASH;
    __real_nettle_hmac_sha256_set_key(ctx, len, key);
}

WRAPPED(void, nettle_hmac_sha256_digest, void *ctx, size_t len, uint8_t *digest)
{
    blocks += HASHES_AN_HMAC * BLOCKS_A_HASH;
    __real_nettle_hmac_sha256_digest(ctx, len, digest);
}
