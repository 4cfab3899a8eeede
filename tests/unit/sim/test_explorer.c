/* The explorer carries out each deviation as it is named, counts from each point, and knows what excuses an error. */
#include "unit/sim/two_paths.h"

#include "base/compiler.h"
#include "sim/explorer.h"
#include "sim/judges/decode.h"
#include "sim/judges/judges.h"

enum { PACKETS = 30, CLIENT = 0, SERVER = 1 };

/* A packet as a host sent it or got it. */
struct sight {
    uint32_t seq, len;
    bool syn, mptcp;
};

/* What a host sent and received, up to a point. */
struct notes {
    struct tap tap;
    struct sight sent[PACKETS], got[PACKETS];
    unsigned sent_count, got_count;
};

struct exploration {
    struct watcher watcher; /* notes what the hosts see */
    struct notes notes[2];
    struct scenario scenario;
    struct stage *stage;
    /* the story to play */
    struct {
        unsigned number;
        enum deviation what;
    } steps[2];
    unsigned asked;                      /* packets that the explorer asked about */
    enum explorer_point points[PACKETS]; /* that they were counted from */
    unsigned from[PACKETS];              /* the end that they left: CLIENT or SERVER */
    unsigned deviations[PACKETS];
    struct sight about[PACKETS];
};

static struct sight sight_of(const struct packet *packet)
{
    struct seen seen;
    assert_true(decode(packet->data, packet->len, packet->checksum_pending, &seen));
    return (struct sight){seen.seq, seen.len, seen.flags & SEEN_SYN, seen.mptcp != 0};
}

static void on_packet(struct tap *tap, const struct host *host, bool sent, const struct packet *packet, uint64_t now_ns)
{
    struct notes *n = HW_CONTAINER(tap, struct notes, tap);
    unsigned *count = sent ? &n->sent_count : &n->got_count;
    (void)host;
    (void)now_ns;
    if (*count < PACKETS)
        (sent ? n->sent : n->got)[(*count)++] = sight_of(packet);
}

static void begin(struct watcher *watcher, struct stage *stage)
{
    struct exploration *x = HW_CONTAINER(watcher, struct exploration, watcher);
    for (unsigned i = 0; i < 2; i++) {
        x->notes[i].tap.packet = on_packet;
        list_init(&x->notes[i].tap.link);
        list_push_back(&stage->hosts[i]->taps, &x->notes[i].tap.link);
    }
}

static void destroy(struct watcher *watcher) { (void)watcher; }

static enum deviation choose(void *ctx, const struct explored_packet *packet)
{
    struct exploration *x = ctx;
    assert_true(x->asked < PACKETS);
    x->points[x->asked] = packet->point;
    x->deviations[x->asked] = packet->deviations;
    x->about[x->asked] = sight_of(packet->packet);
    x->from[x->asked++] = gate_host(packet->path->end[packet->end]) == x->stage->hosts[CLIENT] ? CLIENT : SERVER;
    for (unsigned i = 0; i < HW_ARRAY_LEN(x->steps); i++)
        if (x->steps[i].number == packet->number && packet->deviations >> x->steps[i].what & 1)
            return x->steps[i].what;
    return DEVIATE_NOT;
}

/* The client asks five times, over one link or, with a router before the server, two. */
static void build(struct exploration *x, unsigned links)
{
    struct scenario *s = &x->scenario;
    *x = (struct exploration){.watcher = {.begin = begin, .destroy = destroy}};
    list_init(&x->watcher.link);
    scenario_init(s);
    s->duration_ns = 800 * NS_PER_S;
    s->heal_ns = NS_PER_S;
    s->patience_ns = 299 * NS_PER_S;
    scenario_add_host(s, "client");
    scenario_add_host(s, "server");
    scenario_add_router(s, "middle");
    for (unsigned i = 0; i <= links; i++) {
        static const char *const names[] = {"trunk", "path0", "path1"}, *const addrs[] = {"10.0.9.1", "10.0.0.1",
                                                                                          "10.0.1.1"};
        struct wire_spec *link = scenario_add_link(s, names[i], "middle", i ? "client" : "server");
        assert_true(wire_spec_add_address(link, 1, addrs[i]));
        link->lanes[0] = link->lanes[1] = (struct lane_config){.rate_bps = 20 * MBIT, .delay_ns = 5 * NS_PER_MS};
    }
    struct flow_plan *plan = &scenario_add_flow(s, "flow", "client", "server")->plan;
    plan->rounds = 5;
    plan->request_bytes = 200;
    plan->response_bytes = 1000;
    plan->pause_ns = 20 * NS_PER_MS;
    for (unsigned side = 0; side < 2; side++) {
        plan->options[side].keepalive_idle_ns = 60 * NS_PER_S;
        plan->options[side].keepalive_interval_ns = 10 * NS_PER_S;
        plan->options[side].keepalive_tries = 5;
    }
    assert_int_equal(hawser_addr_parse(&plan->server_addr, "10.0.9.1", 80), 0);
}

