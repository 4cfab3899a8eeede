/*
 * What programs and their hosts are like, beside what goes wrong: drawn from streams of their own, so that the rest of
 * a story does not change with them.
 */
#include <stdio.h>
#include <string.h>

#include "sim/swarm_draw.h"

#define ADDRESSES_MIN 20u /* of a client that has many */
#define ADDRESSES_FROM 100u
#define UNEQUAL_BYTES_MIN 4000000u
#define UNEQUAL_BYTES_MAX 16000000u

/* One of the streams. */
static void begin(const struct swarm_plan *plan, struct prng *rng, uint64_t stream)
{
    prng_seed(rng, ~plan->seed ^ stream << 48);
}

static bool is_path(const struct wire_spec *link) { return strncmp(link->name, "path", 4) == 0; }

/* ---- ways ---- */

/* The client gets more addresses on each of its links, twenty in all at least. */
static void give_many_addresses(struct swarm_plan *plan)
{
    unsigned paths = 0;
    for (size_t i = 0; i < plan->base.link_count; i++)
        paths += is_path(&plan->base.links[i]);
    unsigned each = HW_MIN(ADDRESSES_MIN / paths + 1, (unsigned)SCENARIO_ADDRESSES_MAX);
    for (size_t i = 0; i < plan->base.link_count; i++)
        for (unsigned k = 1; k < each && is_path(&plan->base.links[i]); k++) {
            struct wire_spec *link = &plan->base.links[i];
            struct hawser_addr *addr = &link->addresses[0][link->address_count[0]++];
            *addr = link->addresses[0][0];
            addr->ip[15] = (uint8_t)(ADDRESSES_FROM + k);
        }
}

/* Twenty milliseconds of queue at least. */
static void deepen(struct lane_config *lane)
{
    if (lane->rate_bps)
        lane->queue.bytes = HW_MAX(lane->queue.bytes, lane->rate_bps / 8 / 50);
}

/* One path is short and fast, the others are thin, long, and have seconds of queue. What is beyond is no bottleneck
 * that holds a packet or two, by which a long flow would take the whole story. */
static void make_unequal(struct swarm_plan *plan, struct prng *rng)
{
    uint64_t fast = prng_below(rng, plan->route_count);
    for (size_t i = 0, path = 0; i < plan->base.link_count; i++) {
        struct wire_spec *link = &plan->base.links[i];
        if (!is_path(link)) {
            deepen(&link->lanes[0]);
            deepen(&link->lanes[1]);
            continue;
        }
        struct lane_config lane = {.rate_bps = between(rng, 2000000, 8000000),
                                   .delay_ns = between(rng, 20 * NS_PER_MS, 150 * NS_PER_MS)};
        lane.queue.bytes = lane.rate_bps / 8 * between(rng, 1, 4);
        if (path++ == fast) {
            lane.rate_bps = between(rng, 50000000, 200000000);
            lane.delay_ns = between(rng, NS_PER_MS, 5 * NS_PER_MS);
            lane.queue.bytes = lane.rate_bps / 8 / 50;
        }
        link->lanes[0] = link->lanes[1] = lane;
    }
}

void swarm_draw_ways(struct swarm_plan *plan)
{
    struct prng rng;
    begin(plan, &rng, 1);
    if (one_in(&rng, 12) && plan->topology != TOPOLOGY_CHAIN) {
        plan->unequal = true;
        make_unequal(plan, &rng);
    }
    plan->many_addresses = one_in(&rng, 12);
    if (plan->many_addresses)
        give_many_addresses(plan);
}

/* ---- programs ---- */

static void choose_limits(struct swarm_plan *plan, struct prng *rng, struct flow_plan *flow)
{
    for (unsigned side = 0; side < 2; side++) {
        struct hawser_conn_options *options = &flow->options[side];
        if (one_in(rng, 4))
            options->send_low_water_bytes = (uint32_t)between_log(rng, 1, 1000000);
        if (one_in(rng, 8))
            options->max_subflows = (uint32_t)between_log(rng, 1, 32);
        if (plan->many_addresses && one_in(rng, 2))
            options->max_subflows = 32;
    }
}

