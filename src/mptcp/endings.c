#include "mptcp/endings.h"

#include <errno.h>

/* In which nothing is left to be delivered, and nothing was, and yet it does not end. */
#define LINGER_NS (60 * NS_PER_S)

/* In which another subflow may come when the last one is lost. */
#define GRACE_NS (30 * NS_PER_S)

void endings_init(struct endings *e) { *e = (struct endings){.due_ns = TIME_NEVER}; }

static void linger(struct endings *e, const struct ending_facts *facts, uint64_t now_ns)
{
    if (e->in_grace) /* which is sooner over */
        return;
    e->linger_acked = facts->acked_bytes;
    e->due_ns = now_ns + LINGER_NS;
}

void endings_detach(struct endings *e, bool unread)
{
    e->detached = true;
    if (e->asked == ASKED_NOTHING)
        e->asked = unread ? ASKED_RESET : ASKED_LINGER;
}

void endings_ask_abort(struct endings *e) { e->asked = ASKED_ABORT; }

int endings_begin(struct endings *e, const struct ending_facts *facts, uint64_t now_ns)
{
    enum asked asked = e->asked;
    if (!endings_asked(e))
        return 0;
    e->asked = asked == ASKED_ABORT ? ABORTED : ASKED_NOTHING;
    linger(e, facts, now_ns);
    return asked == ASKED_LINGER ? 0 : asked == ASKED_RESET ? -ECONNRESET : -ECONNABORTED;
}

bool endings_unattended(const struct endings *e, bool delivering)
{
    return e->detached && !e->error && e->asked < ASKED_ABORT && delivering;
}

void endings_note(struct endings *e, const struct ending_facts *facts, uint64_t now_ns)
{
    if ((facts->stranded || facts->lost) && !e->detached && !e->error && e->due_ns == TIME_NEVER)
        linger(e, facts, now_ns);
}

void endings_lose(struct endings *e, uint64_t now_ns)
{
    e->in_grace = true;
    e->due_ns = now_ns + GRACE_NS;
}

void endings_recover(struct endings *e, const struct ending_facts *facts, uint64_t now_ns)
{
    if (!e->in_grace)
        return;
    e->in_grace = false;
    e->due_ns = TIME_NEVER;
    if (e->detached)
        linger(e, facts, now_ns);
}

bool endings_on_timer(struct endings *e, const struct ending_facts *facts, uint64_t now_ns)
{
    e->due_ns = TIME_NEVER;
    if (e->in_grace) {
        e->in_grace = false;
        return true;
    }
    if (!e->detached && !facts->stranded && !facts->lost)
        return false;
    bool goes_on = facts->acked_bytes != e->linger_acked || (e->detached && facts->delivering && !facts->lost);
    if (goes_on)
        linger(e, facts, now_ns);
    return !goes_on;
}
