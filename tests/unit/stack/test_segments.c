/* One segment at a time: what RFC 9293 and RFC 8684 say a host answers, and that what is wrong changes nothing. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/units.h"
#include "lines.h"
#include "wire/checksum.h"
#include "wire/keys.h"

/* RFC 9293 3.10.7.3, first; 3.5.1, figure 8: our port still belongs to an old connection of the peer's. The RST ends
 * that, and the next SYN opens the new one. */
static void answers_a_wrong_ack_to_its_syn_with_a_reset(void **state)
{
    (void)state;
    struct peer p;
    peer_init(&p, NULL, NULL);
    peer_connect(&p, true);
    peer_forget(&p);
    peer_send(&p, TCP_ACK, 5000, 777, NULL, NULL, 0); /* the challenge of RFC 5961 4.2 */
    const struct peer_segment *reset = peer_last(&p, TCP_RST);
    assert_non_null(reset);
    assert_int_equal(reset->seq, 777);
    assert_false(reset->flags & TCP_ACK);
    assert_int_equal(hawser_conn_error(p.conn), 0);
    peer_forget(&p);
    peer_send(&p, TCP_RST | TCP_ACK, 5000, 777, NULL, NULL, 0);
    assert_int_equal(p.seen_count, 0);
    peer_wait(&p, 2 * NS_PER_S);
    assert_non_null(peer_last(&p, TCP_SYN));
    peer_send(&p, TCP_SYN | TCP_ACK, 0, 1, NULL, NULL, 0);
    assert_true(hawser_conn_ready(p.conn) & HAWSER_CONNECTED);
    peer_destroy(&p);
}

/* A header that says it is shorter than any, or longer than the packet. */
static void headers_that_cannot_be(void **state)
{
    (void)state;
    struct peer p;
    uint8_t bytes[PEER_PACKET_MAX];
    peer_init(&p, NULL, NULL);
    struct hawser_rx rx = {.data = bytes, .flags = HAWSER_RX_CSUM_OK};
    rx.len = (uint32_t)peer_packet(&p, bytes, TCP_SYN, 0, 0, NULL, NULL, 0);
    bytes[0] = 0x44;
    hawser_stack_input(p.stack, 0, &rx, 1, p.now_ns);
    peer_drain(&p);
    assert_int_equal(peer_counter(&p, "drop.ip_bad_header"), 1);
    bytes[0] = 0x4f;
    hawser_stack_input(p.stack, 0, &rx, 1, p.now_ns);
    peer_drain(&p);
    assert_int_equal(peer_counter(&p, "ip.packets_in"), 2);
    assert_int_equal(p.seen_count, 0);
    peer_destroy(&p);
}

/* RFC 9293 3.5, figure 7 (MUST-10): two SYNs that cross make one connection. MPTCP does not survive it, for neither key
 * was in a SYN. */
static void simultaneous_open(void **state)
{
    (void)state;
    for (int plain = 0; plain < 2; plain++) {
        struct peer p;
        peer_init(&p, NULL, NULL);
        peer_connect(&p, plain);
        peer_forget(&p);
        struct tcp_options o = {.mp.capable = {.version = MPTCP_VERSION, .algorithms = 1}};
        if (!plain)
            o.mp.present = 1u << MPTCP_CAPABLE;
        peer_send(&p, TCP_SYN, 0, 0, &o, NULL, 0);
        const struct peer_segment *synack = peer_last(&p, TCP_SYN | TCP_ACK);
        assert_non_null(synack);
        assert_int_equal(synack->seq, 0);
        assert_int_equal(synack->ack, 1);
        assert_false(mptcp_has(&synack->options.mp, MPTCP_CAPABLE));
        assert_false(hawser_conn_ready(p.conn) & HAWSER_CONNECTED);
        peer_send(&p, TCP_SYN | TCP_ACK, 0, 1, NULL, NULL, 0);
        assert_true(hawser_conn_ready(p.conn) & HAWSER_CONNECTED);
        peer_send(&p, TCP_ACK | TCP_PSH, 1, 1, NULL, "hello", 5);
        char bytes[8];
        assert_int_equal(hawser_recv(p.conn, bytes, sizeof bytes), 5);
        assert_int_equal(hawser_send(p.conn, bytes, 3), 3);
        peer_drain(&p);
        const struct peer_segment *data = peer_last(&p, TCP_PSH);
        assert_int_equal(data->seq, 1);
        assert_int_equal(data->ack, 6);
        assert_int_equal(data->len, 3);
        peer_destroy(&p);
    }
}

