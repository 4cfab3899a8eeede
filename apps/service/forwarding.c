#include "service/forwarding.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "service/complain.h"

static void forwarding_path(const struct forwarding *f, char *path, size_t size)
{
    snprintf(path, size, "ipv%d/conf/%s/%s", f->v4 ? 4 : 6, f->name, f->v4 ? "forwarding" : "force_forwarding");
}

static bool forwarding_all_v6(const struct sysctls *s) { return sysctls_already(s, "ipv6/conf/all/forwarding", "1"); }

bool forwarding_is_anyway(const struct sysctls *s, const struct forwarding *f)
{
    char path[SYSCTL_PATH_SIZE];
    forwarding_path(f, path, sizeof(path));
    return sysctls_already(s, path, "1") || (!f->v4 && forwarding_all_v6(s));
}

void forwarding_yield(struct sysctls *s, const struct forwarding *list, size_t count)
{
    char path[SYSCTL_PATH_SIZE], value[SYSCTL_VALUE_SIZE];
    if (!sysctls_already(s, "ipv4/conf/all/forwarding", "1"))
        return;
    for (size_t i = 0; i < count; i++) {
        forwarding_path(&list[i], path, sizeof(path));
        if (list[i].v4 && sysctls_read(s, path, value, sizeof(value)) && strcmp(value, "1") == 0)
            sysctls_forget(s, path);
    }
}

static int forwarding_reserve_ports(struct sysctls *s, uint16_t first_port, uint16_t last_port)
{
    static const char reserved_path[] = "ipv4/ip_local_reserved_ports";
    char range[SYSCTL_VALUE_SIZE], value[SYSCTL_VALUE_SIZE], before[SYSCTL_VALUE_SIZE / 2];
    unsigned low, high;
    if (!sysctls_read(s, "ipv4/ip_local_port_range", range, sizeof(range)) ||
        sscanf(range, "%u %u", &low, &high) != 2 || low > last_port || high < first_port)
        return 0;
    if (!sysctls_read(s, reserved_path, before, sizeof(before)) || strlen(before) == sizeof(before) - 1)
        return 0; /* too long a list to be kept */
    snprintf(value, sizeof(value), "%s%s%u-%u", before, before[0] ? "," : "", first_port, last_port);
    return sysctls_want(s, reserved_path, value);
}

/* One that cannot be made leaves the others as they are wanted. */
int forwarding_apply(struct sysctls *s, const struct forwarding *list, size_t count, uint16_t first_port,
                     uint16_t last_port)
{
    char path[SYSCTL_PATH_SIZE];
    int error = 0;
    sysctls_begin(s);
    for (size_t i = 0; i < count; i++) {
        if (!list[i].v4 && forwarding_all_v6(s))
            continue;
        forwarding_path(&list[i], path, sizeof(path));
        int failed = sysctls_want(s, path, "1");
        keep_first(&error, failed == -ENOENT ? 0 : failed); /* gone meanwhile */
    }
    if (count)
        keep_first(&error, forwarding_reserve_ports(s, first_port, last_port));
    sysctls_settle(s);
    return error;
}

bool forwarding_can_v6(const struct sysctls *s, const char *name)
{
    const struct forwarding f = {name, false};
    char value[SYSCTL_VALUE_SIZE], path[SYSCTL_PATH_SIZE];
    snprintf(path, sizeof(path), "ipv6/conf/%s/disable_ipv6", name);
    if (!sysctls_read(s, path, value, sizeof(value)) || strcmp(value, "0") != 0)
        return false;
    forwarding_path(&f, path, sizeof(path));
    return forwarding_all_v6(s) || sysctls_read(s, path, value, sizeof(value));
}
