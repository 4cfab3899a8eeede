/* ICMP errors: which of them count, and what follows (RFC 1122 4.2.3.9, RFC 5461, RFC 5927). */
#include <errno.h>
#include <string.h>

#include "base/compiler.h"
#include "door.h"
#include "stack/attempts.h"
#include "tcp/internal.h"

#define V4_UNREACHABLE 3
#define V6_UNREACHABLE 1
#define SMALL 60 /* of the packet about which an error is */

static uint8_t bytes[100000];

static struct tcp *tcp_of(struct peer *p)
{
    struct conn *conn = LIST_ENTRY(p->stack->host.connections.next, struct conn, link);
    return &subflow_at(conn->subflows.next)->tcp;
}

static void say(struct peer *p, const struct peer_segment *about, uint8_t code)
{
    const struct peer_icmp icmp =
        peer_icmp_about(about, hawser_addr_is_v4(&about->local) ? V4_UNREACHABLE : V6_UNREACHABLE, code, SMALL);
    peer_forget(p);
    peer_send_icmp(p, &icmp);
}

static void add_address(struct peer *p, const char *text)
{
    struct hawser_addr addr = addr_of(text, 0);
    assert_int_equal(hawser_stack_add_address(p->stack, 0, &addr, 24, p->now_ns), 0);
}

/* The connection has a full window under way. */
static struct peer_segment send_some(struct peer *p)
{
    peer_forget(p);
    assert_true(hawser_send(p->conn, bytes, 5000) == 5000);
    peer_drain(p);
    assert_true(p->seen_count >= 4 && p->seen[0].len > 0);
    return p->seen[0];
}

static struct peer_segment open_and_send(struct peer *p)
{
    peer_init(p, NULL, NULL);
    peer_open_plain(p);
    return send_some(p);
}

/* ---- what counts ---- */

static void expect_ignored(struct peer *p, const struct peer_icmp *icmp, const char *counter)
{
    uint64_t before = peer_counter(p, counter);
    peer_forget(p);
    peer_send_icmp(p, icmp);
    assert_int_equal(peer_counter(p, counter), before + 1);
    assert_int_equal(peer_counter(p, "tcp.icmp_unreachable"), 0);
    assert_int_equal(p->seen_count, 0);
    assert_true(peer_is_open(p));
    assert_int_equal(tcp_of(p)->config.path.icmp_error, 0);
}

/* A hard error for anything but what is under way, in every way in which it can be that. */
static void only_what_is_under_way_counts(void **state)
{
    (void)state;
    struct peer p;
    const struct peer_segment first = open_and_send(&p);
    const struct peer_icmp right = peer_icmp_about(&first, V4_UNREACHABLE, 3, 1500);
    struct peer_icmp wrong = right;
    const uint32_t outside[] = {(uint32_t)-1, 5000, 5001, 1u << 31, (uint32_t)-70000};
    for (size_t i = 0; i < HW_ARRAY_LEN(outside); i++) {
        wrong.number = right.number + outside[i];
        expect_ignored(&p, &wrong, "drop.icmp_unmatched");
    }
    wrong = right;
    wrong.local.port++;
    expect_ignored(&p, &wrong, "drop.icmp_unmatched");
    wrong = right;
    wrong.remote.port++;
    expect_ignored(&p, &wrong, "drop.icmp_unmatched");
    wrong = right;
    wrong.remote.ip[15]++;
    expect_ignored(&p, &wrong, "drop.icmp_unmatched");
    wrong = right;
    wrong.type = 8; /* echo */
    expect_ignored(&p, &wrong, "drop.icmp_no_error");
    wrong = right;
    wrong.packet_len = 24;
    expect_ignored(&p, &wrong, "drop.icmp_malformed");
    /* What was acknowledged is not under way any more. */
    peer_send(&p, TCP_ACK, 1, 5001, NULL, NULL, 0);
    expect_ignored(&p, &right, "drop.icmp_unmatched");
    peer_destroy(&p);
}

