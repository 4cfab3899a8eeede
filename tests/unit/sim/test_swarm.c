/* The swarm's plans: what the shrinker leaves is what is to blame, and its numbers replay the story. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "sim/swarm_draw.h"

#define TALLY_SEEDS 400u

struct blame {
    const unsigned *faults; /* it fails when all of these are enabled */
    size_t count;
};

static bool fails(const struct swarm_plan *plan, void *ctx)
{
    const struct blame *blame = ctx;
    for (size_t i = 0; i < blame->count; i++)
        if (!plan->faults[blame->faults[i]].enabled)
            return false;
    return true;
}

static unsigned enabled_count(const struct swarm_plan *plan)
{
    unsigned n = 0;
    for (unsigned i = 0; i < plan->fault_count; i++)
        n += plan->faults[i].enabled;
    return n;
}

/* The first plan from `seed` on with so many faults, all enabled. */
static void plan_with(struct swarm_plan *plan, uint64_t seed, unsigned faults)
{
    swarm_plan_make(plan, seed);
    while (plan->fault_count < faults || enabled_count(plan) < plan->fault_count) {
        swarm_plan_fini(plan);
        swarm_plan_make(plan, ++seed);
    }
}

static void the_shrinker_leaves_what_is_to_blame(void **state)
{
    (void)state;
    static const unsigned pair[] = {1, 4};
    for (size_t count = 0; count <= HW_ARRAY_LEN(pair); count++) {
        struct swarm_plan plan;
        struct blame blame = {pair, count};
        plan_with(&plan, 1, 6);
        assert_true(swarm_shrink(&plan, fails, &blame) >= plan.fault_count);
        assert_int_equal(enabled_count(&plan), count);
        assert_true(fails(&plan, &blame));
        swarm_plan_fini(&plan);
    }
}

/* A fault that is left out must not change those that stay: the numbers alone replay the rest. */
static void numbers_of_faults_replay_a_story(void **state)
{
    (void)state;
    static const unsigned kept[] = {0, 2, 3};
    struct swarm_verdict verdicts[2];
    for (unsigned i = 0; i < 2; i++) {
        struct swarm_plan plan;
        struct blame blame = {kept, HW_ARRAY_LEN(kept)};
        plan_with(&plan, 20, 6);
        if (i == 0)
            swarm_shrink(&plan, fails, &blame);
        for (unsigned k = 0; i == 1 && k < plan.fault_count; k++)
            plan.faults[k].enabled = k == 0 || k == 2 || k == 3;
        swarm_play(&plan, NULL, &verdicts[i]);
        swarm_plan_fini(&plan);
    }
    assert_true(verdicts[0].good);
    assert_true(verdicts[0].hops > 0);
    assert_true(verdicts[0].trace == verdicts[1].trace);
}

/* ---- what is demanded ---- */

static bool is_unlimited(const struct scenario *s)
{
    const struct flow_plan *flow = &s->flows[0].plan;
    bool lists = s->hosts[0].allow.count || s->hosts[0].deny.count || s->hosts[1].allow.count || s->hosts[1].deny.count;
    return !lists && !flow->options[0].max_subflows && !flow->options[1].max_subflows;
}

/* The plan of a story by MPTCP between two routers' worth of paths, with no faults yet. */
static void bare_plan(struct swarm_plan *plan, bool peace)
{
    uint64_t seed = 0;
    bool fits = false;
    for (; !fits; seed++) {
        swarm_plan_make(plan, seed);
        const struct scenario *s = &plan->base;
        fits = plan->topology == TOPOLOGY_ROUTER && !plan->unequal && !plan->many_addresses && is_unlimited(s) &&
               plan->route_count == 8 && plan->peace == peace && s->flow_count == 1 &&
               !s->hosts[0].options.checksum_required && !s->hosts[1].options.checksum_required &&
               !s->hosts[0].options.no_mptcp && !s->hosts[1].options.no_mptcp &&
               !s->flows[0].plan.options[0].no_mptcp && !s->flows[0].plan.options[1].no_mptcp &&
               hawser_addr_same_ip(&s->flows[0].plan.server_addr, &s->links[4].addresses[1][0]) &&
               hawser_addr_same_ip(&s->flows[0].plan.options[0].local, &(struct hawser_addr){0}) &&
               swarm_round_trip_ns(plan, plan->routes[0]) < 200 * NS_PER_MS;
        if (!fits)
            swarm_plan_fini(plan);
    }
    plan->fault_count = 0;
}

