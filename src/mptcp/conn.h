/*
 * The MPTCP connection: it owns the byte stream, its subflows and the sub-structures, and orchestrates them. A plain or
 * fallen-back TCP connection is one with a single subflow whose mapping is infinite.
 *
 * Reading order: conn.c (life and the application's side), negotiate.c (MP_CAPABLE, MP_JOIN), fallback.c, signal.c
 * (options out), receive.c (options in), place.c (data in), send.c (scheduling and reinjection), progress.c (what the
 * peer does not acknowledge), paths.c (addresses and joins), close.c.
 */
#ifndef HW_MPTCP_CONN_H
#define HW_MPTCP_CONN_H

#include "base/deadline.h"
#include "base/hash.h"
#include "mptcp/data_rx.h"
#include "mptcp/data_tx.h"
#include "mptcp/endings.h"
#include "mptcp/fallback.h"
#include "mptcp/host.h"
#include "mptcp/identity.h"
#include "mptcp/paths.h"
#include "mptcp/rx_mapping.h"

#define SUBFLOWS_MAX 8

/* Where a subflow stands as part of the connection, beside its TCP state. */
enum subflow_stage {
    SUBFLOW_OPENING,
    SUBFLOW_PROVING, /* our join's third packet is out, the peer has not acknowledged it (RFC 8684 3.2) */
    SUBFLOW_JOINED,
    SUBFLOW_LEAVING, /* both directions of the connection are finished: it has until its timer fires to close */
};

/* What a join shows that it belongs to the connection (RFC 8684 3.2). */
struct join_proof {
    uint32_t local_nonce, remote_nonce;
    uint8_t tries; /* third packets sent */
};

struct subflow {
    struct tcp tcp;
    struct conn *conn;
    struct list link;       /* in conn->subflows */
    struct hash_node tuple; /* in the stack's demultiplexer */
    bool bound;
    uint8_t slot; /* its number among the connection's subflows, below SUBFLOWS_MAX */
    enum subflow_stage stage;
    bool join;    /* came by MP_JOIN */
    bool passive; /* the peer opened it */
    bool backup_local, backup_remote;
    bool stale;                /* silent for two round trips, or timed out, and nothing acknowledged since */
    bool carried_again;        /* it was given the oldest missing byte, which others had carried */
    uint64_t suspect_since_ns; /* it delivered what the peer's data level does not acknowledge; 0: no suspicion */
    bool bare_acks;            /* it acknowledged data without an option of MPTCP */
    uint8_t local_id, remote_id;
    struct join_proof join_proof;
    struct rx_mapping rx_mapping;
    uint8_t reset_reason;
    bool reset_with_reason;
    uint8_t signals; /* bare acknowledgements for the sake of options since anything was sent or received in order */
    uint64_t signals_snd, signals_rcv; /* how far that had come then */
    struct deadline timer;             /* its proof or MP_FAIL goes out again; or it has to be closed */
    bool heard;                        /* a DSS came on it */
    bool failed;                       /* a checksum did: the RST says so by MP_FAIL */
    bool failing; /* a checksum did, on the only subflow: MP_FAIL asks the peer to fall back (RFC 8684 3.7) */
    dsn64 fail_dsn;
};

struct conn {
    struct mp_host *host;
    struct list link, ready_link, event_link; /* in the host's lists; event_link in `events` or in `acceptable` */
    struct list starved_link, disorder_link;  /* likewise */
    struct list accept_link;                  /* in a listener's queue; the stack's */
    void *listener;                           /* the stack's; NULL once accepted or for active opens */
    struct hash_node token_node;              /* the stack's */
    bool token_added;
    void *user;

    struct list subflows;
    uint8_t subflow_count;
    struct tcp_keepalive keepalive; /* of every subflow */

    struct identity identity;
    struct fallback fallback;
    struct data_tx data_tx;
    struct data_rx data_rx;
    struct paths paths;
    struct endings endings;
    struct deadline signal_timer; /* repeats DATA_FIN and ADD_ADDR until they are answered */
};

struct conn_config {
    uint32_t send_limit, recv_limit; /* bytes */
    struct tcp_keepalive keepalive;
    bool no_mptcp;
    bool server;
};

/* ---- conn.c ---- */
/* A connection with one reference: its creator's. NULL at a limit of the host. */
struct conn *conn_new(struct mp_host *host, const struct conn_config *config);
/* Frees it at once, with its subflows, without a word on the wire. */
void conn_free(struct conn *conn);
/* Frees it when nobody needs it any more: detached and without unfinished subflows. True when it is gone. */
bool conn_reap(struct conn *conn);

