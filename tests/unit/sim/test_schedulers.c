/* Whole connections with schedulers from outside of the library, under the judges: whatever these answer, the streams
 * arrive. And what redundancy is good for. */
#include <errno.h>

#include "base/prng.h"
#include "mptcp/scheduler.h"
#include "unit/sim/exchange.h"

enum { BYTES = 1500000 };

/* ---- who never decides, or when he likes ---- */

static struct hawser_decision never(const struct hawser_stream *stream, const struct hawser_path *path)
{
    (void)stream;
    (void)path;
    return hawser_send_nothing(0);
}
static const struct hawser_scheduler lazy = {.size = sizeof lazy, .name = "lazy", .ask = never};

static struct hawser_decision some_day(const struct hawser_stream *stream, const struct hawser_path *path)
{
    (void)stream;
    (void)path;
    return hawser_send_nothing(UINT64_MAX);
}
static const struct hawser_scheduler procrastinator = {
    .size = sizeof procrastinator, .name = "procrastinator", .ask = some_day};

/* A segment every two milliseconds, on either path: that is 6 Mbit/s. */
static struct hawser_decision in_time(const struct hawser_stream *stream, const struct hawser_path *path)
{
    uint64_t *next_ns = stream->memory;
    (void)path;
    if (stream->new_bytes == 0)
        return hawser_send_nothing(0);
    return stream->now_ns < *next_ns ? hawser_send_nothing(*next_ns) : hawser_send_new(1);
}
static void note_time(const struct hawser_stream *stream, const struct hawser_path *path, uint64_t from, uint32_t len)
{
    (void)path;
    (void)from;
    (void)len;
    *(uint64_t *)stream->memory = stream->now_ns + 2 * NS_PER_MS;
}
static const struct hawser_scheduler punctual = {
    .size = sizeof punctual, .name = "punctual", .conn_bytes = sizeof(uint64_t), .ask = in_time, .sent = note_time};

/* ---- who answers at random: what makes sense, and what does not ---- */

static struct prng *dice(const struct hawser_stream *stream)
{
    struct prng *rng = stream->memory;
    static const struct prng zero;
    if (memcmp(rng, &zero, sizeof zero) == 0)
        prng_seed(rng, 1 + stream->una + stream->next);
    return rng;
}

static struct hawser_decision throw_dice(const struct hawser_stream *stream, const struct hawser_path *path)
{
    struct prng *rng = dice(stream);
    (void)path;
    struct hawser_decision d = {.what = (enum hawser_send)prng_below(rng, 6)};
    d.len = prng_below(rng, 4) ? (uint32_t)prng_below(rng, 30000) : (uint32_t)prng_next(rng);
    d.from = prng_below(rng, 2) ? stream->una + prng_below(rng, 50000) : prng_next(rng);
    d.until_ns = prng_below(rng, 2) ? stream->now_ns + prng_below(rng, 20 * NS_PER_MS) : prng_next(rng);
    return d;
}
static const struct hawser_scheduler absurd = {
    .size = sizeof absurd, .name = "absurd", .conn_bytes = sizeof(struct prng), .ask = throw_dice};

static struct hawser_decision choose(const struct hawser_stream *stream, const struct hawser_path *path)
{
    struct prng *rng = dice(stream);
    const uint32_t len = 1 + (uint32_t)prng_below(rng, 20000);
    uint64_t old = stream->next - stream->una;
    switch (prng_below(rng, 4)) {
    case 0:
        return stream->new_bytes ? hawser_send_new(len) : hawser_send_nothing(0);
    case 1:
        if (stream->may_copy && old && prng_below(rng, 8) == 0)
            return hawser_send_again(stream->una + prng_below(rng, old), len);
        return hawser_send_nothing(stream->now_ns + prng_below(rng, 5 * NS_PER_MS));
    case 2:
        if (path->cursor < stream->next ? stream->may_copy : stream->new_bytes > 0)
            return hawser_send_cursor(len);
        return hawser_send_nothing(0);
    default:
        return hawser_send_nothing(0);
    }
}
static const struct hawser_scheduler wild = {
    .size = sizeof wild, .name = "wild", .conn_bytes = sizeof(struct prng), .ask = choose};

/* ---- who keeps books ---- */

enum { LEDGERS = 8 };
struct ledger {
    uint64_t sent, acked, lost;
    uint32_t id;
    bool open;
};
static struct ledger ledgers[LEDGERS];
static unsigned ledger_count;

static struct ledger *ledger_of(const struct hawser_path *path)
{
    struct ledger **own = path->memory;
    if (*own) {
        assert_int_equal((*own)->id, path->id);
        assert_true((*own)->open);
        return *own;
    }
    assert_in_range(ledger_count, 0, LEDGERS - 1);
    *own = &ledgers[ledger_count++];
    **own = (struct ledger){.id = path->id, .open = true};
    return *own;
}

