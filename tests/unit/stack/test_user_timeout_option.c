/* What both ends tell each other of the user timeout (RFC 5482), and how long a connection waits by that. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "base/units.h"
#include "peer.h"
#include "world.h"

#define OURS (600 * NS_PER_S)
#define LEAST (100 * NS_PER_S) /* that is adopted */
#define MOST (3600 * NS_PER_S)
#define R2 (120 * NS_PER_S)
#define PORT 5001

static const struct hawser_conn_options telling = {.size = sizeof telling, .advertised_user_timeout_ns = OURS};

static const struct tcp_options *saying(struct tcp_options *o, uint64_t ns)
{
    o->present |= TCP_OPT_USER_TIMEOUT;
    o->user_timeout = user_timeout_encode(ns);
    return o;
}

/* What the segment advertises; 0: nothing. */
static uint64_t said_by(const struct peer_segment *segment)
{
    assert_non_null(segment);
    return segment->options.present & TCP_OPT_USER_TIMEOUT ? user_timeout_decode(segment->options.user_timeout) : 0;
}

/* How many of the segments seen advertise something. */
static unsigned count_saying(const struct peer *p)
{
    unsigned n = 0;
    for (unsigned i = 0; i < p->seen_count; i++)
        n += said_by(&p->seen[i]) > 0;
    return n;
}

static uint64_t heard(const struct hawser_conn *conn)
{
    struct hawser_conn_info info = {.size = sizeof info};
    assert_int_equal(hawser_conn_get_info(conn, &info), 0);
    return info.peer_user_timeout_ns;
}

static void send_to(struct peer *p, const char *text)
{
    assert_int_equal(hawser_send(p->conn, text, strlen(text)), strlen(text));
    peer_drain(p);
}

static void connect_to(struct peer *p, const struct hawser_conn_options *options)
{
    p->addr.port = PEER_PORT;
    assert_int_equal(hawser_connect(p->stack, &p->addr, options, p->now_ns, &p->conn), 0);
    peer_drain(p);
    p->own = peer_last(p, TCP_SYN)->local;
}

/* Nobody answers, and it fails so long after that, a little less or more. */
static void expect_end_after(struct peer *p, uint64_t ns)
{
    peer_wait(p, ns - NS_PER_S);
    assert_int_equal(hawser_conn_error(p->conn), 0);
    peer_wait(p, 2 * NS_PER_S);
    assert_int_equal(hawser_conn_error(p->conn), -ETIMEDOUT);
}

static void wait_whatever_it_asks(struct peer *p, uint64_t ns)
{
    for (uint64_t step_ns; ns; ns -= step_ns) {
        step_ns = HW_MIN(ns, R2);
        peer_wait(p, step_ns);
        peer_forget(p);
    }
}

/* One that is adopted is a bound of the stack's own, which looks when it repeats something, at RTO_MAX at the latest;
 * Multipath TCP may be joined for half a minute more. */
static void expect_end_not_before(struct peer *p, uint64_t ns)
{
    wait_whatever_it_asks(p, HW_MAX(ns, R2) - NS_PER_S);
    assert_int_equal(hawser_conn_error(p->conn), 0);
    wait_whatever_it_asks(p, 100 * NS_PER_S);
    assert_int_equal(hawser_conn_error(p->conn), -ETIMEDOUT);
}

/* ---- what is said ---- */

/* The SYN, each time, and the first segment without; and no other. */
static void who_opens_says_it_twice(void **state)
{
    (void)state;
    for (unsigned plain = 0; plain < 2; plain++) {
        struct hawser_conn_options options = telling;
        struct tcp_options o = {.mp.present = 0};
        struct peer p;
        options.no_mptcp = plain;
        peer_init(&p, NULL, NULL);
        connect_to(&p, &options);
        assert_int_equal(said_by(peer_last(&p, TCP_SYN)), OURS);
        peer_forget(&p);
        if (plain) { /* else what comes again is another SYN */
            peer_wait(&p, 1500 * NS_PER_MS);
            assert_int_equal(said_by(peer_last(&p, TCP_SYN)), OURS);
            peer_forget(&p);
        }
        peer_send(&p, TCP_SYN | TCP_ACK, 0, 1, saying(&o, 700 * NS_PER_S), NULL, 0);
        assert_int_equal(said_by(peer_last(&p, TCP_ACK)), OURS);
        assert_int_equal(count_saying(&p), 1);
        assert_int_equal(heard(p.conn), 700 * NS_PER_S);
        peer_forget(&p);
        send_to(&p, "abc");
        peer_send(&p, TCP_ACK, 1, 4, NULL, "xyz", 3);
        peer_wait(&p, NS_PER_S);
        assert_true(p.seen_count >= 2);
        assert_int_equal(count_saying(&p), 0);
        assert_int_equal(heard(p.conn), 700 * NS_PER_S); /* who says nothing takes nothing back */
        peer_destroy(&p);
    }
}

