/*
 * Who is to be served whatever others do: clients that are whole Hawser stacks, 5 ms away. One of them, the friend, has
 * been connected since before the attack, from a host with two addresses. New ones come from the same host, or where an
 * address cannot count on a second connection, from another.
 */
#ifndef HW_HOSTILE_VICTIM_H
#define HW_HOSTILE_VICTIM_H

#include "ground.h"

struct parcel;

enum { VICTIM_HOSTS = 2 };

struct victim {
    struct ground *ground;
    struct purse purse;
    struct hawser_stack *hosts[VICTIM_HOSTS]; /* the friend's, and the other */
    struct hawser_addr addr[3];               /* two of the friend's host, one of the other */
    unsigned newcomers;                       /* the host that new clients are on */
    struct hawser_conn *friend;
    struct parcel *first, *last; /* on the way, in order of arrival */
};

/* How a try went. */
struct service {
    bool served, mptcp;
    int error; /* of the connection */
    uint64_t took_ns, retransmits;
};

void victim_init(struct victim *v, struct ground *ground, uint64_t seed);
bool victim_destroy(struct victim *v);
bool victim_is(const struct victim *v, const struct hawser_addr *addr);
void victim_hear(struct victim *v, const struct hawser_tx *tx);

/* Lets `ns` pass for all. */
void victim_pass(struct victim *v, uint64_t ns);

/* A new client connects, sends 5 bytes and gets 8 back. */
struct service victim_try(struct victim *v, bool plain);

/* The friend connects, or asks once more on its old connection. */
struct service victim_befriend(struct victim *v);
struct service victim_ask_again(struct victim *v);
/* What others see of it: returns its token, and its address. */
uint32_t victim_friend(const struct victim *v, struct hawser_addr *addr);
/* The friend gets a second address, and a subflow from it; or loses it again. */
struct service victim_join(struct victim *v);
void victim_leave(struct victim *v);

#endif
