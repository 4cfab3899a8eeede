/* Connections that we open from several addresses at once (RFC 8305), and at last without MP_CAPABLE. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/units.h"
#include "peer.h"
#include "stack/attempts.h"
#include "wire/ip.h"
#include "wire/keys.h"

#define MS NS_PER_MS

/* With `addresses` of ours: 10.0.0.1, 10.0.0.11, 10.0.0.12... */
static struct hawser_addr address(unsigned i)
{
    char text[32];
    struct hawser_addr addr;
    snprintf(text, sizeof text, "10.0.0.%u", i ? 10 + i : 1);
    assert_int_equal(hawser_addr_parse(&addr, text, 0), 0);
    return addr;
}

static void add_address(struct peer *p, unsigned i)
{
    struct hawser_addr addr = address(i);
    assert_int_equal(hawser_stack_add_address(p->stack, 0, &addr, 24, p->now_ns), 0);
}

static void set_up(struct peer *p, unsigned addresses, const struct hawser_stack_options *options)
{
    peer_init(p, options, NULL);
    for (unsigned i = 1; i < addresses; i++)
        add_address(p, i);
}

/* The i-th SYN seen; what is sent is its answer from now on. */
static struct peer_segment take_syn(struct peer *p, unsigned i)
{
    for (unsigned at = 0; at < p->seen_count; at++) {
        if (p->seen[at].flags != TCP_SYN || i-- > 0)
            continue;
        p->own = p->seen[at].local;
        p->irs = p->seen[at].number;
        return p->seen[at];
    }
    fail_msg("there are not so many SYNs");
    return p->seen[0];
}

static void expect_syn(struct peer *p, unsigned i, unsigned from, bool offers_mptcp)
{
    const struct peer_segment syn = take_syn(p, i);
    const struct hawser_addr addr = address(from);
    assert_true(hawser_addr_same_ip(&syn.local, &addr));
    assert_int_equal(mptcp_has(&syn.options.mp, MPTCP_CAPABLE), offers_mptcp);
    assert_false(syn.options.mp.capable.has_sender_key); /* RFC 8684 3.1 */
}

static struct tcp_options capable(const struct peer *p)
{
    return (struct tcp_options){.mp = {.present = 1u << MPTCP_CAPABLE,
                                       .capable = {.version = MPTCP_VERSION,
                                                   .algorithms = MPTCP_HMAC_SHA256,
                                                   .has_sender_key = true,
                                                   .sender_key = p->key}}};
}

static void answer(struct peer *p, unsigned i, bool mptcp)
{
    const struct tcp_options o = capable(p);
    take_syn(p, i);
    peer_send(p, TCP_SYN | TCP_ACK, 0, 1, mptcp ? &o : NULL, NULL, 0);
}

static void refuse(struct peer *p, unsigned i)
{
    take_syn(p, i);
    peer_send(p, TCP_RST | TCP_ACK, 0, 1, NULL, NULL, 0);
}

static void expect_source(const struct peer *p, unsigned from)
{
    struct hawser_subflow_info info = {.size = sizeof info};
    const struct hawser_addr addr = address(from);
    assert_true(hawser_conn_ready(p->conn) & HAWSER_CONNECTED);
    assert_int_equal(hawser_subflow_get_info(p->conn, 0, &info), 0);
    assert_true(hawser_addr_same_ip(&info.local, &addr));
    assert_int_equal(hawser_subflow_get_info(p->conn, 1, &info), -ENOENT);
}

static bool is_mptcp(const struct peer *p)
{
    struct hawser_conn_info info = {.size = sizeof info};
    assert_int_equal(hawser_conn_get_info(p->conn, &info), 0);
    return info.mptcp;
}

static void expect_failed(struct peer *p, int error)
{
    assert_int_equal(hawser_conn_error(p->conn), error);
    assert_true(hawser_conn_ready(p->conn) & HAWSER_CLOSED);
    assert_int_equal(p->stack->tuples.count, 0);
}

/* ---- addresses ---- */

/* The first path is dead: the second one is tried after a quarter of a second, and carries the connection; the first
 * one gets a subflow like any other, when the peer has been heard. */
