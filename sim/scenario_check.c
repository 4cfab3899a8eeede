/* Does a scenario fit together, and does a stage have room for it? */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "mptcp/host.h"
#include "sim/memory.h"
#include "sim/scenario.h"
#include "stack/stack.h"

/* Where the first complaint goes. */
struct complaint {
    char *why;
    size_t size;
};

HW_PRINTF(2, 3) static bool complain(struct complaint *c, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(c->why, c->size, format, args);
    va_end(args);
    return false;
}

static bool is_host(const struct scenario *s, const char *name)
{
    for (size_t i = 0; i < s->host_count; i++)
        if (strcmp(s->hosts[i].name, name) == 0)
            return true;
    return false;
}

static bool is_router(const struct scenario *s, const char *name)
{
    for (size_t i = 0; i < s->router_count; i++)
        if (strcmp(s->routers[i].name, name) == 0)
            return true;
    return false;
}

static size_t part_count(const struct scenario *s)
{
    return s->host_count + s->router_count + s->link_count + s->box_count;
}

/* The i-th of all names: of hosts, routers, links, boxes, in this order. They share one space, as nodes of a world do.
 */
static const char *part_at(const struct scenario *s, size_t i)
{
    if (i < s->host_count)
        return s->hosts[i].name;
    i -= s->host_count;
    if (i < s->router_count)
        return s->routers[i].name;
    i -= s->router_count;
    return i < s->link_count ? s->links[i].name : s->boxes[i - s->link_count].name;
}

static bool check_names(const struct scenario *s, struct complaint *c)
{
    for (size_t i = 0; i < part_count(s); i++)
        for (size_t k = 0; k < i; k++)
            if (strcmp(part_at(s, i), part_at(s, k)) == 0)
                return complain(c, "the name \"%s\" is used twice", part_at(s, k));
    return true;
}

static bool check_links(const struct scenario *s, struct complaint *c)
{
    for (size_t i = 0; i < s->link_count; i++) {
        const struct wire_spec *link = &s->links[i];
        for (unsigned end = 0; end < 2; end++) {
            bool host = is_host(s, link->end[end]);
            if (!host && !is_router(s, link->end[end]))
                return complain(c, "link \"%s\" leads to \"%s\", which is neither a host nor a router", link->name,
                                link->end[end]);
            if (host && link->address_count[end] == 0)
                return complain(c, "link \"%s\" gives host \"%s\" no address", link->name, link->end[end]);
            if (!host && link->address_count[end] > 0)
                return complain(c, "link \"%s\" gives router \"%s\" an address; routers have none", link->name,
                                link->end[end]);
        }
    }
    return true;
}

/* ---- addresses ---- */

/* An address that a host has at some time. */
struct ownership {
    const struct hawser_addr *addr;
    const char *host;
    bool later; /* by an event, or taken away by one */
};

static int by_address(const void *a, const void *b)
{
    const struct ownership *x = a, *y = b;
    int order = memcmp(x->addr->ip, y->addr->ip, sizeof x->addr->ip);
    if (order == 0)
        order = strcmp(x->host, y->host);
    if (order == 0)
        order = (int)x->later - (int)y->later;
    return order;
}

static int by_host(const void *a, const void *b)
{
    const struct ownership *x = a, *y = b;
    int order = strcmp(x->host, y->host);
    return order ? order : by_address(a, b);
}

/* Neither this host, nor all, nor many (RFC 1122 3.2.1.3, RFC 4291 2.4). */
static bool is_usable(const struct hawser_addr *addr)
{
    static const uint8_t zeros[16];
    const uint8_t *v4 = addr->ip + 12;
    if (hawser_addr_is_v4(addr))
        return v4[0] != 0 && v4[0] != 127 && v4[0] < 224;
    return addr->ip[0] != 0xff && memcmp(addr->ip, zeros, 15) != 0;
}