/* RFC 9293 3.8.6.2.2 (MUST-39): a window that opened by a sliver is not worth telling. */
static void window_does_not_open_by_slivers(void **state)
{
    (void)state;
    struct peer p;
    struct hawser_conn_options options = {.size = sizeof options, .recv_buffer_bytes = 14000};
    static const uint8_t bytes[1400];
    uint8_t sink[2000];
    peer_init(&p, NULL, &options);
    peer_open_plain(&p);
    for (uint32_t at = 0; at < 14000; at += 1400)
        peer_send(&p, TCP_ACK, 1 + at, 1, NULL, bytes, 1400);
    peer_wait(&p, NS_PER_S);
    assert_int_equal(peer_last(&p, TCP_ACK)->ack, 14001);
    assert_int_equal(peer_last(&p, TCP_ACK)->window, 0);
    static const struct {
        uint32_t read;
        uint16_t window;
    } steps[] = {{1, 0}, {500, 0}, {2000, 2501}};
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(hawser_recv(p.conn, sink, steps[i].read), steps[i].read);
        peer_forget(&p);
        peer_send(&p, TCP_ACK, 14000, 1, NULL, NULL, 0); /* a probe */
        assert_non_null(peer_last(&p, TCP_ACK));
        assert_int_equal(peer_last(&p, TCP_ACK)->window, steps[i].window);
    }
    peer_destroy(&p);
}

/* RFC 9293 3.10.4: a connection that was never open is simply forgotten. */
static void closed_before_it_was_open(void **state)
{
    (void)state;
    struct peer p;
    peer_init(&p, NULL, NULL);
    peer_connect(&p, false);
    hawser_close(p.conn);
    peer_forget(&p);
    peer_wait(&p, 10 * NS_PER_S);
    assert_int_equal(p.seen_count, 0);
    assert_int_equal(hawser_stack_deadline(p.stack), HAWSER_NEVER);
    peer_send(&p, TCP_SYN | TCP_ACK, 0, 1, NULL, NULL, 0);
    assert_non_null(peer_last(&p, TCP_RST));
    peer_destroy(&p);
}

/* ---- losses that were none ---- */

#define FULL 1420u

/* A plain connection with SACK, and five segments of it under way. */
static void send_five(struct peer *p, bool timestamps)
{
    static const uint8_t bytes[5 * FULL];
    struct tcp_options o = {.present = TCP_OPT_SACK_PERMITTED | TCP_OPT_MSS};
    o.mss = (uint16_t)(FULL + (timestamps ? 12 : 0)); /* so that every segment has as many bytes */
    peer_init(p, NULL, NULL);
    p->timestamps = timestamps;
    peer_send(p, TCP_SYN, 0, 0, &o, NULL, 0);
    peer_wait(p, 20 * NS_PER_MS);
    p->ts_ecr = peer_last(p, TCP_SYN)->options.ts_val;
    peer_send(p, TCP_ACK, 1, 1, NULL, NULL, 0);
    assert_int_equal(hawser_accept(p->listener, &p->conn), 0);
    assert_int_equal(hawser_send(p->conn, bytes, sizeof bytes), sizeof bytes);
    peer_forget(p);
    peer_drain(p);
    assert_int_equal(p->seen_count, 5);
}

