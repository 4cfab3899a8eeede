/*
 * What a client says to a proxy before its bytes pass: SOCKS 5 (RFC 1928) or HTTP CONNECT (RFC 9110 9.3.6), over an end
 * of any kind. Whom it asks for is dialled; then the two are joined, or it is told why not.
 */
#ifndef HW_APPS_SERVICE_SESSION_H
#define HW_APPS_SERVICE_SESSION_H

#include <systemd/sd-event.h>

#include "service/dial.h"
#include "service/guests.h"
#include "service/joint.h"
#include "service/pace.h"
#include "service/tls_end.h"

enum {
    SESSION_PATIENCE_S = 10,      /* for what a client has to say */
    SESSION_FAR_PATIENCE_S = 20,  /* the same, of another Hawser, by a path that may be bad */
    SESSION_DIAL_PATIENCE_S = 60, /* for the destination */
    SESSION_FAREWELL_S = 2,       /* for a client that is refused to read that */
    SESSIONS_MAX = 2048,          /* that have not said all yet: beyond, one makes way, */
                                  /* of the address with most of them that which has been at it longest */
    SESSIONS_PART = 2,            /* of these for one address: beyond, one of its own does */
    /* Handshakes of TLS, each of which costs a signature, that an address may begin; those that end well do not count.
     */
    SESSION_HANDSHAKES = 1024, /* at once, */
    SESSION_HANDSHAKES_PER_S = 50,
};

enum { SESSION_SOCKS = 1 << 0, SESSION_HTTP = 1 << 1 };

struct session_counts {
    uint64_t joined, refused;
    uint64_t failed;       /* of refused: the destination could not be reached */
    uint64_t nonsense;     /* of refused: not a word of either protocol, or of one that is not spoken here */
    uint64_t gave_up;      /* clients that went, were too slow, or had to make way */
    uint64_t crowded_out;  /* of gave_up: the latter */
    uint64_t turned_away;  /* before they came to be sessions, as their address had its share of what there is */
    uint64_t hasty;        /* of turned_away: it had begun too many handshakes that come to nothing */
    uint32_t count;        /* sessions now */
    struct tls_counts tls; /* around what is said, as its owner tells */
};

/* What the sessions of a proxy have in common; it outlives them. What stands before `speakers` is the owner's to set.
 */
struct sessions {
    sd_event *loop;
    struct hawser_host *host; /* the clock */
    struct joints *joints;
    struct dialer *dialer;       /* of names and addresses */
    unsigned spoken;             /* SESSION_SOCKS, SESSION_HTTP */
    const char *user, *password; /* NULL: anybody may */
    struct tls *tls;             /* around what is said; NULL: none */
    struct pace *handshakes;     /* by address; NULL: as many as there may be */
    const char *port;            /* where they come in, for listings; outlives their joints */
    bool upstream;               /* they are other Hawsers, and come by the uplinks */
    struct guests speakers;      /* how many an address has that have not said all yet */
    struct list speaking, heard; /* those, the oldest first; and who has */
    uint32_t speaking_max;       /* SESSIONS_MAX; less is for tests */
    struct session_counts counts;
};

/* Returns 0 or -ENOMEM. */
int sessions_init(struct sessions *sessions, sd_event *loop, struct hawser_host *host);

/* A client, from now on the session's. Returns 0, or a negative errno, and it is the caller's still: -EAGAIN, when its
 * address begins too much; or what tls_end_new() says. */
int session_begin(struct sessions *sessions, struct end client);

/* Resets all clients that are not joined yet. */
void sessions_break(struct sessions *sessions);
/* Likewise, and nobody comes any more. */
void sessions_destroy(struct sessions *sessions);

#endif
