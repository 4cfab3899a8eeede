/* Bytes that are sent from where they lie, and received to be kept. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/units.h"
#include "peer.h"
#include "stack/stack.h"
#include "world.h"

enum { PORT = 80, PIECE = 30000, PIECES = 40, TOTAL = PIECE * PIECES };

static uint8_t stream[TOTAL];

/* Two hosts, a connection between them, and what its client sends. */
struct rig {
    struct world w;
    struct hawser_listener *listener;
    struct hawser_conn *conn[2];
    uint32_t sent, received;
    unsigned wrapped, released;
};

static void start(struct rig *r, unsigned paths, bool plain, bool checksums)
{
    struct hawser_stack_options options = {.size = sizeof options, .no_mptcp = plain, .checksum_required = checksums};
    memset(r, 0, sizeof *r);
    world_init(&r->w, test_seed(), paths, 1, false, &options, &options);
    prng_fill(&r->w.rng, stream, sizeof stream);
    for (unsigned i = 0; i < paths; i++)
        r->w.paths[i] = (struct world_path){.rate_bps = 50000000, .delay_ns = 5 * NS_PER_MS, .queue_bytes = 1 << 20};
    struct hawser_addr server = world_server_addr(&r->w, 0, PORT), any = {.port = PORT};
    assert_int_equal(hawser_listen(r->w.stack[1], &any, 8, NULL, &r->listener), 0);
    assert_int_equal(hawser_connect(r->w.stack[0], &server, NULL, r->w.now_ns, &r->conn[0]), 0);
    for (uint64_t until = r->w.now_ns + NS_PER_S; !r->conn[1] && world_step(&r->w, until);)
        (void)hawser_accept(r->listener, &r->conn[1]);
    assert_non_null(r->conn[1]);
}

static void released(void *ctx) { ((struct rig *)ctx)->released++; }

/* Sends the next bytes of the stream; returns how many were taken. */
static ssize_t send_piece(struct rig *r, uint32_t len)
{
    struct hawser_buf *buf;
    assert_int_equal(hawser_buf_wrap(&r->w.env[0].env, stream + r->sent, len, released, r, &buf), 0);
    r->wrapped++;
    ssize_t n = hawser_send_slice(r->conn[0], (struct hawser_slice){buf, stream + r->sent, len});
    hawser_buf_unref(buf);
    if (n > 0)
        r->sent += (uint32_t)n;
    return n;
}

static void read_all(struct rig *r)
{
    static uint8_t got[TOTAL];
    ssize_t n;
    while ((n = hawser_recv(r->conn[1], got, sizeof got)) > 0) {
        assert_true(r->received + (uint32_t)n <= r->sent);
        assert_memory_equal(got, stream + r->received, (size_t)n);
        r->received += (uint32_t)n;
    }
}

static void run(struct rig *r, uint64_t ns)
{
    for (uint64_t until = r->w.now_ns + ns; world_step(&r->w, until);)
        read_all(r);
}

/* Until nothing happens any more. */
static void run_out(struct rig *r)
{
    for (uint64_t until = r->w.now_ns + 100 * NS_PER_S; world_step(&r->w, until);)
        ;
}

static void stop(struct rig *r)
{
    world_destroy(&r->w);
    assert_int_equal(r->released, r->wrapped);
}

static uint64_t held(const struct rig *r) { return ((const struct conn *)(const void *)r->conn[0])->account.held; }

/* All of it arrives, whatever the connection speaks, and each buffer comes back once all of it is acknowledged. */
static void sends_from_where_the_bytes_lie(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < 4; kind++) {
        struct rig r;
        start(&r, kind == 3 ? 2 : 1, kind == 0, kind == 2);
        if (kind == 3)
            r.w.paths[0].loss = r.w.paths[1].loss = 0.01; /* sent again on either */
        run(&r, NS_PER_S);
        uint64_t idle = held(&r);
        assert_int_equal(send_piece(&r, PIECE), PIECE);
        assert_int_equal(send_piece(&r, 100), 100); /* copied */
        assert_int_equal(r.released, 1);
        assert_true(held(&r) >= idle + PIECE);
        while (r.sent + PIECE <= TOTAL) {
            uint32_t before = r.sent;
            assert_int_equal(send_piece(&r, PIECE), PIECE);
            assert_int_equal(hawser_send(r.conn[0], stream + before, 0), 0);
        }
        assert_int_equal(r.released, 1);
        run(&r, 20 * NS_PER_S);
        assert_int_equal(r.received, r.sent);
        assert_int_equal(r.released, r.wrapped);
        assert_int_equal(held(&r), idle);
        stop(&r);
    }
}

