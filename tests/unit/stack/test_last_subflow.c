/* The last subflow's end is not the connection's: who opens subflows tries every pair once more, the other end waits
 * half a minute (RFC 8684 3.3.3). */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "base/units.h"
#include "peer.h"
#include "wire/bytes.h"
#include "wire/keys.h"
#include "world.h"

#define GRACE (30 * NS_PER_S)
#define NONCE 5

static const uint8_t hello[5] = "hello";

/* Every test is of one end: `opens` is the stack that opened the connection. */
static void begin(struct peer *p, bool opens)
{
    peer_init(p, NULL, NULL);
    if (opens)
        peer_connect_mptcp(p);
    else
        peer_open_mptcp(p);
}

static void end(struct peer *p)
{
    hawser_close(p->conn);
    peer_drain(p);
    assert_int_equal(hawser_stack_deadline(p->stack), HAWSER_NEVER);
    peer_destroy(p);
}

static void reset(struct peer *p)
{
    peer_forget(p);
    peer_send(p, TCP_RST, 1, 0, NULL, NULL, 0);
}

static struct tcp_options join_options(void)
{
    return (struct tcp_options){.mp = {.present = 1u << MPTCP_JOIN, .join = {.shape = MP_JOIN_SYN, .nonce = NONCE}}};
}

/* The peer's join, from another port. */
static void begin_join(struct peer *p)
{
    uint64_t idsn;
    struct tcp_options o = join_options();
    mptcp_key_derive(p->stack_key, &o.mp.join.token, &idsn);
    p->addr.port++;
    peer_forget(p);
    peer_send(p, TCP_SYN, 0, 0, &o, NULL, 0);
}

static void finish_join(struct peer *p)
{
    struct tcp_options o = join_options();
    const struct peer_segment *synack = peer_last(p, TCP_SYN | TCP_ACK);
    assert_non_null(synack);
    o.mp.join.shape = MP_JOIN_ACK;
    mptcp_join_hmac(p->key, p->stack_key, NONCE, synack->options.mp.join.nonce, o.mp.join.hmac);
    peer_send(p, TCP_ACK, 1, 1, &o, NULL, 0);
}

static void join(struct peer *p)
{
    begin_join(p);
    finish_join(p);
}

static void talk(struct peer *p)
{
    uint8_t bytes[sizeof hello];
    struct tcp_options o = peer_dss(p, 1, 1, 1, sizeof hello);
    peer_send(p, TCP_ACK, 1, 1, &o, hello, sizeof hello);
    assert_int_equal(hawser_recv(p->conn, bytes, sizeof bytes), sizeof bytes);
    peer_forget(p);
    assert_int_equal(hawser_send(p->conn, hello, sizeof hello), sizeof hello);
    peer_drain(p);
    assert_int_equal(peer_last(p, 0)->len, sizeof hello);
    assert_memory_equal(peer_last(p, 0)->payload, hello, sizeof hello);
}

/* ---- the end that is joined ---- */

static void the_peer_may_come_back(void **state)
{
    (void)state;
    struct peer p;
    begin(&p, false);
    reset(&p);
    assert_int_equal(p.seen_count, 0);
    assert_true(peer_is_open(&p));
    peer_wait(&p, GRACE - NS_PER_S);
    assert_true(peer_is_open(&p));
    join(&p);
    talk(&p);
    peer_wait(&p, GRACE);
    assert_true(peer_is_open(&p));
    hawser_abort(p.conn);
    peer_drain(&p);
    peer_destroy(&p);
}

static void it_is_waited_for_half_a_minute(void **state)
{
    (void)state;
    struct peer p;
    begin(&p, false);
    assert_int_equal(hawser_send(p.conn, hello, sizeof hello), sizeof hello);
    peer_drain(&p);
    reset(&p);
    peer_wait(&p, GRACE - NS_PER_MS);
    assert_true(peer_is_open(&p));
    peer_wait(&p, 2 * NS_PER_MS);
    assert_int_equal(hawser_conn_error(p.conn), -ETIMEDOUT);
    assert_true(hawser_conn_ready(p.conn) & HAWSER_CLOSED);
    assert_int_equal(peer_count_syns(&p), 0); /* it does not open subflows */
    end(&p);
}

