/*
 * The control socket: programs of this machine ask the service for something, each in a record of JSON, and hear of it
 * in another one (docs/CONTROL.md). Who does what is a table of verbs that the parts of the service bring along. A peer
 * that sends nonsense is told so; one that does not read is dropped; none keeps others from being served.
 */
#ifndef HW_APPS_SERVICE_CONTROL_H
#define HW_APPS_SERVICE_CONTROL_H

#include <sys/socket.h>
#include <systemd/sd-event.h>

#include <jansson.h>

#include "base/compiler.h"
#include "base/list.h"

enum {
    CONTROL_VERSION = 1,
    CONTROL_VERBS = 16,
    CONTROL_PEERS = 1024,        /* at once; half of them of one user who does not own the service, */
    CONTROL_PEERS_OF_OWNER = 16, /* and more, of who owns it: root, and the user that it runs as */
    CONTROL_DESCRIPTORS = 4,
    CONTROL_MESSAGE_MAX = 64 * 1024, /* bytes of a request, and of an answer */
    CONTROL_REQUESTS_PER_S = 1000,   /* of one peer; others wait */
    CONTROL_WHY_SIZE = 512,
};

struct control_peer;

/* What a peer asks for. */
struct control_request {
    struct control_peer *peer;
    const json_t *body; /* an object */
    struct ucred from;
    int descriptors[CONTROL_DESCRIPTORS]; /* closed afterwards; who keeps one writes -1 there */
    size_t descriptor_count;
    int passed; /* a descriptor that goes along with the answer, and is closed then; -1: none */
    char why[CONTROL_WHY_SIZE];
};

enum control_verdict {
    CONTROL_DONE,    /* the answer says so, with what was put into it */
    CONTROL_REFUSED, /* it says why: control_refuse() */
    CONTROL_LATER,   /* control_answer() follows; until then no other request of this peer is read */
};

struct control_verb {
    const char *name;
    bool owner_only; /* for root, and the user that the service runs as */
    /* May put members into the answer. */
    enum control_verdict (*run)(void *user, struct control_request *request, json_t *answer);
    void *user;
};

/* Who wants to know when a peer has gone: what was done for it ends. */
struct control_watch {
    void (*gone)(struct control_watch *watch);
    struct list link; /* of the peer's */
};

struct control_counts {
    uint64_t requests;     /* that a verb was found for */
    uint64_t nonsense;     /* that were none */
    uint64_t crowded_out;  /* peers, at CONTROL_PEERS or their user's share of it, or for want of descriptors */
    uint64_t did_not_read; /* peers that were dropped as their answers found no room */
};

struct control {
    sd_event *loop;
    sd_event_source *source;
    int fd, spare_fd; /* spare: given up for a moment to turn somebody away when there are no descriptors left */
    struct list peers;
    unsigned peer_count;
    struct control_verb verbs[CONTROL_VERBS];
    size_t verb_count;
    char *buffer; /* of requests */
    struct control_counts counts;
};

/* One that is not open: control_close() is harmless. */
#define CONTROL_NONE ((struct control){.fd = -1, .spare_fd = -1})

/* Serves `fd`, a listening socket (control_socket.h), which it takes over on success. Returns 0 or a negative errno. */
int control_open(struct control *control, sd_event *loop, int fd);

/* Adds a verb, to one that is open. Returns 0, or -ENOSPC. */
int control_add_verb(struct control *control, const struct control_verb *verb);

/* Says no, in one line; for verbs: `return control_refuse(request, ...)`. */
HW_PRINTF(2, 3)
enum control_verdict control_refuse(struct control_request *request, const char *format, ...);

/* The answer to what was put off with CONTROL_LATER: an object, which it takes over, or NULL and one line that says why
 * not. `passed` goes along, and is closed then; -1: nothing does. The peer may be gone after that: its watches were
 * told.
 */
void control_answer(struct control_peer *peer, json_t *answer, const char *why, int passed);

/* `watch`, which watches nobody yet, is told when the peer has gone, and after that nobody may name the peer. */
void control_watch(struct control_peer *peer, struct control_watch *watch);
/* It is not, after all. */
void control_unwatch(struct control_watch *watch);

/* Ends the connection. Its watches are told. */
void control_drop(struct control_peer *peer);

/* Drops all peers, and closes the socket. */
void control_close(struct control *control);

#endif
