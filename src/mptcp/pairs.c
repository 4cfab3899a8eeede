#include "mptcp/pairs.h"

#include <string.h>

#include "base/compiler.h"
#include "base/units.h"

#define CAPACITY_MIN 4u

/* Where the pair is, or would be. */
static unsigned place_of(const struct pairs *p, uint8_t local_id, uint8_t remote_id)
{
    unsigned from = 0, to = p->count;
    while (from < to) {
        unsigned middle = (from + to) / 2;
        const struct pair *pair = &p->list[middle];
        if (pair->local_id < local_id || (pair->local_id == local_id && pair->remote_id < remote_id))
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

static struct pair *entry_of(const struct pairs *p, uint8_t local_id, uint8_t remote_id)
{
    unsigned at = place_of(p, local_id, remote_id);
    bool known = at < p->count && p->list[at].local_id == local_id && p->list[at].remote_id == remote_id;
    return known ? &p->list[at] : NULL;
}

const struct pair *pairs_find(const struct pairs *p, uint8_t local_id, uint8_t remote_id)
{
    return entry_of(p, local_id, remote_id);
}

static void forget(struct pairs *p, unsigned i)
{
    p->count--;
    memmove(&p->list[i], &p->list[i + 1], (p->count - i) * sizeof p->list[0]);
}

static unsigned due_first(const struct pairs *p)
{
    unsigned first = 0;
    for (unsigned i = 1; i < p->count; i++)
        if (p->list[i].again_ns < p->list[first].again_ns)
            first = i;
    return first;
}

static bool make_room(struct pairs *p, struct account *payer)
{
    if (p->count < p->capacity)
        return true;
    const unsigned capacity = HW_MAX(2u * p->capacity, CAPACITY_MIN);
    struct pair *list = NULL;
    if (capacity <= PAIRS_MAX)
        list = account_grow(payer, p->list, p->capacity * sizeof *list, capacity * sizeof *list);
    if (!list)
        return false;
    p->list = list;
    p->capacity = (uint16_t)capacity;
    return true;
}

void pairs_destroy(struct pairs *p, struct account *payer)
{
    account_free(payer, p->list, p->capacity * sizeof *p->list);
    *p = (struct pairs){0};
}

static struct pair *add(struct pairs *p, uint8_t local_id, uint8_t remote_id)
{
    unsigned at = place_of(p, local_id, remote_id);
    memmove(&p->list[at + 1], &p->list[at], (p->count - at) * sizeof p->list[0]);
    p->count++;
    p->list[at] = (struct pair){.local_id = local_id, .remote_id = remote_id};
    return &p->list[at];
}

static uint64_t again_at(enum pair_outcome outcome, unsigned tries, uint64_t now_ns)
{
    if (outcome == PAIR_UNOPENED)
        return now_ns + PAIR_RETRY_NS;
    return outcome == PAIR_UNANSWERED ? now_ns + (PAIR_RETRY_NS << HW_MIN(tries, PAIR_DOUBLINGS_MAX)) : TIME_NEVER;
}

bool pairs_note(struct pairs *p, struct account *payer, uint8_t local_id, uint8_t remote_id, enum pair_outcome outcome,
                uint64_t now_ns)
{
    struct pair *pair = entry_of(p, local_id, remote_id);
    bool room = pair || make_room(p, payer);
    p->forgotten += !room;
    if (!room && p->count == 0)
        return false;
    if (!room)
        forget(p, due_first(p));
    if (!pair)
        pair = add(p, local_id, remote_id);
    if (now_ns > pair->again_ns && now_ns - pair->again_ns >= PAIR_STEADY_NS)
        pair->tries = 0;
    pair->outcome = (uint8_t)outcome;
    pair->again_ns = again_at(outcome, pair->tries, now_ns);
    if (pair->tries < UINT8_MAX && outcome != PAIR_UNOPENED)
        pair->tries++;
    return room;
}

bool pairs_refused(const struct pairs *p, uint8_t remote_id)
{
    for (unsigned i = 0; i < p->count; i++)
        if (p->list[i].remote_id == remote_id && p->list[i].outcome == PAIR_REFUSED)
            return true;
    return false;
}

void pairs_forget_local(struct pairs *p, uint8_t local_id)
{
    for (unsigned i = p->count; i-- > 0;)
        if (p->list[i].local_id == local_id && p->list[i].outcome != PAIR_REFUSED)
            forget(p, i);
}

void pairs_forget_remote(struct pairs *p, uint8_t remote_id)
{
    for (unsigned i = p->count; i-- > 0;)
        if (p->list[i].remote_id == remote_id)
            forget(p, i);
}

void pairs_forgive(struct pairs *p)
{
    for (unsigned i = p->count; i-- > 0;)
        if (p->list[i].outcome != PAIR_USELESS)
            forget(p, i);
}