/* Which is no excuse to keep what nobody misses. */
static void nobody_waits_when_all_is_delivered_and_the_program_gone(void **state)
{
    (void)state;
    struct peer p;
    begin(&p, false);
    hawser_close(p.conn);
    peer_drain(&p);
    struct tcp_options o = peer_dss(&p, 2, 0, 0, 0);
    peer_send(&p, TCP_ACK, 1, 1, &o, NULL, 0); /* the DATA_FIN is acknowledged */
    reset(&p);
    assert_int_equal(hawser_stack_deadline(p.stack), HAWSER_NEVER);
    peer_destroy(&p);
}

static void what_is_not_delivered_is_missed_when_the_program_is_gone(void **state)
{
    (void)state;
    struct peer p;
    begin(&p, false);
    assert_int_equal(hawser_send(p.conn, hello, sizeof hello), sizeof hello);
    hawser_close(p.conn);
    peer_drain(&p);
    reset(&p);
    join(&p);
    struct tcp_options o = peer_dss(&p, 1, 0, 0, 0);
    peer_send(&p, TCP_ACK, 1, 1, &o, NULL, 0);
    const struct peer_segment *again = peer_last(&p, TCP_PSH);
    assert_non_null(again);
    assert_memory_equal(again->payload, hello, sizeof hello);
    reset(&p);
    peer_wait(&p, GRACE);
    assert_int_equal(peer_counter(&p, "mptcp.failed_after_close"), 1);
    assert_int_equal(hawser_stack_deadline(p.stack), HAWSER_NEVER);
    peer_destroy(&p);
}

/* Its DATA_FIN goes out again on the new one at once, though its time to be repeated has not come. */
static void the_end_of_the_stream_is_told_again(void **state)
{
    (void)state;
    struct peer p;
    begin(&p, false);
    hawser_shutdown(p.conn);
    peer_drain(&p);
    peer_wait(&p, 7 * NS_PER_S); /* the next is due in 8 seconds */
    reset(&p);
    join(&p);
    const struct peer_segment *last = peer_last(&p, TCP_ACK);
    assert_true(mptcp_has(&last->options.mp, MPTCP_DSS) && last->options.mp.dss.data_fin);
    hawser_abort(p.conn);
    peer_drain(&p);
    peer_destroy(&p);
}

/* A connection that no program has accepted yet keeps what it acknowledged, and may be joined like any other. */
static void one_that_is_not_accepted_yet(void **state)
{
    (void)state;
    for (int comes_back = 0; comes_back < 2; comes_back++) {
        struct peer p;
        uint8_t bytes[sizeof hello];
        struct hawser_conn *first;
        begin(&p, false);
        first = p.conn;
        hawser_abort(first);
        peer_drain(&p);
        uint32_t token;
        p.addr.port = 5000;
        struct tcp_options o = {.mp = {.present = 1u << MPTCP_CAPABLE, .capable = {.version = 1, .algorithms = 1}}};
        peer_send(&p, TCP_SYN, 0, 0, &o, NULL, 0);
        p.stack_key = peer_last(&p, TCP_SYN | TCP_ACK)->options.mp.capable.sender_key;
        mptcp_key_derive(p.stack_key, &token, &p.stack_idsn);
        o.mp.capable.has_sender_key = o.mp.capable.has_receiver_key = o.mp.capable.has_data_len = true;
        o.mp.capable.sender_key = p.key;
        o.mp.capable.receiver_key = p.stack_key;
        o.mp.capable.data_len = sizeof hello;
        peer_send(&p, TCP_ACK, 1, 1, &o, hello, sizeof hello);
        peer_send(&p, TCP_RST, 1 + sizeof hello, 0, NULL, NULL, 0);
        if (comes_back)
            join(&p);
        peer_wait(&p, 2 * GRACE);
        assert_int_equal(hawser_accept(p.listener, &p.conn), 0);
        assert_int_equal(hawser_conn_error(p.conn), comes_back ? 0 : -ETIMEDOUT);
        assert_int_equal(hawser_recv(p.conn, bytes, sizeof bytes), sizeof bytes);
        hawser_abort(p.conn);
        peer_drain(&p);
        peer_destroy(&p);
    }
}

