/* Keepalive (RFC 9293 3.8.4): an end that only waits learns that its peer is gone. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/units.h"
#include "peer.h"
#include "world.h"

#define PORT 5001
#define IDLE (60 * NS_PER_S)
#define INTERVAL (10 * NS_PER_S)
#define TRIES 3u
#define MOMENT NS_PER_MS

static const struct hawser_conn_options keepalive = {
    .size = sizeof keepalive, .keepalive_idle_ns = IDLE, .keepalive_interval_ns = INTERVAL, .keepalive_tries = TRIES};

/* ---- segment by segment ---- */

/* Nothing is said before the time, and then one question, which takes no sequence space. */
static void expect_question_after(struct peer *p, uint64_t ns, uint32_t next)
{
    peer_forget(p);
    peer_wait(p, ns - MOMENT);
    assert_int_equal(p->seen_count, 0);
    peer_wait(p, 2 * MOMENT);
    assert_int_equal(p->seen_count, 1);
    assert_int_equal(p->seen[0].flags, TCP_ACK);
    assert_int_equal(p->seen[0].seq, next - 1);
    assert_int_equal(p->seen[0].len, 0);
}

static void no_questions_unless_asked_for(void **state)
{
    (void)state;
    struct peer p;
    peer_init(&p, NULL, NULL);
    peer_open_plain(&p);
    peer_wait(&p, NS_PER_S);
    assert_int_equal(hawser_stack_deadline(p.stack), HAWSER_NEVER);
    peer_wait(&p, 100000 * NS_PER_S);
    assert_int_equal(p.seen_count, 0);
    peer_destroy(&p);
}

static void silence_is_asked_about_and_ends_the_connection(void **state)
{
    (void)state;
    struct peer p;
    peer_init(&p, NULL, &keepalive);
    peer_open_plain(&p);
    expect_question_after(&p, IDLE, 1);
    for (unsigned i = 1; i < TRIES; i++)
        expect_question_after(&p, INTERVAL - MOMENT, 1);
    peer_forget(&p);
    peer_wait(&p, INTERVAL - 3 * MOMENT);
    assert_int_equal(hawser_conn_error(p.conn), 0);
    peer_wait(&p, 3 * MOMENT);
    assert_int_equal(hawser_conn_error(p.conn), -ETIMEDOUT);
    assert_int_equal(p.seen_count, 1);
    assert_true(p.seen[0].flags & TCP_RST);
    assert_int_equal(hawser_stack_deadline(p.stack), HAWSER_NEVER);
    peer_destroy(&p);
}

/* An answer counts, whichever question it is to: idle time begins anew. */
static void an_answer_begins_anew(void **state)
{
    (void)state;
    struct peer p;
    peer_init(&p, NULL, &keepalive);
    p.timestamps = true;
    peer_open_plain(&p);
    for (unsigned round = 0; round < 20; round++) {
        expect_question_after(&p, IDLE, 1);
        assert_true(p.seen[0].options.present & TCP_OPT_TIMESTAMPS); /* else RFC 7323 3.2 has the peer drop it */
        for (unsigned i = 0; i < round % TRIES; i++)
            expect_question_after(&p, INTERVAL - MOMENT, 1);
        peer_send(&p, TCP_ACK, 1, 1, NULL, NULL, 0);
    }
    assert_int_equal(hawser_conn_error(p.conn), 0);
    peer_destroy(&p);
}

/* What does not pass the checks is no sign of life: anybody may have sent it. */
static void a_forgery_is_no_answer(void **state)
{
    (void)state;
    struct peer p;
    peer_init(&p, NULL, &keepalive);
    peer_open_plain(&p);
    peer_wait(&p, IDLE - NS_PER_S);
    peer_send(&p, TCP_ACK, 1 + 10000000, 1, NULL, NULL, 0); /* outside the window */
    peer_send(&p, TCP_ACK, 1, 5000, NULL, NULL, 0);         /* acknowledges what was never sent */
    expect_question_after(&p, NS_PER_S, 1);
    peer_destroy(&p);
}

/* Data that comes puts the question off, from when it came. */
static void data_puts_the_question_off(void **state)
{
    (void)state;
    struct peer p;
    peer_init(&p, NULL, &keepalive);
    peer_open_plain(&p);
    peer_wait(&p, IDLE / 2);
    peer_send(&p, TCP_ACK, 1, 1, NULL, "x", 1);
    peer_wait(&p, NS_PER_S); /* with the delayed acknowledgement */
    expect_question_after(&p, IDLE - NS_PER_S, 1);
    peer_destroy(&p);
}

