/* What has become of connections and listeners, as a program learns it. */
#ifndef HAWSER_EVENT_H
#define HAWSER_EVENT_H

#include <hawser/stack.h>

struct hawser_conn;
struct hawser_listener;

/* What may be of a connection, or of a listener: a set. hawser_conn_ready() says what is, hawser_next_event() what has
 * come to be. */
enum {
    HAWSER_READABLE = 1u << 0,      /* recv() returns bytes, the end of the stream, or an error */
    HAWSER_WRITABLE = 1u << 1,      /* send() takes at least one byte if there is memory, or returns an error */
    HAWSER_CONNECTED = 1u << 2,     /* the handshake is over */
    HAWSER_ERROR = 1u << 3,         /* the connection failed: hawser_conn_error() says why */
    HAWSER_CLOSED = 1u << 4,        /* no subflow is left, nor may one come: both directions are over, or it failed */
    HAWSER_PEER_FINISHED = 1u << 5, /* the end of the peer's stream is here, and all that lies before it */
    HAWSER_DELIVERED = 1u << 6,     /* after hawser_shutdown() or hawser_finish(): the peer's host acknowledged all that
                                     * was sent, and that this is the end */
    HAWSER_ACCEPTABLE = 1u << 7,    /* hawser_accept() gives a connection */
    HAWSER_REQUESTED = 1u << 8,     /* of a door's listener: hawser_next_request() gives a request */
    HAWSER_ASKED = 1u << 9, /* with HAWSER_OPTION_ASKED: the peer's keepalive asks whether we are there, and waits
                             * for hawser_conn_answer() */
};

struct hawser_event {
    uint32_t what;                    /* set of HAWSER_READABLE...: never empty */
    struct hawser_conn *conn;         /* NULL: it is of a listener */
    struct hawser_listener *listener; /* NULL: it is of a connection */
    void *user;                       /* that handle's, as it is now: hawser_conn_user(), hawser_listener_user() */
};

/*
 * The next handle of which there is something new, in the order in which that began: O(1). False: of none.
 *
 * Events are edges: each is told once, with all that is new of its handle and still is when it is told.
 * HAWSER_READABLE, each time something has arrived since it was told last: more bytes in order, or the end of the
 * stream. HAWSER_WRITABLE once the connection is made, and then after each hawser_send() that took less than it was
 * offered, or left no room, when there is room for as many bytes as `send_low_water_bytes` says (struct
 * hawser_conn_options) and memory for some. HAWSER_ACCEPTABLE and HAWSER_REQUESTED each time one has come since.
 * HAWSER_ERROR once, with HAWSER_READABLE and HAWSER_WRITABLE, for recv() and send() have something to say then.
 * HAWSER_ASKED once until hawser_conn_answer(). All others once.
 *
 * So a program reads until -EAGAIN or the end, sends until -EAGAIN, -ENOBUFS or less than all was taken, accepts, and
 * takes requests, until -EAGAIN; or it remembers what it left. Handles that were given up are never told of;
 * connections that wait on a listener are when they are accepted. What the program does first is not told any more:
 * bytes that it read, a connection that it took.
 */
HAWSER_API bool hawser_next_event(struct hawser_stack *stack, struct hawser_event *out);

#endif
