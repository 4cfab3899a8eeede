#include "sim/swarm_tally.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "sim/boxes/box.h"
#include "sim/cable.h"
#include "sim/memory.h"
#include "sim/swarm_draw.h"

/* Where each group of kinds begins. */
enum {
    TALLY_LINKS = 0,
    TALLY_BOXES = TALLY_LINKS + FAULT_QUEUE + 1,
    TALLY_STAYING = TALLY_BOXES + SWARM_BOX_KINDS,
    TALLY_ANY_STAYING = TALLY_STAYING + SWARM_BOXES_THAT_STAY,
    TALLY_ANY_PROXY,
    TALLY_ADDRESSES,
    TALLY_MEMORY = TALLY_ADDRESSES + ADDRESS_CHANGES,
    TALLY_CLOSES,
    TALLY_ABORTS,
    TALLY_READER,
    TALLY_PAUSE,
    TALLY_REST,
    TALLY_CROWD,
    TALLY_TOPOLOGIES,
    TALLY_MANY_PATHS = TALLY_TOPOLOGIES + TOPOLOGIES,
    TALLY_PLAIN,
    TALLY_HASTE,
    TALLY_TRACE,
    TALLY_ECN,
    TALLY_REDUNDANT,
    TALLY_MANY_ADDRESSES,
    TALLY_UNEQUAL,
    TALLY_FLAPS,
    TALLY_SEPARATE_FLAPS,
    TALLY_PREFIXES,
    TALLY_MAX_SUBFLOWS,
    TALLY_PRIORITY,
    TALLY_FINISH,
    TALLY_LOW_WATER,
    TALLY_END,
};
_Static_assert(TALLY_END <= SWARM_TALLIES, "a verdict has room for every kind");

#define MANY_PATHS 3

static const char *const names[TALLY_END] = {
    [TALLY_LINKS + FAULT_LOSS] = "loss",
    [TALLY_LINKS + FAULT_BURSTS] = "bursts of loss",
    [TALLY_LINKS + FAULT_JITTER] = "jitter",
    [TALLY_LINKS + FAULT_REORDER] = "reordering",
    [TALLY_LINKS + FAULT_DUPLICATE] = "duplication",
    [TALLY_LINKS + FAULT_CORRUPT] = "corruption",
    [TALLY_LINKS + FAULT_DOWN] = "down",
    [TALLY_LINKS + FAULT_SLOW] = "slow",
    [TALLY_LINKS + FAULT_DELAY] = "delay",
    [TALLY_LINKS + FAULT_NARROW] = "narrow",
    [TALLY_LINKS + FAULT_QUEUE] = "short queue",
    [TALLY_STAYING + 0] = "option-stripper, stays",
    [TALLY_STAYING + 1] = "acking-proxy, stays",
    [TALLY_STAYING + 2] = "syn-dropper, stays",
    [TALLY_STAYING + 3] = "firewall, stays",
    [TALLY_STAYING + 4] = "window-shrinker, stays",
    [TALLY_STAYING + 5] = "splitter, stays",
    [TALLY_STAYING + 6] = "coalescer, stays",
    [TALLY_STAYING + 7] = "option-duplicator, stays",
    [TALLY_STAYING + 8] = "seq-randomiser, stays",
    [TALLY_STAYING + 9] = "black hole, stays",
    [TALLY_ANY_STAYING] = "any middlebox that stays",
    [TALLY_ANY_PROXY] = "any acking-proxy",
    [TALLY_ADDRESSES + ADDRESS_AWAY] = "address away",
    [TALLY_ADDRESSES + ADDRESS_BLINK] = "address blinks",
    [TALLY_ADDRESSES + ADDRESS_GONE] = "address gone",
    [TALLY_ADDRESSES + ADDRESS_NEW] = "address new",
    [TALLY_ADDRESSES + ADDRESS_EXCHANGED] = "address exchanged",
    [TALLY_ADDRESSES + ADDRESS_FLAPS] = "address flaps",
    [TALLY_MEMORY] = "memory refused",
    [TALLY_CLOSES] = "closes early",
    [TALLY_ABORTS] = "aborts",
    [TALLY_READER] = "slow reader",
    [TALLY_PAUSE] = "idle between rounds",
    [TALLY_REST] = "idle before the close",
    [TALLY_CROWD] = "crowd",
    [TALLY_TOPOLOGIES + TOPOLOGY_ROUTER] = "topology: router",
    [TALLY_TOPOLOGIES + TOPOLOGY_SEPARATE] = "topology: separate",
    [TALLY_TOPOLOGIES + TOPOLOGY_CHAIN] = "topology: chain",
    [TALLY_TOPOLOGIES + TOPOLOGY_DIRECT] = "topology: direct",
    [TALLY_MANY_PATHS] = "three paths or more",
    [TALLY_PLAIN] = "plain TCP, one flow",
    [TALLY_HASTE] = "begins elsewhere in time",
    [TALLY_TRACE] = "varying rate",
    [TALLY_ECN] = "ECN",
    [TALLY_REDUNDANT] = "redundant",
    [TALLY_MANY_ADDRESSES] = "20 addresses",
    [TALLY_UNEQUAL] = "very unequal paths",
    [TALLY_FLAPS] = "every path flaps",
    [TALLY_SEPARATE_FLAPS] = "three networks, all flap",
    [TALLY_PREFIXES] = "allowed and denied addresses",
    [TALLY_MAX_SUBFLOWS] = "subflows limited",
    [TALLY_PRIORITY] = "priority changed",
    [TALLY_FINISH] = "finishes",
    [TALLY_LOW_WATER] = "low-water mark",
};

