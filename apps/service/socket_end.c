#include "service/socket_end.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/compiler.h"

enum { SOCKETS_PART = 4 }; /* of all descriptors */

struct socket_end {
    struct sockets *sockets;
    struct watch *watch;
    sd_event_source *source;
    struct hawser_addr peer;
    int fd;
    int error;                /* stays, though the kernel tells it once only */
    bool connected, told;     /* told: its watch that it is */
    void (*closed)(void *of); /* NULL: nobody wants to know */
    void *closed_of;
};

void sockets_init(struct sockets *sockets, sd_event *loop, struct hawser_host *host)
{
    sockets->loop = sd_event_ref(loop);
    sockets->host = host;
    sockets->spare = NULL;
}

void sockets_end(struct sockets *sockets)
{
    sockets->loop = sd_event_unref(sockets->loop);
    free(sockets->spare);
}

uint32_t sockets_room(uint32_t wanted)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) < 0)
        return wanted;
    return (uint32_t)HW_MIN((rlim_t)wanted, HW_MAX(files.rlim_cur / SOCKETS_PART, (rlim_t)1));
}

/* ---- reading ---- */

static ssize_t failed(struct socket_end *end, int error)
{
    if (error != EAGAIN && error != ENOBUFS && error != ENOMEM)
        end->error = -error;
    return -error;
}

/* What had arrived before a failure comes first. */
static ssize_t receive(struct socket_end *end, void *at, size_t len, int flags)
{
    ssize_t n;
    do
        n = recv(end->fd, at, len, flags | MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n > 0)
        return n;
    return end->error ? end->error : n == 0 ? 0 : failed(end, errno);
}

static ssize_t take(void *of, struct hawser_slice *slice)
{
    struct socket_end *end = of;
    struct sockets *sockets = end->sockets;
    uint8_t *at = sockets->spare ? sockets->spare : malloc(SOCKET_READ_BYTES);
    sockets->spare = at;
    if (!at)
        return -ENOBUFS;
    ssize_t n = receive(end, at, SOCKET_READ_BYTES, 0);
    if (n <= 0)
        return n;
    /* Bytes are off the socket: few of them do not keep a large buffer, and no failure may lose them. */
    uint8_t *fit = n < SOCKET_READ_BYTES / 2 ? realloc(at, (size_t)n) : at;
    at = fit ? fit : at;
    sockets->spare = NULL;
    if (hawser_buf_wrap(hawser_host_env(sockets->host), at, (uint32_t)n, free, at, &slice->buf) < 0) {
        free(at);
        return failed(end, ECONNABORTED);
    }
    slice->data = at;
    slice->len = (uint32_t)n;
    return 1;
}

static ssize_t peek(void *of, struct hawser_part *parts, size_t max)
{
    struct socket_end *end = of;
    (void)max;
    ssize_t n = receive(end, end->sockets->peeked, sizeof end->sockets->peeked, MSG_PEEK);
    if (n <= 0)
        return n;
    parts[0] = (struct hawser_part){end->sockets->peeked, (uint32_t)n};
    return 1;
}

static void consume(void *of, size_t len)
{
    struct socket_end *end = of;
    for (ssize_t n = 1; len > 0 && n > 0; len -= n > 0 ? (size_t)n : 0)
        n = receive(end, end->sockets->peeked, len < SOCKET_READ_BYTES ? len : SOCKET_READ_BYTES, 0);
}

/* ---- writing ---- */

static ssize_t give(void *of, struct hawser_slice slice)
{
    struct socket_end *end = of;
    if (end->error)
        return end->error;
    ssize_t n;
    do
        n = send(end->fd, slice.data, slice.len, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n < 0 ? failed(end, errno) : n;
}

static void finish(void *of)
{
    struct socket_end *end = of;
    shutdown(end->fd, SHUT_WR);
}

/* ---- life ---- */

static void end_socket(struct socket_end *end)
{
    sd_event_source_disable_unref(end->source);
    close(end->fd);
    if (end->closed)
        end->closed(end->closed_of);
    free(end);
}

static void close_socket(void *of) { end_socket(of); }

static void abort_socket(void *of)
{
    struct socket_end *end = of;
    const struct linger now = {.l_onoff = 1}; /* a RST, and what waits is thrown away */
    setsockopt(end->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    end_socket(end);
}

static void watch_socket(void *of, struct watch *watch)
{
    struct socket_end *end = of;
    end->watch = watch;
}

static bool connected(void *of)
{
    const struct socket_end *end = of;
    return end->connected;
}

static int error(void *of)
{
    const struct socket_end *end = of;
    return end->error;
}

static struct hawser_conn *no_conn(void *of)
{
    (void)of;
    return NULL;
}

static int own_fd(void *of) { return ((struct socket_end *)of)->fd; }

static void peer(void *of, struct hawser_addr *out) { *out = ((const struct socket_end *)of)->peer; }

/* The descriptor tells of changes only (EPOLLET), as the stack does. */
static int is_ready(sd_event_source *source, int fd, uint32_t revents, void *user)
{
    struct socket_end *end = user;
    struct hawser_event event = {0};
    (void)source;
    if (revents & EPOLLERR && !end->error) {
        socklen_t len = sizeof end->error;
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &end->error, &len);
        end->error = -end->error;
    }
    if (end->error) {
        event.what = HAWSER_ERROR | HAWSER_READABLE | HAWSER_WRITABLE;
    } else {
        if (revents & (EPOLLIN | EPOLLRDHUP | EPOLLHUP))
            event.what |= HAWSER_READABLE;
        if (revents & EPOLLRDHUP)
            event.what |= HAWSER_PEER_FINISHED;
        if (revents & EPOLLOUT) {
            event.what |= HAWSER_WRITABLE | (end->told ? 0 : HAWSER_CONNECTED);
            end->connected = end->told = true;
        }
    }
    if (end->watch && event.what)
        end->watch->heard(end->watch, &event, hawser_host_now(end->sockets->host));
    return 0;
}

static bool is_connected(int fd)
{
    struct sockaddr_storage addr;
    socklen_t len = sizeof addr;
    return getpeername(fd, (struct sockaddr *)&addr, &len) == 0;
}

int socket_end_new(struct sockets *sockets, int fd, const struct hawser_addr *peer_addr, struct end *out)
{
    static const struct end_ops ops = {
        .watch = watch_socket,
        .take = take,
        .peek = peek,
        .consume = consume,
        .give = give,
        .finish = finish,
        .connected = connected,
        .error = error,
        .close = close_socket,
        .abort = abort_socket,
        .conn = no_conn,
        .fd = own_fd,
        .peer = peer,
    };
    struct socket_end *end = malloc(sizeof *end);
    if (!end)
        return -ENOMEM;
    const int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof on); /* RFC 6093 6: what is urgent is of the stream */
    *end = (struct socket_end){.sockets = sockets, .peer = *peer_addr, .fd = fd, .connected = is_connected(fd)};
    const uint32_t changes = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
    int result = sd_event_add_io(sockets->loop, &end->source, fd, changes, is_ready, end);
    if (result < 0) {
        free(end);
        return result;
    }
    *out = (struct end){&ops, end};
    return 0;
}

void socket_end_on_close(struct end end, void (*closed)(void *of), void *of)
{
    struct socket_end *it = end.of;
    it->closed = closed;
    it->closed_of = of;
}
