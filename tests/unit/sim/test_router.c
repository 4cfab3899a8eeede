/* Routers: shortest ways, all of them, chosen by flow. */
#include "unit/sim/sinks.h"

#include "sim/router.h"
#include "sim/routes.h"
#include "unit/link/packets.h"

static struct packet *flow_packet(struct world *world, const char *dst, uint16_t src_port)
{
    struct packet_flow flow = {.src = packet_addr("10.9.0.1", src_port), .dst = packet_addr(dst, 80), .flags = TCP_ACK};
    static const uint8_t payload[8];
    struct hawser_tx tx = packet_make(&flow, payload, sizeof payload, 0);
    struct packet *packet = packet_from_tx(world->packets, &tx);
    assert_non_null(packet);
    return packet;
}

/* A router with `ways` equally good ways to 10.0.0.1, each to a sink. */
static struct node *fan(struct world *world, const char *name, unsigned ways, struct sink **sinks)
{
    struct router *router = router_new(world, name);
    struct hawser_addr to = packet_addr("10.0.0.1", 0);
    for (unsigned i = 0; i < ways; i++) {
        char sink[32];
        unsigned port = node_add_port(router_node(router));
        snprintf(sink, sizeof sink, "%.20s-%u", name, i);
        sinks[i] = sink_new(world, sink);
        node_connect(router_node(router), port, &sinks[i]->node, 0);
        router_add_route(router, &to, port);
    }
    return router_node(router);
}

static int taken_way(struct world *world, struct node *router, struct sink **sinks, unsigned ways, uint16_t src_port)
{
    uint64_t before[16];
    int way = -1;
    for (unsigned i = 0; i < ways; i++)
        before[i] = sinks[i]->count;
    node_forward(router, 0, flow_packet(world, "10.0.0.1", src_port), world->now_ns);
    for (unsigned i = 0; i < ways; i++)
        if (sinks[i]->count > before[i])
            way = (int)i;
    return way;
}

static void flows_spread_over_equal_ways_and_keep_theirs(void **state)
{
    (void)state;
    enum { FLOWS = 4000, WAYS = 4 };
    struct world world;
    struct sink *sinks[WAYS];
    unsigned on[WAYS] = {0};
    world_init(&world, 1, ROOM);
    struct node *router = fan(&world, "r", WAYS, sinks);
    for (uint16_t flow = 1; flow <= FLOWS; flow++) {
        int way = taken_way(&world, router, sinks, WAYS, flow);
        assert_in_range(way, 0, WAYS - 1);
        on[way]++;
        for (unsigned again = 0; again < 3; again++)
            assert_int_equal(taken_way(&world, router, sinks, WAYS, flow), way);
    }
    for (unsigned i = 0; i < WAYS; i++) /* deviation sqrt(4000 1/4 3/4) = 27.4 */
        assert_in_range(on[i], 1000 - 137, 1000 + 137);
    world_destroy(&world);
}

/* Else a second stage of routers would see only flows that agree in the first choice. */
static void routers_choose_independently(void **state)
{
    (void)state;
    enum { FLOWS = 4000 };
    struct world world;
    struct sink *first[2], *second[2];
    unsigned both[2][2] = {{0}};
    world_init(&world, 1, ROOM);
    struct node *a = fan(&world, "a", 2, first), *b = fan(&world, "b", 2, second);
    for (uint16_t flow = 1; flow <= FLOWS; flow++)
        both[taken_way(&world, a, first, 2, flow)][taken_way(&world, b, second, 2, flow)]++;
    for (unsigned i = 0; i < 4; i++)
        assert_in_range(both[i / 2][i % 2], 1000 - 137, 1000 + 137);
    world_destroy(&world);
}

static void without_a_route_packets_are_dropped_and_counted(void **state)
{
    (void)state;
    struct world world;
    struct sink *sinks[1];
    world_init(&world, 1, ROOM);
    struct node *router = fan(&world, "r", 1, sinks);
    node_forward(router, 0, flow_packet(&world, "10.0.0.2", 1), world.now_ns);
    node_forward(router, 0, numbered(&world, 30, 0), world.now_ns); /* no IP packet at all */
    assert_true(sinks[0]->count == 0 && router_unroutable(router_of(router)) == 2);
    router_clear_routes(router_of(router));
    node_forward(router, 0, flow_packet(&world, "10.0.0.1", 1), world.now_ns);
    assert_true(sinks[0]->count == 0 && router_unroutable(router_of(router)) == 3);
    world_destroy(&world);
}

