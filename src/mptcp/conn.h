/*
 * The MPTCP connection: it owns the byte stream, its subflows and the sub-structures, and orchestrates them. A plain or
 * fallen-back TCP connection is one with a single subflow whose mapping is infinite.
 *
 * Reading order, each calling only what stands behind it: conn.c (life), conn_output.c (a turn, and what its segments
 * say), conn_settle.c (what the parts have to say to each other, and the timer), conn_receive.c (options in),
 * conn_ends.c (ends of subflows), conn_handshake.c, conn_fallback.c, conn_payload.c (data in), conn_paths.c,
 * conn_subflows.c, conn_stream.c (the program's side), conn_state.c, conn_memory.c (what goes when memory is short).
 */
#ifndef HW_MPTCP_CONN_H
#define HW_MPTCP_CONN_H

#include "base/deadline.h"
#include "base/hash.h"
#include "base/quota.h"
#include "mptcp/data_rx.h"
#include "mptcp/data_tx.h"
#include "mptcp/endings.h"
#include "mptcp/fallback.h"
#include "mptcp/host.h"
#include "mptcp/identity.h"
#include "mptcp/outflow.h"
#include "mptcp/path_manager.h"
#include "mptcp/readiness.h"
#include "mptcp/rest.h"
#include "mptcp/subflows.h"
#include "mptcp/told.h"

/* Joins of a connection that have not proved themselves: as many as a flood of four a millisecond brings in the time
 * that each has to answer. */
#define HALF_OPEN_JOINS_MAX 1024

struct conn {
    struct mp_host *host;
    void *user; /* the program's */

    /* In the host's lists. */
    struct list link, ready_link, starved_link, disorder_link, lent_link;
    struct list touched_link; /* until conn_settle() */
    struct told told;         /* what the program was told */

    /* The stack's. */
    void *listener;                    /* NULL: a program accepted it, or opened it itself */
    struct list accept_link;           /* in the listener's queue */
    void *opening;                     /* its attempts, as long as we open it and nobody has answered; else NULL */
    void *share;                       /* of its peer's address; NULL: it counts to none */
    struct list idle_link, share_link; /* of those that others opened: among all, and among those of the share */
    struct {
        uint64_t at_ns; /* when it came, or `bytes` grew last */
        uint64_t bytes; /* acknowledged by the peer and read by the program */
    } progress;
    struct hash_node token_node;
    struct quota half_open; /* joins that have not proved themselves */

    int32_t deficit;      /* bytes it may still send in this turn: ready connections take turns (deficit round robin) */
    uint32_t subflow_ids; /* given away so far */
    uint8_t subflow_count, subflow_limit;
    bool door : 1;          /* it lives on one: no address of ours is any of its peer's business */
    bool token_added : 1;   /* others find it by its token; the stack's */
    bool arrived : 1;       /* payload, or what is said of it, since conn_settle() */
    bool renege_wanted : 1; /* room for what comes next must come from what was SACKed (conn_settle()) */
    uint32_t evicted_bytes; /* held when it had to go for others, which is some; 0: it had not to */

    struct list subflows;
    struct tcp_patience patience; /* of every subflow */
    uint32_t send_low_water;      /* bytes of room that its program wants to hear of; 0: the default */
    struct account account;       /* all that it makes the host hold */

    struct identity identity;
    struct fallback fallback;
    struct data_tx data_tx;
    struct data_rx data_rx;
    struct scheduler scheduler;
    struct paths paths;
    struct endings endings;
    struct deadline timer; /* the least of what the parts and the subflows wait for */
};

/* What a handshake that the peer began has settled. */
struct conn_opened {
    bool mptcp;
    bool awaited;     /* only the key is known: conn_take_opened() follows */
    bool fallen_back; /* no, though it was offered and agreed to */
    bool checksums, peer_refuses_joins;
    uint64_t local_key, remote_key;
};

struct conn_config {
    uint32_t send_limit, recv_limit, send_low_water; /* bytes */
    struct tcp_patience patience;
    enum plain_cause plain; /* PLAIN_NOT: MPTCP, if the peer does */
    bool door, nagle;
    uint8_t subflow_limit;                    /* most that it may have at once */
    struct path_plan *plan;                   /* for its paths; borrowed */
    const struct hawser_scheduler *scheduler; /* NULL: the host's */
    struct account *payer;                    /* of its key; NULL: of none */
    const struct conn_opened *opened;         /* NULL: it is we who open it */
};

#define EACH_SUBFLOW(it, conn) LIST_EACH (it, &(conn)->subflows)

