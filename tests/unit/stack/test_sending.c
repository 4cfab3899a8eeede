/* What a stack sends, segment by segment: never beyond the window, mapped for what it is, and not too talkative. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/units.h"
#include "peer.h"
#include "world.h"

static uint8_t bytes[20000];

/* One past the highest byte that the stack sent since peer_forget(). */
static uint32_t sent_end(const struct peer *p)
{
    uint32_t end = 1;
    for (unsigned i = 0; i < p->seen_count; i++)
        if (p->seen[i].len && p->seen[i].seq + p->seen[i].len > end)
            end = p->seen[i].seq + p->seen[i].len;
    return end;
}

/* RFC 9293 3.10.7.4: a segment sent again has an old sequence number, but its acknowledgement is as new as any, and the
 * window counts from there. */
static void a_retransmission_brings_its_window(void **state)
{
    (void)state;
    struct peer p;
    peer_init(&p, NULL, NULL);
    p.window = 8000;
    peer_open_plain(&p);
    assert_int_equal(hawser_send(p.conn, bytes, sizeof bytes), sizeof bytes);
    peer_drain(&p);
    assert_true(sent_end(&p) > 5000);
    p.window = 7000;
    peer_send(&p, TCP_ACK, 101, 1001, NULL, bytes, 100); /* a hole before it */
    p.window = 5000;
    peer_send(&p, TCP_ACK, 1, 3001, NULL, bytes, 100); /* which this fills; the right edge stays where it was */
    assert_true(sent_end(&p) > 5000 && sent_end(&p) <= 8001);
    peer_destroy(&p);
}

/* RFC 8684 3.3.2: the window is the connection's only where it comes with a DATA_ACK. */
static void a_window_without_a_data_ack_is_none(void **state)
{
    (void)state;
    struct peer p;
    peer_init(&p, NULL, NULL);
    p.window = 1000;
    peer_open_mptcp(&p);
    assert_int_equal(hawser_send(p.conn, bytes, sizeof bytes), sizeof bytes);
    peer_drain(&p);
    assert_int_equal(sent_end(&p), 1001);
    struct tcp_options o = peer_dss(&p, 1001, 0, 0, 0);
    peer_send(&p, TCP_ACK, 1, 1001, &o, NULL, 0);
    assert_int_equal(sent_end(&p), 2001);
    p.window = 60000;
    o = (struct tcp_options){.mp.present = 1u << MPTCP_PRIO};
    peer_send(&p, TCP_ACK, 1, 1001, NULL, NULL, 0);
    peer_send(&p, TCP_ACK, 1, 1001, &o, NULL, 0);
    o = peer_dss(&p, 1001, 1, 1, 4);
    o.mp.dss.has_ack = false;
    peer_send(&p, TCP_ACK, 1, 1001, &o, "data", 4);
    assert_int_equal(sent_end(&p), 2001);
    o = peer_dss(&p, 1001, 0, 0, 0);
    peer_send(&p, TCP_ACK, 5, 1001, &o, NULL, 0);
    assert_true(sent_end(&p) > 4000);
    peer_destroy(&p);
}

/* RFC 8684 3.3.5: the edge of the connection stays where it was promised; but a middlebox on the path of a subflow may
 * have less room, and says so by that subflow's window. */
static void a_subflow_has_a_window_of_its_own(void **state)
{
    (void)state;
    struct peer p;
    peer_init(&p, NULL, NULL);
    peer_open_mptcp(&p);
    p.window = 1000;
    const struct tcp_options o = peer_dss(&p, 1, 0, 0, 0);
    peer_send(&p, TCP_ACK, 1, 1, &o, NULL, 0);
    assert_int_equal(hawser_send(p.conn, bytes, sizeof bytes), sizeof bytes);
    peer_drain(&p);
    assert_in_range(sent_end(&p), 2, 1001);
    p.window = 3000;
    peer_send(&p, TCP_ACK, 1, 1, NULL, NULL, 0);
    assert_in_range(sent_end(&p), 1002, 3001);
    peer_destroy(&p);
}

