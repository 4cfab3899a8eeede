#include "mptcp/paths.h"

#include <string.h>

#include "base/compiler.h"
#include "base/scope.h"
#include "base/units.h"
#include "mptcp/announcements.h"
#include "mptcp/pairs.h"

struct path_book {
    struct addresses remotes;
    struct pairs failed;
    uint64_t joins_since_ns; /* when the oldest join counted here was allowed */
    uint8_t joins;           /* to announced addresses */
};

void paths_init(struct paths *p, bool opens) { *p = (struct paths){.join_at_ns = TIME_NEVER, .opens = opens}; }

void paths_destroy(struct paths *p, struct account *payer)
{
    if (p->book) {
        addresses_destroy(&p->book->remotes, payer);
        pairs_destroy(&p->book->failed, payer);
    }
    account_free(payer, p->book, sizeof *p->book);
    account_free(payer, p->owed, sizeof *p->owed);
    p->book = NULL;
    p->owed = NULL;
}

void paths_begin(struct paths *p, const struct local_address *local, const struct hawser_addr *remote)
{
    p->local = local->addr;
    p->link = local->link;
    p->remote = *remote;
}

void paths_close_first(struct paths *p) { p->remote_closed = true; }

uint8_t paths_local_id(const struct paths *p, const struct local_address *local)
{
    return !p->local_gone && hawser_addr_same_ip(&p->local, &local->addr) ? 0 : local->id;
}

static struct path_book *open_book(struct paths *p, struct account *payer)
{
    if (!p->book && (p->book = account_alloc(payer, sizeof *p->book, CLAIM_OWED)))
        memset(p->book, 0, sizeof *p->book);
    return p->book;
}

static struct announcements *open_owed(struct paths *p, struct account *payer)
{
    if (!p->owed && (p->owed = account_alloc(payer, sizeof *p->owed, CLAIM_OWED)))
        announcements_init(p->owed);
    return p->owed;
}

static void close_owed(struct paths *p, struct account *payer)
{
    if (!p->owed || !announcements_empty(p->owed))
        return;
    account_free(payer, p->owed, sizeof *p->owed);
    p->owed = NULL;
}

/* ---- addresses of ours ---- */

/* RFC 6724 3.1: an address that means something on one link only does not go beyond it. */
static bool meets(const struct paths *p, const struct local_address *local, const struct hawser_addr *remote)
{
    return scope_meets(&local->addr, remote) && (scope_of(remote) != SCOPE_LINK || local->link == p->link);
}

bool paths_local_added(struct paths *p, struct account *payer, const struct local_address *local)
{
    if (p->opens) { /* what was refused may be welcome from there */
        if (p->book)
            pairs_forgive(&p->book->failed);
        return true;
    }
    uint8_t id = paths_local_id(p, local);
    if (id == 0 || !meets(p, local, &p->remote))
        return true;
    return open_owed(p, payer) && announcements_add(p->owed, id);
}

bool paths_local_removed(struct paths *p, struct account *payer, const struct local_address *local)
{
    uint8_t id = paths_local_id(p, local);
    p->local_gone |= id == 0;
    if (p->book)
        pairs_forget_local(&p->book->failed, local->id);
    return open_owed(p, payer) && announcements_remove(p->owed, id);
}

/* ---- the peer's ---- */

static bool is_first(const struct paths *p, const struct hawser_addr *addr)
{
    return hawser_addr_same_ip(&p->remote, addr) && (addr->port == 0 || addr->port == p->remote.port);
}

static bool is_valid(const struct paths *p, const struct paths_view *view, const struct mp_add_addr *add)
{
    if (add->is_v4 != hawser_addr_is_v4(&add->addr) || !scope_is_reachable(&add->addr) ||
        scope_of(&add->addr) != scope_of(&p->remote) || (add->has_port && add->addr.port == 0))
        return false;
    for (unsigned i = 0; i < view->local_count; i++)
        if (hawser_addr_same_ip(&view->locals[i].addr, &add->addr) ||
            local_address_broadcasts(&view->locals[i], &add->addr))
            return false;
    /* RFC 8684 3.4.1: an ID stands for one address, until that is removed. */
    return add->address_id != 0 || p->remote_gone || is_first(p, &add->addr);
}

