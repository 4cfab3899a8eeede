#include "wire/keys.h"

#include <string.h>

#include <nettle/hmac.h>
#include <nettle/memops.h>
#include <nettle/sha2.h>

#include "wire/bytes.h"

void mptcp_sha256(const void *data, size_t len, uint8_t out[32])
{
    struct sha256_ctx sha;
    sha256_init(&sha);
    sha256_update(&sha, len, data);
    sha256_digest(&sha, SHA256_DIGEST_SIZE, out);
}

void mptcp_key_derive(uint64_t key, uint32_t *token, uint64_t *idsn)
{
    uint8_t bytes[8], digest[SHA256_DIGEST_SIZE];
    put64(bytes, key);
    mptcp_sha256(bytes, sizeof bytes, digest);
    *token = get32(digest);
    *idsn = get64(digest + SHA256_DIGEST_SIZE - 8);
}

static void hmac_two_keys(uint64_t first, uint64_t second, const uint8_t *message, size_t len,
                          uint8_t digest[SHA256_DIGEST_SIZE])
{
    uint8_t key[16];
    struct hmac_sha256_ctx hmac;
    put64(key, first);
    put64(key + 8, second);
    hmac_sha256_set_key(&hmac, sizeof key, key);
    hmac_sha256_update(&hmac, len, message);
    hmac_sha256_digest(&hmac, SHA256_DIGEST_SIZE, digest);
}

void mptcp_join_hmac(uint64_t sender_key, uint64_t receiver_key, uint32_t sender_nonce, uint32_t receiver_nonce,
                     uint8_t out[MPTCP_HMAC_LEN])
{
    uint8_t message[8], digest[SHA256_DIGEST_SIZE];
    put32(message, sender_nonce);
    put32(message + 4, receiver_nonce);
    hmac_two_keys(sender_key, receiver_key, message, sizeof message, digest);
    memcpy(out, digest, MPTCP_HMAC_LEN);
}

uint64_t mptcp_add_addr_hmac(uint64_t advertiser_key, uint64_t listener_key, const struct mp_add_addr *add)
{
    uint8_t message[1 + 16 + 2], digest[SHA256_DIGEST_SIZE];
    size_t from = add->is_v4 ? 12 : 0, len = 16 - from;
    message[0] = add->address_id;
    memcpy(message + 1, add->addr.ip + from, len);
    put16(message + 1 + len, add->has_port ? add->addr.port : 0);
    hmac_two_keys(advertiser_key, listener_key, message, 1 + len + 2, digest);
    return get64(digest + SHA256_DIGEST_SIZE - 8);
}

bool secret_equal(const void *a, const void *b, size_t len) { return memeql_sec(a, b, len); }
