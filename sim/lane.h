/*
 * One direction of a link: a queue, a transmitter of a given rate or with the opportunities of a recorded trace, and a
 * wire with delay, jitter, loss, corruption, duplication and reordering.
 */
#ifndef HW_SIM_LANE_H
#define HW_SIM_LANE_H

#include "sim/queue.h"

#define PPM_ALL 1000000u

enum loss_kind { LOSS_NONE, LOSS_INDEPENDENT, LOSS_BURSTY };

struct loss_config {
    enum loss_kind kind;
    uint32_t ppm; /* independent: share lost */
    /* Gilbert and Elliott: chances to change state, at each packet, and the share lost in either state, millionths. */
    uint32_t to_bad_ppm, to_good_ppm, good_ppm, bad_ppm;
};

/* When a link of varying rate may send, in the format of Mahimahi: each time is an opportunity to send 1500 bytes. */
struct rate_trace {
    uint32_t *at_ms; /* ascending; the last is the period after which it begins anew */
    uint32_t count;
};

struct lane_config {
    uint64_t rate_bps;              /* bits of IP packets a second; 0: no limit, nothing queues */
    const struct rate_trace *trace; /* instead of a rate; borrowed; NULL: none */
    uint64_t delay_ns;              /* of the wire */
    uint64_t jitter_ns;             /* each packet takes up to this much longer, uniformly */
    bool jitter_reorders;           /* later ones may overtake it; else the order is kept */
    struct queue_config queue;
    struct loss_config loss;
    uint32_t corrupt_ppm;   /* one bit is flipped */
    uint32_t duplicate_ppm; /* arrives twice */
    uint32_t reorder_ppm;   /* takes `reorder_ns` longer, so that later ones overtake it */
    uint64_t reorder_ns;
    uint32_t mtu;  /* larger packets are dropped; 0: no limit */
    bool mtu_told; /* and their senders are told by ICMP */
    bool down;
};

/* Do both say the same, by their values? */
bool lane_config_same(const struct lane_config *a, const struct lane_config *b);

struct lane_counters {
    uint64_t entered;                    /* packets offered */
    uint64_t delivered, delivered_bytes; /* packets out at the far end */
    uint64_t lost_queue, lost_wire, lost_down, lost_size;
    uint64_t corrupted, duplicated, reordered;
    uint64_t busy_ns; /* time spent transmitting */
};

/* What a lane draws for. Each purpose has its own stream, so that a fault added or removed leaves the others as they
 * were. */
enum lane_draw { DRAW_QUEUE, DRAW_LOSS, DRAW_CORRUPT, DRAW_DUPLICATE, DRAW_JITTER, DRAW_REORDER, LANE_DRAWS };

struct lane {
    struct lane_config config;
    struct prng rng[LANE_DRAWS];
    struct hawser_buf_pool *packets;
    struct queue queue;
    struct packet *sending; /* in transmission until its at_ns */
    uint64_t remainder;     /* of the last division by the rate, so that rounding does not add up */
    uint64_t trace_next;    /* index of the next opportunity, counted over all periods */
    uint32_t trace_left;    /* bytes left of the opportunity before it */
    uint64_t trace_start_ns;
    struct list wire;      /* by at_ns; the earliest first */
    uint64_t last_exit_ns; /* when the last one in order leaves */
    bool bad_state;        /* of the bursty loss */
    struct lane_counters counters;
};

/* The lane's streams are seeded from `rng`. `packets` is borrowed. */
void lane_init(struct lane *lane, const struct lane_config *config, const struct prng *rng,
               struct hawser_buf_pool *packets, uint64_t now_ns);
void lane_fini(struct lane *lane);

/* Takes effect for what is transmitted from now on; what waits stays, also above the new limits and in a queue
 * of another kind. Down drops what is inside when it would leave. */
void lane_configure(struct lane *lane, const struct lane_config *config, uint64_t now_ns);

/* Is it too large for the link? */
bool lane_refuses_size(const struct lane *lane, const struct packet *packet);
/* A packet enters; the lane owns it. */
void lane_push(struct lane *lane, struct packet *packet, uint64_t now_ns);

/* When lane_pop() has something to do; TIME_NEVER: nothing inside. */
uint64_t lane_next_at(const struct lane *lane);

/* Moves the inside on to `now_ns`. Returns the next packet that leaves, the caller's now, or NULL. Call until NULL. */
struct packet *lane_pop(struct lane *lane, uint64_t now_ns);

/* Bytes that wait, the one in transmission not counted. */
static inline uint64_t lane_backlog(const struct lane *lane) { return lane->queue.bytes; }

#endif
