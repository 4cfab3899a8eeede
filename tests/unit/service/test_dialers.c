/* Dialling by the kernel and by name (apps/service/..._dialer.h), and who comes in (apps/service/acceptor.h). */
#include <sys/resource.h>
#include <time.h>

#include <linux/rtnetlink.h>

#include "link/namespace.h"
#include "service/acceptor.h"
#include "service/callers.h"
#include "service/kernel_dialer.h"
#include "service/name_dialer.h"
#include "service/netlink.h"

/* A port at which clients are kept. */
struct door {
    struct acceptor *acceptor;
    struct end clients[8];
    unsigned count;
    uint16_t port;
};

static void keep(void *of, struct end client)
{
    struct door *door = of;
    door->clients[door->count++] = client;
}

static void open_door(struct ends *e, struct door *door, uint32_t max)
{
    struct acceptor_options options = {.max = max, .came = keep, .of = door};
    struct hawser_addr local;
    *door = (struct door){0};
    assert_int_equal(hawser_addr_parse(&options.local, "127.0.0.1", 0), 0);
    assert_int_equal(acceptor_open(&e->sockets, &options, &door->acceptor), 0);
    acceptor_local(door->acceptor, &local);
    door->port = local.port;
}

/* For `from`, to that port. */
static int dial_to(const struct door *door, const char *from, struct caller *caller, struct kernel_dialer *kernel,
                   struct dial **out)
{
    struct destination to = {.name = NULL};
    *caller = (struct caller){.user = {told}};
    assert_int_equal(hawser_addr_parse(&to.addr, "127.0.0.1", door->port), 0);
    assert_int_equal(hawser_addr_parse(&to.from, from, 4000), 0);
    return dial_begin(&kernel->dialer, &to, &caller->user, 0, out);
}

static void close_door(struct door *door)
{
    for (unsigned i = 0; i < door->count; i++)
        end_abort(door->clients[i]);
    acceptor_close(door->acceptor);
}

static void the_kernel_connects(void **state)
{
    (void)state;
    struct ends e;
    struct door door;
    struct caller caller;
    struct kernel_dialer kernel;
    struct dial *under_way;
    ends_init(&e);
    open_door(&e, &door, 100);
    assert_int_equal(kernel_dialer_init(&kernel, &e.sockets, 100, false), 0);
    assert_int_equal(dial(&caller, &kernel.dialer, NULL, "127.0.0.1", door.port, &under_way), 0);
    assert_int_equal(caller.told, 0);
    ends_run(&e, 10);
    assert_int_equal(caller.told, 1);
    assert_int_equal(caller.error, 0);
    assert_int_equal(door.count, 1);
    assert_int_equal(give_text(caller.end, "hello"), 5);
    end_close(caller.end);
    assert_int_equal(dial(&caller, &kernel.dialer, NULL, "127.0.0.1", door.port, &under_way), 0);
    dial_cancel(&kernel.dialer, under_way);
    close_door(&door);
    int error = dial(&caller, &kernel.dialer, NULL, "127.0.0.1", door.port, &under_way); /* nobody any more */
    ends_run(&e, 10);
    assert_int_equal(error ? error : caller.error, -ECONNREFUSED);
    assert_int_equal(dial(&caller, &kernel.dialer, "a.name", NULL, 80, &under_way), -EINVAL);
    kernel_dialer_end(&kernel);
    ends_destroy(&e);
}

static void what_is_the_hosts_own_may_be_forbidden(void **state)
{
    (void)state;
    static const char *const own[] = {"127.0.0.1",   "127.9.9.9", "::1",       "0.0.0.0",         "::",
                                      "169.254.1.1", "fe80::1",   "224.0.0.1", "255.255.255.255", "ff02::1"};
    struct ends e;
    struct caller caller;
    struct kernel_dialer kernel;
    struct dial *under_way;
    ends_init(&e);
    assert_int_equal(kernel_dialer_init(&kernel, &e.sockets, 100, true), 0);
    for (unsigned i = 0; i < HW_ARRAY_LEN(own); i++)
        assert_int_equal(dial(&caller, &kernel.dialer, NULL, own[i], 80, &under_way), -EACCES);
    kernel_dialer_end(&kernel);
    ends_destroy(&e);
}

