/* Schedulers: which bytes of a connection's stream leave on which of its paths. */
#ifndef HAWSER_SCHEDULER_H
#define HAWSER_SCHEDULER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hawser/env.h>

/* The id of no path. */
#define HAWSER_NO_PATH UINT32_MAX
/* Most bytes a scheduler may have for a connection, and most for a path. */
#define HAWSER_SCHEDULER_MEMORY_MAX 16384

/* A subflow that may carry data. What is not measured yet is 0. More members may be added at the end. */
struct hawser_path {
    uint32_t id; /* no other subflow of the connection ever has it; as in struct hawser_subflow_info */
    bool backup; /* one of both ends asked to use it only when no regular one is available (RFC 8684 3.3.8) */
    bool stale;  /* silent for two round trips, or timed out, and nothing acknowledged since; or it delivered bytes that
                  * the peer's data level does not acknowledge; or its own window stays shut, the connection's being open
                  */
    bool willing; /* the rule of the house: it is not stale, unless all are; no backup, unless all that are not stale
                     are */
    bool in_recovery;         /* from a loss */
    uint32_t room_bytes;      /* what its windows, its pace and the send buffer admit now; 0 where that is less than a
                               * segment and more will come */
    uint32_t cwnd_bytes;      /* congestion window */
    uint32_t window_bytes;    /* the peer's, of the subflow */
    uint32_t in_flight_bytes; /* neither acknowledged nor deemed lost */
    uint32_t segment_bytes;   /* payload of a full segment */
    uint64_t srtt_ns, rttvar_ns; /* round trips as acknowledged: how long the peer held those back is in them */
    uint64_t min_rtt_ns;         /* the least of the last half a minute, or of a little more */
    uint64_t rate_bps; /* what its controller paces it at, or where that names no rate an estimate, not measured: bits a
                        * second if a whole `cwnd_bytes` went in each `srtt_ns`, whether or not there was so much to
                        * send, or it could get there */
    uint64_t cursor;   /* the next offset that HAWSER_SEND_CURSOR sends on it: `una` or above */
    void *memory;      /* the scheduler's own, `path_bytes`, zero at first, aligned for anything */
};

/* The outgoing stream. Offsets count its bytes from 0. More members may be added at the end. */
struct hawser_stream {
    uint64_t now_ns;
    uint64_t una;        /* oldest byte that the peer has not acknowledged (DATA_ACK) */
    uint64_t next;       /* first byte that was never sent */
    uint64_t end;        /* where what the program has queued ends */
    uint64_t window_end; /* where the peer's window ends: no byte from there on can be sent */
    uint64_t new_bytes;  /* never sent, queued and in the window */
    uint64_t again_from; /* the first run of bytes that seem lost with their path, or that the peer does not acknowledge
                          * though they were delivered: */
    uint64_t again_end;  /* these may go elsewhere; equal: there are none */
    uint32_t head_path;  /* which path carried the byte at `una` first; HAWSER_NO_PATH: none that is listed */
    bool may_copy;       /* bytes may be sent a second time; before the peer knows of a second path they may not */
    bool end_known;      /* the program queues no more */
    bool app_limited;    /* `room_bytes` of all paths together would take more than there is: the program has queued no
                          * more, be it because the send buffer is full */
    void *memory;        /* the scheduler's own, `conn_bytes`, zero at first, aligned for anything */
    const struct hawser_path *const *paths; /* those that are no backups and not stale come first, then backups, then
                                             * stale ones, then stale backups; and of equals those with the least
                                             * `srtt_ns`, unmeasured ones last */
    size_t path_count;
};

/* What a path shall send now. */
enum hawser_send {
    HAWSER_SEND_NOTHING,
    HAWSER_SEND_NEW,    /* up to `len` bytes from `next` on */
    HAWSER_SEND_AGAIN,  /* up to `len` bytes from `from` on, which were sent before: within [una, next); where they do
                         * not  begin in [again_from, again_end) they count as a copy */
    HAWSER_SEND_CURSOR, /* up to `len` bytes from the path's own cursor on, which moves behind them; new ones where it
                           has reached `next` */
};

