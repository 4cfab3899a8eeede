/*
 * The addresses of both ends (RFC 8684 3.4): which IDs they have, what the peer must be told of ours, which pairs may
 * be tried and when, and what the path manager is to hear of (path_policy.h). It knows neither connection nor subflow.
 *
 * What two hosts with one address each need is in `struct paths`; the rest comes when there is something to remember.
 */
#ifndef HW_MPTCP_PATHS_H
#define HW_MPTCP_PATHS_H

#include "base/account.h"
#include "base/compiler.h"
#include "mptcp/addresses.h"
#include "mptcp/path_plan.h"
#include "wire/mptcp_options.h"

/* Most addresses of the peer: that of the first subflow, and those that it announced. */
#define PATH_REMOTES_MAX (1 + ADDRESSES_MAX)
/* Joins to addresses that the peer announced: so many at once, then one each interval, for they may be anybody's. */
#define PATH_JOINS_BURST 8
#define PATH_JOIN_INTERVAL_NS UINT64_C(4000000000)
/* What the peer is not known to have heard is told again so soon; where another signal would be one too many, once its
 * row has ended. */
#define PATH_REPEAT_NS UINT64_C(1000000000)
/* What the peer says of addresses and priorities, and marks of bytes, which may be reached when they are set, come to
 * the path manager at once, then no more than once in so long: it is shown all of them. */
#define PATH_NEWS_INTERVAL_NS UINT64_C(20000000)
#define PATH_NEWS_IN_TURN                                                                                              \
    (HAWSER_PM_REMOTE_ADDED | HAWSER_PM_REMOTE_REMOVED | HAWSER_PM_REMOTE_REFRESHED | HAWSER_PM_PRIORITY |             \
     HAWSER_PM_BYTES)

/* Addresses of the host. */
struct path_locals {
    const struct local_address *list;
    unsigned count;
};

/* An address of the peer. */
struct path_remote {
    struct hawser_addr addr;
    uint8_t id;
    bool latest; /* of the IDs that the peer gave it */
};

/* How a subflow came to its end. */
enum path_end {
    PATH_END_UNANSWERED, /* no answer to a join */
    PATH_END_REFUSED,    /* the join was refused, or answered without MP_JOIN */
    PATH_END_LOST,       /* it worked, and was reset or timed out */
    PATH_END_CLOSED,     /* the peer closed it */
    PATH_END_USELESS,    /* one end gave it up for good: a middlebox spoils it, say */
    PATH_END_UNOPENED,   /* this end could not begin it */
};

/* What became of an announcement of the peer's. */
enum paths_news {
    PATHS_NO_NEWS, /* it is announced again: what failed there may be tried again */
    PATHS_LEARNED,
    PATHS_INVALID, /* nobody has that address, or not where the peer is; or no port is that one */
    PATHS_TAKEN,   /* the ID stands for another one, whose removal may come yet (RFC 8684 3.4.1) */
    PATHS_LIMITED, /* too many addresses, or too fast */
};

struct path_book;
struct announcements;

#define PATHS_NO_LINK UINT8_MAX

struct paths {
    struct path_plan *plan;
    struct path_book *book;           /* the peer's other addresses, what failed, what it was told; NULL: nothing */
    struct announcements *owed;       /* NULL: nothing is */
    uint64_t wake_ns;                 /* when the path manager is to be called; or TIME_NEVER */
    uint64_t quiet_ns;                /* before that it is not called for PATH_NEWS_IN_TURN */
    struct hawser_addr local, remote; /* of the first subflow, with its ports: those with ID 0 */
    uint16_t news;                    /* what it is to hear of then: set of HAWSER_PM_... */
    uint8_t link;                     /* where it goes out, or PATHS_NO_LINK */
    bool opens : 1;                   /* we do, and not the peer */
    bool confirmed : 1;               /* the path manager may be called */
    bool local_gone : 1;              /* an address that went: ID 0 never comes back */
    bool remote_gone : 1;             /* likewise */
    bool remote_closed : 1;           /* flag C (RFC 8684 3.1) */
    bool rescue : 1;                  /* a refusal speaks for its pair only: none is left that brings the stream */
};