/* What is outstanding asks by itself, and is given its own time. */
static void no_questions_while_data_is_outstanding(void **state)
{
    (void)state;
    struct peer p;
    peer_init(&p, NULL, &keepalive);
    peer_open_plain(&p);
    peer_wait(&p, IDLE / 2);
    assert_int_equal(hawser_send(p.conn, "x", 1), 1);
    peer_wait(&p, IDLE + TRIES * INTERVAL);
    assert_int_equal(hawser_conn_error(p.conn), 0);
    for (unsigned i = 0; i < p.seen_count; i++)
        assert_int_equal(p.seen[i].len, 1);
    peer_send(&p, TCP_ACK, 1, 2, NULL, NULL, 0);
    expect_question_after(&p, IDLE, 2);
    peer_destroy(&p);
}

/* Nor while a shut window is probed: that goes on as long as it is answered (RFC 1122 4.2.2.17). */
static void no_questions_while_the_window_is_probed(void **state)
{
    (void)state;
    struct peer p;
    peer_init(&p, NULL, &keepalive);
    p.window = 0;
    peer_open_plain(&p);
    assert_int_equal(hawser_send(p.conn, "x", 1), 1);
    for (unsigned i = 0; i < 600; i++) {
        peer_wait(&p, NS_PER_S);
        if (p.seen_count)
            peer_send(&p, TCP_ACK, 1, 1, NULL, NULL, 0);
        peer_forget(&p);
    }
    assert_int_equal(hawser_conn_error(p.conn), 0);
    assert_int_equal(peer_counter(&p, "tcp.keepalive_probes"), 0);
    peer_destroy(&p);
}

/* In CLOSE-WAIT and in FIN-WAIT-2 an end may wait for ever, too. */
static void a_half_closed_end_asks(void **state)
{
    (void)state;
    struct peer p;
    peer_init(&p, NULL, &keepalive);
    peer_open_plain(&p);
    peer_send(&p, TCP_FIN | TCP_ACK, 1, 1, NULL, NULL, 0);
    expect_question_after(&p, IDLE, 1);
    peer_destroy(&p);

    peer_init(&p, NULL, &keepalive);
    peer_open_plain(&p);
    hawser_shutdown(p.conn);
    peer_drain(&p);
    peer_send(&p, TCP_ACK, 1, 2, NULL, NULL, 0);
    expect_question_after(&p, IDLE, 2);
    peer_wait(&p, TRIES * INTERVAL);
    assert_int_equal(hawser_conn_error(p.conn), -ETIMEDOUT);
    peer_destroy(&p);
}

/* TIME-WAIT is over when it is over, and asks nothing. */
static void time_wait_does_not_ask(void **state)
{
    (void)state;
    struct peer p;
    struct hawser_conn_options eager = keepalive;
    eager.keepalive_idle_ns = 20 * NS_PER_S;
    peer_init(&p, NULL, &eager);
    peer_open_plain(&p);
    hawser_shutdown(p.conn);
    peer_drain(&p);
    peer_send(&p, TCP_ACK, 1, 2, NULL, NULL, 0);
    peer_send(&p, TCP_FIN | TCP_ACK, 1, 2, NULL, NULL, 0);
    peer_send(&p, TCP_FIN | TCP_ACK, 1, 2, NULL, NULL, 0);
    peer_forget(&p);
    peer_wait(&p, 100 * NS_PER_S);
    assert_int_equal(p.seen_count, 0);
    assert_int_equal(hawser_conn_error(p.conn), 0);
    peer_destroy(&p);
}

/* Nobody has accepted it yet: it must not fill the listener's queue for ever. */
static void a_connection_that_waits_to_be_accepted_asks(void **state)
{
    (void)state;
    struct peer p;
    struct hawser_conn *conn;
    peer_init(&p, NULL, &keepalive);
    peer_send(&p, TCP_SYN, 0, 0, NULL, NULL, 0);
    peer_send(&p, TCP_ACK, 1, 1, NULL, NULL, 0);
    expect_question_after(&p, IDLE, 1);
    peer_wait(&p, TRIES * INTERVAL);
    assert_int_equal(hawser_accept(p.listener, &conn), -EAGAIN);
    peer_destroy(&p);
}

