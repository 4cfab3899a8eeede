/*
 * By what the two sides of TLS know each other: a key that both have (RFC 8446 4.2.11), in the mode that agrees on new
 * secrets besides; or certificates, of both sides. Read from files, and shared by the sessions that began with them.
 */
#ifndef HW_APPS_SERVICE_TLS_CREDENTIALS_H
#define HW_APPS_SERVICE_TLS_CREDENTIALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <gnutls/gnutls.h>

enum {
    TLS_KEY_BYTES = 32,
    TLS_CHAIN_BYTES = 12 * 1024, /* of one's own certificate and those behind it: see TLS_FRUITLESS_MAX */
    TLS_PEM_MAX = 1024 * 1024, /* bytes of a file with certificates: those of all the world's authorities are a fifth */
};

enum tls_role { TLS_CLIENT, TLS_SERVER };

/* Names of files, or NULL: there is none. At least a key, or a certificate with its private key. */
struct tls_files {
    const char *key;                       /* 64 hexadecimal digits */
    const char *certificate, *private_key; /* PEM; behind one's own certificate those that lead to who has signed it */
    const char *ca;          /* PEM: whose certificates count. NULL: whom the system trusts; of a client */
    const char *server_name; /* no file: for whom the server's certificate has to be; of a client */
};

struct tls_credentials;

/* What a session goes by, and what it makes of the other side. */
struct tls_identity {
    struct tls_credentials *credentials;
    bool judged;      /* the other side's certificate was looked at, */
    unsigned verdict; /* and this is wrong with it, as GNUTLS_CERT_...; 0: nothing */
};

/* Reads the files. Returns 0 and *out, which has one reference; or a negative errno, and in `why` one line: the file,
 * and what is wrong with it. */
int tls_credentials_read(enum tls_role role, const struct tls_files *files, struct tls_credentials **out, char *why,
                         size_t why_size);
struct tls_credentials *tls_credentials_ref(struct tls_credentials *credentials);
void tls_credentials_unref(struct tls_credentials *credentials); /* NULL is none */

/* Is one of the files another one since they were read, or gone? One that may not be seen is not. */
bool tls_credentials_outdated(const struct tls_credentials *credentials, const struct tls_files *files);

/* GNUTLS_SERVER or GNUTLS_CLIENT. */
unsigned tls_credentials_side(const struct tls_credentials *credentials);
/* That session goes by them. `identity`, which it then has for its own and which outlives it, has a reference. Returns
 * 0 or GnuTLS's error. */
int tls_credentials_use(struct tls_credentials *credentials, gnutls_session_t session, struct tls_identity *identity);
/* What is wrong with the certificate that the other side has shown, as GNUTLS_CERT_...; 0: nothing. It is looked at
 * once only. */
unsigned tls_credentials_judge(gnutls_session_t session);

/* Reads the key from a file: 64 hexadecimal digits. Returns 0, or a negative errno and one line in `why`. */
int tls_read_key(const char *path, uint8_t key[TLS_KEY_BYTES], char *why, size_t why_size);

#endif
