#include "service/kernel_dialer.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <unistd.h>

#include <linux/rtnetlink.h>

#include "base/compiler.h"
#include "base/scope.h"
#include "service/host_route.h"
#include "service/sockaddr.h"

struct dial {
    struct watch watch;
    struct dial_user *user;
    struct end end;
};

static void heard(struct watch *watch, const struct hawser_event *event, uint64_t now_ns)
{
    struct dial *dial = HW_CONTAINER(watch, struct dial, watch);
    struct dial_user *user = dial->user;
    struct end end = dial->end;
    int error = end_error(end);
    if (!error && !(event->what & HAWSER_CONNECTED))
        return;
    free(dial);
    end_watch(end, NULL);
    if (error) {
        end_abort(end);
        end = (struct end){0};
    }
    user->answered(user, error, end, now_ns);
}

/* A socket that connects; or a negative errno. */
static int connect_to(const struct hawser_addr *to)
{
    struct sockaddr_storage addr;
    const int on = 1;
    socklen_t len = sockaddr_write(to, &addr);
    int fd = socket(addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno == EAFNOSUPPORT ? -ENETUNREACH : -errno;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    if (connect(fd, (struct sockaddr *)&addr, len) == 0 || errno == EINPROGRESS)
        return fd;
    int error = -errno;
    close(fd);
    return error;
}

/* This host's own, or its link's alone: -EACCES. Its addresses come and go, and whole prefixes may be local, so that
 * the kernel is asked. */
static int guard(const struct hawser_addr *to)
{
    struct host_route route;
    if (!scope_is_unicast(to) || !scope_is_reachable(to) || scope_of(to) == SCOPE_LINK)
        return -EACCES;
    int error = host_route_ask(to, &route);
    return !error && (route.type == RTN_LOCAL || route.type == RTN_ANYCAST) ? -EACCES : error;
}

static int begin(struct dialer *dialer, const struct destination *to, struct dial_user *user, uint64_t now_ns,
                 struct dial **out)
{
    struct kernel_dialer *by = HW_CONTAINER(dialer, struct kernel_dialer, dialer);
    (void)now_ns;
    if (to->name)
        return -EINVAL;
    int refusal = by->guarded ? guard(&to->addr) : 0;
    if (refusal)
        return refusal;
    struct guest *guest = guests_enter(&by->guests, &to->from);
    struct dial *dial = guest ? malloc(sizeof *dial) : NULL;
    if (!dial) {
        if (guest)
            guests_leave(&by->guests, guest);
        return guest ? -ENOMEM : -EUSERS;
    }
    int fd = connect_to(&to->addr), error = fd < 0 ? fd : 0;
    *dial = (struct dial){.watch = {heard}, .user = user};
    if (!error)
        error = socket_end_new(by->sockets, fd, &to->addr, &dial->end);
    if (error < 0) {
        if (fd >= 0)
            close(fd);
        free(dial);
        guests_leave(&by->guests, guest);
        return error;
    }
    socket_end_on_close(dial->end, guest_left, guest);
    end_watch(dial->end, &dial->watch);
    *out = dial;
    return 0;
}

static void cancel(struct dialer *dialer, struct dial *dial)
{
    (void)dialer;
    end_abort(dial->end);
    free(dial);
}

int kernel_dialer_init(struct kernel_dialer *dialer, struct sockets *sockets, uint32_t max, bool guarded)
{
    *dialer = (struct kernel_dialer){.dialer = {begin, cancel}, .sockets = sockets, .guarded = guarded};
    return guests_init(&dialer->guests, hawser_host_env(sockets->host), sockets_room(max));
}

void kernel_dialer_end(struct kernel_dialer *dialer) { guests_destroy(&dialer->guests); }
