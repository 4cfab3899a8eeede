/* Workloads: what they plan, and that every kind can be played to its end. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/compiler.h"
#include "sim/loads/draw.h"
#include "sim/workloads.h"
#include "unit/sim/two_paths.h"

#define WHY_BYTES 300

static struct workload_spec spec(const char *name, const char *kind)
{
    struct workload_spec w = {.client = "client", .server = "server"};
    snprintf(w.name, sizeof w.name, "%s", name);
    snprintf(w.kind, sizeof w.kind, "%s", kind);
    assert_int_equal(hawser_addr_parse(&w.server_addr, "10.0.0.2", 80), 0);
    return w;
}

static void add(struct scenario *s, const struct workload_spec *w, uint64_t seed)
{
    char why[WHY_BYTES];
    if (!workload_add(s, w, seed, why, sizeof why))
        fail_msg("%s", why);
}

/* ---- plans ---- */

static void names_ports_and_times_are_regular(void **state)
{
    (void)state;
    struct scenario s;
    two_paths(&s, 20 * MBIT, NS_PER_S);
    struct workload_spec w = spec("s", "short");
    w.start_ns = 3 * NS_PER_S;
    w.count = 40;
    w.interval_ns = 7 * NS_PER_MS;
    w.bytes = 111;
    w.response_bytes = 2222;
    w.send_buffer_bytes = 50000;
    w.recv_buffer_bytes = 60000;
    w.keepalive_idle_ns = 60 * NS_PER_S;
    w.keepalive_interval_ns = 10 * NS_PER_S;
    w.keepalive_tries = 5;
    w.tcp = true;
    add(&s, &w, 1);
    assert_int_equal(s.flow_count, 40);
    for (size_t i = 0; i < s.flow_count; i++) {
        char name[32];
        const struct flow_plan *plan = &s.flows[i].plan;
        snprintf(name, sizeof name, "s.%zu", i);
        assert_string_equal(plan->name, name);
        assert_string_equal(s.flows[i].client, "client");
        assert_string_equal(s.flows[i].server, "server");
        assert_int_equal(plan->server_addr.port, 80 + i);
        assert_true(plan->start_ns == 3 * NS_PER_S + i * 7 * NS_PER_MS);
        assert_true(plan->request_bytes == 111 && plan->response_bytes == 2222);
        assert_true(plan->options[FLOW_CLIENT].no_mptcp && !plan->options[FLOW_SERVER].no_mptcp);
        assert_int_equal(plan->options[FLOW_SERVER].send_buffer_bytes, 50000);
        assert_int_equal(plan->options[FLOW_CLIENT].recv_buffer_bytes, 60000);
        for (unsigned side = 0; side < 2; side++) {
            const struct hawser_conn_options *options = &plan->options[side];
            assert_true(options->keepalive_idle_ns == 60 * NS_PER_S && options->keepalive_tries == 5);
            assert_true(options->keepalive_interval_ns == 10 * NS_PER_S);
        }
    }
    char why[WHY_BYTES];
    assert_true(scenario_check(&s, why, sizeof why));
    scenario_fini(&s);
}

static void no_flow_begins_after_the_stop(void **state)
{
    (void)state;
    struct scenario s;
    two_paths(&s, 20 * MBIT, NS_PER_S);
    struct workload_spec w = spec("s", "short");
    w.start_ns = NS_PER_S;
    w.stop_ns = 2 * NS_PER_S;
    w.interval_ns = 100 * NS_PER_MS;
    add(&s, &w, 1);
    assert_int_equal(s.flow_count, 11); /* at 1.0, 1.1, ... 2.0 s */
    assert_true(s.flows[10].plan.start_ns == 2 * NS_PER_S);
    scenario_fini(&s);
}

