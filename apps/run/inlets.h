/*
 * Addresses of the host's own, such as 127.0.0.53 where its names are resolved, that are to be had in a program's
 * namespace as well: sockets bound there, and where what comes in by them is to go outside.
 */
#ifndef HW_APPS_RUN_INLETS_H
#define HW_APPS_RUN_INLETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hawser/addr.h>

enum { INLETS_MAX = 64, INLETS_RESOLVERS = 3 /* of which the C library takes notice */, INLETS_RESOLVER_PORT = 53 };

struct inlet {
    int fd;
    bool stream; /* TCP, listening; or UDP */
    bool named;  /* of UDP: queries for the host's own name (host_name.h) are answered */
    struct hawser_addr addr;
};

struct inlets {
    struct inlet all[INLETS_MAX];
    size_t count;
};

/* The resolvers that a resolv.conf names on loopback addresses, or elsewhere, with port 53. Returns how many,
 * INLETS_RESOLVERS at most. */
enum inlets_resolvers { INLETS_NEAR, INLETS_FAR };
size_t inlets_read_resolvers(const char *resolv_conf, enum inlets_resolvers kind, struct hawser_addr *out);

/* Binds a socket to an address in the namespace that this thread is in, also to one that it does not have, with
 * privileges there. Returns 0 or a negative errno. */
int inlets_add(struct inlets *inlets, const struct hawser_addr *addr, bool stream);

void inlets_close(struct inlets *inlets);

#endif
