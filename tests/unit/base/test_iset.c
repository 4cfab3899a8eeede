/* Interval sets against a bitmap, which is obviously correct. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/iset.h"
#include "support.h"

enum { SPAN = 200 }; /* offsets the model knows */

struct model {
    bool in[SPAN + 1]; /* the last one stays false */
};

static uint32_t model_count(const struct model *m)
{
    uint32_t count = 0;
    for (int i = 0; i < SPAN; i++)
        count += m->in[i] && !m->in[i + 1];
    return count;
}

static void model_set(struct model *m, uint64_t start, uint64_t end, bool in)
{
    for (uint64_t i = start; i < end; i++)
        m->in[i] = in;
}

static uint64_t sum_of(const struct iset *s)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < s->count; i++)
        sum += s->ranges[i].end - s->ranges[i].start;
    return sum;
}

/* Every reading of the set, for every argument. */
static void assert_same(const struct iset *s, const struct model *m, uint64_t base)
{
    assert_int_equal(s->count, model_count(m));
    assert_true(s->count <= s->limit);
    uint64_t total = 0;
    for (uint64_t at = 0; at < SPAN; at++) {
        total += m->in[at];
        assert_int_equal(iset_contains(s, base + at), m->in[at]);
    }
    assert_int_equal(sum_of(s), total);
    for (uint32_t i = 0; i < s->count; i++) {
        assert_true(s->ranges[i].start < s->ranges[i].end);
        assert_true(i == 0 || s->ranges[i - 1].end < s->ranges[i].start);
    }
}

static void assert_same_find(const struct iset *s, const struct model *m, uint64_t base, uint64_t at)
{
    const struct range *found = iset_find(s, base + at);
    uint64_t start = at, end;
    while (start < SPAN && !m->in[start])
        start++;
    if (start == SPAN) {
        assert_null(found);
        return;
    }
    for (end = start; m->in[end];)
        end++;
    while (start > 0 && m->in[start - 1])
        start--;
    assert_non_null(found);
    assert_int_equal(found->start, base + start);
    assert_int_equal(found->end, base + end);
}

static void assert_same_gap(const struct iset *s, const struct model *m, uint64_t base, uint64_t from, uint64_t to)
{
    struct range gap = iset_first_gap(s, base + from, base + to);
    uint64_t start = from, end;
    while (start < to && m->in[start])
        start++;
    for (end = start; end < to && !m->in[end];)
        end++;
    if (start >= to) {
        assert_int_equal(gap.start, gap.end);
        return;
    }
    assert_int_equal(gap.start, base + start);
    assert_int_equal(gap.end, base + end);
}

static void one_step(struct iset *s, struct model *m, struct test_env *t, uint64_t base)
{
    struct prng *rng = &t->rng;
    uint64_t longest = prng_below(rng, 4) ? 6 : SPAN;
    uint64_t start = prng_below(rng, SPAN + 1), end = start + prng_below(rng, longest + 1);
    end = end < SPAN ? end : SPAN;
    struct model next = *m;
    int err = 0;
    switch (prng_below(rng, 16)) {
    default:
        model_set(&next, start, end, true);
        err = iset_add(s, base + start, base + end);
        break;
    case 10:
    case 11:
    case 12:
    case 13:
        model_set(&next, start, end, false);
        err = iset_remove(s, base + start, base + end);
        break;
    case 14:
        model_set(&next, 0, start / 4, false);
        iset_remove_below(s, base + start / 4);
        break;
    case 15:
        if (prng_below(rng, 20) == 0) {
            model_set(&next, 0, SPAN, false);
            iset_clear(s);
        }
    }
    if (model_count(&next) > s->limit) {
        assert_int_equal(err, -ENOBUFS);
    } else {
        assert_int_equal(err, 0);
        *m = next;
    }
    assert_same(s, m, base);
    assert_same_find(s, m, base, prng_below(rng, SPAN));
    uint64_t from = prng_below(rng, SPAN);
    assert_same_gap(s, m, base, from, from + prng_below(rng, SPAN - from + 1));
}