static bool must_complete(const struct swarm_plan *plan)
{
    struct scenario s;
    swarm_plan_stage(plan, &s);
    bool must = s.must_complete;
    scenario_fini(&s);
    return must;
}

enum { FIRST_PATH = 0, OTHER_PATH = 2, FIRST_TRUNK = 4, OTHER_TRUNK = 5 };

static void check_fault(struct swarm_plan *plan, const struct swarm_fault *fault, bool excuses)
{
    plan->faults[0] = *fault;
    plan->faults[0].enabled = true;
    plan->fault_count = 1;
    char text[400];
    if (must_complete(plan) == excuses)
        fail_msg("%s: %s", excuses ? "excuses nothing" : "excuses an error",
                 swarm_fault_text(plan, &plan->faults[0], text, sizeof text));
    plan->faults[0].enabled = false;
    assert_true(must_complete(plan));
}

static struct swarm_fault staying_box(const char *kind, unsigned link)
{
    struct swarm_fault fault = {.kind = FAULT_STAYING, .target = link, .from_ns = 7 * NS_PER_S};
    snprintf(fault.box.kind, sizeof fault.box.kind, "%s", kind);
    return fault;
}

/* Errors are excused by what may cause them, and by nothing else. */
static void errors_need_an_excuse(void **state)
{
    (void)state;
    struct swarm_plan plan;
    bare_plan(&plan, false);
    for (enum swarm_fault_kind kind = FAULT_LOSS; kind <= FAULT_QUEUE; kind++)
        check_fault(&plan, &(struct swarm_fault){.kind = kind, .lanes = 3, .to_ns = NS_PER_S, .ppm = 10}, false);
    check_fault(&plan, &(struct swarm_fault){.kind = FAULT_READER, .bytes = 1000}, false);
    check_fault(&plan, &(struct swarm_fault){.kind = FAULT_IDLE, .ns = 100 * NS_PER_S}, false);
    check_fault(&plan, &(struct swarm_fault){.kind = FAULT_MEMORY}, true);
    for (uint32_t amount = 0; amount < 6; amount++) {
        struct swarm_fault icmp = {.kind = FAULT_BOX, .to_ns = NS_PER_S, .box = {.kind = "icmp-sender"}};
        icmp.box.amount = amount;
        check_fault(&plan, &icmp, amount == 0 || amount == 3 || amount == 4);
    }
    check_fault(&plan, &(struct swarm_fault){.kind = FAULT_ENDING, .ending = FLOW_ABORT}, true);
    struct swarm_fault crowd = {.kind = FAULT_CROWD, .count = 19, .bytes = 1, .ppm = 20 * SWARM_SHARE_BYTES};
    check_fault(&plan, &crowd, false); /* with the flow that is there already they are twenty */
    crowd.ppm--;
    check_fault(&plan, &crowd, true);
    swarm_plan_fini(&plan);
}

static void only_what_harms_a_first_subflow_is_an_excuse(void **state)
{
    (void)state;
    static const char *const harmful[] = {"option-stripper", "acking-proxy", "syn-dropper",      "firewall",
                                          "coalescer",       "dropper",      "option-duplicator"};
    static const char *const harmless[] = {"splitter", "seq-randomiser", "window-shrinker"};
    struct swarm_plan plan;
    bare_plan(&plan, false);
    for (size_t i = 0; i < HW_ARRAY_LEN(harmful); i++)
        for (unsigned link = 0; link < plan.base.link_count; link++) {
            struct swarm_fault fault = staying_box(harmful[i], link);
            check_fault(&plan, &fault, link == FIRST_PATH || link == FIRST_TRUNK);
        }
    for (size_t i = 0; i < HW_ARRAY_LEN(harmless); i++) {
        struct swarm_fault fault = staying_box(harmless[i], FIRST_PATH);
        fault.from_ns = 0;
        check_fault(&plan, &fault, false);
    }
    struct swarm_fault late = staying_box("seq-randomiser", FIRST_PATH); /* it may cut a handshake in two */
    check_fault(&plan, &late, true);
    struct swarm_fault strips_all = staying_box("option-stripper", FIRST_TRUNK);
    strips_all.from_ns = 0;
    check_fault(&plan, &strips_all, false); /* plain TCP from the SYN on */
    struct swarm_fault attacker = {
        .kind = FAULT_BOX, .target = OTHER_PATH, .to_ns = NS_PER_S, .box.kind = "rst-injector"};
    check_fault(&plan, &attacker, true);
    swarm_plan_fini(&plan);
}

