#include "mptcp/paths.h"

#include <errno.h>
#include <stdalign.h>
#include <string.h>

#include "base/compiler.h"
#include "base/scope.h"
#include "base/units.h"
#include "mptcp/announcements.h"
#include "mptcp/pairs.h"

/* By ID of the host's. */
#define KNOWN_AS_BYTES 256

struct path_book {
    struct addresses remotes;
    struct pairs failed;
    uint64_t joins_since_ns; /* when the oldest join counted here was allowed */
    uint64_t tell_at;        /* the path manager is to hear when so many bytes have moved; or UINT64_MAX */
    struct address_ids told; /* which addresses of ours the peer was told of */
    uint8_t *known_as;       /* the ID by which it knows the one that has that ID here; 0: the same. NULL: all are */
    uint8_t joins;           /* to announced addresses */
    alignas(max_align_t) uint8_t memory[]; /* the path manager's */
};

static size_t book_bytes(const struct paths *p)
{
    return sizeof(struct path_book) + path_plan_options(p->plan)->manager->conn_bytes;
}

void paths_init(struct paths *p, struct path_plan *plan, bool opens)
{
    *p = (struct paths){.plan = plan, .wake_ns = TIME_NEVER, .opens = opens};
}

void paths_destroy(struct paths *p, struct account *payer, const struct hawser_env *env)
{
    if (p->book) {
        addresses_destroy(&p->book->remotes, payer);
        pairs_destroy(&p->book->failed, payer);
        account_free(payer, p->book->known_as, KNOWN_AS_BYTES);
    }
    account_free(payer, p->book, book_bytes(p));
    account_free(payer, p->owed, sizeof *p->owed);
    path_plan_unref(p->plan, env);
    p->book = NULL;
    p->owed = NULL;
}

void paths_begin(struct paths *p, const struct local_address *local, uint16_t local_port,
                 const struct hawser_addr *remote)
{
    p->local = local->addr;
    p->local.port = local_port;
    p->link = local->link;
    p->remote = *remote;
}

void paths_close_first(struct paths *p) { p->remote_closed = true; }

bool paths_began_from(const struct paths *p, const struct local_address *local)
{
    return hawser_addr_same_ip(&p->local, &local->addr);
}

bool paths_began_to(const struct paths *p, const struct hawser_addr *remote)
{
    return hawser_addr_same_ip(&p->remote, remote) && (remote->port == 0 || remote->port == p->remote.port);
}

uint8_t paths_local_id(const struct paths *p, const struct local_address *local)
{
    if (!p->local_gone && paths_began_from(p, local))
        return 0;
    const uint8_t *known_as = p->book ? p->book->known_as : NULL;
    return known_as && known_as[local->id] ? known_as[local->id] : local->id;
}

void paths_former_ids(const struct paths *p, struct address_ids *ids)
{
    for (unsigned i = 0; p->book && p->book->known_as && i < KNOWN_AS_BYTES; i++)
        if (p->book->known_as[i])
            address_ids_put(ids, p->book->known_as[i], true);
}

