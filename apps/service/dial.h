/*
 * Dialling: the far end of a connection is opened, by whatever leads there: uplinks of the stack, sockets of the
 * kernel, or another Hawser. A dialer is a table of functions at the beginning of what it needs.
 */
#ifndef HW_APPS_SERVICE_DIAL_H
#define HW_APPS_SERVICE_DIAL_H

#include "service/demands.h"
#include "service/end.h"

enum { DIAL_NAME_MAX = 255 }; /* bytes of a name (RFC 1035 2.3.4, RFC 1928 5) */

struct destination {
    const char *name;              /* a host's, still to be looked up; NULL: `addr` is known */
    struct hawser_addr addr;       /* the port holds in any case */
    struct hawser_addr from;       /* whom it counts for; all zero: nobody but ourselves */
    const struct demands *demands; /* of whoever it is for; NULL: none */
};

/* Who waits for an answer, at the beginning of what he needs. */
struct dial_user {
    /* Told once: 0 and an end that is connected, and his; or the negative errno that connect() would give. The dial is
     * no more. */
    void (*answered)(struct dial_user *user, int error, struct end end, uint64_t now_ns);
};

struct dial; /* one that is under way */

struct dialer {
    /* Begins; `user` is told later, not from within. Returns 0 and *out, or a negative errno. The name and
     * the demands are needed during the call only. -EPROTONOSUPPORT, here as above: the demand for MPTCP is not met. */
    int (*begin)(struct dialer *dialer, const struct destination *to, struct dial_user *user, uint64_t now_ns,
                 struct dial **out);
    /* Forgets one: nobody is told any more. */
    void (*cancel)(struct dialer *dialer, struct dial *dial);
};

static inline int dial_begin(struct dialer *dialer, const struct destination *to, struct dial_user *user,
                             uint64_t now_ns, struct dial **out)
{
    return dialer->begin(dialer, to, user, now_ns, out);
}
static inline void dial_cancel(struct dialer *dialer, struct dial *dial) { dialer->cancel(dialer, dial); }

#endif
