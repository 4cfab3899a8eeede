#include "run/netdev.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

/* Packets the kernel may queue towards us: a full window of small ones. */
enum { NETDEV_QUEUE_PACKETS = 5000 };

enum { NETDEV_MESSAGE_BYTES = 512, NETDEV_ANSWER_BYTES = 32768 };

struct netdev {
    struct mnl_socket *netlink;
    unsigned sequence;
    unsigned index;
    bool lasting;
    unsigned old_flags; /* IFF_... */
    uint32_t old_mtu;
    char name[LINK_SPEC_DEVICE_SIZE];
    struct link_address addresses[LINK_SPEC_ADDRESSES]; /* the prefix of each is routed there */
    size_t address_count;
};

struct netdev_message {
    union {
        struct nlmsghdr header;
        uint8_t bytes[NETDEV_MESSAGE_BYTES];
    };
};

static struct nlmsghdr *netdev_message_start(struct netdev_message *m, uint16_t type, uint16_t flags)
{
    memset(m, 0, sizeof(*m));
    struct nlmsghdr *header = mnl_nlmsg_put_header(m->bytes);
    header->nlmsg_type = type;
    header->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
    return header;
}

/* Sends one request and reads until its acknowledgement. Returns 0 or the kernel's negative errno. */
static int netdev_request(struct netdev *dev, struct netdev_message *m, mnl_cb_t each, void *user)
{
    uint8_t answer[NETDEV_ANSWER_BYTES];
    m->header.nlmsg_seq = ++dev->sequence;
    if (mnl_socket_sendto(dev->netlink, m->bytes, m->header.nlmsg_len) < 0)
        return -errno;
    unsigned port = mnl_socket_get_portid(dev->netlink);
    for (;;) {
        ssize_t n = mnl_socket_recvfrom(dev->netlink, answer, sizeof(answer));
        if (n < 0)
            return -errno;
        int more = mnl_cb_run(answer, (size_t)n, dev->sequence, port, each, user);
        if (more < 0)
            return -errno;
        if (more == MNL_CB_STOP)
            return 0;
    }
}

static int netdev_note_attribute(const struct nlattr *attr, void *user)
{
    struct netdev *dev = user;
    if (mnl_attr_get_type(attr) == IFLA_MTU)
        dev->old_mtu = mnl_attr_get_u32(attr);
    return MNL_CB_OK;
}

static int netdev_note_link(const struct nlmsghdr *header, void *user)
{
    struct netdev *dev = user;
    const struct ifinfomsg *info = mnl_nlmsg_get_payload(header);
    dev->old_flags = info->ifi_flags;
    return mnl_attr_parse(header, sizeof(*info), netdev_note_attribute, dev);
}

static int netdev_read_link(struct netdev *dev)
{
    struct netdev_message m;
    struct nlmsghdr *header = netdev_message_start(&m, RTM_GETLINK, 0);
    struct ifinfomsg *info = mnl_nlmsg_put_extra_header(header, sizeof(*info));
    info->ifi_index = (int)dev->index;
    return netdev_request(dev, &m, netdev_note_link, dev);
}

/* Keeps the kernel from giving the device a link-local address and soliciting routers on it. Where IPv6 is off there
 * is nothing to keep it from. */
