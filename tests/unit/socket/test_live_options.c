/* What can be changed of a live connection, and what that does. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/units.h"
#include "peer.h"
#include "stack/stack.h"

enum { SEGMENT = 1460 };
static uint8_t bytes[200000];

/* Times are whole milliseconds. */
static uint64_t kept(enum hawser_option option, uint64_t value)
{
    bool time = option == HAWSER_OPTION_KEEPALIVE_IDLE_NS || option == HAWSER_OPTION_KEEPALIVE_INTERVAL_NS ||
                option == HAWSER_OPTION_USER_TIMEOUT_NS;
    return time && value < UINT64_MAX ? (value + NS_PER_MS - 1) / NS_PER_MS * NS_PER_MS : value;
}

static void set(struct peer *p, enum hawser_option option, uint64_t value)
{
    uint64_t is;
    assert_int_equal(hawser_conn_set(p->conn, option, value), 0);
    assert_int_equal(hawser_conn_get(p->conn, option, &is), 0);
    assert_int_equal(is, kept(option, value));
}

static uint64_t get(const struct peer *p, enum hawser_option option)
{
    uint64_t is;
    assert_int_equal(hawser_conn_get(p->conn, option, &is), 0);
    return is;
}

/* What of the connection is told now. */
static uint32_t told(struct peer *p)
{
    struct hawser_event event;
    return hawser_next_event(p->stack, &event) && event.conn == p->conn ? event.what : 0;
}

static uint32_t sent_bytes(const struct peer *p)
{
    struct hawser_conn_info info = {.size = sizeof info};
    assert_int_equal(hawser_conn_get_info(p->conn, &info), 0);
    return (uint32_t)info.sent_bytes;
}

/* They begin as the options said, or their defaults; what cannot be is refused and changes nothing. */
static void only_what_can_be(void **state)
{
    (void)state;
    static const struct {
        enum hawser_option option;
        uint64_t begins, least, most;
    } all[] = {
        {HAWSER_OPTION_SEND_BUFFER_BYTES, 4 << 20, 1, HAWSER_BUFFER_MAX},
        {HAWSER_OPTION_RECV_BUFFER_BYTES, 6 << 20, 1, HAWSER_BUFFER_MAX},
        {HAWSER_OPTION_SEND_LOW_WATER_BYTES, 0, 0, HAWSER_BUFFER_MAX},
        {HAWSER_OPTION_NAGLE, 1, 0, 1},
        {HAWSER_OPTION_KEEPALIVE_IDLE_NS, 7 * NS_PER_S, 0, UINT64_MAX},
        {HAWSER_OPTION_KEEPALIVE_INTERVAL_NS, 75 * NS_PER_S, 1, UINT64_MAX},
        {HAWSER_OPTION_KEEPALIVE_TRIES, 9, 1, INT32_MAX},
        {HAWSER_OPTION_USER_TIMEOUT_NS, 0, 0, UINT64_MAX},
        {HAWSER_OPTION_ASKED, 0, 0, 1},
        {HAWSER_OPTION_ADVERTISED_USER_TIMEOUT_NS, 0, 0, 32767 * 60 * NS_PER_S},
    };
    struct hawser_conn_options options = {.size = sizeof options, .nagle = true, .keepalive_idle_ns = 7 * NS_PER_S};
    struct peer p;
    uint64_t unused;
    peer_init(&p, NULL, &options);
    peer_open_plain(&p);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        assert_int_equal(get(&p, all[i].option), all[i].begins);
        if (all[i].least)
            assert_int_equal(hawser_conn_set(p.conn, all[i].option, all[i].least - 1), -EINVAL);
        if (all[i].most < UINT64_MAX)
            assert_int_equal(hawser_conn_set(p.conn, all[i].option, all[i].most + 1), -EINVAL);
        assert_int_equal(get(&p, all[i].option), all[i].begins);
        set(&p, all[i].option, all[i].least);
        set(&p, all[i].option, all[i].most);
    }
    assert_int_equal(hawser_conn_set(p.conn, (enum hawser_option)99, 1), -EINVAL);
    assert_int_equal(hawser_conn_get(p.conn, (enum hawser_option)99, &unused), -EINVAL);
    peer_destroy(&p);
}

