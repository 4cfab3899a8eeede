#include "service/netlink_news.h"

#include <errno.h>
#include <stdint.h>
#include <sys/socket.h>

#include <linux/netlink.h>

enum { NEWS_BUFFER_BYTES = 32768, NEWS_READS = 64 /* at a time */ };

int netlink_news_open(struct mnl_socket **out, int protocol, const int *groups, size_t count)
{
    *out = mnl_socket_open2(protocol, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (!*out)
        return -errno;
    int error = mnl_socket_bind(*out, 0, MNL_SOCKET_AUTOPID);
    for (size_t i = 0; i < count && error == 0; i++) {
        int group = groups[i];
        error = mnl_socket_setsockopt(*out, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group));
    }
    if (error == 0)
        return 0;
    error = -errno;
    mnl_socket_close(*out);
    *out = NULL;
    return error;
}

unsigned netlink_news_read(struct mnl_socket *socket, mnl_cb_t each, void *user)
{
    _Alignas(struct nlmsghdr) uint8_t buffer[NEWS_BUFFER_BYTES];
    unsigned lost = 0;
    for (int i = 0; i < NEWS_READS; i++) {
        ssize_t len = mnl_socket_recvfrom(socket, buffer, sizeof(buffer));
        if (len >= 0)
            mnl_cb_run(buffer, (size_t)len, 0, 0, each, user);
        else if (errno == ENOBUFS || errno == ENOSPC)
            lost++;
        else if (errno != EINTR)
            break;
    }
    return lost;
}
