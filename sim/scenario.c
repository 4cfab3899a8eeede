#include "sim/scenario.h"

#include <stdio.h>
#include <string.h>

#include "sim/memory.h"

void scenario_init(struct scenario *s) { *s = (struct scenario){0}; }

void scenario_fini(struct scenario *s)
{
    sim_free(s->hosts);
    sim_free(s->routers);
    sim_free(s->links);
    sim_free(s->boxes);
    sim_free(s->changes);
    sim_free(s->flows);
    sim_free(s->addresses);
    for (size_t i = 0; i < s->trace_count; i++) {
        sim_free(s->traces[i]->at_ms);
        sim_free(s->traces[i]);
    }
    sim_free(s->traces);
    scenario_init(s);
}

static void set_name(char name[NODE_NAME_MAX], const char *to) { snprintf(name, NODE_NAME_MAX, "%s", to); }

struct host_spec *scenario_add_host(struct scenario *s, const char *name)
{
    s->hosts = sim_grow(s->hosts, s->host_count, sizeof *s->hosts);
    struct host_spec *host = &s->hosts[s->host_count++];
    set_name(host->name, name);
    host->options.size = sizeof host->options;
    return host;
}

struct router_spec *scenario_add_router(struct scenario *s, const char *name)
{
    s->routers = sim_grow(s->routers, s->router_count, sizeof *s->routers);
    struct router_spec *router = &s->routers[s->router_count++];
    set_name(router->name, name);
    return router;
}

struct wire_spec *scenario_add_link(struct scenario *s, const char *name, const char *end0, const char *end1)
{
    s->links = sim_grow(s->links, s->link_count, sizeof *s->links);
    struct wire_spec *link = &s->links[s->link_count++];
    set_name(link->name, name);
    set_name(link->end[0], end0);
    set_name(link->end[1], end1);
    return link;
}

struct box_spec *scenario_add_box(struct scenario *s, const char *name, const char *link)
{
    s->boxes = sim_grow(s->boxes, s->box_count, sizeof *s->boxes);
    struct box_spec *box = &s->boxes[s->box_count++];
    set_name(box->name, name);
    set_name(box->link, link);
    return box;
}

struct change_spec *scenario_add_change(struct scenario *s, uint64_t at_ns, const char *link)
{
    s->changes = sim_grow(s->changes, s->change_count, sizeof *s->changes);
    struct change_spec *change = &s->changes[s->change_count++];
    change->at_ns = at_ns;
    set_name(change->link, link);
    return change;
}

struct flow_spec *scenario_add_flow(struct scenario *s, const char *name, const char *client, const char *server)
{
    s->flows = sim_grow(s->flows, s->flow_count, sizeof *s->flows);
    struct flow_spec *flow = &s->flows[s->flow_count++];
    set_name(flow->plan.name, name);
    set_name(flow->client, client);
    set_name(flow->server, server);
    return flow;
}

struct address_spec *scenario_add_address_change(struct scenario *s, uint64_t at_ns, const char *link, unsigned end)
{
    s->addresses = sim_grow(s->addresses, s->address_count, sizeof *s->addresses);
    struct address_spec *address = &s->addresses[s->address_count++];
    address->at_ns = at_ns;
    address->end = end;
    set_name(address->link, link);
    return address;
}

const struct rate_trace *scenario_add_trace(struct scenario *s, struct rate_trace *trace)
{
    s->traces = sim_grow(s->traces, s->trace_count, sizeof(struct rate_trace *));
    s->traces[s->trace_count++] = trace;
    return trace;
}

bool wire_spec_add_address(struct wire_spec *link, unsigned end, const char *text)
{
    unsigned *count = &link->address_count[end];
    if (*count == SCENARIO_ADDRESSES_MAX || hawser_addr_parse(&link->addresses[end][*count], text, 0) < 0)
        return false;
    ++*count;
    return true;
}

struct wire_spec *scenario_find_link(const struct scenario *s, const char *name)
{
    for (size_t i = 0; i < s->link_count; i++)
        if (strcmp(s->links[i].name, name) == 0)
            return &s->links[i];
    return NULL;
}

/* ---- does it fit together? ---- */

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

static bool has_address(const struct scenario *s, const char *host, const struct hawser_addr *addr)
{
    for (size_t i = 0; i < s->link_count; i++)
        for (unsigned end = 0; end < 2; end++)
            for (unsigned k = 0; k < s->links[i].address_count[end]; k++)
                if (strcmp(s->links[i].end[end], host) == 0 &&
                    hawser_addr_same_ip(&s->links[i].addresses[end][k], addr))
                    return true;
    return false;
}

