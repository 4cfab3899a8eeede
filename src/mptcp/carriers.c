#include "mptcp/carriers.h"

#include "base/check.h"
#include "base/compiler.h"

#define CAPACITY_MIN 8u

static struct carrier_run *run_at(const struct carriers *c, uint32_t i)
{
    return &c->ring[(c->head + i) & (c->capacity - 1)];
}

void carriers_init(struct carriers *c, struct account *account, dsn64 first)
{
    *c = (struct carriers){.account = account, .ring = &c->one, .capacity = 1, .begin = first};
}

static void free_ring(struct carriers *c)
{
    if (c->ring != &c->one)
        account_free(c->account, c->ring, c->capacity * sizeof *c->ring);
    c->ring = &c->one;
    c->head = 0;
    c->capacity = 1;
}

void carriers_destroy(struct carriers *c)
{
    free_ring(c);
    c->count = 0;
}

static bool make_room(struct carriers *c)
{
    if (c->count < c->capacity)
        return true;
    uint32_t capacity = HW_MAX(2 * c->capacity, CAPACITY_MIN);
    struct carrier_run *ring = NULL;
    if (capacity <= CARRIER_RUNS_MAX)
        ring = account_alloc(c->account, capacity * sizeof *ring, claim_to_grow(c->ring == &c->one ? NULL : c->ring));
    if (!ring)
        return false;
    for (uint32_t i = 0; i < c->count; i++)
        ring[i] = *run_at(c, i);
    free_ring(c);
    c->ring = ring;
    c->capacity = capacity;
    return true;
}

void carriers_push(struct carriers *c, dsn64 end, uint8_t slot)
{
    struct carrier_run *last = c->count ? run_at(c, c->count - 1) : NULL;
    if (last && (last->slot == slot || !make_room(c))) {
        last->end = end;
        return;
    }
    *run_at(c, c->count++) = (struct carrier_run){end, slot};
}

uint8_t carriers_oldest(const struct carriers *c) { return c->count ? run_at(c, 0)->slot : CARRIER_NONE; }

uint32_t carriers_acked(struct carriers *c, dsn64 upto, const struct iset *repeated, dsn64 base)
{
    uint32_t merit = 0;
    while (c->count && dsn_lt(c->begin, upto)) {
        const struct carrier_run *run = run_at(c, 0);
        dsn64 end = dsn_min(run->end, upto);
        struct range once = iset_first_gap(repeated, c->begin.v - base.v, end.v - base.v);
        if (run->slot != CARRIER_NONE && once.start < once.end)
            merit |= UINT32_C(1) << run->slot;
        c->begin = end;
        if (dsn_lt(end, run->end))
            break;
        c->head = (c->head + 1) & (c->capacity - 1);
        c->count--;
    }
    if (c->count == 0)
        free_ring(c);
    return merit;
}

void carriers_forget(struct carriers *c, uint8_t slot)
{
    for (uint32_t i = 0; i < c->count; i++)
        if (run_at(c, i)->slot == slot)
            run_at(c, i)->slot = CARRIER_NONE;
}
