#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "base/pool.h"
#include "base/prng.h"
#include "mptcp/reassembly.h"
#include "support.h"

#define STREAM_MAX 40000
#define BUFFER_SIZE 512
#define NOBODY 0

/*
 * The model: an array of bytes, and for each the arrival that brought it. Every arrival brings bytes of its own
 * invention, so that a copy taken from the wrong one shows.
 */
struct model {
    struct test_env t;
    struct hawser_buf_pool *buffers;
    struct account_root root;
    struct account account;
    struct pool nodes;
    struct reassembly r;
    dsn64 first;
    uint32_t read; /* position of the next byte to read */
    uint32_t arrivals;
    uint64_t duplicate_bytes;
    uint8_t bytes[STREAM_MAX];
    uint32_t owner[STREAM_MAX]; /* NOBODY: not here yet */
};

static void model_start(struct model *m, uint64_t seed, dsn64 first, uint32_t node_limit)
{
    memset(m, 0, sizeof *m);
    test_env_init(&m->t, seed);
    assert_int_equal(hawser_buf_pool_new(&m->t.env, BUFFER_SIZE, 100000, &m->buffers), 0);
    pool_init(&m->nodes, &m->t.env, reassembly_node_size(), node_limit);
    m->first = first;
    account_init(&m->root, &m->t.env, UINT64_MAX, 0);
    account_open(&m->account, &m->root.account);
    reassembly_init(&m->r, &m->nodes, &m->account, first);
}

static void model_end(struct model *m)
{
    reassembly_destroy(&m->r);
    assert_int_equal(m->nodes.in_use, 0);
    assert_int_equal(m->account.held, 0);
    assert_int_equal(buf_pool_in_use(m->buffers), 0);
    pool_destroy(&m->nodes);
    hawser_buf_pool_close(m->buffers);
    test_env_check_clean(&m->t);
}

/* The model's counts of everything that can be counted. */
struct census {
    uint32_t readable, held, runs, nodes, buffers;
};

static struct census take_census(const struct model *m, uint32_t to)
{
    static uint8_t seen[1u << 17];
    memset(seen, 0, m->arrivals + 1);
    to = HW_MIN(to, STREAM_MAX);
    struct census c = {0};
    for (uint32_t at = m->read; at < to; at++) {
        uint32_t owner = m->owner[at];
        if (owner == NOBODY)
            continue;
        uint32_t before = at > m->read ? m->owner[at - 1] : NOBODY;
        c.held++;
        c.runs += before == NOBODY;
        c.nodes += before != owner;
        c.buffers += !seen[owner];
        seen[owner] = 1;
    }
    while (m->read + c.readable < to && m->owner[m->read + c.readable] != NOBODY)
        c.readable++;
    return c;
}

static void check_state(const struct model *m, uint32_t to)
{
    struct census c = take_census(m, to);
    assert_int_equal(m->r.held, c.held);
    assert_int_equal(m->r.run_count, c.runs);
    assert_int_equal(m->r.duplicate_bytes, m->duplicate_bytes);
    assert_int_equal(m->nodes.in_use, c.nodes);
    assert_int_equal(buf_pool_in_use(m->buffers), c.buffers);
    assert_int_equal(reassembly_readable(&m->r), c.readable);
    assert_true(dsn_eq(m->r.read_next, dsn_add(m->first, m->read)));
    assert_true(dsn_eq(reassembly_next(&m->r), dsn_add(m->first, m->read + c.readable)));
}

/* New bytes of the positions [from, from + len), and in how many pieces. */
static uint32_t count_new(const struct model *m, uint32_t from, uint32_t len, uint32_t *pieces)
{
    uint32_t fresh = 0;
    *pieces = 0;
    for (uint32_t at = HW_MAX(from, m->read); at < from + len; at++) {
        if (m->owner[at] != NOBODY)
            continue;
        *pieces += !fresh || m->owner[at - 1] != NOBODY;
        fresh++;
    }
    return fresh;
}

static int64_t insert_bytes(struct model *m, uint32_t from, uint32_t len, const uint8_t **bytes)
{
    struct hawser_buf *buf = hawser_buf_new(m->buffers);
    assert_non_null(buf);
    uint32_t headroom = (uint32_t)prng_below(&m->t.rng, BUFFER_SIZE - len + 1);
    uint8_t *data = hawser_buf_data(buf) + headroom;
    prng_fill(&m->t.rng, data, len);
    if (bytes)
        *bytes = data;
    int64_t result = reassembly_insert(&m->r, dsn_add(m->first, from), (struct slice){buf, data, len});
    hawser_buf_unref(buf);
    return result;
}