/* Who resets each join as it comes is not waited for any longer than who does not come. */
static void nobody_flaps_for_ever(void **state)
{
    (void)state;
    struct peer p;
    begin(&p, false);
    reset(&p);
    for (unsigned i = 0; i < 10; i++) {
        peer_wait(&p, GRACE / 10 - NS_PER_S);
        join(&p);
        reset(&p);
    }
    assert_true(peer_is_open(&p));
    peer_wait(&p, 10 * NS_PER_S);
    assert_int_equal(hawser_conn_error(p.conn), -ETIMEDOUT);
    end(&p);
}

/* Nobody knows of another pair, so that the connection goes with what we give up ourselves, and says so. */
static void what_is_given_up_takes_the_connection_with_it(void **state)
{
    (void)state;
    for (int opens = 0; opens < 2; opens++) {
        struct peer p;
        begin(&p, opens);
        struct tcp_options o = peer_dss(&p, 1, 1, 1, sizeof hello);
        o.mp.dss.has_checksum = true; /* which was not agreed */
        peer_send(&p, TCP_ACK, 1, 1, &o, hello, sizeof hello);
        assert_true(mptcp_has(&peer_last(&p, TCP_RST)->options.mp, MPTCP_FASTCLOSE));
        assert_int_equal(hawser_conn_error(p.conn), -EPROTO);
        hawser_close(p.conn);
        peer_drain(&p);
        peer_destroy(&p);
    }
}

/* Unless the peer's join has begun. */
static void but_not_one_that_is_being_joined(void **state)
{
    (void)state;
    struct peer p;
    begin(&p, false);
    uint32_t irs = p.irs;
    begin_join(&p);
    uint32_t join_irs = p.irs;
    p.irs = irs;
    p.addr.port--;
    struct tcp_options o = peer_dss(&p, 1, 1, 1, sizeof hello);
    o.mp.dss.has_checksum = true;
    peer_send(&p, TCP_ACK, 1, 1, &o, hello, sizeof hello);
    assert_false(mptcp_has(&peer_last(&p, TCP_RST)->options.mp, MPTCP_FASTCLOSE));
    assert_true(peer_is_open(&p));
    p.irs = join_irs;
    p.addr.port++;
    finish_join(&p);
    talk(&p);
    assert_true(peer_is_open(&p));
    hawser_abort(p.conn);
    peer_drain(&p);
    peer_destroy(&p);
}

/* Nor one whose peer joined before: only it knows where else it can come from. */
static void who_joined_once_may_come_from_elsewhere(void **state)
{
    (void)state;
    struct peer p;
    begin(&p, false);
    uint32_t irs = p.irs;
    join(&p);
    reset(&p);
    p.irs = irs;
    p.addr.port--;
    struct tcp_options o = peer_dss(&p, 1, 1, 1, sizeof hello);
    o.mp.dss.has_checksum = true;
    peer_forget(&p);
    peer_send(&p, TCP_ACK, 1, 1, &o, hello, sizeof hello);
    assert_non_null(peer_last(&p, TCP_RST));
    assert_false(mptcp_has(&peer_last(&p, TCP_RST)->options.mp, MPTCP_FASTCLOSE));
    assert_true(peer_is_open(&p));
    p.addr.port += 2;
    join(&p);
    talk(&p);
    assert_true(peer_is_open(&p));
    hawser_abort(p.conn);
    peer_drain(&p);
    peer_destroy(&p);
}

/* ---- the end that joins ---- */

static void each_pair_is_tried_at_once(void **state)
{
    (void)state;
    struct peer p;
    struct hawser_addr other;
    begin(&p, true);
    assert_int_equal(hawser_addr_parse(&other, "10.0.0.3", 0), 0);
    reset(&p);
    assert_int_equal(peer_count_syns(&p), 1);
    assert_true(peer_is_open(&p));
    peer_answer_join(&p);
    talk(&p);
    assert_true(peer_is_open(&p));
    assert_int_equal(hawser_stack_add_address(p.stack, 0, &other, 24, p.now_ns), 0);
    peer_drain(&p); /* a join from there is under way, unanswered */
    p.own.ip[15] = 1;
    peer_forget(&p);
    peer_send(&p, TCP_RST, 1 + sizeof hello, 0, NULL, NULL, 0);
    assert_int_equal(peer_count_syns(&p), 1);
    hawser_abort(p.conn);
    peer_drain(&p);
    peer_destroy(&p);
}

