/*
 * The stream on its way out: what the program queued, what was handed to subflows, and what the peer acknowledged at
 * the data level (RFC 8684 3.3). It knows neither connection nor subflows: of these it keeps the number of who carried
 * what (data_tx.c), and its timer hears of them in a summary (data_tx_timer.c).
 */
#ifndef HW_MPTCP_DATA_TX_H
#define HW_MPTCP_DATA_TX_H

#include "base/compiler.h"
#include "base/iset.h"
#include "base/units.h"
#include "mptcp/carriers.h"
#include "mptcp/sendq.h"

#define REINJECT_RANGES_MIN 256u
/* Least and most that may wait unsent, whatever is outstanding, when memory is not plentiful: some segments, so that a
 * stream gets going; and more than the low-water mark of who did not set any. */
#define DATA_TX_SPARE_MIN (UINT32_C(8) << 10)
#define DATA_TX_SPARE_MAX (UINT32_C(256) << 10)

/* The end of the stream (RFC 8684 3.3.3). */
enum data_fin {
    DATA_FIN_NONE,
    DATA_FIN_WANTED, /* the program has no more */
    DATA_FIN_HELD,   /* it waits for something else, */
    DATA_FIN_DUE,    /* and has waited long enough */
    DATA_FIN_SENT,
    DATA_FIN_ACKED,
};

/* What the data level waits for. */
enum awaited {
    AWAITS_NOTHING,
    AWAITS_WINDOW,
    AWAITS_DATA_ACK,
};

/* How it gets on: questions to the peer, and bytes sent again, while no DATA_ACK comes. */
struct progress {
    uint64_t due_ns; /* when data_tx_on_timer() is to be called; TIME_NEVER: nothing is awaited */
    dsn64 una;       /* the oldest missing byte, and since when: as last looked */
    uint64_t una_since_ns;
    uint64_t asked_since_ns; /* the first question, or repetition, that the peer did not answer by progress; 0: none */
    uint64_t spent_ns;       /* on such questions before, which it answered by a shut window only */
    uint32_t questions;      /* since then */
    enum awaited armed;      /* for that `due_ns` is early enough */
    bool asked_open;         /* its window was open when it was asked */
    bool answers_with_options;
    uint8_t answers;    /* bare acknowledgements that tell that the peer heard it, up to 255 */
    uint8_t vain_looks; /* when a question was due, and what is missing was under way */
    uint32_t again;     /* bytes that were sent again last; 0: it is not recovering */
    dsn64 again_end;    /* where they end */
};

struct data_tx {
    struct account account; /* of what is queued, or still referred to by records */
    struct sendq sendq;
    dsn64 idsn;           /* the first byte has the next number */
    dsn64 snd_nxt;        /* next byte never sent */
    dsn64 snd_edge;       /* right edge of the peer's window */
    struct iset reinject; /* offsets from idsn of bytes to be sent again elsewhere */
    struct iset repeated; /* likewise, of those that were */
    struct carriers carriers;
    struct progress progress;
    uint64_t fin_due_ns; /* when the DATA_FIN is repeated (RFC 8684 3.3.3), or TIME_NEVER */
    enum data_fin fin;
    uint8_t fin_tries; /* how often the DATA_FIN was repeated since data was last acknowledged */
    bool nagle;        /* few bytes wait for an acknowledgement */
    bool window_shut;  /* behind what the peer acknowledged there is no room */
    uint64_t reinjected_bytes;
    uint64_t acked_at_look, laggard_due_ns; /* data_tx_look_for_laggards() */
};

/* An empty stream. Buffers come from `store`, charged to an account under `parent`; at most `limit` bytes are held. */
void data_tx_init(struct data_tx *tx, struct store *store, struct account *parent, dsn64 idsn, uint32_t limit);
void data_tx_destroy(struct data_tx *tx);

/* What it holds is charged to this. */
static inline struct account *data_tx_account(struct data_tx *tx) { return &tx->account; }

/* ---- the program's side ---- */

/* The most bytes that may be held now: the limit, or, when memory is not plentiful, what is outstanding and as many
 * again, but account_spare() for a start. So whose peer takes nothing cannot pile up what others could use. */