static void the_packet_itself_must_be_right(void **state)
{
    (void)state;
    static const struct {
        size_t at;
        uint8_t change;
        const char *counter;
    } cases[] = {{22, 1, "drop.icmp_bad_checksum"}, {10, 1, "drop.ip_bad_checksum"}};
    struct peer p;
    peer_init(&p, NULL, NULL);
    add_address(&p, "10.0.0.11");
    peer_open_plain(&p);
    const struct peer_segment first = send_some(&p);
    const struct peer_icmp icmp = peer_icmp_about(&first, V4_UNREACHABLE, 3, 1500);
    uint8_t packet[PEER_ICMP_MAX];
    struct hawser_rx rx = {.data = packet, .flags = HAWSER_RX_CSUM_OK}; /* that is of TCP's checksum only */
    for (size_t i = 0; i < HW_ARRAY_LEN(cases); i++) {
        rx.len = (uint32_t)peer_icmp_packet(packet, &icmp);
        packet[cases[i].at] ^= cases[i].change;
        hawser_stack_input(p.stack, 0, &rx, 1, p.now_ns);
        assert_int_equal(peer_counter(&p, cases[i].counter), 1);
    }
    /* To another address of ours than the one from which the segment came. */
    const struct peer_segment other = {.local = addr_of("10.0.0.11", 0), .remote = first.remote};
    struct peer_icmp astray = peer_icmp_about(&other, V4_UNREACHABLE, 3, 1500);
    uint8_t outer[PEER_ICMP_MAX];
    (void)peer_icmp_packet(outer, &astray);
    rx.len = (uint32_t)peer_icmp_packet(packet, &icmp);
    memcpy(packet, outer, 20);
    hawser_stack_input(p.stack, 0, &rx, 1, p.now_ns);
    assert_int_equal(peer_counter(&p, "drop.icmp_unmatched"), 1);
    assert_int_equal(peer_counter(&p, "tcp.icmp_unreachable"), 0);
    rx.len = (uint32_t)peer_icmp_packet(packet, &icmp);
    hawser_stack_input(p.stack, 0, &rx, 1, p.now_ns);
    assert_int_equal(peer_counter(&p, "tcp.icmp_unreachable"), 1);
    peer_destroy(&p);
}

static void only_by_the_link_of_the_connection(void **state)
{
    (void)state;
    struct peer p;
    peer_init(&p, NULL, NULL);
    assert_int_equal(hawser_stack_add_link(p.stack, NULL), 1);
    peer_open_plain(&p);
    const struct peer_segment first = send_some(&p);
    const struct peer_icmp icmp = peer_icmp_about(&first, V4_UNREACHABLE, 3, 1500);
    p.link = 1;
    expect_ignored(&p, &icmp, "drop.icmp_unmatched");
    p.link = 0;
    peer_send_icmp(&p, &icmp);
    assert_int_equal(peer_counter(&p, "tcp.icmp_unreachable"), 1);
    peer_destroy(&p);
}

static void time_wait_is_left_alone(void **state)
{
    (void)state;
    struct peer p;
    peer_init(&p, NULL, NULL);
    peer_open_plain(&p);
    hawser_close(p.conn);
    peer_drain(&p);
    const struct peer_segment fin = *peer_last(&p, TCP_FIN);
    peer_send(&p, TCP_ACK | TCP_FIN, 1, 2, NULL, NULL, 0);
    assert_int_equal(hawser_stack_time_wait(p.stack), 1);
    say(&p, &fin, 3);
    assert_int_equal(peer_counter(&p, "drop.icmp_unmatched"), 1);
    assert_int_equal(hawser_stack_time_wait(p.stack), 1);
    assert_int_equal(p.seen_count, 0);
    peer_destroy(&p);
}

