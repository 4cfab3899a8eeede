/*
 * TLS 1.3 above an end, as an end, in modes that agree on new secrets each time: nobody can open what was recorded, not
 * even with the keys of both sides.
 */
#ifndef HW_APPS_SERVICE_TLS_END_H
#define HW_APPS_SERVICE_TLS_END_H

#include "base/list.h"
#include "service/end.h"
#include "service/tls_credentials.h"

enum {
    TLS_RECORD_BYTES = 16384,     /* RFC 8446 5.1 */
    TLS_WAITING_MAX = 256 * 1024, /* bytes that are encrypted and that the end below does not take */
    TLS_FAILURE_SIZE = 200,
    /* Of all ends of one side: taken from below, not decrypted yet. Beyond that bytes are decrypted where they lie, so
     * that they are charged to whom they belong. */
    TLS_TAKEN_MAX = 16 * 1024 * 1024,
};

/* What all TLS of one side has in common. */
struct tls {
    const struct hawser_env *env;
    struct tls_credentials *credentials; /* of whoever begins */
    struct list closing;                 /* ends that were closed, and have something left to say */
    char failure[TLS_FAILURE_SIZE];      /* why the last one failed that did; empty: none has */
    uint64_t taken_bytes;                /* held now */
    uint64_t taken_max;                  /* TLS_TAKEN_MAX; less is for tests */
    uint64_t untaken_bytes;              /* so far, that were decrypted where they lay */
};

/* The credentials are its own from now on. */
void tls_init(struct tls *tls, struct tls_credentials *credentials, const struct hawser_env *env);
/* Others, for those who begin from now on. */
void tls_renew(struct tls *tls, struct tls_credentials *credentials);
/* What was closed and has something left to say is reset. Other ends are gone before. */
void tls_destroy(struct tls *tls);

/* Above an end that is connected, which it takes over. It is connected itself when the handshake is over; -EPROTO is
 * its error when the other side is not who it has to be, or says nonsense. Returns 0 and *out, or -ENOMEM, and `below`
 * is the caller's still. */
int tls_end_new(struct tls *tls, struct end below, struct end *out);

#endif
