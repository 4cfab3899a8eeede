/* What comes in by a door is the program's to answer (<hawser/door.h>). */
#include <string.h>

#include "base/compiler.h"
#include "stack/door.h"
#include "wire/ip.h"
#include "wire/keys.h"

static void nothing_is_said_before_the_program_decides(void **state)
{
    (void)state;
    for (unsigned v6 = 0; v6 < 2; v6++) {
        struct peer p;
        struct hawser_addr from, to;
        int user;
        setup(&p);
        use_family(&p, v6);
        struct hawser_request *request = ask(&p);
        hawser_request_addrs(request, &from, &to);
        assert_true(hawser_addr_equal(&from, &p.addr));
        assert_true(hawser_addr_equal(&to, &p.own));
        hawser_request_addrs(request, NULL, NULL);
        assert_null(hawser_request_user(request));
        hawser_request_set_user(request, &user);
        assert_ptr_equal(hawser_request_user(request), &user);
        for (unsigned i = 0; i < 5; i++) { /* Linux asks again after 1, 3, 7, 15, 31 seconds */
            peer_wait(&p, NS_PER_S << i);
            syn(&p);
            not_told(&p);
        }
        assert_int_equal(p.seen_count, 0);
        assert_false(hawser_request_withdrawn(request));
        peer_destroy(&p);
    }
}

static void an_event_tells_of_each(void **state)
{
    (void)state;
    struct hawser_event event;
    struct peer p;
    int user;
    setup(&p);
    hawser_listener_set_user(p.listener, &user);
    for (uint16_t i = 0; i < 2; i++) {
        syn_from(&p, (uint16_t)(5000 + i));
        assert_true(hawser_next_event(p.stack, &event));
        assert_int_equal(event.what, HAWSER_REQUESTED);
        assert_ptr_equal(event.listener, p.listener);
        assert_ptr_equal(event.user, &user);
        assert_null(event.conn);
        assert_false(hawser_next_event(p.stack, &event)); /* an edge */
        syn(&p);
        assert_false(hawser_next_event(p.stack, &event));
    }
    struct hawser_request *first, *second;
    assert_int_equal(hawser_next_request(p.listener, &first), 0);
    assert_int_equal(hawser_next_request(p.listener, &second), 0);
    peer_send(&p, TCP_RST, 1, 0, NULL, NULL, 0);
    assert_true(hawser_next_event(p.stack, &event));
    assert_int_equal(event.what, HAWSER_REQUESTED);
    assert_ptr_equal(told_now(&p), second);
    syn_from(&p, 5002); /* what is taken, or gone, before it is told is no news */
    (void)told_now(&p);
    syn_from(&p, 5003);
    peer_send(&p, TCP_RST, 1, 0, NULL, NULL, 0);
    assert_false(hawser_next_event(p.stack, &event));
    peer_destroy(&p);
}

static void accepted_it_is_a_connection(void **state)
{
    (void)state;
    for (unsigned v6 = 0; v6 < 2; v6++) {
        struct peer p;
        int user;
        char bytes[8];
        setup(&p);
        use_family(&p, v6);
        struct hawser_request *request = ask(&p);
        hawser_request_set_user(request, &user);
        accept_it(&p, request);
        const struct peer_segment *synack = peer_last(&p, TCP_SYN | TCP_ACK);
        assert_non_null(synack);
        assert_int_equal(synack->link, DOOR);
        assert_int_equal(synack->ack, 1);
        assert_true(hawser_addr_equal(&synack->local, &p.own));
        assert_ptr_equal(hawser_conn_user(p.conn), &user);
        assert_int_equal(hawser_conn_ready(p.conn), 0);
        assert_int_equal(hawser_send(p.conn, "early", 5), -ENOTCONN);
        peer_forget(&p);
        syn(&p); /* the SYN/ACK was lost */
        assert_int_equal(p.seen_count, 1);
        peer_wait(&p, 2 * NS_PER_S); /* and again */
        assert_int_equal(p.seen_count, 2);
        not_told(&p);
        peer_send(&p, TCP_ACK, 1, 1, NULL, "hello", 5);
        struct hawser_event event;
        assert_true(hawser_next_event(p.stack, &event));
        assert_ptr_equal(event.conn, p.conn);
        assert_true(event.what & HAWSER_CONNECTED && event.what & HAWSER_READABLE);
        assert_int_equal(hawser_recv(p.conn, bytes, sizeof bytes), 5);
        struct hawser_subflow_info info = {.size = sizeof info};
        assert_int_equal(hawser_subflow_get_info(p.conn, 0, &info), 0);
        assert_int_equal(info.mss_bytes, v6 ? 1220 : 536); /* it names no MSS, and data carries no DSS */
        assert_int_equal(hawser_send(p.conn, "bytes", 5), 5);
        peer_forget(&p);
        peer_drain(&p);
        assert_int_equal(peer_last(&p, TCP_ACK)->len, 5);
        assert_int_equal(peer_last(&p, TCP_ACK)->link, DOOR);
        hawser_shutdown(p.conn);
        peer_drain(&p);
        assert_non_null(peer_last(&p, TCP_FIN));
        peer_send(&p, TCP_FIN | TCP_ACK, 6, 7, NULL, NULL, 0);
        assert_true(hawser_conn_ready(p.conn) & HAWSER_CLOSED);
        assert_int_equal(hawser_conn_error(p.conn), 0);
        peer_destroy(&p);
    }
}