const char *swarm_tally_name(unsigned i)
{
    if (i >= TALLY_BOXES && i < TALLY_STAYING)
        return swarm_boxes[i - TALLY_BOXES];
    return i < TALLY_END ? names[i] : NULL;
}

struct tally;

/* Looks at a fault of a link when it begins and when it is over, and at an address just before it changes. */
struct probe {
    struct deadline begin, end;
    struct tally *tally;
    const struct swarm_fault *fault;
    uint64_t before; /* the count at the beginning */
    bool begun, acted;
    struct tap tap; /* for a new address */
};

struct tally {
    struct watcher watcher;
    const struct swarm_plan *plan;
    struct swarm_verdict *verdict;
    struct stage *stage;
    struct probe probes[SWARM_FAULTS_MAX]; /* as the plan's faults */
};

static unsigned box_index(const char *kind)
{
    unsigned i = 0;
    while (i + 1 < SWARM_BOX_KINDS && strcmp(swarm_boxes[i], kind) != 0)
        i++;
    return i;
}

static unsigned tally_of(const struct swarm_fault *fault)
{
    switch (fault->kind) {
    case FAULT_BOX:
        return TALLY_BOXES + box_index(fault->box.kind);
    case FAULT_STAYING:
        return TALLY_STAYING + box_index(fault->box.kind);
    case FAULT_ADDRESS:
        return TALLY_ADDRESSES + (unsigned)fault->change;
    case FAULT_MEMORY:
        return TALLY_MEMORY;
    case FAULT_ENDING:
        return fault->ending == FLOW_ABORT ? TALLY_ABORTS : TALLY_CLOSES;
    case FAULT_READER:
        return TALLY_READER;
    case FAULT_IDLE:
        return fault->before_close ? TALLY_REST : TALLY_PAUSE;
    case FAULT_CROWD:
        return TALLY_CROWD;
    default:
        return TALLY_LINKS + (unsigned)fault->kind;
    }
}

/* ---- links ---- */

/* Packets that the fault may have met. */
static uint64_t count_of(enum swarm_fault_kind kind, const struct lane *lane)
{
    const struct lane_counters *c = &lane->counters;
    switch (kind) {
    case FAULT_LOSS:
    case FAULT_BURSTS:
        return c->lost_wire;
    case FAULT_REORDER:
        return c->reordered;
    case FAULT_DUPLICATE:
        return c->duplicated;
    case FAULT_CORRUPT:
        return c->corrupted;
    case FAULT_DOWN:
        return c->lost_down;
    case FAULT_NARROW:
        return c->lost_size;
    case FAULT_QUEUE:
        return c->lost_queue;
    default:
        return c->entered;
    }
}

