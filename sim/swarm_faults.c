/* What goes wrong in a story. */
#include <stdio.h>
#include <string.h>

#include "sim/swarm_draw.h"

#define IDLE_MIN_NS (65 * NS_PER_S)
#define IDLE_MAX_NS (600 * NS_PER_S)
/* Of a crowd of many, whom the memory is too little, so that some may be refused. */
#define CROWD_MIN 20u
#define CROWD_MAX 60u
#define CROWD_MEMORY_MIN 262144u
#define CROWD_MEMORY_MAX 1048576u
/* Of a crowd that has enough of it for what each must hold. */
#define FAIR_CROWD_MAX 30u
#define FAIR_SHARE_MAX (2 * SWARM_SHARE_BYTES)
#define ADDRESS_TRIES 4
/* What an ICMP sender may say. */
#define ICMP_AMOUNTS 6u
/* No path is narrower (RFC 791; RFC 8200 5). */
#define NARROW_V4 576u
#define NARROW_V6 1280u
/* Before there are subflows one would change nothing. */
#define BLINK_MIN_NS (50 * NS_PER_MS)

static struct swarm_fault *add_fault(struct swarm_plan *plan, struct prng *rng, enum swarm_fault_kind kind)
{
    if (plan->fault_count == SWARM_FAULTS_MAX)
        return NULL;
    struct swarm_fault *fault = &plan->faults[plan->fault_count++];
    *fault = (struct swarm_fault){.kind = kind, .enabled = true, .lanes = (unsigned)between(rng, 1, 3)};
    fault->target = (unsigned)prng_below(rng, plan->base.link_count);
    uint64_t earliest = plan->peace ? PEACE_NS : 0, latest = HW_MAX(plan->heal_ns * 3 / 4, earliest);
    fault->from_ns = one_in(rng, 3) ? earliest : between(rng, earliest, latest);
    fault->to_ns = one_in(rng, 2) ? plan->heal_ns : between(rng, fault->from_ns + NS_PER_MS, plan->heal_ns);
    return fault;
}

/* ---- links ---- */

static uint32_t link_mtu(const struct swarm_plan *plan, unsigned link)
{
    return HW_MAX(plan->base.links[link].mtu, NARROW_V6 + 1u);
}

static void add_link_fault(struct swarm_plan *plan, struct prng *rng)
{
    enum swarm_fault_kind kind = (enum swarm_fault_kind)between(rng, FAULT_LOSS, FAULT_QUEUE);
    struct swarm_fault *fault = add_fault(plan, rng, kind);
    if (!fault)
        return;
    fault->ppm = (uint32_t)between_log(rng, 1000, 300000);
    fault->ns = between_log(rng, NS_PER_MS, 200 * NS_PER_MS);
    if (kind == FAULT_NARROW)
        fault->bytes = between(rng, plan->v6 ? NARROW_V6 : NARROW_V4, link_mtu(plan, fault->target) - 1);
}

/* ---- middleboxes ---- */

/* Those that change the stream itself are not among them, as no transport could tell. */
const char *const swarm_boxes[SWARM_BOX_KINDS] = {
    "option-stripper",   "acking-proxy",   "syn-dropper",     "firewall", "window-shrinker", "splitter",    "coalescer",
    "option-duplicator", "seq-randomiser", "dropper",         "nat",      "rst-injector",    "icmp-sender", "replayer",
    "token-guesser",     "blind-injector", "onpath-attacker",
};
bool swarm_box_may_stay(const char *kind)
{
    for (unsigned i = 0; i < SWARM_BOXES_THAT_STAY; i++)
        if (strcmp(swarm_boxes[i], kind) == 0)
            return true;
    return false;
}

static void random_box(struct box_config *box, struct prng *rng, const char *kind)
{
    snprintf(box->kind, sizeof box->kind, "%s", kind);
    box->direction = (enum box_direction)prng_below(rng, 3);
    box->syn_only = one_in(rng, 3);
    box->data_only = !box->syn_only && one_in(rng, 3);
    box->ppm = one_in(rng, 2) ? 0 : (uint32_t)between_log(rng, 1000, PPM_ALL);
    box->amount = one_in(rng, 2) ? 0 : (uint32_t)between_log(rng, 1, 4096);
    box->period_ns = one_in(rng, 2) ? 0 : between_log(rng, 10 * NS_PER_MS, 5 * NS_PER_S);
}

