#include "sim/router.h"

#include <string.h>

#include "base/check.h"
#include "base/compiler.h"
#include "base/units.h"
#include "sim/digest.h"
#include "sim/memory.h"
#include "sim/world.h"
#include "wire/bytes.h"
#include "wire/ip.h"

#define WAY_PORTS_MAX 16

/* Equally good ports. Few of them differ, so all addresses that are reached alike share one. */
struct way {
    uint16_t ports[WAY_PORTS_MAX];
    uint16_t port_count;
};

struct router {
    struct node node;
    uint16_t *way_of; /* by the address's number in the world's book: the way's number + 1, 0 for none */
    uint32_t known;   /* entries there */
    struct way *ways;
    uint16_t way_count;
    uint64_t seed; /* of the choice among equal ways */
    uint64_t unroutable;
};

static const struct way *find(const struct router *router, const struct hawser_addr *to)
{
    uint32_t number = address_book_find(&router->node.world->addresses, to);
    return number < router->known && router->way_of[number] ? &router->ways[router->way_of[number] - 1] : NULL;
}

/* Addresses and ports, so that a flow keeps its way and subflows may take different ones. */
static uint64_t flow_hash(const struct router *router, const struct packet *packet, const struct ip_header *ip)
{
    uint64_t hash = digest_bytes(router->seed, ip->src.ip, sizeof ip->src.ip);
    hash = digest_bytes(hash, ip->dst.ip, sizeof ip->dst.ip);
    if (ip->payload_len >= 4)
        hash = digest_add(hash, get32(packet->data + ip->header_len));
    return hash;
}

static void router_forward(struct node *node, unsigned port, struct packet *packet, uint64_t now_ns)
{
    (void)port;
    struct router *router = HW_CONTAINER(node, struct router, node);
    struct ip_header ip;
    const struct way *way = NULL;
    if (ip_parse(packet->data, packet->len, false, &ip) == IP_OK)
        way = find(router, &ip.dst);
    if (!way) {
        router->unroutable++;
        packet_free(packet);
        return;
    }
    uint64_t pick = way->port_count > 1 ? flow_hash(router, packet, &ip) % way->port_count : 0;
    node_emit(node, way->ports[pick], packet, now_ns);
}

static uint64_t router_next_run_at(const struct node *node)
{
    (void)node;
    return TIME_NEVER;
}

static void router_run(struct node *node, uint64_t now_ns)
{
    (void)node;
    (void)now_ns;
}

void router_clear_routes(struct router *router)
{
    sim_free(router->way_of);
    sim_free(router->ways);
    router->way_of = NULL;
    router->ways = NULL;
    router->known = router->way_count = 0;
}

static void router_destroy(struct node *node)
{
    struct router *router = HW_CONTAINER(node, struct router, node);
    router_clear_routes(router);
    node_fini(node);
    sim_free(router);
}

static const struct node_ops router_ops = {"router", router_forward, router_next_run_at, router_run, router_destroy};

struct router *router_new(struct world *world, const char *name)
{
    struct router *router = sim_new(sizeof *router);
    node_init(&router->node, world, &router_ops, name, 0);
    router->seed = prng_next(&router->node.rng);
    return router;
}

struct node *router_node(struct router *router) { return &router->node; }

struct router *router_of(struct node *node)
{
    return node->ops == &router_ops ? HW_CONTAINER(node, struct router, node) : NULL;
}

static uint16_t number_of_way(struct router *router, const struct way *way)
{
    for (uint16_t i = 0; i < router->way_count; i++)
        if (memcmp(&router->ways[i], way, sizeof *way) == 0)
            return (uint16_t)(i + 1);
    CHECK(router->way_count < UINT16_MAX - 1);
    router->ways = sim_grow(router->ways, router->way_count, sizeof *router->ways);
    router->ways[router->way_count] = *way;
    return ++router->way_count;
}

void router_add_route(struct router *router, const struct hawser_addr *to, unsigned port)
{
    uint32_t number = address_book_add(&router->node.world->addresses, to);
    for (; router->known <= number; router->known++)
        router->way_of = sim_grow(router->way_of, router->known, sizeof *router->way_of);
    struct way way = {.port_count = 0};
    if (router->way_of[number])
        way = router->ways[router->way_of[number] - 1];
    CHECK(port <= UINT16_MAX);
    if (way.port_count == WAY_PORTS_MAX)
        return;
    way.ports[way.port_count++] = (uint16_t)port;
    router->way_of[number] = number_of_way(router, &way);
}

uint64_t router_unroutable(const struct router *router) { return router->unroutable; }