/* One of several stacks that stand for one host leaves what is not its own to the others. */
static void another_shard_may_have_it(void **state)
{
    (void)state;
    struct peer p;
    bool declined;
    uint8_t packet[PEER_ICMP_MAX];
    struct hawser_rx rx = {.data = packet};
    const struct peer_segment first = open_and_send(&p);
    struct peer_icmp icmp = peer_icmp_about(&first, V4_UNREACHABLE, 1, 1500);
    rx.len = (uint32_t)peer_icmp_packet(packet, &icmp);
    assert_int_equal(hawser_stack_offer(p.stack, 0, &rx, 1, p.now_ns, &declined), 0);
    assert_int_equal(peer_counter(&p, "tcp.icmp_unreachable"), 1);
    icmp.local.port++;
    rx.len = (uint32_t)peer_icmp_packet(packet, &icmp);
    assert_int_equal(hawser_stack_offer(p.stack, 0, &rx, 1, p.now_ns, &declined), 1);
    assert_true(declined);
    assert_int_equal(peer_counter(&p, "drop.icmp_unmatched"), 0);
    peer_destroy(&p);
}

/* ---- before the handshake is over ---- */

static void connect_v6(struct peer *p)
{
    struct hawser_addr own = addr_of("fd00::1", 0);
    assert_int_equal(hawser_stack_add_address(p->stack, 0, &own, 64, p->now_ns), 0);
    p->addr = addr_of("fd00::2", 0);
    peer_connect(p, false);
}

/* The errors that a program knows from the kernel's connect(). */
static void a_hard_error_ends_connect_at_once(void **state)
{
    (void)state;
    static const struct {
        bool v6;
        uint8_t code;
        int error;
    } cases[] = {
        {false, 2, ENOPROTOOPT},   {false, 3, ECONNREFUSED}, {false, 9, ENETUNREACH}, {false, 10, EHOSTUNREACH},
        {false, 13, EHOSTUNREACH}, {true, 1, EACCES},        {true, 5, EACCES},       {true, 4, ECONNREFUSED},
    };
    for (size_t i = 0; i < HW_ARRAY_LEN(cases); i++) {
        struct peer p;
        peer_init(&p, NULL, NULL);
        if (cases[i].v6)
            connect_v6(&p);
        else
            peer_connect(&p, false);
        struct peer_segment syn = *peer_last(&p, TCP_SYN);
        syn.number++; /* for a SYN it must be the very number */
        say(&p, &syn, cases[i].code);
        syn.number -= 2;
        say(&p, &syn, cases[i].code);
        assert_int_equal(hawser_conn_error(p.conn), 0);
        syn.number++;
        say(&p, &syn, cases[i].code);
        assert_int_equal(hawser_conn_error(p.conn), -cases[i].error);
        assert_int_equal(p.stack->tuples.count, 0);
        peer_wait(&p, 10 * NS_PER_S);
        assert_int_equal(p.seen_count, 0);
        peer_destroy(&p);
    }
}

/* What may pass does not end it, before it has come about two SYNs in turn. */
static void a_soft_error_ends_connect_when_it_lasts(void **state)
{
    (void)state;
    static const struct {
        uint8_t type, code;
        int error;
    } cases[] = {{3, 0, ENETUNREACH}, {3, 1, EHOSTUNREACH}, {11, 0, EHOSTUNREACH}, {12, 0, EPROTO}};
    for (size_t i = 0; i < HW_ARRAY_LEN(cases); i++) {
        struct peer p;
        peer_init(&p, NULL, NULL);
        peer_connect(&p, false);
        const struct peer_segment syn = *peer_last(&p, TCP_SYN);
        const struct peer_icmp icmp = peer_icmp_about(&syn, cases[i].type, cases[i].code, SMALL);
        peer_send_icmp(&p, &icmp);
        peer_wait(&p, RTO_INITIAL_NS + NS_PER_MS);
        assert_int_equal(hawser_conn_error(p.conn), 0);
        peer_send_icmp(&p, &icmp);
        assert_int_equal(hawser_conn_error(p.conn), -cases[i].error);
        assert_int_equal(p.stack->tuples.count, 0);
        peer_destroy(&p);
    }
}

