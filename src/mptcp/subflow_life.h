/* Subflows come and go: where they lie, and how they are known to the host. Knows no connection but as their owner. */
#ifndef HW_MPTCP_SUBFLOW_LIFE_H
#define HW_MPTCP_SUBFLOW_LIFE_H

#include "mptcp/host.h"
#include "mptcp/subflow.h"

struct subflow_plan {
    struct conn *owner;
    uint8_t slot;
    const struct local_address *local;
    uint16_t local_port; /* 0: any that is free */
    struct hawser_addr remote;
    struct tcp_patience *patience; /* borrowed */
    uint32_t window_max;           /* decides the window scale */
    struct account *arrivals;      /* for what waits for its mapping */
    bool plain;                    /* its connection is, so that data carries no DSS */
};

/* One that is bound to its 4-tuple, not opened yet, and in no list. 0 or -ENOBUFS, -EADDRINUSE, -EADDRNOTAVAIL. */
int subflow_new(struct mp_host *host, const struct subflow_plan *plan, uint64_t now_ns, struct subflow **out);
/* Without a word on the wire. */
void subflow_free(struct mp_host *host, struct subflow *subflow);

#endif