/* The program's patience is shorter. */
static void a_client_that_goes_on_too_late(void **state)
{
    (void)state;
    const struct hawser_conn_options impatient = {.size = sizeof impatient, .user_timeout_ns = 5 * NS_PER_S};
    struct peer p;
    setup_with(&p, NULL, &impatient);
    accept_it(&p, ask(&p));
    peer_wait(&p, 5 * NS_PER_S - NS_PER_MS);
    assert_int_equal(hawser_conn_error(p.conn), 0);
    peer_wait(&p, 2 * NS_PER_MS);
    assert_int_equal(hawser_conn_error(p.conn), -ETIMEDOUT);
    peer_forget(&p);
    peer_send(&p, TCP_ACK, 1, 1, NULL, "late", 4);
    assert_non_null(peer_last(&p, TCP_RST));
    hawser_close(p.conn);
    peer_drain(&p);
    peer_destroy(&p);
}

static void a_client_that_does_not_go_on_is_an_error(void **state)
{
    (void)state;
    struct hawser_event event;
    struct peer p;
    setup(&p);
    accept_it(&p, ask(&p));
    peer_wait(&p, 64 * NS_PER_S);
    assert_int_equal(hawser_conn_error(p.conn), -ETIMEDOUT);
    assert_true(hawser_next_event(p.stack, &event));
    assert_int_equal(event.what & (HAWSER_ERROR | HAWSER_CLOSED), HAWSER_ERROR | HAWSER_CLOSED);
    hawser_close(p.conn);
    peer_drain(&p);

    accept_it(&p, ask(&p));
    peer_send(&p, TCP_RST, 2, 0, NULL, NULL, 0); /* RFC 5961 3.2: not the exact number */
    assert_int_equal(hawser_conn_error(p.conn), 0);
    peer_send(&p, TCP_RST, 1, 0, NULL, NULL, 0);
    assert_int_equal(hawser_conn_error(p.conn), -ECONNRESET);
    hawser_close(p.conn);
    peer_drain(&p);

    accept_it(&p, ask(&p));
    for (unsigned i = 0; i < HANDSHAKE_ANSWERS_MAX + 1; i++)
        syn(&p);
    assert_int_equal(hawser_conn_error(p.conn), -ETIMEDOUT);
    hawser_close(p.conn);
    peer_drain(&p);
    assert_int_equal(p.stack->host.conns.in_use, 0);
    peer_destroy(&p);
}

