/* A connection's only subflow whose address of ours goes waits for it, and goes on. */
#include "rest.h"

static void it_goes_on_when_its_address_is_back(void **state)
{
    (void)state;
    for (enum kind kind = 0; kind < KINDS; kind++) {
        struct peer p;
        begin(&p, kind);
        say(&p);
        peer_forget(&p);
        leave(&p);
        peer_wait(&p, 3 * NS_PER_S);
        assert_int_equal(p.seen_count, 0);
        assert_true(peer_is_open(&p));
        come_back(&p);
        peer_wait(&p, NS_PER_MS);
        expect_hello(&p, 1); /* at once, whatever its timeout had grown to */
        assert_int_equal(peer_count_syns(&p), 0);
        answer(&p, kind, sizeof hello);
        peer_forget(&p);
        say(&p);
        expect_hello(&p, 1 + sizeof hello);
        answer(&p, kind, 2 * sizeof hello);
        peer_wait(&p, 2 * GRACE);
        assert_true(peer_is_open(&p));
        assert_int_equal(peer_counter(&p, "tcp.rests"), 1);
        assert_int_equal(peer_counter(&p, "tcp.rests_in_vain"), 0);
        end(&p);
    }
}

/* Whoever keeps track of connections on the way learns of it again, and what was lost meanwhile is found out. */
static void an_idle_one_asks_its_peer(void **state)
{
    (void)state;
    for (enum kind kind = 0; kind < KINDS; kind++) {
        struct peer p;
        begin(&p, kind);
        leave(&p);
        peer_wait(&p, NS_PER_S);
        assert_int_equal(p.seen_count, 0);
        come_back(&p);
        assert_int_equal(peer_last(&p, TCP_ACK)->seq, 0); /* which the peer has, and must acknowledge */
        assert_int_equal(peer_count_syns(&p), 0);
        for (unsigned i = 0; i < p.seen_count; i++)
            assert_false(mptcp_has(&p.seen[i].options.mp, MPTCP_REMOVE_ADDR));
        peer_wait(&p, 2 * GRACE);
        assert_true(peer_is_open(&p));
        end(&p);
    }
}

/* A question may be lost: it is asked until there is an answer, but nobody is given up who wants no keepalive. */
static void an_idle_one_asks_again(void **state)
{
    (void)state;
    for (enum kind kind = 0; kind < KINDS; kind++) {
        struct peer p;
        begin(&p, kind);
        leave(&p);
        come_back(&p);
        for (uint64_t wait_ns = NS_PER_S; wait_ns <= 4 * NS_PER_S; wait_ns *= 2) {
            peer_forget(&p);
            peer_wait(&p, wait_ns - NS_PER_MS);
            assert_int_equal(p.seen_count, 0);
            peer_wait(&p, NS_PER_MS);
            assert_int_equal(p.seen_count, 1);
            assert_int_equal(p.seen[0].seq, 0);
        }
        peer_wait(&p, 10 * GRACE);
        assert_in_range(p.seen_count, 2, 8);
        assert_true(peer_is_open(&p));
        assert_int_equal(hawser_stack_deadline(p.stack), HAWSER_NEVER);
        peer_destroy(&p);
    }
}

static void an_idle_one_asks_until_it_is_answered(void **state)
{
    (void)state;
    for (enum kind kind = 0; kind < KINDS; kind++) {
        struct peer p;
        begin(&p, kind);
        leave(&p);
        come_back(&p);
        peer_forget(&p);
        peer_wait(&p, NS_PER_S);
        assert_int_equal(p.seen_count, 1);
        peer_send(&p, TCP_ACK, 1, 1, NULL, NULL, 0);
        peer_forget(&p);
        peer_wait(&p, 10 * GRACE);
        assert_int_equal(p.seen_count, 0);
        end(&p);
    }
}

/* A program's own questions are not put off by that for longer than it takes to ask once more. */
static void its_program_s_questions_are_asked_in_time(void **state)
{
    (void)state;
    const struct hawser_conn_options options = {.size = sizeof options,
                                                .keepalive_idle_ns = 10 * NS_PER_S,
                                                .keepalive_interval_ns = NS_PER_S,
                                                .keepalive_tries = 3};
    struct peer p;
    peer_init(&p, NULL, &options);
    peer_open_plain(&p);
    leave(&p);
    come_back(&p);
    peer_wait(&p, 9 * NS_PER_S);
    assert_true(peer_is_open(&p));
    peer_wait(&p, (16 + 3 - 9) * NS_PER_S);
    assert_int_equal(hawser_conn_error(p.conn), -ETIMEDOUT);
    peer_destroy(&p);
}

