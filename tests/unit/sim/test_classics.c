/* The scenarios of the papers: what they are made of, and that they play. */
#include <string.h>

#include "sim/cable.h"
#include "sim/classics.h"
#include "unit/sim/two_paths.h"

static struct fattree tree(unsigned k, unsigned subflows)
{
    return (struct fattree){.k = k,
                            .subflows = subflows,
                            .rate_bps = 100 * MBIT,
                            .delay_ns = 20 * NS_PER_US,
                            .queue_packets = 100,
                            .start_spread_ns = 10 * NS_PER_MS,
                            .duration_ns = 200 * NS_PER_MS};
}

static void a_fattree_has_the_parts_of_the_paper(void **state)
{
    (void)state;
    static const struct {
        unsigned k, machines, switches;
    } cases[] = {{4, 16, 20}, {8, 128, 80}};
    for (size_t i = 0; i < 2; i++) {
        char why[200];
        struct scenario s;
        struct fattree f = tree(cases[i].k, 8);
        unsigned machines = cases[i].machines;
        fattree_build(&s, &f, 1);
        if (!scenario_check(&s, why, sizeof why))
            fail_msg("%s", why);
        assert_int_equal(fattree_machines(f.k), machines);
        assert_int_equal(s.host_count, 2 * machines);
        assert_int_equal(s.router_count, cases[i].switches);
        assert_int_equal(s.link_count, 2 * machines + 2 * machines); /* k^3/4 in each of the two layers of switches */
        assert_int_equal(s.flow_count, machines);
        scenario_fini(&s);
    }
}

/* Everybody sends to one, receives from one, and never to itself. */
static void the_traffic_is_a_permutation(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct scenario s;
        struct fattree f = tree(8, 0);
        unsigned from[128] = {0};
        fattree_build(&s, &f, seed);
        for (size_t i = 0; i < s.flow_count; i++) {
            unsigned sender, receiver;
            assert_int_equal(sscanf(s.flows[i].client, "sender%u", &sender), 1);
            assert_int_equal(sscanf(s.flows[i].server, "receiver%u", &receiver), 1);
            assert_true(sender == i && receiver < 128 && receiver != sender);
            from[receiver]++;
        }
        for (unsigned i = 0; i < 128; i++)
            assert_int_equal(from[i], 1);
        scenario_fini(&s);
    }
}

static void each_connection_has_the_subflows_asked_for(void **state)
{
    (void)state;
    static const unsigned subflows[] = {0, 4};
    for (size_t i = 0; i < 2; i++) {
        struct scenario s;
        struct fattree f = tree(4, subflows[i]);
        fattree_build(&s, &f, 1);
        struct stage *stage = raise_stage(&s, 1);
        assert_true(stage_run(stage));
        for (size_t k = 0; k < s.flow_count; k++) {
            struct hawser_conn_info info = {.size = sizeof info};
            assert_int_equal(hawser_conn_get_info(stage->flows[k]->ends[FLOW_CLIENT].conn, &info), 0);
            assert_true(info.mptcp == (subflows[i] > 0));
            assert_int_equal(info.subflows, subflows[i] ? subflows[i] : 1);
            assert_true(stage->flows[k]->ends[FLOW_SERVER].received > 0);
        }
        strike_stage(stage);
        scenario_fini(&s);
    }
}

static void wifi_and_3g_are_as_published(void **state)
{
    (void)state;
    struct scenario s;
    const struct wifi_3g both = {true, true, 100000, NS_PER_S};
    wifi_3g_build(&s, &both);
    const struct wire_spec *wifi = scenario_find_link(&s, "wifi"), *cellular = scenario_find_link(&s, "3g");
    for (unsigned i = 0; i < 2; i++) {
        assert_true(wifi->lanes[i].rate_bps == 8 * MBIT && wifi->lanes[i].delay_ns == 10 * NS_PER_MS);
        assert_true(wifi->lanes[i].queue.bytes == 80000); /* 80 ms of 8 Mbit/s */
        assert_true(cellular->lanes[i].rate_bps == 2 * MBIT && cellular->lanes[i].delay_ns == 75 * NS_PER_MS);
        assert_true(cellular->lanes[i].queue.bytes == 500000); /* 2 s of 2 Mbit/s */
    }
    scenario_fini(&s);
}

/* Alone, a path is filled; the headers leave 1448 of 1500 bytes. */
static void a_path_alone_is_plain_tcp_at_its_rate(void **state)
{
    (void)state;
    for (unsigned cellular = 0; cellular < 2; cellular++) {
        struct scenario s;
        const struct wifi_3g w = {!cellular, cellular, 1000000, 10 * NS_PER_S};
        struct hawser_conn_info info = {.size = sizeof info};
        wifi_3g_build(&s, &w);
        struct stage *stage = raise_stage(&s, 1);
        assert_true(stage_run(stage));
        const struct flow_end *phone = &stage->flows[0]->ends[FLOW_CLIENT];
        assert_int_equal(hawser_conn_get_info(phone->conn, &info), 0);
        assert_true(!info.mptcp && info.subflows == 1);
        uint64_t most = (cellular ? 2 : 8) * MBIT * 10 / 8 * 1448 / 1500;
        assert_in_range(phone->received, most * 3 / 4, most);
        strike_stage(stage);
        scenario_fini(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fattree_has_the_parts_of_the_paper),       cmocka_unit_test(the_traffic_is_a_permutation),
        cmocka_unit_test(each_connection_has_the_subflows_asked_for), cmocka_unit_test(wifi_and_3g_are_as_published),
        cmocka_unit_test(a_path_alone_is_plain_tcp_at_its_rate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
