#include "tcp/rxseq.h"

#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "base/compiler.h"

void rxseq_init(struct rxseq *r, struct pool *pool) { *r = (struct rxseq){.pool = pool}; }

static void drop(struct rxseq *r)
{
    if (!r->disorder)
        return;
    struct account *payer = r->disorder->ahead.account;
    iset_destroy(&r->disorder->ahead);
    account_release(payer, sizeof *r->disorder);
    pool_put(r->pool, r->disorder);
    r->disorder = NULL;
}

void rxseq_destroy(struct rxseq *r) { drop(r); }

void rxseq_start(struct rxseq *r, uint64_t next) { r->next = next; }

static struct rx_disorder *need(struct rxseq *r, struct account *payer)
{
    if (r->disorder)
        return r->disorder;
    struct rx_disorder *d = pool_get(r->pool);
    if (!d)
        return NULL;
    memset(d, 0, sizeof *d);
    account_charge(payer, sizeof *d);
    iset_init(&d->ahead, payer, RXSEQ_GAPS_MAX);
    return r->disorder = d;
}

struct range rxseq_new_part(const struct rxseq *r, uint64_t from, uint64_t to)
{
    if (from < r->next)
        from = r->next;
    if (from >= to)
        return (struct range){from, from};
    return r->disorder ? iset_first_gap(&r->disorder->ahead, from, to) : (struct range){from, to};
}

struct range rxseq_old_part(const struct rxseq *r, uint64_t from, uint64_t to)
{
    const struct range *held = r->disorder ? iset_find(&r->disorder->ahead, from) : NULL;
    struct range old = {from, from};
    if (from < r->next)
        old.end = HW_MIN(to, r->next);
    else if (held && held->start < to)
        old = (struct range){HW_MAX(from, held->start), HW_MIN(to, held->end)};
    return old;
}

static void remember(struct rx_disorder *d, uint64_t at)
{
    uint64_t kept[RXSEQ_RECENT];
    unsigned n = 0;
    const struct range *own = iset_find(&d->ahead, at);
    kept[n++] = at;
    for (unsigned i = 0; i < d->recent_count && n < RXSEQ_RECENT; i++) {
        const struct range *other = iset_find(&d->ahead, d->recent[i]);
        if (other && other != own && other->start <= d->recent[i])
            kept[n++] = d->recent[i];
    }
    memcpy(d->recent, kept, n * sizeof kept[0]);
    d->recent_count = (uint8_t)n;
}

/* Beyond `next`. What continues a range needs no other, however much of it is taken back; anything else may need one.
 */
static int add_ahead(struct rxseq *r, struct account *payer, uint64_t start, uint64_t end)
{
    struct rx_disorder *d = need(r, payer);
    if (!d)
        return -ENOBUFS;
    bool continues = start > 0 && iset_contains(&d->ahead, start - 1);
    if (!continues && (d->ahead.count >= RXSEQ_GAPS_MAX || iset_reserve(&d->ahead, d->ahead.count + 1) < 0))
        return -ENOBUFS;
    int err = iset_add(&d->ahead, start, end);
    CHECK(err == 0);
    remember(d, start);
    return 0;
}

int rxseq_add(struct rxseq *r, struct account *payer, uint64_t start, uint64_t end)
{
    if (start > r->next)
        return add_ahead(r, payer, start, end);
    struct rx_disorder *d = r->disorder;
    if (end > r->next)
        r->next = end;
    if (d && d->ahead.count && d->ahead.ranges[0].start <= r->next) {
        if (d->ahead.ranges[0].end > r->next)
            r->next = d->ahead.ranges[0].end;
        iset_remove_below(&d->ahead, r->next);
    }
    return 0;
}

void rxseq_settle(struct rxseq *r)
{
    struct rx_disorder *d = r->disorder;
    if (!d || d->ahead.count)
        return;
    if (d->duplicate.start < d->duplicate.end)
        d->recent_count = 0;
    else
        drop(r);
}

void rxseq_take_back(struct rxseq *r, uint64_t start, uint64_t from, uint64_t end)
{
    int err = 0;
    if (start < r->next) {
        uint64_t contiguous = r->next;
        r->next = from;
        if (end < contiguous)
            err = iset_add(&r->disorder->ahead, end, contiguous);
    } else {
        err = iset_remove(&r->disorder->ahead, from, end);
    }
    CHECK(err == 0); /* there was room for these very ranges before, or rxseq_add() made it */
}

void rxseq_forget_ahead(struct rxseq *r) { drop(r); }

void rxseq_note_duplicate(struct rxseq *r, struct account *payer, uint64_t start, uint64_t end)
{
    if (start >= end || !need(r, payer))
        return;
    struct range *told = &r->disorder->duplicate;
    if (told->start < told->end && start == told->end)
        start = told->start;
    else if (told->start < told->end && end == told->start)
        end = told->end;
    *told = (struct range){start, end};
    if (end > r->next) /* RFC 2883 4: the block that holds it comes next */
        remember(r->disorder, end - 1);
}

void rxseq_blocks_sent(struct rxseq *r)
{
    if (!r->disorder)
        return;
    r->disorder->duplicate = (struct range){0, 0};
    rxseq_settle(r);
}

static bool listed(const struct range *out, unsigned n, const struct range *range)
{
    for (unsigned i = 0; i < n; i++)
        if (out[i].start == range->start && out[i].end == range->end)
            return true;
    return false;
}

unsigned rxseq_sack_blocks(const struct rxseq *r, struct range *out, unsigned max, unsigned later)
{
    const struct rx_disorder *d = r->disorder;
    unsigned n = 0, fixed = 0;
    if (!d)
        return 0;
    if (d->duplicate.start < d->duplicate.end && n < max) {
        out[n++] = d->duplicate; /* RFC 2883 4: the duplicate first */
        fixed = 1;
        later = 0;
    }
    for (unsigned i = 0; i < d->recent_count && n < max; i++) {
        uint64_t at = d->recent[(i + later) % d->recent_count];
        const struct range *range = iset_find(&d->ahead, at);
        if (range && range->start <= at && !listed(out + fixed, n - fixed, range))
            out[n++] = *range;
    }
    for (uint32_t i = 0; i < d->ahead.count && n < max; i++)
        if (!listed(out + fixed, n - fixed, &d->ahead.ranges[i]))
            out[n++] = d->ahead.ranges[i];
    return n;
}
