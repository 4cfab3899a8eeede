#include "mptcp/rx_mapping.h"

#include <string.h>

#include "base/check.h"
#include "base/compiler.h"
#include "base/units.h"

/* The pauses of a mapping that was begun, and all of it: a byte now and then must not keep it for ever. */
#define ASSEMBLY_PAUSE_NS (10 * NS_PER_S)
#define ASSEMBLY_TERM_NS (60 * NS_PER_S)

void rx_mapping_init(struct rx_mapping *m, struct pool *pieces, struct store *store, struct account *account)
{
    *m = (struct rx_mapping){.store = store, .account = account};
    rxmap_init(&m->maps, account);
    holdq_init(&m->held, pieces, account);
}

static void end_assembly(struct rx_mapping *m)
{
    if (!m->assembly)
        return;
    hawser_buf_unref(m->assembly->buf);
    account_free(m->account, m->assembly, sizeof *m->assembly);
    m->assembly = NULL;
}

static void release(struct rx_mapping *m)
{
    end_assembly(m);
    packer_release(&m->packer);
}

void rx_mapping_destroy(struct rx_mapping *m)
{
    release(m);
    holdq_destroy(&m->held);
    rxmap_destroy(&m->maps);
}

enum rxmap_result rx_mapping_add(struct rx_mapping *m, const struct mapping *map, bool allow_split)
{
    return rxmap_add(&m->maps, map, allow_split);
}

void rx_mapping_retire(struct rx_mapping *m, uint64_t ssn) { rxmap_retire(&m->maps, ssn); }

/* What lies in a buffer that somebody holds anyway takes no more memory: the next goes behind it, instead of each into
 * one of its own. */
static void release_unshared(struct rx_mapping *m)
{
    if (m->assembly && !m->assembly->len && !buf_is_shared(m->assembly->buf))
        end_assembly(m);
    if (m->packer.buf && !buf_is_shared(m->packer.buf))
        packer_release(&m->packer);
}

void rx_mapping_give_back(struct rx_mapping *m)
{
    if (m->held.count == 0)
        release_unshared(m);
    rxmap_idle(&m->maps);
}

/* Piece by piece, as far as there is room. */
static enum rx_hold hold(struct rx_mapping *m, const struct mapping *map, uint64_t ssn, struct slice bytes,
                         uint32_t *taken)
{
    uint64_t from = map ? map->ssn : ssn, to = map ? mapping_end(map) : ssn;
    while (*taken < bytes.len) {
        struct slice rest = slice_sub(bytes, *taken, bytes.len - *taken);
        struct slice piece =
            packer_keep(&m->packer, m->store, m->account, rest, m->held.bytes + rest.len, CLAIM_SURPLUS);
        if (piece.len == 0 || holdq_add(&m->held, ssn + *taken, piece, from, to) < 0)
            return RX_NO_ROOM;
        *taken += piece.len;
    }
    return RX_HELD;
}

enum rx_hold rx_mapping_hold_unmapped(struct rx_mapping *m, uint64_t ssn, struct slice bytes, uint32_t *taken)
{
    *taken = 0;
    if (m->held.bytes + bytes.len > RX_UNMAPPED_MAX)
        return RX_TOO_MUCH;
    return hold(m, NULL, ssn, bytes, taken);
}

enum rx_hold rx_mapping_hold_ahead(struct rx_mapping *m, const struct mapping *map, uint64_t ssn, struct slice part,
                                   uint32_t *taken)
{
    *taken = 0;
    if (m->held.bytes + part.len > RX_HELD_MAX)
        return RX_NO_ROOM;
    return hold(m, map, ssn, part, taken);
}

bool rx_mapping_is_begun(const struct rx_mapping *m, const struct mapping *map)
{
    const struct assembly *a = m->assembly;
    return a && a->len && a->ssn == map->ssn && a->len == map->len;
}

static struct assembly *new_assembly(struct rx_mapping *m, uint32_t len, enum claim claim)
{
    struct hawser_buf *buf = store_take_room(m->store, m->account, len, claim);
    struct assembly *a = buf ? account_alloc(m->account, sizeof *a, CLAIM_OWED) : NULL;
    if (a)
        *a = (struct assembly){.buf = buf};
    else if (buf)
        hawser_buf_unref(buf);
    return a;
}

/* Room for all of the mapping. */
static bool begin(struct rx_mapping *m, const struct mapping *map, enum claim claim, uint64_t now_ns)
{
    if (m->assembly && hawser_buf_capacity(m->assembly->buf) - m->assembly->used < map->len)
        end_assembly(m);
    if (!m->assembly)
        m->assembly = new_assembly(m, map->len, claim);
    struct assembly *a = m->assembly;
    if (!a)
        return false;
    a->ssn = map->ssn;
    a->len = map->len;
    a->at = a->used;
    a->used += map->len;
    a->begun_ns = now_ns;
    return true;
}