static void netdev_keep_quiet(struct netdev *dev)
{
    struct netdev_message m;
    struct nlmsghdr *header = netdev_message_start(&m, RTM_NEWLINK, 0);
    struct ifinfomsg *info = mnl_nlmsg_put_extra_header(header, sizeof(*info));
    info->ifi_index = (int)dev->index;
    struct nlattr *families = mnl_attr_nest_start(header, IFLA_AF_SPEC);
    struct nlattr *inet6 = mnl_attr_nest_start(header, AF_INET6);
    mnl_attr_put_u8(header, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
    mnl_attr_nest_end(header, inet6);
    mnl_attr_nest_end(header, families);
    netdev_request(dev, &m, NULL, NULL);
}

/* Sets the device up or down, and the MTU and queue length that are not 0. */
static int netdev_change(struct netdev *dev, bool up, uint32_t mtu, uint32_t queue_packets)
{
    struct netdev_message m;
    struct nlmsghdr *header = netdev_message_start(&m, RTM_NEWLINK, 0);
    struct ifinfomsg *info = mnl_nlmsg_put_extra_header(header, sizeof(*info));
    info->ifi_index = (int)dev->index;
    info->ifi_change = IFF_UP;
    info->ifi_flags = up ? IFF_UP : 0;
    if (mtu)
        mnl_attr_put_u32(header, IFLA_MTU, mtu);
    if (queue_packets)
        mnl_attr_put_u32(header, IFLA_TXQLEN, queue_packets);
    return netdev_request(dev, &m, NULL, NULL);
}

static int netdev_route(struct netdev *dev, uint16_t type, uint16_t flags, const struct link_address *prefix)
{
    struct netdev_message m;
    bool v4 = hawser_addr_is_v4(&prefix->addr);
    struct nlmsghdr *header = netdev_message_start(&m, type, flags);
    struct rtmsg *route = mnl_nlmsg_put_extra_header(header, sizeof(*route));
    route->rtm_family = v4 ? AF_INET : AF_INET6;
    route->rtm_dst_len = prefix->prefix_len;
    route->rtm_table = RT_TABLE_MAIN;
    route->rtm_protocol = RTPROT_STATIC;
    route->rtm_scope = v4 ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
    route->rtm_type = RTN_UNICAST;
    mnl_attr_put(header, RTA_DST, v4 ? 4 : 16, prefix->addr.ip + (v4 ? 12 : 0));
    mnl_attr_put_u32(header, RTA_OIF, dev->index);
    return netdev_request(dev, &m, NULL, NULL);
}

/* The prefix an address lies in: its host bits cleared. */
static struct link_address netdev_prefix_of(const struct link_address *address)
{
    struct link_address prefix = *address;
    unsigned first = hawser_addr_is_v4(&address->addr) ? 96 : 0;
    for (unsigned bit = first + address->prefix_len; bit < 128; bit++)
        prefix.addr.ip[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
    return prefix;
}

/* Does one of its addresses lie in that prefix, and with no other length? */
static bool netdev_has_prefix(const struct netdev *dev, const struct link_address *prefix)
{
    for (size_t i = 0; i < dev->address_count; i++) {
        const struct link_address has = netdev_prefix_of(&dev->addresses[i]);
        if (has.prefix_len == prefix->prefix_len && hawser_addr_same_ip(&has.addr, &prefix->addr))
            return true;
    }
    return false;
}

static int netdev_note_route(const struct nlmsghdr *header, void *user)
{
    const struct rtmsg *route = mnl_nlmsg_get_payload(header);
    *(bool *)user = route->rtm_type == RTN_LOCAL;
    return MNL_CB_OK;
}

/* True when the kernel has this address itself, so that its packets would never come to the device: it would deliver
 * them locally. Where no route leads to it, it has not. */
static bool netdev_kernel_owns(struct netdev *dev, const struct hawser_addr *addr)
{
    struct netdev_message m;
    bool v4 = hawser_addr_is_v4(addr), owns = false;
    struct nlmsghdr *header = netdev_message_start(&m, RTM_GETROUTE, 0);
    struct rtmsg *route = mnl_nlmsg_put_extra_header(header, sizeof(*route));
    route->rtm_family = v4 ? AF_INET : AF_INET6;
    route->rtm_dst_len = v4 ? 32 : 128;
    mnl_attr_put(header, RTA_DST, v4 ? 4 : 16, addr->ip + (v4 ? 12 : 0));
    return netdev_request(dev, &m, netdev_note_route, &owns) == 0 && owns;
}

static void netdev_explain_route(const struct link_address *prefix, const char *device, int error, char *why,
                                 size_t size)
{
    char text[HAWSER_ADDR_STRLEN];
    hawser_addr_format(&prefix->addr, text, sizeof(text));
    if (error == -EEXIST)
        snprintf(why, size, "%s/%u is routed elsewhere already: choose another prefix, or ip route del %s/%u", text,
                 prefix->prefix_len, text, prefix->prefix_len);
    else if (error == -EPERM)
        snprintf(why, size, "no permission to route %s/%u to %s: run as root, or with CAP_NET_ADMIN", text,
                 prefix->prefix_len, device);
    else if (!hawser_addr_is_v4(&prefix->addr) && (error == -EACCES || error == -EOPNOTSUPP || error == -EAFNOSUPPORT))
        snprintf(why, size, "IPv6 is off on %s: sysctl net.ipv6.conf.all.disable_ipv6=0, or use IPv4 addresses",
                 device);
    else
        snprintf(why, size, "cannot route %s/%u to %s: %s", text, prefix->prefix_len, device, strerror(-error));
}

int netdev_add_address(struct netdev *dev, const struct link_address *address, char *why, size_t why_size)
{
    char text[HAWSER_ADDR_STRLEN];
    const struct link_address prefix = netdev_prefix_of(address);
    if (dev->address_count == LINK_SPEC_ADDRESSES) {
        snprintf(why, why_size, "device %s has %d addresses already: give the next one to another device", dev->name,
                 LINK_SPEC_ADDRESSES);
        return -ENOSPC;
    }
    if (netdev_kernel_owns(dev, &address->addr)) {
        snprintf(why, why_size, "%s is an address of this machine already: give the stack one that is free",
                 hawser_addr_format(&address->addr, text, sizeof(text)));
        return -EADDRINUSE;
    }
    int error =
        netdev_has_prefix(dev, &prefix) ? 0 : netdev_route(dev, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &prefix);
    if (error)
        netdev_explain_route(&prefix, dev->name, error, why, why_size);
    else
        dev->addresses[dev->address_count++] = *address;
    return error;
}

void netdev_drop_address(struct netdev *dev, const struct hawser_addr *addr)
{
    size_t i = 0;
    while (i < dev->address_count && !hawser_addr_same_ip(&dev->addresses[i].addr, addr))
        i++;
    if (i == dev->address_count)
        return;
    const struct link_address prefix = netdev_prefix_of(&dev->addresses[i]);
    dev->addresses[i] = dev->addresses[--dev->address_count];
    if (!netdev_has_prefix(dev, &prefix))
        netdev_route(dev, RTM_DELROUTE, 0, &prefix);
}

static int netdev_bring_up(struct netdev *dev, const struct link_spec *spec, char *why, size_t why_size)
{
    int error = netdev_read_link(dev);
    if (!error && !dev->lasting)
        netdev_keep_quiet(dev);
    if (!error)
        error = netdev_change(dev, true, spec->mtu, dev->lasting ? 0 : NETDEV_QUEUE_PACKETS);
    if (error == -EPERM)
        snprintf(why, why_size, "no permission to set up device %s: run as root, or with CAP_NET_ADMIN", spec->device);
    else if (error)
        snprintf(why, why_size, "cannot set up device %s: %s", spec->device, strerror(-error));
    return error;
}

int netdev_setup(const struct link_spec *spec, bool lasting, struct netdev **out, uint32_t *mtu, char *why,
                 size_t why_size)
{
    struct netdev *dev = calloc(1, sizeof(*dev));
    if (!dev) {
        snprintf(why, why_size, "no memory to set up device %s: free some and try again", spec->device);
        return -ENOMEM;
    }
    dev->lasting = lasting;
    memcpy(dev->name, spec->device, sizeof(dev->name));
    dev->index = if_nametoindex(spec->device);
    dev->netlink = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
    if (!dev->index || !dev->netlink || mnl_socket_bind(dev->netlink, 0, MNL_SOCKET_AUTOPID) < 0) {
        int error = errno ? -errno : -EIO;
        snprintf(why, why_size, "cannot set up device %s: %s", spec->device, strerror(-error));
        if (dev->netlink)
            mnl_socket_close(dev->netlink);
        free(dev);
        return error;
    }
    int error = netdev_bring_up(dev, spec, why, why_size);
    for (size_t i = 0; i < spec->address_count && !error; i++)
        error = netdev_add_address(dev, &spec->addresses[i], why, why_size);
    if (error) {
        netdev_restore(dev);
        return error;
    }
    *mtu = spec->mtu ? spec->mtu : dev->old_mtu;
    *out = dev;
    return 0;
}

bool netdev_is(const struct netdev *dev, const char *device) { return dev->index == if_nametoindex(device); }

void netdev_restore(struct netdev *dev)
{
    while (dev->address_count)
        netdev_drop_address(dev, &dev->addresses[dev->address_count - 1].addr);
    if (dev->lasting && dev->old_mtu)
        netdev_change(dev, dev->old_flags & IFF_UP, dev->old_mtu, 0);
    mnl_socket_close(dev->netlink);
    free(dev);
}