static bool may_join_announced(struct path_book *book, uint64_t now_ns)
{
    uint64_t passed = (now_ns - book->joins_since_ns) / PATH_JOIN_INTERVAL_NS;
    book->joins -= (uint8_t)HW_MIN(passed, (uint64_t)book->joins);
    book->joins_since_ns = book->joins ? book->joins_since_ns + passed * PATH_JOIN_INTERVAL_NS : now_ns;
    return book->joins < PATH_JOINS_BURST;
}

enum paths_news paths_add_addr(struct paths *p, struct account *payer, const struct paths_view *view,
                               const struct mp_add_addr *add, uint64_t now_ns)
{
    if (!is_valid(p, view, add))
        return PATHS_INVALID;
    if (!p->opens)
        return PATHS_NO_NEWS; /* RFC 8684 3.4.1: of no use, so not kept */
    bool first = !p->remote_gone && is_first(p, &add->addr);
    if (first && p->book)
        pairs_forget_remote(&p->book->failed, 0);
    if (first && add->address_id == 0)
        return PATHS_NO_NEWS;
    struct path_book *book = open_book(p, payer);
    enum addresses_result result =
        book ? addresses_put(&book->remotes, payer, add->address_id, &add->addr) : ADDRESSES_FULL;
    if (result == ADDRESSES_FULL)
        return PATHS_LIMITED;
    pairs_forget_remote(&book->failed, add->address_id);
    if (!may_join_announced(book, now_ns))
        return PATHS_LIMITED;
    return result == ADDRESSES_SAME ? PATHS_NO_NEWS : PATHS_LEARNED;
}

bool paths_owe_echo(struct paths *p, struct account *payer, const struct mp_add_addr *add)
{
    return open_owed(p, payer) && announcements_echo(p->owed, add);
}

void paths_echoed(struct paths *p, struct account *payer, uint8_t id)
{
    if (p->owed)
        announcements_echoed(p->owed, id);
    close_owed(p, payer);
}

void paths_remove_addr(struct paths *p, uint8_t remote_id)
{
    p->remote_gone |= remote_id == 0;
    if (!p->book)
        return;
    addresses_drop(&p->book->remotes, remote_id);
    pairs_forget_remote(&p->book->failed, remote_id);
}

/* ---- pairs ---- */

/* The i-th address of the peer's that may be joined: the first subflow's, then those that it announced. */
static bool remote_at(const struct paths *p, unsigned i, struct path_wish *out)
{
    if (i == 0) {
        out->remote = p->remote;
        out->remote_id = 0;
        return !p->remote_gone && !p->remote_closed;
    }
    const struct known_address *known = &p->book->remotes.list[i - 1];
    out->remote = known->addr;
    out->remote_id = known->id;
    if (known->addr.port == 0) /* RFC 8684 3.4.1, 3.9.1 */
        out->remote.port = p->remote.port;
    return !is_first(p, &out->remote) || (p->remote_gone && !p->remote_closed);
}

static unsigned remote_count(const struct paths *p) { return 1 + (p->book ? p->book->remotes.count : 0u); }

bool paths_ended(struct paths *p, struct account *payer, const struct local_address *local,
                 const struct hawser_addr *remote, enum path_end why, uint64_t now_ns)
{
    static const enum pair_outcome outcomes[] = {
        [PATH_END_UNANSWERED] = PAIR_UNANSWERED, [PATH_END_REFUSED] = PAIR_REFUSED, [PATH_END_LOST] = PAIR_UNANSWERED,
        [PATH_END_CLOSED] = PAIR_CLOSED,         [PATH_END_USELESS] = PAIR_USELESS,
    };
    struct path_wish at;
    bool noted = true;
    for (unsigned i = 0; p->opens && i < remote_count(p); i++) /* the peer may give one address several IDs */
        if (remote_at(p, i, &at) && hawser_addr_equal(&at.remote, remote))
            noted &= open_book(p, payer) &&
                     pairs_note(&p->book->failed, payer, local->id, at.remote_id, outcomes[why], now_ns);
    return noted;
}

