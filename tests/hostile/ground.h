/*
 * Where it happens: one stack under attack in virtual time, with the program that serves behind it, the link's few
 * buffers before it, and the counts of what it holds and what it does. Who attacks and who is served beside them are
 * told of every packet that leaves.
 */
#ifndef HW_HOSTILE_GROUND_H
#define HW_HOSTILE_GROUND_H

#include <hawser/hawser.h>

#include "base/prng.h"
#include "link/rx_buffers.h"

/* What the program does with connections, by the port they came to. */
enum role {
    ROLE_SERVE, /* answers every 5 bytes by 8 */
    ROLE_READ,  /* reads and says nothing */
    ROLE_QUEUE, /* queues whatever is taken */
    ROLE_DEAF,  /* never reads */
    ROLE_CLOSE, /* closes at once */
    ROLE_WILD,  /* anything */
    ROLES
};
enum { GROUND_PORT = 80 /* of ROLE_SERVE; the others follow */, ASKED = 5, ANSWERED = 8 };
/* That foes come from at most, and a victim. */
enum { FOES_NETWORKS = 41, GROUND_NETWORKS = FOES_NETWORKS + 2 };

/* Zero in any field means the default. */
struct ground_options {
    uint32_t memory_bytes; /* 16 MiB */
    uint32_t connections;  /* 256 */
    uint32_t backlog;      /* 128 */
    uint32_t calls;        /* that the program has open at once; default: whatever it is made to */
    uint32_t link_buffers; /* 16, of 256 KiB each */
    uint32_t recv_buffer_bytes, send_buffer_bytes;
    uint32_t link_bytes_a_ms; /* that the link takes; default: all there is */
    uint32_t refusals_ppm;    /* of what is asked of the system's memory, as long as it lasts */
    bool checksums, v6;
};

/* An environment that counts what is held. */
struct purse {
    struct hawser_env env;
    struct prng secrets, moods;
    uint32_t refusals_ppm;
    uint64_t live_bytes, blocks;
};

void purse_init(struct purse *p, uint64_t seed);

struct client {
    struct hawser_conn *conn; /* NULL: a free place */
    enum role role;
    uint32_t asked, owed;
    bool called; /* by the program */
    bool honest; /* the program knows it, and keeps it when it gives up on the others */
};

struct ground;

/* Gets every packet that leaves; may be a super-segment. */
typedef void ground_hear(void *ctx, const struct hawser_tx *tx);
/* Says what it has to say at this time, each millisecond. */
typedef void ground_press(void *ctx, uint64_t tick);

struct ground {
    struct ground_options options;
    struct purse purse, link_purse;
    struct prng luck, whims; /* of who attacks; of the program */
    struct hawser_stack *stack;
    struct hawser_listener *listeners[ROLES];
    struct hawser_addr addr;
    struct client *clients;
    uint32_t client_count;
    char answers[512 * ANSWERED]; /* one after the other */
    struct hawser_buf_pool *pool;
    struct rx_buffers rx;
    uint64_t now_ns, next_tick_ns, tick;
    bool held;                       /* what is said is collected; nothing is sent until it is let go */
    uint64_t cost;                   /* blocks in all */
    double worst;                    /* that one packet took, beside the bytes that it set in motion: README.md */
    uint64_t bytes_sent, bytes_read; /* of payload, by the stack and by the program */
    uint64_t link_since_ns;          /* it took so much since then, and no more for now */
    uint32_t link_bytes;
    bool link_full;
    uint64_t peak_bytes;
    ground_hear *hear;
    ground_press *press; /* may be NULL */
    void *ctx;
};

/* The address of host `host` of network `net`, of the family that is used here. */
struct hawser_addr ground_addr(const struct ground *g, unsigned net, unsigned host, uint16_t port);
static inline unsigned ground_prefix(const struct ground *g) { return g->options.v6 ? 64 : 24; }

/* Whom a packet is for, with the port. */
struct hawser_addr ground_tx_to(const struct hawser_tx *tx);

/* `options` may be NULL. */
void ground_init(struct ground *g, const struct ground_options *options, uint64_t seed);
/* Frees all; false when something was not given back. */
bool ground_destroy(struct ground *g);

/* A packet arrives; the stack and its program do all that they have to do. `gso_size` as in struct hawser_rx. */
void ground_input(struct ground *g, const void *packet, uint32_t len, uint16_t gso_size);

/* From now on packets are taken in one after the other, as a batch, and answered when it is let go. */
void ground_hold(struct ground *g);
void ground_let_go(struct ground *g);

/* Runs timers that are due, and what they make the stack say. */
void ground_advance(struct ground *g);

/* When ground_advance() must be called next. */
uint64_t ground_deadline(const struct ground *g);

/* The program connects to somebody, with ROLE_QUEUE, unless it has enough of these. */
void ground_connect(struct ground *g, const struct hawser_addr *to, bool plain);

/* The program closes every connection but those of honest clients. */
void ground_give_up(struct ground *g);

/* What the stack makes the machine hold: what it allocated, and buffers of the link it keeps. */
uint64_t ground_bytes(const struct ground *g);
/* What that may be at most: README.md. */
uint64_t ground_bytes_limit(const struct ground *g);

uint64_t ground_counter(const struct ground *g, const char *name);

#endif
