#include "service/netlink.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

enum { NETLINK_ANSWER_BYTES = 32768 };

int netlink_open(struct netlink *n)
{
    *n = (struct netlink){.socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC)};
    if (!n->socket)
        return -errno;
    /* Makes the kernel filter dumps by what stands in their headers; where it cannot, readers filter again anyway. */
    int strict = 1;
    mnl_socket_setsockopt(n->socket, NETLINK_GET_STRICT_CHK, &strict, sizeof(strict));
    if (mnl_socket_bind(n->socket, 0, MNL_SOCKET_AUTOPID) == 0)
        return 0;
    int error = -errno;
    netlink_close(n);
    return error;
}

void netlink_close(struct netlink *n)
{
    if (n->socket)
        mnl_socket_close(n->socket);
    n->socket = NULL;
}

struct nlmsghdr *netlink_start(struct netlink_message *m, uint16_t type, uint16_t flags)
{
    memset(m, 0, sizeof(*m));
    struct nlmsghdr *header = mnl_nlmsg_put_header(m->bytes);
    header->nlmsg_type = type;
    header->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
    return header;
}

/* Takes the mark of a dump that a change has interrupted off the messages; returns whether one had it. Such a dump is
 * read to its end like any: until then the kernel begins no other for this socket. */
static bool netlink_unmark_interrupted(uint8_t *answer, int len)
{
    bool interrupted = false;
    struct nlmsghdr *message = (struct nlmsghdr *)(void *)answer;
    for (; mnl_nlmsg_ok(message, len); message = mnl_nlmsg_next(message, &len)) {
        interrupted |= (message->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
        message->nlmsg_flags &= (uint16_t)~NLM_F_DUMP_INTR;
    }
    return interrupted;
}

int netlink_request(struct netlink *n, struct netlink_message *m, mnl_cb_t each, void *user)
{
    _Alignas(struct nlmsghdr) uint8_t answer[NETLINK_ANSWER_BYTES];
    m->header.nlmsg_seq = ++n->sequence;
    if (mnl_socket_sendto(n->socket, m->bytes, m->header.nlmsg_len) < 0)
        return -errno;
    unsigned port = mnl_socket_get_portid(n->socket);
    bool interrupted = false;
    for (;;) {
        ssize_t len = mnl_socket_recvfrom(n->socket, answer, sizeof(answer));
        if (len < 0 && errno == EINTR)
            continue;
        if (len < 0)
            return -errno;
        const struct nlmsghdr *first = (const struct nlmsghdr *)(const void *)answer;
        if (mnl_nlmsg_ok(first, (int)len) && first->nlmsg_seq != n->sequence) /* the rest of an answer given up */
            continue;
        interrupted |= netlink_unmark_interrupted(answer, (int)len);
        int more = mnl_cb_run(answer, (size_t)len, n->sequence, port, each, user);
        if (more < 0)
            return -errno;
        if (more == MNL_CB_STOP)
            return interrupted ? -EINTR : 0;
    }
}

int netlink_give_dummy(struct netlink *n, unsigned device)
{
    static const uint8_t dummy[4] = {192, 0, 0, 8};
    struct netlink_message m;
    struct nlmsghdr *header = netlink_start(&m, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL);
    struct ifaddrmsg *info = mnl_nlmsg_put_extra_header(header, sizeof(*info));
    info->ifa_family = AF_INET;
    info->ifa_prefixlen = 32;
    info->ifa_scope = RT_SCOPE_LINK;
    info->ifa_index = device;
    mnl_attr_put(header, IFA_LOCAL, sizeof(dummy), dummy);
    int error = netlink_request(n, &m, NULL, NULL);
    return error == -EEXIST ? 0 : error;
}

bool netlink_is_special(uint32_t table) { return table < RT_TABLE_DEFAULT || table > RT_TABLE_LOCAL; }

uint8_t netlink_family(const struct hawser_addr *addr) { return hawser_addr_is_v4(addr) ? AF_INET : AF_INET6; }

void netlink_put_addr(struct nlmsghdr *header, uint16_t type, const struct hawser_addr *addr)
{
    bool v4 = hawser_addr_is_v4(addr);
    mnl_attr_put(header, type, v4 ? 4 : 16, addr->ip + (v4 ? 12 : 0));
}

bool netlink_get_addr(const struct nlattr *attr, struct hawser_addr *addr)
{
    uint16_t len = mnl_attr_get_payload_len(attr);
    memset(addr, 0, sizeof(*addr));
    if (len == 4)
        addr->ip[10] = addr->ip[11] = 0xff;
    else if (len != 16)
        return false;
    memcpy(addr->ip + 16 - len, mnl_attr_get_payload(attr), len);
    return true;
}

void netlink_put_mtu(struct nlmsghdr *header, uint32_t mtu)
{
    struct nlattr *metrics = mnl_attr_nest_start(header, RTA_METRICS);
    mnl_attr_put_u32(header, RTAX_MTU, mtu);
    mnl_attr_nest_end(header, metrics);
}

uint32_t netlink_get_mtu(const struct nlattr *metrics)
{
    const struct nlattr *attr;
    NETLINK_EACH(attr, mnl_attr_get_payload(metrics), mnl_attr_get_payload_len(metrics))
    {
        if (mnl_attr_get_type(attr) == RTAX_MTU && mnl_attr_validate(attr, MNL_TYPE_U32) == 0)
            return mnl_attr_get_u32(attr);
    }
    return 0;
}