static struct path_book *open_book(struct paths *p, struct account *payer)
{
    if (!p->book && (p->book = account_alloc(payer, book_bytes(p), CLAIM_OWED))) {
        memset(p->book, 0, book_bytes(p));
        p->book->tell_at = UINT64_MAX;
    }
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
static bool is_known_there(const struct paths *p, const struct hawser_addr *own, uint8_t link,
                           const struct hawser_addr *remote)
{
    return scope_of(own) == scope_of(remote) && (scope_of(remote) != SCOPE_LINK || link == p->link);
}

bool paths_meet(const struct paths *p, const struct local_address *local, const struct hawser_addr *remote)
{
    return hawser_addr_is_v4(&local->addr) == hawser_addr_is_v4(remote) &&
           is_known_there(p, &local->addr, local->link, remote);
}

bool paths_may_use(const struct paths *p, const struct local_address *local)
{
    return path_plan_allows(p->plan, &local->addr) && path_plan_owns(p->plan, &local->addr);
}

void paths_local_added(struct paths *p)
{
    if (p->opens && p->book) /* what was refused may be welcome from there */
        pairs_forgive(&p->book->failed);
    paths_note(p, HAWSER_PM_LOCAL_ADDED);
}

static bool was_told(const struct path_book *book, uint8_t id) { return book && address_ids_have(&book->told, id); }

bool paths_announced(const struct paths *p, const struct local_address *local)
{
    return was_told(p->book, paths_local_id(p, local));
}

int paths_announce(struct paths *p, struct account *payer, const struct local_address *local, uint16_t port)
{
    uint8_t id = paths_local_id(p, local);
    if (id == 0 || was_told(p->book, id) || !is_known_there(p, &local->outside, local->link, &p->remote))
        return -EINVAL;
    if (!open_book(p, payer) || !open_owed(p, payer) || !announcements_add(p->owed, id, port))
        return -ENOBUFS;
    address_ids_put(&p->book->told, id, true);
    return 0;
}

bool paths_withdraw(struct paths *p, struct account *payer, const struct local_address *local)
{
    uint8_t id = paths_local_id(p, local);
    if (p->book)
        address_ids_put(&p->book->told, id, false);
    if (!open_owed(p, payer))
        return false;
    p->local_gone |= id == 0;
    return announcements_remove(p->owed, id);
}

void paths_local_rests(struct paths *p, const struct local_address *local)
{
    uint8_t id = paths_local_id(p, local);
    if (p->book)
        pairs_forget_local(&p->book->failed, local->id);
    if (p->owed && announcements_take_back(p->owed, id)) /* there is no address to be written now */
        address_ids_put(&p->book->told, id, false);
    if (p->book && p->book->known_as) /* a subflow that rests has it */
        p->book->known_as[local->id] = 0;
    paths_note(p, HAWSER_PM_LOCAL_REMOVED);
}

bool paths_local_back(struct paths *p, struct account *payer, uint8_t id, const struct local_address *local)
{
    if (id == 0)
        p->link = local->link;
    if (id == 0 || id == paths_local_id(p, local))
        return true;
    if (!open_book(p, payer))
        return false;
    if (p->owed && announcements_take_back(p->owed, local->id)) /* by the ID that it has here, as of a new one */
        address_ids_put(&p->book->told, local->id, false);
    if (!p->book->known_as && (p->book->known_as = account_alloc(payer, KNOWN_AS_BYTES, CLAIM_OWED)))
        memset(p->book->known_as, 0, KNOWN_AS_BYTES);
    if (p->book->known_as)
        p->book->known_as[local->id] = id;
    return p->book->known_as != NULL;
}

bool paths_local_removed(struct paths *p, struct account *payer, const struct local_address *local)
{
    bool noted = paths_withdraw(p, payer, local);
    p->local_gone |= paths_local_id(p, local) == 0;
    paths_local_rests(p, local);
    return noted;
}

/* RFC 8684 3.4.1: an ID stands for one address, until that is removed. */
bool paths_local_moved(struct paths *p, struct account *payer, const struct local_address *local)
{
    uint8_t id = paths_local_id(p, local);
    bool told = was_told(p->book, id);
    if (told && p->owed && !announcements_said(p->owed, id))
        return true; /* it will hear of the new place only */
    paths_note(p, HAWSER_PM_LOCAL_ADDED);
    return !told || paths_withdraw(p, payer, local);
}

/* ---- the peer's ---- */

static bool is_valid(const struct paths *p, const struct path_locals *locals, const struct mp_add_addr *add)
{
    if (add->is_v4 != hawser_addr_is_v4(&add->addr) || !scope_is_reachable(&add->addr) ||
        scope_of(&add->addr) != scope_of(&p->remote) || (add->has_port && add->addr.port == 0))
        return false;
    for (unsigned i = 0; i < locals->count; i++)
        if (hawser_addr_same_ip(&locals->list[i].addr, &add->addr) ||
            local_address_broadcasts(&locals->list[i], &add->addr))
            return false;
    /* RFC 8684 3.4.1: an ID stands for one address, until that is removed. */
    return add->address_id != 0 || p->remote_gone || paths_began_to(p, &add->addr);
}

static bool may_join_announced(struct path_book *book, uint64_t now_ns)
{
    uint64_t passed = (now_ns - book->joins_since_ns) / PATH_JOIN_INTERVAL_NS;
    book->joins -= (uint8_t)HW_MIN(passed, (uint64_t)book->joins);
    book->joins_since_ns = book->joins ? book->joins_since_ns + passed * PATH_JOIN_INTERVAL_NS : now_ns;
    return book->joins < PATH_JOINS_BURST;
}

/* What failed there may be tried again. */
static void refresh(struct paths *p, uint8_t remote_id)
{
    if (!p->book)
        return;
    const unsigned failed = p->book->failed.count;
    pairs_forget_remote(&p->book->failed, remote_id);
    if (p->book->failed.count < failed)
        paths_note(p, HAWSER_PM_REMOTE_REFRESHED);
}

enum paths_news paths_add_addr(struct paths *p, struct account *payer, const struct path_locals *locals,
                               const struct mp_add_addr *add, uint64_t now_ns)
{
    if (!is_valid(p, locals, add))
        return PATHS_INVALID;
    if (!p->opens || !path_plan_allows(p->plan, &add->addr))
        return PATHS_NO_NEWS; /* RFC 8684 3.4.1: of no use, so not kept */
    struct known_address known = {.addr = add->addr, .id = add->address_id};
    if (known.addr.port == 0) /* RFC 8684 3.4.1, 3.9.1 */
        known.addr.port = p->remote.port;
    bool first = !p->remote_gone && paths_began_to(p, &known.addr);
    if (first && known.id == 0) {
        refresh(p, 0);
        return PATHS_NO_NEWS;
    }
    struct path_book *book = open_book(p, payer);
    enum addresses_result result = book ? addresses_put(&book->remotes, payer, known.id, &known.addr) : ADDRESSES_FULL;
    if (result == ADDRESSES_TAKEN)
        return PATHS_TAKEN;
    if (first)
        refresh(p, 0);
    if (result == ADDRESSES_FULL)
        return PATHS_LIMITED;
    for (unsigned i = 0; book->failed.count && i < book->remotes.count; i++) /* whatever else it calls that address */
        if (hawser_addr_equal(&book->remotes.list[i].addr, &known.addr))
            refresh(p, book->remotes.list[i].id);
    if (result == ADDRESSES_SAME)
        return may_join_announced(book, now_ns) ? PATHS_NO_NEWS : PATHS_LIMITED;
    paths_note(p, HAWSER_PM_REMOTE_ADDED);
    return may_join_announced(book, now_ns) ? PATHS_LEARNED : PATHS_LIMITED;
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

bool paths_remove_addr(struct paths *p, uint8_t remote_id)
{
    bool known = remote_id == 0 && !p->remote_gone;
    p->remote_gone |= remote_id == 0;
    if (p->book) {
        known |= addresses_drop(&p->book->remotes, remote_id);
        pairs_forget_remote(&p->book->failed, remote_id);
    }
    return known;
}

/* ---- pairs ---- */

/* The first subflow's, then those that it announced. */
bool paths_remote_at(const struct paths *p, unsigned i, struct path_remote *out)
{
    if (i == 0) {
        *out = (struct path_remote){.addr = p->remote, .latest = true};
        return !p->remote_gone && !p->remote_closed;
    }
    const struct known_address *known = &p->book->remotes.list[i - 1];
    *out = (struct path_remote){.addr = known->addr, .id = known->id, .latest = known->latest};
    return !paths_began_to(p, &out->addr) || (p->remote_gone && !p->remote_closed);
}

unsigned paths_remote_count(const struct paths *p) { return 1 + (p->book ? p->book->remotes.count : 0u); }

bool paths_ended(struct paths *p, struct account *payer, const struct local_address *local,
                 const struct hawser_addr *remote, enum path_end why, uint64_t now_ns)
{
    static const enum pair_outcome outcomes[] = {
        [PATH_END_UNANSWERED] = PAIR_UNANSWERED, [PATH_END_REFUSED] = PAIR_REFUSED, [PATH_END_LOST] = PAIR_UNANSWERED,
        [PATH_END_CLOSED] = PAIR_CLOSED,         [PATH_END_USELESS] = PAIR_USELESS, [PATH_END_UNOPENED] = PAIR_UNOPENED,
    };
    struct path_remote at;
    bool noted = true;
    for (unsigned i = 0; p->opens && i < paths_remote_count(p); i++) /* the peer may give one address several IDs */
        if (paths_remote_at(p, i, &at) && hawser_addr_equal(&at.addr, remote))
            noted &=
                open_book(p, payer) && pairs_note(&p->book->failed, payer, local->id, at.id, outcomes[why], now_ns);
    return noted;
}

void paths_begin_rescue(struct paths *p, bool anew)
{
    p->rescue = true;
    if (p->book && anew)
        pairs_forgive(&p->book->failed);
}

const struct pair *paths_failed(const struct paths *p, const struct local_address *local, uint8_t remote_id)
{
    return p->book ? pairs_find(&p->book->failed, local->id, remote_id) : NULL;
}

static bool is_useless(const struct paths *p, const struct local_address *local, uint8_t remote_id)
{
    const struct pair *pair = paths_failed(p, local, remote_id);
    return pair && pair->outcome == PAIR_USELESS;
}

static bool is_usable(const struct paths *p, const struct local_address *local, const struct path_remote *at)
{
    return paths_meet(p, local, &at->addr) && paths_may_use(p, local) && path_plan_allows(p->plan, &at->addr);
}

bool paths_has_others(const struct paths *p, const struct path_locals *locals, const struct hawser_addr *local,
                      const struct hawser_addr *remote)
{
    struct path_remote at;
    if (!p->opens)
        return locals->count > 1;
    for (unsigned r = 0; r < paths_remote_count(p); r++)
        for (unsigned l = 0; paths_remote_at(p, r, &at) && l < locals->count; l++) {
            const struct local_address *from = &locals->list[l];
            bool same = hawser_addr_same_ip(&from->addr, local) && hawser_addr_equal(&at.addr, remote);
            if (!same && is_usable(p, from, &at) && !is_useless(p, from, at.id))
                return true;
        }
    return false;
}

bool paths_exhausted(const struct paths *p, const struct path_locals *locals)
{
    struct path_remote at;
    bool reachable = false, known = false;
    for (unsigned r = 0; r < paths_remote_count(p); r++) {
        if (!paths_remote_at(p, r, &at))
            continue;
        known = true;
        for (unsigned l = 0; l < locals->count; l++)
            reachable |= is_usable(p, &locals->list[l], &at);
    }
    return p->opens && (reachable || !known);
}

bool paths_is_refused(const struct paths *p, uint8_t remote_id)
{
    return p->book && !p->rescue && pairs_refused(&p->book->failed, remote_id);
}

/* When paths_turn() may have settled an ID: what has just been taken back had no turn yet. */
static uint64_t settling_due(const struct paths *p, uint64_t now_ns)
{
    const uint64_t again_ns = p->owed->again_ns;
    return again_ns > now_ns && again_ns != TIME_NEVER ? again_ns : now_ns + PATH_REPEAT_NS;
}

uint64_t paths_due(struct paths *p, const struct local_address *local, uint8_t remote_id, uint64_t now_ns)
{
    if (p->owed && announcements_settling(p->owed, paths_local_id(p, local)))
        return settling_due(p, now_ns);
    if (!p->book)
        return 0;
    const struct pair *pair = pairs_find(&p->book->failed, local->id, remote_id);
    uint64_t due_ns = pair && pair->again_ns > now_ns ? pair->again_ns : 0;
    if (remote_id != 0 && !may_join_announced(p->book, now_ns))
        due_ns = HW_MAX(due_ns, p->book->joins_since_ns + PATH_JOIN_INTERVAL_NS);
    return due_ns;
}

uint32_t paths_forgotten(const struct paths *p) { return p->book ? p->book->failed.forgotten : 0; }

void paths_try(struct paths *p, uint8_t remote_id)
{
    if (remote_id != 0)
        p->book->joins++;
}

/* ---- the path manager's ---- */

unsigned paths_take_news(struct paths *p, uint64_t now_ns)
{
    unsigned news = p->news | (p->wake_ns <= now_ns ? HAWSER_PM_TIMER : 0u);
    if (news & PATH_NEWS_IN_TURN)
        p->quiet_ns = now_ns + PATH_NEWS_INTERVAL_NS;
    p->news = 0;
    p->wake_ns = TIME_NEVER;
    return news;
}

void paths_note_bytes(struct paths *p, uint64_t bytes)
{
    if (!p->book || bytes < p->book->tell_at)
        return;
    p->book->tell_at = UINT64_MAX;
    paths_note(p, HAWSER_PM_BYTES);
}

bool paths_tell_at(struct paths *p, struct account *payer, uint64_t bytes)
{
    if (!open_book(p, payer))
        return false;
    p->book->tell_at = bytes;
    return true;
}

void *paths_memory(struct paths *p, struct account *payer)
{
    bool any = path_plan_options(p->plan)->manager->conn_bytes != 0;
    return any && open_book(p, payer) ? p->book->memory : NULL;
}

bool paths_tell_priority(struct paths *p, struct account *payer, uint8_t slot)
{
    if (!open_owed(p, payer))
        return false;
    announcements_tell_priority(p->owed, slot);
    return true;
}

/* ---- options owed ---- */

uint64_t paths_deadline(const struct paths *p)
{
    return p->owed ? HW_MIN(announcements_due(p->owed), paths_wish_due(p)) : paths_wish_due(p);
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

static void write_announcement(const struct paths *p, const struct path_locals *locals, struct mptcp_options *mp)
{
    const struct announced *next = announcements_next(p->owed);
    for (unsigned i = 0; next && i < locals->count; i++) {
        struct hawser_addr addr = locals->list[i].outside;
        if (paths_local_id(p, &locals->list[i]) != next->id)
            continue;
        addr.port = addr.port ? addr.port : next->port;
        mp->add_addr = (struct mp_add_addr){
            .is_v4 = hawser_addr_is_v4(&addr), .address_id = next->id, .has_port = addr.port != 0, .addr = addr};
        mp->present |= 1u << MPTCP_ADD_ADDR;
    }
}

void paths_write(const struct paths *p, const struct path_locals *locals, uint8_t slot, bool backup,
                 struct mptcp_options *mp)
{
    if (!p->owed)
        return;
    announcements_write_removals(p->owed, slot, mp);
    announcements_write_priority(p->owed, slot, backup, mp);
    if (!announcements_write_echo(p->owed, mp))
        write_announcement(p, locals, mp);
}

bool paths_sent(struct paths *p, struct account *payer, uint8_t slot, const struct mptcp_options *sent)
{
    bool first = p->owed && announcements_sent(p->owed, slot, sent);
    close_owed(p, payer);
    return first;
}
