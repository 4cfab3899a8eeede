/* What a stateful middlebox remembers of each TCP connection: a bounded table; the one idle for longest makes room. */
#ifndef HW_SIM_BOXES_FLOWS_H
#define HW_SIM_BOXES_FLOWS_H

#include "sim/boxes/box.h"

#define BOX_FLOWS_MAX 512 /* more than a crowd has subflows: one that is forgotten is harmed */

struct box_flow {
    struct hawser_addr inner, outer; /* the two ends, as seen at the inner port */
    uint64_t since_ns, used_ns;
    bool alive;
    /* For the kinds to use: by direction (index: the port where packets enter). */
    uint32_t shift[2], edge[2], window_edge[2], sent[2];
    uint32_t last_ack[2];
    uint8_t last_times[2][8]; /* of the timestamps option, as it stands there */
    uint8_t window_scale[2];
    bool marked[2], has_acked[2];
    uint16_t public_port;
    struct packet *held[2];
};

struct box_flows {
    struct box_flow list[BOX_FLOWS_MAX];
    unsigned used;    /* of these */
    uint64_t idle_ns; /* a connection is forgotten after such a silence; 0: never */
};

/* The connection of a segment that entered at `port`, or NULL. */
struct box_flow *box_flows_find(struct box_flows *flows, unsigned port, const struct box_segment *seg, uint64_t now_ns);

/* Likewise, made when there is none. What the one that makes room holds is freed. */
struct box_flow *box_flows_get(struct box_flows *flows, unsigned port, const struct box_segment *seg, uint64_t now_ns);

/* The connection goes on at `now_ns`; false when it was silent for too long, and is forgotten. */
bool box_flow_used(const struct box_flows *flows, struct box_flow *flow, uint64_t now_ns);

void box_flow_forget(struct box_flow *flow);
void box_flows_fini(struct box_flows *flows);

#endif
