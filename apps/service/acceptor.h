/* A listening socket of the kernel, and the clients that come by it, of whom none may take all room there is. */
#ifndef HW_APPS_SERVICE_ACCEPTOR_H
#define HW_APPS_SERVICE_ACCEPTOR_H

#include "service/socket_end.h"

struct acceptor;

struct acceptor_options {
    struct hawser_addr local; /* with a port, or 0: any that is free */
    bool internet; /* clients come from there: by Multipath TCP, where this kernel has it; of IPv6 each has a /64 */
    uint32_t max;  /* connections at once, until they are closed; and no more than a quarter of the
                      descriptors that this process may have */
    /* Takes over the client's end. */
    void (*came)(void *of, struct end client);
    void *of;
};

/* Returns 0 and *out, or a negative errno. `sockets` outlive it. */
int acceptor_open(struct sockets *sockets, const struct acceptor_options *options, struct acceptor **out);

/* Its clients' ends are to be closed before. */
void acceptor_close(struct acceptor *acceptor);

void acceptor_local(const struct acceptor *acceptor, struct hawser_addr *out);
uint64_t acceptor_turned_away(const struct acceptor *acceptor);

#endif