static bool is_client_link(const struct swarm_plan *plan, unsigned link)
{
    return strncmp(plan->base.links[link].name, "path", 4) == 0;
}

/* It stands for one client link for ever, as NATs do. */
static void make_nat(struct swarm_plan *plan, struct swarm_fault *fault)
{
    char text[HAWSER_ADDR_STRLEN];
    snprintf(text, sizeof text, "10.1.%u.1", fault->target);
    hawser_addr_parse(&fault->box.addr, text, 0);
    fault->box_faces_server = false;
    fault->enabled = !plan->v6 && is_client_link(plan, fault->target);
}

static void add_box_fault(struct swarm_plan *plan, struct prng *rng)
{
    const char *kind = one_in(rng, 5) ? "acking-proxy" : swarm_boxes[prng_below(rng, SWARM_BOX_KINDS)];
    struct swarm_fault *fault = add_fault(plan, rng, FAULT_BOX);
    if (!fault)
        return;
    random_box(&fault->box, rng, kind);
    fault->box_faces_server = one_in(rng, 4);
    if (strcmp(kind, "icmp-sender") == 0)
        fault->box.amount = (uint32_t)prng_below(rng, ICMP_AMOUNTS);
    if (strcmp(kind, "nat") == 0)
        make_nat(plan, fault);
}

static uint32_t staying_links(const struct swarm_plan *plan)
{
    uint32_t links = 0;
    for (unsigned i = 0; i < plan->fault_count; i++)
        if (plan->faults[i].kind == FAULT_STAYING)
            links |= UINT32_C(1) << plan->faults[i].target;
    return links;
}

/* A story in which every route stays broken would excuse anything. */
static bool leaves_a_route(const struct swarm_plan *plan, uint32_t broken)
{
    for (unsigned i = 0; i < plan->route_count; i++)
        if ((plan->routes[i] & broken) == 0)
            return true;
    return false;
}

/* What would make a path that stays so slow that nothing ends, is left out. */
static void temper(struct box_config *box, struct prng *rng)
{
    if (strcmp(box->kind, "dropper") == 0) { /* a black hole, perhaps one way only */
        box->amount = box->ppm = 0;
        box->syn_only = box->data_only = false;
    }
    if (strcmp(box->kind, "window-shrinker") == 0)
        box->amount = (uint32_t)between(rng, 4096, 32768);
    if (strcmp(box->kind, "firewall") == 0 && one_in(rng, 2)) /* forgets what is silent */
        box->idle_ns = between(rng, 5 * NS_PER_S, 120 * NS_PER_S);
    if (one_in(rng, 2)) { /* all of it, which middleboxes mostly do */
        box->direction = BOX_BOTH;
        box->ppm = 0;
        box->syn_only = box->data_only = false;
    }
    box->period_ns = HW_MIN(box->period_ns, 50 * NS_PER_MS);
}

static void add_staying_box(struct swarm_plan *plan, struct prng *rng)
{
    unsigned target = (unsigned)prng_below(rng, plan->base.link_count);
    if (!leaves_a_route(plan, staying_links(plan) | UINT32_C(1) << target))
        return;
    struct swarm_fault *fault = add_fault(plan, rng, FAULT_STAYING);
    if (!fault)
        return;
    random_box(&fault->box, rng, one_in(rng, 4) ? "acking-proxy" : swarm_boxes[prng_below(rng, SWARM_BOXES_THAT_STAY)]);
    temper(&fault->box, rng);
    fault->target = target;
    fault->to_ns = 0;
    fault->box_faces_server = one_in(rng, 4);
}

/* ---- hosts and programs ---- */

static void add_program_fault(struct swarm_plan *plan, struct prng *rng)
{
    enum swarm_fault_kind kind = (enum swarm_fault_kind)between(rng, FAULT_MEMORY, FAULT_READER);
    struct swarm_fault *fault = add_fault(plan, rng, kind);
    if (!fault)
        return;
    const struct scenario *s = &plan->base;
    fault->target = (unsigned)prng_below(rng, kind == FAULT_MEMORY ? s->host_count : s->flow_count);
    fault->ppm = (uint32_t)between_log(rng, 100, 20000);
    fault->ending = one_in(rng, 2) ? FLOW_HASTY : FLOW_ABORT;
    fault->side = (enum flow_side)prng_below(rng, 2);
    fault->bytes = kind == FAULT_READER ? between_log(rng, 20000, 20000000) : between_log(rng, 1, 1000000);
}

