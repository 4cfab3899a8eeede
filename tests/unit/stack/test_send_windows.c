/* The windows that the peer offers: which one counts (RFC 9293 3.10.7.4), and who asks where one is shut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/units.h"
#include "mptcp/conn.h"
#include "peer.h"
#include "wire/ip.h"
#include "world.h"

enum { LEN = 5000, AHEAD = 20000, PORT = 5001 };

static uint8_t bytes[1 << 16];

/* ---- a peer by hand, which never moves from where it is but to acknowledge ---- */

struct dialogue {
    struct peer p;
    bool mptcp;
    uint32_t ssn; /* the peer's next byte */
    uint32_t got; /* the next byte that it awaits */
};

static void begin(struct dialogue *d, bool mptcp, bool timestamps)
{
    *d = (struct dialogue){.mptcp = mptcp, .ssn = 1, .got = 1};
    peer_init(&d->p, NULL, NULL);
    d->p.timestamps = timestamps;
    if (mptcp)
        peer_open_mptcp(&d->p);
    else
        peer_open_plain(&d->p);
}

static void end(struct dialogue *d)
{
    hawser_abort(d->p.conn);
    peer_drain(&d->p);
    peer_destroy(&d->p);
}

/* The first byte of its stream lies on the first of the subflow. */
static void say(struct dialogue *d, uint32_t ahead, uint16_t window, uint32_t len)
{
    const struct tcp_options o = peer_dss(&d->p, d->got, d->ssn + ahead, d->ssn + ahead, (uint16_t)len);
    d->p.window = window;
    peer_send(&d->p, TCP_ACK, d->ssn + ahead, d->got, d->mptcp ? &o : NULL, bytes, len);
}

/* It answers whatever comes, with the same window each time, until it has all or a minute is over. */
static void answer(struct dialogue *d, uint16_t window, uint32_t until)
{
    struct peer *p = &d->p;
    for (uint64_t end_ns = p->now_ns + 60 * NS_PER_S; d->got < until && p->now_ns < end_ns;) {
        unsigned n = p->seen_count;
        for (unsigned i = 0; i < n; i++)
            if (p->seen[i].seq == d->got)
                d->got += p->seen[i].len;
        peer_forget(p);
        if (n)
            say(d, 0, window, 0);
        if (p->seen_count == 0)
            peer_wait(p, 50 * NS_PER_MS);
    }
}

static uint64_t acknowledged(const struct dialogue *d)
{
    struct hawser_conn_info info = {.size = sizeof info};
    assert_int_equal(hawser_conn_get_info(d->p.conn, &info), 0);
    return info.acked_bytes;
}

static void send_some(struct dialogue *d)
{
    assert_int_equal(hawser_send(d->p.conn, bytes, LEN), LEN);
    peer_drain(&d->p);
}

/* Somebody on the path says, as from further ahead than the peer is, that there is no room; what the peer itself says
 * then has older numbers, for ever. */
static void none_forged_ahead_of_the_stream_outlasts_what_the_peer_says(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < 32; kind++) {
        struct dialogue d;
        begin(&d, kind & 1, kind & 2);
        bool in_flight = kind & 4;
        if (in_flight)
            send_some(&d);
        say(&d, AHEAD, kind & 8 ? 1 : 0, kind & 16 ? 100 : 0);
        if (!in_flight)
            send_some(&d);
        uint64_t from_ns = d.p.now_ns;
        answer(&d, UINT16_MAX, 1 + LEN);
        assert_int_equal(acknowledged(&d), LEN);
        assert_in_range(d.p.now_ns - from_ns, 0, 5 * NS_PER_S);
        end(&d);
    }
}

/* Likewise one that says that there is room where there is none: the peer answers, and so it is not gone. */
static void nor_does_one_that_invents_room(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < 6; kind++) {
        struct dialogue d;
        bool mptcp = kind % 3 == 2, much = kind % 3 == 1; /* a whole stream's edge never moves back (RFC 8684 3.3.5) */
        begin(&d, mptcp, kind > 2);
        say(&d, 0, 0, 0);
        say(&d, AHEAD, much ? 60000 : 1, 0);
        send_some(&d);
        for (unsigned minute = 0; minute < 10; minute++) {
            uint64_t end_ns = d.p.now_ns + 60 * NS_PER_S;
            for (unsigned n; d.p.now_ns < end_ns; peer_wait(&d.p, 50 * NS_PER_MS)) {
                n = d.p.seen_count;
                peer_forget(&d.p);
                if (n)
                    say(&d, 0, 0, 0);
            }
        }
        assert_true(peer_is_open(&d.p));
        say(&d, 0, UINT16_MAX, 0);
        answer(&d, UINT16_MAX, 1 + LEN);
        assert_int_equal(acknowledged(&d), LEN);
        end(&d);
    }
}