/* Sockets are in use until they are closed, and for whom they are has no more of them than is left. */
static void one_leaves_sockets_for_others(void **state)
{
    (void)state;
    enum { MAX = 4, HALF = MAX / 2 };
    struct ends e;
    struct door door;
    struct caller callers[MAX];
    struct kernel_dialer kernel;
    struct dial *under_way[MAX];
    const char *const one = "2001:db8::1", *const other = "2001:db8::2";
    ends_init(&e);
    open_door(&e, &door, 100);
    assert_int_equal(kernel_dialer_init(&kernel, &e.sockets, MAX, false), 0);
    for (unsigned i = 0; i < HALF; i++)
        assert_int_equal(dial_to(&door, one, &callers[i], &kernel, &under_way[i]), 0);
    assert_int_equal(dial_to(&door, one, &callers[HALF], &kernel, &under_way[HALF]), -EUSERS);
    assert_int_equal(kernel.guests.turned_away, 1);
    assert_int_equal(dial_to(&door, other, &callers[HALF], &kernel, &under_way[HALF]), 0);
    dial_cancel(&kernel.dialer, under_way[HALF]);
    ends_run(&e, 10);
    assert_int_equal(kernel.guests.count, HALF);
    for (unsigned i = 0; i < HALF; i++) {
        assert_int_equal(callers[i].error, 0);
        end_abort(callers[i].end);
    }
    assert_int_equal(kernel.guests.count, 0);
    assert_int_equal(dial_to(&door, one, &callers[0], &kernel, &under_way[0]), 0);
    dial_cancel(&kernel.dialer, under_way[0]);
    close_door(&door);
    kernel_dialer_end(&kernel);
    ends_destroy(&e);
}

static void add(struct netlink *n, const char *address, uint8_t len, bool as_route)
{
    struct netlink_message m;
    struct hawser_addr addr;
    const unsigned lo = if_nametoindex("lo");
    struct nlmsghdr *header = netlink_start(&m, as_route ? RTM_NEWROUTE : RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL);
    assert_int_equal(hawser_addr_parse(&addr, address, 0), 0);
    if (as_route) {
        struct rtmsg *route = mnl_nlmsg_put_extra_header(header, sizeof *route);
        *route = (struct rtmsg){.rtm_family = netlink_family(&addr),
                                .rtm_dst_len = len,
                                .rtm_table = RT_TABLE_LOCAL,
                                .rtm_protocol = RTPROT_STATIC,
                                .rtm_scope = RT_SCOPE_HOST,
                                .rtm_type = RTN_LOCAL};
        mnl_attr_put_u32(header, RTA_OIF, lo);
    } else {
        struct ifaddrmsg *info = mnl_nlmsg_put_extra_header(header, sizeof *info);
        *info = (struct ifaddrmsg){
            .ifa_family = netlink_family(&addr), .ifa_prefixlen = len, .ifa_flags = IFA_F_NODAD, .ifa_index = lo};
    }
    netlink_put_addr(header, as_route ? (uint16_t)RTA_DST : (uint16_t)IFA_LOCAL, &addr);
    assert_int_equal(netlink_request(n, &m, NULL, NULL), 0);
}

/* The second one of a prefix, too, as whom the first one calls, and whole prefixes. */
static void addresses_of_this_host_are_its_own(void **state)
{
    (void)state;
    static const char *const own[] = {"192.0.2.1",   "192.0.2.2",     "2001:db8::1",
                                      "2001:db8::2", "198.51.100.77", "2001:db8:1::7:7"};
    struct ends e;
    struct caller caller;
    struct netlink n;
    struct kernel_dialer kernel;
    struct dial *under_way;
    if (!namespace_enter())
        skip();
    assert_int_equal(netlink_open(&n), 0);
    for (unsigned i = 0; i < 4; i++)
        add(&n, own[i], i < 2 ? 24 : 64, false);
    add(&n, "198.51.100.0", 24, true);
    add(&n, "2001:db8:1::", 48, true);
    netlink_close(&n);
    ends_init(&e);
    assert_int_equal(kernel_dialer_init(&kernel, &e.sockets, 100, true), 0);
    for (unsigned i = 0; i < HW_ARRAY_LEN(own); i++) {
        int error = 0;
        const time_t end_s = time(NULL) + 20; /* a worker of the kernel makes the routes of IPv6 */
        while ((error = dial(&caller, &kernel.dialer, NULL, own[i], 80, &under_way)) == 0 && time(NULL) < end_s)
            dial_cancel(&kernel.dialer, under_way);
        assert_int_equal(error, -EACCES);
    }
    assert_int_equal(dial(&caller, &kernel.dialer, NULL, "203.0.113.1", 80, &under_way), -ENETUNREACH);
    assert_int_equal(dial(&caller, &kernel.dialer, NULL, "2001:db8:2::1", 80, &under_way), -ENETUNREACH);
    kernel_dialer_end(&kernel);
    ends_destroy(&e);
}

