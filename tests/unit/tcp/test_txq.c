#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support.h"
#include "tcp/txq.h"

enum { CHUNK = 4096 };

struct rig {
    struct test_env env;
    struct pool pool;
    struct hawser_buf_pool *chunks;
    struct account_root stack;
    struct account conn, account; /* the last one pays for the records */
    struct hawser_buf *chunk[2];
    struct txq q;
    uint64_t next;
};

static void start(struct rig *r, uint64_t seed, uint32_t records)
{
    memset(r, 0, sizeof *r);
    test_env_init(&r->env, seed);
    pool_init(&r->pool, &r->env.env, sizeof(struct tx_record), records);
    assert_int_equal(hawser_buf_pool_new(&r->env.env, CHUNK, 8, &r->chunks), 0);
    for (int i = 0; i < 2; i++) {
        r->chunk[i] = hawser_buf_new(r->chunks);
        for (int k = 0; k < CHUNK; k++)
            hawser_buf_data(r->chunk[i])[k] = (uint8_t)(k * 7 + i * 131);
    }
    account_init(&r->stack, &r->env.env, UINT64_MAX, 0);
    account_open(&r->conn, &r->stack.account);
    account_open(&r->account, &r->conn);
    txq_init(&r->q, &r->pool, &r->account);
    r->next = 1000;
}

static void finish(struct rig *r)
{
    txq_destroy(&r->q);
    pool_destroy(&r->pool); /* aborts when a record did not come back */
    for (int i = 0; i < 2; i++)
        hawser_buf_unref(r->chunk[i]);
    assert_int_equal(r->account.held, 0);
    assert_int_equal(buf_pool_in_use(r->chunks), 0); /* no reference was lost or kept */
    hawser_buf_pool_close(r->chunks);
    test_env_check_clean(&r->env);
}

/* A record of two slices, one of each chunk. */
static struct tx_record *append(struct rig *r, uint32_t first, uint32_t second)
{
    struct tx_record *record = txq_append(&r->q, r->next);
    if (!record)
        return NULL;
    record->parts[0] = (struct slice){hawser_buf_ref(r->chunk[0]), hawser_buf_data(r->chunk[0]), first};
    if (second)
        record->parts[1] = (struct slice){hawser_buf_ref(r->chunk[1]), hawser_buf_data(r->chunk[1]), second};
    record->len = first + second;
    r->next += record->len;
    return record;
}

static uint64_t sum_where(const struct txq *q, bool sacked, bool lost)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < q->count; i++)
        if ((sacked && txq_at(q, i)->sacked) || (lost && txq_at(q, i)->lost))
            sum += tx_record_span(txq_at(q, i));
    return sum;
}

static unsigned list_len(const struct list *head)
{
    unsigned n = 0;
    LIST_EACH (it, head)
        n++;
    return n;
}

/* What must hold after every step. */
static void check(const struct txq *q)
{
    unsigned on_lists = list_len(&q->sent) + list_len(&q->lost), sacked = 0;
    for (uint32_t i = 0; i < q->count; i++) {
        const struct tx_record *record = txq_at(q, i);
        assert_false(record->sacked && record->lost);
        assert_int_equal(record->len, record->parts[0].len + record->parts[1].len);
        if (i > 0)
            assert_true(tx_record_end(txq_at(q, i - 1)) == record->ssn);
        sacked += record->sacked;
    }
    assert_int_equal(on_lists + sacked, q->count);
    assert_true(q->sacked_bytes == sum_where(q, true, false));
    assert_true(q->lost_bytes == sum_where(q, false, true));
}

static void splits_keep_the_bytes(void **state)
{
    (void)state;
    for (uint32_t cut = 1; cut < 300; cut++) {
        struct rig r;
        start(&r, 1, 16);
        append(&r, 100, 200);
        assert_int_equal(txq_split(&r.q, 0, 1000 + cut), 0);
        check(&r.q);
        const struct tx_record *a = txq_at(&r.q, 0), *b = txq_at(&r.q, 1);
        assert_int_equal(a->len, cut);
        assert_int_equal(b->len, 300 - cut);
        assert_true(b->ssn == 1000 + cut);
        const struct slice *at = b->parts[0].len ? &b->parts[0] : &b->parts[1];
        const uint8_t *expected =
            cut < 100 ? hawser_buf_data(r.chunk[0]) + cut : hawser_buf_data(r.chunk[1]) + cut - 100;
        assert_ptr_equal(at->data, expected);
        finish(&r);
    }
}