static void addresses_of_first_subflows_are_an_excuse_when_they_go(void **state)
{
    (void)state;
    struct swarm_plan plan;
    bare_plan(&plan, false);
    for (enum swarm_address_change change = 0; change < ADDRESS_CHANGES; change++) {
        struct swarm_fault fault = {.kind = FAULT_ADDRESS, .change = change, .count = 2, .ns = NS_PER_MS};
        fault.target = OTHER_PATH;
        check_fault(&plan, &fault, false);
        fault.target = OTHER_TRUNK;
        fault.end = 1;
        check_fault(&plan, &fault, false);
        fault.target = FIRST_TRUNK;
        check_fault(&plan, &fault, change != ADDRESS_NEW);
        fault.target = FIRST_PATH;
        fault.end = 0;
        check_fault(&plan, &fault, change != ADDRESS_NEW);
    }
    swarm_plan_fini(&plan);
}

/* Where all subflows were there before, nothing that leaves one of them alone is an excuse. */
static void after_peace_a_sound_route_is_enough(void **state)
{
    (void)state;
    struct swarm_plan plan;
    bare_plan(&plan, true);
    struct swarm_fault hole = staying_box("dropper", FIRST_PATH);
    check_fault(&plan, &hole, false);
    struct swarm_fault gone = {.kind = FAULT_ADDRESS, .change = ADDRESS_GONE, .target = FIRST_PATH};
    check_fault(&plan, &gone, false);
    plan.fault_count = 2;
    plan.faults[0] = hole;
    plan.faults[1] = gone;
    plan.faults[1].target = FIRST_TRUNK;
    plan.faults[1].end = 1;
    plan.faults[0].enabled = plan.faults[1].enabled = true;
    assert_true(must_complete(&plan)); /* over another path and the other trunk */
    plan.faults[0].target = OTHER_TRUNK;
    assert_false(must_complete(&plan));
    swarm_plan_fini(&plan);
}

/* Each address costs a quarter of a second; what may harm a handshake anywhere, or on every route, costs the demand. */
static void how_soon_a_flow_begins(void **state)
{
    (void)state;
    struct swarm_plan plan;
    bare_plan(&plan, false);
    uint64_t at_once_ns = swarm_connect_within_ns(&plan);
    assert_true(at_once_ns > 150 * NS_PER_MS && at_once_ns < NS_PER_S);
    plan.fault_count = 1;
    plan.faults[0] = (struct swarm_fault){.kind = FAULT_DOWN, .enabled = true, .target = FIRST_PATH};
    uint64_t dead_ns = swarm_connect_within_ns(&plan);
    assert_true(dead_ns >= at_once_ns && dead_ns > 400 * NS_PER_MS && dead_ns < 1500 * NS_PER_MS);
    struct host_prefixes *backup = &plan.base.hosts[0].backup;
    backup->count = 1; /* whose turn is after all others' */
    backup->list[0] = (struct hawser_prefix){.addr = plan.base.links[FIRST_PATH].addresses[0][0], .bits = 32};
    assert_int_equal(swarm_connect_within_ns(&plan), dead_ns - 250 * NS_PER_MS);
    backup->list[0].addr = plan.base.links[OTHER_PATH].addresses[0][0];
    assert_int_equal(swarm_connect_within_ns(&plan), dead_ns);
    backup->count = 0;
    plan.faults[0].target = FIRST_TRUNK;
    assert_int_equal(swarm_connect_within_ns(&plan), 0);
    plan.faults[0] = staying_box("splitter", OTHER_PATH);
    plan.faults[0].enabled = true;
    assert_int_equal(swarm_connect_within_ns(&plan), 0);
    plan.fault_count = 0;
    plan.base.flows[0].plan.options[FLOW_CLIENT].local = plan.base.links[1].addresses[0][0];
    assert_int_equal(swarm_connect_within_ns(&plan), 0);
    swarm_plan_fini(&plan);
}

