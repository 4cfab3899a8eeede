/*
 * The swarm: one seed makes a whole story of topology, middleboxes, faults, workload and options. First a time of
 * faults, in which nothing may be wrong or lost; then everything heals but for middleboxes that stay where another path
 * is well, and whatever can end must end.
 */
#ifndef HW_SIM_SWARM_H
#define HW_SIM_SWARM_H

#include "sim/scenario.h"

#define SWARM_FAULTS_MAX 56
#define SWARM_PATHS_MAX 4
#define SWARM_ROUTES_MAX 8

/* Many connections at once against one stack's memory. */
#define SWARM_DRAWS_CROWDS true

enum swarm_topology {
    TOPOLOGY_ROUTER,   /* every address on a link of its own to a router in the middle */
    TOPOLOGY_SEPARATE, /* networks that do not meet, each with an address of either host */
    TOPOLOGY_CHAIN,    /* paths that share a row of bottlenecks */
    TOPOLOGY_DIRECT,   /* links without a router */
    TOPOLOGIES,
};

enum swarm_fault_kind {
    FAULT_LOSS,
    FAULT_BURSTS,
    FAULT_JITTER,
    FAULT_REORDER,
    FAULT_DUPLICATE,
    FAULT_CORRUPT,
    FAULT_DOWN,
    FAULT_SLOW,    /* a hundredth of the rate */
    FAULT_DELAY,   /* the wire becomes longer */
    FAULT_NARROW,  /* larger packets vanish, and who sent them is told or not */
    FAULT_QUEUE,   /* hardly any queue */
    FAULT_BOX,     /* a middlebox */
    FAULT_STAYING, /* a middlebox for good, where another route is free of such */
    FAULT_MEMORY,  /* a host's allocations are refused at random */
    FAULT_ENDING,  /* a program closes early or aborts */
    FAULT_READER,  /* a program reads slowly */
    FAULT_ADDRESS, /* addresses of a host change */
    FAULT_IDLE,    /* a long silence between rounds, or before the close */
    FAULT_CROWD,   /* many more connections, and a server with little memory */
};

enum swarm_address_change {
    ADDRESS_AWAY,      /* gone for a time */
    ADDRESS_BLINK,     /* gone and back at the same moment */
    ADDRESS_GONE,      /* for good, where the host has another one */
    ADDRESS_NEW,       /* one more */
    ADDRESS_EXCHANGED, /* another one in its place */
    ADDRESS_FLAPS,     /* gone and back several times */
    ADDRESS_CHANGES,
};

/* One thing that goes wrong. The story is told without it when it is not enabled. */
struct swarm_fault {
    enum swarm_fault_kind kind;
    bool enabled;
    unsigned target; /* index of a link, a host or a flow, by kind */
    unsigned lanes;  /* bit set of the directions of a link */
    uint64_t from_ns, to_ns;
    uint32_t ppm;
    uint64_t ns;
    struct box_config box;
    bool box_faces_server;
    enum flow_ending ending;
    enum flow_side side;
    uint64_t bytes;
    enum swarm_address_change change;
    unsigned end;            /* of the link: whose address */
    struct hawser_addr addr; /* the new one */
    uint32_t count;          /* how often an address flaps; connections of a crowd */
    bool before_close;       /* where the silence is; whether the new address comes before the old one goes */
    bool duplex;             /* of a crowd */
};

struct swarm_plan {
    uint64_t seed;
    uint64_t heal_ns;
    bool v6;
    bool unequal;        /* one path is fast, the others are thin, with seconds of queue */
    bool many_addresses; /* of the client */
    bool flaps;          /* every path goes down in its turn, again and again */
    bool peace;          /* every connection is there, with all of its subflows, before anything goes wrong */
    enum swarm_topology topology;
    uint32_t routes[SWARM_ROUTES_MAX]; /* bit sets of links, each of one way from client to server */
    unsigned route_count;
    struct scenario base; /* without the faults */
    struct swarm_fault faults[SWARM_FAULTS_MAX];
    unsigned fault_count;
};

/* Makes the plan of a seed; all faults are enabled. swarm_plan_fini() frees what it holds. */
void swarm_plan_make(struct swarm_plan *plan, uint64_t seed);
void swarm_plan_fini(struct swarm_plan *plan);

/* One line that tells what the fault is. Returns `text`. */
char *swarm_fault_text(const struct swarm_plan *plan, const struct swarm_fault *fault, char *text, size_t size);

/* Fills `s` (not initialised) with the story of the plan and its enabled faults; scenario_fini() frees it, before the
 * plan, whose traces it borrows. */
void swarm_plan_stage(const struct swarm_plan *plan, struct scenario *s);

/* Does the fault excuse that a connection ends with an error? (swarm_demand.c) */
bool swarm_fault_excuses(const struct swarm_plan *plan, const struct swarm_fault *fault);

/* Where one flow has a route free of faults: how soon it must be connected, whatever goes wrong on others; else 0. An
 * address whose turn comes second costs 400 ms beside the round trip at most. */
uint64_t swarm_connect_within_ns(const struct swarm_plan *plan);

/* ---- what was drawn, and what of it acted (swarm_tally.c) ---- */

#define SWARM_TALLIES 96

/* The kinds that are told apart, the i-th; NULL past the end. */
const char *swarm_tally_name(unsigned i);

struct swarm_verdict {
    bool good;
    char rule[48], story[320];
    uint64_t trace, hops;
    bool drawn[SWARM_TALLIES], acted[SWARM_TALLIES]; /* by swarm_tally_name() */
    int capture_err;                                 /* 0 or a negative errno; the verdict stands either way */
};

/* Plays the plan under the judges. With `capture` not NULL it writes all that the hosts sent and received there, and
 * `capture_err` of the verdict tells how that went. */
void swarm_play(const struct swarm_plan *plan, const char *capture, struct swarm_verdict *verdict);

/* Disables faults, one after another, as long as `fails` says that the story still goes wrong. Returns how often it
 * asked. */
unsigned swarm_shrink(struct swarm_plan *plan, bool (*fails)(const struct swarm_plan *plan, void *ctx), void *ctx);

#endif
