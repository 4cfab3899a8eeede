#include "service/host_route.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <linux/rtnetlink.h>

#include "service/netlink.h"

static int take_route(const struct nlmsghdr *header, void *user)
{
    const struct rtmsg *route = mnl_nlmsg_get_payload(header);
    if (header->nlmsg_type == RTM_NEWROUTE)
        *(struct host_route *)user = (struct host_route){.type = route->rtm_type, .prefix_len = route->rtm_dst_len};
    return MNL_CB_OK;
}

int host_route_ask(const struct hawser_addr *to, struct host_route *out)
{
    struct netlink n;
    struct netlink_message m;
    int error = netlink_open(&n);
    if (error)
        return error;
    *out = (struct host_route){.type = RTN_UNSPEC};
    struct nlmsghdr *header = netlink_start(&m, RTM_GETROUTE, 0);
    struct rtmsg *route = mnl_nlmsg_put_extra_header(header, sizeof(*route));
    route->rtm_family = netlink_family(to);
    route->rtm_dst_len = hawser_addr_is_v4(to) ? 32 : 128;
    route->rtm_flags = RTM_F_FIB_MATCH; /* of the answer the length is the route's, then, not the question's */
    netlink_put_addr(header, RTA_DST, to);
    mnl_attr_put_u8(header, RTA_IP_PROTO, IPPROTO_TCP);
    mnl_attr_put_u16(header, RTA_DPORT, htons(to->port));
    error = netlink_request(&n, &m, take_route, out);
    netlink_close(&n);
    return error;
}
