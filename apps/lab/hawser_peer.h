/* An end that is Hawser, as far as the socket interface goes: whoever owns the stack moves its packets. */
#ifndef HW_APPS_LAB_HAWSER_PEER_H
#define HW_APPS_LAB_HAWSER_PEER_H

#include <hawser/hawser.h>

#include "lab/lab.h"
#include "lab/stream.h"

struct hawser_peer {
    const struct lab_options *options;
    enum lab_side side;
    struct hawser_stack *stack;
    struct lab_shared *shared;
    struct lab_progress *progress;
    struct lab_result *result;
    struct hawser_listener *listener;
    struct hawser_conn *conn;
    struct sender sender;
    struct receiver receiver;
    bool started; /* the stream has */
    bool sent_all, received_all;
    bool done; /* the result is filled in */
};

/* Listens or connects. On failure the result says why and the peer is done. */
void hawser_peer_start(struct hawser_peer *p, const struct lab_options *o, enum lab_side side,
                       struct hawser_stack *stack, struct lab_shared *shared, struct lab_result *result,
                       uint64_t now_ns);

/* Lets bytes flow. Returns whether the stack was given something to do. */
bool hawser_peer_pump(struct hawser_peer *p, uint64_t now_ns);

/* Frees what is the peer's; the connection ends with the stack. */
void hawser_peer_destroy(struct hawser_peer *p);

#endif
