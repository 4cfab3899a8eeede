#include "service/publish_way.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <nftables/libnftables.h>

#include "service/device.h"
#include "service/lookout.h"
#include "service/netlink.h"
#include "service/packet_filter.h"
#include "service/sysctls.h"

/* The rules. */
enum way_rule_kind {
    WAY_FORTH, /* what comes from the device: main, though it has the mark, too */
    WAY_BACK,  /* what has the mark: to the device */
    WAY_RULES,
};

struct publish_way {
    const char *device;
    struct netlink netlink;
    struct lookout lookout;
    struct sysctls sysctls;
    struct nft_ctx *nft;
    unsigned index; /* of the device */
};

static const uint8_t way_families[] = {AF_INET, AF_INET6};

/* An answer finds the device by the mark, which the server's socket has from the SYN. Where the server is another
 * host, the connection has it. The zone is for the connection that a client has with the stack: to the packet filter
 * both are from the same client to the same server. */
static int way_filter(struct publish_way *way, const char *device, char *why, size_t why_size)
{
    char text[1024];
    snprintf(text, sizeof(text),
             "add table inet " PUBLISH_NFT_TABLE " { flags owner; }\nflush table inet " PUBLISH_NFT_TABLE "\n"
             "table inet " PUBLISH_NFT_TABLE " { flags owner;\n"
             "chain apart { type filter hook prerouting priority raw; policy accept;\n"
             "iifname \"%s\" ct original zone set %d\n}\n"
             "chain note { type filter hook prerouting priority mangle; policy accept;\n"
             "iifname \"%s\" ct mark set %d meta mark set %d\n"
             "iifname != \"%s\" ct mark %d meta mark set %d\n}\n}\n",
             device, PUBLISH_MARK, device, PUBLISH_MARK, PUBLISH_MARK, device, PUBLISH_MARK, PUBLISH_MARK);
    int error = packet_filter_open(&way->nft, why, why_size);
    if (error)
        return error;
    if (nft_run_cmd_from_buffer(way->nft, text) == 0)
        return 0;
    const char *said = nft_ctx_get_error_buffer(way->nft);
    snprintf(why, why_size, "the packet filter refuses the rules of published ports: %.*s: does another Hawser run?",
             (int)strcspn(said ? said : "", "\n"), said ? said : "");
    nft_ctx_free(way->nft);
    way->nft = NULL;
    return -EIO;
}

static int way_rule(struct netlink *netlink, const char *device, uint8_t family, enum way_rule_kind kind, bool add)
{
    struct netlink_message m;
    struct nlmsghdr *header = netlink_start(&m, add ? RTM_NEWRULE : RTM_DELRULE, add ? NLM_F_CREATE | NLM_F_EXCL : 0);
    struct fib_rule_hdr *rule = mnl_nlmsg_put_extra_header(header, sizeof(*rule));
    rule->family = family;
    rule->action = FR_ACT_TO_TBL;
    mnl_attr_put_u32(header, FRA_TABLE, kind == WAY_BACK ? PUBLISH_TABLE : RT_TABLE_MAIN);
    mnl_attr_put_u32(header, FRA_PRIORITY, PUBLISH_PREFERENCE + kind);
    mnl_attr_put_u8(header, FRA_PROTOCOL, PUBLISH_PROTOCOL);
    if (kind == WAY_BACK)
        mnl_attr_put_u32(header, FRA_FWMARK, PUBLISH_MARK);
    else
        mnl_attr_put_strz(header, FRA_IIFNAME, device);
    int error = netlink_request(netlink, &m, NULL, NULL);
    return error == -EEXIST ? 0 : error;
}

void publish_way_sweep(struct netlink *netlink, const char *device)
{
    for (size_t i = 0; i < sizeof(way_families); i++) {
        way_rule(netlink, device, way_families[i], WAY_BACK, false);
        way_rule(netlink, device, way_families[i], WAY_FORTH, false);
    }
}

static int way_route(struct publish_way *way, uint8_t family)
{
    struct netlink_message m;
    struct nlmsghdr *header = netlink_start(&m, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL);
    struct rtmsg *route = mnl_nlmsg_put_extra_header(header, sizeof(*route));
    route->rtm_family = family;
    route->rtm_table = RT_TABLE_UNSPEC;
    route->rtm_protocol = PUBLISH_PROTOCOL;
    route->rtm_scope = family == AF_INET ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
    route->rtm_type = RTN_UNICAST;
    mnl_attr_put_u32(header, RTA_TABLE, PUBLISH_TABLE);
    mnl_attr_put_u32(header, RTA_OIF, way->index);
    int error = netlink_request(&way->netlink, &m, NULL, NULL);
    return error == -EEXIST ? 0 : error;
}

