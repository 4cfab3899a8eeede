#include "mptcp/announcements.h"

#include <string.h>

#include "base/units.h"

void announcements_init(struct announcements *a)
{
    memset(a, 0, sizeof *a);
    a->again_ns = TIME_NEVER;
}

bool announcements_empty(const struct announcements *a)
{
    return a->added_count == 0 && a->removed_count == 0 && a->echo_count == 0 && a->priority_of == 0;
}

/* ---- what is owed ---- */

static void drop_added(struct announcements *a, unsigned i)
{
    a->added_count--;
    memmove(&a->added[i], &a->added[i + 1], (a->added_count - i) * sizeof a->added[0]);
}

static void drop_removed(struct announcements *a, unsigned i)
{
    a->removed_count--;
    memmove(&a->removed[i], &a->removed[i + 1], (a->removed_count - i) * sizeof a->removed[0]);
}

static void withdraw(struct announcements *a, uint8_t id)
{
    for (unsigned i = a->added_count; i-- > 0;)
        if (a->added[i].id == id)
            drop_added(a, i);
}

void announcements_echoed(struct announcements *a, uint8_t id)
{
    if (announcements_said(a, id))
        withdraw(a, id);
}

bool announcements_take_back(struct announcements *a, uint8_t id)
{
    unsigned before = a->added_count;
    withdraw(a, id);
    return a->added_count < before;
}

bool announcements_said(const struct announcements *a, uint8_t id)
{
    for (unsigned i = 0; i < a->added_count; i++)
        if (a->added[i].id == id)
            return a->added[i].tries > 0;
    return true;
}

bool announcements_add(struct announcements *a, uint8_t id, uint16_t port)
{
    withdraw(a, id);
    if (a->added_count == ANNOUNCEMENTS_MAX)
        return false;
    a->fresh = true;
    a->added[a->added_count++] = (struct announced){.id = id, .port = port, .due = true};
    return true;
}

bool announcements_settling(const struct announcements *a, uint8_t id)
{
    for (unsigned i = 0; i < a->removed_count; i++)
        if (a->removed[i].id == id)
            return true;
    return false;
}

bool announcements_remove(struct announcements *a, uint8_t id)
{
    withdraw(a, id);
    for (unsigned i = a->removed_count; i-- > 0;)
        if (a->removed[i].id == id)
            drop_removed(a, i);
    bool room = a->removed_count < MPTCP_REMOVE_MAX;
    if (!room)
        drop_removed(a, 0); /* the oldest, told more often than all others */
    a->fresh = true;
    a->removed[a->removed_count++] = (struct removed){.id = id};
    return room;
}

void announcements_tell_priority(struct announcements *a, uint8_t slot)
{
    a->priority_of |= UINT32_C(1) << slot;
    a->priority_on |= UINT32_C(1) << slot;
    a->priority_rounds = 0;
    a->fresh = true;
}

static bool is_echo_of(const struct echo *echo, const struct mp_add_addr *add)
{
    return echo->id == add->address_id && echo->has_port == add->has_port && hawser_addr_equal(&echo->addr, &add->addr);
}

bool announcements_echo(struct announcements *a, const struct mp_add_addr *add)
{
    for (unsigned i = 0; i < a->echo_count; i++)
        if (is_echo_of(&a->echoes[i], add))
            return true;
    if (a->echo_count == ECHOES_MAX)
        return false;
    a->fresh = true;
    a->echoes[a->echo_count++] =
        (struct echo){.addr = add->addr, .id = add->address_id, .is_v4 = add->is_v4, .has_port = add->has_port};
    return true;
}

/* ---- when ---- */

static unsigned renew_announcements(struct announcements *a)
{
    unsigned given_up = 0;
    for (unsigned i = a->added_count; i-- > 0;) {
        if (a->added[i].tries == ANNOUNCE_TRIES_MAX) {
            drop_added(a, i);
            given_up++;
        } else {
            a->added[i].due = true;
        }
    }
    return given_up;
}

/* A round tells all of them on every subflow. Those of which all rounds are over are settled. */
static void begin_round(struct announcements *a, uint32_t slots)
{
    if (!slots)
        return;
    for (unsigned i = a->removed_count; i-- > 0;)
        if (a->removed[i].rounds++ == REMOVE_ROUNDS_MAX)
            drop_removed(a, i);
    a->tell_on = a->removed_count ? slots : 0;
}

