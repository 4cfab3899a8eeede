/* How the kernel sends TCP from this host to an address. */
#ifndef HW_APPS_SERVICE_HOST_ROUTE_H
#define HW_APPS_SERVICE_HOST_ROUTE_H

#include <hawser/addr.h>

struct host_route {
    unsigned char type; /* an RTN_... of linux/rtnetlink.h */
    uint8_t prefix_len; /* 0: it is a default route */
};

/* Asks the kernel. Returns 0 and *out, or a negative errno: nothing leads there, or it cannot be asked. */
int host_route_ask(const struct hawser_addr *to, struct host_route *out);

#endif