/* The SYN/ACK, and a segment without data when the connection is there. */
static void who_listens_says_it_twice(void **state)
{
    (void)state;
    for (unsigned mptcp = 0; mptcp < 2; mptcp++) {
        struct tcp_options o = {.mp.present = 0};
        struct peer p;
        peer_init(&p, NULL, &telling);
        if (mptcp)
            o.mp = (struct mptcp_options){.present = 1u << MPTCP_CAPABLE,
                                          .capable = {.version = MPTCP_VERSION, .algorithms = 1}};
        peer_send(&p, TCP_SYN, 0, 0, saying(&o, 700 * NS_PER_S), NULL, 0);
        const struct peer_segment *synack = peer_last(&p, TCP_SYN | TCP_ACK);
        assert_int_equal(said_by(synack), OURS);
        assert_int_equal(mptcp_has(&synack->options.mp, MPTCP_CAPABLE), mptcp);
        peer_forget(&p);
        o = (struct tcp_options){.mp.present = 0};
        peer_send(&p, TCP_ACK, 1, 1, saying(&o, 800 * NS_PER_S), NULL, 0);
        assert_int_equal(hawser_accept(p.listener, &p.conn), 0);
        assert_int_equal(heard(p.conn), 800 * NS_PER_S);
        assert_int_equal(count_saying(&p), 1);
        assert_int_equal(said_by(peer_last(&p, 0)), OURS);
        assert_int_equal(peer_last(&p, 0)->len, 0);
        peer_forget(&p);
        peer_send(&p, TCP_ACK, 1, 1, NULL, "abc", 3);
        send_to(&p, "abc");
        peer_wait(&p, NS_PER_S);
        assert_true(p.seen_count >= 1);
        assert_int_equal(count_saying(&p), 0);
        peer_destroy(&p);
    }
}

/* On each subflow, for either may be the one that arrives; and beside what MPTCP has to say. */
static void each_subflow_says_it(void **state)
{
    (void)state;
    struct peer p;
    struct hawser_addr other;
    peer_init(&p, NULL, NULL);
    peer_connect_mptcp(&p);
    assert_int_equal(hawser_conn_set(p.conn, HAWSER_OPTION_ADVERTISED_USER_TIMEOUT_NS, OURS), 0);
    peer_drain(&p);
    assert_int_equal(count_saying(&p), 1);
    assert_true(mptcp_has(&peer_last(&p, 0)->options.mp, MPTCP_DSS));
    assert_int_equal(hawser_addr_parse(&other, "10.0.0.3", 0), 0);
    assert_int_equal(hawser_stack_add_address(p.stack, 0, &other, 24, p.now_ns), 0);
    peer_forget(&p);
    peer_drain(&p);
    assert_int_equal(said_by(peer_last(&p, TCP_SYN)), OURS);
    peer_synack_join(&p);
    assert_true(mptcp_has(&peer_last(&p, 0)->options.mp, MPTCP_JOIN));
    assert_int_equal(said_by(peer_last(&p, 0)), OURS);
    struct tcp_options o = peer_dss(&p, 1, 0, 0, 0);
    peer_send(&p, TCP_ACK, 1, 1, saying(&o, 900 * NS_PER_S), NULL, 0); /* whoever brings it */
    assert_int_equal(heard(p.conn), 900 * NS_PER_S);
    peer_forget(&p);
    assert_int_equal(hawser_conn_set(p.conn, HAWSER_OPTION_ADVERTISED_USER_TIMEOUT_NS, 2 * OURS), 0);
    peer_wait(&p, NS_PER_S);
    assert_int_equal(count_saying(&p), 2);
    peer_destroy(&p);
}

