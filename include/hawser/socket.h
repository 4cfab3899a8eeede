/* The non-blocking socket interface over a stack. */
#ifndef HAWSER_SOCKET_H
#define HAWSER_SOCKET_H

#include <sys/types.h>

#include <hawser/event.h>
#include <hawser/path_manager.h>
#include <hawser/stack.h>

struct hawser_scheduler;

/* By what a listener tells peers apart when connections get scarce: a peer that has more than its share of them, all
 * divided by the peers that have any, gets no more unless another has more yet, and when hardly any is left the idlest
 * ones of who has most are reset, -ENOBUFS. When nobody has more, it is those of anybody that made no progress for ten
 * seconds. */
enum hawser_share {
    HAWSER_SHARE_BY_ADDRESS, /* IPv6: by /64, of which one subscriber has all */
    HAWSER_SHARE_NONE,       /* by nothing: many clients share one address, or all are trusted */
    HAWSER_SHARE_BY_HOST,    /* by whole addresses, IPv6 too: of those who are on a link of ours, which has one /64 */
};

/* Begins with its size so that it can grow. Zero in any field means the default. */
struct hawser_conn_options {
    size_t size;                /* sizeof(struct hawser_conn_options) */
    uint32_t send_buffer_bytes; /* default 4 MiB; less, by what the peer takes, when the stack's memory is an eighth
                                   full */
    uint32_t recv_buffer_bytes; /* default 6 MiB; the largest window offered: it begins with 64 KiB and grows as the
                                   program reads */
    bool no_mptcp;              /* speak plain TCP */
    struct hawser_addr local;   /* source of the first subflow; all zero: the one with the longest prefix that covers
                                 * the destination, or else the first of its family, and then others */
    /* Keepalive (RFC 9293 3.8.4), off by default: a subflow that has heard nothing for so long, and has nothing
     * outstanding by which it would find out, asks its peer for a sign of life, and again after each interval. When
     * `keepalive_tries` in a row had no answer it is gone with -ETIMEDOUT, and with its last subflow the connection: of
     * MPTCP after half a minute, unless another one comes. */
    uint64_t keepalive_idle_ns;     /* 0: off */
    uint64_t keepalive_interval_ns; /* default 75 s */
    uint32_t keepalive_tries;       /* default 9; at most 2^31 - 1 */
    enum hawser_share share;        /* of listeners */
    uint32_t max_subflows;          /* of MPTCP, at once, whoever opens them; default 8, at most 32 */
    /* `local` must be given, and need not be the stack's own: packets leave by `link`, which is a door, and answers
     * come in there. Such a connection gets no further subflows. For the side of a server that is to see its clients'
     * own addresses. Of hawser_connect(). */
    bool foreign_local;
    int link;
    const struct hawser_path_options *paths; /* path_manager.h; copied; NULL: the stack's */
    /* HAWSER_WRITABLE is told when there is room for so many bytes, or for all that there may ever be; default an
     * eighth of the send buffer, 128 KiB at most. */
    uint32_t send_low_water_bytes;
    /* Who says which bytes leave on which path (hawser/scheduler.h); it must outlive the stack. NULL: the stack's. */
    const struct hawser_scheduler *scheduler;
    /* Few bytes wait until what was sent is acknowledged, or until they are a full segment (RFC 9293 3.7.4, of the
     * stream as a whole). Off by default: each hawser_send() leaves at once, as with TCP_NODELAY. */
    bool nagle;
    /* The connection fails with -ETIMEDOUT, and the peer is told, when its handshake takes so long; or when so long
     * nothing more is acknowledged of what the program has queued, or ended: by the peer's MPTCP as a whole, whatever
     * single subflows do, and whether it is the network or a window that stays shut (RFC 9293 3.9.1). Whole
     * milliseconds, rounded up; 0: the bounds that hold anyway (docs/API.md). A longer one takes the place of those of
     * a connection that was established and whose peer does not answer. */
    uint64_t user_timeout_ns;
    /* `local` says where the first attempt begins, and no more: others are tried after it, as if none had been named.
     * One that the stack does not have, or that cannot reach the destination, counts as none. Its port must be 0.
     * Of hawser_connect(). */
    bool local_first;
    /* When a router says that there is no way to the destination (ICMP), the attempt by that path is over, as with the
     * kernel's connect(), even if it may be so for a moment only (RFC 1122 4.2.3.9); the connection is when no other
     * is left, or none of the others had an answer within two seconds. By default a second SYN has to hear the same.
     * Of hawser_connect(). */
    bool unreachable_at_once;
    /* The peer is told this as our user timeout (RFC 5482), and told again when it changes; and what it tells us of its
     * own counts (struct hawser_conn_info). Without `user_timeout_ns` the longer of the two, but 100 seconds at least
     * and an hour at most, is the user timeout of the connection once it is established. Whole seconds, rounded up, or
     * beyond 32,767 of them whole minutes, at most 32,767. 0, the default: the peer is neither told nor heard. */
    uint64_t advertised_user_timeout_ns;
};

