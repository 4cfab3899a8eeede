/* From which address of ours a destination is spoken to (RFC 6724 5). */
#ifndef HW_STACK_SOURCE_H
#define HW_STACK_SOURCE_H

#include <hawser/addr.h>

#include "mptcp/addresses.h"
#include "mptcp/path_plan.h"

struct source_wish {
    const struct path_plan *plan;
    const struct hawser_addr *remote;
    const uint8_t *tried; /* IDs that are out of the question */
    unsigned tried_count;
    bool backup; /* rather than a regular one */
};

/* The best of `count` addresses that the plan has for this end; NULL: there is none. Of the destination's family, one
 * that is known as far (rule 2), of the same scope if there is, of the role that is wished for if there is; of those
 * the one with the longest prefix that covers it, or the first. */
const struct local_address *source_best(const struct local_address *addresses, unsigned count,
                                        const struct source_wish *wish);

#endif