static void add_idle(struct swarm_plan *plan, struct prng *rng)
{
    struct swarm_fault *fault = add_fault(plan, rng, FAULT_IDLE);
    if (!fault)
        return;
    fault->target = (unsigned)prng_below(rng, plan->base.flow_count);
    fault->before_close = one_in(rng, 2);
    fault->ns = between_log(rng, IDLE_MIN_NS, IDLE_MAX_NS);
}

static void add_crowd(struct swarm_plan *plan, struct prng *rng)
{
    struct swarm_fault *fault = add_fault(plan, rng, FAULT_CROWD);
    if (!fault)
        return;
    bool fair = one_in(rng, 2);
    fault->count = (uint32_t)between(rng, CROWD_MIN, fair ? FAIR_CROWD_MAX : CROWD_MAX);
    uint64_t share = between(rng, SWARM_SHARE_BYTES, FAIR_SHARE_MAX);
    uint64_t memory =
        fair ? share * (fault->count + plan->base.flow_count) : between(rng, CROWD_MEMORY_MIN, CROWD_MEMORY_MAX);
    fault->bytes = memory * between(rng, 3, fair ? 4 : 6) / 2 / fault->count;
    fault->ppm = (uint32_t)memory;
    fault->duplex = one_in(rng, 2);
}

/* ---- addresses ---- */

/* An address of that host, by the link it stands on; the links are tried from a random one on. */
static bool choose_address(const struct swarm_plan *plan, struct prng *rng, const char *host, unsigned *link,
                           unsigned *end)
{
    const struct scenario *s = &plan->base;
    size_t first = prng_below(rng, s->link_count);
    for (size_t i = 0; i < s->link_count; i++) {
        *link = (unsigned)((first + i) % s->link_count);
        for (*end = 0; *end < 2; ++*end)
            if (strcmp(s->links[*link].end[*end], host) == 0)
                return true;
    }
    return false;
}

/* Is there another one that no change takes away? And no change of this one yet, which would tell another story? */
static bool may_change(const struct swarm_plan *plan, const char *host, unsigned link, unsigned end, bool for_good)
{
    const struct scenario *s = &plan->base;
    unsigned addresses = 0;
    for (size_t i = 0; i < s->link_count; i++)
        for (unsigned k = 0; k < 2; k++)
            addresses += strcmp(s->links[i].end[k], host) == 0;
    for (unsigned i = 0; i < plan->fault_count; i++) {
        const struct swarm_fault *fault = &plan->faults[i];
        if (fault->kind != FAULT_ADDRESS || strcmp(s->links[fault->target].end[fault->end], host) != 0)
            continue;
        if (fault->target == link && fault->end == end)
            return false;
        addresses -= fault->change == ADDRESS_GONE;
    }
    return !for_good || addresses > 1;
}

static void add_address_fault(struct swarm_plan *plan, struct prng *rng)
{
    uint64_t drawn = prng_below(rng, ADDRESS_CHANGES + 1);
    enum swarm_address_change change = drawn < ADDRESS_CHANGES ? (enum swarm_address_change)drawn : ADDRESS_GONE;
    unsigned link = 0, end = 0;
    bool found = false;
    for (unsigned tries = 0; tries < ADDRESS_TRIES && !found; tries++) {
        const char *host = plan->base.hosts[prng_below(rng, 2)].name;
        found =
            choose_address(plan, rng, host, &link, &end) && may_change(plan, host, link, end, change == ADDRESS_GONE);
    }
    if (!found)
        return;
    struct swarm_fault *fault = add_fault(plan, rng, FAULT_ADDRESS);
    if (!fault)
        return;
    fault->target = link;
    fault->end = end;
    fault->change = change;
    fault->before_close = one_in(rng, 2);
    fault->count = (uint32_t)between(rng, 2, 8);
    fault->addr = plan->base.links[link].addresses[end][0];
    fault->addr.ip[15] = (uint8_t)(20 + plan->fault_count);
    if (!plan->peace) /* early, when there are subflows to lose */
        fault->from_ns =
            between_log(rng, change == ADDRESS_BLINK ? BLINK_MIN_NS : 10 * NS_PER_MS, plan->heal_ns * 3 / 4);
    fault->to_ns = HW_MAX(fault->to_ns, fault->from_ns + NS_PER_MS);
    fault->ns = between_log(rng, NS_PER_MS, (plan->heal_ns - fault->from_ns) / 16);
}

