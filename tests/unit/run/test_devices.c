/* Hosts with real tun devices, and what they leave behind: nothing. */
#define _GNU_SOURCE 1 /* unshare() */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <linux/if_tun.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/wait.h>

#include <hawser/hawser.h>

#include "link/namespace.h"
#include "support.h"

static bool have_namespace;

static int group_setup(void **state)
{
    (void)state;
    have_namespace = namespace_enter();
    return 0;
}

static void need_namespace(void)
{
    if (!have_namespace)
        skip();
}

static void add_link(struct hawser_host *host, const char *spec)
{
    char why[300] = "";
    if (hawser_host_add_link(host, spec, why, sizeof(why)) < 0)
        fail_msg("%s: %s", spec, why);
}

static void refuse_link(struct hawser_host *host, const char *spec, const char *reason)
{
    char why[300] = "";
    assert_true(hawser_host_add_link(host, spec, why, sizeof(why)) < 0);
    if (!strstr(why, reason))
        fail_msg("%s: refused as: %s", spec, why);
}

/* How often `word` stands in a table of the kernel. */
static unsigned count_in(const char *path, const char *word)
{
    char line[300];
    unsigned count = 0;
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    while (fgets(line, sizeof(line), file))
        count += strstr(line, word) != NULL;
    fclose(file);
    return count;
}

static short device_flags(const char *device, int *mtu)
{
    struct ifreq request = {0};
    int sock = socket(AF_INET, SOCK_DGRAM, 0);
    strcpy(request.ifr_name, device);
    assert_int_equal(ioctl(sock, SIOCGIFMTU, &request), 0);
    *mtu = request.ifr_mtu;
    assert_int_equal(ioctl(sock, SIOCGIFFLAGS, &request), 0);
    close(sock);
    return request.ifr_flags;
}

static void devices_come_up_and_go_with_the_host(void **state)
{
    (void)state;
    need_namespace();
    int mtu;
    struct hawser_host *host;
    assert_int_equal(hawser_host_new(NULL, &host), 0);
    add_link(host, "tun,dev=hwa,addr=10.9.1.1/24,addr=10.9.1.2/24,addr=10.9.3.1/32,addr=fd09::1/64,mtu=1400");
    add_link(host, "tun,dev=hwb,addr=10.9.2.1/24,nogso");
    assert_true(device_flags("hwa", &mtu) & IFF_UP);
    assert_int_equal(mtu, 1400);
    assert_true(device_flags("hwb", &mtu) & IFF_UP);
    assert_int_equal(mtu, 1500);
    assert_int_equal(count_in("/proc/net/route", "hwa"), 2); /* two addresses share one prefix */
    assert_int_equal(count_in("/proc/net/route", "hwb"), 1);
    assert_int_equal(count_in("/proc/net/ipv6_route", "fd090000000000000000000000000000 40"), 1);
    assert_int_equal(count_in("/proc/net/if_inet6", "hwa"), 0); /* no link-local address either */
    hawser_host_free(host);
    assert_int_equal(if_nametoindex("hwa"), 0);
    assert_int_equal(if_nametoindex("hwb"), 0);
    assert_int_equal(count_in("/proc/net/route", "hw"), 0);
}

static void a_link_goes_alone(void **state)
{
    (void)state;
    need_namespace();
    char why[300];
    struct hawser_host *host;
    assert_int_equal(hawser_host_new(NULL, &host), 0);
    add_link(host, "tun,dev=hwa,addr=10.9.1.1/24");
    int door = hawser_host_add_link(host, "tun,dev=hwb,door", why, sizeof(why));
    assert_true(door > 0);
    assert_int_equal(hawser_host_remove_link(host, 0), -EBUSY);
    assert_int_equal(hawser_host_remove_link(host, door + 1), -EINVAL);
    assert_int_equal(hawser_host_remove_link(host, door), 0);
    assert_int_equal(if_nametoindex("hwb"), 0);
    assert_int_equal(hawser_host_remove_link(host, door), -EINVAL);
    assert_int_equal(hawser_host_add_link(host, "tun,dev=hwb,door", why, sizeof(why)), door);
    assert_int_equal(system("ip link del hwb"), 0);
    assert_int_equal(hawser_host_step(host), -ENODEV);
    assert_int_equal(hawser_host_remove_link(host, door), -ENODEV);
    assert_true(if_nametoindex("hwa"));
    hawser_host_free(host);
}

static struct hawser_addr addr(const char *text)
{
    struct hawser_addr out;
    assert_int_equal(hawser_addr_parse(&out, text, 0), 0);
    return out;
}