static struct hawser_decision by_turns(const struct hawser_stream *stream, const struct hawser_path *path)
{
    assert_true(path->room_bytes > 0);
    assert_true(path->cursor >= stream->una && path->cursor <= stream->next);
    bool listed = false;
    for (size_t i = 0; i < stream->path_count; i++)
        listed |= stream->paths[i] == path;
    assert_true(listed);
    (void)ledger_of(path);
    if (stream->again_from < stream->again_end)
        return hawser_send_again(stream->again_from, UINT32_MAX);
    for (size_t i = 0; i < stream->path_count; i++) {
        const struct hawser_path *other = stream->paths[i];
        if (other->room_bytes && ledger_of(other)->sent < ledger_of(path)->sent)
            return hawser_send_nothing(0);
    }
    return stream->new_bytes ? hawser_send_new(UINT32_MAX) : hawser_send_nothing(0);
}
static void book_sent(const struct hawser_stream *stream, const struct hawser_path *path, uint64_t from, uint32_t len)
{
    assert_true(len > 0 && from + len <= stream->next && from >= stream->una);
    assert_true(path->in_flight_bytes >= len);
    ledger_of(path)->sent += len;
}
static void book_acked(const struct hawser_stream *stream, const struct hawser_path *path, uint64_t bytes)
{
    (void)stream;
    ledger_of(path)->acked += bytes;
}
static void book_lost(const struct hawser_stream *stream, const struct hawser_path *path, uint64_t bytes)
{
    (void)stream;
    ledger_of(path)->lost += bytes;
}
static void book_gone(void *conn_memory, uint32_t id, void *path_memory)
{
    struct ledger *own = *(struct ledger **)path_memory;
    assert_non_null(conn_memory);
    if (!own) /* it was never asked about it */
        return;
    assert_int_equal(own->id, id);
    own->open = false;
}
static const struct hawser_scheduler bookkeeper = {.size = sizeof bookkeeper,
                                                   .name = "bookkeeper",
                                                   .conn_bytes = 1,
                                                   .path_bytes = sizeof(struct ledger *),
                                                   .ask = by_turns,
                                                   .sent = book_sent,
                                                   .acked = book_acked,
                                                   .lost = book_lost,
                                                   .gone = book_gone};

/* ---- exchanges ---- */

static uint64_t counted(const struct stage *stage, const char *name)
{
    struct hawser_counter c;
    for (size_t i = 0; hawser_stack_counter(stage->hosts[0]->stack, i, &c); i++)
        if (strcmp(c.name, name) == 0)
            return c.value;
    fail_msg("no counter %s", name);
    return 0;
}

static void serve(struct scenario *s, const struct hawser_scheduler *scheduler)
{
    for (unsigned side = 0; side < 2; side++)
        s->flows[0].plan.options[side].scheduler = scheduler;
}

/* Plays it; everything arrives whole. */
static struct stage *play(const struct scenario *s, uint64_t seed)
{
    struct stage *stage = stage_for(s, seed);
    if (!stage_run(stage))
        fail_msg("seed %" PRIu64 ": %s", seed, stage->world.first_story);
    for (unsigned side = 0; side < 2; side++)
        if (stage->flows[0]->ends[side].error)
            fail_msg("seed %" PRIu64 ": error %d", seed, stage->flows[0]->ends[side].error);
    return stage;
}

static void strike(struct stage *stage)
{
    if (!stage_close(stage))
        fail_msg("%s", stage->world.first_story);
    stage_fini(stage);
    free(stage);
}

/* When the server's program had read all, since the start. */
static uint64_t took_ns(const struct stage *stage)
{
    return stage->flows[0]->ends[FLOW_SERVER].last_read_ns - WORLD_START_NS;
}

static struct hawser_conn_info info_of(const struct stage *stage)
{
    struct hawser_conn_info info = {.size = sizeof info};
    flow_end_info(&stage->flows[0]->ends[FLOW_CLIENT], &info);
    return info;
}

static void nobody_waits_for_who_never_decides(void **state)
{
    (void)state;
    struct scenario s;
    base(&s, 2, false);
    serve(&s, &lazy);
    struct stage *stage = play(&s, 1);
    assert_string_equal(info_of(stage).scheduler, "lazy");
    assert_true(counted(stage, "mptcp.scheduler_overruled") > 10);
    assert_int_equal(counted(stage, "mptcp.scheduler_mistakes"), 0);
    strike(stage);
    scenario_fini(&s);
}

