/*
 * The mappings a peer declared for one subflow: which subflow bytes are which data bytes (RFC 8684 3.3.1). Relative
 * subflow sequence numbers, extended to 64 bits by the caller so that they do not wrap.
 */
#ifndef HW_MPTCP_RXMAP_H
#define HW_MPTCP_RXMAP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/account.h"
#include "base/seq.h"

/* Most mappings kept for bytes that have not all arrived; and as many more for the bytes that are due next, without
 * which the others would never be needed. */
#define RXMAP_MAX 4096
#define RXMAP_RESERVE 4
/* Most of them that the bytes of a single one may be spread over, with the parts of it that are new: 64 KiB are no more
 * segments of the smallest usual size. */
#define RXMAP_PARTS_MAX 128

struct mapping {
    uint64_t ssn; /* relative subflow sequence number of the first byte; the SYN is 0 */
    dsn64 dsn;    /* data sequence number of the first byte */
    uint32_t len; /* bytes; 0: infinite (fallback, RFC 8684 3.7) */
    uint16_t checksum;
    bool has_checksum;
    bool ends; /* the stream does, behind its last byte (RFC 8684 3.3.3) */
};

struct rxmap {
    struct account *account; /* borrowed; the array is charged to it */
    struct mapping *maps;    /* those kept begin at maps[first]: sorted by ssn, disjoint */
    uint32_t first, count, capacity;
    uint64_t next; /* everything below arrived in order */
};

void rxmap_init(struct rxmap *m, struct account *account);
void rxmap_destroy(struct rxmap *m);

enum rxmap_result {
    RXMAP_ADDED,
    RXMAP_KNOWN,    /* the very same mapping, or one that says the same about bytes already covered */
    RXMAP_CONFLICT, /* it contradicts a mapping in force: ignored (a mapping never changes, RFC 8684 3.3.1) */
    RXMAP_FULL,     /* a limit or memory: ignored */
};

/*
 * Declares a mapping. One that only partly overlaps a known one, consistently, adds the part that is new (its checksum
 * is then not usable and has_checksum is dropped only if `allow_split`; otherwise it is a conflict).
 */
enum rxmap_result rxmap_add(struct rxmap *m, const struct mapping *map, bool allow_split);

/* The mapping that covers `ssn`, or NULL. O(log n), O(1) for the newest. */
const struct mapping *rxmap_find(const struct rxmap *m, uint64_t ssn);

/* Gives back the memory of an empty map. */
void rxmap_idle(struct rxmap *m);

/* Forgets the mappings that end at or below `ssn`: all their bytes arrived in order. */
void rxmap_retire(struct rxmap *m, uint64_t ssn);

#endif
