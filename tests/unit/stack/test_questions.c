/* Keepalive that is passed on: what the peer's asks is the program's to answer, and the program may have a peer asked
 * for the sake of another one. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/units.h"
#include "peer.h"
#include "tcp/rtt.h"
#include "world.h"

#define PORT 5001
#define INTERVAL (10 * NS_PER_S)
#define TRIES 3u
#define MOMENT NS_PER_MS
#define ANSWERS_A_SECOND 10

/* No keepalive of its own. */
static const struct hawser_conn_options asked = {
    .size = sizeof asked, .keepalive_interval_ns = INTERVAL, .keepalive_tries = TRIES};

/* What of the connection is told now. */
static uint32_t told(struct peer *p)
{
    struct hawser_event event;
    return hawser_next_event(p->stack, &event) && event.conn == p->conn ? event.what : 0;
}

static bool is_asked(const struct peer *p) { return hawser_conn_ready(p->conn) & HAWSER_ASKED; }

static void open_with(struct peer *p, const struct hawser_conn_options *options, bool passed_on)
{
    peer_init(p, NULL, options);
    peer_open_plain(p);
    assert_int_equal(hawser_conn_set(p->conn, HAWSER_OPTION_ASKED, passed_on), 0);
    peer_drain(p);
    (void)told(p);
    peer_forget(p);
}

static void keepalive_of_peer(struct peer *p) { peer_send(p, TCP_ACK, 0, 1, NULL, NULL, 0); }

static void answer(struct peer *p, bool there)
{
    hawser_conn_answer(p->conn, there, p->now_ns);
    peer_drain(p);
}

/* ---- what the peer asks ---- */

static void the_stack_answers(void **state)
{
    (void)state;
    struct peer p;
    open_with(&p, NULL, false);
    for (unsigned i = 1; i < 4; i++) {
        keepalive_of_peer(&p);
        assert_int_equal(p.seen_count, i);
        assert_int_equal(p.seen[i - 1].flags, TCP_ACK);
        assert_int_equal(p.seen[i - 1].seq, 1);
        assert_int_equal(p.seen[i - 1].ack, 1);
        assert_int_equal(told(&p), 0);
        assert_false(is_asked(&p));
        assert_int_equal(peer_counter(&p, "tcp.keepalives_in"), i);
    }
    answer(&p, true); /* it did not ask */
    assert_int_equal(p.seen_count, 3);
    peer_destroy(&p);
}

static void the_program_answers(void **state)
{
    (void)state;
    struct peer p;
    open_with(&p, NULL, true);
    keepalive_of_peer(&p);
    assert_true(is_asked(&p));
    assert_int_equal(told(&p), HAWSER_ASKED);
    keepalive_of_peer(&p);
    assert_int_equal(told(&p), 0); /* once until it is answered */
    assert_int_equal(p.seen_count, 0);
    answer(&p, true);
    assert_int_equal(p.seen_count, 1);
    assert_int_equal(p.seen[0].flags, TCP_ACK);
    assert_int_equal(p.seen[0].seq, 1);
    assert_int_equal(p.seen[0].ack, 1);
    assert_false(is_asked(&p));
    answer(&p, true);
    assert_int_equal(p.seen_count, 1);
    for (unsigned i = 0; i < 2; i++) {
        keepalive_of_peer(&p);
        assert_int_equal(told(&p), HAWSER_ASKED);
        answer(&p, false); /* as if it had been lost */
        assert_false(is_asked(&p));
        assert_int_equal(p.seen_count, 1);
    }
    assert_int_equal(peer_counter(&p, "tcp.keepalives_in"), 4);
    assert_int_equal(hawser_conn_set(p.conn, HAWSER_OPTION_ASKED, 0), 0);
    keepalive_of_peer(&p);
    assert_int_equal(p.seen_count, 2);
    assert_int_equal(told(&p), 0);
    peer_destroy(&p);
}

