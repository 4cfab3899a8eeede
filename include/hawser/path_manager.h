/*
 * Path managers: which pairs of addresses have a subflow, and what the peer is told of addresses (RFC 8684 3.4).
 *
 * A path manager is a table with one function. It hears that something has happened, sees how all stands, and says what
 * it wishes. The connection keeps to the RFC: it opens nothing before the peer has shown that it speaks MPTCP, nothing
 * to an address that its owner closed (3.1, flag C) or took back, no pair that one end gave up for good (3.6), none
 * whose time has not come after a failure (3.9.3), and no more than there may be; an address ID is not given to another
 * address before its removal was told (3.4.1). The host that opened the connection opens its subflows; the other one
 * announces its addresses, for a NAT may stand before the first.
 */
#ifndef HAWSER_PATH_MANAGER_H
#define HAWSER_PATH_MANAGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hawser/addr.h>
#include <hawser/env.h>

/* Most bytes that a path manager may have for a connection. */
#define HAWSER_PM_MEMORY_MAX 4096
/* Most prefixes of each kind in struct hawser_path_options. */
#define HAWSER_PREFIXES_MAX 64
/* hawser_pm_wake() wakes no sooner than so long after the call. */
#define HAWSER_PM_WAKE_MIN_NS 1000000u

/* What has happened since the path manager was called last, as a set; what became of it, the view shows. What the peer
 * says of addresses and priorities, and that a mark of bytes is reached, is heard at once, but then not again for 20
 * ms, unless something else happens. */
enum {
    HAWSER_PM_CONFIRMED = 1u << 0, /* the peer speaks MPTCP for sure: comes first, and once */
    HAWSER_PM_LOCAL_ADDED = 1u << 1,
    HAWSER_PM_LOCAL_REMOVED = 1u << 2,
    HAWSER_PM_REMOTE_ADDED = 1u << 3,     /* the peer announced an address */
    HAWSER_PM_REMOTE_REMOVED = 1u << 4,   /* it says that one is gone */
    HAWSER_PM_REMOTE_REFRESHED = 1u << 5, /* it announced one where a subflow failed: there may be another at once */
    HAWSER_PM_SUBFLOW_UP = 1u << 6,
    HAWSER_PM_SUBFLOW_DOWN = 1u << 7,  /* one is over; hawser_pm_ended() says why */
    HAWSER_PM_SUBFLOW_STALE = 1u << 8, /* one went silent */
    HAWSER_PM_SUBFLOW_ALIVE = 1u << 9, /* one answers again */
    HAWSER_PM_PRIORITY = 1u << 10,     /* the peer made one a backup, or a regular one (RFC 8684 3.3.8) */
    HAWSER_PM_TIMER = 1u << 11,        /* hawser_pm_wake() */
    HAWSER_PM_BYTES = 1u << 12,        /* hawser_pm_tell_at() */
    HAWSER_PM_LISTENING = 1u << 13 /* the program has said all it will, and nothing came yet: a long answer may. Some
                                    * peers take no joins once they have heard of that end */
};

/* An address of either end. More members may be added at the end. */
struct hawser_pm_address {
    struct hawser_addr addr; /* the peer's: with the port that a subflow would go to; ours: without */
    uint8_t id;              /* RFC 8684 3.2; 0: that of the first subflow */
    uint8_t link;            /* ours: which one it is on */
    bool backup;             /* ours: the options say that it is one, or the stack */
    bool announced;          /* ours: the peer was told */
    bool first;              /* the connection began with it; also of one that went and came back, as `id` is not */
    uint8_t prefix_len;      /* ours: bits that name its network; of IPv4 up to 32, of IPv6 up to 128 */
};

enum hawser_pm_state {
    HAWSER_PM_OPENING,
    HAWSER_PM_UNANSWERED, /* its SYN was sent again */
    HAWSER_PM_UP,
    HAWSER_PM_SILENT, /* it was up, and has not answered for a second, though asked: told by the next timeout, within
                       * some seconds */
    HAWSER_PM_CLOSING /* hawser_pm_close() in this very call: it keeps its place, and counts, until the call ends */
};

