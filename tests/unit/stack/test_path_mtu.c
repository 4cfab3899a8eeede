/* Paths that are narrower than their links: by what routers say, by silence, and upwards again. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "base/units.h"
#include "peer.h"
#include "stack/stack.h"
#include "tcp/internal.h"
#include "wire/bytes.h"

/* Bytes of a packet that are no payload: IPv4 and TCP. */
enum { HEAD = 20 + 20, HEAD_V6 = HEAD + 20, FULL = 1500 - HEAD, RTT_MS = 20 };

static uint8_t bytes[400000];

static struct tcp *tcp_of(struct peer *p)
{
    struct conn *conn = LIST_ENTRY(p->stack->host.connections.next, struct conn, link);
    return &subflow_at(conn->subflows.next)->tcp;
}

/* Plain TCP with SACK, 20 ms a round trip; `v6`: between IPv6 addresses. */
static void open_with(struct peer *p, bool v6, uint16_t mss)
{
    struct tcp_options o = {.present = TCP_OPT_SACK_PERMITTED | TCP_OPT_MSS | TCP_OPT_WSCALE, .wscale = 7, .mss = mss};
    peer_init(p, NULL, NULL);
    if (v6) {
        assert_int_equal(hawser_addr_parse(&p->own, "fd00::1", 0), 0);
        assert_int_equal(hawser_stack_add_address(p->stack, 0, &p->own, 64, p->now_ns), 0);
        p->own.port = PEER_PORT;
        assert_int_equal(hawser_addr_parse(&p->addr, "fd00::2", 4000), 0);
    }
    peer_send(p, TCP_SYN, 0, 0, &o, NULL, 0);
    peer_wait(p, RTT_MS * NS_PER_MS);
    peer_send(p, TCP_ACK, 1, 1, NULL, NULL, 0);
    assert_int_equal(hawser_accept(p->listener, &p->conn), 0);
}

static void open_plain(struct peer *p)
{
    open_with(p, false, 1460);
    assert_int_equal(tcp_of(p)->segment_bytes, FULL);
}

/* So much is under way; the first segment of it. */
static struct peer_segment send_bytes(struct peer *p, uint32_t len)
{
    peer_forget(p);
    assert_int_equal(hawser_send(p->conn, bytes, len), len);
    peer_drain(p);
    assert_true(p->seen_count > 0);
    return p->seen[0];
}

static void too_big(struct peer *p, const struct peer_segment *about, uint32_t mtu)
{
    bool v4 = hawser_addr_is_v4(&about->local);
    struct peer_icmp icmp =
        peer_icmp_about(about, v4 ? 3 : 2, v4 ? 4 : 0, about->len + (v4 ? HEAD : HEAD_V6)); /* full, but for options */
    icmp.rest = mtu;
    peer_forget(p);
    peer_send_icmp(p, &icmp);
    peer_wait(p, RTT_MS * NS_PER_MS / 2); /* what leaves again is paced */
}

static void acknowledge(struct peer *p, uint32_t ack)
{
    peer_forget(p);
    peer_send(p, TCP_ACK, 1, ack, NULL, NULL, 0);
}

/* What is seen covers [from, to) once, in order, in pieces of `size` at most. */
static void expect_cut(const struct peer *p, uint32_t from, uint32_t to, uint32_t size)
{
    uint32_t at = from;
    for (unsigned i = 0; i < p->seen_count; i++) {
        assert_int_equal(p->seen[i].seq, at);
        assert_in_range(p->seen[i].len, 1, size);
        assert_memory_equal(p->seen[i].payload, bytes + (at - 1), p->seen[i].len);
        at += p->seen[i].len;
    }
    assert_int_equal(at, to);
}

/* ---- what routers say ---- */