/* On each subflow that asked, with what MPTCP has to say. */
static void an_mptcp_connection_is_asked(void **state)
{
    (void)state;
    struct peer p;
    peer_init(&p, NULL, NULL);
    peer_open_mptcp(&p);
    assert_int_equal(hawser_conn_set(p.conn, HAWSER_OPTION_ASKED, 1), 0);
    (void)told(&p);
    peer_wait(&p, NS_PER_S);
    peer_forget(&p);
    const struct peer_segment *last;
    struct tcp_options dss = peer_dss(&p, 1, 0, 0, 0);
    peer_send(&p, TCP_ACK, 0, 1, &dss, NULL, 0);
    assert_int_equal(told(&p), HAWSER_ASKED);
    assert_int_equal(p.seen_count, 0);
    answer(&p, true);
    assert_int_equal(p.seen_count, 1);
    last = peer_last(&p, TCP_ACK);
    assert_non_null(last);
    assert_true(mptcp_has(&last->options.mp, MPTCP_DSS));
    peer_destroy(&p);
}

/* A byte that comes with the question may also be one that was sent again, which is acknowledged at once. */
static void a_question_with_a_byte(void **state)
{
    (void)state;
    struct peer p;
    open_with(&p, NULL, true);
    peer_send(&p, TCP_ACK, 0, 1, NULL, "x", 1);
    assert_int_equal(p.seen_count, 1);
    assert_int_equal(p.seen[0].ack, 1);
    assert_int_equal(told(&p), HAWSER_ASKED);
    peer_destroy(&p);
}

/* What is not in the very place, or nobody could say who has heard us, asks nothing. */
static void what_is_no_question(void **state)
{
    (void)state;
    static const struct {
        uint8_t flags;
        uint32_t seq, ack;
    } all[] = {{TCP_ACK, UINT32_MAX, 1},
               {TCP_ACK, 0, 5000},
               {TCP_ACK, 0, UINT32_MAX - 70000},
               {TCP_ACK | TCP_FIN, 0, 1},
               {TCP_ACK | TCP_SYN, 0, 1},
               {TCP_ACK | TCP_RST, 0, 1},
               {0, 0, 1},
               {TCP_ACK, 1, 1}};
    struct peer p;
    open_with(&p, NULL, true);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        peer_send(&p, all[i].flags, all[i].seq, all[i].ack, NULL, NULL, 0);
        assert_int_equal(told(&p), 0);
    }
    assert_int_equal(peer_counter(&p, "tcp.keepalives_in"), 0);
    assert_true(peer_is_open(&p));
    peer_destroy(&p);
}

/* However often it asks: answers are as rare as those of the stack itself. */
static void at_line_rate(void **state)
{
    (void)state;
    for (unsigned passed_on = 0; passed_on < 2; passed_on++) {
        struct peer p;
        open_with(&p, NULL, passed_on);
        for (unsigned second = 1; second < 4; second++) {
            peer_wait(&p, NS_PER_S);
            for (unsigned i = 0; i < 1000; i++) {
                keepalive_of_peer(&p);
                assert_int_equal(told(&p), passed_on ? HAWSER_ASKED : 0);
                answer(&p, true);
            }
            assert_int_equal(p.seen_count, second * ANSWERS_A_SECOND);
        }
        assert_int_equal(peer_counter(&p, "tcp.keepalives_in"), 3000);
        peer_destroy(&p);
    }
}

/* Nobody is there to be told: the stack answers again. */
static void after_close_the_stack_answers(void **state)
{
    (void)state;
    struct peer p;
    open_with(&p, NULL, true);
    hawser_close(p.conn);
    peer_drain(&p);
    peer_send(&p, TCP_ACK, 1, 2, NULL, NULL, 0);
    peer_forget(&p);
    peer_send(&p, TCP_ACK, 0, 2, NULL, NULL, 0);
    assert_int_equal(p.seen_count, 1);
    assert_int_equal(p.seen[0].flags, TCP_ACK);
    assert_int_equal(p.seen[0].seq, 2);
    peer_destroy(&p);
}

/* ---- what the program asks ---- */