static void one_client_leaves_room(void **state)
{
    (void)state;
    struct ends e;
    struct door door;
    struct caller callers[6];
    struct kernel_dialer kernel;
    struct dial *under_way;
    ends_init(&e);
    open_door(&e, &door, 8);
    assert_int_equal(kernel_dialer_init(&kernel, &e.sockets, 100, false), 0);
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(dial(&callers[i], &kernel.dialer, NULL, "127.0.0.1", door.port, &under_way), 0);
    ends_run(&e, 10);
    assert_int_equal(door.count, 4);
    assert_int_equal(acceptor_turned_away(door.acceptor), 2);
    end_close(door.clients[--door.count]);
    struct caller another;
    assert_int_equal(dial(&another, &kernel.dialer, NULL, "127.0.0.1", door.port, &under_way), 0);
    ends_run(&e, 10);
    assert_int_equal(door.count, 4);
    for (unsigned i = 0; i < 6; i++)
        if (callers[i].end.ops) /* who was turned away may have heard of it at once */
            end_abort(callers[i].end);
    end_abort(another.end);
    close_door(&door);
    kernel_dialer_end(&kernel);
    ends_destroy(&e);
}

/* Where descriptors are few, those of a port do not take all. */
static void clients_leave_descriptors(void **state)
{
    (void)state;
    struct ends e;
    struct door door;
    struct caller callers[6];
    struct kernel_dialer kernel;
    struct dial *under_way;
    struct rlimit files, few;
    ends_init(&e);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
    few = files;
    few.rlim_cur = 32;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    open_door(&e, &door, 100);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
    assert_int_equal(kernel_dialer_init(&kernel, &e.sockets, 100, false), 0);
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(dial(&callers[i], &kernel.dialer, NULL, "127.0.0.1", door.port, &under_way), 0);
    ends_run(&e, 10);
    assert_int_equal(door.count, 4); /* of eight, and one address half */
    assert_int_equal(acceptor_turned_away(door.acceptor), 2);
    for (unsigned i = 0; i < 6; i++)
        if (callers[i].end.ops)
            end_abort(callers[i].end);
    close_door(&door);
    kernel_dialer_end(&kernel);
    ends_destroy(&e);
}

static void a_port_is_taken_once(void **state)
{
    (void)state;
    struct ends e;
    struct door door;
    struct acceptor *second;
    struct acceptor_options options = {.max = 1, .came = keep, .of = &door};
    ends_init(&e);
    open_door(&e, &door, 8);
    assert_int_equal(hawser_addr_parse(&options.local, "127.0.0.1", door.port), 0);
    assert_int_equal(acceptor_open(&e.sockets, &options, &second), -EADDRINUSE);
    assert_int_equal(hawser_addr_parse(&options.local, "192.0.2.1", 0), 0);
    assert_int_equal(acceptor_open(&e.sockets, &options, &second), -EADDRNOTAVAIL);
    close_door(&door);
    ends_destroy(&e);
}

/* ---- by name ---- */

struct names {
    struct ends e;
    struct resolver *resolver;
    struct fake fake;
    struct name_dialer dialer;
};

static void names_init(struct names *n)
{
    memset(n, 0, sizeof *n);
    ends_init(&n->e);
    n->fake.dialer = (struct dialer){fake_begin, fake_cancel};
    assert_int_equal(resolver_new(n->e.loop, hawser_host_env(n->e.host), &n->resolver), 0);
    name_dialer_init(&n->dialer, n->e.loop, n->e.host, n->resolver, &n->fake.dialer);
}

static void names_destroy(struct names *n)
{
    resolver_free(n->resolver);
    ends_destroy(&n->e);
}

/* "localhost" is a name that every host knows, of two families or of one. */
static void a_name_is_looked_up(void **state)
{
    (void)state;
    struct names n;
    struct caller caller;
    struct dial *under_way;
    int other;
    names_init(&n);
    assert_int_equal(dial(&caller, &n.dialer.dialer, "localhost", NULL, 80, &under_way), 0);
    assert_int_equal(n.fake.count, 0); /* not from within */
    ends_run(&n.e, 100);
    assert_int_equal(n.fake.count, 1);
    assert_int_equal(n.fake.addrs[0].port, 80);
    ends_run(&n.e, NAME_DIAL_DELAY_US / 1000);
    unsigned tried = n.fake.count;
    fake_answer(&n.fake, tried - 1, 0, tcp_end(&n.e, &other));
    assert_int_equal(caller.told, 1);
    assert_int_equal(caller.error, 0);
    assert_int_equal(n.fake.cancelled, tried - 1);
    end_close(caller.end);
    close(other);
    names_destroy(&n);
}

