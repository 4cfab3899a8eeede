/* A program that has no more to say or to hear, and wants to know whether all of it was delivered. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/units.h"
#include "peer.h"

enum { LEN = 500 };
static uint8_t bytes[LEN], got[LEN];

static bool delivered(const struct peer *p) { return hawser_conn_ready(p->conn) & HAWSER_DELIVERED; }

/* What the program is told since it asked last. */
static uint32_t told(struct peer *p)
{
    struct hawser_event event;
    return hawser_next_event(p->stack, &event) && event.conn == p->conn ? event.what : 0;
}

/* What the peer has of the stream and its end: 1 and DATA_ACK in MPTCP; what the stack said is acknowledged. */
static void acknowledge(struct peer *p, bool plain, uint32_t upto)
{
    struct tcp_options dss = peer_dss(p, upto, 0, 0, 0);
    uint32_t data = upto > 1 + LEN && !plain ? 1 + LEN : upto;
    peer_send(p, TCP_ACK, 1, data, plain ? NULL : &dss, NULL, 0);
}

static void open_either(struct peer *p, bool plain)
{
    peer_init(p, NULL, NULL);
    if (plain)
        peer_open_plain(p);
    else
        peer_open_mptcp(p);
}

/* A program that has said its last word, which is under way. */
static void open_and_finish(struct peer *p, bool plain)
{
    open_either(p, plain);
    assert_int_equal(hawser_send(p->conn, bytes, LEN), LEN);
    hawser_finish(p->conn);
    peer_drain(p);
}

/* The peer has all of it but the end, and says its own last word. */
static void end_of_peer(struct peer *p, bool plain)
{
    struct tcp_options end = peer_dss(p, 1 + LEN, 1, 0, 1);
    end.mp.dss.data_fin = true;
    peer_send(p, plain ? TCP_ACK | TCP_FIN : TCP_ACK, 1, 1 + LEN, plain ? NULL : &end, NULL, 0);
}

/* It is when the last byte, and the end, are acknowledged, and not before. */
static void tells_when_all_is_delivered(void **state)
{
    (void)state;
    for (unsigned plain = 0; plain < 2; plain++) {
        struct peer p;
        open_either(&p, plain);
        assert_int_equal(hawser_send(p.conn, bytes, LEN), LEN);
        hawser_finish(p.conn);
        hawser_finish(p.conn);
        assert_int_equal(hawser_send(p.conn, bytes, LEN), -EPIPE);
        peer_drain(&p);
        assert_false(delivered(&p));
        acknowledge(&p, plain, 1 + LEN);
        assert_false(delivered(&p));
        assert_false(told(&p) & HAWSER_DELIVERED);
        acknowledge(&p, plain, 2 + LEN);
        assert_true(delivered(&p));
        assert_int_equal(told(&p), HAWSER_DELIVERED);
        assert_int_equal(hawser_conn_error(p.conn), 0);
        hawser_close(p.conn);
        peer_destroy(&p);
    }
}

/* A peer that is gone and said its own last word before has all, but for a RST in place of the last acknowledgement. */
static void a_reset_is_an_answer_to_the_end(void **state)
{
    (void)state;
    for (unsigned plain = 0; plain < 2; plain++) {
        struct peer p;
        open_and_finish(&p, plain);
        end_of_peer(&p, plain);
        peer_drain(&p);
        assert_false(told(&p) & (HAWSER_DELIVERED | HAWSER_ERROR));
        peer_send(&p, TCP_ACK | TCP_RST, 1 + plain, 1 + LEN, NULL, NULL, 0);
        assert_int_equal(told(&p), HAWSER_DELIVERED | HAWSER_CLOSED);
        assert_int_equal(hawser_conn_error(p.conn), 0);
        hawser_close(p.conn);
        peer_destroy(&p);
    }
}

/* But not one that gives a reason: it was for the subflow only, and who sent it may wait for the end on another. */
static void a_reset_with_a_reason_is_none(void **state)
{
    (void)state;
    struct peer p;
    open_and_finish(&p, false);
    end_of_peer(&p, false);
    struct tcp_options why = {.mp = {.present = 1u << MPTCP_TCPRST, .tcprst = {.reason = MP_RST_MIDDLEBOX}}};
    peer_send(&p, TCP_ACK | TCP_RST, 1, 1 + LEN, &why, NULL, 0);
    assert_false(told(&p) & HAWSER_DELIVERED);
    hawser_close(p.conn);
    peer_destroy(&p);
}