/* RFC 8684 3.4.1, 4: what is said of addresses and priorities looks like duplicate acknowledgements, and is none. */
static void signals_are_no_sign_of_loss(void **state)
{
    (void)state;
    struct peer p;
    struct hawser_subflow_info before = {.size = sizeof before}, after = before;
    peer_init(&p, NULL, NULL);
    peer_open_mptcp(&p);
    assert_int_equal(hawser_send(p.conn, bytes, 4000), 4000);
    peer_drain(&p);
    assert_int_equal(sent_end(&p), 4001); /* of several segments */
    assert_int_equal(hawser_subflow_get_info(p.conn, 0, &before), 0);
    peer_forget(&p);
    struct tcp_options o = peer_dss(&p, 1, 0, 0, 0);
    for (unsigned i = 0; i < 10; i++) {
        o.mp.present |= 1u << MPTCP_PRIO;
        o.mp.prio.backup = i % 2;
        peer_send(&p, TCP_ACK, 1, 1, &o, NULL, 0);
    }
    assert_int_equal(sent_end(&p), 1); /* nothing again */
    assert_int_equal(hawser_subflow_get_info(p.conn, 0, &after), 0);
    assert_int_equal(after.cwnd_bytes, before.cwnd_bytes);
    peer_destroy(&p);
}

/* RFC 8684 3.1: MP_CAPABLE maps the first bytes of the subflow, so it can stand for a DSS only there: not where the
 * first bytes of the stream are sent once more, because the path seemed dead, before a DSS of the peer's was heard. */
static void mp_capable_maps_the_first_bytes_only(void **state)
{
    (void)state;
    struct peer p;
    peer_init(&p, NULL, NULL);
    peer_connect(&p, false);
    struct tcp_options o = {.mp.present = 1u << MPTCP_CAPABLE};
    o.mp.capable =
        (struct mp_capable){.version = MPTCP_VERSION, .algorithms = 1, .has_sender_key = true, .sender_key = p.key};
    peer_send(&p, TCP_SYN | TCP_ACK, 0, 1, &o, NULL, 0);
    peer_forget(&p);
    assert_int_equal(hawser_send(p.conn, bytes, sizeof bytes), sizeof bytes);
    peer_drain(&p);
    assert_true(mptcp_has(&p.seen[0].options.mp, MPTCP_CAPABLE));
    uint32_t end = sent_end(&p);
    peer_wait(&p, 1500 * NS_PER_MS); /* a timeout: all that is outstanding waits to be sent elsewhere */
    o = (struct tcp_options){.mp.present = 1u << MPTCP_ADD_ADDR};
    o.mp.add_addr = (struct mp_add_addr){.echo = true, .is_v4 = true, .address_id = 1, .addr = p.addr};
    peer_forget(&p);
    peer_send(&p, TCP_ACK, 1, 1001, &o, NULL, 0);
    peer_send(&p, TCP_ACK, 1, end, &o, NULL, 0);
    assert_true(sent_end(&p) > end);
    for (unsigned i = 0; i < p.seen_count; i++)
        if (p.seen[i].len && mptcp_has(&p.seen[i].options.mp, MPTCP_CAPABLE))
            assert_true(p.seen[i].seq < 1u + p.seen[i].options.mp.capable.data_len);
    peer_destroy(&p);
}

/* RFC 8684 3: an address that is told again and again to a peer that says nothing must not look like the duplicate
 * acknowledgements of a loss. What comes between them, or new data, ends the row. */
static void signals_do_not_come_three_in_a_row(void **state)
{
    (void)state;
    struct peer p;
    struct hawser_addr other;
    unsigned row = 0, told = 0;
    peer_init(&p, NULL, NULL);
    assert_int_equal(hawser_addr_parse(&other, "10.0.1.1", 0), 0);
    assert_int_equal(hawser_stack_add_address(p.stack, 0, &other, 24, p.now_ns), 0);
    peer_open_mptcp(&p);
    peer_wait(&p, 20 * NS_PER_S);
    for (unsigned i = 0; i < p.seen_count; i++) {
        bool signals = mptcp_has(&p.seen[i].options.mp, MPTCP_ADD_ADDR);
        row = signals ? row + 1 : 0;
        told += signals;
        assert_true(row <= 2);
    }
    assert_true(told == 2 || told == 1); /* the first may have left with the handshake */
    peer_forget(&p);
    struct tcp_options o = peer_dss(&p, 1, 1, 1, 5);
    peer_send(&p, TCP_ACK, 1, 1, &o, "hello", 5);
    peer_wait(&p, NS_PER_S);
    assert_true(mptcp_has(&p.seen[0].options.mp, MPTCP_ADD_ADDR));
    peer_destroy(&p);
}

static bool has_told(const struct peer *p, enum mptcp_subtype what)
{
    for (unsigned i = 0; i < p->seen_count; i++)
        if (mptcp_has(&p->seen[i].options.mp, what))
            return true;
    return false;
}

