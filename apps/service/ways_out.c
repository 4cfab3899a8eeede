#include "service/ways_out.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

#include "base/units.h"
#include "commands.h"
#include "service/device.h"
#include "service/firewall.h"
#include "service/policy_routes.h"
#include "service/publish.h"
#include "service/sysctls.h"

#define WAYS_MEMORY "sysctls" /* its name */

enum { WAYS_EXCLUDED = 64, WAYS_WHY_SIZE = 600 };
enum ways_remark { REMARK_UPLINKS, REMARK_VPN, REMARK_FIREWALL, REMARK_DOORS, REMARKS };

struct ways_out {
    struct service *service;
    struct uplinks *uplinks;
    sd_event_source *news, *timer;
    int link;
    unsigned index; /* of the device */
    char memory[512];
    char *own[WAYS_EXCLUDED + 1], *allowed[WAYS_EXCLUDED + 1], *excluded[WAYS_EXCLUDED + 1];
    char remarks[REMARKS][WAYS_WHY_SIZE]; /* what was said last; empty: nothing */
    void (*changed)(void *of);            /* NULL: nobody wants to know */
    void *changed_of;
};

static void ways_say(const char *what, const struct uplink *uplink)
{
    char text[HAWSER_ADDR_STRLEN];
    command_fail("up", "%s %s (%s) %s", "uplink", uplink->name,
                 hawser_addr_format(&uplink->outside[0], text, sizeof(text)), what);
}

/* New connections begin by the lowest metric, and not where nothing is plugged in. */
static void ways_offer(struct ways_out *w, const struct uplink *uplink)
{
    struct choice *choice = &w->service->choice;
    choice_went(choice, &uplink->inside);
    choice_came(choice, uplink->name, &uplink->inside, uplink->metric);
    if (!uplink->carrier)
        choice_rests(choice, &uplink->inside);
}

static void ways_add(struct ways_out *w, const struct uplink *uplink)
{
    struct hawser_stack *stack = hawser_host_stack(w->service->host);
    uint64_t now_ns = hawser_host_now(w->service->host);
    int error = hawser_stack_add_address(stack, w->link, &uplink->inside, uplink->v4 ? 32 : 128, now_ns);
    if (!error)
        error = hawser_stack_set_outside(stack, &uplink->inside, &uplink->outside[0], now_ns);
    if (!error)
        error = hawser_stack_set_backup(stack, &uplink->inside, names_have(&w->service->choice.backup, uplink->name));
    if (error)
        command_fail("up", "cannot use the uplink %s: %s: exclude another one", uplink->name, strerror(-error));
    else
        ways_say("is used", uplink);
}

static void ways_take_events(struct ways_out *w)
{
    struct hawser_stack *stack = hawser_host_stack(w->service->host);
    struct uplink_event event;
    bool news = false;
    while (uplinks_next(w->uplinks, &event)) {
        news = true;
        if (event.news == UPLINK_CAME) {
            ways_add(w, &event.uplink);
            ways_offer(w, &event.uplink);
        } else if (event.news == UPLINK_CHANGED) {
            ways_offer(w, &event.uplink);
        } else {
            choice_went(&w->service->choice, &event.uplink.inside);
            hawser_stack_remove_address(stack, &event.uplink.inside, hawser_host_now(w->service->host));
            ways_say("is gone", &event.uplink);
        }
    }
    if (news && w->changed)
        w->changed(w->changed_of);
}

/* The only one that there is, of IPv4, IPv6 or both; or NULL. */
static const char *ways_only(const struct ways_out *w)
{
    const struct uplink *first = uplinks_at(w->uplinks, 0), *uplink = first;
    for (size_t i = 1; uplink && strcmp(uplink->name, first->name) == 0; i++)
        uplink = uplinks_at(w->uplinks, i);
    return first && !uplink ? first->name : NULL;
}

/* Once, as long as it is the same. */
static void ways_remark_on(struct ways_out *w, enum ways_remark what, const char *text)
{
    if (strcmp(text, w->remarks[what]) == 0)
        return;
    snprintf(w->remarks[what], sizeof(w->remarks[what]), "%s", text);
    if (text[0])
        command_fail("up", "%s", text);
}

static void ways_warn_of_vpn(struct ways_out *w)
{
    const struct view_table *vpn = uplinks_vpn(w->uplinks);
    char text[WAYS_WHY_SIZE] = "";
    if (vpn)
        snprintf(text, sizeof(text), "a VPN takes this host's traffic (table %" PRIu32 ", see ip rule), %s",
                 vpn->number,
                 vpn->first ? "and what goes by Hawser, too, which so gets nowhere: end both, and begin the VPN first"
                            : "but TCP that comes by Hawser goes past it, by the uplinks: end one of the two, or start "
                              "without hawser run what is to go by the VPN");
    ways_remark_on(w, REMARK_VPN, text);
}