/* Where the connection ends before its bytes are acknowledged, their buffers come back all the same. */
static void gives_back_at_each_end(void **state)
{
    (void)state;
    for (unsigned end = 0; end < 4; end++) {
        struct rig r;
        start(&r, 1, false, false);
        while (r.sent < TOTAL / 2)
            assert_int_equal(send_piece(&r, PIECE), PIECE);
        for (unsigned i = 0; i < 20; i++)
            (void)world_step(&r.w, r.w.now_ns + NS_PER_S);
        assert_true(r.released < r.wrapped);
        if (end == 0) {
            hawser_abort(r.conn[0]);
        } else if (end == 1) {
            hawser_abort(r.conn[1]);
        } else if (end == 2) {
            hawser_close(r.conn[0]);
            r.w.paths[0].down = true; /* it is given up some time */
        }
        for (uint64_t until = r.w.now_ns + 300 * NS_PER_S; end < 3 && world_step(&r.w, until);)
            ;
        if (end == 1)
            hawser_close(r.conn[0]); /* until then its memory is its own */
        while (end < 3 && world_step(&r.w, r.w.now_ns + NS_PER_S))
            ;
        assert_true((r.released == r.wrapped) == (end < 3));
        stop(&r); /* by the end of the stack, at the latest */
    }
}

/* The limit of the send buffer binds, and what was not taken is the program's to offer again. */
static void takes_what_there_is_room_for(void **state)
{
    (void)state;
    struct hawser_buf *buf;
    struct rig r;
    start(&r, 1, false, false);
    r.w.paths[0].down = true;
    uint32_t room = data_tx_room(&((const struct conn *)(const void *)r.conn[0])->data_tx);
    while (room) {
        uint32_t len = room < PIECE ? room : PIECE;
        r.sent = 0;
        assert_int_equal(send_piece(&r, len), len);
        room -= len;
    }
    assert_int_equal(send_piece(&r, PIECE), -EAGAIN);
    assert_int_equal(r.wrapped - 1, (4 << 20) / PIECE + 1);
    assert_int_equal(hawser_buf_wrap(&r.w.env[0].env, stream, PIECE, released, &r, &buf), 0);
    r.wrapped++;
    assert_int_equal(hawser_send_slice(r.conn[0], (struct hawser_slice){buf, stream + 1, PIECE}), -EINVAL);
    assert_int_equal(hawser_send_slice(r.conn[0], (struct hawser_slice){buf, stream + PIECE + 1, 0}), -EINVAL);
    assert_int_equal(hawser_send_slice(r.conn[0], (struct hawser_slice){NULL, stream, 1}), -EINVAL);
    assert_int_equal(hawser_send_slice(r.conn[0], (struct hawser_slice){buf, stream + PIECE, 0}), 0);
    hawser_shutdown(r.conn[0]);
    assert_int_equal(hawser_send_slice(r.conn[0], (struct hawser_slice){buf, stream, 1}), -EPIPE);
    hawser_buf_unref(buf);
    stop(&r);
}

static struct hawser_slice kept[TOTAL / 1000];

/* Takes what is readable; returns how many slices are kept now. */
static unsigned keep_all(struct rig *r, unsigned count)
{
    ssize_t n;
    while ((n = hawser_recv_slices(r->conn[1], kept + count, 3)) > 0)
        for (; n > 0; n--, r->received += kept[count++].len) {
            assert_memory_equal(kept[count].data, stream + r->received, kept[count].len);
            assert_true(hawser_buf_capacity(kept[count].buf) <= HW_MAX(4 * kept[count].len, STORE_SMALL_BYTES));
        }
    return count;
}

/* What was taken stays as it is, whatever becomes of the connection and of the stack. */
static void keeps_what_was_taken(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < 3; kind++) {
        struct rig r;
        unsigned count = 0;
        start(&r, 2, kind == 0, kind == 2);
        r.w.paths[0].loss = 0.01;
        run(&r, NS_PER_S);
        const struct conn *conn = (const void *)r.conn[1];
        uint64_t idle = conn->account.held, before = r.w.env[1].live;
        assert_int_equal(hawser_recv_slices(r.conn[1], kept, 3), -EAGAIN);
        assert_int_equal(hawser_recv_slices(r.conn[1], kept, 0), 0);
        while (r.sent + PIECE <= TOTAL)
            assert_int_equal(send_piece(&r, PIECE), PIECE);
        hawser_shutdown(r.conn[0]);
        for (uint64_t until = r.w.now_ns + 30 * NS_PER_S; r.received < r.sent && world_step(&r.w, until);)
            count = keep_all(&r, count);
        assert_int_equal(r.received, r.sent);
        assert_in_range(conn->account.held, 0, idle + 4096); /* the program's it is, and no connection's */
        assert_true(r.w.env[1].live > before + count / 64);
        for (uint64_t until = r.w.now_ns + NS_PER_S; world_step(&r.w, until);)
            ;
        assert_int_equal(hawser_recv_slices(r.conn[1], kept + count, 3), 0); /* the end */
        hawser_abort(r.conn[1]);
        run_out(&r);
        hawser_stack_free(r.w.stack[1]);
        r.w.stack[1] = NULL;
        for (uint32_t i = 0, at = 0; i < count; at += kept[i++].len) {
            assert_memory_equal(kept[i].data, stream + at, kept[i].len);
            hawser_buf_unref(kept[i].buf);
        }
        stop(&r);
    }
}