uint32_t data_tx_allowance(const struct data_tx *tx);
/* Of these, what is not held. */
uint32_t data_tx_room(const struct data_tx *tx);
/* Is there memory for a little more? */
static inline bool data_tx_finds_memory(const struct data_tx *tx)
{
    return account_admits(&tx->account, store_smallest(tx->sendq.store), CLAIM_NEED);
}
/* As sendq_write() and sendq_write_slice(), as much as there is room for. */
size_t data_tx_write(struct data_tx *tx, const void *data, size_t len);
size_t data_tx_write_slice(struct data_tx *tx, struct slice bytes);
/* The most bytes that are held; what is beyond a smaller limit stays. */
void data_tx_set_limit(struct data_tx *tx, uint32_t limit);
static inline uint32_t data_tx_limit(const struct data_tx *tx) { return tx->sendq.limit; }
/* Do few bytes wait for what is outstanding? */
static inline void data_tx_set_nagle(struct data_tx *tx, bool nagle) { tx->nagle = nagle; }
static inline bool data_tx_nagle(const struct data_tx *tx) { return tx->nagle; }
/* The program has no more. */
static inline void data_tx_end(struct data_tx *tx) { tx->fin = DATA_FIN_WANTED; }
static inline bool data_tx_ends(const struct data_tx *tx) { return tx->fin != DATA_FIN_NONE; }

/* ---- what the peer acknowledges ---- */

struct tx_news {
    enum {
        TX_ACKED = 1 << 0,     /* data, for the first time */
        TX_IMPOSSIBLE = 1 << 1 /* what was never sent: nothing was taken */
    } what;
    uint32_t merit; /* bit set of subflows that alone had carried some of it */
};
/* A DATA_ACK, and the window that came with it in bytes. */
struct tx_news data_tx_take_ack(struct data_tx *tx, dsn64 ack, uint32_t window, uint64_t now_ns);
/* The peer's window reaches at least up to `edge`. */
static inline void data_tx_widen(struct data_tx *tx, dsn64 edge) { tx->snd_edge = dsn_max(tx->snd_edge, edge); }

/* Is it time to look for subflows that keep too much of what is acknowledged here? Once each eighth of the limit, and
 * when one may be overdue that was seen. */
bool data_tx_look_for_laggards(struct data_tx *tx, uint64_t now_ns);
static inline void data_tx_look_again(struct data_tx *tx, uint64_t at_ns)
{
    tx->laggard_due_ns = HW_MIN(tx->laggard_due_ns, at_ns);
}
static inline uint64_t data_tx_laggard_limit(const struct data_tx *tx) { return tx->sendq.limit / 2; }
/* What is held beyond the bytes that are queued: buffers of which a record still names a part, and the records. */
static inline uint64_t data_tx_kept_bytes(const struct data_tx *tx)
{
    uint64_t queued = (uint64_t)dsn_diff(tx->sendq.end, tx->sendq.una);
    return tx->account.held > queued ? tx->account.held - queued : 0;
}
/* How much more a subflow may be given on which so much is outstanding: no more than is held for all of them. */
static inline uint32_t data_tx_room_on(const struct data_tx *tx, uint64_t outstanding)
{
    return outstanding < tx->sendq.limit ? tx->sendq.limit - (uint32_t)outstanding : 0;
}

/* The oldest byte that is not acknowledged; the next that was never sent; and one past the last that is queued. */
static inline dsn64 data_tx_una(const struct data_tx *tx) { return tx->sendq.una; }
static inline dsn64 data_tx_next(const struct data_tx *tx) { return tx->snd_nxt; }
static inline dsn64 data_tx_stream_end(const struct data_tx *tx) { return tx->sendq.end; }

