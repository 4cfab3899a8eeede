/* Figures of a workload, from its flows: what a report prints of it and beside what a paper says. */
#ifndef HW_APPS_SIM_MEASURES_H
#define HW_APPS_SIM_MEASURES_H

#include "sim/stage.h"

/* Times run from the planned start of a flow to the last byte that its programs read. */
struct measures {
    uint32_t flows, finished, failed; /* failed: an end learned an error */
    uint64_t received_bytes;          /* by both ends of all flows */
    double mbps;                      /* from the first start to the last read */
    double median_ms, p95_ms, max_ms; /* of those that finished without error; 0: none */
    double longest_gap_ms;            /* between two reads of any end */
};

/* Is it one of the workload's flows? They are called NAME or NAME.0, NAME.1, ... */
bool measures_count_flow(const char *workload, const char *flow);

void measures_take(const struct stage *stage, const char *workload, struct measures *out);

/* A figure by its name in a scenario file. */
struct measure_kind {
    const char *name, *unit;
    double (*get)(const struct measures *m);
};

/* Of "bulk" or "bulk.median_ms" the figure: that named behind the dot, else Mbit/s. NULL when there is none of that
 * name. *len is the length of the workload's name. */
const struct measure_kind *measure_kind_of(const char *text, size_t *len);

/* The names, for complaints. */
#define MEASURE_NAMES "mbps, median_ms, p95_ms, max_ms, longest_gap_ms, finished"

#endif
