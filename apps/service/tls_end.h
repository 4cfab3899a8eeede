/*
 * TLS 1.3 above an end, as an end, in modes that agree on new secrets each time: nobody can open what was recorded, not
 * even with the keys of both sides.
 */
#ifndef HW_APPS_SERVICE_TLS_END_H
#define HW_APPS_SERVICE_TLS_END_H

#include "base/list.h"
#include "service/end.h"
#include "service/holders.h"
#include "service/tls_credentials.h"
#include "service/tls_records.h"

enum {
    TLS_WAITING_MAX = 64 * 1024, /* bytes that are encrypted and that the end below does not take */
    TLS_FAILURE_SIZE = 200,
    /* Bytes in a row that bring none of the stream: a handshake, or news of keys. Beyond that no record is read any
     * more, as GnuTLS itself keeps whatever belongs to one message, of which some may have 16 MiB. */
    TLS_FRUITLESS_MAX = 16 * 1024,
    /* What GnuTLS and we keep for a session that stands, as measured; what came of the other side's certificates, and
     * what it is in the middle of, come on top. */
    TLS_SESSION_BYTES = 13 * 1024,
};
#define TLS_HELD_MAX (UINT64_C(256) << 20) /* bytes, for all ends of one side, whether they stand or begin */

/* What all TLS of one side has in common. */
struct tls {
    const struct hawser_env *env;
    struct tls_credentials *credentials; /* of whoever begins */
    struct list closing;                 /* ends that were closed, and have something left to say */
    char failure[TLS_FAILURE_SIZE];      /* why the last one failed that did; empty: none has */
    uint64_t failures;                   /* so far */
    struct tls_intake intake;
    struct holders holders; /* by whom it is for; `max` is TLS_HELD_MAX, less is for tests */
    uint64_t heard_ns;      /* when there was something new of one of them */
    uint64_t overlong;      /* so far, that came to TLS_FRUITLESS_MAX */
    uint64_t reset;         /* so far, as too much was held, and most of it for their address */
};

/* What is told of it. */
struct tls_counts {
    uint64_t held_bytes;                       /* now */
    uint64_t no_room, reset, overlong, copied; /* so far: who could not begin; as in struct tls; bytes that were copied
                                                  from where they lay */
};

/* The credentials are its own from now on. Returns 0, or -ENOMEM: tls_destroy() is due all the same. */
int tls_init(struct tls *tls, struct tls_credentials *credentials, const struct hawser_env *env);
/* Others, for those who begin from now on. */
void tls_renew(struct tls *tls, struct tls_credentials *credentials);
/* What was closed and has something left to say is reset. Other ends are gone before. */
void tls_destroy(struct tls *tls);

/* One came to nothing for what is below or above TLS. */
void tls_note_failure(struct tls *tls, const char *text);

struct tls_counts tls_counts(const struct tls *tls);

/* Above an end that is connected, which it takes over, on behalf of who is at that address; NULL: of the other side,
 * which is on the Internet. It is connected itself when the handshake is over; -EPROTO is its error when the other side
 * is not who it has to be, or says nonsense; -ECONNABORTED, when too much is held, and most of it for that address.
 * Returns 0 and *out, -ENOBUFS: there is no room, or no more for that address, or -ENOMEM; and `below` is the caller's
 * still. */
int tls_end_new(struct tls *tls, struct end below, const struct hawser_addr *whose, struct end *out);

#endif
