#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "base/prng.h"
#include "mptcp/rxmap.h"
#include "support.h"

#define SPAN 600      /* subflow bytes the model looks at */
#define ENTRIES 40000 /* mappings a round may make */
#define NONE 0

/* The model: which mapping every single byte belongs to. An infinite mapping covers the rest of the span. */
struct model {
    struct test_env t;
    struct account_root memory;
    struct rxmap m;
    uint32_t owner[SPAN]; /* index into `entries`; NONE */
    struct mapping entries[ENTRIES];
    uint32_t entry_count, kept;
};

static void model_start(struct model *m, uint64_t seed)
{
    memset(m, 0, sizeof *m);
    m->entry_count = 1; /* the first is NONE */
    test_env_init(&m->t, seed);
    account_init(&m->memory, &m->t.env, UINT64_MAX, 0);
    rxmap_init(&m->m, &m->memory.account);
}

static void model_end(struct model *m)
{
    rxmap_destroy(&m->m);
    test_env_check_clean(&m->t);
}

static uint32_t model_end_of(const struct mapping *map) { return map->len ? (uint32_t)map->ssn + map->len : SPAN; }

static void assert_same(const struct mapping *a, const struct mapping *b)
{
    assert_int_equal(a->ssn, b->ssn);
    assert_true(dsn_eq(a->dsn, b->dsn));
    assert_int_equal(a->len, b->len);
    assert_int_equal(a->has_checksum, b->has_checksum);
    if (b->has_checksum)
        assert_int_equal(a->checksum, b->checksum);
}

static void check_state(const struct model *m)
{
    assert_int_equal(m->m.count, m->kept);
    for (uint32_t at = 0; at < SPAN; at++) {
        const struct mapping *found = rxmap_find(&m->m, at);
        const struct mapping *expected = m->owner[at] == NONE ? NULL : &m->entries[m->owner[at]];
        assert_int_equal(found != NULL, expected != NULL);
        if (expected)
            assert_same(found, expected);
    }
}

static enum rxmap_result model_judge(const struct model *m, const struct mapping *map, bool allow_split)
{
    uint32_t known = 0, fresh = 0;
    for (uint32_t at = (uint32_t)map->ssn; at < model_end_of(map); at++) {
        if (m->owner[at] == NONE) {
            fresh++;
            continue;
        }
        known++;
        const struct mapping *owner = &m->entries[m->owner[at]];
        if (!dsn_eq(dsn_add(owner->dsn, at - owner->ssn), dsn_add(map->dsn, at - map->ssn)))
            return RXMAP_CONFLICT;
    }
    /* Only an infinite mapping goes on where the span ends. */
    uint32_t last = m->owner[SPAN - 1];
    if (!map->len && (last == NONE || m->entries[last].len))
        fresh++;
    if (known && fresh)
        return allow_split ? RXMAP_ADDED : RXMAP_CONFLICT;
    if (!known)
        return RXMAP_ADDED;
    const struct mapping *owner = &m->entries[m->owner[map->ssn]];
    bool same = owner->ssn == map->ssn && owner->len == map->len;
    return same && owner->has_checksum && map->has_checksum && owner->checksum != map->checksum ? RXMAP_CONFLICT
                                                                                                : RXMAP_KNOWN;
}

static void model_add(struct model *m, const struct mapping *map)
{
    uint32_t end = model_end_of(map);
    for (uint32_t at = (uint32_t)map->ssn, to; at < end; at = to) {
        to = at + 1;
        if (m->owner[at] != NONE)
            continue;
        while (to < end && m->owner[to] == NONE)
            to++;
        bool whole = at == map->ssn && to == end;
        struct mapping *entry = &m->entries[m->entry_count];
        *entry = *map;
        entry->ssn = at;
        entry->dsn = dsn_add(map->dsn, at - map->ssn);
        entry->len = !map->len && to == SPAN ? 0 : to - at;
        entry->has_checksum = whole && map->has_checksum;
        for (uint32_t k = at; k < to; k++)
            m->owner[k] = m->entry_count;
        m->entry_count++;
        m->kept++;
    }
}

