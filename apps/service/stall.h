/*
 * Stalls: ports of the uplinks that are the stack's. Whoever comes in there, by Multipath TCP or not, is led on to a
 * server: behind a door, from its own address, so that the server sees its clients as ever; or by a socket.
 */
#ifndef HW_APPS_SERVICE_STALL_H
#define HW_APPS_SERVICE_STALL_H

#include "service/guests.h"
#include "service/kernel_dialer.h"
#include "service/ways_out.h"

enum {
    STALL_BACKLOG = 512, /* of each: clients that are half-open and remembered, or established and not yet seen */
    STALL_WAITING = 512, /* of each: clients that wait for the server, of which one address has about half; more, and
                          * who has waited for too long, are turned away */
    STALL_PATIENCE_S = 60,
};

/* Of the kernel's, to servers that are told of their clients. */
struct stall_sockets {
    struct sockets sockets;
    struct kernel_dialer kernel;
};

/* At most `max` at once, as kernel_dialer_init() has it. Returns 0 or -ENOMEM. */
int stall_sockets_init(struct stall_sockets *sockets, struct service *service, uint32_t max);
/* When all that used them is gone. */
void stall_sockets_end(struct stall_sockets *sockets);

/* Whose a port is. */
struct stall_owner {
    bool is_program; /* else it is the service's own */
    uid_t user;
    const char *program; /* what it calls itself, or ""; outlives the stall */
};

struct stall_options {
    uint16_t port; /* outside */
    int link;      /* a door: what leads to the server, from the client's address; */
    struct stall_sockets
        *sockets; /* or these do, from our own, and it is told of the client by the PROXY protocol; NULL */
    struct stall_owner owner;
    struct hawser_path_options *paths; /* of connections with clients; copied; NULL: the stack's */
    /* Where a client goes on that came in at `inside`, an address of the stack's. False: nowhere. */
    bool (*server)(void *of, const struct hawser_addr *inside, struct hawser_addr *to);
    void *of;
};

struct stall_counts {
    uint64_t accepted;
    uint64_t refused;     /* by the server, or it does not answer, or there are too many */
    uint64_t turned_away; /* of these: there are no more places or sockets, or not for that client */
    uint32_t waiting;     /* now, for the server to answer */
};

struct stall;

/* All of a service; zero and stalls_init(): there are none. */
struct stalls {
    struct service *service;
    struct ways_out *ways; /* NULL: uplinks are told, and what leads there is others' affair */
    struct list all;
    size_t count;
    unsigned patience_s; /* STALL_PATIENCE_S; less is for tests */
};

void stalls_init(struct stalls *stalls, struct service *service);

/* Opens one, of UPLINKS_PUBLISHED at most. Nobody comes in before stalls_apply(). Returns 0 and *out, or a negative
 * errno and one line in `why`. */
int stall_open(struct stalls *stalls, const struct stall_options *options, struct stall **out, char *why,
               size_t why_size);

/* Whoever waits is reset. Joints live on. stalls_apply() is due. */
void stall_close(struct stall *stall);

/* Has the host lead the ports that there are now to the stack, and no others. Returns 0, or a negative errno and one
 * line in `why`. */
int stalls_apply(struct stalls *stalls, char *why, size_t why_size);

struct stall_status {
    uint16_t port;
    struct stall_owner owner;
    struct stall_counts counts;
};

/* Of the i-th that there is (0, 1, ...); false past the end. */
bool stalls_status(const struct stalls *stalls, size_t i, struct stall_status *out);

#endif