static uint64_t link_count(const struct probe *probe)
{
    const struct cable *cable = probe->tally->stage->cables[probe->fault->target];
    uint64_t sum = 0;
    for (unsigned lane = 0; lane < 2; lane++)
        if (probe->fault->lanes >> lane & 1)
            sum += count_of(probe->fault->kind, &cable->lanes[lane]);
    return sum;
}

/* ---- addresses ---- */

static struct host *host_at(const struct probe *probe)
{
    const struct wire_spec *link = &probe->tally->plan->base.links[probe->fault->target];
    return host_of(world_find(&probe->tally->stage->world, link->end[probe->fault->end]));
}

static bool has_subflow_from(const struct hawser_conn *conn, const struct hawser_addr *addr)
{
    struct hawser_subflow_info info = {.size = sizeof info};
    for (size_t i = 0; conn && hawser_subflow_get_info(conn, i, &info) == 0; i++)
        if (hawser_addr_same_ip(&info.local, addr))
            return true;
    return false;
}

/* Is there a subflow on the address that is about to change? */
static bool address_in_use(const struct probe *probe)
{
    const struct stage *stage = probe->tally->stage;
    const struct swarm_fault *fault = probe->fault;
    const struct host *host = host_at(probe);
    const struct hawser_addr *addr = &probe->tally->plan->base.links[fault->target].addresses[fault->end][0];
    for (size_t i = 0; i < stage->scenario->flow_count; i++) {
        const struct flow *flow = stage->flows[i];
        const struct flow_end *end = &flow->ends[flow->plan.client == host ? FLOW_CLIENT : FLOW_SERVER];
        if (has_subflow_from(end->conn, addr))
            return true;
    }
    return false;
}

/* Of a packet that it sends or receives: does it use the new address? */
static void on_packet(struct tap *tap, const struct host *host, bool sent, const struct packet *packet, uint64_t now_ns)
{
    struct probe *probe = HW_CONTAINER(tap, struct probe, tap);
    const struct hawser_addr *addr = &probe->fault->addr;
    bool v4 = hawser_addr_is_v4(addr);
    uint32_t len = v4 ? 4 : 16, at = v4 ? 12 : 8;
    (void)host;
    (void)now_ns;
    if (!probe->acted && packet->len >= at + 2 * len)
        probe->acted = memcmp(packet->data + at + (sent ? 0 : len), addr->ip + sizeof addr->ip - len, len) == 0;
}

/* ---- watching ---- */

static void on_begin(struct deadline *timer, uint64_t now_ns)
{
    struct probe *probe = HW_CONTAINER(timer, struct probe, begin);
    (void)now_ns;
    probe->begun = true;
    if (is_link_fault(probe->fault))
        probe->before = link_count(probe);
    else
        probe->acted |= address_in_use(probe);
}

static void on_end(struct deadline *timer, uint64_t now_ns)
{
    struct probe *probe = HW_CONTAINER(timer, struct probe, end);
    (void)now_ns;
    probe->acted = link_count(probe) > probe->before;
    probe->begun = false;
}

static void watch(struct tally *tally, unsigned i)
{
    struct probe *probe = &tally->probes[i];
    const struct swarm_fault *fault = &tally->plan->faults[i];
    struct world *world = &tally->stage->world;
    bool comes = fault->kind == FAULT_ADDRESS && (fault->change == ADDRESS_NEW || fault->change == ADDRESS_EXCHANGED);
    *probe = (struct probe){.tally = tally, .fault = fault, .tap.packet = on_packet};
    list_init(&probe->tap.link);
    if (comes)
        list_push_back(&host_at(probe)->taps, &probe->tap.link);
    if (!is_link_fault(fault) && (fault->kind != FAULT_ADDRESS || fault->change == ADDRESS_NEW))
        return;
    world_timer_init(world, &probe->begin, on_begin);
    world_timer_init(world, &probe->end, on_end);
    uint64_t early = fault->kind == FAULT_ADDRESS && fault->from_ns > 0;
    world_timer_set(world, &probe->begin, WORLD_START_NS + fault->from_ns - early);
    if (is_link_fault(fault))
        world_timer_set(world, &probe->end, WORLD_START_NS + fault->to_ns);
}