static void model_retire(struct model *m, uint32_t ssn)
{
    for (uint32_t at = 0; at < SPAN; at++) {
        const struct mapping *owner = &m->entries[m->owner[at]];
        if (m->owner[at] == NONE || !owner->len || model_end_of(owner) > ssn)
            continue;
        m->kept -= owner->ssn == at;
        m->owner[at] = NONE;
    }
}

static struct mapping random_mapping(struct prng *rng, dsn64 base, uint32_t from)
{
    struct mapping map = {.ssn = from + prng_below(rng, SPAN - from)};
    uint32_t longest = SPAN - (uint32_t)map.ssn;
    if (prng_below(rng, 4))
        longest = HW_MIN(longest, 30);
    map.len = (uint32_t)(1 + prng_below(rng, longest));
    if (map.ssn + map.len == SPAN) /* the last byte of the span belongs to an infinite mapping alone */
        map.len = map.len > 1 ? map.len - 1 : 0;
    if (prng_below(rng, 60) == 0)
        map.len = 0;
    /* One in eight contradicts the rest. */
    map.dsn = dsn_add(base, map.ssn + (prng_below(rng, 8) == 0));
    map.has_checksum = map.len && prng_below(rng, 2);
    map.checksum = (uint16_t)prng_below(rng, 2);
    return map;
}

static void one_property_round(uint64_t seed)
{
    static struct model m; /* large, not for the stack */
    struct prng rng;
    prng_seed(&rng, seed);
    dsn64 base = dsn_at(prng_below(&rng, 2) ? UINT64_MAX - prng_below(&rng, SPAN) : prng_next(&rng));
    model_start(&m, prng_next(&rng));
    uint32_t floor = 0;
    for (unsigned step = 0; step < 250; step++) {
        struct mapping map = random_mapping(&rng, base, floor);
        if (m.entry_count > 1 && prng_below(&rng, 6) == 0) { /* one that was declared before */
            map = m.entries[1 + prng_below(&rng, m.entry_count - 1)];
            map.checksum ^= prng_below(&rng, 4) == 0;
        }
        bool allow_split = prng_below(&rng, 3);
        enum rxmap_result expected = model_judge(&m, &map, allow_split);
        m.t.fail_at = prng_below(&rng, 4) == 0;
        enum rxmap_result result = rxmap_add(&m.m, &map, allow_split);
        bool failed = result == RXMAP_FULL && expected == RXMAP_ADDED && m.t.fail_at == 0;
        m.t.fail_at = 0;
        if (!failed) {
            assert_int_equal(result, expected);
            if (expected == RXMAP_ADDED)
                model_add(&m, &map);
        }
        if (prng_below(&rng, 20) == 0) {
            floor += (uint32_t)prng_below(&rng, 60);
            floor = HW_MIN(floor, SPAN - 1);
            rxmap_retire(&m.m, floor);
            model_retire(&m, floor);
        }
        check_state(&m);
    }
    model_end(&m);
}

static void agrees_with_a_table_of_bytes(void **state)
{
    (void)state;
    struct prng rng;
    prng_seed(&rng, test_seed());
    for (unsigned round = 0; round < 60; round++)
        one_property_round(prng_next(&rng));
}

static enum rxmap_result add(struct rxmap *m, uint64_t ssn, uint64_t dsn, uint32_t len, bool allow_split)
{
    struct mapping map = {.ssn = ssn, .dsn = dsn_at(dsn), .len = len};
    return rxmap_add(m, &map, allow_split);
}

static void finds_nothing_when_empty(void **state)
{
    (void)state;
    struct test_env t;
    struct account_root memory;
    struct rxmap m;
    test_env_init(&t, 1);
    account_init(&memory, &t.env, UINT64_MAX, 0);
    rxmap_init(&m, &memory.account);
    assert_null(rxmap_find(&m, 0));
    rxmap_retire(&m, UINT64_MAX);
    assert_int_equal(t.allocations, 0);
    rxmap_destroy(&m);
    test_env_check_clean(&t);
}

