#include "service/acceptor.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <syslog.h>
#include <unistd.h>

#include "base/compiler.h"
#include "base/units.h"
#include "commands.h"
#include "service/guests.h"
#include "service/sockaddr.h"

enum {
    ACCEPTOR_BACKLOG = 1024,
    ACCEPTOR_BATCH = 16,        /* clients, before others have their turn */
    ACCEPTOR_PAUSE_US = 100000, /* without descriptors or memory */
    ACCEPTOR_KEEPALIVE_S = 300, /* until a client that says nothing is asked whether it is there, as at doors */
};

/* Nobody wants to read it more often. */
#define ACCEPTOR_SAYS_NS (60 * NS_PER_S)

struct acceptor {
    struct acceptor_options options;
    struct sockets *sockets;
    struct guests guests;
    sd_event_source *source, *timer;
    uint64_t said_ns; /* when it was said last that nobody can come in; 0: never */
    int fd;
};

static void reset(int fd)
{
    const struct linger now = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(fd);
}

static void welcome(struct acceptor *acceptor, int fd, const struct sockaddr_storage *from)
{
    const int on = 1, idle_s = ACCEPTOR_KEEPALIVE_S;
    struct hawser_addr peer;
    struct end end;
    sockaddr_read(from, &peer);
    struct hawser_addr client = peer;
    if (acceptor->options.internet)
        guest_subscriber(&client);
    struct guest *guest = guests_enter(&acceptor->guests, &client);
    if (!guest) {
        reset(fd);
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
    if (socket_end_new(acceptor->sockets, fd, &peer, &end) < 0) {
        reset(fd);
        guests_leave(&acceptor->guests, guest);
        return;
    }
    socket_end_on_close(end, guest_left, guest);
    acceptor->options.came(acceptor->options.of, end);
}

static void say_why(struct acceptor *acceptor, int error)
{
    const uint64_t now_ns = hawser_host_now(acceptor->sockets->host);
    if (acceptor->said_ns && now_ns - acceptor->said_ns < ACCEPTOR_SAYS_NS)
        return;
    acceptor->said_ns = now_ns;
    command_say(LOG_WARNING, "up", "clients of a local port have to wait: %s%s", strerror(error),
                error == EMFILE ? ": raise the limit of descriptors (ulimit -n, LimitNOFILE=)" : "");
}

/* Nobody can come in now: it is tried again in a while, without turning in circles. */
static void pause_for_a_while(struct acceptor *acceptor, int error)
{
    say_why(acceptor, error);
    sd_event_source_set_enabled(acceptor->source, SD_EVENT_OFF);
    sd_event_source_set_time_relative(acceptor->timer, ACCEPTOR_PAUSE_US);
    sd_event_source_set_enabled(acceptor->timer, SD_EVENT_ONESHOT);
}

static int go_on(sd_event_source *source, uint64_t usec, void *of)
{
    struct acceptor *acceptor = of;
    (void)source;
    (void)usec;
    sd_event_source_set_enabled(acceptor->source, SD_EVENT_ON);
    return 0;
}

static int somebody_came(sd_event_source *source, int fd, uint32_t revents, void *of)
{
    struct acceptor *acceptor = of;
    (void)source;
    (void)revents;
    for (unsigned i = 0; i < ACCEPTOR_BATCH; i++) {
        struct sockaddr_storage from;
        socklen_t len = sizeof from;
        int client = accept4(fd, (struct sockaddr *)&from, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (client >= 0)
            welcome(acceptor, client, &from);
        else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
            pause_for_a_while(acceptor, errno);
        if (client < 0 && errno != ECONNABORTED && errno != EINTR)
            return 0;
    }
    return 0;
}

static int listen_at(const struct hawser_addr *local, bool mptcp)
{
    struct sockaddr_storage addr;
    const int on = 1, kind = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
    socklen_t len = sockaddr_write(local, &addr);
    int fd = mptcp ? socket(addr.ss_family, kind, IPPROTO_MPTCP) : -1;
    if (mptcp && fd < 0)
        command_say(LOG_WARNING, "up",
                    "this kernel has no Multipath TCP (%s), so that clients of an upstream come by one uplink each: "
                    "sysctl net.mptcp.enabled=1",
                    strerror(errno));
    if (fd < 0)
        fd = socket(addr.ss_family, kind, 0);
    if (fd < 0)
        return -errno;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&addr, len) == 0 && listen(fd, ACCEPTOR_BACKLOG) == 0)
        return fd;
    int error = -errno;
    close(fd);
    return error;
}

int acceptor_open(struct sockets *sockets, const struct acceptor_options *options, struct acceptor **out)
{
    struct acceptor *acceptor = calloc(1, sizeof *acceptor);
    if (!acceptor)
        return -ENOMEM;
    *acceptor = (struct acceptor){.options = *options, .sockets = sockets};
    int error = guests_init(&acceptor->guests, hawser_host_env(sockets->host), sockets_room(options->max));
    if (error < 0) {
        free(acceptor);
        return error;
    }
    error = acceptor->fd = listen_at(&options->local, options->internet);
    if (error >= 0)
        error = sd_event_add_io(sockets->loop, &acceptor->source, acceptor->fd, EPOLLIN, somebody_came, acceptor);
    if (error >= 0)
        error = sd_event_add_time(sockets->loop, &acceptor->timer, CLOCK_MONOTONIC, 0, 0, go_on, acceptor);
    if (error >= 0)
        error = sd_event_source_set_enabled(acceptor->timer, SD_EVENT_OFF);
    if (error < 0) {
        acceptor_close(acceptor);
        return error;
    }
    *out = acceptor;
    return 0;
}

void acceptor_close(struct acceptor *acceptor)
{
    sd_event_source_disable_unref(acceptor->source);
    sd_event_source_disable_unref(acceptor->timer);
    if (acceptor->fd >= 0)
        close(acceptor->fd);
    guests_destroy(&acceptor->guests);
    free(acceptor);
}

void acceptor_local(const struct acceptor *acceptor, struct hawser_addr *out)
{
    struct sockaddr_storage addr;
    socklen_t len = sizeof addr;
    *out = (struct hawser_addr){0};
    if (getsockname(acceptor->fd, (struct sockaddr *)&addr, &len) == 0)
        sockaddr_read(&addr, out);
}

uint64_t acceptor_turned_away(const struct acceptor *acceptor) { return acceptor->guests.turned_away; }
