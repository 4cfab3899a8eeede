/* The network inside of a program's namespace: TCP leaves by "door0" or not at all, everything else by "eth0". */
#ifndef HW_APPS_RUN_NETWORK_H
#define HW_APPS_RUN_NETWORK_H

#include <stdbool.h>
#include <stddef.h>

#include <hawser/addr.h>

struct network {
    struct hawser_addr v4, v6;              /* the program's */
    struct hawser_addr gateway, gateway_v6; /* the outer end of the pair */
    unsigned v4_len;
    bool has_v6, has_gateway_v6, no_quic;
    /* What is sent to their port 53 by UDP, and to those of IPv6 by TCP, comes to sockets of the namespace that are
     * bound there. */
    const struct hawser_addr *resolvers;
    size_t resolver_count;
};

/* Sets up the loopback device: nothing else is there before the service was asked. 0 or a negative errno. */
int network_begin(void);

/* Sets up the rest, in the namespace that this process is in. Returns 0, or a negative errno and one line in `why`. */
int network_set_up(const struct network *network, char *why, size_t why_size);

#endif