/* Where plain TCP is spoken the peer acknowledges it by the subflow's FIN. */
static inline void data_tx_take_end_ack(struct data_tx *tx) { tx->fin = DATA_FIN_ACKED; }
/* Has the peer all of the stream, and knows that? */
static inline bool data_tx_end_acked(const struct data_tx *tx) { return tx->fin == DATA_FIN_ACKED; }
static inline bool data_tx_fin_sent(const struct data_tx *tx) { return tx->fin >= DATA_FIN_SENT; }
/* Is a DATA_FIN on its way? */
static inline bool data_tx_fin_waits(const struct data_tx *tx) { return tx->fin == DATA_FIN_SENT; }
/* Is data? */
static inline bool data_tx_outstanding(const struct data_tx *tx) { return dsn_lt(tx->sendq.una, tx->snd_nxt); }
static inline bool data_tx_all_acked(const struct data_tx *tx) { return dsn_eq(tx->sendq.una, tx->sendq.end); }
/* Does the program wait for the peer to have some of the stream, or its end? */
static inline bool data_tx_undelivered(const struct data_tx *tx)
{
    return !data_tx_all_acked(tx) || (data_tx_ends(tx) && !data_tx_end_acked(tx));
}
static inline uint64_t data_tx_offset(const struct data_tx *tx, dsn64 at) { return at.v - tx->idsn.v; }
/* Likewise, counted from the first byte of the stream. */
static inline uint64_t data_tx_place(const struct data_tx *tx, dsn64 at) { return data_tx_offset(tx, at) - 1; }
static inline dsn64 data_tx_at(const struct data_tx *tx, uint64_t place) { return dsn_add(tx->idsn, place + 1); }
/* Bytes that were sent once or more, and that were acknowledged, in all. */
static inline uint64_t data_tx_sent_bytes(const struct data_tx *tx) { return data_tx_offset(tx, tx->snd_nxt) - 1; }
static inline uint64_t data_tx_acked_bytes(const struct data_tx *tx) { return data_tx_offset(tx, tx->sendq.una) - 1; }

/* ---- what is to be sent ---- */

/* As sendq_peek(). */
static inline uint32_t data_tx_peek(const struct data_tx *tx, dsn64 from, uint32_t want, struct slice *parts,
                                    unsigned max, unsigned *count)
{
    return sendq_peek(&tx->sendq, from, want, parts, max, count);
}
/* Bytes that were never sent, and how many of them the peer's window admits. */
static inline uint32_t data_tx_unsent(const struct data_tx *tx)
{
    return (uint32_t)dsn_diff(tx->sendq.end, tx->snd_nxt);
}
uint32_t data_tx_window_left(const struct data_tx *tx);
/* As many of them as may leave now, in segments of so many bytes. */
uint32_t data_tx_ready(const struct data_tx *tx, uint32_t segment_bytes);
/* `len` of them left on subflow `slot`. */
void data_tx_sent(struct data_tx *tx, uint32_t len, uint8_t slot, uint64_t now_ns);
/* Everything is sent and the program has no more. */
bool data_tx_may_finish(const struct data_tx *tx);

/* The end waits for something else, which is under way unless `patience_ns` is 0: does it? For so long and no longer,
 * and once; then data_tx_release_end() does something, and returns true. */
bool data_tx_hold_end(struct data_tx *tx, uint64_t patience_ns, uint64_t now_ns);
bool data_tx_release_end(struct data_tx *tx);
/* The end leaves. */
static inline void data_tx_end_leaves(struct data_tx *tx) { tx->fin = DATA_FIN_SENT; }

/* The first run of bytes to be sent again elsewhere, as numbers; empty when there is none. */
struct range data_tx_lost(const struct data_tx *tx);
/* These left once more, because they seemed lost, or are a copy for the sake of speed. True when they begin with the
 * oldest missing byte. */
bool data_tx_resent(struct data_tx *tx, dsn64 from, uint32_t len);
bool data_tx_copied(struct data_tx *tx, dsn64 from, uint32_t len);
/* Bytes [from, from + len) are to be sent again elsewhere, as far as they are missing / are not, after all. */
void data_tx_reinject(struct data_tx *tx, dsn64 from, uint32_t len);
void data_tx_forget_reinjection(struct data_tx *tx, dsn64 from, uint32_t len);
/* Nothing is, any more: one subflow is all there is. */
static inline void data_tx_forget_lost(struct data_tx *tx) { iset_clear(&tx->reinject); }
static inline uint64_t data_tx_reinjected_bytes(const struct data_tx *tx) { return tx->reinjected_bytes; }
/* The subflow in that slot is gone / who carried the oldest missing byte first. */
static inline void data_tx_forget_carrier(struct data_tx *tx, uint8_t slot) { carriers_forget(&tx->carriers, slot); }
static inline uint8_t data_tx_oldest_carrier(const struct data_tx *tx) { return carriers_oldest(&tx->carriers); }
/* The oldest missing bytes are, up to `bytes`; and twice as many when the answer asks for just the next ones. */
void data_tx_send_again(struct data_tx *tx, uint64_t bytes);