static void cuts_anew_at_once(void **state)
{
    (void)state;
    static const struct {
        bool v6;
        uint32_t told, mtu;
    } cases[] = {{false, 1400, 1400}, {false, 0, 1492},   {false, 576, 576},
                 {false, 100, 576},   {true, 1280, 1280}, {true, 1420, 1420}};
    for (size_t i = 0; i < HW_ARRAY_LEN(cases); i++) {
        struct peer p;
        open_with(&p, cases[i].v6, 1460);
        const struct tcp *tcp = tcp_of(&p);
        const uint32_t cwnd = tcp->cc.cwnd_bytes, ssthresh = tcp->cc.ssthresh_bytes,
                       head = cases[i].v6 ? HEAD_V6 : HEAD;
        const struct peer_segment first = send_bytes(&p, 6 * (1500 - head));
        too_big(&p, &first, cases[i].told);
        assert_int_equal(tcp->config.path.mtu, cases[i].mtu);
        assert_int_equal(tcp->segment_bytes, cases[i].mtu - head);
        expect_cut(&p, 1, 1 + 6 * (1500 - head), cases[i].mtu - head);
        assert_int_equal(tcp->cc.cwnd_bytes, cwnd); /* RFC 1191 6.4: it is no congestion */
        assert_int_equal(tcp->cc.ssthresh_bytes, ssthresh);
        assert_int_equal(peer_counter(&p, "tcp.icmp_too_big"), 1);
        acknowledge(&p, 1 + 6 * (1500 - head));
        assert_true(tcp->cc.cwnd_bytes >= cwnd);
        assert_int_equal(peer_counter(&p, "tcp.recoveries"), 0);
        peer_destroy(&p);
    }
}

/* Nor where a tail probe asked before the router's word came: RFC 8985 7.4.2 would take it for a loss that was
 * repaired.
 */
static void a_tail_probe_in_between_tells_no_congestion(void **state)
{
    (void)state;
    struct peer p;
    open_plain(&p);
    const struct tcp *tcp = tcp_of(&p);
    const struct peer_segment first = send_bytes(&p, 6 * FULL);
    const uint32_t cwnd = tcp->cc.cwnd_bytes, ssthresh = tcp->cc.ssthresh_bytes;
    peer_forget(&p);
    peer_wait(&p, 3 * RTT_MS * NS_PER_MS);
    assert_int_equal(p.seen_count, 1);
    too_big(&p, &first, 1400);
    acknowledge(&p, 1 + 6 * FULL);
    assert_true(tcp->cc.cwnd_bytes >= cwnd);
    assert_int_equal(tcp->cc.ssthresh_bytes, ssthresh);
    peer_destroy(&p);
}

static void ignores_sizes_that_are_no_news(void **state)
{
    (void)state;
    for (int v6 = 0; v6 < 2; v6++) {
        const uint32_t sizes[] = {1500, 1501, 65535, v6 ? 1279 : 1500, v6 ? 0 : 9000, v6 ? 1 << 20 : 1500};
        struct peer p;
        open_with(&p, v6, 1460);
        const struct peer_segment first = send_bytes(&p, 5000);
        for (size_t i = 0; i < HW_ARRAY_LEN(sizes); i++)
            too_big(&p, &first, sizes[i]);
        assert_int_equal(tcp_of(&p)->config.path.mtu, 1500);
        assert_int_equal(peer_counter(&p, "drop.icmp_bad_mtu"), HW_ARRAY_LEN(sizes));
        assert_int_equal(p.seen_count, 0);
        peer_destroy(&p);
    }
}

/* About each of the segments of one flight comes an error; the first one says it all. */
static void is_told_once(void **state)
{
    (void)state;
    struct peer p;
    open_plain(&p);
    struct peer_segment lost[6];
    send_bytes(&p, 6 * FULL);
    for (unsigned i = 0; i < 6; i++)
        lost[i] = p.seen[i];
    for (unsigned i = 0; i < 6; i++) {
        too_big(&p, &lost[i], 1400);
        assert_true(i == 0 || p.seen_count == 0);
    }
    assert_int_equal(peer_counter(&p, "tcp.icmp_too_big"), 1);
    /* A narrower link behind it. */
    too_big(&p, &lost[0], 1300);
    assert_in_range(p.seen_count, 12, 12); /* of each the larger part, cut again */
    for (unsigned i = 0; i < p.seen_count; i++) {
        assert_int_equal((p.seen[i].seq - 1) / FULL, i / 2);
        assert_int_equal(p.seen[i].len, i % 2 ? 100 : 1300 - HEAD);
    }
    peer_destroy(&p);
}