static struct hawser_subflow_info subflow_of(const struct peer *p)
{
    struct hawser_subflow_info info = {.size = sizeof info};
    assert_int_equal(hawser_subflow_get_info(p->conn, 0, &info), 0);
    return info;
}

static uint32_t window_of(const struct peer *p) { return subflow_of(p).cwnd_bytes; }

static uint64_t spurious_of(const struct peer *p) { return peer_counter(p, "tcp.spurious_recoveries"); }

/* RFC 3522, RFC 4015: the path held its breath longer than the timeout. The echo of the first transmission tells; the
 * window comes back and the rest is not sent again. */
static void spurious_timeout_by_echo(void **state)
{
    (void)state;
    for (int lost = 0; lost < 2; lost++) {
        struct peer p;
        send_five(&p, true);
        uint32_t window = window_of(&p), first_ts = p.seen[0].options.ts_val;
        while (window_of(&p) == window)
            peer_wait(&p, 10 * NS_PER_MS);
        const struct peer_segment *again = &p.seen[p.seen_count - 1];
        assert_int_equal(again->seq, 1);
        p.ts_ecr = lost ? again->options.ts_val : first_ts;
        peer_forget(&p);
        peer_send(&p, TCP_ACK, 1, 1 + FULL, NULL, NULL, 0);
        assert_int_equal(spurious_of(&p), !lost);
        if (lost) {
            assert_true(window_of(&p) < window);
            assert_non_null(peer_last(&p, TCP_ACK));
            assert_int_equal(p.seen[0].seq, 1 + FULL);
        } else {
            assert_true(window_of(&p) >= window);
            assert_int_equal(p.seen_count, 0);
            peer_send(&p, TCP_ACK, 1, 1 + 5 * FULL, NULL, NULL, 0);
            assert_int_equal(p.seen_count, 0);
        }
        peer_destroy(&p);
    }
}

static void acknowledge(struct peer *p, uint32_t ack, uint32_t start, uint32_t end)
{
    struct tcp_options o = {.present = TCP_OPT_SACK, .sack_count = 1};
    o.sack[0] = (struct sack_block){seq_at(p->irs + start), seq_at(p->irs + end)};
    peer_send(p, TCP_ACK, 1, ack, &o, NULL, 0);
}

/* RFC 2883, RFC 3708: the first segment came last. The retransmission is reported as a duplicate, so nothing was lost.
 */
static void spurious_recovery_by_dsack(void **state)
{
    (void)state;
    for (int lost = 0; lost < 2; lost++) {
        struct peer p;
        send_five(&p, false);
        uint32_t window = window_of(&p);
        peer_wait(&p, 20 * NS_PER_MS);
        peer_forget(&p);
        acknowledge(&p, 1, 1 + FULL, 1 + 5 * FULL);
        peer_wait(&p, 5 * NS_PER_MS);
        assert_int_equal(p.seen_count, 1);
        assert_int_equal(p.seen[0].seq, 1);
        peer_send(&p, TCP_ACK, 1, 1 + 5 * FULL, NULL, NULL, 0);
        assert_true(window_of(&p) < window);
        peer_wait(&p, 20 * NS_PER_MS);
        if (!lost)
            acknowledge(&p, 1 + 5 * FULL, 1, 1 + FULL);
        assert_int_equal(spurious_of(&p), !lost);
        assert_int_equal(window_of(&p) >= window, !lost);
        peer_destroy(&p);
    }
}

/* RFC 6298 3: for three seconds no acknowledgement comes, though segments arrive. The one that tells in the end says
 * nothing of a round trip, neither by what it acknowledges nor by its echo, which is that of what arrived before. The
 * timeout allows for it until more is known. */
