#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "base/prng.h"
#include "mptcp/sendq.h"
#include "support.h"

#define STREAM_MAX (1u << 20)

/*
 * The model: the whole stream as one array. Chunks lie end to end from where the queue was last empty, so which chunk a
 * byte is in is plain arithmetic.
 */
struct model {
    struct test_env t;
    struct hawser_buf_pool *pool;
    struct sendq q;
    uint8_t *stream;
    dsn64 first;
    uint32_t una, end; /* positions in the stream */
    uint32_t grid;     /* where the first chunk of this busy period began */
    uint32_t chunk_size, pool_limit;
};

static void model_start(struct model *m, uint64_t seed, dsn64 first, uint32_t chunk_size, uint32_t pool_limit,
                        uint32_t limit)
{
    memset(m, 0, sizeof *m);
    test_env_init(&m->t, seed);
    m->pool = hawser_buf_pool_new(&m->t.env, chunk_size, pool_limit);
    assert_non_null(m->pool);
    m->stream = test_malloc(STREAM_MAX);
    prng_fill(&m->t.rng, m->stream, STREAM_MAX);
    m->first = first;
    m->chunk_size = chunk_size;
    m->pool_limit = pool_limit;
    sendq_init(&m->q, &m->t.env, m->pool, first, limit);
}

static void model_end(struct model *m)
{
    sendq_destroy(&m->q);
    assert_int_equal(buf_pool_in_use(m->pool), 0);
    hawser_buf_pool_close(m->pool);
    test_env_check_clean(&m->t);
    test_free(m->stream);
}

static uint32_t model_chunks(const struct model *m)
{
    if (m->una == m->end)
        return 0;
    return (m->end - 1 - m->grid) / m->chunk_size - (m->una - m->grid) / m->chunk_size + 1;
}

static void check_state(const struct model *m)
{
    assert_true(dsn_eq(m->q.una, dsn_add(m->first, m->una)));
    assert_true(dsn_eq(m->q.end, dsn_add(m->first, m->end)));
    assert_int_equal(sendq_room(&m->q), m->q.limit - (m->end - m->una));
    assert_int_equal(buf_pool_in_use(m->pool), model_chunks(m));
}

/* What the limit and the chunk pool let in of `len` bytes. */
static uint32_t model_admits(const struct model *m, uint32_t len)
{
    uint32_t grid = m->una == m->end ? m->end : m->grid;
    uint32_t in_last = (m->end - grid) % m->chunk_size;
    uint64_t space = (uint64_t)(m->pool_limit - model_chunks(m)) * m->chunk_size;
    if (m->una != m->end && in_last)
        space += m->chunk_size - in_last;
    uint64_t room = m->q.limit - (m->end - m->una);
    return (uint32_t)HW_MIN((uint64_t)len, HW_MIN(space, room));
}

static void write_some(struct model *m, uint32_t len)
{
    len = HW_MIN(len, STREAM_MAX - m->end);
    uint32_t admitted = model_admits(m, len);
    bool failing = prng_below(&m->t.rng, 8) == 0;
    m->t.fail_at = failing ? 1 + prng_below(&m->t.rng, 3) : 0;
    size_t taken = sendq_write(&m->q, m->stream + m->end, len);
    m->t.fail_at = 0;
    if (failing)
        assert_true(taken <= admitted);
    else
        assert_int_equal(taken, admitted);
    if (m->una == m->end && taken)
        m->grid = m->end;
    m->end += (uint32_t)taken;
}

static void peek_some(struct model *m)
{
    struct slice out[8];
    uint32_t from = m->una + (uint32_t)prng_below(&m->t.rng, m->end - m->una + 1);
    uint32_t len = (uint32_t)prng_below(&m->t.rng, 6 * m->chunk_size);
    unsigned max = (unsigned)prng_below(&m->t.rng, 9), parts = 77;
    uint32_t covered = sendq_peek(&m->q, dsn_add(m->first, from), len, out, max, &parts);

    /* As far as `max` chunks reach, and no further than asked or held. */
    uint64_t reach = (uint64_t)(m->chunk_size - (from - m->grid) % m->chunk_size) + (uint64_t)m->chunk_size * (max - 1);
    uint64_t expected = max ? HW_MIN(HW_MIN((uint64_t)len, m->end - from), reach) : 0;
    assert_int_equal(covered, expected);
    assert_true(parts <= max);
    uint32_t at = from;
    for (unsigned i = 0; i < parts; i++) {
        assert_true(out[i].len > 0);
        assert_true(out[i].data >= hawser_buf_data(out[i].buf));
        assert_true(out[i].data + out[i].len <= hawser_buf_data(out[i].buf) + m->chunk_size);
        assert_memory_equal(out[i].data, m->stream + at, out[i].len);
        at += out[i].len;
    }
    assert_int_equal(at - from, covered);
}

