/* From a seed to a story: the topology, the options of the hosts, who talks to whom, and what goes wrong. */
#include <stdio.h>
#include <string.h>

#include "base/units.h"
#include "sim/memory.h"
#include "sim/swarm.h"

#define HEAL_MIN_NS (3 * NS_PER_S)
#define HEAL_MAX_NS (12 * NS_PER_S)
/* RFC 9293 3.8.3 lets a connection try for minutes; whatever is still alive afterwards must have recovered. */
#define PATIENCE_NS (400 * NS_PER_S)
/* TIME-WAIT and a linger after the last flow. */
#define AFTERMATH_NS (200 * NS_PER_S)
#define FLOWS_MAX 4u
#define KEEPALIVE_IDLE_NS (60 * NS_PER_S)
#define KEEPALIVE_INTERVAL_NS (10 * NS_PER_S)
#define KEEPALIVE_TRIES 5
#define PORT_FIRST 5001u

static uint64_t between(struct prng *rng, uint64_t low, uint64_t high) { return low + prng_below(rng, high - low + 1); }

static bool one_in(struct prng *rng, uint32_t n) { return prng_below(rng, n) == 0; }

/* Any order of magnitude between the two is as likely as any other. */
static uint64_t between_log(struct prng *rng, uint64_t low, uint64_t high)
{
    unsigned doublings = 0;
    while (low << (doublings + 1) <= high)
        doublings++;
    uint64_t floor = low << prng_below(rng, doublings + 1u);
    return between(rng, floor, HW_MIN(2 * floor, high));
}

/* ---- topology ---- */

static struct lane_config random_lane(struct prng *rng)
{
    struct lane_config lane = {
        .rate_bps = between_log(rng, 1000000, 200000000),
        .delay_ns = between_log(rng, 100 * NS_PER_US, 200 * NS_PER_MS),
    };
    uint64_t round_trip_bytes = lane.rate_bps / 8 * (2 * lane.delay_ns / NS_PER_US) / 1000000;
    lane.queue.bytes = HW_MAX(round_trip_bytes * between(rng, 1, 8) / 4, UINT64_C(6000));
    uint64_t discipline = prng_below(rng, 8);
    if (discipline == 0) {
        lane.queue.kind = QUEUE_CODEL;
    } else if (discipline == 1) {
        lane.queue.kind = QUEUE_RED;
        lane.queue.red_min_bytes = lane.queue.bytes / 4 + 1;
        lane.queue.red_max_bytes = lane.queue.bytes * 3 / 4 + 2;
        lane.queue.red_max_ppm = 100000;
    }
    return lane;
}

static void add_address(struct wire_spec *link, unsigned end, bool v6, unsigned network, unsigned host)
{
    char text[HAWSER_ADDR_STRLEN];
    snprintf(text, sizeof text, v6 ? "fd00:%u::%u" : "10.0.%u.%u", network, host);
    wire_spec_add_address(link, end, text);
}

/* Each address of either host hangs on a link of its own to a router in the middle, so that both ways of a subflow take
 * the same links. */
static void build_topology(struct scenario *s, struct prng *rng, bool v6)
{
    unsigned paths = (unsigned)between(rng, 1, SWARM_PATHS_MAX), trunks = (unsigned)between(rng, 1, 2);
    uint32_t mtu = one_in(rng, 4) ? (uint32_t)between(rng, 1280, 9000) : 1500;
    scenario_add_host(s, "client");
    scenario_add_host(s, "server");
    scenario_add_router(s, "middle");
    for (unsigned i = 0; i < paths; i++) {
        char name[16];
        snprintf(name, sizeof name, "path%u", i);
        struct wire_spec *link = scenario_add_link(s, name, "client", "middle");
        link->lanes[0] = random_lane(rng);
        link->lanes[1] = one_in(rng, 3) ? random_lane(rng) : link->lanes[0];
        link->mtu = mtu;
        add_address(link, 0, v6, i + 1, 1);
    }
    for (unsigned i = 0; i < trunks; i++) {
        char name[16];
        snprintf(name, sizeof name, "trunk%u", i);
        struct wire_spec *link = scenario_add_link(s, name, "middle", "server");
        bool bottleneck = one_in(rng, 4);
        for (unsigned end = 0; end < 2; end++)
            link->lanes[end] = bottleneck ? random_lane(rng) : (struct lane_config){.delay_ns = 100 * NS_PER_US};
        link->mtu = mtu;
        add_address(link, 1, v6, 100 + i, 2);
    }
}