static void what_the_program_gives_up_is_reset(void **state)
{
    (void)state;
    void (*const ways[])(struct hawser_conn *) = {hawser_close, hawser_abort};
    for (size_t i = 0; i < HW_ARRAY_LEN(ways); i++) {
        struct peer p;
        setup(&p);
        accept_it(&p, ask(&p));
        peer_forget(&p);
        ways[i](p.conn);
        peer_drain(&p);
        assert_int_equal(p.seen_count, 1);
        assert_int_equal(p.seen[0].flags, TCP_RST | TCP_ACK);
        assert_int_equal(p.seen[0].seq, 1);
        assert_int_equal(p.seen[0].ack, 1);
        assert_int_equal(p.stack->host.conns.in_use, 0);
        assert_int_equal(hawser_request_accept(ask(&p), &p.conn), 0);
        ways[i](p.conn); /* before the SYN/ACK has left: nothing to reset */
        peer_forget(&p);
        peer_drain(&p);
        assert_int_equal(peer_count_syns(&p), 0);
        assert_null(peer_last(&p, TCP_SYN));
        assert_int_equal(hawser_stack_deadline(p.stack), HAWSER_NEVER);
        peer_destroy(&p);
    }
    /* The third packet crosses the call. */
    struct peer p;
    setup(&p);
    accept_it(&p, ask(&p));
    hawser_abort(p.conn);
    peer_forget(&p);
    peer_send(&p, TCP_ACK, 1, 1, NULL, NULL, 0);
    assert_non_null(peer_last(&p, TCP_RST));
    assert_int_equal(p.stack->host.conns.in_use, 0);
    peer_destroy(&p);
}

/* ---- refusals ---- */

static void check_error(struct peer *p, const struct peer_segment *s, uint8_t type, uint8_t code)
{
    uint8_t quoted[PEER_PACKET_MAX];
    size_t len = peer_packet(p, quoted, TCP_SYN, 0, 0, NULL, NULL, 0);
    assert_int_equal(s->link, DOOR);
    assert_int_equal(s->protocol, hawser_addr_is_v4(&p->addr) ? IP_PROTO_ICMP : IP_PROTO_ICMPV6);
    assert_true(hawser_addr_same_ip(&s->local, &p->own));
    assert_true(hawser_addr_same_ip(&s->remote, &p->addr));
    assert_int_equal(s->payload[0], type);
    assert_int_equal(s->payload[1], code);
    assert_int_equal(s->len, 8 + len);
    assert_memory_equal(s->payload + 8, quoted, len);
}

static void refused_it_hears_why(void **state)
{
    (void)state;
    static const struct {
        enum hawser_refusal how;
        uint8_t v4, v6; /* codes */
    } cases[] = {{HAWSER_REFUSE_NETWORK, 0, 0},
                 {HAWSER_REFUSE_HOST, 1, 3},
                 {HAWSER_REFUSE_PORT, 3, 4},
                 {HAWSER_REFUSE_PROTOCOL, 2, 4},
                 {HAWSER_REFUSE_PROHIBITED, 13, 1}};
    for (unsigned i = 0; i < 2 * HW_ARRAY_LEN(cases); i++) {
        bool v6 = i % 2;
        struct peer p;
        setup(&p);
        use_family(&p, v6);
        refuse(&p, ask(&p), cases[i / 2].how);
        for (unsigned round = 0; round < 3; round++) { /* it was lost */
            assert_int_equal(p.seen_count, 1);
            check_error(&p, &p.seen[0], v6 ? 1 : 3, v6 ? cases[i / 2].v6 : cases[i / 2].v4);
            peer_forget(&p);
            syn(&p); /* too soon: errors are limited in rate */
            assert_int_equal(p.seen_count, 0);
            peer_wait(&p, NS_PER_S);
            syn(&p);
        }
        not_told(&p);
        peer_destroy(&p);
    }
}

static void or_is_reset(void **state)
{
    (void)state;
    for (unsigned v6 = 0; v6 < 2; v6++) {
        struct peer p;
        setup(&p);
        use_family(&p, v6);
        refuse(&p, ask(&p), HAWSER_REFUSE_RESET);
        for (unsigned round = 0; round < 2; round++) {
            assert_int_equal(p.seen_count, 1);
            assert_int_equal(p.seen[0].flags, TCP_RST | TCP_ACK);
            assert_int_equal(p.seen[0].ack, 1);
            assert_int_equal(p.seen[0].link, DOOR);
            assert_true(hawser_addr_equal(&p.seen[0].local, &p.own));
            peer_forget(&p);
            peer_wait(&p, NS_PER_S);
            syn(&p);
        }
        peer_destroy(&p);
    }
}

