/*
 * SYNs that came in by a door, which programs decide about (<hawser/door.h>). A request is told to its program,
 * accepted (then a handshake goes on with what it knows), or refused, and then remembered for repetitions of its SYN.
 */
#ifndef HW_STACK_REQUESTS_H
#define HW_STACK_REQUESTS_H

#include <hawser/door.h>

#include "base/account.h"
#include "stack/arrival.h"
#include "stack/handshake.h"
#include "stack/shares.h"

/* A client that has not asked again for so long has given up: the last pause of Linux is 64 seconds, */
#define REQUEST_PATIENCE_NS (70 * NS_PER_S)
/* and what it says after that is no repetition any more. */
#define REQUEST_REPEATS_NS (65 * NS_PER_S)
/* A refusal is repeated no sooner (RFC 4443 2.4: errors are limited in rate). */
#define REQUEST_REFUSAL_INTERVAL_NS (100 * NS_PER_MS)
/* The longest IPv4 and TCP headers: an error quotes all of a SYN. */
#define REQUEST_QUOTE_MAX 120

/* Of one listener. */
struct request_queue {
    struct quota waiting; /* for the program */
    struct quota refused;
    struct list news; /* those of which it is to be told, by `news` */
    uint32_t came;    /* of these, in all */
};
static inline bool request_queue_has_news(const struct request_queue *queue) { return !list_empty(&queue->news); }

enum request_state {
    REQUEST_NEW,
    REQUEST_TOLD,      /* the program has it */
    REQUEST_WITHDRAWN, /* likewise, and the client gave up: others have its place in the table */
    REQUEST_REFUSED,
};

struct hawser_request {
    struct hash_node tuple;
    struct list owned; /* among those that wait, or that are refused, of its queue */
    struct list news;
    struct list heard; /* among all whose clients may ask again, the longest silent first */
    struct list due;   /* its refusal is to leave */
    struct request_queue *queue;
    struct share *share; /* NULL: it counts to none */
    void *user;          /* the program's */
    uint64_t heard_ns, refused_ns;
    enum request_state state;
    enum hawser_refusal refusal;
    struct handshake handshake; /* as it would go on */
    uint8_t syn_len;
    uint8_t syn[REQUEST_QUOTE_MAX]; /* from its IP header on */
};

struct requests {
    struct tcp_host *host;
    struct account *memory; /* borrowed; the stack's */
    struct shares *shares;  /* borrowed */
    struct pool pool;
    struct hash_table tuples;
    struct list heard, due;
    struct deadline timer;
};

/* The host's deadline queue has room reserved for one node. 0 or -ENOMEM. */
int requests_init(struct requests *t, struct tcp_host *host, struct account *memory, struct shares *shares);
/* Queues were closed before. */
void requests_destroy(struct requests *t);

void request_queue_init(struct request_queue *queue, uint32_t limit);
/* Forgets all of it, without a word to anybody. */
void requests_close(struct requests *t, struct request_queue *queue);

struct hawser_request *requests_find(const struct requests *t, const struct hawser_addr *local,
                                     const struct hawser_addr *remote);

/* A SYN that nobody has asked for yet, and the handshake that would follow. At a limit, or without memory, it is
 * dropped and counted. */
void requests_add(struct requests *t, struct request_queue *queue, const struct handshake *h, const struct arrival *a,
                  enum hawser_share by, uint64_t now_ns);
/* Its SYN came again. */
void requests_repeat(struct requests *t, struct hawser_request *r, const struct arrival *a, uint64_t now_ns);
/* Its client gave up. */
void requests_withdraw(struct requests *t, struct hawser_request *r);

/* The next that the program is to be told of, or NULL. */
struct hawser_request *requests_next(struct request_queue *queue);
/* The program has decided. */
void requests_refuse(struct requests *t, struct hawser_request *r, enum hawser_refusal how);
void requests_drop(struct requests *t, struct hawser_request *r);

/* Writes the next refusal that is to leave; false when there is none. What it quotes stays for as long as the request
 * is remembered. */
bool requests_write_due(struct requests *t, struct hawser_tx *tx, uint64_t now_ns);

#endif
