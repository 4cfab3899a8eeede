#include "sim/stage.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/units.h"
#include "sim/cable.h"
#include "sim/memory.h"
#include "sim/router.h"
#include "sim/routes.h"

#define MTU_DEFAULT 1500u
/* Packets may grow on the way, by options that middleboxes add. */
#define PACKET_SLACK 548u

struct stage_change {
    struct deadline timer;
    struct stage *stage;
    const struct change_spec *spec;
};

struct stage_address {
    struct deadline timer;
    struct stage *stage;
    const struct address_spec *spec;
};

static uint32_t mtu_of(const struct wire_spec *link) { return link->mtu ? link->mtu : MTU_DEFAULT; }

static uint32_t packet_room(const struct scenario *s)
{
    uint32_t most = MTU_DEFAULT;
    for (size_t i = 0; i < s->link_count; i++)
        most = HW_MAX(most, mtu_of(&s->links[i]));
    return most + PACKET_SLACK;
}

/* ---- building ---- */

static void build_hosts(struct stage *stage)
{
    const struct scenario *s = stage->scenario;
    stage->hosts = sim_new((s->host_count + 1) * sizeof(struct host *));
    for (size_t i = 0; i < s->host_count; i++) {
        const struct host_spec *spec = &s->hosts[i];
        struct hawser_stack_options options = spec->options;
        const struct hawser_path_options paths = {
            .size = sizeof paths,
            .manager = spec->path_manager_name[0] ? hawser_path_manager_find(spec->path_manager_name) : NULL,
            .allow = spec->allow.list,
            .deny = spec->deny.list,
            .backup = spec->backup.list,
            .allow_count = spec->allow.count,
            .deny_count = spec->deny.count,
            .backup_count = spec->backup.count};
        options.congestion = spec->congestion_name[0] ? spec->congestion_name : NULL;
        options.paths = &paths;
        struct host *host = host_new(&stage->world, spec->name, &options, s->wrap_soon);
        host->memory.limit_bytes = spec->memory_limit_bytes;
        if (spec->link_memory_bytes)
            host_lend_buffers(host, spec->link_memory_bytes);
        host->memory.refuse_ppm = spec->refuse_ppm;
        stage->hosts[i] = host;
    }
    for (size_t i = 0; i < s->router_count; i++)
        (void)router_new(&stage->world, s->routers[i].name);
}

/* A port at one end of a link: an interface of a host, or one more of a router. */
static unsigned build_end(struct node *node, const struct wire_spec *link, unsigned end)
{
    struct host *host = host_of(node);
    if (!host)
        return node_add_port(node);
    unsigned port = host_add_interface(host, mtu_of(link));
    for (unsigned i = 0; i < link->address_count[end]; i++)
        host_add_address(host, port, &link->addresses[end][i]);
    return port;
}

/* The boxes of a link stand in a row between its cable and its end[1]. */
static void build_boxes(struct stage *stage, const struct wire_spec *link, struct node *at, unsigned port,
                        struct node *last, unsigned last_port)
{
    const struct scenario *s = stage->scenario;
    for (size_t i = 0; i < s->box_count; i++) {
        if (strcmp(s->boxes[i].link, link->name) != 0)
            continue;
        struct node *box = box_new(&stage->world, s->boxes[i].name, &s->boxes[i].config);
        CHECK(box);
        unsigned near = s->boxes[i].inner_is_end1; /* the port that faces end[0] */
        node_connect(at, port, box, near);
        at = box;
        port = 1 - near;
    }
    node_connect(at, port, last, last_port);
}

static void build_links(struct stage *stage)
{
    const struct scenario *s = stage->scenario;
    stage->cables = sim_new((s->link_count + 1) * sizeof(struct cable *));
    for (size_t i = 0; i < s->link_count; i++) {
        const struct wire_spec *link = &s->links[i];
        struct node *ends[2] = {world_find(&stage->world, link->end[0]), world_find(&stage->world, link->end[1])};
        CHECK(ends[0] && ends[1]);
        struct cable *cable = cable_new(&stage->world, link->name, link->lanes);
        node_connect(ends[0], build_end(ends[0], link, 0), &cable->node, 0);
        build_boxes(stage, link, &cable->node, 1, ends[1], build_end(ends[1], link, 1));
        stage->cables[i] = cable;
    }
}

/* The port of a host that a link made. */
static struct node_port interface_of(const struct stage *stage, const struct cable *cable, unsigned end)
{
    (void)stage;
    struct node_port at = cable->node.ports[end];
    while (at.peer->passes)
        at = at.peer->ports[1 - at.peer_port];
    return at;
}

static size_t link_index(const struct scenario *s, const char *name)
{
    return (size_t)(scenario_find_link(s, name) - s->links);
}