/* What keeps a pair of addresses from its subflow, keeps it from being the one that is left. */
static void after_peace_limits_excuse(void **state)
{
    (void)state;
    struct swarm_plan plan;
    bare_plan(&plan, true);
    struct swarm_fault hole = staying_box("dropper", FIRST_PATH);
    check_fault(&plan, &hole, false);
    plan.base.flows[0].plan.options[FLOW_SERVER].max_subflows = 7;
    check_fault(&plan, &hole, true);
    plan.base.flows[0].plan.options[FLOW_SERVER].max_subflows = 8;
    check_fault(&plan, &hole, false);
    plan.base.hosts[1].deny = (struct host_prefixes){.list = {{.bits = 0}}, .count = 1};
    check_fault(&plan, &hole, true);
    swarm_plan_fini(&plan);
}

/* ---- what is drawn ---- */

static void what_stays_leaves_a_route(void **state)
{
    (void)state;
    unsigned stories = 0;
    for (uint64_t seed = 1; seed < 3000; seed++) {
        struct swarm_plan plan;
        uint32_t broken = 0;
        bool free_route = false;
        swarm_plan_make(&plan, seed);
        for (unsigned i = 0; i < plan.fault_count; i++)
            if (plan.faults[i].kind == FAULT_STAYING)
                broken |= UINT32_C(1) << plan.faults[i].target;
        for (unsigned i = 0; i < plan.route_count; i++)
            free_route |= (plan.routes[i] & broken) == 0;
        stories += broken != 0;
        assert_true(free_route);
        swarm_plan_fini(&plan);
    }
    assert_true(stories > 300);
}

static unsigned tally_of(const char *name)
{
    unsigned i = 0;
    while (swarm_tally_name(i) && strcmp(swarm_tally_name(i), name) != 0)
        i++;
    assert_non_null(swarm_tally_name(i));
    return i;
}

/* A fault that is drawn and never does anything proves nothing: each of these acts in a twentieth of the stories. */
static void what_is_drawn_acts(void **state)
{
    (void)state;
    static const char *const kinds[] = {
        "any middlebox that stays",
        "any acking-proxy",
        "address away",
        "address blinks",
        "address gone",
        "address new",
        "address exchanged",
        "address flaps",
        "idle between rounds",
        "idle before the close",
        "crowd",
        "topology: separate",
        "topology: chain",
        "topology: direct",
        "three paths or more",
        "plain TCP, one flow",
        "varying rate",
        "subflows limited",
        "allowed and denied addresses",
        "priority changed",
        "finishes",
        "low-water mark",
        "every path flaps",
    };
    unsigned acted[SWARM_TALLIES] = {0};
    for (uint64_t seed = 1; seed <= TALLY_SEEDS; seed++) {
        struct swarm_plan plan;
        struct swarm_verdict verdict;
        swarm_plan_make(&plan, seed);
        swarm_play(&plan, NULL, &verdict);
        for (unsigned i = 0; i < SWARM_TALLIES; i++)
            acted[i] += verdict.acted[i];
        swarm_plan_fini(&plan);
    }
    for (size_t k = 0; k < HW_ARRAY_LEN(kinds); k++) {
        unsigned i = tally_of(kinds[k]);
        printf("  %-24s acted in %u of %u stories\n", kinds[k], acted[i], TALLY_SEEDS);
        if (acted[i] * 20 < TALLY_SEEDS)
            fail_msg("\"%s\" acted in %u of %u stories only", kinds[k], acted[i], TALLY_SEEDS);
    }
    assert_true(acted[tally_of("three networks, all flap")] * 20 >= acted[tally_of("three paths or more")]);
}

static void a_capture_that_fails_is_told(void **state)
{
    (void)state;
    struct swarm_plan plan;
    struct swarm_verdict verdict;
    swarm_plan_make(&plan, 1);
    swarm_play(&plan, "/no-such-folder/x.pcapng", &verdict);
    assert_true(verdict.good);
    assert_true(verdict.capture_err < 0);
    swarm_plan_fini(&plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_shrinker_leaves_what_is_to_blame),
        cmocka_unit_test(numbers_of_faults_replay_a_story),
        cmocka_unit_test(errors_need_an_excuse),
        cmocka_unit_test(only_what_harms_a_first_subflow_is_an_excuse),
        cmocka_unit_test(addresses_of_first_subflows_are_an_excuse_when_they_go),
        cmocka_unit_test(after_peace_a_sound_route_is_enough),
        cmocka_unit_test(after_peace_limits_excuse),
        cmocka_unit_test(how_soon_a_flow_begins),
        cmocka_unit_test(what_stays_leaves_a_route),
        cmocka_unit_test(what_is_drawn_acts),
        cmocka_unit_test(a_capture_that_fails_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