/* What the peer holds, and what is small enough, does not leave again. */
static void leaves_the_rest_alone(void **state)
{
    (void)state;
    struct peer p;
    open_plain(&p);
    const struct peer_segment first = send_bytes(&p, 3 * FULL);
    acknowledge(&p, 1); /* Nagle is off: a small one behind the large ones */
    assert_int_equal(hawser_send(p.conn, bytes + 3 * FULL, 100), 100);
    peer_drain(&p);
    struct tcp_options o = {.present = TCP_OPT_SACK, .sack_count = 1};
    o.sack[0] = (struct sack_block){seq_at(p.irs + 1 + FULL), seq_at(p.irs + 1 + 2 * FULL)};
    peer_forget(&p);
    peer_send(&p, TCP_ACK, 1, 1, &o, NULL, 0);
    peer_forget(&p);
    tcp_of(&p)->flight->search.passed = 0; /* as if it had come in two halves */
    too_big(&p, &first, 1000);
    for (unsigned i = 0; i < p.seen_count; i++) {
        bool held = p.seen[i].seq >= 1 + FULL && p.seen[i].seq < 1 + 2 * FULL;
        assert_false(held || p.seen[i].seq >= 1 + 3 * FULL);
        assert_in_range(p.seen[i].len, 1, 1000 - HEAD);
    }
    acknowledge(&p, 1 + 3 * FULL + 100);
    assert_int_equal(tcp_of(&p)->snd_una, tcp_of(&p)->snd_nxt);
    peer_destroy(&p);
}

/* RFC 5927 7.2: that such packets arrive is known; who says otherwise is believed when one is not answered. */
static void larger_ones_arrived_a_moment_ago(void **state)
{
    (void)state;
    for (int lost = 0; lost < 2; lost++) {
        struct peer p;
        open_plain(&p);
        send_bytes(&p, 2 * FULL);
        peer_wait(&p, RTT_MS * NS_PER_MS);
        acknowledge(&p, 1 + 2 * FULL);
        const struct peer_segment first = send_bytes(&p, 3 * FULL);
        too_big(&p, &first, 600);
        assert_int_equal(p.seen_count, 0);
        assert_int_equal(tcp_of(&p)->config.path.mtu, 1500);
        if (!lost)
            acknowledge(&p, 1 + 5 * FULL);
        peer_forget(&p);
        peer_wait(&p, 3 * RTT_MS * NS_PER_MS);
        assert_int_equal(peer_counter(&p, "tcp.timeouts"), 0);
        assert_int_equal(tcp_of(&p)->config.path.mtu, lost ? 600 : 1500);
        assert_int_equal(p.seen_count > 0, lost);
        peer_destroy(&p);
    }
}

/* Each step costs the whole flight once more: not more often than steps may be honest ones. */
static void steps_are_rationed(void **state)
{
    (void)state;
    struct peer p;
    open_plain(&p);
    const struct peer_segment first = send_bytes(&p, 6 * FULL);
    for (uint32_t mtu = 1499; mtu > 1499 - 20; mtu--)
        too_big(&p, &first, mtu);
    assert_int_equal(tcp_of(&p)->config.path.mtu, 1500 - TCP_ICMP_ACTS);
    assert_int_equal(peer_counter(&p, "limit.icmp_errors"), 20 - TCP_ICMP_ACTS);
    peer_destroy(&p);
}