/* Takes over a reference to `plan`. */
void paths_init(struct paths *p, struct path_plan *plan, bool opens);
/* `payer` is charged for what is remembered, which is less than a super-segment takes: the same in every call. `env` is
 * that of the plan. */
void paths_destroy(struct paths *p, struct account *payer, const struct hawser_env *env);
/* The pair of the first subflow. */
void paths_begin(struct paths *p, const struct local_address *local, uint16_t local_port,
                 const struct hawser_addr *remote);
static inline bool paths_begun(const struct paths *p) { return p->remote.port != 0; }
/* If it was that link, there is none, until its address is back. */
static inline void paths_lose_link(struct paths *p, uint8_t link)
{
    if (p->link == link)
        p->link = PATHS_NO_LINK;
}
/* RFC 8684 3.1, flag C: no more subflows to the first address and port. */
void paths_close_first(struct paths *p);

/* The ID by which the peer knows that address of ours (RFC 8684 3.2: 0 is that of the first subflow). */
uint8_t paths_local_id(const struct paths *p, const struct local_address *local);
/* Adds those of addresses that have another one here. */
void paths_former_ids(const struct paths *p, struct address_ids *ids);

/* ---- facts; those that return false found no memory, or too much is remembered ---- */

/* Something happened that the path manager is to hear of. */
static inline void paths_note(struct paths *p, unsigned what) { p->news |= (uint16_t)what; }
/* The peer's first DSS came: it may be called from now on (RFC 8684 3.1). */
static inline void paths_confirm(struct paths *p)
{
    p->confirmed = true;
    paths_note(p, HAWSER_PM_CONFIRMED);
}
/* An address of ours came. */
void paths_local_added(struct paths *p);
bool paths_local_removed(struct paths *p, struct account *payer, const struct local_address *local);
/* It is away, but may come back before anybody has to tell the peer: paths_withdraw() is still to come then. */
void paths_local_rests(struct paths *p, const struct local_address *local);
/* It is back, and a subflow from there goes on under the ID that it had: by that one the peer knows it. False: it has
 * to end. */
bool paths_local_back(struct paths *p, struct account *payer, uint8_t id, const struct local_address *local);
/* One is reached elsewhere from now on: who was told the old place hears that it is gone, and the path manager has to
 * announce it again. */
bool paths_local_moved(struct paths *p, struct account *payer, const struct local_address *local);
/* The peer announced an address; whether it is the peer that did is for others to tell. */
enum paths_news paths_add_addr(struct paths *p, struct account *payer, const struct path_locals *locals,
                               const struct mp_add_addr *add, uint64_t now_ns);
bool paths_owe_echo(struct paths *p, struct account *payer, const struct mp_add_addr *add);
void paths_echoed(struct paths *p, struct account *payer, uint8_t id);
/* False: it knew none with that ID. */
bool paths_remove_addr(struct paths *p, uint8_t remote_id);
/* A subflow of ours is over, and why. */
bool paths_ended(struct paths *p, struct account *payer, const struct local_address *local,
                 const struct hawser_addr *remote, enum path_end why, uint64_t now_ns);
/* The last subflow is lost, or brings no more. `anew`: every pair has its turn at once, but for those that are useless.
 */
void paths_begin_rescue(struct paths *p, bool anew);
/* Since then, and no subflow works yet. */
static inline bool paths_in_rescue(const struct paths *p) { return p->rescue; }
/* One does again. */
static inline void paths_end_rescue(struct paths *p) { p->rescue = false; }

/* So many bytes have moved: is that what the path manager asked for? Then it is to hear of it. */
void paths_note_bytes(struct paths *p, uint64_t bytes);

/* ---- pairs ---- */