static void or_hears_nothing(void **state)
{
    (void)state;
    struct peer p;
    setup(&p);
    refuse(&p, ask(&p), HAWSER_REFUSE_SILENTLY);
    for (unsigned i = 0; i < 7; i++) {
        peer_wait(&p, NS_PER_S << i);
        if (i < 6)
            syn(&p);
        not_told(&p);
    }
    assert_int_equal(p.seen_count, 0);
    peer_wait(&p, 10 * NS_PER_S); /* forgotten: whoever asks now asks anew */
    assert_int_equal(hawser_stack_deadline(p.stack), HAWSER_NEVER);
    (void)ask(&p);
    peer_destroy(&p);
}

static void a_refused_client_may_ask_anew(void **state)
{
    (void)state;
    struct peer p;
    setup(&p);
    refuse(&p, ask(&p), HAWSER_REFUSE_RESET);
    p.iss += 100000;
    accept_it(&p, ask(&p));
    assert_non_null(peer_last(&p, TCP_SYN | TCP_ACK));
    peer_destroy(&p);
}

/* ---- clients that give up ---- */

static void is_withdrawn(struct peer *p, struct hawser_request *request)
{
    assert_true(hawser_request_withdrawn(request));
    assert_ptr_equal(told(p), request);
    assert_int_equal(hawser_request_accept(request, &p->conn), -ECONNRESET);
    peer_forget(p);
    refuse(p, request, HAWSER_REFUSE_RESET);
    assert_int_equal(p->seen_count, 0);
}

static void a_reset_withdraws(void **state)
{
    (void)state;
    struct peer p;
    setup(&p);
    struct hawser_request *request = ask(&p);
    peer_send(&p, TCP_RST, 2, 0, NULL, NULL, 0); /* not the exact number */
    peer_send(&p, TCP_RST, 0, 0, NULL, NULL, 0);
    assert_false(hawser_request_withdrawn(request));
    assert_int_equal(peer_counter(&p, "drop.bad_rst"), 2);
    peer_send(&p, TCP_RST, 1, 0, NULL, NULL, 0);
    is_withdrawn(&p, request);
    not_told(&p);
    syn(&p); /* the program was not told: it need not know */
    peer_send(&p, TCP_RST, 1, 0, NULL, NULL, 0);
    not_told(&p);
    assert_int_equal(p.stack->requests.pool.in_use, 0);
    peer_destroy(&p);
}

static void silence_withdraws(void **state)
{
    (void)state;
    struct peer p;
    setup(&p);
    struct hawser_request *request = ask(&p);
    peer_wait(&p, 69 * NS_PER_S);
    assert_false(hawser_request_withdrawn(request));
    peer_wait(&p, 2 * NS_PER_S);
    is_withdrawn(&p, request);
    request = ask(&p); /* one that asks for ever */
    uint64_t since_ns = p.now_ns;
    while (!hawser_request_withdrawn(request)) {
        peer_wait(&p, NS_PER_S);
        syn(&p);
        assert_true(p.now_ns - since_ns <= 140 * NS_PER_S);
    }
    assert_true(p.now_ns - since_ns >= 130 * NS_PER_S);
    assert_ptr_equal(told(&p), request);
    assert_ptr_not_equal(told(&p), request); /* that last SYN is no repetition */
    peer_destroy(&p);
}

static void there_are_no_other_refusals(void **state)
{
    (void)state;
    struct peer p;
    setup(&p);
    struct hawser_request *request = ask(&p);
    assert_int_equal(hawser_request_refuse(request, (enum hawser_refusal)(HAWSER_REFUSE_SILENTLY + 1)), -EINVAL);
    assert_int_equal(hawser_request_refuse(request, (enum hawser_refusal) - 1), -EINVAL);
    accept_it(&p, request);
    assert_int_equal(peer_last(&p, TCP_SYN | TCP_ACK)->ack, 1);
    peer_destroy(&p);
}

static void another_number_is_another_request(void **state)
{
    (void)state;
    struct peer p;
    setup(&p);
    syn(&p);
    p.iss += 7;
    syn(&p); /* instead of the first, of which nobody knows */
    struct hawser_request *old = told(&p);
    not_told(&p);
    p.iss += 7;
    syn(&p);
    assert_true(hawser_request_withdrawn(old));
    assert_ptr_equal(told(&p), old);
    struct hawser_request *new = told(&p);
    hawser_request_refuse(old, HAWSER_REFUSE_RESET);
    accept_it(&p, new);
    assert_int_equal(peer_last(&p, TCP_SYN | TCP_ACK)->ack, 1);
    assert_null(peer_last(&p, TCP_RST));
    peer_destroy(&p);
}