/* The peer takes less than the path: what routers say of more is nothing to us. */
static void the_peer_takes_less_anyway(void **state)
{
    (void)state;
    struct peer p;
    open_with(&p, false, 900);
    const struct peer_segment first = send_bytes(&p, 5000);
    too_big(&p, &first, 1000);
    assert_int_equal(p.seen_count, 0);
    assert_int_equal(peer_counter(&p, "drop.icmp_bad_mtu"), 1);
    too_big(&p, &first, 800);
    expect_cut(&p, 1, 1 + 5 * 900, 800 - HEAD); /* the last one was small */
    peer_destroy(&p);
}

/* ---- what is remembered ---- */

static void the_next_connection_knows(void **state)
{
    (void)state;
    struct peer p;
    struct tcp_options o = {.present = TCP_OPT_SACK_PERMITTED | TCP_OPT_MSS, .mss = 1460};
    open_plain(&p);
    const struct peer_segment first = send_bytes(&p, 3 * FULL);
    too_big(&p, &first, 1400);
    hawser_abort(p.conn);
    peer_drain(&p);
    for (int later = 0; later < 2; later++) {
        p.addr.port++;
        peer_forget(&p);
        peer_send(&p, TCP_SYN, 0, 0, &o, NULL, 0);
        assert_int_equal(peer_last(&p, TCP_SYN)->options.mss, 1460); /* RFC 1191 6.4: it says what we take */
        peer_send(&p, TCP_ACK, 1, 1, NULL, NULL, 0);
        assert_int_equal(hawser_accept(p.listener, &p.conn), 0);
        assert_int_equal(send_bytes(&p, 3 * FULL).len, later ? FULL : 1400 - HEAD);
        hawser_abort(p.conn);
        peer_drain(&p);
        peer_wait(&p, PATH_MTU_NS);
    }
    peer_destroy(&p);
}

/* The segment that is longer than others now, or NULL. */
static const struct peer_segment *probe_of(const struct peer *p, uint32_t longer_than)
{
    for (unsigned i = 0; i < p->seen_count; i++)
        if (p->seen[i].len > longer_than)
            return &p->seen[i];
    return NULL;
}

/* ---- by silence ---- */

static void wait_for_timeout(struct peer *p)
{
    const uint64_t before = peer_counter(p, "tcp.timeouts");
    for (unsigned i = 0; i < 100 && peer_counter(p, "tcp.timeouts") == before; i++) {
        peer_forget(p);
        peer_wait(p, 20 * NS_PER_MS);
    }
    assert_int_equal(peer_counter(p, "tcp.timeouts"), before + 1);
}

/* RFC 9438 4.6, of a window of which less than half was under way. */
static uint32_t after_loss(uint32_t cwnd) { return cwnd / 2 * 7 / 10; }

/* Nothing of the first flight is answered: at the first timeout already it may be the size. */
static void smaller_ones_follow_a_timeout(void **state)
{
    (void)state;
    for (int v6 = 0; v6 < 2; v6++) {
        const uint32_t head = v6 ? HEAD_V6 : HEAD;
        struct peer p;
        open_with(&p, v6, 1460);
        send_bytes(&p, 3 * (1500 - head));
        const uint32_t cwnd = tcp_of(&p)->cc.cwnd_bytes;
        wait_for_timeout(&p);
        assert_int_equal(peer_counter(&p, "tcp.black_holes"), 1);
        assert_int_equal(tcp_of(&p)->cc.ssthresh_bytes,
                         after_loss(cwnd)); /* RFC 5681 3.1: nobody said that it was the size */
        assert_int_equal(tcp_of(&p)->config.path.mtu, 1280);
        assert_int_equal(p.seen_count, 1); /* and one segment only, as after any timeout */
        assert_int_equal(p.seen[0].len, 1280 - head);
        for (unsigned i = 0; i < 100; i++) {
            peer_forget(&p);
            peer_wait(&p, 100 * NS_PER_MS);
        }
        assert_int_equal(tcp_of(&p)->config.path.mtu, v6 ? 1280 : 576);
        peer_destroy(&p);
    }
}

