#include "service/door_ways.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <syslog.h>

#include "base/units.h"
#include "commands.h"
#include "service/complain.h"
#include "service/device.h"
#include "service/door_filter.h"
#include "service/door_routes.h"
#include "service/filter_watch.h"
#include "service/forwarding.h"
#include "service/lookout.h"
#include "service/sysctls.h"
#include "service/ways_out.h"

enum door_way_state {
    DOOR_WAY_NEW,
    DOOR_WAY_MISSING, /* there is no such interface now */
    DOOR_WAY_UPLINK,  /* it is one: what it brings is not led anywhere */
    DOOR_WAY_LEADS,
};

struct door_way {
    bool used;
    char interface[IFNAMSIZ], device[IFNAMSIZ];
    struct door_route route;
    enum door_way_state state;
    bool v6; /* comes in, too */
};

struct door_ways {
    struct service *service;
    struct netlink netlink;
    struct lookout lookout;
    struct filter_watch filter_watch;
    struct sysctls sysctls; /* since the first of them */
    sd_event_source *filter_news;
    char memory[512];
    char *filter; /* as applied; NULL: no table */
    struct door_way all[DOOR_SLOTS];
};

static bool is_uplink(const struct service *service, const char *name)
{
    const struct uplink *uplink;
    for (size_t i = 0; service->ways && (uplink = ways_uplink(service->ways, i)); i++) {
        if (strcmp(uplink->name, name) == 0)
            return true;
    }
    return choice_knows(&service->choice, name);
}

static void tell(const struct door_way *way, const struct sysctls *sysctls)
{
    char value[SYSCTL_VALUE_SIZE], path[SYSCTL_PATH_SIZE];
    const char *name = way->interface;
    if (way->state == DOOR_WAY_MISSING) {
        command_say(LOG_WARNING, "up", "door %s: there is no such interface now; one that comes will be used", name);
    } else if (way->state == DOOR_WAY_UPLINK) {
        command_say(LOG_WARNING, "up",
                    "door %s: the interface has become an uplink, by a default route: its clients go as without a "
                    "door; exclude it ([uplinks], exclude)",
                    name);
    } else {
        snprintf(path, sizeof(path), "ipv6/conf/%s/disable_ipv6", name);
        bool silent = way->v6 || !sysctls_read(sysctls, path, value, sizeof(value)) || strcmp(value, "0") != 0;
        command_say(LOG_INFO, "up", "door %s: its clients' TCP comes in%s", name,
                    silent ? ""
                           : "; but IPv6 goes as without a door, as this kernel (before Linux 6.17) forwards it for "
                             "all interfaces or none: sysctl net.ipv6.conf.all.forwarding=1");
    }
}

/* Returns 0, or a negative errno when nobody can tell. */
static int find_state(const struct door_ways *ways, const struct door_way *way, enum door_way_state *out)
{
    unsigned index;
    int error = device_index(way->interface, &index);
    if (error && error != -ENODEV)
        return error;
    *out = error ? DOOR_WAY_MISSING : DOOR_WAY_LEADS;
    if (is_uplink(ways->service, way->interface))
        *out = DOOR_WAY_UPLINK;
    return 0;
}

/* Routes and rules; those of a missing interface stay, so that it works at once when it comes. */
static int lead(struct door_ways *ways, struct door_way *way)
{
    struct netlink *n = &ways->netlink;
    int error = 0;
    if (way->state == DOOR_WAY_UPLINK) {
        door_routes_remove(n, &way->route, AF_INET);
        door_routes_remove(n, &way->route, AF_INET6);
        return 0;
    }
    keep_first(&error, door_routes_add(n, &way->route, AF_INET));
    if (way->state == DOOR_WAY_LEADS && way->v6)
        keep_first(&error, door_routes_add(n, &way->route, AF_INET6));
    else if (way->state == DOOR_WAY_LEADS)
        door_routes_remove(n, &way->route, AF_INET6);
    return error;
}

/* It forwards what comes by that interface neither for a door's sake nor for the uplinks'. */
static bool is_router(const struct door_ways *ways, const struct forwarding *f)
{
    const struct ways_out *uplinks = ways->service->ways;
    return forwarding_is_anyway(&ways->sysctls, f) && (!uplinks || ways_forwarding_is_anyway(uplinks, f));
}

