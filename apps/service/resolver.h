/*
 * Looking names up, as the host's resolv.conf and hosts files say, without waiting for it: by c-ares, which has its
 * sockets and times served by the loop, where the C library's own way blocks, or wants a thread for each name.
 */
#ifndef HW_APPS_SERVICE_RESOLVER_H
#define HW_APPS_SERVICE_RESOLVER_H

#include <systemd/sd-event.h>

#include <hawser/addr.h>

#include "service/guests.h"

enum {
    RESOLVER_ADDRESSES = 8,     /* of a name, the best first */
    RESOLVER_LOOKUPS = 2048,    /* at once; nobody gets more than he leaves for others */
    RESOLVER_TIMEOUT_MS = 2000, /* of a question to one server; it is asked */
    RESOLVER_TRIES = 3,
};

/* RFC 8305 3: one family's addresses do not wait longer for those of the other one. */
#define RESOLVER_PATIENCE_US (50 * 1000)

struct resolver;

/* Who waits, at the beginning of what he needs. */
struct lookup_user {
    /* Told, not from within resolver_look_up(): 0 and `count` addresses, at least one, without ports. With `more` they
     * may be of one family, as the other one is not known yet: it is told again, of all there are, or of an error.
     * Without: that was the last time. Errors: -ENOENT: there is no such name, or it has no address;
     * -EINVAL: it is no name; -ENOMEM; or -EREMOTEIO: no server could say, or none answers. */
    void (*found)(struct lookup_user *user, int error, const struct hawser_addr *addrs, unsigned count, bool more);
};

struct lookup;

/* Returns 0 and *out, or a negative errno. `env` outlives it. */
int resolver_new(sd_event *loop, const struct hawser_env *env, struct resolver **out);
/* Nobody is told any more; lookups of others are gone. */
void resolver_free(struct resolver *resolver);

/* For whom that is at the address `from`. Returns 0 and *out, -ENOBUFS at the limit or his share of it, or -ENOMEM. */
int resolver_look_up(struct resolver *resolver, const char *name, const struct hawser_addr *from,
                     struct lookup_user *user, struct lookup **out);
/* `user` is not told any more. */
void lookup_cancel(struct lookup *lookup);

#endif