/* Nor is what happens to an idle connection kept from the peer for ever. */
static void signals_go_on_after_a_silence(void **state)
{
    (void)state;
    struct peer p;
    struct hawser_addr other;
    peer_init(&p, NULL, NULL);
    peer_open_mptcp(&p);
    assert_int_equal(hawser_addr_parse(&other, "10.0.1.1", 0), 0);
    for (unsigned i = 0; i < 3; i++) {
        peer_forget(&p);
        assert_int_equal(hawser_stack_add_address(p.stack, 0, &other, 24, p.now_ns), 0);
        peer_wait(&p, 70 * NS_PER_S);
        assert_true(has_told(&p, MPTCP_ADD_ADDR));
        peer_forget(&p);
        assert_int_equal(hawser_stack_remove_address(p.stack, &other, p.now_ns), 0);
        peer_wait(&p, 70 * NS_PER_S);
        assert_true(has_told(&p, MPTCP_REMOVE_ADDR));
    }
    assert_int_equal(hawser_conn_error(p.conn), 0);
    peer_destroy(&p);
}

/* Without SACK an acknowledgement says all there is to say of a hole; nothing else asks for another one. */
static void a_hole_is_acknowledged_once_without_sack(void **state)
{
    (void)state;
    struct peer p;
    peer_init(&p, NULL, NULL);
    peer_open_plain(&p); /* whose SYN has no options */
    peer_send(&p, TCP_ACK, 101, 1, NULL, bytes, 100);
    assert_int_equal(p.seen_count, 1);
    assert_int_equal(p.seen[0].ack, 1);
    for (int i = 0; i < 10; i++)
        peer_send(&p, TCP_ACK, 201, 1, NULL, NULL, 0);
    assert_int_equal(p.seen_count, 1);
    peer_destroy(&p);
}

/* Ready connections take turns by bytes: one with much to send does not hold back many with little. */
static void small_connections_do_not_wait_for_a_large_one(void **state)
{
    (void)state;
    enum { SMALL = 20, BULK = 2 << 20, WARM_UP = 4, MAX = 4096 };
    static const uint8_t bulk[BULK];
    static uint8_t sink[1 << 16];
    static struct hawser_tx packets[MAX];
    struct world w;
    struct hawser_listener *listener;
    struct hawser_conn *client[SMALL + 1], *server[SMALL + 1];
    world_init(&w, 61, 1, 1, false, NULL, NULL);
    w.paths[0].delay_ns = NS_PER_MS / 10;
    struct hawser_addr addr = world_server_addr(&w, 0, 5001), any = {.port = 5001};
    assert_int_equal(hawser_listen(w.stack[1], &any, 4, NULL, &listener), 0);
    for (int i = 0; i <= SMALL; i++) {
        assert_int_equal(hawser_connect(w.stack[0], &addr, NULL, w.now_ns, &client[i]), 0);
        while (hawser_accept(listener, &server[i]) < 0)
            assert_true(world_step(&w, w.now_ns + NS_PER_S));
    }
    for (int i = 0; i < WARM_UP; i++) { /* its congestion window opens */
        (void)hawser_send(client[0], bulk, BULK);
        struct hawser_conn_info info = {.size = sizeof info};
        do {
            (void)world_step(&w, w.now_ns + NS_PER_S);
            while (hawser_recv(server[0], sink, sizeof sink) > 0)
                ;
            assert_int_equal(hawser_conn_get_info(client[0], &info), 0);
        } while (info.acked_bytes < (uint64_t)(i + 1) * BULK);
    }
    (void)hawser_send(client[0], bulk, BULK);
    for (int i = 1; i <= SMALL; i++)
        assert_int_equal(hawser_send(client[i], bulk, 5), 5);
    size_t n = hawser_stack_output(w.stack[0], packets, MAX, w.now_ns), small = 0, before = 0, after = 0;
    for (size_t i = 0; i < n; i++) {
        small += packets[i].payload_len == 5;
        *(small < SMALL ? &before : &after) += packets[i].payload_len;
    }
    assert_int_equal(small, SMALL);
    assert_true(before <= 256 * 1024);
    assert_true(after > before);
    world_destroy(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_retransmission_brings_its_window),
        cmocka_unit_test(a_window_without_a_data_ack_is_none),
        cmocka_unit_test(a_subflow_has_a_window_of_its_own),
        cmocka_unit_test(signals_are_no_sign_of_loss),
        cmocka_unit_test(mp_capable_maps_the_first_bytes_only),
        cmocka_unit_test(signals_do_not_come_three_in_a_row),
        cmocka_unit_test(signals_go_on_after_a_silence),
        cmocka_unit_test(a_hole_is_acknowledged_once_without_sack),
        cmocka_unit_test(small_connections_do_not_wait_for_a_large_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
