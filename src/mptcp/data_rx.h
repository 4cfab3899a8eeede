/*
 * The stream on its way in: what arrived on any subflow, in data sequence order, the window that was promised, and the
 * peer's DATA_FIN (RFC 8684 3.3). Knows no connection and no subflow. What it holds is charged to an account of its
 * own.
 */
#ifndef HW_MPTCP_DATA_RX_H
#define HW_MPTCP_DATA_RX_H

#include "base/packer.h"
#include "mptcp/reassembly.h"

/* The window begins with no more, and under pressure nobody is offered less. */
#define DATA_RX_WINDOW_FIRST (UINT32_C(64) << 10)
#define DATA_RX_WINDOW_MIN (UINT32_C(16) << 10)

struct data_rx {
    struct account account;
    struct store *store; /* borrowed */
    struct reassembly reassembly;
    struct packer packer; /* where what arrived is copied to, if it is */
    uint32_t limit_max;   /* the most that is ever offered ahead of the program */
    uint32_t limit;       /* what is offered now, but for pressure: it grows as the program keeps up */
    dsn64 tuned_next;     /* how far the program had read when that was last looked at, */
    uint64_t tuned_ns;    /* and when */
    dsn64 rcv_edge;       /* right edge of the window we promised */
    dsn64 peer_fin;       /* number of the DATA_FIN */
    bool peer_fin_known, peer_fin_taken;
};

enum data_rx_answer {
    DATA_RX_PLACED,
    DATA_RX_NO_ROOM,       /* for want of memory, or at a limit; perhaps for some of it */
    DATA_RX_OUT_OF_WINDOW, /* some of it */
    DATA_RX_BEYOND_END,    /* some of it, which nobody wants (RFC 8684 3.3.3); the rest was placed */
};

void data_rx_init(struct data_rx *rx, struct pool *nodes, struct store *store, struct account *parent,
                  uint32_t limit_max);
void data_rx_destroy(struct data_rx *rx);

/* What it holds is charged to this; what waits for it elsewhere may be, too. */
static inline struct account *data_rx_account(struct data_rx *rx) { return &rx->account; }

/* The number of the first byte of the stream, before anything arrived. What was promised is kept. */
void data_rx_rebase(struct data_rx *rx, dsn64 first);

/* Bytes that the program took, in all: counted from anywhere. */
uint64_t data_rx_read_bytes(const struct data_rx *rx);
/* One past what arrived in order, the DATA_FIN included: what a DATA_ACK says. */
dsn64 data_rx_next(const struct data_rx *rx);
/* Does a gap lie before this byte? */
bool data_rx_is_early(const struct data_rx *rx, dsn64 dsn);

/* May bytes that lie behind a gap be stored? */
bool data_rx_has_room(const struct data_rx *rx, struct slice bytes);

/*
 * Stores bytes that begin at `dsn`, by reference or copied (packer_keep()). `bytes.buf` may be NULL. *taken says how
 * many from the front were stored or known or not wanted. What was `acknowledged` already, and so charged, finds room
 * where there is any.
 */
enum data_rx_answer data_rx_place(struct data_rx *rx, dsn64 dsn, struct slice bytes, bool acknowledged,
                                  uint32_t *taken);

/* Gives back what it took room for and holds nothing in. */
void data_rx_idle(struct data_rx *rx);

bool data_rx_has_disorder(const struct data_rx *rx);
/* Drops what lies behind gaps. */
void data_rx_forget_disorder(struct data_rx *rx);

/* The peer's DATA_FIN has this number. Only the first word counts, and only where nothing else is: else false. */
bool data_rx_know_end(struct data_rx *rx, dsn64 at);
bool data_rx_knows_end(const struct data_rx *rx);
/* The stream ends after what arrived in order: a subflow's FIN where plain TCP is spoken. */
void data_rx_end_here(struct data_rx *rx);
/* A DATA_FIN that was not taken counts no more. */
void data_rx_forget_end(struct data_rx *rx);
/* Takes the DATA_FIN if all before it has arrived; true when that is news. */
bool data_rx_take_end(struct data_rx *rx);

/* What was promised before stays so. */
void data_rx_set_limit_max(struct data_rx *rx, uint32_t limit_max);
/* The most that is ever offered: it decides the window scale. */
static inline uint32_t data_rx_limit_max(const struct data_rx *rx) { return rx->limit_max; }
/* Bytes that the peer may now have sent ahead of the program. */
uint32_t data_rx_limit(const struct data_rx *rx);
/* Moves the promised edge and returns the window: `most` is what the segment that says so can express. */
uint32_t data_rx_window(struct data_rx *rx, uint32_t segment_bytes, uint32_t most);
/* So much was promised before there was a connection. */
void data_rx_promise(struct data_rx *rx, uint32_t window);
/* What is left of the promise. */
uint32_t data_rx_promised(const struct data_rx *rx);
/* A program that reads a quarter of a window in a round trip of the slowest path is offered twice as much. Did it read
 * so much? */
bool data_rx_tunes(const struct data_rx *rx);
/* In `rtt_ns`, or less? 0: nobody knows the round trip. */
void data_rx_tune(struct data_rx *rx, uint64_t rtt_ns, uint64_t now_ns);
/* Bytes that the program can read now. */
uint32_t data_rx_readable(const struct data_rx *rx);
/* Copies and takes off up to `len` bytes; returns how many. */
size_t data_rx_read(struct data_rx *rx, void *dst, size_t len);
/* As reassembly_peek(). */
size_t data_rx_peek(const struct data_rx *rx, struct hawser_part *parts, size_t max);
/* Takes off the next bytes that lie together, for the program to keep: with a reference, and charged to nobody from now
 * on, for what it holds is its own affair. They are copied where their buffer is much larger, not theirs alone or one
 * of few. False: nothing is readable, or there is no memory for the copy. */
bool data_rx_take(struct data_rx *rx, struct slice *out);
/* Takes off up to `len` bytes. */
void data_rx_consume(struct data_rx *rx, size_t len);
/* Bytes that had arrived before. */
uint64_t data_rx_duplicate_bytes(const struct data_rx *rx);
/* No byte follows those that are readable. */
bool data_rx_is_over(const struct data_rx *rx);
/* The program took bytes. What a subflow may promise now, and by how much more than it did before its peer is told;
 * open 0: nothing that could come needs more. */
struct data_rx_opening {
    uint32_t open, step; /* bytes */
};
struct data_rx_opening data_rx_consumed(struct data_rx *rx);

#endif