static void the_next_address_is_tried_beside_the_first(void **state)
{
    (void)state;
    struct peer p;
    set_up(&p, 2, NULL);
    peer_connect(&p, false);
    peer_wait(&p, ATTEMPT_DELAY_NS - 1);
    assert_int_equal(p.seen_count, 1);
    peer_wait(&p, 1);
    assert_int_equal(p.seen_count, 2);
    expect_syn(&p, 0, 0, true);
    expect_syn(&p, 1, 1, true);
    assert_int_not_equal(p.seen[0].local.port, p.seen[1].local.port);
    assert_int_equal(peer_counter(&p, "tcp.further_attempts"), 1);
    answer(&p, 1, true);
    const struct peer_segment *third = peer_last(&p, TCP_ACK);
    assert_true(third->options.mp.capable.has_sender_key && third->options.mp.capable.has_receiver_key);
    expect_source(&p, 1);
    assert_true(is_mptcp(&p));
    /* The first one's answer comes late, and is refused, so that nothing is left of it at the peer. */
    answer(&p, 0, true);
    const struct peer_segment *rst = peer_last(&p, TCP_RST);
    assert_int_equal(rst->flags, TCP_RST);
    assert_int_equal(rst->seq, 1);
    assert_int_equal(rst->local.port, p.seen[0].local.port);
    take_syn(&p, 1);
    uint32_t token;
    p.stack_key = third->options.mp.capable.sender_key;
    mptcp_key_derive(p.stack_key, &token, &p.stack_idsn);
    peer_forget(&p);
    const struct tcp_options o = peer_dss(&p, 1, 0, 0, 0);
    peer_send(&p, TCP_ACK, 1, 1, &o, NULL, 0);
    const struct peer_segment *join = peer_last(&p, TCP_SYN);
    assert_non_null(join);
    assert_true(mptcp_has(&join->options.mp, MPTCP_JOIN));
    assert_int_equal(join->options.mp.join.address_id, 1); /* ID 0 is the winner's */
    peer_wait(&p, NS_PER_S);
    assert_int_equal(peer_counter(&p, "limit.subflows"), 0);
    peer_destroy(&p);
}

/* A host has so many addresses; each interval one more is tried, up to the limit. */
static void there_is_a_limit(void **state)
{
    (void)state;
    struct peer p;
    set_up(&p, ATTEMPT_ADDRESSES_MAX + 1, NULL);
    peer_connect(&p, true);
    peer_wait(&p, (ATTEMPT_ADDRESSES_MAX - 2) * ATTEMPT_DELAY_NS);
    assert_int_equal(peer_counter(&p, "limit.attempts"), 0);
    peer_wait(&p, 20 * ATTEMPT_DELAY_NS);
    assert_int_equal(peer_counter(&p, "limit.attempts"), 1);
    assert_int_equal(peer_counter(&p, "tcp.further_attempts"), ATTEMPT_ADDRESSES_MAX - 1);
    assert_int_equal(p.stack->tuples.count, ATTEMPT_ADDRESSES_MAX);
    hawser_close(p.conn);
    peer_drain(&p);
    assert_int_equal(p.stack->tuples.count, 0); /* nothing is said, and everything given back */
    assert_null(peer_last(&p, TCP_RST));
    /* With MP_CAPABLE each of them is tried three times. */
    peer_forget(&p);
    peer_connect(&p, false);
    peer_wait(&p, ATTEMPT_ADDRESSES_MAX * ATTEMPT_DELAY_NS + ATTEMPT_AGAIN_NS);
    assert_int_equal(p.stack->tuples.count, 3 * ATTEMPT_ADDRESSES_MAX);
    assert_int_equal(peer_counter(&p, "limit.subflows"), 0);
    peer_destroy(&p);
}

/* Two answers at once: one opens the connection, the other one is refused. */
static void answers_of_one_batch(void **state)
{
    (void)state;
    struct peer p;
    uint8_t bytes[2][PEER_PACKET_MAX];
    struct hawser_rx rx[2] = {{.data = bytes[0], .flags = HAWSER_RX_CSUM_OK},
                              {.data = bytes[1], .flags = HAWSER_RX_CSUM_OK}};
    set_up(&p, 2, NULL);
    const struct tcp_options o = capable(&p);
    peer_connect(&p, false);
    peer_wait(&p, ATTEMPT_DELAY_NS);
    for (unsigned i = 0; i < 2; i++) {
        take_syn(&p, i);
        rx[i].len = (uint32_t)peer_packet(&p, bytes[i], TCP_SYN | TCP_ACK, 0, 1, &o, NULL, 0);
    }
    const struct hawser_addr loser = p.own;
    peer_forget(&p);
    hawser_stack_input(p.stack, 0, rx, 2, p.now_ns);
    peer_drain(&p);
    expect_source(&p, 0);
    assert_int_equal(p.seen_count, 2);
    assert_int_equal(peer_last(&p, TCP_RST)->local.port, loser.port);
    assert_int_not_equal(peer_last(&p, TCP_ACK)->local.port, loser.port);
    peer_destroy(&p);
}