static void an_address_that_blinks_is_the_same(void **state)
{
    (void)state;
    for (enum kind kind = 0; kind < KINDS; kind++) {
        struct peer p;
        begin(&p, kind);
        say(&p);
        for (unsigned i = 0; i < 20; i++) { /* more time in all than any of them has at once */
            leave(&p);
            peer_wait(&p, 4 * NS_PER_S);
            come_back(&p);
        }
        peer_wait(&p, NS_PER_MS);
        answer(&p, kind, sizeof hello);
        assert_true(peer_is_open(&p));
        assert_int_equal(peer_counter(&p, "tcp.rests"), 20);
        end(&p);
    }
}

/* But a peer that has not answered for so long before is gone, however often the address goes. */
static void the_patience_with_a_silent_peer_is_no_longer(void **state)
{
    (void)state;
    struct peer p;
    begin(&p, PLAIN);
    say(&p);
    unsigned blinks = 0;
    for (; peer_is_open(&p) && blinks < 100; blinks++) {
        peer_wait(&p, 20 * NS_PER_S);
        leave(&p);
        come_back(&p);
    }
    assert_int_equal(hawser_conn_error(p.conn), -ETIMEDOUT);
    assert_in_range(blinks, 5, 8); /* 100 s of silence */
    end(&p);
}

static void plain_tcp_waits_for_five_seconds(void **state)
{
    (void)state;
    struct peer p;
    begin(&p, PLAIN);
    say(&p);
    leave(&p);
    peer_wait(&p, REST_NS - NS_PER_MS);
    assert_true(peer_is_open(&p));
    peer_wait(&p, 2 * NS_PER_MS);
    assert_int_equal(hawser_conn_error(p.conn), -EADDRNOTAVAIL);
    assert_true(hawser_conn_ready(p.conn) & HAWSER_CLOSED);
    assert_int_equal(peer_counter(&p, "tcp.rests_in_vain"), 1);
    end(&p);
}

/* The program has asked for more. */
static void plain_tcp_waits_for_the_user_timeout(void **state)
{
    (void)state;
    struct peer p;
    begin(&p, PLAIN);
    assert_int_equal(hawser_conn_set(p.conn, HAWSER_OPTION_USER_TIMEOUT_NS, 10 * GRACE), 0);
    leave(&p);
    peer_wait(&p, 10 * GRACE - NS_PER_MS);
    assert_true(peer_is_open(&p));
    peer_wait(&p, 2 * NS_PER_MS);
    assert_int_equal(hawser_conn_error(p.conn), -EADDRNOTAVAIL);
    end(&p);
}

static void for_ever_is_not_at_once(void **state)
{
    (void)state;
    struct peer p;
    begin(&p, PLAIN);
    assert_int_equal(hawser_conn_set(p.conn, HAWSER_OPTION_USER_TIMEOUT_NS, HAWSER_NEVER), 0);
    leave(&p);
    peer_wait(&p, 100 * GRACE);
    assert_true(peer_is_open(&p));
    end(&p);
}

static void multipath_tcp_for_half_a_minute(void **state)
{
    (void)state;
    for (enum kind kind = JOINED; kind < KINDS; kind++) {
        struct peer p;
        begin(&p, kind);
        say(&p);
        leave(&p);
        peer_wait(&p, GRACE - NS_PER_MS);
        assert_true(peer_is_open(&p));
        peer_wait(&p, 2 * NS_PER_MS);
        assert_int_equal(hawser_conn_error(p.conn), -ETIMEDOUT);
        end(&p);
    }
}

/* Nobody waits for what nobody misses. */
static void not_when_all_is_delivered_and_the_program_gone(void **state)
{
    (void)state;
    struct peer p;
    begin(&p, PLAIN);
    hawser_close(p.conn);
    peer_drain(&p);
    peer_send(&p, TCP_ACK, 1, 2, NULL, NULL, 0); /* the FIN is acknowledged */
    leave(&p);
    assert_int_equal(hawser_stack_deadline(p.stack), HAWSER_NEVER);
    assert_int_equal(peer_counter(&p, "tcp.rests"), 0);
    peer_destroy(&p);
}

