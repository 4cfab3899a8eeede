/* The window: what was promised, how it follows memory and the round trip, and what a peer does at one that is shut. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/units.h"
#include "peer.h"
#include "stack/stack.h"

enum { LEN = 1000, LIMIT = 4000000, OTHERS = 20 };
static uint8_t bytes[200000];

/* A host with little memory, of which others may hold more than half. */
struct pressure {
    struct peer p;
    uint64_t hoarded;
    unsigned shift;
};

/* Plain TCP with window scaling. */
static void open_scaled(struct pressure *t, uint16_t port)
{
    struct tcp_options o = {.present = TCP_OPT_WSCALE | TCP_OPT_MSS, .mss = PEER_PAYLOAD_MAX};
    peer_forget(&t->p);
    t->p.addr.port = port;
    peer_send(&t->p, TCP_SYN, 0, 0, &o, NULL, 0);
    t->shift = peer_last(&t->p, TCP_SYN)->options.wscale;
    peer_send(&t->p, TCP_ACK, 1, 1, NULL, NULL, 0);
    assert_int_equal(hawser_accept(t->p.listener, &t->p.conn), 0);
}

static void begin(struct pressure *t)
{
    struct hawser_stack_options options = {.size = sizeof options, .max_memory_bytes = 4000000};
    struct hawser_conn_options listening = {.size = sizeof listening, .recv_buffer_bytes = LIMIT};
    t->hoarded = 0;
    peer_init(&t->p, &options, &listening);
    open_scaled(t, 4000);
    struct hawser_conn *conn = t->p.conn;
    uint32_t irs = t->p.irs;
    for (uint16_t i = 1; i <= OTHERS; i++)
        open_scaled(t, (uint16_t)(4000 + i));
    t->p.addr.port = 4000;
    t->p.conn = conn;
    t->p.irs = irs;
}

static void hoard(struct pressure *t)
{
    t->hoarded = 2000000;
    account_charge(&t->p.stack->host.memory.account, t->hoarded);
}

static void relieve(struct pressure *t)
{
    account_release(&t->p.stack->host.memory.account, t->hoarded);
    t->hoarded = 0;
}

static void end(struct pressure *t)
{
    relieve(t);
    peer_destroy(&t->p);
}

static uint32_t window(const struct pressure *t) { return (uint32_t)peer_last(&t->p, TCP_ACK)->window << t->shift; }

/* What the stack says to a question (RFC 9293 3.8.6.1). Answers are rationed by the second. */
static uint32_t window_asked(struct pressure *t, uint32_t next)
{
    peer_wait(&t->p, NS_PER_S);
    peer_forget(&t->p);
    peer_send(&t->p, TCP_ACK, next - 1, 1, NULL, NULL, 0);
    return window(t);
}

/* Sends what the window lets through, to a program that does not read; returns the next number. */
static uint32_t fill_window(struct pressure *t, uint32_t next)
{
    for (uint32_t left; (left = window_asked(t, next)) > 0;) {
        uint32_t len = left < LEN ? left : LEN;
        peer_send(&t->p, TCP_ACK, next, 1, NULL, bytes, len);
        next += len;
    }
    return next;
}

/* The program reads what comes, `pause_ns` after each segment; returns the window that is offered in the end. */
static uint32_t read_along(struct pressure *t, uint32_t segments, uint64_t pause_ns)
{
    static uint8_t got[LEN];
    uint32_t next = 1;
    for (uint32_t i = 0; i < segments; i++, next += LEN) {
        peer_forget(&t->p);
        peer_send(&t->p, TCP_ACK, next, 1, NULL, bytes, LEN);
        assert_int_equal(hawser_recv(t->p.conn, got, sizeof got), LEN);
        peer_wait(&t->p, pause_ns);
    }
    return window_asked(t, next);
}

/* A window is a promise: it begins small and grows to what a fast program makes use of, in steps, and no further than
 * the limit; for a slow one it stays. */
static void the_window_follows_the_program(void **state)
{
    (void)state;
    struct pressure t;
    begin(&t);
    assert_in_range(window_asked(&t, 1), 60000, DATA_RX_WINDOW_FIRST);
    assert_in_range(read_along(&t, 40, 0), 2 * DATA_RX_WINDOW_FIRST - LEN, 8 * DATA_RX_WINDOW_FIRST);
    end(&t);
    begin(&t);
    assert_in_range(read_along(&t, 3000, 0), LIMIT - 2 * LEN, LIMIT);
    end(&t);
    begin(&t);
    assert_in_range(read_along(&t, 300, 20 * NS_PER_MS), 60000, DATA_RX_WINDOW_FIRST);
    end(&t);
}

