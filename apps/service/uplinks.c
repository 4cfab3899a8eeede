#include "service/uplinks.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include "base/units.h"
#include "service/device.h"
#include "service/inside.h"
#include "service/netlink_watch.h"
#include "service/policy_routes.h"
#include "service/sysctls.h"
#include "service/translation.h"

enum { UPLINKS_OWN_NAMES = 32, UPLINKS_EVENTS = 2 * UPLINKS_MAX };

/* Changes come in bunches: one look for those that are so near to each other. */
#define UPLINKS_SETTLE_NS (20 * NS_PER_MS)
#define UPLINKS_RETRY_NS NS_PER_S
/* Whoever configures an interface anew takes its default route away and sets it again. Our own tables have it
 * meanwhile. */
#define UPLINKS_ROUTE_PATIENCE_NS (500 * NS_PER_MS)

struct uplinks {
    struct uplinks_options options;
    const char *own_names[UPLINKS_OWN_NAMES + 1];
    unsigned own_index;
    struct netlink netlink;
    struct netlink_watch watch;
    struct sysctls sysctls;
    struct translation *translation;
    struct inside inside;
    struct host_view view;
    struct uplink present[UPLINKS_MAX];
    size_t count;
    struct near_link near[NEAR_MAX];
    size_t near_count;
    char slots[UPLINK_SLOTS][VIEW_NAME_SIZE]; /* which interface has or had it */
    struct uplink_event events[UPLINKS_EVENTS];
    size_t event_first, event_count;
    uint16_t published[UPLINKS_PUBLISHED];
    size_t published_count;
    uint64_t due_ns;
    int error;       /* of the last look */
    char aside[600]; /* what it left aside; empty: nothing */
};

static void uplinks_tell(struct uplinks *u, enum uplink_news news, const struct uplink *uplink)
{
    u->events[(u->event_first + u->event_count++) % UPLINKS_EVENTS] = (struct uplink_event){news, *uplink};
}

bool uplinks_next(struct uplinks *u, struct uplink_event *event)
{
    if (u->event_count == 0)
        return false;
    *event = u->events[u->event_first];
    u->event_first = (u->event_first + 1) % UPLINKS_EVENTS;
    u->event_count--;
    return true;
}

static bool uplinks_slot_taken(const struct uplink *list, size_t count, unsigned slot)
{
    for (size_t i = 0; i < count; i++) {
        if (list[i].slot == slot)
            return true;
    }
    return false;
}

/* The slot that this interface has or had; or a free one, rather one that nobody had. */
static unsigned uplinks_choose_slot(const struct uplinks *u, const struct uplink *uplink, const struct uplink *list,
                                    size_t count)
{
    unsigned best = UPLINK_SLOTS;
    for (size_t i = 0; i < count; i++) {
        if (list[i].index == uplink->index)
            return list[i].slot;
    }
    for (unsigned slot = 0; slot < UPLINK_SLOTS; slot++) {
        if (uplinks_slot_taken(list, count, slot))
            continue;
        if (strcmp(u->slots[slot], uplink->name) == 0)
            return slot;
        if (best == UPLINK_SLOTS || (u->slots[best][0] && !u->slots[slot][0]))
            best = slot;
    }
    return best; /* there are as many as interfaces */
}

static const struct uplink *uplinks_find(const struct uplink *list, size_t count, const struct uplink *like)
{
    for (size_t i = 0; i < count; i++) {
        if (uplink_same(&list[i], like))
            return &list[i];
    }
    return NULL;
}

/* Interfaces that stay keep their slots; then the others get one. */
static void uplinks_give_slots(struct uplinks *u, struct uplink *list, size_t count)
{
    struct uplink placed[2 * UPLINKS_MAX];
    size_t placed_count = 0;
    for (size_t i = 0; i < u->count; i++) {
        for (size_t j = 0; j < count; j++) {
            if (list[j].index == u->present[i].index) {
                placed[placed_count++] = u->present[i];
                break;
            }
        }
    }
    for (size_t i = 0; i < count; i++) {
        list[i].slot = uplinks_choose_slot(u, &list[i], placed, placed_count);
        list[i].inside = inside_addr(&u->inside, list[i].v4, list[i].slot);
        memcpy(u->slots[list[i].slot], list[i].name, VIEW_NAME_SIZE);
        placed[placed_count++] = list[i];
    }
}