/* A subflow bound to its 4-tuple, not opened yet. 0 or -ENOBUFS, -EADDRINUSE. */
int conn_add_subflow(struct conn *conn, const struct local_address *local, uint16_t local_port,
                     const struct hawser_addr *remote, uint64_t now_ns, struct subflow **out);

void conn_wake(struct conn *conn);  /* there may be something to send */
void conn_event(struct conn *conn); /* readiness may have changed */

size_t conn_send(struct conn *conn, const void *data, size_t len);
size_t conn_recv(struct conn *conn, void *data, size_t len);
void conn_consumed(struct conn *conn);     /* the application took bytes: the window may have opened */
bool conn_at_end(const struct conn *conn); /* all was read and the peer sends no more */
void conn_shutdown(struct conn *conn);
void conn_abort(struct conn *conn, int error, uint64_t now_ns);
void conn_fail(struct conn *conn, int error);
/* The application gave up its handle: what is queued is still delivered; a peer that has all of it and does not finish
 * is waited for a minute, which begins with conn_begin_asked(). */
void conn_detach(struct conn *conn);
/* Aborted with -ECONNABORTED by the next conn_begin_asked(). */
void conn_ask_abort(struct conn *conn);
/* Begins what the application asked for by calls that bring no time; before each output. */
void conn_begin_asked(struct conn *conn, uint64_t now_ns);
/* From now on a minute in which nothing is left to be delivered, and nothing was, ends the connection. */
void conn_linger(struct conn *conn, uint64_t now_ns);
bool conn_closed(const struct conn *conn);

static inline struct subflow *subflow_of(struct tcp *tcp) { return HW_CONTAINER(tcp, struct subflow, tcp); }
extern const struct tcp_hooks subflow_hooks;
#define EACH_SUBFLOW(it, conn) LIST_EACH (it, &(conn)->subflows)
static inline struct subflow *subflow_at(struct list *node) { return LIST_ENTRY(node, struct subflow, link); }

/* ---- negotiate.c ---- */
/* Draws a key whose token nobody has. */
void conn_choose_key(struct conn *conn);
/* A SYN arrived for a new connection: answers its MP_CAPABLE, if any. */
void negotiate_syn(struct conn *conn, const struct mptcp_options *mp);
/* Is this a SYN that may join `conn`? Sets the subflow's side of it. 0, or -EACCES. */
int negotiate_join_syn(struct subflow *subflow, const struct mp_join *join);
/* Handshake options on a segment; false: drop it. */
bool negotiate_segment(struct subflow *subflow, const struct tcp_segment *segment, uint64_t now_ns);
void negotiate_write(struct subflow *subflow, const struct tx_record *record, uint8_t flags, struct mptcp_options *mp);
void subflow_insist(struct subflow *subflow, uint64_t now_ns);

/* ---- fallback.c ---- */
/* Is plain TCP possible still? One subflow has carried everything, in order. */
bool fallback_possible(const struct conn *conn);
/* To plain TCP, if that is possible. */
void conn_fall_back(struct conn *conn, uint64_t now_ns);
/* The same, but a subflow for which that is too late is reset. */
void fallback_or_reset(struct subflow *subflow, enum counter cause, uint64_t now_ns);
/* The peer's MP_FAIL. */
void fallback_take_fail(struct subflow *subflow, uint64_t now_ns);
/* Does a segment without MPTCP options show that they do not come through? */
bool fallback_needed(const struct subflow *subflow, const struct tcp_segment *segment);
/* Fallen back, do we hear from a peer that has not, and whose bytes are not those that plain TCP would take them for?
 */
bool fallback_contradicted(const struct subflow *subflow, const struct tcp_segment *segment);
void fallback_take_infinite(struct subflow *subflow, const struct mapping *map, uint64_t now_ns);
void fallback_write(const struct subflow *subflow, const struct tx_record *record, uint8_t flags,
                    struct mptcp_options *mp);
void fallback_sent(struct subflow *subflow, const struct mptcp_options *sent);

/* ---- signal.c ---- */
void signal_write_options(struct tcp *tcp, const struct tx_record *record, uint8_t flags, struct tcp_options *options);
void signal_options_sent(struct tcp *tcp, const struct tcp_options *sent);
void signal_arm(struct conn *conn, uint64_t now_ns);
/* May a bare acknowledgement carry options that are no answer to anything? */
bool signal_allowed(const struct subflow *subflow);

/* ---- receive.c ---- */
bool receive_segment(struct tcp *tcp, const struct tcp_segment *segment, uint64_t now_ns);
void receive_progress(struct tcp *tcp, uint64_t now_ns);
/* Moves the promised edge: `most` is what the segment that says so can express. Bytes. */
uint32_t receive_window(struct conn *conn, uint32_t segment_bytes, uint32_t most);
/* Most bytes that the peer may now have sent ahead of the application. */
uint32_t receive_limit(const struct conn *conn);
/* One past what arrived in order, the DATA_FIN included. */
dsn64 receive_next(const struct conn *conn);
void receive_data_ack(struct conn *conn, dsn64 ack, uint32_t window);

