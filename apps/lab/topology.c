#include "topology.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/if_tun.h>
#include <linux/rtnetlink.h>

#include "base/check.h"
#include "lab/endpoints.h"
#include "lab/rtnl.h"

enum {
    PATH_TABLE = 100,           /* of the first path; what leaves from a path's address looks here */
    PATH_QUEUE_PACKETS = 20000, /* between the kernel and the emulator, whose own queue is the one that counts */
    PATH_METRIC = 100,          /* of the first path's default route, for commands */
    SINGLE_SUBNET = 255,        /* of the end with one address */
    PATH_MANAGER_LIMIT = LAB_PATHS,
};

unsigned lab_address_count(const struct lab_options *o, enum lab_side side)
{
    return side == o->homes && o->path_count ? o->path_count : 1;
}

struct hawser_addr lab_address(const struct lab_options *o, enum lab_side side, unsigned i)
{
    struct hawser_addr addr;
    char text[HAWSER_ADDR_STRLEN];
    unsigned subnet = side == o->homes ? i : SINGLE_SUBNET;
    snprintf(text, sizeof(text), o->ipv6 ? "fd09:%x::%u" : "10.9.%u.%u", subnet, side == LAB_CLIENT ? 1u : 2u);
    CHECK(hawser_addr_parse(&addr, text, 0) == 0);
    return addr;
}

static int write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int error = write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -errno;
    close(fd);
    return error;
}

/* Into a network namespace, by way of a user namespace where that needs it. */
static int enter_namespace(char why[LAB_WHY])
{
    char map[32];
    if (unshare(CLONE_NEWNET) == 0)
        return 0;
    snprintf(map, sizeof(map), "0 %u 1", geteuid());
    if (errno == EPERM && unshare(CLONE_NEWUSER) == 0 && write_file("/proc/self/uid_map", map) == 0 &&
        unshare(CLONE_NEWNET) == 0)
        return 0;
    int error = -errno;
    snprintf(why, LAB_WHY, "network namespaces are refused here (%s): run as root, or use --in-process",
             strerror(-error));
    return error;
}

static int set_sysctls(const struct lab_options *o, enum lab_side side, char why[LAB_WHY])
{
    const struct {
        const char *path, *value;
        bool needed;
    } settings[] = {
        {"ipv4/conf/all/rp_filter", "0", true},
        {"ipv4/conf/default/rp_filter", "0", true},
        {"ipv4/tcp_rmem", "4096 131072 " LAB_KERNEL_RMEM_MAX, true},
        {"ipv4/tcp_wmem", "4096 65536 " LAB_KERNEL_WMEM_MAX, true},
        {"ipv4/tcp_no_metrics_save", "1", false},
        {"mptcp/enabled", "1", false},
        {"mptcp/checksum_enabled", o->checksum ? "1" : "0", o->checksum},
        {"mptcp/blackhole_timeout", "0", false},
        {"ipv6/conf/all/accept_dad", "0", false},
    };
    char path[96];
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        snprintf(path, sizeof(path), "/proc/sys/net/%s", settings[i].path);
        int error = write_file(path, settings[i].value);
        if (error && settings[i].needed) {
            snprintf(why, LAB_WHY, "cannot set net.%s (%s): is /proc mounted read-only here?", settings[i].path,
                     strerror(-error));
            return error;
        }
    }
    if (o->ends[side].stack == LAB_KERNEL && !o->direct)
        return 0;
    int error = write_file(o->ipv6 ? "/proc/sys/net/ipv6/conf/all/forwarding" : "/proc/sys/net/ipv4/ip_forward", "1");
    if (error)
        snprintf(why, LAB_WHY, "cannot turn forwarding on (%s): %s", strerror(-error),
                 o->ipv6 ? "is IPv6 off in this kernel?" : "is /proc mounted read-only here?");
    return error;
}

static int open_tun(const char *name, char why[LAB_WHY])
{
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        int error = -errno;
        snprintf(why, LAB_WHY, "cannot open /dev/net/tun (%s): %s, or use --in-process", strerror(-error),
                 error == -EACCES || error == -EPERM ? "run as root" : "load it with modprobe tun");
        return error;
    }
    struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
    snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
    if (ioctl(fd, TUNSETIFF, &request) == 0)
        return fd;
    int error = -errno;
    snprintf(why, LAB_WHY, "cannot make a TUN device (%s): run as root, or use --in-process", strerror(-error));
    close(fd);
    return error;
}