static void a_workload_of_one_flow_bears_its_name(void **state)
{
    (void)state;
    static const char *const single[] = {"bulk",        "both-ways", "requests",   "video",      "idle-resume",
                                         "slow-reader", "abort",     "half-close", "early-close"};
    struct scenario s;
    two_paths(&s, 20 * MBIT, NS_PER_S);
    for (size_t i = 0; i < HW_ARRAY_LEN(single); i++) {
        struct workload_spec w = spec(single[i], single[i]);
        w.server_addr.port = (uint16_t)(100 + i);
        add(&s, &w, 1);
        assert_int_equal(s.flow_count, i + 1);
        assert_string_equal(s.flows[i].plan.name, single[i]);
    }
    char why[WHY_BYTES];
    assert_true(scenario_check(&s, why, sizeof why));
    scenario_fini(&s);
}

static bool same_plans(const struct scenario *a, const struct scenario *b)
{
    bool same = a->flow_count == b->flow_count;
    for (size_t i = 0; same && i < a->flow_count; i++)
        same = a->flows[i].plan.start_ns == b->flows[i].plan.start_ns &&
               a->flows[i].plan.response_bytes == b->flows[i].plan.response_bytes;
    return same;
}

static void the_seed_and_the_name_decide(void **state)
{
    (void)state;
    static const char *const names[] = {"w", "w", "w", "v"};
    static const uint64_t seeds[] = {7, 7, 8, 7};
    struct scenario s[4];
    for (unsigned i = 0; i < 4; i++) {
        struct workload_spec w = spec(names[i], "web");
        two_paths(&s[i], 20 * MBIT, NS_PER_S);
        add(&s[i], &w, seeds[i]);
    }
    assert_true(same_plans(&s[0], &s[1]));
    assert_false(same_plans(&s[0], &s[2]));
    assert_false(same_plans(&s[0], &s[3]));
    for (unsigned i = 0; i < 4; i++)
        scenario_fini(&s[i]);
}

/* The numbers themselves, so that another compiler or machine that draws otherwise is found out. */
static void every_build_draws_alike(void **state)
{
    (void)state;
    struct prng rng;
    prng_seed(&rng, 1);
    uint64_t interval = 0, web = 0, mining = 0;
    for (unsigned i = 0; i < 1000; i++) {
        interval += draw_interval(NS_PER_MS, &rng);
        web += draw_size(&sizes_web_search, &rng);
        mining += draw_size(&sizes_data_mining, &rng);
    }
    assert_true(interval == UINT64_C(978874880));
    assert_true(web == UINT64_C(1682986229));
    assert_true(mining == UINT64_C(6665097937));
}

/* Shares of an exponential: the mean, and below it 1 - 1/e of all. */
static void arrivals_are_a_poisson_process(void **state)
{
    (void)state;
    enum { FLOWS = 10000 };
    struct scenario s;
    two_paths(&s, 20 * MBIT, NS_PER_S);
    struct workload_spec w = spec("w", "web");
    w.count = FLOWS;
    w.interval_ns = 10 * NS_PER_MS;
    add(&s, &w, 42);
    assert_int_equal(s.flow_count, FLOWS);
    assert_true(s.flows[0].plan.start_ns == 0);
    unsigned below = 0;
    for (size_t i = 1; i < FLOWS; i++)
        below += s.flows[i].plan.start_ns - s.flows[i - 1].plan.start_ns < w.interval_ns;
    /* Of n draws the mean has a deviation of 1/sqrt(n) = 1 %, the share one of sqrt(0.632 0.368 / n) = 0.48 %: five
     * of either are allowed. */
    assert_in_range(s.flows[FLOWS - 1].plan.start_ns / FLOWS, 9500000, 10500000);
    assert_in_range(below, 6321 - 241, 6321 + 241);
    scenario_fini(&s);
}

/* A table's own mean: each straight piece has its middle. */
static uint64_t mean_packets(const struct size_table *t)
{
    uint64_t sum = 0; /* packets, in half millionths */
    for (uint32_t i = 1; i < t->count; i++)
        sum += (uint64_t)(t->points[i].share_ppm - t->points[i - 1].share_ppm) *
               (t->points[i].packets + t->points[i - 1].packets);
    return (sum + 1000000) / 2000000;
}

