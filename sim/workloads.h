/* Workloads: kinds of traffic, each made of flows. They only fill in a scenario; the flows do the rest. */
#ifndef HW_SIM_WORKLOADS_H
#define HW_SIM_WORKLOADS_H

#include "sim/scenario.h"

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
};

struct workload_kind {
    const char *name;
    const char *summary; /* one line: what it does and what its fields mean to it */
    bool (*add)(struct scenario *s, const struct workload_spec *w, struct prng *rng);
};

/* All kinds, ended by an entry without a name. */
const struct workload_kind *workload_kinds(void);

/* Adds its flows to the scenario. What is random about it (sizes, times) follows from `seed` and its name. False with
 * one line in `why` when the kind is unknown or its fields make no sense. */
bool workload_add(struct scenario *s, const struct workload_spec *w, uint64_t seed, char *why, size_t why_size);

#endif
