#include "tcp/rxseq.h"

#include <errno.h>
#include <string.h>

#include "base/check.h"

void rxseq_init(struct rxseq *r, const struct hawser_env *env)
{
    memset(r, 0, sizeof *r);
    iset_init(&r->ahead, env, RXSEQ_GAPS_MAX);
}

void rxseq_destroy(struct rxseq *r) { iset_destroy(&r->ahead); }

void rxseq_start(struct rxseq *r, uint64_t next) { r->next = next; }

struct range rxseq_new_part(const struct rxseq *r, uint64_t from, uint64_t to)
{
    if (from < r->next)
        from = r->next;
    if (from >= to)
        return (struct range){from, from};
    return iset_first_gap(&r->ahead, from, to);
}

static void remember(struct rxseq *r, uint64_t at)
{
    uint64_t kept[RXSEQ_RECENT];
    unsigned n = 0;
    const struct range *own = iset_find(&r->ahead, at);
    kept[n++] = at;
    for (unsigned i = 0; i < r->recent_count && n < RXSEQ_RECENT; i++) {
        const struct range *other = iset_find(&r->ahead, r->recent[i]);
        if (other && other != own && other->start <= r->recent[i])
            kept[n++] = r->recent[i];
    }
    memcpy(r->recent, kept, n * sizeof kept[0]);
    r->recent_count = (uint8_t)n;
}

int rxseq_add(struct rxseq *r, uint64_t start, uint64_t end)
{
    if (start > r->next) {
        int err = iset_add(&r->ahead, start, end);
        if (err < 0)
            return err;
        remember(r, start);
        return 0;
    }
    if (end > r->next)
        r->next = end;
    if (r->ahead.count && r->ahead.ranges[0].start <= r->next) {
        if (r->ahead.ranges[0].end > r->next)
            r->next = r->ahead.ranges[0].end;
        iset_remove_below(&r->ahead, r->next);
    }
    if (r->ahead.count == 0)
        r->recent_count = 0;
    return 0;
}

void rxseq_take_back(struct rxseq *r, uint64_t start, uint64_t from, uint64_t end)
{
    int err = 0;
    if (start < r->next) {
        uint64_t contiguous = r->next;
        r->next = from;
        err = iset_add(&r->ahead, end, contiguous);
    } else if (iset_remove(&r->ahead, from, end) < 0) { /* one range too many */
        err = iset_remove(&r->ahead, start, end);
    }
    CHECK(err == 0); /* there was room for these very ranges before */
}

void rxseq_note_duplicate(struct rxseq *r, uint64_t start, uint64_t end)
{
    if (start < end)
        r->duplicate = (struct range){start, end};
}

static bool listed(const struct range *out, unsigned n, const struct range *range)
{
    for (unsigned i = 0; i < n; i++)
        if (out[i].start == range->start && out[i].end == range->end)
            return true;
    return false;
}

unsigned rxseq_sack_blocks(const struct rxseq *r, struct range *out, unsigned max)
{
    unsigned n = 0, fixed = 0;
    if (r->duplicate.start < r->duplicate.end && n < max) {
        out[n++] = r->duplicate; /* RFC 2883 4: the duplicate first */
        fixed = 1;
    }
    for (unsigned i = 0; i < r->recent_count && n < max; i++) {
        const struct range *range = iset_find(&r->ahead, r->recent[i]);
        if (range && range->start <= r->recent[i] && !listed(out + fixed, n - fixed, range))
            out[n++] = *range;
    }
    for (uint32_t i = 0; i < r->ahead.count && n < max; i++)
        if (!listed(out + fixed, n - fixed, &r->ahead.ranges[i]))
            out[n++] = r->ahead.ranges[i];
    return n;
}
