/* Connections: each has one outside, and their bytes pass both ways until both streams have ended. */
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "run/relay_state.h"

enum { FLOW_BYTES = 65536 };

/* From one socket to the other. */
struct flow {
    size_t begin, end; /* of what was read and not written yet */
    bool finished, told;
    uint8_t bytes[FLOW_BYTES];
};

struct pair {
    struct list link;
    struct relay *relay;
    int fds[2]; /* inside, outside */
    bool failed[2];
    sd_event_source *sources[2];
    struct flow flows[2]; /* from fds[i] to the other */
};

static void end_pair(struct list *one)
{
    struct pair *p = LIST_ENTRY(one, struct pair, link);
    list_remove(&p->link);
    if (p->relay->count-- == RELAY_PAIRS_MAX)
        sd_event_source_set_enabled(p->relay->source, SD_EVENT_ON);
    for (unsigned i = 0; i < 2; i++) {
        sd_event_source_disable_unref(p->sources[i]);
        if (p->fds[i] >= 0)
            close(p->fds[i]);
    }
    free(p);
}

/* Both ends hear that something went wrong. */
static void break_pair(struct pair *p)
{
    const struct linger at_once = {.l_onoff = 1};
    for (unsigned i = 0; i < 2; i++)
        setsockopt(p->fds[i], SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    end_pair(&p->link);
}

static bool is_later(void) { return errno == EAGAIN || errno == EINTR || errno == ENOTCONN || errno == EINPROGRESS; }

/* It takes nothing any more, and would tell of its error without end. What came from it still goes to the other one,
 * which says that there is room when all has left: what has not, a reset throws away. */
static void fail(struct pair *p, unsigned end)
{
    const int none = 1; /* fewer bytes than that */
    p->failed[end] = true;
    sd_event_source_set_enabled(p->sources[end], SD_EVENT_OFF);
    sd_event_source_set_enabled(p->sources[!end], SD_EVENT_ON);
    setsockopt(p->fds[!end], IPPROTO_TCP, TCP_NOTSENT_LOWAT, &none, sizeof none);
}

/* False: nothing can be had from there for now. A failure comes behind the bytes that came before it. */
static bool fill(struct pair *p, unsigned from)
{
    struct flow *flow = &p->flows[from];
    ssize_t n = recv(p->fds[from], flow->bytes, FLOW_BYTES, 0);
    if (n < 0 && is_later() && !p->failed[from])
        return false;
    if (n < 0)
        fail(p, from);
    flow->begin = 0;
    flow->end = n > 0 ? (size_t)n : 0;
    flow->finished = n <= 0;
    return true;
}

/* Moves what can be moved. */
static void move(struct pair *p, unsigned from)
{
    struct flow *flow = &p->flows[from];
    while (!p->failed[!from]) {
        if (flow->begin == flow->end && !flow->finished && !fill(p, from))
            return;
        if (flow->begin == flow->end)
            break;
        ssize_t n = send(p->fds[!from], flow->bytes + flow->begin, flow->end - flow->begin, MSG_NOSIGNAL);
        if (n >= 0)
            flow->begin += (size_t)n;
        else if (is_later())
            return;
        else
            fail(p, !from);
    }
    if (p->failed[0] || p->failed[1] || flow->told)
        return;
    if (shutdown(p->fds[!from], SHUT_WR) == 0)
        flow->told = true;
    else if (!is_later())
        fail(p, !from);
}

/* Both have failed, or one has, and all that came from it has left for the other one. */
static bool is_broken(const struct pair *p)
{
    const unsigned from = p->failed[1];
    const struct flow *flow = &p->flows[from];
    int unsent = 0;
    if (!p->failed[from] || p->failed[!from])
        return p->failed[from];
    if (!flow->finished || flow->begin < flow->end)
        return false;
    return ioctl(p->fds[!from], SIOCOUTQNSD, &unsent) != 0 || unsent == 0;
}

static uint32_t wants(const struct pair *p, unsigned end)
{
    const struct flow *in = &p->flows[end], *out = &p->flows[!end];
    if (p->failed[!end])
        return EPOLLOUT;
    uint32_t events = in->begin == in->end && !in->finished ? EPOLLIN : 0;
    return events | (out->begin < out->end || (out->finished && !out->told) ? EPOLLOUT : 0);
}

static int happened(sd_event_source *source, int fd, uint32_t events, void *user)
{
    struct pair *p = user;
    const unsigned end = fd == p->fds[1];
    if (events & EPOLLERR)
        fail(p, end);
    move(p, 0);
    move(p, 1);
    if (is_broken(p)) {
        break_pair(p);
    } else if ((p->flows[0].told && p->flows[1].told) || (events & EPOLLHUP && p->failed[!end])) {
        end_pair(&p->link);
    } else {
        for (unsigned i = 0; i < 2; i++)
            sd_event_source_set_io_events(p->sources[i], wants(p, i));
        if (events & EPOLLHUP && !wants(p, end)) /* that would be told without end, and what came waits for the other */
            sd_event_source_set_enabled(source, SD_EVENT_OFF);
    }
    return 0;
}

/* RFC 6093 6: what is sent as urgent is a byte of the stream. And no small piece of it waits for acknowledgements: who
 * wrote it has thought of that. */
static void pass_as_it_comes(int fd)
{
    const int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static void join(struct relay *r, int inside)
{
    struct pair *p = calloc(1, sizeof *p);
    if (!p) {
        close(inside);
        return;
    }
    p->relay = r;
    list_push_back(&r->all, &p->link);
    p->fds[0] = inside;
    p->fds[1] = relay_connect(r);
    for (unsigned i = 0; i < 2; i++)
        pass_as_it_comes(p->fds[i]);
    if (++r->count == RELAY_PAIRS_MAX)
        sd_event_source_set_enabled(r->source, SD_EVENT_OFF);
    if (p->fds[1] < 0 || sd_event_add_io(r->loop, &p->sources[0], inside, EPOLLIN, happened, p) < 0 ||
        sd_event_add_io(r->loop, &p->sources[1], p->fds[1], EPOLLIN | EPOLLOUT, happened, p) < 0)
        break_pair(p);
}

static int came(sd_event_source *source, int fd, uint32_t events, void *user)
{
    int inside = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    (void)source;
    (void)events;
    if (inside >= 0)
        join(user, inside);
    return 0;
}

int relay_streams(sd_event *loop, const struct inlet *inlet, struct relay **out)
{
    return relay_new(loop, inlet, came, end_pair, out);
}
