/* Scenarios played to their end: the stream arrives, and the same seed plays the same story. */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/units.h"
#include "sim/cable.h"
#include "sim/stage.h"

#define MBIT UINT64_C(1000000)

static void two_paths(struct scenario *s, uint64_t rate_bps)
{
    scenario_init(s);
    s->duration_ns = 10 * NS_PER_S;
    scenario_add_host(s, "client");
    scenario_add_host(s, "server");
    for (unsigned i = 0; i < 2; i++) {
        char name[8], addr[16];
        snprintf(name, sizeof name, "path%u", i);
        struct wire_spec *link = scenario_add_link(s, name, "client", "server");
        for (unsigned end = 0; end < 2; end++) {
            snprintf(addr, sizeof addr, "10.0.%u.%u", i, end + 1);
            assert_true(wire_spec_add_address(link, end, addr));
            link->lanes[end] =
                (struct lane_config){.rate_bps = rate_bps, .delay_ns = 10 * NS_PER_MS, .queue = {.bytes = 128 * 1024}};
        }
    }
    struct flow_spec *flow = scenario_add_flow(s, "bulk", "client", "server");
    assert_int_equal(hawser_addr_parse(&flow->plan.server_addr, "10.0.0.2", 80), 0);
}

static uint64_t play(const struct scenario *s, uint64_t seed, uint64_t *received)
{
    char why[200];
    struct stage *stage = calloc(1, sizeof *stage);
    assert_non_null(stage);
    if (!scenario_check(s, why, sizeof why))
        fail_msg("%s", why);
    stage_init(stage, s, seed);
    bool good = stage_run(stage);
    *received = stage->flows[0]->ends[FLOW_SERVER].received;
    printf("  %" PRIu64 " hops, trace %016" PRIx64 "\n", stage->world.hops, stage->world.trace);
    good = stage_close(stage) && good;
    if (!good)
        fail_msg("%s", stage->world.first_story);
    uint64_t trace = stage->world.trace;
    stage_fini(stage);
    free(stage);
    return trace;
}

static void test_bulk_fills_both_paths(void **state)
{
    (void)state;
    struct scenario s;
    uint64_t received, again;
    two_paths(&s, 20 * MBIT);
    s.flows[0].plan.request_bytes = FLOW_ENDLESS;
    uint64_t trace = play(&s, 1, &received);
    assert_true(received > 40 * MBIT * 10 / 8 * 9 / 10);
    assert_int_equal(play(&s, 1, &again), trace);
    assert_int_equal(again, received);
    assert_int_not_equal(play(&s, 2, &again), trace);
    scenario_fini(&s);
}

static void test_a_whole_exchange_ends_in_order(void **state)
{
    (void)state;
    struct scenario s;
    uint64_t received;
    two_paths(&s, 20 * MBIT);
    s.duration_ns = 200 * NS_PER_S;
    s.heal_ns = 1;
    s.patience_ns = 20 * NS_PER_S;
    s.wrap_soon = true;
    s.flows[0].plan.request_bytes = 100000;
    s.flows[0].plan.response_bytes = 3000000;
    s.flows[0].plan.rounds = 4;
    s.flows[0].plan.pause_ns = NS_PER_S;
    (void)play(&s, 1, &received);
    assert_int_equal(received, 400000);
    scenario_fini(&s);
}

/* Its third packet is MP_CAPABLE, not yet the DATA_FIN: without the keys the server would wait for another SYN/ACK. */
static void test_a_client_with_nothing_to_say_is_served_at_once(void **state)
{
    (void)state;
    struct scenario s;
    two_paths(&s, 20 * MBIT);
    s.flows[0].plan.response_bytes = 1000;
    struct stage *stage = calloc(1, sizeof *stage);
    assert_non_null(stage);
    stage_init(stage, &s, 1);
    assert_true(stage_run(stage));
    const struct flow_end *client = &stage->flows[0]->ends[FLOW_CLIENT];
    assert_int_equal(client->received, 1000);
    assert_true(client->first_read_ns - WORLD_START_NS < 100 * NS_PER_MS);
    assert_true(stage_close(stage));
    stage_fini(stage);
    free(stage);
    scenario_fini(&s);
}

