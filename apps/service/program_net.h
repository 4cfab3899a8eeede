/*
 * What a program's network namespace gets from outside of it: "door0", a TUN device whose packets are the service's,
 * and "eth0", one end of a veth pair by which everything else than TCP leaves. Both go with the namespace, and the pair
 * with the door.
 */
#ifndef HW_APPS_SERVICE_PROGRAM_NET_H
#define HW_APPS_SERVICE_PROGRAM_NET_H

#include <stdbool.h>
#include <sys/types.h>

#include "service/netlink.h"

enum { PROGRAM_SLOTS = 16384, PROGRAM_MTU = 1500, PROGRAM_V4_LEN = 30, PROGRAM_NET_V4_LEN = 16 };

#define PROGRAM_DEVICE_PREFIX "hawser-" /* of the outer ends of pairs: hawser-SLOT */
#define PROGRAM_NET_V4 "198.19.0.0"
#define PROGRAM_NET_V6 "2001:2:0:4857::/64"

struct program_addresses {
    struct hawser_addr v4, v6;  /* the program's */
    struct hawser_addr gateway; /* the outer end of the pair, IPv4 */
};

/* The outer end of every pair, IPv6; the kernel forwards from there where it has conf.*.force_forwarding. */
#define PROGRAM_GATEWAY_V6 "fe80::1"

/* Descriptors of the device "door0": a queue of packets each. */
struct program_net {
    int served; /* in use */
    bool v6;    /* the pair has IPv6, too */
    int spare;  /* switched off; to be switched on by whoever stands in for the service when that is gone */
};

/* The addresses of a slot. */
void program_addresses(unsigned slot, struct program_addresses *out);

/* What the outer end of its pair is called. `out` has room for IFNAMSIZ. */
void program_pair_name(unsigned slot, char *out);

/* Is `fd` a network namespace, of a user namespace that is `user`'s, and not the one we are in? 0, or a negative errno
 * and one line in `why`. */
int program_net_check(int fd, uid_t user, char *why, size_t why_size);

/* Whether this host has a way of its own to what would be the program's, so that a pair would take that from somebody;
 * `hopeless`: as to all of them. One line in `why` then. */
bool program_net_taken(unsigned slot, bool *hopeless, char *why, size_t why_size);

/* Makes both devices for a namespace, the outer one ready. Returns 0 and *out, whose descriptors are the caller's; or a
 * negative errno with nothing left, and one line in `why`. */
int program_net_make(struct netlink *netlink, int namespace, unsigned slot, struct program_net *out, char *why,
                     size_t why_size);

/* Removes the pair of a slot, if it is there still. */
void program_net_remove(struct netlink *netlink, unsigned slot);

/* Sets the outer device up again, with all that went when somebody set it down. */
void program_net_mend(struct netlink *netlink, unsigned slot);

/* Removes all such pairs, those too that a sudden end has left. Returns 0 or a negative errno, -ENODEV
 * when there is none. */
int program_net_sweep(struct netlink *netlink);

#endif