/* Only what is forwarded for the door's sake is not forwarded elsewhere. */
static int let_pass(struct door_ways *ways, char *why, size_t why_size)
{
    struct forwarding passages[4 * DOOR_SLOTS];
    struct door_filter_rule rules[DOOR_SLOTS];
    size_t count = 0, passage_count = 0;
    for (size_t i = 0; i < DOOR_SLOTS; i++) {
        const struct door_way *way = &ways->all[i];
        if (!way->used || way->state != DOOR_WAY_LEADS)
            continue;
        const struct forwarding v4 = {way->interface, true}, v6 = {way->interface, false};
        passages[passage_count++] = v4;
        passages[passage_count++] = (struct forwarding){way->device, true};
        if (way->v6) {
            passages[passage_count++] = v6;
            passages[passage_count++] = (struct forwarding){way->device, false};
        }
        forwarding_yield(&ways->sysctls, passages, passage_count);
        rules[count++] = (struct door_filter_rule){.interface = way->interface,
                                                   .device = way->device,
                                                   .mark = DOOR_MARK_FIRST + way->route.slot,
                                                   .routes_v4 = is_router(ways, &v4),
                                                   .routes_v6 = is_router(ways, &v6)};
    }
    char *text = door_filter_text(rules, count);
    int error = text ? 0 : -ENOMEM;
    if (text && (!ways->filter || strcmp(text, ways->filter) != 0))
        error = door_filter_apply(text, why, why_size);
    if (error) {
        free(text);
        return error;
    }
    free(ways->filter);
    ways->filter = text;
    error = forwarding_apply(&ways->sysctls, passages, passage_count, 0, 0);
    if (error)
        snprintf(why, why_size, "cannot forward to doors: %s: see /proc/sys/net", strerror(-error));
    return error;
}

static int look(void *of, char *why, size_t why_size)
{
    struct door_ways *ways = of;
    int error = 0;
    if (!ways->sysctls.entries)
        return 0;
    for (size_t i = 0; i < DOOR_SLOTS; i++) {
        struct door_way *way = &ways->all[i];
        if (!way->used)
            continue;
        enum door_way_state before = way->state;
        error = find_state(ways, way, &way->state);
        if (error)
            return device_complain(way->interface, error, why, why_size);
        way->v6 = forwarding_can_v6(&ways->sysctls, way->interface) && forwarding_can_v6(&ways->sysctls, way->device);
        device_set_up(way->device); /* or there are no routes by it */
        if (way->state != before)
            tell(way, &ways->sysctls);
    }
    error = let_pass(ways, why, why_size);
    for (size_t i = 0; i < DOOR_SLOTS && !error; i++) {
        if (ways->all[i].used && (error = lead(ways, &ways->all[i])) != 0)
            snprintf(why, why_size, "cannot route the clients of door %s: %s: see ip rule", ways->all[i].interface,
                     strerror(-error));
    }
    return error;
}

static void uplinks_changed(void *of)
{
    struct door_ways *ways = of;
    lookout_soon(&ways->lookout);
}

/* Somebody else has flushed the packet filter. */
static int filter_changed(sd_event_source *source, int fd, uint32_t events, void *user)
{
    struct door_ways *ways = user;
    (void)source;
    (void)fd;
    (void)events;
    if (!filter_watch_read(&ways->filter_watch) || !ways->filter)
        return 0;
    free(ways->filter);
    ways->filter = NULL;
    lookout_soon(&ways->lookout);
    return 0;
}

static int begin(struct door_ways *ways)
{
    int error = netlink_open(&ways->netlink);
    if (error)
        return error;
    if (door_routes_sweep(&ways->netlink))
        door_filter_remove();
    sysctls_choose_memory(ways->memory, sizeof(ways->memory), "doors");
    sysctls_sweep("doors");
    error = lookout_open(&ways->lookout, ways->service->loop, look, ways);
    if (error >= 0)
        lookout_see_own(&ways->lookout);
    if (error >= 0 && filter_watch_open(&ways->filter_watch, DOOR_FILTER_NAME) == 0)
        error = sd_event_add_io(ways->service->loop, &ways->filter_news, filter_watch_fd(&ways->filter_watch), EPOLLIN,
                                filter_changed, ways);
    if (ways->service->ways)
        ways_on_change(ways->service->ways, uplinks_changed, ways);
    return error;
}

