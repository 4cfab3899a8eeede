/* Ports of the uplinks that lead into a program's namespace: who may have which, and that they are taken back. */
#ifndef HW_APPS_SERVICE_PROGRAM_PORTS_H
#define HW_APPS_SERVICE_PROGRAM_PORTS_H

#include "service/program_net.h"
#include "service/program_wishes.h"
#include "service/stall.h"

enum {
    PORT_RANGES = 64,
    PORTS_OF_USER_MAX = 32, /* published at once, of a user who is not root; half of all there may be */
    PORTS_FIRST_FREE = 1024,
};

/* Ports that ordinary users may publish, although they are below PORTS_FIRST_FREE or somebody of this host listens
 * there. */
struct port_ranges {
    struct {
        uint16_t first, last;
    } at[PORT_RANGES];
    unsigned count;
};

/* Adds "80" or "8000-8099". Returns 0, -EINVAL or -ENOSPC. */
int port_ranges_add(struct port_ranges *ranges, const char *text);

/* One that leads to `to` in the namespace. */
struct program_port {
    struct program_ports *ports;
    struct stall *stall;
    uint16_t inside;
};

struct program_ports {
    struct stalls *stalls;
    const struct choice *choice;
    const struct demands *demands; /* as long as there are ports */
    struct program_addresses addresses;
    bool has_v6;
    unsigned count;
    struct program_port at[PROGRAM_PORTS];
};

/* What a program of a user gets them from. */
struct program_ports_source {
    struct stalls *stalls;
    const struct choice *choice;
    const struct port_ranges *allowed;
    uid_t user;
    unsigned others; /* that the user has published already */
    int link;        /* that leads to programs */
};

/* Opens all that are wished, or none: 0, or a negative errno and one line in `why`. `ports` and `wishes` stay where
 * they are until program_ports_close(). */
int program_ports_open(struct program_ports *ports, const struct program_ports_source *from,
                       const struct program_wishes *wishes, const struct program_addresses *addresses, char *why,
                       size_t why_size);
void program_ports_close(struct program_ports *ports);

#endif
