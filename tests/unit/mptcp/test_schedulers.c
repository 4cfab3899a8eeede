/* The schedulers that come with the library: whom they choose, and what they send. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bundle.h"

#define MS UINT64_C(1000000)
#define NOBODY (-1)

/* Short spellings of a path: U usable, B backup, S stale. */
enum { U = 1, B = 2, S = 4 };

struct path {
    unsigned flags;
    uint32_t room;
    uint64_t srtt_ms;
};

struct table_row {
    const char *what;
    struct path paths[4];
    size_t count;
    int expected;
};

static const struct table_row table[] = {
    {"no path", {{0}}, 0, NOBODY},
    {"one path", {{U, 1, 10}}, 1, 0},
    {"not usable", {{0, 1000, 10}}, 1, NOBODY},
    {"no room", {{U, 0, 10}}, 1, NOBODY},
    {"least RTT, last", {{U, 9, 30}, {U, 9, 20}, {U, 9, 10}}, 3, 2},
    {"least RTT, first", {{U, 9, 10}, {U, 9, 20}, {U, 9, 30}}, 3, 0},
    {"least RTT among those with room", {{U, 9, 30}, {U, 0, 10}, {U, 9, 20}}, 3, 2},
    {"ties go to the lowest index", {{U, 9, 20}, {U, 9, 10}, {U, 900, 10}}, 3, 1},
    {"unmeasured loses to measured", {{U, 9, 0}, {U, 9, 500}}, 2, 1},
    {"unmeasured is used when the measured are full", {{U, 9, 0}, {U, 0, 10}}, 2, 0},
    {"unmeasured alone", {{U, 9, 0}, {U, 9, 0}}, 2, 0},
    {"unmeasured regular before measured backup", {{U | B, 9, 10}, {U, 9, 0}}, 2, 1},
    {"backup loses to a slower regular", {{U | B, 9, 10}, {U, 9, 90}}, 2, 1},
    {"a full regular path is waited for", {{U | B, 9, 10}, {U, 0, 90}}, 2, NOBODY},
    {"backup when the regular is stale", {{U | B, 9, 90}, {U | S, 9, 10}}, 2, 0},
    {"backup when the regular is not usable", {{U | B, 9, 90}, {0, 9, 10}}, 2, 0},
    {"a full backup is waited for, not a stale regular", {{U | B, 0, 90}, {U | S, 9, 10}}, 2, NOBODY},
    {"least RTT among backups", {{U | B, 9, 90}, {U | B, 9, 10}}, 2, 1},
    {"stale loses to a slower path", {{U | S, 9, 10}, {U, 9, 90}}, 2, 1},
    {"a full path is waited for, not a stale one", {{U | S, 9, 10}, {U, 0, 90}}, 2, NOBODY},
    {"all stale: least RTT", {{U | S, 9, 20}, {U | S, 9, 10}}, 2, 1},
    {"all stale: regular before backup", {{U | S | B, 9, 10}, {U | S, 9, 90}}, 2, 1},
    {"all stale: any with room", {{U | S | B, 9, 10}, {U | S, 0, 90}}, 2, 0},
};

struct bench {
    struct bundle bundle;
    struct outflow out;
    struct views views;
};

static void set_up(struct bench *b, unsigned paths)
{
    bundle_init(&b->bundle);
    for (unsigned i = 0; i < paths; i++)
        bundle_open(&b->bundle, 0)->join = true;
    assert_int_equal(data_tx_write(&b->bundle.tx, b->bundle.bytes, 1), 1);
    b->out = bundle_outflow(&b->bundle);
}

static void tear_down(struct bench *b) { bundle_destroy(&b->bundle); }

static void make(struct subflow *s, const struct path *path)
{
    s->stage = path->flags & U ? SUBFLOW_JOINED : SUBFLOW_PROVING;
    s->backup_remote = path->flags & B;
    s->stale = path->flags & S;
    s->tcp.snd_wnd = path->room;
    s->tcp.rtt.srtt_ns = path->srtt_ms * MS;
}

/* Who is asked first and does not refuse. */
static int picked(struct bench *b)
{
    struct views *v = &b->views;
    views_find(v, &b->out);
    views_look(v, &b->out, b->bundle.now_ns);
    for (size_t k = 0; k < v->count; k++)
        if (v->order[k]->room_bytes && scheduler_lowest_rtt.ask(&v->stream, v->order[k]).what == HAWSER_SEND_NEW)
            return (int)v->order[k]->id;
    return NOBODY;
}

static void picks_as_the_table_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < HW_ARRAY_LEN(table); i++) {
        struct bench b;
        set_up(&b, (unsigned)table[i].count);
        for (size_t p = 0; p < table[i].count; p++)
            make(&b.bundle.all[p], &table[i].paths[p]);
        if (picked(&b) != table[i].expected)
            fail_msg("%s: picked %d, not %d", table[i].what, picked(&b), table[i].expected);
        tear_down(&b);
    }
}

/* The rules once more, one path at a time and without ranks. */
static bool may_carry(const struct path *paths, size_t count, size_t i)
{
    if (!(paths[i].flags & U) || !paths[i].room)
        return false;
    for (size_t k = 0; k < count; k++) {
        bool alive = (paths[k].flags & U) && !(paths[k].flags & S);
        if (alive && paths[i].flags & S)
            return false;
        if (alive && !(paths[k].flags & B) && paths[i].flags & B)
            return false;
    }
    return true;
}

