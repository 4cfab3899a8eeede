#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "support.h"
#include "tcp/rxseq.h"

enum { SPACE = 400, FIRST = 1000 };
static struct pool pool;
static struct account_root memory;

static void start(struct rxseq *r, struct test_env *env, uint64_t seed)
{
    test_env_init(env, seed);
    pool_init(&pool, &env->env, sizeof(struct rx_disorder), 1);
    account_init(&memory, &env->env, UINT64_MAX, 0);
    rxseq_init(r, &pool);
    rxseq_start(r, FIRST);
}

static void finish(struct rxseq *r, struct test_env *env)
{
    rxseq_destroy(r);
    assert_int_equal(memory.account.held, 0);
    pool_destroy(&pool);
    test_env_check_clean(env);
}

/* What might need one gap more when there is room for a part of it only is refused as a whole: a part that the layer
 * above has taken is never taken back. */
static void a_part_is_no_gap_too_many(void **state)
{
    (void)state;
    struct test_env env;
    struct rxseq r;
    start(&r, &env, 1);
    for (uint64_t i = 0; i < RXSEQ_GAPS_MAX; i++)
        assert_int_equal(rxseq_add(&r, &memory.account, FIRST + 10 + 20 * i, FIRST + 20 + 20 * i), 0);
    assert_int_equal(rxseq_add(&r, &memory.account, FIRST + 5, FIRST + 10), -ENOBUFS);
    assert_int_equal(rxseq_add(&r, &memory.account, FIRST + 20, FIRST + 30), 0);
    rxseq_take_back(&r, FIRST + 20, FIRST + 27, FIRST + 30);
    assert_int_equal(rxseq_gaps(&r), RXSEQ_GAPS_MAX);
    assert_int_equal(r.disorder->ahead.ranges[0].end, FIRST + 27);
    assert_int_equal(rxseq_add(&r, &memory.account, FIRST, FIRST + 10), 0);
    rxseq_take_back(&r, FIRST, FIRST + 3, FIRST + 10);
    assert_int_equal(r.next, FIRST + 3);
    assert_int_equal(rxseq_gaps(&r), RXSEQ_GAPS_MAX);
    assert_int_equal(r.disorder->ahead.ranges[0].start, FIRST + 10);
    finish(&r, &env);
}

/* RFC 2883 4.2: what came before of [from, to), the first run of it. */
static void expect_old_part(const struct rxseq *r, const bool *have, uint64_t from, uint64_t to)
{
    uint64_t start = from, end;
    while (start < to && !have[start])
        start++;
    for (end = start; end < to && have[end];)
        end++;
    const struct range old = rxseq_old_part(r, FIRST + from, FIRST + to);
    assert_int_equal(old.end - old.start, end - start);
    if (start < end)
        assert_int_equal(old.start, FIRST + start);
}

/* Random arrivals against a bitmap. For some there is room for a part only, at the front. */
static void arrivals_match_a_bitmap(void **state)
{
    (void)state;
    uint64_t seed = test_seed();
    for (uint64_t run = 0; run < 50; run++) {
        struct test_env env;
        struct rxseq r;
        bool have[SPACE] = {false};
        start(&r, &env, seed + run);
        while (r.next < FIRST + SPACE) {
            uint64_t from = prng_below(&env.rng, SPACE), to = from + 1 + prng_below(&env.rng, 30), fresh = 0,
                     counted = 0;
            to = to > SPACE ? SPACE : to;
            expect_old_part(&r, have, from, to);
            uint64_t room = prng_below(&env.rng, 3) ? to : from + prng_below(&env.rng, to - from + 1);
            for (uint64_t i = from; i < room; i++) {
                fresh += !have[i];
                have[i] = true;
            }
            for (struct range part; part = rxseq_new_part(&r, FIRST + from, FIRST + to), part.start < part.end;) {
                assert_int_equal(rxseq_add(&r, &memory.account, part.start, part.end), 0);
                uint64_t taken = FIRST + room < part.start ? part.start : HW_MIN(part.end, FIRST + room);
                counted += taken - part.start;
                if (taken == part.end)
                    continue;
                rxseq_take_back(&r, part.start, taken, part.end);
                break;
            }
            assert_int_equal(counted, fresh);
            uint64_t contiguous = 0;
            while (contiguous < SPACE && have[contiguous])
                contiguous++;
            assert_int_equal(r.next, FIRST + contiguous);
        }
        assert_int_equal(rxseq_gaps(&r), 0);
        finish(&r, &env);
    }
}

/* RFC 2018 4: the first block holds the segment that came last, then the ones reported most recently. */
static void newest_block_first(void **state)
{
    (void)state;
    struct test_env env;
    struct rxseq r;
    struct range out[4];
    start(&r, &env, 1);
    rxseq_add(&r, &memory.account, 1100, 1110);
    rxseq_add(&r, &memory.account, 1200, 1210);
    rxseq_add(&r, &memory.account, 1300, 1310);
    rxseq_add(&r, &memory.account, 1110, 1120);
    assert_int_equal(rxseq_sack_blocks(&r, out, 4, 0), 3);
    assert_int_equal(out[0].start, 1100);
    assert_int_equal(out[0].end, 1120);
    assert_int_equal(out[1].start, 1300);
    assert_int_equal(out[2].start, 1200);
    assert_int_equal(rxseq_sack_blocks(&r, out, 2, 0), 2);
    assert_int_equal(rxseq_sack_blocks(&r, out, 2, 2), 2); /* two acknowledgements are to follow */
    assert_int_equal(out[0].start, 1200);
    assert_int_equal(out[1].start, 1100);
    assert_int_equal(rxseq_sack_blocks(&r, out, 4, 7), 3); /* so many are not remembered */
    rxseq_add(&r, &memory.account, FIRST, 1100);           /* the hole closes: its block goes */
    assert_int_equal(r.next, 1120);
    assert_int_equal(rxseq_sack_blocks(&r, out, 4, 0), 2);
    finish(&r, &env);
}