/* Fills in all ownerships but those that only take an address away. */
static size_t collect_addresses(const struct scenario *s, struct ownership *out)
{
    size_t count = 0;
    for (size_t i = 0; i < s->link_count; i++)
        for (unsigned end = 0; end < 2; end++)
            for (unsigned k = 0; k < s->links[i].address_count[end]; k++)
                out[count++] = (struct ownership){&s->links[i].addresses[end][k], s->links[i].end[end], false};
    for (size_t i = 0; i < s->address_count; i++) {
        const struct address_spec *change = &s->addresses[i];
        if (!change->remove)
            out[count++] =
                (struct ownership){&change->addr, scenario_find_link(s, change->link)->end[change->end], true};
    }
    return count;
}

static bool check_ownership(struct ownership *all, size_t count, struct complaint *c)
{
    char text[HAWSER_ADDR_STRLEN];
    qsort(all, count, sizeof *all, by_address);
    for (size_t i = 0; i < count; i++) {
        const struct ownership *own = &all[i], *before = i ? &all[i - 1] : NULL;
        struct hawser_addr bare = *own->addr;
        bare.port = 0;
        hawser_addr_format(&bare, text, sizeof text);
        if (!is_usable(own->addr))
            return complain(c, "host \"%s\" cannot have the address %s", own->host, text);
        if (!before || !hawser_addr_same_ip(before->addr, own->addr))
            continue;
        if (strcmp(before->host, own->host) != 0)
            return complain(c, "%s is an address of both \"%s\" and \"%s\"", text, before->host, own->host);
        if (!own->later)
            return complain(c, "host \"%s\" is given the address %s twice", own->host, text);
    }
    return true;
}

/* A stack has room for so many at a time; those that come and go all count. */
static bool check_room(struct ownership *all, size_t count, struct complaint *c)
{
    size_t of_host = 0;
    qsort(all, count, sizeof *all, by_host);
    for (size_t i = 0; i < count; i++) {
        bool same_host = i && strcmp(all[i - 1].host, all[i].host) == 0;
        of_host = same_host ? of_host + !hawser_addr_same_ip(all[i - 1].addr, all[i].addr) : 1;
        if (of_host > HOST_ADDRESSES_MAX)
            return complain(c, "host \"%s\" has more than %d addresses", all[i].host, HOST_ADDRESSES_MAX);
    }
    return true;
}

static bool owns(const struct ownership *all, size_t count, const char *host, const struct hawser_addr *addr)
{
    for (size_t i = 0; i < count; i++)
        if (hawser_addr_same_ip(all[i].addr, addr) && strcmp(all[i].host, host) == 0)
            return true;
    return false;
}

static bool check_address_changes(const struct scenario *s, const struct ownership *all, size_t count,
                                  struct complaint *c)
{
    char text[HAWSER_ADDR_STRLEN];
    for (size_t i = 0; i < s->address_count; i++) {
        const struct address_spec *change = &s->addresses[i];
        const char *at = scenario_find_link(s, change->link)->end[change->end];
        if (!is_host(s, at))
            return complain(c, "end %u of link \"%s\" is \"%s\", which is no host and has no addresses", change->end,
                            change->link, at);
        if (change->remove && !owns(all, count, at, &change->addr))
            return complain(c, "host \"%s\" never has the address %s", at,
                            hawser_addr_format(&change->addr, text, sizeof text));
    }
    return true;
}

static bool check_addresses(const struct scenario *s, struct complaint *c)
{
    size_t most = s->link_count * 2 * SCENARIO_ADDRESSES_MAX + s->address_count;
    struct ownership *all = sim_new((most + 1) * sizeof *all);
    size_t count = collect_addresses(s, all);
    bool good = check_ownership(all, count, c) && check_room(all, count, c) && check_address_changes(s, all, count, c);
    sim_free(all);
    return good;
}

/* ---- the rest ---- */

