/*
 * A flow: one connection, and what the programs at its two ends do with it. Every workload is made of flows. Both ends
 * check each byte that arrives, so a flow is also the judge of its streams.
 *
 * The client sends requests and the server answers each with a response once it has the whole of it; a bulk transfer is
 * one request or one response. The listener of a flow is closed once its connection is accepted.
 */
#ifndef HW_SIM_FLOW_H
#define HW_SIM_FLOW_H

#include "sim/habits.h"
#include "sim/host.h"
#include "sim/pattern.h"

enum flow_side { FLOW_CLIENT, FLOW_SERVER };

/* How a flow ends. */
enum flow_ending {
    FLOW_ORDERLY, /* each end shuts down after its last byte, reads to the end of the other's stream, and closes */
    FLOW_HASTY,   /* `ender` closes at `end_after` received bytes, whatever has not been sent or read */
    FLOW_ABORT,   /* `ender` aborts likewise */
};

#define FLOW_ENDLESS UINT64_MAX

/* Zero in any field means "none" or the stack's default. */
struct flow_plan {
    char name[NODE_NAME_MAX]; /* the only one of its kind in the world */
    struct host *client, *server;
    struct hawser_addr server_addr;         /* with the port, which no other flow to that host uses at the same time */
    uint64_t start_ns;                      /* since the start of the world */
    uint64_t connect_within_ns;             /* after that; 0: no matter when */
    uint32_t rounds;                        /* requests and their responses; 0 means 1 */
    uint64_t request_bytes, response_bytes; /* of each round; FLOW_ENDLESS: as long as the world lasts */
    uint64_t pause_ns;                      /* between a response and the next request */
    uint64_t rest_ns;                       /* of silence at either end, between its last byte and its shutdown */
    bool duplex;                            /* responses do not wait for requests: both ways at once */
    uint64_t read_bps[2];                   /* by side: how fast the program reads, bits a second; 0: at once */
    uint64_t slow_until_ns;                 /* since the start of the world: then both read at once; 0: never */
    bool by_reference; /* the programs send from where the bytes lie, and keep what arrived for a while */
    bool tinkers;      /* they change options in mid-stream */
    bool prioritises;  /* they make subflows backups, and regular ones again, in mid-stream (RFC 8684 3.3.8) */
    bool finishes;     /* with hawser_finish(), once they have said and heard all */
    enum flow_ending ending;
    enum flow_side ender;
    uint64_t end_after; /* bytes received by `ender` */
    struct hawser_conn_options options[2];
};

struct flow_end {
    struct host_user user;
    struct flow *flow;
    enum flow_side side;
    struct hawser_conn *conn;    /* NULL: not yet, or given up */
    struct deadline pause, slow; /* the next request; the next slow read */
    struct deadline rest;        /* the shutdown */
    uint64_t sent, received;     /* bytes of the streams, by the program */
    bool shut, at_end;           /* shutdown was called; the end of the peer's stream was read */
    bool finishing;              /* hawser_finish() was called */
    bool full;                   /* obeys its low-water mark: sends when it is told that there is room */
    bool finished;               /* the program is done with the connection */
    int error;                   /* negative errno it learned, 0: none */
    uint64_t connected_ns, first_read_ns, last_read_ns, finished_ns; /* 0: not yet */
    uint64_t longest_gap_ns;                                         /* between reads */
    uint64_t rest_until_ns;                                          /* 0: it has not said its last byte, or no rest */
    uint64_t refused_writes;                                         /* for want of memory */
    struct habit_kept kept;
    uint64_t tinkered;            /* how often options were changed */
    uint64_t prioritised;         /* how often a priority was */
    uint64_t told_of_room;        /* how often it had waited for its low-water mark */
    uint64_t read_budget_ns;      /* slow reader: when the next bytes may be read */
    struct hawser_conn_info last; /* when the program gave the connection up */
};

struct flow {
    struct list link; /* in a list of the caller's */
    struct flow_plan plan;
    struct world *world;
    const struct pattern *pattern; /* borrowed */
    uint64_t stream;               /* number of the upstream's bytes; the downstream's is one higher */
    struct flow_end ends[2];
    struct host_listener listener;
    struct deadline starter;
    uint64_t rounds_done;
    bool started;
    /* Told when an end is done with its connection; NULL: nobody asks. */
    void (*on_finished)(struct flow *flow, struct flow_end *end, void *ctx);
    void *ctx;
};

/* Sets up a flow that starts by itself. The caller frees it with flow_free(), before the world. */
struct flow *flow_new(struct world *world, const struct pattern *pattern, const struct flow_plan *plan);
void flow_free(struct flow *flow);

/* Both ends are done, in order or by an error that they learned. */
bool flow_finished(const struct flow *flow);

/* What the stack says of the connection, now or when the program gave it up; zeroed when there never was one. */
void flow_end_info(const struct flow_end *end, struct hawser_conn_info *out);

/* Bytes that `side` is going to send in all; FLOW_ENDLESS when there is no end. */
uint64_t flow_total(const struct flow *flow, enum flow_side side);

/* Does it end by itself? */
static inline bool flow_is_endless(const struct flow *flow)
{
    return flow->plan.request_bytes == FLOW_ENDLESS || flow->plan.response_bytes == FLOW_ENDLESS;
}

#endif
