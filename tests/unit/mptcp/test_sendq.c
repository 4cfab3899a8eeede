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
#define PLENTY (UINT64_C(64) << 20)

/* The model: the whole stream as one array. */
struct model {
    struct test_env t;
    struct account_root stack;
    struct account conn, side;
    struct store store;
    struct sendq q;
    uint8_t *stream;
    dsn64 first;
    uint32_t una, end;            /* positions in the stream */
    struct hawser_buf *whole;     /* wraps a part of the stream; or NULL */
    uint32_t whole_at, whole_len; /* which */
    unsigned wrapped, released;
};

static void model_start(struct model *m, uint64_t seed, dsn64 first, uint64_t memory, uint32_t limit)
{
    memset(m, 0, sizeof *m);
    test_env_init(&m->t, seed);
    account_init(&m->stack, &m->t.env, memory, 0);
    account_open(&m->conn, &m->stack.account);
    account_open(&m->side, &m->conn);
    assert_int_equal(store_init(&m->store, &m->t.env), 0);
    m->stream = test_malloc(STREAM_MAX);
    prng_fill(&m->t.rng, m->stream, STREAM_MAX);
    m->first = first;
    sendq_init(&m->q, &m->store, &m->side, first, limit);
}

static void drop_whole(struct model *m)
{
    if (m->whole)
        hawser_buf_unref(m->whole);
    m->whole = NULL;
}

static void model_end(struct model *m)
{
    sendq_destroy(&m->q);
    assert_int_equal(m->side.held, 0);
    drop_whole(m);
    assert_int_equal(m->wrapped, m->released);
    account_close(&m->side);
    account_close(&m->conn);
    store_close(&m->store);
    test_env_check_clean(&m->t);
    test_free(m->stream);
}

static uint64_t cost_of(const struct sendq *q)
{
    uint64_t bytes = q->capacity * sizeof *q->ring;
    const struct hawser_buf *last = NULL; /* a view may have several chunks, one after the other */
    for (uint32_t i = 0; i < q->count; i++) {
        const struct hawser_buf *buf = q->ring[(q->head + i) % q->capacity].bytes.buf;
        bytes += buf == last ? 0 : buf_size(buf);
        last = buf;
    }
    return bytes;
}

static void check_state(const struct model *m)
{
    assert_true(dsn_eq(m->q.una, dsn_add(m->first, m->una)));
    assert_true(dsn_eq(m->q.end, dsn_add(m->first, m->end)));
    assert_int_equal(sendq_room(&m->q), m->q.limit - (m->end - m->una));
    assert_int_equal(m->side.held, cost_of(&m->q)); /* nobody else refers to anything */
    assert_true(m->side.held >= m->end - m->una);
    if (m->una == m->end)
        assert_int_equal(m->side.held, 0);
}

static void write_some(struct model *m, uint32_t len)
{
    len = HW_MIN(len, STREAM_MAX - m->end);
    bool failing = prng_below(&m->t.rng, 8) == 0;
    m->t.fail_at = failing ? 1 + prng_below(&m->t.rng, 3) : 0;
    uint32_t room = HW_MIN(len, sendq_room(&m->q));
    size_t taken = sendq_write(&m->q, m->stream + m->end, len);
    m->t.fail_at = 0;
    assert_true(taken <= room);
    if (!failing && m->side.held < m->stack.limit / 4)
        assert_int_equal(taken, room);
    m->end += (uint32_t)taken;
}

static void released(void *ctx) { ((struct model *)ctx)->released++; }

static void wrap(struct model *m, uint32_t at, uint32_t len)
{
    drop_whole(m);
    m->whole_at = at;
    m->whole_len = len;
    assert_int_equal(hawser_buf_wrap(&m->t.env, m->stream + at, len, released, m, &m->whole), 0);
    m->wrapped++;
}

