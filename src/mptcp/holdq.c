#include "mptcp/holdq.h"

#include <errno.h>

#include "base/compiler.h"

struct piece {
    struct list link;
    uint64_t ssn;
    struct slice bytes;
};

static struct piece *piece_at(struct list *node) { return LIST_ENTRY(node, struct piece, link); }

size_t holdq_node_size(void) { return sizeof(struct piece); }

void holdq_init(struct holdq *q, struct pool *nodes)
{
    q->nodes = nodes;
    q->count = 0;
    list_init(&q->pieces);
}

static void forget(struct holdq *q, struct piece *piece)
{
    list_remove(&piece->link);
    pool_put(q->nodes, piece);
    q->count--;
}

void holdq_destroy(struct holdq *q)
{
    LIST_EACH (it, &q->pieces) {
        hawser_buf_unref(piece_at(it)->bytes.buf);
        forget(q, piece_at(it));
    }
}

int holdq_add(struct holdq *q, uint64_t ssn, struct slice bytes)
{
    struct piece *piece = q->count < HOLDQ_MAX ? pool_get(q->nodes) : NULL;
    if (!piece)
        return -ENOBUFS;
    piece->ssn = ssn;
    piece->bytes = bytes;
    hawser_buf_ref(bytes.buf);
    struct list *before = q->pieces.prev; /* arrivals are mostly in order: from the end */
    while (before != &q->pieces && piece_at(before)->ssn > ssn)
        before = before->prev;
    list_insert_after(before, &piece->link);
    q->count++;
    return 0;
}

bool holdq_first(const struct holdq *q, uint64_t *ssn)
{
    struct list *first = list_first(&q->pieces);
    if (first)
        *ssn = piece_at(first)->ssn;
    return first != NULL;
}

bool holdq_take(struct holdq *q, uint64_t from, uint64_t to, uint64_t *ssn, struct slice *bytes)
{
    LIST_EACH (it, &q->pieces) {
        struct piece *piece = piece_at(it);
        if (piece->ssn < from)
            continue;
        if (piece->ssn >= to)
            return false;
        uint32_t len = (uint32_t)HW_MIN(piece->bytes.len, to - piece->ssn);
        *ssn = piece->ssn;
        *bytes = slice_sub(piece->bytes, 0, len);
        if (len == piece->bytes.len) {
            forget(q, piece);
        } else { /* the rest belongs to the next mapping */
            hawser_buf_ref(bytes->buf);
            piece->bytes = slice_sub(piece->bytes, len, piece->bytes.len - len);
            piece->ssn += len;
        }
        return true;
    }
    return false;
}

struct csum holdq_sum(const struct holdq *q, uint64_t from, uint64_t to)
{
    struct csum sum = {0, false};
    LIST_EACH (it, &q->pieces) {
        const struct piece *piece = piece_at(it);
        uint64_t start = HW_MAX(piece->ssn, from), end = HW_MIN(piece->ssn + piece->bytes.len, to);
        if (start < end)
            csum_add(&sum, piece->bytes.data + (start - piece->ssn), end - start);
    }
    return sum;
}
