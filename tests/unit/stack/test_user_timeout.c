/* The user timeout (RFC 9293 3.9.1): how long a program waits for its peer to acknowledge more of its stream. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/units.h"
#include "peer.h"
#include "world.h"

#define PORT 5001
#define PATIENCE (5 * NS_PER_S)
#define MOMENT (2 * NS_PER_MS)

static const struct hawser_conn_options impatient = {.size = sizeof impatient, .user_timeout_ns = PATIENCE};

/* It is over after so long, not before, and the peer is told. */
static void expect_end_after(struct peer *p, uint64_t ns)
{
    peer_wait(p, ns - MOMENT);
    assert_int_equal(hawser_conn_error(p->conn), 0);
    peer_forget(p);
    peer_wait(p, 2 * MOMENT);
    assert_int_equal(hawser_conn_error(p->conn), -ETIMEDOUT);
    assert_non_null(peer_last(p, TCP_RST));
    peer_wait(p, 300 * NS_PER_S);
    assert_int_equal(hawser_stack_deadline(p->stack), HAWSER_NEVER);
}

static void send_to(struct peer *p, const char *text)
{
    assert_int_equal(hawser_send(p->conn, text, strlen(text)), strlen(text));
    peer_drain(p);
}

/* The time counts from when bytes wait, and from each acknowledgement of some. */
static void what_is_not_acknowledged(void **state)
{
    (void)state;
    struct peer p;
    peer_init(&p, NULL, &impatient);
    peer_open_plain(&p);
    peer_wait(&p, 1000 * NS_PER_S); /* while nothing does, there is none */
    send_to(&p, "abc");
    peer_wait(&p, PATIENCE / 2);
    peer_send(&p, TCP_ACK, 1, 2, NULL, NULL, 0);
    peer_wait(&p, PATIENCE / 2);
    send_to(&p, "d"); /* more to wait for is no progress */
    expect_end_after(&p, PATIENCE / 2);
    peer_destroy(&p);

    peer_init(&p, NULL, &impatient);
    peer_open_plain(&p);
    send_to(&p, "abc");
    peer_send(&p, TCP_ACK, 1, 4, NULL, NULL, 0);
    peer_wait(&p, 1000 * NS_PER_S);
    assert_int_equal(hawser_conn_error(p.conn), 0);
    hawser_shutdown(p.conn); /* the end is waited for, too */
    peer_drain(&p);
    expect_end_after(&p, PATIENCE);
    peer_destroy(&p);
}

/* Unlike R2, which goes on as long as probes are answered. */
static void a_window_that_stays_shut(void **state)
{
    (void)state;
    struct peer p;
    peer_init(&p, NULL, &impatient);
    p.window = 0;
    peer_open_plain(&p);
    assert_int_equal(hawser_send(p.conn, "x", 1), 1);
    peer_drain(&p);
    for (unsigned i = 0; i < 4; i++) {
        peer_wait(&p, NS_PER_S);
        peer_send(&p, TCP_ACK, 1, 1, NULL, NULL, 0);
    }
    expect_end_after(&p, NS_PER_S);
    peer_destroy(&p);
}

static void connect_to(struct peer *p)
{
    p->addr.port = PEER_PORT;
    assert_int_equal(hawser_connect(p->stack, &p->addr, &impatient, p->now_ns, &p->conn), 0);
    peer_drain(p);
    p->own = peer_last(p, TCP_SYN)->local;
}

/* The handshake, and nothing of it afterwards. */
static void nobody_answers(void **state)
{
    (void)state;
    struct peer p;
    peer_init(&p, NULL, NULL);
    connect_to(&p);
    peer_wait(&p, PATIENCE - MOMENT);
    assert_int_equal(hawser_conn_error(p.conn), 0);
    peer_wait(&p, 2 * MOMENT);
    assert_int_equal(hawser_conn_error(p.conn), -ETIMEDOUT);
    assert_int_equal(hawser_stack_deadline(p.stack), HAWSER_NEVER);
    hawser_close(p.conn);
    peer_forget(&p);
    connect_to(&p);
    peer_send(&p, TCP_SYN | TCP_ACK, 0, 1, NULL, NULL, 0);
    peer_wait(&p, 10 * PATIENCE);
    assert_int_equal(hawser_conn_error(p.conn), 0);
    peer_destroy(&p);
}

