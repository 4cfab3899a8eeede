/* The host: links, addresses, demultiplexing, listeners, and the sans-I/O entry points of <hawser/stack.h>. */
#ifndef HW_STACK_STACK_H
#define HW_STACK_STACK_H

#include <hawser/socket.h>
#include <hawser/stack.h>

#include "base/hash.h"
#include "mptcp/conn.h"
#include "mptcp/host.h"
#include "stack/arrival.h"
#include "stack/handshake.h"
#include "stack/plain_peers.h"
#include "stack/ports.h"
#include "stack/replies.h"
#include "stack/requests.h"
#include "stack/shares.h"
#include "stack/time_wait.h"

#define LINKS_MAX 16

struct link_slot {
    uint32_t mtu, gso_bytes; /* mtu 0: no link */
    bool door;
    struct hawser_listener *listener; /* of a door, or NULL */
};

struct hawser_listener {
    struct list link;
    struct hawser_stack *stack;
    struct hash_node node; /* by port */
    struct hawser_addr local;
    struct hawser_conn_options options;
    struct path_plan *plan;    /* what `options.paths` asks for */
    struct quota half_open;    /* handshakes */
    struct quota acceptable;   /* connections that nobody has accepted yet, by accept_link */
    uint64_t pressed_until_ns; /* as long as cookies of its are about */
    struct told told;          /* what the program was told */
    uint32_t came;             /* connections to be accepted, in all */
    void *user;                /* the program's */
    struct link_slot *door;    /* whose listener it is; NULL: of an address */
    struct request_queue requests;
};

struct hawser_stack {
    struct mp_host host;           /* first: the host is the stack as connections see it */
    struct path_plan *latest_plan; /* that a program asked for, or the host's */
    struct hash_table tuples, tokens;
    struct time_waits time_waits;
    struct pool attempts; /* of connections that open */
    struct plain_peers plain_peers;
    struct ports ports;
    struct shares shares;
    struct list idlest; /* connections that others opened, by idle_link; who made no progress for longest comes first */
    uint32_t evicted;   /* connections that had to go, and are not gone yet; */
    uint64_t evicted_bytes;      /* which is what they held */
    uint64_t scarce_since_ns;    /* somebody came when memory was used up, and it was not let go since; 0: it was */
    struct hash_table listeners; /* by port */
    struct list listening;       /* the same */
    struct link_slot links[LINKS_MAX];
    uint8_t link_count, last_address_id;
    struct handshakes handshakes;
    struct requests requests;
    struct replies replies;
    uint64_t returns_seen;             /* of buffers, when those who starve were last looked after */
    struct deadline trim_timer;        /* idle memory goes back to the system */
    struct deadline hunger_timer;      /* they try again when nothing else tells them to */
    uint8_t secret[HAWSER_SECRET_LEN]; /* RFC 6528 */
    uint64_t latest_ns;                /* the latest time the stack was told: no substitute for being told the time */
};

static inline struct hawser_stack *stack_of(struct mp_host *host)
{
    return HW_CONTAINER(host, struct hawser_stack, host);
}

/* ---- demux.c ---- */
extern const struct mp_host_ops stack_host_ops;
struct subflow *demux_find(struct hawser_stack *stack, const struct hawser_addr *local,
                           const struct hawser_addr *remote);
/* Is there a subflow or a TIME-WAIT with these addresses and ports? */
bool demux_taken(struct hawser_stack *stack, const struct hawser_addr *local, const struct hawser_addr *remote);
struct conn *demux_token(struct hawser_stack *stack, uint32_t token);
struct hawser_listener *demux_listener(struct hawser_stack *stack, const struct hawser_addr *local);
const struct local_address *stack_local(const struct hawser_stack *stack, const struct hawser_addr *addr);
/* How that address stands for us where packets to it come in by that link: as one of ours, or on a door as any host's.
 * False: it does not. */
bool stack_local_at(const struct hawser_stack *stack, int link, const struct hawser_addr *addr,
                    struct local_address *out);
static inline bool stack_has_link(const struct hawser_stack *stack, int link)
{
    return link >= 0 && link < stack->link_count && stack->links[link].mtu;
}

static inline bool stack_has_door(const struct hawser_stack *stack, int link)
{
    return stack_has_link(stack, link) && stack->links[link].door;
}
/* What has its packets on the link `home`, does it take one that comes in by another? Not where one of them is a door.
 */
static inline bool stack_meets(const struct hawser_stack *stack, int home, int link)
{
    return home == link || !(stack_has_door(stack, home) || stack_has_door(stack, link));
}

/* ---- handshake_input.c ---- */
/* A SYN for a listener, */
void handshake_syn(struct hawser_stack *stack, struct hawser_listener *listener, const struct arrival *a,
                   uint64_t now_ns);
/* and one that asks to join a connection. */
void handshake_join(struct hawser_stack *stack, const struct arrival *a, uint64_t now_ns);
/* One that came in by a door with a listener: the program is to decide. */
void handshake_request(struct hawser_stack *stack, struct hawser_listener *listener, const struct arrival *a,
                       uint64_t now_ns);
/* A segment of one that it has not decided about, or that it refused. False: it has nothing to do with that. */
bool handshake_request_segment(struct hawser_stack *stack, struct hawser_request *r, const struct arrival *a,
                               uint64_t now_ns);