/* What arrives meanwhile is acknowledged and thrown away, and keeps the window open; afterwards it is refused. */
static void hears_no_more(void **state)
{
    (void)state;
    for (unsigned plain = 0; plain < 2; plain++) {
        struct peer p;
        struct tcp_options dss;
        open_and_finish(&p, plain);
        for (uint32_t at = 1; at < 200000; at += LEN) {
            peer_forget(&p);
            dss = peer_dss(&p, 1, at, at, LEN);
            peer_send(&p, TCP_ACK, at, 1, plain ? NULL : &dss, bytes, LEN);
        }
        const struct peer_segment *last = peer_last(&p, TCP_ACK);
        assert_true(last->ack > 200000 - 4 * LEN);
        assert_true(last->window > 0);
        assert_int_equal(hawser_recv(p.conn, got, LEN), -EAGAIN);
        assert_int_equal(hawser_conn_error(p.conn), 0);
        peer_forget(&p);
        dss = peer_dss(&p, 2 + LEN, 200001, 200001, LEN);
        peer_send(&p, TCP_ACK, 200001, plain ? 2 + LEN : 1 + LEN, plain ? NULL : &dss, bytes, LEN);
        assert_non_null(peer_last(&p, TCP_RST));
        assert_true(delivered(&p));
        assert_int_equal(hawser_conn_error(p.conn), -ECONNRESET);
        hawser_close(p.conn);
        peer_destroy(&p);
    }
}

/* Bytes that were never read are lost, and that is said at once: unless the program had ended its stream before. */
static void unread_bytes_are_a_loss(void **state)
{
    (void)state;
    for (unsigned shut = 0; shut < 2; shut++) {
        struct peer p;
        open_either(&p, true);
        peer_send(&p, TCP_ACK, 1, 1, NULL, bytes, LEN);
        assert_int_equal(hawser_send(p.conn, bytes, LEN), LEN);
        if (shut)
            hawser_shutdown(p.conn);
        hawser_finish(p.conn);
        peer_drain(&p);
        assert_int_equal(hawser_conn_error(p.conn), shut ? 0 : -ECONNRESET);
        assert_int_equal(peer_last(&p, TCP_RST) != NULL, !shut);
        if (shut)
            peer_send(&p, TCP_ACK, 1 + LEN, 2 + LEN, NULL, NULL, 0);
        assert_int_equal(delivered(&p), shut);
        hawser_close(p.conn);
        peer_destroy(&p);
    }
}

/* Nobody acknowledges it: the program learns that, and still has its handle. */
static void learns_when_nothing_can_be_delivered(void **state)
{
    (void)state;
    for (unsigned plain = 0; plain < 2; plain++) {
        struct peer p;
        open_and_finish(&p, plain);
        for (unsigned i = 0; i < 400 && !hawser_conn_error(p.conn); i++) {
            peer_forget(&p);
            peer_wait(&p, NS_PER_S);
        }
        assert_int_equal(hawser_conn_error(p.conn), -ETIMEDOUT);
        assert_false(delivered(&p));
        hawser_close(p.conn);
        peer_destroy(&p);
    }
}

/* A peer that has all and goes on for ever without ending its own stream is not waited for for ever. */
static void a_peer_that_does_not_end(void **state)
{
    (void)state;
    struct peer p;
    open_either(&p, true);
    hawser_finish(p.conn);
    peer_drain(&p);
    peer_send(&p, TCP_ACK, 1, 2, NULL, NULL, 0);
    assert_true(delivered(&p));
    peer_wait(&p, 50 * NS_PER_S);
    assert_int_equal(hawser_conn_error(p.conn), 0);
    peer_wait(&p, 11 * NS_PER_S);
    assert_int_equal(hawser_conn_error(p.conn), -ETIMEDOUT);
    assert_true(delivered(&p));
    peer_destroy(&p); /* with the handle still held */
}

/* Where nobody is there yet nothing can be delivered. */
static void before_the_handshake_is_over(void **state)
{
    (void)state;
    struct peer p;
    peer_init(&p, NULL, NULL);
    peer_connect(&p, false);
    hawser_finish(p.conn);
    peer_drain(&p);
    assert_int_equal(hawser_conn_error(p.conn), -ECONNABORTED);
    assert_false(delivered(&p));
    hawser_close(p.conn);
    peer_destroy(&p);
}

/* A handle that was never given up is told all the same, and after it was the rest goes on by itself. */
static void the_handle_may_go_at_any_time(void **state)
{
    (void)state;
    struct peer p;
    struct hawser_unfinished left;
    open_and_finish(&p, true);
    hawser_stack_unfinished(p.stack, &left);
    assert_int_equal(left.connections, 0); /* its program will see */
    hawser_close(p.conn);
    peer_drain(&p);
    hawser_stack_unfinished(p.stack, &left);
    assert_int_equal(left.connections, 1);
    assert_int_equal(left.bytes, LEN);
    peer_send(&p, TCP_ACK, 1, 2 + LEN, NULL, NULL, 0);
    hawser_stack_unfinished(p.stack, &left);
    assert_int_equal(left.connections, 0);
    peer_send(&p, TCP_ACK | TCP_FIN, 1, 2 + LEN, NULL, NULL, 0);
    peer_destroy(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_when_all_is_delivered),     cmocka_unit_test(hears_no_more),
        cmocka_unit_test(unread_bytes_are_a_loss),         cmocka_unit_test(learns_when_nothing_can_be_delivered),
        cmocka_unit_test(a_reset_is_an_answer_to_the_end), cmocka_unit_test(a_reset_with_a_reason_is_none),
        cmocka_unit_test(a_peer_that_does_not_end),        cmocka_unit_test(before_the_handshake_is_over),
        cmocka_unit_test(the_handle_may_go_at_any_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
