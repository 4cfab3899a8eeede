/* Requests to the kernel's network configuration by rtnetlink, of the namespace in which the socket was opened. */
#ifndef HW_APPS_SERVICE_NETLINK_H
#define HW_APPS_SERVICE_NETLINK_H

#include <stdbool.h>
#include <stdint.h>

#include <libmnl/libmnl.h>

#include <hawser/addr.h>

struct netlink {
    struct mnl_socket *socket;
    unsigned sequence;
};

enum { NETLINK_MESSAGE_BYTES = 1024 };

struct netlink_message {
    union {
        struct nlmsghdr header;
        uint8_t bytes[NETLINK_MESSAGE_BYTES];
    };
};

/* Walks over the attributes of `len` bytes that begin at `first`; those of a message after a header of `size`. */
#define NETLINK_EACH(attr, first, len)                                                                                 \
    for (attr = (first); mnl_attr_ok(attr, (int)((const char *)(first) + (len) - (const char *)attr));                 \
         attr = mnl_attr_next(attr))
#define NETLINK_ATTRS(attr, message, size)                                                                             \
    for (attr = mnl_nlmsg_get_payload_offset(message, size);                                                           \
         mnl_attr_ok(attr, (int)((const char *)(message) + (message)->nlmsg_len - (const char *)attr));                \
         attr = mnl_attr_next(attr))

/* All that return int return 0 or a negative errno. */

int netlink_open(struct netlink *n);
void netlink_close(struct netlink *n);

/* Begins a message of `type`, NLM_F_REQUEST and NLM_F_ACK beside `flags`. */
struct nlmsghdr *netlink_start(struct netlink_message *m, uint16_t type, uint16_t flags);

/* Sends `m` and calls `each` (may be NULL) for what is answered, until the end of the dump or the acknowledgement.
 * -EINTR: what is dumped has changed meanwhile, and `each` may have seen some of it twice and some not at all. */
int netlink_request(struct netlink *n, struct netlink_message *m, mnl_cb_t each, void *user);

/* Gives the device 192.0.0.8 (RFC 7600), of which nobody is ever told: without any address the kernel takes no packet
 * of IPv4 from it whose source it would not send there. */
int netlink_give_dummy(struct netlink *n, unsigned device);

/* Addresses as netlink has them: AF_INET or AF_INET6, 4 or 16 bytes. */
uint8_t netlink_family(const struct hawser_addr *addr);
/* Is a table of routes neither local, main nor default? */
bool netlink_is_special(uint32_t table);
void netlink_put_addr(struct nlmsghdr *header, uint16_t type, const struct hawser_addr *addr);
/* False when the attribute's length is not that of an address. */
bool netlink_get_addr(const struct nlattr *attr, struct hawser_addr *addr);

/* Of a route, in bytes, of what stands in RTA_METRICS. 0: it has none of its own. */
void netlink_put_mtu(struct nlmsghdr *header, uint32_t mtu);
uint32_t netlink_get_mtu(const struct nlattr *metrics);

#endif
