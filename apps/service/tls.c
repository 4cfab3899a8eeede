/* What all TLS of one side has in common: the key, and what is spoken. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nettle/memops.h>

#include "service/secret.h"
#include "service/tls_end.h"

/* TLS 1.3, and of its ways to agree on keys those with the key of both sides and new secrets besides. */
#define TLS_PRIORITIES "SECURE128:-VERS-ALL:+VERS-TLS1.3:-KX-ALL:+ECDHE-PSK:+DHE-PSK"
#define TLS_IDENTITY "hawser"

enum { TLS_FILE_MAX = 2 * TLS_KEY_BYTES + 2 };

/* ---- the key ---- */

static int digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static bool read_digits(const char *text, size_t len, uint8_t key[TLS_KEY_BYTES])
{
    while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\r'))
        len--;
    for (size_t i = 0; i < TLS_KEY_BYTES && len == 2 * TLS_KEY_BYTES; i++) {
        int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        key[i] = (uint8_t)(high << 4 | low);
    }
    return len == 2 * TLS_KEY_BYTES;
}

int tls_read_key(const char *path, uint8_t key[TLS_KEY_BYTES], char *why, size_t why_size)
{
    char text[TLS_FILE_MAX + 1];
    ssize_t n = secret_read(path, text, sizeof text, why, why_size);
    if (n < 0 && n != -E2BIG)
        return (int)n;
    bool right = n > 0 && read_digits(text, (size_t)n, key);
    explicit_bzero(text, sizeof text);
    if (!right)
        snprintf(why, why_size, "%s: no key, which is %d hexadecimal digits: make one by openssl rand -hex %d", path,
                 2 * TLS_KEY_BYTES, TLS_KEY_BYTES);
    return right ? 0 : -EINVAL;
}

/* ---- both sides ---- */

/* There is one name, and one key. */
static int find_key(gnutls_session_t session, const char *name, gnutls_datum_t *out)
{
    const struct tls *tls = gnutls_session_get_ptr(session);
    if (strcmp(name, TLS_IDENTITY) != 0)
        return -1;
    out->data = gnutls_malloc(TLS_KEY_BYTES);
    if (!out->data)
        return -1;
    memcpy(out->data, tls->key, TLS_KEY_BYTES);
    out->size = TLS_KEY_BYTES;
    return 0;
}

static int take_key(struct tls *tls)
{
    const gnutls_datum_t key = {tls->key, TLS_KEY_BYTES};
    if (tls->role == TLS_CLIENT) {
        int code = gnutls_psk_allocate_client_credentials(&tls->client);
        return code < 0 ? code : gnutls_psk_set_client_credentials(tls->client, TLS_IDENTITY, &key, GNUTLS_PSK_KEY_RAW);
    }
    int code = gnutls_psk_allocate_server_credentials(&tls->server);
    if (code >= 0)
        gnutls_psk_set_server_credentials_function(tls->server, find_key);
    return code;
}

int tls_init(struct tls *tls, enum tls_role role, const uint8_t key[TLS_KEY_BYTES], const struct hawser_env *env)
{
    *tls = (struct tls){.role = role, .env = env};
    memcpy(tls->key, key, TLS_KEY_BYTES);
    list_init(&tls->closing);
    int code = gnutls_priority_init(&tls->priorities, TLS_PRIORITIES, NULL);
    if (code >= 0)
        code = take_key(tls);
    if (code < 0)
        tls_destroy(tls);
    return code < 0 ? -ENOMEM : 0;
}
