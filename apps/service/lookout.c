#include "service/lookout.h"

#include <sys/epoll.h>
#include <time.h>

#include "commands.h"

enum {
    LOOKOUT_SETTLE_US = 20000, /* changes come in bunches */
    LOOKOUT_RETRY_US = 1000000,
    LOOKOUT_ACCURACY_US = 1000,
};

static bool wake_in(struct lookout *l, uint64_t us)
{
    return sd_event_source_set_time_relative(l->timer, us) >= 0 &&
           sd_event_source_set_enabled(l->timer, SD_EVENT_ONESHOT) >= 0;
}

void lookout_see_own(struct lookout *l) { netlink_watch_see_own(&l->watch); }

void lookout_soon(struct lookout *l)
{
    if (!l->due)
        l->due = wake_in(l, LOOKOUT_SETTLE_US);
}

static int heard(sd_event_source *source, int fd, uint32_t events, void *of)
{
    struct lookout *l = of;
    (void)source;
    (void)fd;
    (void)events;
    if (netlink_watch_read(&l->watch))
        lookout_soon(l);
    return 0;
}

static int time_to_look(sd_event_source *source, uint64_t usec, void *of)
{
    struct lookout *l = of;
    char why[600] = "";
    const int before = l->error;
    (void)source;
    (void)usec;
    l->due = false;
    netlink_watch_forget(&l->watch);
    l->error = l->look(l->of, why, sizeof(why));
    if (l->error && l->error != before)
        command_fail("up", "%s", why);
    if (l->error)
        wake_in(l, LOOKOUT_RETRY_US);
    return 0;
}

int lookout_open(struct lookout *l, sd_event *loop, int (*look)(void *of, char *why, size_t why_size), void *of)
{
    *l = (struct lookout){.look = look, .of = of};
    int error = netlink_watch_open(&l->watch);
    if (!error)
        error = sd_event_add_io(loop, &l->news, netlink_watch_fd(&l->watch), EPOLLIN, heard, l);
    if (error >= 0)
        error = sd_event_add_time(loop, &l->timer, CLOCK_MONOTONIC, 0, LOOKOUT_ACCURACY_US, time_to_look, l);
    if (error >= 0)
        error = sd_event_source_set_enabled(l->timer, SD_EVENT_OFF);
    return error < 0 ? error : 0;
}

void lookout_close(struct lookout *l)
{
    l->news = sd_event_source_disable_unref(l->news);
    l->timer = sd_event_source_disable_unref(l->timer);
    netlink_watch_close(&l->watch);
}
