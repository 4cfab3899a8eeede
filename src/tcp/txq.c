#include "tcp/txq.h"

#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "base/compiler.h"

void txq_init(struct txq *q, struct pool *pool, struct account *account)
{
    *q = (struct txq){.pool = pool, .account = account};
    list_init(&q->records);
    list_init(&q->sent);
    list_init(&q->lost);
}

void txq_destroy(struct txq *q)
{
    while (q->count)
        txq_pop(q);
}

/* ---- records ---- */

static struct tx_record *new_record(struct txq *q)
{
    struct tx_record *r = pool_get(q->pool);
    if (!r)
        return NULL;
    account_charge(q->account, sizeof *r);
    q->count++;
    return r;
}

static void free_record(struct txq *q, struct tx_record *r)
{
    list_remove(&r->order);
    q->count--;
    q->pieces -= r->piece;
    account_release(q->account, sizeof *r);
    pool_put(q->pool, r);
}

struct tx_record *txq_append(struct txq *q, uint64_t ssn)
{
    struct tx_record *last = txq_newest(q), *r = new_record(q);
    if (!r)
        return NULL;
    memset(r, 0, sizeof *r);
    r->ssn = ssn;
    tree_insert_after(&q->unsacked, last && !last->sacked ? &last->unsacked : tree_last(&q->unsacked), &r->unsacked);
    list_push_back(&q->records, &r->order);
    list_push_back(&q->sent, &r->link);
    return r;
}

struct tx_record *txq_find_unsacked(const struct txq *q, uint64_t ssn)
{
    struct tx_record *found = NULL;
    for (struct tree_node *node = q->unsacked.root; node;) {
        struct tx_record *r = TREE_ENTRY(node, struct tx_record, unsacked);
        if (ssn < tx_record_end(r)) {
            found = r;
            node = node->side[TREE_LEFT];
        } else {
            node = node->side[TREE_RIGHT];
        }
    }
    return found;
}

static void uncount(struct txq *q, const struct tx_record *r, uint32_t span)
{
    if (r->sacked)
        q->sacked_bytes -= span;
    if (r->lost)
        q->lost_bytes -= span;
}

/* Takes a record that is not sacked out of list and tree. */
static void withdraw(struct txq *q, struct tx_record *r)
{
    list_remove(&r->link);
    tree_remove(&q->unsacked, &r->unsacked);
}

/* ---- what they name ---- */

static void drop_part(struct slice *part)
{
    hawser_buf_unref(part->buf);
    *part = (struct slice){0};
}

static void release_parts(struct tx_record *r)
{
    for (unsigned i = 0; i < TX_RECORD_PARTS; i++)
        if (r->parts[i].buf)
            drop_part(&r->parts[i]);
}

/* `bytes` follow those that the record names. */
static void add_bytes(struct tx_record *r, struct slice bytes)
{
    unsigned i = TX_RECORD_PARTS;
    while (i > 0 && r->parts[i - 1].len == 0)
        i--;
    struct slice *last = i ? &r->parts[i - 1] : NULL;
    if (last && last->buf == bytes.buf && last->data + last->len == bytes.data) {
        last->len += bytes.len;
        return;
    }
    CHECK(i < TX_RECORD_PARTS);
    hawser_buf_ref(bytes.buf);
    r->parts[i] = bytes;
}

/* Takes `len` bytes of payload away at the front of a record, and adds them to `to` unless that is NULL. */
static void take_front(struct tx_record *r, uint32_t len, struct tx_record *to)
{
    r->ssn += len;
    r->len -= len;
    for (struct slice *part = r->parts; len; part++) {
        uint32_t cut = HW_MIN(len, part->len);
        if (cut == 0)
            continue;
        if (to)
            add_bytes(to, slice_sub(*part, 0, cut));
        *part = slice_sub(*part, cut, part->len - cut);
        if (part->len == 0)
            drop_part(part);
        len -= cut;
    }
}

/* Gives `tail` the payload of `r` from byte `cut` on. */
static void divide_parts(struct tx_record *r, struct tx_record *tail, uint32_t cut)
{
    uint32_t before = 0;
    memset(tail->parts, 0, sizeof tail->parts);
    for (unsigned i = 0; i < TX_RECORD_PARTS; i++) {
        struct slice *part = &r->parts[i];
        uint32_t len = part->len, stay = cut > before ? cut - before : 0;
        before += len;
        if (stay >= len)
            continue;
        add_bytes(tail, slice_sub(*part, stay, len - stay));
        *part = slice_sub(*part, 0, stay);
        if (stay == 0)
            drop_part(part);
    }
}

