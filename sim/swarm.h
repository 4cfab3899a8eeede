/*
 * The swarm: one seed makes a whole story of topology, middleboxes, faults, workload and options. First a time of
 * faults, in which nothing may be wrong or lost; then everything heals, and whatever can end must end.
 */
#ifndef HW_SIM_SWARM_H
#define HW_SIM_SWARM_H

#include "sim/scenario.h"

#define SWARM_FAULTS_MAX 32
#define SWARM_PATHS_MAX 4

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
    FAULT_QUEUE,   /* hardly any queue */
    FAULT_BOX,     /* a middlebox */
    FAULT_MEMORY,  /* a host's allocations are refused at random */
    FAULT_ENDING,  /* a program closes early or aborts */
    FAULT_READER,  /* a program reads slowly */
    FAULT_ADDRESS, /* a host loses an address, and gets it back */
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
};

struct swarm_plan {
    uint64_t seed;
    uint64_t heal_ns;
    struct scenario base; /* without the faults */
    struct swarm_fault faults[SWARM_FAULTS_MAX];
    unsigned fault_count;
};

/* Makes the plan of a seed; all faults are enabled. swarm_plan_fini() frees what it holds. */
void swarm_plan_make(struct swarm_plan *plan, uint64_t seed);
void swarm_plan_fini(struct swarm_plan *plan);

/* One line that tells what the fault is. Returns `text`. */
char *swarm_fault_text(const struct swarm_plan *plan, const struct swarm_fault *fault, char *text, size_t size);

/* Fills `s` (not initialised) with the story of the plan and its enabled faults; scenario_fini() frees it. */
void swarm_plan_stage(const struct swarm_plan *plan, struct scenario *s);

struct swarm_verdict {
    bool good;
    char rule[48], story[320];
    uint64_t trace, hops;
    int capture_err; /* 0 or a negative errno; the verdict stands either way */
};

/* Plays the plan under the judges. With `capture` not NULL it writes all that the hosts sent and received there, and
 * `capture_err` of the verdict tells how that went. */
void swarm_play(const struct swarm_plan *plan, const char *capture, struct swarm_verdict *verdict);

/* Disables faults, one after another, as long as `fails` says that the story still goes wrong. Returns how often it
 * asked. */
unsigned swarm_shrink(struct swarm_plan *plan, bool (*fails)(const struct swarm_plan *plan, void *ctx), void *ctx);

#endif