/* Plays it; true when no rule was broken. */
static bool play(struct exploration *x, unsigned points, unsigned packets)
{
    const struct explorer_options options = {points, packets, choose, x};
    x->stage = raise_stage(&x->scenario, 1);
    stage_watch(x->stage, judges_new());
    stage_watch(x->stage, &x->watcher);
    stage_watch(x->stage, explorer_new(&options));
    return stage_run(x->stage);
}

static void end(struct exploration *x)
{
    stage_close(x->stage);
    stage_fini(x->stage);
    free(x->stage);
    scenario_fini(&x->scenario);
}

/* With packet `number` from the SYN on going that way; all is well. */
static void play_one(struct exploration *x, unsigned number, enum deviation what)
{
    build(x, 1);
    x->steps[0].number = number;
    x->steps[0].what = what;
    if (!play(x, 1u << POINT_SYN, 10))
        fail_msg("%s", x->stage->world.first_story);
}

static void assert_same(const struct sight *a, const struct sight *b)
{
    assert_int_equal(a->seq, b->seq);
    assert_int_equal(a->len, b->len);
    assert_int_equal(a->mptcp, b->mptcp);
}

static void undisturbed_packets_arrive_as_they_left(void **state)
{
    (void)state;
    struct exploration x;
    play_one(&x, 1, DEVIATE_NOT);
    assert_int_equal(x.asked, 10);
    for (unsigned i = 0; i < 10; i++) {
        assert_same(&x.notes[CLIENT].sent[i], &x.notes[SERVER].got[i]);
        assert_same(&x.notes[SERVER].sent[i], &x.notes[CLIENT].got[i]);
    }
    assert_true(x.about[0].syn && x.about[1].syn && !x.about[2].syn);
    assert_int_equal(x.from[0], CLIENT);
    assert_int_equal(x.from[1], SERVER);
    end(&x);
}

/* Packet 3 is the client's second and its first data, 200 bytes. */
static void a_lost_packet_does_not_arrive(void **state)
{
    (void)state;
    struct exploration x;
    play_one(&x, 3, DEVIATE_LOSE);
    assert_int_equal(x.notes[CLIENT].sent[1].len, 200);
    assert_same(&x.notes[CLIENT].sent[2], &x.notes[CLIENT].sent[1]); /* again */
    assert_same(&x.notes[SERVER].got[1], &x.notes[CLIENT].sent[2]);
    end(&x);
}

static void a_doubled_packet_arrives_twice(void **state)
{
    (void)state;
    struct exploration x;
    play_one(&x, 3, DEVIATE_DUPLICATE);
    assert_same(&x.notes[SERVER].got[1], &x.notes[CLIENT].sent[1]);
    assert_same(&x.notes[SERVER].got[2], &x.notes[CLIENT].sent[1]);
    assert_same(&x.notes[SERVER].got[3], &x.notes[CLIENT].sent[2]);
    end(&x);
}

/* Packet 5 is the client's third, an acknowledgement; its fourth is the next request. */
static void a_swapped_packet_leaves_after_the_next(void **state)
{
    (void)state;
    struct exploration x;
    play_one(&x, 5, DEVIATE_SWAP);
    assert_int_equal(x.notes[CLIENT].sent[2].len, 0);
    assert_int_equal(x.notes[CLIENT].sent[3].len, 200);
    assert_same(&x.notes[SERVER].got[2], &x.notes[CLIENT].sent[3]);
    assert_same(&x.notes[SERVER].got[3], &x.notes[CLIENT].sent[2]);
    end(&x);
}

static void a_stripped_packet_arrives_without_its_options(void **state)
{
    (void)state;
    struct exploration x;
    play_one(&x, 5, DEVIATE_STRIP);
    assert_true(x.notes[CLIENT].sent[2].mptcp && !x.notes[SERVER].got[2].mptcp);
    end(&x);
}