/* Before the handshake, and after the end: no error, whether or not it still matters. */
static void at_any_time(void **state)
{
    (void)state;
    struct peer p;
    peer_init(&p, NULL, NULL);
    peer_connect(&p, true);
    set(&p, HAWSER_OPTION_SEND_BUFFER_BYTES, 1000);
    set(&p, HAWSER_OPTION_KEEPALIVE_IDLE_NS, NS_PER_S);
    peer_drain(&p);
    peer_send(&p, TCP_SYN | TCP_ACK, 0, 1, NULL, NULL, 0);
    assert_int_equal(hawser_send(p.conn, bytes, sizeof bytes), 1000);
    peer_drain(&p);
    hawser_shutdown(p.conn);
    set(&p, HAWSER_OPTION_SEND_BUFFER_BYTES, 2000);
    peer_drain(&p);
    peer_send(&p, TCP_ACK | TCP_RST, 1, 1, NULL, NULL, 0);
    assert_int_equal(hawser_conn_error(p.conn), -ECONNRESET);
    set(&p, HAWSER_OPTION_NAGLE, 1);
    set(&p, HAWSER_OPTION_KEEPALIVE_IDLE_NS, 1);
    peer_wait(&p, NS_PER_S);
    hawser_close(p.conn);
    peer_destroy(&p);
}

/* More room at once; less of it loses nothing of what is queued. */
static void the_send_buffer(void **state)
{
    (void)state;
    struct hawser_conn_options options = {.size = sizeof options, .send_buffer_bytes = 5000};
    struct peer p;
    peer_init(&p, NULL, &options);
    p.window = 60000;
    peer_open_plain(&p);
    assert_int_equal(hawser_send(p.conn, bytes, sizeof bytes), 5000);
    assert_int_equal(hawser_send(p.conn, bytes, 1), -EAGAIN);
    set(&p, HAWSER_OPTION_SEND_BUFFER_BYTES, 12000);
    assert_true(hawser_conn_ready(p.conn) & HAWSER_WRITABLE);
    assert_int_equal(hawser_send(p.conn, bytes + 5000, sizeof bytes), 7000);
    set(&p, HAWSER_OPTION_SEND_BUFFER_BYTES, 3000);
    assert_false(hawser_conn_ready(p.conn) & HAWSER_WRITABLE);
    assert_false(told(&p) & HAWSER_WRITABLE);
    for (uint32_t acked = 1; acked < 12001; acked = sent_bytes(&p) + 1) {
        peer_drain(&p);
        peer_forget(&p);
        peer_send(&p, TCP_ACK, 1, sent_bytes(&p) + 1, NULL, NULL, 0);
    }
    assert_int_equal(sent_bytes(&p), 12000);
    peer_send(&p, TCP_ACK, 1, 12001, NULL, NULL, 0);
    assert_true(told(&p) & HAWSER_WRITABLE); /* though no send was refused since */
    assert_int_equal(hawser_send(p.conn, bytes, sizeof bytes), 3000);
    peer_destroy(&p);
}

/* The window follows, but what was promised is kept, however little room there is said to be now. */
static void the_receive_buffer(void **state)
{
    (void)state;
    struct peer p;
    peer_init(&p, NULL, NULL);
    peer_open_plain(&p);
    set(&p, HAWSER_OPTION_RECV_BUFFER_BYTES, 4000);
    uint32_t at = 1;
    for (; at + SEGMENT < 60000; at += SEGMENT) { /* within the first window */
        peer_forget(&p);
        peer_send(&p, TCP_ACK, at, 1, NULL, bytes + at, SEGMENT);
        peer_wait(&p, NS_PER_S);
        assert_int_equal(peer_last(&p, TCP_ACK)->ack, at + SEGMENT);
    }
    static uint8_t got[sizeof bytes];
    assert_int_equal(hawser_recv(p.conn, got, sizeof got), at - 1);
    assert_memory_equal(got, bytes + 1, at - 1);
    peer_forget(&p);
    peer_send(&p, TCP_ACK, at, 1, NULL, bytes, 100);
    peer_wait(&p, NS_PER_S);
    assert_true(peer_last(&p, TCP_ACK)->window < 10000);
    assert_int_equal(hawser_recv(p.conn, got, sizeof got), 100);
    at += 100;
    set(&p, HAWSER_OPTION_RECV_BUFFER_BYTES, 1 << 20);
    for (unsigned i = 0; i < 400; i++, at += SEGMENT) { /* it grows as the program reads */
        peer_forget(&p);
        peer_send(&p, TCP_ACK | TCP_PSH, at, 1, NULL, bytes, SEGMENT);
        assert_int_equal(hawser_recv(p.conn, got, sizeof got), SEGMENT);
        peer_drain(&p);
    }
    assert_true(peer_last(&p, TCP_ACK)->window > 60000); /* without window scaling there is no more */
    peer_destroy(&p);
}

