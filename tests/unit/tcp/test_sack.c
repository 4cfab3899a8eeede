/* What SACKs do to the records of super-segments: how many there are, who pays for them, and what is done without. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bundle.h"

#define RTT (40 * NS_PER_MS)
enum { RECORDS = 4, SEGMENTS = 40, IRS = 5000 }; /* of each record */

static const struct txq *queue(const struct bundle *b) { return tcp_txq(&b->all[0].tcp); }

/* Acknowledges nothing, but says that it holds that of the stream. */
static void sack_bytes(struct bundle *b, uint32_t start, uint32_t end)
{
    struct tcp *tcp = &b->all[0].tcp;
    uint32_t one = tcp->config.iss + 1;
    struct tcp_options o = {.present = TCP_OPT_SACK, .sack_count = 1};
    o.sack[0] = (struct sack_block){seq_at(one + start), seq_at(one + end)};
    struct tcp_segment segment = {
        .header = {.seq = seq_at(tcp->irs + 1), .ack = seq_at(one), .flags = TCP_ACK, .window = UINT16_MAX},
        .options = &o,
        .wire_segments = 1,
    };
    tcp_input(tcp, &segment, b->now_ns);
}

/* Acknowledges nothing, but says that it holds the segments [first, first + len), and so many more blocks, `step`
 * apart. With `inside`, so many bytes less at either end. */
static void sack(struct bundle *b, uint32_t first, uint32_t len, uint32_t step, uint8_t count, uint32_t inside)
{
    struct tcp *tcp = &b->all[0].tcp;
    struct tcp_options o = {.present = TCP_OPT_SACK, .sack_count = count};
    uint32_t one = tcp->config.iss + 1;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t start = first + i * step;
        o.sack[i].start = seq_at(one + start * BUNDLE_MSS + inside);
        o.sack[i].end = seq_at(one + (start + len) * BUNDLE_MSS - inside);
    }
    struct tcp_segment segment = {
        .header = {.seq = seq_at(tcp->irs + 1), .ack = seq_at(one), .flags = TCP_ACK, .window = UINT16_MAX},
        .options = &o,
        .wire_segments = 1,
    };
    tcp_input(tcp, &segment, b->now_ns);
}

/* Some records of many segments each are under way. */
static void start(struct bundle *b)
{
    bundle_init(b);
    struct subflow *s = bundle_open(b, RTT);
    for (uint32_t i = 0; i < RECORDS; i++)
        bundle_carry(b, s, (uint64_t)i * SEGMENTS * BUNDLE_MSS, SEGMENTS * BUNDLE_MSS);
    b->now_ns += RTT;
    assert_int_equal(queue(b)->count, RECORDS);
}

/* What finds no room counts as not held by the peer, until it says so again. */
static void one_that_finds_no_room(void **state)
{
    (void)state;
    struct bundle b;
    start(&b);
    sack(&b, 0, 1, 0, 1, 0);
    bundle_press(&b, 0);
    sack(&b, 0, 3, 0, 1, 0); /* needs none */
    assert_int_equal(queue(&b)->sacked_bytes, 3 * BUNDLE_MSS);
    assert_int_equal(bundle_counted(&b, COUNT_LIMIT_SACKED), 0);
    sack(&b, 5, 1, 0, 1, 0);
    assert_int_equal(bundle_counted(&b, COUNT_LIMIT_SACKED), 1);
    assert_int_equal(queue(&b)->sacked_bytes, 3 * BUNDLE_MSS);
    account_release(&b.other, b.other.held);
    sack(&b, 5, 1, 0, 1, 0);
    assert_int_equal(bundle_counted(&b, COUNT_LIMIT_SACKED), 1);
    assert_int_equal(queue(&b)->sacked_bytes, 4 * BUNDLE_MSS);
    bundle_destroy(&b);
}

/* A block that covers a part of one record and all of the next: what needs no room is noted all the same. */
static void what_needs_no_room_is_noted(void **state)
{
    (void)state;
    struct bundle b;
    start(&b);
    bundle_press(&b, 0);
    sack(&b, 5, 2 * SEGMENTS - 5, 0, 1, 0);
    assert_int_equal(bundle_counted(&b, COUNT_LIMIT_SACKED), 1);
    assert_int_equal(queue(&b)->sacked_bytes, SEGMENTS * BUNDLE_MSS);
    account_release(&b.other, b.other.held);
    bundle_destroy(&b);
}

/* The end of a record arrived, and that is a small packet: it tells nothing of what large ones meet (RFC 4821 7.6). */
static void a_tail_that_arrived_is_no_large_packet(void **state)
{
    (void)state;
    struct bundle b;
    bundle_init(&b);
    bundle_carry(&b, bundle_open(&b, RTT), 0, 2 * BUNDLE_MSS + 100);
    b.now_ns += RTT;
    sack_bytes(&b, 2 * BUNDLE_MSS, 2 * BUNDLE_MSS + 100);
    assert_int_equal(queue(&b)->sacked_bytes, 100);
    assert_in_range(b.all[0].tcp.flight->search.passed, 100, BUNDLE_MSS - 1);
    bundle_destroy(&b);
}

