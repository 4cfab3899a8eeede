#include "sim/router.h"

#include <string.h>

#include "base/compiler.h"
#include "base/units.h"
#include "sim/digest.h"
#include "sim/memory.h"
#include "sim/world.h"
#include "wire/bytes.h"
#include "wire/ip.h"

#define PORTS_PER_ROUTE_MAX 16
#define BUCKETS 256

struct route {
    struct route *next; /* in its bucket */
    struct hawser_addr to;
    unsigned ports[PORTS_PER_ROUTE_MAX];
    unsigned port_count;
};

struct router {
    struct node node;
    struct route *buckets[BUCKETS];
    uint64_t seed; /* of the choice among equal ways */
    uint64_t unroutable;
};

static struct route **bucket_of(struct router *router, const struct hawser_addr *to)
{
    return &router->buckets[digest_bytes(0, to->ip, sizeof to->ip) % BUCKETS];
}

static struct route *find(struct router *router, const struct hawser_addr *to)
{
    struct route *route = *bucket_of(router, to);
    while (route && !hawser_addr_same_ip(&route->to, to))
        route = route->next;
    return route;
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
    const struct route *route = NULL;
    if (ip_parse(packet->data, packet->len, false, &ip) == IP_OK)
        route = find(router, &ip.dst);
    if (!route) {
        router->unroutable++;
        packet_free(packet);
        return;
    }
    uint64_t pick = route->port_count > 1 ? flow_hash(router, packet, &ip) % route->port_count : 0;
    node_emit(node, route->ports[pick], packet, now_ns);
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
    for (unsigned i = 0; i < BUCKETS; i++) {
        for (struct route *route = router->buckets[i], *next; route; route = next) {
            next = route->next;
            sim_free(route);
        }
        router->buckets[i] = NULL;
    }
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

void router_add_route(struct router *router, const struct hawser_addr *to, unsigned port)
{
    struct route *route = find(router, to);
    if (!route) {
        struct route **bucket = bucket_of(router, to);
        route = sim_new(sizeof *route);
        route->to = *to;
        route->next = *bucket;
        *bucket = route;
    }
    if (route->port_count < PORTS_PER_ROUTE_MAX)
        route->ports[route->port_count++] = port;
}

uint64_t router_unroutable(const struct router *router) { return router->unroutable; }