/* ---- conn.c ---- */
/* A connection with one reference: its creator's. NULL at a limit of the host. */
struct conn *conn_new(struct mp_host *host, const struct conn_config *config);
/* Frees it at once, with its subflows, without a word on the wire. */
void conn_free(struct conn *conn);
/* Frees it when nobody needs it any more: detached and without unfinished subflows. True when it is gone. */
bool conn_reap(struct conn *conn, uint64_t now_ns);
/* What every subflow takes part by. */
extern const struct tcp_hooks conn_hooks;

/* ---- conn_state.c ---- */
/* There may be something to send. */
static inline void conn_wake(struct conn *conn)
{
    if (list_empty(&conn->ready_link))
        list_push_back(&conn->host->ready, &conn->ready_link);
}
/* Its program may have to be told of it now, or has learned by itself. */
void conn_event(struct conn *conn);
/* What the program is told now: not empty, if it stands in the host's `events`. */
unsigned conn_take_event(struct conn *conn);
/* How it stands for the program: a set of HAWSER_READABLE... */
unsigned conn_ready(const struct conn *conn);
/* Segments arrived, or something was asked of it: conn_settle() is to be called. */
static inline void conn_touch(struct conn *conn)
{
    if (list_empty(&conn->touched_link))
        list_push_back(&conn->host->touched, &conn->touched_link);
}

/* How it stands, for the parts that do not see subflows, and with what others work. */
static inline uint64_t conn_user_timeout(const struct conn *conn)
{
    return user_timeout_in_force(&conn->patience.user_timeout, identity_established(&conn->identity));
}
static inline uint64_t conn_ending_due(const struct conn *conn)
{
    return endings_due(&conn->endings, user_timeout_own(&conn->patience.user_timeout));
}
struct tx_paths conn_tx_paths(const struct conn *conn);
struct ending_facts conn_ending_facts(const struct conn *conn);
struct path_manager conn_path_manager(struct conn *conn);
struct outflow conn_outflow(struct conn *conn);
/* Has it as many subflows as `limit` allows? One that rests takes no other one's place. */
static inline bool conn_is_full(const struct conn *conn, unsigned limit)
{
    return conn->subflow_count == SUBFLOWS_MAX || conn->subflow_count - rest_count(&conn->subflows) >= limit;
}
/* Does anybody care for what may still come, or arrive? */
bool conn_is_missed(const struct conn *conn);
/* Are both streams over? Only where MPTCP is spoken, for a FIN of TCP is the subflow's affair. */
bool conn_streams_over(const struct conn *conn);
/* The first subflow, if plain TCP is possible still; else NULL. */
struct subflow *conn_way_back(const struct conn *conn);
/* Is the program gone, and some of the stream, or its end, not acknowledged yet? */
bool conn_unfinished(const struct conn *conn);

/* The subflow's outstanding data goes to other subflows too. */
void conn_reinject(struct subflow *subflow);
/* Resets every subflow, and says that it is the connection that ends (RFC 8684 3.5). */
void conn_abort(struct conn *conn, int error, uint64_t now_ns);
/* The program learns of the error, unless both streams are over. */
void conn_fail(struct conn *conn, int error);

/* ---- conn_stream.c ---- */
/* The program queued so many of `len` bytes. */
void conn_queued(struct conn *conn, size_t taken, size_t len);
/* It took bytes: the window may have opened. */
void conn_consumed(struct conn *conn);
void conn_consume(struct conn *conn, size_t len); /* of the readable bytes */
bool conn_at_end(const struct conn *conn);        /* all was read and the peer sends no more */
void conn_shutdown(struct conn *conn);
/* The application wants no more of it, nor its handle (endings.h); aborted with -ECONNABORTED. All begin at the next
 * output. */
void conn_finish(struct conn *conn);
void conn_detach(struct conn *conn);
void conn_ask_abort(struct conn *conn);
void conn_begin_asked(struct conn *conn, uint64_t now_ns);

/* ---- conn_subflows.c ---- */
/* A subflow bound to its 4-tuple, not opened yet. 0 or -ENOBUFS, -EADDRINUSE, -EADDRNOTAVAIL. */
int conn_add_subflow(struct conn *conn, const struct local_address *local, uint16_t local_port,
                     const struct hawser_addr *remote, uint64_t now_ns, struct subflow **out);
/* Frees it, without a word on the wire. */
void conn_drop_subflow(struct subflow *subflow);

