/*
 * What a story may demand. Every connection ends, whole or with an error that both programs learn; most must be whole:
 *
 * - A link that heals within seconds excuses nothing, nor does a program that reads slowly or is silent for long: TCP
 *   tries for minutes (RFC 9293 3.8.3), and silence is no failure.
 * - A crowd at a server whose memory holds a buffer each way for every connection is served; with less, beside a proxy
 * that acknowledges early or on a link that is jammed some may fail.
 * - Memory that is refused at random, a program that ends early, and whoever forges segments on the way excuse an
 * error; not who says by ICMP that packets are too big, or that what nobody sent did not arrive.
 * - A middlebox, or an address that goes, away from the way of every connection's first subflow harms joined subflows
 *   only, and those may fail without any loss (RFC 8684 3.3.6, 3.4.2): whole. An address that comes harms nothing.
 * - On the way of a first subflow a middlebox that plain TCP passes unharmed excuses nothing, if MPTCP does not mind it
 *   either, or never begins because of it (3.1). Others excuse an error: where options vanish in mid-connection the two
 *   ends need not agree on the fallback (3.7); what an acking proxy promised to plain TCP and then cannot deliver is
 *   lost; a path on which nothing answers lets nobody connect.
 * - A first subflow is on the first route, but on any that leads to the server when that one may be slow to answer.
 * - Unless the story began in peace, and neither lists of addresses nor a limit keep a pair from its subflow: all
 * subflows were there before. Then one on a sound route carries everything on, whatever becomes of the others: every
 * pair of addresses that can meet has one where an end of it needs one.
 */
#include <string.h>

#include "base/scope.h"
#include "mptcp/subflows.h"
#include "sim/swarm_draw.h"

static bool has_crowd(const struct swarm_plan *plan)
{
    bool crowd = false;
    for (unsigned i = 0; i < plan->fault_count; i++)
        crowd |= plan->faults[i].enabled && plan->faults[i].kind == FAULT_CROWD;
    return crowd;
}

/* So many addresses have their turn. */
#define ATTEMPTS_MAX 8u
/* RFC 8305: who has no answer for so long tries the next address. */
#define ATTEMPT_DELAY_NS (250 * NS_PER_MS)

static bool has_fault(const struct swarm_plan *plan, uint32_t links)
{
    for (unsigned i = 0; i < plan->fault_count; i++) {
        const struct swarm_fault *fault = &plan->faults[i];
        bool of_link = is_link_fault(fault) || is_box_fault(fault) || fault->kind == FAULT_ADDRESS;
        if (fault->enabled && of_link && links >> fault->target & 1)
            return true;
    }
    return false;
}

/* May the first route leave the first SYN without an answer, so that the flow begins on another one? */
static bool may_go_elsewhere(const struct swarm_plan *plan, const struct flow_plan *flow, uint32_t first)
{
    bool alone = plan->base.flow_count == 1 && !has_crowd(plan), late = plan->base.hosts[0].backup.count > 0;
    return !swarm_is_bound(flow) &&
           (!alone || late || has_fault(plan, first) || swarm_round_trip_ns(plan, first) >= ATTEMPT_DELAY_NS);
}

static uint32_t first_routes(const struct swarm_plan *plan)
{
    uint32_t links = 0;
    for (size_t i = 0; i < plan->base.flow_count; i++) {
        const struct flow_plan *flow = &plan->base.flows[i].plan;
        uint32_t first = swarm_first_route(plan, flow);
        bool elsewhere = may_go_elsewhere(plan, flow, first);
        bool anywhere = plan->topology == TOPOLOGY_DIRECT; /* each link leads to all addresses of its ends */
        links |= first;
        for (unsigned route = 0; elsewhere && route < plan->route_count; route++)
            links |= anywhere || swarm_serves(plan, route, flow) ? plan->routes[route] : 0;
    }
    return links;
}

static bool all_speak_mptcp(const struct scenario *s)
{
    bool all = true;
    for (size_t i = 0; i < s->host_count; i++)
        all &= !s->hosts[i].options.no_mptcp;
    for (size_t i = 0; i < s->flow_count; i++)
        all &= !s->flows[i].plan.options[FLOW_CLIENT].no_mptcp && !s->flows[i].plan.options[FLOW_SERVER].no_mptcp;
    return all;
}

