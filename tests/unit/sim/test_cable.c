/* Links between nodes: two directions that know nothing of each other, and elements that do not disturb another. */
#include "unit/sim/sinks.h"
#include "wire/ip.h"

#define MS NS_PER_MS

struct pair {
    struct world world;
    struct sink *ends[2];
    struct cable *cable;
};

static void pair_start(struct pair *p, const struct lane_config lanes[2])
{
    world_init(&p->world, 1, ROOM);
    p->ends[0] = sink_new(&p->world, "a");
    p->ends[1] = sink_new(&p->world, "b");
    p->cable = cable_new(&p->world, "cable", lanes);
    node_connect(&p->ends[0]->node, 0, &p->cable->node, 0);
    node_connect(&p->cable->node, 1, &p->ends[1]->node, 0);
}

static void send(struct pair *p, unsigned from, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        node_emit(&p->ends[from]->node, 0, numbered(&p->world, 1500, i), p->world.now_ns);
}

static void each_direction_has_its_own_parameters(void **state)
{
    (void)state;
    struct pair p;
    const struct lane_config lanes[2] = {{.rate_bps = 12000000, .delay_ns = 5 * MS},
                                         {.rate_bps = 1200000, .delay_ns = 20 * MS, .queue = {.packets = 3}}};
    pair_start(&p, lanes);
    send(&p, 0, 10);
    send(&p, 1, 10);
    assert_false(world_run(&p.world, TIME_NEVER - 1)); /* nothing is left to happen */
    assert_true(p.ends[1]->count == 10 && p.ends[1]->last_ns == T0 + (10 + 5) * MS);
    assert_true(p.ends[0]->count == 4 && p.ends[0]->last_ns == T0 + (4 * 10 + 20) * MS);
    assert_true(p.world.hops == 20 + 14);
    world_destroy(&p.world);
}

static void each_direction_can_be_cut_alone(void **state)
{
    (void)state;
    for (unsigned cut = 0; cut < 2; cut++) {
        struct pair p;
        struct lane_config up = {.delay_ns = MS}, down = {.delay_ns = MS, .down = true};
        const struct lane_config lanes[2] = {up, up};
        pair_start(&p, lanes);
        cable_configure(p.cable, cut, &down, T0);
        for (unsigned from = 0; from < 2; from++)
            send(&p, from, 100);
        world_run(&p.world, T0 + 10 * MS);
        assert_int_equal(p.ends[1 - cut]->count, 0);
        assert_int_equal(p.ends[cut]->count, 100);
        cable_configure(p.cable, cut, &up, p.world.now_ns);
        for (unsigned from = 0; from < 2; from++)
            send(&p, from, 100);
        world_run(&p.world, T0 + 20 * MS);
        assert_int_equal(p.ends[1 - cut]->count, 100);
        assert_int_equal(p.ends[cut]->count, 200);
        world_destroy(&p.world);
    }
}

/* Who sends what is too large is told at once, where the link says so. The sinks make no IP packets: of those nobody is
 * told. */
static void a_narrow_link_may_say_so(void **state)
{
    (void)state;
    for (int told = 0; told < 2; told++) {
        struct pair p;
        const struct lane_config narrow = {.delay_ns = MS, .mtu = 1400, .mtu_told = told};
        const struct lane_config lanes[2] = {narrow, {.delay_ns = MS}};
        struct hawser_addr a, b;
        pair_start(&p, lanes);
        assert_int_equal(hawser_addr_parse(&a, "10.0.0.1", 0), 0);
        assert_int_equal(hawser_addr_parse(&b, "10.0.0.2", 0), 0);
        struct packet *packet = numbered(&p.world, 1401, 7), *fits = numbered(&p.world, 1400, 8);
        ip_emit(packet->data, &a, &b, 0, 1381);
        send(&p, 0, 1); /* 1500 bytes of nothing */
        node_emit(&p.ends[0]->node, 0, packet, p.world.now_ns);
        node_emit(&p.ends[0]->node, 0, fits, p.world.now_ns);
        assert_int_equal(p.ends[0]->count, told);
        world_run(&p.world, T0 + 10 * MS);
        assert_int_equal(p.ends[0]->count, told);
        assert_int_equal(p.ends[1]->count, 1);
        world_destroy(&p.world);
    }
}