/* ---- conn_handshake.c ---- */
/* Draws a key whose token nobody has. */
void conn_draw_key(struct conn *conn);
/* What the third packet settled: is the connection MPTCP? */
void conn_take_opened(struct conn *conn, const struct conn_opened *opened);
/* May the peer add subflows? */
bool conn_takes_joins(const struct conn *conn);
/* The peer's join has proved itself. */
void conn_take_join(struct subflow *subflow);
/* Handshake options on a segment; false: drop it. */
bool conn_take_handshake(struct subflow *subflow, const struct tcp_segment *segment, uint64_t now_ns);
/* The handshake of its TCP is over. */
void conn_established(struct subflow *subflow, uint64_t now_ns);

/* ---- conn_fallback.c ---- */
/* To plain TCP, if that is possible. */
void conn_fall_back(struct conn *conn, enum plain_cause why, uint64_t now_ns);
/* The same, but a subflow for which that is too late is reset. */
void conn_fall_back_or_reset(struct subflow *subflow, enum plain_cause why, enum counter cause, uint64_t now_ns);
/* Does a segment without MPTCP options show that they do not come through? */
bool conn_options_vanished(const struct subflow *subflow, const struct tcp_segment *segment);
void conn_take_fail(struct subflow *subflow, uint64_t now_ns);
void conn_take_infinite(struct subflow *subflow, const struct mapping *map, uint64_t now_ns);

/* ---- conn_payload.c ---- */
/* A checksum is wrong: the subflow's `fail_dsn` says where. */
void conn_refuse_forged(struct subflow *subflow, uint64_t now_ns);
/* What is held of this mapping goes up. */
void conn_hand_up(struct subflow *subflow, const struct mapping *map, uint64_t now_ns);

/* ---- hooks (struct tcp_hooks): conn_receive.c, conn_payload.c, conn_output.c ---- */
bool conn_receive_segment(struct tcp *tcp, const struct tcp_segment *segment, uint64_t now_ns);
void conn_receive_progress(struct tcp *tcp, uint64_t now_ns);
uint32_t conn_receive_payload(struct tcp *tcp, uint64_t ssn, struct slice bytes, uint64_t now_ns);
void conn_write_options(struct tcp *tcp, const struct tx_record *record, uint8_t flags, struct tcp_options *options);
void conn_options_sent(struct tcp *tcp, const struct tcp_options *sent);

/* ---- conn_memory.c ---- */
/* Will the peer's data level send again for sure what its subflow acknowledged? */
bool conn_sheds(const struct conn *conn);
/* What it holds has changed: it may have come to hold what can be given up, or hold none any more. */
void conn_note_disorder(struct conn *conn);
/* No byte that would close a gap can come any more: what lies behind gaps goes. */
void conn_forget_disorder(struct conn *conn);
/* What may go, in this order: data without a mapping, data behind a gap of the stream that its subflow acknowledged,
 * data that was SACKed and not acknowledged. Never bytes in order. */
enum shed { SHED_UNMAPPED, SHED_DISORDER, SHED_SACKED };
/* True when there was some, and it may be given up. */
bool conn_shed(struct conn *conn, enum shed what);
/* Gives back what it took for arrivals and holds nothing in. */
void conn_idle(struct conn *conn);

/* ---- conn_output.c ---- */
/* One turn: what must be said, then payload until the turn is used up. True when there is more. */
bool conn_output(struct conn *conn, struct tx_batch *batch, uint64_t now_ns);

/* ---- conn_settle.c ---- */
/* Works off what the parts have to say to each other, and arms the timer: once a touched connection and batch of input,
 * after calls, timers and output. */
void conn_settle(struct conn *conn, uint64_t now_ns);
void conn_settle_touched(struct mp_host *host, uint64_t now_ns);
void conn_on_timer(struct deadline *timer, uint64_t now_ns);

/* ---- conn_ends.c ---- */
/* Works off what the subflow has to say. */
void conn_take_subflow_news(struct subflow *subflow, uint64_t now_ns);

/* ---- conn_paths.c ---- */
/* Is there any use in subflows? */
bool conn_wants_paths(const struct conn *conn);
/* The peer's first DSS came: subflows may be opened (RFC 8684 3.1). */
void conn_paths_confirmed(struct conn *conn);
/* Something happened (HAWSER_PM_...) of which the path manager is to hear in conn_paths_settle(). */
void conn_paths_changed(struct conn *conn, unsigned what);
/* Does what is due; returns when there is something to do again. */
uint64_t conn_paths_settle(struct conn *conn, uint64_t now_ns);
/* A join works from now on, and both ends know. */
void conn_subflow_up(struct subflow *subflow);
/* The host got an address, or is about to lose one. */
void conn_address_added(struct conn *conn);
void conn_address_removed(struct conn *conn, const struct local_address *local, uint64_t now_ns);

#endif