/* Plain TCP is opened likewise; who names an address has no other one tried. */
static void plain_and_bound_connections(void **state)
{
    (void)state;
    struct peer p;
    set_up(&p, 2, NULL);
    peer_connect(&p, true);
    peer_wait(&p, ATTEMPT_DELAY_NS);
    expect_syn(&p, 1, 1, false);
    answer(&p, 1, false);
    expect_source(&p, 1);
    peer_forget(&p);
    struct hawser_conn_options options = {.size = sizeof options, .local = address(0), .no_mptcp = true};
    struct hawser_conn *bound;
    assert_int_equal(hawser_connect(p.stack, &p.addr, &options, p.now_ns, &bound), 0);
    peer_wait(&p, 900 * MS);
    assert_int_equal(peer_count_syns(&p), 1);
    expect_syn(&p, 0, 0, false);
    refuse(&p, 0);
    assert_int_equal(hawser_conn_error(bound), -ECONNREFUSED);
    peer_destroy(&p);
}

/* An address that comes is tried at once; and one that goes makes room for the next. */
static void addresses_come_and_go(void **state)
{
    (void)state;
    struct peer p;
    set_up(&p, 2, NULL);
    peer_connect(&p, false);
    peer_wait(&p, ATTEMPT_DELAY_NS);
    assert_int_equal(peer_count_syns(&p), 2);
    add_address(&p, 2);
    peer_wait(&p, 0);
    expect_syn(&p, 2, 2, true);
    add_address(&p, 3);
    for (unsigned i = 0; i < 3; i++) {
        const struct hawser_addr gone = address(i);
        assert_int_equal(hawser_stack_remove_address(p.stack, &gone, p.now_ns), 0);
    }
    peer_wait(&p, 0);
    expect_syn(&p, 3, 3, true);
    assert_int_equal(p.stack->tuples.count, 1);
    const struct hawser_addr last = address(3);
    assert_int_equal(hawser_stack_remove_address(p.stack, &last, p.now_ns), 0);
    peer_wait(&p, 0);
    expect_failed(&p, -EADDRNOTAVAIL);
    peer_destroy(&p);
}

/* ---- refusals and silence ---- */

static void refused_everywhere(void **state)
{
    (void)state;
    struct peer p;
    set_up(&p, 3, NULL);
    peer_connect(&p, false);
    for (unsigned i = 0; i < 3; i++) { /* the next one at once */
        assert_int_equal(peer_count_syns(&p), i + 1);
        assert_int_equal(hawser_conn_error(p.conn), 0);
        refuse(&p, i);
    }
    expect_failed(&p, -ECONNREFUSED);
    assert_int_equal(peer_count_syns(&p), 3);
    peer_destroy(&p);
}

/* A path is dead, and on the other one the peer refuses: nobody waits for minutes to learn that. */
static void refused_beside_silence(void **state)
{
    (void)state;
    struct peer p;
    set_up(&p, 2, NULL);
    peer_connect(&p, false);
    peer_wait(&p, 2 * ATTEMPT_DELAY_NS);
    refuse(&p, 1);
    peer_wait(&p, ATTEMPT_REFUSED_NS - 1);
    assert_int_equal(hawser_conn_error(p.conn), 0);
    peer_wait(&p, 1);
    expect_failed(&p, -ECONNREFUSED);
    peer_destroy(&p);
}

