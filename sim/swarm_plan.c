/* From a seed to a story: the topology, the options of the hosts, who talks to whom, and what goes wrong. */
#include <stdio.h>
#include <string.h>

#include "sim/swarm_draw.h"

#define HEAL_MIN_NS (3 * NS_PER_S)
#define HEAL_MAX_NS (12 * NS_PER_S)
/* RFC 9293 3.8.3 lets a connection try for minutes; whatever is still alive afterwards must have recovered. */
#define PATIENCE_NS (400 * NS_PER_S)
/* TIME-WAIT and a linger after the last flow. */
#define AFTERMATH_NS (200 * NS_PER_S)
#define FLOWS_MAX 4u
#define PORT_FIRST 5001u

static void choose_options(struct scenario *s, struct prng *rng)
{
    for (size_t i = 0; i < s->host_count; i++) {
        struct host_spec *host = &s->hosts[i];
        host->options.checksum_required = one_in(rng, 4);
        host->options.no_mptcp = one_in(rng, 12);
        snprintf(host->congestion_name, sizeof host->congestion_name, "%s", one_in(rng, 3) ? "reno" : "cubic");
    }
}

/* Drawn last, so that it changes nothing else of a story. */
static void choose_schedulers(struct scenario *s, struct prng *rng)
{
    for (size_t i = 0; i < s->host_count; i++)
        if (one_in(rng, 6))
            s->hosts[i].options.scheduler = hawser_scheduler_find("redundant");
}

/* Likewise. */
static void choose_controllers(struct scenario *s, struct prng *rng)
{
    for (size_t i = 0; i < s->host_count; i++)
        if (one_in(rng, 3))
            snprintf(s->hosts[i].congestion_name, sizeof s->hosts[i].congestion_name, "bbr");
}

/* Half of them long enough to meet the faults. */
static uint64_t random_size(struct prng *rng)
{
    return one_in(rng, 2) ? between_log(rng, 1, 3000000) : between_log(rng, 200000, 4000000);
}

/* The ends of a route. Without an address of its own the client takes its first, or the one on the server's network. */
static void choose_route(struct swarm_plan *plan, struct prng *rng, struct flow_plan *flow)
{
    const struct scenario *s = &plan->base;
    unsigned route = one_in(rng, 3) ? (unsigned)prng_below(rng, plan->route_count) : 0;
    for (size_t i = 0; i < s->link_count; i++) {
        const struct wire_spec *link = &s->links[i];
        if (!(plan->routes[route] >> i & 1))
            continue;
        if (link->address_count[0] && route > 0)
            flow->options[FLOW_CLIENT].local = link->addresses[0][0];
        if (link->address_count[1])
            flow->server_addr = link->addresses[1][0];
    }
}

static void choose_traffic(struct flow_plan *plan, struct prng *rng)
{
    plan->start_ns = one_in(rng, 3) ? between(rng, 0, 3 * NS_PER_S) : 0;
    plan->rounds = one_in(rng, 2) ? (uint32_t)between_log(rng, 1, 64) : 1;
    plan->request_bytes = one_in(rng, 6) ? 0 : random_size(rng) / plan->rounds + 1;
    plan->response_bytes = one_in(rng, 6) ? 0 : random_size(rng) / plan->rounds + 1;
    plan->pause_ns = one_in(rng, 2) ? between_log(rng, NS_PER_MS, 2 * NS_PER_S) : 0;
    plan->duplex = one_in(rng, 4);
}

/* A call and an answer, again and again, from the start until long after the peace is over. */
static void choose_lasting_traffic(struct flow_plan *plan, struct prng *rng)
{
    plan->start_ns = 0;
    plan->rounds = (uint32_t)between(rng, 16, 64);
    plan->pause_ns = between(rng, NS_PER_S / 2, 2 * NS_PER_S);
    plan->request_bytes = between_log(rng, 1, 100000);
    plan->response_bytes = between_log(rng, 1, 100000);
    plan->duplex = false;
}

static void choose_flow(struct swarm_plan *plan, struct prng *rng, unsigned index)
{
    char name[16];
    snprintf(name, sizeof name, "flow%u", index);
    struct flow_plan *flow = &scenario_add_flow(&plan->base, name, "client", "server")->plan;
    choose_route(plan, rng, flow);
    flow->server_addr.port = (uint16_t)(PORT_FIRST + index);
    if (plan->peace)
        choose_lasting_traffic(flow, rng);
    else
        choose_traffic(flow, rng);
    for (unsigned side = 0; side < 2; side++) {
        struct hawser_conn_options *options = &flow->options[side];
        if (one_in(rng, 2))
            options->recv_buffer_bytes = (uint32_t)between_log(rng, 8192, 4000000);
        if (one_in(rng, 2))
            options->send_buffer_bytes = (uint32_t)between_log(rng, 8192, 4000000);
        options->no_mptcp = one_in(rng, 16);
    }
}

static bool is_kind(const struct swarm_fault *fault, const char *kind)
{
    return is_box_fault(fault) && strcmp(fault->box.kind, kind) == 0;
}

/* A proxy that acknowledged bytes and throws them away because somebody forged a RST: no end can ever know. */
static void keep_liars_apart(struct swarm_plan *plan)
{
    bool resets = false;
    for (unsigned i = 0; i < plan->fault_count; i++)
        resets |= is_kind(&plan->faults[i], "rst-injector");
    for (unsigned i = 0; resets && i < plan->fault_count; i++)
        if (is_kind(&plan->faults[i], "acking-proxy"))
            plan->faults[i].enabled = false;
}

void swarm_plan_make(struct swarm_plan *plan, uint64_t seed)
{
    struct prng rng;
    memset(plan, 0, sizeof *plan);
    prng_seed(&rng, seed);
    plan->seed = seed;
    plan->peace = one_in(&rng, 8);
    plan->heal_ns = between(&rng, HEAL_MIN_NS, HEAL_MAX_NS) + (plan->peace ? PEACE_NS : 0);
    plan->v6 = one_in(&rng, 3);
    struct scenario *s = &plan->base;
    scenario_init(s);
    snprintf(s->name, sizeof s->name, "swarm");
    s->wrap_soon = one_in(&rng, 2);
    s->heal_ns = plan->heal_ns;
    s->patience_ns = PATIENCE_NS;
    s->duration_ns = plan->heal_ns + PATIENCE_NS + AFTERMATH_NS;
    swarm_draw_topology(plan, &rng);
    swarm_draw_ways(plan);
    swarm_draw_policies(plan);
    choose_options(s, &rng);
    unsigned flows = one_in(&rng, 2) ? 1 : (unsigned)between(&rng, 1, FLOWS_MAX);
    for (unsigned i = 0; i < flows; i++)
        choose_flow(plan, &rng, i);
    swarm_draw_faults(plan, &rng);
    keep_liars_apart(plan);
    choose_schedulers(s, &rng);
    choose_controllers(s, &rng);
    swarm_draw_habits(plan);
    swarm_draw_flaps(plan);
}

void swarm_plan_fini(struct swarm_plan *plan) { scenario_fini(&plan->base); }