static struct tally *tally_of_watcher(struct watcher *watcher) { return HW_CONTAINER(watcher, struct tally, watcher); }

static void tally_begin(struct watcher *watcher, struct stage *stage)
{
    struct tally *tally = tally_of_watcher(watcher);
    tally->stage = stage;
    for (unsigned i = 0; i < tally->plan->fault_count; i++)
        if (tally->plan->faults[i].enabled)
            watch(tally, i);
}

/* ---- the end ---- */

static bool box_acted(const struct tally *tally, unsigned i)
{
    char name[NODE_NAME_MAX];
    snprintf(name, sizeof name, "box%u", i);
    struct node *node = world_find(&tally->stage->world, name);
    return node && HW_CONTAINER(node, struct box, node)->acted > 0;
}

static bool crowd_acted(const struct stage *stage)
{
    uint64_t refused = host_counter(stage->hosts[1], "drop.no_memory");
    for (size_t i = 0; i < stage->scenario->flow_count; i++)
        refused += stage->flows[i]->ends[FLOW_SERVER].refused_writes;
    return refused > 0;
}

static bool program_acted(const struct stage *stage, const struct swarm_fault *fault)
{
    const struct flow *flow = stage->flows[fault->target];
    const struct flow_end *end = &flow->ends[fault->side];
    switch (fault->kind) {
    case FAULT_ENDING:
        return end->finished && !end->error && !(end->at_end && end->shut);
    case FAULT_READER:
        return end->read_budget_ns > 0;
    default:
        if (!fault->before_close)
            return flow->rounds_done > 0;
        return flow->ends[FLOW_CLIENT].rest_until_ns && flow->ends[FLOW_CLIENT].shut;
    }
}

static bool fault_acted(const struct tally *tally, unsigned i)
{
    const struct swarm_fault *fault = &tally->plan->faults[i];
    const struct probe *probe = &tally->probes[i];
    switch (fault->kind) {
    case FAULT_BOX:
    case FAULT_STAYING:
        return box_acted(tally, i);
    case FAULT_ADDRESS:
        return probe->acted;
    case FAULT_MEMORY:
        return tally->stage->hosts[fault->target]->memory.refused > 0;
    case FAULT_CROWD:
        return crowd_acted(tally->stage);
    case FAULT_ENDING:
    case FAULT_READER:
    case FAULT_IDLE:
        return program_acted(tally->stage, fault);
    default:
        return probe->acted || (probe->begun && link_count(probe) > probe->before);
    }
}

static void note(struct tally *tally, unsigned kind, bool acted)
{
    tally->verdict->drawn[kind] = true;
    tally->verdict->acted[kind] |= acted;
}

/* The client's links over which something came to it. */
static unsigned paths_in_use(const struct stage *stage)
{
    unsigned paths = 0;
    for (size_t i = 0; i < stage->scenario->link_count; i++)
        paths += strncmp(stage->scenario->links[i].name, "path", 4) == 0 &&
                 stage->cables[i]->lanes[1].counters.delivered > 0;
    return paths;
}

static void note_links(struct tally *tally)
{
    const struct scenario *s = &tally->plan->base;
    unsigned paths = 0, used = paths_in_use(tally->stage);
    for (size_t i = 0; i < s->link_count; i++) {
        paths += strncmp(s->links[i].name, "path", 4) == 0;
        for (unsigned k = 0; k < 2; k++) {
            const struct lane *lane = &tally->stage->cables[i]->lanes[k];
            if (s->links[i].lanes[k].trace)
                note(tally, TALLY_TRACE, lane->counters.delivered > 0);
            if (s->links[i].lanes[k].queue.ecn)
                note(tally, TALLY_ECN, lane->queue.marks > 0);
        }
    }
    note(tally, TALLY_TOPOLOGIES + (unsigned)tally->plan->topology, used >= HW_MIN(paths, 2u));
    if (paths >= MANY_PATHS)
        note(tally, TALLY_MANY_PATHS, used >= MANY_PATHS);
}

