#include "endpoints.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <linux/mptcp.h>

enum { ENDPOINTS_MESSAGE_BYTES = 512, ENDPOINTS_ANSWER_BYTES = 8192 };

struct endpoints_message {
    union {
        struct nlmsghdr header;
        uint8_t bytes[ENDPOINTS_MESSAGE_BYTES];
    };
};

static struct nlmsghdr *endpoints_start(struct endpoints_message *m, uint16_t type, uint8_t command, uint8_t version)
{
    memset(m, 0, sizeof(*m));
    struct nlmsghdr *header = mnl_nlmsg_put_header(m->bytes);
    header->nlmsg_type = type;
    header->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
    struct genlmsghdr *generic = mnl_nlmsg_put_extra_header(header, sizeof(*generic));
    generic->cmd = command;
    generic->version = version;
    return header;
}

static int endpoints_request(struct endpoints *e, struct endpoints_message *m, mnl_cb_t each)
{
    uint8_t answer[ENDPOINTS_ANSWER_BYTES];
    m->header.nlmsg_seq = ++e->sequence;
    if (mnl_socket_sendto(e->socket, m->bytes, m->header.nlmsg_len) < 0)
        return -errno;
    unsigned port = mnl_socket_get_portid(e->socket);
    for (;;) {
        ssize_t n = mnl_socket_recvfrom(e->socket, answer, sizeof(answer));
        if (n < 0)
            return -errno;
        int more = mnl_cb_run(answer, (size_t)n, e->sequence, port, each, e);
        if (more < 0)
            return -errno;
        if (more == MNL_CB_STOP)
            return 0;
    }
}

static int endpoints_note_attribute(const struct nlattr *attr, void *user)
{
    struct endpoints *e = user;
    if (mnl_attr_get_type(attr) == CTRL_ATTR_FAMILY_ID)
        e->family = mnl_attr_get_u16(attr);
    return MNL_CB_OK;
}

static int endpoints_note_family(const struct nlmsghdr *header, void *user)
{
    return mnl_attr_parse(header, sizeof(struct genlmsghdr), endpoints_note_attribute, user);
}

int endpoints_open(struct endpoints *e)
{
    struct endpoints_message m;
    *e = (struct endpoints){.socket = mnl_socket_open2(NETLINK_GENERIC, SOCK_CLOEXEC)};
    if (!e->socket)
        return -errno;
    int error = mnl_socket_bind(e->socket, 0, MNL_SOCKET_AUTOPID) == 0 ? 0 : -errno;
    if (!error) {
        struct nlmsghdr *header = endpoints_start(&m, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 1);
        mnl_attr_put_strz(header, CTRL_ATTR_FAMILY_NAME, MPTCP_PM_NAME);
        error = endpoints_request(e, &m, endpoints_note_family);
    }
    if (error)
        endpoints_close(e);
    return error;
}

void endpoints_close(struct endpoints *e)
{
    mnl_socket_close(e->socket);
    e->socket = NULL;
}

int endpoints_limits(struct endpoints *e, uint32_t subflows, uint32_t add_addr_accepted)
{
    struct endpoints_message m;
    struct nlmsghdr *header = endpoints_start(&m, e->family, MPTCP_PM_CMD_SET_LIMITS, MPTCP_PM_VER);
    mnl_attr_put_u32(header, MPTCP_PM_ATTR_SUBFLOWS, subflows);
    mnl_attr_put_u32(header, MPTCP_PM_ATTR_RCV_ADD_ADDRS, add_addr_accepted);
    return endpoints_request(e, &m, NULL);
}

int endpoints_add(struct endpoints *e, const struct hawser_addr *addr, unsigned device, enum endpoint_kind kind)
{
    struct endpoints_message m;
    bool v4 = hawser_addr_is_v4(addr);
    struct nlmsghdr *header = endpoints_start(&m, e->family, MPTCP_PM_CMD_ADD_ADDR, MPTCP_PM_VER);
    struct nlattr *nest = mnl_attr_nest_start(header, MPTCP_PM_ATTR_ADDR);
    mnl_attr_put_u16(header, MPTCP_PM_ADDR_ATTR_FAMILY, v4 ? AF_INET : AF_INET6);
    mnl_attr_put(header, v4 ? MPTCP_PM_ADDR_ATTR_ADDR4 : MPTCP_PM_ADDR_ATTR_ADDR6, v4 ? 4 : 16,
                 addr->ip + (v4 ? 12 : 0));
    mnl_attr_put_u32(header, MPTCP_PM_ADDR_ATTR_FLAGS,
                     kind == ENDPOINT_SIGNAL ? MPTCP_PM_ADDR_FLAG_SIGNAL : MPTCP_PM_ADDR_FLAG_SUBFLOW);
    mnl_attr_put_u32(header, MPTCP_PM_ADDR_ATTR_IF_IDX, device);
    mnl_attr_nest_end(header, nest);
    return endpoints_request(e, &m, NULL);
}
