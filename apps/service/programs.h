/*
 * Programs that have a network namespace of their own: each gets a device that is a door of the service, and a pair of
 * devices for what is not TCP. A program is there as long as its namespace is: the processes that it started and left
 * behind go on, and what it sent before its end still arrives.
 */
#ifndef HW_APPS_SERVICE_PROGRAMS_H
#define HW_APPS_SERVICE_PROGRAMS_H

#include <sys/types.h>

#include "service/program_ports.h"
#include "service/service.h"

enum {
    PROGRAMS_MAX = 1024,       /* at once, */
    PROGRAMS_OF_USER_MAX = 256 /* and of one user, unless that is root */
};

struct programs;

struct program_grant {
    struct program_addresses addresses;
    bool has_v6;  /* some uplink has an address of IPv6 */
    bool pair_v6; /* and what is no TCP leaves by IPv6, too */
    int spare;    /* program_net.h; the caller's */
};

/* Who asked for a program's devices. Making them takes the kernel some milliseconds. */
struct program_request {
    /* Told once, in the loop or at programs_stop(); `grant` is NULL when that failed, and `why` one line. */
    void (*decided)(struct program_request *request, const struct program_grant *grant, const char *why);
};

/* Opens the door, by which nobody comes yet, and takes away what a sudden end has left. Ports that programs publish are
 * `stalls`; users may have `allowed` ones, both of which outlive the programs. Returns 0 and *out, or a
 * negative errno and one line in `why`. */
int programs_start(struct service *service, const struct door_options *options, struct stalls *stalls,
                   const struct port_ranges *allowed, struct programs **out, char *why, size_t why_size);

/* A program of `user` and what it wishes, whose network namespace is open as `namespace`, which is closed afterwards.
 * Returns 0, and `request` is told; or a negative errno and one line in `why`: nothing is closed, or told. */
int programs_admit(struct programs *programs, int namespace, uid_t user, const struct program_wishes *wishes,
                   struct program_request *request, char *why, size_t why_size);

/* What a request wishes, by this service's uplinks, as program_wishes_read(). */
int programs_read_wishes(const struct programs *programs, const json_t *body, struct program_wishes *out, char *why,
                         size_t why_size);

/* The program at an address, whatever the port, as it called itself ("" if it did not), and whose it is; NULL: none. */
const char *programs_name_at(const struct programs *programs, const struct hawser_addr *addr, uid_t *user);

/* How many there are. */
unsigned programs_count(const struct programs *programs);

/* Takes everything back; whoever is connected hears at the end of the service. NULL: nothing was started. */
void programs_stop(struct programs *programs);

#endif