/* What the host is to forward for the stack. Returns how many. */
static size_t uplinks_passages(const struct uplinks *u, struct forwarding *list)
{
    size_t count = 0;
    for (size_t i = 0; i < u->count; i++) {
        list[count++] = (struct forwarding){u->options.device, u->present[i].v4};
        list[count++] = (struct forwarding){u->present[i].name, u->present[i].v4};
    }
    for (size_t i = 0; i < u->near_count && u->count; i++)
        list[count++] = (struct forwarding){u->near[i].name, u->near[i].v4};
    return count;
}

/* Translation and forwarding, of all uplinks or not at all. */
static int uplinks_let_pass(struct uplinks *u, char *why, size_t why_size)
{
    bool routes_already[UPLINKS_MAX];
    struct forwarding passages[2 * UPLINKS_MAX + NEAR_MAX];
    size_t count = uplinks_passages(u, passages);
    forwarding_yield(&u->sysctls, passages, count);
    for (size_t i = 0; i < u->count; i++)
        routes_already[i] =
            forwarding_is_anyway(&u->sysctls, &(struct forwarding){u->present[i].name, u->present[i].v4});
    for (size_t i = 0; i < u->near_count; i++)
        u->near[i].routes_already =
            forwarding_is_anyway(&u->sysctls, &(struct forwarding){u->near[i].name, u->near[i].v4});
    struct translation_rules rules = {
        .device = u->options.device,
        .inside = u->inside,
        .first_port = u->options.first_port,
        .last_port = u->options.last_port,
        .uplinks = u->present,
        .count = u->count,
        .near = u->near,
        .near_count = u->near_count,
        .published = u->published,
        .published_count = u->published_count,
        .routes_already = routes_already,
    };
    int error = translation_apply(u->translation, &rules, why, why_size);
    if (error)
        return error;
    error = forwarding_apply(&u->sysctls, passages, count, u->options.first_port, u->options.last_port);
    if (error)
        snprintf(why, why_size, "cannot make the uplinks forward for %s: %s: see /proc/sys/net", u->options.device,
                 strerror(-error));
    return error;
}

/* The routes of all uplinks that the kernel takes. */
static int uplinks_route(struct uplinks *u, char *why, size_t why_size)
{
    int error = policy_routes_apply(&u->netlink, u->options.device, u->own_index, &u->inside, u->present, u->count);
    if (error)
        snprintf(why, why_size, "cannot route the uplinks: %s: see ip rule, and ip route show table all",
                 strerror(-error));
    return error;
}

enum uplink_fate { FATE_SAME, FATE_NEW, FATE_CHANGED };

static enum uplink_fate uplinks_fate(const struct uplinks *u, const struct uplink *uplink, bool all_lost)
{
    const struct uplink *old = uplinks_find(u->present, u->count, uplink);
    if (!old || all_lost || netlink_watch_lost(&u->watch, old->index, &old->outside[0]))
        return FATE_NEW;
    return uplink_unchanged(old, uplink) ? FATE_SAME : FATE_CHANGED;
}

/* Those that could not be set up are new again at the next look. */
static void uplinks_drop_new(struct uplinks *u, const enum uplink_fate *fate)
{
    size_t kept = 0;
    for (size_t i = 0; i < u->count; i++) {
        if (fate[i] != FATE_NEW)
            u->present[kept++] = u->present[i];
    }
    u->count = kept;
}

/* Tells what went, and then, when all is in place, what came. */
static int uplinks_replace(struct uplinks *u, struct uplink *list, size_t count, bool all_lost, char *why,
                           size_t why_size)
{
    enum uplink_fate fate[UPLINKS_MAX];
    uplinks_give_slots(u, list, count);
    for (size_t i = 0; i < count; i++)
        fate[i] = uplinks_fate(u, &list[i], all_lost);
    for (size_t i = 0; i < u->count; i++) {
        const struct uplink *now = uplinks_find(list, count, &u->present[i]);
        if (!now || fate[now - list] == FATE_NEW)
            uplinks_tell(u, UPLINK_WENT, &u->present[i]);
    }
    memcpy(u->present, list, count * sizeof(*list));
    u->count = count;
    int error = uplinks_let_pass(u, why, why_size);
    if (error)
        uplinks_drop_new(u, fate);
    int failed = uplinks_route(u, error ? NULL : why, error ? 0 : why_size);
    for (size_t i = 0; i < count; i++) {
        if (fate[i] == FATE_CHANGED || (fate[i] == FATE_NEW && !error))
            uplinks_tell(u, fate[i] == FATE_NEW ? UPLINK_CAME : UPLINK_CHANGED, &list[i]);
    }
    return error ? error : failed;
}