/* The share drawn up to each point of the table; n draws deviate by sqrt(p (1 - p) / n), at most 0.16 % here. */
static void check_sizes(const struct size_table *t, uint64_t quoted)
{
    enum { DRAWS = 100000 };
    struct prng rng;
    unsigned upto[16] = {0};
    prng_seed(&rng, 5);
    for (unsigned i = 0; i < DRAWS; i++) {
        uint64_t size = draw_size(t, &rng);
        assert_in_range(size, (uint64_t)t->points[0].packets * t->packet_bytes,
                        (uint64_t)t->points[t->count - 1].packets * t->packet_bytes);
        for (uint32_t k = 0; k < t->count; k++)
            upto[k] += size <= (uint64_t)t->points[k].packets * t->packet_bytes;
    }
    for (uint32_t k = 0; k < t->count; k++)
        if (t->points[k].share_ppm)
            assert_in_range(upto[k] + 5 * 160, t->points[k].share_ppm / 10, t->points[k].share_ppm / 10 + 10 * 160);
    assert_int_equal(t->mean_packets, quoted);
    /* Whoever quotes the mean rounded the points: a third of a percent. */
    assert_in_range(mean_packets(t), quoted - quoted / 300, quoted + quoted / 300);
}

static void sizes_follow_the_published_tables(void **state)
{
    (void)state;
    check_sizes(&sizes_web_search, 1138);
    check_sizes(&sizes_data_mining, 5117);
}

static void objects_have_a_limit_when_asked(void **state)
{
    (void)state;
    struct scenario s;
    two_paths(&s, 20 * MBIT, NS_PER_S);
    struct workload_spec w = spec("w", "data-mining");
    w.count = 1000;
    w.response_bytes = 20000;
    add(&s, &w, 1);
    unsigned small = 0, cut = 0;
    for (size_t i = 0; i < s.flow_count; i++) {
        small += s.flows[i].plan.response_bytes == 1460;
        cut += s.flows[i].plan.response_bytes == 20000;
        assert_in_range(s.flows[i].plan.response_bytes, 1460, 20000);
    }
    assert_in_range(small, 500 - 80, 500 + 80); /* five deviations */
    assert_in_range(cut, 198 - 64, 198 + 64);   /* 20 %, less those up to 13.7 packets */
    scenario_fini(&s);
}

static void competitors_start_apart(void **state)
{
    (void)state;
    struct scenario s;
    two_paths(&s, 20 * MBIT, NS_PER_S);
    struct workload_spec w = spec("c", "competing");
    w.count = 100;
    w.start_ns = NS_PER_S;
    w.interval_ns = 2 * NS_PER_S;
    add(&s, &w, 1);
    uint64_t sum = 0;
    for (size_t i = 0; i < 100; i++) {
        assert_in_range(s.flows[i].plan.start_ns, NS_PER_S, 3 * NS_PER_S - 1);
        assert_true(s.flows[i].plan.request_bytes == FLOW_ENDLESS && s.flows[i].plan.response_bytes == 0);
        sum += s.flows[i].plan.start_ns;
    }
    /* The middle, within five of 2 s / sqrt(12 * 100) = 58 ms. */
    assert_in_range(sum / 100, 2 * NS_PER_S - 290 * NS_PER_MS, 2 * NS_PER_S + 290 * NS_PER_MS);
    scenario_fini(&s);
}

/* ---- wrong fields ---- */

static void expect_refusal(struct workload_spec w, const char *words)
{
    char why[WHY_BYTES] = "";
    struct scenario s;
    two_paths(&s, 20 * MBIT, NS_PER_S);
    assert_false(workload_add(&s, &w, 1, why, sizeof why));
    if (!strstr(why, words) || strchr(why, '\n'))
        fail_msg("\"%s\" does not say \"%s\"", why, words);
    assert_int_equal(s.flow_count, 0);
    scenario_fini(&s);
}