/* All that was seen arrives. */
static void deliver(struct peer *p)
{
    uint32_t end = 0;
    for (unsigned k = 0; k < p->seen_count; k++)
        end = HW_MAX(end, p->seen[k].seq + p->seen[k].len);
    peer_wait(p, RTT_MS * NS_PER_MS);
    acknowledge(p, end);
}

/* And what follows from that, until nothing is under way. */
static void deliver_all(struct peer *p)
{
    for (unsigned i = 0; i < 50 && tcp_of(p)->snd_una < tcp_of(p)->snd_nxt; i++)
        deliver(p);
    assert_int_equal(tcp_of(p)->snd_una, tcp_of(p)->snd_nxt);
}

/* The first packet that is larger again tells whether it was: then the window goes back to where it was (RFC 1191 6.4);
 * not when something else was lost, too. */
static void the_first_larger_one_tells(void **state)
{
    (void)state;
    enum { ARRIVES, REFUSED, CONGESTED };
    for (int what = ARRIVES; what <= CONGESTED; what++) {
        struct peer p;
        open_plain(&p);
        const struct tcp *tcp = tcp_of(&p);
        send_bytes(&p, 3 * FULL);
        const uint32_t before = tcp->cc.ssthresh_bytes, after = after_loss(tcp->cc.cwnd_bytes);
        wait_for_timeout(&p);
        assert_int_equal(before, UINT32_MAX);
        deliver_all(&p);
        assert_int_equal(tcp->cc.ssthresh_bytes, after);
        send_bytes(&p, 8 * FULL);
        const struct peer_segment *probe = probe_of(&p, 1280 - HEAD), *last = peer_last(&p, TCP_ACK);
        assert_int_equal(probe->len, FULL);
        struct tcp_options o = {.present = TCP_OPT_SACK, .sack_count = 1};
        const uint32_t end = last->seq + last->len, arrived = what == CONGESTED ? last->seq : probe->seq + probe->len;
        assert_true(arrived < end);
        o.sack[0] = (struct sack_block){seq_at(p.irs + arrived), seq_at(p.irs + end)};
        const uint32_t ack = what == ARRIVES ? end : probe->seq;
        peer_wait(&p, RTT_MS * NS_PER_MS);
        peer_send(&p, TCP_ACK, 1, ack, what == ARRIVES ? NULL : &o, NULL, 0);
        peer_wait(&p, RTT_MS * NS_PER_MS);
        assert_int_equal(tcp->config.path.mtu, what == ARRIVES ? 1500 : 1280);
        if (what == CONGESTED)
            assert_true(tcp->cc.ssthresh_bytes <= after);
        else
            assert_int_equal(tcp->cc.ssthresh_bytes, what == REFUSED ? before : after);
        peer_destroy(&p);
    }
}

/* After a loss of what was small enough there is congestion, whatever the timeout was: one that is seen by what came
 * after it, or repaired by a tail probe. */
