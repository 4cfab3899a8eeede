/* Listens to what the kernel says of links, addresses, routes, rules and forwarding, and tells whether it is worth a
 * look. */
#ifndef HW_APPS_SERVICE_NETLINK_WATCH_H
#define HW_APPS_SERVICE_NETLINK_WATCH_H

#include <stdbool.h>
#include <stddef.h>

#include <libmnl/libmnl.h>

#include <hawser/addr.h>

enum { WATCH_LOSSES = 64 };

/* A link that was set down, or (has_addr) an address of it that was deleted, be it for a moment. */
struct watch_loss {
    unsigned index;
    bool has_addr;
    struct hawser_addr addr;
};

struct netlink_watch {
    struct mnl_socket *socket;
    bool changed, sees_own;
    struct watch_loss losses[WATCH_LOSSES];
    size_t loss_count;
    unsigned overruns; /* of the kernel's queue or ours: a look at the host tells what it is like, not what it was */
};

/* Returns 0 or a negative errno. */
int netlink_watch_open(struct netlink_watch *w);
void netlink_watch_close(struct netlink_watch *w);

/* From now on it is news, too, when somebody sets down a device that the service made for a program or a door. */
void netlink_watch_see_own(struct netlink_watch *w);

/* To poll for reading. */
int netlink_watch_fd(const struct netlink_watch *w);

/* Reads what there is; never blocks. Returns whether something changed since netlink_watch_forget(). */
bool netlink_watch_read(struct netlink_watch *w);

/* After a look at the host, begun after the last read: what is read from now on is news. */
void netlink_watch_forget(struct netlink_watch *w);

/* Takes one message in; of use to tests. */
void netlink_watch_take(struct netlink_watch *w, const struct nlmsghdr *header);

/* Whether this address of this link was lost meanwhile. */
bool netlink_watch_lost(const struct netlink_watch *w, unsigned index, const struct hawser_addr *addr);

#endif
