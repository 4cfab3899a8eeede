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

enum { CHUNK = 4096, FIRST = 1000, SPAN = 1 << 17 };

struct rig {
    struct test_env env;
    struct pool pool;
    struct hawser_buf_pool *chunks;
    struct account_root stack;
    struct account conn, account; /* the last one pays for the records */
    struct hawser_buf *chunk[2];
    struct txq q;
    uint64_t next;
    uint8_t bytes[SPAN]; /* from FIRST on: what was sent, */
    bool held[SPAN];     /* and what the peer holds of it */
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
    r->next = FIRST;
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
    assert_true(r->next + record->len < FIRST + SPAN);
    memcpy(r->bytes + (r->next - FIRST), hawser_buf_data(r->chunk[0]), first);
    memcpy(r->bytes + (r->next - FIRST) + first, hawser_buf_data(r->chunk[1]), second);
    r->next += record->len;
    return record;
}

static struct tx_record *nth(const struct txq *q, uint64_t n)
{
    struct tx_record *record = txq_oldest(q);
    while (n-- > 0)
        record = txq_after(q, record);
    return record;
}

static int mark_sacked(struct rig *r, struct tx_record *record, uint64_t from, uint64_t to)
{
    uint32_t count = r->q.count;
    int err = txq_mark_sacked(&r->q, record, from, to);
    if (err == 0)
        memset(r->held + (from - FIRST), true, to - from);
    else
        assert_in_range(r->q.count, count, count + 1); /* it may have been cut at the first edge */
    return err;
}

static int mark_all_sacked(struct rig *r, struct tx_record *record)
{
    return mark_sacked(r, record, record->ssn, tx_record_end(record));
}

static unsigned list_len(const struct list *head)
{
    unsigned n = 0;
    LIST_EACH (it, head)
        n++;
    return n;
}

static void check_record(const struct rig *r, const struct tx_record *record)
{
    assert_false(record->sacked && record->lost);
    assert_int_equal(list_empty(&record->link), record->sacked);
    assert_int_equal(record->len, record->parts[0].len + record->parts[1].len);
    uint64_t at = record->ssn - FIRST;
    for (unsigned i = 0; i < TX_RECORD_PARTS; at += record->parts[i++].len)
        if (record->parts[i].len)
            assert_memory_equal(record->parts[i].data, r->bytes + at, record->parts[i].len);
        else
            assert_null(record->parts[i].buf); /* what is named no more is not held */
    for (uint64_t ssn = record->ssn; ssn < tx_record_end(record); ssn++)
        assert_int_equal(r->held[ssn - FIRST], record->sacked);
}

/* What must hold after every step. */
static void check(const struct rig *r)
{
    const struct txq *q = &r->q;
    uint64_t sacked_bytes = 0, lost_bytes = 0;
    uint32_t count = 0, pieces = 0, sacked = 0;
    const struct tx_record *before = NULL;
    TXQ_EACH (record, q) {
        check_record(r, record);
        assert_ptr_equal(txq_before(q, record), before);
        assert_true(!before || tx_record_end(before) == record->ssn);
        assert_false(record->piece && record->sacked && before && before->sacked); /* they are one */
        count++;
        pieces += record->piece;
        sacked += record->sacked;
        sacked_bytes += record->sacked ? record->len : 0;
        lost_bytes += record->lost ? record->len : 0;
        before = record;
    }
    assert_ptr_equal(before, txq_newest(q));
    assert_int_equal(q->count, count);
    assert_int_equal(q->pieces, pieces);
    assert_int_equal(list_len(&q->sent) + list_len(&q->lost) + sacked, q->count);
    assert_int_equal(q->sacked_bytes, sacked_bytes);
    assert_int_equal(q->lost_bytes, lost_bytes);
    assert_int_equal(r->account.held, q->count * sizeof(struct tx_record));
}

/* For every number: the first record from there on that is not sacked. */
static void check_find(const struct txq *q, uint64_t from, uint64_t to)
{
    const struct tx_record *expected = NULL;
    TXQ_EACH (record, q)
        if (!expected && !record->sacked)
            expected = record;
    for (uint64_t ssn = from; ssn < to; ssn++) {
        while (expected && (expected->sacked || tx_record_end(expected) <= ssn))
            expected = txq_after(q, expected);
        assert_ptr_equal(txq_find_unsacked(q, ssn), expected);
    }
}

static void splits_keep_the_bytes(void **state)
{
    (void)state;
    static struct rig r;
    for (uint32_t cut = 1; cut < 300; cut++) {
        start(&r, 1, 16);
        append(&r, 100, 200);
        assert_int_equal(txq_split(&r.q, txq_oldest(&r.q), FIRST + cut), 0);
        check(&r);
        const struct tx_record *a = txq_oldest(&r.q), *b = txq_newest(&r.q);
        assert_int_equal(a->len, cut);
        assert_int_equal(b->len, 300 - cut);
        assert_true(b->ssn == FIRST + cut);
        finish(&r);
    }
}

