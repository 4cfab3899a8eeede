/*
 * The service behind a door: what a client asks for is opened first, at the real destination; then the client is
 * accepted, and the two connections joined, or it is told what the destination said.
 */
#ifndef HW_APPS_SERVICE_DOOR_H
#define HW_APPS_SERVICE_DOOR_H

#include <hawser/hawser.h>

#include "service/dial.h"
#include "service/joint.h"

struct door;

struct door_options {
    unsigned backlog;   /* clients that wait for their destination; one address has about half of them */
    struct dialer *far; /* what leads to destinations; it outlives the door */
    /* What a client wants, by its address; good during the call that asks; NULL: nothing. May be NULL. */
    const struct demands *(*demands)(void *of, const struct hawser_addr *client);
    void *of;
    /* Of connections with clients. Its size is set, and what it points to outlives the door. */
    struct hawser_conn_options near;
};

struct door_counts {
    uint64_t asked;
    uint64_t accepted;
    uint64_t withdrawn;                           /* the client gave up before there was an answer */
    uint64_t refused[HAWSER_REFUSE_SILENTLY + 1]; /* by enum hawser_refusal */
    uint64_t without_mptcp;                       /* of the refused: the client wants nothing else */
    uint64_t without_port;                        /* had to wait: all ports to the destination were taken */
    uint32_t waiting;                             /* now */
};

/* Serves link number `link`, a door; connections become joints of `joints`. Returns 0 and *out, -ENOMEM, or what
 * hawser_listen_link() says. */
int door_open(struct hawser_stack *stack, int link, struct joints *joints, const struct door_options *options,
              struct door **out);

/* Between packets: who waits for a port to its destination is tried again. */
void door_turn(struct door *door, uint64_t now_ns);

void door_count(const struct door *door, struct door_counts *out);

/* Refuses whoever waits, and whoever comes from now on. Who waits hears of it by the next output of the stack. */
void door_shut(struct door *door);

/* Forgets whoever waits, and the door: nobody hears anything who was not refused before. Joints live on. */
void door_close(struct door *door);

/* How a client is told that there is no connection for this negative errno of a dialer. */
enum hawser_refusal door_refusal(int error);

#endif
