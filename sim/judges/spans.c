#include "sim/judges/spans.h"

#include <string.h>

#include "base/compiler.h"
#include "sim/memory.h"

#define CAPACITY_MIN 8u

void spans_fini(struct spans *s)
{
    sim_free(s->islands);
    *s = (struct spans){0};
}

size_t spans_find(const struct spans *s, uint64_t at)
{
    size_t low = 0, high = s->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (s->islands[middle].end > at)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static void drop(struct spans *s, size_t from, size_t to)
{
    if (from == to)
        return;
    memmove(s->islands + from, s->islands + to, (s->count - to) * sizeof *s->islands);
    s->count -= to - from;
}

static bool make_room(struct spans *s)
{
    if (s->count < s->capacity)
        return true;
    if (s->count >= SPANS_ISLANDS_MAX)
        return false;
    size_t capacity = s->capacity ? 2 * s->capacity : CAPACITY_MIN;
    struct span *islands = sim_new(capacity * sizeof *islands);
    if (s->count)
        memcpy(islands, s->islands, s->count * sizeof *islands);
    sim_free(s->islands);
    s->islands = islands;
    s->capacity = capacity;
    return true;
}

/* `next` moved: islands that it reached are land now. */
static void absorb(struct spans *s)
{
    size_t n = 0;
    while (n < s->count && s->islands[n].start <= s->next) {
        s->next = HW_MAX(s->next, s->islands[n].end);
        n++;
    }
    drop(s, 0, n);
}

bool spans_add(struct spans *s, uint64_t start, uint64_t end)
{
    if (start >= end)
        return true;
    if (start <= s->next) {
        s->next = HW_MAX(s->next, end);
        absorb(s);
        return true;
    }
    size_t first = spans_find(s, start - 1), last = first; /* an island that ends at `start` touches */
    while (last < s->count && s->islands[last].start <= end)
        last++;
    if (first == last) {
        if (!make_room(s))
            return false;
        memmove(s->islands + first + 1, s->islands + first, (s->count - first) * sizeof *s->islands);
        s->islands[first] = (struct span){start, end};
        s->count++;
        return true;
    }
    s->islands[first].start = HW_MIN(s->islands[first].start, start);
    s->islands[first].end = HW_MAX(s->islands[last - 1].end, end);
    drop(s, first + 1, last);
    return true;
}

bool spans_has(const struct spans *s, uint64_t start, uint64_t end)
{
    if (end <= s->next || start >= end)
        return true;
    if (start < s->next)
        return false; /* islands never touch `next` */
    size_t i = spans_find(s, start);
    return i < s->count && s->islands[i].start <= start && s->islands[i].end >= end;
}