/* RFC 8684 3.3: a subflow's acknowledgement is none of the stream. */
static void bytes_that_stop_at_the_subflow(void **state)
{
    (void)state;
    struct peer p;
    peer_init(&p, NULL, &impatient);
    peer_open_mptcp(&p);
    send_to(&p, "abc");
    struct tcp_options o = peer_dss(&p, 1, 0, 0, 0);
    for (unsigned i = 0; i < 4; i++) {
        peer_wait(&p, NS_PER_S);
        peer_send(&p, TCP_ACK, 1, peer_last(&p, 0)->seq + peer_last(&p, 0)->len, &o, NULL, 0);
    }
    expect_end_after(&p, NS_PER_S);
    peer_destroy(&p);
}

/* The last subflow goes; no other one comes in time. */
static void no_subflow_is_left(void **state)
{
    (void)state;
    struct peer p;
    peer_init(&p, NULL, &impatient);
    peer_open_mptcp(&p);
    send_to(&p, "abc");
    peer_send(&p, TCP_RST, 1, 0, NULL, NULL, 0);
    peer_wait(&p, PATIENCE - MOMENT);
    assert_int_equal(hawser_conn_error(p.conn), 0);
    peer_wait(&p, 2 * MOMENT);
    assert_int_equal(hawser_conn_error(p.conn), -ETIMEDOUT);
    peer_destroy(&p);
}

/* What has passed counts when the time is set, and it can be taken back. */
static void set_while_it_waits(void **state)
{
    (void)state;
    struct peer p;
    peer_init(&p, NULL, NULL);
    peer_open_plain(&p);
    send_to(&p, "abc");
    peer_wait(&p, 4 * NS_PER_S);
    assert_int_equal(hawser_conn_set(p.conn, HAWSER_OPTION_USER_TIMEOUT_NS, PATIENCE), 0);
    peer_drain(&p);
    expect_end_after(&p, NS_PER_S);
    peer_destroy(&p);

    peer_init(&p, NULL, &impatient);
    peer_open_plain(&p);
    send_to(&p, "abc");
    peer_wait(&p, 4 * NS_PER_S);
    assert_int_equal(hawser_conn_set(p.conn, HAWSER_OPTION_USER_TIMEOUT_NS, 0), 0);
    peer_drain(&p);
    peer_wait(&p, 90 * NS_PER_S);
    assert_int_equal(hawser_conn_error(p.conn), 0);
    assert_int_equal(hawser_conn_set(p.conn, HAWSER_OPTION_USER_TIMEOUT_NS, NS_PER_S), 0);
    peer_wait(&p, NS_PER_MS); /* long over */
    assert_int_equal(hawser_conn_error(p.conn), -ETIMEDOUT);
    peer_destroy(&p);
}

static void run(struct world *w, uint64_t for_ns)
{
    uint64_t until = w->now_ns + for_ns;
    while (world_step(w, until))
        ;
    w->now_ns = until;
}

/* One of two paths is dead for much longer: the other one delivers. */
static void another_path_delivers(void **state)
{
    (void)state;
    struct world w;
    struct hawser_conn *conn[2];
    struct hawser_listener *listener;
    static uint8_t bytes[20000];
    world_init(&w, 82, 2, 1, false, NULL, NULL);
    struct hawser_addr server = world_server_addr(&w, 0, PORT), any = {.port = PORT};
    assert_int_equal(hawser_listen(w.stack[1], &any, 4, &impatient, &listener), 0);
    assert_int_equal(hawser_connect(w.stack[0], &server, &impatient, w.now_ns, &conn[0]), 0);
    while (hawser_accept(listener, &conn[1]) < 0)
        assert_true(world_step(&w, w.now_ns + NS_PER_S));
    assert_int_equal(hawser_send(conn[0], bytes, sizeof bytes), sizeof bytes);
    run(&w, NS_PER_S);
    for (unsigned i = 0; i < 20; i++) {
        w.paths[0].down = true;
        assert_int_equal(hawser_recv(conn[1], bytes, sizeof bytes), sizeof bytes);
        assert_int_equal(hawser_send(conn[0], bytes, sizeof bytes), sizeof bytes);
        run(&w, 2 * NS_PER_S);
    }
    assert_int_equal(hawser_conn_error(conn[0]), 0);
    assert_int_equal(hawser_conn_error(conn[1]), 0);
    hawser_close(conn[0]);
    hawser_close(conn[1]);
    world_destroy(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_acknowledged), cmocka_unit_test(a_window_that_stays_shut),
        cmocka_unit_test(nobody_answers),           cmocka_unit_test(bytes_that_stop_at_the_subflow),
        cmocka_unit_test(no_subflow_is_left),       cmocka_unit_test(set_while_it_waits),
        cmocka_unit_test(another_path_delivers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
