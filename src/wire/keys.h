/* MPTCP's cryptography (RFC 8684 3.1, 3.2, 3.4.1), all of it SHA-256. Keys are in host order here. */
#ifndef HW_WIRE_KEYS_H
#define HW_WIRE_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/mptcp_options.h"

/* The token (leftmost 32 bits) and the initial data sequence number (rightmost 64 bits) of SHA-256(key). */
void mptcp_key_derive(uint64_t key, uint32_t *token, uint64_t *idsn);

/*
 * HMAC-SHA256 over the two nonces under the two keys, as MP_JOIN uses it: the sender's own key and nonce first. Writes
 * the leftmost 160 bits, as the ACK carries them; the first 8 bytes, read big-endian, are the SYN/ACK's 64 bits.
 */
void mptcp_join_hmac(uint64_t sender_key, uint64_t receiver_key, uint32_t sender_nonce, uint32_t receiver_nonce,
                     uint8_t out[MPTCP_HMAC_LEN]);

/* The rightmost 64 bits of HMAC-SHA256 over address ID, address (4 or 16 bytes) and port (0 when absent), under the
 * advertiser's key followed by the listener's. */
uint64_t mptcp_add_addr_hmac(uint64_t advertiser_key, uint64_t listener_key, const struct mp_add_addr *add);

/* SHA-256 of `len` bytes, for initial sequence numbers (RFC 6528) and the like. */
void mptcp_sha256(const void *data, size_t len, uint8_t out[32]);

/* Compares in a time that depends on `len` alone. */
bool secret_equal(const void *a, const void *b, size_t len);

#endif
