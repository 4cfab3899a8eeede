/* A connection's only subflow whose address of ours goes waits for it, and goes on. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/units.h"
#include "mptcp/rest.h"
#include "peer.h"
#include "wire/keys.h"
#include "wire/tcp.h"

#define GRACE (30 * NS_PER_S)

static const uint8_t hello[5] = "hello";

/* Whose connection it is: plain TCP, or MPTCP that the peer opened, or that we did. */
enum kind { PLAIN, JOINED, JOINS, KINDS };

static void begin(struct peer *p, enum kind kind)
{
    peer_init(p, NULL, NULL);
    if (kind == PLAIN)
        peer_open_plain(p);
    else if (kind == JOINED)
        peer_open_mptcp(p);
    else
        peer_connect_mptcp(p);
    peer_forget(p);
}

static void end(struct peer *p)
{
    hawser_abort(p->conn);
    peer_drain(p);
    peer_destroy(p);
}

static struct hawser_addr own(const struct peer *p)
{
    struct hawser_addr addr = p->own;
    addr.port = 0;
    return addr;
}

static void leave(struct peer *p)
{
    const struct hawser_addr addr = own(p);
    assert_int_equal(hawser_stack_remove_address(p->stack, &addr, p->now_ns), 0);
    peer_drain(p);
}

static void come_back(struct peer *p)
{
    const struct hawser_addr addr = own(p);
    assert_int_equal(hawser_stack_add_address(p->stack, 0, &addr, 24, p->now_ns), 0);
    peer_drain(p);
}

static void say(struct peer *p)
{
    assert_int_equal(hawser_send(p->conn, hello, sizeof hello), sizeof hello);
    peer_drain(p);
}

/* The peer acknowledges the first `said` bytes, and says as much. */
static void answer(struct peer *p, enum kind kind, uint32_t said)
{
    uint8_t bytes[sizeof hello];
    const uint32_t seq = 1 + said - (uint32_t)sizeof hello;
    struct tcp_options o = peer_dss(p, 1 + said, seq, seq, sizeof hello);
    peer_send(p, TCP_ACK, seq, 1 + said, kind == PLAIN ? NULL : &o, hello, sizeof hello);
    assert_int_equal(hawser_recv(p->conn, bytes, sizeof bytes), sizeof bytes);
    assert_memory_equal(bytes, hello, sizeof hello);
}

static void expect_hello(const struct peer *p, uint32_t seq)
{
    const struct peer_segment *segment = peer_last(p, TCP_PSH);
    assert_non_null(segment);
    assert_int_equal(segment->seq, seq);
    assert_int_equal(segment->len, sizeof hello);
    assert_memory_equal(segment->payload, hello, sizeof hello);
}

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

/* Peers know the connection by the place where the address was reached: what leaves from another one is not its. */
static void one_that_is_reached_elsewhere_is_another(void **state)
{
    (void)state;
    for (int elsewhere = 0; elsewhere < 2; elsewhere++) {
        struct peer p;
        struct hawser_addr before, after;
        assert_int_equal(hawser_addr_parse(&before, "192.0.2.7", 0), 0);
        assert_int_equal(hawser_addr_parse(&after, elsewhere ? "192.0.2.8" : "192.0.2.7", 0), 0);
        begin(&p, PLAIN);
        const struct hawser_addr addr = own(&p);
        assert_int_equal(hawser_stack_set_outside(p.stack, &addr, &before, p.now_ns), 0);
        leave(&p);
        assert_int_equal(hawser_stack_add_address(p.stack, 0, &addr, 24, p.now_ns), 0);
        assert_int_equal(hawser_stack_set_outside(p.stack, &addr, &after, p.now_ns), 0);
        peer_drain(&p);
        assert_int_equal(hawser_conn_error(p.conn), elsewhere ? -EADDRNOTAVAIL : 0);
        end(&p);
    }
}

/* The link may be another one then; but a narrower one does not take what is under way. */
static void it_goes_on_by_another_link(void **state)
{
    (void)state;
    for (int narrow = 0; narrow < 2; narrow++) {
        struct peer p;
        begin(&p, PLAIN);
        const struct hawser_addr addr = own(&p);
        const struct hawser_link_options link = {.size = sizeof link, .mtu = narrow ? 1400 : 1500};
        assert_int_equal(hawser_stack_add_link(p.stack, &link), 1);
        say(&p);
        leave(&p);
        peer_forget(&p);
        assert_int_equal(hawser_stack_add_address(p.stack, 1, &addr, 24, p.now_ns), 0);
        peer_drain(&p);
        assert_int_equal(hawser_conn_error(p.conn), narrow ? -EADDRNOTAVAIL : 0);
        if (!narrow) {
            peer_wait(&p, 2 * NS_PER_S);
            expect_hello(&p, 1);
            assert_int_equal(peer_last(&p, TCP_PSH)->link, 1);
        }
        end(&p);
    }
}

/* Another address of ours, which comes while the first one is away, has joined. Returns its ID. */
static uint8_t join_from(struct peer *p, struct hawser_addr *other)
{
    assert_int_equal(hawser_addr_parse(other, "10.0.0.3", 0), 0);
    assert_int_equal(hawser_stack_add_address(p->stack, 0, other, 24, p->now_ns), 0);
    peer_drain(p);
    assert_int_equal(peer_count_syns(p), 1);
    const uint8_t id = peer_last(p, TCP_SYN)->options.mp.join.address_id;
    peer_answer_join(p);
    return id;
}