void paths_begin_rescue(struct paths *p, bool anew)
{
    p->rescue = true;
    if (p->book && anew)
        pairs_forgive(&p->book->failed);
}

static bool is_useless(const struct paths *p, const struct path_wish *at)
{
    const struct pair *pair = p->book ? pairs_find(&p->book->failed, at->local->id, at->remote_id) : NULL;
    return pair && pair->outcome == PAIR_USELESS;
}

bool paths_has_others(const struct paths *p, const struct paths_view *view, const struct hawser_addr *local,
                      const struct hawser_addr *remote)
{
    struct path_wish at;
    if (!p->opens)
        return view->local_count > 1;
    for (unsigned r = 0; r < remote_count(p); r++)
        for (unsigned l = 0; remote_at(p, r, &at) && l < view->local_count; l++) {
            at.local = &view->locals[l];
            bool same = hawser_addr_same_ip(&at.local->addr, local) && hawser_addr_equal(&at.remote, remote);
            if (!same && meets(p, at.local, &at.remote) && !is_useless(p, &at))
                return true;
        }
    return false;
}

bool paths_exhausted(const struct paths *p, const struct paths_view *view)
{
    struct path_wish at;
    bool reachable = false, known = false;
    for (unsigned r = 0; r < remote_count(p); r++) {
        if (!remote_at(p, r, &at))
            continue;
        known = true;
        for (unsigned l = 0; l < view->local_count; l++)
            reachable |= meets(p, &view->locals[l], &at.remote);
    }
    return p->opens && p->join_at_ns == TIME_NEVER && (reachable || !known);
}

/* What there is at one end of a pair: sets of uses. */
struct end_state {
    unsigned all, up, tried;
};

static struct end_state state_of(const struct paths_view *view, const struct hawser_addr *addr, bool ours)
{
    struct end_state end = {0};
    for (unsigned i = 0; i < view->use_count; i++) {
        const struct path_use *use = &view->uses[i];
        if (!(ours ? hawser_addr_same_ip(use->local, addr) : hawser_addr_equal(use->remote, addr)))
            continue;
        end.all |= 1u << i;
        end.up |= (unsigned)(use->state == PATH_UP) << i;
        end.tried |= (unsigned)(use->state == PATH_OPENING) << i;
    }
    return end;
}

static bool is_served(const struct end_state *end) { return end->up || end->tried; }

bool paths_is_idle(const struct paths_view *view, unsigned use)
{
    return view->uses[use].state == PATH_UNANSWERED && state_of(view, view->uses[use].local, true).up &&
           state_of(view, view->uses[use].remote, false).up;
}

/* When the pair may be tried (0: at once), and how often it was. */
static uint64_t due_at(struct paths *p, const struct path_wish *wish, uint64_t now_ns, uint8_t *tries)
{
    *tries = 0;
    if (p->owed && announcements_settling(p->owed, paths_local_id(p, wish->local)))
        return p->owed->again_ns; /* when paths_turn() may settle it */
    if (!p->book)
        return 0;
    const struct pair *pair = pairs_find(&p->book->failed, wish->local->id, wish->remote_id);
    if (!p->rescue && pairs_refused(&p->book->failed, wish->remote_id))
        return TIME_NEVER;
    uint64_t due_ns = pair ? pair->again_ns : 0;
    *tries = pair ? pair->tries : 0;
    if (wish->remote_id != 0 && !may_join_announced(p->book, now_ns))
        due_ns = HW_MAX(due_ns, p->book->joins_since_ns + PATH_JOIN_INTERVAL_NS);
    return due_ns;
}

