#include "mptcp/pairs.h"

#include "base/compiler.h"
#include "base/units.h"

static struct pair *entry_of(struct pairs *p, uint8_t local_id, uint8_t remote_id)
{
    for (unsigned i = 0; i < p->count; i++)
        if (p->list[i].local_id == local_id && p->list[i].remote_id == remote_id)
            return &p->list[i];
    return NULL;
}

const struct pair *pairs_find(const struct pairs *p, uint8_t local_id, uint8_t remote_id)
{
    for (unsigned i = 0; i < p->count; i++)
        if (p->list[i].local_id == local_id && p->list[i].remote_id == remote_id)
            return &p->list[i];
    return NULL;
}

static struct pair *due_first(struct pairs *p)
{
    struct pair *first = &p->list[0];
    for (unsigned i = 1; i < p->count; i++)
        if (p->list[i].again_ns < first->again_ns)
            first = &p->list[i];
    return first;
}

bool pairs_note(struct pairs *p, uint8_t local_id, uint8_t remote_id, enum pair_outcome outcome, uint64_t now_ns)
{
    struct pair *pair = entry_of(p, local_id, remote_id);
    bool room = pair || p->count < PAIRS_MAX;
    if (!pair) {
        pair = room ? &p->list[p->count++] : due_first(p);
        *pair = (struct pair){.local_id = local_id, .remote_id = remote_id};
    }
    pair->outcome = (uint8_t)outcome;
    pair->again_ns = TIME_NEVER;
    if (outcome == PAIR_UNANSWERED)
        pair->again_ns = now_ns + (PAIR_RETRY_NS << HW_MIN(pair->tries, (uint8_t)PAIR_DOUBLINGS_MAX));
    if (pair->tries < UINT8_MAX)
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
        if (p->list[i].local_id == local_id)
            p->list[i] = p->list[--p->count];
}

void pairs_forget_remote(struct pairs *p, uint8_t remote_id)
{
    for (unsigned i = p->count; i-- > 0;)
        if (p->list[i].remote_id == remote_id)
            p->list[i] = p->list[--p->count];
}

void pairs_forgive(struct pairs *p)
{
    for (unsigned i = p->count; i-- > 0;)
        if (p->list[i].outcome != PAIR_USELESS)
            p->list[i] = p->list[--p->count];
}
