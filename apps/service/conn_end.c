/* A connection of the stack as an end. */
#include "service/end.h"

static void watch_conn(void *of, struct watch *watch) { hawser_conn_set_user(of, watch); }

static ssize_t take(void *of, struct hawser_slice *slice) { return hawser_recv_slices(of, slice, 1); }

static ssize_t peek(void *of, struct hawser_part *parts, size_t max)
{
    char none;
    size_t count = hawser_peek(of, parts, max);
    return count ? (ssize_t)count : hawser_recv(of, &none, 1); /* says why there are none */
}

static void consume(void *of, size_t len) { hawser_consume(of, len); }

static ssize_t give(void *of, struct hawser_slice slice)
{
    return slice.buf ? hawser_send_slice(of, slice) : hawser_send(of, slice.data, slice.len);
}

static void finish(void *of) { hawser_shutdown(of); }

static bool connected(void *of) { return hawser_conn_ready(of) & HAWSER_CONNECTED; }

static int error(void *of) { return hawser_conn_error(of); }

static void close_conn(void *of) { hawser_close(of); }

static void abort_conn(void *of) { hawser_abort(of); }

static struct hawser_conn *conn(void *of) { return of; }

static int fd(void *of)
{
    (void)of;
    return -1;
}

static void peer(void *of, struct hawser_addr *out) { hawser_conn_peer(of, out); }

struct end conn_end(struct hawser_conn *of)
{
    static const struct end_ops ops = {
        .watch = watch_conn,
        .take = take,
        .peek = peek,
        .consume = consume,
        .give = give,
        .finish = finish,
        .connected = connected,
        .error = error,
        .close = close_conn,
        .abort = abort_conn,
        .conn = conn,
        .fd = fd,
        .peer = peer,
    };
    return (struct end){&ops, of};
}