/* An address of IPv6 that is deprecated, or no longer the best, is what connections have that began with it: as long as
 * it is there, peers know the uplink by it (RFC 4862 5.5.4). */
static void uplinks_keep_first(const struct uplinks *u, struct uplink *uplink)
{
    for (size_t i = 0; i < u->count && !uplink->v4; i++) {
        const struct uplink *old = &u->present[i];
        for (size_t j = 1; j < uplink->outside_count && old->index == uplink->index && !old->v4; j++) {
            if (!hawser_addr_same_ip(&uplink->outside[j], &old->outside[0]))
                continue;
            uplink->outside[j] = uplink->outside[0];
            uplink->outside[0] = old->outside[0];
            return;
        }
    }
}

static size_t uplinks_select(struct uplinks *u, struct uplink *list)
{
    unsigned left_out;
    size_t count = uplinks_of_view(&u->view, &u->options.names, list, &left_out);
    for (size_t i = 0; i < count; i++)
        uplinks_keep_first(u, &list[i]);
    left_out += u->view.left_out;
    u->near_count = near_of_view(&u->view, &u->options.names, u->near);
    u->aside[0] = '\0';
    if (left_out)
        snprintf(u->aside, sizeof(u->aside),
                 "%u interfaces, addresses or routes are left aside: at most %d interfaces "
                 "are uplinks; exclude some",
                 left_out, UPLINK_SLOTS);
    size_t all = count;
    while (count && !list[count - 1].v4 && !forwarding_can_v6(&u->sysctls, u->options.device)) /* these stand last */
        count--;
    if (count < all) /* nor for who is near */
        while (u->near_count && !u->near[u->near_count - 1].v4)
            u->near_count--;
    if (count < all)
        snprintf(u->aside, sizeof(u->aside),
                 "IPv6 is left aside: it is off on %s, or this kernel (before Linux 6.17) "
                 "forwards it for all interfaces or none: sysctl "
                 "net.ipv6.conf.all.forwarding=1, with accept_ra=2 on the uplinks",
                 u->options.device);
    return count;
}

/* All that it lacks is the route. */
static bool uplinks_lacks_route(const struct uplinks *u, const struct uplink *uplink)
{
    struct uplink now;
    const struct view_link *link = host_view_link(&u->view, uplink->index);
    if (!link || netlink_watch_lost(&u->watch, uplink->index, &uplink->outside[0]) ||
        uplink_of_link(&u->view, link, uplink->v4, &u->options.names, &now) != UPLINK_NO_ROUTE)
        return false;
    for (size_t i = 0; i < now.outside_count; i++) {
        if (hawser_addr_same_ip(&now.outside[i], &uplink->outside[0]))
            return true;
    }
    return false;
}

static void uplinks_not_near(struct uplinks *u, const struct uplink *uplink)
{
    size_t kept = 0;
    for (size_t i = 0; i < u->near_count; i++) {
        if (u->near[i].v4 != uplink->v4 || strcmp(u->near[i].name, uplink->name) != 0)
            u->near[kept++] = u->near[i];
    }
    u->near_count = kept;
}

/* Adds uplinks whose routes may come back in a moment; *due_ns: when no longer. Returns how many there are. */
static size_t uplinks_wait_for_routes(struct uplinks *u, struct uplink *list, size_t count, uint64_t now_ns,
                                      uint64_t *due_ns)
{
    *due_ns = TIME_NEVER;
    for (size_t i = 0; i < u->count && count < UPLINK_SLOTS; i++) {
        const struct uplink *old = &u->present[i];
        const uint64_t until_ns = old->until_ns ? old->until_ns : now_ns + UPLINKS_ROUTE_PATIENCE_NS;
        if (now_ns >= until_ns || uplinks_find(list, count, old) || !uplinks_lacks_route(u, old))
            continue;
        list[count] = *old;
        list[count++].until_ns = until_ns;
        uplinks_not_near(u, old);
        if (until_ns < *due_ns)
            *due_ns = until_ns;
    }
    return count;
}

