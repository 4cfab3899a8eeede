/* The Internet checksum (RFC 1071) in parts: partial sums over pieces of any length and alignment add up. */
#ifndef HW_WIRE_CHECKSUM_H
#define HW_WIRE_CHECKSUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hawser/addr.h>

/* A running one's complement sum that remembers whether an odd number of bytes went in. */
struct csum {
    uint64_t sum;
    bool odd;
};

void csum_add(struct csum *c, const void *data, size_t len);
/* Adds a 16-bit word that stands at an even offset. Only while !c->odd. */
void csum_add16(struct csum *c, uint16_t word);
void csum_add32(struct csum *c, uint32_t word);
void csum_add64(struct csum *c, uint64_t word);

/* Folded to 16 bits, not complemented. */
uint16_t csum_fold(const struct csum *c);
/* Folded and complemented: what goes into a header. */
uint16_t csum_finish(const struct csum *c);

/* The pseudo-header of either family (RFC 9293 3.1, RFC 8200 8.1); `len` is header plus payload of the protocol. */
void csum_add_pseudo_as(struct csum *c, uint8_t protocol, const struct hawser_addr *src, const struct hawser_addr *dst,
                        uint32_t len);
/* That of TCP. */
void csum_add_pseudo(struct csum *c, const struct hawser_addr *src, const struct hawser_addr *dst, uint32_t tcp_len);

/*
 * The DSS checksum (RFC 8684 3.3.1) of a mapping: 64-bit DSN, 32-bit relative subflow sequence number, 16-bit length,
 * and the payload's sum, which the caller accumulated from an even start. Complemented, ready for the option.
 */
uint16_t csum_dss(uint64_t dsn, uint32_t ssn, uint16_t len, const struct csum *payload);

/* Whether two checksums are equal as one's complement numbers, which have two zeros (RFC 1624 3). */
static inline bool csum_same(uint16_t a, uint16_t b) { return a % UINT16_MAX == b % UINT16_MAX; }

#endif
