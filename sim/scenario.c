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