/* Links without rate and delay, and a transfer without end: no time would ever pass. */
static void test_time_has_to_pass(void **state)
{
    (void)state;
    struct scenario s;
    two_paths(&s, 0);
    for (unsigned i = 0; i < 4; i++)
        s.links[i / 2].lanes[i % 2].delay_ns = 0;
    s.flows[0].plan.request_bytes = FLOW_ENDLESS;
    struct stage *stage = calloc(1, sizeof *stage);
    assert_non_null(stage);
    stage_init(stage, &s, 1);
    assert_false(stage_run(stage));
    assert_string_equal(stage->world.first_rule, "time-passes");
    stage_close(stage);
    stage_fini(stage);
    free(stage);
    scenario_fini(&s);
}

/* A way back that is cut for a while, on the only link: SYN after SYN arrives, and no answer does. */
static void come_back(struct scenario *s, uint64_t cut_ns)
{
    two_paths(s, 20 * MBIT);
    s->link_count = 1;
    s->duration_ns = 500 * NS_PER_S;
    s->heal_ns = cut_ns;
    s->patience_ns = 400 * NS_PER_S;
    s->must_complete = true;
    s->flows[0].plan.request_bytes = 100000;
    for (unsigned i = 0; i < 2; i++) {
        struct change_spec *change = scenario_add_change(s, i * cut_ns, "path0");
        memcpy(change->lanes, s->links[0].lanes, sizeof change->lanes);
        change->lanes_set[1] = true;
        change->lanes[1].down = i == 0;
    }
}

/* RFC 9293 3.8.3: a server that hears the SYN again and again does not take the client for gone. */
static void test_a_handshake_outlasts_a_silence(void **state)
{
    (void)state;
    for (unsigned s_cut = 1; s_cut <= 14; s_cut++) {
        struct scenario s;
        uint64_t received;
        come_back(&s, s_cut * NS_PER_S);
        play(&s, 1, &received);
        assert_int_equal(received, 100000);
        scenario_fini(&s);
    }
}

/* Silence for good is a definite error, but one that a scenario may rule out. */
static void test_an_error_may_be_ruled_out(void **state)
{
    (void)state;
    for (unsigned ruled_out = 0; ruled_out < 2; ruled_out++) {
        struct scenario s;
        come_back(&s, 300 * NS_PER_S);
        s.must_complete = ruled_out;
        s.heal_ns = NS_PER_S;
        struct stage *stage = calloc(1, sizeof *stage);
        assert_non_null(stage);
        stage_init(stage, &s, 1);
        assert_int_equal(stage_run(stage), !ruled_out);
        assert_string_equal(stage->world.first_rule, ruled_out ? "no-error-for-nothing" : "");
        stage_close(stage);
        stage_fini(stage);
        free(stage);
        scenario_fini(&s);
    }
}

/* The first path is dead on the way out: the second one has its turn after a quarter of a second, and no sooner. */
static void test_a_late_begin_is_told(void **state)
{
    (void)state;
    for (unsigned late = 0; late < 2; late++) {
        struct scenario s;
        two_paths(&s, 20 * MBIT);
        s.links[0].lanes[0].down = true; /* answers come by the link of the server's address */
        s.duration_ns = 20 * NS_PER_S;
        s.heal_ns = NS_PER_S;
        s.patience_ns = 10 * NS_PER_S;
        s.flows[0].plan.request_bytes = 1000;
        s.flows[0].plan.connect_within_ns = late ? 250 * NS_PER_MS : 400 * NS_PER_MS;
        struct stage *stage = calloc(1, sizeof *stage);
        assert_non_null(stage);
        stage_init(stage, &s, 1);
        assert_int_equal(stage_run(stage), !late);
        assert_string_equal(stage->world.first_rule, late ? "connect-late" : "");
        stage_close(stage);
        stage_fini(stage);
        free(stage);
        scenario_fini(&s);
    }
}

