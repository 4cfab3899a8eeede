#include "run/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <systemd/sd-event.h>

#include "base/compiler.h"
#include "run/relay.h"
#include "run/residents.h"
#include "run/standin.h"

enum { KEEPER_CONTROL = 3, KEEPER_PAIR, KEEPER_PROGRAM, KEEPER_FDS, KEEPER_LOOK_USEC = 1000000 };

/* What it is told; the descriptors come along: the queue, and those of the inlets. */
struct keeper_orders {
    ino_t home; /* the namespace */
    struct inlets inlets;
};

struct keeper {
    sd_event *loop;
    struct keeper_orders orders;
    int queue;
    bool alone;     /* the service is gone */
    bool dismissed; /* it is to end with the last resident */
    struct relay *relays[INLETS_MAX];
    size_t relay_count;
    sd_event_source *control, *builder, *looks;
};

enum { ORDER_FDS = 1 + INLETS_MAX };

/* Blocked all the time, so that they wait until it looks. */
static const int dismissals[] = {SIGTERM, SIGHUP, SIGINT, SIGQUIT};

int keeper_tell(int keeper, int queue, const struct inlets *inlets)
{
    struct keeper_orders orders = {.home = residents_home(), .inlets = *inlets};
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int) * ORDER_FDS)];
    } control;
    int fds[ORDER_FDS] = {queue};
    size_t count = 1;
    char ready;
    if (!orders.home)
        return -ENOENT;
    for (size_t i = 0; i < inlets->count; i++)
        fds[count++] = inlets->all[i].fd;
    struct iovec part = {&orders, sizeof(orders)};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes};
    memset(&control, 0, sizeof(control));
    message.msg_controllen = CMSG_SPACE(sizeof(int) * count);
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int) * count);
    memcpy(CMSG_DATA(header), fds, sizeof(int) * count);
    if (sendmsg(keeper, &message, MSG_NOSIGNAL) < 0)
        return -errno;
    ssize_t n;
    do
        n = recv(keeper, &ready, 1, 0);
    while (n < 0 && errno == EINTR);
    return n == 1 ? 0 : n < 0 ? -errno : -EPIPE;
}

/* Returns false when the launcher has given up. */
static bool hear_orders(struct keeper *k)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int) * ORDER_FDS)];
    } control;
    struct iovec part = {&k->orders, sizeof(k->orders)};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control)};
    ssize_t n;
    do
        n = recvmsg(KEEPER_PAIR, &message, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    struct inlets *inlets = &k->orders.inlets;
    if (n != sizeof(k->orders) || !header || header->cmsg_len != CMSG_LEN(sizeof(int) * (1 + inlets->count)))
        return false;
    int fds[ORDER_FDS];
    memcpy(fds, CMSG_DATA(header), header->cmsg_len - CMSG_LEN(0));
    k->queue = fds[0];
    for (size_t i = 0; i < inlets->count; i++)
        inlets->all[i].fd = fds[1 + i];
    return true;
}

/* The inlets' sockets keep the namespace alive, so somebody has to look. Returns whether anybody lives there. */
static bool look_once(struct keeper *k)
{
    if (residents_find(k->orders.home))
        return true;
    while (k->relay_count)
        relay_end(k->relays[--k->relay_count]);
    return false;
}

