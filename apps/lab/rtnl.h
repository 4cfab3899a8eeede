/* Requests to the kernel's network configuration, of the namespace in which the socket was opened. */
#ifndef HW_APPS_LAB_RTNL_H
#define HW_APPS_LAB_RTNL_H

#include <stdbool.h>
#include <stdint.h>

#include <hawser/addr.h>

struct mnl_socket;

struct rtnl {
    struct mnl_socket *socket;
    unsigned sequence;
};

/* All return 0 or a negative errno. */

int rtnl_open(struct rtnl *r);
void rtnl_close(struct rtnl *r);

/* Sets a device up without any address of its own accord; `queue_packets` of 0 leaves the queue's length. */
int rtnl_link_up(struct rtnl *r, unsigned index, uint32_t queue_packets);

/* Makes a pair of veth devices, one here, the other in the namespace that `peer_netns` is open on. */
int rtnl_veth_new(struct rtnl *r, const char *name, const char *peer_name, int peer_netns);

/* Gives a device an address, host prefix, usable at once. */
int rtnl_address_add(struct rtnl *r, unsigned index, const struct hawser_addr *addr);

/* Routes `to` (NULL: everything) by a device, in a table; `source` (may be NULL) is what the kernel's own packets are
 * sent from. The lowest metric is taken. */
int rtnl_route_add(struct rtnl *r, const struct hawser_addr *to, const struct hawser_addr *source, bool v4,
                   unsigned index, uint32_t table, uint32_t metric);

/* Makes packets from `source` look a table up before the main one. */
int rtnl_rule_add(struct rtnl *r, const struct hawser_addr *source, uint32_t table);

#endif