static void silence_after_a_soft_error_is_that_error(void **state)
{
    (void)state;
    struct peer p;
    peer_init(&p, NULL, NULL);
    peer_connect(&p, true);
    const struct peer_segment syn = *peer_last(&p, TCP_SYN);
    say(&p, &syn, 1);
    peer_wait(&p, 400 * NS_PER_S);
    assert_int_equal(hawser_conn_error(p.conn), -EHOSTUNREACH);
    peer_destroy(&p);
}

/* The first attempt of a connection that has two addresses of ours. */
static struct peer_segment connect_with_two(struct peer *p)
{
    peer_init(p, NULL, NULL);
    add_address(p, "10.0.0.11");
    peer_connect(p, false);
    return *peer_last(p, TCP_SYN);
}

/* The second one begins. */
static struct peer_segment expect_other(const struct peer *p, const struct peer_segment *syn)
{
    assert_int_equal(peer_count_syns(p), 1);
    assert_false(hawser_addr_same_ip(&p->seen[0].local, &syn->local));
    assert_int_equal(hawser_conn_error(p->conn), 0);
    return p->seen[0];
}

/* RFC 5461: another address need not wait for a quarter of a second, */
static void a_soft_error_hurries_the_next_attempt(void **state)
{
    (void)state;
    struct peer p;
    const struct peer_segment syn = connect_with_two(&p);
    say(&p, &syn, 1);
    peer_wait(&p, 1);
    (void)expect_other(&p, &syn);
    peer_destroy(&p);
}

/* nor after a hard one; and when all have failed, it is with the last error. */
static void a_connection_fails_when_all_attempts_have(void **state)
{
    (void)state;
    struct peer p;
    const struct peer_segment syn = connect_with_two(&p);
    say(&p, &syn, 3);
    const struct peer_segment second = expect_other(&p, &syn);
    /* The other one may take its time: only its path was in question. */
    peer_wait(&p, 3 * NS_PER_S);
    assert_int_equal(hawser_conn_error(p.conn), 0);
    for (unsigned i = 0; i < p.seen_count; i++)
        assert_true(hawser_addr_same_ip(&p.seen[i].local, &second.local));
    say(&p, &second, 13);
    for (unsigned i = 0; i < 40 && hawser_conn_error(p.conn) == 0; i++) { /* nor do those beside it get through */
        const struct hash_table *tuples = &p.stack->tuples;
        assert_true(tuples->count > 0);
        const struct tcp *tcp = tcp_of(&p);
        const struct peer_segment again = {
            .local = tcp->config.local, .remote = tcp->config.remote, .number = tcp->config.iss};
        say(&p, &again, 13);
    }
    assert_int_equal(hawser_conn_error(p.conn), -EHOSTUNREACH);
    peer_destroy(&p);
}

/* As the kernel's connect() does it. */
static void connect_at_once(struct peer *p, unsigned addresses)
{
    struct hawser_conn_options options = {.size = sizeof options, .unreachable_at_once = true};
    peer_init(p, NULL, NULL);
    if (addresses > 1)
        add_address(p, "10.0.0.11");
    p->addr.port = PEER_PORT;
    assert_int_equal(hawser_connect(p->stack, &p->addr, &options, p->now_ns, &p->conn), 0);
    peer_drain(p);
    p->own = peer_last(p, TCP_SYN)->local;
}

static void a_soft_error_ends_connect_at_once_for_who_wants_it(void **state)
{
    (void)state;
    static const struct {
        uint8_t type, code;
        int error;
    } cases[] = {
        {3, 0, ENETUNREACH}, {3, 1, EHOSTUNREACH}, {11, 0, EHOSTUNREACH}, {12, 0, EPROTO}, {3, 13, EHOSTUNREACH}};
    for (size_t i = 0; i < HW_ARRAY_LEN(cases); i++) {
        struct peer p;
        connect_at_once(&p, 1);
        const struct peer_segment syn = *peer_last(&p, TCP_SYN);
        const struct peer_icmp icmp = peer_icmp_about(&syn, cases[i].type, cases[i].code, SMALL);
        peer_send_icmp(&p, &icmp);
        assert_int_equal(hawser_conn_error(p.conn), -cases[i].error);
        assert_int_equal(p.stack->tuples.count, 0);
        peer_destroy(&p);
    }
}