#define REFUSED(kind, words, ...)                                                                                      \
    do {                                                                                                               \
        struct workload_spec w = spec("x", kind);                                                                      \
        __VA_ARGS__;                                                                                                   \
        expect_refusal(w, words);                                                                                      \
    } while (0)

static void wrong_fields_are_named(void **state)
{
    (void)state;
    REFUSED("bulks", "there is no kind \"bulks\"; there are bulk, both-ways", (void)0);
    REFUSED("bulk", "no name", w.name[0] = '\0');
    REFUSED("bulk", "client and a server", w.client[0] = '\0');
    REFUSED("bulk", "the same host", memcpy(w.client, w.server, sizeof w.client));
    REFUSED("bulk", "a port", w.server_addr.port = 0);
    REFUSED("bulk", "no use for read_rate", w.read_bps = 1);
    REFUSED("web", "no use for server_ends", w.server_ends = true);
    REFUSED("video", "no use for stop", w.stop_ns = 1);
    REFUSED("short", "cannot be endless", w.response_bytes = FLOW_ENDLESS);
    REFUSED("bulk", "both-ways", w.bytes = FLOW_ENDLESS, w.response_bytes = 1);
    REFUSED("short", "stops before it starts", w.start_ns = 2, w.stop_ns = 1);
    REFUSED("short", "too long", w.interval_ns = DRAW_INTERVAL_MAX_NS);
    REFUSED("bulk", "a count of flows", w.stop_ns = 1);
    REFUSED("competing", "a count of flows", w.stop_ns = 1);
    REFUSED("short", "10000 flows", w.count = WORKLOAD_FLOWS_MAX + 1);
    REFUSED("short", "10000 flows", w.stop_ns = NS_PER_S, w.interval_ns = NS_PER_US);
    REFUSED("short", "below 65536", w.server_addr.port = 65500);
}

static void flows_of_two_workloads_may_not_collide(void **state)
{
    (void)state;
    char why[WHY_BYTES];
    struct scenario s;
    two_paths(&s, 20 * MBIT, NS_PER_S);
    struct workload_spec w = spec("a", "bulk");
    add(&s, &w, 1);
    w.server_addr.port = 81;
    add(&s, &w, 1);
    assert_false(scenario_check(&s, why, sizeof why));
    assert_non_null(strstr(why, "two flows are called \"a\""));
    snprintf(s.flows[1].plan.name, sizeof s.flows[1].plan.name, "b");
    assert_true(scenario_check(&s, why, sizeof why));
    s.flows[1].plan.server_addr.port = 80;
    assert_false(scenario_check(&s, why, sizeof why));
    assert_non_null(strstr(why, "share a port"));
    scenario_fini(&s);
}

static void every_kind_says_what_it_is(void **state)
{
    (void)state;
    unsigned n = 0;
    for (const struct workload_kind *kind = workload_kinds(); kind->name; kind++, n++) {
        assert_true(strlen(kind->summary) > 20 && !strchr(kind->summary, '\n'));
        assert_true(!(kind->traits & WORKLOAD_MANY) != !(kind->traits & WORKLOAD_ROUNDS));
        for (const struct workload_kind *other = workload_kinds(); other != kind; other++)
            assert_string_not_equal(kind->name, other->name);
    }
    assert_int_equal(n, 13);
}

/* ---- played to the end ---- */

/* Plays one workload on two paths of 20 Mbit/s. All flows must have finished. */
static struct stage *play(struct scenario *s, const struct workload_spec *w)
{
    two_paths(s, 20 * MBIT, 100 * NS_PER_S);
    add(s, w, 3);
    struct stage *stage = raise_stage(s, 3);
    if (!stage_run(stage))
        fail_msg("%s", stage->world.first_story);
    for (size_t i = 0; i < s->flow_count; i++)
        if (!flow_finished(stage->flows[i]))
            fail_msg("%s did not finish", s->flows[i].plan.name);
    return stage;
}