/*
 * Opens a connection to `remote` (address and port). Returns at once; HAWSER_CONNECTED or HAWSER_ERROR follows.
 * Unless `options` name the one source address, each 250 ms without an answer the next local address that may reach
 * `remote` is tried beside those before, up to 8 ("tcp.further_attempts", "limit.attempts"); at once when the peer
 * refuses, and once all were tried the others have one second more to do better. Whoever is answered first becomes the
 * first subflow, and the others are told nothing but a RST. Where SYNs with MP_CAPABLE have no answer a second
 * later, plain ones follow, and when one of those is answered first the connection is plain TCP: see
 * hawser_stack_plain_peer(). `options` may be NULL. On success 0 and *out is a handle owned by the caller until
 * hawser_close() or hawser_abort(). Errors: -EINVAL (no port, an address that is the stack's own or no single host's,
 * `foreign_local` by a link that is no door, `local_first` with that or with a port, an advertised user timeout that is
 * too long to be said, options without their size, or a scheduler that is none), -E2BIG (options this library does not
 * know), -EADDRNOTAVAIL (no local address of that family, `local` is none, or all ports are taken by connections to
 * `remote`), -EADDRINUSE (the port of `local` is), -ENOBUFS (a limit of the stack, of which a listener keeps a
 * sixteenth for those who come), -ENOMEM.
 */
HAWSER_API int hawser_connect(struct hawser_stack *stack, const struct hawser_addr *remote,
                              const struct hawser_conn_options *options, uint64_t now_ns, struct hawser_conn **out);

/*
 * Listens on `local`: an address of the stack, "0.0.0.0" for all of IPv4, or all zero ("::") for all there are. Whoever
 * comes is the most specific one's. Port 0: one is chosen on which nobody listens (hawser_listener_local() says which).
 * `backlog` bounds the connections that wait for hawser_accept(), and likewise those that are half-open and remembered;
 * beyond it SYNs are answered by cookies. `options` apply to accepted connections; may be NULL. Errors: -EINVAL (no
 * backlog, or options as above), -E2BIG, -EADDRINUSE (somebody listens there, or on each port that could be
 * chosen), -EADDRNOTAVAIL, -ENOMEM.
 */
HAWSER_API int hawser_listen(struct hawser_stack *stack, const struct hawser_addr *local, unsigned backlog,
                             const struct hawser_conn_options *options, struct hawser_listener **out);

/* Stops listening. Connections not yet accepted are aborted; accepted ones live on and still take joins. Requests of a
 * door (<hawser/door.h>) are no more, those that the program was told of included; their clients hear nothing. */
HAWSER_API void hawser_listener_close(struct hawser_listener *listener);

/* Takes the connection that was established first; 0 and *out, or -EAGAIN. O(1). What is so of it already is told by
 * its first event. */
HAWSER_API int hawser_accept(struct hawser_listener *listener, struct hawser_conn **out);

/* Queues up to `len` bytes; returns how many were taken (copied), -EAGAIN when there is no room (HAWSER_WRITABLE tells
 * when there is), -ENOBUFS when there is room but no memory (HAWSER_WRITABLE tells when to try again: in the
 * order in which connections were refused, as memory comes back), -EPIPE after hawser_shutdown(), -ENOTCONN before the
 * connection is established, or the connection's error. */
HAWSER_API ssize_t hawser_send(struct hawser_conn *conn, const void *data, size_t len);