static void keeps_the_checksum_of_a_whole_mapping_only(void **state)
{
    (void)state;
    struct test_env t;
    struct account_root memory;
    struct rxmap m;
    test_env_init(&t, 1);
    account_init(&memory, &t.env, UINT64_MAX, 0);
    rxmap_init(&m, &memory.account);
    struct mapping map = {.ssn = 100, .dsn = dsn_at(5100), .len = 50, .checksum = 0xbeef, .has_checksum = true};
    assert_int_equal(rxmap_add(&m, &map, false), RXMAP_ADDED);
    assert_int_equal(rxmap_add(&m, &map, false), RXMAP_KNOWN);
    struct mapping forged = map;
    forged.checksum = 0xdead;
    assert_int_equal(rxmap_add(&m, &forged, true), RXMAP_CONFLICT);
    assert_true(rxmap_find(&m, 149)->has_checksum);
    assert_int_equal(rxmap_find(&m, 149)->checksum, 0xbeef);

    struct mapping wider = {.ssn = 90, .dsn = dsn_at(5090), .len = 100, .checksum = 0xbeef, .has_checksum = true};
    assert_int_equal(rxmap_add(&m, &wider, false), RXMAP_CONFLICT);
    assert_int_equal(m.count, 1);
    assert_int_equal(rxmap_add(&m, &wider, true), RXMAP_ADDED);
    assert_int_equal(m.count, 3);
    assert_false(rxmap_find(&m, 90)->has_checksum);
    assert_true(rxmap_find(&m, 100)->has_checksum);
    assert_false(rxmap_find(&m, 189)->has_checksum);
    assert_true(dsn_eq(rxmap_find(&m, 150)->dsn, dsn_at(5150)));
    assert_null(rxmap_find(&m, 190));
    rxmap_destroy(&m);
    test_env_check_clean(&t);
}

static void maps_to_infinity(void **state)
{
    (void)state;
    struct test_env t;
    struct account_root memory;
    struct rxmap m;
    test_env_init(&t, 1);
    account_init(&memory, &t.env, UINT64_MAX, 0);
    rxmap_init(&m, &memory.account);
    uint64_t base = UINT64_MAX - 500; /* the data sequence numbers wrap */
    assert_int_equal(add(&m, 100, base + 100, 10, false), RXMAP_ADDED);
    assert_int_equal(add(&m, 200, base + 200, 0, false), RXMAP_ADDED);
    assert_null(rxmap_find(&m, 199));
    assert_int_equal(rxmap_find(&m, 200)->ssn, 200);
    assert_int_equal(rxmap_find(&m, UINT64_C(1) << 60)->ssn, 200);
    assert_int_equal(add(&m, 200, base + 200, 0, false), RXMAP_KNOWN);
    assert_int_equal(add(&m, 900, base + 900, 0, false), RXMAP_KNOWN);
    assert_int_equal(add(&m, UINT64_C(1) << 40, base + (UINT64_C(1) << 40), 1000, false), RXMAP_KNOWN);
    assert_int_equal(add(&m, 900, base + 901, 0, true), RXMAP_CONFLICT);
    assert_int_equal(add(&m, 900, base + 899, 5, true), RXMAP_CONFLICT);
    assert_int_equal(add(&m, 190, base + 190, 20, true), RXMAP_ADDED);
    assert_int_equal(rxmap_find(&m, 190)->len, 10);
    rxmap_retire(&m, UINT64_C(1) << 62);
    assert_int_equal(m.count, 1);
    assert_int_equal(rxmap_find(&m, UINT64_C(1) << 62)->ssn, 200);

    /* One that begins before it fills up to it, and never counts as infinite itself. */
    assert_int_equal(add(&m, 150, base + 150, 0, false), RXMAP_CONFLICT);
    assert_int_equal(add(&m, 150, base + 150, 0, true), RXMAP_ADDED);
    assert_int_equal(m.count, 2);
    assert_int_equal(rxmap_find(&m, 199)->len, 50);
    rxmap_destroy(&m);
    test_env_check_clean(&t);
}