/* ---- the timer (data_tx_timer.c) ---- */

/* The subflows, as far as the timer is concerned. Of those that answer: */
struct tx_paths {
    uint64_t rto_ns;          /* the longest retransmission timeout before it is backed off; 0: none answers */
    uint64_t timeout_ns;      /* likewise, of those that may carry data; 0: none may */
    uint64_t srtt_ns;         /* their longest smoothed round trip */
    uint64_t user_timeout_ns; /* of the connection; 0: none */
    bool busy;                /* on one of these something is outstanding */
    bool opening;             /* a join is under way, on which options may pass */
    bool committed;           /* the peer cannot take bytes that are sent again for new ones */
};

/* Is there something that could leave? */
static inline bool data_tx_waits(const struct data_tx *tx, bool committed)
{
    return data_tx_unsent(tx) || (tx->reinject.count && committed);
}
/* Something waits and nothing is under way on a path that works: no acknowledgement will come by itself to let it go.
 */
bool data_tx_blocked(const struct data_tx *tx, const struct tx_paths *paths);

/* After anything that may have moved the DATA_ACK, or when data is outstanding again. True when data_tx_arm() is to be
 * called: the subflows need not be looked at each time. */
bool data_tx_watch(struct data_tx *tx, bool committed, uint64_t now_ns);
/* Sets progress.due_ns. */
void data_tx_arm(struct data_tx *tx, const struct tx_paths *paths, uint64_t now_ns);
/* It may now have to be earlier: the next data_tx_arm() looks again. */
static inline void data_tx_rearm(struct data_tx *tx) { tx->progress.armed = AWAITS_NOTHING; }
void data_tx_disarm(struct data_tx *tx);

/* Since when the peer is asked; 0: it is not. */
static inline uint64_t data_tx_asked_since(const struct data_tx *tx) { return tx->progress.asked_since_ns; }
/* A bare acknowledgement came, with an option of MPTCP or without, whose sender has heard the first question. */
void data_tx_note_answer(struct data_tx *tx, bool with_options);

enum tx_due {
    TX_WAIT,
    TX_ASK,     /* the peer, for a DATA_ACK */
    TX_AGAIN,   /* bytes were queued to be sent again, and those who delivered them come under suspicion */
    TX_USELESS, /* subflows that answer give no DATA_ACK: options do not pass */
    TX_TIMEOUT, /* nobody is there */
};
/* The timer went off. `under_way`: the oldest missing byte is outstanding on a subflow that nothing speaks against. */
enum tx_due data_tx_on_timer(struct data_tx *tx, const struct tx_paths *paths, bool under_way, uint64_t now_ns);
/* The DATA_FIN is to be repeated, as long as it waits for its DATA_ACK. */
void data_tx_arm_fin(struct data_tx *tx, uint64_t now_ns);
/* Nothing is awaited any more. */
static inline void data_tx_stop(struct data_tx *tx)
{
    data_tx_disarm(tx);
    tx->fin_due_ns = TIME_NEVER;
    tx->laggard_due_ns = TIME_NEVER;
}
/* When data_tx_on_timer() is to be called, and data_tx_repeat_fin(), or TIME_NEVER; and the earliest of these, and of
 * the next look for laggards. */
static inline uint64_t data_tx_question_due(const struct data_tx *tx) { return tx->progress.due_ns; }
static inline uint64_t data_tx_fin_due(const struct data_tx *tx) { return tx->fin_due_ns; }
static inline uint64_t data_tx_due(const struct data_tx *tx)
{
    return HW_MIN(HW_MIN(tx->progress.due_ns, tx->fin_due_ns), tx->laggard_due_ns);
}
/* A DATA_FIN is about to be sent once more: TX_ASK, TX_USELESS or TX_TIMEOUT. */
enum tx_due data_tx_repeat_fin(struct data_tx *tx, const struct tx_paths *paths, uint64_t now_ns);

#endif
