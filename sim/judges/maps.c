#include "sim/judges/maps.h"

#include <string.h>

#include "base/compiler.h"
#include "sim/memory.h"

#define CAPACITY_MIN 8u

void maps_fini(struct maps *m)
{
    sim_free(m->all);
    *m = (struct maps){0};
}

/* Index of the first mapping that ends after `at`. Nearly always it is the last one, or there is none. */
static size_t find(const struct maps *m, uint64_t at)
{
    size_t low = m->first, high = m->first + m->count;
    if (m->count && m->all[high - 1].end <= at)
        return high;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (m->all[middle].end > at)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

const struct map *maps_find(const struct maps *m, uint64_t at)
{
    size_t i = find(m, at);
    return i < m->first + m->count ? &m->all[i] : NULL;
}

const struct map *maps_next(const struct maps *m, const struct map *map)
{
    return map + 1 < m->all + m->first + m->count ? map + 1 : NULL;
}

static bool make_room(struct maps *m)
{
    if (m->first + m->count < m->capacity)
        return true;
    if (m->count >= MAPS_MAX)
        return false;
    size_t capacity = 2 * m->count > m->capacity ? 2 * m->capacity : m->capacity;
    if (capacity == 0)
        capacity = CAPACITY_MIN;
    struct map *all = sim_new(capacity * sizeof *all);
    if (m->count)
        memcpy(all, m->all + m->first, m->count * sizeof *all);
    sim_free(m->all);
    m->all = all;
    m->first = 0;
    m->capacity = capacity;
    return true;
}

static enum maps_result insert(struct maps *m, size_t at, const struct map *map)
{
    size_t place = at - m->first;
    if (!make_room(m))
        return MAPS_FULL;
    struct map *slot = m->all + m->first + place;
    memmove(slot + 1, slot, (m->count - place) * sizeof *slot);
    *slot = *map;
    m->count++;
    return MAPS_NEW;
}

static bool same(const struct map *a, const struct map *b)
{
    return a->start == b->start && a->end == b->end && a->data == b->data && a->has_checksum == b->has_checksum &&
           a->checksum == b->checksum;
}

enum maps_result maps_declare(struct maps *m, const struct map *map)
{
    size_t i = find(m, map->start);
    if (i == m->first + m->count || m->all[i].start >= map->end)
        return insert(m, i, map);
    return same(&m->all[i], map) ? MAPS_KNOWN : MAPS_CONFLICT;
}

static bool same_relation(const struct map *a, const struct map *b) { return a->data - a->start == b->data - b->start; }

enum maps_result maps_learn(struct maps *m, const struct map *map)
{
    size_t i = find(m, map->start ? map->start - 1 : 0); /* one that ends at the start can grow */
    size_t end = m->first + m->count, last = i;
    struct map sum = *map;
    if (i < end && m->all[i].end == map->start && !same_relation(&m->all[i], map))
        last = ++i;
    for (; last < end && m->all[last].start <= map->end; last++) {
        const struct map *other = &m->all[last];
        if (!same_relation(other, map)) {
            if (other->start == map->end)
                break;
            return MAPS_CONFLICT;
        }
        if (other->start <= map->start && other->end >= map->end)
            return MAPS_KNOWN;
        if (other->start < sum.start) {
            sum.start = other->start;
            sum.data = other->data;
        }
        sum.end = HW_MAX(sum.end, other->end);
    }
    if (i == last)
        return insert(m, i, map);
    m->all[i] = sum;
    memmove(m->all + i + 1, m->all + last, (end - last) * sizeof *m->all);
    m->count -= last - i - 1;
    return MAPS_NEW;
}

bool maps_cover(const struct maps *m, uint64_t start, uint64_t end)
{
    for (const struct map *map = maps_find(m, start); map && start < end; map = maps_next(m, map)) {
        if (map->start > start)
            return false;
        start = map->end;
    }
    return start >= end;
}

void maps_retire(struct maps *m, uint64_t before)
{
    while (m->count > 1 && m->all[m->first + 1].end <= before) {
        m->first++;
        m->count--;
    }
}
