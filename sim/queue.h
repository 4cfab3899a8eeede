/* What a lane does with packets that wait for its transmitter: a table of functions over one list. */
#ifndef HW_SIM_QUEUE_H
#define HW_SIM_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/prng.h"
#include "sim/packet.h"

enum queue_kind { QUEUE_DROP_TAIL, QUEUE_RED, QUEUE_CODEL };

struct queue_config {
    enum queue_kind kind;
    uint64_t bytes;   /* most that wait, all kinds; one packet always fits; 0: no limit */
    uint32_t packets; /* likewise in packets; 0: no limit */
    bool ecn;         /* RED and CoDel mark packets that are ECN-capable instead of dropping them (RFC 3168) */
    /* RED (Floyd and Jacobson 1993): thresholds of the average queue in bytes, and the drop share at the upper one. */
    uint64_t red_min_bytes, red_max_bytes;
    uint32_t red_max_ppm;
    /* CoDel (RFC 8289): 0 means its defaults, 5 ms and 100 ms. */
    uint64_t codel_target_ns, codel_interval_ns;
};

struct queue;

struct queue_ops {
    /* Takes the packet, or leaves it with the caller and returns false. */
    bool (*push)(struct queue *queue, struct packet *packet, uint64_t now_ns);
    /* The next packet to transmit, or NULL. Packets it drops on the way it frees and counts. */
    struct packet *(*pop)(struct queue *queue, uint64_t now_ns);
};

struct red_state {
    uint64_t average_256; /* bytes times 256 */
    uint64_t idle_since_ns;
    uint32_t since_drop; /* packets since the last early drop */
};

struct codel_state {
    uint64_t first_above_ns, drop_next_ns;
    uint32_t count, last_count;
    bool dropping;
};

struct queue {
    const struct queue_ops *ops;
    struct queue_config config;
    struct prng *rng; /* the lane's */
    struct list waiting;
    uint64_t bytes, peak_bytes;
    uint32_t packets;
    uint64_t early_drops, late_drops, marks; /* by RED at the entry, by CoDel at the exit; ECN marks */
    uint64_t packet_ns;                      /* RED: time to transmit a typical packet, for its idle time */
    union {
        struct red_state red;
        struct codel_state codel;
    };
};

void queue_init(struct queue *queue, const struct queue_config *config, struct prng *rng);
/* Other parameters from now on, or another discipline, which begins anew with what waits. */
void queue_configure(struct queue *queue, const struct queue_config *config);
/* Frees what waits. */
void queue_fini(struct queue *queue);

/* Whether the limits leave room for it. */
bool queue_has_room(const struct queue *queue, uint32_t len);
/* The plain steps that every kind is made of. */
void queue_append(struct queue *queue, struct packet *packet, uint64_t now_ns);
struct packet *queue_take_first(struct queue *queue);
/* Sets "congestion experienced" on an ECN-capable packet (RFC 3168 5); false when it is not capable. */
bool queue_mark(struct queue *queue, struct packet *packet);

extern const struct queue_ops queue_drop_tail, queue_red, queue_codel;

#endif
