/*
 * The bytes of the stream: any part can be made again from the seed and the position alone, and no part equals another,
 * so that a lost, repeated, moved or swapped piece cannot go unseen.
 */
#ifndef HW_APPS_LAB_PATTERN_H
#define HW_APPS_LAB_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lab/lab.h"

struct pattern;

/* Returns NULL when memory is out. */
struct pattern *pattern_new(uint64_t seed);
void pattern_free(struct pattern *p);

/* The bytes of the stream from position `at`, at least one; *len is how many there are in one piece. Valid until the
 * next call. */
const uint8_t *pattern_at(struct pattern *p, uint64_t at, size_t *len);

/* SHA-256 of the first `bytes` bytes of the stream. Returns false when memory is out. */
bool pattern_digest(uint64_t seed, uint64_t bytes, uint8_t sha256[LAB_SHA256_BYTES]);

#endif
