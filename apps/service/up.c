/* hawser up: programs come in by doors and go out by uplinks. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <hawser/hawser.h>

#include "base/units.h"
#include "commands.h"
#include "service/door.h"
#include "service/up_options.h"
#include "service/up_status.h"

enum {
    UP_CONNECTIONS = 65536,
    UP_BACKLOG = 2048, /* of each door */
    /* Of a connection with a client, who is near: enough for a gigabit over eight milliseconds. What a pair may hold is
     * twice this, the two buffers towards the destination, which are the stack's defaults, and what joint.h says. */
    UP_NEAR_BUFFER_BYTES = 1024 * 1024,
    UP_SPEC_SIZE = 4096,
};

/* Connections of which nobody hears any more: programs whose namespace is gone say no good-bye; destinations are asked
 * as rarely as the kernel does it. */
#define UP_NEAR_KEEPALIVE_NS (300 * NS_PER_S)
#define UP_FAR_KEEPALIVE_NS (7200 * NS_PER_S)
/* At the end, for what was closed and is not delivered. */
#define UP_PATIENCE_NS (1 * NS_PER_S)

struct up {
    struct up_options options;
    struct hawser_host *host;
    struct joints joints;
    struct door *doors[UP_DOORS];
    unsigned door_count, links_alive;
    int signal_fd;
};

/* What the loop goes on with: more, or an exit status. */
enum { UP_GO_ON = -1 };

#define up_fail(...) command_fail("up", __VA_ARGS__)

static int up_catch_signals(struct up *up)
{
    up->signal_fd = command_catch_signals(SIGUSR1);
    return up->signal_fd >= 0 ? UP_GO_ON : up_fail("cannot receive signals: %s", strerror(errno));
}

/* Its index, or -1 and *status. */
static int up_add_link(struct up *up, const char *option, const char *spec, int *status)
{
    char why[512];
    int index = hawser_host_add_link(up->host, spec, why, sizeof(why));
    if (index < 0) {
        up_fail("%s %s: %s", option, spec, why);
        *status = index == -EINVAL ? EXIT_USAGE : EXIT_FAILURE;
        return -1;
    }
    up->links_alive++;
    return index;
}

static int up_add_uplinks(struct up *up)
{
    int status = UP_GO_ON;
    for (unsigned i = 0; i < up->options.uplink_count && status == UP_GO_ON; i++)
        up_add_link(up, "--uplink", up->options.uplinks[i], &status);
    return status;
}

static int up_add_doors(struct up *up)
{
    const struct door_options options = {
        .backlog = UP_BACKLOG,
        .near = {.size = sizeof(options.near),
                 .send_buffer_bytes = UP_NEAR_BUFFER_BYTES,
                 .recv_buffer_bytes = UP_NEAR_BUFFER_BYTES,
                 .keepalive_idle_ns = UP_NEAR_KEEPALIVE_NS},
        .far = {.size = sizeof(options.far),
                .keepalive_idle_ns = UP_FAR_KEEPALIVE_NS,
                .no_mptcp = up->options.no_mptcp},
    };
    int status = UP_GO_ON;
    for (unsigned i = 0; i < up->options.door_count; i++) {
        char spec[UP_SPEC_SIZE];
        int n = snprintf(spec, sizeof(spec), "%s,door", up->options.doors[i]);
        if (n < 0 || (size_t)n >= sizeof(spec)) {
            up_fail("--door %s: more than %zu characters", up->options.doors[i], sizeof(spec) - sizeof(",door"));
            return EXIT_USAGE;
        }
        int link = up_add_link(up, "--door", spec, &status);
        if (link < 0)
            return status;
        int error = door_open(hawser_host_stack(up->host), link, &up->joints, &options, &up->doors[i]);
        if (error)
            return up_fail("--door %s: cannot listen: %s", up->options.doors[i], strerror(-error));
        up->door_count++;
    }
    return UP_GO_ON;
}

static void up_report(const struct up *up)
{
    for (unsigned i = 0; i < up->door_count; i++) {
        struct door_counts counts;
        door_count(up->doors[i], &counts);
        up_status_door(stderr, up->options.doors[i], &counts);
    }
    up_status_joints(stderr, &up->joints, hawser_host_now(up->host));
}

static int up_step(struct up *up)
{
    if (hawser_host_step(up->host) == 0)
        return UP_GO_ON;
    up_fail("a device was deleted: what used it goes on by the others");
    return --up->links_alive ? UP_GO_ON : up_fail("it was the last one");
}

/* Sleeps until there is something to do. Returns UP_GO_ON, or the status of having been told to stop. */
static int up_wait(struct up *up, bool busy)
{
    struct pollfd fds[] = {
        {.fd = hawser_host_fd(up->host), .events = POLLIN},
        {.fd = up->signal_fd, .events = POLLIN},
    };
    if (poll(fds, sizeof(fds) / sizeof(fds[0]), busy ? 0 : -1) < 0 && errno != EINTR)
        return up_fail("cannot wait for events: %s", strerror(errno));
    struct signalfd_siginfo info;
    if (!fds[1].revents || read(up->signal_fd, &info, sizeof(info)) != sizeof(info))
        return UP_GO_ON;
    if (info.ssi_signo != SIGUSR1)
        return EXIT_SUCCESS;
    up_report(up);
    return UP_GO_ON;
}

static int up_loop(struct up *up)
{
    struct hawser_stack *stack = hawser_host_stack(up->host);
    for (;;) {
        int status = up_step(up);
        bool news = watch_serve(stack, hawser_host_now(up->host)), more = joints_turn(&up->joints);
        if (status == UP_GO_ON)
            status = up_wait(up, news || more); /* what was said meanwhile leaves by the next step */
        if (status != UP_GO_ON)
            return status;
    }
}

/* Whoever waits is refused, and both ends of every connection learn that it is over. */
static void up_end(struct up *up)
{
    struct hawser_unfinished left;
    for (unsigned i = 0; i < up->door_count; i++)
        door_shut(up->doors[i]);
    hawser_host_step(up->host);
    for (unsigned i = 0; i < up->door_count; i++)
        door_close(up->doors[i]);
    joints_break(&up->joints);
    hawser_host_drain(up->host, UP_PATIENCE_NS, &left);
}

static int up_run(struct up *up)
{
    int status = up_catch_signals(up);
    if (status == UP_GO_ON)
        status = up_add_uplinks(up);
    if (status == UP_GO_ON)
        status = up_add_doors(up);
    if (status == UP_GO_ON) {
        fprintf(stderr, "hawser up: ready\n");
        status = up_loop(up);
        if (up->options.verbose) {
            up_report(up);
            command_print_counters(stderr, up->host, "");
        }
    }
    up_end(up);
    return status;
}

int up_main(int argc, char **argv)
{
    struct up up = {.signal_fd = -1};
    int status = up_options_read(&up.options, argc, argv);
    if (status != UP_GO_ON)
        return status;
    const struct hawser_path_options paths = {.size = sizeof(paths), .manager = up.options.manager};
    const struct hawser_stack_options stack_options = {.size = sizeof(stack_options),
                                                       .max_connections = UP_CONNECTIONS,
                                                       .scheduler = up.options.scheduler,
                                                       .paths = &paths};
    joints_init(&up.joints);
    int error = hawser_host_new(&stack_options, &up.host);
    if (error)
        return up_fail("cannot make a host: %s", strerror(-error));
    status = up_run(&up);
    hawser_host_free(up.host);
    if (up.signal_fd >= 0)
        close(up.signal_fd);
    return status;
}
