/*
 * Handshakes that others began (RFC 9293 3.5, RFC 8684 3.1, 3.2). Until its third packet proves that the peer is there,
 * an open or a join is a small record; no connection and no subflow stands behind it. A listener whose records are used
 * up goes on without: what a record would remember is in the number of its SYN/ACK, a cookie (RFC 4987 3.6).
 *
 * handshake_input.c takes what arrives, handshake_records.c keeps the records and repeats their SYN/ACKs,
 * handshake_synack.c writes these, handshake_cookie.c makes and reads cookies.
 */
#ifndef HW_STACK_HANDSHAKE_H
#define HW_STACK_HANDSHAKE_H

#include "base/account.h"
#include "base/compiler.h"
#include "base/hash.h"
#include "base/pool.h"
#include "base/quota.h"
#include "mptcp/host.h"
#include "tcp/tcp.h"

/* SYN/ACKs to a peer that does not answer; RFC 9293 3.8.3 asks for three minutes of the side that cares. */
#define HANDSHAKE_TRIES_MAX 6
/* SYN/ACKs to one that asks again and again: then it begins anew. */
#define HANDSHAKE_ANSWERS_MAX 14
/* SYN/ACKs with MP_CAPABLE that may go unanswered before one goes without. */
#define HANDSHAKE_CAPABLE_TRIES 4u
/* Records of which each owner is sure, whatever the others hold. */
#define HANDSHAKE_SURE 8
/* SYN/ACKs without a record that wait for the next output. */
#define HANDSHAKE_COOKIES_MAX 64

struct hawser_listener;

enum handshake_kind {
    HANDSHAKE_PLAIN,
    HANDSHAKE_CAPABLE, /* MPTCP was offered and we agree */
    HANDSHAKE_JOIN,
};

struct handshake {
    struct hash_node tuple;
    struct list turn;                 /* among those whose SYN/ACK leaves next, or that wait equally long */
    struct list owned;                /* among its owner's */
    struct list of_kind;              /* among all opens or all joins */
    struct quota *owner;              /* NULL: no record, only a SYN/ACK that is to leave */
    struct hawser_listener *listener; /* of an open */
    struct conn *conn;                /* of a join; of an open: it was promised to a program, and waits for this */

    struct hawser_addr local, remote;
    uint8_t link; /* by which it came */
    bool door;    /* which is one */
    struct tcp_terms terms;
    uint32_t iss, ts_offset;
    uint32_t window_max; /* the largest window we shall ever offer */
    uint16_t window;     /* that our SYN/ACK promises: it is not scaled (RFC 7323 2.2) */
    uint64_t begun_ns, sent_ns, due_ns;
    uint64_t safe_ns;      /* until then it makes way for nobody */
    uint8_t tries;         /* SYN/ACKs sent */
    uint16_t user_timeout; /* that they advertise (RFC 5482), as on the wire; 0: none */

    enum handshake_kind kind;
    bool capable_asked; /* by the latest SYN */
    bool checksums, peer_refuses_joins;
    uint64_t local_key;

    uint8_t local_id, remote_id;
    bool local_backup, remote_backup;
    uint32_t local_nonce, remote_nonce;
    uint64_t hmac64; /* our proof */
};

/* ---- handshake_records.c ---- */

struct handshakes {
    struct tcp_host *host;
    struct account *memory; /* borrowed; the stack's: of what everybody's records hold */
    struct pool pool;
    struct hash_table tuples;
    struct list due;                          /* their SYN/ACK leaves with the next output */
    struct list waiting[HANDSHAKE_TRIES_MAX]; /* by SYN/ACKs sent: each list is in the order of its times */
    struct quota opens, joins;                /* of all owners */
    struct quota promised;                    /* opens whose connections are there, which are bounded themselves */
    struct quota cookies;                     /* SYN/ACKs without a record */
    struct deadline timer;                    /* for the first of all that wait */
};

/* Room for so many opens and joins of all owners, and what these are sure of, charged to `memory`. The host's deadline
 * queue has room reserved for one node. 0 or -ENOMEM. */
int handshakes_init(struct handshakes *t, struct tcp_host *host, struct account *memory, uint32_t opens,
                    uint32_t joins);
/* Forgets them all. */
void handshakes_destroy(struct handshakes *t);

struct handshake *handshakes_find(const struct handshakes *t, const struct hawser_addr *local,
                                  const struct hawser_addr *remote);

enum handshake_room {
    HANDSHAKE_ROOM_NONE,
    HANDSHAKE_ROOM_MADE, /* another one had to go */
    HANDSHAKE_ROOM_FREE,
};

/* Sees that there is room for one more of the kind at this owner: at the limit the oldest one makes way, if it had time
 * to answer (RFC 4987 3.3). Where memory is used up there is none for opens, which get on without. */
enum handshake_room handshakes_make_room(struct handshakes *t, struct quota *owner, enum handshake_kind kind,
                                         uint64_t now_ns);
/* Keeps a copy of `h` for the owner, who has room, and answers with a SYN/ACK. NULL without memory. */
struct handshake *handshakes_add(struct handshakes *t, struct quota *owner, const struct handshake *h);
/* Answers with a SYN/ACK and keeps nothing. False: too many wait. */
bool handshakes_answer(struct handshakes *t, const struct handshake *h);
/* The peer asks again. It has time for the answer, however old it is, and those behind it do not wait for that. */
void handshakes_ask(struct handshakes *t, struct handshake *h, uint64_t now_ns);
void handshakes_drop(struct handshakes *t, struct handshake *h);
/* It came to nothing: if its connection was promised, that fails. */
void handshakes_fail(struct handshakes *t, struct handshake *h, int error);
void handshakes_drop_owner(struct handshakes *t, struct quota *owner);
void handshakes_drop_address(struct handshakes *t, const struct hawser_addr *local);
/* The link that they came by goes, and they with it. */
void handshakes_lose_link(struct handshakes *t, uint8_t link);

/* The next whose SYN/ACK is to leave, or NULL; then that it has left. */
struct handshake *handshakes_due(const struct handshakes *t);
void handshakes_sent(struct handshakes *t, struct handshake *h, uint64_t now_ns);

/* ---- handshake_synack.c ---- */

void handshake_write(const struct handshake *h, const struct local_address *local, struct hawser_tx *tx,
                     uint64_t now_ns);

/* ---- handshake_cookie.c ---- */

/* A time slot lasts this long; a cookie counts in its own and the next. */
#define COOKIE_SLOT_NS (64 * NS_PER_S)
#define COOKIE_LIFE_NS (2 * COOKIE_SLOT_NS)

/* A sequence number for the SYN/ACK of `h`, whose addresses and terms are set: all that is needed to read it again is
 * what the third packet carries. */
uint32_t cookie_make(const uint8_t *secret, const struct handshake *h, uint64_t now_ns);
enum cookie {
    COOKIE_NONE,
    /* The peer may have one, and this have overtaken, or outlived, the segment that brings it: nobody can tell, as only
     * the first number goes into it. A RST would end a connection that is about to be. Of numbers that are none one in
     * 32 is taken for such, but other ones in other slots. */
    COOKIE_UNREADABLE,
    COOKIE_OURS,
};
/* Is `h->iss` such a number, for the addresses and the irs of `h`? Then sets what it says of the terms, and the key. */
enum cookie cookie_read(const uint8_t *secret, struct handshake *h, uint64_t now_ns);
/* RFC 8684 3.1: our key for a handshake with this iss, which can be derived again from the third packet. */
uint64_t cookie_key(const uint8_t *secret, const struct handshake *h, uint64_t now_ns);

#endif