static int uplinks_look(struct uplinks *u, uint64_t now_ns, char *why, size_t why_size)
{
    struct uplink list[UPLINKS_MAX];
    unsigned index;
    int error = device_index(u->options.device, &index);
    if (error && error != -ENODEV) /* nor would anybody know what it and others forward */
        return device_complain(u->options.device, error, why, why_size);
    device_set_up(u->options.device); /* or there are no routes by it: the next look tries again */
    error = host_view_read(&u->view, &u->netlink);
    if (error) {
        snprintf(why, why_size, "cannot ask the kernel for interfaces and routes: %s", strerror(-error));
        return error;
    }
    bool all_lost = inside_taken(&u->view, u->own_index, &u->inside.v4, INSIDE_V4_LEN) ||
                    inside_taken(&u->view, u->own_index, &u->inside.v6, INSIDE_V6_LEN);
    size_t count = uplinks_wait_for_routes(u, list, uplinks_select(u, list), now_ns, &u->due_ns);
    if (all_lost) {
        error = inside_choose(&u->view, u->own_index, &u->inside, why, why_size);
        if (error)
            count = 0;
    }
    int failed = uplinks_replace(u, list, count, all_lost, why, why_size);
    netlink_watch_forget(&u->watch);
    return error ? error : failed;
}

const char *uplinks_left_aside(const struct uplinks *u) { return u->aside[0] ? u->aside : NULL; }

bool uplinks_hindered(const struct uplinks *u, char *chains, size_t size)
{
    return translation_hindered(u->translation, chains, size);
}

const struct view_table *uplinks_vpn(const struct uplinks *u) { return host_view_vpn(&u->view); }

int uplinks_work(struct uplinks *u, uint64_t now_ns, char *why, size_t why_size)
{
    if (netlink_watch_read(&u->watch) && (u->due_ns == TIME_NEVER || u->due_ns > now_ns + UPLINKS_SETTLE_NS))
        u->due_ns = now_ns + UPLINKS_SETTLE_NS;
    if (u->due_ns > now_ns || u->event_count)
        return 0;
    int before = u->error;
    u->error = uplinks_look(u, now_ns, why, why_size);
    if (u->error)
        u->due_ns = now_ns + UPLINKS_RETRY_NS;
    if (u->error == before)
        why[0] = '\0';
    return u->error;
}

void uplinks_look_again(struct uplinks *u) { u->due_ns = 0; }

bool uplinks_would_have(const struct uplinks *u, const char *interface, const struct uplink_names *names)
{
    const struct uplink_names then = {u->options.names.own, names->allowed, names->excluded};
    const bool v6 = forwarding_can_v6(&u->sysctls, u->options.device);
    struct uplink uplink;
    for (size_t i = 0; i < u->view.link_count; i++) {
        const struct view_link *link = &u->view.links[i];
        if (strcmp(link->name, interface) == 0)
            return uplink_of_link(&u->view, link, true, &then, &uplink) == UPLINK_IS ||
                   (v6 && uplink_of_link(&u->view, link, false, &then, &uplink) == UPLINK_IS);
    }
    return false;
}

static const char *uplinks_name_of(const struct uplinks *u, unsigned index)
{
    const struct view_link *link = host_view_link(&u->view, index);
    for (size_t i = 0; link && i < u->count; i++) {
        if (strcmp(u->present[i].name, link->name) == 0)
            return u->present[i].name;
    }
    return NULL;
}

/* Where the uplink's network is the wider one the routes know who is where, and a host's address is no network. */
const struct view_address *uplinks_overlap(const struct uplinks *u, const char *interface, const char **uplink)
{
    for (size_t i = 0; i < u->view.address_count; i++) {
        const struct view_address *at = &u->view.addresses[i], *other = u->view.addresses;
        const struct view_link *link = host_view_link(&u->view, at->index);
        if (!link || strcmp(link->name, interface) != 0)
            continue;
        for (; other < u->view.addresses + u->view.address_count; other++) {
            const unsigned host = hawser_addr_is_v4(&other->addr) ? 32 : 128;
            if (other->prefix_len >= at->prefix_len && other->prefix_len < host &&
                view_prefix_match(&at->prefix, &other->prefix, at->prefix_len) &&
                (*uplink = uplinks_name_of(u, other->index)) != NULL)
                return at;
        }
    }
    return NULL;
}

bool uplinks_forwarding_is_anyway(const struct uplinks *u, const struct forwarding *f)
{
    return forwarding_is_anyway(&u->sysctls, f);
}

