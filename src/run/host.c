#include <hawser/host.h>

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/units.h"
#include "run/host_state.h"
#include "run/host_turn.h"
#include "run/system.h"

/* Received packets lie in buffers of this size, with room for the largest packet behind some small ones: a large one
 * has a buffer of its own, which it may stay in. So many may be held at once. */
enum { HOST_BUFFER_BYTES = 80 * 1024, HOST_BUFFERS = 800 };
/* Buffers that were not needed for so long go back to the system. */
#define HOST_TRIM_NS NS_PER_S

/* How much one step does before the application gets its turn. */
enum { HOST_ROUNDS = 4, HOST_OUTPUT_BATCH = 32, HOST_OUTPUT_BATCHES = 32 };

/* What the loop hears of beside links, each by the number of its port. */
enum { HOST_TIMER = HOST_LINKS, HOST_SIGNAL, HOST_SOURCES };

static int host_watch(struct hawser_host *host, int fd, uint32_t source)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = source};
    return epoll_ctl(host->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : -errno;
}

int hawser_host_new(const struct hawser_stack_options *options, struct hawser_host **out)
{
    struct hawser_host *host = calloc(1, sizeof(*host));
    if (!host)
        return -ENOMEM;
    host->armed_ns = HAWSER_NEVER;
    host->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    host->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    host->signal_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    int error = host->epoll_fd < 0 || host->timer_fd < 0 || host->signal_fd < 0 ? -errno : 0;
    if (!error)
        error = host_watch(host, host->timer_fd, HOST_TIMER);
    if (!error)
        error = host_watch(host, host->signal_fd, HOST_SIGNAL);
    if (!error)
        error = hawser_buf_pool_new(system_env(), HOST_BUFFER_BYTES, HOST_BUFFERS, &host->pool);
    if (!error)
        error = hawser_stack_new(system_env(), options, &host->stack);
    if (error)
        hawser_host_free(host);
    else
        *out = host;
    return error;
}

struct hawser_stack *hawser_host_stack(struct hawser_host *host) { return host->stack; }

int hawser_host_fd(const struct hawser_host *host) { return host->epoll_fd; }

const struct hawser_env *hawser_host_env(const struct hawser_host *host)
{
    (void)host;
    return system_env();
}

uint64_t hawser_host_now(const struct hawser_host *host)
{
    (void)host;
    return system_now();
}

int host_attach(struct hawser_host *host, struct link *link, struct netdev *netdev, bool door)
{
    struct hawser_link_options options = {
        .size = sizeof(options), .mtu = link->mtu, .gso_bytes = link->gso_bytes, .door = door};
    int index = hawser_stack_add_link(host->stack, &options);
    if (index < 0)
        return index;
    int error = index < HOST_LINKS ? host_watch(host, link->fd, (uint32_t)index) : -ENOSPC;
    if (error) {
        hawser_stack_remove_link(host->stack, index);
        return error;
    }
    CHECK(!host->ports[index].link);
    host->ports[index] = (struct host_port){link, netdev};
    return index;
}

static void host_add_counters(struct link_counters *sum, const struct link_counters *more)
{
#define HOST_ADD_COUNTER(id, name) sum->id += more->id;
    LINK_COUNTERS(HOST_ADD_COUNTER)
#undef HOST_ADD_COUNTER
}

void host_detach(struct hawser_host *host, unsigned index)
{
    struct host_port *port = &host->ports[index];
    epoll_ctl(host->epoll_fd, EPOLL_CTL_DEL, port->link->fd, NULL);
    host_add_counters(&host->gone, &port->link->counters);
    /* The routes first: a device that is ours takes them along silently, one that stays would keep them. */
    if (port->netdev)
        netdev_restore(port->netdev);
    link_destroy(port->link);
    *port = (struct host_port){0};
}

bool hawser_host_counter(const struct hawser_host *host, size_t i, struct hawser_counter *out)
{
    struct link_counters sum = host->gone;
    for (unsigned p = 0; p < HOST_LINKS; p++) {
        if (host->ports[p].link)
            host_add_counters(&sum, &host->ports[p].link->counters);
    }
    const struct hawser_counter all[] = {
#define HOST_LIST_COUNTER(id, name) {name, sum.id},
        LINK_COUNTERS(HOST_LIST_COUNTER)
#undef HOST_LIST_COUNTER
    };
    if (i >= HW_ARRAY_LEN(all))
        return false;
    *out = all[i];
    return true;
}