/* What comes next in the stream, as far as it lies in the wrapped part; where that is over another is wrapped. */
static void write_a_slice(struct model *m, uint32_t len, uint32_t whole_len)
{
    if (m->end == STREAM_MAX)
        return;
    if (!m->whole || m->end < m->whole_at || m->end >= m->whole_at + m->whole_len)
        wrap(m, m->end, HW_MIN(whole_len, STREAM_MAX - m->end));
    len = HW_MIN(len, m->whole_at + m->whole_len - m->end);
    m->t.fail_at = prng_below(&m->t.rng, 8) == 0 ? 1 + prng_below(&m->t.rng, 3) : 0;
    uint32_t room = HW_MIN(len, sendq_room(&m->q));
    size_t taken = sendq_write_slice(&m->q, (struct slice){m->whole, m->stream + m->end, len});
    m->t.fail_at = 0;
    assert_true(taken <= room);
    m->end += (uint32_t)taken;
}

static void peek_some(struct model *m)
{
    struct slice out[8];
    uint32_t from = m->una + (uint32_t)prng_below(&m->t.rng, m->end - m->una + 1);
    uint32_t len = (uint32_t)prng_below(&m->t.rng, 200000);
    unsigned max = (unsigned)prng_below(&m->t.rng, 9), parts = 77;
    uint32_t covered = sendq_peek(&m->q, dsn_add(m->first, from), len, out, max, &parts);
    if (parts < max) /* else further than so many buffers reach */
        assert_int_equal(covered, HW_MIN(len, m->end - from));
    assert_true(parts <= max);
    uint32_t at = from;
    for (unsigned i = 0; i < parts; i++) {
        assert_true(out[i].len > 0);
        assert_true(out[i].data >= hawser_buf_data(out[i].buf));
        assert_true(out[i].data + out[i].len <= hawser_buf_data(out[i].buf) + hawser_buf_capacity(out[i].buf));
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
    uint64_t memory = 200000 + prng_below(&rng, 2000000);
    uint32_t limit = (uint32_t)(1 + prng_below(&rng, 600000)), grain = (uint32_t)(1 + prng_below(&rng, 30000));
    /* Half of the streams cross the wrap of the data sequence number. */
    dsn64 first = dsn_at(prng_below(&rng, 2) ? UINT64_MAX - prng_below(&rng, 30000) : prng_next(&rng));
    model_start(&m, prng_next(&rng), first, memory, limit);
    for (unsigned step = 0; step < 600; step++) {
        switch (prng_below(&rng, 6)) {
        case 0:
            write_some(&m, (uint32_t)prng_below(&rng, 8 * grain));
            break;
        case 1:
            write_some(&m, (uint32_t)prng_below(&rng, 50));
            break;
        case 2:
            peek_some(&m);
            break;
        case 3:
            write_a_slice(&m, (uint32_t)prng_below(&rng, 8 * grain), (uint32_t)(1 + prng_below(&rng, 16 * grain)));
            break;
        case 4:
            write_a_slice(&m, (uint32_t)prng_below(&rng, 50), (uint32_t)(1 + prng_below(&rng, 16 * grain)));
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
    model_start(&m, 1, dsn_at(7), PLENTY, 1000);
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
    model_start(&m, 1, dsn_at(0), PLENTY, 1000);
    assert_int_equal(sendq_write(&m.q, m.stream, 500), 500);
    m.q.limit = 100;
    assert_int_equal(sendq_room(&m.q), 0);
    assert_int_equal(sendq_write(&m.q, m.stream, 1), 0);
    sendq_ack(&m.q, dsn_at(401));
    assert_int_equal(sendq_room(&m.q), 1);
    model_end(&m);
}

/* As much as its share of the memory, in large buffers and then in small ones. */
static void stops_when_memory_is_out(void **state)
{
    (void)state;
    struct model m;
    model_start(&m, 1, dsn_at(7), 1000000, STREAM_MAX);
    size_t taken = sendq_write(&m.q, m.stream, STREAM_MAX);
    assert_in_range(taken, 490000, 520000);
    assert_int_equal(sendq_write(&m.q, m.stream, 1000), 0);
    sendq_ack(&m.q, dsn_at(7 + 65000));
    assert_int_equal(sendq_write(&m.q, m.stream, 1000), 0);
    sendq_ack(&m.q, dsn_at(7 + STORE_LARGE_BYTES));
    assert_true(sendq_write(&m.q, m.stream, STORE_LARGE_BYTES) > STORE_LARGE_BYTES / 2);
    model_end(&m);
}

/* Byte by byte: small buffers, filled one after the other, until there is enough for a large one. */
static void few_bytes_hold_little(void **state)
{
    (void)state;
    struct model m;
    struct slice out[2];
    unsigned parts;
    model_start(&m, 1, dsn_at(0), PLENTY, STREAM_MAX);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(sendq_write(&m.q, m.stream + i, 1), 1);
    assert_true(m.side.held < 3000);
    assert_int_equal(sendq_peek(&m.q, dsn_at(0), 64, out, 2, &parts), 5);
    assert_int_equal(parts, 1);
    for (unsigned i = 5; i < 20000; i++)
        assert_int_equal(sendq_write(&m.q, m.stream + i, 1), 1);
    assert_true(m.side.held < 90000);
    assert_int_equal(sendq_peek(&m.q, dsn_at(19000), 1000, out, 2, &parts), 1000);
    assert_memory_equal(out[0].data, m.stream + 19000, out[0].len);
    model_end(&m);
}

/* A subflow that retransmits may hold bytes that were acknowledged on the other one. */
static void leaves_bytes_to_who_else_refers_to_them(void **state)
{
    (void)state;
    struct model m;
    struct slice out;
    unsigned parts;
    model_start(&m, 1, dsn_at(0), PLENTY, 1000);
    sendq_write(&m.q, m.stream, 100);
    assert_int_equal(sendq_peek(&m.q, dsn_at(10), 54, &out, 1, &parts), 54);
    hawser_buf_ref(out.buf);
    sendq_ack(&m.q, dsn_at(100));
    assert_int_equal(m.side.held, buf_size(out.buf)); /* whoever queued them pays as long */
    sendq_write(&m.q, m.stream + 500, 400);
    assert_memory_equal(out.data, m.stream + 10, 54);
    sendq_destroy(&m.q);
    assert_int_equal(m.side.held, buf_size(out.buf));
    hawser_buf_unref(out.buf);
    model_end(&m);
}

static struct slice part(const struct model *m, uint32_t from, uint32_t len)
{
    return (struct slice){m->whole, m->stream + m->whole_at + from, len};
}

/* A part that is worth it is queued where it lies, and what follows it too; the buffer is charged as a whole, once, and
 * given back with the last acknowledgement. */
static void refers_to_what_a_program_wrapped(void **state)
{
    (void)state;
    enum { WHOLE = 100000, FIRST = 30000 };
    struct model m;
    struct slice out[4];
    unsigned parts;
    model_start(&m, 1, dsn_at(0), PLENTY, STREAM_MAX);
    wrap(&m, 5000, WHOLE);
    assert_int_equal(sendq_write_slice(&m.q, part(&m, 0, FIRST)), FIRST);
    uint64_t cost = m.side.held;
    assert_in_range(cost, WHOLE, WHOLE + 1000);
    for (uint32_t i = 0; i < 10; i++)
        assert_int_equal(sendq_write_slice(&m.q, part(&m, FIRST + i, 1)), 1);
    assert_int_equal(sendq_write_slice(&m.q, part(&m, 50000, 10000)), 10000); /* not the next ones */
    assert_int_equal(m.side.held, cost);
    assert_int_equal(sendq_peek(&m.q, dsn_at(0), STREAM_MAX, out, 4, &parts), FIRST + 10 + 10000);
    assert_int_equal(parts, 2);
    assert_ptr_equal(out[0].data, m.stream + 5000);
    assert_ptr_equal(out[1].data, m.stream + 55000);
    drop_whole(&m);
    sendq_ack(&m.q, dsn_at(FIRST + 20));
    assert_int_equal(m.side.held, cost);
    assert_int_equal(m.released, 0);
    sendq_ack(&m.q, dsn_at(FIRST + 10 + 10000));
    assert_int_equal(m.side.held, 0);
    assert_int_equal(m.released, 1);
    model_end(&m);
}

/* What would hold more than four times its bytes, or too few for a chunk of their own, is copied: and so is all of it
 * when the buffer is not admitted. */
static void copies_small_parts(void **state)
{
    (void)state;
    enum { WHOLE = 100000 };
    struct model m;
    model_start(&m, 1, dsn_at(0), PLENTY, STREAM_MAX);
    wrap(&m, 0, WHOLE);
    for (uint32_t i = 0; i < 1000; i++)
        assert_int_equal(sendq_write_slice(&m.q, part(&m, 2 * i, 1)), 1);
    assert_true(m.side.held < 4096);
    assert_int_equal(sendq_write_slice(&m.q, part(&m, 0, WHOLE / 4 - 1)), WHOLE / 4 - 1);
    assert_true(m.side.held < WHOLE);
    drop_whole(&m);
    assert_int_equal(m.released, 1);
    model_end(&m);

    model_start(&m, 1, dsn_at(0), 100000, STREAM_MAX);
    wrap(&m, 0, 60000);
    assert_in_range(sendq_write_slice(&m.q, part(&m, 0, 60000)), 40000, 50000);
    drop_whole(&m);
    assert_int_equal(m.released, 1);
    model_end(&m);
}

/* A wrapped buffer has no room for bytes of the queue's own, nor does the queue write to it. */
static void never_writes_to_what_it_refers_to(void **state)
{
    (void)state;
    enum { WHOLE = 8000 };
    struct model m;
    struct slice out[4];
    unsigned parts;
    model_start(&m, 1, dsn_at(0), PLENTY, STREAM_MAX);
    wrap(&m, 0, WHOLE);
    assert_int_equal(sendq_write_slice(&m.q, part(&m, 0, WHOLE / 2 + 100)), WHOLE / 2 + 100);
    uint8_t next = m.stream[WHOLE / 2 + 100];
    uint8_t other = (uint8_t)~next;
    assert_int_equal(sendq_write(&m.q, &other, 1), 1);
    assert_int_equal(m.stream[WHOLE / 2 + 100], next);
    assert_int_equal(sendq_peek(&m.q, dsn_at(0), WHOLE, out, 4, &parts), WHOLE / 2 + 101);
    assert_int_equal(parts, 2);
    assert_int_equal(*out[1].data, other);
    model_end(&m);
}

/* Every allocation of a long write fails once; the write stops there and a second one ends it. */
static void survives_each_failed_allocation(void **state)
{
    (void)state;
    unsigned short_writes = 0;
    for (unsigned nth = 1; nth <= 20; nth++) {
        struct model m;
        struct slice out[64];
        unsigned parts;
        model_start(&m, nth, dsn_at(UINT64_MAX - 100), PLENTY, STREAM_MAX);
        m.t.fail_at = nth;
        size_t taken = sendq_write(&m.q, m.stream, STREAM_MAX);
        m.t.fail_at = 0;
        short_writes += taken < STREAM_MAX;
        assert_int_equal(sendq_write(&m.q, m.stream + taken, STREAM_MAX - taken), STREAM_MAX - taken);
        assert_int_equal(sendq_peek(&m.q, m.q.una, STREAM_MAX, out, 64, &parts), STREAM_MAX);
        for (unsigned i = 0, at = 0; i < parts; at += out[i++].len)
            assert_memory_equal(out[i].data, m.stream + at, out[i].len);
        model_end(&m);
    }
    assert_in_range(short_writes, 1, 19); /* the rings; a small buffer stands in for a large one */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_a_byte_array),
        cmocka_unit_test(stops_at_the_limit),
        cmocka_unit_test(has_no_room_above_a_lowered_limit),
        cmocka_unit_test(stops_when_memory_is_out),
        cmocka_unit_test(few_bytes_hold_little),
        cmocka_unit_test(leaves_bytes_to_who_else_refers_to_them),
        cmocka_unit_test(refers_to_what_a_program_wrapped),
        cmocka_unit_test(copies_small_parts),
        cmocka_unit_test(never_writes_to_what_it_refers_to),
        cmocka_unit_test(survives_each_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