/* Can one flow, alone, begin on another route than the first? */
static bool may_begin_elsewhere(const struct swarm_plan *plan)
{
    const struct flow_plan *flow = &plan->base.flows[0].plan;
    unsigned routes = 0;
    for (unsigned i = 0; i < plan->route_count; i++)
        routes += swarm_serves(plan, i, flow);
    return plan->base.flow_count == 1 && !swarm_is_bound(flow) && routes > 1;
}

/* The first path is dead when it begins, mostly with nothing else, so that it tells how soon that is. */
static void kill_first_path(struct swarm_plan *plan, struct prng *rng)
{
    if (!one_in(rng, 4))
        plan->fault_count = 0;
    struct swarm_fault *fault = add_fault(plan, rng, FAULT_DOWN);
    if (!fault)
        return;
    fault->target = 0;
    fault->from_ns = 0;
}

/* How often each path goes down, and how long. */
#define FLAPS_MAX 4u
#define FLAP_MAX_NS (2 * NS_PER_S)

void swarm_draw_flaps(struct swarm_plan *plan)
{
    struct prng rng;
    prng_seed(&rng, ~plan->seed ^ UINT64_C(4) << 48);
    bool three_networks = plan->topology == TOPOLOGY_SEPARATE && plan->route_count == 3;
    plan->flaps = three_networks || one_in(&rng, plan->topology == TOPOLOGY_SEPARATE ? 2 : 8);
    unsigned rounds = plan->flaps ? (unsigned)between(&rng, 2, FLAPS_MAX) : 0;
    uint64_t earliest_ns = plan->peace ? PEACE_NS : 0;
    uint64_t step_ns = (plan->heal_ns - earliest_ns) / (rounds * SWARM_PATHS_MAX + 1);
    for (unsigned i = 0; i < rounds * SWARM_PATHS_MAX; i++) {
        unsigned path = i % SWARM_PATHS_MAX;
        bool there = path < plan->base.link_count && is_client_link(plan, path);
        struct swarm_fault *fault = there ? add_fault(plan, &rng, FAULT_DOWN) : NULL;
        if (!fault)
            continue;
        fault->target = path;
        fault->from_ns = earliest_ns + i * step_ns;
        fault->to_ns = HW_MIN(fault->from_ns + between_log(&rng, 10 * NS_PER_MS, FLAP_MAX_NS), plan->heal_ns);
    }
}

void swarm_draw_faults(struct swarm_plan *plan, struct prng *rng)
{
    unsigned link_faults = (unsigned)between(rng, 0, 10), boxes = one_in(rng, 3) ? (unsigned)between(rng, 1, 3) : 0;
    unsigned staying = plan->peace || one_in(rng, 3) ? (unsigned)between(rng, 1, 2) : 0;
    for (unsigned i = 0; i < link_faults; i++)
        add_link_fault(plan, rng);
    for (unsigned i = 0; i < boxes && !plan->peace; i++)
        add_box_fault(plan, rng);
    for (unsigned i = 0; i < staying; i++)
        add_staying_box(plan, rng);
    for (unsigned i = (unsigned)prng_below(rng, 3); i > 0 && !plan->peace; i--)
        add_program_fault(plan, rng);
    for (unsigned i = one_in(rng, 3) ? 0 : (unsigned)between(rng, 1, 2); i > 0; i--)
        add_address_fault(plan, rng);
    if (one_in(rng, 4))
        add_idle(plan, rng);
    if (one_in(rng, 9) && SWARM_DRAWS_CROWDS)
        add_crowd(plan, rng);
    if (!plan->peace && may_begin_elsewhere(plan) && one_in(rng, 3))
        kill_first_path(plan, rng);
}