static void who_puts_it_off_is_overruled_after_a_second(void **state)
{
    (void)state;
    struct scenario s;
    base(&s, 2, false);
    serve(&s, &procrastinator);
    struct flow_plan *plan = &s.flows[0].plan;
    plan->rounds = 3;
    plan->pause_ns = NS_PER_S / 2;
    plan->request_bytes = plan->response_bytes = 5000;
    plan->duplex = false;
    struct stage *stage = play(&s, 1);
    uint64_t overruled = counted(stage, "mptcp.scheduler_overruled");
    assert_in_range(overruled, 2, 20);
    assert_true(took_ns(stage) > NS_PER_S);
    strike(stage);
    scenario_fini(&s);
}

static void who_names_a_time_is_asked_then(void **state)
{
    (void)state;
    struct scenario s;
    base(&s, 2, false);
    serve(&s, &punctual);
    struct stage *stage = play(&s, 1);
    assert_in_range(took_ns(stage), 2 * NS_PER_S, 2500 * NS_PER_MS); /* 1.5 MB, 1400 bytes each 2 ms */
    assert_int_equal(counted(stage, "mptcp.scheduler_overruled"), 0);
    assert_int_equal(info_of(stage).copied_bytes, 0);
    strike(stage);
    scenario_fini(&s);
}

static void whatever_is_answered(void **state)
{
    (void)state;
    static const struct hawser_scheduler *const fools[] = {&absurd, &wild};
    for (unsigned i = 0; i < 2; i++)
        for (uint64_t seed = 1; seed <= 6; seed++) {
            struct scenario s;
            base(&s, 2 + seed % 2, seed % 3 == 0);
            s.hosts[0].options.checksum_required = seed % 2;
            if (seed > 2)
                lossy(&s, 20000);
            s.flows[0].plan.request_bytes = s.flows[0].plan.response_bytes = 400000;
            serve(&s, fools[i]);
            struct stage *stage = play(&s, seed);
            assert_true(info_of(stage).copied_bytes > 0);
            uint64_t mistakes = counted(stage, "mptcp.scheduler_mistakes");
            assert_true(i == 0 ? mistakes > 10 : mistakes == 0);
            strike(stage);
            scenario_fini(&s);
        }
}

/* What it hears adds up; and a path that goes and comes is another one. */
static void what_a_scheduler_hears(void **state)
{
    (void)state;
    struct scenario s;
    base(&s, 2, false);
    lossy(&s, 10000);
    struct flow_plan *plan = &s.flows[0].plan;
    plan->options[FLOW_CLIENT].scheduler = &bookkeeper;
    plan->rounds = 10;
    plan->request_bytes = 300000;
    plan->response_bytes = 1000;
    plan->duplex = false;
    plan->pause_ns = 200 * NS_PER_MS;
    for (unsigned i = 0; i < 2; i++) {
        struct address_spec *change = scenario_add_address_change(&s, (1 + i) * NS_PER_S, "path1", 0);
        change->addr = s.links[1].addresses[0][0];
        change->remove = i == 0;
    }
    ledger_count = 0;
    struct stage *stage = play(&s, 1);
    strike(stage);
    uint64_t sent = 0, acked = 0, lost = 0;
    assert_in_range(ledger_count, 3, LEDGERS);
    for (unsigned i = 0; i < ledger_count; i++) {
        assert_false(ledgers[i].open);
        for (unsigned k = 0; k < i; k++)
            assert_true(ledgers[k].id != ledgers[i].id);
        assert_true(ledgers[i].sent >= ledgers[i].acked);
        sent += ledgers[i].sent;
        acked += ledgers[i].acked;
        lost += ledgers[i].lost;
    }
    assert_in_range(sent, 2000000, 3200000); /* what went while there was one path only it does not hear of */
    assert_in_range(acked, sent * 8 / 10, sent);
    assert_in_range(lost, sent / 200, sent / 20);
    scenario_fini(&s);
}

/* ---- copies ---- */

/* As fast as the better path alone, and none is reset for lagging behind. */
static void redundant_is_as_fast_as_the_better_path(void **state)
{
    (void)state;
    uint64_t time_ns[2];
    for (unsigned paths = 1; paths <= 2; paths++) {
        struct scenario s;
        base(&s, paths, false);
        serve(&s, &scheduler_redundant);
        s.flows[0].plan.request_bytes = 12500000; /* five seconds */
        s.flows[0].plan.response_bytes = 0;
        for (unsigned end = 0; end < 2 && paths == 2; end++) {
            s.links[1].lanes[end].rate_bps = 2 * MBIT;
            s.links[1].lanes[end].delay_ns = 60 * NS_PER_MS;
            s.links[1].lanes[end].queue.bytes = 1 << 20;
        }
        s.patience_ns = 100 * NS_PER_S;
        struct stage *stage = play(&s, 1);
        time_ns[paths - 1] = took_ns(stage);
        assert_int_equal(counted(stage, "limit.lagging_bytes"), 0);
        assert_true(paths == 1 || info_of(stage).copied_bytes > 500000);
        assert_true(paths == 1 || counted(stage, "mptcp.copies") > 100);
        strike(stage);
        scenario_fini(&s);
    }
    printf("  12.5 MB: %.3f s on the better path, %.3f s on both\n", (double)time_ns[0] / 1e9,
           (double)time_ns[1] / 1e9);
    assert_true(time_ns[1] < time_ns[0] + time_ns[0] / 50);
}