static int add_address(struct hawser_host *host, int link, const char *text, unsigned prefix_len, const char *reason)
{
    char why[300] = "";
    const struct hawser_addr a = addr(text);
    int error = hawser_host_add_address(host, link, &a, prefix_len, why, sizeof(why));
    if (!strstr(why, reason) || (error == 0) != (why[0] == '\0'))
        fail_msg("%s: %d, as: %s", text, error, why);
    return error;
}

static int remove_address(struct hawser_host *host, const char *text)
{
    const struct hawser_addr a = addr(text);
    return hawser_host_remove_address(host, &a);
}

/* The route of a prefix stays as long as an address lies in it; then link and addresses are as if never given. */
static void addresses_come_and_go(void **state)
{
    (void)state;
    need_namespace();
    struct hawser_host *host;
    assert_int_equal(hawser_host_new(NULL, &host), 0);
    add_link(host, "tun,dev=hwa,addr=10.9.1.1/24");
    add_link(host, "tun,dev=hwb,addr=10.9.2.1/24");
    assert_int_equal(add_address(host, 0, "10.9.1.2", 24, ""), 0);
    assert_int_equal(add_address(host, 0, "10.9.3.1", 24, ""), 0);
    assert_int_equal(add_address(host, 0, "fd09::1", 64, ""), 0);
    assert_int_equal(count_in("/proc/net/route", "hwa"), 2);
    assert_int_equal(count_in("/proc/net/ipv6_route", "fd090000000000000000000000000000 40"), 1);
    assert_int_equal(add_address(host, 0, "10.9.2.1", 24, "on another link"), -EEXIST);
    assert_int_equal(add_address(host, 0, "10.9.2.2", 24, "routed elsewhere"), -EEXIST);
    assert_int_equal(add_address(host, 0, "10.9.4.1", 33, "1 to 32 bits"), -EINVAL);
    assert_int_equal(add_address(host, 0, "10.9.4.1", 0, "1 to 32 bits"), -EINVAL); /* it would be the default route */
    assert_int_equal(add_address(host, 2, "10.9.4.1", 24, "no such device"), -ENODEV);
    assert_int_equal(add_address(host, -1, "10.9.4.1", 24, "no such device"), -ENODEV);
    assert_int_equal(remove_address(host, "10.9.1.1"), 0);
    assert_int_equal(count_in("/proc/net/route", "hwa"), 2);
    assert_int_equal(remove_address(host, "10.9.1.1"), -ENOENT);
    assert_int_equal(remove_address(host, "10.9.1.2"), 0);
    assert_int_equal(count_in("/proc/net/route", "hwa"), 1);
    assert_int_equal(hawser_host_remove_link(host, 0), -EBUSY);
    assert_int_equal(remove_address(host, "10.9.3.1"), 0);
    assert_int_equal(remove_address(host, "fd09::1"), 0);
    assert_int_equal(hawser_host_remove_link(host, 0), 0);
    assert_int_equal(if_nametoindex("hwa"), 0);
    add_link(host, "tun,dev=hwa,addr=10.9.1.1/24");
    for (unsigned i = 2; i <= 16; i++) {
        char text[20];
        snprintf(text, sizeof(text), "10.9.1.%u", i);
        assert_int_equal(add_address(host, 0, text, 24, ""), 0);
    }
    assert_int_equal(add_address(host, 0, "10.9.1.17", 24, "16 addresses already"), -ENOSPC);
    hawser_host_free(host);
}

static void refused_links_leave_nothing(void **state)
{
    (void)state;
    need_namespace();
    struct hawser_host *host, *another;
    assert_int_equal(hawser_host_new(NULL, &host), 0);
    assert_int_equal(hawser_host_new(NULL, &another), 0);
    add_link(host, "tun,dev=hwa,addr=10.9.1.1/24");
    refuse_link(host, "tun,dev=hwa,addr=10.9.2.1/24", "another link of this host");
    refuse_link(another, "tun,dev=hwa,addr=10.9.2.1/24", "in use, by another program or host");
    hawser_host_free(another);
    refuse_link(host, "tun,dev=lo,addr=10.9.2.1/24", "exists and is not");
    refuse_link(host, "tun,dev=hwb,addr=10.9.3.1/24,addr=127.0.0.1/8", "not an address for a host");
    refuse_link(host, "tun,dev=hwb,addr=10.9.3.1/24,addr=10.9.1.7/24", "routed elsewhere");
    refuse_link(host, "tun,dev=hwb,addr=10.9.3.1/24,addr=10.9.1.1/32", "on another link");
    refuse_link(host, "tun,dev=hwb,addr=10.9.3.1/24,pcap=/nonexistent/a", "choose another pcap=");
    assert_int_equal(if_nametoindex("hwb"), 0);
    assert_int_equal(count_in("/proc/net/route", "hw"), 1);
    add_link(host, "tun,dev=hwb,addr=10.9.3.1/24"); /* the name and the prefix are free as before */
    hawser_host_free(host);
}