/* Where packets from and to this end's addresses go, on one path. */
static int route_path(struct rtnl *r, const struct lab_options *o, enum lab_side side, unsigned path, unsigned device)
{
    bool kernel = o->ends[side].stack == LAB_KERNEL;
    enum lab_side other = side == LAB_CLIENT ? LAB_SERVER : LAB_CLIENT;
    if (side != o->homes) {
        struct hawser_addr to = lab_address(o, other, path), own = lab_address(o, side, 0);
        return rtnl_route_add(r, &to, kernel ? &own : NULL, !o->ipv6, device, RT_TABLE_MAIN, 0);
    }
    struct hawser_addr own = lab_address(o, side, path), to = lab_address(o, other, 0);
    int error = kernel ? rtnl_address_add(r, device, &own) : 0;
    if (!error)
        error = rtnl_rule_add(r, &own, PATH_TABLE + path);
    if (!error)
        error = rtnl_route_add(r, NULL, kernel ? &own : NULL, !o->ipv6, device, PATH_TABLE + path, 0);
    if (!error && o->commands[side])
        error = rtnl_route_add(r, NULL, &own, !o->ipv6, device, RT_TABLE_MAIN, PATH_METRIC + path);
    else if (!error && path == 0)
        error = rtnl_route_add(r, &to, kernel ? &own : NULL, !o->ipv6, device, RT_TABLE_MAIN, 0);
    return error;
}

static int build_path(struct topology *t, struct rtnl *r, const struct lab_options *o, enum lab_side side,
                      unsigned path, char why[LAB_WHY])
{
    char name[IFNAMSIZ];
    snprintf(name, sizeof(name), "p%u", path);
    t->tun[path][side] = open_tun(name, why);
    if (t->tun[path][side] < 0)
        return t->tun[path][side];
    unsigned device = if_nametoindex(name);
    int error = rtnl_link_up(r, device, PATH_QUEUE_PACKETS);
    if (!error)
        error = route_path(r, o, side, path, device);
    if (error)
        snprintf(why, LAB_WHY, "cannot set up device %s of the %s (%s)%s", name, lab_side_name(side), strerror(-error),
                 o->ipv6 ? ": is IPv6 off in this kernel?" : "");
    return error;
}

static int build_endpoints(const struct lab_options *o, enum lab_side side, char why[LAB_WHY])
{
    struct endpoints e;
    if (o->ends[side].stack != LAB_KERNEL || o->ends[side].tcp)
        return 0;
    int error = endpoints_open(&e);
    if (error) {
        snprintf(why, LAB_WHY, "this kernel has no MPTCP path manager (%s): take --tcp, or Hawser at both ends",
                 strerror(-error));
        return error;
    }
    error = endpoints_limits(&e, PATH_MANAGER_LIMIT, PATH_MANAGER_LIMIT);
    for (unsigned i = 1; !error && i < lab_address_count(o, side); i++) {
        struct hawser_addr own = lab_address(o, side, i);
        error = endpoints_add(&e, &own, 0, side == LAB_CLIENT ? ENDPOINT_SUBFLOW : ENDPOINT_SIGNAL);
    }
    if (error)
        snprintf(why, LAB_WHY, "cannot set up the kernel's MPTCP path manager: %s", strerror(-error));
    endpoints_close(&e);
    return error;
}

/* The loopback device, up, with the one address of a kernel end that is not at home on the paths. */
static int build_loopback(struct rtnl *r, const struct lab_options *o, enum lab_side side)
{
    unsigned loopback = if_nametoindex("lo");
    int error = rtnl_link_up(r, loopback, 0);
    bool single = o->direct ? o->ends[LAB_CLIENT].stack != o->ends[LAB_SERVER].stack : side != o->homes;
    if (error || o->ends[side].stack != LAB_KERNEL || !single)
        return error;
    struct hawser_addr own = lab_address(o, side, 0);
    return rtnl_address_add(r, loopback, &own);
}

