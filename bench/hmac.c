/*
 * The cost of the cryptography of one MP_JOIN in three libraries: token and IDSN of a new key, and the three
 * HMAC-SHA256 that a side computes or checks. Build and run:
 *
 *   cc -O2 bench/hmac.c -lnettle -lsodium -lcrypto -o /tmp/hmac && /tmp/hmac
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <nettle/hmac.h>
#include <nettle/sha2.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sodium.h>

enum { ROUNDS = 100000, HMACS = 3 };

struct library {
    const char *name;
    void (*sha)(const uint8_t key[8], uint8_t out[32]);
    void (*hmac)(const uint8_t key[16], const uint8_t message[8], uint8_t out[32]);
};

static void nettle_sha(const uint8_t key[8], uint8_t out[32])
{
    struct sha256_ctx c;
    sha256_init(&c);
    sha256_update(&c, 8, key);
    sha256_digest(&c, 32, out);
}

static void nettle_hmac(const uint8_t key[16], const uint8_t message[8], uint8_t out[32])
{
    struct hmac_sha256_ctx c;
    hmac_sha256_set_key(&c, 16, key);
    hmac_sha256_update(&c, 8, message);
    hmac_sha256_digest(&c, 32, out);
}

static void sodium_sha(const uint8_t key[8], uint8_t out[32]) { crypto_hash_sha256(out, key, 8); }

static void sodium_hmac(const uint8_t key[16], const uint8_t message[8], uint8_t out[32])
{
    crypto_auth_hmacsha256_state c;
    crypto_auth_hmacsha256_init(&c, key, 16);
    crypto_auth_hmacsha256_update(&c, message, 8);
    crypto_auth_hmacsha256_final(&c, out);
}

static void openssl_sha(const uint8_t key[8], uint8_t out[32]) { EVP_Digest(key, 8, out, NULL, EVP_sha256(), NULL); }

static void openssl_hmac(const uint8_t key[16], const uint8_t message[8], uint8_t out[32])
{
    unsigned len;
    HMAC(EVP_sha256(), key, 16, message, 8, out, &len);
}

static double join_ns(const struct library *l, uint8_t digest[32])
{
    uint8_t key[16] = {1};
    struct timespec a, b;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
    for (int i = 0; i < ROUNDS; i++) {
        l->sha(key, digest);
        for (int k = 0; k < HMACS; k++)
            l->hmac(key, digest, digest);
        memcpy(key, digest, sizeof key);
    }
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
    return ((double)(b.tv_sec - a.tv_sec) * 1e9 + (double)(b.tv_nsec - a.tv_nsec)) / ROUNDS;
}

int main(void)
{
    static const struct library libraries[] = {{"nettle", nettle_sha, nettle_hmac},
                                               {"libsodium", sodium_sha, sodium_hmac},
                                               {"OpenSSL", openssl_sha, openssl_hmac}};
    if (sodium_init() < 0)
        return 1;
    for (int round = 0; round < 3; round++)
        for (size_t i = 0; i < 3; i++) {
            uint8_t digest[32];
            double ns = join_ns(&libraries[i], digest);
            printf("%-10s %6.0f ns a join (check %02x%02x)\n", libraries[i].name, ns, digest[0], digest[1]);
        }
    return 0;
}
