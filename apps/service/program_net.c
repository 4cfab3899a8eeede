#include "service/program_net.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/ip.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>

#include "service/device.h"
#include "service/host_route.h"

enum {
    PROGRAM_QUEUE_PACKETS = 1000,
    PROGRAM_SHORTEST_V4 = 8, /* of prefixes: shorter ones are default routes in parts, as VPNs have them */
    PROGRAM_SHORTEST_V6 = 16,
    PROGRAM_NET_V6_LEN = 64,
    PROGRAM_GROUP = 0x68617773, /* of devices: the outer ends of pairs, and nobody else's */
};

void program_addresses(unsigned slot, struct program_addresses *out)
{
    static const uint8_t v4[] = {198, 19}, v6[] = {0x20, 0x01, 0x00, 0x02, 0x00, 0x00, 0x48, 0x57};
    *out = (struct program_addresses){0};
    uint8_t *ip = out->gateway.ip;
    ip[10] = ip[11] = 0xff;
    memcpy(ip + 12, v4, sizeof(v4));
    ip[14] = (uint8_t)(slot / 64);
    ip[15] = (uint8_t)(slot % 64 * 4 + 1);
    out->v4 = out->gateway;
    out->v4.ip[15]++;
    memcpy(out->v6.ip, v6, sizeof(v6));
    out->v6.ip[14] = (uint8_t)((slot + 1) / 256);
    out->v6.ip[15] = (uint8_t)((slot + 1) % 256);
}

void program_pair_name(unsigned slot, char *out) { snprintf(out, IFNAMSIZ, PROGRAM_DEVICE_PREFIX "%u", slot); }

static bool is_namespace(int fd, int type)
{
    struct statfs fs;
    return fstatfs(fd, &fs) == 0 && fs.f_type == NSFS_MAGIC && ioctl(fd, NS_GET_NSTYPE) == type;
}

static bool is_own(int fd)
{
    struct stat own, other;
    return stat("/proc/self/ns/net", &own) == 0 && fstat(fd, &other) == 0 && own.st_ino == other.st_ino &&
           own.st_dev == other.st_dev;
}

int program_net_check(int fd, uid_t user, char *why, size_t why_size)
{
    uid_t owner = 0;
    if (!is_namespace(fd, CLONE_NEWNET)) {
        snprintf(why, why_size, "what was passed is no network namespace: use hawser run");
        return -EINVAL;
    }
    if (is_own(fd)) {
        snprintf(why, why_size, "the network namespace is the service's own: use one for the program alone");
        return -EINVAL;
    }
    int space = ioctl(fd, NS_GET_USERNS);
    bool owned = space >= 0 && ioctl(space, NS_GET_OWNER_UID, &owner) == 0 && (user == 0 || owner == user);
    if (space >= 0)
        close(space);
    if (!owned) {
        snprintf(why, why_size, "the network namespace is not yours: make one of your own, as hawser run does");
        return -EPERM;
    }
    return 0;
}

bool program_net_taken(unsigned slot, bool *hopeless, char *why, size_t why_size)
{
    struct program_addresses addresses;
    program_addresses(slot, &addresses);
    const struct hawser_addr *all[] = {&addresses.v4, &addresses.gateway, &addresses.v6};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        char text[HAWSER_ADDR_STRLEN];
        bool v4 = hawser_addr_is_v4(all[i]);
        struct host_route route;
        if (host_route_ask(all[i], &route) < 0 || route.prefix_len < (v4 ? PROGRAM_SHORTEST_V4 : PROGRAM_SHORTEST_V6))
            continue;
        *hopeless = route.prefix_len <= (v4 ? PROGRAM_NET_V4_LEN : PROGRAM_NET_V6_LEN);
        snprintf(why, why_size,
                 "this host uses " PROGRAM_NET_V4 "/%d or " PROGRAM_NET_V6
                 ", of which each program needs a part: see ip route get %s, and take that away",
                 PROGRAM_NET_V4_LEN, hawser_addr_format(all[i], text, sizeof(text)));
        return true;
    }
    return false;
}

static int open_queue(const char *name, int *out)
{
    struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE};
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
    if (ioctl(fd, TUNSETIFF, &request) != 0) {
        int error = -errno;
        close(fd);
        return error;
    }
    *out = fd;
    return 0;
}

static int switch_off(int fd)
{
    struct ifreq request = {.ifr_flags = IFF_DETACH_QUEUE};
    return ioctl(fd, TUNSETQUEUE, &request) == 0 ? 0 : -errno;
}

/* A device with two queues, of which one is off. */
static int make_door(const char *name, struct program_net *out)
{
    int error = open_queue(name, &out->served);
    if (error)
        return error;
    error = open_queue(name, &out->spare);
    if (!error) {
        error = switch_off(out->spare);
        if (!error)
            return 0;
        close(out->spare);
    }
    close(out->served);
    return error;
}