/* Hands one batch of a link's packets to the stack. Returns how many, or -ENODEV. */
static int host_receive(struct hawser_host *host, unsigned index, uint64_t now_ns)
{
    struct hawser_rx packets[LINK_BATCH];
    struct link *link = host->ports[index].link;
    int count = link_receive(link, packets, LINK_BATCH, now_ns);
    if (count > 0)
        hawser_stack_input(host->stack, (int)index, packets, (size_t)count, now_ns);
    link_release(link);
    return count;
}

static void host_lose_link(struct hawser_host *host, unsigned index)
{
    host_detach(host, index);
    host->links_failed++;
}

/* Sends packets in runs that leave by the same link. */
static void host_transmit(struct hawser_host *host, const struct hawser_tx *packets, size_t count, uint64_t now_ns)
{
    for (size_t i = 0, end; i < count; i = end) {
        unsigned index = packets[i].link;
        for (end = i + 1; end < count && packets[end].link == index; end++)
            ;
        CHECK(index < HOST_LINKS);
        struct link *link = host->ports[index].link;
        if (!link)
            host->gone.tx_errors += end - i;
        else if (link_transmit(link, packets + i, end - i, now_ns) < 0)
            host_lose_link(host, index);
    }
}

static void host_output(struct hawser_host *host, uint64_t now_ns)
{
    struct hawser_tx packets[HOST_OUTPUT_BATCH];
    host->output_left = true;
    for (unsigned batch = 0; batch < HOST_OUTPUT_BATCHES && host->output_left; batch++) {
        size_t count = hawser_stack_output(host->stack, packets, HOST_OUTPUT_BATCH, now_ns);
        host_transmit(host, packets, count, now_ns);
        host->output_left = count == HOST_OUTPUT_BATCH;
    }
}

/* Peers learn that all is over. */
static void host_say_good_bye(struct hawser_host *host)
{
    uint64_t now_ns = system_now();
    hawser_stack_abort(host->stack);
    do
        host_output(host, now_ns);
    while (host->output_left);
}

void hawser_host_free(struct hawser_host *host)
{
    if (host->stack) {
        host_say_good_bye(host);
        hawser_stack_free(host->stack);
    }
    for (unsigned i = 0; i < HOST_LINKS; i++) {
        if (host->ports[i].link)
            host_detach(host, i);
    }
    if (host->pool)
        hawser_buf_pool_close(host->pool);
    if (host->signal_fd >= 0)
        close(host->signal_fd);
    if (host->timer_fd >= 0)
        close(host->timer_fd);
    if (host->epoll_fd >= 0)
        close(host->epoll_fd);
    free(host);
}

/*
 * Sets the timer for the stack's deadline. A deadline that moved back, as a retransmission timer does with every
 * acknowledgement, leaves the timer where it is: one wake-up too many now and then costs less than a system call each
 * time.
 */
static void host_arm_timer(struct hawser_host *host)
{
    uint64_t deadline_ns = hawser_stack_deadline(host->stack);
    bool fired = host->armed_ns <= system_now();
    if (!fired && deadline_ns >= host->armed_ns)
        return;
    struct itimerspec when = {0};
    if (deadline_ns != HAWSER_NEVER) {
        deadline_ns = HW_MAX(deadline_ns, 1); /* a zero would switch the timer off */
        when.it_value.tv_sec = (time_t)(deadline_ns / NS_PER_S);
        when.it_value.tv_nsec = (long)(deadline_ns % NS_PER_S);
    }
    /* Setting the timer also takes back that it fired, so the descriptor need not be read. */
    CHECK(timerfd_settime(host->timer_fd, TFD_TIMER_ABSTIME, &when, NULL) == 0);
    host->armed_ns = deadline_ns;
}