static void find_by_number(void **state)
{
    (void)state;
    static struct rig r;
    start(&r, 2, 64);
    assert_null(txq_find_unsacked(&r.q, 0));
    for (int i = 0; i < 20; i++)
        append(&r, 10, 0);
    check_find(&r.q, FIRST - 100, FIRST + 300);
    for (uint64_t i = 0; i < 20; i += 3) {
        assert_int_equal(mark_all_sacked(&r, nth(&r.q, i)), 0);
        check_find(&r.q, FIRST - 100, FIRST + 300);
    }
    finish(&r);
}

/* However the peer comes to hold the parts of a record, they are one in the end, and in between as few as can be. */
static void what_the_peer_holds_is_one(void **state)
{
    (void)state;
    static const struct {
        uint8_t part[4]; /* tenths of the record, in turn */
        uint32_t records[4];
    } ways[] = {
        {{0, 1, 2, 3}, {2, 2, 2, 2}}, /* the edge moves */
        {{3, 2, 1, 0}, {3, 3, 3, 2}}, /* backwards */
        {{0, 2, 1, 3}, {2, 4, 2, 2}}, /* a hole is filled */
        {{9, 1, 5, 3}, {2, 4, 6, 8}},
    };
    static struct rig r;
    for (size_t way = 0; way < sizeof ways / sizeof ways[0]; way++) {
        start(&r, 1, 16);
        append(&r, 55, 45)->note = (struct tx_note){.dsn = 7, .ssn = FIRST, .len = 100, .mapped = true};
        for (unsigned i = 0; i < 4; i++) {
            uint64_t from = FIRST + 10 * (uint64_t)ways[way].part[i];
            assert_int_equal(mark_sacked(&r, txq_find_unsacked(&r.q, from), from, from + 10), 0);
            check(&r);
            assert_int_equal(r.q.count, ways[way].records[i]);
            assert_int_equal(r.q.sacked_bytes, 10 * (i + 1));
        }
        for (struct tx_record *record; (record = txq_find_unsacked(&r.q, 0));)
            assert_int_equal(mark_all_sacked(&r, record), 0);
        check(&r);
        assert_int_equal(r.q.count, 1);
        assert_int_equal(r.q.pieces, 0);
        assert_int_equal(txq_oldest(&r.q)->note.len, 100);
        finish(&r);
    }
}

/* What was sent apart stays apart: each has a mapping of its own. */
static void records_do_not_become_one(void **state)
{
    (void)state;
    static struct rig r;
    start(&r, 1, 16);
    for (int i = 0; i < 3; i++)
        append(&r, 10, 0);
    for (uint64_t i = 0; i < 3; i++)
        assert_int_equal(mark_all_sacked(&r, nth(&r.q, i)), 0);
    assert_int_equal(r.q.count, 3);
    check(&r);
    finish(&r);
}

/* Of a record that the peer holds in part, and whose other half was sent again, the end and the FIN stay known. */
static void a_fin_stays_at_the_end(void **state)
{
    (void)state;
    static struct rig r;
    start(&r, 1, 16);
    append(&r, 20, 0)->fin = true;
    assert_int_equal(mark_sacked(&r, txq_oldest(&r.q), FIRST, FIRST + 10), 0);
    assert_false(txq_oldest(&r.q)->fin);
    assert_int_equal(tx_record_end(txq_newest(&r.q)), FIRST + 21);
    txq_mark_lost(&r.q, txq_newest(&r.q));
    assert_int_equal(r.q.lost_bytes, 11);
    txq_mark_sent(&r.q, txq_newest(&r.q), 5);
    assert_int_equal(txq_mark_sacked(&r.q, txq_newest(&r.q), FIRST + 10, FIRST + 21), 0);
    assert_int_equal(r.q.count, 1);
    assert_true(txq_oldest(&r.q)->fin);
    assert_int_equal(tx_record_end(txq_oldest(&r.q)), FIRST + 21);
    assert_int_equal(txq_oldest(&r.q)->sent_ns, 5);
    assert_int_equal(r.q.sacked_bytes, 21);
    finish(&r);
}

static void random_sack(struct rig *r, struct prng *rng, struct tx_record *record)
{
    uint64_t from = record->ssn, to = tx_record_end(record);
    if (prng_below(rng, 2))
        from += prng_below(rng, record->len);
    if (prng_below(rng, 2))
        to -= prng_below(rng, to - from);
    (void)mark_sacked(r, record, from, to);
}

