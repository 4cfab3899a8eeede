/* What a host consists of: shared by the loop (host.c) and the making of links (host_links.c). */
#ifndef HW_RUN_HOST_STATE_H
#define HW_RUN_HOST_STATE_H

#include <hawser/host.h>

#include "link/link.h"
#include "run/netdev.h"

enum { HOST_LINKS = 64, HOST_ADDRESSES = 64 };

struct host_port {
    struct link *link;     /* NULL: never opened, or gone */
    struct netdev *netdev; /* NULL for a link that is no device */
};

struct hawser_host {
    struct hawser_stack *stack;
    struct hawser_buf_pool *pool; /* of received packets */
    uint64_t trimmed_ns;          /* when what was idle of it went back to the system */
    int epoll_fd, timer_fd, signal_fd;
    uint64_t armed_ns;                            /* when the timer fires; HAWSER_NEVER: not set */
    bool signalled;                               /* signal_fd is readable */
    unsigned links_failed;                        /* and hawser_host_step() has not said so yet */
    bool output_left;                             /* the last step ended before the stack had sent all it wanted to */
    struct host_port ports[HOST_LINKS];           /* by the stack's link index */
    struct link_counters gone;                    /* of links that are no more */
    struct hawser_addr addresses[HOST_ADDRESSES]; /* given to the stack with links */
    size_t address_count;
};

/*
 * Gives the stack a link and makes the host serve it. Takes over `link` and `netdev` (may be NULL) on success only.
 * Returns the index or a negative errno.
 */
int host_attach(struct hawser_host *host, struct link *link, struct netdev *netdev, bool door);

/* Stops serving a link and destroys it. The stack's index of it stays taken. */
void host_detach(struct hawser_host *host, unsigned index);

#endif