/* One by each path, and there is nothing to wait for. */
static void each_path_says_it_once(void **state)
{
    (void)state;
    struct peer p;
    connect_at_once(&p, 2);
    const struct peer_segment syn = *peer_last(&p, TCP_SYN);
    say(&p, &syn, 1);
    const struct peer_segment second = expect_other(&p, &syn);
    say(&p, &second, 0);
    assert_int_equal(hawser_conn_error(p.conn), -ENETUNREACH);
    assert_int_equal(p.stack->tuples.count, 0);
    peer_destroy(&p);
}

/* Of those that were begun from one address by now it is said once, too. */
static void a_router_need_not_repeat_itself(void **state)
{
    (void)state;
    struct peer p;
    connect_at_once(&p, 1);
    peer_wait(&p, RTO_INITIAL_NS + ATTEMPT_PLAIN_NS + NS_PER_MS);
    assert_true(p.stack->tuples.count > 1);
    const struct peer_segment syn = *peer_last(&p, TCP_SYN);
    say(&p, &syn, 1);
    assert_int_equal(hawser_conn_error(p.conn), -EHOSTUNREACH);
    assert_int_equal(p.stack->tuples.count, 0);
    peer_destroy(&p);
}

/* Another path that says nothing is waited for, as long as a second SYN takes. */
static void silence_beside_an_error_is_not_waited_for(void **state)
{
    (void)state;
    struct peer p;
    connect_at_once(&p, 2);
    const struct peer_segment syn = *peer_last(&p, TCP_SYN);
    say(&p, &syn, 1);
    (void)expect_other(&p, &syn);
    peer_wait(&p, ATTEMPT_UNREACHABLE_NS - NS_PER_MS);
    assert_int_equal(hawser_conn_error(p.conn), 0);
    assert_true(peer_count_syns(&p) >= 3); /* once more, and without MP_CAPABLE */
    peer_wait(&p, 2 * NS_PER_MS);
    assert_int_equal(hawser_conn_error(p.conn), -EHOSTUNREACH);
    peer_destroy(&p);
}

/* ---- joins, and handshakes of others ---- */

/* Opens a connection that joins from a second address. */
static struct peer_segment open_joining(struct peer *p)
{
    peer_init(p, NULL, NULL);
    peer_connect_mptcp(p);
    add_address(p, "10.0.0.11");
    peer_drain(p);
    assert_int_equal(peer_count_syns(p), 1);
    return *peer_last(p, TCP_SYN);
}

/* It is the path's fault, not the peer's will: again after the back-off, and not before. */
static void a_join_fails_like_an_unanswered_one(void **state)
{
    (void)state;
    static const uint8_t codes[] = {0, 3, 9, 13}; /* the first one is soft, and ends the second try */
    for (size_t i = 0; i < HW_ARRAY_LEN(codes); i++) {
        struct peer p;
        const struct peer_segment syn = open_joining(&p);
        if (codes[i] == 0)
            peer_wait(&p, RTO_INITIAL_NS);
        say(&p, &syn, codes[i]);
        assert_true(peer_is_open(&p));
        assert_int_equal(peer_count_syns(&p), 0);
        peer_wait(&p, NS_PER_S - 1);
        assert_int_equal(peer_count_syns(&p), 0);
        peer_wait(&p, NS_PER_S);
        assert_int_equal(peer_count_syns(&p), 1);
        peer_destroy(&p);
    }
}

