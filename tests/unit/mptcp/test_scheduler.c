#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "mptcp/scheduler.h"

#define MS UINT64_C(1000000)

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
    {"no path", {{0}}, 0, SCHEDULE_NONE},
    {"one path", {{U, 1, 10}}, 1, 0},
    {"not usable", {{0, 1000, 10}}, 1, SCHEDULE_NONE},
    {"no room", {{U, 0, 10}}, 1, SCHEDULE_NONE},
    {"least RTT, last", {{U, 9, 30}, {U, 9, 20}, {U, 9, 10}}, 3, 2},
    {"least RTT, first", {{U, 9, 10}, {U, 9, 20}, {U, 9, 30}}, 3, 0},
    {"least RTT among those with room", {{U, 9, 30}, {U, 0, 10}, {U, 9, 20}}, 3, 2},
    {"ties go to the lowest index", {{U, 9, 20}, {U, 9, 10}, {U, 900, 10}}, 3, 1},
    {"unmeasured loses to measured", {{U, 9, 0}, {U, 9, 500}}, 2, 1},
    {"unmeasured is used when the measured are full", {{U, 9, 0}, {U, 0, 10}}, 2, 0},
    {"unmeasured alone", {{U, 9, 0}, {U, 9, 0}}, 2, 0},
    {"unmeasured regular before measured backup", {{U | B, 9, 10}, {U, 9, 0}}, 2, 1},
    {"backup loses to a slower regular", {{U | B, 9, 10}, {U, 9, 90}}, 2, 1},
    {"a full regular path is waited for", {{U | B, 9, 10}, {U, 0, 90}}, 2, SCHEDULE_NONE},
    {"backup when the regular is stale", {{U | B, 9, 90}, {U | S, 9, 10}}, 2, 0},
    {"backup when the regular is not usable", {{U | B, 9, 90}, {0, 9, 10}}, 2, 0},
    {"a full backup is waited for, not a stale regular", {{U | B, 0, 90}, {U | S, 9, 10}}, 2, SCHEDULE_NONE},
    {"least RTT among backups", {{U | B, 9, 90}, {U | B, 9, 10}}, 2, 1},
    {"stale loses to a slower path", {{U | S, 9, 10}, {U, 9, 90}}, 2, 1},
    {"a full path is waited for, not a stale one", {{U | S, 9, 10}, {U, 0, 90}}, 2, SCHEDULE_NONE},
    {"all stale: least RTT", {{U | S, 9, 20}, {U | S, 9, 10}}, 2, 1},
    {"all stale: regular before backup", {{U | S | B, 9, 10}, {U | S, 9, 90}}, 2, 1},
    {"all stale: any with room", {{U | S | B, 9, 10}, {U | S, 0, 90}}, 2, 0},
};

static struct path_view view_of(const struct path *path)
{
    return (struct path_view){
        .usable = path->flags & U,
        .backup = path->flags & B,
        .stale = path->flags & S,
        .room = path->room,
        .cwnd = 14600,
        .mss = 1460,
        .srtt_ns = path->srtt_ms * MS,
    };
}

static void picks_as_the_table_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < HW_ARRAY_LEN(table); i++) {
        struct path_view views[4];
        for (size_t p = 0; p < table[i].count; p++)
            views[p] = view_of(&table[i].paths[p]);
        struct demand demand = {.unsent_bytes = 1, .window_bytes = 1};
        int picked = scheduler_lowest_rtt.pick(views, table[i].count, &demand);
        if (picked != table[i].expected)
            fail_msg("%s: picked %d, not %d", table[i].what, picked, table[i].expected);
    }
}

/* The rules once more, one path at a time and without ranks. */
static bool may_carry(const struct path_view *paths, size_t count, size_t i)
{
    if (!paths[i].usable || !paths[i].room)
        return false;
    for (size_t k = 0; k < count; k++) {
        bool alive = paths[k].usable && !paths[k].stale;
        if (alive && paths[i].stale)
            return false;
        if (alive && !paths[k].backup && paths[i].backup)
            return false;
    }
    return true;
}

static bool goes_before(const struct path_view *a, const struct path_view *b)
{
    if (a->backup != b->backup)
        return b->backup;
    if (!a->srtt_ns || !b->srtt_ns)
        return a->srtt_ns && !b->srtt_ns;
    return a->srtt_ns < b->srtt_ns;
}

static struct path_view nth_view(unsigned n)
{
    return (struct path_view){.usable = n & 1, .backup = n & 2, .stale = n & 4, .room = n >> 3 & 1, .srtt_ns = n >> 4};
}

static void agrees_with_the_rules_for_all_triples(void **state)
{
    (void)state;
    const unsigned kinds = 3 << 4;
    for (unsigned n = 0; n < kinds * kinds * kinds; n++) {
        struct path_view views[3] = {nth_view(n % kinds), nth_view(n / kinds % kinds), nth_view(n / kinds / kinds)};
        struct demand demand = {0};
        int expected = SCHEDULE_NONE;
        for (size_t i = 0; i < 3; i++)
            if (may_carry(views, 3, i) && (expected == SCHEDULE_NONE || goes_before(&views[i], &views[expected])))
                expected = (int)i;
        if (scheduler_lowest_rtt.pick(views, 3, &demand) != expected)
            fail_msg("triple %u: not %d", n, expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(picks_as_the_table_says),
        cmocka_unit_test(agrees_with_the_rules_for_all_triples),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
