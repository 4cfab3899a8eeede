#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { OUTPUT_PARTS = 16 };

void output_open(struct output *out, int fd)
{
    struct stat st;
    *out = (struct output){.fd = fd, .kind = OUTPUT_SHORT};
    if (fstat(fd, &st) != 0)
        return;
    if (S_ISREG(st.st_mode))
        out->kind = OUTPUT_FILE;
    else if (S_ISSOCK(st.st_mode))
        out->kind = OUTPUT_SOCKET;
    else if (S_ISFIFO(st.st_mode)) {
        /* A descriptor of our own for the same pipe can be non-blocking without changing the one we were given. */
        char path[32];
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        int own = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
        if (own >= 0)
            *out = (struct output){.fd = own, .owned = true, .kind = OUTPUT_NONBLOCKING};
    }
}

void output_close(struct output *out)
{
    if (out->owned)
        close(out->fd);
    out->owned = false;
}

static bool output_has_room(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    return poll(&p, 1, 0) == 1;
}

ssize_t output_write(const struct output *out, const struct hawser_part *parts, size_t count)
{
    struct iovec iov[OUTPUT_PARTS];
    size_t n = 0;
    for (; n < count && n < OUTPUT_PARTS; n++)
        iov[n] = (struct iovec){(void *)(uintptr_t)parts[n].data, parts[n].len}; /* only read from */

    ssize_t written;
    if (out->kind == OUTPUT_SOCKET) {
        struct msghdr message = {.msg_iov = iov, .msg_iovlen = n};
        written = sendmsg(out->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    } else if (out->kind == OUTPUT_SHORT) {
        if (!output_has_room(out->fd))
            return -EAGAIN;
        written = write(out->fd, parts[0].data, parts[0].len < PIPE_BUF ? parts[0].len : PIPE_BUF);
    } else {
        written = writev(out->fd, iov, (int)n);
    }
    if (written >= 0)
        return written;
    return errno == EINTR || errno == EWOULDBLOCK ? -EAGAIN : -errno;
}