/* A path that is ten times as slow, with seconds of queue: the pieces that it still names keep many buffers, each for a
 * few bytes of it. The judges know what may be held. */
static void copies_do_not_hoard_memory(void **state)
{
    (void)state;
    struct scenario s;
    base(&s, 2, false);
    serve(&s, &scheduler_redundant);
    s.flows[0].plan.request_bytes = 50000000; /* twenty seconds */
    s.flows[0].plan.response_bytes = 0;
    for (unsigned end = 0; end < 2; end++) {
        s.links[1].lanes[end].rate_bps = 2 * MBIT;
        s.links[1].lanes[end].delay_ns = 60 * NS_PER_MS;
        s.links[1].lanes[end].queue.bytes = 1 << 20;
    }
    s.patience_ns = 100 * NS_PER_S;
    struct stage *stage = play(&s, 1);
    assert_in_range(stage->hosts[0]->memory.peak_bytes, 4 << 20, 7 << 20);
    assert_int_equal(counted(stage, "limit.lagging_bytes"), 0);
    printf("  50 MB beside a slow path: %.3f s, at most %.1f MB held\n", (double)took_ns(stage) / 1e9,
           (double)stage->hosts[0]->memory.peak_bytes / 1e6);
    assert_true(took_ns(stage) < 22 * NS_PER_S);
    strike(stage);
    scenario_fini(&s);
}

/* The longest pause at the server when the first of two paths, and the better one, is cut after two seconds. */
static uint64_t pause_by_cut(const struct hawser_scheduler *scheduler, bool bulk)
{
    struct scenario s;
    base(&s, 2, false);
    serve(&s, scheduler);
    struct flow_plan *plan = &s.flows[0].plan;
    plan->duplex = false;
    plan->rounds = bulk ? 1 : 200;
    plan->request_bytes = bulk ? 12500000 : 5000;
    plan->response_bytes = bulk ? 0 : 1;
    plan->pause_ns = bulk ? 0 : 10 * NS_PER_MS;
    s.links[1].lanes[0].delay_ns = s.links[1].lanes[1].delay_ns = 15 * NS_PER_MS;
    struct change_spec *cut = scenario_add_change(&s, 2 * NS_PER_S, "path0");
    for (unsigned end = 0; end < 2; end++) {
        cut->lanes_set[end] = true;
        cut->lanes[end] = s.links[0].lanes[end];
        cut->lanes[end].down = true;
    }
    struct stage *stage = play(&s, 1);
    uint64_t gap_ns = stage->flows[0]->ends[FLOW_SERVER].longest_gap_ns;
    printf("  %s, %s: longest pause %.1f ms\n", scheduler->name, bulk ? "bulk" : "calls", (double)gap_ns / 1e6);
    strike(stage);
    scenario_fini(&s);
    return gap_ns;
}

/* Calls of 5 kB go on as if nothing were: a round trip and the pause between two of them. A bulk transfer waits for
 * what stands in the other path's queue, no more than a round trip either. */
static void redundant_bridges_a_cut(void **state)
{
    (void)state;
    const uint64_t rtt_ns = 30 * NS_PER_MS, pause_ns = 10 * NS_PER_MS;
    const uint64_t queue_ns = 128 * 1024 * 8 * NS_PER_S / (20 * MBIT);
    assert_in_range(pause_by_cut(&scheduler_redundant, false), 1, rtt_ns + pause_ns + 5 * NS_PER_MS);
    assert_in_range(pause_by_cut(&scheduler_redundant, true), 1, rtt_ns + queue_ns);
    assert_true(pause_by_cut(&scheduler_lowest_rtt, false) > rtt_ns + pause_ns + 20 * NS_PER_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_waits_for_who_never_decides),
        cmocka_unit_test(who_puts_it_off_is_overruled_after_a_second),
        cmocka_unit_test(who_names_a_time_is_asked_then),
        cmocka_unit_test(whatever_is_answered),
        cmocka_unit_test(what_a_scheduler_hears),
        cmocka_unit_test(redundant_is_as_fast_as_the_better_path),
        cmocka_unit_test(redundant_bridges_a_cut),
        cmocka_unit_test(copies_do_not_hoard_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
