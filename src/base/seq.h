/* Sequence numbers: 32 bits on a subflow, 64 bits on the connection; two types that cannot be mixed by accident. */
#ifndef HW_BASE_SEQ_H
#define HW_BASE_SEQ_H

#include <stdbool.h>
#include <stdint.h>

/* A subflow (TCP) sequence number; arithmetic modulo 2^32 (RFC 9293 3.4). */
typedef struct {
    uint32_t v;
} seq32;

/* A data sequence number (RFC 8684 3.3); arithmetic modulo 2^64. */
typedef struct {
    uint64_t v;
} dsn64;

static inline seq32 seq_at(uint32_t v) { return (seq32){v}; }
static inline seq32 seq_add(seq32 a, uint32_t n) { return (seq32){a.v + n}; }
static inline seq32 seq_sub(seq32 a, uint32_t n) { return (seq32){a.v - n}; }
/* Signed distance a - b. */
static inline int32_t seq_diff(seq32 a, seq32 b) { return (int32_t)(a.v - b.v); }
static inline bool seq_lt(seq32 a, seq32 b) { return seq_diff(a, b) < 0; }
static inline bool seq_le(seq32 a, seq32 b) { return seq_diff(a, b) <= 0; }
static inline bool seq_eq(seq32 a, seq32 b) { return a.v == b.v; }
static inline seq32 seq_max(seq32 a, seq32 b) { return seq_lt(a, b) ? b : a; }

static inline dsn64 dsn_at(uint64_t v) { return (dsn64){v}; }
static inline dsn64 dsn_add(dsn64 a, uint64_t n) { return (dsn64){a.v + n}; }
static inline int64_t dsn_diff(dsn64 a, dsn64 b) { return (int64_t)(a.v - b.v); }
static inline bool dsn_lt(dsn64 a, dsn64 b) { return dsn_diff(a, b) < 0; }
static inline bool dsn_le(dsn64 a, dsn64 b) { return dsn_diff(a, b) <= 0; }
static inline bool dsn_eq(dsn64 a, dsn64 b) { return a.v == b.v; }
static inline dsn64 dsn_max(dsn64 a, dsn64 b) { return dsn_lt(a, b) ? b : a; }
static inline dsn64 dsn_min(dsn64 a, dsn64 b) { return dsn_lt(a, b) ? a : b; }

/* RFC 8684 3.3.1: the 64-bit number nearest to `near` whose low half is `low`. */
static inline dsn64 dsn_expand(uint32_t low, dsn64 near)
{
    return dsn_add(near, (uint64_t)(int64_t)(int32_t)(low - (uint32_t)near.v));
}

#endif
