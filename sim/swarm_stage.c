/* From a plan to a scenario: the base with its enabled faults worked in. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "sim/memory.h"
#include "sim/swarm_draw.h"

#define RATE_FLOOR_BPS 20000u
#define QUEUE_FLOOR_BYTES 3000u
#define IDLE_ROUNDS_MIN 2u
#define IDLE_ROUNDS_MAX 3u
#define CROWD_PORT_FIRST 6001u
#define KEEPALIVE_IDLE_NS (60 * NS_PER_S)
#define KEEPALIVE_INTERVAL_NS (10 * NS_PER_S)
#define KEEPALIVE_TRIES 5
/* A window of 4 KB takes this much longer on the slowest paths, and so does a proxy that sends again, a few at a time,
 * what a short queue dropped. */
#define CRAWL_NS (1200 * NS_PER_S)

static void worsen(struct lane_config *lane, const struct swarm_fault *fault)
{
    switch (fault->kind) {
    case FAULT_LOSS:
        lane->loss = (struct loss_config){.kind = LOSS_INDEPENDENT, .ppm = fault->ppm};
        break;
    case FAULT_BURSTS:
        lane->loss = (struct loss_config){
            .kind = LOSS_BURSTY, .to_bad_ppm = fault->ppm / 10 + 1, .to_good_ppm = 200000, .bad_ppm = 600000};
        break;
    case FAULT_JITTER:
        lane->jitter_ns = fault->ns;
        lane->jitter_reorders = fault->ppm & 1;
        break;
    case FAULT_REORDER:
        lane->reorder_ppm = fault->ppm;
        lane->reorder_ns = fault->ns;
        break;
    case FAULT_DUPLICATE:
        lane->duplicate_ppm = fault->ppm;
        break;
    case FAULT_CORRUPT:
        lane->corrupt_ppm = fault->ppm / 10 + 1;
        break;
    case FAULT_DOWN:
        lane->down = true;
        break;
    case FAULT_SLOW:
        lane->trace = NULL;
        lane->rate_bps = HW_MAX((lane->rate_bps ? lane->rate_bps : 100000000) / 100, RATE_FLOOR_BPS);
        break;
    case FAULT_DELAY:
        lane->delay_ns += fault->ns;
        break;
    case FAULT_NARROW:
        lane->mtu = (uint32_t)fault->bytes;
        lane->mtu_told = fault->ppm & 1;
        break;
    case FAULT_QUEUE:
        lane->queue.bytes = QUEUE_FLOOR_BYTES;
        break;
    default:
        break;
    }
}

static void widen(struct queue_config *queue, uint64_t bytes)
{
    if (queue->bytes == 0 || queue->bytes >= bytes)
        return;
    if (queue->kind == QUEUE_RED) {
        queue->red_min_bytes = queue->red_min_bytes * bytes / queue->bytes;
        queue->red_max_bytes = queue->red_max_bytes * bytes / queue->bytes;
    }
    queue->bytes = bytes;
}

/* Of a crowd memory is to run out, not a queue of five packets, in which the handshakes of some would be lost for a
 * minute. */
static void make_room(const struct swarm_plan *plan, uint32_t mtu, struct lane_config lanes[2])
{
    uint64_t packet = mtu ? mtu : 1500;
    for (unsigned i = 0; i < plan->fault_count; i++)
        for (unsigned k = 0; k < 2 && plan->faults[i].enabled && plan->faults[i].kind == FAULT_CROWD; k++)
            widen(&lanes[k].queue, plan->faults[i].count * SWARM_CROWD_QUEUE_PACKETS * packet);
}

/* The lanes of a link without its faults. */
static void sound_lanes(const struct swarm_plan *plan, size_t link, struct lane_config lanes[2])
{
    memcpy(lanes, plan->base.links[link].lanes, 2 * sizeof *lanes);
    make_room(plan, plan->base.links[link].mtu, lanes);
}