/* Links with a middlebox, or with an address that goes. */
static uint32_t harmed_links(const struct swarm_plan *plan)
{
    uint32_t links = 0;
    for (unsigned i = 0; i < plan->fault_count; i++) {
        const struct swarm_fault *fault = &plan->faults[i];
        bool address_goes = fault->kind == FAULT_ADDRESS && fault->change != ADDRESS_NEW;
        if (fault->enabled && (is_box_fault(fault) || address_goes))
            links |= UINT32_C(1) << fault->target;
    }
    return links;
}

/* Every pair of addresses that can meet has a subflow where its ends need one. */
static bool has_sound_route(const struct swarm_plan *plan, uint32_t harmed)
{
    for (unsigned i = 0; i < plan->route_count; i++)
        if ((plan->routes[i] & harmed) == 0)
            return true;
    return false;
}

static unsigned addresses_of(const struct scenario *s, unsigned end)
{
    unsigned count = 0;
    for (size_t i = 0; i < s->link_count; i++)
        count += s->links[i].address_count[end];
    return count;
}

/* May options keep a pair of addresses from having its subflow? */
static bool is_restricted(const struct scenario *s)
{
    uint32_t pairs = addresses_of(s, 0) * addresses_of(s, 1), least = UINT32_MAX;
    bool lists = false;
    for (size_t i = 0; i < s->host_count; i++)
        lists |= s->hosts[i].allow.count || s->hosts[i].deny.count;
    for (size_t i = 0; i < s->flow_count; i++)
        for (unsigned side = 0; side < 2; side++) {
            uint32_t most = s->flows[i].plan.options[side].max_subflows;
            least = HW_MIN(least, most ? most : SUBFLOWS_DEFAULT);
        }
    return lists || least < pairs;
}

/* Does every connection have a subflow on a way that nothing harms but links that heal? On bottlenecks that are shared,
 * or in a crowd, the peace may be too short for all joins. */
static bool has_sound_subflows(const struct swarm_plan *plan)
{
    return plan->peace && !has_crowd(plan) && !is_restricted(&plan->base) && all_speak_mptcp(&plan->base) &&
           plan->topology != TOPOLOGY_CHAIN && has_sound_route(plan, harmed_links(plan));
}

/* What it promised waits for memory at the server's. */
static bool has_proxy(const struct swarm_plan *plan)
{
    for (unsigned i = 0; i < plan->fault_count; i++)
        if (plan->faults[i].enabled && is_box_fault(&plan->faults[i]) &&
            strcmp(plan->faults[i].box.kind, "acking-proxy") == 0)
            return true;
    return false;
}

/* A crowd on a link with a hundredth of its rate, or with hardly any queue for so many subflows as each has there:
 * chance alone may keep one of them silent for R2. */
static bool is_jammed(const struct swarm_plan *plan)
{
    for (size_t k = 0; k < plan->base.link_count; k++)
        if (plan->base.links[k].address_count[0] > SWARM_CROWD_QUEUE_PACKETS)
            return true;
    for (unsigned i = 0; i < plan->fault_count; i++)
        if (plan->faults[i].enabled && (plan->faults[i].kind == FAULT_SLOW || plan->faults[i].kind == FAULT_QUEUE))
            return true;
    return false;
}

/* A connection's part of the server's memory. Under a checksum each of its subflows holds a buffer of its own. */
static uint64_t share_of(const struct swarm_plan *plan, const struct swarm_fault *crowd)
{
    bool checksums = plan->base.hosts[0].options.checksum_required || plan->base.hosts[1].options.checksum_required;
    uint64_t share = crowd->ppm / (crowd->count + plan->base.flow_count);
    return checksums ? share / HW_MAX(plan->route_count, 1u) : share;
}

/* On the way of a first subflow. */
static bool passes_unharmed(const struct swarm_fault *fault)
{
    static const char *const transparent[] = {"splitter", "seq-randomiser", "window-shrinker"};
    const struct box_config *box = &fault->box;
    if (strcmp(box->kind, "seq-randomiser") == 0 && fault->from_ns) /* it cuts handshakes under way in two */
        return false;
    for (size_t i = 0; i < HW_ARRAY_LEN(transparent); i++)
        if (strcmp(box->kind, transparent[i]) == 0)
            return true;
    bool strips_all = strcmp(box->kind, "option-stripper") == 0 && box->direction == BOX_BOTH && box->ppm == 0 &&
                      !box->syn_only && !box->data_only;
    return strips_all && fault->from_ns == 0 && fault->to_ns == 0;
}