static void an_address_is_a_name_too(void **state)
{
    (void)state;
    struct names n;
    struct caller caller;
    struct dial *under_way;
    struct hawser_addr expected;
    names_init(&n);
    assert_int_equal(hawser_addr_parse(&expected, "192.0.2.7", 80), 0);
    assert_int_equal(dial(&caller, &n.dialer.dialer, "192.0.2.7", NULL, 80, &under_way), 0);
    ends_run(&n.e, 20);
    assert_int_equal(n.fake.count, 1);
    assert_true(hawser_addr_equal(&n.fake.addrs[0], &expected));
    fake_answer(&n.fake, 0, -ECONNREFUSED, (struct end){0});
    assert_int_equal(caller.error, -ECONNREFUSED);
    assert_int_equal(dial(&caller, &n.dialer.dialer, NULL, "192.0.2.7", 80, &under_way), 0);
    fake_answer(&n.fake, 1, -ETIMEDOUT, (struct end){0});
    assert_int_equal(caller.error, -ETIMEDOUT);
    n.fake.at_once = -ENETUNREACH;
    assert_int_equal(dial(&caller, &n.dialer.dialer, NULL, "192.0.2.7", 80, &under_way), -ENETUNREACH);
    assert_int_equal(dial(&caller, &n.dialer.dialer, "192.0.2.7", NULL, 80, &under_way), 0);
    ends_run(&n.e, 20);
    assert_int_equal(caller.told, 1);
    assert_int_equal(caller.error, -ENETUNREACH);
    names_destroy(&n);
}

static void a_name_may_be_given_up(void **state)
{
    (void)state;
    struct names n;
    struct caller caller;
    struct dial *under_way;
    names_init(&n);
    assert_int_equal(dial(&caller, &n.dialer.dialer, "localhost", NULL, 80, &under_way), 0);
    dial_cancel(&n.dialer.dialer, under_way);
    ends_run(&n.e, 50);
    assert_int_equal(caller.told, 0);
    assert_int_equal(n.fake.count, 0);
    assert_int_equal(dial(&caller, &n.dialer.dialer, "localhost", NULL, 80, &under_way), 0);
    ends_run(&n.e, 50);
    dial_cancel(&n.dialer.dialer, under_way);
    assert_int_equal(n.fake.cancelled, n.fake.count);
    assert_int_equal(caller.told, 0);
    names_destroy(&n);
}

/* Whoever asks for all the names he can leaves as many for others. */
static void lookups_have_a_limit(void **state)
{
    (void)state;
    enum { SHARE = RESOLVER_LOOKUPS / 2 };
    struct names n;
    static struct caller callers[SHARE], more;
    struct dial *under_way[SHARE], *another;
    names_init(&n);
    for (unsigned i = 0; i < SHARE; i++)
        assert_int_equal(dial_for("192.0.2.1", &callers[i], &n.dialer.dialer, "192.0.2.7", &under_way[i]), 0);
    assert_int_equal(dial_for("192.0.2.1", &more, &n.dialer.dialer, "192.0.2.7", &another), -ENOBUFS);
    assert_int_equal(dial_for("192.0.2.2", &more, &n.dialer.dialer, "192.0.2.7", &another), 0);
    dial_cancel(&n.dialer.dialer, another);
    for (unsigned i = 0; i < SHARE; i++)
        dial_cancel(&n.dialer.dialer, under_way[i]);
    ends_run(&n.e, 20);
    assert_int_equal(dial_for("192.0.2.1", &more, &n.dialer.dialer, "192.0.2.7", &another), 0);
    dial_cancel(&n.dialer.dialer, another);
    names_destroy(&n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_kernel_connects),
        cmocka_unit_test(what_is_the_hosts_own_may_be_forbidden),
        cmocka_unit_test(one_leaves_sockets_for_others),
        cmocka_unit_test(one_client_leaves_room),
        cmocka_unit_test(clients_leave_descriptors),
        cmocka_unit_test(a_port_is_taken_once),
        cmocka_unit_test(a_name_is_looked_up),
        cmocka_unit_test(an_address_is_a_name_too),
        cmocka_unit_test(a_name_may_be_given_up),
        cmocka_unit_test(lookups_have_a_limit),
        cmocka_unit_test(addresses_of_this_host_are_its_own), /* the last one: in a namespace */
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
