/* What a TCP says of connections that it knows nothing of (RFC 9293 3.10.7.1). */
#ifndef HW_APPS_RUN_RESET_H
#define HW_APPS_RUN_RESET_H

#include <stddef.h>
#include <stdint.h>

#include <hawser/addr.h>

enum { RESET_PACKET_MAX = 60 };

/* Writes the answer to an IP packet of `len` bytes to `out`, RESET_PACKET_MAX bytes: a reset. Returns its length, or 0:
 * it is none of a TCP's, or a reset itself, and has no answer. */
size_t reset_answer(const uint8_t *packet, size_t len, uint8_t *out);

/* Writes a segment without meaning from `from` to `to`, at this sequence number: one that a connection answers with
 * what it stands at, so that it can be reset. Returns its length. */
size_t reset_question(const struct hawser_addr *from, const struct hawser_addr *to, uint32_t seq, uint8_t *out);

#endif