int txq_split(struct txq *q, struct tx_record *r, uint64_t ssn)
{
    CHECK(ssn > r->ssn && ssn < r->ssn + r->len && !r->syn && !r->sacked);
    if (!account_admits(q->account, sizeof *r, CLAIM_SURPLUS))
        return -ENOMEM; /* whoever splits can do without */
    struct tx_record *tail = new_record(q);
    if (!tail)
        return -ENOMEM;
    uint32_t cut = (uint32_t)(ssn - r->ssn);
    *tail = *r;
    divide_parts(r, tail, cut);
    tail->ssn = ssn;
    tail->len = r->len - cut;
    tail->piece = true;
    r->len = cut;
    r->fin = false;
    q->pieces++;
    list_insert_after(&r->order, &tail->order);
    list_insert_after(&r->link, &tail->link);
    tree_insert_after(&q->unsacked, &r->unsacked, &tail->unsacked);
    return 0;
}

void txq_pop(struct txq *q)
{
    struct tx_record *r = txq_oldest(q);
    CHECK(r);
    uncount(q, r, tx_record_span(r));
    if (!r->sacked)
        withdraw(q, r);
    release_parts(r);
    free_record(q, r);
}

void txq_trim_oldest(struct txq *q, uint32_t bytes)
{
    struct tx_record *r = txq_oldest(q);
    CHECK(r && !r->syn && bytes < r->len + r->fin);
    uncount(q, r, bytes);
    take_front(r, bytes, NULL);
}

/* ---- what the peer holds ---- */

/* A record is about to be split because the peer holds a part of it. */
static int split_for_sack(struct txq *q, struct tx_record *r, uint64_t ssn)
{
    return q->pieces < TXQ_PIECES_MAX ? txq_split(q, r, ssn) : -ENOBUFS;
}

/* What the peer holds of the same record right before this piece; NULL: nothing. */
static struct tx_record *held_before(const struct txq *q, const struct tx_record *r)
{
    struct tx_record *before = r->piece ? txq_before(q, r) : NULL;
    return before && before->sacked ? before : NULL;
}

/* The first `len` bytes of payload of a piece go to what is right before it. */
static void join(struct tx_record *before, struct tx_record *piece, uint32_t len)
{
    before->retransmitted |= piece->retransmitted;
    before->sent_ns = HW_MAX(before->sent_ns, piece->sent_ns);
    before->len += len;
    take_front(piece, len, before);
}

/* Makes a piece that the peer holds one with what it holds right before. */
static void unite(struct txq *q, struct tx_record *piece)
{
    struct tx_record *before = held_before(q, piece);
    if (!before || !piece->sacked)
        return;
    before->fin |= piece->fin;
    join(before, piece, piece->len);
    free_record(q, piece);
}

int txq_mark_sacked(struct txq *q, struct tx_record *r, uint64_t start, uint64_t end)
{
    int err = 0;
    if (start > r->ssn) {
        err = split_for_sack(q, r, start);
        if (err < 0)
            return err;
        r = txq_after(q, r);
    }
    struct tx_record *before = held_before(q, r);
    if (end < tx_record_end(r) && before) { /* as most do: the edge moves */
        uint32_t len = (uint32_t)(end - r->ssn);
        uncount(q, r, len);
        q->sacked_bytes += len;
        join(before, r, len);
        return 0;
    }
    if (end < tx_record_end(r))
        err = split_for_sack(q, r, end);
    if (err < 0)
        return err;
    uncount(q, r, tx_record_span(r));
    q->sacked_bytes += tx_record_span(r);
    r->lost = false;
    r->sacked = true;
    withdraw(q, r);
    struct tx_record *after = txq_after(q, r);
    if (after)
        unite(q, after);
    unite(q, r);
    return 0;
}

/* ---- what is sent again ---- */

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
    CHECK(!r->sacked);
    uncount(q, r, tx_record_span(r));
    r->lost = false;
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
    struct tree_node *last = NULL; /* of those before that are not sacked */
    for (struct tx_record *r = txq_oldest(q); r; r = txq_after(q, r)) {
        if (r->sacked && !forget_sacks)
            continue;
        uncount(q, r, tx_record_span(r));
        if (r->sacked)
            tree_insert_after(&q->unsacked, last, &r->unsacked);
        last = &r->unsacked;
        r->sacked = false;
        r->lost = true;
        q->lost_bytes += tx_record_span(r);
        list_move_back(&q->lost, &r->link);
    }
}
