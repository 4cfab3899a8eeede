/*
 * TLS 1.3 above an end, as an end: with a key that both sides have (RFC 8446 4.2.11), in the mode that agrees on new
 * secrets besides. Nobody can open what was recorded, not even with the key.
 */
#ifndef HW_APPS_SERVICE_TLS_END_H
#define HW_APPS_SERVICE_TLS_END_H

#include <gnutls/gnutls.h>

#include "base/list.h"
#include "service/end.h"

enum {
    TLS_KEY_BYTES = 32,
    TLS_RECORD_BYTES = 16384,     /* RFC 8446 5.1 */
    TLS_WAITING_MAX = 256 * 1024, /* bytes that are encrypted and that the end below does not take */
};

enum tls_role { TLS_CLIENT, TLS_SERVER };

/* What all TLS of one side has in common. */
struct tls {
    enum tls_role role;
    const struct hawser_env *env;
    gnutls_priority_t priorities;
    gnutls_psk_client_credentials_t client;
    gnutls_psk_server_credentials_t server;
    uint8_t key[TLS_KEY_BYTES];
    struct list closing; /* ends that were closed, and have something left to say */
};

/* Reads the key from a file: 64 hexadecimal digits. Returns 0, or a negative errno and one line in `why`. */
int tls_read_key(const char *path, uint8_t key[TLS_KEY_BYTES], char *why, size_t why_size);

/* Returns 0 or -ENOMEM. */
int tls_init(struct tls *tls, enum tls_role role, const uint8_t key[TLS_KEY_BYTES], const struct hawser_env *env);
/* What was closed and has something left to say is reset. Other ends are gone before. */
void tls_destroy(struct tls *tls);

/* Above an end that is connected, which it takes over. It is connected itself when the handshake is over; -EPROTO is
 * its error when the other side has another key, or says nonsense. Returns 0 and *out, or -ENOMEM, and `below` is the
 * caller's still. */
int tls_end_new(struct tls *tls, struct end below, struct end *out);

#endif
