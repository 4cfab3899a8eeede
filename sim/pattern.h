/* The bytes of a test stream: any part can be made or checked by its offset alone. */
#ifndef HW_SIM_PATTERN_H
#define HW_SIM_PATTERN_H

#include <stddef.h>
#include <stdint.h>

#define PATTERN_PERIOD 65521u /* a prime, so that shifts by round numbers show */

struct pattern {
    uint8_t noise[2 * PATTERN_PERIOD]; /* the period twice, so that no copy needs to wrap */
};

/* Once a world: 128 KiB. */
void pattern_init(struct pattern *pattern);

/* Writes bytes [at, at + len) of the stream number `stream` to `dst`. */
void pattern_make(const struct pattern *pattern, uint64_t stream, uint64_t at, uint8_t *dst, size_t len);

/* Compares; returns how many of the `len` bytes at `bytes` are right before the first wrong one. */
size_t pattern_check(const struct pattern *pattern, uint64_t stream, uint64_t at, const uint8_t *bytes, size_t len);

#endif
