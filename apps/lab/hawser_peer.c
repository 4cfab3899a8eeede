#include "hawser_peer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "lab/topology.h"
#include "run/system.h"

enum {
    PEER_PARTS = 32,
    PEER_TURN_BYTES = 1 << 20, /* moved before the network gets its turn */
    PEER_BACKLOG = 8,
};

static void peer_finish(struct hawser_peer *p, bool ok)
{
    struct lab_result *result = p->result;
    if (p->side == p->options->sender)
        result->bytes = p->sender.bytes;
    else
        receiver_finish(&p->receiver, result);
    result->ok = ok;
    if (ok)
        lab_set_phase(p->progress, LAB_FINISHED);
    p->done = true;
}

__attribute__((format(printf, 2, 3))) static void peer_fail(struct hawser_peer *p, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(p->result->why, sizeof(p->result->why), format, args);
    va_end(args);
    peer_finish(p, false);
}

static bool peer_init_halves(struct hawser_peer *p)
{
    if (p->side == p->options->sender)
        return sender_init(&p->sender, p->options, p->progress);
    return receiver_init(&p->receiver, p->options, p->progress);
}

void hawser_peer_start(struct hawser_peer *p, const struct lab_options *o, enum lab_side side,
                       struct hawser_stack *stack, struct lab_shared *shared, struct lab_result *result,
                       uint64_t now_ns)
{
    *p = (struct hawser_peer){.options = o,
                              .side = side,
                              .stack = stack,
                              .shared = shared,
                              .progress = &shared->ends[side],
                              .result = result};
    struct hawser_conn_options conn_options = {.size = sizeof(conn_options), .no_mptcp = o->ends[side].tcp};
    struct hawser_addr server = lab_address(o, LAB_SERVER, 0);
    server.port = LAB_PORT;
    int error;
    if (!peer_init_halves(p)) {
        peer_fail(p, "no memory: free some and try again");
        return;
    }
    lab_set_phase(p->progress, LAB_WAITING);
    if (side == LAB_SERVER) {
        error = hawser_listen(stack, &server, PEER_BACKLOG, &conn_options, &p->listener);
    } else {
        conn_options.local = lab_address(o, LAB_CLIENT, 0);
        lab_set(&shared->start_ns, now_ns);
        error = hawser_connect(stack, &server, &conn_options, now_ns, &p->conn);
    }
    if (error)
        peer_fail(p, "cannot %s: %s", side == LAB_SERVER ? "listen" : "connect", strerror(-error));
}

/* Notes what is only to be seen while the connection lives. */
static void peer_note_info(struct hawser_peer *p)
{
    struct hawser_conn_info info = {.size = sizeof info};
    CHECK(hawser_conn_get_info(p->conn, &info) == 0);
    p->result->mptcp = info.mptcp;
    if (info.subflows > p->result->subflows)
        p->result->subflows = info.subflows;
}

/* The pattern stays where it is. */
static ssize_t send_in_place(struct hawser_conn *conn, const uint8_t *data, size_t len)
{
    struct hawser_buf *buf;
    int error = hawser_buf_wrap(system_env(), data, (uint32_t)len, NULL, NULL, &buf);
    if (error)
        return error;
    ssize_t n = hawser_send_slice(conn, (struct hawser_slice){buf, data, (uint32_t)len});
    hawser_buf_unref(buf);
    return n;
}

static bool peer_send(struct hawser_peer *p, uint64_t now_ns)
{
    bool moved = false;
    for (size_t turn = 0; turn < PEER_TURN_BYTES && !p->sent_all;) {
        size_t len;
        const uint8_t *data = sender_next(&p->sender, now_ns, &len);
        if (!data) {
            hawser_shutdown(p->conn);
            lab_set_phase(p->progress, LAB_CLOSING);
            p->sent_all = moved = true;
            break;
        }
        ssize_t n = p->options->zero_copy ? send_in_place(p->conn, data, len) : hawser_send(p->conn, data, len);
        if (n <= 0)
            break; /* no room, or an error that the readiness shows too */
        sender_sent(&p->sender, (size_t)n);
        turn += (size_t)n;
        moved = true;
    }
    return moved;
}