static int ask(struct peer *p)
{
    int result = hawser_conn_ask(p->conn, p->now_ns);
    peer_drain(p);
    return result;
}

static void expect_questions(const struct peer *p, unsigned count)
{
    assert_int_equal(p->seen_count, count);
    assert_int_equal(peer_counter(p, "tcp.keepalive_probes"), count);
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(p->seen[i].flags, TCP_ACK);
        assert_int_equal(p->seen[i].seq, 0);
        assert_int_equal(p->seen[i].len, 0);
    }
}

/* It was heard a moment ago; then it is asked; and not again within the second, whoever wants to know. */
static void once_a_second_of_silence(void **state)
{
    (void)state;
    struct peer p;
    open_with(&p, &asked, false);
    peer_wait(&p, NS_PER_S / 2);
    assert_int_equal(ask(&p), 0);
    expect_questions(&p, 0);
    peer_wait(&p, NS_PER_S / 2);
    assert_int_equal(ask(&p), 0);
    expect_questions(&p, 1);
    peer_wait(&p, NS_PER_S / 2);
    assert_int_equal(peer_counter(&p, "limit.questions_passed_on"), 0);
    for (unsigned i = 1; i < 100; i++) {
        assert_int_equal(ask(&p), -EAGAIN);
        assert_int_equal(peer_counter(&p, "limit.questions_passed_on"), i);
    }
    expect_questions(&p, 1);
    peer_wait(&p, NS_PER_S);
    assert_int_equal(ask(&p), -EAGAIN);
    expect_questions(&p, 2);
    peer_send(&p, TCP_ACK, 1, 1, NULL, NULL, 0);
    assert_int_equal(ask(&p), 0); /* that was an answer */
    peer_wait(&p, NS_PER_S);
    assert_int_equal(ask(&p), 0);
    expect_questions(&p, 3);
    peer_destroy(&p);
}

/* Two who want to know, one right after the other, as two subflows of one peer do: there is no answer yet, and nobody
 * could expect one. */
static void an_answer_takes_its_time(void **state)
{
    (void)state;
    for (unsigned own = 0; own < 2; own++) { /* or our own keepalive has just asked */
        struct hawser_conn_options options = asked;
        struct peer p;
        options.keepalive_idle_ns = own ? 2 * NS_PER_S : 0;
        open_with(&p, &options, false);
        peer_wait(&p, 2 * NS_PER_S + MOMENT);
        assert_int_equal(ask(&p), 0);
        for (unsigned i = 0; i < 2; i++) {
            peer_wait(&p, RTO_MIN_NS / 2 - 2 * MOMENT);
            assert_int_equal(ask(&p), 0);
        }
        expect_questions(&p, 1);
        assert_int_equal(peer_counter(&p, "limit.questions_passed_on"), 0);
        peer_wait(&p, 5 * MOMENT);
        assert_int_equal(ask(&p), -EAGAIN);
        peer_send(&p, TCP_ACK, 1, 1, NULL, NULL, 0);
        assert_int_equal(ask(&p), 0);
        peer_destroy(&p);
    }
}

/* What is outstanding asks by itself, and so does a shut window. */
static void nothing_to_ask(void **state)
{
    (void)state;
    for (unsigned shut = 0; shut < 2; shut++) {
        struct peer p;
        peer_init(&p, NULL, &asked);
        p.window = shut ? 0 : p.window;
        peer_open_plain(&p);
        assert_int_equal(hawser_send(p.conn, "x", 1), 1);
        peer_drain(&p);
        for (unsigned i = 0; i < 20; i++) {
            peer_wait(&p, NS_PER_S);
            assert_int_equal(ask(&p), 0);
        }
        assert_int_equal(peer_counter(&p, "tcp.keepalive_probes"), 0);
        peer_destroy(&p);
    }
}

