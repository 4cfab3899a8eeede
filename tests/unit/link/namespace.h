/* A network namespace for one test program: anonymous, gone when the program ends, whatever ends it. */
#ifndef HW_TESTS_LINK_NAMESPACE_H
#define HW_TESTS_LINK_NAMESPACE_H

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static inline bool namespace_write(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool ok = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    close(fd);
    return ok;
}

/* Brings the loopback device up, where the kernel's own end has its addresses. */
static inline bool namespace_loopback_up(void)
{
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    int sock = socket(AF_INET, SOCK_DGRAM, 0);
    bool ok = sock >= 0 && ioctl(sock, SIOCSIFFLAGS, &request) == 0;
    if (sock >= 0)
        close(sock);
    return ok;
}

/* Moves this process into a fresh network namespace where it may make tun devices. Says loudly when it cannot. */
static inline bool namespace_enter(void)
{
    char map[32];
    uid_t uid = geteuid();
    bool entered = unshare(CLONE_NEWNET) == 0;
    if (!entered && unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0) {
        snprintf(map, sizeof(map), "0 %u 1", uid);
        entered = namespace_write("/proc/self/uid_map", map);
    }
    int tun = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    bool ok = entered && tun >= 0 && namespace_loopback_up();
    if (!ok)
        fprintf(stderr,
                "************************************************************\n"
                "** SKIPPED: no network namespace or /dev/net/tun here (%s).\n"
                "** Run as root to test real devices.\n"
                "************************************************************\n",
                strerror(errno));
    if (tun >= 0)
        close(tun);
    return ok;
}

#endif