static int build_side(struct topology *t, const struct lab_options *o, enum lab_side side, char why[LAB_WHY])
{
    struct rtnl r;
    int error = set_sysctls(o, side, why);
    if (error)
        return error;
    error = rtnl_open(&r);
    if (!error) {
        error = build_loopback(&r, o, side);
        if (error)
            rtnl_close(&r);
    }
    if (error) {
        snprintf(why, LAB_WHY, "cannot configure the namespace of the %s: %s", lab_side_name(side), strerror(-error));
        return error;
    }
    for (unsigned path = 0; !error && path < o->path_count; path++)
        error = build_path(t, &r, o, side, path, why);
    rtnl_close(&r);
    return error ? error : build_endpoints(o, side, why);
}

/* A namespace of its own for an end; the calling process is in it afterwards. */
static int new_namespace(struct topology *t, enum lab_side side, char why[LAB_WHY])
{
    int error = enter_namespace(why);
    if (error)
        return error;
    t->netns[side] = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    if (t->netns[side] >= 0)
        return 0;
    error = -errno;
    snprintf(why, LAB_WHY, "cannot open /proc/self/ns/net (%s): is /proc mounted here?", strerror(-error));
    return error;
}

/* One end of the cable between two kernel ends. */
static int plug_veth(const struct lab_options *o, enum lab_side side, const char *device)
{
    struct rtnl r;
    struct hawser_addr own = lab_address(o, side, 0);
    struct hawser_addr other = lab_address(o, side == LAB_CLIENT ? LAB_SERVER : LAB_CLIENT, 0);
    unsigned index = if_nametoindex(device);
    int error = index ? rtnl_open(&r) : -ENODEV;
    if (error)
        return error;
    error = rtnl_link_up(&r, index, 0);
    if (!error)
        error = rtnl_address_add(&r, index, &own);
    if (!error)
        error = rtnl_route_add(&r, &other, &own, !o->ipv6, index, RT_TABLE_MAIN, 0);
    rtnl_close(&r);
    return error;
}

static int build_veth(const struct topology *t, const struct lab_options *o)
{
    struct rtnl r;
    int error = rtnl_open(&r); /* in the server's namespace */
    if (error)
        return error;
    error = rtnl_veth_new(&r, "v1", "v0", t->netns[LAB_CLIENT]);
    rtnl_close(&r);
    if (!error)
        error = plug_veth(o, LAB_SERVER, "v1");
    if (!error)
        error = setns(t->netns[LAB_CLIENT], CLONE_NEWNET) == 0 ? 0 : -errno;
    return error ? error : plug_veth(o, LAB_CLIENT, "v0");
}

/* Without paths: a cable between two kernels, or one namespace where a Hawser end's device meets the other end. */
static int build_direct(struct topology *t, const struct lab_options *o, char why[LAB_WHY])
{
    bool kernels = o->ends[LAB_CLIENT].stack == LAB_KERNEL && o->ends[LAB_SERVER].stack == LAB_KERNEL;
    int error = new_namespace(t, LAB_CLIENT, why);
    if (!error)
        error = build_side(t, o, LAB_CLIENT, why);
    if (error)
        return error;
    if (kernels) {
        error = new_namespace(t, LAB_SERVER, why);
    } else {
        t->netns[LAB_SERVER] = fcntl(t->netns[LAB_CLIENT], F_DUPFD_CLOEXEC, 0);
        error = t->netns[LAB_SERVER] < 0 ? -errno : 0;
    }
    if (!error)
        error = build_side(t, o, LAB_SERVER, why);
    if (!error && kernels) {
        error = build_veth(t, o);
        if (error)
            snprintf(why, LAB_WHY, "cannot join the namespaces by veth devices: %s", strerror(-error));
    }
    return error;
}

int topology_build(struct topology *t, const struct lab_options *o, char why[LAB_WHY])
{
    memset(t, -1, sizeof(*t));
    int error = 0;
    if (o->direct) {
        error = build_direct(t, o, why);
    } else {
        for (enum lab_side side = LAB_CLIENT; !error && side < LAB_SIDES; side++) {
            error = new_namespace(t, side, why);
            if (!error)
                error = build_side(t, o, side, why);
        }
    }
    if (error)
        topology_close(t);
    return error;
}

void topology_close(struct topology *t)
{
    for (unsigned side = 0; side < LAB_SIDES; side++) {
        for (unsigned path = 0; path < LAB_PATHS; path++) {
            if (t->tun[path][side] >= 0)
                close(t->tun[path][side]);
        }
        if (t->netns[side] >= 0)
            close(t->netns[side]);
    }
    memset(t, -1, sizeof(*t));
}
