/* Every connection comes to an end that both applications learn of, whoever vanishes and whatever is lost. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "peer.h"
#include "world.h"

#define PORT 5001
#define SECOND UINT64_C(1000000000)

struct pair {
    struct world w;
    struct hawser_listener *listener;
    struct hawser_conn *conn[2];
    bool deaf; /* the server's application does not read */
};

static void connect_pair(struct pair *p, uint64_t seed, unsigned paths, bool plain)
{
    struct hawser_stack_options options = {.size = sizeof options, .no_mptcp = plain};
    world_init(&p->w, seed, paths, 1, false, &options, NULL);
    p->conn[1] = NULL;
    p->deaf = false;
    struct hawser_addr server = world_server_addr(&p->w, 0, PORT), any = {.port = PORT};
    assert_int_equal(hawser_listen(p->w.stack[1], &any, 4, NULL, &p->listener), 0);
    assert_int_equal(hawser_connect(p->w.stack[0], &server, NULL, p->w.now_ns, &p->conn[0]), 0);
    while (hawser_accept(p->listener, &p->conn[1]) < 0)
        assert_true(world_step(&p->w, p->w.now_ns + SECOND));
}

static void send_some(struct pair *p, int end, size_t len)
{
    static uint8_t bytes[1 << 20];
    assert_int_equal(hawser_send(p->conn[end], bytes, len), len);
}

/* Reads all there is; what the last call returned. */
static ssize_t read_all(struct pair *p, int end)
{
    static uint8_t bytes[1 << 16];
    ssize_t n;
    do
        n = hawser_recv(p->conn[end], bytes, sizeof bytes);
    while (n > 0);
    return n;
}

static void run(struct pair *p, uint64_t for_ns)
{
    uint64_t until = p->w.now_ns + for_ns;
    do
        for (int end = 0; end < (p->deaf ? 1 : 2); end++)
            read_all(p, end);
    while (world_step(&p->w, until));
}

static void cut(struct pair *p)
{
    for (unsigned i = 0; i < p->w.path_count; i++)
        p->w.paths[i].down = true;
}

static void finish(struct pair *p)
{
    hawser_close(p->conn[0]);
    hawser_close(p->conn[1]);
    world_destroy(&p->w);
}

/* RFC 9293 3.8.3, RFC 1122 4.2.3.5: after R2, which is at least 100 seconds, the user is told. */
static void vanished_peer_with_data_outstanding(void **state)
{
    (void)state;
    for (int plain = 0; plain < 2; plain++) {
        struct pair p;
        connect_pair(&p, 41, plain ? 1 : 2, plain);
        send_some(&p, 0, 100000);
        run(&p, SECOND);
        cut(&p);
        send_some(&p, 0, 100000);
        run(&p, 90 * SECOND);
        assert_int_equal(hawser_conn_error(p.conn[0]), 0);
        run(&p, 300 * SECOND);
        assert_int_equal(hawser_conn_error(p.conn[0]), -ETIMEDOUT);
        finish(&p);
    }
}

/* RFC 1122 4.2.2.17: probing a shut window goes on as long as the peer answers, and no longer. */
static void vanished_peer_with_a_shut_window(void **state)
{
    (void)state;
    for (int plain = 0; plain < 2; plain++) {
        struct pair p;
        connect_pair(&p, 42, 1, plain);
        p.deaf = true;
        static uint8_t bytes[1 << 16];
        uint64_t until = p.w.now_ns + 20 * SECOND;
        do
            (void)hawser_send(p.conn[0], bytes, sizeof bytes);
        while (world_step(&p.w, until));
        struct hawser_conn_info info = {.size = sizeof info};
        assert_int_equal(hawser_conn_get_info(p.conn[0], &info), 0);
        assert_in_range(info.sent_bytes, 60000, 65 << 10); /* the window that a program begins with that never reads */
        run(&p, 600 * SECOND);
        assert_int_equal(hawser_conn_error(p.conn[0]), 0); /* it answers */
        cut(&p);
        run(&p, 1000 * SECOND);
        assert_int_equal(hawser_conn_error(p.conn[0]), -ETIMEDOUT);
        finish(&p);
    }
}

/* A stream that ends before its first byte: the server must see the end although no DSS was exchanged yet. */
static void end_of_an_empty_stream_arrives(void **state)
{
    (void)state;
    struct pair p;
    connect_pair(&p, 43, 1, false);
    hawser_shutdown(p.conn[0]);
    run(&p, SECOND / 2);
    assert_int_equal(read_all(&p, 1), 0);
    send_some(&p, 1, 1000);
    run(&p, SECOND);
    struct hawser_conn_info info = {.size = sizeof info};
    assert_int_equal(hawser_conn_get_info(p.conn[0], &info), 0);
    assert_true(info.mptcp);
    assert_int_equal(info.recv_bytes, 1000);
    finish(&p);
}

static bool drop_the_second_to_server(void *ctx, int to, uint8_t *packet, uint16_t *len)
{
    (void)packet;
    (void)len;
    return to != 1 || ++*(unsigned *)ctx != 2;
}