static void what_has_changed_is_said(void **state)
{
    (void)state;
    struct peer p;
    peer_init(&p, NULL, NULL);
    peer_open_plain(&p);
    assert_int_equal(hawser_conn_set(p.conn, HAWSER_OPTION_ADVERTISED_USER_TIMEOUT_NS, OURS), 0);
    peer_drain(&p);
    assert_int_equal(p.seen_count, 1);
    assert_int_equal(said_by(&p.seen[0]), OURS);
    peer_forget(&p);
    assert_int_equal(hawser_conn_set(p.conn, HAWSER_OPTION_ADVERTISED_USER_TIMEOUT_NS, OURS), 0);
    peer_drain(&p);
    assert_int_equal(p.seen_count, 0); /* the same is no news */
    assert_int_equal(hawser_conn_set(p.conn, HAWSER_OPTION_ADVERTISED_USER_TIMEOUT_NS, 40000 * NS_PER_S), 0);
    peer_drain(&p);
    assert_int_equal(p.seen_count, 1);
    assert_int_equal(said_by(&p.seen[0]), 667 * 60 * NS_PER_S); /* whole minutes */
    peer_forget(&p);
    assert_int_equal(hawser_conn_set(p.conn, HAWSER_OPTION_ADVERTISED_USER_TIMEOUT_NS, 0), 0);
    peer_wait(&p, NS_PER_S);
    assert_int_equal(p.seen_count, 0);
    peer_destroy(&p);
}

/* Full segments stay as large as they were: a bare one says it. */
static void data_does_not_say_it(void **state)
{
    (void)state;
    static const uint8_t bytes[3000];
    struct peer p;
    peer_init(&p, NULL, NULL);
    peer_open_plain(&p);
    assert_int_equal(hawser_send(p.conn, bytes, sizeof bytes), sizeof bytes);
    assert_int_equal(hawser_conn_set(p.conn, HAWSER_OPTION_ADVERTISED_USER_TIMEOUT_NS, OURS), 0);
    peer_drain(&p);
    assert_true(p.seen_count > 1);
    assert_int_equal(count_saying(&p), 1);
    for (unsigned i = 0; i < p.seen_count; i++)
        assert_int_equal(p.seen[i].len == 0, said_by(&p.seen[i]) > 0);
    peer_destroy(&p);
}

static void what_cannot_be_said_is_refused(void **state)
{
    (void)state;
    struct hawser_conn_options options = telling;
    struct hawser_listener *listener;
    struct hawser_conn *conn;
    struct peer p;
    peer_init(&p, NULL, NULL);
    struct hawser_addr any = {.port = PORT};
    options.advertised_user_timeout_ns = 32767 * 60 * NS_PER_S + 1;
    p.addr.port = PEER_PORT;
    assert_int_equal(hawser_connect(p.stack, &p.addr, &options, p.now_ns, &conn), -EINVAL);
    assert_int_equal(hawser_listen(p.stack, &any, 4, &options, &listener), -EINVAL);
    options.advertised_user_timeout_ns--;
    assert_int_equal(hawser_listen(p.stack, &any, 4, &options, &listener), 0);
    peer_destroy(&p);
}

/* ---- what is adopted ---- */

/* Who does not say it does not listen either. */
static void nothing_is_adopted_unasked(void **state)
{
    (void)state;
    struct tcp_options o = {.mp.present = 0};
    struct peer p;
    peer_init(&p, NULL, NULL);
    peer_send(&p, TCP_SYN, 0, 0, saying(&o, MOST), NULL, 0);
    peer_send(&p, TCP_ACK, 1, 1, &o, NULL, 0);
    assert_int_equal(hawser_accept(p.listener, &p.conn), 0);
    peer_send(&p, TCP_ACK, 1, 1, &o, NULL, 0);
    assert_int_equal(count_saying(&p), 0);
    assert_int_equal(heard(p.conn), 0);
    send_to(&p, "abc");
    peer_wait(&p, 2 * R2);
    assert_int_equal(hawser_conn_error(p.conn), -ETIMEDOUT);
    peer_destroy(&p);
}

