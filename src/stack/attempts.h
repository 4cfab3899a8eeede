/*
 * How a connection of ours comes to be: attempts from several addresses of ours, one beside the other (RFC 8305), so
 * that a path that is dead does not delay it; and at last without MP_CAPABLE, lest a middlebox eats that (RFC
 * 8684 3.7). The first one that is answered becomes the first subflow. The others are forgotten before their third
 * packets, so that none of them has named our key (RFC 8684 3.1), and what is answered later is refused by a RST.
 *
 * The attempts are subflows of the connection that are not joins. Here is what it takes to begin them.
 */
#ifndef HW_STACK_ATTEMPTS_H
#define HW_STACK_ATTEMPTS_H

#include "stack/stack.h"

/* Addresses of ours that are tried. */
#define ATTEMPT_ADDRESSES_MAX 8
/* RFC 8305 5: the next one is tried beside those that did not answer for so long. */
#define ATTEMPT_DELAY_NS (250 * NS_PER_MS)
/* When all addresses have had their turn, and the last of them is about to send its second SYN, each pair is tried once
 * more from another port, */
#define ATTEMPT_AGAIN_NS RTO_INITIAL_NS
/* and right after that without MP_CAPABLE. So only what the SYNs say can make a difference between the two, and a path
 * that has been dead, and is not any more, gives MPTCP, for each plain SYN follows one that offers it. */
#define ATTEMPT_PLAIN_NS (50 * NS_PER_MS)
/* So many SYNs with MP_CAPABLE without an answer, and the first plain one with it, are proof of a middlebox. */
#define ATTEMPT_PROOF_SYNS 3
/* Where there is one port only, the plain attempt takes the place of the other, whose second SYN has its second first.
 */
#define ATTEMPT_PLAIN_ALONE_NS (2 * NS_PER_S)
/* But no later than this after the first attempt, from however many addresses. */
#define ATTEMPT_PLAIN_LATEST_NS (2750 * NS_PER_MS)
/* Once the peer has refused one, others that are not refused as well have so long. */
#define ATTEMPT_REFUSED_NS NS_PER_S
/* Once a router has put an end to one whose program wants to hear of it at once: time for a second SYN, and its answer.
 */
#define ATTEMPT_UNREACHABLE_NS (2 * NS_PER_S)

struct attempts_wish {
    const struct hawser_addr *remote;
    const struct local_address *local; /* where the first one begins */
    uint16_t port;                     /* the source's; 0: any */
    bool bound;                        /* to `local`: no other address is tried */
    bool unreachable_at_once;          /* as hawser_conn_options says */
};

/* Begins the first attempt of a new connection; when it cannot be from `local`, from the next address. Returns 0,
 * -ENOMEM, -ENOBUFS, -EADDRINUSE, -EADDRNOTAVAIL. */
int attempts_begin(struct hawser_stack *stack, struct conn *conn, const struct attempts_wish *wish, uint64_t now_ns);
/* The next one begins at once: an address of ours came, or a router says that the way of one is broken (RFC 5461 2.1).
 */
void attempts_hurry(struct conn *conn, uint64_t now_ns);
/* Does a router's word end one of them that may well be true for a moment only? */
bool attempts_end_at_once(const struct conn *conn);
/* The connection is about to be freed. */
void attempts_end(struct conn *conn);

/* See struct mp_host_ops. */
void attempts_answered(struct mp_host *host, struct subflow *subflow, bool mptcp, uint64_t now_ns);
void attempts_over(struct mp_host *host, struct subflow *subflow, uint64_t now_ns);

/* Of records of connections that open. */
size_t attempts_size(void);

#endif