/* Addresses are numbered once, whoever asks and however many there are. */
static void a_thousand_addresses_each_have_a_way(void **state)
{
    (void)state;
    enum { ADDRESSES = 1000 };
    struct world world;
    struct sink *sinks[3];
    char text[16];
    world_init(&world, 1, ROOM);
    struct node *router = fan(&world, "r", 3, sinks);
    assert_true(address_book_find(&world.addresses, &(struct hawser_addr){.port = 1}) == ADDRESS_UNKNOWN);
    for (unsigned i = 0; i < ADDRESSES; i++) {
        snprintf(text, sizeof text, "10.1.%u.%u", i / 250, i % 250 + 1);
        struct hawser_addr to = packet_addr(text, 0);
        router_add_route(router_of(router), &to, i % 3);
        assert_true(address_book_add(&world.addresses, &to) == i + 1); /* 0 is 10.0.0.1 */
        to.port = 80;
        assert_true(address_book_find(&world.addresses, &to) == i + 1);
    }
    for (unsigned i = 0; i < ADDRESSES; i++) {
        snprintf(text, sizeof text, "10.1.%u.%u", i / 250, i % 250 + 1);
        uint64_t before = sinks[i % 3]->count;
        node_forward(router, 0, flow_packet(&world, text, 1), world.now_ns);
        assert_true(sinks[i % 3]->count == before + 1);
    }
    assert_true(router_unroutable(router_of(router)) == 0);
    world_destroy(&world);
}

static struct cable *join(struct world *world, const char *name, struct node *a, struct node *b)
{
    static const struct lane_config free[2] = {{.delay_ns = NS_PER_MS}, {.delay_ns = NS_PER_MS}};
    struct cable *cable = cable_new(world, name, free);
    node_connect(a, router_of(a) ? node_add_port(a) : 0, &cable->node, 0);
    node_connect(&cable->node, 1, b, router_of(b) ? node_add_port(b) : 0);
    return cable;
}

/*
 *             +- r2 -+
 *  left - r1 -+- r3 -+- r4 - right        two ways of three routers, and one of four by r5 and r6
 *             +-r5-r6+
 */
static void all_shortest_ways_are_used_and_no_other(void **state)
{
    (void)state;
    struct world world;
    struct node *r[7];
    char name[8];
    world_init(&world, 1, ROOM);
    for (unsigned i = 1; i <= 6; i++) {
        snprintf(name, sizeof name, "r%u", i);
        r[i] = router_node(router_new(&world, name));
    }
    struct sink *left = sink_new(&world, "left"), *right = sink_new(&world, "right");
    struct cable *to_left = join(&world, "left-r1", &left->node, r[1]);
    struct cable *upper = join(&world, "r1-r2", r[1], r[2]), *lower = join(&world, "r1-r3", r[1], r[3]);
    struct cable *longer = join(&world, "r1-r5", r[1], r[5]);
    (void)join(&world, "r5-r6", r[5], r[6]);
    (void)join(&world, "r6-r4", r[6], r[4]);
    (void)join(&world, "r2-r4", r[2], r[4]);
    (void)join(&world, "r3-r4", r[3], r[4]);
    struct cable *to_right = join(&world, "r4-right", r[4], &right->node);
    struct hawser_addr at_left = packet_addr("10.0.0.1", 0), at_right = packet_addr("10.0.0.2", 0);
    routes_add(&world, &at_left, &left->node, 0);
    routes_add(&world, &at_right, &right->node, 0);
    for (uint16_t flow = 1; flow <= 1000; flow++) {
        node_emit(&left->node, 0, flow_packet(&world, "10.0.0.2", flow), world.now_ns);
        node_emit(&right->node, 0, flow_packet(&world, "10.0.0.1", flow), world.now_ns);
        node_forward(r[6], 0, flow_packet(&world, "10.0.0.2", flow), world.now_ns); /* by r4, not back */
    }
    world_run(&world, T0 + NS_PER_S);
    assert_true(right->count == 2000 && left->count == 1000);
    assert_true(longer->lanes[0].counters.entered == 0 && longer->lanes[1].counters.entered == 0);
    for (unsigned way = 0; way < 2; way++) { /* deviation sqrt(1000 / 4) = 15.8 */
        assert_in_range(upper->lanes[way].counters.delivered, 500 - 79, 500 + 79);
        assert_true(upper->lanes[way].counters.delivered + lower->lanes[way].counters.delivered == 1000);
    }
    assert_true(to_left->lanes[0].counters.delivered == 1000 && to_right->lanes[0].counters.delivered == 2000);
    for (unsigned i = 1; i <= 6; i++)
        assert_true(router_unroutable(router_of(r[i])) == 0);
    assert_true(left->last_ns == T0 + 4 * NS_PER_MS);
    world_destroy(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flows_spread_over_equal_ways_and_keep_theirs),
        cmocka_unit_test(routers_choose_independently),
        cmocka_unit_test(without_a_route_packets_are_dropped_and_counted),
        cmocka_unit_test(a_thousand_addresses_each_have_a_way),
        cmocka_unit_test(all_shortest_ways_are_used_and_no_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