static void an_outage_is_no_round_trip(void **state)
{
    (void)state;
    for (int way = 0; way < 3; way++) { /* with timestamps; and without, a hole at the front, and then all at once */
        struct peer p;
        send_five(&p, way == 0);
        const uint64_t rtt_ns = subflow_of(&p).srtt_ns;
        assert_in_range(rtt_ns, 19 * NS_PER_MS, 21 * NS_PER_MS);
        p.ts_ecr = p.seen[4].options.ts_val;
        peer_wait(&p, 3 * NS_PER_S);
        assert_int_equal(p.seen[p.seen_count - 1].seq, 1);
        if (way == 1)
            acknowledge(&p, 1, 1 + FULL, 1 + 5 * FULL);
        else
            acknowledge(&p, 1 + 5 * FULL, 1, 1 + FULL);
        const struct hawser_subflow_info after = subflow_of(&p);
        assert_int_equal(after.srtt_ns, rtt_ns);
        assert_int_equal(after.min_rtt_ns, rtt_ns);
        if (way < 2) /* else nothing is known at all */
            assert_true(after.rttvar_ns > NS_PER_S / 2);
        peer_destroy(&p);
    }
}

/* But a path that has become slow is believed: what is sent from then on is waited for. */
static void a_slow_path_is_learned(void **state)
{
    (void)state;
    for (int timestamps = 0; timestamps < 2; timestamps++) {
        struct peer p;
        send_five(&p, timestamps);
        uint32_t acked = 1 + 5 * FULL, repeats = 0, first_ts = p.seen[4].options.ts_val;
        for (unsigned round = 0; round < 10; round++) {
            peer_forget(&p);
            peer_wait(&p, NS_PER_S);
            repeats = p.seen_count;
            p.ts_ecr = first_ts;
            peer_send(&p, TCP_ACK, 1, acked, NULL, NULL, 0);
            peer_wait(&p, 20 * NS_PER_MS);
            peer_forget(&p);
            assert_int_equal(hawser_send(p.conn, "x", 1), 1);
            peer_drain(&p);
            assert_int_equal(p.seen_count, 1);
            first_ts = p.seen[0].options.ts_val;
            acked++;
        }
        if (timestamps) {
            assert_int_equal(repeats, 0);
            assert_true(subflow_of(&p).srtt_ns > NS_PER_S / 2);
        }
        peer_destroy(&p);
    }
}

/* RFC 8684 3.5: MP_FASTCLOSE says that the rest of the data is of no use. At the end of both streams there is none: a
 * peer that leaves its subflow open is told no more than that. */
static void no_fastclose_after_the_end(void **state)
{
    (void)state;
    struct peer p;
    peer_init(&p, NULL, NULL);
    peer_open_mptcp(&p);
    hawser_shutdown(p.conn);
    peer_drain(&p);
    struct tcp_options o = peer_dss(&p, 2, 1, 0, 1); /* acknowledges the DATA_FIN, and is one */
    o.mp.dss.data_fin = true;
    peer_send(&p, TCP_ACK, 1, 1, &o, NULL, 0);
    assert_non_null(peer_last(&p, TCP_FIN));
    o = peer_dss(&p, 2, 0, 0, 0);
    peer_send(&p, TCP_ACK, 1, 2, &o, NULL, 0);
    peer_wait(&p, 20 * NS_PER_S);
    const struct peer_segment *rst = peer_last(&p, TCP_RST);
    assert_non_null(rst);
    assert_false(mptcp_has(&rst->options.mp, MPTCP_FASTCLOSE));
    assert_int_equal(hawser_conn_error(p.conn), 0);
    peer_destroy(&p);
}