/* The longer one of both counts, beyond R2, and within the limits whatever the peer says, and however often. */
static void the_longer_one_counts(void **state)
{
    (void)state;
    static const struct {
        uint64_t ours_ns, theirs_ns, adopted_ns;
    } cases[] = {
        {NS_PER_S, 0, LEAST},
        {NS_PER_S, NS_PER_S, LEAST},
        {OURS, NS_PER_S, OURS},
        {NS_PER_S, OURS, OURS},
        {NS_PER_S, 32767 * 60 * NS_PER_S, MOST},
    };
    for (unsigned mptcp = 0; mptcp < 2; mptcp++) {
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            struct hawser_conn_options options = telling;
            struct peer p;
            options.advertised_user_timeout_ns = cases[i].ours_ns;
            peer_init(&p, NULL, &options);
            if (mptcp)
                peer_open_mptcp(&p);
            else
                peer_open_plain(&p);
            for (unsigned n = 0; n < 1000 && cases[i].theirs_ns; n++) {
                struct tcp_options o = {.mp.present = 0};
                if (mptcp)
                    o = peer_dss(&p, 1, 0, 0, 0);
                peer_send(&p, TCP_ACK, mptcp ? 2 : 1, 1, saying(&o, cases[i].theirs_ns), NULL, 0);
                peer_forget(&p);
            }
            assert_int_equal(heard(p.conn), cases[i].theirs_ns);
            peer_wait(&p, 5 * MOST); /* with nothing outstanding there is none */
            peer_forget(&p);
            send_to(&p, "abc");
            expect_end_not_before(&p, cases[i].adopted_ns);
            peer_destroy(&p);
        }
    }
}

/* The program's own is not the peer's to change, shorter or longer than R2. */
static void the_program_s_own_stays(void **state)
{
    (void)state;
    static const uint64_t own_ns[] = {5 * NS_PER_S, OURS, 2 * MOST};
    for (size_t i = 0; i < sizeof own_ns / sizeof own_ns[0]; i++) {
        struct hawser_conn_options options = telling;
        struct tcp_options o = {.mp.present = 0};
        struct peer p;
        options.user_timeout_ns = own_ns[i];
        peer_init(&p, NULL, &options);
        peer_open_plain(&p);
        peer_send(&p, TCP_ACK, 1, 1, saying(&o, 20 * NS_PER_S), NULL, 0);
        assert_int_equal(heard(p.conn), 20 * NS_PER_S); /* but it may read it */
        send_to(&p, "abc");
        expect_end_after(&p, own_ns[i]);
        peer_destroy(&p);
    }
}

/* RFC 9293 3.8.6.1: as long as its questions are answered, however long that is; and for so long when they are not. */
static void a_window_that_stays_shut_is_no_silence(void **state)
{
    (void)state;
    for (unsigned mptcp = 0; mptcp < 2; mptcp++) {
        struct peer p;
        peer_init(&p, NULL, &telling);
        p.window = 0;
        if (mptcp)
            peer_open_mptcp(&p);
        else
            peer_open_plain(&p);
        send_to(&p, "x");
        for (unsigned i = 0; i < 3 * OURS / R2 * 4; i++) {
            struct tcp_options o = mptcp ? peer_dss(&p, 1, 0, 0, 0) : (struct tcp_options){.mp.present = 0};
            wait_whatever_it_asks(&p, R2 / 4);
            peer_send(&p, TCP_ACK, mptcp ? 2 : 1, 1, &o, NULL, 0);
        }
        assert_int_equal(hawser_conn_error(p.conn), 0);
        expect_end_not_before(&p, OURS);
        peer_destroy(&p);
    }
}

/* What was queued is delivered for as long, though the program is gone. */
static void after_the_program_let_go(void **state)
{
    (void)state;
    struct hawser_unfinished left;
    struct peer p;
    peer_init(&p, NULL, &telling);
    peer_open_plain(&p);
    send_to(&p, "abc");
    hawser_close(p.conn);
    peer_wait(&p, OURS - NS_PER_S);
    hawser_stack_unfinished(p.stack, &left);
    assert_int_equal(left.connections, 1);
    peer_wait(&p, 100 * NS_PER_S);
    hawser_stack_unfinished(p.stack, &left);
    assert_int_equal(left.connections, 0);
    peer_destroy(&p);
}

