#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "mptcp/holdq.h"
#include "support.h"

enum { SPACE = 2000, BASE = 5000 };

struct rig {
    struct test_env env;
    struct pool nodes;
    struct hawser_buf_pool *bufs;
    struct hawser_buf *buf; /* the byte at offset i of the space is at its place i */
    struct account_root root;
    struct account account;
    struct holdq q;
};

static void start(struct rig *r, uint64_t seed, uint32_t nodes)
{
    test_env_init(&r->env, seed);
    pool_init(&r->nodes, &r->env.env, holdq_node_size(), nodes);
    assert_int_equal(hawser_buf_pool_new(&r->env.env, SPACE, 1, &r->bufs), 0);
    r->buf = hawser_buf_new(r->bufs);
    prng_fill(&r->env.rng, hawser_buf_data(r->buf), SPACE);
    account_init(&r->root, &r->env.env, UINT64_MAX, 0);
    account_open(&r->account, &r->root.account);
    holdq_init(&r->q, &r->nodes, &r->account);
}

static void finish(struct rig *r)
{
    holdq_destroy(&r->q);
    assert_int_equal(r->account.held, 0);
    pool_destroy(&r->nodes);
    hawser_buf_unref(r->buf);
    assert_int_equal(buf_pool_in_use(r->bufs), 0);
    hawser_buf_pool_close(r->bufs);
    test_env_check_clean(&r->env);
}

static struct slice bytes_at(const struct rig *r, uint32_t from, uint32_t to)
{
    return (struct slice){r->buf, hawser_buf_data(r->buf) + from, to - from};
}

static int add(struct rig *r, uint32_t from, uint32_t to)
{
    return holdq_add(&r->q, BASE + from, bytes_at(r, from, to), 0, 0);
}

/* Pieces in any order; sums and takings of any range match the bytes. */
static void ranges_come_out_whole(void **state)
{
    (void)state;
    uint64_t seed = test_seed();
    for (uint64_t run = 0; run < 100; run++) {
        struct rig r;
        uint32_t cuts[64], n = 0;
        start(&r, seed + run, 64);
        for (uint32_t at = 0; at < SPACE && n < 60; at += 1 + (uint32_t)prng_below(&r.env.rng, 90))
            cuts[n++] = at;
        cuts[n] = SPACE;
        bool used[64] = {false};
        for (uint32_t k = 0; k < n; k++) { /* a random permutation */
            uint32_t i = (uint32_t)prng_below(&r.env.rng, n);
            while (used[i])
                i = (i + 1) % n;
            used[i] = true;
            uint32_t hundred = cuts[i] / 100 * 100; /* those of one mapping may become one */
            assert_int_equal(holdq_add(&r.q, BASE + cuts[i], bytes_at(&r, cuts[i], cuts[i + 1]), BASE + hundred,
                                       run % 2 ? BASE + hundred + 100 : 0),
                             0);
        }
        uint32_t from = (uint32_t)prng_below(&r.env.rng, SPACE),
                 to = from + (uint32_t)prng_below(&r.env.rng, SPACE - from);
        struct csum sum = holdq_sum(&r.q, BASE + from, BASE + to), expected = {0, false};
        csum_add(&expected, hawser_buf_data(r.buf) + from, to - from);
        assert_int_equal(csum_fold(&sum), csum_fold(&expected));
        uint64_t ssn, next = BASE;
        struct slice bytes;
        for (uint32_t stop = BASE; stop <= BASE + SPACE; stop += 100) /* mappings of a hundred */
            while (holdq_take(&r.q, next, stop, &ssn, &bytes)) {
                assert_true(ssn == next);
                assert_ptr_equal(bytes.data, hawser_buf_data(r.buf) + (ssn - BASE));
                next += bytes.len;
                hawser_buf_unref(bytes.buf);
            }
        assert_true(next == BASE + SPACE);
        assert_int_equal(r.q.count, 0);
        finish(&r);
    }
}

static void limits(void **state)
{
    (void)state;
    struct rig r;
    start(&r, 1, 3);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(add(&r, 10 * i, 10 * i + 5), 0);
    assert_int_equal(add(&r, 100, 105), -ENOBUFS); /* the pool */
    finish(&r);
    start(&r, 1, HOLDQ_MAX + 10);
    for (uint32_t i = 0; i < HOLDQ_MAX; i++)
        assert_int_equal(holdq_add(&r.q, BASE + 10 * i, bytes_at(&r, 0, 1), 0, 0), 0);
    assert_int_equal(add(&r, 3, 4), -ENOBUFS); /* the queue's own */
    finish(&r);
}

/* A mapping that comes byte by byte, in any order, into the place that was made for it. */
static void neighbours_are_one_piece(void **state)
{
    (void)state;
    struct rig r;
    start(&r, test_seed(), HOLDQ_MAX);
    for (uint32_t i = 0; i < SPACE; i++) {
        uint32_t at = i * 7 % SPACE; /* 7 and SPACE have no common factor */
        assert_int_equal(holdq_add(&r.q, BASE + at, bytes_at(&r, at, at + 1), BASE, BASE + SPACE), 0);
    }
    assert_int_equal(r.q.count, 1);
    assert_int_equal(r.q.bytes, SPACE);
    finish(&r);
}

static void drops_a_range(void **state)
{
    (void)state;
    struct rig r;
    uint64_t ssn;
    start(&r, 1, 10);
    for (uint32_t i = 0; i < 5; i++)
        assert_int_equal(add(&r, 10 * i, 10 * i + 5), 0);
    assert_int_equal(holdq_end(&r.q), BASE + 45);
    holdq_drop(&r.q, BASE + 1, BASE + 40);
    assert_int_equal(r.q.count, 2);
    assert_int_equal(r.q.bytes, 10);
    assert_true(holdq_first(&r.q, &ssn));
    assert_int_equal(ssn, BASE);
    holdq_drop(&r.q, 0, UINT64_MAX);
    assert_int_equal(holdq_end(&r.q), 0);
    finish(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_come_out_whole),
        cmocka_unit_test(limits),
        cmocka_unit_test(neighbours_are_one_piece),
        cmocka_unit_test(drops_a_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