/* The lanes of a link at a time, with every fault that holds then. */
static void lanes_at(const struct swarm_plan *plan, size_t link, uint64_t at_ns, struct lane_config lanes[2])
{
    struct lane_config sound[2];
    sound_lanes(plan, link, sound);
    memcpy(lanes, sound, sizeof sound);
    for (unsigned i = 0; i < plan->fault_count; i++) {
        const struct swarm_fault *fault = &plan->faults[i];
        if (!fault->enabled || !is_link_fault(fault) || fault->target != link || at_ns < fault->from_ns ||
            at_ns >= fault->to_ns)
            continue;
        for (unsigned lane = 0; lane < 2; lane++)
            if (fault->lanes >> lane & 1)
                worsen(&lanes[lane], fault);
    }
    for (unsigned i = 0; i < 2; i++)
        if (!lanes[i].rate_bps && !lanes[i].trace) /* nothing queues there */
            lanes[i].queue = sound[i].queue;
}

static int by_number(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* When faults of links begin and end, ascending. */
static size_t times_of_change(const struct swarm_plan *plan, uint64_t times[2 * SWARM_FAULTS_MAX])
{
    size_t count = 0;
    for (unsigned i = 0; i < plan->fault_count; i++)
        if (plan->faults[i].enabled && is_link_fault(&plan->faults[i])) {
            times[count++] = plan->faults[i].from_ns;
            times[count++] = plan->faults[i].to_ns;
        }
    qsort(times, count, sizeof *times, by_number);
    return count;
}

/* Only what changes, in the order of time: a scenario file says the same (apps/sim/write_scenario.h). */
static void add_changes(const struct swarm_plan *plan, struct scenario *s)
{
    uint64_t times[2 * SWARM_FAULTS_MAX];
    size_t count = times_of_change(plan, times);
    for (size_t i = 0; i < count; i++)
        for (size_t link = 0; link < plan->base.link_count; link++) {
            struct lane_config before[2], lanes[2];
            sound_lanes(plan, link, before);
            if (i > 0)
                lanes_at(plan, link, times[i - 1], before);
            lanes_at(plan, link, times[i], lanes);
            if (lane_config_same(&lanes[0], &before[0]) && lane_config_same(&lanes[1], &before[1]))
                continue;
            struct change_spec *change = scenario_add_change(s, times[i], plan->base.links[link].name);
            change->lanes_set[0] = change->lanes_set[1] = true;
            memcpy(change->lanes, lanes, sizeof lanes);
        }
}

/* Changes of addresses likewise; those at one moment stay in the order in which they were added. */
static void sort_address_changes(struct scenario *s)
{
    for (size_t i = 1; i < s->address_count; i++)
        for (size_t k = i; k > 0 && s->addresses[k].at_ns < s->addresses[k - 1].at_ns; k--) {
            struct address_spec later = s->addresses[k - 1];
            s->addresses[k - 1] = s->addresses[k];
            s->addresses[k] = later;
        }
}

static void add_box(const struct swarm_plan *plan, struct scenario *s, const struct swarm_fault *fault)
{
    char name[NODE_NAME_MAX];
    snprintf(name, sizeof name, "box%u", (unsigned)(fault - plan->faults));
    struct box_spec *box = scenario_add_box(s, name, plan->base.links[fault->target].name);
    box->config = fault->box;
    box->config.from_ns = fault->from_ns;
    box->config.to_ns = fault->to_ns;
    if (strcmp(fault->box.kind, "nat") == 0)
        box->config.from_ns = box->config.to_ns = 0;
    box->inner_is_end1 = fault->box_faces_server;
}

/* ---- addresses ---- */

static void set_address(const struct swarm_plan *plan, struct scenario *s, const struct swarm_fault *fault,
                        const struct hawser_addr *addr, bool remove, uint64_t at_ns)
{
    const struct wire_spec *link = &plan->base.links[fault->target];
    struct address_spec *change = scenario_add_address_change(s, at_ns, link->name, fault->end);
    change->addr = *addr;
    change->remove = remove;
}

static void exchange_addresses(const struct swarm_plan *plan, struct scenario *s, const struct swarm_fault *fault,
                               const struct hawser_addr *old)
{
    uint64_t later_ns = fault->from_ns + (fault->count % 2 ? fault->ns : 0);
    bool new_first = fault->before_close;
    set_address(plan, s, fault, &fault->addr, false, new_first ? fault->from_ns : later_ns);
    set_address(plan, s, fault, old, true, new_first ? later_ns : fault->from_ns);
}

static void change_addresses(const struct swarm_plan *plan, struct scenario *s, const struct swarm_fault *fault)
{
    const struct hawser_addr *old = &plan->base.links[fault->target].addresses[fault->end][0];
    switch (fault->change) {
    case ADDRESS_NEW:
        set_address(plan, s, fault, &fault->addr, false, fault->from_ns);
        break;
    case ADDRESS_EXCHANGED:
        exchange_addresses(plan, s, fault, old);
        break;
    case ADDRESS_FLAPS:
        for (uint64_t i = 0; i < fault->count; i++) {
            set_address(plan, s, fault, old, true, fault->from_ns + 2 * i * fault->ns);
            set_address(plan, s, fault, old, false, fault->from_ns + (2 * i + 1) * fault->ns);
        }
        break;
    default:
        set_address(plan, s, fault, old, true, fault->from_ns);
        if (fault->change != ADDRESS_GONE)
            set_address(plan, s, fault, old, false, fault->change == ADDRESS_BLINK ? fault->from_ns : fault->to_ns);
        break;
    }
}

/* ---- programs ---- */

static void apply_to_program(const struct swarm_plan *plan, struct scenario *s, const struct swarm_fault *fault)
{
    CHECK(s->flows && fault->target < s->flow_count);
    struct flow_plan *flow = &s->flows[fault->target].plan;
    if (fault->kind == FAULT_ENDING) {
        flow->ending = fault->ending;
        flow->ender = fault->side;
        flow->end_after = fault->bytes;
    } else if (fault->kind == FAULT_READER) {
        flow->read_bps[fault->side] = fault->bytes;
        flow->slow_until_ns = plan->heal_ns;
    } else if (fault->before_close) {
        flow->rest_ns = fault->ns;
        flow->finishes = false; /* who has finished waits a minute for its peer's end, and no longer */
    } else {
        flow->rounds = HW_MIN(HW_MAX(flow->rounds, IDLE_ROUNDS_MIN), IDLE_ROUNDS_MAX);
        flow->pause_ns = fault->ns;
    }
}

/* Of connections like the first one, to the server whose memory they share. */
static void add_crowd(struct scenario *s, const struct swarm_fault *fault)
{
    CHECK(s->hosts && s->flows);
    s->hosts[1].options.max_memory_bytes = fault->ppm;
    if (fault->count & 1) /* every second one with a device's buffers, which are large */
        s->hosts[1].link_memory_bytes = fault->ppm / 4;
    for (unsigned i = 0; i < fault->count; i++) {
        char name[NODE_NAME_MAX];
        snprintf(name, sizeof name, "crowd%u", i);
        struct flow_plan *flow = &scenario_add_flow(s, name, "client", "server")->plan;
        const struct flow_plan *like = &s->flows[0].plan;
        flow->server_addr = like->server_addr;
        flow->server_addr.port = (uint16_t)(CROWD_PORT_FIRST + i);
        flow->options[FLOW_CLIENT].local = like->options[FLOW_CLIENT].local;
        flow->request_bytes = flow->response_bytes = fault->bytes;
        flow->duplex = fault->duplex;
    }
}

/* No end may wait in vain. */
static void keep_alive(struct scenario *s)
{
    for (size_t i = 0; i < s->flow_count; i++)
        for (unsigned side = 0; side < 2; side++) {
            struct hawser_conn_options *options = &s->flows[i].plan.options[side];
            options->keepalive_idle_ns = KEEPALIVE_IDLE_NS;
            options->keepalive_interval_ns = KEEPALIVE_INTERVAL_NS;
            options->keepalive_tries = KEEPALIVE_TRIES;
        }
}

static void apply(const struct swarm_plan *plan, struct scenario *s, const struct swarm_fault *fault)
{
    switch (fault->kind) {
    case FAULT_BOX:
    case FAULT_STAYING:
        add_box(plan, s, fault);
        break;
    case FAULT_MEMORY:
        CHECK(s->hosts && fault->target < s->host_count);
        s->hosts[fault->target].refuse_ppm = fault->ppm;
        break;
    case FAULT_ADDRESS:
        change_addresses(plan, s, fault);
        break;
    case FAULT_CROWD:
        add_crowd(s, fault);
        break;
    case FAULT_ENDING:
    case FAULT_READER:
    case FAULT_IDLE:
        apply_to_program(plan, s, fault);
        break;
    default: /* of links: add_changes() */
        break;
    }
}

/* ---- the whole ---- */

/* The arrays are copied, so that the scenario can be changed and freed; its lanes borrow the plan's traces. */
static void copy_scenario(struct scenario *to, const struct scenario *from)
{
    scenario_init(to);
    *to = *from;
    to->hosts = NULL;
    to->routers = NULL;
    to->links = NULL;
    to->flows = NULL;
    to->traces = NULL;
    to->host_count = to->router_count = to->link_count = to->flow_count = to->trace_count = 0;
    for (size_t i = 0; i < from->host_count; i++)
        *scenario_add_host(to, "") = from->hosts[i];
    for (size_t i = 0; i < from->router_count; i++)
        *scenario_add_router(to, "") = from->routers[i];
    for (size_t i = 0; i < from->link_count; i++)
        *scenario_add_link(to, "", "", "") = from->links[i];
    for (size_t i = 0; i < from->flow_count; i++)
        *scenario_add_flow(to, "", "", "") = from->flows[i];
}

static bool crawls(const struct swarm_fault *fault)
{
    bool small = strcmp(fault->box.kind, "window-shrinker") == 0 || strcmp(fault->box.kind, "acking-proxy") == 0;
    return fault->enabled && ((fault->kind == FAULT_STAYING && small) || fault->kind == FAULT_CROWD);
}

/* Silence and what crawls take their time. */
static void stretch(const struct swarm_plan *plan, struct scenario *s)
{
    uint64_t more_ns = 0;
    for (size_t i = 0; i < s->flow_count; i++) {
        const struct flow_plan *flow = &s->flows[i].plan;
        uint64_t idle_ns = flow->rest_ns;
        if (flow->rounds && flow->pause_ns)
            idle_ns += (flow->rounds - 1) * flow->pause_ns;
        more_ns = HW_MAX(more_ns, idle_ns);
    }
    for (unsigned i = 0; i < plan->fault_count; i++)
        more_ns += crawls(&plan->faults[i]) ? CRAWL_NS : 0;
    s->patience_ns += more_ns;
    s->duration_ns += more_ns;
}

void swarm_plan_stage(const struct swarm_plan *plan, struct scenario *s)
{
    copy_scenario(s, &plan->base);
    for (size_t i = 0; i < s->link_count; i++)
        make_room(plan, plan->base.links[i].mtu, s->links[i].lanes);
    s->must_complete = true;
    for (unsigned i = 0; i < plan->fault_count; i++) {
        const struct swarm_fault *fault = &plan->faults[i];
        if (!fault->enabled)
            continue;
        apply(plan, s, fault);
        s->must_complete = s->must_complete && !swarm_fault_excuses(plan, fault);
    }
    s->flows[0].plan.connect_within_ns = swarm_connect_within_ns(plan);
    add_changes(plan, s);
    sort_address_changes(s);
    keep_alive(s);
    stretch(plan, s);
}