static void choose_options(struct scenario *s, struct prng *rng)
{
    for (size_t i = 0; i < s->host_count; i++) {
        struct host_spec *host = &s->hosts[i];
        host->options.checksum_required = one_in(rng, 4);
        host->options.no_mptcp = one_in(rng, 12);
        snprintf(host->congestion_name, sizeof host->congestion_name, "%s", one_in(rng, 3) ? "reno" : "cubic");
    }
}

/* ---- workload ---- */

/* Half of them long enough to meet the faults. */
static uint64_t random_size(struct prng *rng)
{
    return one_in(rng, 2) ? between_log(rng, 1, 3000000) : between_log(rng, 200000, 4000000);
}

static void choose_flow(struct scenario *s, struct prng *rng, unsigned index, bool v6)
{
    char name[16], text[HAWSER_ADDR_STRLEN];
    snprintf(name, sizeof name, "flow%u", index);
    struct flow_plan *plan = &scenario_add_flow(s, name, "client", "server")->plan;
    snprintf(text, sizeof text, v6 ? "fd00:100::2" : "10.0.100.2");
    hawser_addr_parse(&plan->server_addr, text, (uint16_t)(PORT_FIRST + index));
    plan->start_ns = one_in(rng, 3) ? between(rng, 0, 3 * NS_PER_S) : 0;
    plan->rounds = one_in(rng, 2) ? (uint32_t)between_log(rng, 1, 64) : 1;
    plan->request_bytes = one_in(rng, 6) ? 0 : random_size(rng) / plan->rounds + 1;
    plan->response_bytes = one_in(rng, 6) ? 0 : random_size(rng) / plan->rounds + 1;
    plan->pause_ns = one_in(rng, 2) ? between_log(rng, NS_PER_MS, 2 * NS_PER_S) : 0;
    plan->duplex = one_in(rng, 4);
    for (unsigned side = 0; side < 2; side++) {
        struct hawser_conn_options *options = &plan->options[side];
        options->keepalive_idle_ns = KEEPALIVE_IDLE_NS; /* no end may wait in vain */
        options->keepalive_interval_ns = KEEPALIVE_INTERVAL_NS;
        options->keepalive_tries = KEEPALIVE_TRIES;
        if (one_in(rng, 2))
            options->recv_buffer_bytes = (uint32_t)between_log(rng, 8192, 4000000);
        if (one_in(rng, 2))
            options->send_buffer_bytes = (uint32_t)between_log(rng, 8192, 4000000);
    }
}

/* ---- faults ---- */

static struct swarm_fault *add_fault(struct swarm_plan *plan, struct prng *rng, enum swarm_fault_kind kind)
{
    if (plan->fault_count == SWARM_FAULTS_MAX)
        return NULL;
    struct swarm_fault *fault = &plan->faults[plan->fault_count++];
    *fault = (struct swarm_fault){.kind = kind, .enabled = true, .lanes = (unsigned)between(rng, 1, 3)};
    fault->target = (unsigned)prng_below(rng, plan->base.link_count);
    fault->from_ns = one_in(rng, 3) ? 0 : between(rng, 0, plan->heal_ns * 3 / 4);
    fault->to_ns = one_in(rng, 2) ? plan->heal_ns : between(rng, fault->from_ns, plan->heal_ns);
    return fault;
}

static void add_link_fault(struct swarm_plan *plan, struct prng *rng)
{
    enum swarm_fault_kind kind = (enum swarm_fault_kind)between(rng, FAULT_LOSS, FAULT_QUEUE);
    struct swarm_fault *fault = add_fault(plan, rng, kind);
    if (!fault)
        return;
    fault->ppm = (uint32_t)between_log(rng, 1000, 300000);
    fault->ns = between_log(rng, NS_PER_MS, 200 * NS_PER_MS);
}

/* Those that change the stream itself are not among them, as no transport could tell; nor is the proxy that
 * acknowledges early: what it promised and then cannot deliver is lost to plain TCP. */
static const char *const box_names[] = {
    "nat",       "firewall",        "seq-randomiser", "option-stripper", "option-duplicator", "splitter",
    "coalescer", "window-shrinker", "rst-injector",   "icmp-sender",     "syn-dropper",       "dropper",
    "replayer",  "token-guesser",   "blind-injector", "onpath-attacker",
};