/* The other one may take it yet. */
static void refused_and_taken(void **state)
{
    (void)state;
    struct peer p;
    set_up(&p, 2, NULL);
    peer_connect(&p, false);
    peer_wait(&p, 2 * ATTEMPT_DELAY_NS);
    refuse(&p, 0);
    peer_wait(&p, ATTEMPT_REFUSED_NS / 2);
    answer(&p, 1, true);
    expect_source(&p, 1);
    peer_wait(&p, 2 * ATTEMPT_REFUSED_NS);
    assert_int_equal(hawser_conn_error(p.conn), 0);
    peer_destroy(&p);
}

/* Nobody answers: the time it takes to learn that is the last address's. */
static void nobody_is_there(void **state)
{
    (void)state;
    struct peer p;
    set_up(&p, 2, NULL);
    peer_connect(&p, false);
    for (unsigned i = 0; i < 183; i++) { /* SYNs after 0, 1, 3, 7... 63, 123 seconds, and a minute for the last */
        peer_wait(&p, NS_PER_S);
        assert_int_equal(hawser_conn_error(p.conn), 0);
        peer_forget(&p);
    }
    peer_wait(&p, ATTEMPT_DELAY_NS + ATTEMPT_AGAIN_NS + ATTEMPT_PLAIN_NS);
    expect_failed(&p, -ETIMEDOUT);
    peer_destroy(&p);
}

/* ---- without MP_CAPABLE ---- */

/* Which of the SYNs is the plain one. */
#define PLAIN_SYN 3

/* Three SYNs offer MPTCP, one of them from another port, before one does not. */
static void connect_blackholed(struct peer *p)
{
    peer_forget(p);
    peer_connect(p, false);
    peer_wait(p, ATTEMPT_AGAIN_NS - 1);
    assert_int_equal(peer_count_syns(p), 1);
    peer_wait(p, ATTEMPT_PLAIN_NS);
    assert_int_equal(peer_count_syns(p), PLAIN_SYN);
    for (unsigned i = 0; i < PLAIN_SYN; i++)
        expect_syn(p, i, 0, true);
    assert_int_equal(p->seen[1].local.port, p->seen[0].local.port);
    assert_int_not_equal(p->seen[2].local.port, p->seen[0].local.port);
    peer_wait(p, 1);
    assert_int_equal(peer_count_syns(p), PLAIN_SYN + 1);
    expect_syn(p, PLAIN_SYN, 0, false);
}

static void capable_is_eaten_once(void **state)
{
    (void)state;
    struct peer p;
    struct hawser_plain_peer known;
    set_up(&p, 1, NULL);
    assert_false(hawser_stack_plain_peer(p.stack, 0, &known));
    connect_blackholed(&p);
    answer(&p, PLAIN_SYN, false);
    expect_source(&p, 0);
    assert_false(is_mptcp(&p));
    assert_int_equal(hawser_send(p.conn, "x", 1), 1);
    peer_drain(&p);
    assert_int_equal(peer_last(&p, TCP_ACK)->len, 1);
    assert_int_equal(peer_last(&p, TCP_ACK)->options.mp.present, 0);
    assert_int_equal(peer_counter(&p, "mptcp.capable_eaten"), 1);
    assert_true(hawser_stack_plain_peer(p.stack, 0, &known));
    assert_true(hawser_addr_same_ip(&known.addr, &p.addr));
    assert_int_equal(known.addr.port, 0);
    assert_int_equal(known.times, 1);
    assert_int_equal(known.until_ns, p.now_ns + PLAIN_PEER_NS);
    assert_false(hawser_stack_plain_peer(p.stack, 1, &known));
    /* The next one goes without at once, as long as that is remembered. */
    peer_forget(&p);
    peer_connect(&p, false);
    expect_syn(&p, 0, 0, false);
    refuse(&p, 0);
    peer_wait(&p, PLAIN_PEER_NS);
    connect_blackholed(&p);
    answer(&p, PLAIN_SYN, false);
    assert_true(hawser_stack_plain_peer(p.stack, 0, &known));
    assert_int_equal(known.times, 2);
    assert_int_equal(known.until_ns, p.now_ns + 8 * PLAIN_PEER_NS);
    hawser_stack_forget_plain_peers(p.stack, &p.addr);
    assert_false(hawser_stack_plain_peer(p.stack, 0, &known));
    peer_destroy(&p);
}

static void remember_blackhole(struct peer *p)
{
    struct hawser_plain_peer known;
    connect_blackholed(p);
    answer(p, PLAIN_SYN, false);
    assert_true(hawser_stack_plain_peer(p->stack, 0, &known));
}

