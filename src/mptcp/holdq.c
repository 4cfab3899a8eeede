#include "mptcp/holdq.h"

#include <errno.h>

#include "base/compiler.h"

struct piece {
    struct list link;
    uint64_t ssn;
    struct slice bytes;
};

static struct piece *piece_at(struct list *node) { return LIST_ENTRY(node, struct piece, link); }

static uint64_t end_of(const struct piece *piece) { return piece->ssn + piece->bytes.len; }

size_t holdq_node_size(void) { return sizeof(struct piece); }

void holdq_init(struct holdq *q, struct pool *nodes, struct account *account)
{
    *q = (struct holdq){.nodes = nodes, .account = account};
    list_init(&q->pieces);
    q->near = &q->pieces;
}

/* The reference stays with the caller. */
static void forget(struct holdq *q, struct piece *piece)
{
    if (q->near == &piece->link)
        q->near = piece->link.prev;
    account_release(q->account, sizeof *piece + slice_cost(piece->bytes));
    list_remove(&piece->link);
    q->bytes -= piece->bytes.len;
    q->count--;
    pool_put(q->nodes, piece);
}

static void drop(struct holdq *q, struct piece *piece)
{
    struct hawser_buf *buf = piece->bytes.buf;
    forget(q, piece);
    hawser_buf_unref(buf);
}

void holdq_destroy(struct holdq *q)
{
    LIST_EACH (it, &q->pieces)
        drop(q, piece_at(it));
}

/* The last piece that begins before `ssn`, or the head of the list. Whoever asks asks for the next ones after that. */
static struct list *last_before(struct holdq *q, uint64_t ssn)
{
    struct list *at = q->near;
    while (at != &q->pieces && piece_at(at)->ssn >= ssn)
        at = at->prev;
    while (at->next != &q->pieces && piece_at(at->next)->ssn < ssn)
        at = at->next;
    return q->near = at;
}

/* Does `b` follow `a` in the mapping [from, to) and in memory? */
static bool adjoin(uint64_t a_ssn, struct slice a, uint64_t b_ssn, struct slice b, uint64_t from, uint64_t to)
{
    return a.buf == b.buf && a_ssn >= from && a_ssn + a.len == b_ssn && b_ssn < to && a.data + a.len == b.data;
}

/* Makes one of a piece and the next, where they adjoin. */
static void join_next(struct holdq *q, struct piece *piece, uint64_t from, uint64_t to)
{
    struct list *next = piece->link.next;
    if (next == &q->pieces)
        return;
    struct slice more = piece_at(next)->bytes;
    if (!adjoin(piece->ssn, piece->bytes, piece_at(next)->ssn, more, from, to))
        return;
    drop(q, piece_at(next));
    piece->bytes.len += more.len;
    q->bytes += more.len;
}

int holdq_add(struct holdq *q, uint64_t ssn, struct slice bytes, uint64_t from, uint64_t to)
{
    struct list *before = last_before(q, ssn);
    if (before != &q->pieces && adjoin(piece_at(before)->ssn, piece_at(before)->bytes, ssn, bytes, from, to)) {
        piece_at(before)->bytes.len += bytes.len;
        q->bytes += bytes.len;
        join_next(q, piece_at(before), from, to);
        return 0;
    }
    struct piece *piece = q->count < HOLDQ_MAX ? pool_get(q->nodes) : NULL;
    if (!piece)
        return -ENOBUFS;
    piece->ssn = ssn;
    piece->bytes = bytes;
    hawser_buf_ref(bytes.buf);
    account_charge(q->account, sizeof *piece + slice_cost(bytes));
    list_insert_after(before, &piece->link);
    q->count++;
    q->bytes += bytes.len;
    join_next(q, piece, from, to);
    return 0;
}

bool holdq_first(const struct holdq *q, uint64_t *ssn)
{
    struct list *first = list_first(&q->pieces);
    if (first)
        *ssn = piece_at(first)->ssn;
    return first != NULL;
}

uint64_t holdq_end(const struct holdq *q) { return q->count ? end_of(piece_at(q->pieces.prev)) : 0; }

bool holdq_take(struct holdq *q, uint64_t from, uint64_t to, uint64_t *ssn, struct slice *bytes)
{
    struct list *at = last_before(q, from)->next;
    if (at == &q->pieces || piece_at(at)->ssn >= to)
        return false;
    struct piece *piece = piece_at(at);
    uint32_t len = (uint32_t)HW_MIN(piece->bytes.len, to - piece->ssn);
    *ssn = piece->ssn;
    *bytes = slice_sub(piece->bytes, 0, len);
    if (len == piece->bytes.len) {
        forget(q, piece);
    } else { /* the rest belongs to the next mapping */
        hawser_buf_ref(bytes->buf);
        piece->bytes = slice_sub(piece->bytes, len, piece->bytes.len - len);
        piece->ssn += len;
        q->bytes -= len;
    }
    return true;
}

void holdq_drop(struct holdq *q, uint64_t from, uint64_t to)
{
    for (struct list *at; at = last_before(q, from)->next, at != &q->pieces && piece_at(at)->ssn < to;)
        drop(q, piece_at(at));
}

struct csum holdq_sum(struct holdq *q, uint64_t from, uint64_t to)
{
    struct csum sum = {0, false};
    struct list *at = last_before(q, from);
    if (at == &q->pieces)
        at = at->next;
    for (; at != &q->pieces && piece_at(at)->ssn < to; at = at->next) {
        const struct piece *piece = piece_at(at);
        uint64_t start = HW_MAX(piece->ssn, from), end = HW_MIN(end_of(piece), to);
        if (start < end)
            csum_add(&sum, piece->bytes.data + (start - piece->ssn), end - start);
    }
    return sum;
}