static void random_step(struct rig *r, struct prng *rng, uint64_t now)
{
    struct txq *q = &r->q;
    struct tx_record *record = q->count ? nth(q, prng_below(rng, q->count)) : NULL;
    bool unsacked = record && !record->sacked;
    switch (prng_below(rng, 9)) {
    case 0:
    case 1:
        (void)append(r, (uint32_t)(1 + prng_below(rng, 200)), (uint32_t)prng_below(rng, 200));
        break;
    case 2:
        if (unsacked && record->len > 1)
            (void)txq_split(q, record, record->ssn + 1 + prng_below(rng, record->len - 1));
        break;
    case 3:
    case 4:
        if (unsacked)
            random_sack(r, rng, record);
        break;
    case 5:
        if (record)
            txq_mark_lost(q, record);
        break;
    case 6:
        if (unsacked)
            txq_mark_sent(q, record, now);
        break;
    case 7:
        if (q->count > 10)
            txq_pop(q);
        else if (record && txq_oldest(q)->len > 1)
            txq_trim_oldest(q, (uint32_t)(1 + prng_below(rng, txq_oldest(q)->len - 1)));
        break;
    default:
        if (prng_below(rng, 20) == 0) {
            bool forget = prng_below(rng, 2);
            txq_mark_all_lost(q, forget);
            if (forget)
                memset(r->held, false, sizeof r->held);
        } else if (prng_below(rng, 20) == 0) {
            txq_unmark_lost(q);
        }
        break;
    }
}

/* Any order of operations, with records and memory running out, keeps order, lists, sums and references right. */
static void anything_goes(void **state)
{
    (void)state;
    static struct rig r;
    uint64_t seed = test_seed();
    for (uint64_t run = 0; run < 40; run++) {
        struct prng rng;
        start(&r, seed + run, 24);
        prng_seed(&rng, seed + run);
        for (uint64_t step = 0; step < 600; step++) {
            r.env.fail_at = prng_below(&rng, 10) == 0 ? 1 : 0;
            random_step(&r, &rng, step);
            check(&r);
            if (step % 50 == 0 && r.q.count)
                check_find(&r.q, txq_oldest(&r.q)->ssn, r.next + 1);
        }
        finish(&r);
    }
}

static void lost_goes_in_sequence_order(void **state)
{
    (void)state;
    static struct rig r;
    start(&r, 3, 16);
    for (int i = 0; i < 5; i++)
        append(&r, 10, 0);
    assert_int_equal(mark_all_sacked(&r, nth(&r.q, 2)), 0);
    txq_mark_all_lost(&r.q, false);
    uint64_t last = 0;
    LIST_EACH (it, &r.q.lost) {
        const struct tx_record *record = LIST_ENTRY(it, struct tx_record, link);
        assert_true(record->ssn > last);
        last = record->ssn;
    }
    assert_int_equal(list_len(&r.q.lost), 4);
    check_find(&r.q, FIRST, FIRST + 60);
    txq_mark_all_lost(&r.q, true);
    assert_int_equal(list_len(&r.q.lost), 5);
    assert_int_equal(r.q.sacked_bytes, 0);
    check_find(&r.q, FIRST, FIRST + 60);
    finish(&r);
}

/* A peer that holds every other byte: what would be one piece too many is not held; what needs none is. */
static void pieces_are_bounded(void **state)
{
    (void)state;
    static struct rig r;
    uint32_t records = TXQ_PIECES_MAX / 400 + 2;
    start(&r, 1, TXQ_PIECES_MAX + records);
    for (uint32_t i = 0; i < records; i++)
        assert_non_null(append(&r, 400, 400));
    uint64_t ssn = FIRST + 1;
    while (r.q.pieces < TXQ_PIECES_MAX) {
        assert_int_equal(mark_sacked(&r, txq_find_unsacked(&r.q, ssn), ssn, ssn + 1), 0);
        ssn += 2;
    }
    assert_int_equal(r.q.pieces, TXQ_PIECES_MAX);
    check(&r);
    uint64_t sacked = r.q.sacked_bytes;
    ssn += 10;
    assert_int_equal(mark_sacked(&r, txq_find_unsacked(&r.q, ssn), ssn, ssn + 1), -ENOBUFS);
    assert_int_equal(r.q.sacked_bytes, sacked);
    struct tx_record *last = txq_newest(&r.q), *hole = txq_find_unsacked(&r.q, FIRST + 2);
    assert_int_equal(mark_all_sacked(&r, last), 0);
    assert_int_equal(hole->len, 1);
    assert_int_equal(mark_all_sacked(&r, hole), 0); /* joins its neighbours */
    assert_int_equal(r.q.pieces, TXQ_PIECES_MAX - 2);
    assert_int_equal(mark_sacked(&r, txq_find_unsacked(&r.q, ssn), ssn, ssn + 1), 0);
    check(&r);
    while (r.q.count > 1)
        txq_pop(&r.q);
    assert_int_equal(r.q.pieces, 0);
    finish(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_are_bounded),
        cmocka_unit_test(what_the_peer_holds_is_one),
        cmocka_unit_test(records_do_not_become_one),
        cmocka_unit_test(a_fin_stays_at_the_end),
        cmocka_unit_test(splits_keep_the_bytes),
        cmocka_unit_test(find_by_number),
        cmocka_unit_test(anything_goes),
        cmocka_unit_test(lost_goes_in_sequence_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