/* RFC 5482 3.3: a handshake has its own times. */
static void not_before_the_handshake_is_over(void **state)
{
    (void)state;
    struct hawser_conn_options options = telling;
    struct peer p;
    options.advertised_user_timeout_ns = NS_PER_S;
    peer_init(&p, NULL, NULL);
    connect_to(&p, &options);
    peer_wait(&p, 170 * NS_PER_S); /* R2 of a SYN is three minutes */
    assert_int_equal(hawser_conn_error(p.conn), 0);
    peer_wait(&p, 1000 * NS_PER_S);
    assert_int_equal(hawser_conn_error(p.conn), -ETIMEDOUT);
    peer_destroy(&p);
}

/* RFC 5482 4.2: questions go on until then. */
static void no_keepalive_ends_it_sooner(void **state)
{
    (void)state;
    struct hawser_conn_options options = telling;
    struct peer p;
    options.keepalive_idle_ns = 10 * NS_PER_S;
    options.keepalive_interval_ns = NS_PER_S;
    options.keepalive_tries = 2;
    peer_init(&p, NULL, &options);
    peer_open_plain(&p);
    for (unsigned i = 0; i < 5; i++) {
        peer_forget(&p);
        peer_wait(&p, OURS / 6);
        assert_in_range(p.seen_count, OURS / 6 / NS_PER_S - 11, OURS / 6 / NS_PER_S);
    }
    peer_forget(&p);
    expect_end_after(&p, OURS / 6);
    peer_destroy(&p);
}

/* ---- two hosts ---- */

static void run(struct world *w, uint64_t for_ns)
{
    uint64_t until = w->now_ns + for_ns;
    while (world_step(w, until))
        ;
    w->now_ns = until;
}

/* Both paths are dead for much longer than R2, and then the stream goes on. */
static void two_hosts_outlast_an_outage(void **state)
{
    (void)state;
    for (unsigned told = 0; told < 2; told++) {
        struct hawser_conn_options longer = telling;
        struct hawser_conn *conn[2];
        struct hawser_listener *listener;
        static uint8_t bytes[20000];
        struct world w;
        longer.advertised_user_timeout_ns = told ? OURS : 0;
        const struct hawser_conn_options shorter = {.size = sizeof shorter,
                                                    .advertised_user_timeout_ns = told ? NS_PER_S : 0};
        world_init(&w, 83, 2, 1, false, NULL, NULL);
        struct hawser_addr server = world_server_addr(&w, 0, PORT), any = {.port = PORT};
        assert_int_equal(hawser_listen(w.stack[1], &any, 4, &shorter, &listener), 0);
        assert_int_equal(hawser_connect(w.stack[0], &server, &longer, w.now_ns, &conn[0]), 0);
        while (hawser_accept(listener, &conn[1]) < 0)
            assert_true(world_step(&w, w.now_ns + NS_PER_S));
        run(&w, NS_PER_S);
        assert_int_equal(heard(conn[0]), told ? NS_PER_S : 0);
        assert_int_equal(heard(conn[1]), told ? OURS : 0);
        w.paths[0].down = w.paths[1].down = true;
        for (unsigned i = 0; i < 2; i++)
            assert_int_equal(hawser_send(conn[i], bytes, sizeof bytes), sizeof bytes);
        run(&w, OURS - 70 * NS_PER_S); /* the next try comes within a minute */
        w.paths[0].down = w.paths[1].down = false;
        run(&w, 69 * NS_PER_S);
        for (unsigned i = 0; i < 2; i++) {
            assert_int_equal(hawser_conn_error(conn[i]), told ? 0 : -ETIMEDOUT);
            if (told)
                assert_int_equal(hawser_recv(conn[i], bytes, sizeof bytes), sizeof bytes);
            hawser_close(conn[i]);
        }
        world_destroy(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_opens_says_it_twice),     cmocka_unit_test(who_listens_says_it_twice),
        cmocka_unit_test(each_subflow_says_it),        cmocka_unit_test(what_has_changed_is_said),
        cmocka_unit_test(data_does_not_say_it),        cmocka_unit_test(what_cannot_be_said_is_refused),
        cmocka_unit_test(nothing_is_adopted_unasked),  cmocka_unit_test(the_longer_one_counts),
        cmocka_unit_test(the_program_s_own_stays),     cmocka_unit_test(a_window_that_stays_shut_is_no_silence),
        cmocka_unit_test(after_the_program_let_go),    cmocka_unit_test(not_before_the_handshake_is_over),
        cmocka_unit_test(no_keepalive_ends_it_sooner), cmocka_unit_test(two_hosts_outlast_an_outage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