static void no_window_grows_under_pressure(void **state)
{
    (void)state;
    struct pressure t;
    begin(&t);
    hoard(&t);
    assert_in_range(read_along(&t, 3000, 0), DATA_RX_WINDOW_MIN, DATA_RX_WINDOW_FIRST);
    end(&t);
}

static void the_window_opens_when_memory_is_back(void **state)
{
    (void)state;
    static uint8_t got[200000];
    struct pressure t;
    begin(&t);
    hoard(&t);
    uint32_t next = fill_window(&t, 1);
    assert_in_range(next, 60000, 65536); /* as promised at first */
    assert_int_equal(hawser_recv(t.p.conn, got, 20000), 20000);
    assert_int_equal(window_asked(&t, next), 0);
    relieve(&t);
    window_asked(&t, next); /* the question tells the stack as well */
    assert_in_range(window_asked(&t, next), 19000, 20100);
    end(&t);
}

/* RFC 9293 3.10.7.4: a peer that probed with a byte counts it as sent, and its acknowledgements begin behind it. */
static void acknowledges_behind_a_probe(void **state)
{
    (void)state;
    struct hawser_conn_info info = {.size = sizeof info};
    struct pressure t;
    begin(&t);
    hoard(&t);
    uint32_t next = fill_window(&t, 1);
    assert_int_equal(hawser_send(t.p.conn, bytes, 5000), 5000);
    peer_drain(&t.p);
    peer_send(&t.p, TCP_ACK, next, 1, NULL, bytes, 1);
    peer_send(&t.p, TCP_ACK, next + 1, 5001, NULL, NULL, 0);
    assert_int_equal(hawser_conn_get_info(t.p.conn, &info), 0);
    assert_int_equal(info.acked_bytes, 5000);
    end(&t);
}

/* A peer that took its window back and threw away what was under way: when it opens, the doubled timeouts are over. */
static void goes_on_when_the_window_opens(void **state)
{
    (void)state;
    struct peer p;
    peer_init(&p, NULL, NULL);
    peer_open_plain(&p);
    assert_int_equal(hawser_send(p.conn, bytes, sizeof bytes), sizeof bytes);
    peer_drain(&p);
    uint32_t una = p.seen[0].len + 1;
    p.window = 0;
    for (int i = 0; i < 600; i++) {
        peer_send(&p, TCP_ACK, 1, una, NULL, NULL, 0);
        peer_forget(&p);
        peer_wait(&p, NS_PER_S);
    }
    p.window = 0xffff;
    peer_send(&p, TCP_ACK, 1, una, NULL, NULL, 0);
    peer_wait(&p, NS_PER_S);
    assert_true(p.seen_count > 0);
    assert_int_equal(p.seen[0].seq, una);
    peer_destroy(&p);
}

/* A peer that has asked for long asks rarely: one word that is lost is no wait for its next question. Of who goes on,
 * and of small openings, nothing is said twice. */
static void that_a_window_is_open_is_said_again(void **state)
{
    (void)state;
    static uint8_t got[200000];
    enum { NOTHING, GOES_ON, ENDS, WAYS };
    for (unsigned way = NOTHING; way < WAYS; way++) {
        struct pressure t;
        begin(&t);
        uint32_t next = fill_window(&t, 1);
        peer_wait(&t.p, NS_PER_S);
        peer_forget(&t.p);
        assert_int_equal(hawser_recv(t.p.conn, got, sizeof got), next - 1);
        peer_drain(&t.p);
        assert_int_equal(t.p.seen_count, 1);
        assert_in_range(window(&t), 60000, 66000);
        peer_forget(&t.p);
        if (way != NOTHING)
            peer_send(&t.p, way == ENDS ? TCP_ACK | TCP_FIN : TCP_ACK, next, 1, NULL, bytes, way == ENDS ? 0 : LEN);
        peer_wait(&t.p, 30 * NS_PER_S);
        assert_int_equal(t.p.seen_count, way == NOTHING ? 3 : 1);
        assert_in_range(window(&t), 60000, 66000);
        end(&t);
    }
}

/* RFC 9293 3.8.6.2.2 */
static void no_little_step_of_a_shut_window_is_told(void **state)
{
    (void)state;
    struct pressure t;
    begin(&t);
    uint32_t next = fill_window(&t, 1);
    peer_wait(&t.p, NS_PER_S);
    peer_forget(&t.p);
    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal(hawser_recv(t.p.conn, bytes, 100), 100);
        peer_drain(&t.p);
    }
    assert_int_equal(t.p.seen_count, 0);
    assert_int_equal(hawser_recv(t.p.conn, bytes, sizeof bytes), next - 1 - 10000);
    peer_drain(&t.p);
    assert_int_equal(t.p.seen_count, 1);
    end(&t);
}