/* RFC 9293 3.10.7.4: a RST is not answered by one, whatever it carries. */
static void a_reset_is_not_answered(void **state)
{
    (void)state;
    for (int way = 0; way < 2; way++) {
        struct peer p;
        peer_init(&p, NULL, NULL);
        peer_open_mptcp(&p);
        struct tcp_options o = {.mp = {.present = 1u << MPTCP_FASTCLOSE, .fastclose.receiver_key = p.stack_key}};
        if (way == 1) { /* a mapping that is not as negotiated */
            o = peer_dss(&p, 1, 1, 1, 5);
            o.mp.dss.has_checksum = true;
        }
        peer_forget(&p);
        peer_send(&p, TCP_RST, 1, 0, &o, NULL, 0);
        peer_wait(&p, NS_PER_S);
        assert_true(hawser_conn_error(p.conn) < 0);
        assert_int_equal(p.seen_count, 0);
        peer_destroy(&p);
    }
}

/* The only other subflow never came to be, and the first one has said its FIN: no byte can come any more. */
static void stranded_by_a_join_that_fails(void **state)
{
    (void)state;
    struct peer p;
    uint64_t idsn;
    struct tcp_options join = {.mp = {.present = 1u << MPTCP_JOIN, .join = {.shape = MP_JOIN_SYN, .nonce = 5}}};
    peer_init(&p, NULL, NULL);
    peer_open_mptcp(&p);
    uint32_t irs = p.irs;
    mptcp_key_derive(p.stack_key, &join.mp.join.token, &idsn);
    p.addr.port++;
    peer_send(&p, TCP_SYN, 0, 0, &join, NULL, 0);
    p.addr.port--;
    p.irs = irs;
    struct tcp_options o = peer_dss(&p, 1, 0, 0, 0);
    peer_send(&p, TCP_ACK | TCP_FIN, 1, 1, &o, NULL, 0);
    peer_wait(&p, 600 * NS_PER_S);
    assert_int_equal(hawser_conn_error(p.conn), -ETIMEDOUT);
    peer_destroy(&p);
}

/* RFC 8684 3.3.3: no data follows the DATA_FIN; what came before it is no reason to hold memory. */
static void data_beyond_the_end_goes(void **state)
{
    (void)state;
    struct peer p;
    static const uint8_t bytes[1000];
    peer_init(&p, NULL, NULL);
    peer_open_mptcp(&p);
    assert_int_equal(hawser_buf_pool_new(&p.env.env, 2048, 8, &p.rx), 0);
    struct tcp_options o = peer_dss(&p, 1, 5000, 1, sizeof bytes);
    peer_send(&p, TCP_ACK, 1, 1, &o, bytes, sizeof bytes);
    assert_int_equal(buf_pool_in_use(p.rx), 1);
    o = peer_dss(&p, 1, 1, 0, 1);
    o.mp.dss.data_fin = true;
    peer_send(&p, TCP_ACK, 1 + sizeof bytes, 1, &o, NULL, 0);
    assert_int_equal(buf_pool_in_use(p.rx), 0);
    hawser_buf_pool_close(p.rx);
    peer_destroy(&p);
}

/* Once the last subflow is gone no gap is closed any more, though the program may take its time to close. */
static void disorder_goes_with_the_last_subflow(void **state)
{
    (void)state;
    struct peer p;
    static const uint8_t bytes[1000];
    peer_init(&p, NULL, NULL);
    peer_open_plain(&p);
    assert_int_equal(hawser_buf_pool_new(&p.env.env, 2048, 8, &p.rx), 0);
    peer_send(&p, TCP_ACK, 1001, 1, NULL, bytes, sizeof bytes);
    assert_int_equal(buf_pool_in_use(p.rx), 1);
    peer_send(&p, TCP_RST, 1, 0, NULL, NULL, 0);
    assert_int_equal(hawser_conn_error(p.conn), -ECONNRESET);
    assert_int_equal(buf_pool_in_use(p.rx), 0);
    hawser_buf_pool_close(p.rx);
    peer_destroy(&p);
}

/* Nor need the peer's be: it says our key. So a kernel ends what it could not deliver. Without the key it may be
 * anybody's (RFC 5961 3.2). */