/* Does the i-th address change bring an address that nothing before it has? */
static bool is_new_address(const struct scenario *s, size_t i)
{
    const struct address_spec *spec = &s->addresses[i];
    bool is_new = !spec->remove;
    for (size_t k = 0; k < i; k++)
        is_new &= !hawser_addr_same_ip(&s->addresses[k].addr, &spec->addr);
    for (size_t k = 0; k < s->link_count; k++)
        for (unsigned end = 0; end < 2; end++)
            for (unsigned n = 0; n < s->links[k].address_count[end]; n++)
                is_new &= !hawser_addr_same_ip(&s->links[k].addresses[end][n], &spec->addr);
    return is_new;
}

static void build_routes(struct stage *stage)
{
    const struct scenario *s = stage->scenario;
    if (s->router_count == 0)
        return;
    for (size_t i = 0; i < s->link_count; i++)
        for (unsigned end = 0; end < 2; end++) {
            struct node_port at = interface_of(stage, stage->cables[i], end);
            for (unsigned k = 0; k < s->links[i].address_count[end]; k++)
                routes_add(&stage->world, &s->links[i].addresses[end][k], at.peer, at.peer_port);
        }
    for (size_t i = 0; i < s->address_count; i++) /* those that come later have a way from the start */
        if (is_new_address(s, i)) {
            const struct address_spec *spec = &s->addresses[i];
            struct node_port at = interface_of(stage, stage->cables[link_index(s, spec->link)], spec->end);
            routes_add(&stage->world, &spec->addr, at.peer, at.peer_port);
        }
    for (size_t i = 0; i < s->box_count; i++) /* the address of a NAT lives at its outer side */
        if (hawser_addr_is_v4(&s->boxes[i].config.addr))
            routes_add(&stage->world, &s->boxes[i].config.addr, world_find(&stage->world, s->boxes[i].name), 1);
}

static struct host *find_host(const struct stage *stage, const char *name)
{
    struct node *node = world_find(&stage->world, name);
    return node ? host_of(node) : NULL;
}

static void build_flows(struct stage *stage)
{
    const struct scenario *s = stage->scenario;
    stage->flows = sim_new((s->flow_count + 1) * sizeof(struct flow *));
    for (size_t i = 0; i < s->flow_count; i++) {
        struct flow_plan plan = s->flows[i].plan;
        plan.client = find_host(stage, s->flows[i].client);
        plan.server = find_host(stage, s->flows[i].server);
        stage->flows[i] = flow_new(&stage->world, &stage->pattern, &plan);
    }
}

/* ---- the time line ---- */

static void on_change(struct deadline *timer, uint64_t now_ns)
{
    struct stage_change *change = HW_CONTAINER(timer, struct stage_change, timer);
    struct cable *cable = change->stage->cables[link_index(change->stage->scenario, change->spec->link)];
    for (unsigned i = 0; i < 2; i++)
        if (change->spec->lanes_set[i])
            cable_configure(cable, i, &change->spec->lanes[i], now_ns);
}

static void on_address_change(struct deadline *timer, uint64_t now_ns)
{
    struct stage_address *change = HW_CONTAINER(timer, struct stage_address, timer);
    struct stage *stage = change->stage;
    const struct address_spec *spec = change->spec;
    const struct cable *cable = stage->cables[link_index(stage->scenario, spec->link)];
    struct node_port at = interface_of(stage, cable, spec->end);
    struct host *host = host_of(at.peer);
    if (!host)
        return;
    if (spec->remove)
        host_remove_address(host, &spec->addr);
    else
        host_add_address(host, at.peer_port, &spec->addr);
    host_wake(host, now_ns);
}

static void build_time_line(struct stage *stage)
{
    const struct scenario *s = stage->scenario;
    stage->changes = sim_new((s->change_count + 1) * sizeof *stage->changes);
    for (size_t i = 0; i < s->change_count; i++) {
        struct stage_change *change = &stage->changes[i];
        change->stage = stage;
        change->spec = &s->changes[i];
        world_timer_init(&stage->world, &change->timer, on_change);
        world_timer_set(&stage->world, &change->timer, WORLD_START_NS + change->spec->at_ns);
    }
    stage->address_changes = sim_new((s->address_count + 1) * sizeof *stage->address_changes);
    for (size_t i = 0; i < s->address_count; i++) {
        struct stage_address *change = &stage->address_changes[i];
        change->stage = stage;
        change->spec = &s->addresses[i];
        world_timer_init(&stage->world, &change->timer, on_address_change);
        world_timer_set(&stage->world, &change->timer, WORLD_START_NS + change->spec->at_ns);
    }
}

void stage_init(struct stage *stage, const struct scenario *scenario, uint64_t seed)
{
    memset(stage, 0, sizeof *stage);
    stage->scenario = scenario;
    stage->must_complete = scenario->must_complete;
    list_init(&stage->watchers);
    pattern_init(&stage->pattern);
    world_init(&stage->world, seed, packet_room(scenario));
    build_hosts(stage);
    build_links(stage);
    build_routes(stage);
    build_flows(stage);
    build_time_line(stage);
}

