#include "mptcp/rxmap.h"

#include <string.h>

#include "base/compiler.h"

#define CAPACITY_MIN 16

static struct mapping *map_at(const struct rxmap *m, uint32_t i) { return &m->maps[m->first + i]; }

static bool is_infinite(const struct mapping *map) { return !map->len; }

/* One past the mapping's last byte. */
static uint64_t end_of(const struct mapping *map) { return is_infinite(map) ? UINT64_MAX : map->ssn + map->len; }

/* Whether both give every byte the same data sequence number. */
static bool agree(const struct mapping *a, const struct mapping *b) { return a->dsn.v - a->ssn == b->dsn.v - b->ssn; }

void rxmap_init(struct rxmap *m, struct account *account) { *m = (struct rxmap){.account = account}; }

static void free_maps(struct rxmap *m) { account_free(m->account, m->maps, m->capacity * sizeof *m->maps); }

void rxmap_destroy(struct rxmap *m)
{
    free_maps(m);
    rxmap_init(m, m->account);
}

void rxmap_idle(struct rxmap *m)
{
    if (m->count)
        return;
    free_maps(m);
    m->maps = NULL;
    m->first = m->capacity = 0;
}

/* The index of the first mapping that ends after `ssn`; `count` when there is none. */
static uint32_t first_ending_after(const struct rxmap *m, uint64_t ssn)
{
    uint32_t low = 0, high = m->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (end_of(map_at(m, middle)) <= ssn)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Makes room for `more` mappings, of bytes from `ssn` on, behind those kept. They are moved down over the retired ones
 * only when they fill no more than half of the array, so that a move pays for as many arrivals as it moves mappings. */
static bool make_room(struct rxmap *m, uint64_t ssn, uint32_t more)
{
    uint32_t needed = m->count + more;
    if (needed > (ssn <= m->next ? RXMAP_MAX + RXMAP_RESERVE : RXMAP_MAX))
        return false;
    if (m->first + needed <= m->capacity)
        return true;
    if (needed <= m->capacity / 2) {
        memmove(m->maps, map_at(m, 0), m->count * sizeof *m->maps);
        m->first = 0;
        return true;
    }
    uint32_t capacity = HW_MAX(m->capacity, CAPACITY_MIN);
    while (capacity / 2 < needed)
        capacity *= 2;
    enum claim claim = ssn <= m->next ? CLAIM_OWED : CLAIM_SURPLUS; /* it lets those go that keep the array full */
    struct mapping *maps = account_alloc(m->account, capacity * sizeof *maps, claim);
    if (!maps)
        return false;
    if (m->maps)
        memcpy(maps, map_at(m, 0), m->count * sizeof *maps);
    free_maps(m);
    m->maps = maps;
    m->first = 0;
    m->capacity = capacity;
    return true;
}

static enum rxmap_result append(struct rxmap *m, const struct mapping *map)
{
    if (!make_room(m, map->ssn, 1))
        return RXMAP_FULL;
    *map_at(m, m->count++) = *map;
    return RXMAP_ADDED;
}

/* How a declared mapping lies to those in force: which ones it overlaps, and the parts none of them covers; as far as
 * it takes to see that it cannot be added. */
struct overlap {
    uint32_t at, known; /* the mappings [at, at + known) */
    uint32_t gaps;
    bool contradicts;
};

static bool has_too_many(const struct overlap *o) { return o->known + o->gaps > RXMAP_PARTS_MAX; }

static struct overlap find_overlap(const struct rxmap *m, const struct mapping *map)
{
    struct overlap o = {.at = first_ending_after(m, map->ssn)};
    uint64_t covered_to = map->ssn, end = end_of(map);
    for (; o.at + o.known < m->count && map_at(m, o.at + o.known)->ssn < end; o.known++) {
        if (o.contradicts || has_too_many(&o))
            return o;
        const struct mapping *known = map_at(m, o.at + o.known);
        if (!agree(known, map))
            o.contradicts = true;
        if (known->ssn > covered_to) {
            o.gaps++;
            if (known->ssn - covered_to > UINT32_MAX) /* no mapping is as long as that */
                o.contradicts = true;
        }
        covered_to = end_of(known);
    }
    if (covered_to < end)
        o.gaps++;
    return o;
}

/* The part of `map` from `ssn` up to `end`. Its bytes are not all those that the checksum was computed over. */
static struct mapping part_of(const struct mapping *map, uint64_t ssn, uint64_t end)
{
    bool to_infinity = is_infinite(map) && end == UINT64_MAX;
    return (struct mapping){
        .ssn = ssn,
        .dsn = dsn_add(map->dsn, ssn - map->ssn),
        .len = to_infinity ? 0 : (uint32_t)(end - ssn),
    };
}

/* Adds the parts of `map` that no mapping covers. From the back to the front, so that each mapping moves once. */
static enum rxmap_result fill_gaps(struct rxmap *m, const struct mapping *map, struct overlap o)
{
    if (!make_room(m, map->ssn, o.gaps))
        return RXMAP_FULL;
    memmove(map_at(m, o.at + o.known + o.gaps), map_at(m, o.at + o.known),
            (m->count - o.at - o.known) * sizeof *m->maps);
    m->count += o.gaps;
    uint32_t to = o.at + o.known + o.gaps;
    uint64_t end = end_of(map);
    for (uint32_t from = o.at + o.known; from > o.at; from--) {
        struct mapping known = *map_at(m, from - 1);
        if (end_of(&known) < end)
            *map_at(m, --to) = part_of(map, end_of(&known), end);
        *map_at(m, --to) = known;
        end = known.ssn;
    }
    if (map->ssn < end)
        *map_at(m, --to) = part_of(map, map->ssn, end);
    return RXMAP_ADDED;
}

static enum rxmap_result insert(struct rxmap *m, uint32_t at, const struct mapping *map)
{
    if (!make_room(m, map->ssn, 1))
        return RXMAP_FULL;
    memmove(map_at(m, at + 1), map_at(m, at), (m->count - at) * sizeof *m->maps);
    m->count++;
    *map_at(m, at) = *map;
    return RXMAP_ADDED;
}

/* RFC 8684 3.3.1: every packet that a super-segment was cut into repeats its mapping, checksum and all. */
static enum rxmap_result compare(struct mapping *known, const struct mapping *map)
{
    bool same_bytes = known->ssn == map->ssn && known->len == map->len;
    if (same_bytes && known->has_checksum && map->has_checksum && known->checksum != map->checksum)
        return RXMAP_CONFLICT;
    known->ends |= same_bytes && map->ends; /* which may be known later than the bytes */
    return RXMAP_KNOWN;
}

enum rxmap_result rxmap_add(struct rxmap *m, const struct mapping *map, bool allow_split)
{
    if (map->len > UINT64_MAX - map->ssn || map->ssn == UINT64_MAX) /* further than any subflow gets */
        return RXMAP_CONFLICT;
    if (!m->count || map->ssn >= end_of(map_at(m, m->count - 1)))
        return append(m, map);
    struct overlap o = find_overlap(m, map);
    if (o.contradicts)
        return RXMAP_CONFLICT;
    if (has_too_many(&o))
        return RXMAP_FULL;
    if (!o.known)
        return insert(m, o.at, map);
    if (!o.gaps)
        return compare(map_at(m, o.at), map);
    return allow_split ? fill_gaps(m, map, o) : RXMAP_CONFLICT;
}

const struct mapping *rxmap_find(const struct rxmap *m, uint64_t ssn)
{
    if (!m->count)
        return NULL;
    const struct mapping *map = map_at(m, m->count - 1);
    if (ssn < map->ssn) {
        uint32_t at = first_ending_after(m, ssn);
        map = map_at(m, at);
    }
    return map->ssn <= ssn && ssn < end_of(map) ? map : NULL;
}

void rxmap_retire(struct rxmap *m, uint64_t ssn)
{
    uint32_t gone = 0;
    m->next = ssn;
    while (gone < m->count && end_of(map_at(m, gone)) <= ssn)
        gone++;
    m->first += gone;
    m->count -= gone;
    if (!m->count)
        m->first = 0;
}