static void fastclose_behind_data_that_we_miss(void **state)
{
    (void)state;
    for (unsigned wrong = 0; wrong < 3; wrong++) {
        struct tcp_options o = {.mp.present = 0};
        struct peer p;
        peer_init(&p, NULL, NULL);
        peer_open_mptcp(&p);
        peer_forget(&p);
        o.mp = (struct mptcp_options){.present = 1u << MPTCP_FASTCLOSE,
                                      .fastclose.receiver_key = p.stack_key + (wrong == 1)};
        peer_send(&p, TCP_RST | TCP_ACK, wrong == 2 ? 1 + (1u << 30) : 1001, 1, &o, NULL, 0);
        assert_int_equal(hawser_conn_error(p.conn), wrong ? 0 : -ECONNRESET);
        assert_int_equal(p.seen_count, wrong == 1); /* challenged; what lies outside of the window is not */
        assert_int_equal(peer_counter(&p, "tcp.resets_in"), !wrong);
        assert_int_equal(peer_counter(&p, "drop.bad_rst"), wrong == 1);
        hawser_abort(p.conn);
        peer_drain(&p);
        peer_destroy(&p);
    }
}

/* RFC 8684 3.5: the peer must learn that all is over, not this subflow only, even when the last bytes before the RST
 * were lost: then the RST is not its next number. */
static void fastclose_behind_lost_data(void **state)
{
    (void)state;
    struct peer p;
    static const uint8_t bytes[1000];
    peer_init(&p, NULL, NULL);
    peer_open_mptcp(&p);
    assert_int_equal(hawser_send(p.conn, bytes, sizeof bytes), sizeof bytes);
    peer_drain(&p);
    peer_forget(&p);
    hawser_abort(p.conn);
    peer_drain(&p);
    bool exact = false, behind = false;
    for (unsigned i = 0; i < p.seen_count; i++) {
        if (!(p.seen[i].flags & TCP_RST))
            continue;
        assert_true(mptcp_has(&p.seen[i].options.mp, MPTCP_FASTCLOSE));
        exact |= p.seen[i].seq == 1;
        behind |= p.seen[i].seq == 1 + sizeof bytes;
    }
    assert_true(exact && behind);
    peer_destroy(&p);
}

/* RFC 8684 3.5: the peer need not reset to close fast: an acknowledgement will do, if it has our key. All subflows are
 * answered by a RST. */
static void fastclose_on_an_acknowledgement(void **state)
{
    (void)state;
    struct peer p;
    unsigned reset = 0;
    peer_init(&p, NULL, NULL);
    const struct line first = line_open(&p, 4001);
    (void)line_join(&p, &first, 4002);
    line_take(&p, &first);
    struct tcp_options o = peer_dss(&p, 1, 0, 0, 0);
    o.mp.dss.ack_is_64 = false;
    o.mp.present |= 1u << MPTCP_FASTCLOSE;
    o.mp.fastclose.receiver_key = p.stack_key + 1;
    peer_send(&p, TCP_ACK, 1, 1, &o, NULL, 0);
    assert_true(peer_is_open(&p));
    assert_null(peer_last(&p, TCP_RST));
    o.mp.fastclose.receiver_key = p.stack_key;
    peer_send(&p, TCP_ACK, 1, 1, &o, NULL, 0);
    assert_int_equal(hawser_conn_error(p.conn), -ECONNRESET);
    for (unsigned i = 0; i < p.seen_count; i++) {
        assert_true(p.seen[i].flags & TCP_RST);
        assert_false(mptcp_has(&p.seen[i].options.mp, MPTCP_FASTCLOSE)); /* which would be one of our own */
        reset |= 1u << (p.seen[i].remote.port - 4001);
    }
    assert_int_equal(reset, 3);
    peer_destroy(&p);
}

/* RFC 8684 3, 3.4.1, 3.4.2; RFC 5961 3.2, 5.2: whoever does not know the numbers says nothing of the connection either,
 * even if he knows its key. */