static void find_by_number(void **state)
{
    (void)state;
    struct rig r;
    start(&r, 2, 64);
    for (int i = 0; i < 20; i++)
        append(&r, 10, 0);
    for (uint64_t ssn = 900; ssn < 1300; ssn++) {
        uint32_t expected = ssn < 1000 ? 0 : ssn >= 1200 ? 20 : (uint32_t)(ssn - 1000) / 10;
        assert_int_equal(txq_find(&r.q, ssn), expected);
    }
    finish(&r);
}

static void random_step(struct rig *r, struct prng *rng, uint64_t now)
{
    struct txq *q = &r->q;
    uint32_t i = q->count ? (uint32_t)prng_below(rng, q->count) : 0;
    struct tx_record *record = q->count ? txq_at(q, i) : NULL;
    switch (prng_below(rng, 8)) {
    case 0:
    case 1:
        (void)append(r, (uint32_t)(1 + prng_below(rng, 200)), (uint32_t)prng_below(rng, 200));
        break;
    case 2:
        if (record && record->len > 1)
            (void)txq_split(q, i, record->ssn + 1 + prng_below(rng, record->len - 1));
        break;
    case 3:
        if (record)
            txq_mark_sacked(q, record);
        break;
    case 4:
        if (record)
            txq_mark_lost(q, record);
        break;
    case 5:
        if (record)
            txq_mark_sent(q, record, now);
        break;
    case 6:
        if (q->count > 10)
            txq_pop(q);
        else if (record && txq_oldest(q)->len > 1)
            txq_trim_oldest(q, (uint32_t)(1 + prng_below(rng, txq_oldest(q)->len - 1)));
        break;
    default:
        if (prng_below(rng, 20) == 0)
            txq_mark_all_lost(q, prng_below(rng, 2));
        break;
    }
}

/* Any order of operations, with records and memory running out, keeps lists, sums and references right. */
static void anything_goes(void **state)
{
    (void)state;
    uint64_t seed = test_seed();
    for (uint64_t run = 0; run < 40; run++) {
        struct rig r;
        struct prng rng;
        start(&r, seed + run, 24);
        prng_seed(&rng, seed + run);
        for (uint64_t step = 0; step < 600; step++) {
            r.env.fail_at = prng_below(&rng, 10) == 0 ? 1 : 0;
            random_step(&r, &rng, step);
            check(&r.q);
        }
        finish(&r);
    }
}

static void lost_goes_in_sequence_order(void **state)
{
    (void)state;
    struct rig r;
    start(&r, 3, 16);
    for (int i = 0; i < 5; i++)
        append(&r, 10, 0);
    txq_mark_sacked(&r.q, txq_at(&r.q, 2));
    txq_mark_all_lost(&r.q, false);
    uint64_t last = 0;
    LIST_EACH (it, &r.q.lost) {
        const struct tx_record *record = LIST_ENTRY(it, struct tx_record, link);
        assert_true(record->ssn > last);
        last = record->ssn;
    }
    assert_int_equal(list_len(&r.q.lost), 4);
    txq_mark_all_lost(&r.q, true);
    assert_int_equal(list_len(&r.q.lost), 5);
    assert_int_equal(r.q.sacked_bytes, 0);
    finish(&r);
}

/* What would be one range too many is not held; what joins two of them is. */
static void sacked_ranges_are_bounded(void **state)
{
    (void)state;
    struct rig r;
    uint32_t records = 2 * TXQ_SACKED_MAX + 2;
    start(&r, 1, records);
    for (uint32_t i = 0; i < records; i++)
        assert_non_null(append(&r, 2, 0));
    for (uint32_t i = 0; i < 2 * TXQ_SACKED_MAX; i += 2)
        assert_int_equal(txq_mark_sacked(&r.q, txq_at(&r.q, i)), 0);
    struct tx_record *last = txq_at(&r.q, 2 * TXQ_SACKED_MAX);
    assert_int_equal(txq_mark_sacked(&r.q, last), -ENOBUFS);
    assert_false(last->sacked);
    assert_int_equal(r.q.sacked_bytes, 2 * TXQ_SACKED_MAX);
    assert_int_equal(txq_mark_sacked(&r.q, txq_at(&r.q, 1)), 0);
    assert_int_equal(txq_mark_sacked(&r.q, last), 0);
    uint64_t ack = tx_record_end(txq_at(&r.q, 2));
    for (int i = 0; i < 3; i++)
        txq_pop(&r.q);
    txq_acknowledged(&r.q, ack);
    assert_int_equal(r.q.sacked.count, TXQ_SACKED_MAX - 1);
    txq_mark_all_lost(&r.q, true);
    assert_int_equal(r.q.sacked.count, 0);
    finish(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sacked_ranges_are_bounded),
        cmocka_unit_test(splits_keep_the_bytes),
        cmocka_unit_test(find_by_number),
        cmocka_unit_test(anything_goes),
        cmocka_unit_test(lost_goes_in_sequence_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