/* What makes it forgotten: a call, an address that comes, a connection that is MPTCP. */
static void what_was_eaten_is_forgotten(void **state)
{
    (void)state;
    struct peer p;
    struct hawser_plain_peer known;
    set_up(&p, 1, NULL);
    remember_blackhole(&p);
    hawser_stack_forget_plain_peers(p.stack, NULL);
    assert_false(hawser_stack_plain_peer(p.stack, 0, &known));
    remember_blackhole(&p);
    const struct hawser_addr old = address(0);
    add_address(&p, 1);
    assert_false(hawser_stack_plain_peer(p.stack, 0, &known));
    assert_int_equal(hawser_stack_remove_address(p.stack, &old, p.now_ns), 0);
    peer_forget(&p);
    peer_connect(&p, false);
    peer_wait(&p, ATTEMPT_AGAIN_NS + ATTEMPT_PLAIN_NS);
    answer(&p, PLAIN_SYN, false);
    assert_true(hawser_stack_plain_peer(p.stack, 0, &known));
    peer_wait(&p, PLAIN_PEER_NS);
    peer_forget(&p);
    peer_connect(&p, false);
    answer(&p, 0, true);
    assert_true(is_mptcp(&p));
    assert_false(hawser_stack_plain_peer(p.stack, 0, &known));
    peer_destroy(&p);
}

/* A server that does not speak MPTCP, a plain SYN that was not answered at once, and a SYN with the option that is
 * answered after all prove nothing; nor does a plain connection. */
static void what_is_no_proof(void **state)
{
    (void)state;
    struct peer p;
    set_up(&p, 1, NULL);
    peer_connect(&p, false);
    answer(&p, 0, false);
    expect_source(&p, 0);
    assert_false(is_mptcp(&p));
    connect_blackholed(&p);
    answer(&p, 2, true); /* a path that was dead */
    assert_true(is_mptcp(&p));
    answer(&p, PLAIN_SYN, false);
    assert_non_null(peer_last(&p, TCP_RST));
    connect_blackholed(&p);
    peer_wait(&p, NS_PER_S - ATTEMPT_PLAIN_NS);
    assert_int_equal(peer_count_syns(&p), PLAIN_SYN + 2);
    expect_syn(&p, PLAIN_SYN + 1, 0, true); /* first, */
    peer_wait(&p, ATTEMPT_PLAIN_NS);
    expect_syn(&p, PLAIN_SYN + 2, 0, false); /* and then the plain one again */
    answer(&p, PLAIN_SYN + 2, false);
    expect_source(&p, 0);
    peer_forget(&p);
    peer_connect(&p, true);
    peer_wait(&p, 4 * NS_PER_S);
    answer(&p, 1, false);
    assert_int_equal(peer_counter(&p, "mptcp.capable_eaten"), 0);
    peer_destroy(&p);
}

/* Each address has its turn with MP_CAPABLE first. Where one is dead, and on the other one MP_CAPABLE is eaten, the
 * plain attempt from the latter is what proves it. */
static void addresses_before_plain_tcp(void **state)
{
    (void)state;
    struct peer p;
    static const struct {
        uint64_t at_ms;
        unsigned from;
        bool offers;
    } order[] = {{0, 0, true},    {250, 1, true},   {500, 2, true},   {1000, 0, true},
                 {1250, 1, true}, {1500, 2, true},  {1500, 0, true},  {1500, 1, true},
                 {1500, 2, true}, {1550, 0, false}, {1550, 1, false}, {1550, 2, false}};
    set_up(&p, 3, NULL);
    peer_connect(&p, false);
    peer_wait(&p, order[11].at_ms * MS - 1);
    assert_int_equal(peer_count_syns(&p), 9);
    peer_wait(&p, 1);
    assert_int_equal(peer_count_syns(&p), 12);
    for (unsigned i = 0; i < 12; i++)
        expect_syn(&p, i, order[i].from, order[i].offers);
    answer(&p, 10, false);
    expect_source(&p, 1);
    assert_int_equal(peer_counter(&p, "mptcp.capable_eaten"), 1);
    peer_destroy(&p);
}