static void behaves_like_a_bitmap(void **state)
{
    (void)state;
    static const uint32_t limits[] = {1, 2, 5, 8, 9, 17, 1000};
    static const uint64_t bases[] = {0, UINT32_MAX - SPAN / 2, UINT64_MAX - SPAN};
    uint64_t seed = test_seed();
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        for (size_t b = 0; b < sizeof bases / sizeof bases[0]; b++) {
            struct test_env t;
            struct account_root memory;
            struct iset s;
            struct model m = {{0}};
            test_env_init(&t, seed + i * 16 + b);
            account_init(&memory, &t.env, UINT64_MAX, 0);
            iset_init(&s, &memory.account, limits[i]);
            for (int step = 0; step < 1500; step++)
                one_step(&s, &m, &t, bases[b]);
            iset_destroy(&s);
            test_env_check_clean(&t);
        }
    }
}

static void empty_ranges_change_nothing(void **state)
{
    (void)state;
    struct test_env t;
    struct account_root memory;
    struct iset s;
    test_env_init(&t, 1);
    account_init(&memory, &t.env, UINT64_MAX, 0);
    iset_init(&s, &memory.account, 0); /* not even one */
    assert_int_equal(iset_add(&s, 5, 5), 0);
    assert_int_equal(iset_add(&s, 6, 5), 0);
    assert_int_equal(iset_remove(&s, 0, UINT64_MAX), 0);
    assert_int_equal(iset_add(&s, 5, 6), -ENOBUFS);
    assert_int_equal(s.count, 0);
    assert_int_equal(t.allocations, 0);
    assert_null(iset_find(&s, 0));
    struct range gap = iset_first_gap(&s, 7, 7);
    assert_int_equal(gap.start, gap.end);
    gap = iset_first_gap(&s, 3, 9);
    assert_int_equal(gap.start, 3);
    assert_int_equal(gap.end, 9);
    iset_remove_below(&s, 9);
    iset_destroy(&s);
    test_env_check_clean(&t);
}

/* At the limit a merge still works, a new range and a split do not. */
static void limit_refuses_what_needs_another_range(void **state)
{
    (void)state;
    struct test_env t;
    struct account_root memory;
    struct iset s;
    test_env_init(&t, 1);
    account_init(&memory, &t.env, UINT64_MAX, 0);
    iset_init(&s, &memory.account, 10);
    for (uint64_t i = 0; i < 10; i++)
        assert_int_equal(iset_add(&s, 10 * i, 10 * i + 5), 0);
    struct range before[10];
    memcpy(before, s.ranges, sizeof before);
    assert_int_equal(iset_add(&s, 6, 9), -ENOBUFS);
    assert_int_equal(iset_remove(&s, 1, 2), -ENOBUFS);
    assert_memory_equal(before, s.ranges, sizeof before);
    assert_int_equal(iset_add(&s, 5, 10), 0);
    assert_int_equal(s.count, 9);
    assert_int_equal(iset_remove(&s, 1, 2), 0);
    assert_int_equal(s.count, 10);
    assert_int_equal(iset_add(&s, 0, 1000), 0);
    assert_int_equal(s.count, 1);
    iset_destroy(&s);
    test_env_check_clean(&t);
}

static void fill(struct iset *s, struct test_env *t, bool split)
{
    for (uint64_t i = 0; i < 100; i++) {
        uint64_t total = sum_of(s);
        uint32_t count = s->count;
        int err = split ? iset_remove(s, 2 * i + 1, 2 * i + 2) : iset_add(s, 2 * i, 2 * i + 1);
        if (err < 0) { /* nothing changed, and the next try works */
            assert_int_equal(err, -ENOBUFS);
            assert_int_equal(sum_of(s), total);
            assert_int_equal(s->count, count);
            assert_int_equal(t->fail_at, 0);
            i--;
        }
    }
}

static void survives_each_failed_allocation(void **state)
{
    (void)state;
    for (uint64_t n = 1; n <= 6; n++) {
        for (int split = 0; split <= 1; split++) {
            struct test_env t;
            struct account_root memory;
            struct iset s;
            test_env_init(&t, 1);
            account_init(&memory, &t.env, UINT64_MAX, 0);
            iset_init(&s, &memory.account, 1000);
            if (split)
                assert_int_equal(iset_add(&s, 0, 300), 0);
            t.fail_at = n;
            fill(&s, &t, split);
            assert_int_equal(sum_of(&s), split ? 200 : 100);
            iset_destroy(&s);
            test_env_check_clean(&t);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(behaves_like_a_bitmap),
        cmocka_unit_test(empty_ranges_change_nothing),
        cmocka_unit_test(limit_refuses_what_needs_another_range),
        cmocka_unit_test(survives_each_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