/* However a peer scatters what it says that it holds, who sends it pays for the notes, as long as there are any. */
static void what_the_peer_holds_is_charged(void **state)
{
    (void)state;
    struct bundle b;
    start(&b);
    const struct account *payer = data_tx_account(&b.tx);
    const uint64_t before = payer->held;
    for (uint32_t at = 1; at < RECORDS * SEGMENTS; at += 8)
        sack(&b, at, 1, 2, 4, 0); /* every other segment */
    assert_int_equal(queue(&b)->count, RECORDS * SEGMENTS);
    assert_int_equal(queue(&b)->sacked_bytes, RECORDS * SEGMENTS / 2 * BUNDLE_MSS);
    assert_int_equal(payer->held - before, (queue(&b)->count - RECORDS) * sizeof(struct tx_record));
    sack(&b, 1, RECORDS * SEGMENTS - 1, 0, 1, 0); /* all but the first */
    assert_int_equal(queue(&b)->count, RECORDS + 1);
    assert_int_equal(payer->held - before, sizeof(struct tx_record));
    bundle_ack(&b, &b.all[0], RECORDS * SEGMENTS * BUNDLE_MSS);
    assert_int_equal(queue(&b)->count, 0);
    bundle_destroy(&b);
}

/* A stream of losses, each of which fills as the next one comes: two records for each hole, and no more. */
static void holes_that_fill_leave_nothing(void **state)
{
    (void)state;
    struct bundle b;
    start(&b);
    for (uint32_t hole = 1; hole + 3 < SEGMENTS; hole += 3) {
        sack(&b, hole + 1, 2, 0, 1, 0);
        assert_int_equal(queue(&b)->count, RECORDS + (hole == 1 ? 2 : 4));
        sack(&b, hole, 1, 0, 1, 0);
        assert_int_equal(queue(&b)->count, RECORDS + 2);
    }
    bundle_destroy(&b);
}

/* Blocks of less than a segment, or with edges inside of one. */
static void slivers_do_not_split(void **state)
{
    (void)state;
    struct bundle b;
    start(&b);
    for (uint32_t at = 0; at < RECORDS * SEGMENTS; at++) {
        sack(&b, at, 1, 1, 2, 1);
        sack(&b, at, 2, 0, 1, 1);
    }
    assert_int_equal(queue(&b)->count, RECORDS);
    assert_int_equal(queue(&b)->sacked_bytes, 0);
    sack(&b, 9, 4, 0, 1, 1);
    assert_int_equal(queue(&b)->sacked_bytes, 2 * BUNDLE_MSS);
    bundle_destroy(&b);
}

/* All but the end is deemed lost, what leaves again of it is acknowledged as a duplicate, and so on: to take all of it
 * back costs as much as there is, and happens once a round trip. */
static void what_seemed_lost_is_taken_back_once(void **state)
{
    (void)state;
    struct bundle b;
    start(&b);
    struct tcp *tcp = &b.all[0].tcp;
    const uint32_t one = tcp->config.iss + 1, end = RECORDS * SEGMENTS * BUNDLE_MSS;
    uint32_t acked = 0;
    for (unsigned i = 0; i < 20; i++) {
        struct tcp_options o = {.present = TCP_OPT_SACK};
        uint32_t before = acked;
        for (const struct tx_record *r = txq_oldest(queue(&b)); i && r && r->retransmitted && !r->lost;
             r = txq_after(queue(&b), r))
            acked = (uint32_t)(tx_record_end(r) - SSN_ORIGIN - 1);
        if (acked > before)
            o.sack[o.sack_count++] = (struct sack_block){seq_at(one + before), seq_at(one + acked)};
        o.sack[o.sack_count++] = (struct sack_block){seq_at(one + end - 4 * BUNDLE_MSS), seq_at(one + end)};
        struct tcp_segment segment = {
            .header = {.seq = seq_at(tcp->irs + 1), .ack = seq_at(one + acked), .flags = TCP_ACK, .window = UINT16_MAX},
            .options = &o,
            .wire_segments = 1,
        };
        b.now_ns += RTT;
        tcp_input(tcp, &segment, b.now_ns);
        (void)bundle_say(&b, &b.all[0]);
    }
    assert_true(acked > 20 * BUNDLE_MSS);
    assert_int_equal(bundle_counted(&b, COUNT_TCP_SPURIOUS), 1);
    bundle_destroy(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_that_finds_no_room),
        cmocka_unit_test(what_needs_no_room_is_noted),
        cmocka_unit_test(a_tail_that_arrived_is_no_large_packet),
        cmocka_unit_test(what_the_peer_holds_is_charged),
        cmocka_unit_test(holes_that_fill_leave_nothing),
        cmocka_unit_test(slivers_do_not_split),
        cmocka_unit_test(what_seemed_lost_is_taken_back_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
