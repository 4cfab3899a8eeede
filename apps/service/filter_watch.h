/*
 * Whether a table of the packet filter is still there. Who loads a firewall anew (nft flush ruleset) takes everybody's
 * tables along but for those that have an owner, which end with it.
 */
#ifndef HW_APPS_SERVICE_FILTER_WATCH_H
#define HW_APPS_SERVICE_FILTER_WATCH_H

#include <stdbool.h>

#include "service/netlink.h"

struct filter_watch {
    struct mnl_socket *socket; /* NULL: closed */
    const char *table;
    bool gone;
};

/* Of the table of family inet that is called so; the text is kept. Returns 0 or a negative errno. */
int filter_watch_open(struct filter_watch *w, const char *table);

/* Closing what was not opened is harmless. */
void filter_watch_close(struct filter_watch *w);

int filter_watch_fd(const struct filter_watch *w);

/* What a message means. */
void filter_watch_take(struct filter_watch *w, const struct nlmsghdr *header);

/* Reads what has come, without end to be called again. Returns whether the table went, or may have, and did not come
 * again. */
bool filter_watch_read(struct filter_watch *w);

#endif