static void nobody_to_ask(void **state)
{
    (void)state;
    struct peer p;
    peer_init(&p, NULL, NULL);
    peer_connect(&p, true);
    peer_forget(&p);
    assert_int_equal(hawser_conn_ask(p.conn, p.now_ns), 0);
    peer_drain(&p);
    assert_int_equal(p.seen_count, 0);
    peer_send(&p, TCP_RST | TCP_ACK, 0, 1, NULL, NULL, 0);
    assert_int_equal(hawser_conn_error(p.conn), -ECONNREFUSED);
    assert_int_equal(hawser_conn_ask(p.conn, p.now_ns), 0);
    hawser_conn_answer(p.conn, true, p.now_ns);
    peer_destroy(&p);
}

/* Without an answer the question is repeated as our own keepalive's, which need not be on, and ends the connection; in
 * between it goes out as often as somebody else wants to know. */
static void no_answer_is_the_end(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < 4; kind++) {
        struct hawser_conn_options options = asked;
        struct peer p;
        unsigned between = kind & 1 ? 5 : 0, questions = 1;
        options.keepalive_idle_ns = kind & 2 ? 100 * INTERVAL : 0;
        open_with(&p, &options, false);
        peer_wait(&p, 2 * NS_PER_S);
        assert_int_equal(ask(&p), 0);
        for (unsigned round = 0; round < TRIES; round++) {
            for (unsigned i = 0; i < between; i++) {
                peer_wait(&p, 15 * NS_PER_S / 10);
                assert_int_equal(ask(&p), -EAGAIN);
            }
            questions += between;
            peer_wait(&p, INTERVAL - between * 15 * NS_PER_S / 10 - MOMENT);
            expect_questions(&p, questions);
            assert_int_equal(hawser_conn_error(p.conn), 0);
            peer_wait(&p, MOMENT + MOMENT / 10);
            questions += round + 1 < TRIES;
        }
        assert_int_equal(hawser_conn_error(p.conn), -ETIMEDOUT);
        assert_true(p.seen[p.seen_count - 1].flags & TCP_RST);
        peer_destroy(&p);
    }
}

/* After an answer it is our own keepalive's turn again, if there is one. */
static void an_answer_ends_it(void **state)
{
    (void)state;
    for (unsigned own = 0; own < 2; own++) {
        struct hawser_conn_options options = asked;
        struct peer p;
        options.keepalive_idle_ns = own ? 3 * INTERVAL : 0;
        open_with(&p, &options, false);
        peer_wait(&p, 2 * NS_PER_S);
        assert_int_equal(ask(&p), 0);
        peer_wait(&p, INTERVAL + NS_PER_S);
        expect_questions(&p, 2);
        peer_send(&p, TCP_ACK, 1, 1, NULL, NULL, 0);
        peer_wait(&p, 3 * INTERVAL - MOMENT);
        expect_questions(&p, 2);
        peer_wait(&p, 2 * MOMENT);
        expect_questions(&p, 2 + own);
        if (!own)
            assert_int_equal(hawser_stack_deadline(p.stack), HAWSER_NEVER);
        peer_destroy(&p);
    }
}

/* ---- on several paths ---- */

static void run(struct world *w, uint64_t for_ns)
{
    uint64_t until = w->now_ns + for_ns;
    while (world_step(w, until))
        ;
    w->now_ns = until;
}

static unsigned established(const struct hawser_conn *conn)
{
    struct hawser_subflow_info info = {.size = sizeof info};
    unsigned n = 0;
    for (size_t i = 0; hawser_subflow_get_info(conn, i, &info) == 0; i++)
        n += strcmp(info.state, "ESTABLISHED") == 0;
    return n;
}