static void a_loss_in_between_is_congestion(void **state)
{
    (void)state;
    enum { SMALL = 1280 - HEAD, FIRST = 10 * FULL, POINT = 1 + FIRST, END = POINT + 3 * SMALL };
    for (int tail = 0; tail < 2; tail++) {
        struct peer p;
        open_plain(&p);
        const struct tcp *tcp = tcp_of(&p);
        send_bytes(&p, FIRST);
        wait_for_timeout(&p);
        const uint64_t probes = peer_counter(&p, "tcp.tail_loss_probes");
        assert_int_equal(hawser_send(p.conn, bytes + FIRST, 3 * SMALL), 3 * SMALL);
        for (unsigned i = 0; i < 10 && tcp->snd_nxt < SSN_ORIGIN + END; i++)
            deliver(&p);
        assert_int_equal(tcp->snd_nxt - SSN_ORIGIN,
                         END); /* before all of the first flight has arrived: without a probe */
        assert_true(tcp->snd_una < SSN_ORIGIN + POINT);
        peer_wait(&p, RTT_MS * NS_PER_MS);
        struct tcp_options o = {.present = TCP_OPT_SACK, .sack_count = 1};
        o.sack[0] = (struct sack_block){seq_at(p.irs + POINT + SMALL), seq_at(p.irs + END)};
        peer_forget(&p);
        peer_send(&p, TCP_ACK, 1, tail ? END - 2 * SMALL : POINT, tail ? NULL : &o, NULL, 0);
        peer_wait(&p, (tail ? 4 : 1) * RTT_MS * NS_PER_MS);
        acknowledge(&p, END);
        if (tail) { /* RFC 8985 7.4.2: only what goes beyond the probe tells that it was needed */
            send_bytes(&p, SMALL);
            acknowledge(&p, END + SMALL);
        }
        const uint32_t ssthresh = tcp->cc.ssthresh_bytes;
        assert_int_equal(peer_counter(&p, "tcp.timeouts"), 1);
        assert_int_equal(peer_counter(&p, "tcp.tail_loss_probes"), probes + tail);
        send_bytes(&p, 8 * FULL);
        const struct peer_segment *probe = probe_of(&p, SMALL), *last = peer_last(&p, TCP_ACK);
        o.sack[0] = (struct sack_block){seq_at(p.irs + probe->seq + probe->len), seq_at(p.irs + last->seq + last->len)};
        const uint32_t ack = probe->seq;
        peer_wait(&p, RTT_MS * NS_PER_MS);
        peer_send(&p, TCP_ACK, 1, ack, &o, NULL, 0);
        peer_wait(&p, RTT_MS * NS_PER_MS);
        assert_int_equal(tcp->config.path.mtu, 1280);
        assert_int_equal(tcp->cc.ssthresh_bytes, ssthresh);
        peer_destroy(&p);
    }
}

/* Nor is what a router says at once, but is believed only when the timer expires. */
static void a_timeout_of_which_a_router_spoke_is_no_congestion(void **state)
{
    (void)state;
    struct peer p;
    open_plain(&p);
    send_bytes(&p, 2 * FULL);
    peer_wait(&p, RTT_MS * NS_PER_MS);
    acknowledge(&p, 1 + 2 * FULL);
    const uint32_t ssthresh = tcp_of(&p)->cc.ssthresh_bytes;
    const struct peer_segment first = send_bytes(&p, 3 * FULL);
    peer_wait(&p, 3 * RTT_MS * NS_PER_MS); /* with the tail probe */
    too_big(&p, &first, 600);
    assert_int_equal(tcp_of(&p)->config.path.mtu, 1500);
    wait_for_timeout(&p);
    assert_int_equal(tcp_of(&p)->config.path.mtu, 600);
    assert_int_equal(tcp_of(&p)->cc.ssthresh_bytes, ssthresh);
    assert_int_equal(tcp_of(&p)->cc.cwnd_bytes, 600 - HEAD);
    peer_destroy(&p);
}

/* Where large ones have arrived one timeout tells nothing, nor does one of a small segment. */
static void other_timeouts_tell_nothing(void **state)
{
    (void)state;
    struct peer p;
    open_plain(&p);
    send_bytes(&p, FULL);
    peer_wait(&p, RTT_MS * NS_PER_MS);
    acknowledge(&p, 1 + FULL);
    send_bytes(&p, FULL);
    while (peer_counter(&p, "tcp.timeouts") == 0)
        peer_wait(&p, 20 * NS_PER_MS);
    assert_int_equal(peer_counter(&p, "tcp.black_holes"), 0);
    acknowledge(&p, 1 + 2 * FULL);
    send_bytes(&p, 500);
    for (unsigned i = 0; i < 200; i++) {
        peer_forget(&p);
        peer_wait(&p, 100 * NS_PER_MS);
    }
    assert_true(peer_counter(&p, "tcp.timeouts") > 3);
    assert_int_equal(peer_counter(&p, "tcp.black_holes"), 0);
    assert_int_equal(tcp_of(&p)->config.path.mtu, 1500);
    peer_destroy(&p);
}

/* Who shuts his window has no room for what is under way, whatever its size (RFC 9293 3.8.6): neither then nor at the
 * first timeout after it. */