/* It accepts: the SYN/ACK is to leave, and *out is there for when the third packet comes. 0, -ENOBUFS or -ENOMEM. */
int handshake_promise(struct hawser_stack *stack, const struct handshake *h, struct conn **out);
/* Does the segment bring a cookie of ours? Then `h` is what it stands for. */
enum cookie handshake_rebuild(struct hawser_stack *stack, const struct arrival *a, struct handshake *h,
                              uint64_t now_ns);
/* A segment of a handshake. Returns the subflow that it opened, to which it still has to be given; else NULL. */
struct subflow *handshake_segment(struct hawser_stack *stack, struct handshake *h, const struct arrival *a,
                                  uint64_t now_ns);

/* ---- icmp_input.c ---- */
/* A message of ICMP or ICMPv6. */
void icmp_input(struct hawser_stack *stack, struct arrival *a, uint64_t now_ns);

/* ---- listeners.c ---- */
/* Whose a SYN to this address of ours is: that of the most specific one; else NULL. O(1) but for those at one port. */
struct hawser_listener *listener_for(const struct hawser_stack *stack, const struct hawser_addr *local);
/* Does it stand for all, or all of IPv4? */
bool listener_is_any(const struct hawser_addr *addr);
/* To an address of ours, or any. Port 0: one is chosen. 0 or -EADDRINUSE. */
int listener_bind(struct hawser_listener *listener, const struct hawser_addr *local);
/* Nobody finds it any more; unless it is that of a door, which is found by its link. */
void listener_unbind(struct hawser_listener *listener);
/* A connection to be accepted comes, or goes. */
void listener_enter(struct hawser_listener *listener, struct conn *conn);
void listener_leave(struct hawser_listener *listener, struct conn *conn);
/* There may be news of it, or none any more. */
void listener_line_up(struct hawser_listener *listener);
/* What its program is told now. */
unsigned listener_take_event(struct hawser_listener *listener);

/* ---- listener_life.c ---- */
/* One that nobody finds yet; of an address, unless the caller makes it a door's. 0, -ENOMEM, or what conn_plan_take()
 * says. */
int listener_new(struct hawser_stack *stack, const struct hawser_conn_options *options, unsigned backlog,
                 struct hawser_listener **out);
/* Nothing refers to it any more. */
void listener_free(struct hawser_listener *listener);

/* ---- evict.c ---- */
/* Somebody opened it. */
void evict_enlist(struct hawser_stack *stack, struct conn *conn, uint64_t now_ns);
void evict_note_progress(struct hawser_stack *stack, struct conn *conn, uint64_t now_ns);
/* It is about to be freed. */
void evict_gone(struct hawser_stack *stack, struct conn *conn);
/* May `peer` have one more, be it for one of its own that has long been idle? */
bool evict_admits(const struct hawser_stack *stack, enum hawser_share by, const struct hawser_addr *peer,
                  uint64_t now_ns);
/* Is there one for a connection of our own? Some are kept for those who come to a listener. */
bool evict_spares_one(const struct hawser_stack *stack);
/* Memory may have come back. */
void evict_look(struct hawser_stack *stack);
/* It is about to have one more: when hardly any is left, another one has to go. */
void evict_for(struct hawser_stack *stack, enum hawser_share by, const struct hawser_addr *peer, uint64_t now_ns);

/* Memory is used up: the one that holds most above its share has to go. False: none was found yet, or it is the one
 * that suffers, for which nobody else goes then. */
bool evict_greediest(struct hawser_stack *stack, const struct conn *sufferer, uint64_t now_ns);

/* ---- lend.c ---- */
/* See struct mp_host_ops. */
bool lend_may_join(const struct mp_host *host, const struct conn *conn);
void lend_subflow_came(struct mp_host *host, struct conn *conn, uint64_t now_ns);
void lend_subflow_left(struct mp_host *host, struct conn *conn);

/* ---- pressure.c ---- */
/* See struct mp_host_ops. */
bool pressure_make_room(struct mp_host *host, struct conn *conn, uint64_t now_ns);
/* The connection has nothing to send for want of memory, and so has everybody who asks for some. */
void pressure_starves(struct conn *conn, uint64_t now_ns);

/* ---- martian.c ---- */
/* Can it only be forged, unless the link is a door? */
bool martian_source(const struct hawser_stack *stack, const struct hawser_addr *src);

/* ---- stack.c ---- */
/* The time a caller says it is; the latest one told where it went back, which is counted. */
uint64_t stack_time(struct hawser_stack *stack, uint64_t now_ns);

/* ---- conn_options.c ---- */
/* Options with the defaults filled in. 0, -EINVAL or -E2BIG, as sized_take(). */
int conn_options_take(struct hawser_conn_options *o, const struct hawser_conn_options *given);
/* What such options say of a connection, with `plan` for its paths, which is borrowed. */
struct conn_config conn_config_of(const struct hawser_conn_options *options, struct path_plan *plan);
/* What such options say of paths; the reference is the caller's. 0 or what path_plan_new() says. */
int conn_plan_take(struct hawser_stack *stack, const struct hawser_conn_options *options, struct path_plan **out);

#endif
