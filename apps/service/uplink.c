#include "service/uplink.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static bool uplink_listed(const char *const *names, const char *name)
{
    for (; names && *names; names++) {
        if (strcmp(*names, name) == 0)
            return true;
    }
    return false;
}

static bool uplink_name_plain(const char *name)
{
    for (; *name; name++) {
        if (!isalnum((unsigned char)*name) && !strchr("._-@+", *name))
            return false;
    }
    return true;
}

static bool uplink_prefers_route(const struct view_route *a, const struct view_route *b)
{
    return a->metric != b->metric ? a->metric < b->metric : a->preference > b->preference;
}

static const struct view_route *uplink_route(const struct host_view *view, unsigned index, bool v4)
{
    const struct view_route *best = NULL;
    for (size_t i = 0; i < view->route_count; i++) {
        const struct view_route *route = &view->routes[i];
        if (route->index == index && route->v4 == v4 && (!best || uplink_prefers_route(route, best)))
            best = route;
    }
    return best;
}

/* The address that the kernel's masquerade would take: none that is deprecated; IPv4's first in the gateway's network,
 * IPv6's lasting one. */
static bool uplink_prefers(const struct uplink *uplink, const struct view_address *a, const struct view_address *b)
{
    if (a->deprecated != b->deprecated)
        return b->deprecated;
    if (uplink->v4 && uplink->has_gateway)
        return view_prefix_match(&a->prefix, &uplink->gateway, a->prefix_len) >
               view_prefix_match(&b->prefix, &uplink->gateway, b->prefix_len);
    return a->temporary < b->temporary;
}

static void uplink_take_addresses(struct uplink *uplink, const struct host_view *view)
{
    const struct view_address *first = NULL;
    for (size_t i = 0; i < view->address_count; i++) {
        const struct view_address *address = &view->addresses[i];
        if (address->index != uplink->index || hawser_addr_is_v4(&address->addr) != uplink->v4)
            continue;
        bool better = !first || uplink_prefers(uplink, address, first);
        if (better)
            first = address;
        if (uplink->outside_count < UPLINK_OUTSIDE)
            uplink->outside[uplink->outside_count++] = address->addr;
        if (better) {
            struct hawser_addr *place = &uplink->outside[uplink->outside_count - 1];
            *place = uplink->outside[0];
            uplink->outside[0] = address->addr;
        }
    }
    if (first && first->deprecated) /* all of them */
        uplink->outside_count = 0;
    if (first) {
        uplink->prefix = first->prefix;
        uplink->prefix_len = first->prefix_len;
    }
}

static void uplink_take_route(struct uplink *uplink, const struct view_route *route)
{
    uplink->metric = route->metric;
    uplink->has_gateway = route->has_gateway;
    uplink->gateway = route->gateway;
    if (route->mtu && route->mtu < uplink->mtu)
        uplink->mtu = uplink->route_mtu = route->mtu;
}

enum uplink_verdict uplink_of_link(const struct host_view *view, const struct view_link *link, bool v4,
                                   const struct uplink_names *names, struct uplink *uplink)
{
    if (link->loopback)
        return UPLINK_LOOPBACK;
    if (uplink_listed(names->own, link->name))
        return UPLINK_OWN;
    if (uplink_listed(names->excluded, link->name) ||
        (names->allowed && names->allowed[0] && !uplink_listed(names->allowed, link->name)))
        return UPLINK_EXCLUDED;
    if (!link->up)
        return UPLINK_DOWN;
    *uplink = (struct uplink){.index = link->index, .v4 = v4, .carrier = link->carrier, .mtu = link->mtu};
    memcpy(uplink->name, link->name, sizeof(uplink->name));
    if (!v4 && link->mtu_v6 && link->mtu_v6 < link->mtu)
        uplink->mtu = link->mtu_v6;
    const struct view_route *route = uplink_route(view, link->index, v4);
    if (route)
        uplink_take_route(uplink, route);
    uplink_take_addresses(uplink, view);
    if (uplink->outside_count == 0)
        return UPLINK_NO_ADDRESS;
    if (!route)
        return UPLINK_NO_ROUTE;
    return uplink_name_plain(link->name) ? UPLINK_IS : UPLINK_NAME;
}

static int uplink_compare(const void *a, const void *b)
{
    const struct uplink *one = a, *other = b;
    if (one->v4 != other->v4)
        return one->v4 ? -1 : 1;
    if (one->metric != other->metric)
        return one->metric < other->metric ? -1 : 1;
    return one->index < other->index ? -1 : one->index > other->index;
}

size_t uplinks_of_view(const struct host_view *view, const struct uplink_names *names, struct uplink *out,
                       unsigned *left_out)
{
    size_t count = 0, interfaces = 0;
    *left_out = 0;
    for (size_t i = 0; i < view->link_count; i++) {
        size_t before = count;
        for (int v4 = 1; v4 >= 0; v4--) {
            struct uplink uplink;
            if (uplink_of_link(view, &view->links[i], v4, names, &uplink) != UPLINK_IS)
                continue;
            if (interfaces == UPLINK_SLOTS)
                ++*left_out;
            else
                out[count++] = uplink;
        }
        interfaces += count > before;
    }
    qsort(out, count, sizeof(*out), uplink_compare);
    return count;
}

size_t near_of_view(const struct host_view *view, const struct uplink_names *names, struct near_link *out)
{
    size_t count = 0;
    for (int v4 = 1; v4 >= 0; v4--) {
        for (size_t i = 0; i < view->link_count && count < NEAR_MAX; i++) {
            const struct view_link *link = &view->links[i];
            const struct uplink_names own = {.own = names->own};
            struct uplink uplink;
            enum uplink_verdict verdict = uplink_of_link(view, link, v4, names, &uplink);
            if (verdict == UPLINK_EXCLUDED && uplink_of_link(view, link, v4, &own, &uplink) == UPLINK_IS)
                verdict = UPLINK_NO_ROUTE; /* its networks are not excluded */
            if (verdict != UPLINK_NO_ROUTE || !uplink_name_plain(link->name))
                continue;
            out[count] = (struct near_link){.v4 = v4};
            memcpy(out[count++].name, link->name, sizeof(link->name));
        }
    }
    return count;
}

const char *uplink_verdict_text(enum uplink_verdict verdict)
{
    switch (verdict) {
    case UPLINK_IS:
        return "uplink";
    case UPLINK_LOOPBACK:
        return "loopback";
    case UPLINK_OWN:
        return "a device of Hawser";
    case UPLINK_EXCLUDED:
        return "excluded by configuration";
    case UPLINK_DOWN:
        return "down";
    case UPLINK_NO_ADDRESS:
        return "no global address that is ready";
    case UPLINK_NO_ROUTE:
        return "no default route";
    case UPLINK_NAME:
        return "a name with odd characters";
    }
    return "";
}

bool uplink_same(const struct uplink *a, const struct uplink *b)
{
    return a->index == b->index && a->v4 == b->v4 && hawser_addr_same_ip(&a->outside[0], &b->outside[0]);
}

bool uplink_unchanged(const struct uplink *a, const struct uplink *b)
{
    return strcmp(a->name, b->name) == 0 && a->carrier == b->carrier && a->metric == b->metric && a->mtu == b->mtu &&
           a->has_gateway == b->has_gateway && hawser_addr_same_ip(&a->gateway, &b->gateway) &&
           a->prefix_len == b->prefix_len && hawser_addr_same_ip(&a->prefix, &b->prefix) &&
           a->outside_count == b->outside_count &&
           memcmp(a->outside, b->outside, a->outside_count * sizeof(a->outside[0])) == 0;
}
