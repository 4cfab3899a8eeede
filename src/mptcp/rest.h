/* Subflows whose address of ours is away for now, and that nobody can stand in for: they send nothing until it is back.
 * It knows no connection. */
#ifndef HW_MPTCP_REST_H
#define HW_MPTCP_REST_H

#include "mptcp/path_manager.h"

/* A connection that nothing can be joined to waits so long for the address of its only subflow, as an address that is
 * configured anew, or a link that flaps, is back by then; others have the time that they have without a subflow. */
#define REST_NS (5 * NS_PER_S)

/* That address goes. Its subflows come to rest, unless another one answers. True when there are some. */
bool rest_begin(struct list *subflows, const struct local_address *local, uint64_t now_ns);
/* So many rest. */
unsigned rest_count(const struct list *subflows);
/* Adds the IDs by which the peer knows the addresses of these. */
void rest_ids(const struct list *subflows, struct address_ids *ids);
/* None goes on: the connection has failed. */
void rest_end(struct list *subflows, uint64_t now_ns);
/* Those whose address is there again go on, unless peers reach it elsewhere now: then they end. True when some go on.
 */
bool rest_leave(const struct path_manager *pm, uint64_t now_ns);
/* Those for which another subflow stands in by now end, and the peer is told that their address is gone. */
void rest_yield(const struct path_manager *pm, uint64_t now_ns);

#endif