static void a_handshake_of_nobody_is_forgotten(void **state)
{
    (void)state;
    struct peer p;
    peer_init(&p, NULL, NULL);
    peer_send(&p, TCP_SYN, 0, 0, NULL, NULL, 0);
    struct peer_segment synack = *peer_last(&p, TCP_SYN | TCP_ACK);
    say(&p, &synack, 1); /* soft */
    synack.number++;
    say(&p, &synack, 3);
    assert_int_equal(p.listener->half_open.count, 1);
    synack.number--;
    say(&p, &synack, 3);
    assert_int_equal(p.listener->half_open.count, 0);
    assert_int_equal(p.seen_count, 0);
    peer_wait(&p, 10 * NS_PER_S);
    assert_int_equal(p.seen_count, 0);
    peer_destroy(&p);
}

/* A door's client: what its program was promised fails, and by its own link only. */
static void a_client_behind_a_door_is_unreachable(void **state)
{
    (void)state;
    struct peer p;
    setup(&p);
    syn(&p);
    assert_int_equal(hawser_request_accept(told_now(&p), &p.conn), 0);
    peer_drain(&p);
    const struct peer_segment synack = *peer_last(&p, TCP_SYN | TCP_ACK);
    p.link = OTHER_DOOR;
    say(&p, &synack, 3);
    p.link = UPLINK;
    say(&p, &synack, 3);
    assert_int_equal(hawser_conn_error(p.conn), 0);
    p.link = DOOR;
    say(&p, &synack, 3);
    assert_int_equal(hawser_conn_error(p.conn), -ECONNREFUSED);
    peer_destroy(&p);
}

/* The network behind a door may be narrower than the door: its router says so there, and nowhere else. */
static void a_network_behind_a_door_is_narrow(void **state)
{
    (void)state;
    static const int links[] = {UPLINK, OTHER_DOOR, DOOR};
    struct peer p;
    struct tcp_options o = {.present = TCP_OPT_MSS, .mss = 1460};
    setup(&p);
    peer_send(&p, TCP_SYN, 0, 0, &o, NULL, 0);
    assert_int_equal(hawser_request_accept(told_now(&p), &p.conn), 0);
    peer_drain(&p);
    peer_send(&p, TCP_ACK, 1, 1, NULL, NULL, 0);
    const struct peer_segment first = send_some(&p);
    struct peer_icmp icmp = peer_icmp_about(&first, V4_UNREACHABLE, 4, 1500);
    icmp.rest = 1400;
    for (size_t i = 0; i < HW_ARRAY_LEN(links); i++) {
        p.link = links[i];
        peer_send_icmp(&p, &icmp);
        assert_int_equal(tcp_of(&p)->config.path.mtu, links[i] == DOOR ? 1400 : 1500);
    }
    assert_int_equal(peer_counter(&p, "drop.not_our_address"), 1);
    assert_int_equal(peer_counter(&p, "drop.icmp_unmatched"), 1);
    peer_destroy(&p);
}

/* ---- afterwards ---- */

static void soft_errors_are_kept_for_the_timeout(void **state)
{
    (void)state;
    for (int answered = 0; answered < 2; answered++) {
        struct peer p;
        const struct peer_segment first = open_and_send(&p);
        say(&p, &first, 1);
        assert_int_equal(p.seen_count, 0);
        if (answered) /* then the path was well again */
            peer_send(&p, TCP_ACK, 1, 1 + first.len, NULL, NULL, 0);
        for (unsigned i = 0; i < 500 && hawser_conn_error(p.conn) == 0; i++) {
            peer_forget(&p);
            peer_wait(&p, NS_PER_S);
        }
        assert_int_equal(hawser_conn_error(p.conn), answered ? -ETIMEDOUT : -EHOSTUNREACH);
        peer_destroy(&p);
    }
}