void ways_look_for_firewall(struct ways_out *w)
{
    char chains[WAYS_WHY_SIZE / 2], text[WAYS_WHY_SIZE] = "";
    if (uplinks_hindered(w->uplinks, chains, sizeof(chains)))
        snprintf(text, sizeof(text),
                 "a firewall may drop what is from and to Hawser's devices: for n in " WAYS_DEVICE " " PUBLISH_DEVICE
                 " '" FIREWALL_PREFIX
                 "*'; do for c in %s; do for d in iifname oifname; do nft insert rule $c $d \"$n\" "
                 "accept; done; done; done",
                 chains);
    ways_remark_on(w, REMARK_FIREWALL, text);
}

void ways_look_at_doors(struct ways_out *w)
{
    char text[WAYS_WHY_SIZE] = "", addr[HAWSER_ADDR_STRLEN];
    LIST_EACH (it, &w->service->doors) {
        const char *name = LIST_ENTRY(it, struct service_door, link)->name, *uplink;
        const struct view_address *at = uplinks_overlap(w->uplinks, name, &uplink);
        if (at && !text[0])
            snprintf(text, sizeof(text),
                     "the door %s (%s/%u) has addresses of the uplink %s's network, so that answers to clients who "
                     "have these may leave there: give one of the two networks others, or exclude %s",
                     name, hawser_addr_format(&at->addr, addr, sizeof(addr)), at->prefix_len, uplink, uplink);
    }
    ways_remark_on(w, REMARK_DOORS, text);
}

static void ways_warn(struct ways_out *w)
{
    const char *aside = uplinks_left_aside(w->uplinks), *only = ways_only(w);
    char text[WAYS_WHY_SIZE] = "";
    if (aside)
        snprintf(text, sizeof(text), "%s", aside);
    else if (!uplinks_at(w->uplinks, 0))
        snprintf(text, sizeof(text),
                 "there is no uplink: no interface has both an address and a default route; hawser uplinks --all says "
                 "why; one that comes will be used");
    else if (only)
        snprintf(text, sizeof(text),
                 "%s is the only uplink, so that there is nothing to share, and nothing to go on by: hawser uplinks "
                 "--all says why others are none; one that comes is used at once",
                 only);
    ways_remark_on(w, REMARK_UPLINKS, text);
    ways_warn_of_vpn(w);
    ways_look_for_firewall(w);
    ways_look_at_doors(w);
}

static int ways_rearm(struct ways_out *w)
{
    uint64_t due_ns = uplinks_deadline(w->uplinks);
    if (due_ns == TIME_NEVER)
        return sd_event_source_set_enabled(w->timer, SD_EVENT_OFF);
    int error = sd_event_source_set_time(w->timer, due_ns / NS_PER_US + 1);
    return error < 0 ? error : sd_event_source_set_enabled(w->timer, SD_EVENT_ONESHOT);
}

/* Something happened, or it is time. Where nobody can tell whether the device is there, all is looked at again. */
static int ways_look(struct ways_out *w)
{
    char why[WAYS_WHY_SIZE] = "";
    unsigned index;
    int error = device_index(WAYS_DEVICE, &index);
    if (error == -ENODEV || (!error && index != w->index))
        return sd_event_exit(w->service->loop, command_fail("up", "somebody deleted " WAYS_DEVICE
                                                                  ", which all uplinks need: start again"));
    if (error)
        uplinks_look_again(w->uplinks);
    if (uplinks_work(w->uplinks, hawser_host_now(w->service->host), why, sizeof(why)) != 0 && why[0])
        command_fail("up", "%s", why);
    ways_take_events(w);
    ways_warn(w);
    return ways_rearm(w);
}

static int ways_heard(sd_event_source *source, int fd, uint32_t events, void *user)
{
    (void)source;
    (void)fd;
    (void)events;
    return ways_look(user);
}

static int ways_due(sd_event_source *source, uint64_t usec, void *user)
{
    (void)source;
    (void)usec;
    return ways_look(user);
}

static int ways_watch(struct ways_out *w)
{
    sd_event *loop = w->service->loop;
    int error = sd_event_add_io(loop, &w->news, uplinks_fd(w->uplinks), EPOLLIN, ways_heard, w);
    if (error >= 0) /* to the millisecond: the loop may delay others */
        error = sd_event_add_time(loop, &w->timer, CLOCK_MONOTONIC, 0, 1000, ways_due, w);
    return error < 0 ? error : ways_rearm(w);
}

static int ways_copy(char **to, const char *const *names)
{
    for (size_t i = 0; names && names[i]; i++) {
        if (i == WAYS_EXCLUDED)
            return -E2BIG;
        if (!(to[i] = strdup(names[i])))
            return -ENOMEM;
    }
    return 0;
}