/* Lets positions [from, from + len) arrive and holds the outcome against the model. Returns what the insertion said. */
static int64_t arrive(struct model *m, uint32_t from, uint32_t len, bool failing)
{
    const uint8_t *data;
    uint32_t pieces, fresh = count_new(m, from, len, &pieces);
    bool pool_refuses = pieces > m->nodes.limit - m->nodes.in_use;
    struct hawser_buf *warm = hawser_buf_new(m->buffers); /* so that only the insertion meets the failure */
    assert_non_null(warm);
    hawser_buf_unref(warm);
    m->t.fail_at = failing ? 1 + prng_below(&m->t.rng, 2) : 0;
    int64_t result = insert_bytes(m, from, len, &data);
    m->t.fail_at = 0;
    if (pool_refuses || (failing && result < 0)) {
        assert_int_equal(result, -ENOBUFS);
        return result;
    }
    assert_int_equal(result, fresh);
    m->duplicate_bytes += len - fresh;
    m->arrivals++;
    for (uint32_t at = HW_MAX(from, m->read); at < from + len; at++) {
        if (m->owner[at] != NOBODY)
            continue;
        m->owner[at] = m->arrivals;
        m->bytes[at] = data[at - from];
    }
    return result;
}

static void read_by_copy(struct model *m, uint32_t to)
{
    uint8_t copy[2000];
    uint32_t readable = take_census(m, to).readable;
    size_t asked = prng_below(&m->t.rng, sizeof copy);
    size_t got = reassembly_read(&m->r, copy, asked);
    assert_int_equal(got, HW_MIN(asked, readable));
    assert_memory_equal(copy, m->bytes + m->read, got);
    m->read += (uint32_t)got;
}

static void read_in_place(struct model *m, uint32_t to)
{
    struct hawser_part parts[8];
    uint32_t readable = take_census(m, to).readable, seen = 0;
    size_t max = prng_below(&m->t.rng, 9);
    size_t count = reassembly_peek(&m->r, parts, max);
    assert_true(count <= max);
    for (size_t i = 0; i < count; i++) {
        assert_true(parts[i].len > 0);
        assert_memory_equal(parts[i].data, m->bytes + m->read + seen, parts[i].len);
        seen += parts[i].len;
    }
    assert_true(seen <= readable);
    assert_true(count == max || seen == readable);
    uint32_t taken = (uint32_t)prng_below(&m->t.rng, readable + 1);
    reassembly_consume(&m->r, taken);
    m->read += taken;
}

static void one_property_round(uint64_t seed)
{
    static struct model m; /* large, not for the stack */
    struct prng rng;
    prng_seed(&rng, seed);
    /* Half of the streams cross the wrap of the data sequence number, half of those soon. */
    dsn64 first = dsn_at(prng_below(&rng, 2) ? UINT64_MAX - prng_below(&rng, 5000) : prng_next(&rng));
    uint32_t node_limit = prng_below(&rng, 3) ? 100000 : (uint32_t)(1 + prng_below(&rng, 40));
    uint32_t window = (uint32_t)(100 + prng_below(&rng, 2000));
    uint32_t longest = (uint32_t)(1 + prng_below(&rng, prng_below(&rng, 2) ? 20 : BUFFER_SIZE));
    model_start(&m, prng_next(&rng), first, node_limit);
    while (m.read + window + BUFFER_SIZE < STREAM_MAX && m.arrivals < 1000) {
        uint32_t to = m.read + window + BUFFER_SIZE;
        uint32_t behind = HW_MIN(m.read, 100);
        uint32_t len = (uint32_t)prng_below(&rng, longest + 1);
        switch (prng_below(&rng, 8)) {
        case 0:
            read_by_copy(&m, to);
            break;
        case 1:
            read_in_place(&m, to);
            break;
        case 2: { /* the next byte in order, when the window admits it */
            uint32_t readable = take_census(&m, to).readable;
            if (readable > window || arrive(&m, m.read + readable, len, false) < 0)
                read_by_copy(&m, to);
            break;
        }
        default: {
            uint32_t from = m.read - behind + (uint32_t)prng_below(&rng, behind + window);
            if (arrive(&m, from, len, prng_below(&rng, 10) == 0) < 0)
                m.arrivals += node_limit < 100000; /* a refusal is progress too */
        }
        }
        check_state(&m, m.read + window + BUFFER_SIZE);
    }
    model_end(&m);
}