/* Is there something to be done or told, beside what the links and the timer tell? */
static bool host_wants_step(const struct hawser_host *host)
{
    return host->output_left || host->links_failed || hawser_stack_pending(host->stack);
}

/* Makes the descriptor readable, or no longer so. */
static void host_signal(struct hawser_host *host, bool wanted)
{
    uint64_t value = 1;
    if (wanted == host->signalled)
        return;
    ssize_t n = wanted ? write(host->signal_fd, &value, sizeof(value)) : read(host->signal_fd, &value, sizeof(value));
    CHECK(n == sizeof(value));
    host->signalled = wanted;
}

/* Hands the stack what waits at each link, a batch at most. Returns whether there was anything. */
static bool host_input(struct hawser_host *host, uint64_t now_ns)
{
    struct epoll_event ready[HOST_SOURCES];
    bool any = false;
    int sources = epoll_wait(host->epoll_fd, ready, HOST_SOURCES, 0);
    for (int i = 0; i < sources; i++) {
        uint32_t index = ready[i].data.u32;
        if (index >= HOST_LINKS || !host->ports[index].link)
            continue;
        int count = host_receive(host, index, now_ns);
        if (count < 0)
            host_lose_link(host, index);
        any |= count > 0;
    }
    if (hawser_stack_deadline(host->stack) <= now_ns)
        hawser_stack_advance(host->stack, now_ns);
    return any;
}

/* Before the loop sleeps. */
static void host_settle(struct hawser_host *host)
{
    uint64_t now_ns = system_now();
    if (now_ns - host->trimmed_ns >= HOST_TRIM_NS) {
        host->trimmed_ns = now_ns;
        buf_pool_trim(host->pool);
    }
    host_arm_timer(host);
}

static void host_turn(struct hawser_host *host)
{
    bool busy = true;
    for (unsigned round = 0; round < HOST_ROUNDS && busy; round++) {
        uint64_t now_ns = system_now();
        busy = host_input(host, now_ns);
        host_output(host, now_ns);
    }
    host_settle(host);
}

/* 0, or -ENODEV once for each link that failed. */
static int host_take_failure(struct hawser_host *host)
{
    bool lost = host->links_failed > 0;
    host->links_failed -= lost;
    return lost ? -ENODEV : 0;
}

int host_take_in(struct hawser_host *host)
{
    host_input(host, system_now());
    return host_take_failure(host);
}

bool host_send_out(struct hawser_host *host)
{
    host_output(host, system_now());
    host_settle(host);
    bool more = host_wants_step(host);
    host_signal(host, more);
    return more;
}

int hawser_host_step(struct hawser_host *host)
{
    host_turn(host);
    int error = host_take_failure(host);
    host_signal(host, host_wants_step(host));
    return error;
}

/* Until there is work. 0, -ETIMEDOUT or -EINTR. */
static int host_sleep(const struct hawser_host *host, uint64_t until_ns)
{
    struct pollfd p = {.fd = host->epoll_fd, .events = POLLIN};
    uint64_t now_ns = system_now(), left_ns = until_ns > now_ns ? until_ns - now_ns : 0;
    struct timespec left = {(time_t)(left_ns / NS_PER_S), (long)(left_ns % NS_PER_S)};
    int ready = left_ns ? ppoll(&p, 1, &left, NULL) : 0;
    return ready > 0 ? 0 : ready < 0 ? -errno : -ETIMEDOUT;
}

int hawser_host_drain(struct hawser_host *host, uint64_t patience_ns, struct hawser_unfinished *left)
{
    uint64_t now_ns = system_now();
    uint64_t until_ns = patience_ns < HAWSER_NEVER - now_ns ? now_ns + patience_ns : HAWSER_NEVER;
    int error = 0;
    hawser_stack_unfinished(host->stack, left);
    uint64_t failed = left->failed;
    do {
        host_turn(host);
        host_signal(host, host->output_left); /* not for events: nobody takes them here */
        hawser_stack_unfinished(host->stack, left);
        if (left->connections)
            error = host_sleep(host, until_ns);
    } while (left->connections && !error);
    host_signal(host, host_wants_step(host));
    return error ? error : left->failed != failed ? -ECONNRESET : 0;
}