static void other_segments_are_nothing_to_it(void **state)
{
    (void)state;
    struct peer p;
    setup(&p);
    struct hawser_request *request = ask(&p);
    p.link = OTHER_DOOR;
    peer_send(&p, TCP_RST, 1, 0, NULL, NULL, 0);
    syn(&p);
    assert_int_equal(peer_counter(&p, "drop.by_another_door"), 2);
    assert_int_equal(p.seen_count, 0);
    p.link = DOOR;
    static const uint8_t flags[] = {TCP_ACK, TCP_SYN | TCP_ACK, TCP_FIN | TCP_ACK};
    for (size_t i = 0; i < HW_ARRAY_LEN(flags); i++) {
        peer_forget(&p);
        peer_send(&p, flags[i], 1, 1, NULL, NULL, 0);
        assert_int_equal(p.seen_count, 1); /* RFC 9293 3.10.7.2 */
        assert_true(p.seen[0].flags & TCP_RST);
    }
    assert_false(hawser_request_withdrawn(request));
    accept_it(&p, request);
    peer_destroy(&p);
}

/* ---- what was before, and what else it may speak ---- */

/* RFC 9293 3.6.1 */
static void time_wait_yields_to_a_request(void **state)
{
    (void)state;
    struct peer p;
    setup(&p);
    accept_it(&p, ask(&p));
    peer_send(&p, TCP_ACK, 1, 1, NULL, NULL, 0);
    hawser_close(p.conn);
    peer_drain(&p);
    peer_send(&p, TCP_FIN | TCP_ACK, 1, 2, NULL, NULL, 0);
    peer_wait(&p, 10 * NS_PER_MS);
    assert_int_equal(hawser_stack_time_wait(p.stack), 1);
    uint32_t first = p.irs;
    p.iss += 100000;
    accept_it(&p, ask(&p));
    assert_true((int32_t)(p.irs - first) > 0);
    assert_int_equal(hawser_stack_time_wait(p.stack), 0);
    peer_destroy(&p);
}

static void multipath_tcp_is_agreed_to(void **state)
{
    (void)state;
    struct hawser_conn_info info = {.size = sizeof info};
    uint32_t token;
    struct peer p;
    setup(&p);
    struct tcp_options o = {.mp = {.present = 1u << MPTCP_CAPABLE}};
    o.mp.capable = (struct mp_capable){.version = MPTCP_VERSION, .algorithms = MPTCP_HMAC_SHA256};
    peer_send(&p, TCP_SYN, 0, 0, &o, NULL, 0);
    accept_it(&p, told(&p));
    const struct mptcp_options *answer = &peer_last(&p, TCP_SYN | TCP_ACK)->options.mp;
    assert_true(mptcp_has(answer, MPTCP_CAPABLE));
    p.stack_key = answer->capable.sender_key;
    mptcp_key_derive(p.key, &token, &p.idsn);
    mptcp_key_derive(p.stack_key, &token, &p.stack_idsn);
    o.mp.capable.has_sender_key = o.mp.capable.has_receiver_key = true;
    o.mp.capable.sender_key = p.key;
    o.mp.capable.receiver_key = p.stack_key;
    peer_send(&p, TCP_ACK, 1, 1, &o, NULL, 0);
    o = peer_dss(&p, 1, 1, 1, 5);
    peer_send(&p, TCP_ACK, 1, 1, &o, "bytes", 5);
    assert_true(hawser_conn_ready(p.conn) & HAWSER_READABLE);
    assert_int_equal(hawser_conn_get_info(p.conn, &info), 0);
    assert_true(info.mptcp);
    assert_non_null(demux_token(p.stack, info.local_token));
    peer_destroy(&p);

    /* RFC 8684 3.1: a SYN that comes again without it may have lost it to a middlebox, and is answered without. */
    setup(&p);
    o = (struct tcp_options){.mp = {.present = 1u << MPTCP_CAPABLE}};
    o.mp.capable = (struct mp_capable){.version = MPTCP_VERSION, .algorithms = MPTCP_HMAC_SHA256};
    peer_send(&p, TCP_SYN, 0, 0, &o, NULL, 0);
    syn(&p);
    accept_it(&p, told(&p));
    assert_false(mptcp_has(&peer_last(&p, TCP_SYN | TCP_ACK)->options.mp, MPTCP_CAPABLE));
    peer_send(&p, TCP_ACK, 1, 1, NULL, "bytes", 5);
    assert_int_equal(hawser_conn_get_info(p.conn, &info), 0);
    assert_false(info.mptcp);
    assert_true(hawser_conn_ready(p.conn) & HAWSER_READABLE);
    peer_destroy(&p);
}