static int look(sd_event_source *source, uint64_t usec, void *user)
{
    struct keeper *k = user;
    (void)usec;
    if (!look_once(k))
        return k->dismissed ? sd_event_exit(k->loop, EXIT_SUCCESS) : 0;
    sd_event_source_set_time_relative(source, KEEPER_LOOK_USEC);
    return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static int look_from_now_on(struct keeper *k)
{
    if (!k->looks)
        return sd_event_add_time_relative(k->loop, &k->looks, CLOCK_MONOTONIC, 0, 0, look, k);
    sd_event_source_set_time_relative(k->looks, 0);
    return sd_event_source_set_enabled(k->looks, SD_EVENT_ONESHOT);
}

/* As of all processes of a unit or of a session: the program may have its way of ending, and needs its network for
 * that. */
static int asked_to_end(sd_event_source *source, const struct signalfd_siginfo *info, void *user)
{
    struct keeper *k = user;
    (void)source;
    (void)info;
    k->dismissed = true;
    return look_from_now_on(k);
}

static int look_for_program(sd_event_source *source, uint64_t usec, void *user)
{
    (void)source;
    (void)usec;
    look_once(user);
    return 0;
}

/* Who is to become the program lives in the namespace by then, or has given up. The builder did, until a moment ago. */
static int builder_ended(sd_event_source *source, int fd, uint32_t events, void *user)
{
    struct keeper *k = user;
    (void)events;
    sd_event_source_disable_unref(source);
    k->builder = NULL;
    close(fd);
    return sd_event_add_time_relative(k->loop, NULL, CLOCK_MONOTONIC, KEEPER_LOOK_USEC, 0, look_for_program, k);
}

static int program_ended(sd_event_source *source, int fd, uint32_t events, void *user)
{
    struct keeper *k = user;
    (void)fd;
    (void)events;
    sd_event_source_set_enabled(source, SD_EVENT_OFF);
    return look_from_now_on(k);
}

/* Something came to the queue, or the device is gone. */
static int queue_called(sd_event_source *source, int fd, uint32_t events, void *user)
{
    struct keeper *k = user;
    (void)source;
    if (!k->alone && (events & (EPOLLERR | EPOLLHUP)))
        return sd_event_exit(k->loop, EXIT_SUCCESS);
    return k->alone && standin_serve(fd) < 0 ? sd_event_exit(k->loop, EXIT_SUCCESS) : 0;
}

/* The service has nothing to say any more but that it is gone. */
static int service_called(sd_event_source *source, int fd, uint32_t events, void *user)
{
    struct keeper *k = user;
    char nothing[256];
    (void)events;
    ssize_t n = recv(fd, nothing, sizeof(nothing), MSG_DONTWAIT);
    if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
        return 0;
    sd_event_source_set_enabled(source, SD_EVENT_OFF);
    k->alone = true;
    if (standin_begin(k->queue, residents_find(k->orders.home)) < 0)
        return sd_event_exit(k->loop, EXIT_SUCCESS);
    return 0;
}

static int serve_inlets(struct keeper *k)
{
    const struct inlets *inlets = &k->orders.inlets;
    for (size_t i = 0; i < inlets->count; i++) {
        const struct inlet *inlet = &inlets->all[i];
        int error = (inlet->stream ? relay_streams : relay_queries)(k->loop, inlet, &k->relays[k->relay_count]);
        if (error < 0)
            return error;
        k->relay_count++;
    }
    if (!inlets->count)
        return 0;
    int error = sd_event_add_io(k->loop, &k->builder, KEEPER_PAIR, EPOLLIN, builder_ended, k);
    return error < 0 ? error : sd_event_add_io(k->loop, NULL, KEEPER_PROGRAM, EPOLLIN, program_ended, k);
}

static int watch(struct keeper *k)
{
    int error = sd_event_new(&k->loop);
    if (error >= 0)
        error = sd_event_add_io(k->loop, NULL, k->queue, EPOLLIN, queue_called, k);
    if (error >= 0)
        error = sd_event_add_io(k->loop, &k->control, KEEPER_CONTROL, EPOLLIN, service_called, k);
    for (unsigned i = 0; i < HW_ARRAY_LEN(dismissals) && error >= 0; i++)
        error = sd_event_add_signal(k->loop, NULL, dismissals[i], asked_to_end, k);
    return error < 0 ? error : serve_inlets(k);
}

static void put_at(const int *from)
{
    int high[KEEPER_FDS - KEEPER_CONTROL];
    for (unsigned i = 0; i < HW_ARRAY_LEN(high); i++)
        high[i] = fcntl(from[i], F_DUPFD_CLOEXEC, KEEPER_FDS);
    for (unsigned i = 0; i < HW_ARRAY_LEN(high); i++)
        dup2(high[i], KEEPER_CONTROL + (int)i);
    syscall(SYS_close_range, KEEPER_FDS, ~0u, 0);
}

/* Nothing of the caller's is held: no session, file, terminal or folder. */
static void detach(const int *fds)
{
    sigset_t blocked;
    struct rlimit files;
    setsid();
    sigemptyset(&blocked);
    for (unsigned i = 0; i < HW_ARRAY_LEN(dismissals); i++)
        sigaddset(&blocked, dismissals[i]);
    sigprocmask(SIG_SETMASK, &blocked, NULL);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    put_at(fds);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; fd < KEEPER_CONTROL; fd++)
        dup2(null, fd);
    if (null >= KEEPER_CONTROL)
        close(null);
    if (chdir("/") != 0)
        _exit(EXIT_FAILURE);
    prctl(PR_SET_NAME, "hawser-keeper");
}

static _Noreturn void keep(const int *fds)
{
    struct keeper keeper = {.queue = -1};
    char ready = 0;
    detach(fds);
    if (!hear_orders(&keeper) || watch(&keeper) < 0 || send(KEEPER_PAIR, &ready, 1, MSG_NOSIGNAL) != 1)
        _exit(EXIT_FAILURE);
    _exit(sd_event_loop(keeper.loop) < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
}

int keeper_start(int control, int program)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return -errno;
    const int fds[] = {control, pair[1], program};
    pid_t keeper = fork();
    if (keeper == 0)
        keep(fds);
    int error = keeper < 0 ? -errno : 0;
    close(pair[1]);
    if (error)
        close(pair[0]);
    return error ? error : pair[0];
}
