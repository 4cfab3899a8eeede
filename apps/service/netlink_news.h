/* What the kernel says of changes by itself, to whoever has joined a group of netlink. */
#ifndef HW_APPS_SERVICE_NETLINK_NEWS_H
#define HW_APPS_SERVICE_NETLINK_NEWS_H

#include <stddef.h>

#include <libmnl/libmnl.h>

/* Opens a socket of that protocol, NETLINK_..., that does not wait, in these groups. Returns 0 and *out, to be closed
 * by mnl_socket_close(); or a negative errno, and *out is NULL. */
int netlink_news_open(struct mnl_socket **out, int protocol, const int *groups, size_t count);

/* Calls `each` for what has come, without end to be called again. Returns how often something was lost: the kernel's
 * queue overran, or a message our buffer. */
unsigned netlink_news_read(struct mnl_socket *socket, mnl_cb_t each, void *user);

#endif