static int ways_begin(struct ways_out *w, const struct uplink_names *names, char *why, size_t why_size)
{
    int error = ways_copy(w->own, names->own);
    if (!error)
        error = ways_copy(w->allowed, names->allowed);
    if (!error)
        error = ways_copy(w->excluded, names->excluded);
    if (error) {
        snprintf(why, why_size, "cannot allow, or leave out, more than %d interfaces, or there is no memory",
                 WAYS_EXCLUDED);
        return error;
    }
    w->link = service_add_own_device(w->service, WAYS_DEVICE, "addr=none", why, why_size);
    if (w->link < 0)
        return w->link;
    error = device_index(WAYS_DEVICE, &w->index);
    if (error)
        return device_complain(WAYS_DEVICE, error, why, why_size);
    sysctls_choose_memory(w->memory, sizeof(w->memory), WAYS_MEMORY);
    const struct uplinks_options options = {
        .device = WAYS_DEVICE,
        .memory = w->memory,
        .names = {.own = (const char *const *)w->own,
                  .allowed = (const char *const *)w->allowed,
                  .excluded = (const char *const *)w->excluded},
    };
    error = uplinks_start(&w->uplinks, &options, why, why_size);
    if (error)
        return error;
    ways_take_events(w);
    ways_warn(w);
    error = ways_watch(w);
    if (error < 0)
        snprintf(why, why_size, "cannot watch the interfaces: %s", strerror(-error));
    return error < 0 ? error : 0;
}

void ways_sweep(void)
{
    struct netlink netlink;
    unsigned index;
    if (device_index(WAYS_DEVICE, &index) != -ENODEV)
        return;
    if (netlink_open(&netlink) == 0)
        policy_routes_apply(&netlink, WAYS_DEVICE, 0, NULL, NULL, 0);
    netlink_close(&netlink);
    sysctls_sweep(WAYS_MEMORY);
}

int ways_open(struct ways_out **out, struct service *service, const struct uplink_names *names, char *why,
              size_t why_size)
{
    struct ways_out *w = calloc(1, sizeof(*w));
    if (!w) {
        snprintf(why, why_size, "no memory for the uplinks: free some and try again");
        return -ENOMEM;
    }
    w->service = service;
    int error = ways_begin(w, names, why, why_size);
    if (error)
        ways_close(w);
    else
        *out = service->ways = w;
    return error;
}

static void ways_forget_names(char **names)
{
    for (size_t i = 0; i < WAYS_EXCLUDED; i++) {
        free(names[i]);
        names[i] = NULL;
    }
}

void ways_close(struct ways_out *w)
{
    if (!w)
        return;
    sd_event_source_disable_unref(w->news);
    sd_event_source_disable_unref(w->timer);
    if (w->uplinks)
        uplinks_stop(w->uplinks);
    ways_forget_names(w->own);
    ways_forget_names(w->allowed);
    ways_forget_names(w->excluded);
    free(w);
}

const struct uplink *ways_uplink(const struct ways_out *w, size_t i) { return uplinks_at(w->uplinks, i); }

const char *ways_remark(const struct ways_out *w, size_t i)
{
    for (size_t at = 0; at < REMARKS; at++) {
        if (w->remarks[at][0] && i-- == 0)
            return w->remarks[at];
    }
    return NULL;
}

const struct uplink *ways_find(const struct ways_out *w, const struct hawser_addr *inside)
{
    const struct uplink *uplink;
    for (size_t i = 0; (uplink = uplinks_at(w->uplinks, i)); i++) {
        if (hawser_addr_same_ip(&uplink->inside, inside))
            return uplink;
    }
    return NULL;
}

int ways_publish(struct ways_out *w, const uint16_t *ports, size_t count, char *why, size_t why_size)
{
    return uplinks_publish(w->uplinks, ports, count, why, why_size);
}

void ways_on_change(struct ways_out *w, void (*changed)(void *of), void *of)
{
    w->changed = changed;
    w->changed_of = of;
}

bool ways_would_use(const struct ways_out *w, const char *interface, const struct uplink_names *names)
{
    return uplinks_would_have(w->uplinks, interface, names);
}

bool ways_forwarding_is_anyway(const struct ways_out *w, const struct forwarding *f)
{
    return uplinks_forwarding_is_anyway(w->uplinks, f);
}

int ways_select(struct ways_out *w, const char *const *allowed, const char *const *excluded)
{
    char *in[WAYS_EXCLUDED + 1] = {NULL}, *out[WAYS_EXCLUDED + 1] = {NULL};
    int error = ways_copy(in, allowed);
    if (!error)
        error = ways_copy(out, excluded);
    if (error) {
        ways_forget_names(in);
        ways_forget_names(out);
        return error;
    }
    ways_forget_names(w->allowed);
    ways_forget_names(w->excluded);
    memcpy(w->allowed, in, sizeof(in));
    memcpy(w->excluded, out, sizeof(out));
    uplinks_look_again(w->uplinks);
    ways_look(w);
    return 0;
}