/* Whoever comes when others hold most of it is promised little, and may use all of that. */
static void a_synack_promises_what_there_is(void **state)
{
    (void)state;
    struct pressure t;
    begin(&t);
    open_scaled(&t, 5000);
    assert_int_equal(peer_last(&t.p, TCP_SYN)->window, UINT16_MAX);
    hoard(&t);
    open_scaled(&t, 5001);
    uint32_t promised = peer_last(&t.p, TCP_SYN)->window, at = 1;
    assert_int_equal(promised, DATA_RX_WINDOW_MIN);
    for (; at + LEN <= promised + 1; at += LEN)
        peer_send(&t.p, TCP_ACK, at, 1, NULL, bytes, LEN);
    peer_wait(&t.p, NS_PER_S);
    assert_int_equal(hawser_recv(t.p.conn, bytes, sizeof bytes), at - 1);
    end(&t);
}

/* RFC 9293 3.8.3, RFC 8684 3.3.2: the window is open, all of it is acknowledged on the subflow, and each question is
 * answered; but the stream does not get on. */
static void an_acknowledgement_of_the_subflow_is_no_progress(void **state)
{
    (void)state;
    struct peer p;
    peer_init(&p, NULL, NULL);
    p.timestamps = true; /* by which it shows that it heard the question */
    peer_open_mptcp(&p);
    assert_int_equal(hawser_send(p.conn, bytes, 1000), 1000);
    peer_drain(&p);
    uint64_t begun_ns = p.now_ns;
    while (hawser_conn_error(p.conn) == 0 && p.now_ns - begun_ns < 1000 * NS_PER_S) {
        const struct tcp_options o = peer_dss(&p, 1, 0, 0, 0);
        p.ts_ecr = p.seen_count ? peer_last(&p, 0)->options.ts_val : p.ts_ecr;
        peer_forget(&p);
        peer_send(&p, TCP_ACK, 1, 1001, &o, NULL, 0);
        peer_wait(&p, NS_PER_S / 2);
    }
    assert_int_equal(hawser_conn_error(p.conn), -ETIMEDOUT);
    assert_in_range((p.now_ns - begun_ns) / NS_PER_S, 100, 200);
    peer_destroy(&p);
}

/* The end of a stream takes a number (RFC 9293 3.4, RFC 8684 3.3.3), but no room. */
static void an_end_at_a_window_that_is_shut(void **state)
{
    (void)state;
    const struct hawser_conn_options small = {.size = sizeof small, .recv_buffer_bytes = 3 * PEER_PAYLOAD_MAX};
    for (int mptcp = 0; mptcp < 2; mptcp++) {
        struct peer p;
        uint32_t at = 1;
        peer_init(&p, NULL, &small);
        if (mptcp)
            peer_open_mptcp(&p);
        else
            peer_open_plain(&p);
        for (; !peer_last(&p, TCP_ACK) || peer_last(&p, TCP_ACK)->window; at += PEER_PAYLOAD_MAX) {
            const struct tcp_options o = peer_dss(&p, 1, at, at, PEER_PAYLOAD_MAX);
            peer_send(&p, TCP_ACK, at, 1, mptcp ? &o : NULL, bytes, PEER_PAYLOAD_MAX);
        }
        struct tcp_options end = peer_dss(&p, 1, at, 0, 1);
        end.mp.dss.data_fin = true;
        peer_send(&p, mptcp ? TCP_ACK : TCP_FIN | TCP_ACK, at, 1, mptcp ? &end : NULL, NULL, 0);
        assert_true(hawser_conn_ready(p.conn) & HAWSER_PEER_FINISHED);
        assert_int_equal(hawser_recv(p.conn, bytes, sizeof bytes), at - 1);
        assert_int_equal(hawser_recv(p.conn, bytes, sizeof bytes), 0);
        peer_destroy(&p);
    }
}

/* ---- the round trip of a handshake ---- */

enum { RTT_MS = 250, PIECE = 1400, BACKLOG = 4 /* of peer_init() */ };

/* A peer 250 ms away asks, and is answered: by a cookie, or twice, as the first SYN/ACK is lost. So many milliseconds
 * before the clock of our timestamps wraps, or, 0, at some time. The last SYN/ACK. */
