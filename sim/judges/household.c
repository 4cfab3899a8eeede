/* The stack as a tenant: its memory, its timers, and what it leaves behind when every flow is over. */
#include <inttypes.h>

#include "base/buf.h"
#include "base/units.h"
#include "sim/judges/rules.h"
#include "stack/stack.h"

/* What a connection may hold beyond its send buffer, and a stack beyond its connections. What it received belongs to
 * the world. */
#define CONNECTION_BYTES (UINT64_C(2) << 20)
#define STACK_BYTES (UINT64_C(4) << 20)
#define SEND_BUFFER_DEFAULT (UINT64_C(4) << 20)
#define MEMORY_DEFAULT (UINT64_C(256) << 20)
/* Longer than any connection may outlive its program: the last retransmission of a closed one (RFC 1122 4.2.3.5), and
 * TIME-WAIT. */
#define AFTERLIFE_NS (400 * NS_PER_S)

/* Of a buffer that is sent from, a quarter at least is queued, and all of it is held. */
#define VIEWED_PARTS 4u

static bool uses(const struct flow *flow, const struct host *host)
{
    return flow->plan.client == host || flow->plan.server == host;
}

void household_begin(struct judge_host *at)
{
    const struct stage *stage = at->all->stage;
    uint64_t limit = STACK_BYTES, memory = MEMORY_DEFAULT;
    for (size_t i = 0; i < stage->scenario->host_count; i++)
        if (stage->hosts[i] == at->host && stage->scenario->hosts[i].options.max_memory_bytes)
            memory = stage->scenario->hosts[i].options.max_memory_bytes;
    for (size_t i = 0; i < stage->scenario->flow_count; i++) {
        const struct flow_plan *plan = &stage->flows[i]->plan;
        for (unsigned side = 0; side < 2; side++) {
            uint64_t buffer = plan->options[side].send_buffer_bytes;
            buffer = (buffer ? buffer : SEND_BUFFER_DEFAULT) * (plan->by_reference ? VIEWED_PARTS : 1);
            if ((side == FLOW_CLIENT ? plan->client : plan->server) == at->host)
                limit += CONNECTION_BYTES + buffer;
        }
    }
    at->memory_limit = HW_MIN(limit, memory + memory / 4 + STACK_BYTES);
}

void household_sent(const struct judge_host *at, const struct seen *seen, uint64_t now_ns)
{
    const struct host *host = at->host;
    struct world *world = at->all->world;
    uint64_t deadline = hawser_stack_deadline(host->stack);
    if (host->memory.live_bytes > at->memory_limit)
        world_violation(world, "memory-bound", "%s holds %" PRIu64 " bytes; at most %" PRIu64 " are due",
                        host->node.name, host->memory.live_bytes, at->memory_limit);
    if (deadline <= now_ns)
        world_violation(world, "deadline-future", "%s sends with a deadline %" PRIu64 " ns in the past",
                        host->node.name, now_ns - deadline);
    /* What takes sequence space must be watched over until it is acknowledged (RFC 6298 5.1). A box on the wire may
     * have answered already, as work that the host has not looked at, and the answer may have ended the connection. */
    if (deadline == TIME_NEVER && seen_span(seen) && !(seen->flags & SEEN_RST) && !host->has_work)
        world_violation(world, "deadline-set", "%s sends data and sets no timer", host->node.name);
}

/* When the last flow of the host was over; TIME_NEVER while one is not. */
static uint64_t over_since(const struct judge_host *at)
{
    const struct stage *stage = at->all->stage;
    uint64_t last = 0;
    for (size_t i = 0; i < stage->scenario->flow_count; i++) {
        const struct flow *flow = stage->flows[i];
        if (!uses(flow, at->host) || !flow->started)
            continue;
        if (!flow_finished(flow))
            return TIME_NEVER;
        last = HW_MAX(last, HW_MAX(flow->ends[0].finished_ns, flow->ends[1].finished_ns));
    }
    return last;
}

static void check_stuck(const struct judge_host *at)
{
    const struct stage *stage = at->all->stage;
    for (size_t i = 0; i < stage->scenario->flow_count; i++) {
        const struct flow *flow = stage->flows[i];
        if (flow->plan.client == at->host && flow->started && !flow_finished(flow))
            world_violation(at->all->world, "stuck", "%s is not over and nothing is left to happen", flow->plan.name);
    }
}

/* Only middleboxes, and a peer without memory, make a path useless. */
static void check_given_up(const struct judge_host *at)
{
    const struct scenario *s = at->all->stage->scenario;
    bool excused = s->box_count > 0 || at->all->stage->meddled;
    for (size_t i = 0; i < s->host_count; i++)
        excused |= s->hosts[i].options.max_memory_bytes || s->hosts[i].memory_limit_bytes || s->hosts[i].refuse_ppm;
    uint64_t given_up =
        host_counter(at->host, "mptcp.subflows_given_up") + host_counter(at->host, "drop.unmapped_data");
    if (given_up && !excused)
        world_violation(at->all->world, "path-given-up", "%s gave up %" PRIu64 " subflows with which nothing was wrong",
                        at->host->node.name, given_up);
}

void household_end(const struct judge_host *at)
{
    check_given_up(at);
    const struct hawser_stack *stack = at->host->stack;
    struct world *world = at->all->world;
    if (deadline_next(&world->timers) == TIME_NEVER)
        check_stuck(at);
    /* Without a deadline nothing can end any more. */
    uint64_t since = over_since(at);
    bool settled = hawser_stack_deadline(stack) == TIME_NEVER || world->now_ns - since > AFTERLIFE_NS;
    if (since == TIME_NEVER || !settled)
        return;
    const struct mp_host *host = &stack->host;
    const struct {
        const char *what;
        uint32_t count;
    } kinds[] = {
        {"connections", host->conns.in_use},
        {"subflows", host->subflows.in_use},
        {"reassembly nodes", host->nodes.in_use},
        {"held pieces", host->holds.in_use},
        {"transmit records", host->tcp.records.in_use},
        {"flights", host->tcp.flights.in_use},
        {"receivers out of order", host->tcp.disorders.in_use},
        {"payload buffers", store_in_use(&host->store)},
    };
    for (size_t i = 0; i < HW_ARRAY_LEN(kinds); i++)
        if (kinds[i].count)
            world_violation(world, "teardown", "%s has %u %s left after its last flow", at->host->node.name,
                            kinds[i].count, kinds[i].what);
}