static void nor_does_a_window_that_is_shut(void **state)
{
    (void)state;
    struct peer p;
    open_plain(&p);
    send_bytes(&p, 3 * FULL);
    const uint16_t window = p.window;
    p.window = 0;
    acknowledge(&p, 1);
    for (unsigned i = 0; i < 40; i++) {
        peer_forget(&p);
        peer_wait(&p, 100 * NS_PER_MS);
    }
    const uint64_t timeouts = peer_counter(&p, "tcp.timeouts");
    assert_true(timeouts > 1);
    p.window = window;
    acknowledge(&p, 1);
    for (unsigned i = 0; i < 100 && peer_counter(&p, "tcp.timeouts") == timeouts; i++) {
        peer_forget(&p);
        peer_wait(&p, 100 * NS_PER_MS);
    }
    assert_int_equal(peer_counter(&p, "tcp.timeouts"), timeouts + 1);
    assert_int_equal(peer_counter(&p, "tcp.black_holes"), 0);
    assert_int_equal(tcp_of(&p)->config.path.mtu, 1500);
    peer_destroy(&p);
}

/* ---- upwards ---- */

/* The path has been too narrow for a while. */
static uint32_t wait_for_raise(struct peer *p)
{
    const struct peer_segment first = send_bytes(p, 3 * FULL);
    too_big(p, &first, 1300);
    acknowledge(p, 1 + 3 * FULL);
    peer_wait(p, (PATH_MTU_RAISE_MIN + 1) * 60 * NS_PER_S);
    send_bytes(p, 100); /* something is under way again */
    peer_wait(p, RTT_MS * NS_PER_MS);
    acknowledge(p, 1 + 3 * FULL + 100);
    return 1 + 3 * FULL + 100;
}

static void a_larger_one_is_tried_after_a_while(void **state)
{
    (void)state;
    struct peer p;
    open_plain(&p);
    const uint32_t at = wait_for_raise(&p);
    send_bytes(&p, 8 * FULL);
    const struct peer_segment *probe = probe_of(&p, 1300 - HEAD);
    assert_non_null(probe);
    assert_int_equal(probe->len, FULL);
    for (unsigned i = 0; i < p.seen_count; i++) /* one */
        assert_true(&p.seen[i] == probe || p.seen[i].len <= 1300 - HEAD);
    assert_int_equal(peer_counter(&p, "tcp.mtu_probes"), 1);
    peer_wait(&p, RTT_MS * NS_PER_MS);
    acknowledge(&p, at + 8 * FULL);
    assert_int_equal(tcp_of(&p)->config.path.mtu, 1500);
    assert_int_equal(tcp_of(&p)->segment_bytes, FULL);
    assert_int_equal(send_bytes(&p, 3 * FULL).len, FULL);
    assert_int_equal(peer_counter(&p, "tcp.mtu_probes"), 1);
    assert_int_equal(path_mtus_find(&p.stack->host.tcp.path_mtus, &p.own, &p.addr, p.now_ns), 0);
    peer_destroy(&p);
}