/* RFC 2883 4: a duplicate is reported first, once. */
static void duplicates_are_reported_once(void **state)
{
    (void)state;
    struct test_env env;
    struct rxseq r;
    struct range out[4];
    start(&r, &env, 1);
    rxseq_add(&r, &memory.account, FIRST, 1050);
    rxseq_add(&r, &memory.account, 1100, 1110);
    rxseq_note_duplicate(&r, &memory.account, 1010, 1020);
    assert_int_equal(rxseq_sack_blocks(&r, out, 4, 0), 2);
    assert_int_equal(out[0].start, 1010);
    assert_int_equal(out[1].start, 1100);
    rxseq_blocks_sent(&r);
    assert_int_equal(rxseq_sack_blocks(&r, out, 4, 0), 1);
    rxseq_add(&r, &memory.account, 1050, 1100);
    rxseq_settle(&r);
    assert_false(rxseq_has_blocks(&r));
    rxseq_note_duplicate(&r, &memory.account, 1010, 1020);
    assert_true(rxseq_has_blocks(&r));
    rxseq_blocks_sent(&r);
    assert_false(rxseq_has_blocks(&r));
    finish(&r, &env);
}

/* What came twice in one batch is one block where it touches, in whatever order; else the last of it is reported. The
 * block that holds it is second. */
static void duplicates_of_a_batch(void **state)
{
    (void)state;
    struct test_env env;
    struct rxseq r;
    struct range out[4];
    start(&r, &env, 1);
    rxseq_add(&r, &memory.account, FIRST, 1050);
    rxseq_note_duplicate(&r, &memory.account, 1020, 1030);
    rxseq_note_duplicate(&r, &memory.account, 1030, 1040);
    rxseq_note_duplicate(&r, &memory.account, 1010, 1020);
    assert_int_equal(rxseq_sack_blocks(&r, out, 4, 0), 1);
    assert_int_equal(out[0].start, 1010);
    assert_int_equal(out[0].end, 1040);
    rxseq_note_duplicate(&r, &memory.account, 1045, 1050);
    assert_int_equal(rxseq_sack_blocks(&r, out, 4, 0), 1);
    assert_int_equal(out[0].start, 1045);
    rxseq_add(&r, &memory.account, 1100, 1110);
    rxseq_add(&r, &memory.account, 1200, 1210);
    rxseq_note_duplicate(&r, &memory.account, 1105, 1110);
    assert_int_equal(rxseq_sack_blocks(&r, out, 4, 1), 3);
    assert_int_equal(out[0].start, 1105);
    assert_int_equal(out[1].start, 1100);
    assert_int_equal(out[2].start, 1200);
    finish(&r, &env);
}

static void gaps_are_bounded(void **state)
{
    (void)state;
    struct test_env env;
    struct rxseq r;
    start(&r, &env, 1);
    for (uint64_t i = 0; i < RXSEQ_GAPS_MAX; i++)
        assert_int_equal(rxseq_add(&r, &memory.account, 2000 + 10 * i, 2001 + 10 * i), 0);
    assert_int_equal(rxseq_add(&r, &memory.account, 1500, 1501), -ENOBUFS);
    assert_int_equal(rxseq_add(&r, &memory.account, 2001, 2005), 0); /* what opens no gap is welcome */
    assert_int_equal(rxseq_add(&r, &memory.account, FIRST, 1001), 0);
    assert_int_equal(r.next, 1001);
    assert_true(memory.account.held >= RXSEQ_GAPS_MAX * sizeof(struct range));
    finish(&r, &env);
}

/* Where others hold all, a subflow has a few, and goes on. */
static void gaps_want_memory(void **state)
{
    (void)state;
    struct test_env env;
    struct rxseq r;
    start(&r, &env, 1);
    memory.limit = 1;
    uint64_t gaps = 0;
    while (rxseq_add(&r, &memory.account, 2000 + 10 * gaps, 2001 + 10 * gaps) == 0)
        gaps++;
    assert_in_range(gaps, 4, 16);
    assert_int_equal(rxseq_add(&r, &memory.account, FIRST, 1999), 0);
    assert_int_equal(rxseq_add(&r, &memory.account, 1999, 2000), 0);
    assert_int_equal(r.next, 2001);
    assert_int_equal(rxseq_add(&r, &memory.account, 3000, 3001), 0);
    finish(&r, &env);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arrivals_match_a_bitmap), cmocka_unit_test(a_part_is_no_gap_too_many),
        cmocka_unit_test(newest_block_first),      cmocka_unit_test(duplicates_are_reported_once),
        cmocka_unit_test(duplicates_of_a_batch),   cmocka_unit_test(gaps_are_bounded),
        cmocka_unit_test(gaps_want_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