static void refuses_more_than_the_limit(void **state)
{
    (void)state;
    struct test_env t;
    struct account_root memory;
    struct rxmap m;
    const uint64_t b = 10;
    test_env_init(&t, 1);
    account_init(&memory, &t.env, UINT64_MAX, 0);
    rxmap_init(&m, &memory.account);
    for (uint64_t i = 0; i < RXMAP_MAX - 1; i++)
        assert_int_equal(add(&m, b + 2 * i, 2 * i, 1, false), RXMAP_ADDED);
    /* This one has two new parts where there is room for one. */
    assert_int_equal(add(&m, b, 0, 5, true), RXMAP_FULL);
    assert_null(rxmap_find(&m, b + 1));
    assert_null(rxmap_find(&m, b + 3));
    assert_int_equal(add(&m, b, 0, 3, true), RXMAP_ADDED);
    assert_int_equal(m.count, RXMAP_MAX);
    assert_int_equal(add(&m, b + 3, 3, 1, false), RXMAP_FULL);
    assert_int_equal(add(&m, 100000, 0, 1, false), RXMAP_FULL);
    assert_int_equal(add(&m, b, 0, 3, true), RXMAP_KNOWN);
    assert_int_equal(add(&m, b, 1, 3, true), RXMAP_CONFLICT);
    for (uint64_t at = 0; at < 2 * (RXMAP_MAX - 1); at++)
        assert_int_equal(rxmap_find(&m, b + at) != NULL, at % 2 == 0 || at == 1);
    /* For the bytes that are due there is a reserve. */
    for (uint64_t i = 0; i < RXMAP_RESERVE; i++) {
        rxmap_retire(&m, i);
        assert_int_equal(add(&m, i, 1000 * i, 1, false), RXMAP_ADDED);
    }
    assert_int_equal(m.count, RXMAP_MAX + 1); /* as each came, the one before was done */
    rxmap_retire(&m, b + 1);
    assert_int_equal(m.count, RXMAP_MAX - 1);
    assert_int_equal(add(&m, 100000, 0, 1, false), RXMAP_ADDED);
    assert_int_equal(add(&m, 100001, 0, 1, false), RXMAP_FULL);
    rxmap_destroy(&m);
    test_env_check_clean(&t);
}

/* What would have to be put together of hundreds of parts costs too much. */
static void refuses_what_is_spread_over_too_many(void **state)
{
    (void)state;
    struct test_env t;
    struct account_root memory;
    struct rxmap m;
    const uint64_t b = 10;
    test_env_init(&t, 1);
    account_init(&memory, &t.env, UINT64_MAX, 0);
    rxmap_init(&m, &memory.account);
    for (uint64_t i = 0; i < RXMAP_PARTS_MAX; i++)
        assert_int_equal(add(&m, b + 2 * i, 2 * i, 1, true), RXMAP_ADDED);
    assert_int_equal(add(&m, b, 0, RXMAP_PARTS_MAX + 1, true), RXMAP_FULL);
    assert_int_equal(add(&m, b, 1, UINT16_MAX, true), RXMAP_CONFLICT);
    assert_int_equal(add(&m, b, 0, RXMAP_PARTS_MAX, true), RXMAP_ADDED);
    assert_int_equal(add(&m, b, 0, RXMAP_PARTS_MAX, true), RXMAP_KNOWN);
    rxmap_retire(&m, b + RXMAP_PARTS_MAX); /* with the next bytes there are fewer */
    assert_int_equal(add(&m, b, 0, 2 * RXMAP_PARTS_MAX - 1, true), RXMAP_ADDED);
    rxmap_destroy(&m);
    test_env_check_clean(&t);
}

