#include "rtnl.h"

#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>
#include <linux/fib_rules.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>

enum { RTNL_MESSAGE_BYTES = 1024, RTNL_ANSWER_BYTES = 32768, RTNL_RULE_PRIORITY = 1000 };

struct rtnl_message {
    union {
        struct nlmsghdr header;
        uint8_t bytes[RTNL_MESSAGE_BYTES];
    };
};

int rtnl_open(struct rtnl *r)
{
    *r = (struct rtnl){.socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC)};
    if (!r->socket)
        return -errno;
    if (mnl_socket_bind(r->socket, 0, MNL_SOCKET_AUTOPID) == 0)
        return 0;
    int error = -errno;
    rtnl_close(r);
    return error;
}

void rtnl_close(struct rtnl *r)
{
    mnl_socket_close(r->socket);
    r->socket = NULL;
}

static struct nlmsghdr *rtnl_start(struct rtnl_message *m, uint16_t type, uint16_t flags)
{
    memset(m, 0, sizeof(*m));
    struct nlmsghdr *header = mnl_nlmsg_put_header(m->bytes);
    header->nlmsg_type = type;
    header->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
    return header;
}

static int rtnl_request(struct rtnl *r, struct rtnl_message *m)
{
    uint8_t answer[RTNL_ANSWER_BYTES];
    m->header.nlmsg_seq = ++r->sequence;
    if (mnl_socket_sendto(r->socket, m->bytes, m->header.nlmsg_len) < 0)
        return -errno;
    unsigned port = mnl_socket_get_portid(r->socket);
    for (;;) {
        ssize_t n = mnl_socket_recvfrom(r->socket, answer, sizeof(answer));
        if (n < 0)
            return -errno;
        int more = mnl_cb_run(answer, (size_t)n, r->sequence, port, NULL, NULL);
        if (more < 0)
            return -errno;
        if (more == MNL_CB_STOP)
            return 0;
    }
}

/* The address as netlink wants it. */
static void rtnl_put_address(struct nlmsghdr *header, uint16_t type, const struct hawser_addr *addr)
{
    bool v4 = hawser_addr_is_v4(addr);
    mnl_attr_put(header, type, v4 ? 4 : 16, addr->ip + (v4 ? 12 : 0));
}

static uint8_t rtnl_family(const struct hawser_addr *addr) { return hawser_addr_is_v4(addr) ? AF_INET : AF_INET6; }

static uint8_t rtnl_bits(const struct hawser_addr *addr) { return hawser_addr_is_v4(addr) ? 32 : 128; }

/* Without a link-local address the kernel has nothing to announce on the device. Where IPv6 is off it has none anyway.
 */
