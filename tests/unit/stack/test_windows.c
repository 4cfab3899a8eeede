/* The window: what was promised, how it follows memory, and what a peer does at one that is shut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/units.h"
#include "peer.h"
#include "stack/stack.h"

enum { LEN = 1000, BUFFERS = 1000, LIMIT = 4000000 };
static uint8_t bytes[200000];

/* A host with little memory, and a link of which more than half is taken. */
struct pressure {
    struct peer p;
    struct hawser_buf *held[BUFFERS];
    unsigned held_count, shift;
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
    struct hawser_stack_options options = {.size = sizeof options, .max_memory_bytes = 400000};
    struct hawser_conn_options listening = {.size = sizeof listening, .recv_buffer_bytes = LIMIT};
    t->held_count = 0;
    peer_init(&t->p, &options, &listening);
    open_scaled(t, 4000);
    t->p.rx = hawser_buf_pool_new(&t->p.env.env, 256 * 1024, BUFFERS);
}

static void hoard(struct pressure *t, unsigned upto)
{
    while (t->held_count < upto && (t->held[t->held_count] = hawser_buf_new(t->p.rx)))
        t->held_count++;
}

static void relieve(struct pressure *t)
{
    while (t->held_count)
        hawser_buf_unref(t->held[--t->held_count]);
}

static void end(struct pressure *t)
{
    relieve(t);
    hawser_buf_pool_close(t->p.rx);
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

/* RFC 9293 3.8.6: what is promised is what was said. The field of a SYN says less than the limit. */
static void only_what_was_said_is_promised(void **state)
{
    (void)state;
    struct pressure t;
    begin(&t);
    hoard(&t, BUFFERS / 2 + 1);
    peer_send(&t.p, TCP_ACK, 1, 1, NULL, bytes, LEN);
    assert_true(window_asked(&t, 1 + LEN) < 200000);
    end(&t);
}

static void the_window_opens_when_memory_is_back(void **state)
{
    (void)state;
    struct pressure t;
    begin(&t);
    hoard(&t, BUFFERS / 2 + 1);
    uint32_t next = fill_window(&t, 1);
    assert_true(next < 200000);
    relieve(&t);
    window_asked(&t, next); /* the question tells the stack as well */
    assert_true(window_asked(&t, next) > LIMIT / 2);
    end(&t);
}

/* Another connection's bytes that were copied say nothing of the link; nor is an empty link a sign of plenty. */
static void pressure_stays(void **state)
{
    (void)state;
    for (int empty = 0; empty < 2; empty++) {
        struct pressure t;
        begin(&t);
        uint32_t irs = t.p.irs;
        open_scaled(&t, 4001);
        uint32_t other = t.p.irs;
        hoard(&t, BUFFERS / 2 + 1);
        t.p.addr.port = 4000;
        t.p.irs = irs;
        uint32_t next = fill_window(&t, 1);
        if (empty)
            hoard(&t, BUFFERS);
        t.p.addr.port = 4001;
        t.p.irs = other;
        peer_send(&t.p, TCP_ACK, 1, 1, NULL, bytes, 5);
        t.p.addr.port = 4000;
        t.p.irs = irs;
        assert_int_equal(window_asked(&t, next), 0);
        end(&t);
    }
}

/* RFC 9293 3.10.7.4: a peer that probed with a byte counts it as sent, and its acknowledgements begin behind it. */
static void acknowledges_behind_a_probe(void **state)
{
    (void)state;
    struct hawser_conn_info info;
    struct pressure t;
    begin(&t);
    hoard(&t, BUFFERS / 2 + 1);
    uint32_t next = fill_window(&t, 1);
    assert_int_equal(hawser_send(t.p.conn, bytes, 5000), 5000);
    peer_drain(&t.p);
    peer_send(&t.p, TCP_ACK, next, 1, NULL, bytes, 1);
    peer_send(&t.p, TCP_ACK, next + 1, 5001, NULL, NULL, 0);
    hawser_conn_info(t.p.conn, &info);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_was_said_is_promised),
        cmocka_unit_test(the_window_opens_when_memory_is_back),
        cmocka_unit_test(pressure_stays),
        cmocka_unit_test(acknowledges_behind_a_probe),
        cmocka_unit_test(goes_on_when_the_window_opens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
