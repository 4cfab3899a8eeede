#include "service/kernel_dialer.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <unistd.h>

#include <linux/rtnetlink.h>

#include "base/compiler.h"
#include "base/scope.h"
#include "service/netlink.h"
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

static int take_route(const struct nlmsghdr *header, void *user)
{
    const struct rtmsg *route = mnl_nlmsg_get_payload(header);
    unsigned char *type = user;
    if (header->nlmsg_type == RTM_NEWROUTE)
        *type = route->rtm_type;
    return MNL_CB_OK;
}

/* What becomes of TCP to there. Returns 0 and *type, an RTN_..., or a negative errno: nothing leads there, or it cannot
 * be asked. */
static int ask_route(const struct hawser_addr *to, unsigned char *type)
{
    struct netlink n;
    struct netlink_message m;
    int error = netlink_open(&n);
    if (error)
        return error;
    struct nlmsghdr *header = netlink_start(&m, RTM_GETROUTE, 0);
    struct rtmsg *route = mnl_nlmsg_put_extra_header(header, sizeof(*route));
    route->rtm_family = netlink_family(to);
    route->rtm_dst_len = hawser_addr_is_v4(to) ? 32 : 128;
    netlink_put_addr(header, RTA_DST, to);
    mnl_attr_put_u8(header, RTA_IP_PROTO, IPPROTO_TCP);
    mnl_attr_put_u16(header, RTA_DPORT, htons(to->port));
    error = netlink_request(&n, &m, take_route, type);
    netlink_close(&n);
    return error;
}

/* This host's own, or its link's alone: -EACCES. Its addresses come and go, and whole prefixes may be local, so that
 * the kernel is asked. */
static int guard(const struct hawser_addr *to)
{
    unsigned char type = RTN_UNSPEC;
    if (!scope_is_unicast(to) || !scope_is_reachable(to) || scope_of(to) == SCOPE_LINK)
        return -EACCES;
    int error = ask_route(to, &type);
    return !error && (type == RTN_LOCAL || type == RTN_ANYCAST) ? -EACCES : error;
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
