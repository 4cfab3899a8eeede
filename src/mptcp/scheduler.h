/*
 * Schedulers: which subflow carries the next bytes. A table of functions over const snapshots of the paths.
 */
#ifndef HW_MPTCP_SCHEDULER_H
#define HW_MPTCP_SCHEDULER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One subflow as a scheduler sees it. */
struct path_view {
    bool usable;   /* established, may carry data, not closing */
    bool backup;   /* asked to be used only when nothing else is (RFC 8684 3.3.8) */
    bool stale;    /* silent for two round trips, or timed out, and nothing acknowledged since; or under suspicion */
    uint32_t room; /* bytes its congestion and receive windows admit now */
    uint32_t cwnd, in_flight, mss;
    uint64_t srtt_ns; /* 0: not measured */
    uint64_t rttvar_ns;
    uint64_t pacing_bps; /* 0: unknown */
};

/* What there is to send. */
struct demand {
    uint32_t unsent_bytes; /* queued and not yet given to any subflow */
    uint32_t window_bytes; /* what the peer's data-level window still admits */
    bool reinjection;      /* these bytes are already outstanding elsewhere */
};

#define SCHEDULE_NONE (-1)

struct scheduler {
    /* The index of the path for the next bytes, with room for at least one byte, or SCHEDULE_NONE to wait. Pure. */
    int (*pick)(const struct path_view *paths, size_t count, const struct demand *demand);
};

/* The usable path with room and the least smoothed RTT; a stale or backup path only when no other is alive. */
extern const struct scheduler scheduler_lowest_rtt;

#endif
