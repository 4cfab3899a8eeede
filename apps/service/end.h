/*
 * Ends: where the bytes of a stream come from and go to, whatever is behind: a connection of the stack, a socket of the
 * kernel, or TLS above one of these. An end is a value; who holds it owns what it stands for, until it is closed or
 * aborted.
 */
#ifndef HW_APPS_SERVICE_END_H
#define HW_APPS_SERVICE_END_H

#include <hawser/hawser.h>

#include "service/watch.h"

struct end_ops {
    /* Who hears of it, by HAWSER_READABLE, HAWSER_PEER_FINISHED (no more will arrive), HAWSER_WRITABLE,
     * HAWSER_CONNECTED, HAWSER_ERROR and HAWSER_ASKED as edges (event.h); NULL: nobody. What was so before is not told:
     * who begins to watch tries whatever he wants to do. */
    void (*watch)(void *of, struct watch *watch);

    /* The next bytes, by a reference that is the caller's from then on. Returns 1; 0: the stream is over; -EAGAIN;
     * -ENOBUFS: try peek(), which needs no memory; or the error of the end. */
    ssize_t (*take)(void *of, struct hawser_slice *slice);
    /* Points at them instead, until the next call. Returns how many parts; 0, -EAGAIN or an error, likewise. */
    ssize_t (*peek)(void *of, struct hawser_part *parts, size_t max);
    /* Takes off `len` bytes that peek() pointed at. */
    void (*consume)(void *of, size_t len);

    /* Queues bytes from the front: by a reference to `buf` where that helps, else, and where `buf` is NULL, by a copy.
     * Returns how many; or -EAGAIN, -ENOBUFS or the error. HAWSER_WRITABLE is told when it was less than all, and there
     * is room. */
    ssize_t (*give)(void *of, struct hawser_slice slice);
    /* No more bytes will be given: the other side sees the end of the stream. */
    void (*finish)(void *of);

    bool (*connected)(void *of);
    int (*error)(void *of); /* 0, or the negative errno that ended it */

    /* What was given is still delivered, */
    void (*close)(void *of);
    /* or the other side sees a reset. */
    void (*abort)(void *of);

    /* The stack's connection that is under it; NULL: none. */
    struct hawser_conn *(*conn)(void *of);
    int (*fd)(void *of); /* likewise the kernel's socket; -1: none */
    void (*peer)(void *of, struct hawser_addr *out);
};

struct end {
    const struct end_ops *ops; /* NULL: no end */
    void *of;
};

static inline void end_watch(struct end end, struct watch *watch) { end.ops->watch(end.of, watch); }
static inline ssize_t end_take(struct end end, struct hawser_slice *slice) { return end.ops->take(end.of, slice); }
static inline ssize_t end_peek(struct end end, struct hawser_part *parts, size_t max)
{
    return end.ops->peek(end.of, parts, max);
}
static inline void end_consume(struct end end, size_t len) { end.ops->consume(end.of, len); }
static inline ssize_t end_give(struct end end, struct hawser_slice slice) { return end.ops->give(end.of, slice); }
static inline void end_finish(struct end end) { end.ops->finish(end.of); }
static inline bool end_connected(struct end end) { return end.ops->connected(end.of); }
static inline int end_error(struct end end) { return end.ops->error(end.of); }
static inline void end_close(struct end end) { end.ops->close(end.of); }
static inline void end_abort(struct end end) { end.ops->abort(end.of); }
static inline struct hawser_conn *end_conn(struct end end) { return end.ops->conn(end.of); }
static inline int end_fd(struct end end) { return end.ops->fd(end.of); }
static inline void end_peer(struct end end, struct hawser_addr *out) { end.ops->peer(end.of, out); }

/* A connection of the stack: connected, connecting, or failed since. Its user pointer is the end's from then on. */
struct end conn_end(struct hawser_conn *conn);

#endif
