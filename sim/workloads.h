/* Workloads: kinds of traffic, each made of flows. They only fill in a scenario; the flows do the rest. */
#ifndef HW_SIM_WORKLOADS_H
#define HW_SIM_WORKLOADS_H

#include "sim/scenario.h"

#define WORKLOAD_FLOWS_MAX 10000u /* of one workload */

/* Zero in any field means the kind's default. */
struct workload_spec {
    char name[32]; /* its flows are called NAME, or NAME.0, NAME.1, ... */
    char kind[24]; /* see workload_kinds() */
    char client[NODE_NAME_MAX], server[NODE_NAME_MAX];
    struct hawser_addr server_addr; /* its port is that of the first flow; each further one takes the next */
    uint64_t start_ns, stop_ns;     /* when the first flow begins; no flow begins after stop_ns */
    uint32_t count;                 /* of flows, or of rounds */
    uint64_t bytes, response_bytes; /* of each request and response; FLOW_ENDLESS: as long as the world lasts */
    uint64_t interval_ns;           /* mean time between starts of flows, or the pause between rounds */
    uint64_t read_bps;              /* slow reader */
    bool server_ends;               /* who closes early or aborts: the server, not the client */
    bool tcp;                       /* plain TCP at the client */
    uint32_t send_buffer_bytes, recv_buffer_bytes; /* at both ends */
    uint64_t keepalive_idle_ns, keepalive_interval_ns;
    uint32_t keepalive_tries;
};

/* What a kind is like. A field that is set for a kind without use for it is an error. */
enum workload_trait {
    WORKLOAD_MANY = 1 << 0,    /* count, stop_ns and interval_ns are of flows */
    WORKLOAD_ROUNDS = 1 << 1,  /* one flow; count and interval_ns are of its rounds */
    WORKLOAD_EITHER = 1 << 2,  /* one of bytes and response_bytes is enough: the other is then 0, not the default */
    WORKLOAD_ENDLESS = 1 << 3, /* either may be FLOW_ENDLESS */
    WORKLOAD_DUPLEX = 1 << 4,  /* both ways at once */
    WORKLOAD_READS = 1 << 5,   /* uses read_bps */
    WORKLOAD_ENDS = 1 << 6,    /* uses server_ends */
};

/* When the flows of a workload begin. */
enum workload_spacing {
    WORKLOAD_REGULAR, /* one every interval_ns */
    WORKLOAD_POISSON, /* at times that forget each other, interval_ns apart in the mean */
    WORKLOAD_SPREAD,  /* each somewhere in the first interval_ns, uniformly */
};

struct workload_kind {
    const char *name;
    const char *summary; /* one line: what it does and what its fields mean to it */
    unsigned traits;     /* set of enum workload_trait */
    enum workload_spacing spacing;
    struct workload_spec defaults;
    /* The rest of a flow's plan, whose sizes and rounds are set already; NULL: nothing more. */
    void (*shape)(struct flow_plan *plan, const struct workload_spec *w, struct prng *rng);
};

/* All kinds, ended by an entry without a name. */
const struct workload_kind *workload_kinds(void);

/* Adds its flows to the scenario. What is random about it (sizes, times) follows from `seed` and its name. False with
 * one line in `why` when the kind is unknown or its fields make no sense; then nothing was added. */
bool workload_add(struct scenario *s, const struct workload_spec *w, uint64_t seed, char *why, size_t why_size);

#endif