static void a_cut_packet_arrives_in_halves(void **state)
{
    (void)state;
    static const enum deviation kinds[] = {DEVIATE_CUT_FIRST, DEVIATE_CUT_BOTH};
    for (unsigned i = 0; i < 2; i++) {
        struct exploration x;
        play_one(&x, 3, kinds[i]);
        const struct sight *whole = &x.notes[CLIENT].sent[1], *halves = &x.notes[SERVER].got[1];
        assert_int_equal(halves[0].seq, whole->seq);
        assert_int_equal(halves[0].len, 100);
        assert_int_equal(halves[1].seq, whole->seq + 100);
        assert_int_equal(halves[1].len, 100);
        assert_true(halves[0].mptcp);
        assert_int_equal(halves[1].mptcp, kinds[i] == DEVIATE_CUT_BOTH);
        end(&x);
    }
}

static unsigned with_mptcp(const struct sight *sights, unsigned count)
{
    unsigned n = 0;
    for (unsigned i = 0; i < count; i++)
        n += sights[i].mptcp;
    return n;
}

/* Packet 2 is the server's SYN/ACK: outward is from the server to the client. */
static void stripping_for_good_takes_one_way_or_both(void **state)
{
    (void)state;
    static const enum deviation kinds[] = {DEVIATE_STRIP_OUTWARD, DEVIATE_STRIP_INWARD, DEVIATE_STRIP_BOTH};
    for (unsigned i = 0; i < 3; i++) {
        struct exploration x;
        play_one(&x, 2, kinds[i]);
        const struct notes *client = &x.notes[CLIENT], *server = &x.notes[SERVER];
        assert_true(server->got[0].mptcp); /* the SYN left before */
        if (kinds[i] == DEVIATE_STRIP_INWARD)
            assert_int_equal(with_mptcp(client->got, client->got_count), with_mptcp(server->sent, server->sent_count));
        else
            assert_int_equal(with_mptcp(client->got, client->got_count), 0);
        if (kinds[i] != DEVIATE_STRIP_OUTWARD)
            assert_int_equal(with_mptcp(server->got, server->got_count), 1);
        end(&x);
    }
}

static void nothing_comes_out_of_a_black_hole(void **state)
{
    (void)state;
    struct exploration x;
    play_one(&x, 4, DEVIATE_BLACK_HOLE);
    assert_int_equal(x.notes[SERVER].got_count, 2);
    assert_int_equal(x.notes[CLIENT].got_count, 1);
    assert_true(x.notes[CLIENT].sent_count > 2 && x.notes[SERVER].sent_count > 2);
    end(&x);
}

/* A proxy, and the line behind it dies: the client has its acknowledgement all the same. */
static void a_proxy_acknowledges_what_is_lost_behind_it(void **state)
{
    (void)state;
    struct exploration x;
    build(&x, 1);
    x.steps[0].number = 1;
    x.steps[0].what = DEVIATE_ACKING_PROXY;
    x.steps[1].number = 3;
    x.steps[1].what = DEVIATE_BLACK_HOLE;
    (void)play(&x, 1u << POINT_SYN, 10);
    const struct notes *client = &x.notes[CLIENT];
    assert_int_equal(client->sent[1].len, 200);
    assert_int_equal(x.notes[SERVER].got_count, 1);
    assert_int_equal(client->got_count, 2); /* the SYN/ACK, and what the proxy made */
    assert_false(client->got[1].mptcp);
    assert_int_equal(client->got[1].len, 0);
    end(&x);
}

static void each_point_begins_the_count(void **state)
{
    (void)state;
    for (unsigned point = 0; point < POINTS; point++) {
        struct exploration x;
        build(&x, 2);
        assert_true(play(&x, 1u << point, 3));
        assert_int_equal(x.asked, 3);
        assert_int_equal(x.points[0], point);
        assert_int_equal(x.about[0].syn, point == POINT_SYN || point == POINT_JOIN);
        assert_int_equal(x.about[0].len > 0, point == POINT_DATA);
        end(&x);
    }
}

static void a_later_point_begins_it_anew_until_a_deviation(void **state)
{
    (void)state;
    for (unsigned deviates = 0; deviates < 2; deviates++) {
        struct exploration x;
        build(&x, 1);
        x.steps[0].number = 2;
        x.steps[0].what = deviates ? DEVIATE_DUPLICATE : DEVIATE_NOT;
        assert_true(play(&x, 1u << POINT_SYN | 1u << POINT_DATA, 5));
        assert_int_equal(x.asked, deviates ? 5 : 2 + 5); /* the data is the third packet */
        assert_int_equal(x.points[2], deviates ? POINT_SYN : POINT_DATA);
        end(&x);
    }
}