static bool box_exists(const char *name)
{
    for (const struct box_kind *kind = box_kinds(); kind->name; kind++)
        if (strcmp(kind->name, name) == 0)
            return true;
    return false;
}

static void add_box_fault(struct swarm_plan *plan, struct prng *rng, bool v6)
{
    const char *name = box_names[prng_below(rng, HW_ARRAY_LEN(box_names))];
    struct swarm_fault *fault = add_fault(plan, rng, FAULT_BOX);
    if (!fault)
        return;
    struct box_config *box = &fault->box;
    snprintf(box->kind, sizeof box->kind, "%s", name);
    box->direction = (enum box_direction)prng_below(rng, 3);
    box->syn_only = one_in(rng, 3);
    box->data_only = !box->syn_only && one_in(rng, 3);
    box->ppm = one_in(rng, 2) ? 0 : (uint32_t)between_log(rng, 1000, PPM_ALL);
    box->amount = one_in(rng, 2) ? 0 : (uint32_t)between_log(rng, 1, 4096);
    box->period_ns = one_in(rng, 2) ? 0 : between_log(rng, 10 * NS_PER_MS, 5 * NS_PER_S);
    fault->box_faces_server = one_in(rng, 4);
    fault->enabled = box_exists(name) && !(v6 && strcmp(name, "nat") == 0);
    if (strcmp(name, "nat") == 0) { /* stands for one client link for ever, as NATs do */
        char text[HAWSER_ADDR_STRLEN];
        fault->target %= (unsigned)plan->base.link_count;
        snprintf(text, sizeof text, "10.1.%u.1", fault->target);
        hawser_addr_parse(&box->addr, text, 0);
        fault->box_faces_server = false;
        fault->enabled = fault->enabled && strncmp(plan->base.links[fault->target].name, "path", 4) == 0;
    }
}

static void add_program_fault(struct swarm_plan *plan, struct prng *rng)
{
    enum swarm_fault_kind kind = (enum swarm_fault_kind)between(rng, FAULT_MEMORY, FAULT_ADDRESS);
    struct swarm_fault *fault = add_fault(plan, rng, kind);
    if (!fault)
        return;
    const struct scenario *s = &plan->base;
    if (kind != FAULT_ADDRESS)
        fault->target = (unsigned)prng_below(rng, kind == FAULT_MEMORY ? s->host_count : s->flow_count);
    fault->ppm = (uint32_t)between_log(rng, 100, 20000);
    fault->ending = one_in(rng, 2) ? FLOW_HASTY : FLOW_ABORT;
    fault->side = (enum flow_side)prng_below(rng, 2);
    fault->bytes = kind == FAULT_READER ? between_log(rng, 20000, 20000000) : between_log(rng, 1, 1000000);
}

void swarm_plan_make(struct swarm_plan *plan, uint64_t seed)
{
    struct prng rng;
    memset(plan, 0, sizeof *plan);
    prng_seed(&rng, seed);
    plan->seed = seed;
    plan->heal_ns = between(&rng, HEAL_MIN_NS, HEAL_MAX_NS);
    struct scenario *s = &plan->base;
    scenario_init(s);
    snprintf(s->name, sizeof s->name, "swarm");
    bool v6 = one_in(&rng, 3);
    s->wrap_soon = one_in(&rng, 2);
    s->heal_ns = plan->heal_ns;
    s->patience_ns = PATIENCE_NS;
    s->duration_ns = plan->heal_ns + PATIENCE_NS + AFTERMATH_NS;
    build_topology(s, &rng, v6);
    choose_options(s, &rng);
    unsigned flows = one_in(&rng, 2) ? 1 : (unsigned)between(&rng, 1, FLOWS_MAX);
    for (unsigned i = 0; i < flows; i++)
        choose_flow(s, &rng, i, v6);
    unsigned link_faults = (unsigned)between(&rng, 0, 10), boxes = one_in(&rng, 2) ? (unsigned)between(&rng, 0, 3) : 0;
    for (unsigned i = 0; i < link_faults; i++)
        add_link_fault(plan, &rng);
    for (unsigned i = 0; i < boxes; i++)
        add_box_fault(plan, &rng, v6);
    for (unsigned i = (unsigned)prng_below(&rng, 3); i > 0; i--)
        add_program_fault(plan, &rng);
}

void swarm_plan_fini(struct swarm_plan *plan) { scenario_fini(&plan->base); }