/* A joint of two connections passes the bytes on by reference, and what they hold with them. */
static void passes_on_what_was_taken(void **state)
{
    (void)state;
    static uint8_t got[TOTAL];
    struct rig r;
    uint32_t back = 0;
    start(&r, 1, false, false);
    run(&r, NS_PER_S);
    const struct conn *conn = (const void *)r.conn[1];
    uint64_t idle = conn->account.held;
    while (r.sent + PIECE <= TOTAL)
        assert_int_equal(send_piece(&r, PIECE), PIECE);
    for (uint64_t until = r.w.now_ns + 30 * NS_PER_S; back < r.sent && world_step(&r.w, until);) {
        struct hawser_slice slice;
        ssize_t n;
        while (hawser_recv_slices(r.conn[1], &slice, 1) == 1) {
            assert_int_equal(hawser_send_slice(r.conn[1], slice), slice.len);
            hawser_buf_unref(slice.buf);
        }
        while ((n = hawser_recv(r.conn[0], got, sizeof got)) > 0) {
            assert_memory_equal(got, stream + back, (size_t)n);
            back += (uint32_t)n;
        }
    }
    assert_int_equal(back, r.sent);
    run_out(&r);
    assert_in_range(conn->account.held, 0, idle);
    stop(&r);
}

/* A program that keeps all buffers of a link gets copies, so that the link has some left: and it is counted. */
static void leaves_buffers_to_links(void **state)
{
    (void)state;
    enum { BUFFERS = 16, LEN = 1000 };
    struct peer p;
    uint32_t count = 0;
    peer_init(&p, NULL, NULL);
    peer_open_plain(&p);
    assert_int_equal(hawser_buf_pool_new(&p.env.env, 1100, BUFFERS, &p.rx), 0);
    for (; count < 3 * BUFFERS; count++) {
        peer_send(&p, TCP_ACK, 1 + count * LEN, 1, NULL, stream + count * LEN, LEN);
        assert_int_equal(hawser_recv_slices(p.conn, kept + count, 1), 1);
        assert_int_equal(kept[count].len, LEN);
    }
    assert_int_equal(buf_pool_in_use(p.rx), BUFFERS / 2);
    assert_int_equal(buf_pool_refusals(p.rx), 0);
    assert_int_equal(peer_counter(&p, "limit.lent_buffers"), count - BUFFERS / 2);
    while (count--) {
        assert_memory_equal(kept[count].data, stream + count * LEN, LEN);
        hawser_buf_unref(kept[count].buf);
    }
    hawser_buf_pool_close(p.rx);
    peer_destroy(&p);
}

/* Where there is no memory for a copy, the bytes wait; and recv() needs none. */
static void says_when_it_cannot_copy(void **state)
{
    (void)state;
    uint8_t got[100];
    struct peer p;
    peer_init(&p, NULL, NULL);
    peer_open_plain(&p);
    peer_send(&p, TCP_ACK, 1, 1, NULL, stream, 100);
    p.env.refuses = true;
    assert_int_equal(hawser_recv_slices(p.conn, kept, 1), -ENOBUFS);
    assert_int_equal(peer_counter(&p, "limit.memory"), 1);
    assert_int_equal(hawser_recv(p.conn, got, 50), 50);
    p.env.refuses = false;
    assert_int_equal(hawser_recv_slices(p.conn, kept, 1), 1);
    assert_memory_equal(kept[0].data, stream + 50, 50);
    hawser_buf_unref(kept[0].buf);
    peer_destroy(&p);
}

/* What was peeked may be sent as it lies: that takes a copy, and changes nothing of what is to be read. */
static void sends_what_was_peeked(void **state)
{
    (void)state;
    struct hawser_part parts[4];
    struct peer p;
    peer_init(&p, NULL, NULL);
    peer_open_plain(&p);
    for (uint32_t i = 0; i < 4; i++)
        peer_send(&p, TCP_ACK, 1 + 100 * i, 1, NULL, stream + 100 * i, 100);
    size_t count = hawser_peek(p.conn, parts, 4), at = 0;
    assert_true(count > 0);
    p.env.refuses = true;
    assert_int_equal(hawser_send(p.conn, parts[0].data, parts[0].len), -ENOBUFS);
    p.env.refuses = false;
    for (size_t i = 0; i < count; at += parts[i++].len)
        assert_int_equal(hawser_send(p.conn, parts[i].data, parts[i].len), parts[i].len);
    assert_int_equal(at, 400);
    for (size_t i = count; i-- > 0; at -= parts[i].len)
        assert_memory_equal(parts[i].data, stream + at - parts[i].len, parts[i].len);
    hawser_consume(p.conn, 400);
    assert_int_equal(hawser_peek(p.conn, parts, 4), 0);
    assert_false(hawser_conn_ready(p.conn) & HAWSER_READABLE);
    peer_destroy(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sends_from_where_the_bytes_lie), cmocka_unit_test(gives_back_at_each_end),
        cmocka_unit_test(takes_what_there_is_room_for),   cmocka_unit_test(keeps_what_was_taken),
        cmocka_unit_test(passes_on_what_was_taken),       cmocka_unit_test(leaves_buffers_to_links),
        cmocka_unit_test(says_when_it_cannot_copy),       cmocka_unit_test(sends_what_was_peeked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