static bool goes_before(const struct path *a, const struct path *b)
{
    if ((a->flags ^ b->flags) & B)
        return b->flags & B;
    if (!a->srtt_ms || !b->srtt_ms)
        return a->srtt_ms && !b->srtt_ms;
    return a->srtt_ms < b->srtt_ms;
}

static struct path nth_path(unsigned n) { return (struct path){n & 7, n >> 3 & 1, n >> 4}; }

static void agrees_with_the_rules_for_all_triples(void **state)
{
    (void)state;
    const unsigned kinds = 3 << 4;
    struct bench b;
    set_up(&b, 3);
    for (unsigned n = 0; n < kinds * kinds * kinds; n++) {
        const struct path paths[3] = {nth_path(n % kinds), nth_path(n / kinds % kinds), nth_path(n / kinds / kinds)};
        int expected = NOBODY;
        for (size_t i = 0; i < 3; i++) {
            make(&b.bundle.all[i], &paths[i]);
            if (may_carry(paths, 3, i) && (expected == NOBODY || goes_before(&paths[i], &paths[expected])))
                expected = (int)i;
        }
        if (picked(&b) != expected)
            fail_msg("triple %u: %d, not %d", n, picked(&b), expected);
    }
    tear_down(&b);
}

/* ---- what they answer ---- */

static const struct hawser_path good = {.willing = true, .room_bytes = 1000, .segment_bytes = 1000};

static void expect(struct hawser_decision d, enum hawser_send what, uint64_t from)
{
    assert_int_equal(d.what, what);
    assert_int_equal(d.from, from);
    assert_int_equal(d.until_ns, 0);
    assert_int_equal(d.len, what == HAWSER_SEND_NOTHING ? 0 : UINT32_MAX);
}

/* What seems lost goes first, but not to where things get lost. */
static void lowest_rtt(void **state)
{
    (void)state;
    struct hawser_stream stream = {.una = 5, .next = 100, .end = 100, .may_copy = true};
    struct hawser_path path = good;
    expect(scheduler_lowest_rtt.ask(&stream, &path), HAWSER_SEND_NOTHING, 0);
    stream.new_bytes = 50;
    expect(scheduler_lowest_rtt.ask(&stream, &path), HAWSER_SEND_NEW, 0);
    stream.again_from = 7;
    stream.again_end = 9;
    expect(scheduler_lowest_rtt.ask(&stream, &path), HAWSER_SEND_AGAIN, 7);
    path.stale = true;
    expect(scheduler_lowest_rtt.ask(&stream, &path), HAWSER_SEND_NEW, 0);
    path.willing = false;
    expect(scheduler_lowest_rtt.ask(&stream, &path), HAWSER_SEND_NOTHING, 0);
}

static void redundant(void **state)
{
    (void)state;
    struct hawser_stream stream = {.una = 5, .next = 100, .end = 150, .new_bytes = 50};
    struct hawser_path path = good;
    path.cursor = 5;
    expect(scheduler_redundant.ask(&stream, &path), HAWSER_SEND_NEW, 0); /* copies are not allowed yet */
    stream.may_copy = true;
    expect(scheduler_redundant.ask(&stream, &path), HAWSER_SEND_CURSOR, 0);
    path.cursor = 100;
    expect(scheduler_redundant.ask(&stream, &path), HAWSER_SEND_CURSOR, 0);
    stream.new_bytes = 0;
    expect(scheduler_redundant.ask(&stream, &path), HAWSER_SEND_NOTHING, 0);
    stream.again_from = 5;
    stream.again_end = 9;
    path.in_flight_bytes = 1;
    expect(scheduler_redundant.ask(&stream, &path), HAWSER_SEND_NOTHING, 0); /* they may be under way here */
    path.in_flight_bytes = 0;
    expect(scheduler_redundant.ask(&stream, &path), HAWSER_SEND_AGAIN, 5);
    path.willing = false;
    expect(scheduler_redundant.ask(&stream, &path), HAWSER_SEND_NOTHING, 0);
}

/* ---- by name ---- */

static void by_name(void **state)
{
    (void)state;
    assert_ptr_equal(hawser_scheduler_find("lowest-rtt"), &scheduler_lowest_rtt);
    assert_ptr_equal(hawser_scheduler_find("redundant"), &scheduler_redundant);
    assert_null(hawser_scheduler_find("round-robin"));
    assert_null(hawser_scheduler_find(""));
    size_t n = 0;
    for (const struct hawser_scheduler *s; (s = hawser_scheduler_at(n)); n++) {
        assert_ptr_equal(hawser_scheduler_find(s->name), s);
        assert_int_equal(scheduler_check(s), 0);
    }
    assert_int_equal(n, 2);
    assert_null(hawser_scheduler_at(SIZE_MAX));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(picks_as_the_table_says),
        cmocka_unit_test(agrees_with_the_rules_for_all_triples),
        cmocka_unit_test(lowest_rtt),
        cmocka_unit_test(redundant),
        cmocka_unit_test(by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