struct hawser_decision {
    enum hawser_send what;
    uint32_t len;      /* at most; UINT32_MAX: as much as the path takes. Less than a segment counts as a segment */
    uint64_t from;     /* of HAWSER_SEND_AGAIN */
    uint64_t until_ns; /* of HAWSER_SEND_NOTHING: ask again then; 0: when something has happened */
};

static inline struct hawser_decision hawser_send_nothing(uint64_t until_ns)
{
    struct hawser_decision d = {HAWSER_SEND_NOTHING, 0, 0, 0};
    d.until_ns = until_ns;
    return d;
}
static inline struct hawser_decision hawser_send_new(uint32_t len)
{
    struct hawser_decision d = {HAWSER_SEND_NEW, 0, 0, 0};
    d.len = len;
    return d;
}
static inline struct hawser_decision hawser_send_again(uint64_t from, uint32_t len)
{
    struct hawser_decision d = {HAWSER_SEND_AGAIN, 0, 0, 0};
    d.from = from;
    d.len = len;
    return d;
}
static inline struct hawser_decision hawser_send_cursor(uint32_t len)
{
    struct hawser_decision d = {HAWSER_SEND_CURSOR, 0, 0, 0};
    d.len = len;
    return d;
}

/*
 * A scheduler. Its functions see and decide; they must be quick, keep what they remember in the memory they are given,
 * and call nothing of the stack. What they see is valid until they return. They are called from when there is
 * a second path, and ask() only while two or more may carry data: one alone carries everything.
 *
 * Whatever they answer, a path is given no more than its windows and the send buffer admit, whole segments as far as
 * that is possible, and no more at once than it delivers in some milliseconds; copies no more than half a send buffer
 * holds, be it in memory that they keep or outstanding on a path; bytes are not sent a second time before
 * the peer knows of a second path. An answer that cannot be followed counts as HAWSER_SEND_NOTHING
 * ("mptcp.scheduler_mistakes"). When bytes wait, nothing is under way and the scheduler sends nothing, the next piece
 * goes the way of "lowest-rtt": at once if it named no time, or else after a second ("mptcp.scheduler_overruled").
 */
struct hawser_scheduler {
    size_t size;      /* sizeof(struct hawser_scheduler); more members may be added at the end, as with options */
    const char *name; /* not empty */
    uint32_t conn_bytes,
        path_bytes; /* memory for each connection, and for each of its paths, from when it has two; a
                     * connection that gets none is served by "lowest-rtt" ("limit.scheduler_memory") */
    /* `path` has room: what goes there? Paths are asked in their order until one sends, and then again from the first;
     * those without room are not. */
    struct hawser_decision (*ask)(const struct hawser_stream *stream, const struct hawser_path *path);

    /* What it hears, the first three before it is asked next. Each may be NULL. */
    /* These bytes have left on the path; `stream` and `path` show how all stands after that. What the path sends again
     * by itself is told by lost() only. */
    void (*sent)(const struct hawser_stream *stream, const struct hawser_path *path, uint64_t from, uint32_t len);
    /* So many more bytes were acknowledged on the path, of which the peer's data level may have had some before. */
    void (*acked)(const struct hawser_stream *stream, const struct hawser_path *path, uint64_t bytes);
    /* So many more bytes were deemed lost there, and sent again by the path itself. */
    void (*lost)(const struct hawser_stream *stream, const struct hawser_path *path, uint64_t bytes);
    /* The path of that id is no more; neither is its memory, after this. */
    void (*gone)(void *conn_memory, uint32_t id, void *path_memory);
};

/*
 * The schedulers that come with the library, by name; NULL when there is none of that name:
 *
 *   "lowest-rtt"  the default: bytes go where the round trip is least, of the paths that are willing and have room
 *   "redundant"   every willing path sends everything, one that falls behind skips what the peer has by then: as fast
 * as the best path, and nothing to wait for when that fails
 */
HAWSER_API const struct hawser_scheduler *hawser_scheduler_find(const char *name);

/* The i-th of them (0, 1, ...); NULL past the end. */
HAWSER_API const struct hawser_scheduler *hawser_scheduler_at(size_t i);

#endif
