/*
 * Doors: links by which programs come in that know nothing of Hawser (struct hawser_link_options). A listener of such a
 * link hears of every SYN that comes in by it, whatever its destination, and nothing is said to the client before the
 * program decides: a connection to the real destination may be tried first, and then be accepted, refused or left to
 * time out as that was.
 */
#ifndef HAWSER_DOOR_H
#define HAWSER_DOOR_H

#include <hawser/socket.h>

/* A client that asks for a connection. The program owns it from hawser_next_request() until it was accepted or refused,
 * or the listener is closed. */
struct hawser_request;

/*
 * Listens on `link`, a door. A listener on an address of the stack's own (hawser_listen()) is more specific: what comes
 * in for that is its own. `backlog` bounds the requests that are not answered, and likewise those that were refused and
 * are remembered; one client address gets about half of them, unless `options` says HAWSER_SHARE_NONE; where clients of
 * IPv6 have one /64 together, HAWSER_SHARE_BY_HOST tells them apart. Beyond that SYNs are dropped: clients ask again.
 * `options` apply to accepted connections; may be NULL. hawser_accept() has nothing to give here. Returns 0 and *out;
 * -EINVAL (the link is no door, no backlog, or options without their size), -E2BIG, -EADDRINUSE (it has a listener), or
 * -ENOMEM.
 */
HAWSER_API int hawser_listen_link(struct hawser_stack *stack, int link, unsigned backlog,
                                  const struct hawser_conn_options *options, struct hawser_listener **out);

/*
 * The next request; 0 and *out, or -EAGAIN. O(1). HAWSER_REQUESTED tells of each. A client that asks
 * again is recognised and told of once only. One that gives up after that, by a reset, by asking anew with another
 * sequence number, by not asking again for 70 seconds, or after 135 seconds in all, is told of once more, and
 * hawser_request_withdrawn() holds: such a request can only be refused, of which the client hears nothing.
 */
HAWSER_API int hawser_next_request(struct hawser_listener *listener, struct hawser_request **out);

/* Who asks (`from`) for what (`to`): addresses and ports. Either may be NULL. */
HAWSER_API void hawser_request_addrs(const struct hawser_request *request, struct hawser_addr *from,
                                     struct hawser_addr *to);

/* Has the client given up? */
HAWSER_API bool hawser_request_withdrawn(const struct hawser_request *request);

/* A pointer for the caller's own use. The connection inherits it. */
HAWSER_API void hawser_request_set_user(struct hawser_request *request, void *user);
HAWSER_API void *hawser_request_user(const struct hawser_request *request);

/*
 * Answers the client. Returns 0 and in *out a handle as by hawser_connect(): HAWSER_CONNECTED or HAWSER_ERROR follows,
 * the latter with -ETIMEDOUT or -ECONNRESET when the client does not go on. The request is no more. The connection's
 * local address is the client's destination. On an error it stays the caller's: -ECONNRESET when it is withdrawn,
 * -ENOBUFS at a limit of the stack, or -ENOMEM.
 */
HAWSER_API int hawser_request_accept(struct hawser_request *request, struct hawser_conn **out);

/* How a client learns that there is no connection, and what connect() says of it on Linux; by ICMP sometimes at its
 * second SYN only, as the kernel passes over errors that come before connect() waits for an answer. */
enum hawser_refusal {
    HAWSER_REFUSE_RESET,      /* ECONNREFUSED */
    HAWSER_REFUSE_NETWORK,    /* ICMP: no route to the network. ENETUNREACH */
    HAWSER_REFUSE_HOST,       /* ICMP: the host is unreachable. EHOSTUNREACH */
    HAWSER_REFUSE_PORT,       /* ICMP: the port is. ECONNREFUSED */
    HAWSER_REFUSE_PROHIBITED, /* ICMP: administratively prohibited. EHOSTUNREACH; by IPv6 EACCES */
    HAWSER_REFUSE_PROTOCOL,   /* ICMP: nobody speaks TCP there. ENOPROTOOPT; by IPv6 as HAWSER_REFUSE_PORT */
    HAWSER_REFUSE_SILENTLY,   /* nothing is said. ETIMEDOUT, in its own time */
};

/* Refuses it. The request is no more. A client that asks again gets the same answer for a minute or two. Returns 0, or
 * -EINVAL: there is no such refusal, and the request waits as before. */
HAWSER_API int hawser_request_refuse(struct hawser_request *request, enum hawser_refusal how);

#endif