/* A packet to one of the stack's addresses must come in by the device, or nothing was set up at all. */
static void the_kernel_reaches_the_stack(void **state)
{
    (void)state;
    need_namespace();
    struct hawser_host *host;
    assert_int_equal(hawser_host_new(NULL, &host), 0);
    add_link(host, "tun,dev=hwa,addr=10.9.1.1/24");
    struct ifreq request = {.ifr_name = "lo"};
    struct sockaddr_in local = {.sin_family = AF_INET};
    struct sockaddr_in remote = {.sin_family = AF_INET, .sin_port = htons(5000)};
    local.sin_addr.s_addr = htonl(0xc0000201); /* 192.0.2.1, of a class whose default prefix spares ours */
    remote.sin_addr.s_addr = htonl(0x0a090101);
    memcpy(&request.ifr_addr, &local, sizeof(local));
    int sock = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(ioctl(sock, SIOCSIFADDR, &request), 0);
    assert_int_equal(bind(sock, (struct sockaddr *)&local, sizeof(local)), 0);
    assert_int_equal(connect(sock, (struct sockaddr *)&remote, sizeof(remote)), -1);
    assert_int_equal(errno, EINPROGRESS);

    struct pollfd fds[] = {{.fd = hawser_host_fd(host), .events = POLLIN}, {.fd = sock, .events = POLLOUT}};
    int error = 0;
    socklen_t len = sizeof(error);
    while (!fds[1].revents) {
        assert_true(poll(fds, 2, 5000) > 0);
        assert_int_equal(hawser_host_step(host), 0);
    }
    assert_int_equal(getsockopt(sock, SOL_SOCKET, SO_ERROR, &error, &len), 0);
    assert_int_equal(error, ECONNREFUSED); /* said by the stack: nobody listens */
    close(sock);
    hawser_host_free(host);
}

static void addresses_of_the_kernel_are_refused(void **state)
{
    (void)state;
    need_namespace();
    assert_int_equal(system("ip addr add 192.0.2.9/32 dev lo && ip addr add fd09:9::9/128 dev lo"), 0);
    struct hawser_host *host;
    assert_int_equal(hawser_host_new(NULL, &host), 0);
    refuse_link(host, "tun,dev=hwa,addr=10.9.1.1/24,addr=192.0.2.9/32", "an address of this machine");
    refuse_link(host, "tun,dev=hwa,addr=fd09:9::9/64", "an address of this machine");
    assert_int_equal(count_in("/proc/net/route", "hw"), 0);
    hawser_host_free(host);
}

/* Whatever may be bound to: before its first address a namespace has no table of its own ones, and with
 * ip_nonlocal_bind every address will do. The last test, for it leaves the namespace of the others. */
static void a_bare_namespace_has_no_addresses(void **state)
{
    (void)state;
    need_namespace();
    assert_int_equal(unshare(CLONE_NEWNET), 0);
    struct hawser_host *host;
    assert_int_equal(hawser_host_new(NULL, &host), 0);
    add_link(host, "tun,dev=hwa,addr=10.9.1.1/24,addr=fd09::1/64");
    assert_true(namespace_write("/proc/sys/net/ipv4/ip_nonlocal_bind", "1"));
    add_link(host, "tun,dev=hwb,addr=10.9.2.1/24");
    hawser_host_free(host);
}

static void delete_device(const char *device)
{
    char command[100];
    snprintf(command, sizeof(command), "ip link del %s", device);
    assert_int_equal(system(command), 0);
}

/* The loss of a device is told once; the other link and the host go on, and nothing spins. */
static void a_deleted_device_is_told_once(void **state)
{
    (void)state;
    need_namespace();
    struct hawser_host *host;
    assert_int_equal(hawser_host_new(NULL, &host), 0);
    add_link(host, "tun,dev=hwa,addr=10.9.1.1/24");
    add_link(host, "tun,dev=hwb,addr=10.9.2.1/24");
    hawser_host_step(host);
    delete_device("hwa");
    struct pollfd p = {.fd = hawser_host_fd(host), .events = POLLIN};
    assert_int_equal(poll(&p, 1, 5000), 1);
    assert_int_equal(hawser_host_step(host), -ENODEV);
    assert_int_equal(hawser_host_step(host), 0);
    assert_int_equal(poll(&p, 1, 50), 0);
    assert_true(if_nametoindex("hwb") > 0);
    hawser_host_free(host);
}

