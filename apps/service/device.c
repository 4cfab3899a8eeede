#include "service/device.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "service/complain.h"

/* A socket to ask about that device by; or a negative errno. */
static int begin(const char *name, struct ifreq *request)
{
    *request = (struct ifreq){.ifr_ifindex = 0};
    snprintf(request->ifr_name, sizeof(request->ifr_name), "%s", name);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    return fd < 0 ? -errno : fd;
}

/* if_nametoindex() of the C library says ENOENT where it finds no descriptor. */
int device_index(const char *name, unsigned *index)
{
    struct ifreq request;
    int fd = begin(name, &request);
    if (fd < 0)
        return fd;
    int error = ioctl(fd, SIOCGIFINDEX, &request) == 0 ? 0 : -errno;
    close(fd);
    if (!error)
        *index = (unsigned)request.ifr_ifindex;
    return error;
}

int device_set_up(const char *name)
{
    struct ifreq request;
    int fd = begin(name, &request);
    if (fd < 0)
        return fd;
    int result = ioctl(fd, SIOCGIFFLAGS, &request) == 0 ? 0 : -errno;
    if (!result && !(request.ifr_flags & IFF_UP)) {
        request.ifr_flags = (short)(request.ifr_flags | IFF_UP);
        result = ioctl(fd, SIOCSIFFLAGS, &request) == 0 ? 1 : -errno;
    }
    close(fd);
    return result;
}

int device_complain(const char *name, int error, char *why, size_t why_size)
{
    if (error == -ENODEV)
        return complain(error, why, why_size, "somebody deleted %s: start again", name);
    return complain(error, why, why_size, "cannot see whether %s is there: %s%s", name, strerror(-error),
                    error == -EMFILE ? ": raise the limit of descriptors (ulimit -n, LimitNOFILE=)" : "");
}