int door_ways_open(struct door_ways **out, struct service *service, char *why, size_t why_size)
{
    struct door_ways *ways = calloc(1, sizeof(*ways));
    int error = -ENOMEM;
    if (ways) {
        ways->service = service;
        error = begin(ways);
    }
    if (error < 0) {
        snprintf(why, why_size, "cannot watch the interfaces of doors: %s", strerror(-error));
        door_ways_close(ways);
        return error;
    }
    *out = ways;
    return 0;
}

static void take_back(struct door_ways *ways, struct door_way *way)
{
    door_routes_remove(&ways->netlink, &way->route, AF_INET);
    door_routes_remove(&ways->netlink, &way->route, AF_INET6);
    *way = (struct door_way){.used = false};
}

void door_ways_close(struct door_ways *ways)
{
    if (!ways)
        return;
    if (ways->service->ways)
        ways_on_change(ways->service->ways, NULL, NULL);
    lookout_close(&ways->lookout);
    sd_event_source_disable_unref(ways->filter_news);
    filter_watch_close(&ways->filter_watch);
    for (size_t i = 0; i < DOOR_SLOTS; i++) {
        if (ways->all[i].used)
            take_back(ways, &ways->all[i]);
    }
    if (ways->sysctls.entries)
        sysctls_close(&ways->sysctls);
    if (ways->filter)
        door_filter_remove();
    free(ways->filter);
    netlink_close(&ways->netlink);
    free(ways);
}

static struct door_way *find(struct door_ways *ways, const char *interface)
{
    for (size_t i = 0; i < DOOR_SLOTS; i++) {
        if (ways->all[i].used && strcmp(ways->all[i].interface, interface) == 0)
            return &ways->all[i];
    }
    return NULL;
}

static int refuse_uplink(const char *interface, char *why, size_t why_size)
{
    snprintf(why, why_size,
             "%s is an uplink too, as it has an address and a default route: exclude it from these (--exclude %s, or "
             "exclude of [uplinks]), or make no door of it",
             interface, interface);
    return -EBUSY;
}

int door_ways_check(const struct door_ways *ways, const char *interface, const struct uplink_names *names, char *why,
                    size_t why_size)
{
    const struct ways_out *found = ways->service->ways;
    return found && ways_would_use(found, interface, names) ? refuse_uplink(interface, why, why_size) : 0;
}

static int may_add(struct door_ways *ways, const char *interface, char *why, size_t why_size)
{
    if (is_uplink(ways->service, interface))
        return refuse_uplink(interface, why, why_size);
    if (find(ways, interface)) {
        snprintf(why, why_size, "%s has a door already: leave one out", interface);
        return -EEXIST;
    }
    if (ways->sysctls.entries)
        return 0;
    int error = sysctls_open(&ways->sysctls, "/proc/sys/net", ways->memory);
    if (error)
        snprintf(why, why_size, "cannot remember in %s what a door changes: %s", ways->memory, strerror(-error));
    return error;
}

int door_ways_add(struct door_ways *ways, const char *interface, const char *device, bool fails_closed, char *why,
                  size_t why_size)
{
    int error = may_add(ways, interface, why, why_size);
    if (error)
        return error;
    unsigned slot = 0;
    while (slot < DOOR_SLOTS && ways->all[slot].used)
        slot++;
    if (slot == DOOR_SLOTS) {
        snprintf(why, why_size, "more than %d doors for networks: leave out %s", DOOR_SLOTS, interface);
        return -ENOSPC;
    }
    struct door_way *way = &ways->all[slot];
    *way = (struct door_way){.used = true};
    snprintf(way->interface, sizeof(way->interface), "%s", interface);
    snprintf(way->device, sizeof(way->device), "%s", device);
    way->route = (struct door_route){.slot = slot, .interface = way->interface, .fails_closed = fails_closed};
    error = device_index(device, &way->route.device);
    if (!error)
        error = door_routes_device(&ways->netlink, way->route.device);
    if (error)
        snprintf(why, why_size, "cannot set up %s: %s", device, strerror(-error));
    else
        error = look(ways, why, why_size);
    if (error)
        door_ways_remove(ways, interface);
    return error;
}

void door_ways_remove(struct door_ways *ways, const char *interface)
{
    char why[600];
    struct door_way *way = find(ways, interface);
    if (!way)
        return;
    take_back(ways, way);
    if (look(ways, why, sizeof(why)) != 0)
        lookout_soon(&ways->lookout);
}
