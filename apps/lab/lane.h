/* One direction of one path: the model of its imperfections, its cuts, its counters and its captures. */
#ifndef HW_APPS_LAB_LANE_H
#define HW_APPS_LAB_LANE_H

#include "lab/lab.h"
#include "link/impair.h"
#include "link/pcap_writer.h"

/* One packet on its way. */
struct packet {
    struct packet *next; /* in the store */
    uint32_t len;
    uint8_t bytes[LAB_MTU + 4]; /* 4 more, so that one that is too long shows */
};

/* Packets at rest. */
struct packet_store {
    struct packet *free;
};

/* Returns NULL when memory is out. */
struct packet *packet_take(struct packet_store *store);
void packet_give(struct packet_store *store, struct packet *packet);
void packet_store_destroy(struct packet_store *store);

struct lane {
    struct impair impair;
    struct lab_lane *shared;
    struct pcap_writer *entry, *exit; /* may be NULL */
};

struct lanes {
    const struct lab_options *options;
    struct lab_shared *shared;
    struct packet_store store;
    struct lane lane[LAB_PATHS][LAB_SIDES];
};

/* Returns 0 or a negative errno, and in `why` what failed. */
int lanes_init(struct lanes *l, const struct lab_options *o, struct lab_shared *shared, char why[LAB_WHY]);
void lanes_destroy(struct lanes *l);

/* Opens and closes the paths by the schedule of cuts. */
void lanes_update_cuts(struct lanes *l, uint64_t now_ns);

/* When the next packet leaves any lane; UINT64_MAX: none is inside. */
uint64_t lanes_next_time(const struct lanes *l);

/* Takes over a packet. */
void lab_lane_push(struct lanes *l, struct lane *lane, struct packet *packet, uint64_t now_ns);

/* The next packet to deliver now, or NULL; the caller gives it back to the store. */
struct packet *lab_lane_pop(struct lanes *l, struct lane *lane, uint64_t now_ns);

/* Shows what waits, for the live view. */
void lane_publish(struct lane *lane, uint64_t now_ns);

#endif