/* The same, and the third packet of the handshake with our key is lost. */
static void end_of_an_empty_stream_without_the_third_packet(void **state)
{
    (void)state;
    struct pair p = {.deaf = false};
    unsigned packets = 0;
    world_init(&p.w, 46, 1, 1, false, NULL, NULL);
    p.w.tamper = drop_the_second_to_server;
    p.w.tamper_ctx = &packets;
    struct hawser_addr server = world_server_addr(&p.w, 0, PORT), any = {.port = PORT};
    assert_int_equal(hawser_listen(p.w.stack[1], &any, 4, NULL, &p.listener), 0);
    assert_int_equal(hawser_connect(p.w.stack[0], &server, NULL, p.w.now_ns, &p.conn[0]), 0);
    while (!(hawser_conn_ready(p.conn[0]) & HAWSER_CONNECTED))
        assert_true(world_step(&p.w, p.w.now_ns + SECOND));
    hawser_shutdown(p.conn[0]);
    while (hawser_accept(p.listener, &p.conn[1]) < 0)
        assert_true(world_step(&p.w, p.w.now_ns + 3 * SECOND));
    run(&p, 5 * SECOND);
    assert_int_equal(read_all(&p, 1), 0);
    struct hawser_conn_info info = {.size = sizeof info};
    assert_int_equal(hawser_conn_get_info(p.conn[1], &info), 0);
    assert_true(info.mptcp);
    finish(&p);
}

static bool drop_to_client(void *ctx, int to, uint8_t *packet, uint16_t *len)
{
    (void)packet;
    (void)len;
    return to == 1 || !*(bool *)ctx;
}

/* RFC 8684 3.3.3: the acknowledgement of the DATA_FIN is lost; the repeated DATA_FIN draws another, and then silence.
 */
static void lost_acknowledgement_of_a_data_fin(void **state)
{
    (void)state;
    struct pair p;
    bool dropping = false;
    connect_pair(&p, 44, 1, false);
    p.w.tamper = drop_to_client;
    p.w.tamper_ctx = &dropping;
    send_some(&p, 0, 1000);
    run(&p, SECOND);
    dropping = true;
    hawser_shutdown(p.conn[0]);
    run(&p, SECOND / 2);
    assert_int_equal(read_all(&p, 1), 0);
    dropping = false;
    run(&p, 10 * SECOND);
    uint64_t before = world_counter(&p.w, 0, "ip.packets_out");
    run(&p, 100 * SECOND); /* the server keeps its half open */
    assert_int_equal(world_counter(&p.w, 0, "ip.packets_out"), before);
    assert_int_equal(hawser_conn_error(p.conn[0]), 0);
    finish(&p);
}

static void vanished_peer_with_a_data_fin_outstanding(void **state)
{
    (void)state;
    struct pair p;
    connect_pair(&p, 45, 1, false);
    send_some(&p, 0, 1000);
    run(&p, SECOND);
    cut(&p);
    hawser_shutdown(p.conn[0]);
    run(&p, 90 * SECOND);
    assert_int_equal(hawser_conn_error(p.conn[0]), 0);
    run(&p, 400 * SECOND);
    assert_int_equal(hawser_conn_error(p.conn[0]), -ETIMEDOUT);
    finish(&p);
}

static bool strip_to_client(void *ctx, int to, uint8_t *packet, uint16_t *len)
{
    for (uint8_t *p = NULL; to == 0 && *(bool *)ctx && (p = world_find_mptcp(packet, p));)
        memset(p, 1, p[1]);
    world_fix_checksum(packet, *len);
    return true;
}

/* From the middle on the subflow acknowledges, but no DATA_ACK comes through: an error, not repetition for ever. */
static void data_acks_vanish_in_mid_connection(void **state)
{
    (void)state;
    struct pair p;
    bool stripping = false;
    connect_pair(&p, 47, 1, false);
    p.w.tamper = strip_to_client;
    p.w.tamper_ctx = &stripping;
    send_some(&p, 0, 1000);
    run(&p, SECOND);
    stripping = true;
    send_some(&p, 0, 1000);
    run(&p, 10 * SECOND);
    assert_int_equal(hawser_conn_error(p.conn[0]), -EPROTO);
    assert_int_equal(hawser_conn_error(p.conn[1]), -ECONNRESET);
    finish(&p);
}

/* Both streams are over: what a dead path still owes keeps nothing alive. */
static void a_dead_path_keeps_nothing_alive(void **state)
{
    (void)state;
    for (unsigned dead = 0; dead < 2; dead++) {
        struct pair p;
        connect_pair(&p, 48, 2, false);
        send_some(&p, 0, 100000);
        send_some(&p, 1, 100000);
        run(&p, SECOND);
        p.w.paths[dead].down = true;
        hawser_shutdown(p.conn[0]);
        hawser_shutdown(p.conn[1]);
        run(&p, 3 * SECOND);
        for (int end = 0; end < 2; end++) {
            assert_int_equal(read_all(&p, end), 0);
            assert_int_equal(hawser_conn_error(p.conn[end]), 0);
            assert_true(hawser_conn_ready(p.conn[end]) & HAWSER_CLOSED);
        }
        finish(&p);
    }
}

