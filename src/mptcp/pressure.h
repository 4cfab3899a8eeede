/*
 * What is given up when memory is short, in this order (docs/ARCHITECTURE.md): data without a mapping, data behind a
 * gap of the stream that its subflow acknowledged, data that was SACKed and not acknowledged; only of connections that
 * hold more than their share, or of the very one that is helped. Never bytes in order. In the end a connection that
 * holds more than its share.
 */
#ifndef HW_MPTCP_PRESSURE_H
#define HW_MPTCP_PRESSURE_H

#include "mptcp/conn.h"

/* Will the peer's data level send again for sure what its subflow acknowledged? */
bool pressure_may_shed(const struct conn *conn);

/* What the connection holds has changed: it may have come to hold what can be given up, or hold none any more. */
void pressure_note(struct conn *conn);

/* No byte that would close a gap can come any more: what lies behind gaps goes. */
void pressure_forget_disorder(struct conn *conn);

/* Something is given up for what begins at the next byte of the stream of this subflow's connection, and was refused.
 * False: there is nothing. */
bool pressure_relieve(struct subflow *subflow, uint64_t now_ns);

/* The connection has nothing to send for want of memory, and so has everybody who asks for some. */
void pressure_starves(struct conn *conn, uint64_t now_ns);

/* What the segment that was refused could not give up while it was looked at. */
void pressure_settle(struct conn *conn);

#endif