static void devices_deleted_together_are_told_one_by_one(void **state)
{
    (void)state;
    need_namespace();
    struct hawser_host *host;
    assert_int_equal(hawser_host_new(NULL, &host), 0);
    add_link(host, "tun,dev=hwa,addr=10.9.1.1/24");
    add_link(host, "tun,dev=hwb,addr=10.9.2.1/24");
    hawser_host_step(host);
    delete_device("hwa");
    delete_device("hwb");
    struct pollfd p = {.fd = hawser_host_fd(host), .events = POLLIN};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(poll(&p, 1, 5000), 1);
        assert_int_equal(hawser_host_step(host), -ENODEV);
    }
    assert_int_equal(hawser_host_step(host), 0);
    assert_int_equal(poll(&p, 1, 50), 0);
    hawser_host_free(host);
}

/* Exits: 0 when `bytes` bytes and the end of the stream came on the first connection. */
static void receive_all(int server, size_t bytes)
{
    static char piece[65536];
    alarm(60); /* whatever happens */
    int sock = accept(server, NULL, NULL);
    ssize_t n;
    for (; (n = read(sock, piece, sizeof(piece))) > 0; bytes -= (size_t)n)
        usleep(1000);
    _exit(n == 0 && bytes == 0 ? 0 : 1);
}

/* The program closes, drains and is gone; the peer, another program, gets everything. */
static void a_drained_host_leaves_nobody_waiting(void **state)
{
    (void)state;
    need_namespace();
    static const uint8_t bytes[1000000];
    struct sockaddr_in local = {.sin_family = AF_INET, .sin_port = htons(5000)};
    struct hawser_addr remote;
    struct hawser_conn *conn;
    struct hawser_unfinished left;
    int server = socket(AF_INET, SOCK_STREAM, 0), status;
    local.sin_addr.s_addr = htonl(0xc0000202); /* 192.0.2.2 */
    assert_int_equal(system("ip link set lo up && ip addr add 192.0.2.2/32 dev lo"), 0);
    assert_int_equal(bind(server, (struct sockaddr *)&local, sizeof(local)), 0);
    assert_int_equal(listen(server, 1), 0);
    pid_t child = fork();
    if (child == 0)
        receive_all(server, sizeof(bytes));

    struct hawser_host *host;
    assert_int_equal(hawser_host_new(NULL, &host), 0);
    struct pollfd p = {.fd = hawser_host_fd(host), .events = POLLIN};
    add_link(host, "tun,dev=hwa,addr=10.9.1.1/24");
    assert_int_equal(hawser_addr_parse(&remote, "192.0.2.2", 5000), 0);
    assert_int_equal(hawser_connect(hawser_host_stack(host), &remote, NULL, hawser_host_now(host), &conn), 0);
    do
        assert_int_equal(hawser_host_step(host), 0);
    while (!next_told(hawser_host_stack(host)) && poll(&p, 1, 5000) > 0);
    assert_int_equal(hawser_send(conn, bytes, sizeof(bytes)), sizeof(bytes));
    hawser_close(conn);
    assert_int_equal(hawser_host_drain(host, UINT64_C(60000000000), &left), 0);
    hawser_host_free(host);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    close(server);
}

static void persist(const char *device, bool on)
{
    struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
    strcpy(request.ifr_name, device);
    int fd = open("/dev/net/tun", O_RDWR);
    assert_int_equal(ioctl(fd, TUNSETIFF, &request), 0);
    assert_int_equal(ioctl(fd, TUNSETPERSIST, on), 0);
    close(fd);
}

static void a_persistent_device_is_put_back(void **state)
{
    (void)state;
    need_namespace();
    int mtu;
    persist("hwp", true);
    short flags = device_flags("hwp", &mtu);
    assert_false(flags & IFF_UP);
    struct hawser_host *host;
    assert_int_equal(hawser_host_new(NULL, &host), 0);
    add_link(host, "tun,dev=hwp,addr=10.9.1.1/24,mtu=9000");
    assert_true(device_flags("hwp", &mtu) & IFF_UP);
    assert_int_equal(mtu, 9000);
    hawser_host_free(host);
    assert_int_equal(device_flags("hwp", &mtu) & IFF_UP, 0);
    assert_int_equal(mtu, 1500);
    assert_int_equal(count_in("/proc/net/route", "hwp"), 0);
    persist("hwp", false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(devices_come_up_and_go_with_the_host),
        cmocka_unit_test(a_link_goes_alone),
        cmocka_unit_test(addresses_come_and_go),
        cmocka_unit_test(refused_links_leave_nothing),
        cmocka_unit_test(the_kernel_reaches_the_stack),
        cmocka_unit_test(a_deleted_device_is_told_once),
        cmocka_unit_test(devices_deleted_together_are_told_one_by_one),
        cmocka_unit_test(a_drained_host_leaves_nobody_waiting),
        cmocka_unit_test(a_persistent_device_is_put_back),
        cmocka_unit_test(addresses_of_the_kernel_are_refused),
        cmocka_unit_test(a_bare_namespace_has_no_addresses),
    };
    return cmocka_run_group_tests(tests, group_setup, NULL);
}
