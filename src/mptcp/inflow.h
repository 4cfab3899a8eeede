/*
 * The incoming stream and the subflows that bring it: arrived payload finds its place by its mapping, and once a DSS
 * checksum has proved it (RFC 8684 3.3.1); and what of it can be given up for what comes next. It knows the stream and
 * subflows, and no connection: what it cannot decide is a verdict.
 */
#ifndef HW_MPTCP_INFLOW_H
#define HW_MPTCP_INFLOW_H

#include "mptcp/data_rx.h"
#include "mptcp/subflows.h"

/* How one call, which may take several steps, finds the stream. */
struct inflow {
    struct data_rx *rx;
    bool plain;     /* the subflow's bytes are the stream's, after `idsn` */
    bool checksums; /* are in use */
    bool sheds;     /* the peer's data level sends again for sure what its subflow acknowledged */
    dsn64 idsn;     /* of the peer */
    dsn64 began;    /* what was next when the call began */
    bool hopeless;  /* nobody can make room */
    bool missed;    /* set when bytes that their subflow acknowledged were lost */
    bool stuck;     /* set when what is held of this mapping found no room */
    struct mapping stuck_map;
};

enum inflow_verdict {
    INFLOW_TAKEN,   /* as much as there was room for */
    INFLOW_NO_ROOM, /* for what comes next in the stream: somebody must make some, or it is hopeless; then once more */
    INFLOW_FORGED,  /* a checksum is wrong: the subflow's `fail_dsn` says where; then once more */
};

/* Payload that arrived for the first time. *taken says how many bytes from the front found room, or are not wanted. */
enum inflow_verdict inflow_place(struct inflow *in, struct subflow *subflow, uint64_t ssn, struct slice bytes,
                                 uint32_t *taken, uint64_t now_ns);
/* The mapping came later than its bytes: what it covers of those that are held goes up. */
enum inflow_verdict inflow_mapped(struct inflow *in, struct subflow *subflow, const struct mapping *map,
                                  uint64_t now_ns);

/* ---- what can be given up; true when there was some ---- */

/* Payload without a mapping, or whose checksum waits for more. */
bool inflow_holds_unmapped(const struct list *subflows);
bool inflow_drop_unmapped(struct list *subflows);
/* What lies behind gaps of the stream, and memory that waits for more. */
bool inflow_drop_disorder(struct data_rx *rx, struct list *subflows);
/* What was taken for arrivals and holds nothing. */
void inflow_idle(struct data_rx *rx, struct list *subflows);
/* What was SACKed and not acknowledged (RFC 2018 8), where one subflow brings the stream in order. */
bool inflow_renege(struct data_rx *rx, struct list *subflows);

#endif