/* Moves a part of a mapping to where the rest of it will come. */
static void gather(struct assembly *a, uint64_t ssn, struct slice *part)
{
    uint64_t offset = ssn - a->ssn;
    CHECK(offset + part->len <= a->len);
    uint8_t *to = hawser_buf_data(a->buf) + a->at + offset;
    memcpy(to, part->data, part->len);
    *part = (struct slice){a->buf, to, part->len};
}

enum rx_hold rx_mapping_hold_next(struct rx_mapping *m, const struct mapping *map, uint64_t ssn, struct slice part,
                                  enum claim claim, uint64_t now_ns)
{
    bool whole = part.len == map->len && !rx_mapping_is_begun(m, map);
    if (!whole || !packer_may_keep(m->account, part, claim)) {
        if (!rx_mapping_is_begun(m, map) && !begin(m, map, claim, now_ns))
            return RX_NO_ROOM;
        gather(m->assembly, ssn, &part);
        m->assembly->touched_ns = now_ns;
    }
    return holdq_add(&m->held, ssn, part, map->ssn, mapping_end(map)) < 0 ? RX_NO_ROOM : RX_HELD;
}

bool rx_mapping_take(struct rx_mapping *m, const struct mapping *map, uint64_t *ssn, struct slice *bytes)
{
    return holdq_take(&m->held, map->ssn, mapping_end(map), ssn, bytes);
}

bool rx_mapping_put_back(struct rx_mapping *m, const struct mapping *map, uint64_t ssn, struct slice bytes)
{
    return holdq_add(&m->held, ssn, bytes, map->ssn, mapping_end(map)) == 0;
}

void rx_mapping_finish(struct rx_mapping *m, const struct mapping *map)
{
    struct assembly *a = m->assembly;
    if (a && a->ssn == map->ssn)
        a->len = 0;
    if (m->held.count == 0)
        release_unshared(m);
}

bool rx_mapping_is_swallowed(const struct rx_mapping *m, uint64_t ssn) { return ssn < m->swallowed_to; }

bool rx_mapping_holds(const struct rx_mapping *m) { return m->held.count > 0; }

void rx_mapping_surrender(struct rx_mapping *m)
{
    m->swallowed_to = HW_MAX(m->swallowed_to, holdq_end(&m->held));
    holdq_drop(&m->held, 0, UINT64_MAX);
    release(m);
}

void rx_mapping_swallow(struct rx_mapping *m, const struct mapping *map)
{
    m->swallowed_to = HW_MAX(m->swallowed_to, mapping_end(map));
    holdq_drop(&m->held, map->ssn, mapping_end(map));
    if (rx_mapping_is_begun(m, map))
        m->assembly->len = 0;
}

bool rx_mapping_is_proved(struct rx_mapping *m, const struct mapping *map)
{
    struct csum sum = holdq_sum(&m->held, map->ssn, mapping_end(map));
    return csum_same(csum_dss(map->dsn.v, (uint32_t)map->ssn, (uint16_t)map->len, &sum), map->checksum);
}

static bool is_unmapped(const struct rx_mapping *m, uint64_t next)
{
    uint64_t ssn;
    return holdq_first(&m->held, &ssn) && ssn < next && !rxmap_find(&m->maps, ssn);
}

void rx_mapping_note_unmapped(struct rx_mapping *m, uint64_t next, uint64_t now_ns)
{
    if (!is_unmapped(m, next))
        m->unmapped_since_ns = 0;
    else if (m->unmapped_since_ns == 0)
        m->unmapped_since_ns = now_ns;
}

uint64_t rx_mapping_unmapped_since(const struct rx_mapping *m) { return m->unmapped_since_ns; }

uint64_t rx_mapping_assembly_due(const struct rx_mapping *m)
{
    const struct assembly *a = m->assembly;
    return a && a->len ? HW_MIN(a->touched_ns + ASSEMBLY_PAUSE_NS, a->begun_ns + ASSEMBLY_TERM_NS) : TIME_NEVER;
}

bool rx_mapping_extend_assembly(struct rx_mapping *m, uint64_t now_ns)
{
    m->assembly->begun_ns = m->assembly->touched_ns = now_ns;
    return !account_is_pressed(m->account) || !account_is_greedy(m->account->parent);
}

void rx_mapping_close(struct rx_mapping *m)
{
    release(m);
    m->unmapped_since_ns = 0;
}

bool rx_mapping_forget_ahead(struct rx_mapping *m, uint64_t next)
{
    uint32_t before = m->held.count;
    holdq_drop(&m->held, next, UINT64_MAX);
    return m->held.count < before;
}