/* The client aborts, its last words are lost, and the server has nothing to say: only keepalive tells it. */
static void test_no_end_may_wait_in_vain(void **state)
{
    (void)state;
    for (unsigned asks = 0; asks < 2; asks++) {
        struct scenario s;
        two_paths(&s, 20 * MBIT);
        s.link_count = 1;
        s.duration_ns = 300 * NS_PER_S;
        s.heal_ns = 2 * NS_PER_S;
        s.patience_ns = 200 * NS_PER_S;
        struct flow_plan *plan = &s.flows[0].plan;
        *plan = (struct flow_plan){.server_addr = plan->server_addr,
                                   .rounds = 2,
                                   .request_bytes = 1000,
                                   .response_bytes = 1000,
                                   .read_bps[FLOW_CLIENT] = 4000, /* 5 bytes every 10 ms: it aborts after a second */
                                   .ending = FLOW_ABORT,
                                   .end_after = 600};
        snprintf(plan->name, sizeof plan->name, "aborted");
        plan->options[FLOW_SERVER].keepalive_idle_ns = asks * 60 * NS_PER_S;
        for (unsigned i = 0; i < 2; i++) {
            struct change_spec *change = scenario_add_change(&s, NS_PER_S + i * NS_PER_S, "path0");
            memcpy(change->lanes, s.links[0].lanes, sizeof change->lanes);
            change->lanes_set[0] = change->lanes_set[1] = true;
            change->lanes[0].down = change->lanes[1].down = i == 0;
        }
        struct stage *stage = calloc(1, sizeof *stage);
        assert_non_null(stage);
        stage_init(stage, &s, 1);
        assert_int_equal(stage_run(stage), asks);
        assert_string_equal(stage->world.first_rule, asks ? "" : "liveness");
        assert_int_equal(stage->flows[0]->ends[FLOW_SERVER].error, asks ? -ECONNRESET : 0);
        stage_close(stage);
        stage_fini(stage);
        free(stage);
        scenario_fini(&s);
    }
}

/* Behind a router, which must know the way to it. */
static void test_an_address_that_comes_later_is_reached(void **state)
{
    (void)state;
    struct scenario s;
    scenario_init(&s);
    s.duration_ns = 4 * NS_PER_S;
    scenario_add_host(&s, "client");
    scenario_add_host(&s, "server");
    scenario_add_router(&s, "middle");
    assert_true(wire_spec_add_address(scenario_add_link(&s, "path0", "client", "middle"), 0, "10.0.1.1"));
    assert_true(wire_spec_add_address(scenario_add_link(&s, "path1", "client", "middle"), 0, "10.0.2.1"));
    assert_true(wire_spec_add_address(scenario_add_link(&s, "trunk", "middle", "server"), 1, "10.0.9.1"));
    for (size_t i = 0; i < 2; i++) /* the trunk has no limit */
        for (unsigned end = 0; end < 2; end++)
            s.links[i].lanes[end] = (struct lane_config){
                .rate_bps = 10 * MBIT, .delay_ns = 10 * NS_PER_MS, .queue = {.bytes = UINT64_C(65536)}};
    struct address_spec *gone = scenario_add_address_change(&s, NS_PER_S, "path1", 0);
    assert_int_equal(hawser_addr_parse(&gone->addr, "10.0.2.1", 0), 0);
    gone->remove = true;
    struct address_spec *come = scenario_add_address_change(&s, 2 * NS_PER_S, "path1", 0);
    assert_int_equal(hawser_addr_parse(&come->addr, "10.0.2.7", 0), 0);
    struct flow_plan *plan = &scenario_add_flow(&s, "bulk", "client", "server")->plan;
    assert_int_equal(hawser_addr_parse(&plan->server_addr, "10.0.9.1", 80), 0);
    plan->response_bytes = FLOW_ENDLESS;

    struct stage *stage = calloc(1, sizeof *stage);
    assert_non_null(stage);
    stage_init(stage, &s, 1);
    assert_true(stage_run(stage));
    /* A second with its first address at most, two with the second. */
    assert_true(stage->cables[1]->lanes[1].counters.delivered_bytes > UINT64_C(15) * MBIT / 8);
    assert_true(stage_close(stage));
    stage_fini(stage);
    free(stage);
    scenario_fini(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_handshake_outlasts_a_silence),
        cmocka_unit_test(test_an_error_may_be_ruled_out),
        cmocka_unit_test(test_a_late_begin_is_told),
        cmocka_unit_test(test_no_end_may_wait_in_vain),
        cmocka_unit_test(test_time_has_to_pass),
        cmocka_unit_test(test_bulk_fills_both_paths),
        cmocka_unit_test(test_a_whole_exchange_ends_in_order),
        cmocka_unit_test(test_a_client_with_nothing_to_say_is_served_at_once),
        cmocka_unit_test(test_an_address_that_comes_later_is_reached),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
