#include "tcp/txq.h"

#include <errno.h>
#include <string.h>

#include "base/check.h"

#define TXQ_INITIAL_CAPACITY 16

void txq_init(struct txq *q, struct pool *pool, struct account *account)
{
    memset(q, 0, sizeof *q);
    q->pool = pool;
    q->account = account;
    list_init(&q->sent);
    list_init(&q->lost);
    iset_init(&q->sacked, account, TXQ_SACKED_MAX);
}

static struct tx_record **slot(const struct txq *q, uint32_t i) { return &q->ring[(q->head + i) & (q->capacity - 1)]; }

static void release_parts(struct tx_record *r)
{
    for (unsigned i = 0; i < TX_RECORD_PARTS; i++)
        if (r->parts[i].buf)
            hawser_buf_unref(r->parts[i].buf);
}

static void uncount(struct txq *q, const struct tx_record *r, uint32_t span)
{
    if (r->sacked)
        q->sacked_bytes -= span;
    if (r->lost)
        q->lost_bytes -= span;
}

static void drop_ring(struct txq *q)
{
    account_free(q->account, q->ring, q->capacity * sizeof *q->ring);
    q->ring = NULL;
}

void txq_destroy(struct txq *q)
{
    while (q->count)
        txq_pop(q);
    iset_destroy(&q->sacked);
    drop_ring(q);
    q->capacity = 0;
}

static int make_room(struct txq *q)
{
    if (q->count < q->capacity)
        return 0;
    uint32_t capacity = q->capacity ? 2 * q->capacity : TXQ_INITIAL_CAPACITY;
    struct tx_record **ring = account_alloc(q->account, capacity * sizeof *ring, CLAIM_OWED);
    if (!ring)
        return -ENOMEM;
    for (uint32_t i = 0; i < q->count; i++)
        ring[i] = txq_at(q, i);
    drop_ring(q);
    q->ring = ring;
    q->head = 0;
    q->capacity = capacity;
    return 0;
}

static struct tx_record *new_record(struct txq *q)
{
    struct tx_record *r = pool_get(q->pool);
    if (r)
        account_charge(q->account, sizeof *r);
    return r;
}

static void free_record(struct txq *q, struct tx_record *r)
{
    account_release(q->account, sizeof *r);
    pool_put(q->pool, r);
}

struct tx_record *txq_append(struct txq *q, uint64_t ssn)
{
    if (make_room(q) < 0)
        return NULL;
    struct tx_record *r = new_record(q);
    if (!r)
        return NULL;
    memset(r, 0, sizeof *r);
    r->ssn = ssn;
    list_push_back(&q->sent, &r->link);
    q->count++;
    *slot(q, q->count - 1) = r;
    return r;
}