/* ICMP errors about nothing that was sent, or about the size of what was: they cost bytes at most (RFC 5927). */
static bool forges_sizes_only(const struct swarm_fault *fault)
{
    const uint32_t amount = fault->box.amount;
    return strcmp(fault->box.kind, "icmp-sender") == 0 && (amount == 1 || amount == 2 || amount == 5);
}

bool swarm_fault_excuses(const struct swarm_plan *plan, const struct swarm_fault *fault)
{
    bool first = first_routes(plan) >> fault->target & 1;
    switch (fault->kind) {
    case FAULT_BOX:
    case FAULT_STAYING:
        if (forges_sizes_only(fault))
            return false;
        if (!swarm_box_may_stay(fault->box.kind))
            return true;
        return first && !passes_unharmed(fault) && !has_sound_subflows(plan);
    case FAULT_ADDRESS:
        return first && fault->change != ADDRESS_NEW && !has_sound_subflows(plan);
    case FAULT_MEMORY:
    case FAULT_ENDING:
        return true;
    case FAULT_CROWD:
        return has_proxy(plan) || is_jammed(plan) || share_of(plan, fault) < SWARM_SHARE_BYTES;
    default:
        return false;
    }
}

/* ---- how soon ---- */

/* For what is not on the links: how late packets of a handshake may be. */
#define CONNECT_SLACK_NS (150 * NS_PER_MS)

static bool harms_handshakes(const struct swarm_fault *fault)
{
    return fault->enabled && (is_box_fault(fault) || fault->kind == FAULT_MEMORY || fault->kind == FAULT_ADDRESS ||
                              fault->kind == FAULT_CROWD);
}

static bool is_backup(const struct swarm_plan *plan, const struct hawser_addr *addr)
{
    const struct host_prefixes *backup = &plan->base.hosts[0].backup;
    bool covered = false;
    for (uint32_t i = 0; i < backup->count; i++)
        covered |= scope_covers(&backup->list[i].addr, backup->list[i].bits, addr);
    return covered;
}

static bool is_backup_only(const struct swarm_plan *plan, const struct wire_spec *link)
{
    bool only = true;
    for (size_t i = 0; i < link->address_count[0]; i++)
        only = only && is_backup(plan, &link->addresses[0][i]);
    return only;
}

/* Addresses that have their turn before the first one at this end of the route: a backup's is after all others. */
static unsigned addresses_before(const struct swarm_plan *plan, uint32_t route)
{
    const struct scenario *s = &plan->base;
    size_t own = 0;
    unsigned count = 0;
    while (own < s->link_count && !(route >> own & 1 && s->links[own].address_count[0]))
        own++;
    bool late = own < s->link_count && is_backup_only(plan, &s->links[own]);
    for (size_t k = 0; k < s->link_count; k++)
        for (size_t i = 0; i < s->links[k].address_count[0]; i++)
            count += is_backup(plan, &s->links[k].addresses[0][i]) == late ? k < own : late;
    return count;
}

uint64_t swarm_connect_within_ns(const struct swarm_plan *plan)
{
    const struct flow_plan *flow = &plan->base.flows[0].plan;
    uint64_t least_ns = TIME_NEVER;
    for (unsigned i = 0; i < plan->fault_count; i++)
        if (harms_handshakes(&plan->faults[i]))
            return 0;
    if (plan->base.flow_count > 1 || swarm_is_bound(flow))
        return 0;
    for (unsigned i = 0; i < plan->route_count; i++) {
        uint64_t round_trip_ns = swarm_round_trip_ns(plan, plan->routes[i]);
        if (!swarm_serves(plan, i, flow) || has_fault(plan, plan->routes[i]) || round_trip_ns == TIME_NEVER)
            continue;
        uint64_t before = addresses_before(plan, plan->routes[i]), turn_ns = before * ATTEMPT_DELAY_NS;
        if (before + (plan->base.hosts[0].backup.count > 0) >= ATTEMPTS_MAX) /* the last turn is a backup's */
            continue;
        least_ns = HW_MIN(least_ns, turn_ns + round_trip_ns + CONNECT_SLACK_NS);
    }
    return least_ns == TIME_NEVER ? 0 : least_ns;
}