static void timestamps_are_those_of_the_last_syn(void **state)
{
    (void)state;
    struct peer p;
    setup(&p);
    p.timestamps = true;
    p.ts_val = 1000;
    struct hawser_request *request = ask(&p);
    p.ts_val = 2000;
    syn(&p);
    accept_it(&p, request);
    assert_int_equal(peer_last(&p, TCP_SYN | TCP_ACK)->options.ts_ecr, 2000);
    peer_destroy(&p);
}

/* Health checks do so. Nothing is left of them, however many there are. */
static void clients_that_reset_what_was_accepted(void **state)
{
    (void)state;
    struct peer p;
    setup(&p);
    for (uint16_t i = 0; i < 10 * BACKLOG; i++) {
        p.addr.port = (uint16_t)(4000 + i);
        accept_it(&p, ask(&p));
        peer_send(&p, TCP_RST, 1, 0, NULL, NULL, 0);
        assert_int_equal(hawser_conn_error(p.conn), -ECONNRESET);
        hawser_close(p.conn);
        peer_drain(&p);
        while (next_told(p.stack))
            ;
    }
    peer_destroy(&p);
}

/* From the port of a connection that is not over here: it is challenged, resets that, and asks again (RFC 9293 3.5.1).
 */
static void a_client_that_uses_its_port_again(void **state)
{
    (void)state;
    for (int ended = 0; ended < 3; ended++) { /* by nobody, by us, by the client */
        struct peer p;
        setup(&p);
        accept_it(&p, ask(&p));
        peer_send(&p, TCP_ACK | (ended == 2 ? TCP_FIN : 0), 1, 1, NULL, NULL, 0);
        if (ended == 1)
            hawser_shutdown(p.conn);
        peer_drain(&p);
        while (next_told(p.stack))
            ;
        const uint32_t next = ended == 2 ? 2 : 1;
        p.iss += 1000000;
        peer_forget(&p);
        syn(&p);
        assert_int_equal(p.seen_count, 1);
        assert_int_equal(p.seen[0].flags, TCP_ACK);
        p.iss -= 1000000;
        peer_send(&p, TCP_RST, next, 0, NULL, NULL, 0);
        assert_true(hawser_conn_ready(p.conn) & HAWSER_CLOSED);
        p.iss += 1000000;
        syn(&p);
        (void)told_now(&p);
        peer_destroy(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_said_before_the_program_decides),
        cmocka_unit_test(an_event_tells_of_each),
        cmocka_unit_test(accepted_it_is_a_connection),
        cmocka_unit_test(a_client_that_does_not_go_on_is_an_error),
        cmocka_unit_test(a_client_that_goes_on_too_late),
        cmocka_unit_test(what_the_program_gives_up_is_reset),
        cmocka_unit_test(refused_it_hears_why),
        cmocka_unit_test(or_is_reset),
        cmocka_unit_test(or_hears_nothing),
        cmocka_unit_test(a_refused_client_may_ask_anew),
        cmocka_unit_test(a_reset_withdraws),
        cmocka_unit_test(silence_withdraws),
        cmocka_unit_test(there_are_no_other_refusals),
        cmocka_unit_test(another_number_is_another_request),
        cmocka_unit_test(other_segments_are_nothing_to_it),
        cmocka_unit_test(time_wait_yields_to_a_request),
        cmocka_unit_test(clients_that_reset_what_was_accepted),
        cmocka_unit_test(a_client_that_uses_its_port_again),
        cmocka_unit_test(multipath_tcp_is_agreed_to),
        cmocka_unit_test(timestamps_are_those_of_the_last_syn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