/*
 * Queues bytes of a buffer where they lie, by a reference of the connection's own: one that a program wrapped
 * (hawser_buf_wrap()) or filled, or that came from hawser_recv_slices(). Returns how many were taken, from the front,
 * or an error, as hawser_send(); or -EINVAL when the slice has no buffer or does not lie in it. The bytes must not
 * change until the peer has acknowledged them: that is, as long as anybody else holds the buffer.
 *
 * The connection is charged for all of the buffer, once while bytes of it are queued one behind the other. What is
 * taken is copied where that costs less: fewer than 4096 bytes, or than a quarter of the buffer, unless they continue
 * what was queued last; or when memory is short. So wrap what is sent together, rather than a large file as a whole.
 */
HAWSER_API ssize_t hawser_send_slice(struct hawser_conn *conn, struct hawser_slice slice);

/* Reads up to `len` bytes in order; returns how many, 0 at the end of the peer's stream, -EAGAIN, or the connection's
 * error (after all bytes that arrived in order were read). */
HAWSER_API ssize_t hawser_recv(struct hawser_conn *conn, void *data, size_t len);

/*
 * Takes the next bytes in order off the stream, for the program to keep: fills up to `max` slices, each with a
 * reference that the program gives back by hawser_buf_unref() when it likes, also after the connection and the stack
 * are gone (what the environment of the stack refers to must still be there). Returns how many, 0 at the end of the
 * peer's stream, -EAGAIN, -ENOBUFS when there is no memory for a copy that is needed (read by hawser_recv() then: it
 * needs none), or the connection's error.
 *
 * What is kept counts to nobody's memory any more: it is the program's. It holds no more than four times its bytes, or
 * 2 KiB: bytes that lie in a much larger buffer are copied out of it, one behind the other. So are all while more than
 * half of the receive buffers of a link are lent out ("limit.lent_buffers" counts what arrives meanwhile): they belong
 * to whoever receives by that link, so that a program that keeps many has copies from then on, and others go on.
 */
HAWSER_API ssize_t hawser_recv_slices(struct hawser_conn *conn, struct hawser_slice *slices, size_t max);

/*
 * Reading without a copy: points `parts` (of `max`) at the next bytes in order and returns how many parts were set;
 * 0 when there are none: nothing yet, the end, or an error, as hawser_conn_ready() or hawser_recv() says. Valid until
 * the next call into the stack, but for hawser_send(), which may be given them, of this connection or another of the
 * stack: it copies, and changes nothing here. hawser_consume() then takes `len` bytes off.
 */
HAWSER_API size_t hawser_peek(struct hawser_conn *conn, struct hawser_part *parts, size_t max);
HAWSER_API void hawser_consume(struct hawser_conn *conn, size_t len);

/* No more bytes will be sent: after those queued the peer sees the end of the stream. Where further paths are being
 * joined the end waits for them, some round trips and a second at most, for a peer may take no joins after it.
 * Receiving goes on. */
HAWSER_API void hawser_shutdown(struct hawser_conn *conn);

/*
 * The program neither sends nor reads any more. What is queued is still delivered, and so is the end of the stream;
 * HAWSER_DELIVERED tells when the peer has acknowledged all of it, HAWSER_ERROR that this will not be. The handle stays
 * the caller's until hawser_close(), which may follow at any time.
 *
 * What arrives is thrown away, and the window stays open for it; but once all is delivered it is answered by a reset
 * (RFC 9293 3.6.1), -ECONNRESET, after HAWSER_DELIVERED. So is a peer that does not end its own stream within a minute,
 * -ETIMEDOUT. Bytes that were there already and not read are lost, and the peer must learn that: the connection is
 * reset at once, -ECONNRESET, with all that was queued; unless hawser_shutdown() came before, for then the program has
 * said all and does not care. Before the handshake is over the connection ends at once, -ECONNABORTED.
 */
HAWSER_API void hawser_finish(struct hawser_conn *conn);

/* Gives up the handle, after hawser_finish() if that was not called. Delivery takes its time: who wants to free the
 * stack asks hawser_stack_unfinished(), or calls hawser_host_drain(). */
HAWSER_API void hawser_close(struct hawser_conn *conn);

/* Gives up the handle and resets the connection (MP_FASTCLOSE or RST). */
HAWSER_API void hawser_abort(struct hawser_conn *conn);

