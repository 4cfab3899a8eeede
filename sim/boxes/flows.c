#include "sim/boxes/flows.h"

#include <string.h>

struct box_flow *box_flows_find(struct box_flows *flows, unsigned port, const struct box_segment *seg, uint64_t now_ns)
{
    const struct hawser_addr *inner = port == BOX_INNER ? &seg->src : &seg->dst;
    const struct hawser_addr *outer = port == BOX_INNER ? &seg->dst : &seg->src;
    for (unsigned i = 0; i < flows->used; i++) {
        struct box_flow *flow = &flows->list[i];
        if (flow->alive && flow->inner.port == inner->port && flow->outer.port == outer->port &&
            hawser_addr_equal(&flow->inner, inner) && hawser_addr_equal(&flow->outer, outer))
            return box_flow_used(flows, flow, now_ns) ? flow : NULL;
    }
    return NULL;
}

bool box_flow_used(const struct box_flows *flows, struct box_flow *flow, uint64_t now_ns)
{
    if (flows->idle_ns && now_ns - flow->used_ns > flows->idle_ns) {
        box_flow_forget(flow);
        return false;
    }
    flow->used_ns = now_ns;
    return true;
}

static struct box_flow *place_for_one(struct box_flows *flows)
{
    struct box_flow *oldest = &flows->list[0];
    for (unsigned i = 0; i < flows->used && oldest->alive; i++)
        if (!flows->list[i].alive || flows->list[i].used_ns < oldest->used_ns)
            oldest = &flows->list[i];
    bool full = flows->used == BOX_FLOWS_MAX || (flows->used && !oldest->alive);
    return full ? oldest : &flows->list[flows->used++];
}

struct box_flow *box_flows_get(struct box_flows *flows, unsigned port, const struct box_segment *seg, uint64_t now_ns)
{
    struct box_flow *flow = box_flows_find(flows, port, seg, now_ns);
    if (flow)
        return flow;
    struct box_flow *oldest = place_for_one(flows);
    box_flow_forget(oldest);
    oldest->alive = true;
    oldest->inner = port == BOX_INNER ? seg->src : seg->dst;
    oldest->outer = port == BOX_INNER ? seg->dst : seg->src;
    oldest->since_ns = oldest->used_ns = now_ns;
    return oldest;
}

void box_flow_forget(struct box_flow *flow)
{
    for (unsigned i = 0; i < 2; i++)
        if (flow->held[i])
            packet_free(flow->held[i]);
    memset(flow, 0, sizeof *flow);
}

void box_flows_fini(struct box_flows *flows)
{
    for (unsigned i = 0; i < flows->used; i++)
        box_flow_forget(&flows->list[i]);
}