static struct peer_segment ask(struct peer *p, bool by_cookie, uint32_t before_wrap)
{
    const struct tcp_options o = {.present = TCP_OPT_MSS, .mss = PEER_PAYLOAD_MAX};
    peer_init(p, NULL, NULL);
    p->timestamps = true;
    if (before_wrap) {
        peer_send(p, TCP_SYN, 0, 0, &o, NULL, 0);
        const uint32_t offset = peer_last(p, TCP_SYN)->options.ts_val - (uint32_t)(p->now_ns / NS_PER_MS);
        peer_destroy(p);
        peer_init(p, NULL, NULL);
        p->timestamps = true;
        p->now_ns += NS_PER_MS * (uint32_t)(0 - before_wrap - offset - (uint32_t)(p->now_ns / NS_PER_MS));
    }
    for (uint16_t i = 0; by_cookie && i < BACKLOG; i++) {
        p->addr.port = (uint16_t)(30000 + i);
        peer_send(p, TCP_SYN, 0, 0, &o, NULL, 0);
    }
    p->addr.port = 4000;
    peer_forget(p);
    peer_send(p, TCP_SYN, 0, 0, &o, NULL, 0);
    if (!by_cookie)
        peer_wait(p, NS_PER_S);
    assert_int_equal(p->seen_count, by_cookie ? 1 : 2);
    assert_int_equal(peer_counter(p, "tcp.syn_cookies_sent"), by_cookie);
    return *peer_last(p, TCP_SYN | TCP_ACK);
}

static uint64_t srtt_after(struct peer *p, uint32_t echo)
{
    p->ts_ecr = echo;
    peer_wait(p, RTT_MS * NS_PER_MS);
    peer_send(p, TCP_ACK, 1, 1, NULL, NULL, 0);
    assert_int_equal(hawser_accept(p->listener, &p->conn), 0);
    struct conn *conn = LIST_ENTRY(p->stack->host.connections.next, struct conn, link);
    return subflow_at(conn->subflows.next)->tcp.rtt.srtt_ns;
}

/* A quarter of the first window, of 64 KiB, and a bit. */
static void upload(struct peer *p, uint32_t from)
{
    for (uint32_t at = from; at < from + 12 * PIECE; at += PIECE)
        peer_send(p, TCP_ACK, at, 1, NULL, bytes, PIECE);
    assert_int_equal(hawser_recv(p->conn, bytes, sizeof bytes), 12 * PIECE);
    peer_drain(p);
    peer_forget(p);
}

/* RFC 7323 4.1: known by the echo, from the third packet on; and so the window grows as what arrives does. */
static void the_echo_tells_the_round_trip(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        const bool by_cookie = i % 2;
        struct peer p;
        const struct peer_segment synack = ask(&p, by_cookie, i < 2 ? 0 : by_cookie ? 100 : 1100);
        if (i >= 2)
            assert_int_equal(synack.options.ts_val, UINT32_MAX - 99);
        assert_int_equal(srtt_after(&p, synack.options.ts_val), RTT_MS * NS_PER_MS);
        const struct data_rx *rx = &LIST_ENTRY(p.stack->host.connections.next, struct conn, link)->data_rx;
        const uint32_t limit = data_rx_limit(rx);
        for (uint32_t k = 0; k < 3; k++) {
            upload(&p, 1 + k * 12 * PIECE);
            peer_wait(&p, 60 * NS_PER_MS);
        }
        assert_int_equal(data_rx_limit(rx), 2 * limit);
        peer_destroy(&p);
    }
}

/* What cannot be is no round trip: it has not been said yet, or so long ago that the third packet was lost. */
static void an_echo_may_be_nonsense(void **state)
{
    (void)state;
    static const struct {
        uint32_t later, rtt_ms; /* than the SYN/ACK; 0: not known */
    } rows[] = {{RTT_MS, 1},       {RTT_MS + 1, 0}, {RTT_MS - 3000, 3000}, {RTT_MS - 3001, 0},
                {UINT32_MAX, 251}, {0x80000000, 0}, {0x7fffffff, 0}};
    for (size_t i = 0; i < 2 * HW_ARRAY_LEN(rows); i++) {
        struct peer p;
        const struct peer_segment synack = ask(&p, i % 2, 0);
        assert_int_equal(srtt_after(&p, synack.options.ts_val + rows[i / 2].later), rows[i / 2].rtt_ms * NS_PER_MS);
        peer_destroy(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_window_follows_the_program),
        cmocka_unit_test(no_window_grows_under_pressure),
        cmocka_unit_test(the_window_opens_when_memory_is_back),
        cmocka_unit_test(acknowledges_behind_a_probe),
        cmocka_unit_test(goes_on_when_the_window_opens),
        cmocka_unit_test(that_a_window_is_open_is_said_again),
        cmocka_unit_test(no_little_step_of_a_shut_window_is_told),
        cmocka_unit_test(a_synack_promises_what_there_is),
        cmocka_unit_test(an_acknowledgement_of_the_subflow_is_no_progress),
        cmocka_unit_test(an_end_at_a_window_that_is_shut),
        cmocka_unit_test(the_echo_tells_the_round_trip),
        cmocka_unit_test(an_echo_may_be_nonsense),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