/* Takes some of what is there to keep it; returns how many bytes. */
static size_t take_slices(struct hawser_peer *p, uint64_t now_ns)
{
    struct hawser_slice slices[PEER_PARTS];
    ssize_t count = hawser_recv_slices(p->conn, slices, PEER_PARTS);
    size_t len = 0;
    for (ssize_t i = 0; i < count; len += slices[i++].len) {
        receiver_take(&p->receiver, slices[i].data, slices[i].len, now_ns);
        hawser_buf_unref(slices[i].buf);
    }
    return len;
}

/* Returns whether anything was taken. */
static bool peer_receive(struct hawser_peer *p, uint64_t now_ns)
{
    bool moved = false;
    bool keeps = p->options->zero_copy && p->side != p->options->sender;
    size_t turn = 0;
    for (size_t len; keeps && turn < PEER_TURN_BYTES && (len = take_slices(p, now_ns)) > 0; turn += len)
        moved = true;
    while (turn < PEER_TURN_BYTES && !p->received_all) {
        struct hawser_part parts[PEER_PARTS];
        size_t count = hawser_peek(p->conn, parts, PEER_PARTS), len = 0;
        if (count == 0) {
            uint8_t none;
            p->received_all = hawser_recv(p->conn, &none, 1) == 0;
            break;
        }
        for (size_t i = 0; i < count; i++) {
            if (p->side != p->options->sender)
                receiver_take(&p->receiver, parts[i].data, parts[i].len, now_ns);
            len += parts[i].len;
        }
        hawser_consume(p->conn, len);
        if (p->side == p->options->sender) {
            peer_fail(p, "the receiver sent bytes, where none were due");
            return true;
        }
        turn += len;
        moved = true;
    }
    return moved;
}

/* Follows the receiver in closing, and sees when all is said. */
static bool peer_close(struct hawser_peer *p)
{
    if (!p->received_all)
        return false;
    bool sender = p->side == p->options->sender;
    if (sender && !p->sent_all) {
        peer_fail(p, "the receiver ended the connection after %" PRIu64 " bytes were sent", p->sender.bytes);
        return false;
    }
    if (!sender)
        hawser_shutdown(p->conn);
    peer_finish(p, true);
    return true;
}

static bool peer_accept(struct hawser_peer *p)
{
    if (!p->conn && hawser_accept(p->listener, &p->conn) != 0)
        return false;
    hawser_listener_close(p->listener); /* RFC 8684 3.2: joins find their connection by its token alone */
    p->listener = NULL;
    return true;
}

bool hawser_peer_pump(struct hawser_peer *p, uint64_t now_ns)
{
    struct hawser_event event;
    while (hawser_next_event(p->stack, &event))
        ; /* there is one connection, and its readiness is asked for each time */
    if (p->done || (p->listener && !peer_accept(p)))
        return false;
    unsigned ready = hawser_conn_ready(p->conn);
    bool moved = false;
    if (ready & HAWSER_CONNECTED && !p->started) {
        p->started = true;
        sender_start(&p->sender, p->options, now_ns);
        lab_set_phase(p->progress, LAB_STREAMING);
    }
    if (p->started)
        peer_note_info(p);
    if (ready & HAWSER_READABLE)
        moved |= peer_receive(p, now_ns);
    if (!p->done && p->side == p->options->sender && ready & HAWSER_WRITABLE && !(ready & HAWSER_ERROR))
        moved |= peer_send(p, now_ns);
    if (!p->done)
        moved |= peer_close(p);
    if (!p->done && ready & HAWSER_ERROR && !(hawser_conn_ready(p->conn) & HAWSER_READABLE && moved))
        peer_fail(p, "%s: %s", p->started ? "the connection failed" : "cannot connect",
                  strerror(-hawser_conn_error(p->conn)));
    return moved;
}

void hawser_peer_destroy(struct hawser_peer *p)
{
    sender_destroy(&p->sender);
    receiver_destroy(&p->receiver);
}