/* Each is asked, and one that answers will do; the other one ends alone. */
static void on_each_path(void **state)
{
    (void)state;
    struct world w;
    struct hawser_listener *listener;
    struct hawser_conn *conn[2];
    world_init(&w, 83, 2, 1, false, NULL, NULL);
    struct hawser_addr server = world_server_addr(&w, 0, PORT), any = {.port = PORT};
    assert_int_equal(hawser_listen(w.stack[1], &any, 4, NULL, &listener), 0);
    assert_int_equal(hawser_connect(w.stack[0], &server, &asked, w.now_ns, &conn[0]), 0);
    while (hawser_accept(listener, &conn[1]) < 0)
        assert_true(world_step(&w, w.now_ns + NS_PER_S));
    assert_int_equal(hawser_send(conn[0], "x", 1), 1);
    run(&w, 3 * NS_PER_S);
    assert_int_equal(established(conn[0]), 2);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(hawser_conn_ask(conn[0], w.now_ns), 0);
        run(&w, 2 * NS_PER_S);
    }
    assert_int_equal(world_counter(&w, 0, "tcp.keepalive_probes"), 8);
    assert_int_equal(world_counter(&w, 1, "tcp.keepalives_in"), 8);
    w.paths[1].down = true;
    for (unsigned i = 0; i < TRIES * INTERVAL / (2 * NS_PER_S) + 1; i++) {
        assert_int_equal(hawser_conn_ask(conn[0], w.now_ns), 0);
        run(&w, 2 * NS_PER_S);
    }
    assert_int_equal(established(conn[0]), 1);
    w.paths[0].down = true;
    assert_int_equal(hawser_conn_ask(conn[0], w.now_ns), 0);
    run(&w, 2 * NS_PER_S);
    assert_int_equal(hawser_conn_ask(conn[0], w.now_ns), -EAGAIN);
    assert_int_equal(hawser_conn_error(conn[0]), 0);
    for (int end = 0; end < 2; end++)
        hawser_abort(conn[end]);
    world_destroy(&w);
}

/* It is asked each second, and answers each time, two seconds later. */
static void a_slow_path_is_no_dead_one(void **state)
{
    (void)state;
    struct world w;
    struct hawser_listener *listener;
    struct hawser_conn *conn[2];
    world_init(&w, 89, 1, 1, false, NULL, NULL);
    w.paths[0].delay_ns = 450 * NS_PER_MS;
    struct hawser_addr server = world_server_addr(&w, 0, PORT);
    assert_int_equal(hawser_listen(w.stack[1], &server, 4, NULL, &listener), 0);
    assert_int_equal(hawser_connect(w.stack[0], &server, &asked, w.now_ns, &conn[0]), 0);
    while (hawser_accept(listener, &conn[1]) < 0)
        assert_true(world_step(&w, w.now_ns + 10 * NS_PER_S));
    w.paths[0].delay_ns = NS_PER_S;
    run(&w, 10 * NS_PER_S);
    for (unsigned i = 0; i < 30; i++) {
        assert_int_equal(hawser_conn_ask(conn[0], w.now_ns), 0);
        run(&w, NS_PER_S);
    }
    assert_in_range(world_counter(&w, 1, "tcp.keepalives_in"), 9, 11);
    w.paths[0].down = true;
    run(&w, 10 * NS_PER_S);
    assert_int_equal(hawser_conn_ask(conn[0], w.now_ns), 0);
    run(&w, 5 * NS_PER_S);
    assert_int_equal(hawser_conn_ask(conn[0], w.now_ns), -EAGAIN);
    for (int end = 0; end < 2; end++)
        hawser_abort(conn[end]);
    world_destroy(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_stack_answers),
        cmocka_unit_test(the_program_answers),
        cmocka_unit_test(an_mptcp_connection_is_asked),
        cmocka_unit_test(a_question_with_a_byte),
        cmocka_unit_test(what_is_no_question),
        cmocka_unit_test(at_line_rate),
        cmocka_unit_test(after_close_the_stack_answers),
        cmocka_unit_test(once_a_second_of_silence),
        cmocka_unit_test(an_answer_takes_its_time),
        cmocka_unit_test(nothing_to_ask),
        cmocka_unit_test(nobody_to_ask),
        cmocka_unit_test(no_answer_is_the_end),
        cmocka_unit_test(an_answer_ends_it),
        cmocka_unit_test(on_each_path),
        cmocka_unit_test(a_slow_path_is_no_dead_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
