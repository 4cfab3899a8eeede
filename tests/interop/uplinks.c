/*
 * The uplinks of a namespace, kept for interop/uplinks.
 *
 * usage: uplinks DEVICE MEMORY [EXCLUDED]...
 *
 * Makes the host's interfaces uplinks of DEVICE, and prints a line an event: "came|went|changed NAME INSIDE OUTSIDE MTU
 * CARRIER". Ends in order at a line, or the end, of standard input.
 */
#include <poll.h>
#include <stdio.h>
#include <time.h>

#include "service/uplinks.h"

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void print_events(struct uplinks *uplinks)
{
    static const char *const news[] = {"came", "went", "changed"};
    char inside[HAWSER_ADDR_STRLEN], outside[HAWSER_ADDR_STRLEN];
    struct uplink_event event;
    while (uplinks_next(uplinks, &event)) {
        const struct uplink *u = &event.uplink;
        hawser_addr_format(&u->inside, inside, sizeof(inside));
        hawser_addr_format(&u->outside[0], outside, sizeof(outside));
        printf("%s %s %s %s %u %d\n", news[event.news], u->name, inside, outside, u->mtu, u->carrier);
    }
    fflush(stdout);
}

static int poll_timeout_ms(const struct uplinks *uplinks)
{
    uint64_t due_ns = uplinks_deadline(uplinks), now = now_ns();
    if (due_ns == UINT64_MAX)
        return -1;
    return due_ns <= now ? 0 : (int)((due_ns - now + 999999) / 1000000);
}

int main(int argc, char **argv)
{
    char why[300] = "";
    struct uplinks *uplinks;
    if (argc < 3)
        return 2;
    struct uplinks_options options = {
        .device = argv[1],
        .memory = argv[2],
        .names = {.excluded = (const char *const *)argv + 3},
    };
    if (uplinks_start(&uplinks, &options, why, sizeof(why)) != 0) {
        printf("refused: %s\n", why);
        return 1;
    }
    print_events(uplinks);
    if (uplinks_left_aside(uplinks))
        printf("aside: %s\n", uplinks_left_aside(uplinks));
    char chains[100];
    if (uplinks_hindered(uplinks, chains, sizeof(chains)))
        printf("aside: %s\n", chains);
    puts("ready");
    fflush(stdout);
    struct pollfd fds[] = {{.fd = uplinks_fd(uplinks), .events = POLLIN}, {.fd = 0, .events = POLLIN}};
    while (poll(fds, 2, poll_timeout_ms(uplinks)) >= 0 && !fds[1].revents) {
        if (uplinks_work(uplinks, now_ns(), why, sizeof(why)) != 0 && why[0])
            printf("trouble: %s\n", why);
        print_events(uplinks);
    }
    uplinks_stop(uplinks);
    puts("over");
    return 0;
}
