/*
 * The explorer: counts the packets that leave the hosts of a stage from a chosen point on and asks at each of the first
 * few what is to become of it. Which answers it tries is the caller's business; the explorer carries them out, and
 * knows which of them excuse an error.
 */
#ifndef HW_SIM_EXPLORER_H
#define HW_SIM_EXPLORER_H

#include "sim/gates.h"

/* Where counting begins: with the first packet of the kind. */
enum explorer_point {
    POINT_SYN,
    POINT_DATA,  /* with payload */
    POINT_JOIN,  /* a SYN with MP_JOIN */
    POINT_CLOSE, /* with a DATA_FIN, a FIN or an MP_FASTCLOSE */
    POINTS
};

/* "syn", "data", "join", "close" */
const char *explorer_point_name(enum explorer_point point);

/* A packet that leaves a host. */
struct explored_packet {
    enum explorer_point point;
    unsigned number; /* from the point on; the first is 1 */
    const struct path *path;
    unsigned end; /* of the path, that it leaves */
    const struct packet *packet;
    unsigned deviations; /* those that would change something: a set of 1 << enum deviation */
    uint64_t now_ns;
};

struct explorer_options {
    unsigned points;  /* a set of 1 << enum explorer_point */
    unsigned packets; /* asked about, from a point on */
    /* What is to become of it: DEVIATE_NOT or one of its deviations. A point that comes before the first deviation
     * starts the count anew, one that comes later does not. */
    enum deviation (*choose)(void *ctx, const struct explored_packet *packet);
    void *ctx;
};

/* For stage_watch(), which takes ownership. The stage demands that every byte arrives without an error unless the
 * deviations, or middleboxes of its own, excuse one; docs/SIMULATOR.md says which do. */
struct watcher *explorer_new(const struct explorer_options *options);

#endif
