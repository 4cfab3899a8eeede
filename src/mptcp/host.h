/* What connections share with the host they live on. The stack owns it; connections see no more of the stack. */
#ifndef HW_MPTCP_HOST_H
#define HW_MPTCP_HOST_H

#include <hawser/addr.h>
#include <hawser/packet.h>

#include "base/list.h"
#include "base/pool.h"
#include "base/store.h"
#include "cc/cc.h"
#include "mptcp/addresses.h"
#include "mptcp/path_plan.h"
#include "mptcp/scheduler.h"
#include "mptcp/silence.h"
#include "tcp/tcp.h"

struct conn;
struct subflow;
struct mp_host;

struct initial_numbers {
    uint32_t iss;
    uint32_t ts_offset; /* the same for every connection between these addresses and ports, so that timestamps go on */
};

/* What a connection asks the stack for. */
struct mp_host_ops {
    /* Enters the subflow's 4-tuple into the demultiplexer, choosing a local port when it is 0. 0, -EADDRINUSE,
     * -EADDRNOTAVAIL when no port is left, -ENOBUFS. */
    int (*subflow_bind)(struct mp_host *host, struct subflow *subflow);
    void (*subflow_unbind)(struct mp_host *host, struct subflow *subflow);
    /* It is over and about to be freed: what is to be said to late segments is the stack's business now. */
    void (*subflow_remember)(struct mp_host *host, struct subflow *subflow, uint64_t now_ns);
    /* May the connection, which has a subflow, have one more? */
    bool (*may_join)(const struct mp_host *host, const struct conn *conn);
    /* It has one more; one less. */
    void (*subflow_came)(struct mp_host *host, struct conn *conn, uint64_t now_ns);
    void (*subflow_left)(struct mp_host *host, struct conn *conn);
    /* Where the numbers of this 4-tuple begin. */
    struct initial_numbers (*initial_numbers)(struct mp_host *host, const struct hawser_addr *local,
                                              const struct hawser_addr *remote, uint64_t now_ns);
    /* Token and IDSN of a key (RFC 8684 3.2 and 3.3.1). */
    void (*derive)(uint64_t key, uint32_t *token, uint64_t *idsn);
    /* Is this token taken by a connection of ours? */
    bool (*token_taken)(struct mp_host *host, uint32_t token);
    void (*token_add)(struct mp_host *host, struct conn *conn);
    /* Of a connection with `opening`: an attempt has its answer, which agrees to MPTCP or does not; or is over. */
    void (*attempt_answered)(struct mp_host *host, struct subflow *subflow, bool mptcp, uint64_t now_ns);
    void (*attempt_over)(struct mp_host *host, struct subflow *subflow, uint64_t now_ns);
    /* What comes next in its stream found no memory: something is given up for it. False: there is nothing. */
    bool (*make_room)(struct mp_host *host, struct conn *conn, uint64_t now_ns);
    /* Its peer acknowledged, or its program read, bytes that are new. */
    void (*conn_progressed)(struct mp_host *host, struct conn *conn, uint64_t now_ns);
    /* It is about to be freed: its token, and what else it counts to. */
    void (*conn_gone)(struct mp_host *host, struct conn *conn);
};

struct mp_host {
    struct tcp_host tcp;
    const struct mp_host_ops *ops;
    const struct tcp_hooks *hooks; /* of every subflow */
    struct pool conns, subflows, nodes, holds;
    uint32_t joined_subflows;   /* those beyond the first that each connection has */
    struct account_root memory; /* of all that connections hold */
    struct store store;
    uint64_t starved_since_ns; /* a connection has nothing to send for want of memory, and nobody got any since; or 0 */
    uint64_t refused_since_ns; /* the next bytes of a stream were, and of none were placed since; 0: they were not */
    const struct hawser_congestion *cc;
    const struct hawser_scheduler *scheduler;
    struct path_plan *plan; /* of connections that have none of their own */
    struct silence_budget questions;
    bool no_mptcp, checksum_required;
    uint8_t settle_rounds_most; /* that a connection took: for tests to see that it comes to rest */
    struct local_address addresses[HOST_ADDRESSES_MAX];
    uint8_t address_count;
    struct list connections; /* all of them */
    struct list touched;     /* connections for conn_settle() */
    struct list ready;       /* connections with something to send */
    struct list disordered;  /* connections that hold data behind a gap in their streams, or without a mapping */
    struct list events;      /* connections and listeners of which the program is to be told */
    struct list starved;     /* connections that found no memory for bytes to send */
    struct list lent;        /* connections with more than two subflows */
};

#endif
