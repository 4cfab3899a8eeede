#include "base/iset.h"

#include <errno.h>
#include <string.h>

#include "base/compiler.h"

#define INITIAL_CAPACITY 8u

void iset_init(struct iset *s, struct account *account, uint32_t limit)
{
    *s = (struct iset){.account = account, .limit = limit};
}

static uint32_t capacity_of(const struct iset *s) { return s->ranges ? (uint32_t)s->ranges[-1].end : 0; }

static size_t block_size(uint32_t capacity) { return (capacity + (size_t)1) * sizeof(struct range); }

static void free_ranges(struct iset *s)
{
    if (s->ranges)
        account_free(s->account, s->ranges - 1, block_size(capacity_of(s)));
}

void iset_destroy(struct iset *s)
{
    free_ranges(s);
    iset_init(s, s->account, s->limit);
}

void iset_clear(struct iset *s) { s->count = 0; }

void iset_idle(struct iset *s)
{
    if (!s->count)
        iset_destroy(s);
}

/* Index of the first range whose end is at or above `at` (`strictly`: above). */
static uint32_t first_ending(const struct iset *s, uint64_t at, bool strictly)
{
    uint32_t low = 0, high = s->count;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        uint64_t end = s->ranges[mid].end;
        if (end < at || (strictly && end == at))
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

int iset_reserve(struct iset *s, uint32_t count)
{
    if (count > s->limit)
        return -ENOBUFS;
    uint32_t capacity = capacity_of(s);
    if (count <= capacity)
        return 0;
    capacity = HW_MIN(capacity ? 2 * capacity : INITIAL_CAPACITY, s->limit);
    capacity = HW_MAX(capacity, count);
    struct range *block = account_alloc(s->account, block_size(capacity), claim_to_grow(s->ranges));
    if (!block)
        return -ENOBUFS;
    block->end = capacity;
    if (s->ranges)
        memcpy(block + 1, s->ranges, s->count * sizeof *block);
    free_ranges(s);
    s->ranges = block + 1;
    return 0;
}

static void erase(struct iset *s, uint32_t from, uint32_t to)
{
    if (from < to) {
        memmove(s->ranges + from, s->ranges + to, (s->count - to) * sizeof *s->ranges);
        s->count -= to - from;
    }
}

static int insert(struct iset *s, uint32_t at, struct range range)
{
    int err = iset_reserve(s, s->count + 1);
    if (err < 0)
        return err;
    memmove(s->ranges + at + 1, s->ranges + at, (s->count - at) * sizeof *s->ranges);
    s->ranges[at] = range;
    s->count++;
    return 0;
}

int iset_add(struct iset *s, uint64_t start, uint64_t end)
{
    if (start >= end)
        return 0;
    uint32_t first = first_ending(s, start, false), last = first;
    while (last < s->count && s->ranges[last].start <= end)
        last++;
    if (first == last)
        return insert(s, first, (struct range){start, end});
    struct range *merged = &s->ranges[first];
    if (merged->start > start)
        merged->start = start;
    merged->end = s->ranges[last - 1].end > end ? s->ranges[last - 1].end : end;
    erase(s, first + 1, last);
    return 0;
}

int iset_remove(struct iset *s, uint64_t start, uint64_t end)
{
    if (start >= end)
        return 0;
    uint32_t i = first_ending(s, start, true);
    if (i < s->count && s->ranges[i].start < start && s->ranges[i].end > end) {
        struct range tail = {end, s->ranges[i].end};
        int err = insert(s, i + 1, tail);
        if (err == 0)
            s->ranges[i].end = start;
        return err;
    }
    if (i < s->count && s->ranges[i].start < start)
        s->ranges[i++].end = start;
    uint32_t gone = i;
    while (gone < s->count && s->ranges[gone].end <= end)
        gone++;
    if (gone < s->count && s->ranges[gone].start < end)
        s->ranges[gone].start = end;
    erase(s, i, gone);
    return 0;
}

void iset_remove_below(struct iset *s, uint64_t end)
{
    uint32_t gone = first_ending(s, end, true);
    if (gone < s->count && s->ranges[gone].start < end)
        s->ranges[gone].start = end;
    erase(s, 0, gone);
}

const struct range *iset_find(const struct iset *s, uint64_t at)
{
    uint32_t i = first_ending(s, at, true);
    return i < s->count ? &s->ranges[i] : NULL;
}

bool iset_contains(const struct iset *s, uint64_t at)
{
    const struct range *range = iset_find(s, at);
    return range && range->start <= at;
}

struct range iset_first_gap(const struct iset *s, uint64_t from, uint64_t to)
{
    for (uint32_t i = first_ending(s, from, true); from < to; i++) {
        if (i == s->count || s->ranges[i].start >= to)
            return (struct range){from, to};
        if (s->ranges[i].start > from)
            return (struct range){from, s->ranges[i].start};
        from = s->ranges[i].end;
    }
    return (struct range){to, to};
}