/* The i-th address of the peer that may be joined; false: that one must not be. */
bool paths_remote_at(const struct paths *p, unsigned i, struct path_remote *out);
unsigned paths_remote_count(const struct paths *p);
/* Can they meet? */
bool paths_meet(const struct paths *p, const struct local_address *local, const struct hawser_addr *remote);
/* May subflows beside the first use that address of ours? */
bool paths_may_use(const struct paths *p, const struct local_address *local);
/* Did the connection begin with that address of ours, or of the peer's? Even if it went and came back. */
bool paths_began_from(const struct paths *p, const struct local_address *local);
bool paths_began_to(const struct paths *p, const struct hawser_addr *remote);
/* Has somebody refused there, so that nobody else asks (RFC 8684 3.9.3)? */
bool paths_is_refused(const struct paths *p, uint8_t remote_id);
/* When the pair may be tried, apart from that: 0 (at once), later, or TIME_NEVER. */
uint64_t paths_due(struct paths *p, const struct local_address *local, uint8_t remote_id, uint64_t now_ns);
/* What is known of it; NULL: nothing. */
const struct pair *paths_failed(const struct paths *p, const struct local_address *local, uint8_t remote_id);
/* How many pairs failed of which nothing is known any more. */
uint32_t paths_forgotten(const struct paths *p);
/* It is tried now. */
void paths_try(struct paths *p, uint8_t remote_id);
/* Is there a pair but for that one, and not useless either, or may there be one that only the peer knows of? */
bool paths_has_others(const struct paths *p, const struct path_locals *locals, const struct hawser_addr *local,
                      const struct hawser_addr *remote);
/* None is to be tried, now or later: does that mean that all refused, and not that an address of ours is missing? */
bool paths_exhausted(const struct paths *p, const struct path_locals *locals);

/* ---- the path manager's ---- */

/* What it is to hear of now; and it has heard, so that nothing wakes it. */
unsigned paths_take_news(struct paths *p, uint64_t now_ns);
/* When it is to be called, or TIME_NEVER; and then it is, if not before. */
static inline uint64_t paths_wish_due(const struct paths *p)
{
    if (!p->confirmed || !p->news)
        return p->wake_ns;
    return p->news & ~PATH_NEWS_IN_TURN ? 0 : HW_MIN(p->wake_ns, p->quiet_ns);
}
static inline void paths_look_at(struct paths *p, uint64_t at_ns) { p->wake_ns = HW_MIN(p->wake_ns, at_ns); }
/* paths_note_bytes(). False: no memory. */
bool paths_tell_at(struct paths *p, struct account *payer, uint64_t bytes);
/* What it remembers, or NULL. */
void *paths_memory(struct paths *p, struct account *payer);
/* Was the peer told of that address of ours? */
bool paths_announced(const struct paths *p, const struct local_address *local);
/* It is to be told. 0; -EINVAL when it knows it, or can do nothing with it; -ENOBUFS. */
int paths_announce(struct paths *p, struct account *payer, const struct local_address *local, uint16_t port);
bool paths_withdraw(struct paths *p, struct account *payer, const struct local_address *local);
/* It is to be told the priority of the subflow in that slot (RFC 8684 3.3.8). */
bool paths_tell_priority(struct paths *p, struct account *payer, uint8_t slot);

/* ---- options owed ---- */

/* When something must be said again, or the path manager is to be called. */
uint64_t paths_deadline(const struct paths *p);
/* See announcements_turn(). */
unsigned paths_turn(struct paths *p, struct account *payer, uint32_t slots, uint64_t repeat_ns, uint64_t now_ns);
/* Does the subflow in that slot owe the peer an option, as others may do in its stead? And which no other can? */
bool paths_owes(const struct paths *p, uint8_t slot);
bool paths_owes_on(const struct paths *p, uint8_t slot);
/* What any one of them can say: so many acknowledgements. */
unsigned paths_owes_anywhere(const struct paths *p);
/* Adds it: REMOVE_ADDR, MP_PRIO (that of a `backup` or not), and an echo or ADD_ADDR (without its HMAC). */
void paths_write(const struct paths *p, const struct path_locals *locals, uint8_t slot, bool backup,
                 struct mptcp_options *mp);
/* What of that left. True when it announced an address for the first time. */
bool paths_sent(struct paths *p, struct account *payer, uint8_t slot, const struct mptcp_options *sent);

#endif