static void options_count_where_the_numbers_do(void **state)
{
    (void)state;
    static const struct {
        uint8_t flags;
        uint32_t seq, ack;
    } wrong[] = {
        {TCP_ACK, 1u << 30, 1},       /* beyond the window */
        {TCP_ACK, 0u - 100000, 1},    /* before it */
        {TCP_ACK, 1, 2},              /* acknowledges what was not sent, */
        {TCP_ACK, 1, 1 - (1u << 20)}, /* or what nobody remembers */
        {TCP_RST, 1u << 30, 0},
        {TCP_RST | TCP_ACK, 0u - 100000, 1},
        {TCP_SYN, 1, 0},
        {0, 1, 0},
    };
    struct peer p;
    struct hawser_subflow_info info = {.size = sizeof info};
    peer_init(&p, NULL, NULL);
    peer_open_mptcp(&p);
    for (unsigned i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct tcp_options o = {.mp = {.present = 1u << MPTCP_FASTCLOSE | 1u << MPTCP_PRIO | 1u << MPTCP_REMOVE_ADDR}};
        o.mp.fastclose.receiver_key = p.stack_key;
        o.mp.prio.backup = true;
        o.mp.remove_addr = (struct mp_remove_addr){.count = 1, .ids = {0}};
        peer_send(&p, wrong[i].flags, wrong[i].seq, wrong[i].ack, &o, NULL, 0);
        assert_true(peer_is_open(&p));
        assert_int_equal(hawser_subflow_get_info(p.conn, 0, &info), 0);
        assert_false(info.backup);
    }
    peer_wait(&p, 20 * NS_PER_S); /* nor did anybody doubt its address */
    assert_true(peer_is_open(&p));
    peer_destroy(&p);
}

/* RFC 8684 3.3.1: they are mapped like any, and delivered in their place. */
static void urgent_bytes_are_bytes(void **state)
{
    (void)state;
    struct peer p;
    char bytes[16];
    peer_init(&p, NULL, NULL);
    peer_open_mptcp(&p);
    const struct tcp_options o = peer_dss(&p, 1, 1, 1, 10);
    peer_send(&p, TCP_ACK | TCP_URG, 1, 1, &o, "hurry", 5);
    peer_send(&p, TCP_ACK, 6, 1, &o, "ahead", 5);
    assert_int_equal(hawser_recv(p.conn, bytes, sizeof bytes), 10);
    assert_memory_equal(bytes, "hurryahead", 10);
    assert_int_equal(hawser_send(p.conn, bytes, 10), 10);
    peer_drain(&p);
    assert_false(peer_last(&p, TCP_PSH)->flags & TCP_URG);
    peer_destroy(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_a_wrong_ack_to_its_syn_with_a_reset),
        cmocka_unit_test(headers_that_cannot_be),
        cmocka_unit_test(simultaneous_open),
        cmocka_unit_test(window_does_not_open_by_slivers),
        cmocka_unit_test(closed_before_it_was_open),
        cmocka_unit_test(spurious_timeout_by_echo),
        cmocka_unit_test(spurious_recovery_by_dsack),
        cmocka_unit_test(an_outage_is_no_round_trip),
        cmocka_unit_test(a_slow_path_is_learned),
        cmocka_unit_test(no_fastclose_after_the_end),
        cmocka_unit_test(a_reset_is_not_answered),
        cmocka_unit_test(stranded_by_a_join_that_fails),
        cmocka_unit_test(data_beyond_the_end_goes),
        cmocka_unit_test(disorder_goes_with_the_last_subflow),
        cmocka_unit_test(fastclose_behind_lost_data),
        cmocka_unit_test(fastclose_behind_data_that_we_miss),
        cmocka_unit_test(fastclose_on_an_acknowledgement),
        cmocka_unit_test(options_count_where_the_numbers_do),
        cmocka_unit_test(urgent_bytes_are_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
