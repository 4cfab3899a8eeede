#include "tcp/undo.h"

/* Ranges that are remembered; of what is more nobody can say that it was for nothing. */
#define AGAIN_MAX 64

void undo_init(struct undo *u, struct account *payer)
{
    *u = (struct undo){0};
    iset_init(&u->again, payer, AGAIN_MAX);
}

void undo_destroy(struct undo *u) { iset_destroy(&u->again); }

void undo_watch(struct undo *u)
{
    u->possible = true;
    u->echo_awaited = u->resent = false;
    u->needed_bytes = 0;
    iset_clear(&u->again);
}

void undo_resent(struct undo *u, uint64_t start, uint64_t end, uint64_t una, bool has_ts, uint32_t ts)
{
    if (!u->possible)
        return;
    u->needed_bytes += end - start;
    (void)iset_add(&u->again, start, end); /* full: then it counts as needed */
    /* RFC 7323 4.3: a peer echoes what moves its left edge. Behind an older gap it would echo what fills that one. */
    if (!u->resent && has_ts && start == una) {
        u->first_ssn = start;
        u->first_ts = ts;
        u->echo_awaited = true;
    }
    u->resent = true;
}

/* Only what was sent again can have come twice by our doing, and is reported once. */
void undo_duplicate(struct undo *u, uint64_t start, uint64_t end)
{
    const struct range *range = iset_find(&u->again, start);
    if (!range || range->start > start || range->end < end)
        return;
    if (iset_remove(&u->again, start, end) == 0)
        u->needed_bytes -= end - start;
}

static bool echo_tells(struct undo *u, uint64_t una, bool has_echo, uint32_t echo)
{
    if (!u->echo_awaited || una <= u->first_ssn)
        return false;
    u->echo_awaited = false; /* RFC 3522 3.2: the first one decides */
    return has_echo && (int32_t)(echo - u->first_ts) < 0;
}

bool undo_is_due(struct undo *u, uint64_t una, bool has_echo, uint32_t echo)
{
    if (!u->possible || !u->resent)
        return false;
    bool due = echo_tells(u, una, has_echo, echo) || u->needed_bytes == 0;
    if (due)
        u->possible = false;
    return due;
}