/* Is its first byte the next one of the stream, for which there must be room? Of a segment that has passed no check. */
bool receive_is_next(struct subflow *subflow, const struct tcp_segment *segment);

/* ---- place.c ---- */
/* Drops out-of-order data of one of the host's connections whose peers will send it again. False: there is none. */
bool place_shed(struct mp_host *host);
void place_release(struct assembly *assembly);
/* No byte that would close a gap can come any more, or memory is scarce: what lies behind gaps goes. */
void place_forget_disorder(struct conn *conn);
/* All was read: memory that only waits for more is given back. */
void place_idle(struct conn *conn);
/* Returns how many bytes from the front found room; the others must come again. */
uint32_t place_payload(struct tcp *tcp, uint64_t ssn, struct slice bytes, uint64_t now_ns);
void place_mapped(struct subflow *subflow, const struct mapping *map, uint64_t now_ns);
/* Resets a subflow that a middlebox made useless. */
void place_give_up(struct subflow *subflow, enum counter cause, uint64_t now_ns);

/* ---- send.c ---- */
void conn_output(struct conn *conn, struct tx_batch *batch, uint64_t now_ns);
/* The subflow's outstanding data goes to other subflows too / no longer. */
void send_reinject(struct subflow *subflow);
void send_forget_reinjection(struct subflow *subflow);
bool send_blocked_by_window(const struct conn *conn);
/* May it carry data? */
bool send_usable(const struct subflow *subflow);
/* Is this byte of the stream outstanding on the subflow, or the rest of its mapping? */
bool send_holds(const struct subflow *subflow, dsn64 at);

/* ---- progress.c ---- */
/* After anything that may have moved the DATA_ACK, or when data is outstanding again: sets its timer. */
void progress_arm(struct conn *conn, uint64_t now_ns);
/* Something may now be due before the timer, in whatever state: the next progress_arm() looks again. */
void progress_rearm(struct conn *conn);
void progress_on_timer(struct deadline *timer, uint64_t now_ns);
/* A question is about to leave, or a DATA_FIN once more. False: there were too many; the subflows that answered, but
 * not that, or the connection are given up. */
bool progress_asked(struct conn *conn, uint64_t now_ns);
/* A segment came: it may be an answer. */
void progress_note_answer(struct subflow *subflow, const struct tcp_segment *segment);
/* The peer acknowledged data, or the DATA_FIN, for the first time. */
void progress_made(struct conn *conn);
void progress_data_acked(struct conn *conn);
/* Payload was placed, or held. */
void progress_note_unmapped(struct subflow *subflow, uint64_t now_ns);

/* ---- paths.c ---- */
void paths_confirmed(struct conn *conn, uint64_t now_ns);
void paths_add_addr(struct subflow *subflow, const struct mp_add_addr *add, uint64_t now_ns);
void paths_remove_addr(struct conn *conn, const struct mp_remove_addr *remove, uint64_t now_ns);
/* The host got an address, or is about to lose one. */
void paths_address_added(struct conn *conn, const struct local_address *local, uint64_t now_ns);
void paths_address_removed(struct conn *conn, const struct local_address *local, uint64_t now_ns);
struct announcement *paths_next_announcement(struct conn *conn);
uint8_t paths_local_id(const struct conn *conn, const struct hawser_addr *addr);

/* ---- close.c ---- */
void close_advance(struct conn *conn, uint64_t now_ns);
/* Subflows not closed yet. */
unsigned close_alive_subflows(const struct conn *conn);
/* Is there another subflow that can carry on? One that is opening may never come to be. */
bool close_has_successor(const struct subflow *subflow);
/* No subflow can bring more data, but the peer's DATA_FIN did not come. */
bool close_stranded(const struct conn *conn);
/* Is some of the stream, or its end, not acknowledged yet? Whether the peer is there at all is for others to tell. */
bool close_delivering(const struct conn *conn);
/* Is it so, and the program is gone, so that only we care for it? */
bool close_unfinished(const struct conn *conn);
/* Resets a subflow and says why (RFC 8684 3.6); `error` is what its connection learns if it was the last. */
void close_with_reason(struct subflow *subflow, uint8_t reason, int error, uint64_t now_ns);
/* A subflow did not close in time. */
void close_on_subflow_timer(struct subflow *subflow, uint64_t now_ns);
void close_subflow_event(struct subflow *subflow, enum tcp_event event, uint64_t now_ns);

#endif
