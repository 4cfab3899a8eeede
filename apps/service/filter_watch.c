#include "service/filter_watch.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

enum { WATCH_BUFFER_BYTES = 32768, WATCH_READS = 64 /* at a time */ };

int filter_watch_open(struct filter_watch *w, const char *table)
{
    int group = NFNLGRP_NFTABLES;
    *w = (struct filter_watch){.table = table,
                               .socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC | SOCK_NONBLOCK)};
    if (w->socket && mnl_socket_bind(w->socket, 0, MNL_SOCKET_AUTOPID) == 0 &&
        mnl_socket_setsockopt(w->socket, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) == 0)
        return 0;
    int error = -errno;
    filter_watch_close(w);
    return error;
}

void filter_watch_close(struct filter_watch *w)
{
    if (w->socket)
        mnl_socket_close(w->socket);
    w->socket = NULL;
}

int filter_watch_fd(const struct filter_watch *w) { return mnl_socket_get_fd(w->socket); }

void filter_watch_take(struct filter_watch *w, const struct nlmsghdr *header)
{
    const bool went = header->nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_DELTABLE),
               came = header->nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWTABLE);
    if ((!went && !came) || mnl_nlmsg_get_payload_len(header) < sizeof(struct nfgenmsg))
        return;
    const struct nfgenmsg *info = mnl_nlmsg_get_payload(header);
    const struct nlattr *attr;
    NETLINK_ATTRS(attr, header, sizeof(*info))
    {
        if (mnl_attr_get_type(attr) == NFTA_TABLE_NAME && mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) == 0 &&
            info->nfgen_family == NFPROTO_INET && strcmp(mnl_attr_get_str(attr), w->table) == 0)
            w->gone = went;
    }
}

static int watch_each(const struct nlmsghdr *header, void *user)
{
    filter_watch_take(user, header);
    return MNL_CB_OK;
}

bool filter_watch_read(struct filter_watch *w)
{
    _Alignas(struct nlmsghdr) uint8_t buffer[WATCH_BUFFER_BYTES];
    for (int i = 0; i < WATCH_READS; i++) {
        ssize_t len = mnl_socket_recvfrom(w->socket, buffer, sizeof(buffer));
        if (len >= 0) {
            mnl_cb_run(buffer, (size_t)len, 0, 0, watch_each, w);
        } else if (errno == ENOBUFS || errno == ENOSPC) { /* the kernel's queue overran, or a message our buffer */
            w->gone = true;
        } else if (errno != EINTR) {
            bool gone = w->gone;
            w->gone = false;
            return gone;
        }
    }
    return false; /* there is more */
}