/* What can be changed of a connection at any time, by the fields of struct hawser_conn_options of these names. */
enum hawser_option {
    HAWSER_OPTION_SEND_BUFFER_BYTES, /* 1 to HAWSER_BUFFER_MAX; what is queued beyond a smaller one is still sent */
    HAWSER_OPTION_RECV_BUFFER_BYTES, /* likewise; what the peer was promised it may still send. The window scale of the
                                        handshakes bounds what can be offered on the subflows that they made */
    HAWSER_OPTION_SEND_LOW_WATER_BYTES,  /* at most HAWSER_BUFFER_MAX; 0: the default */
    HAWSER_OPTION_NAGLE,                 /* 0 or 1 */
    HAWSER_OPTION_KEEPALIVE_IDLE_NS,     /* 0: off; also counts the silence that there has been. Whole milliseconds,
                                            rounded up; 49 days are for ever */
    HAWSER_OPTION_KEEPALIVE_INTERVAL_NS, /* at least 1; likewise */
    HAWSER_OPTION_KEEPALIVE_TRIES,       /* at least 1, of 31 bits */
    HAWSER_OPTION_USER_TIMEOUT_NS,       /* 0: off; also counts what has passed. Whole milliseconds, likewise */
    HAWSER_OPTION_ASKED, /* 0 or 1: HAWSER_ASKED tells of what the peer's keepalive asks, and the program answers it by
                            hawser_conn_answer(). 0, the default, and after hawser_close(): the stack does, at once */
    HAWSER_OPTION_ADVERTISED_USER_TIMEOUT_NS, /* 0: off; the next segment without data of each subflow says it */
};
/* The largest window that TCP can offer (RFC 7323 2.3). */
#define HAWSER_BUFFER_MAX (UINT32_C(1) << 30)

/* Changes an option, from the next hawser_stack_output() on; before the handshake is over as well as after the end or a
 * failure, where it changes nothing any more. Returns 0, or -EINVAL: no such option, or no such value. */
HAWSER_API int hawser_conn_set(struct hawser_conn *conn, enum hawser_option option, uint64_t value);
/* 0 and *value, or -EINVAL: no such option. */
HAWSER_API int hawser_conn_get(const struct hawser_conn *conn, enum hawser_option option, uint64_t *value);

/*
 * For programs that join two connections: what the peer of one asks by its keepalive (RFC 9293 3.8.4) is for the peer
 * of the other one to answer.
 *
 * hawser_conn_ask() asks the peer for a sign of life, on each subflow that has been silent for a second and has nothing
 * outstanding, once a second at most ("limit.questions_passed_on"). A question without an answer is asked again after
 * `keepalive_interval_ns`, and ends the subflow after `keepalive_tries`, as if the connection had a keepalive of its
 * own. Returns 0; or -EAGAIN: the peer was asked before, longer ago than an answer takes (the retransmission timeout),
 * and has not answered since on any subflow.
 */
HAWSER_API int hawser_conn_ask(struct hawser_conn *conn, uint64_t now_ns);
/* After HAWSER_ASKED: the peer is answered, as often as the stack would itself; or, where `there` is false, left
 * without an answer to what it asked until now, and its own keepalive decides for how long it goes on. Nothing if it
 * did not ask. */
HAWSER_API void hawser_conn_answer(struct hawser_conn *conn, bool there, uint64_t now_ns);

/* The set of HAWSER_READABLE... that holds now, told or not. HAWSER_WRITABLE: there is room for one byte at least. */
HAWSER_API unsigned hawser_conn_ready(const struct hawser_conn *conn);

/* 0, or the negative errno that ended the connection: -ECONNREFUSED, -ECONNRESET, -ETIMEDOUT, or what a
 * router said of it: -EHOSTUNREACH, -ENETUNREACH, -ENOPROTOOPT, -EACCES... (docs/API.md). */
HAWSER_API int hawser_conn_error(const struct hawser_conn *conn);

/* Address and port of either end of the first subflow, be it gone since; before the connection is established, of the
 * first attempt. */
HAWSER_API void hawser_conn_local(const struct hawser_conn *conn, struct hawser_addr *out);
HAWSER_API void hawser_conn_peer(const struct hawser_conn *conn, struct hawser_addr *out);

/* Where it listens, with the port that was chosen for it if it asked for none. */
HAWSER_API void hawser_listener_local(const struct hawser_listener *listener, struct hawser_addr *out);

/* A pointer for the caller's own use. */
HAWSER_API void hawser_conn_set_user(struct hawser_conn *conn, void *user);
HAWSER_API void *hawser_conn_user(const struct hawser_conn *conn);
HAWSER_API void hawser_listener_set_user(struct hawser_listener *listener, void *user);
HAWSER_API void *hawser_listener_user(const struct hawser_listener *listener);

#endif