/* A subflow that is not closing, unless by a wish of this very call. More members may be added at the end. */
struct hawser_pm_subflow {
    uint32_t id;       /* as in struct hawser_subflow_info; 0 of one that is wished for in this very call */
    int local, remote; /* between which of the view's addresses; -1: that is not among them (any more) */
    enum hawser_pm_state state;
    bool ours;                        /* this end opened it */
    bool backup_local, backup_remote; /* which end asks to use it only when no regular one works */
    uint64_t srtt_ns;                 /* 0: not measured */
    uint64_t sent_bytes, recv_bytes;  /* payload that it carried, each byte once */
    uint64_t heard_ns;                /* when a segment last came on it, on the clock of `now_ns`; 0: none yet */
};

struct hawser_path_options;

/* How all stands. Valid during the call, and up to date after each wish. More members may be added at the end. */
struct hawser_pm_view {
    uint64_t now_ns;
    bool initiator; /* this end opened the connection, and opens its subflows */
    bool rescue;    /* no subflow is left that brings the stream on: when none comes in time the connection fails */
    uint64_t bytes; /* that the peer acknowledged, and that the program read */
    unsigned local_count, remote_count, subflow_count;
    unsigned subflow_limit;                          /* there may be so many at once */
    const struct hawser_pm_address *const *locals;   /* of this end: those that may be used */
    const struct hawser_pm_address *const *remotes;  /* of the peer: those that may be joined; the acceptor has none */
    const struct hawser_pm_subflow *const *subflows; /* in the order in which they came */
    const struct hawser_path_options *options;       /* as given by the program, defaults filled in */
    void *memory; /* the path manager's own, `conn_bytes`, zero at first, aligned for anything; NULL without any, and
                   * when there is no memory */
    uint32_t forgotten; /* how often a pair failed of which nothing is known any more: 256 are remembered */
};

struct hawser_pm; /* a connection, for as long as the call lasts */

struct hawser_path_manager {
    size_t size;         /* sizeof(struct hawser_path_manager); more members may be added at the end, as with options */
    const char *name;    /* for those who read it */
    uint32_t conn_bytes; /* of memory for each connection; at most HAWSER_PM_MEMORY_MAX */
    /* Something happened (`what`: a set of HAWSER_PM_...). Wishes are calls with `pm`. Must not call into the stack. */
    void (*event)(struct hawser_pm *pm, const struct hawser_pm_view *view, unsigned what);
};

/* The built-in one of that name, or NULL:
 *
 *   default     every address of either end has a subflow that works
 *   fullmesh    every pair of addresses has one
 *   ports       so many over the first pair, from ports of their own (options: `subflows`)
 *   backup      as the default; but only the pair of addresses with which the connection began, or whatever is not
 *               marked (options: `backup`), carries data as long as it works, and again when it comes back
 *   on-demand   as the default, once the connection has moved so many bytes, or lasted so long (options: `demand_...`),
 * or when no subflow answers any more, or the program has only to listen from now on
 */
HAWSER_API const struct hawser_path_manager *hawser_path_manager_find(const char *name);

/* Addresses whose first `bits` are those of `addr`: of IPv4 up to 32, of IPv6 up to 128. */
struct hawser_prefix {
    struct hawser_addr addr;
    uint32_t bits;
};

/*
 * What is to be done about paths, for hawser_connect(), hawser_listen() or a stack. Zero in any field means the
 * default. All but the table, which must outlive the connections, is copied.
 */
struct hawser_path_options {
    size_t size;                               /* sizeof(struct hawser_path_options) */
    const struct hawser_path_manager *manager; /* NULL: "default" */
    /* Subflows beside the first are between allowed addresses only, whichever end opens them, and no others are
     * announced: those in a prefix of `allow`, or all if there is none, and in none of `deny`. */
    const struct hawser_prefix *allow, *deny;
    /* Addresses of this end over which subflows are backups (RFC 8684 3.3.8, flag B), under every built-in manager. If
     * there are none: those of which hawser_stack_set_backup() says so. */
    const struct hawser_prefix *backup;
    uint32_t allow_count, deny_count, backup_count; /* at most HAWSER_PREFIXES_MAX each */
    uint32_t subflows;                              /* of "ports"; default 2 */
    uint64_t demand_bytes;                          /* of "on-demand": default 1 MiB, unless demand_ns is given; */
    uint64_t demand_ns;                             /* default: never */
    /* Addresses of this end that a connection has, and announces, at all, be it its first subflow or not: those in a
     * prefix of `own`, or all if there is none, HAWSER_PREFIXES_MAX at most. A listener accepts wherever it listens. */
    const struct hawser_prefix *own;
    uint32_t own_count;
};