/* A peer that has been silent for longer than is now allowed is asked at once; and not any more when that is over. */
static void keepalive(void **state)
{
    (void)state;
    struct peer p;
    peer_init(&p, NULL, NULL);
    peer_open_plain(&p);
    peer_wait(&p, 100 * NS_PER_S);
    assert_int_equal(peer_counter(&p, "tcp.keepalive_probes"), 0);
    set(&p, HAWSER_OPTION_KEEPALIVE_IDLE_NS, 30 * NS_PER_S);
    peer_drain(&p);
    assert_true(hawser_stack_deadline(p.stack) > p.now_ns);
    peer_wait(&p, NS_PER_S);
    assert_int_equal(peer_counter(&p, "tcp.keepalive_probes"), 1);
    peer_send(&p, TCP_ACK, 1, 1, NULL, NULL, 0);
    peer_wait(&p, 29 * NS_PER_S);
    assert_int_equal(peer_counter(&p, "tcp.keepalive_probes"), 1);
    set(&p, HAWSER_OPTION_KEEPALIVE_IDLE_NS, 0);
    peer_wait(&p, 100 * NS_PER_S);
    assert_int_equal(peer_counter(&p, "tcp.keepalive_probes"), 1);
    assert_int_equal(hawser_stack_deadline(p.stack), HAWSER_NEVER);
    set(&p, HAWSER_OPTION_KEEPALIVE_INTERVAL_NS, NS_PER_S);
    set(&p, HAWSER_OPTION_KEEPALIVE_TRIES, 3);
    set(&p, HAWSER_OPTION_KEEPALIVE_IDLE_NS, 30 * NS_PER_S);
    peer_wait(&p, 2500 * NS_PER_MS);
    assert_int_equal(peer_counter(&p, "tcp.keepalive_probes"), 4);
    assert_int_equal(hawser_conn_error(p.conn), 0);
    peer_wait(&p, NS_PER_S);
    assert_int_equal(hawser_conn_error(p.conn), -ETIMEDOUT);
    hawser_close(p.conn);
    peer_destroy(&p);
}

/* RFC 9293 3.7.4: little is sent at once when nothing is outstanding; then no more until that is acknowledged, or a
 * full segment has come together, or the end. */
static void nagle(void **state)
{
    (void)state;
    for (unsigned plain = 0; plain < 2; plain++) {
        struct peer p;
        peer_init(&p, NULL, NULL);
        p.window = 60000;
        if (plain)
            peer_open_plain(&p);
        else
            peer_open_mptcp(&p);
        set(&p, HAWSER_OPTION_NAGLE, 1);
        for (unsigned i = 0; i < 10; i++) {
            assert_int_equal(hawser_send(p.conn, bytes, 10), 10);
            peer_drain(&p);
        }
        assert_int_equal(sent_bytes(&p), 10);
        peer_wait(&p, NS_PER_MS);
        assert_int_equal(sent_bytes(&p), 10);
        struct tcp_options dss = peer_dss(&p, 11, 0, 0, 0);
        peer_send(&p, TCP_ACK, 1, 11, plain ? NULL : &dss, NULL, 0);
        assert_int_equal(sent_bytes(&p), 100);
        assert_int_equal(hawser_send(p.conn, bytes, 2 * SEGMENT), 2 * SEGMENT);
        peer_drain(&p);
        assert_in_range(sent_bytes(&p), 100 + SEGMENT, 100 + 2 * SEGMENT - (plain ? 0 : 1)); /* as many as are full */
        uint32_t before = sent_bytes(&p);
        assert_int_equal(hawser_send(p.conn, bytes, 10), 10);
        peer_drain(&p);
        assert_int_equal(sent_bytes(&p), before);
        set(&p, HAWSER_OPTION_NAGLE, 0);
        peer_drain(&p);
        assert_int_equal(sent_bytes(&p), 110 + 2 * SEGMENT);
        set(&p, HAWSER_OPTION_NAGLE, 1);
        assert_int_equal(hawser_send(p.conn, bytes, 10), 10);
        peer_drain(&p);
        assert_int_equal(sent_bytes(&p), 110 + 2 * SEGMENT);
        hawser_shutdown(p.conn);
        peer_drain(&p);
        assert_int_equal(sent_bytes(&p), 120 + 2 * SEGMENT);
        peer_destroy(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_can_be),   cmocka_unit_test(at_any_time), cmocka_unit_test(the_send_buffer),
        cmocka_unit_test(the_receive_buffer), cmocka_unit_test(keepalive),   cmocka_unit_test(nagle),
    };
    prng_fill(&(struct prng){{1, 2, 3, 4}}, bytes, sizeof bytes);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