/* Who answers an offer that was not made is taken at his word of plain TCP. */
static void capable_where_none_was_offered(void **state)
{
    (void)state;
    struct peer p;
    set_up(&p, 1, NULL);
    connect_blackholed(&p);
    answer(&p, PLAIN_SYN, true);
    expect_source(&p, 0);
    assert_false(is_mptcp(&p));
    peer_destroy(&p);
}

/* A port that the program chose has room for one attempt. */
static void the_only_port(void **state)
{
    (void)state;
    struct peer p;
    struct hawser_conn_options options = {.size = sizeof options, .local = {.port = 5555}};
    set_up(&p, 2, NULL);
    p.addr.port = PEER_PORT;
    assert_int_equal(hawser_connect(p.stack, &p.addr, &options, p.now_ns, &p.conn), 0);
    peer_wait(&p, ATTEMPT_DELAY_NS + ATTEMPT_PLAIN_ALONE_NS - 1);
    assert_int_equal(peer_count_syns(&p), 4);
    peer_wait(&p, 1);
    for (unsigned i = 0; i < 6; i++) {
        expect_syn(&p, i, i % 2, i < 4);
        assert_int_equal(p.own.port, 5555);
    }
    assert_int_equal(p.stack->tuples.count, 2);
    answer(&p, 4, false);
    expect_source(&p, 0);
    assert_int_equal(peer_counter(&p, "mptcp.capable_eaten"), 0);
    peer_destroy(&p);
}

/* From however many addresses, it comes within three seconds. */
static void the_only_port_of_many_addresses(void **state)
{
    (void)state;
    struct peer p;
    struct hawser_conn_options options = {.size = sizeof options, .local = {.port = 5555}};
    set_up(&p, ATTEMPT_ADDRESSES_MAX, NULL);
    p.addr.port = PEER_PORT;
    assert_int_equal(hawser_connect(p.stack, &p.addr, &options, p.now_ns, &p.conn), 0);
    peer_wait(&p, ATTEMPT_PLAIN_LATEST_NS - 1);
    unsigned offers = peer_count_syns(&p);
    for (unsigned i = 0; i < offers; i++) {
        const struct peer_segment syn = take_syn(&p, i);
        assert_true(mptcp_has(&syn.options.mp, MPTCP_CAPABLE));
    }
    peer_wait(&p, 1);
    assert_int_equal(peer_count_syns(&p), offers + ATTEMPT_ADDRESSES_MAX);
    expect_syn(&p, offers + 7, 7, false);
    answer(&p, offers + 7, false);
    expect_source(&p, 7);
    peer_destroy(&p);
}

/* ---- ends, and want ---- */

/* The program gives it up at any moment. */
static void given_up(void **state)
{
    (void)state;
    for (unsigned after_ms = 0; after_ms < 3000; after_ms += 50) {
        struct peer p;
        set_up(&p, 3, NULL);
        peer_connect(&p, false);
        peer_wait(&p, after_ms * MS);
        if (after_ms % 100)
            hawser_close(p.conn);
        else
            hawser_abort(p.conn);
        peer_drain(&p);
        assert_int_equal(p.stack->tuples.count, 0);
        assert_int_equal(p.stack->attempts.in_use, 0);
        peer_destroy(&p);
    }
}

/* Any allocation fails, and all after it as well: the connection comes to be, or is known to have failed. */
static void without_memory(void **state)
{
    (void)state;
    for (unsigned n = 1; n < 60; n++) {
        struct peer p;
        set_up(&p, 4, NULL);
        p.addr.port = PEER_PORT;
        p.env.fail_at = n;
        if (hawser_connect(p.stack, &p.addr, NULL, p.now_ns, &p.conn) == 0) {
            peer_wait(&p, 500 * MS);
            p.env.refuses = n % 2;
            peer_wait(&p, 2 * NS_PER_S);
            p.env.refuses = false;
            assert_true(p.stack->tuples.count > 0);
            if (peer_count_syns(&p))
                answer(&p, 0, true);
            assert_int_equal(hawser_conn_error(p.conn), 0);
        } else {
            assert_int_equal(p.stack->tuples.count, 0);
        }
        peer_destroy(&p);
    }
}