void stage_watch(struct stage *stage, struct watcher *watcher) { list_push_back(&stage->watchers, &watcher->link); }

/* ---- playing ---- */

/* Where an end of a flow stands: "1000 of 6000, ended at 2.500 s with error 110". */
static const char *end_text(const struct flow_end *end, char *text, size_t size)
{
    uint64_t total = flow_total(end->flow, end->side == FLOW_CLIENT ? FLOW_SERVER : FLOW_CLIENT);
    int len = snprintf(text, size, "%" PRIu64 " of %" PRIu64, end->received, total);
    if (end->finished)
        snprintf(text + len, size - (size_t)len, ", ended at %.3f s with error %d",
                 (double)(end->finished_ns - WORLD_START_NS) / 1e9, -end->error);
    return text;
}

static void accuse(struct stage *stage, const struct flow *flow, const char *rule, const char *what)
{
    char client[96], server[96];
    world_violation(&stage->world, rule, "%s %s: client got %s; server got %s", flow->plan.name, what,
                    end_text(&flow->ends[FLOW_CLIENT], client, sizeof client),
                    end_text(&flow->ends[FLOW_SERVER], server, sizeof server));
}

/* Liveness: once the faults are over, whatever can end has ended within the time allowed. An end that only waits, for a
 * peer that is gone and whose last words were lost, needs keepalive for that. */
static void demand_liveness(struct stage *stage)
{
    for (size_t i = 0; i < stage->scenario->flow_count; i++) {
        const struct flow *flow = stage->flows[i];
        if (!flow_is_endless(flow) && !flow_finished(flow) && flow->started)
            accuse(stage, flow, "liveness", "is not over");
    }
}

/* A definite error ends a flow, but only hosts, programs and middleboxes that misbehave excuse one. */
static void demand_success(struct stage *stage)
{
    for (size_t i = 0; i < stage->scenario->flow_count; i++) {
        const struct flow *flow = stage->flows[i];
        const struct flow_end *client = &flow->ends[FLOW_CLIENT], *server = &flow->ends[FLOW_SERVER];
        bool whole = client->finished && !client->error && server->finished && !server->error;
        if (flow->started && !flow_is_endless(flow) && !whole)
            accuse(stage, flow, "no-error-for-nothing", "is not whole");
    }
}

/* A path that is dead delays nobody who has another one. */
static void demand_haste(struct stage *stage)
{
    for (size_t i = 0; i < stage->scenario->flow_count; i++) {
        const struct flow *flow = stage->flows[i];
        const struct flow_plan *plan = &flow->plan;
        uint64_t connected_ns = flow->ends[FLOW_CLIENT].connected_ns;
        bool late = connected_ns == 0 || connected_ns - WORLD_START_NS > plan->start_ns + plan->connect_within_ns;
        if (flow->started && plan->connect_within_ns && late)
            accuse(stage, flow, "connect-late", "was not connected in time");
    }
}

static void demand_the_end(struct stage *stage)
{
    if (!world_failed(&stage->world))
        demand_haste(stage);
    if (!world_failed(&stage->world))
        demand_liveness(stage);
    if (!world_failed(&stage->world) && stage->must_complete)
        demand_success(stage);
}

bool stage_run(struct stage *stage)
{
    const struct scenario *s = stage->scenario;
    struct world *world = &stage->world;
    uint64_t over_ns = WORLD_START_NS + s->duration_ns, demand_ns = WORLD_START_NS + s->heal_ns + s->patience_ns;
    LIST_EACH (it, &stage->watchers) {
        struct watcher *watcher = LIST_ENTRY(it, struct watcher, link);
        if (watcher->begin)
            watcher->begin(watcher, stage);
    }
    if (s->heal_ns && demand_ns < over_ns) {
        world_run(world, demand_ns);
        demand_the_end(stage);
    }
    world_run(world, over_ns);
    if (s->heal_ns && demand_ns >= over_ns)
        demand_the_end(stage);
    LIST_EACH (it, &stage->watchers) {
        struct watcher *watcher = LIST_ENTRY(it, struct watcher, link);
        if (watcher->end)
            watcher->end(watcher, stage);
    }
    return !world_failed(world);
}

bool stage_close(struct stage *stage)
{
    for (size_t i = 0; i < stage->scenario->flow_count; i++)
        flow_free(stage->flows[i]);
    world_destroy(&stage->world);
    return !world_failed(&stage->world);
}

void stage_fini(struct stage *stage)
{
    LIST_EACH (it, &stage->watchers) {
        struct watcher *watcher = LIST_ENTRY(it, struct watcher, link);
        watcher->destroy(watcher);
    }
    sim_free(stage->hosts);
    sim_free(stage->cables);
    sim_free(stage->flows);
    sim_free(stage->changes);
    sim_free(stage->address_changes);
}