static void leave(struct stage *stage, struct scenario *s)
{
    strike_stage(stage);
    scenario_fini(s);
}

static const struct flow_end *client_of(const struct stage *stage, size_t i)
{
    return &stage->flows[i]->ends[FLOW_CLIENT];
}

static const struct flow_end *server_of(const struct stage *stage, size_t i)
{
    return &stage->flows[i]->ends[FLOW_SERVER];
}

/* Everything arrived, and both programs are content. */
static void check_whole(const struct stage *stage)
{
    for (size_t i = 0; i < stage->scenario->flow_count; i++) {
        const struct flow *flow = stage->flows[i];
        assert_true(server_of(stage, i)->received == flow_total(flow, FLOW_CLIENT));
        assert_true(client_of(stage, i)->received == flow_total(flow, FLOW_SERVER));
        assert_int_equal(client_of(stage, i)->error, 0);
        assert_int_equal(server_of(stage, i)->error, 0);
    }
}

static void bulk_up_down_and_both_ways(void **state)
{
    (void)state;
    struct scenario s;
    static const struct {
        const char *kind;
        uint64_t up, down;
    } cases[] = {{"bulk", 700000, 0}, {"bulk", 0, 700000}, {"bulk", 300000, 400000}, {"both-ways", 600000, 500000}};
    for (size_t i = 0; i < HW_ARRAY_LEN(cases); i++) {
        struct workload_spec w = spec("b", cases[i].kind);
        w.bytes = cases[i].up;
        w.response_bytes = cases[i].down;
        struct stage *stage = play(&s, &w);
        assert_true(server_of(stage, 0)->received == cases[i].up && client_of(stage, 0)->received == cases[i].down);
        check_whole(stage);
        leave(stage, &s);
    }
}

static void rounds_keep_their_pauses(void **state)
{
    (void)state;
    static const struct {
        const char *kind;
        uint32_t count;
        uint64_t interval_ns, total;
    } cases[] = {{"requests", 8, 100 * NS_PER_MS, 8 * 20000},
                 {"video", 3, 2 * NS_PER_S, 3 * 1000000},
                 {"idle-resume", 2, 30 * NS_PER_S, 2 * 500000}};
    for (size_t i = 0; i < HW_ARRAY_LEN(cases); i++) {
        struct scenario s;
        struct workload_spec w = spec("r", cases[i].kind);
        w.count = cases[i].count;
        struct stage *stage = play(&s, &w);
        check_whole(stage);
        const struct flow_end *client = client_of(stage, 0);
        assert_true(client->received == cases[i].total);
        /* count - 1 pauses, none of them lost; each round takes under half a second besides */
        uint64_t took = client->last_read_ns - client->connected_ns,
                 pauses = (cases[i].count - 1) * cases[i].interval_ns;
        assert_in_range(took, pauses, pauses + cases[i].count * NS_PER_S / 2);
        leave(stage, &s);
    }
}

static void many_flows_all_end(void **state)
{
    (void)state;
    static const char *const names[] = {"web", "data-mining", "short"};
    for (size_t i = 0; i < HW_ARRAY_LEN(names); i++) {
        struct scenario s;
        struct workload_spec w = spec("m", names[i]);
        w.response_bytes = i < 2 ? 300000 : 0;
        struct stage *stage = play(&s, &w);
        assert_int_equal(s.flow_count, i < 2 ? 20 : 50);
        check_whole(stage);
        leave(stage, &s);
    }
}