static void note_ways(struct tally *tally)
{
    const struct swarm_plan *plan = tally->plan;
    unsigned used = paths_in_use(tally->stage);
    uint64_t joins = host_counter(tally->stage->hosts[0], "mptcp.joins_made");
    if (plan->many_addresses)
        note(tally, TALLY_MANY_ADDRESSES, joins > 0);
    if (plan->unequal)
        note(tally, TALLY_UNEQUAL, used > 1);
    if (plan->flaps)
        note(tally, TALLY_FLAPS, used > 1);
    if (plan->flaps && plan->topology == TOPOLOGY_SEPARATE && plan->route_count >= MANY_PATHS)
        note(tally, TALLY_SEPARATE_FLAPS, used >= MANY_PATHS);
}

static void note_programs(struct tally *tally)
{
    for (size_t i = 0; i < tally->plan->base.flow_count; i++)
        for (unsigned side = 0; side < 2; side++) {
            const struct flow_end *end = &tally->stage->flows[i]->ends[side];
            const struct flow_plan *plan = &end->flow->plan;
            if (plan->options[side].no_mptcp)
                note(tally, TALLY_PLAIN, end->connected_ns > 0);
            const struct host_spec *host = &tally->plan->base.hosts[side];
            if (host->allow.count || host->deny.count)
                note(tally, TALLY_PREFIXES, end->last.mptcp);
            if (plan->prioritises)
                note(tally, TALLY_PRIORITY, end->prioritised > 0 && end->last.mptcp);
            if (plan->finishes)
                note(tally, TALLY_FINISH, end->finishing && !end->error);
            if (plan->options[side].send_low_water_bytes)
                note(tally, TALLY_LOW_WATER, end->told_of_room > 0);
            if (plan->options[side].max_subflows)
                note(tally, TALLY_MAX_SUBFLOWS, end->last.mptcp);
        }
}

static void tally_end(struct watcher *watcher, struct stage *stage)
{
    struct tally *tally = tally_of_watcher(watcher);
    const struct swarm_plan *plan = tally->plan;
    for (unsigned i = 0; i < plan->fault_count; i++) {
        if (!plan->faults[i].enabled)
            continue;
        bool acted = fault_acted(tally, i);
        note(tally, tally_of(&plan->faults[i]), acted);
        if (plan->faults[i].kind == FAULT_STAYING)
            note(tally, TALLY_ANY_STAYING, acted);
        if (is_box_fault(&plan->faults[i]) && strcmp(plan->faults[i].box.kind, "acking-proxy") == 0)
            note(tally, TALLY_ANY_PROXY, acted);
    }
    note_links(tally);
    if (stage->flows[0]->plan.connect_within_ns)
        note(tally, TALLY_HASTE, host_counter(stage->hosts[0], "tcp.further_attempts") > 0);
    for (size_t i = 0; i < plan->base.host_count; i++)
        if (plan->base.hosts[i].options.scheduler)
            note(tally, TALLY_REDUNDANT, host_counter(stage->hosts[i], "mptcp.copies") > 0);
    note_ways(tally);
    note_programs(tally);
}

static void tally_destroy(struct watcher *watcher) { sim_free(tally_of_watcher(watcher)); }

struct watcher *swarm_tally_new(const struct swarm_plan *plan, struct swarm_verdict *verdict)
{
    struct tally *tally = sim_new(sizeof *tally);
    tally->watcher = (struct watcher){.begin = tally_begin, .end = tally_end, .destroy = tally_destroy};
    tally->plan = plan;
    tally->verdict = verdict;
    list_init(&tally->watcher.link);
    return &tally->watcher;
}
