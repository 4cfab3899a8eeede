/* From a plan to a scenario: the base with its enabled faults worked in. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/units.h"
#include "sim/memory.h"
#include "sim/swarm.h"

#define RATE_FLOOR_BPS 20000u
#define QUEUE_FLOOR_BYTES 3000u

static bool is_link_fault(const struct swarm_fault *fault) { return fault->kind <= FAULT_QUEUE; }

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
        lane->rate_bps = HW_MAX((lane->rate_bps ? lane->rate_bps : 100000000) / 100, RATE_FLOOR_BPS);
        break;
    case FAULT_DELAY:
        lane->delay_ns += fault->ns;
        break;
    case FAULT_QUEUE:
        lane->queue.bytes = QUEUE_FLOOR_BYTES;
        break;
    default:
        break;
    }
}

/* The lanes of a link at a time, with every fault that holds then. */
static void lanes_at(const struct swarm_plan *plan, size_t link, uint64_t at_ns, struct lane_config lanes[2])
{
    const struct lane_config *base = plan->base.links[link].lanes;
    memcpy(lanes, base, 2 * sizeof *lanes);
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
            lanes[i].queue = base[i].queue;
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
            memcpy(before, plan->base.links[link].lanes, sizeof before);
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

static void add_address_change(const struct swarm_plan *plan, struct scenario *s, const struct swarm_fault *fault,
                               bool remove, uint64_t at_ns)
{
    const struct wire_spec *link = &plan->base.links[fault->target];
    unsigned end = link->address_count[1] > 0; /* a link has its host at one end, its router at the other */
    struct address_spec *change = scenario_add_address_change(s, at_ns, link->name, end);
    change->addr = link->addresses[end][0];
    change->remove = remove;
}

static void apply_to_program(const struct swarm_plan *plan, struct scenario *s, const struct swarm_fault *fault)
{
    CHECK(s->flows && fault->target < s->flow_count);
    struct flow_plan *flow = &s->flows[fault->target].plan;
    if (fault->kind == FAULT_ENDING) {
        flow->ending = fault->ending;
        flow->ender = fault->side;
        flow->end_after = fault->bytes;
    } else {
        flow->read_bps[fault->side] = fault->bytes;
        flow->slow_until_ns = plan->heal_ns;
    }
}

static void apply(const struct swarm_plan *plan, struct scenario *s, const struct swarm_fault *fault)
{
    if (fault->kind == FAULT_BOX) {
        add_box(plan, s, fault);
    } else if (fault->kind == FAULT_MEMORY) {
        CHECK(s->hosts && fault->target < s->host_count);
        s->hosts[fault->target].refuse_ppm = fault->ppm;
    } else if (fault->kind == FAULT_ADDRESS) {
        add_address_change(plan, s, fault, true, fault->from_ns);
        add_address_change(plan, s, fault, false, fault->to_ns);
    } else {
        apply_to_program(plan, s, fault);
    }
}

/* The arrays are copied, so that either scenario can be freed. */
static void copy_scenario(struct scenario *to, const struct scenario *from)
{
    scenario_init(to);
    *to = *from;
    to->hosts = NULL;
    to->routers = NULL;
    to->links = NULL;
    to->flows = NULL;
    to->host_count = to->router_count = to->link_count = to->flow_count = 0;
    for (size_t i = 0; i < from->host_count; i++)
        *scenario_add_host(to, "") = from->hosts[i];
    for (size_t i = 0; i < from->router_count; i++)
        *scenario_add_router(to, "") = from->routers[i];
    for (size_t i = 0; i < from->link_count; i++)
        *scenario_add_link(to, "", "", "") = from->links[i];
    for (size_t i = 0; i < from->flow_count; i++)
        *scenario_add_flow(to, "", "", "") = from->flows[i];
}

void swarm_plan_stage(const struct swarm_plan *plan, struct scenario *s)
{
    copy_scenario(s, &plan->base);
    s->must_complete = true; /* faults of links heal in seconds; TCP tries for minutes */
    for (unsigned i = 0; i < plan->fault_count; i++) {
        const struct swarm_fault *fault = &plan->faults[i];
        if (!fault->enabled)
            continue;
        if (!is_link_fault(fault))
            apply(plan, s, fault);
        s->must_complete = s->must_complete && (is_link_fault(fault) || fault->kind == FAULT_READER);
    }
    add_changes(plan, s);
    sort_address_changes(s);
}

char *swarm_fault_text(const struct swarm_plan *plan, const struct swarm_fault *fault, char *text, size_t size)
{
    static const char *const names[] = {"loss",       "bursts of loss", "jitter", "reordering", "duplication",
                                        "corruption", "down",           "slow",   "delay",      "short queue"};
    static const char *const lanes[] = {"", " forward", " backward", ""};
    const struct scenario *s = &plan->base;
    double from = (double)fault->from_ns / 1e9, to = (double)fault->to_ns / 1e9;
    if (is_link_fault(fault))
        snprintf(text, size, "%s on %s%s from %.3f s to %.3f s (%" PRIu32 " ppm, %" PRIu64 " us)", names[fault->kind],
                 s->links[fault->target].name, lanes[fault->lanes], from, to, fault->ppm, fault->ns / NS_PER_US);
    else if (fault->kind == FAULT_BOX)
        snprintf(text, size,
                 "%s on %s%s from %.3f s to %.3f s (%" PRIu32 " ppm, amount %" PRIu32 ", period %" PRIu64 " ms%s%s)",
                 fault->box.kind, s->links[fault->target].name, fault->box_faces_server ? ", inside out" : "", from, to,
                 fault->box.ppm, fault->box.amount, fault->box.period_ns / NS_PER_MS,
                 fault->box.syn_only ? ", SYN only" : "", fault->box.data_only ? ", data only" : "");
    else if (fault->kind == FAULT_MEMORY)
        snprintf(text, size, "%s refuses allocations (%" PRIu32 " ppm)", s->hosts[fault->target].name, fault->ppm);
    else if (fault->kind == FAULT_ADDRESS)
        snprintf(text, size, "the address on %s is gone from %.3f s to %.3f s", s->links[fault->target].name, from, to);
    else
        snprintf(text, size, "%s: the %s %s %" PRIu64 "%s", s->flows[fault->target].plan.name,
                 fault->side == FLOW_CLIENT ? "client" : "server",
                 fault->kind == FAULT_READER   ? "reads only"
                 : fault->ending == FLOW_ABORT ? "aborts after"
                                               : "closes after",
                 fault->bytes, fault->kind == FAULT_READER ? " bit/s" : " bytes");
    return text;
}