/* The i-th of all names: of hosts, routers, links, in this order. They share one space, as nodes of a world do. */
static const char *name_at(const struct scenario *s, size_t i)
{
    if (i < s->host_count)
        return s->hosts[i].name;
    i -= s->host_count;
    if (i < s->router_count)
        return s->routers[i].name;
    i -= s->router_count;
    return i < s->link_count ? s->links[i].name : s->boxes[i - s->link_count].name;
}

static bool check_names(const struct scenario *s, char *why, size_t size)
{
    size_t count = s->host_count + s->router_count + s->link_count + s->box_count;
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < i; k++)
            if (strcmp(name_at(s, i), name_at(s, k)) == 0) {
                snprintf(why, size, "the name \"%s\" is used twice", name_at(s, i));
                return false;
            }
    return true;
}

static bool check_links(const struct scenario *s, char *why, size_t size)
{
    for (size_t i = 0; i < s->link_count; i++) {
        const struct wire_spec *link = &s->links[i];
        for (unsigned end = 0; end < 2; end++) {
            bool host = is_host(s, link->end[end]);
            if (!host && !is_router(s, link->end[end])) {
                snprintf(why, size, "link \"%s\" leads to \"%s\", which is neither a host nor a router", link->name,
                         link->end[end]);
                return false;
            }
            if (host && link->address_count[end] == 0) {
                snprintf(why, size, "link \"%s\" gives host \"%s\" no address", link->name, link->end[end]);
                return false;
            }
        }
    }
    return true;
}

static bool check_references(const struct scenario *s, char *why, size_t size)
{
    for (size_t i = 0; i < s->box_count; i++)
        if (!scenario_find_link(s, s->boxes[i].link)) {
            snprintf(why, size, "middlebox \"%s\" stands on link \"%s\", which does not exist", s->boxes[i].name,
                     s->boxes[i].link);
            return false;
        }
    for (size_t i = 0; i < s->change_count; i++)
        if (!scenario_find_link(s, s->changes[i].link)) {
            snprintf(why, size, "a change names link \"%s\", which does not exist", s->changes[i].link);
            return false;
        }
    for (size_t i = 0; i < s->address_count; i++)
        if (!scenario_find_link(s, s->addresses[i].link)) {
            snprintf(why, size, "an address change names link \"%s\", which does not exist", s->addresses[i].link);
            return false;
        }
    return true;
}

static bool check_flow(const struct scenario *s, size_t i, char *why, size_t size)
{
    const struct flow_spec *flow = &s->flows[i];
    const char *ends[2] = {flow->client, flow->server};
    for (unsigned k = 0; k < 2; k++)
        if (!is_host(s, ends[k])) {
            snprintf(why, size, "flow \"%s\" runs to host \"%s\", which does not exist", flow->plan.name, ends[k]);
            return false;
        }
    if (flow->plan.server_addr.port == 0 || !has_address(s, flow->server, &flow->plan.server_addr)) {
        snprintf(why, size, "flow \"%s\": its server \"%s\" has no such address and port", flow->plan.name,
                 flow->server);
        return false;
    }
    for (size_t other = 0; other < i; other++) {
        const struct flow_spec *before = &s->flows[other];
        if (before->plan.server_addr.port == flow->plan.server_addr.port && strcmp(before->server, flow->server) == 0) {
            snprintf(why, size, "flows \"%s\" and \"%s\" share a port of host \"%s\"", before->plan.name,
                     flow->plan.name, flow->server);
            return false;
        }
        if (strcmp(before->plan.name, flow->plan.name) == 0) {
            snprintf(why, size, "two flows are called \"%s\"", flow->plan.name);
            return false;
        }
    }
    return true;
}

bool scenario_check(const struct scenario *s, char *why, size_t why_size)
{
    if (s->host_count == 0) {
        snprintf(why, why_size, "there is no host");
        return false;
    }
    if (s->duration_ns == 0) {
        snprintf(why, why_size, "the duration is 0");
        return false;
    }
    if (!check_names(s, why, why_size) || !check_links(s, why, why_size) || !check_references(s, why, why_size))
        return false;
    for (size_t i = 0; i < s->flow_count; i++)
        if (!check_flow(s, i, why, why_size))
            return false;
    return true;
}
