/*
 * Gates: one between each interface of a host and its link, through which a packet leaves and arrives. There single
 * packets, and paths from some moment on, can be made to go wrong. A path is what joins two interfaces of different
 * hosts; an address belongs to the interface that the scenario gives it to.
 */
#ifndef HW_SIM_GATES_H
#define HW_SIM_GATES_H

#include "sim/stage.h"

enum deviation {
    DEVIATE_NOT,
    DEVIATE_LOSE,
    DEVIATE_DUPLICATE,
    DEVIATE_SWAP,          /* it leaves after the next one of its end and path */
    DEVIATE_STRIP,         /* of its MPTCP options */
    DEVIATE_CUT_FIRST,     /* in two; MPTCP options on the first half */
    DEVIATE_CUT_BOTH,      /* in two; options on both */
    DEVIATE_STRIP_OUTWARD, /* with it and from here on the path, the packets of its sender */
    DEVIATE_STRIP_INWARD,  /* those of the other end */
    DEVIATE_STRIP_BOTH,
    DEVIATE_BLACK_HOLE,   /* neither it nor anything later passes, both ways */
    DEVIATE_ACKING_PROXY, /* close to its sender, from here on */
    DEVIATIONS
};

/* "lose", "strip-outward", ... */
const char *deviation_name(enum deviation what);
/* DEVIATIONS when nothing is called that. */
enum deviation deviation_find(const char *name, size_t len);

struct gate;

struct path {
    unsigned number;
    struct gate *end[2];
    struct node *proxy[2];  /* close to that end */
    bool proxied[2];        /* it acts */
    struct packet *held[2]; /* of that end: leaves after the next one */
    bool stripped[2];       /* what leaves that end loses its MPTCP options */
    bool dead;
};

/* What the owner of the gates is told. Both get `ctx`. */
struct gates_ops {
    /* A packet is about to leave `end` of a path. What is to become of it? */
    enum deviation (*leaves)(void *ctx, struct path *path, unsigned end, struct packet *packet, uint64_t now_ns);
    /* A packet is about to arrive at `end`. */
    void (*arrives)(void *ctx, struct path *path, unsigned end, const struct packet *packet);
};

struct gates {
    struct world *world;
    const struct scenario *scenario;
    struct gate **list;
    size_t count;
    struct path *paths;
    size_t path_count;
    struct gates_ops ops;
    void *ctx;
};

/* Puts a gate before each interface of a stage that was built. gates_free() after the world was destroyed. */
void gates_install(struct gates *gates, struct stage *stage, const struct gates_ops *ops, void *ctx);
void gates_free(struct gates *gates);

struct host *gate_host(const struct gate *gate);
const struct wire_spec *gate_link(const struct gate *gate);

/* The deviations that would change something at this packet: a set of 1 << enum deviation. */
unsigned path_deviations(const struct path *path, unsigned end, struct packet *packet);

#endif