static void only_what_changes_something_is_offered(void **state)
{
    (void)state;
    struct exploration x;
    play_one(&x, 4, DEVIATE_BLACK_HOLE);
    unsigned cuts = 1u << DEVIATE_CUT_FIRST | 1u << DEVIATE_CUT_BOTH;
    assert_int_equal(x.deviations[0] & cuts, 0); /* a SYN */
    assert_int_equal(x.deviations[2] & cuts, cuts);
    assert_int_equal(x.deviations[4], 0); /* in a black hole */
    end(&x);
}

/* Whether an error was excused, and a path that is given up: by the links there are, and when and what goes wrong on
 * the first. */
static void lasting_faults_excuse_an_error_where_nothing_is_left(void **state)
{
    (void)state;
    static const struct {
        unsigned links, point, number;
        enum deviation what;
        bool excused, meddled;
    } cases[] = {
        {1, POINT_SYN, 3, DEVIATE_LOSE, false, false},          {1, POINT_SYN, 1, DEVIATE_STRIP_BOTH, false, false},
        {1, POINT_SYN, 3, DEVIATE_STRIP, true, true},           {1, POINT_SYN, 5, DEVIATE_STRIP, false, false},
        {1, POINT_SYN, 3, DEVIATE_BLACK_HOLE, true, false},     {2, POINT_SYN, 3, DEVIATE_BLACK_HOLE, true, false},
        {2, POINT_CLOSE, 1, DEVIATE_BLACK_HOLE, false, false},  {2, POINT_CLOSE, 1, DEVIATE_STRIP_OUTWARD, false, true},
        {2, POINT_CLOSE, 1, DEVIATE_ACKING_PROXY, false, true}, {1, POINT_CLOSE, 1, DEVIATE_STRIP_OUTWARD, true, true},
        {2, POINT_JOIN, 1, DEVIATE_BLACK_HOLE, false, false},
    };
    for (size_t i = 0; i < HW_ARRAY_LEN(cases); i++) {
        struct exploration x;
        build(&x, cases[i].links);
        x.steps[0].number = cases[i].number;
        x.steps[0].what = cases[i].what;
        (void)play(&x, 1u << cases[i].point, 10);
        if (x.stage->must_complete == cases[i].excused || x.stage->meddled != cases[i].meddled)
            fail_msg("case %zu: %s at %u", i, deviation_name(cases[i].what), cases[i].number);
        end(&x);
    }
}

/* A proxy acknowledges data without options: where no join is through, the server may be plain TCP from then on. */
static void a_proxy_binds_to_its_path_before_a_join(void **state)
{
    (void)state;
    for (unsigned joined = 0; joined < 2; joined++) {
        struct exploration x;
        build(&x, 2);
        unsigned number = joined ? 1 : 6;
        x.steps[0].number = number;
        x.steps[0].what = DEVIATE_ACKING_PROXY;
        x.steps[1].number = joined ? 4 : 8;
        x.steps[1].what = DEVIATE_BLACK_HOLE;
        (void)play(&x, 1u << (joined ? POINT_CLOSE : POINT_SYN), 10);
        assert_int_equal(x.stage->must_complete, joined);
        end(&x);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(undisturbed_packets_arrive_as_they_left),
        cmocka_unit_test(a_lost_packet_does_not_arrive),
        cmocka_unit_test(a_doubled_packet_arrives_twice),
        cmocka_unit_test(a_swapped_packet_leaves_after_the_next),
        cmocka_unit_test(a_stripped_packet_arrives_without_its_options),
        cmocka_unit_test(a_cut_packet_arrives_in_halves),
        cmocka_unit_test(stripping_for_good_takes_one_way_or_both),
        cmocka_unit_test(nothing_comes_out_of_a_black_hole),
        cmocka_unit_test(a_proxy_acknowledges_what_is_lost_behind_it),
        cmocka_unit_test(each_point_begins_the_count),
        cmocka_unit_test(a_later_point_begins_it_anew_until_a_deviation),
        cmocka_unit_test(only_what_changes_something_is_offered),
        cmocka_unit_test(lasting_faults_excuse_an_error_where_nothing_is_left),
        cmocka_unit_test(a_proxy_binds_to_its_path_before_a_join),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
