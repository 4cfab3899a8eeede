/* How a connection ends: what the program asked for, the error it learns, and how long it waits for what may never
 * come. It knows neither connection nor subflows: it is told how these stand. */
#ifndef HW_MPTCP_ENDINGS_H
#define HW_MPTCP_ENDINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/units.h"

/* What the program asked for, by calls that bring no time: begun at the next output. */
enum asked {
    ASKED_NOTHING,
    ASKED_LINGER, /* to deliver what is queued */
    ASKED_RESET,  /* likewise, but what arrived was not read: the peer must learn that (RFC 1122 4.2.2.13) */
    ASKED_ABORT,
    ABORTED, /* it was begun */
};

/* The last subflow's end is not the connection's: another one may come (RFC 8684 3.3.3). */
enum rescue {
    RESCUE_NONE,
    RESCUE_AWAITED,  /* none is left but joins that have not proved themselves */
    RESCUE_ON_TRIAL, /* one came, but brought no stream on yet: should it go, too, its time is part of the same */
};

struct endings {
    int16_t error;        /* negative errno once it failed */
    int16_t lost_error;   /* of the last subflow: what it fails with when no other one can come */
    enum asked asked : 8; /* by the program */
    enum rescue rescue : 8;
    bool finished : 1;        /* the program neither reads nor sends any more */
    bool detached : 1;        /* nor has it a handle */
    bool aborted : 1;         /* reset by us: RSTs carry MP_FASTCLOSE */
    bool farewell : 1;        /* the peer acknowledged a subflow's FIN, and so knows that all is over */
    uint64_t waits_since_ns;  /* for the peer to answer, or to acknowledge what is queued; 0: for nothing */
    uint64_t linger_until_ns; /* or TIME_NEVER */
    uint64_t linger_acked;    /* acknowledged bytes when that was set */
    uint64_t rescue_until_ns; /* or TIME_NEVER */
    uint64_t rescue_moved;    /* how far the streams had come then */
};

/* How the connection stands. */
struct ending_facts {
    uint64_t acked_bytes;     /* at the data level, in all */
    uint64_t moved;           /* grows with the bytes acknowledged and received in order */
    bool delivering;          /* some of the stream, or its end, is not acknowledged yet */
    uint64_t user_timeout_ns; /* in force, which makes other times longer; 0: none */
    uint64_t own_timeout_ns;  /* the program's own, for the stream; 0: none */
    bool stranded;            /* no subflow can bring more data, but the peer's end did not come */
};

void endings_init(struct endings *e);

/* 0, or what it failed with. */
static inline int endings_error(const struct endings *e) { return e->error; }
static inline void endings_fail(struct endings *e, int error) { e->error = (int16_t)error; }
/* Its RSTs are to say so (RFC 8684 3.5). */
static inline void endings_abort(struct endings *e) { e->aborted = true; }
static inline bool endings_aborted(const struct endings *e) { return e->aborted; }
static inline bool endings_abort_asked(const struct endings *e) { return e->asked == ASKED_ABORT; }
/* Did nobody end it? */
static inline bool endings_goes_on(const struct endings *e)
{
    return !e->error && !e->aborted && e->asked < ASKED_ABORT;
}
/* It is nobody's yet, or a program's. */
static inline void endings_let_go(struct endings *e) { e->finished = e->detached = true; }
static inline void endings_take_hold(struct endings *e) { e->finished = e->detached = false; }
static inline bool endings_detached(const struct endings *e) { return e->detached; }
static inline bool endings_finished(const struct endings *e) { return e->finished; }
/* Does the peer know that all is over? */
static inline void endings_note_farewell(struct endings *e, bool known) { e->farewell |= known; }
static inline bool endings_farewell(const struct endings *e) { return e->farewell; }
/* Of the last subflow. */
static inline int endings_lost_error(const struct endings *e) { return e->lost_error; }

/* The program wants no more of it. What is queued is still delivered, and a peer that has all of it and does not finish
 * is waited for a minute, which begins with endings_begin(); unless bytes are `unread`. Once. */
void endings_finish(struct endings *e, bool unread);
/* It gave up its handle, too. */
static inline void endings_detach(struct endings *e) { e->detached = true; }
void endings_ask_abort(struct endings *e);
/* Was something asked that is not begun? */
static inline bool endings_asked(const struct endings *e) { return e->asked != ASKED_NOTHING && e->asked != ABORTED; }
/* Takes what was asked. 0, or the error with which the connection is to be aborted now. */
int endings_begin(struct endings *e, const struct ending_facts *facts, uint64_t now_ns);

/* Does only the stack care for what is not delivered yet? */
bool endings_unattended(const struct endings *e, bool delivering);

/* None can bring the rest of the stream since now, and another one may come. False: that goes on since it was so
 * before, and the streams have not moved. */
bool endings_strand(struct endings *e, const struct ending_facts *facts);
/* Subflows came or went: a connection that nobody can end in order is not kept for ever, as a new subflow may come (RFC
 * 8684 3.3.3). */
void endings_note(struct endings *e, const struct ending_facts *facts, uint64_t now_ns);

/* The last subflow is lost, by `error`, and another one may come: it has half a minute, or, where the address it had
 * here is gone (-EADDRNOTAVAIL), the user timeout if that is longer. False: that goes on since one
 * was lost that brought nothing, so that who resets each as it comes does not make it last for ever; an address of ours
 * that goes is not his doing. */
bool endings_lose(struct endings *e, const struct ending_facts *facts, int error, uint64_t now_ns);
/* There is one again. */
void endings_recover(struct endings *e);
/* The last one is back, which was not the peer's to bring about: should it go again, it has all the time. */
void endings_resume(struct endings *e);
/* Does the connection go on without one? */
static inline bool endings_awaits_rescue(const struct endings *e) { return e->rescue == RESCUE_AWAITED && !e->error; }

/* Does the program wait for the peer to answer its SYN, or to acknowledge more of what is queued? For as long as the
 * user timeout (RFC 9293 3.9.1, 3.8.3), and where there is none as long as others have patience. */
void endings_watch_delivery(struct endings *e, bool waits, uint64_t now_ns);
/* The peer has acknowledged some of it. */
static inline void endings_note_delivery(struct endings *e, uint64_t now_ns)
{
    if (e->waits_since_ns)
        e->waits_since_ns = now_ns;
}

/* When endings_on_timer() is to be called, or TIME_NEVER. */
uint64_t endings_due(const struct endings *e, uint64_t own_timeout_ns);
/* A time is over. True: the connection is to be aborted with -ETIMEDOUT. */
bool endings_on_timer(struct endings *e, const struct ending_facts *facts, uint64_t now_ns);

#endif