int uplinks_publish(struct uplinks *u, const uint16_t *ports, size_t count, char *why, size_t why_size)
{
    if (count > UPLINKS_PUBLISHED) {
        snprintf(why, why_size, "more than %d ports: publish fewer", UPLINKS_PUBLISHED);
        return -E2BIG;
    }
    memcpy(u->published, ports, count * sizeof(*ports));
    u->published_count = count;
    return uplinks_let_pass(u, why, why_size);
}

const struct uplink *uplinks_at(const struct uplinks *u, size_t i) { return i < u->count ? &u->present[i] : NULL; }

int uplinks_fd(const struct uplinks *u) { return netlink_watch_fd(&u->watch); }

uint64_t uplinks_deadline(const struct uplinks *u) { return u->due_ns; }

/* Sets the stack's device up, which also shows whether we may. */
static int uplinks_ready_device(struct uplinks *u, char *why, size_t why_size)
{
    int error = device_index(u->options.device, &u->own_index);
    if (error && error != -ENODEV)
        return device_complain(u->options.device, error, why, why_size);
    if (error) {
        snprintf(why, why_size, "there is no device %s: make it first (ip tuntap add %s mode tun)", u->options.device,
                 u->options.device);
        return -ENODEV;
    }
    struct netlink_message m;
    struct nlmsghdr *header = netlink_start(&m, RTM_NEWLINK, 0);
    struct ifinfomsg *info = mnl_nlmsg_put_extra_header(header, sizeof(*info));
    info->ifi_index = (int)u->own_index;
    info->ifi_change = info->ifi_flags = IFF_UP;
    error = netlink_request(&u->netlink, &m, NULL, NULL);
    if (error == -EPERM)
        snprintf(why, why_size,
                 "no permission to change interfaces, routes and rules: run as root, or with "
                 "CAP_NET_ADMIN");
    else if (error)
        snprintf(why, why_size, "cannot set up device %s: %s", u->options.device, strerror(-error));
    return error;
}

static void uplinks_note_names(struct uplinks *u)
{
    size_t count = 0;
    u->own_names[count++] = u->options.device;
    for (const char *const *name = u->options.names.own; name && *name && count < UPLINKS_OWN_NAMES; name++)
        u->own_names[count++] = *name;
    u->options.names.own = u->own_names;
}

static int uplinks_begin(struct uplinks *u, char *why, size_t why_size)
{
    int error = netlink_open(&u->netlink);
    if (!error)
        error = netlink_watch_open(&u->watch);
    if (error) {
        snprintf(why, why_size, "cannot open a netlink socket: %s", strerror(-error));
        return error;
    }
    error = uplinks_ready_device(u, why, why_size);
    if (!error)
        error = translation_open(&u->translation, why, why_size);
    if (error)
        return error;
    error = sysctls_open(&u->sysctls, "/proc/sys/net", u->options.memory);
    if (error) {
        snprintf(why, why_size, "cannot keep what is changed in %s: %s", u->options.memory, strerror(-error));
        return error;
    }
    error =
        policy_routes_apply(&u->netlink, u->options.device, u->own_index, NULL, NULL, 0); /* left from a sudden end */
    if (!error)
        error = host_view_read(&u->view, &u->netlink);
    if (error) {
        snprintf(why, why_size, "cannot ask the kernel for interfaces and routes: %s", strerror(-error));
        return error;
    }
    error = inside_choose(&u->view, u->own_index, &u->inside, why, why_size);
    return error ? error : uplinks_look(u, 0, why, why_size);
}

int uplinks_start(struct uplinks **out, const struct uplinks_options *options, char *why, size_t why_size)
{
    struct uplinks *u = calloc(1, sizeof(*u));
    if (!u) {
        snprintf(why, why_size, "no memory for the uplinks: free some and try again");
        return -ENOMEM;
    }
    u->options = *options;
    u->due_ns = TIME_NEVER;
    if (!u->options.first_port) {
        u->options.first_port = UPLINKS_FIRST_PORT;
        u->options.last_port = UPLINKS_LAST_PORT;
    }
    uplinks_note_names(u);
    int error = uplinks_begin(u, why, why_size);
    if (error)
        uplinks_stop(u);
    else
        *out = u;
    return error;
}

void uplinks_stop(struct uplinks *u)
{
    if (u->sysctls.entries) {
        policy_routes_apply(&u->netlink, u->options.device, u->own_index, NULL, NULL, 0);
        sysctls_close(&u->sysctls);
    }
    if (u->translation)
        translation_close(u->translation);
    netlink_watch_close(&u->watch);
    netlink_close(&u->netlink);
    free(u);
}