static struct nlmsghdr *start_link(struct netlink_message *m, uint16_t flags, int index)
{
    struct nlmsghdr *header = netlink_start(m, RTM_NEWLINK, flags);
    struct ifinfomsg *info = mnl_nlmsg_put_extra_header(header, sizeof(*info));
    info->ifi_index = index;
    return header;
}

static int move_door(struct netlink *n, const char *name, int namespace)
{
    struct netlink_message m;
    unsigned index;
    int error = device_index(name, &index);
    if (error)
        return error;
    struct nlmsghdr *header = start_link(&m, 0, (int)index);
    mnl_attr_put_u32(header, IFLA_NET_NS_FD, (uint32_t) namespace);
    mnl_attr_put_strz(header, IFLA_IFNAME, "door0");
    mnl_attr_put_u32(header, IFLA_TXQLEN, PROGRAM_QUEUE_PACKETS);
    return netlink_request(n, &m, NULL, NULL);
}

static int make_pair(struct netlink *n, const char *name, int namespace)
{
    struct netlink_message m;
    struct nlmsghdr *header = start_link(&m, NLM_F_CREATE | NLM_F_EXCL, 0);
    mnl_attr_put_strz(header, IFLA_IFNAME, name);
    mnl_attr_put_u32(header, IFLA_GROUP, PROGRAM_GROUP);
    struct nlattr *kind = mnl_attr_nest_start(header, IFLA_LINKINFO);
    mnl_attr_put_strz(header, IFLA_INFO_KIND, "veth");
    struct nlattr *data = mnl_attr_nest_start(header, IFLA_INFO_DATA);
    struct nlattr *peer = mnl_attr_nest_start(header, VETH_INFO_PEER);
    mnl_nlmsg_put_extra_header(header, sizeof(struct ifinfomsg));
    mnl_attr_put_strz(header, IFLA_IFNAME, "eth0");
    mnl_attr_put_u32(header, IFLA_NET_NS_FD, (uint32_t) namespace);
    mnl_attr_nest_end(header, peer);
    mnl_attr_nest_end(header, data);
    mnl_attr_nest_end(header, kind);
    return netlink_request(n, &m, NULL, NULL);
}

static void put_setting(struct nlmsghdr *header, uint16_t number, uint32_t value)
{
    mnl_attr_put_u32(header, number, value);
}

