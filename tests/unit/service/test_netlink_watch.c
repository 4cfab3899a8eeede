/* Which messages of the kernel are worth a look at the host. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <linux/fib_rules.h>
#include <linux/netconf.h>

#include "messages.h"
#include "service/netlink_watch.h"
#include "service/policy_routes.h"

static struct netlink_watch watch;
static struct netlink_message m;

static int fresh(void **state)
{
    (void)state;
    memset(&watch, 0, sizeof(watch));
    return 0;
}

static bool matters(const struct nlmsghdr *header)
{
    watch.changed = false;
    netlink_watch_take(&watch, header);
    return watch.changed;
}

static struct nlmsghdr *route(uint16_t type, uint8_t protocol, const char *to, unsigned len)
{
    struct nlmsghdr *header = route_message(&m, 2, to, len, "192.0.2.1", 0);
    header->nlmsg_type = type;
    ((struct rtmsg *)mnl_nlmsg_get_payload(header))->rtm_protocol = protocol;
    return header;
}

static void test_routes(void **state)
{
    (void)state;
    assert_true(matters(route(RTM_NEWROUTE, RTPROT_DHCP, NULL, 0)));
    assert_true(matters(route(RTM_DELROUTE, RTPROT_RA, NULL, 0)));
    assert_false(matters(route(RTM_NEWROUTE, RTPROT_BGP, "10.0.0.0", 8)));
    assert_false(matters(route(RTM_NEWROUTE, POLICY_PROTOCOL, NULL, 0))); /* our own doing */
    assert_true(matters(route(RTM_DELROUTE, POLICY_PROTOCOL, NULL, 0)));  /* perhaps not */
    assert_true(matters(route(RTM_DELROUTE, POLICY_PROTOCOL, "198.18.0.0", 24)));
}

static void test_rules(void **state)
{
    (void)state;
    struct nlmsghdr *header = netlink_start(&m, RTM_NEWRULE, 0);
    assert_false(matters(header)); /* too short */
    mnl_nlmsg_put_extra_header(header, sizeof(struct fib_rule_hdr));
    assert_true(matters(header));
    mnl_attr_put_u8(header, FRA_PROTOCOL, POLICY_PROTOCOL);
    assert_false(matters(header));
    header->nlmsg_type = RTM_DELRULE;
    assert_true(matters(header));
}

static void test_losses(void **state)
{
    (void)state;
    struct hawser_addr addr = ip("192.0.2.2"), other = ip("192.0.2.3"), v6 = ip("2001:db8::2");
    assert_true(matters(address_message(&m, RTM_NEWADDR, 2, "192.0.2.2", 24, 0)));
    assert_true(matters(link_message(&m, RTM_NEWLINK, 2, "eth0", IFF_UP)));
    assert_false(netlink_watch_lost(&watch, 2, &addr));
    assert_true(matters(address_message(&m, RTM_DELADDR, 2, "192.0.2.2", 24, 0)));
    assert_true(netlink_watch_lost(&watch, 2, &addr));
    assert_false(netlink_watch_lost(&watch, 2, &other));
    assert_false(netlink_watch_lost(&watch, 3, &addr));
    assert_true(matters(address_message(&m, RTM_DELADDR, 2, "2001:db8::2", 64, 0)));
    assert_true(netlink_watch_lost(&watch, 2, &v6));
    netlink_watch_forget(&watch);
    assert_false(netlink_watch_lost(&watch, 2, &addr));
    assert_true(matters(link_message(&m, RTM_NEWLINK, 2, "eth0", 0)));
    assert_true(netlink_watch_lost(&watch, 2, &other));
    netlink_watch_forget(&watch);
    assert_true(matters(link_message(&m, RTM_DELLINK, 2, "eth0", IFF_UP)));
    assert_true(netlink_watch_lost(&watch, 2, &v6));
}