/* A long transfer with a few mappings outstanding must not grow the array. */
static void reuses_what_was_retired(void **state)
{
    (void)state;
    struct test_env t;
    struct account_root memory;
    struct rxmap m;
    test_env_init(&t, 1);
    account_init(&memory, &t.env, UINT64_MAX, 0);
    rxmap_init(&m, &memory.account);
    for (uint64_t i = 0; i < 100000; i++) {
        assert_int_equal(add(&m, 10 * i, 10 * i, 10, false), RXMAP_ADDED);
        if (i >= 8)
            rxmap_retire(&m, 10 * (i - 8));
        assert_int_equal(rxmap_find(&m, 10 * i + 9)->ssn, 10 * i);
        if (i >= 8)
            assert_int_equal(rxmap_find(&m, 10 * (i - 8))->ssn, 10 * (i - 8));
        assert_true(m.count <= 10);
    }
    assert_true(m.capacity <= 64);
    assert_true(t.allocations <= 4);
    rxmap_destroy(&m);
    test_env_check_clean(&t);
}

static void is_full_when_memory_is_out(void **state)
{
    (void)state;
    struct test_env t;
    struct account_root memory;
    struct rxmap m;
    test_env_init(&t, 1);
    account_init(&memory, &t.env, UINT64_MAX, 0);
    rxmap_init(&m, &memory.account);
    unsigned failures = 0;
    for (uint64_t i = 0; i < 1000; i++) {
        t.fail_at = 1;
        enum rxmap_result result = add(&m, 2 * i, 2 * i, 1, false);
        if (result == RXMAP_FULL) {
            failures++;
            assert_int_equal(m.count, i);
            t.fail_at = 0;
            result = add(&m, 2 * i, 2 * i, 1, false);
        }
        assert_int_equal(result, RXMAP_ADDED);
    }
    assert_in_range(failures, 3, 10);
    t.fail_at = 0;
    rxmap_destroy(&m);
    test_env_check_clean(&t);
}

/* What the caller's extension to 64 bits makes of a hostile number. */
static void bears_numbers_from_anywhere(void **state)
{
    (void)state;
    struct test_env t;
    struct account_root memory;
    struct rxmap m;
    test_env_init(&t, test_seed());
    account_init(&memory, &t.env, UINT64_MAX, 0);
    rxmap_init(&m, &memory.account);
    assert_int_equal(add(&m, UINT64_MAX, 0, 0, true), RXMAP_CONFLICT);
    assert_int_equal(add(&m, UINT64_MAX, 0, 1, true), RXMAP_CONFLICT);
    assert_int_equal(add(&m, UINT64_MAX - 5, 0, 6, true), RXMAP_CONFLICT);
    assert_int_equal(add(&m, UINT64_MAX - 5, UINT64_MAX - 5, 5, true), RXMAP_ADDED);
    /* Between the two lies more than the length of any mapping. */
    assert_int_equal(add(&m, 0, 0, 0, true), RXMAP_CONFLICT);
    assert_int_equal(m.count, 1);
    for (unsigned step = 0; step < 20000; step++) {
        uint64_t near = prng_below(&t.rng, 2) ? UINT64_MAX - prng_below(&t.rng, 100) : prng_next(&t.rng);
        struct mapping map = {.ssn = near,
                              .dsn = dsn_at(prng_below(&t.rng, 2) ? near : prng_next(&t.rng)),
                              .len = prng_below(&t.rng, 100) ? (uint32_t)(1 + prng_below(&t.rng, 65535)) : 0};
        rxmap_add(&m, &map, prng_below(&t.rng, 2));
        assert_true(m.count <= RXMAP_MAX + RXMAP_RESERVE); /* the reserve is for what comes next */
        const struct mapping *found = rxmap_find(&m, near);
        assert_true(!found || found->ssn <= near);
        if (prng_below(&t.rng, 1000) == 0)
            rxmap_retire(&m, prng_next(&t.rng));
    }
    rxmap_destroy(&m);
    test_env_check_clean(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_a_table_of_bytes),
        cmocka_unit_test(finds_nothing_when_empty),
        cmocka_unit_test(keeps_the_checksum_of_a_whole_mapping_only),
        cmocka_unit_test(maps_to_infinity),
        cmocka_unit_test(refuses_more_than_the_limit),
        cmocka_unit_test(refuses_what_is_spread_over_too_many),
        cmocka_unit_test(reuses_what_was_retired),
        cmocka_unit_test(is_full_when_memory_is_out),
        cmocka_unit_test(bears_numbers_from_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