static void agrees_with_a_byte_array(void **state)
{
    (void)state;
    struct prng rng;
    prng_seed(&rng, test_seed());
    for (unsigned round = 0; round < 50; round++)
        one_property_round(prng_next(&rng));
}

/* A stream cut at random and delivered in random order, with copies, comes out whole. */
static void delivers_a_shuffled_stream(void **state)
{
    (void)state;
    static struct model m;
    static uint32_t cuts[2000];
    struct prng rng;
    prng_seed(&rng, test_seed());
    model_start(&m, prng_next(&rng), dsn_at(UINT64_MAX - 9000), 100000);
    uint32_t count = 0, end = 0;
    while (end < 20000) {
        cuts[count++] = end;
        end += (uint32_t)(1 + prng_below(&rng, 60));
    }
    cuts[count] = end;
    static uint32_t order[2000];
    for (uint32_t i = 0; i < count; i++) {
        uint32_t other = (uint32_t)prng_below(&rng, i + 1);
        order[i] = order[other];
        order[other] = i;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t piece = order[i];
        assert_true(arrive(&m, cuts[piece], cuts[piece + 1] - cuts[piece], false) > 0);
        if (prng_below(&rng, 4) == 0)
            assert_int_equal(arrive(&m, cuts[piece], cuts[piece + 1] - cuts[piece], false), 0);
    }
    assert_int_equal(m.r.run_count, 1);
    assert_int_equal(reassembly_readable(&m.r), end);
    static uint8_t whole[STREAM_MAX];
    assert_int_equal(reassembly_read(&m.r, whole, sizeof whole), end);
    assert_memory_equal(whole, m.bytes, end);
    assert_int_equal(reassembly_read(&m.r, whole, sizeof whole), 0);
    model_end(&m);
}

static void covers_many_runs_with_one_segment(void **state)
{
    (void)state;
    static struct model m;
    model_start(&m, 1, dsn_at(UINT64_MAX - 100), 100000);
    for (uint32_t at = 10; at < 400; at += 3)
        assert_int_equal(arrive(&m, at, 1, false), 1);
    assert_int_equal(arrive(&m, 5, 400, false), 400 - 130);
    assert_int_equal(m.r.run_count, 1);
    check_state(&m, 1000);
    assert_int_equal(reassembly_readable(&m.r), 0);
    assert_int_equal(arrive(&m, 0, 5, false), 5);
    assert_int_equal(reassembly_readable(&m.r), 405);
    check_state(&m, 1000);
    model_end(&m);
}

static void refuses_more_gaps_than_the_limit(void **state)
{
    (void)state;
    static struct model m;
    model_start(&m, 1, dsn_at(UINT64_MAX - 100), 100000);
    uint32_t last = 10 + 2 * (REASSEMBLY_GAPS_MIN - 1), beyond = last + 2;
    for (uint32_t at = 10; at <= last; at += 2)
        assert_int_equal(arrive(&m, at, 1, false), 1);
    assert_int_equal(insert_bytes(&m, beyond, 1, NULL), -ENOBUFS);
    assert_int_equal(insert_bytes(&m, 5, 1, NULL), -ENOBUFS);
    check_state(&m, beyond + 10);

    /* What opens no gap is taken all the same: longer runs, fewer runs, and above all the next byte in order. */
    assert_int_equal(arrive(&m, last + 1, 1, false), 1);
    assert_int_equal(arrive(&m, 0, 3, false), 3);
    assert_int_equal(m.r.run_count, REASSEMBLY_GAPS_MIN + 1);
    assert_int_equal(insert_bytes(&m, beyond + 1, 1, NULL), -ENOBUFS);
    check_state(&m, beyond + 10);
    read_by_copy(&m, beyond);
    reassembly_consume(&m.r, reassembly_readable(&m.r));
    m.read = 3;
    assert_int_equal(insert_bytes(&m, beyond + 1, 1, NULL), -ENOBUFS);
    assert_int_equal(arrive(&m, 3, 2, false), 2);
    assert_int_equal(arrive(&m, 11, 1, false), 1);
    assert_int_equal(arrive(&m, beyond + 1, 1, false), 1);
    check_state(&m, beyond + 10);

    for (uint32_t at = 0; at < beyond + 10; at += 500)
        assert_true(arrive(&m, at, 500, false) > 0);
    assert_int_equal(m.r.run_count, 1);
    check_state(&m, STREAM_MAX);
    model_end(&m);
}

