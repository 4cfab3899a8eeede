#include "sim/node.h"

#include <stdio.h>

#include "base/check.h"
#include "base/units.h"
#include "sim/digest.h"
#include "sim/memory.h"
#include "sim/world.h"

static void reschedule(struct node *node)
{
    world_timer_set(node->world, &node->deadline, node->ops->next_run_at(node));
}

static void on_deadline(struct deadline *deadline, uint64_t now_ns)
{
    struct node *node = HW_CONTAINER(deadline, struct node, deadline);
    node->ops->run(node, now_ns);
    reschedule(node);
}

void node_init(struct node *node, struct world *world, const struct node_ops *ops, const char *name,
               unsigned port_count)
{
    node->ops = ops;
    node->world = world;
    node->id = ++world->node_count;
    node->passes = false;
    node->ports = NULL;
    node->port_count = 0;
    snprintf(node->name, sizeof node->name, "%s", name);
    world_stream(world, node->name, &node->rng);
    world_timer_init(world, &node->deadline, on_deadline);
    list_init(&node->link);
    list_push_back(&world->nodes, &node->link);
    while (node->port_count < port_count)
        node_add_port(node);
}

void node_fini(struct node *node)
{
    world_timer_set(node->world, &node->deadline, TIME_NEVER);
    list_remove(&node->link);
    sim_free(node->ports);
}

unsigned node_add_port(struct node *node)
{
    node->ports = sim_grow(node->ports, node->port_count, sizeof *node->ports);
    return node->port_count++;
}

void node_connect(struct node *a, unsigned port_a, struct node *b, unsigned port_b)
{
    CHECK(port_a < a->port_count && port_b < b->port_count);
    a->ports[port_a] = (struct node_port){b, port_b};
    b->ports[port_b] = (struct node_port){a, port_a};
}

void node_forward(struct node *node, unsigned port, struct packet *packet, uint64_t now_ns)
{
    struct world *world = node->world;
    world->hops++;
    world->trace = digest_add(world->trace, packet->digest + now_ns + ((uint64_t)node->id << 48) + port);
    node->ops->forward(node, port, packet, now_ns);
    reschedule(node);
}

void node_emit(struct node *node, unsigned port, struct packet *packet, uint64_t now_ns)
{
    const struct node_port *to = &node->ports[port];
    if (to->peer)
        node_forward(to->peer, to->peer_port, packet, now_ns);
    else
        packet_free(packet);
}

void node_wake(struct node *node, uint64_t now_ns) { world_timer_set(node->world, &node->deadline, now_ns); }

struct node_port node_far_end(const struct node *node, unsigned port)
{
    struct node_port at = node->ports[port];
    while (at.peer && at.peer->passes)
        at = at.peer->ports[1 - at.peer_port];
    return at;
}
