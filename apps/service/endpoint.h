/* "HOST:PORT", as people write it. */
#ifndef HW_APPS_SERVICE_ENDPOINT_H
#define HW_APPS_SERVICE_ENDPOINT_H

#include "service/dial.h"

struct endpoint {
    char name[DIAL_NAME_MAX + 1]; /* empty: `addr` is known */
    struct hawser_addr addr;      /* the port holds in any case */
};

/* Reads "192.0.2.1:1080", "[2001:db8::1]:1080" or "server.example:1080". Returns 0, or -EINVAL: it is none of these, or
 * its port is not 1 to 65535. */
int endpoint_read(const char *text, struct endpoint *out);

/* A port alone, 1 to 65535. False: it is none. */
bool endpoint_read_port(const char *text, uint16_t *out);

static inline struct destination endpoint_destination(const struct endpoint *endpoint)
{
    return (struct destination){.name = endpoint->name[0] ? endpoint->name : NULL, .addr = endpoint->addr};
}

#endif
