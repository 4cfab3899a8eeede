/*
 * Is the connection MPTCP or plain TCP, and what has the peer been told of that (RFC 8684 3.7)? It knows neither
 * connection nor subflows: it is told what happened on the first of them.
 *
 * The infinite mapping must mean what a plain connection means: each byte of the subflow is that byte of the stream. So
 * the way back is open only while the first subflow has carried all there was, once and in order, and no other was
 * added.
 */
#ifndef HW_MPTCP_FALLBACK_H
#define HW_MPTCP_FALLBACK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/seq.h"
#include "wire/mptcp_options.h"

enum conn_mode {
    CONN_NEGOTIATING, /* MP_CAPABLE was offered and not answered yet */
    CONN_MPTCP,
    CONN_PLAIN, /* one subflow, infinite mapping: by choice or by fallback */
};

/* Why is it plain TCP? The first cause counts. */
enum plain_cause {
    PLAIN_NOT,        /* it is not, or nobody knows yet */
    PLAIN_WANTED,     /* the program, or the owner of the stack, wants it so */
    PLAIN_REMEMBERED, /* the peer spoke plain TCP a while ago */
    PLAIN_NO_OFFER,   /* the peer's SYN or SYN/ACK has no MP_CAPABLE, or one that is of no use */
    PLAIN_NO_ANSWER,  /* SYNs with MP_CAPABLE were not answered, one without was */
    PLAIN_STRIPPED,   /* options do not come through */
    PLAIN_CHECKSUM,   /* a checksum failed (MP_FAIL) */
    PLAIN_INFINITE,   /* the peer has fallen back, and says so by an infinite mapping */
};
/* In a word or two. NULL: PLAIN_NOT. */
const char *plain_cause_name(enum plain_cause cause);

/* Who knows of a second subflow, and so has no way back to plain TCP. */
enum commitment {
    COMMITTED_NOBODY,
    COMMITTED_US,
    COMMITTED_BOTH,
};

/* The peer's MP_FAIL. */
enum fail_answer {
    FAIL_UNHEARD,
    FAIL_ANSWERED, /* it made us fall back: whenever it comes again it is answered */
    FAIL_ANSWER_DUE,
};

struct fallback {
    enum conn_mode mode : 8;
    enum commitment commitment : 8;
    enum fail_answer fail : 8;
    enum plain_cause cause : 8;
    bool options_pass;      /* a DATA_ACK came with the acknowledgement of data: they do both ways */
    bool rx_diverged;       /* what arrived is not the stream from its begin, in order */
    uint8_t infinite_tells; /* bare segments that still carry the infinite mapping */
    uint64_t infinite_from; /* subflow sequence number where it was in force first; 0: never */
};

static inline bool fallback_is_mptcp(const struct fallback *f) { return f->mode == CONN_MPTCP; }
static inline bool fallback_is_plain(const struct fallback *f) { return f->mode == CONN_PLAIN; }
static inline bool fallback_is_negotiating(const struct fallback *f) { return f->mode == CONN_NEGOTIATING; }
/* What the handshake settled, or what it is to. */
static inline void fallback_settle(struct fallback *f, enum conn_mode mode) { f->mode = mode; }
static inline enum plain_cause fallback_cause(const struct fallback *f) { return f->cause; }
/* Before the handshake: is it plain TCP from the start, and why? */
void fallback_begin(struct fallback *f, enum plain_cause cause);
/* And after it. */
void fallback_settle_plain(struct fallback *f, enum plain_cause cause);

/* A DATA_ACK came, `of_data` when with the acknowledgement of some. */
static inline void fallback_note_options(struct fallback *f, bool of_data) { f->options_pass |= of_data; }
/* Bytes came that are not the next of the stream, or were lost. */
static inline void fallback_note_divergence(struct fallback *f, bool diverges) { f->rx_diverged |= diverges; }
static inline bool fallback_rx_diverged(const struct fallback *f) { return f->rx_diverged; }

/* It was an MP_FAIL of the peer's that made us fall back. */
static inline void fallback_made_by_fail(struct fallback *f) { f->fail = FAIL_ANSWERED; }
/* The peer's MP_FAIL came, perhaps once more. True when it is to be answered. */
static inline bool fallback_owe_answer(struct fallback *f)
{
    f->fail = f->fail == FAIL_UNHEARD ? FAIL_UNHEARD : FAIL_ANSWER_DUE;
    return f->fail == FAIL_ANSWER_DUE;
}

static inline void fallback_commit(struct fallback *f, enum commitment who)
{
    if (who > f->commitment)
        f->commitment = who;
}
/* Can the peer not take bytes that are sent again for new ones? */
static inline bool fallback_peer_committed(const struct fallback *f) { return f->commitment == COMMITTED_BOTH; }

/* Is the way back open, as far as it does not depend on what was sent? */
static inline bool fallback_open(const struct fallback *f)
{
    return f->commitment == COMMITTED_NOBODY && !f->rx_diverged;
}
/* Goes it. `snd_nxt` is the first subflow's: where the infinite mapping begins. True when the peer is to be told. */
bool fallback_go(struct fallback *f, enum plain_cause cause, uint64_t snd_nxt);

/* What a segment without an option of MPTCP brings. */
struct bare_segment {
    bool join;      /* on a subflow that was added */
    bool dss_seen;  /* where the peer had used a DSS before */
    bool confirmed; /* or anywhere in the connection */
    bool payload, acks_data;
};
/* Does it show that options do not come through? */
bool fallback_needed(const struct fallback *f, const struct bare_segment *segment);
/* Fallen back, do we hear from a peer that has not, and whose bytes are not those that plain TCP would take them for?
 * Of a segment with payload. */
bool fallback_contradicted(const struct fallback *f, const struct mptcp_options *mp, dsn64 remote_idsn);

/* What is written on a segment of the only subflow, once fallen back. */
struct infinite_facts {
    bool bare;        /* it maps nothing */
    bool checksums;   /* were in use */
    uint64_t snd_una; /* of the subflow */
    dsn64 una, idsn;  /* the last byte that is known to have arrived intact is before `una` */
    dsn64 rcv_next;   /* and the first of the peer's that has not come */
};
void fallback_write(const struct fallback *f, const struct infinite_facts *facts, struct mptcp_options *mp);
/* Is no more to be written on data, once the subflow has come so far? */
static inline bool fallback_data_is_bare(const struct fallback *f, uint64_t snd_una)
{
    return f->mode == CONN_PLAIN && (f->infinite_from == 0 || snd_una > f->infinite_from);
}
/* What of that left. True when there is more to tell at once. */
bool fallback_sent(struct fallback *f, const struct mptcp_options *sent);

#endif
