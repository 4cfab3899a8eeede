/* Two stacks with one connection between them, in simulated time. */
#ifndef HW_TESTS_PAIR_H
#define HW_TESTS_PAIR_H

#include "world.h"

#define PAIR_PORT 5001

struct pair {
    struct world w;
    struct hawser_conn *conn[2]; /* 0: the client's, 1: the server's */
};

/* Lets time pass. */
void pair_live(struct pair *p, uint64_t for_ns);
/* Between the stacks of `p->w`, from the client's first address that it may have; a byte each way, and half a second.
 * Paths may be NULL; `max_subflows` 0: the default. */
void pair_open(struct pair *p, const struct hawser_path_options *client, const struct hawser_path_options *server,
               uint32_t max_subflows);
/* Ends the connection, and the world. */
void pair_close(struct pair *p);

uint32_t pair_subflows(const struct pair *p, int end);
struct hawser_subflow_info pair_subflow(const struct pair *p, int end, size_t i);

#endif