static void one_property_round(uint64_t seed)
{
    struct prng rng;
    prng_seed(&rng, seed);
    struct model m;
    uint32_t chunk_size = (uint32_t)(1 + prng_below(&rng, prng_below(&rng, 2) ? 40 : 4000));
    uint32_t pool_limit = (uint32_t)(1 + prng_below(&rng, 200));
    uint32_t limit = (uint32_t)(1 + prng_below(&rng, 60000));
    /* Half of the streams cross the wrap of the data sequence number. */
    dsn64 first = dsn_at(prng_below(&rng, 2) ? UINT64_MAX - prng_below(&rng, 30000) : prng_next(&rng));
    model_start(&m, prng_next(&rng), first, chunk_size, pool_limit, limit);
    for (unsigned step = 0; step < 600; step++) {
        switch (prng_below(&rng, 4)) {
        case 0:
            write_some(&m, (uint32_t)prng_below(&rng, 8 * chunk_size));
            break;
        case 1:
            write_some(&m, (uint32_t)prng_below(&rng, 50));
            break;
        case 2:
            peek_some(&m);
            break;
        default: {
            uint32_t held = m.end - m.una;
            m.una += (uint32_t)(prng_below(&rng, 10) ? prng_below(&rng, held + 1) : held);
            sendq_ack(&m.q, dsn_add(first, m.una));
        }
        }
        check_state(&m);
    }
    model_end(&m);
}

static void agrees_with_a_byte_array(void **state)
{
    (void)state;
    struct prng rng;
    prng_seed(&rng, test_seed());
    for (unsigned round = 0; round < 60; round++)
        one_property_round(prng_next(&rng));
}

static void stops_at_the_limit(void **state)
{
    (void)state;
    struct model m;
    model_start(&m, 1, dsn_at(7), 64, 100, 1000);
    assert_int_equal(sendq_write(&m.q, m.stream, 999), 999);
    assert_int_equal(sendq_room(&m.q), 1);
    assert_int_equal(sendq_write(&m.q, m.stream, 10), 1);
    assert_int_equal(sendq_room(&m.q), 0);
    assert_int_equal(sendq_write(&m.q, m.stream, 10), 0);
    sendq_ack(&m.q, dsn_at(7 + 4));
    assert_int_equal(sendq_write(&m.q, m.stream, 10), 4);
    model_end(&m);
}

/* The owner may lower the limit below what is held. */
static void has_no_room_above_a_lowered_limit(void **state)
{
    (void)state;
    struct model m;
    model_start(&m, 1, dsn_at(0), 64, 100, 1000);
    assert_int_equal(sendq_write(&m.q, m.stream, 500), 500);
    m.q.limit = 100;
    assert_int_equal(sendq_room(&m.q), 0);
    assert_int_equal(sendq_write(&m.q, m.stream, 1), 0);
    sendq_ack(&m.q, dsn_at(401));
    assert_int_equal(sendq_room(&m.q), 1);
    model_end(&m);
}

static void stops_when_the_chunk_pool_is_empty(void **state)
{
    (void)state;
    struct model m;
    model_start(&m, 1, dsn_at(7), 64, 2, 1000);
    assert_int_equal(sendq_write(&m.q, m.stream, 1000), 128);
    assert_true(buf_pool_refusals(m.pool) > 0);
    assert_int_equal(sendq_write(&m.q, m.stream, 1000), 0);
    sendq_ack(&m.q, dsn_at(7 + 63));
    assert_int_equal(sendq_write(&m.q, m.stream, 1000), 0);
    sendq_ack(&m.q, dsn_at(7 + 64));
    assert_int_equal(sendq_write(&m.q, m.stream, 1000), 64);
    model_end(&m);
}