static void refused_by_all_it_ends_at_once(void **state)
{
    (void)state;
    struct peer p;
    begin(&p, true);
    reset(&p);
    peer_refuse_join(&p);
    assert_int_equal(hawser_conn_error(p.conn), -ECONNRESET);
    assert_true(hawser_conn_ready(p.conn) & HAWSER_CLOSED);
    assert_int_equal(peer_count_syns(&p), 1);
    end(&p);
}

static void likewise_answered_without_mp_join(void **state)
{
    (void)state;
    struct peer p;
    begin(&p, true);
    reset(&p);
    p.own = peer_last(&p, TCP_SYN)->local;
    peer_send(&p, TCP_SYN | TCP_ACK, 0, 1, NULL, NULL, 0);
    assert_int_equal(hawser_conn_error(p.conn), -ECONNRESET);
    assert_non_null(peer_last(&p, TCP_RST));
    end(&p);
}

static void silence_is_a_timeout(void **state)
{
    (void)state;
    struct peer p;
    begin(&p, true);
    reset(&p);
    peer_wait(&p, GRACE - NS_PER_MS);
    assert_true(peer_is_open(&p));
    assert_in_range(peer_count_syns(&p), 2, 10);
    peer_wait(&p, 2 * NS_PER_MS);
    assert_int_equal(hawser_conn_error(p.conn), -ETIMEDOUT);
    end(&p);
}

/* RFC 8684 3.6: the peer says that it shall not be tried again. */
static void what_the_peer_ends_for_good_is_not_tried(void **state)
{
    (void)state;
    struct peer p;
    begin(&p, true);
    struct tcp_options o = {.mp = {.present = 1u << MPTCP_TCPRST, .tcprst = {.reason = MP_RST_MIDDLEBOX}}};
    peer_send(&p, TCP_RST, 1, 0, &o, NULL, 0);
    assert_int_equal(hawser_conn_error(p.conn), -ECONNRESET);
    assert_int_equal(peer_count_syns(&p), 0);
    end(&p);
}

/* Somebody lets each join through, and resets it then. */
static void rescues_that_bring_nothing_are_bounded(void **state)
{
    (void)state;
    struct peer p;
    unsigned syns = 0;
    begin(&p, true);
    uint64_t from_ns = p.now_ns;
    reset(&p);
    while (hawser_conn_error(p.conn) == 0) {
        assert_true(p.now_ns < from_ns + 2 * GRACE);
        if (peer_count_syns(&p)) {
            syns++;
            peer_answer_join(&p);
            reset(&p);
        }
        peer_wait(&p, NS_PER_S / 10);
    }
    assert_in_range(syns, 3, 8);
    assert_int_equal(hawser_conn_error(p.conn), -ETIMEDOUT);
    end(&p);
}

static void an_only_address_is_exchanged(void **state)
{
    (void)state;
    for (int comes = 0; comes < 2; comes++) {
        struct peer p;
        struct hawser_addr own, other;
        begin(&p, true);
        own = p.own;
        own.port = 0;
        assert_int_equal(hawser_addr_parse(&other, "10.0.0.3", 0), 0);
        assert_int_equal(hawser_stack_remove_address(p.stack, &own, p.now_ns), 0);
        peer_drain(&p);
        assert_true(peer_is_open(&p));
        peer_wait(&p, GRACE - NS_PER_S);
        assert_true(peer_is_open(&p));
        if (comes) {
            assert_int_equal(hawser_stack_add_address(p.stack, 0, &other, 24, p.now_ns), 0);
            peer_drain(&p);
            peer_answer_join(&p);
            talk(&p);
        }
        peer_wait(&p, 2 * NS_PER_S);
        assert_int_equal(hawser_conn_error(p.conn), comes ? 0 : -ETIMEDOUT);
        hawser_abort(p.conn);
        peer_drain(&p);
        peer_destroy(&p);
    }
}

