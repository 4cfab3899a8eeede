#include "mptcp/endings.h"

#include <errno.h>

#include "base/compiler.h"

/* In which nothing is left to be delivered, and nothing was, and yet it does not end. */
#define LINGER_NS (60 * NS_PER_S)

/* In which another subflow may come when the last one is lost; and it has to bring a stream on, or to last so long.
 * Where it was an address of ours that went, that may take as long as the user timeout (RFC 5482 1). */
#define GRACE_NS (30 * NS_PER_S)

void endings_init(struct endings *e)
{
    *e = (struct endings){.linger_until_ns = TIME_NEVER, .rescue_until_ns = TIME_NEVER};
}

static void linger(struct endings *e, const struct ending_facts *facts, uint64_t now_ns)
{
    e->linger_acked = facts->acked_bytes;
    e->linger_until_ns = now_ns + LINGER_NS;
}

void endings_finish(struct endings *e, bool unread)
{
    e->finished = true;
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

bool endings_strand(struct endings *e, const struct ending_facts *facts)
{
    bool anew = e->linger_until_ns == TIME_NEVER || facts->moved != e->rescue_moved;
    e->rescue_moved = facts->moved;
    return anew;
}

void endings_note(struct endings *e, const struct ending_facts *facts, uint64_t now_ns)
{
    if (facts->stranded && !e->finished && !e->error && e->linger_until_ns == TIME_NEVER)
        linger(e, facts, now_ns);
}

bool endings_lose(struct endings *e, const struct ending_facts *facts, int error, uint64_t now_ns)
{
    bool own_doing = e->rescue == RESCUE_ON_TRIAL && error == -EADDRNOTAVAIL;
    bool anew = e->rescue == RESCUE_NONE || own_doing || facts->moved != e->rescue_moved;
    e->rescue = RESCUE_AWAITED;
    e->lost_error = (int16_t)error;
    if (anew) {
        uint64_t longer_ns = error == -EADDRNOTAVAIL ? facts->user_timeout_ns : 0;
        e->rescue_until_ns = time_after(HW_MAX(GRACE_NS, longer_ns), now_ns);
        e->rescue_moved = facts->moved;
    }
    return anew;
}

void endings_recover(struct endings *e)
{
    if (e->rescue == RESCUE_AWAITED)
        e->rescue = RESCUE_ON_TRIAL;
}

void endings_resume(struct endings *e)
{
    e->rescue = RESCUE_NONE;
    e->rescue_until_ns = TIME_NEVER;
}

static bool rescue_failed(struct endings *e)
{
    bool failed = endings_awaits_rescue(e);
    endings_resume(e);
    return failed;
}

/* Who waits for another subflow has a time for that. */
static bool lingers_in_vain(struct endings *e, const struct ending_facts *facts, uint64_t now_ns)
{
    e->linger_until_ns = TIME_NEVER;
    if (!e->finished && !facts->stranded)
        return false;
    bool goes_on =
        facts->acked_bytes != e->linger_acked || (e->finished ? facts->delivering : endings_awaits_rescue(e));
    if (goes_on)
        linger(e, facts, now_ns);
    return !goes_on;
}

void endings_watch_delivery(struct endings *e, bool waits, uint64_t now_ns)
{
    if (!waits || e->error)
        e->waits_since_ns = 0;
    else if (e->waits_since_ns == 0)
        e->waits_since_ns = now_ns;
}

static uint64_t user_timeout_due(const struct endings *e, uint64_t wait_ns)
{
    return e->waits_since_ns && wait_ns ? time_after(wait_ns, e->waits_since_ns) : TIME_NEVER;
}

uint64_t endings_due(const struct endings *e, uint64_t own_timeout_ns)
{
    return HW_MIN(user_timeout_due(e, own_timeout_ns), HW_MIN(e->linger_until_ns, e->rescue_until_ns));
}

bool endings_on_timer(struct endings *e, const struct ending_facts *facts, uint64_t now_ns)
{
    if (user_timeout_due(e, facts->own_timeout_ns) <= now_ns || (e->rescue_until_ns <= now_ns && rescue_failed(e)))
        return true;
    return e->linger_until_ns <= now_ns && lingers_in_vain(e, facts, now_ns);
}