static bool check_interfaces(const struct scenario *s, struct complaint *c)
{
    for (size_t i = 0; i < s->host_count; i++) {
        unsigned interfaces = 0;
        for (size_t k = 0; k < s->link_count; k++)
            for (unsigned end = 0; end < 2; end++)
                if (strcmp(s->links[k].end[end], s->hosts[i].name) == 0 && ++interfaces > LINKS_MAX)
                    return complain(c, "host \"%s\" stands at more than %d links", s->hosts[i].name, LINKS_MAX);
    }
    return true;
}

static bool check_references(const struct scenario *s, struct complaint *c)
{
    for (size_t i = 0; i < s->box_count; i++)
        if (!scenario_find_link(s, s->boxes[i].link))
            return complain(c, "middlebox \"%s\" stands on link \"%s\", which does not exist", s->boxes[i].name,
                            s->boxes[i].link);
    for (size_t i = 0; i < s->change_count; i++)
        if (!scenario_find_link(s, s->changes[i].link))
            return complain(c, "a change names link \"%s\", which does not exist", s->changes[i].link);
    for (size_t i = 0; i < s->address_count; i++)
        if (!scenario_find_link(s, s->addresses[i].link))
            return complain(c, "an address change names link \"%s\", which does not exist", s->addresses[i].link);
    return true;
}

static bool has_address(const struct scenario *s, const char *host, const struct hawser_addr *addr)
{
    for (size_t i = 0; i < s->link_count; i++)
        for (unsigned end = 0; end < 2; end++)
            for (unsigned k = 0; k < s->links[i].address_count[end]; k++)
                if (hawser_addr_same_ip(&s->links[i].addresses[end][k], addr) &&
                    strcmp(s->links[i].end[end], host) == 0)
                    return true;
    return false;
}

static bool check_flow(const struct scenario *s, size_t i, struct complaint *c)
{
    const struct flow_spec *flow = &s->flows[i];
    const char *ends[2] = {flow->client, flow->server};
    for (unsigned k = 0; k < 2; k++)
        if (!is_host(s, ends[k]))
            return complain(c, "flow \"%s\" runs to host \"%s\", which does not exist", flow->plan.name, ends[k]);
    if (flow->plan.server_addr.port == 0 || !has_address(s, flow->server, &flow->plan.server_addr))
        return complain(c, "flow \"%s\": its server \"%s\" has no such address and port", flow->plan.name,
                        flow->server);
    for (size_t other = 0; other < i; other++) {
        const struct flow_spec *before = &s->flows[other];
        if (before->plan.server_addr.port == flow->plan.server_addr.port && strcmp(before->server, flow->server) == 0)
            return complain(c, "flows \"%s\" and \"%s\" share a port of host \"%s\"", before->plan.name,
                            flow->plan.name, flow->server);
        if (strcmp(before->plan.name, flow->plan.name) == 0)
            return complain(c, "two flows are called \"%s\"", flow->plan.name);
    }
    return true;
}

static bool check_counts(const struct scenario *s, struct complaint *c)
{
    if (s->host_count == 0)
        return complain(c, "there is no host");
    if (s->duration_ns == 0)
        return complain(c, "the duration is 0");
    if (part_count(s) > SCENARIO_PARTS_MAX)
        return complain(c, "there are more than %u hosts, routers, links and middleboxes", SCENARIO_PARTS_MAX);
    if (s->change_count + s->address_count > SCENARIO_EVENTS_MAX)
        return complain(c, "there are more than %u events", SCENARIO_EVENTS_MAX);
    if (s->flow_count > SCENARIO_FLOWS_MAX)
        return complain(c, "there are more than %u flows", SCENARIO_FLOWS_MAX);
    return true;
}

bool scenario_check(const struct scenario *s, char *why, size_t why_size)
{
    struct complaint c = {why, why_size};
    bool good = check_counts(s, &c) && check_names(s, &c) && check_links(s, &c) && check_interfaces(s, &c) &&
                check_references(s, &c) && check_addresses(s, &c);
    for (size_t i = 0; good && i < s->flow_count; i++)
        good = check_flow(s, i, &c);
    return good;
}