/* For as long as the user timeout. */
static void an_only_address_comes_back_late(void **state)
{
    (void)state;
    for (int comes = 0; comes < 2; comes++) {
        struct peer p;
        begin(&p, true);
        struct hawser_addr own = p.own;
        own.port = 0;
        assert_int_equal(hawser_conn_set(p.conn, HAWSER_OPTION_USER_TIMEOUT_NS, 20 * GRACE), 0);
        assert_int_equal(hawser_stack_remove_address(p.stack, &own, p.now_ns), 0);
        peer_wait(&p, 20 * GRACE - NS_PER_S);
        assert_true(peer_is_open(&p));
        if (comes) {
            assert_int_equal(hawser_stack_add_address(p.stack, 0, &own, 24, p.now_ns), 0);
            peer_drain(&p);
            talk(&p);
        }
        peer_wait(&p, 2 * NS_PER_S);
        assert_int_equal(hawser_conn_error(p.conn), comes ? 0 : -ETIMEDOUT);
        hawser_abort(p.conn);
        peer_drain(&p);
        peer_destroy(&p);
    }
}

/* ---- at either end ---- */

static void an_abort_waits_for_nobody(void **state)
{
    (void)state;
    for (int opens = 0; opens < 2; opens++) {
        struct peer p;
        begin(&p, opens);
        reset(&p);
        hawser_abort(p.conn);
        peer_drain(&p);
        assert_int_equal(hawser_stack_deadline(p.stack), HAWSER_NEVER);
        peer_destroy(&p);
    }
}

static void nor_does_one_that_the_peer_aborted(void **state)
{
    (void)state;
    for (int opens = 0; opens < 2; opens++) {
        struct peer p;
        begin(&p, opens);
        struct tcp_options o = {.mp = {.present = 1u << MPTCP_FASTCLOSE}};
        o.mp.fastclose.receiver_key = p.stack_key;
        peer_send(&p, TCP_RST, 1, 0, &o, NULL, 0);
        assert_int_equal(hawser_conn_error(p.conn), -ECONNRESET);
        assert_int_equal(peer_count_syns(&p), 0);
        end(&p);
    }
}

/* As long as there is hope what came out of order is kept, and no longer, though the program may take its time. */
static void disorder_goes_with_the_last_hope(void **state)
{
    (void)state;
    for (int opens = 0; opens < 2; opens++) {
        struct peer p;
        begin(&p, opens);
        assert_int_equal(hawser_buf_pool_new(&p.env.env, 2048, 8, &p.rx), 0);
        static const uint8_t bytes[1000];
        struct tcp_options o = peer_dss(&p, 1, 5000, 1, sizeof bytes);
        peer_send(&p, TCP_ACK, 1, 1, &o, bytes, sizeof bytes);
        peer_forget(&p);
        peer_send(&p, TCP_RST, 1 + sizeof bytes, 0, NULL, NULL, 0);
        assert_true(peer_is_open(&p));
        assert_int_equal(buf_pool_in_use(p.rx), 1);
        if (opens)
            peer_refuse_join(&p);
        else
            peer_wait(&p, GRACE);
        assert_int_equal(hawser_conn_error(p.conn), opens ? -ECONNRESET : -ETIMEDOUT);
        assert_int_equal(buf_pool_in_use(p.rx), 0);
        hawser_buf_pool_close(p.rx);
        end(&p);
    }
}

static void nor_plain_tcp(void **state)
{
    (void)state;
    struct peer p;
    peer_init(&p, NULL, NULL);
    peer_open_plain(&p);
    reset(&p);
    assert_int_equal(hawser_conn_error(p.conn), -ECONNRESET);
    end(&p);
}

/* ---- two stacks ---- */

enum { PORT = 5001, BYTES = 4 << 20 };

/* A middlebox that forgot all connections: what is of none that it saw open it resets, both ways at once. */
static bool is_syn(const uint8_t *packet) { return packet[20 + 13] & TCP_SYN; }

struct amnesia {
    uint16_t known[8];
    unsigned count;
};

