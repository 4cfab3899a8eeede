#include "service/listening.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>

enum { STATE_LISTEN = 10, /* as the kernel numbers it */ ANSWER_BYTES = 32768 };

struct search {
    uint16_t port;
    uid_t user;
    bool found;
};

/* What is only to be had from this host itself is in nobody's way outside. */
static bool is_loopback(const struct inet_diag_msg *socket)
{
    static const uint8_t v6[16] = {[15] = 1};
    const uint8_t *addr = (const uint8_t *)socket->id.idiag_src;
    return socket->idiag_family == AF_INET ? addr[0] == 127 : memcmp(addr, v6, sizeof v6) == 0;
}

static int see(const struct nlmsghdr *header, void *of)
{
    struct search *search = of;
    const struct inet_diag_msg *socket = mnl_nlmsg_get_payload(header);
    if (mnl_nlmsg_get_payload_len(header) >= sizeof *socket && ntohs(socket->id.idiag_sport) == search->port &&
        !is_loopback(socket)) {
        search->found = true;
        search->user = socket->idiag_uid;
    }
    return MNL_CB_OK;
}

static int ask(struct mnl_socket *diag, uint8_t family, struct search *search)
{
    _Alignas(struct nlmsghdr) uint8_t bytes[ANSWER_BYTES];
    struct nlmsghdr *header = mnl_nlmsg_put_header(bytes);
    header->nlmsg_type = SOCK_DIAG_BY_FAMILY;
    header->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    header->nlmsg_seq = family;
    struct inet_diag_req_v2 *request = mnl_nlmsg_put_extra_header(header, sizeof *request);
    request->sdiag_family = family;
    request->sdiag_protocol = IPPROTO_TCP;
    request->idiag_states = 1u << STATE_LISTEN;
    if (mnl_socket_sendto(diag, header, header->nlmsg_len) < 0)
        return -errno;
    for (;;) {
        ssize_t len = mnl_socket_recvfrom(diag, bytes, sizeof bytes);
        if (len < 0 && errno == EINTR)
            continue;
        int more = len < 0 ? -1 : mnl_cb_run(bytes, (size_t)len, family, mnl_socket_get_portid(diag), see, search);
        if (more <= MNL_CB_STOP)
            return more < 0 ? -errno : 0;
    }
}

int listening_user(uint16_t port, uid_t *user)
{
    struct search search = {.port = port};
    struct mnl_socket *diag = mnl_socket_open2(NETLINK_SOCK_DIAG, SOCK_CLOEXEC);
    if (!diag)
        return -errno;
    int error = mnl_socket_bind(diag, 0, MNL_SOCKET_AUTOPID) == 0 ? 0 : -errno;
    if (!error)
        error = ask(diag, AF_INET, &search);
    if (!error)
        error = ask(diag, AF_INET6, &search);
    mnl_socket_close(diag);
    *user = search.user;
    return error ? error : search.found;
}