static void a_connection_that_we_opened_asks(void **state)
{
    (void)state;
    struct peer p;
    peer_init(&p, NULL, NULL);
    p.addr.port = PEER_PORT;
    assert_int_equal(hawser_connect(p.stack, &p.addr, &keepalive, p.now_ns, &p.conn), 0);
    peer_drain(&p);
    p.own = peer_last(&p, TCP_SYN)->local;
    peer_wait(&p, NS_PER_S / 2);
    peer_send(&p, TCP_SYN | TCP_ACK, 0, 1, NULL, NULL, 0);
    expect_question_after(&p, IDLE, 1);
    peer_destroy(&p);
}

/* A question of an MPTCP connection carries its DATA_ACK, and what passes TCP's checks answers it. */
static void an_mptcp_connection_asks(void **state)
{
    (void)state;
    struct peer p;
    peer_init(&p, NULL, &keepalive);
    peer_open_mptcp(&p);
    expect_question_after(&p, IDLE, 1);
    assert_true(mptcp_has(&p.seen[0].options.mp, MPTCP_DSS));
    struct tcp_options answer = peer_dss(&p, 1, 0, 0, 0);
    peer_send(&p, TCP_ACK, 1, 1, &answer, NULL, 0);
    expect_question_after(&p, IDLE, 1);
    peer_wait(&p, TRIES * INTERVAL);
    assert_int_equal(hawser_conn_error(p.conn), 0); /* now it is the peer's to join by another path */
    peer_wait(&p, 30 * NS_PER_S);
    assert_int_equal(hawser_conn_error(p.conn), -ETIMEDOUT);
    peer_destroy(&p);
}

/* Times beyond all clocks. */
static void endless_times_are_none(void **state)
{
    (void)state;
    struct peer p;
    struct hawser_conn_options patient = keepalive;
    patient.keepalive_idle_ns = UINT64_MAX;
    peer_init(&p, NULL, &patient);
    peer_open_plain(&p);
    peer_wait(&p, NS_PER_S);
    assert_int_equal(hawser_stack_deadline(p.stack), HAWSER_NEVER);
    peer_destroy(&p);
}

/* ---- the peer's questions ---- */

/* RFC 5961 7: answers to what anybody may have forged are few; that is not the peer's loss, who has the right number.
 */
static void forgeries_use_up_no_answers(void **state)
{
    (void)state;
    enum { FORGED = 20, CHALLENGES = 10 };
    struct peer p;
    peer_init(&p, NULL, NULL);
    peer_open_plain(&p);
    peer_wait(&p, 2 * NS_PER_S);
    for (uint32_t i = 0; i < FORGED; i++)
        peer_send(&p, TCP_ACK, 1 + 10000000 + i, 1, NULL, NULL, 0);
    assert_int_equal(p.seen_count, CHALLENGES);
    for (uint32_t len = 0; len <= 1; len++) { /* a window probe may have a byte */
        peer_forget(&p);
        peer_send(&p, TCP_ACK, 0, 1, NULL, "x", len);
        assert_int_equal(p.seen_count, 1);
        assert_int_equal(p.seen[0].ack, 1);
    }
    assert_int_equal(peer_counter(&p, "limit.answers_to_keepalives"), 0);
    peer_destroy(&p);
}

/* Beyond which only a byte is answered, as what is sent again is: it may be that. */
static void questions_have_their_own_limit(void **state)
{
    (void)state;
    enum { ASKED = 30, ANSWERS = 10 };
    struct peer p;
    peer_init(&p, NULL, NULL);
    peer_open_plain(&p);
    for (unsigned second = 0; second < 3; second++) {
        peer_wait(&p, 2 * NS_PER_S);
        peer_forget(&p);
        for (uint32_t i = 0; i < ASKED; i++)
            peer_send(&p, TCP_ACK, 0, 1, NULL, NULL, 0);
        assert_int_equal(p.seen_count, ANSWERS);
        assert_int_equal(peer_counter(&p, "limit.answers_to_keepalives"), (second + 1) * (ASKED - ANSWERS) + second);
        peer_send(&p, TCP_ACK, 0, 1, NULL, "x", 1);
        assert_int_equal(p.seen_count, ANSWERS + 1);
    }
    peer_destroy(&p);
}

