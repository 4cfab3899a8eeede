/* Sequence numbers that start shortly before they wrap, so that every run crosses the wraps. */
#ifndef HW_SIM_WRAP_H
#define HW_SIM_WRAP_H

#include <hawser/stack.h>

#include "mptcp/host.h"

/* Must be done on every stack of a world: the peers derive each other's numbers from the keys. `ops` becomes the
 * stack's table and must live as long. */
void wrap_soon_install(struct hawser_stack *stack, struct mp_host_ops *ops);

/* The IDSN of a key that RFC 8684 gives `idsn`, on such a stack. */
uint64_t wrap_soon_idsn(uint64_t idsn);

#endif