/* Long enough for the queues to fill, by ends that have the buffers for it. */
static void make_long(struct prng *rng, struct flow_plan *flow)
{
    for (unsigned side = 0; side < 2; side++)
        flow->options[side].send_buffer_bytes = flow->options[side].recv_buffer_bytes = 0;
    uint64_t bytes = between(rng, UNEQUAL_BYTES_MIN, UNEQUAL_BYTES_MAX);
    bool up = one_in(rng, 2);
    flow->rounds = 1;
    flow->request_bytes = up ? bytes : 1000;
    flow->response_bytes = up ? 1000 : bytes;
}

void swarm_draw_habits(struct swarm_plan *plan)
{
    struct prng rng;
    begin(plan, &rng, 0);
    for (size_t i = 0; i < plan->base.flow_count; i++) {
        plan->base.flows[i].plan.by_reference = one_in(&rng, 3);
        plan->base.flows[i].plan.tinkers = one_in(&rng, 4);
    }
    begin(plan, &rng, 2);
    for (size_t i = 0; i < plan->base.flow_count; i++) {
        struct flow_plan *flow = &plan->base.flows[i].plan;
        flow->prioritises = one_in(&rng, 4);
        flow->finishes = one_in(&rng, 4);
        choose_limits(plan, &rng, flow);
        if (plan->unequal && !plan->peace && i == 0)
            make_long(&rng, flow);
    }
}

/* ---- hosts ---- */

/* The network that the address is on, or the address alone. */
static void add_prefix(struct host_prefixes *prefixes, const struct hawser_addr *addr, bool alone)
{
    if (prefixes->count == HOST_PREFIXES_MAX)
        return;
    struct hawser_prefix *prefix = &prefixes->list[prefixes->count++];
    prefix->addr = *addr;
    prefix->addr.port = 0;
    prefix->bits = alone ? 128 : 64;
    if (hawser_addr_is_v4(addr))
        prefix->bits = alone ? 32 : 24;
}

/* Of addresses of either host, as they stand on the links. */
static void choose_prefixes(const struct scenario *s, struct prng *rng, struct host_prefixes *prefixes)
{
    for (size_t i = 0; i < s->link_count; i++)
        for (unsigned end = 0; end < 2; end++)
            if (s->links[i].address_count[end] && one_in(rng, 2))
                add_prefix(prefixes, &s->links[i].addresses[end][0], one_in(rng, 3));
}

/* A server has one of the first two where it has more than one address: who does not announce its addresses leaves its
 * peers without a way when the first one goes. */
static void choose_path_managers(struct scenario *s, struct prng *rng)
{
    static const char *const names[] = {"fullmesh", "backup", "ports", "on-demand"};
    unsigned of_server = 0;
    for (size_t i = 0; i < s->link_count; i++)
        of_server += s->links[i].address_count[1];
    for (size_t i = 0; i < s->host_count; i++)
        if (one_in(rng, 8))
            snprintf(s->hosts[i].path_manager_name, sizeof s->hosts[i].path_manager_name, "%s",
                     names[prng_below(rng, i == 0 || of_server == 1 ? HW_ARRAY_LEN(names) : 2)]);
}

void swarm_draw_policies(struct swarm_plan *plan)
{
    struct scenario *s = &plan->base;
    struct prng rng;
    begin(plan, &rng, 3);
    choose_path_managers(s, &rng);
    for (size_t i = 0; i < s->host_count; i++) {
        if (one_in(&rng, 10))
            choose_prefixes(s, &rng, &s->hosts[i].deny);
        if (one_in(&rng, 10))
            choose_prefixes(s, &rng, &s->hosts[i].allow);
        if (one_in(&rng, 10))
            choose_prefixes(s, &rng, &s->hosts[i].backup);
    }
}
