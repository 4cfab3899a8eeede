/* The faults of a story in words. */
#include <inttypes.h>
#include <stdio.h>

#include "sim/swarm_draw.h"

static void link_text(const struct swarm_fault *fault, const char *link, char *text, size_t size)
{
    static const char *const names[] = {"loss", "bursts of loss", "jitter", "reordering", "duplication", "corruption",
                                        "down", "slow",           "delay",  "narrow",     "short queue"};
    static const char *const lanes[] = {"", " forward", " backward", ""};
    char how[64];
    if (fault->kind == FAULT_NARROW)
        snprintf(how, sizeof how, "%" PRIu64 " bytes, %s", fault->bytes, fault->ppm & 1 ? "told" : "silent");
    else
        snprintf(how, sizeof how, "%" PRIu32 " ppm, %" PRIu64 " us", fault->ppm, fault->ns / NS_PER_US);
    snprintf(text, size, "%s on %s%s from %.3f s to %.3f s (%s)", names[fault->kind], link, lanes[fault->lanes],
             (double)fault->from_ns / 1e9, (double)fault->to_ns / 1e9, how);
}

static void box_text(const struct swarm_fault *fault, const char *link, char *text, size_t size)
{
    static const char *const directions[] = {[BOX_BOTH] = "", [BOX_OUTWARD] = ", outward", [BOX_INWARD] = ", inward"};
    const struct box_config *box = &fault->box;
    char until[32] = "on for good";
    if (fault->to_ns)
        snprintf(until, sizeof until, "to %.3f s", (double)fault->to_ns / 1e9);
    snprintf(text, size, "%s on %s%s%s from %.3f s %s (%" PRIu32 " ppm, amount %" PRIu32 ", period %" PRIu64 " ms%s%s)",
             box->kind, link, fault->box_faces_server ? ", inside out" : "", directions[box->direction],
             (double)fault->from_ns / 1e9, until, box->ppm, box->amount, box->period_ns / NS_PER_MS,
             box->syn_only ? ", SYN only" : "", box->data_only ? ", data only" : "");
}

static void address_text(const struct swarm_plan *plan, const struct swarm_fault *fault, char *text, size_t size)
{
    const struct wire_spec *link = &plan->base.links[fault->target];
    char old[HAWSER_ADDR_STRLEN], new[HAWSER_ADDR_STRLEN];
    double from = (double)fault->from_ns / 1e9, to = (double)fault->to_ns / 1e9, step = (double)fault->ns / 1e9;
    hawser_addr_format(&link->addresses[fault->end][0], old, sizeof old);
    hawser_addr_format(&fault->addr, new, sizeof new);
    int n = snprintf(text, size, "%s of the %s on %s ", fault->change == ADDRESS_NEW ? new : old, link->end[fault->end],
                     link->name);
    text += n;
    size -= (size_t)n;
    switch (fault->change) {
    case ADDRESS_AWAY:
        snprintf(text, size, "is gone from %.3f s to %.3f s", from, to);
        break;
    case ADDRESS_BLINK:
        snprintf(text, size, "goes and comes back at %.3f s", from);
        break;
    case ADDRESS_GONE:
        snprintf(text, size, "goes for good at %.3f s", from);
        break;
    case ADDRESS_NEW:
        snprintf(text, size, "comes at %.3f s", from);
        break;
    case ADDRESS_EXCHANGED:
        snprintf(text, size, "gives way to %s at %.3f s, %s, %.3f s apart", new, from,
                 fault->before_close ? "which comes first" : "which comes then", fault->count % 2 ? step : 0.0);
        break;
    default:
        snprintf(text, size, "goes and comes back %" PRIu32 " times from %.3f s on, every %.3f s", fault->count, from,
                 2 * step);
        break;
    }
}

static void program_text(const struct swarm_plan *plan, const struct swarm_fault *fault, char *text, size_t size)
{
    const char *flow = plan->base.flows[fault->target].plan.name;
    const char *side = fault->side == FLOW_CLIENT ? "client" : "server";
    if (fault->kind == FAULT_IDLE)
        snprintf(text, size, "%s is silent for %.3f s %s", flow, (double)fault->ns / 1e9,
                 fault->before_close ? "before the close" : "between two or three rounds");
    else if (fault->kind == FAULT_READER)
        snprintf(text, size, "%s: the %s reads only %" PRIu64 " bit/s", flow, side, fault->bytes);
    else
        snprintf(text, size, "%s: the %s %s after %" PRIu64 " bytes", flow, side,
                 fault->ending == FLOW_ABORT ? "aborts" : "closes", fault->bytes);
}

char *swarm_fault_text(const struct swarm_plan *plan, const struct swarm_fault *fault, char *text, size_t size)
{
    const struct scenario *s = &plan->base;
    if (is_link_fault(fault))
        link_text(fault, s->links[fault->target].name, text, size);
    else if (is_box_fault(fault))
        box_text(fault, s->links[fault->target].name, text, size);
    else if (fault->kind == FAULT_MEMORY)
        snprintf(text, size, "%s refuses allocations (%" PRIu32 " ppm)", s->hosts[fault->target].name, fault->ppm);
    else if (fault->kind == FAULT_ADDRESS)
        address_text(plan, fault, text, size);
    else if (fault->kind == FAULT_CROWD)
        snprintf(text, size,
                 "%" PRIu32 " more connections of %" PRIu64 " bytes each way%s, and a server with %" PRIu32
                 " bytes of memory",
                 fault->count, fault->bytes, fault->duplex ? " at once" : "", fault->ppm);
    else
        program_text(plan, fault, text, size);
    return text;
}
