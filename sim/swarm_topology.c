/* The hosts of a story, what is between them, and which ways lead from one to the other. */
#include <stdio.h>
#include <string.h>

#include "sim/memory.h"
#include "sim/swarm_draw.h"

#define TRACE_TIMES_MAX 24u
#define PACKET_BITS 12000u
#define CHAIN_DELAY_MAX_NS (20 * NS_PER_MS)
#define LINK_DELAY_MAX_NS (200 * NS_PER_MS)

/* ---- links ---- */

/* A link of varying rate: opportunities of a packet each, somewhere in a period. */
static const struct rate_trace *random_trace(struct scenario *s, struct prng *rng, uint64_t rate_bps)
{
    struct rate_trace *trace = sim_new(sizeof *trace);
    uint32_t count = (uint32_t)between(rng, 2, TRACE_TIMES_MAX);
    uint64_t period_ms = HW_MAX(count * UINT64_C(1000) * PACKET_BITS / rate_bps, UINT64_C(2));
    uint64_t at_ms = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t next_ms = at_ms + prng_below(rng, 2 * period_ms / count + 1);
        at_ms = i + 1 == count ? period_ms : HW_MIN(next_ms, period_ms);
        trace->at_ms = sim_grow(trace->at_ms, trace->count, sizeof *trace->at_ms);
        trace->at_ms[trace->count++] = (uint32_t)at_ms;
    }
    return scenario_add_trace(s, trace);
}

static void random_discipline(struct lane_config *lane, struct prng *rng)
{
    uint64_t discipline = prng_below(rng, 8);
    if (discipline == 0) {
        lane->queue.kind = QUEUE_CODEL;
    } else if (discipline == 1) {
        lane->queue.kind = QUEUE_RED;
        lane->queue.red_min_bytes = lane->queue.bytes / 4 + 1;
        lane->queue.red_max_bytes = lane->queue.bytes * 3 / 4 + 2;
        lane->queue.red_max_ppm = 100000;
    }
    lane->queue.ecn = discipline <= 1 && one_in(rng, 2);
}

static struct lane_config random_lane(struct scenario *s, struct prng *rng, uint64_t delay_max_ns)
{
    struct lane_config lane = {
        .rate_bps = between_log(rng, 1000000, 200000000),
        .delay_ns = between_log(rng, 100 * NS_PER_US, delay_max_ns),
    };
    uint64_t round_trip_bytes = lane.rate_bps / 8 * (2 * lane.delay_ns / NS_PER_US) / 1000000;
    lane.queue.bytes = HW_MAX(round_trip_bytes * between(rng, 1, 8) / 4, UINT64_C(6000));
    random_discipline(&lane, rng);
    if (one_in(rng, 16)) {
        lane.trace = random_trace(s, rng, HW_MIN(lane.rate_bps, UINT64_C(20000000)));
        lane.rate_bps = 0;
    }
    return lane;
}

static void add_address(struct wire_spec *link, unsigned end, bool v6, unsigned network, unsigned host)
{
    char text[HAWSER_ADDR_STRLEN];
    snprintf(text, sizeof text, v6 ? "fd00:%u::%u" : "10.0.%u.%u", network, host);
    wire_spec_add_address(link, end, text);
}

/* A link called KIND and a number. */
static struct wire_spec *add_link(struct swarm_plan *plan, const char *kind, unsigned i, const char *end0,
                                  const char *end1, uint32_t mtu)
{
    char name[NODE_NAME_MAX];
    snprintf(name, sizeof name, "%s%u", kind, i);
    struct wire_spec *link = scenario_add_link(&plan->base, name, end0, end1);
    link->mtu = mtu;
    return link;
}

static void draw_lanes(struct swarm_plan *plan, struct wire_spec *link, struct prng *rng, uint64_t delay_max_ns)
{
    link->lanes[0] = random_lane(&plan->base, rng, delay_max_ns);
    link->lanes[1] = one_in(rng, 3) ? random_lane(&plan->base, rng, delay_max_ns) : link->lanes[0];
}

/* From the client to `to`, or as far as the server itself. */
static void add_path(struct swarm_plan *plan, struct prng *rng, unsigned i, const char *to, uint32_t mtu)
{
    struct wire_spec *link = add_link(plan, "path", i, "client", to, mtu);
    draw_lanes(plan, link, rng, LINK_DELAY_MAX_NS);
    add_address(link, 0, plan->v6, i + 1, 1);
}

/* To the server; mostly without a limit, so that the paths before it are what counts. */
static void add_trunk(struct swarm_plan *plan, struct prng *rng, unsigned i, const char *from, uint32_t mtu)
{
    struct wire_spec *link = add_link(plan, "trunk", i, from, "server", mtu);
    bool bottleneck = one_in(rng, 4);
    for (unsigned end = 0; end < 2; end++)
        link->lanes[end] = bottleneck ? random_lane(&plan->base, rng, LINK_DELAY_MAX_NS)
                                      : (struct lane_config){.delay_ns = 100 * NS_PER_US};
    add_address(link, 1, plan->v6, 100 + i, 2);
}

/* ---- topologies ---- */

static uint32_t bit(size_t link) { return UINT32_C(1) << link; }

static void add_route(struct swarm_plan *plan, uint32_t links)
{
    if (plan->route_count < SWARM_ROUTES_MAX)
        plan->routes[plan->route_count++] = links;
}

/* Each address of either host hangs on a link of its own to a router in the middle, so that both ways of a subflow take
 * the same links. */