/* ---- between two stacks ---- */

static void run(struct world *w, uint64_t for_ns)
{
    uint64_t until = w->now_ns + for_ns;
    while (world_step(w, until))
        ;
    w->now_ns = until;
}

static void connect_pair(struct world *w, unsigned paths, struct hawser_conn *conn[2])
{
    struct hawser_listener *listener;
    world_init(w, 81, paths, 1, false, NULL, NULL);
    struct hawser_addr server = world_server_addr(w, 0, PORT), any = {.port = PORT};
    assert_int_equal(hawser_listen(w->stack[1], &any, 4, &keepalive, &listener), 0);
    assert_int_equal(hawser_connect(w->stack[0], &server, &keepalive, w->now_ns, &conn[0]), 0);
    while (hawser_accept(listener, &conn[1]) < 0)
        assert_true(world_step(w, w->now_ns + NS_PER_S));
    assert_int_equal(hawser_send(conn[0], "x", 1), 1);
    run(w, NS_PER_S);
}

static unsigned established(const struct hawser_conn *conn)
{
    struct hawser_subflow_info info = {.size = sizeof info};
    unsigned n = 0;
    for (size_t i = 0; hawser_subflow_get_info(conn, i, &info) == 0; i++)
        n += strcmp(info.state, "ESTABLISHED") == 0;
    return n;
}

/* Two ends that have nothing to say ask each other for a day. */
static void an_idle_connection_lasts(void **state)
{
    (void)state;
    struct world w;
    struct hawser_conn *conn[2];
    connect_pair(&w, 2, conn);
    run(&w, 86400 * NS_PER_S);
    for (int end = 0; end < 2; end++) {
        assert_int_equal(established(conn[end]), 2);
        assert_in_range(world_counter(&w, end, "tcp.keepalive_probes"), 2 * 1400, 2 * 1440);
        hawser_close(conn[end]);
    }
    world_destroy(&w);
}

/* A subflow whose path is dead dies alone. */
static void one_dead_path_of_two(void **state)
{
    (void)state;
    struct world w;
    struct hawser_conn *conn[2];
    connect_pair(&w, 2, conn);
    w.paths[1].down = true;
    run(&w, IDLE + (TRIES + 1) * INTERVAL);
    for (int end = 0; end < 2; end++) {
        assert_int_equal(hawser_conn_error(conn[end]), 0);
        assert_int_equal(established(conn[end]), 1);
        hawser_close(conn[end]);
    }
    world_destroy(&w);
}

/* The peer's memory of the connection is gone, and its last word was lost: the question draws a RST. */
static void a_peer_that_forgot_says_so(void **state)
{
    (void)state;
    struct world w;
    struct hawser_conn *conn[2];
    connect_pair(&w, 2, conn);
    w.paths[0].down = w.paths[1].down = true;
    hawser_abort(conn[0]);
    run(&w, NS_PER_S);
    w.paths[0].down = w.paths[1].down = false;
    run(&w, IDLE);
    assert_int_equal(hawser_conn_error(conn[1]), -ECONNRESET);
    hawser_close(conn[1]);
    world_destroy(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_questions_unless_asked_for),
        cmocka_unit_test(silence_is_asked_about_and_ends_the_connection),
        cmocka_unit_test(an_answer_begins_anew),
        cmocka_unit_test(a_forgery_is_no_answer),
        cmocka_unit_test(data_puts_the_question_off),
        cmocka_unit_test(no_questions_while_data_is_outstanding),
        cmocka_unit_test(no_questions_while_the_window_is_probed),
        cmocka_unit_test(a_half_closed_end_asks),
        cmocka_unit_test(time_wait_does_not_ask),
        cmocka_unit_test(a_connection_that_waits_to_be_accepted_asks),
        cmocka_unit_test(a_connection_that_we_opened_asks),
        cmocka_unit_test(an_mptcp_connection_asks),
        cmocka_unit_test(endless_times_are_none),
        cmocka_unit_test(forgeries_use_up_no_answers),
        cmocka_unit_test(questions_have_their_own_limit),
        cmocka_unit_test(an_idle_connection_lasts),
        cmocka_unit_test(one_dead_path_of_two),
        cmocka_unit_test(a_peer_that_forgot_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
