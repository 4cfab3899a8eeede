/*
 * The addresses of both ends (RFC 8684 3.4): which IDs they have, what the peer must be told of ours, and which pairs
 * are worth a subflow. It knows neither connection nor subflow: facts go in, and each time something may have changed a
 * view of what is there; wishes, options and the next deadline come out.
 *
 * Policy: the host that opened the connection opens its subflows, the other one announces its addresses, for a NAT may
 * stand before the first. Every address of either end shall have a subflow that works: pairs of two that have none come
 * first, and whoever went unanswered makes way for pairs that were never tried.
 *
 * What two hosts with one address each need is in `struct paths`; the rest comes when there is something to remember.
 */
#ifndef HW_MPTCP_PATHS_H
#define HW_MPTCP_PATHS_H

#include "base/account.h"
#include "base/compiler.h"
#include "mptcp/addresses.h"
#include "wire/mptcp_options.h"

/* Most subflows of a view. */
#define PATH_USES_MAX 32
/* Joins to addresses that the peer announced: so many at once, then one each interval, for they may be anybody's. */
#define PATH_JOINS_BURST 8
#define PATH_JOIN_INTERVAL_NS UINT64_C(4000000000)

enum path_state {
    PATH_OPENING,
    PATH_UNANSWERED, /* its SYN was sent again */
    PATH_UP,
    PATH_SILENT, /* it was up, and does not answer any more */
};

/* A subflow. */
struct path_use {
    const struct hawser_addr *local, *remote;
    enum path_state state;
};

/* What there is now: addresses of ours, and subflows. */
struct paths_view {
    const struct local_address *locals;
    unsigned local_count, use_count;
    struct path_use uses[PATH_USES_MAX];
};

/* A pair that shall have a subflow. */
struct path_wish {
    const struct local_address *local;
    struct hawser_addr remote;
    uint8_t remote_id;
};

/* How a subflow came to its end. */
enum path_end {
    PATH_END_UNANSWERED, /* no answer to a join */
    PATH_END_REFUSED,    /* the join was refused, or answered without MP_JOIN */
    PATH_END_LOST,       /* it worked, and was reset or timed out */
    PATH_END_CLOSED,     /* the peer closed it */
    PATH_END_USELESS,    /* one end gave it up for good: a middlebox spoils it, say */
};

/* What became of an announcement of the peer's. */
enum paths_news {
    PATHS_NO_NEWS, /* it is announced again: what failed there may be tried again */
    PATHS_LEARNED,
    PATHS_INVALID, /* nobody has that address, or not where the peer is; or no port is that one */
    PATHS_LIMITED, /* too many addresses, or too fast */
};

struct path_book;
struct announcements;

struct paths {
    struct path_book *book;           /* the peer's other addresses and what failed; NULL: nothing */
    struct announcements *owed;       /* NULL: nothing is */
    uint64_t join_at_ns;              /* when a pair will have its turn again; TIME_NEVER: none waits */
    struct hawser_addr local, remote; /* of the first subflow: those with ID 0 */
    uint8_t link;                     /* where it goes out */
    bool opens : 1;                   /* we do, and not the peer */
    bool local_gone : 1;              /* an address that went: ID 0 never comes back */
    bool remote_gone : 1;             /* likewise */
    bool remote_closed : 1;           /* flag C (RFC 8684 3.1) */
    bool rescue : 1;                  /* a refusal speaks for its pair only: none is left that brings the stream */
};

void paths_init(struct paths *p, bool opens);
/* `payer` is charged for what is remembered, which is less than a super-segment takes: the same in every call. */
void paths_destroy(struct paths *p, struct account *payer);
/* The pair of the first subflow. */
void paths_begin(struct paths *p, const struct local_address *local, const struct hawser_addr *remote);
static inline bool paths_begun(const struct paths *p) { return p->remote.port != 0; }
/* RFC 8684 3.1, flag C: no more subflows to the first address and port. */
void paths_close_first(struct paths *p);

/* The ID by which the peer knows that address of ours (RFC 8684 3.2: 0 is that of the first subflow). */
uint8_t paths_local_id(const struct paths *p, const struct local_address *local);

/* ---- facts; those that return false found no memory, or too much is remembered ---- */

/* An address of ours came, or may be used from now on. */
bool paths_local_added(struct paths *p, struct account *payer, const struct local_address *local);
bool paths_local_removed(struct paths *p, struct account *payer, const struct local_address *local);
/* The peer announced an address; whether it is the peer that did is for others to tell. */
enum paths_news paths_add_addr(struct paths *p, struct account *payer, const struct paths_view *view,
                               const struct mp_add_addr *add, uint64_t now_ns);
bool paths_owe_echo(struct paths *p, struct account *payer, const struct mp_add_addr *add);
void paths_echoed(struct paths *p, struct account *payer, uint8_t id);
void paths_remove_addr(struct paths *p, uint8_t remote_id);
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

/* ---- wishes ---- */

/* The next pair that is to be tried now; false, with `join_at_ns` set, when there is none. */
bool paths_next_untried(struct paths *p, const struct paths_view *view, uint64_t now_ns, struct path_wish *wish);
/* Is there a pair but for that one, and not useless either, or may there be one that only the peer knows of? */
bool paths_has_others(const struct paths *p, const struct paths_view *view, const struct hawser_addr *local,
                      const struct hawser_addr *remote);
/* None was to be tried, now or later: does that mean that all refused, and not that an address of ours is missing? */
bool paths_exhausted(const struct paths *p, const struct paths_view *view);
/* Does nobody need that subflow that still opens? Both of its addresses have others that work. */
bool paths_is_idle(const struct paths_view *view, unsigned use);

/* When a pair has its turn, or TIME_NEVER. */
static inline uint64_t paths_wish_due(const struct paths *p) { return p->join_at_ns; }

/* ---- options owed ---- */

/* Another pair may be wanted then: its turn is at that time, if none is before. */
static inline void paths_look_at(struct paths *p, uint64_t at_ns) { p->join_at_ns = HW_MIN(p->join_at_ns, at_ns); }
/* When something must be said again, or a pair has its turn. */
uint64_t paths_deadline(const struct paths *p);
/* See announcements_turn(). */
unsigned paths_turn(struct paths *p, struct account *payer, uint32_t slots, uint64_t repeat_ns, uint64_t now_ns);
/* Does the subflow in that slot owe the peer an option, as others may do in its stead? And which no other can? */
bool paths_owes(const struct paths *p, uint8_t slot);
bool paths_owes_on(const struct paths *p, uint8_t slot);
/* What any one of them can say: so many acknowledgements. */
unsigned paths_owes_anywhere(const struct paths *p);
/* Adds it: REMOVE_ADDR, and an echo or ADD_ADDR (without its HMAC). */
void paths_write(const struct paths *p, const struct paths_view *view, uint8_t slot, struct mptcp_options *mp);
/* What of that left. True when it announced an address for the first time. */
bool paths_sent(struct paths *p, struct account *payer, uint8_t slot, const struct mptcp_options *sent);

#endif
