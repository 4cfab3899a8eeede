/* Random sizes and times of workloads. Integers throughout, so that every build draws alike. */
#ifndef HW_SIM_LOADS_DRAW_H
#define HW_SIM_LOADS_DRAW_H

#include <stdint.h>

#include "base/prng.h"

#define DRAW_INTERVAL_MAX_NS (UINT64_C(1) << 46) /* about 19 hours */

/* A point of a cumulative distribution: this share of the flows, in millionths, has at most so many packets. */
struct size_point {
    uint32_t packets, share_ppm;
};

/* As published: sizes in packets of `packet_bytes`, straight lines between the points. */
struct size_table {
    const char *source;
    uint32_t packet_bytes;
    uint32_t mean_packets; /* as its users quote it */
    uint32_t count;
    struct size_point points[16];
};

extern const struct size_table sizes_web_search, sizes_data_mining;

/* A size in bytes, at least 1. */
uint64_t draw_size(const struct size_table *table, struct prng *rng);

/* Exponentially distributed, as the times between events of a Poisson process are; the mean is below
 * DRAW_INTERVAL_MAX_NS. */
uint64_t draw_interval(uint64_t mean_ns, struct prng *rng);

#endif