/* A kernel without IPv6 has nothing to publish there. */
static int way_routes(struct publish_way *way, char *why, size_t why_size)
{
    for (size_t i = 0; i < sizeof(way_families); i++) {
        int error = way_families[i] == AF_INET ? netlink_give_dummy(&way->netlink, way->index) : 0;
        if (!error)
            error = way_route(way, way_families[i]);
        for (int kind = 0; kind < WAY_RULES && !error; kind++)
            error = way_rule(&way->netlink, way->device, way_families[i], kind, true);
        if (error && way_families[i] == AF_INET) {
            snprintf(why, why_size, "cannot route the answers of published servers: %s: see ip rule", strerror(-error));
            return error;
        }
    }
    return 0;
}

/* The clients' addresses lead to uplinks, not to the device; answers are marked as what they answer is; and servers of
 * this host only may be published, too. */
static int way_sysctls(struct publish_way *way, const char *device, char *why, size_t why_size)
{
    char rp_filter[SYSCTL_PATH_SIZE], localnet[SYSCTL_PATH_SIZE], forwarding[SYSCTL_PATH_SIZE];
    char forwarding_v6[SYSCTL_PATH_SIZE];
    snprintf(rp_filter, sizeof(rp_filter), "ipv4/conf/%s/rp_filter", device);
    snprintf(localnet, sizeof(localnet), "ipv4/conf/%s/route_localnet", device);
    snprintf(forwarding, sizeof(forwarding), "ipv4/conf/%s/forwarding", device);
    snprintf(forwarding_v6, sizeof(forwarding_v6), "ipv6/conf/%s/force_forwarding", device);
    const struct {
        const char *path, *value;
    } wanted[] = {
        {rp_filter, "2"},
        {localnet, "1"},
        {forwarding, "1"},
        {forwarding_v6, "1"}, /* since Linux 6.17 */
        {"ipv4/tcp_fwmark_accept", "1"},
        {"ipv4/fwmark_reflect", "1"},
        {"ipv6/fwmark_reflect", "1"},
    };
    sysctls_begin(&way->sysctls);
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        int error = sysctls_want(&way->sysctls, wanted[i].path, wanted[i].value);
        if (error && error != -ENOENT) {
            snprintf(why, why_size, "cannot set net/%s to %s: %s: is /proc mounted read-only here?", wanted[i].path,
                     wanted[i].value, strerror(-error));
            return error;
        }
    }
    sysctls_settle(&way->sysctls);
    return 0;
}

/* Others may have taken rules and routes away, and who sets the device down takes them along. */
static int way_look(void *of, char *why, size_t why_size)
{
    struct publish_way *way = of;
    int error = device_index(way->device, &way->index);
    if (!error)
        device_set_up(way->device); /* without it there are no routes */
    return error ? device_complain(way->device, error, why, why_size) : way_routes(way, why, why_size);
}

static int way_begin(struct publish_way *way, sd_event *loop, const char *memory, char *why, size_t why_size)
{
    const char *device = way->device;
    int error = netlink_open(&way->netlink);
    if (!error)
        error = lookout_open(&way->lookout, loop, way_look, way);
    if (error >= 0)
        error = sysctls_open(&way->sysctls, "/proc/sys/net", memory);
    if (error) {
        snprintf(why, why_size, "cannot begin to publish: %s", strerror(-error));
        return error;
    }
    error = way_filter(way, device, why, why_size);
    if (!error)
        error = way_sysctls(way, device, why, why_size);
    return error ? error : way_look(way, why, why_size);
}

int publish_way_open(struct publish_way **out, sd_event *loop, const char *device, const char *memory, char *why,
                     size_t why_size)
{
    struct publish_way *way = calloc(1, sizeof(*way));
    if (!way) {
        snprintf(why, why_size, "no memory to publish: free some and try again");
        return -ENOMEM;
    }
    way->device = device;
    int error = way_begin(way, loop, memory, why, why_size);
    if (error)
        publish_way_close(way);
    else
        *out = way;
    return error;
}

void publish_way_close(struct publish_way *way)
{
    if (!way)
        return;
    lookout_close(&way->lookout);
    if (way->netlink.socket)
        publish_way_sweep(&way->netlink, way->device);
    if (way->sysctls.entries)
        sysctls_close(&way->sysctls);
    if (way->nft) {
        nft_run_cmd_from_buffer(way->nft, "delete table inet " PUBLISH_NFT_TABLE);
        nft_ctx_free(way->nft);
    }
    if (way->netlink.socket)
        netlink_close(&way->netlink);
    free(way);
}
