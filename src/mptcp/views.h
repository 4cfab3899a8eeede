/* The outgoing stream and the subflows that may carry it, as a scheduler sees them (hawser/scheduler.h). */
#ifndef HW_MPTCP_VIEWS_H
#define HW_MPTCP_VIEWS_H

#include "mptcp/scheduler.h"
#include "mptcp/subflows.h"

/* What there is to look at. */
struct outflow {
    struct data_tx *tx;
    struct list *subflows;
    struct scheduler *scheduler;
    bool checksums; /* are in use */
    bool committed; /* the peer cannot take bytes that are sent again for new ones */
};

struct views {
    struct hawser_stream stream;
    struct hawser_path paths[SUBFLOWS_MAX]; /* as the subflows are listed */
    struct subflow *subflows[SUBFLOWS_MAX]; /* likewise; those that may carry data */
    uint32_t rooms[SUBFLOWS_MAX];           /* likewise; what windows and the send buffer admit, slivers too */
    const struct hawser_path *order[SUBFLOWS_MAX];
    size_t count;
    bool under_way; /* something is, on one that answers, or soon will be, by its pace */
};

/* Bytes that windows and the send buffer admit on it now. */
uint32_t views_room(const struct data_tx *tx, const struct subflow *subflow);
/* A sliver, for which a record and a mapping would be too much, as long as more will open (RFC 9293 3.8.6.2.1). */
bool views_is_sliver(const struct subflow *subflow, uint32_t room, uint64_t waiting);

/* Looks for those that may carry data, and at all that their scheduler sees. */
void views_find(struct views *v, const struct outflow *out);
void views_look(struct views *v, const struct outflow *out, uint64_t now_ns);
/* Something left on path `i`. */
void views_renew(struct views *v, const struct outflow *out, size_t i);

#endif
