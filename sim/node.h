/*
 * Nodes: everything that packets pass through. A node has numbered ports, each joined to a port of another node. It is
 * given a packet, says when it wants to run, and is run then.
 */
#ifndef HW_SIM_NODE_H
#define HW_SIM_NODE_H

#include <stdint.h>

#include "base/deadline.h"
#include "base/list.h"
#include "base/prng.h"
#include "sim/packet.h"

#define NODE_NAME_MAX 48

struct node;
struct world;

struct node_ops {
    const char *kind;
    /* A packet arrives by `port`; the node owns it from now on. */
    void (*forward)(struct node *node, unsigned port, struct packet *packet, uint64_t now_ns);
    /* When run() must next be called, TIME_NEVER for not at all. Asked after each forward() and run(). */
    uint64_t (*next_run_at)(const struct node *node);
    void (*run)(struct node *node, uint64_t now_ns);
    /* Frees the node and the packets it holds. */
    void (*destroy)(struct node *node);
};

struct node_port {
    struct node *peer; /* NULL: not connected */
    unsigned peer_port;
};

struct node {
    const struct node_ops *ops;
    struct world *world;
    struct list link; /* in the world */
    struct deadline deadline;
    uint32_t id;     /* in order of creation */
    struct prng rng; /* its own, from the world's seed and its name */
    struct node_port *ports;
    unsigned port_count;
    bool passes; /* two ports, and what enters one leaves by the other: a link or a middlebox */
    char name[NODE_NAME_MAX];
};

/* Readies the head of a node and adds it to the world, which destroys it. The name must be the only one of its kind:
 * randomness follows from it. */
void node_init(struct node *node, struct world *world, const struct node_ops *ops, const char *name,
               unsigned port_count);
/* For destroy(): takes it out of the world and frees the ports. */
void node_fini(struct node *node);

/* One more port; returns its number. */
unsigned node_add_port(struct node *node);

void node_connect(struct node *a, unsigned port_a, struct node *b, unsigned port_b);

/* Hands a packet to a node, by its port. */
void node_forward(struct node *node, unsigned port, struct packet *packet, uint64_t now_ns);

/* Sends a packet out of a port of the node's, to whoever is joined there; freed when nobody is. */
void node_emit(struct node *node, unsigned port, struct packet *packet, uint64_t now_ns);

/* Something changed outside forward() and run(): the node is run at `now_ns`, after what is under way. */
void node_wake(struct node *node, uint64_t now_ns);

/* The router or host that a port leads to, past links and middleboxes, and the port there; peer NULL: nowhere. */
struct node_port node_far_end(const struct node *node, unsigned port);

#endif
