/* The scenarios of well-known papers, with their parameters. */
#ifndef HW_SIM_CLASSICS_H
#define HW_SIM_CLASSICS_H

#include "sim/scenario.h"

#define FATTREE_K_MAX 16u

/*
 * A FatTree of k-port switches (Raiciu et al., Improving datacenter performance and robustness with multipath TCP,
 * SIGCOMM 2011): k pods of k/2 edge and k/2 aggregation switches, (k/2)^2 core switches, k^3/4 machines. Each machine
 * sends to one other and receives from one, without end, by a random permutation without fixed points.
 *
 * A machine is two hosts, one that sends and one that receives, each on a link of its own of which the data uses one
 * direction: so a connection has exactly as many subflows as its sender has addresses, and only acknowledgements do not
 * share the machine's link with data, as they would.
 */
struct fattree {
    unsigned k;                  /* even, 4 to FATTREE_K_MAX */
    unsigned subflows;           /* of each connection, at most SCENARIO_ADDRESSES_MAX; 0: plain TCP */
    uint64_t rate_bps, delay_ns; /* of each link */
    uint32_t queue_packets;      /* drop-tail, of each lane */
    uint64_t start_spread_ns;    /* flows start at random times within this */
    uint64_t duration_ns;
};

unsigned fattree_machines(unsigned k);

/* `seed` decides who sends to whom and when. */
void fattree_build(struct scenario *s, const struct fattree *f, uint64_t seed);

/*
 * A phone on WiFi (8 Mbit/s, 20 ms of RTT, 80 ms of buffer) and on 3G (2 Mbit/s, 150 ms of RTT, 2 s of buffer) that
 * receives a stream without end from a well connected server (Raiciu et al., How hard can it be? Designing and
 * implementing a deployable multipath TCP, NSDI 2012).
 */
struct wifi_3g {
    bool wifi, cellular; /* which links there are; with one of them the connection is plain TCP */
    uint32_t recv_buffer_bytes;
    uint64_t duration_ns;
};

void wifi_3g_build(struct scenario *s, const struct wifi_3g *w);

#endif