/* Up, forwarding what comes from the program's own address, and silent in IPv6. */
static int set_up_pair(struct netlink *n, int index)
{
    struct netlink_message m;
    struct nlmsghdr *header = start_link(&m, 0, index);
    struct ifinfomsg *info = mnl_nlmsg_get_payload(header);
    info->ifi_flags = info->ifi_change = IFF_UP;
    struct nlattr *families = mnl_attr_nest_start(header, IFLA_AF_SPEC);
    struct nlattr *inet = mnl_attr_nest_start(header, AF_INET);
    struct nlattr *conf = mnl_attr_nest_start(header, IFLA_INET_CONF);
    put_setting(header, IPV4_DEVCONF_FORWARDING, 1);
    put_setting(header, IPV4_DEVCONF_RP_FILTER, 1);
    put_setting(header, IPV4_DEVCONF_ACCEPT_REDIRECTS, 0);
    put_setting(header, IPV4_DEVCONF_ACCEPT_SOURCE_ROUTE, 0);
    mnl_attr_nest_end(header, conf);
    mnl_attr_nest_end(header, inet);
    struct nlattr *inet6 = mnl_attr_nest_start(header, AF_INET6);
    mnl_attr_put_u8(header, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
    mnl_attr_nest_end(header, inet6);
    mnl_attr_nest_end(header, families);
    return netlink_request(n, &m, NULL, NULL);
}

static int add_gateway(struct netlink *n, int index, const struct hawser_addr *addr, unsigned len)
{
    struct netlink_message m;
    struct nlmsghdr *header = netlink_start(&m, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL);
    struct ifaddrmsg *info = mnl_nlmsg_put_extra_header(header, sizeof(*info));
    info->ifa_family = netlink_family(addr);
    info->ifa_prefixlen = (uint8_t)len;
    info->ifa_index = (unsigned)index;
    info->ifa_flags = IFA_F_NODAD;
    netlink_put_addr(header, IFA_LOCAL, addr);
    netlink_put_addr(header, IFA_ADDRESS, addr);
    return netlink_request(n, &m, NULL, NULL);
}

static int add_route(struct netlink *n, int index, const struct hawser_addr *to)
{
    struct netlink_message m;
    struct nlmsghdr *header = netlink_start(&m, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL);
    struct rtmsg *route = mnl_nlmsg_put_extra_header(header, sizeof(*route));
    route->rtm_family = AF_INET6;
    route->rtm_dst_len = 128;
    route->rtm_table = RT_TABLE_MAIN;
    route->rtm_protocol = RTPROT_STATIC;
    route->rtm_type = RTN_UNICAST;
    mnl_attr_put_u32(header, RTA_OIF, (uint32_t)index);
    netlink_put_addr(header, RTA_DST, to);
    return netlink_request(n, &m, NULL, NULL);
}

static int set_v6(const char *name, const char *setting, char value)
{
    char path[100];
    snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/%s", name, setting);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    int error = fd >= 0 && write(fd, &value, 1) == 1 ? 0 : -errno;
    if (fd >= 0)
        close(fd);
    return error;
}

/* Whoever runs a program is root of its network: as a router there he could take the host's own traffic. */
static int believe_nobody(const char *name)
{
    int error = set_v6(name, "accept_ra", '0');
    if (!error)
        error = set_v6(name, "accept_redirects", '0');
    return error == -ENOENT ? 0 : error; /* a host without IPv6 */
}

/* The global switch would make a router of the host, that takes no advertisements any more. */
static bool add_v6(struct netlink *n, const char *name, int index, const struct hawser_addr *program)
{
    struct hawser_addr gateway;
    hawser_addr_parse(&gateway, PROGRAM_GATEWAY_V6, 0);
    return set_v6(name, "force_forwarding", '1') == 0 && add_gateway(n, index, &gateway, 64) == 0 &&
           add_route(n, index, program) == 0;
}

static int configure_pair(struct netlink *n, const char *name, unsigned slot, bool *v6)
{
    struct program_addresses addresses;
    program_addresses(slot, &addresses);
    int index = (int)if_nametoindex(name);
    int error = index ? believe_nobody(name) : -errno;
    if (!error)
        error = set_up_pair(n, index);
    if (!error)
        error = add_gateway(n, index, &addresses.gateway, PROGRAM_V4_LEN);
    *v6 = !error && add_v6(n, name, index, &addresses.v6);
    return error;
}

void program_net_mend(struct netlink *n, unsigned slot)
{
    char name[IFNAMSIZ];
    struct program_addresses addresses;
    program_addresses(slot, &addresses);
    program_pair_name(slot, name);
    if (device_set_up(name) == 1) /* the kernel forgets what is of IPv6 */
        add_v6(n, name, (int)if_nametoindex(name), &addresses.v6);
}

static void remove_pair(struct netlink *n, const char *name)
{
    struct netlink_message m;
    int index = (int)if_nametoindex(name);
    struct nlmsghdr *header = netlink_start(&m, RTM_DELLINK, 0);
    struct ifinfomsg *info = mnl_nlmsg_put_extra_header(header, sizeof(*info));
    info->ifi_index = index;
    if (index)
        netlink_request(n, &m, NULL, NULL);
}

static void explain(int error, const char *what, char *why, size_t why_size)
{
    if (error == -EACCES) /* of its file: a device itself is a matter of CAP_NET_ADMIN, and the kernel says EPERM */
        snprintf(why, why_size,
                 "the user that the service has become may not open /dev/net/tun: chmod 666 /dev/net/tun");
    else if (error == -EPERM)
        snprintf(why, why_size, "the service has no permission to make %s: it needs CAP_NET_ADMIN and /dev/net/tun",
                 what);
    else if (error == -ENOENT || error == -ENODEV || error == -ENXIO)
        snprintf(why, why_size, "no /dev/net/tun where the service runs: load the kernel module (modprobe tun)");
    else if (error == -EEXIST)
        snprintf(why, why_size, "the namespace, or the host, has %s already: use a new namespace", what);
    else
        snprintf(why, why_size, "cannot make %s: %s", what, strerror(-error));
}

int program_net_make(struct netlink *netlink, int namespace, unsigned slot, struct program_net *out, char *why,
                     size_t why_size)
{
    char door[IFNAMSIZ], pair[IFNAMSIZ];
    snprintf(door, sizeof(door), "hawser+%u", slot);
    program_pair_name(slot, pair);
    /* First what fails in a namespace that is in use: to take a device away again takes the kernel long. */
    int error = make_pair(netlink, pair, namespace);
    if (error) {
        explain(error, "a pair of veth devices", why, why_size);
        return error;
    }
    error = make_door(door, out);
    if (error) {
        explain(error, "a TUN device", why, why_size);
        remove_pair(netlink, pair);
        return error;
    }
    error = move_door(netlink, door, namespace);
    if (error) {
        explain(error, "door0", why, why_size);
    } else {
        error = configure_pair(netlink, pair, slot, &out->v6);
        if (!error)
            return 0;
        explain(error, "a pair of veth devices", why, why_size);
    }
    close(out->served);
    close(out->spare);
    remove_pair(netlink, pair);
    return error;
}

void program_net_remove(struct netlink *netlink, unsigned slot)
{
    char pair[IFNAMSIZ];
    program_pair_name(slot, pair);
    remove_pair(netlink, pair);
}

int program_net_sweep(struct netlink *netlink)
{
    struct netlink_message m;
    struct nlmsghdr *header = netlink_start(&m, RTM_DELLINK, 0);
    mnl_nlmsg_put_extra_header(header, sizeof(struct ifinfomsg));
    mnl_attr_put_u32(header, IFLA_GROUP, PROGRAM_GROUP);
    return netlink_request(netlink, &m, NULL, NULL);
}