static void build_router(struct swarm_plan *plan, struct prng *rng, uint32_t mtu)
{
    unsigned paths = (unsigned)between(rng, 1, SWARM_PATHS_MAX), trunks = (unsigned)between(rng, 1, 2);
    scenario_add_router(&plan->base, "middle");
    for (unsigned i = 0; i < paths; i++)
        add_path(plan, rng, i, "middle", mtu);
    for (unsigned i = 0; i < trunks; i++)
        add_trunk(plan, rng, i, "middle", mtu);
    for (unsigned i = 0; i < paths; i++)
        for (unsigned k = 0; k < trunks; k++)
            add_route(plan, bit(i) | bit(paths + k));
}

static void build_separate(struct swarm_plan *plan, struct prng *rng, uint32_t mtu)
{
    unsigned networks = (unsigned)between(rng, 2, 3);
    for (unsigned i = 0; i < networks; i++) {
        char router[NODE_NAME_MAX];
        snprintf(router, sizeof router, "middle%u", i);
        scenario_add_router(&plan->base, router);
        add_path(plan, rng, i, router, mtu);
        add_trunk(plan, rng, i, router, mtu);
        add_route(plan, bit(2 * i) | bit(2 * i + 1));
    }
}

static void build_chain(struct swarm_plan *plan, struct prng *rng, uint32_t mtu)
{
    unsigned paths = (unsigned)between(rng, 1, 3), hops = (unsigned)between(rng, 1, 3);
    unsigned trunks = (unsigned)between(rng, 1, 2);
    uint32_t shared = 0;
    char router[NODE_NAME_MAX], next[NODE_NAME_MAX] = "middle0";
    scenario_add_router(&plan->base, next);
    for (unsigned i = 0; i < paths; i++)
        add_path(plan, rng, i, next, mtu);
    for (unsigned i = 0; i < hops; i++) {
        memcpy(router, next, sizeof router);
        snprintf(next, sizeof next, "middle%u", i + 1);
        scenario_add_router(&plan->base, next);
        shared |= bit(plan->base.link_count);
        draw_lanes(plan, add_link(plan, "bottleneck", i, router, next, mtu), rng, CHAIN_DELAY_MAX_NS);
    }
    for (unsigned i = 0; i < trunks; i++)
        add_trunk(plan, rng, i, next, mtu);
    for (unsigned i = 0; i < paths; i++)
        for (unsigned k = 0; k < trunks; k++)
            add_route(plan, bit(i) | shared | bit(paths + hops + k));
}

static void build_direct(struct swarm_plan *plan, struct prng *rng, uint32_t mtu)
{
    unsigned links = (unsigned)between(rng, 1, 3);
    for (unsigned i = 0; i < links; i++) {
        add_path(plan, rng, i, "server", mtu);
        add_address(&plan->base.links[i], 1, plan->v6, i + 1, 2);
        add_route(plan, bit(i));
    }
}

void swarm_draw_topology(struct swarm_plan *plan, struct prng *rng)
{
    uint32_t mtu = one_in(rng, 4) ? (uint32_t)between(rng, 1280, 9000) : 1500;
    uint64_t kind = prng_below(rng, 10);
    scenario_add_host(&plan->base, "client");
    scenario_add_host(&plan->base, "server");
    plan->topology = kind < 2   ? TOPOLOGY_SEPARATE
                     : kind < 4 ? TOPOLOGY_CHAIN
                     : kind < 6 ? TOPOLOGY_DIRECT
                                : TOPOLOGY_ROUTER;
    switch (plan->topology) {
    case TOPOLOGY_SEPARATE:
        build_separate(plan, rng, mtu);
        break;
    case TOPOLOGY_CHAIN:
        build_chain(plan, rng, mtu);
        break;
    case TOPOLOGY_DIRECT:
        build_direct(plan, rng, mtu);
        break;
    default:
        build_router(plan, rng, mtu);
        break;
    }
}

static bool has(const struct wire_spec *link, unsigned end, const struct hawser_addr *addr)
{
    return link->address_count[end] && hawser_addr_same_ip(&link->addresses[end][0], addr);
}

bool swarm_is_bound(const struct flow_plan *flow)
{
    static const struct hawser_addr none;
    return !hawser_addr_same_ip(&flow->options[FLOW_CLIENT].local, &none);
}

bool swarm_serves(const struct swarm_plan *plan, unsigned route, const struct flow_plan *flow)
{
    const struct scenario *s = &plan->base;
    bool from = !swarm_is_bound(flow), to = false;
    for (size_t k = 0; k < s->link_count; k++)
        if (plan->routes[route] >> k & 1) {
            from |= has(&s->links[k], 0, &flow->options[FLOW_CLIENT].local);
            to |= has(&s->links[k], 1, &flow->server_addr);
        }
    return from && to;
}

uint32_t swarm_first_route(const struct swarm_plan *plan, const struct flow_plan *flow)
{
    for (unsigned i = 0; i < plan->route_count; i++)
        if (swarm_serves(plan, i, flow))
            return plan->routes[i];
    return 0;
}

/* Of a packet of a handshake. */
#define HANDSHAKE_BITS 1000u

uint64_t swarm_round_trip_ns(const struct swarm_plan *plan, uint32_t route)
{
    uint64_t sum_ns = 0;
    for (size_t k = 0; k < plan->base.link_count; k++)
        for (unsigned lane = 0; lane < 2 && route >> k & 1; lane++) {
            const struct lane_config *config = &plan->base.links[k].lanes[lane];
            if (config->trace)
                return TIME_NEVER;
            sum_ns += config->delay_ns;
            sum_ns += config->rate_bps ? HANDSHAKE_BITS * NS_PER_S / config->rate_bps : 0;
        }
    return sum_ns;
}