/* The pair with the fewest tries; of those the one with the most ends that have nothing; of those the first. */
static unsigned cost_of(const struct end_state *a, const struct end_state *b, uint8_t tries)
{
    return 4u * tries + !!a->up + !!b->up;
}

/* `ours` are the states of the view's addresses, in its order. True when a pair is to be tried now. */
static bool choose(struct paths *p, const struct paths_view *view, const struct end_state *ours, uint64_t now_ns,
                   struct path_wish *wish)
{
    struct path_wish at;
    unsigned best = UINT32_MAX;
    for (unsigned r = 0; r < remote_count(p); r++) {
        if (!remote_at(p, r, &at))
            continue;
        const struct end_state theirs = state_of(view, &at.remote, false);
        for (unsigned l = 0; l < view->local_count; l++) {
            at.local = &view->locals[l];
            bool served = is_served(&ours[l]) && is_served(&theirs);
            if (served || ours[l].all & theirs.all || !meets(p, at.local, &at.remote))
                continue;
            uint8_t tries;
            uint64_t due_ns = due_at(p, &at, now_ns, &tries);
            if (due_ns > now_ns) {
                p->join_at_ns = HW_MIN(p->join_at_ns, due_ns);
            } else if (cost_of(&ours[l], &theirs, tries) < best) {
                best = cost_of(&ours[l], &theirs, tries);
                *wish = at;
            }
        }
    }
    return best < UINT32_MAX;
}

bool paths_next_untried(struct paths *p, const struct paths_view *view, uint64_t now_ns, struct path_wish *wish)
{
    struct end_state ours[HOST_ADDRESSES_MAX];
    p->join_at_ns = TIME_NEVER;
    if (!p->opens || view->use_count == PATH_USES_MAX)
        return false;
    for (unsigned l = 0; l < view->local_count; l++)
        ours[l] = state_of(view, &view->locals[l].addr, true);
    if (!choose(p, view, ours, now_ns, wish))
        return false;
    if (wish->remote_id != 0)
        p->book->joins++;
    return true;
}

/* ---- options owed ---- */

uint64_t paths_deadline(const struct paths *p)
{
    return p->owed ? HW_MIN(p->owed->again_ns, p->join_at_ns) : p->join_at_ns;
}

unsigned paths_turn(struct paths *p, struct account *payer, uint32_t slots, uint64_t repeat_ns, uint64_t now_ns)
{
    unsigned given_up = p->owed ? announcements_turn(p->owed, slots, repeat_ns, now_ns) : 0;
    close_owed(p, payer);
    return given_up;
}

bool paths_owes_on(const struct paths *p, uint8_t slot) { return p->owed && announcements_due_on(p->owed, slot); }

unsigned paths_owes_anywhere(const struct paths *p) { return p->owed ? announcements_due_anywhere(p->owed) : 0; }

bool paths_owes(const struct paths *p, uint8_t slot) { return paths_owes_on(p, slot) || paths_owes_anywhere(p); }

static void write_announcement(const struct paths *p, const struct paths_view *view, struct mptcp_options *mp)
{
    const struct announced *next = announcements_next(p->owed);
    for (unsigned i = 0; next && i < view->local_count; i++) {
        const struct hawser_addr *addr = &view->locals[i].addr;
        if (paths_local_id(p, &view->locals[i]) != next->id)
            continue;
        mp->add_addr = (struct mp_add_addr){.is_v4 = hawser_addr_is_v4(addr), .address_id = next->id, .addr = *addr};
        mp->present |= 1u << MPTCP_ADD_ADDR;
    }
}

void paths_write(const struct paths *p, const struct paths_view *view, uint8_t slot, struct mptcp_options *mp)
{
    if (!p->owed)
        return;
    announcements_write_removals(p->owed, slot, mp);
    if (!announcements_write_echo(p->owed, mp))
        write_announcement(p, view, mp);
}

bool paths_sent(struct paths *p, struct account *payer, uint8_t slot, const struct mptcp_options *sent)
{
    bool first = p->owed && announcements_sent(p->owed, slot, sent);
    close_owed(p, payer);
    return first;
}