static void refuses_when_the_nodes_are_out(void **state)
{
    (void)state;
    static struct model m;
    model_start(&m, 1, dsn_at(0), 3);
    assert_int_equal(arrive(&m, 10, 5, false), 5);
    assert_int_equal(arrive(&m, 20, 5, false), 5);
    /* Three pieces and one node: nothing is stored, and the node is not lost. */
    assert_int_equal(arrive(&m, 5, 30, false), -ENOBUFS);
    check_state(&m, 100);
    assert_true(m.nodes.refusals > 0);
    assert_int_equal(arrive(&m, 15, 5, false), 5);
    assert_int_equal(arrive(&m, 0, 5, false), -ENOBUFS);
    assert_int_equal(arrive(&m, 11, 10, false), 0);
    check_state(&m, 100);
    model_end(&m);
}

/* Each allocation of a fixed course fails once: the arrival it strikes is refused whole, and repeated it is taken. */
static void survives_each_failed_allocation(void **state)
{
    (void)state;
    static struct model m;
    unsigned refusals = 0;
    for (unsigned nth = 1; nth <= 40; nth++) {
        model_start(&m, nth, dsn_at(UINT64_MAX - 50), 100000);
        struct hawser_buf *buf = hawser_buf_new(m.buffers);
        memset(hawser_buf_data(buf), 1, BUFFER_SIZE);
        m.t.fail_at = nth;
        for (uint32_t i = 0; i <= 30; i++) {
            /* Thirty islands, then one segment over them all. */
            uint32_t at = i < 30 ? 2 + 5 * i : 0, len = i < 30 ? 2 : 200;
            struct slice bytes = {buf, hawser_buf_data(buf), len};
            uint32_t held = m.r.held, runs = m.r.run_count, nodes = m.nodes.in_use;
            int64_t result = reassembly_insert(&m.r, dsn_add(m.first, at), bytes);
            if (result < 0) {
                assert_int_equal(result, -ENOBUFS);
                assert_int_equal(m.r.held, held);
                assert_int_equal(m.r.run_count, runs);
                assert_int_equal(m.nodes.in_use, nodes);
                refusals++;
                result = reassembly_insert(&m.r, dsn_add(m.first, at), bytes);
            }
            assert_int_equal(result, i < 30 ? 2 : 140);
        }
        m.t.fail_at = 0;
        hawser_buf_unref(buf);
        assert_int_equal(reassembly_readable(&m.r), 200);
        model_end(&m);
    }
    assert_true(refusals >= 3);
}

static void counts_what_was_known(void **state)
{
    (void)state;
    static struct model m;
    model_start(&m, 1, dsn_at(UINT64_MAX - 2), 100);
    assert_int_equal(arrive(&m, 0, 100, false), 100);
    assert_int_equal(arrive(&m, 0, 100, false), 0);
    assert_int_equal(arrive(&m, 50, 70, false), 20);
    assert_int_equal(m.r.duplicate_bytes, 150);
    reassembly_consume(&m.r, 110);
    m.read = 110;
    assert_int_equal(arrive(&m, 0, 110, false), 0);
    assert_int_equal(arrive(&m, 100, 30, false), 10);
    assert_int_equal(m.r.duplicate_bytes, 150 + 110 + 20);
    assert_int_equal(arrive(&m, 130, 0, false), 0);
    assert_int_equal(arrive(&m, 300, 0, false), 0);
    check_state(&m, 400);
    model_end(&m);
}

/* The caller checks the window; what it lets through by mistake must still do no harm. */
static void bears_numbers_from_anywhere(void **state)
{
    (void)state;
    static struct model m;
    static const uint64_t distances[] = {
        UINT64_C(1) << 32, (UINT64_C(1) << 63) - 1, UINT64_C(1) << 63, (UINT64_C(1) << 63) + 1, UINT64_MAX,
    };
    struct prng rng;
    prng_seed(&rng, test_seed());
    model_start(&m, 1, dsn_at(prng_next(&rng)), 100000);
    struct hawser_buf *buf = hawser_buf_new(m.buffers);
    memset(hawser_buf_data(buf), 1, BUFFER_SIZE);
    for (unsigned step = 0; step < 20000; step++) {
        uint64_t distance =
            prng_below(&rng, 2) ? prng_next(&rng) : distances[prng_below(&rng, HW_ARRAY_LEN(distances))];
        uint32_t len = (uint32_t)prng_below(&rng, BUFFER_SIZE + 1);
        dsn64 dsn = dsn_add(m.first, distance - prng_below(&rng, 1000));
        int64_t result = reassembly_insert(&m.r, dsn, (struct slice){buf, hawser_buf_data(buf), len});
        assert_true(result == -ENOBUFS || (result >= 0 && result <= len));
        assert_true(m.r.run_count <= REASSEMBLY_GAPS_MIN + 1);
        reassembly_consume(&m.r, reassembly_readable(&m.r));
    }
    assert_true(m.r.run_count >= REASSEMBLY_GAPS_MIN);
    hawser_buf_unref(buf);
    model_end(&m);
}

