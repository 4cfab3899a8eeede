#include "sim/cable.h"

#include <stdio.h>

#include "base/compiler.h"
#include "sim/icmp.h"
#include "sim/memory.h"
#include "sim/world.h"

/* RFC 1191 3, RFC 4443 3.2: the router before the link does. */
static void tell_too_big(struct cable *cable, unsigned port, struct packet *packet, uint64_t now_ns)
{
    const struct lane_config *config = &cable->lanes[port].config;
    if (!config->mtu_told || !lane_refuses_size(&cable->lanes[port], packet))
        return;
    packet_settle(packet);
    struct packet *icmp = icmp_about(cable->node.world->packets, packet, ICMP_SAYS_TOO_BIG, config->mtu);
    if (icmp)
        node_emit(&cable->node, port, icmp, now_ns);
}

static void cable_forward(struct node *node, unsigned port, struct packet *packet, uint64_t now_ns)
{
    struct cable *cable = HW_CONTAINER(node, struct cable, node);
    tell_too_big(cable, port, packet, now_ns);
    lane_push(&cable->lanes[port], packet, now_ns);
}

static uint64_t cable_next_run_at(const struct node *node)
{
    const struct cable *cable = (const struct cable *)(const void *)node; /* its first member */
    uint64_t a = lane_next_at(&cable->lanes[0]), b = lane_next_at(&cable->lanes[1]);
    return HW_MIN(a, b);
}

static void cable_run(struct node *node, uint64_t now_ns)
{
    struct cable *cable = HW_CONTAINER(node, struct cable, node);
    for (unsigned from = 0; from < 2; from++)
        for (struct packet *packet; (packet = lane_pop(&cable->lanes[from], now_ns));)
            node_emit(node, 1 - from, packet, now_ns);
}

static void cable_destroy(struct node *node)
{
    struct cable *cable = HW_CONTAINER(node, struct cable, node);
    lane_fini(&cable->lanes[0]);
    lane_fini(&cable->lanes[1]);
    node_fini(node);
    sim_free(cable);
}

static const struct node_ops cable_ops = {"link", cable_forward, cable_next_run_at, cable_run, cable_destroy};

struct cable *cable_new(struct world *world, const char *name, const struct lane_config lanes[2])
{
    struct cable *cable = sim_new(sizeof *cable);
    node_init(&cable->node, world, &cable_ops, name, 2);
    cable->node.passes = true;
    for (unsigned i = 0; i < 2; i++) {
        struct prng rng;
        char stream[NODE_NAME_MAX + 2];
        snprintf(stream, sizeof stream, "%s/%u", name, i);
        world_stream(world, stream, &rng);
        lane_init(&cable->lanes[i], &lanes[i], &rng, world->packets, world->now_ns);
    }
    return cable;
}

void cable_configure(struct cable *cable, unsigned from_port, const struct lane_config *config, uint64_t now_ns)
{
    lane_configure(&cable->lanes[from_port], config, now_ns);
    node_wake(&cable->node, now_ns);
}