/* RFC 4821 7.5: a probe that is lost is no sign of congestion. It leaves again in two halves, and so on. */
static void a_larger_one_may_be_lost(void **state)
{
    (void)state;
    struct peer p;
    open_plain(&p);
    (void)wait_for_raise(&p);
    const struct tcp *tcp = tcp_of(&p);
    send_bytes(&p, 8 * FULL);
    const struct peer_segment probe = *probe_of(&p, 1300 - HEAD), last = p.seen[p.seen_count - 1];
    const uint32_t ssthresh = tcp->cc.ssthresh_bytes, end = last.seq + last.len;
    peer_wait(&p, RTT_MS * NS_PER_MS);
    struct tcp_options o = {.present = TCP_OPT_SACK, .sack_count = 1};
    o.sack[0] = (struct sack_block){seq_at(p.irs + probe.seq + probe.len), seq_at(p.irs + end)};
    peer_forget(&p);
    peer_send(&p, TCP_ACK, 1, probe.seq, &o, NULL, 0);
    peer_wait(&p, RTT_MS * NS_PER_MS);
    assert_in_range(p.seen_count, 2, 8);
    assert_int_equal(p.seen[0].seq, probe.seq);
    assert_int_equal(p.seen[0].len, 1300 - HEAD);
    assert_int_equal(p.seen[1].seq, probe.seq + 1300 - HEAD);
    assert_int_equal(p.seen[1].len, FULL - (1300 - HEAD));
    assert_int_equal(peer_counter(&p, "tcp.recoveries"), 0);
    assert_int_equal(tcp->cc.ssthresh_bytes, ssthresh);
    acknowledge(&p, end);
    assert_int_equal(tcp->cc.ssthresh_bytes, ssthresh);
    assert_int_equal(tcp->config.path.mtu, 1300);
    /* The search goes on in the middle, a second later. */
    uint32_t at = end;
    for (unsigned i = 0; i < 60; i++) {
        send_bytes(&p, 100);
        assert_null(probe_of(&p, 1300 - HEAD));
        peer_wait(&p, RTT_MS * NS_PER_MS);
        acknowledge(&p, at += 100);
    }
    send_bytes(&p, 8 * FULL);
    assert_non_null(probe_of(&p, 1300 - HEAD));
    assert_int_equal(probe_of(&p, 1300 - HEAD)->len, 1400 - HEAD);
    peer_destroy(&p);
}

/* A router that says what it would have been makes it short. */
static void a_larger_one_may_be_refused(void **state)
{
    (void)state;
    struct peer p;
    open_plain(&p);
    const uint32_t at = wait_for_raise(&p);
    send_bytes(&p, 8 * FULL);
    const struct peer_segment probe = *probe_of(&p, 1300 - HEAD);
    too_big(&p, &probe, 1450);
    assert_true(p.seen_count >= 2);
    assert_int_equal(p.seen[0].seq, probe.seq);
    assert_int_equal(p.seen[0].len, 1300 - HEAD);
    assert_int_equal(tcp_of(&p)->config.path.mtu, 1300);
    peer_wait(&p, RTT_MS * NS_PER_MS);
    acknowledge(&p, at + 8 * FULL);
    send_bytes(&p, 8 * FULL);
    assert_int_equal(probe_of(&p, 1300 - HEAD)->len, 1450 - HEAD);
    peer_wait(&p, RTT_MS * NS_PER_MS);
    acknowledge(&p, at + 16 * FULL);
    assert_int_equal(tcp_of(&p)->config.path.mtu, 1450);
    send_bytes(&p, 8 * FULL);
    assert_null(probe_of(&p, 1450 - HEAD));
    peer_destroy(&p);
}

int main(void)
{
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 7 + (i >> 8));
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cuts_anew_at_once),
        cmocka_unit_test(a_tail_probe_in_between_tells_no_congestion),
        cmocka_unit_test(ignores_sizes_that_are_no_news),
        cmocka_unit_test(is_told_once),
        cmocka_unit_test(leaves_the_rest_alone),
        cmocka_unit_test(larger_ones_arrived_a_moment_ago),
        cmocka_unit_test(steps_are_rationed),
        cmocka_unit_test(the_peer_takes_less_anyway),
        cmocka_unit_test(the_next_connection_knows),
        cmocka_unit_test(smaller_ones_follow_a_timeout),
        cmocka_unit_test(the_first_larger_one_tells),
        cmocka_unit_test(a_loss_in_between_is_congestion),
        cmocka_unit_test(a_timeout_of_which_a_router_spoke_is_no_congestion),
        cmocka_unit_test(other_timeouts_tell_nothing),
        cmocka_unit_test(nor_does_a_window_that_is_shut),
        cmocka_unit_test(a_larger_one_is_tried_after_a_while),
        cmocka_unit_test(a_larger_one_may_be_lost),
        cmocka_unit_test(a_larger_one_may_be_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