static void rtnl_keep_quiet(struct rtnl *r, unsigned index)
{
    struct rtnl_message m;
    struct nlmsghdr *header = rtnl_start(&m, RTM_NEWLINK, 0);
    struct ifinfomsg *info = mnl_nlmsg_put_extra_header(header, sizeof(*info));
    info->ifi_index = (int)index;
    struct nlattr *families = mnl_attr_nest_start(header, IFLA_AF_SPEC);
    struct nlattr *inet6 = mnl_attr_nest_start(header, AF_INET6);
    mnl_attr_put_u8(header, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
    mnl_attr_nest_end(header, inet6);
    mnl_attr_nest_end(header, families);
    rtnl_request(r, &m);
}

int rtnl_link_up(struct rtnl *r, unsigned index, uint32_t queue_packets)
{
    struct rtnl_message m;
    rtnl_keep_quiet(r, index);
    struct nlmsghdr *header = rtnl_start(&m, RTM_NEWLINK, 0);
    struct ifinfomsg *info = mnl_nlmsg_put_extra_header(header, sizeof(*info));
    info->ifi_index = (int)index;
    info->ifi_change = info->ifi_flags = IFF_UP;
    if (queue_packets)
        mnl_attr_put_u32(header, IFLA_TXQLEN, queue_packets);
    return rtnl_request(r, &m);
}

int rtnl_veth_new(struct rtnl *r, const char *name, const char *peer_name, int peer_netns)
{
    struct rtnl_message m;
    struct nlmsghdr *header = rtnl_start(&m, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
    mnl_nlmsg_put_extra_header(header, sizeof(struct ifinfomsg));
    mnl_attr_put_strz(header, IFLA_IFNAME, name);
    struct nlattr *kind = mnl_attr_nest_start(header, IFLA_LINKINFO);
    mnl_attr_put_strz(header, IFLA_INFO_KIND, "veth");
    struct nlattr *data = mnl_attr_nest_start(header, IFLA_INFO_DATA);
    struct nlattr *peer = mnl_attr_nest_start(header, VETH_INFO_PEER);
    mnl_nlmsg_put_extra_header(header, sizeof(struct ifinfomsg));
    mnl_attr_put_strz(header, IFLA_IFNAME, peer_name);
    mnl_attr_put_u32(header, IFLA_NET_NS_FD, (uint32_t)peer_netns);
    mnl_attr_nest_end(header, peer);
    mnl_attr_nest_end(header, data);
    mnl_attr_nest_end(header, kind);
    return rtnl_request(r, &m);
}

int rtnl_address_add(struct rtnl *r, unsigned index, const struct hawser_addr *addr)
{
    struct rtnl_message m;
    struct nlmsghdr *header = rtnl_start(&m, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL);
    struct ifaddrmsg *info = mnl_nlmsg_put_extra_header(header, sizeof(*info));
    info->ifa_family = rtnl_family(addr);
    info->ifa_prefixlen = rtnl_bits(addr);
    info->ifa_index = index;
    info->ifa_flags = IFA_F_NODAD;
    rtnl_put_address(header, IFA_LOCAL, addr);
    rtnl_put_address(header, IFA_ADDRESS, addr);
    return rtnl_request(r, &m);
}

int rtnl_route_add(struct rtnl *r, const struct hawser_addr *to, const struct hawser_addr *source, bool v4,
                   unsigned index, uint32_t table, uint32_t metric)
{
    struct rtnl_message m;
    struct nlmsghdr *header = rtnl_start(&m, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL);
    struct rtmsg *route = mnl_nlmsg_put_extra_header(header, sizeof(*route));
    route->rtm_family = v4 ? AF_INET : AF_INET6;
    route->rtm_dst_len = to ? rtnl_bits(to) : 0;
    route->rtm_table = RT_TABLE_UNSPEC;
    route->rtm_protocol = RTPROT_STATIC;
    route->rtm_scope = v4 ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
    route->rtm_type = RTN_UNICAST;
    mnl_attr_put_u32(header, RTA_TABLE, table);
    mnl_attr_put_u32(header, RTA_OIF, index);
    mnl_attr_put_u32(header, RTA_PRIORITY, metric);
    if (to)
        rtnl_put_address(header, RTA_DST, to);
    if (source)
        rtnl_put_address(header, RTA_PREFSRC, source);
    return rtnl_request(r, &m);
}

int rtnl_rule_add(struct rtnl *r, const struct hawser_addr *source, uint32_t table)
{
    struct rtnl_message m;
    struct nlmsghdr *header = rtnl_start(&m, RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL);
    struct fib_rule_hdr *rule = mnl_nlmsg_put_extra_header(header, sizeof(*rule));
    rule->family = rtnl_family(source);
    rule->src_len = rtnl_bits(source);
    rule->action = FR_ACT_TO_TBL;
    mnl_attr_put_u32(header, FRA_TABLE, table);
    mnl_attr_put_u32(header, FRA_PRIORITY, RTNL_RULE_PRIORITY);
    rtnl_put_address(header, FRA_SRC, source);
    return rtnl_request(r, &m);
}