/* RFC 5927 5: whoever guesses a number that is under way ends nothing by it: the peer is asked. */
static void a_hard_error_ends_no_connection(void **state)
{
    (void)state;
    static const uint8_t codes[] = {2, 3, 9, 10, 13};
    for (size_t i = 0; i < HW_ARRAY_LEN(codes); i++) {
        struct peer p;
        peer_init(&p, NULL, NULL);
        peer_open_mptcp(&p);
        const struct peer_segment first = send_some(&p);
        say(&p, &first, codes[i]);
        assert_true(peer_is_open(&p));
        assert_int_equal(p.seen_count, 1); /* a question */
        assert_int_equal(p.seen[0].len, 0);
        assert_int_equal(p.seen[0].flags, TCP_ACK);
        assert_true(subflow_of(tcp_of(&p))->stale);
        say(&p, &first, codes[i]); /* once is enough */
        assert_int_equal(p.seen_count, 0);
        const struct tcp_options o = peer_dss(&p, 5001, 0, 0, 0);
        peer_send(&p, TCP_ACK, 1, 5001, &o, NULL, 0);
        assert_false(subflow_of(tcp_of(&p))->stale);
        assert_true(peer_is_open(&p));
        peer_destroy(&p);
    }
}

/* With another path at hand, what is under way goes there at once. */
static void after_a_hard_error_data_goes_elsewhere(void **state)
{
    (void)state;
    struct peer p;
    (void)open_joining(&p);
    peer_answer_join(&p);
    peer_wait(&p, 60 * NS_PER_MS);
    peer_forget(&p);
    assert_int_equal(hawser_send(p.conn, bytes, 100), 100);
    peer_drain(&p);
    assert_int_equal(p.seen[0].len, 100);
    const struct peer_segment first = p.seen[0];
    say(&p, &first, 3);
    bool elsewhere = false;
    for (unsigned i = 0; i < p.seen_count; i++)
        elsewhere |= p.seen[i].len == 100 && !hawser_addr_same_ip(&p.seen[i].local, &first.local);
    assert_true(elsewhere);
    assert_int_equal(peer_counter(&p, "mptcp.reinjections"), 1);
    peer_destroy(&p);
}

/* Consequences are rationed; the note of the error is not, as it costs nothing. */
static void errors_act_so_often_a_second(void **state)
{
    (void)state;
    struct peer p;
    const struct peer_segment first = open_and_send(&p);
    for (unsigned i = 0; i < TCP_ICMP_ACTS + 3; i++) {
        say(&p, &first, 3);
        assert_int_equal(p.seen_count, i < TCP_ICMP_ACTS);
        tcp_of(&p)->flight->alive_pending = false; /* as if something had been acknowledged between them */
    }
    assert_int_equal(peer_counter(&p, "limit.icmp_errors"), 3);
    assert_int_equal(peer_counter(&p, "tcp.icmp_unreachable"), TCP_ICMP_ACTS + 3);
    peer_destroy(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_is_under_way_counts),
        cmocka_unit_test(the_packet_itself_must_be_right),
        cmocka_unit_test(only_by_the_link_of_the_connection),
        cmocka_unit_test(time_wait_is_left_alone),
        cmocka_unit_test(another_shard_may_have_it),
        cmocka_unit_test(a_hard_error_ends_connect_at_once),
        cmocka_unit_test(a_soft_error_ends_connect_when_it_lasts),
        cmocka_unit_test(silence_after_a_soft_error_is_that_error),
        cmocka_unit_test(a_soft_error_hurries_the_next_attempt),
        cmocka_unit_test(a_soft_error_ends_connect_at_once_for_who_wants_it),
        cmocka_unit_test(each_path_says_it_once),
        cmocka_unit_test(a_router_need_not_repeat_itself),
        cmocka_unit_test(silence_beside_an_error_is_not_waited_for),
        cmocka_unit_test(a_connection_fails_when_all_attempts_have),
        cmocka_unit_test(a_join_fails_like_an_unanswered_one),
        cmocka_unit_test(a_handshake_of_nobody_is_forgotten),
        cmocka_unit_test(a_client_behind_a_door_is_unreachable),
        cmocka_unit_test(a_network_behind_a_door_is_narrow),
        cmocka_unit_test(soft_errors_are_kept_for_the_timeout),
        cmocka_unit_test(a_hard_error_ends_no_connection),
        cmocka_unit_test(after_a_hard_error_data_goes_elsewhere),
        cmocka_unit_test(errors_act_so_often_a_second),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
