/* What must not disturb the judges: sound connections of many kinds. */
#include "exchange.h"

static void play_sound(struct scenario *s)
{
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct stage *stage = stage_for(s, seed);
        bool good = stage_run(stage);
        good = stage_close(stage) && good;
        if (!good)
            fail_msg("seed %" PRIu64 ": %s", seed, stage->world.first_story);
        stage_fini(stage);
        free(stage);
    }
    scenario_fini(s);
}

static void test_two_paths(void **state)
{
    (void)state;
    struct scenario s;
    base(&s, 2, false);
    play_sound(&s);
}

static void test_two_lossy_paths_near_every_wrap(void **state)
{
    (void)state;
    struct scenario s;
    base(&s, 2, false);
    lossy(&s, 20000);
    s.wrap_soon = true;
    play_sound(&s);
}

static void test_disorder(void **state)
{
    (void)state;
    struct scenario s;
    base(&s, 2, false);
    for (unsigned end = 0; end < 2; end++) {
        struct lane_config *lane = &s.links[0].lanes[end];
        lane->jitter_ns = 5 * NS_PER_MS;
        lane->jitter_reorders = true;
        lane->duplicate_ppm = lane->corrupt_ppm = 10000;
    }
    play_sound(&s);
}

static void test_ipv6(void **state)
{
    (void)state;
    struct scenario s;
    base(&s, 2, true);
    lossy(&s, 10000);
    play_sound(&s);
}

static void test_plain_tcp(void **state)
{
    (void)state;
    struct scenario s;
    base(&s, 1, false);
    lossy(&s, 20000);
    s.wrap_soon = true;
    s.flows[0].plan.options[FLOW_CLIENT].no_mptcp = true;
    play_sound(&s);
}

static void test_a_server_without_mptcp(void **state)
{
    (void)state;
    struct scenario s;
    base(&s, 2, false);
    s.hosts[1].options.no_mptcp = true;
    play_sound(&s);
}

static void test_dss_checksums(void **state)
{
    (void)state;
    struct scenario s;
    base(&s, 3, false);
    lossy(&s, 10000);
    s.hosts[1].options.checksum_required = true;
    play_sound(&s);
}

static void test_small_buffers_and_a_slow_reader(void **state)
{
    (void)state;
    struct scenario s;
    base(&s, 2, false);
    struct flow_plan *plan = &s.flows[0].plan;
    plan->options[FLOW_CLIENT].recv_buffer_bytes = plan->options[FLOW_SERVER].recv_buffer_bytes = 30000;
    plan->read_bps[FLOW_SERVER] = 4 * MBIT;
    play_sound(&s);
}

static void test_early_ends(void **state)
{
    (void)state;
    for (enum flow_ending ending = FLOW_HASTY; ending <= FLOW_ABORT; ending++)
        for (enum flow_side side = FLOW_CLIENT; side <= FLOW_SERVER; side++) {
            struct scenario s;
            base(&s, 2, false);
            lossy(&s, 10000);
            s.flows[0].plan.ending = ending;
            s.flows[0].plan.ender = side;
            s.flows[0].plan.end_after = 300000;
            play_sound(&s);
        }
}

static void test_a_path_that_goes_and_comes_back(void **state)
{
    (void)state;
    struct scenario s;
    base(&s, 2, false);
    for (unsigned i = 0; i < 2; i++) {
        struct change_spec *change = scenario_add_change(&s, (1 + 2 * i) * 300 * NS_PER_MS, "path0");
        memcpy(change->lanes, s.links[0].lanes, sizeof change->lanes);
        change->lanes_set[0] = change->lanes_set[1] = true;
        change->lanes[0].down = change->lanes[1].down = i == 0;
    }
    play_sound(&s);
}

/* What boxes do to packets is no fault of the hosts. Some make connections fall back. */
static void test_middleboxes(void **state)
{
    (void)state;
    static const struct {
        const char *kind;
        bool data_only;
        uint32_t ppm;
    } boxes[] = {
        {.kind = "option-stripper", .data_only = true},
        {.kind = "option-stripper"},
        {.kind = "option-stripper", .data_only = true, .ppm = 300000},
        {.kind = "option-duplicator"},
        {.kind = "nat"},
        {.kind = "seq-randomiser"},
        {.kind = "splitter"},
        {.kind = "coalescer"},
        {.kind = "acking-proxy"},
        {.kind = "window-shrinker"},
        {.kind = "rst-injector", .ppm = 1000},
        {.kind = "replayer", .ppm = 100000},
        {.kind = "token-guesser"},
        {.kind = "blind-injector"},
        {.kind = "onpath-attacker"},
    };
    for (size_t i = 0; i < HW_ARRAY_LEN(boxes); i++) {
        struct scenario s;
        base(&s, 2, false);
        lossy(&s, 5000);
        struct box_spec *box = scenario_add_box(&s, "box", "path0");
        snprintf(box->config.kind, sizeof box->config.kind, "%s", boxes[i].kind);
        box->config.data_only = boxes[i].data_only;
        box->config.ppm = boxes[i].ppm;
        box->config.amount = strcmp(boxes[i].kind, "window-shrinker") == 0 ? 20000 : 0;
        box->config.to_ns = s.heal_ns;
        if (strcmp(boxes[i].kind, "nat") == 0) {
            box->config.to_ns = 0;
            assert_int_equal(hawser_addr_parse(&box->config.addr, "10.0.0.9", 0), 0);
        }
        printf("  %s\n", boxes[i].kind);
        play_sound(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_paths),     cmocka_unit_test(test_two_lossy_paths_near_every_wrap),
        cmocka_unit_test(test_disorder),      cmocka_unit_test(test_ipv6),
        cmocka_unit_test(test_plain_tcp),     cmocka_unit_test(test_a_server_without_mptcp),
        cmocka_unit_test(test_dss_checksums), cmocka_unit_test(test_small_buffers_and_a_slow_reader),
        cmocka_unit_test(test_early_ends),    cmocka_unit_test(test_a_path_that_goes_and_comes_back),
        cmocka_unit_test(test_middleboxes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