static void an_abort_waits_for_nobody(void **state)
{
    (void)state;
    for (enum kind kind = 0; kind < KINDS; kind++) {
        struct peer p;
        begin(&p, kind);
        leave(&p);
        hawser_abort(p.conn);
        peer_drain(&p);
        assert_non_null(peer_last(&p, TCP_RST));
        peer_wait(&p, 61 * NS_PER_S); /* for a peer that was out of reach */
        assert_int_equal(hawser_stack_deadline(p.stack), HAWSER_NEVER);
        peer_destroy(&p);
    }
}

/* The program may go meanwhile: what it said is still delivered. */
static void what_was_said_before_is_delivered(void **state)
{
    (void)state;
    for (enum kind kind = 0; kind < KINDS; kind++) {
        struct peer p;
        begin(&p, kind);
        leave(&p);
        assert_int_equal(hawser_send(p.conn, hello, sizeof hello), sizeof hello);
        hawser_close(p.conn);
        peer_drain(&p);
        peer_forget(&p);
        peer_wait(&p, 2 * NS_PER_S);
        assert_int_equal(p.seen_count, 0);
        come_back(&p);
        expect_hello(&p, 1);
        peer_destroy(&p);
    }
}

static void the_peer_has_forgotten_it(void **state)
{
    (void)state;
    struct peer p;
    begin(&p, PLAIN);
    say(&p);
    leave(&p);
    peer_wait(&p, 3 * NS_PER_S);
    come_back(&p);
    peer_send(&p, TCP_RST, 1, 0, NULL, NULL, 0);
    assert_int_equal(hawser_conn_error(p.conn), -ECONNRESET);
    end(&p);
}

static void the_peer_of_an_idle_one_has_forgotten_it(void **state)
{
    (void)state;
    for (enum kind kind = 0; kind < KINDS; kind++) {
        struct peer p;
        begin(&p, kind);
        leave(&p);
        peer_wait(&p, 3 * NS_PER_S);
        come_back(&p);
        peer_forget(&p); /* it does not get there */
        peer_wait(&p, NS_PER_S);
        assert_non_null(peer_last(&p, TCP_ACK));
        peer_send(&p, TCP_RST, 1, 0, NULL, NULL, 0);
        peer_wait(&p, GRACE + NS_PER_S);
        assert_false(peer_is_open(&p));
        end(&p);
    }
}

/* Whose keepalive is carried through hears no silence of ours. */
static void who_asks_is_answered(void **state)
{
    (void)state;
    struct peer p;
    begin(&p, JOINED);
    leave(&p);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(hawser_conn_ask(p.conn, p.now_ns), 0);
        peer_wait(&p, 2 * NS_PER_S);
    }
    end(&p);
}

/* Away for no time, nothing was lost: what is under way is not sent again before it is due. Nor by a subflow that came
 * to others' aid, with what it would carry for them. */
static void a_blink_is_no_loss(void **state)
{
    (void)state;
    for (enum kind kind = 0; kind < KINDS; kind++) {
        struct peer p;
        struct hawser_addr addr;
        begin(&p, kind);
        if (kind == PLAIN) {
            addr = own(&p);
        } else if (kind == JOINS) {
            leave(&p);
            join_from(&p, &addr);
        } else {
            end(&p);
            continue;
        }
        const uint64_t reinjections = peer_counter(&p, "mptcp.reinjections");
        say(&p);
        assert_int_equal(hawser_stack_remove_address(p.stack, &addr, p.now_ns), 0);
        peer_forget(&p);
        assert_int_equal(hawser_stack_add_address(p.stack, 0, &addr, 24, p.now_ns), 0);
        peer_wait(&p, 10 * NS_PER_MS);
        assert_null(peer_last(&p, TCP_PSH));
        assert_int_equal(peer_counter(&p, "mptcp.reinjections"), reinjections);
        assert_int_equal(peer_counter(&p, "tcp.retransmits"), 0);
        if (kind == PLAIN) {
            assert_int_equal(p.seen_count, 0);
            answer(&p, PLAIN, sizeof hello);
        }
        assert_true(peer_is_open(&p));
        end(&p);
    }
}