static bool is_removed(const struct mptcp_options *mp, uint8_t id)
{
    bool found = false;
    for (unsigned i = 0; mptcp_has(mp, MPTCP_REMOVE_ADDR) && i < mp->remove_addr.count; i++)
        found |= mp->remove_addr.ids[i] == id;
    return found;
}

/* Another address comes: its join takes over, and the peer hears that the first one is gone. */
static void a_join_takes_its_place(void **state)
{
    (void)state;
    struct peer p;
    struct hawser_addr other;
    begin(&p, JOINS);
    const struct hawser_addr first = own(&p);
    say(&p);
    leave(&p);
    join_from(&p, &other);
    bool resent = false, removed = false, reset = false;
    for (unsigned i = 0; i < p.seen_count; i++) {
        const struct peer_segment *s = &p.seen[i];
        bool joined = hawser_addr_same_ip(&s->local, &other);
        resent |= joined && s->len == sizeof hello;
        removed |= joined && is_removed(&s->options.mp, 0);
        reset |= !joined && s->flags & TCP_RST;
    }
    assert_true(resent && removed && reset);
    assert_true(peer_is_open(&p));
    assert_int_equal(hawser_stack_add_address(p.stack, 0, &first, 24, p.now_ns), 0);
    peer_drain(&p);
    assert_true(peer_is_open(&p));
    end(&p);
}

/* A connection that may have one subflow is joined all the same. */
static void it_takes_no_other_ones_place(void **state)
{
    (void)state;
    struct peer p;
    struct hawser_addr other;
    uint64_t idsn;
    const struct hawser_conn_options one = {.size = sizeof one, .max_subflows = 1};
    peer_init(&p, NULL, &one);
    peer_open_mptcp(&p);
    peer_forget(&p);
    assert_int_equal(hawser_addr_parse(&other, "10.0.0.3", 0), 0);
    leave(&p);
    assert_int_equal(hawser_stack_add_address(p.stack, 0, &other, 24, p.now_ns), 0);
    p.own = other;
    p.own.port = PEER_PORT;
    p.addr.port++;
    struct tcp_options o = {.mp = {.present = 1u << MPTCP_JOIN, .join = {.shape = MP_JOIN_SYN, .nonce = 1}}};
    mptcp_key_derive(p.stack_key, &o.mp.join.token, &idsn);
    peer_send(&p, TCP_SYN, 0, 0, &o, NULL, 0);
    assert_non_null(peer_last(&p, TCP_SYN | TCP_ACK));
    assert_int_equal(peer_counter(&p, "limit.subflows"), 0);
    end(&p);
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

/* It comes back under a new ID, but the peer knows the subflow by the old one. */
static void the_peer_hears_of_the_address_once(void **state)
{
    (void)state;
    struct peer p;
    struct hawser_addr other;
    begin(&p, JOINS);
    const struct hawser_addr first = own(&p);
    leave(&p);
    const uint8_t joined_as = join_from(&p, &other);
    assert_int_equal(hawser_stack_remove_address(p.stack, &other, p.now_ns), 0);
    peer_drain(&p);
    assert_int_equal(hawser_stack_add_address(p.stack, 0, &other, 24, p.now_ns), 0);
    peer_drain(&p);
    assert_int_equal(hawser_stack_add_address(p.stack, 0, &first, 24, p.now_ns), 0);
    peer_drain(&p);
    peer_answer_join(&p);
    peer_forget(&p);
    assert_int_equal(hawser_stack_remove_address(p.stack, &other, p.now_ns), 0);
    peer_wait(&p, 5 * NS_PER_S);
    bool removed = false;
    for (unsigned i = 0; i < p.seen_count; i++)
        removed |= is_removed(&p.seen[i].options.mp, joined_as);
    assert_true(removed);
    end(&p);
}

/* Away for no time, nothing was lost: what is under way is not sent again before it is due. */
static void a_blink_is_no_loss(void **state)
{
    (void)state;
    struct peer p;
    begin(&p, PLAIN);
    say(&p);
    leave(&p);
    peer_forget(&p);
    come_back(&p);
    peer_wait(&p, 10 * NS_PER_MS);
    assert_int_equal(p.seen_count, 0);
    answer(&p, PLAIN, sizeof hello);
    assert_int_equal(peer_counter(&p, "tcp.retransmits"), 0);
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
        cmocka_unit_test(an_address_that_blinks_is_the_same),
        cmocka_unit_test(the_patience_with_a_silent_peer_is_no_longer),
        cmocka_unit_test(plain_tcp_waits_for_five_seconds),
        cmocka_unit_test(plain_tcp_waits_for_the_user_timeout),
        cmocka_unit_test(for_ever_is_not_at_once),
        cmocka_unit_test(it_takes_no_other_ones_place),
        cmocka_unit_test(who_asks_is_answered),
        cmocka_unit_test(the_peer_hears_of_the_address_once),
        cmocka_unit_test(a_blink_is_no_loss),
        cmocka_unit_test(multipath_tcp_for_half_a_minute),
        cmocka_unit_test(not_when_all_is_delivered_and_the_program_gone),
        cmocka_unit_test(an_abort_waits_for_nobody),
        cmocka_unit_test(what_was_said_before_is_delivered),
        cmocka_unit_test(the_peer_has_forgotten_it),
        cmocka_unit_test(one_that_is_reached_elsewhere_is_another),
        cmocka_unit_test(it_goes_on_by_another_link),
        cmocka_unit_test(a_join_takes_its_place),
        cmocka_unit_test(it_makes_way_for_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
