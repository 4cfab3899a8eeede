#include "run/space.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/compiler.h"

enum { SETTING_SIZE = 64 };

/* Beneath /proc/sys/net/ipv4. */
static const char *const settings[] = {
    "ip_local_port_range",  "ip_unprivileged_port_start",
    "tcp_fin_timeout",      "tcp_keepalive_intvl",
    "tcp_keepalive_probes", "tcp_keepalive_time",
    "tcp_orphan_retries",   "tcp_retries1",
    "tcp_retries2",         "tcp_syn_retries",
};

struct space_settings {
    char values[HW_ARRAY_LEN(settings)][SETTING_SIZE];
};

static void setting_path(char *out, size_t size, const char *name)
{
    snprintf(out, size, "/proc/sys/net/ipv4/%s", name);
}

/* Without the line's end; empty where there is none. */
static void read_setting(const char *name, char *out)
{
    char path[100];
    setting_path(path, sizeof(path), name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, out, SETTING_SIZE - 1) : 0;
    out[n > 0 ? n : 0] = '\0';
    out[strcspn(out, "\n")] = '\0';
    if (fd >= 0)
        close(fd);
}

static int write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    ssize_t n = write(fd, text, strlen(text));
    int error = n < 0 ? -errno : 0;
    close(fd);
    return error;
}

struct space_settings *space_remember(void)
{
    struct space_settings *s = calloc(1, sizeof(*s));
    for (size_t i = 0; s && i < HW_ARRAY_LEN(settings); i++)
        read_setting(settings[i], s->values[i]);
    return s;
}

void space_restore(struct space_settings *s)
{
    char path[100], now[SETTING_SIZE], groups[SETTING_SIZE];
    for (size_t i = 0; s && i < HW_ARRAY_LEN(settings); i++) {
        read_setting(settings[i], now);
        setting_path(path, sizeof(path), settings[i]);
        if (s->values[i][0] && strcmp(now, s->values[i]) != 0)
            write_file(path, s->values[i]);
    }
    /* Who may send echo requests without privileges: of groups, the namespace knows one. */
    snprintf(groups, sizeof(groups), "%u %u", getegid(), getegid());
    write_file("/proc/sys/net/ipv4/ping_group_range", groups);
    free(s);
}

static int map_own(const char *path, unsigned id)
{
    char line[64];
    snprintf(line, sizeof(line), "%u %u 1", id, id);
    return write_file(path, line);
}

static int enter_as_user(uid_t user, gid_t group)
{
    if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0)
        return -errno;
    int error = map_own("/proc/self/uid_map", user);
    if (!error)
        error = write_file("/proc/self/setgroups", "deny");
    return error ? error : map_own("/proc/self/gid_map", group);
}

static void explain(int error, uid_t user, char *why, size_t why_size)
{
    bool denied = error == -EPERM || error == -EACCES;
    if (denied && user == 0)
        snprintf(why, why_size,
                 "no permission to make a network namespace: root wants CAP_SYS_ADMIN, and in a container a filter of "
                 "system calls that lets unshare pass");
    else if (denied)
        snprintf(why, why_size,
                 "this system gives ordinary users no namespaces: run as root, or allow them "
                 "(sysctl kernel.unprivileged_userns_clone=1, or "
                 "kernel.apparmor_restrict_unprivileged_userns=0)");
    else if (error == -ENOSPC || error == -EUSERS)
        snprintf(why, why_size,
                 "too many namespaces: raise sysctl user.max_user_namespaces and "
                 "user.max_net_namespaces");
    else if (error == -EINVAL)
        snprintf(why, why_size, "this kernel has no network namespaces: it wants CONFIG_USER_NS and CONFIG_NET_NS");
    else
        snprintf(why, why_size, "cannot make a network namespace: %s", strerror(-error));
}

int space_enter(char *why, size_t why_size)
{
    uid_t user = geteuid();
    gid_t group = getegid();
    int error = unshare(CLONE_NEWNET) == 0 ? 0 : enter_as_user(user, group);
    int fd = error ? error : open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    if (!error && fd < 0)
        error = -errno;
    if (error)
        explain(error, user, why, why_size);
    return error ? error : fd;
}

int space_join(pid_t other)
{
    int process = (int)syscall(SYS_pidfd_open, other, 0);
    if (process < 0)
        return -errno;
    /* There is another user namespace only where an ordinary user has entered. */
    bool joined = setns(process, CLONE_NEWNET) == 0 || setns(process, CLONE_NEWUSER | CLONE_NEWNET) == 0;
    int error = joined ? 0 : -errno;
    close(process);
    return error;
}