/* Both directions down, with packets in the queue, in the transmitter and on the wire; then all passes again. */
static void both_directions_work_after_an_outage(void **state)
{
    (void)state;
    struct pair p;
    struct lane_config up = {.rate_bps = 12000000, .delay_ns = 5 * MS}, down = up;
    const struct lane_config lanes[2] = {up, up};
    down.down = true;
    pair_start(&p, lanes);
    for (unsigned from = 0; from < 2; from++)
        send(&p, from, 20);
    world_run(&p.world, T0 + 8 * MS);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(p.ends[i]->count, 3);
        cable_configure(p.cable, i, &down, p.world.now_ns);
    }
    world_run(&p.world, T0 + NS_PER_S);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(p.ends[i]->count, 3);
        assert_int_equal(p.cable->lanes[i].counters.lost_down, 17);
        cable_configure(p.cable, i, &up, p.world.now_ns);
        send(&p, i, 50);
    }
    world_run(&p.world, TIME_NEVER - 1);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(p.ends[i]->count, 53);
        assert_true(p.ends[i]->last_ns == T0 + NS_PER_S + 55 * MS);
    }
    world_destroy(&p.world);
}

/* ---- streams of randomness ---- */

static const struct lane_config noisy = {.delay_ns = MS,
                                         .jitter_ns = 10 * MS,
                                         .jitter_reorders = true,
                                         .loss = {.kind = LOSS_INDEPENDENT, .ppm = 200000},
                                         .duplicate_ppm = 100000};

/* What 1000 packets through the cable "cable" come to, with `others` more busy cables, built before or after it. */
static uint64_t story(uint64_t seed, unsigned others, bool before)
{
    struct world world;
    struct sink *ends[6];
    const struct lane_config lanes[2] = {noisy, noisy};
    world_init(&world, seed, ROOM);
    for (unsigned i = 0; i <= others; i++) {
        unsigned which = before ? others - i : i; /* 0 is the one we look at */
        char name[16], cable_name[16];
        snprintf(name, sizeof name, "sink%u", which);
        snprintf(cable_name, sizeof cable_name, "cable%u", which);
        struct cable *cable = cable_new(&world, cable_name, lanes);
        ends[which] = sink_new(&world, name);
        node_connect(&cable->node, 1, &ends[which]->node, 0);
        for (uint32_t n = 0; n < 1000; n++)
            node_forward(&cable->node, 0, numbered(&world, 100, n), world.now_ns);
    }
    world_run(&world, TIME_NEVER - 1);
    uint64_t hash = ends[0]->hash;
    for (unsigned i = 1; i <= others; i++)
        assert_false(ends[i]->hash == hash); /* each has fates of its own */
    world_destroy(&world);
    return hash;
}

static void another_element_does_not_change_the_fates(void **state)
{
    (void)state;
    uint64_t alone = story(1, 0, false);
    assert_true(story(1, 5, false) == alone);
    assert_true(story(1, 5, true) == alone);
    assert_false(story(2, 0, false) == alone);
}

static void the_two_directions_have_fates_of_their_own(void **state)
{
    (void)state;
    struct pair p;
    const struct lane_config lanes[2] = {noisy, noisy};
    pair_start(&p, lanes);
    send(&p, 0, 1000);
    send(&p, 1, 1000);
    world_run(&p.world, TIME_NEVER - 1);
    uint64_t hash = p.ends[1]->hash;
    assert_false(p.ends[0]->hash == hash);
    world_destroy(&p.world);
    pair_start(&p, lanes); /* and what one carries is nothing to the other */
    send(&p, 0, 1000);
    world_run(&p.world, TIME_NEVER - 1);
    assert_true(p.ends[1]->hash == hash);
    world_destroy(&p.world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_direction_has_its_own_parameters),
        cmocka_unit_test(each_direction_can_be_cut_alone),
        cmocka_unit_test(a_narrow_link_may_say_so),
        cmocka_unit_test(both_directions_work_after_an_outage),
        cmocka_unit_test(another_element_does_not_change_the_fates),
        cmocka_unit_test(the_two_directions_have_fates_of_their_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
