#include "service/inside.h"

#include <errno.h>
#include <stdio.h>

bool inside_taken(const struct host_view *view, unsigned own_index, const struct hawser_addr *net, unsigned len)
{
    for (size_t i = 0; i < view->prefix_count; i++) {
        const struct view_prefix *prefix = &view->prefixes[i];
        if (prefix->index != own_index && view_prefix_match(&prefix->addr, net, prefix->len < len ? prefix->len : len))
            return true;
    }
    return false;
}

static struct hawser_addr inside_candidate(bool v4, unsigned choice)
{
    struct hawser_addr net = v4 ? view_inside_v4() : view_inside_v6();
    if (v4) {
        net.ip[14] = (uint8_t)choice;
    } else {
        net.ip[7] = (uint8_t)choice;
    }
    return net;
}

static bool inside_find(const struct host_view *view, unsigned own_index, bool v4, struct hawser_addr *net)
{
    for (unsigned choice = 0; choice < INSIDE_CHOICES; choice++) {
        *net = inside_candidate(v4, choice);
        if (!inside_taken(view, own_index, net, v4 ? INSIDE_V4_LEN : INSIDE_V6_LEN))
            return true;
    }
    return false;
}

int inside_choose(const struct host_view *view, unsigned own_index, struct inside *inside, char *why, size_t why_size)
{
    if (!inside_find(view, own_index, true, &inside->v4)) {
        snprintf(why, why_size,
                 "this host uses all of 198.18.0.0/16, of which Hawser needs a /%d for itself: "
                 "see ip route, and take one away",
                 INSIDE_V4_LEN);
        return -EADDRINUSE;
    }
    if (!inside_find(view, own_index, false, &inside->v6)) {
        struct hawser_addr all = view_inside_v6();
        char text[HAWSER_ADDR_STRLEN];
        snprintf(why, why_size,
                 "this host uses all of %s/%d, of which Hawser needs a /%d for itself: "
                 "see ip -6 route, and take one away",
                 hawser_addr_format(&all, text, sizeof(text)), VIEW_INSIDE_V6_LEN, INSIDE_V6_LEN);
        return -EADDRINUSE;
    }
    return 0;
}

struct hawser_addr inside_addr(const struct inside *inside, bool v4, unsigned slot)
{
    struct hawser_addr addr = v4 ? inside->v4 : inside->v6;
    addr.ip[15] = (uint8_t)(slot + 1);
    return addr;
}