static void slow_readers_set_the_pace(void **state)
{
    (void)state;
    for (unsigned down = 0; down < 2; down++) {
        struct scenario s;
        struct workload_spec w = spec("slow", "slow-reader");
        *(down ? &w.response_bytes : &w.bytes) = 1000000;
        w.read_bps = 4 * MBIT;
        w.recv_buffer_bytes = 100000;
        struct stage *stage = play(&s, &w);
        check_whole(stage);
        const struct flow_end *reader = down ? client_of(stage, 0) : server_of(stage, 0);
        assert_in_range(reader->last_read_ns - reader->first_read_ns, 1900 * NS_PER_MS, 2300 * NS_PER_MS); /* 2 s */
        leave(stage, &s);
    }
}

static void who_ends_early_is_the_spec_s_choice(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct scenario s;
        struct workload_spec w = spec("e", i < 2 ? "early-close" : "abort");
        w.server_ends = i % 2;
        struct stage *stage = play(&s, &w);
        const struct flow_end *ender = w.server_ends ? server_of(stage, 0) : client_of(stage, 0);
        const struct flow_end *other = w.server_ends ? client_of(stage, 0) : server_of(stage, 0);
        assert_int_equal(ender->error, 0);
        assert_in_range(ender->received, 500000, 999999);
        if (i >= 2)
            assert_int_equal(other->error, -ECONNRESET);
        print_message("  %s by the %s: the other got %" PRIu64 " bytes, error %d\n", w.kind,
                      w.server_ends ? "server" : "client", other->received, other->error);
        leave(stage, &s);
    }
}

static void half_a_connection_lives_on(void **state)
{
    (void)state;
    struct scenario s;
    struct workload_spec w = spec("h", "half-close");
    struct stage *stage = play(&s, &w);
    check_whole(stage);
    const struct flow_end *client = client_of(stage, 0), *server = server_of(stage, 0);
    assert_true(server->at_end && client->at_end);
    assert_true(client->last_read_ns > server->last_read_ns + NS_PER_S / 2); /* 5 MB at 40 Mbit/s take a second */
    leave(stage, &s);
}

static void plain_and_multipath_flows_compete(void **state)
{
    (void)state;
    struct scenario s;
    struct workload_spec plain = spec("plain", "competing"), multi = spec("multi", "competing");
    two_paths(&s, 20 * MBIT, 4 * NS_PER_S);
    plain.tcp = true;
    plain.count = 1;
    multi.server_addr.port = 90;
    add(&s, &plain, 1);
    add(&s, &multi, 1);
    struct stage *stage = raise_stage(&s, 1);
    assert_true(stage_run(stage));
    assert_true(server_of(stage, 0)->received > 0 && server_of(stage, 0)->received <= 20 * MBIT * 4 / 8);
    uint64_t all = 0;
    for (size_t i = 0; i < 3; i++)
        all += server_of(stage, i)->received;
    assert_true(all > 40 * MBIT * 4 / 8 * 7 / 10);
    leave(stage, &s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_ports_and_times_are_regular),
        cmocka_unit_test(no_flow_begins_after_the_stop),
        cmocka_unit_test(a_workload_of_one_flow_bears_its_name),
        cmocka_unit_test(the_seed_and_the_name_decide),
        cmocka_unit_test(every_build_draws_alike),
        cmocka_unit_test(arrivals_are_a_poisson_process),
        cmocka_unit_test(sizes_follow_the_published_tables),
        cmocka_unit_test(objects_have_a_limit_when_asked),
        cmocka_unit_test(competitors_start_apart),
        cmocka_unit_test(wrong_fields_are_named),
        cmocka_unit_test(flows_of_two_workloads_may_not_collide),
        cmocka_unit_test(every_kind_says_what_it_is),
        cmocka_unit_test(bulk_up_down_and_both_ways),
        cmocka_unit_test(rounds_keep_their_pauses),
        cmocka_unit_test(many_flows_all_end),
        cmocka_unit_test(slow_readers_set_the_pace),
        cmocka_unit_test(who_ends_early_is_the_spec_s_choice),
        cmocka_unit_test(half_a_connection_lives_on),
        cmocka_unit_test(plain_and_multipath_flows_compete),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
