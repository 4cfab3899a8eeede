/* What a program may do with a connection now, and what it has to know: <hawser/event.h>. It sees the parts of the
 * connection that this depends on. */
#ifndef HW_MPTCP_READINESS_H
#define HW_MPTCP_READINESS_H

#include "mptcp/data_rx.h"
#include "mptcp/data_tx.h"
#include "mptcp/endings.h"
#include "mptcp/identity.h"
#include "mptcp/subflows.h"
#include "mptcp/told.h"

struct readiness {
    const struct identity *id;
    const struct endings *endings;
    const struct data_tx *tx;
    const struct data_rx *rx;
    const struct list *subflows;
    uint32_t low_water; /* bytes; 0: the default, readiness_low_water() */
    bool starved;       /* it found no memory for more */
    bool passed_on;     /* what the peer's keepalive asks is the program's to answer */
};

/* A set of HAWSER_READABLE...; HAWSER_WRITABLE with room for so many bytes, or for as many as there is ever. */
unsigned readiness_of(const struct readiness *r, uint32_t room);
/* What of it its program was not told. Nothing, where it has none. */
unsigned readiness_news(const struct readiness *r, const struct told *told);
/* Likewise, and it is told now. */
unsigned readiness_tell(const struct readiness *r, struct told *told);

/* What is room enough to be told of, where the program did not say: an eighth of the send buffer, so that what is
 * queued still keeps the paths busy meanwhile, and no more than two super-segments, which is enough to be worth waking
 * up for. */
uint32_t readiness_low_water(uint32_t send_limit);

#endif