/* Of two that acknowledge the same, the one that was overtaken is old; one that acknowledges more is not. */
static void nor_does_one_that_was_overtaken_count(void **state)
{
    (void)state;
    for (int mptcp = 0; mptcp < 2; mptcp++) {
        struct dialogue d;
        begin(&d, mptcp, false);
        say(&d, 100, 3000, 100);
        say(&d, 0, 0, 100);
        peer_forget(&d.p);
        send_some(&d);
        uint32_t left = 0;
        for (unsigned i = 0; i < d.p.seen_count; i++)
            left += d.p.seen[i].len;
        assert_in_range(left, 2000, 3000);
        d.got += left;
        peer_forget(&d.p);
        say(&d, 50, 600, 200);
        assert_in_range(d.p.seen[0].len, 400, 600);
        assert_int_equal(d.p.seen[0].seq, d.got);
        end(&d);
    }
}

/* ---- two stacks, with two paths ---- */

struct two_paths {
    struct world w;
    struct hawser_listener *listener;
    struct hawser_conn *conn[2];
    bool deaf; /* what the server says on the second path is lost */
};

static bool lose_answers(void *ctx, int to, uint8_t *packet, uint16_t *len)
{
    const struct two_paths *t = ctx;
    (void)len;
    return !(t->deaf && to == 0 && packet[18] == 1);
}

static void meet(struct two_paths *t)
{
    struct hawser_addr any = {.port = PORT};
    memset(t, 0, sizeof *t);
    world_init(&t->w, 3, 2, 1, false, NULL, NULL);
    for (unsigned i = 0; i < 2; i++) {
        t->w.paths[i].rate_bps = 20000000;
        t->w.paths[i].queue_bytes = 64 * 1024;
    }
    t->w.tamper = lose_answers;
    t->w.tamper_ctx = t;
    struct hawser_addr server = world_server_addr(&t->w, 0, PORT);
    assert_int_equal(hawser_listen(t->w.stack[1], &any, 4, NULL, &t->listener), 0);
    assert_int_equal(hawser_connect(t->w.stack[0], &server, NULL, t->w.now_ns, &t->conn[0]), 0);
    while (hawser_accept(t->listener, &t->conn[1]) < 0)
        assert_true(world_step(&t->w, t->w.now_ns + NS_PER_S));
}

/* The client sends what it can, for so long, to a server that reads or does not; returns the bytes of the second path.
 */
static uint64_t pass(struct two_paths *t, bool sends, bool reads, uint64_t for_ns)
{
    uint64_t before = t->w.paths[1].delivered_bytes[0], until_ns = t->w.now_ns + for_ns;
    do {
        while (sends && hawser_send(t->conn[0], bytes, sizeof bytes) > 0)
            continue;
        while (reads && hawser_recv(t->conn[1], bytes, sizeof bytes) > 0)
            continue;
    } while (world_step(&t->w, until_ns));
    return t->w.paths[1].delivered_bytes[0] - before;
}

static void part(struct two_paths *t)
{
    for (unsigned i = 0; i < 2; i++)
        hawser_abort(t->conn[i]);
    pass(t, false, false, NS_PER_S);
    world_destroy(&t->w);
}

static void forge_on_the_join(struct two_paths *t, uint16_t window)
{
    uint8_t packet[20 + TCP_HEADER_LEN] = {0};
    struct list *subflows = &((struct conn *)t->conn[0])->subflows;
    LIST_EACH (it, subflows) {
        const struct tcp *tcp = &subflow_at(it)->tcp;
        if (!subflow_at(it)->join)
            continue;
        const struct tcp_config *c = &tcp->config;
        struct tcp_header h = {.src_port = c->remote.port,
                               .dst_port = c->local.port,
                               .seq = seq_at(tcp->irs + (uint32_t)tcp->rx.next + AHEAD),
                               .ack = seq_at(c->iss + (uint32_t)tcp->snd_una),
                               .flags = TCP_ACK,
                               .header_len = TCP_HEADER_LEN,
                               .window = window};
        ip_emit(packet, &c->remote, &c->local, 0, TCP_HEADER_LEN);
        tcp_header_emit(packet + 20, &h);
    }
    struct hawser_rx rx = {.data = packet, .len = sizeof packet, .flags = HAWSER_RX_CSUM_OK};
    hawser_stack_input(t->w.stack[0], 0, &rx, 1, t->w.now_ns);
}

/* A subflow whose window is shut is asked for itself, however busy others are. */
static void a_window_forged_on_a_join(void **state)
{
    (void)state;
    for (uint16_t window = 0; window < 2; window++) {
        struct two_paths t;
        meet(&t);
        pass(&t, true, true, NS_PER_S);
        pass(&t, false, true, NS_PER_S);
        forge_on_the_join(&t, window);
        assert_in_range(pass(&t, true, true, 5 * NS_PER_S), 5000000, 15000000);
        part(&t);
    }
}

static void an_update_that_is_lost_on_one_of_two(void **state)
{
    (void)state;
    struct two_paths t;
    meet(&t);
    pass(&t, true, false, 5 * NS_PER_S);
    t.deaf = true;
    pass(&t, true, true, 100 * NS_PER_MS);
    t.deaf = false;
    assert_in_range(pass(&t, true, true, 5 * NS_PER_S), 5000000, 15000000);
    part(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(none_forged_ahead_of_the_stream_outlasts_what_the_peer_says),
        cmocka_unit_test(nor_does_one_that_invents_room),
        cmocka_unit_test(nor_does_one_that_was_overtaken_count),
        cmocka_unit_test(a_window_forged_on_a_join),
        cmocka_unit_test(an_update_that_is_lost_on_one_of_two),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