/* The next round, once the last one is over. */
static void renew_priorities(struct announcements *a, uint32_t slots)
{
    if (a->priority_on & slots)
        return;
    if (a->priority_of && ++a->priority_rounds == PRIORITY_ROUNDS_MAX)
        a->priority_of = 0;
    a->priority_on = a->priority_of & slots;
}

unsigned announcements_turn(struct announcements *a, uint32_t slots, uint64_t repeat_ns, uint64_t now_ns)
{
    unsigned given_up = 0;
    bool again = a->again_ns <= now_ns, untold = a->removed_count && a->removed[a->removed_count - 1].rounds == 0;
    a->fresh = false;
    a->tell_on &= slots;
    if (again) {
        given_up = renew_announcements(a);
        renew_priorities(a, slots);
    }
    if (untold || (again && !a->tell_on))
        begin_round(a, slots);
    if (announcements_empty(a))
        a->again_ns = TIME_NEVER;
    else if (again || a->again_ns == TIME_NEVER)
        a->again_ns = now_ns + repeat_ns;
    return given_up;
}

/* ---- on the wire ---- */

static bool is_due(const struct announcements *a, const struct announced *added)
{
    return added->due && !announcements_settling(a, added->id);
}

const struct announced *announcements_next(const struct announcements *a)
{
    const struct announced *next = NULL;
    for (unsigned i = 0; i < a->added_count; i++)
        if (is_due(a, &a->added[i]) && (!next || a->added[i].tries < next->tries))
            next = &a->added[i];
    return next;
}

bool announcements_due_on(const struct announcements *a, uint8_t slot)
{
    return (a->tell_on | a->priority_on) >> slot & 1;
}

unsigned announcements_due_anywhere(const struct announcements *a)
{
    unsigned n = a->echo_count;
    for (unsigned i = 0; i < a->added_count; i++)
        n += is_due(a, &a->added[i]);
    return n;
}

void announcements_write_removals(const struct announcements *a, uint8_t slot, struct mptcp_options *mp)
{
    if (!(a->tell_on >> slot & 1))
        return;
    mp->remove_addr.count = a->removed_count;
    for (unsigned i = 0; i < a->removed_count; i++)
        mp->remove_addr.ids[i] = a->removed[i].id;
    mp->present |= 1u << MPTCP_REMOVE_ADDR;
}

void announcements_write_priority(const struct announcements *a, uint8_t slot, bool backup, struct mptcp_options *mp)
{
    if (!(a->priority_on >> slot & 1))
        return;
    mp->prio.backup = backup;
    mp->present |= 1u << MPTCP_PRIO;
}

bool announcements_write_echo(const struct announcements *a, struct mptcp_options *mp)
{
    if (a->echo_count == 0)
        return false;
    const struct echo *echo = &a->echoes[0];
    mp->add_addr = (struct mp_add_addr){
        .echo = true, .is_v4 = echo->is_v4, .address_id = echo->id, .has_port = echo->has_port, .addr = echo->addr};
    mp->present |= 1u << MPTCP_ADD_ADDR;
    return true;
}

static bool sent_add_addr(struct announcements *a, const struct mp_add_addr *add)
{
    if (add->echo) { /* the one that announcements_write_echo() took */
        a->echo_count--;
        memmove(&a->echoes[0], &a->echoes[1], a->echo_count * sizeof a->echoes[0]);
        return false;
    }
    for (unsigned i = 0; i < a->added_count; i++)
        if (a->added[i].id == add->address_id) {
            a->added[i].due = false;
            return a->added[i].tries++ == 0;
        }
    return false;
}

bool announcements_sent(struct announcements *a, uint8_t slot, const struct mptcp_options *sent)
{
    if (mptcp_has(sent, MPTCP_REMOVE_ADDR))
        a->tell_on &= ~(UINT32_C(1) << slot);
    if (mptcp_has(sent, MPTCP_PRIO))
        a->priority_on &= ~(UINT32_C(1) << slot);
    return mptcp_has(sent, MPTCP_ADD_ADDR) && sent_add_addr(a, &sent->add_addr);
}
