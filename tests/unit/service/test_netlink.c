/* Requests to the kernel, in a network namespace of their own. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>

#include <cmocka.h>

#include <linux/rtnetlink.h>

#include "devices.h"
#include "link/namespace.h"
#include "service/netlink.h"

static int change_route(struct netlink *n, uint16_t type, uint16_t flags)
{
    struct netlink_message m;
    struct nlmsghdr *header = netlink_start(&m, type, flags);
    struct rtmsg *route = mnl_nlmsg_put_extra_header(header, sizeof *route);
    *route = (struct rtmsg){
        .rtm_family = AF_INET, .rtm_table = 77, .rtm_protocol = RTPROT_STATIC, .rtm_type = RTN_UNREACHABLE};
    return netlink_request(n, &m, NULL, NULL);
}

static int give_up(const struct nlmsghdr *header, void *user)
{
    unsigned *count = user;
    (void)header;
    return ++*count == 1 ? MNL_CB_STOP : MNL_CB_OK;
}

/* Each request has the kernel's answer, be it an error of any kind, and whatever is left of the one before. */
static void answers(void **state)
{
    (void)state;
    struct netlink n;
    if (!namespace_enter())
        skip();
    assert_int_equal(netlink_open(&n), 0);
    assert_int_equal(change_route(&n, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL), 0);
    assert_int_equal(change_route(&n, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL), -EEXIST);
    for (unsigned i = 0; i < 3; i++) {
        struct netlink_message m;
        unsigned count = 0;
        struct nlmsghdr *header = netlink_start(&m, RTM_GETLINK, NLM_F_DUMP);
        mnl_nlmsg_put_extra_header(header, sizeof(struct ifinfomsg));
        assert_int_equal(netlink_request(&n, &m, give_up, &count), 0);
        assert_int_equal(count, 1);
        assert_int_equal(change_route(&n, RTM_DELROUTE, 0), i == 0 ? 0 : -ESRCH);
    }
    netlink_close(&n);
}

struct dump {
    struct netlink *changer; /* NULL: nobody changes anything meanwhile */
    unsigned count;
};

static int see(const struct nlmsghdr *header, void *user)
{
    struct dump *dump = user;
    (void)header;
    if (++dump->count == 1 && dump->changer)
        assert_int_equal(change_device(dump->changer, RTM_DELLINK, 0, "d1"), 0);
    return MNL_CB_OK;
}

static int dump_links(struct netlink *n, struct dump *dump)
{
    struct netlink_message m;
    struct nlmsghdr *header = netlink_start(&m, RTM_GETLINK, NLM_F_DUMP);
    mnl_nlmsg_put_extra_header(header, sizeof(struct ifinfomsg));
    return netlink_request(n, &m, see, dump);
}

/* What changes in the midst of a dump of several messages is told, and the next dump begins at once. */
static void interrupted_dumps(void **state)
{
    (void)state;
    enum { PAIRS = 75 };
    struct netlink n, changer;
    char name[IFNAMSIZ];
    if (!namespace_enter())
        skip();
    assert_int_equal(netlink_open(&n), 0);
    assert_int_equal(netlink_open(&changer), 0);
    for (unsigned i = 0; i < PAIRS; i++) {
        snprintf(name, sizeof(name), "d%u", i);
        assert_int_equal(change_device(&changer, RTM_NEWLINK, 0, name), 0);
    }
    for (unsigned i = 0; i < 3; i++) {
        struct dump whole = {.changer = NULL}, torn = {.changer = &changer};
        assert_int_equal(dump_links(&n, &whole), 0);
        assert_in_range(whole.count, 2 * PAIRS, 2 * PAIRS + 20); /* the loopback device, and those of tunnels */
        assert_int_equal(dump_links(&n, &torn), -EINTR);
        assert_true(torn.count > 1);
        assert_int_equal(change_device(&changer, RTM_NEWLINK, 0, "d1"), 0);
    }
    netlink_close(&changer);
    netlink_close(&n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers),
        cmocka_unit_test(interrupted_dumps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