/* No byte of the segments is touched, so they may claim to be as long as a length can be. */
static void refuses_more_bytes_than_it_can_count(void **state)
{
    (void)state;
    static struct model m;
    model_start(&m, 1, dsn_at(0), 100);
    struct hawser_buf *buf = hawser_buf_new(m.buffers);
    const uint8_t *data = hawser_buf_data(buf);
    assert_int_equal(reassembly_insert(&m.r, dsn_at(100), (struct slice){buf, data, UINT32_MAX - 15}), UINT32_MAX - 15);
    assert_int_equal(reassembly_insert(&m.r, dsn_at(0), (struct slice){buf, data, 16}), -ENOBUFS);
    assert_int_equal(reassembly_insert(&m.r, dsn_at(84), (struct slice){buf, data, 16}), -ENOBUFS);
    assert_int_equal(reassembly_insert(&m.r, dsn_at(0), (struct slice){buf, data, 15}), 15);
    assert_int_equal(m.r.held, UINT32_MAX);
    assert_int_equal(reassembly_insert(&m.r, dsn_at(15), (struct slice){buf, data, 1}), -ENOBUFS);
    assert_int_equal(reassembly_readable(&m.r), 15);
    hawser_buf_unref(buf);
    model_end(&m);
}

static void renumbers_while_empty(void **state)
{
    (void)state;
    static struct model m;
    model_start(&m, 1, dsn_at(0), 100);
    m.first = dsn_at(UINT64_MAX - 4);
    reassembly_rebase(&m.r, m.first);
    assert_int_equal(arrive(&m, 0, 10, false), 10);
    assert_true(dsn_eq(reassembly_next(&m.r), dsn_at(5)));
    check_state(&m, 100);
    model_end(&m);
}

/* Bytes that lie behind each other in one buffer are one piece however they came; others are limited, and what is not
 * in order to half of that. */
static void limits_the_pieces(void **state)
{
    (void)state;
    static struct model m;
    model_start(&m, 2, dsn_at(7), 1000);
    m.r.node_limit = 10;
    struct hawser_buf *buf = hawser_buf_new(m.buffers);
    const uint8_t *data = hawser_buf_data(buf);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(reassembly_insert(&m.r, dsn_at(7 + i), (struct slice){buf, data + i, 1}), 1);
    assert_int_equal(m.nodes.in_use, 1);
    for (unsigned i = 0; i < 4; i++) /* every other byte, so none behind another */
        assert_int_equal(reassembly_insert(&m.r, dsn_at(200 + 2 * i), (struct slice){buf, data + 200 + 2 * i, 1}), 1);
    assert_int_equal(reassembly_insert(&m.r, dsn_at(300), (struct slice){buf, data + 300, 1}), -ENOBUFS);
    assert_int_equal(reassembly_insert(&m.r, dsn_at(107), (struct slice){buf, data + 150, 93}), 93);
    assert_int_equal(reassembly_readable(&m.r), 194);
    assert_int_equal(m.nodes.in_use, 6);
    reassembly_consume(&m.r, 194);
    assert_int_equal(reassembly_insert(&m.r, dsn_at(300), (struct slice){buf, data + 300, 1}), 1);
    hawser_buf_unref(buf);
    model_end(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_a_byte_array),
        cmocka_unit_test(delivers_a_shuffled_stream),
        cmocka_unit_test(covers_many_runs_with_one_segment),
        cmocka_unit_test(refuses_more_gaps_than_the_limit),
        cmocka_unit_test(refuses_when_the_nodes_are_out),
        cmocka_unit_test(survives_each_failed_allocation),
        cmocka_unit_test(counts_what_was_known),
        cmocka_unit_test(bears_numbers_from_anywhere),
        cmocka_unit_test(refuses_more_bytes_than_it_can_count),
        cmocka_unit_test(renumbers_while_empty),
        cmocka_unit_test(limits_the_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