/* Nobody reads. */
static void pass(struct pair *p, uint64_t for_ns)
{
    for (uint64_t until = p->w.now_ns + for_ns; world_step(&p->w, until);)
        ;
}

/* RFC 1122 4.2.2.13: a program that closes without reading all of it lost bytes, and the peer must learn that at once;
 * so is what it had queued itself, which counts as undelivered. */
static void close_with_bytes_unread(void **state)
{
    (void)state;
    for (int plain = 0; plain < 2; plain++) {
        struct pair p;
        struct hawser_unfinished unfinished;
        connect_pair(&p, 47, plain ? 1 : 2, plain);
        send_some(&p, 1, 1000);
        pass(&p, SECOND);
        send_some(&p, 0, 100000);
        hawser_close(p.conn[0]);
        pass(&p, SECOND);
        assert_int_equal(hawser_conn_error(p.conn[1]), -ECONNRESET);
        hawser_stack_unfinished(p.w.stack[0], &unfinished);
        assert_int_equal(unfinished.failed, 1);
        hawser_close(p.conn[1]);
        world_destroy(&p.w);
    }
}

/* But one that ended its own stream first has all of that delivered. */
static void shutdown_then_close_with_bytes_unread(void **state)
{
    (void)state;
    for (int plain = 0; plain < 2; plain++) {
        struct pair p;
        struct hawser_conn_info info = {.size = sizeof info};
        connect_pair(&p, 48, plain ? 1 : 2, plain);
        send_some(&p, 1, 1000);
        pass(&p, SECOND);
        send_some(&p, 0, 60000);
        hawser_shutdown(p.conn[0]);
        hawser_close(p.conn[0]);
        pass(&p, SECOND);
        assert_int_equal(hawser_conn_get_info(p.conn[1], &info), 0);
        assert_int_equal(info.recv_bytes, 60000);
        assert_int_equal(read_all(&p, 1), 0);
        hawser_close(p.conn[1]);
        world_destroy(&p.w);
    }
}

/* A program ends, and all its peers are told: of what is open, is not accepted yet, or is closed and not delivered. Who
 * has heard good-bye hears no more. */
static void everything_is_aborted(void **state)
{
    (void)state;
    enum { OPEN, UNACCEPTED, UNDELIVERED, DELIVERED, BOTH_ENDED, CASES };
    for (int mptcp = 0; mptcp < 2; mptcp++)
        for (int i = 0; i < CASES; i++) {
            struct peer p;
            struct hawser_event event;
            peer_init(&p, NULL, NULL);
            if (i == UNACCEPTED)
                peer_send(&p, TCP_SYN, 0, 0, NULL, NULL, 0), peer_send(&p, TCP_ACK, 1, 1, NULL, NULL, 0);
            else if (mptcp)
                peer_open_mptcp(&p);
            else
                peer_open_plain(&p);
            while (hawser_next_event(p.stack, &event))
                ;
            if (i == UNDELIVERED || i == DELIVERED)
                hawser_close(p.conn);
            if (i == BOTH_ENDED)
                hawser_shutdown(p.conn);
            peer_drain(&p);
            struct tcp_options o = peer_dss(&p, 2, 1, 0, i == BOTH_ENDED);
            o.mp.dss.data_fin = i == BOTH_ENDED;
            uint8_t flags = i == BOTH_ENDED && !mptcp ? TCP_FIN | TCP_ACK : TCP_ACK;
            if (i >= DELIVERED)
                peer_send(&p, flags, 1, mptcp ? 1 : 2, mptcp ? &o : NULL, NULL, 0);
            peer_forget(&p);
            hawser_stack_abort(p.stack);
            hawser_stack_abort(p.stack); /* once */
            peer_drain(&p);
            const struct peer_segment *rst = peer_last(&p, TCP_RST);
            assert_int_equal(rst != NULL, i < DELIVERED);
            if (i == OPEN) {
                assert_int_equal(mptcp_has(&rst->options.mp, MPTCP_FASTCLOSE), mptcp);
                assert_int_equal(hawser_conn_error(p.conn), -ECONNABORTED);
                assert_true(hawser_next_event(p.stack, &event) && event.what & HAWSER_ERROR);
                hawser_close(p.conn);
            }
            peer_destroy(&p);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vanished_peer_with_data_outstanding),
        cmocka_unit_test(vanished_peer_with_a_shut_window),
        cmocka_unit_test(end_of_an_empty_stream_arrives),
        cmocka_unit_test(end_of_an_empty_stream_without_the_third_packet),
        cmocka_unit_test(lost_acknowledgement_of_a_data_fin),
        cmocka_unit_test(vanished_peer_with_a_data_fin_outstanding),
        cmocka_unit_test(data_acks_vanish_in_mid_connection),
        cmocka_unit_test(a_dead_path_keeps_nothing_alive),
        cmocka_unit_test(close_with_bytes_unread),
        cmocka_unit_test(shutdown_then_close_with_bytes_unread),
        cmocka_unit_test(everything_is_aborted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