static struct nlmsghdr *labelled(uint16_t type, const char *label)
{
    struct nlmsghdr *header = address_message(&m, type, 2, "198.19.0.1", 30, 0);
    mnl_attr_put_strz(header, IFA_LABEL, label);
    return header;
}

/* Programs come and go, a device each. */
static void test_devices_of_programs_do_not_matter(void **state)
{
    (void)state;
    assert_false(matters(link_message(&m, RTM_NEWLINK, 2, "hawser-12", IFF_UP)));
    assert_false(matters(link_message(&m, RTM_DELLINK, 2, "hawser+12", 0)));
    assert_false(matters(labelled(RTM_NEWADDR, "hawser-12")));
    assert_false(matters(labelled(RTM_DELADDR, "hawser-12")));
    assert_int_equal(watch.loss_count, 0);
    assert_true(matters(link_message(&m, RTM_NEWLINK, 2, "hawser0", IFF_UP)));
    assert_true(matters(link_message(&m, RTM_NEWLINK, 2, "hawse", IFF_UP)));
    assert_true(matters(labelled(RTM_NEWADDR, "hawser")));
}

static void test_our_devices_set_down(void **state)
{
    (void)state;
    struct nlmsghdr *header = link_message(&m, RTM_NEWLINK, 2, "hawser-12", 0);
    struct ifinfomsg *info = mnl_nlmsg_get_payload(header);
    info->ifi_change = IFF_UP;
    assert_false(matters(header));
    netlink_watch_see_own(&watch);
    assert_true(matters(header));
    info->ifi_change = UINT32_MAX; /* it is new */
    assert_false(matters(header));
    info->ifi_change = info->ifi_flags = IFF_UP;
    assert_false(matters(header));
}

static void test_forwarding(void **state)
{
    (void)state;
    for (int all = 0; all < 2; all++) {
        struct nlmsghdr *header = netlink_start(&m, RTM_NEWNETCONF, 0);
        struct netconfmsg *info = mnl_nlmsg_put_extra_header(header, sizeof(*info));
        info->ncm_family = AF_INET;
        mnl_attr_put_u32(header, NETCONFA_IFINDEX, all ? (uint32_t)NETCONFA_IFINDEX_ALL : 2);
        assert_int_equal(matters(header), all);
    }
}

static void test_ports_of_bridges_do_not_matter(void **state)
{
    (void)state;
    struct nlmsghdr *header = link_message(&m, RTM_DELLINK, 2, "eth0", 0);
    ((struct ifinfomsg *)mnl_nlmsg_get_payload(header))->ifi_family = AF_BRIDGE;
    assert_false(matters(header));
    assert_int_equal(watch.loss_count, 0);
}

static void test_more_losses_than_are_kept(void **state)
{
    (void)state;
    for (unsigned i = 0; i < WATCH_LOSSES + 3; i++)
        assert_true(matters(link_message(&m, RTM_DELLINK, i, "eth0", 0)));
    assert_int_equal(watch.loss_count, WATCH_LOSSES);
    assert_int_equal(watch.overruns, 3);
}

static void test_cut_short(void **state)
{
    (void)state;
    static const uint16_t types[] = {RTM_NEWLINK,  RTM_DELLINK,  RTM_NEWADDR,   RTM_DELADDR,
                                     RTM_NEWROUTE, RTM_DELROUTE, RTM_NEWNETCONF};
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        assert_false(matters(netlink_start(&m, types[i], 0)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_routes, fresh),
        cmocka_unit_test_setup(test_rules, fresh),
        cmocka_unit_test_setup(test_losses, fresh),
        cmocka_unit_test_setup(test_devices_of_programs_do_not_matter, fresh),
        cmocka_unit_test_setup(test_our_devices_set_down, fresh),
        cmocka_unit_test_setup(test_forwarding, fresh),
        cmocka_unit_test_setup(test_ports_of_bridges_do_not_matter, fresh),
        cmocka_unit_test_setup(test_more_losses_than_are_kept, fresh),
        cmocka_unit_test_setup(test_cut_short, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
