/* A node that swallows packets and remembers what came: the ends of cables and the homes of addresses in tests. */
#ifndef HW_TESTS_SIM_SINKS_H
#define HW_TESTS_SIM_SINKS_H

#include "sim/cable.h"
#include "sim/digest.h"
#include "sim/memory.h"
#include "unit/sim/lanes.h"

struct sink {
    struct node node;
    uint64_t count;
    uint64_t last_ns;
    uint64_t hash; /* of the numbers and times of all packets */
};

static inline void sink_forward(struct node *node, unsigned port, struct packet *packet, uint64_t now_ns)
{
    struct sink *sink = HW_CONTAINER(node, struct sink, node);
    (void)port;
    sink->count++;
    sink->last_ns = now_ns;
    sink->hash = digest_add(digest_add(sink->hash, number_of(packet)), now_ns);
    packet_free(packet);
}

static inline uint64_t sink_never(const struct node *node)
{
    (void)node;
    return TIME_NEVER;
}

static inline void sink_run(struct node *node, uint64_t now_ns)
{
    (void)node;
    (void)now_ns;
}

static inline void sink_destroy(struct node *node)
{
    node_fini(node);
    sim_free(HW_CONTAINER(node, struct sink, node));
}

static inline struct sink *sink_new(struct world *world, const char *name)
{
    static const struct node_ops ops = {"sink", sink_forward, sink_never, sink_run, sink_destroy};
    struct sink *sink = sim_new(sizeof *sink);
    node_init(&sink->node, world, &ops, name, 1);
    return sink;
}

#endif
