#include "service/filter_watch.h"

#include <string.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

#include "service/netlink_news.h"

int filter_watch_open(struct filter_watch *w, const char *table)
{
    static const int group = NFNLGRP_NFTABLES;
    *w = (struct filter_watch){.table = table};
    return netlink_news_open(&w->socket, NETLINK_NETFILTER, &group, 1);
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
    const bool lost = netlink_news_read(w->socket, watch_each, w) > 0, gone = w->gone || lost;
    w->gone = false;
    return gone;
}