static void fills_the_last_chunk_first(void **state)
{
    (void)state;
    struct model m;
    struct slice out[2];
    unsigned parts;
    model_start(&m, 1, dsn_at(0), 64, 10, 1000);
    for (unsigned i = 0; i < 64; i++)
        assert_int_equal(sendq_write(&m.q, m.stream + i, 1), 1);
    assert_int_equal(buf_pool_in_use(m.pool), 1);
    assert_int_equal(sendq_peek(&m.q, dsn_at(0), 64, out, 2, &parts), 64);
    assert_int_equal(parts, 1);
    assert_memory_equal(out[0].data, m.stream, 64);
    assert_int_equal(sendq_write(&m.q, m.stream, 1), 1);
    assert_int_equal(buf_pool_in_use(m.pool), 2);
    model_end(&m);
}

/* A subflow that retransmits may hold bytes that were acknowledged on the other one. */
static void leaves_bytes_to_who_else_refers_to_them(void **state)
{
    (void)state;
    struct model m;
    struct slice out;
    unsigned parts;
    model_start(&m, 1, dsn_at(0), 64, 10, 1000);
    sendq_write(&m.q, m.stream, 100);
    assert_int_equal(sendq_peek(&m.q, dsn_at(10), 54, &out, 1, &parts), 54);
    hawser_buf_ref(out.buf);
    sendq_ack(&m.q, dsn_at(100));
    assert_int_equal(buf_pool_in_use(m.pool), 1);
    sendq_write(&m.q, m.stream + 500, 400);
    assert_memory_equal(out.data, m.stream + 10, 54);
    sendq_destroy(&m.q);
    assert_int_equal(buf_pool_in_use(m.pool), 1);
    hawser_buf_unref(out.buf);
    model_end(&m);
}

static void renumbers(void **state)
{
    (void)state;
    struct model m;
    struct slice out[4];
    unsigned parts;
    model_start(&m, 1, dsn_at(0), 64, 10, 1000);
    sendq_rebase(&m.q, dsn_at(5));
    assert_true(dsn_eq(m.q.end, dsn_at(5)));
    sendq_write(&m.q, m.stream, 150);
    sendq_rebase(&m.q, dsn_at(UINT64_MAX - 9));
    assert_true(dsn_eq(m.q.una, dsn_at(UINT64_MAX - 9)));
    assert_true(dsn_eq(m.q.end, dsn_at(140)));
    assert_int_equal(sendq_peek(&m.q, dsn_at(60), 4, out, 4, &parts), 4);
    assert_memory_equal(out[0].data, m.stream + 70, 4);
    model_end(&m);
}

/* Every allocation of a long write fails once; the write stops there and a second one ends it. */
static void survives_each_failed_allocation(void **state)
{
    (void)state;
    unsigned short_writes = 0;
    for (unsigned nth = 1; nth <= 60; nth++) {
        struct model m;
        struct slice out[64];
        unsigned parts;
        model_start(&m, nth, dsn_at(UINT64_MAX - 100), 64, 100, 3000);
        m.t.fail_at = nth;
        size_t taken = sendq_write(&m.q, m.stream, 3000);
        m.t.fail_at = 0;
        assert_true(taken == 3000 || taken % 64 == 0);
        short_writes += taken < 3000;
        assert_int_equal(sendq_write(&m.q, m.stream + taken, 3000 - taken), 3000 - taken);
        assert_int_equal(sendq_peek(&m.q, m.q.una, 3000, out, 64, &parts), 3000);
        for (unsigned i = 0, at = 0; i < parts; at += out[i++].len)
            assert_memory_equal(out[i].data, m.stream + at, out[i].len);
        model_end(&m);
    }
    assert_in_range(short_writes, 47, 59); /* 47 chunks and a few rings */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_a_byte_array),
        cmocka_unit_test(stops_at_the_limit),
        cmocka_unit_test(has_no_room_above_a_lowered_limit),
        cmocka_unit_test(stops_when_the_chunk_pool_is_empty),
        cmocka_unit_test(fills_the_last_chunk_first),
        cmocka_unit_test(leaves_bytes_to_who_else_refers_to_them),
        cmocka_unit_test(renumbers),
        cmocka_unit_test(survives_each_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