/* ---- what a path manager may ask; `local`, `remote` and `subflow` are places in the view's lists ---- */

/* When that pair may be tried: 0, which is at once, or later, or UINT64_MAX: not before something has changed. */
HAWSER_API uint64_t hawser_pm_due(const struct hawser_pm *pm, unsigned local, unsigned remote);

/* How the last subflow between them ended, since either address came. */
enum hawser_pm_end {
    HAWSER_PM_END_NONE,       /* it did not, or this end closed it for now, or had no port or no memory for it */
    HAWSER_PM_END_UNANSWERED, /* nobody answered, or it worked, and was reset or timed out: later again */
    HAWSER_PM_END_REFUSED,    /* not to that address again before it is announced afresh (RFC 8684 3.9.3) */
    HAWSER_PM_END_CLOSED,     /* by the peer */
    HAWSER_PM_END_USELESS     /* given up for good by either end (RFC 8684 3.6): not again */
};
HAWSER_API enum hawser_pm_end hawser_pm_ended(const struct hawser_pm *pm, unsigned local, unsigned remote);
/* How often in a row it failed; what worked for two minutes begins a new row when it fails. */
HAWSER_API unsigned hawser_pm_tries(const struct hawser_pm *pm, unsigned local, unsigned remote);

/* ---- what it may wish ---- */

/* A subflow between these two, which the view shows from now on; with `backup` it asks the peer to use it only when no
 * regular one works. Returns 0; -EPERM when this end does not open any, -EINVAL for no such place, -EAGAIN when the
 * pair is not due, -ENOBUFS when there are as many as may be. */
HAWSER_API int hawser_pm_open(struct hawser_pm *pm, unsigned local, unsigned remote, bool backup);

/* The end of a subflow, and why, as RFC 8684 3.6 numbers it: 0 unspecified, 1 an error of MPTCP, 2 lack of resources, 3
 * administratively prohibited, 4 too much outstanding data, 5 unacceptable performance, 6 interference by a middlebox.
 * With 2, 4 and 5 it is closed for now: flag T says so to the peer, and the pair may be opened again at once. With any
 * other it is closed for good: neither end opens it again (HAWSER_PM_END_USELESS). It is reset, so that what is under
 * way goes elsewhere at once. One that still opens counts as unanswered, and nothing is said. Returns 0, -EINVAL for no
 * such place, or one that was closed in this call, or -EBUSY for the only one that works. */
HAWSER_API int hawser_pm_close(struct hawser_pm *pm, unsigned subflow, uint8_t reason);

/* The peer is told of an address of ours, and of a port where it is to be joined, unless that is 0; of one that was
 * withdrawn not before the peer was told enough of that. Returns 0 (also when it was told before), -EINVAL for no such
 * place, for the address of the first subflow, which the peer knows, and for one that means nothing where the peer is;
 * -ENOBUFS when too much is to be told already. */
HAWSER_API int hawser_pm_announce(struct hawser_pm *pm, unsigned local, uint16_t port);

/* The peer is told that it is gone: it closes subflows to it that do not answer. That of the first subflow has an ID of
 * its own from then on, by which it may be announced. Returns 0, -EINVAL for no such place, or -ENOBUFS, likewise. */
HAWSER_API int hawser_pm_withdraw(struct hawser_pm *pm, unsigned local);

/* Whether the peer is asked to use the subflow only when no regular one works; it is told where that changes (RFC 8684
 * 3.3.8). Returns 0 or -EINVAL, likewise. */
HAWSER_API int hawser_pm_set_backup(struct hawser_pm *pm, unsigned subflow, bool backup);

/* To be called at that time, or before; or after HAWSER_PM_WAKE_MIN_NS, if that is later. Each call of the path manager
 * ends what was asked before. */
HAWSER_API void hawser_pm_wake(struct hawser_pm *pm, uint64_t at_ns);

/* To be called when the view's `bytes` have reached that many, which they may have already. One such mark at a time. */
HAWSER_API void hawser_pm_tell_at(struct hawser_pm *pm, uint64_t bytes);

#endif