/* Time at rest is none of the path's: what was under way is as large as before, and its next timeout as long. */
static void a_rest_is_no_silence_of_the_path(void **state)
{
    (void)state;
    for (enum kind kind = 0; kind < KINDS; kind++) {
        static const uint8_t much[10 * PEER_PAYLOAD_MAX];
        struct peer p;
        begin(&p, kind);
        assert_int_equal(hawser_send(p.conn, much, sizeof much), sizeof much);
        peer_drain(&p);
        const uint32_t full = p.seen[0].len;
        leave(&p);
        peer_forget(&p);
        peer_wait(&p, 2 * NS_PER_S);
        assert_int_equal(p.seen_count, 0);
        come_back(&p);
        assert_int_equal(p.seen_count, 1);
        assert_int_equal(p.seen[0].seq, 1);
        assert_int_equal(p.seen[0].len, full);
        assert_int_equal(peer_counter(&p, "tcp.timeouts"), 0);
        assert_int_equal(peer_counter(&p, "tcp.black_holes"), 0);
        struct conn *conn = LIST_ENTRY(list_first(&p.stack->host.connections), struct conn, link);
        const uint64_t timeout_ns = rtt_rto(&subflow_at(list_first(&conn->subflows))->tcp.rtt);
        peer_wait(&p, timeout_ns - NS_PER_MS);
        assert_int_equal(p.seen_count, 1);
        peer_wait(&p, NS_PER_MS);
        assert_int_equal(p.seen_count, 2);
        assert_int_equal(peer_counter(&p, "tcp.timeouts"), 1);
        end(&p);
    }
}

static uint32_t flights(const struct peer *p) { return p->stack->host.tcp.flights.in_use; }

/* What is of use to those only who have something under way is others' meanwhile. */
static void an_idle_one_holds_no_flight(void **state)
{
    (void)state;
    struct peer p;
    begin(&p, PLAIN);
    say(&p);
    answer(&p, PLAIN, sizeof hello);
    assert_int_equal(flights(&p), 1);
    leave(&p);
    assert_int_equal(flights(&p), 0);
    come_back(&p);
    peer_forget(&p);
    say(&p);
    expect_hello(&p, 1 + sizeof hello);
    end(&p);
}

/* What waits is somebody's, and makes way for others like all that makes no progress. */
static void it_makes_way_for_others(void **state)
{
    (void)state;
    enum { LIMIT = 32 };
    struct peer p;
    struct hawser_addr other;
    const struct hawser_stack_options few = {.size = sizeof few, .max_connections = LIMIT};
    peer_init(&p, &few, NULL);
    assert_int_equal(hawser_addr_parse(&other, "10.0.0.3", 0), 0);
    for (unsigned i = 1; i < LIMIT; i++) {
        p.addr.ip[14] = (uint8_t)i;
        peer_open_plain(&p);
    }
    peer_wait(&p, 9 * NS_PER_S);
    leave(&p);
    assert_int_equal(peer_counter(&p, "tcp.rests"), LIMIT - 1);
    assert_int_equal(hawser_stack_add_address(p.stack, 0, &other, 24, p.now_ns), 0);
    peer_wait(&p, 2 * NS_PER_S);
    p.own = other;
    p.own.port = PEER_PORT;
    p.addr.ip[14] = 100;
    peer_open_plain(&p);
    assert_int_equal(peer_counter(&p, "limit.reset_for_connections"), 1);
    assert_true(peer_is_open(&p));
    peer_destroy(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_goes_on_when_its_address_is_back),
        cmocka_unit_test(an_idle_one_asks_its_peer),
        cmocka_unit_test(an_idle_one_asks_again),
        cmocka_unit_test(an_idle_one_asks_until_it_is_answered),
        cmocka_unit_test(its_program_s_questions_are_asked_in_time),
        cmocka_unit_test(an_address_that_blinks_is_the_same),
        cmocka_unit_test(the_patience_with_a_silent_peer_is_no_longer),
        cmocka_unit_test(plain_tcp_waits_for_five_seconds),
        cmocka_unit_test(plain_tcp_waits_for_the_user_timeout),
        cmocka_unit_test(for_ever_is_not_at_once),
        cmocka_unit_test(multipath_tcp_for_half_a_minute),
        cmocka_unit_test(not_when_all_is_delivered_and_the_program_gone),
        cmocka_unit_test(an_abort_waits_for_nobody),
        cmocka_unit_test(what_was_said_before_is_delivered),
        cmocka_unit_test(the_peer_has_forgotten_it),
        cmocka_unit_test(the_peer_of_an_idle_one_has_forgotten_it),
        cmocka_unit_test(who_asks_is_answered),
        cmocka_unit_test(a_blink_is_no_loss),
        cmocka_unit_test(a_rest_is_no_silence_of_the_path),
        cmocka_unit_test(an_idle_one_holds_no_flight),
        cmocka_unit_test(it_makes_way_for_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