/* A connection that may have one subflow only is begun like any other. */
static void one_subflow_is_enough(void **state)
{
    (void)state;
    struct peer p;
    struct hawser_conn_options options = {.size = sizeof options, .max_subflows = 1};
    set_up(&p, 2, NULL);
    p.addr.port = PEER_PORT;
    assert_int_equal(hawser_connect(p.stack, &p.addr, &options, p.now_ns, &p.conn), 0);
    peer_wait(&p, ATTEMPT_DELAY_NS);
    answer(&p, 1, true);
    expect_source(&p, 1);
    assert_int_equal(peer_counter(&p, "limit.subflows"), 0);
    peer_destroy(&p);
}

/* The program says where it begins; then come the others, in their order. */
static void the_program_says_who_is_first(void **state)
{
    (void)state;
    struct peer p;
    struct hawser_conn_options options = {.size = sizeof options, .local = address(2), .local_first = true};
    set_up(&p, 3, NULL);
    p.addr.port = PEER_PORT;
    assert_int_equal(hawser_connect(p.stack, &p.addr, &options, p.now_ns, &p.conn), 0);
    peer_wait(&p, 2 * ATTEMPT_DELAY_NS);
    expect_syn(&p, 0, 2, true);
    expect_syn(&p, 1, 0, true);
    expect_syn(&p, 2, 1, true);
    answer(&p, 1, true);
    expect_source(&p, 0);
    peer_destroy(&p);
}

/* What the stack does not have, or cannot use, is no beginning. */
static void who_is_first_need_not_exist(void **state)
{
    (void)state;
    static const char *const nobody[] = {"10.0.0.99", "2001:db8::99", "2001:db8::1", "0.0.0.0", "::"};
    for (unsigned i = 0; i < HW_ARRAY_LEN(nobody); i++) {
        struct peer p;
        struct hawser_conn_options options = {.size = sizeof options, .local_first = true};
        struct hawser_addr six;
        assert_int_equal(hawser_addr_parse(&options.local, nobody[i], 0), 0);
        assert_int_equal(hawser_addr_parse(&six, "2001:db8::1", 0), 0);
        set_up(&p, 2, NULL);
        assert_int_equal(hawser_stack_add_address(p.stack, 0, &six, 64, p.now_ns), 0);
        p.addr.port = PEER_PORT;
        assert_int_equal(hawser_connect(p.stack, &p.addr, &options, p.now_ns, &p.conn), 0);
        peer_wait(&p, ATTEMPT_DELAY_NS);
        expect_syn(&p, 0, 0, true);
        expect_syn(&p, 1, 1, true);
        options.local.port = 5000;
        assert_int_equal(hawser_connect(p.stack, &p.addr, &options, p.now_ns, &p.conn), -EINVAL);
        peer_destroy(&p);
    }
}

/* The subflows that a stack has run out: an attempt less. */
static void no_subflow_left(void **state)
{
    (void)state;
    struct peer p;
    const struct hawser_stack_options options = {.size = sizeof options, .max_connections = 1};
    set_up(&p, 4, &options);
    hawser_listener_close(p.listener);
    peer_connect(&p, false);
    peer_wait(&p, 2 * NS_PER_S);
    assert_true(peer_counter(&p, "limit.subflows") > 0);
    answer(&p, 1, true);
    expect_source(&p, 1);
    peer_destroy(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_next_address_is_tried_beside_the_first),
        cmocka_unit_test(there_is_a_limit),
        cmocka_unit_test(answers_of_one_batch),
        cmocka_unit_test(plain_and_bound_connections),
        cmocka_unit_test(addresses_come_and_go),
        cmocka_unit_test(refused_everywhere),
        cmocka_unit_test(refused_beside_silence),
        cmocka_unit_test(refused_and_taken),
        cmocka_unit_test(nobody_is_there),
        cmocka_unit_test(capable_is_eaten_once),
        cmocka_unit_test(what_was_eaten_is_forgotten),
        cmocka_unit_test(what_is_no_proof),
        cmocka_unit_test(addresses_before_plain_tcp),
        cmocka_unit_test(capable_where_none_was_offered),
        cmocka_unit_test(the_only_port),
        cmocka_unit_test(the_only_port_of_many_addresses),
        cmocka_unit_test(given_up),
        cmocka_unit_test(without_memory),
        cmocka_unit_test(one_subflow_is_enough),
        cmocka_unit_test(no_subflow_left),
        cmocka_unit_test(the_program_says_who_is_first),
        cmocka_unit_test(who_is_first_need_not_exist),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