uint32_t txq_find(const struct txq *q, uint64_t ssn)
{
    uint32_t low = 0, high = q->count;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (tx_record_end(txq_at(q, mid)) <= ssn)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* Gives `tail` the payload of `r` from byte `cut` on. */
static void divide_parts(struct tx_record *r, struct tx_record *tail, uint32_t cut)
{
    uint32_t before = 0;
    unsigned kept = 0;
    memset(tail->parts, 0, sizeof tail->parts);
    for (unsigned i = 0; i < TX_RECORD_PARTS; i++) {
        struct slice *part = &r->parts[i];
        uint32_t len = part->len;
        if (len == 0)
            continue;
        if (before + len <= cut) {
            before += len;
            continue;
        }
        uint32_t stay = cut > before ? cut - before : 0;
        tail->parts[kept] = slice_sub(*part, stay, len - stay);
        if (stay)
            hawser_buf_ref(part->buf); /* both halves refer to this buffer now */
        kept++;
        *part = stay ? slice_sub(*part, 0, stay) : (struct slice){0};
        before += len;
    }
}

int txq_split(struct txq *q, uint32_t i, uint64_t ssn)
{
    struct tx_record *r = txq_at(q, i);
    CHECK(ssn > r->ssn && ssn < r->ssn + r->len && !r->syn);
    if (make_room(q) < 0)
        return -ENOMEM;
    if (!account_admits(q->account, sizeof(struct tx_record), CLAIM_SURPLUS))
        return -ENOMEM; /* whoever splits can do without */
    struct tx_record *tail = new_record(q);
    if (!tail)
        return -ENOMEM;
    uint32_t cut = (uint32_t)(ssn - r->ssn);
    *tail = *r;
    divide_parts(r, tail, cut);
    tail->ssn = ssn;
    tail->len = r->len - cut;
    r->len = cut;
    r->fin = false;
    list_init(&tail->link);
    if (!list_empty(&r->link))
        list_insert_after(&r->link, &tail->link);
    q->count++;
    if (i < q->count / 2) { /* the fewer records move */
        q->head = (q->head - 1) & (q->capacity - 1);
        for (uint32_t k = 0; k <= i; k++)
            *slot(q, k) = *slot(q, k + 1);
    } else {
        for (uint32_t k = q->count - 1; k > i + 1; k--)
            *slot(q, k) = *slot(q, k - 1);
    }
    *slot(q, i + 1) = tail;
    return 0;
}

void txq_pop(struct txq *q)
{
    struct tx_record *r = txq_oldest(q);
    CHECK(r);
    uncount(q, r, tx_record_span(r));
    list_remove(&r->link);
    release_parts(r);
    free_record(q, r);
    q->head = (q->head + 1) & (q->capacity - 1);
    q->count--;
}

void txq_trim_oldest(struct txq *q, uint32_t bytes)
{
    struct tx_record *r = txq_oldest(q);
    CHECK(r && !r->syn && bytes < r->len + r->fin);
    uncount(q, r, bytes);
    r->ssn += bytes;
    r->len -= bytes;
    for (unsigned i = 0; i < TX_RECORD_PARTS && bytes; i++) {
        uint32_t cut = bytes < r->parts[i].len ? bytes : r->parts[i].len;
        r->parts[i] = slice_sub(r->parts[i], cut, r->parts[i].len - cut);
        bytes -= cut;
    }
}

int txq_mark_sacked(struct txq *q, struct tx_record *r)
{
    if (r->sacked)
        return 0;
    int err = iset_add(&q->sacked, r->ssn, tx_record_end(r));
    if (err < 0)
        return err;
    uncount(q, r, tx_record_span(r));
    r->lost = false;
    r->sacked = true;
    q->sacked_bytes += tx_record_span(r);
    list_remove(&r->link);
    return 0;
}

void txq_mark_lost(struct txq *q, struct tx_record *r)
{
    if (r->lost || r->sacked)
        return;
    r->lost = true;
    q->lost_bytes += tx_record_span(r);
    list_move_back(&q->lost, &r->link);
}

void txq_mark_sent(struct txq *q, struct tx_record *r, uint64_t now_ns)
{
    uncount(q, r, tx_record_span(r));
    r->lost = r->sacked = false;
    r->sent_ns = now_ns;
    list_move_back(&q->sent, &r->link);
}

void txq_unmark_lost(struct txq *q)
{
    while (
        !list_empty(&q->lost)) { /* from the back, so that the order stays: all of it left before what is in `sent` */
        struct tx_record *r = LIST_ENTRY(q->lost.prev, struct tx_record, link);
        uncount(q, r, tx_record_span(r));
        r->lost = false;
        list_remove(&r->link);
        list_push_front(&q->sent, &r->link);
    }
}

void txq_mark_all_lost(struct txq *q, bool forget_sacks)
{
    if (forget_sacks)
        iset_clear(&q->sacked);
    for (uint32_t i = 0; i < q->count; i++) {
        struct tx_record *r = txq_at(q, i);
        if (r->sacked && !forget_sacks)
            continue;
        uncount(q, r, tx_record_span(r));
        r->sacked = false;
        r->lost = true;
        q->lost_bytes += tx_record_span(r);
        list_move_back(&q->lost, &r->link);
    }
}