/* It has no packets of its own to send: it makes a RST of the first one that passes. */
static bool forget(void *ctx, int to, uint8_t *packet, uint16_t *len)
{
    struct amnesia *box = ctx;
    uint16_t port = get16(packet + 20 + 2 * (to == 0));
    for (unsigned i = 0; i < box->count; i++)
        if (box->known[i] == port)
            return true;
    if (is_syn(packet)) {
        box->known[box->count++] = port;
        return true;
    }
    *len = 40;
    put16(packet + 2, 40);
    packet[20 + 12] = 5 << 4;
    packet[20 + 13] = TCP_RST;
    uint32_t sum = 0;
    put16(packet + 10, 0);
    for (unsigned i = 0; i < 20; i += 2)
        sum += get16(packet + i);
    sum = (sum & 0xffff) + (sum >> 16);
    put16(packet + 10, (uint16_t) ~(sum + (sum >> 16)));
    world_fix_checksum(packet, *len);
    return true;
}

static void all_paths_are_reset_and_the_join_comes_back(void **state)
{
    (void)state;
    static uint8_t bytes[1 << 16];
    struct world w;
    struct hawser_listener *listener;
    struct hawser_conn *conn[2];
    struct amnesia box = {0};
    world_init(&w, 5, 2, 1, false, NULL, NULL);
    for (unsigned i = 0; i < 2; i++) {
        w.paths[i].rate_bps = 20000000;
        w.paths[i].delay_ns = 10 * NS_PER_MS;
        w.paths[i].queue_bytes = 128 * 1024;
    }
    struct hawser_addr server = world_server_addr(&w, 0, PORT), any = {.port = PORT};
    assert_int_equal(hawser_listen(w.stack[1], &any, 4, NULL, &listener), 0);
    assert_int_equal(hawser_connect(w.stack[0], &server, NULL, w.now_ns, &conn[0]), 0);
    while (hawser_accept(listener, &conn[1]) < 0)
        assert_true(world_step(&w, w.now_ns + NS_PER_S));
    size_t sent = 0, taken = 0;
    for (uint64_t until = w.now_ns + 20 * NS_PER_S; taken < BYTES && world_step(&w, until);) {
        ssize_t n = sent < BYTES ? hawser_send(conn[0], bytes, HW_MIN(sizeof bytes, BYTES - sent)) : 0;
        sent += n > 0 ? (size_t)n : 0;
        while ((n = hawser_recv(conn[1], bytes, sizeof bytes)) > 0)
            taken += (size_t)n;
        if (taken > BYTES / 2 && !w.tamper) {
            w.tamper = forget;
            w.tamper_ctx = &box;
        }
    }
    assert_int_equal(taken, BYTES);
    assert_in_range(box.count, 1, 4);
    assert_int_equal(hawser_conn_error(conn[0]), 0);
    assert_int_equal(hawser_conn_error(conn[1]), 0);
    hawser_close(conn[0]);
    hawser_close(conn[1]);
    world_destroy(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_peer_may_come_back),
        cmocka_unit_test(it_is_waited_for_half_a_minute),
        cmocka_unit_test(nobody_waits_when_all_is_delivered_and_the_program_gone),
        cmocka_unit_test(what_is_not_delivered_is_missed_when_the_program_is_gone),
        cmocka_unit_test(the_end_of_the_stream_is_told_again),
        cmocka_unit_test(one_that_is_not_accepted_yet),
        cmocka_unit_test(nobody_flaps_for_ever),
        cmocka_unit_test(what_is_given_up_takes_the_connection_with_it),
        cmocka_unit_test(but_not_one_that_is_being_joined),
        cmocka_unit_test(who_joined_once_may_come_from_elsewhere),
        cmocka_unit_test(each_pair_is_tried_at_once),
        cmocka_unit_test(refused_by_all_it_ends_at_once),
        cmocka_unit_test(likewise_answered_without_mp_join),
        cmocka_unit_test(silence_is_a_timeout),
        cmocka_unit_test(what_the_peer_ends_for_good_is_not_tried),
        cmocka_unit_test(rescues_that_bring_nothing_are_bounded),
        cmocka_unit_test(an_only_address_is_exchanged),
        cmocka_unit_test(an_only_address_comes_back_late),
        cmocka_unit_test(an_abort_waits_for_nobody),
        cmocka_unit_test(nor_does_one_that_the_peer_aborted),
        cmocka_unit_test(nor_plain_tcp),
        cmocka_unit_test(disorder_goes_with_the_last_hope),
        cmocka_unit_test(all_paths_are_reset_and_the_join_comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
