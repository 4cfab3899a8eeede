/* Devices of a network namespace, made, renamed and deleted. */
#ifndef HW_TESTS_SERVICE_DEVICES_H
#define HW_TESTS_SERVICE_DEVICES_H

#include <linux/rtnetlink.h>

#include "service/netlink.h"

/* RTM_NEWLINK makes a device, with that index (0: any), and a peer of it, or gives the one of that index this name;
 * RTM_DELLINK deletes both, by its name (index 0). Returns 0 or a negative errno. */
static inline int change_device(struct netlink *n, uint16_t type, unsigned index, const char *name)
{
    struct netlink_message m;
    struct nlmsghdr *header = netlink_start(&m, type, type == RTM_NEWLINK ? NLM_F_CREATE : 0);
    struct ifinfomsg *info = mnl_nlmsg_put_extra_header(header, sizeof(*info));
    info->ifi_index = (int)index;
    mnl_attr_put_strz(header, IFLA_IFNAME, name);
    struct nlattr *kind = mnl_attr_nest_start(header, IFLA_LINKINFO);
    mnl_attr_put_strz(header, IFLA_INFO_KIND, "veth");
    mnl_attr_nest_end(header, kind);
    return netlink_request(n, &m, NULL, NULL);
}

#endif
