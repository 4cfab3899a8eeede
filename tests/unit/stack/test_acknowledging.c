/* What several segments that arrive at once are answered by. */
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

enum { LEN = 500, BATCH_MAX = 64 };

/* Plain TCP, with SACK or without. */
static void open_with(struct peer *p, bool sack)
{
    struct tcp_options o = {.present = TCP_OPT_MSS | (sack ? TCP_OPT_SACK_PERMITTED : 0u), .mss = LEN};
    peer_init(p, NULL, NULL);
    peer_send(p, TCP_SYN, 0, 0, &o, NULL, 0);
    peer_wait(p, 20 * NS_PER_MS);
    peer_send(p, TCP_ACK, 1, 1, NULL, NULL, 0);
    assert_int_equal(hawser_accept(p->listener, &p->conn), 0);
}

/* The segments of these numbers, full, in one batch; the answers are in `seen`. */
static void send_batch(struct peer *p, const unsigned *numbers, unsigned n)
{
    static uint8_t packets[BATCH_MAX][PEER_PACKET_MAX];
    static const uint8_t payload[LEN];
    struct hawser_rx rx[BATCH_MAX];
    assert_true(n <= BATCH_MAX);
    for (unsigned i = 0; i < n; i++) {
        rx[i] = (struct hawser_rx){.data = packets[i], .flags = HAWSER_RX_CSUM_OK};
        rx[i].len = (uint32_t)peer_packet(p, packets[i], TCP_ACK, 1 + numbers[i] * LEN, 1, NULL, payload, LEN);
    }
    peer_forget(p);
    hawser_stack_input(p->stack, 0, rx, n, p->now_ns);
    peer_drain(p);
}

/* Answers that acknowledge the first `n` segments. */
static unsigned acks_of(const struct peer *p, unsigned n)
{
    unsigned found = 0;
    for (unsigned i = 0; i < p->seen_count; i++)
        found += p->seen[i].ack == 1 + n * LEN;
    return found;
}

/* RFC 5681 4.2: as many as came out of order, of which three do; what tells of something new is none of them. */
static void out_of_order(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        unsigned numbers[12], count, answers, acked;
    } rows[] = {
        {"one", {1}, 1, 1, 0},
        {"two", {1, 2}, 2, 2, 0},
        {"many", {1, 2, 3, 4, 5, 6, 7, 8}, 8, 3, 0},
        {"with holes", {1, 3, 5, 7, 9, 11}, 6, 3, 0},
        {"the gap is filled", {1, 2, 3, 0}, 4, 1, 4},
        {"it is, and there is another one", {2, 1, 0, 4, 5}, 5, 2, 3},
        {"a part of it is", {1, 4, 5, 6, 0}, 5, 1, 2},
        {"behind news", {0, 2, 3, 4, 5, 6, 7}, 7, 4, 1},
        {"one behind news", {0, 2}, 2, 1, 1},
    };
    for (unsigned sack = 0; sack < 2; sack++) {
        for (size_t i = 0; i < HW_ARRAY_LEN(rows); i++) {
            struct peer p;
            open_with(&p, sack);
            send_batch(&p, rows[i].numbers, rows[i].count);
            if (p.seen_count != rows[i].answers || acks_of(&p, rows[i].acked) != rows[i].answers)
                fail_msg("%s: %u answers, %u of them of %u segments", rows[i].what, p.seen_count,
                         acks_of(&p, rows[i].acked), rows[i].acked);
            peer_wait(&p, NS_PER_S);
            assert_int_equal(p.seen_count, rows[i].answers);
            peer_destroy(&p);
        }
    }
}

/* RFC 2018 4: each of these begins with the block of another one that came, the last with that of the last, as if they
 * had come one by one: an MPTCP option leaves room for one block. */
static void blocks_of_a_batch(void **state)
{
    (void)state;
    static const unsigned holes[] = {1, 3, 5};
    struct peer p;
    open_with(&p, true);
    send_batch(&p, holes, 3);
    assert_int_equal(p.seen_count, 3);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(p.seen[i].options.sack_count, 3);
        assert_int_equal(p.seen[i].options.sack[0].start.v, p.iss + 1 + holes[i] * LEN);
        assert_int_equal(p.seen[i].options.sack[0].end.v, p.iss + 1 + (holes[i] + 1) * LEN);
    }
    peer_destroy(&p);
}

/* RFC 2883 4: what was sent again in vain comes in a batch, as after a timeout: one answer tells of all of it. */
static void duplicates(void **state)
{
    (void)state;
    static const unsigned first[] = {0, 1, 2, 3, 4, 5}, again[] = {1, 2, 3};
    struct peer p;
    open_with(&p, true);
    send_batch(&p, first, 6);
    peer_wait(&p, NS_PER_S);
    send_batch(&p, again, 3);
    assert_int_equal(p.seen_count, 1);
    assert_int_equal(p.seen[0].ack, 1 + 6 * LEN);
    assert_int_equal(p.seen[0].options.sack_count, 1);
    assert_int_equal(p.seen[0].options.sack[0].start.v, p.iss + 1 + LEN);
    assert_int_equal(p.seen[0].options.sack[0].end.v, p.iss + 1 + 4 * LEN);
    peer_destroy(&p);
}

/* Where there is no room for all of them at once, the others leave with the next call; but not once they are in vain.
 */
static void no_room_for_all_answers(void **state)
{
    (void)state;
    static const unsigned ahead[] = {1, 2, 3, 4}, missing[] = {0};
    for (unsigned filled = 0; filled < 2; filled++) {
        struct peer p;
        struct hawser_tx tx;
        open_with(&p, true);
        struct hawser_rx rx[4];
        static uint8_t packets[4][PEER_PACKET_MAX];
        static const uint8_t payload[LEN];
        for (unsigned i = 0; i < 4; i++) {
            rx[i] = (struct hawser_rx){.data = packets[i], .flags = HAWSER_RX_CSUM_OK};
            rx[i].len = (uint32_t)peer_packet(&p, packets[i], TCP_ACK, 1 + ahead[i] * LEN, 1, NULL, payload, LEN);
        }
        hawser_stack_input(p.stack, 0, rx, 4, p.now_ns);
        assert_int_equal(hawser_stack_output(p.stack, &tx, 1, p.now_ns), 1);
        peer_forget(&p);
        if (filled)
            send_batch(&p, missing, 1);
        else
            peer_drain(&p);
        assert_int_equal(p.seen_count, filled ? 1 : TCP_DUPLICATE_ACKS - 1);
        assert_int_equal(acks_of(&p, filled ? 5 : 0), p.seen_count);
        peer_destroy(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(out_of_order),
        cmocka_unit_test(blocks_of_a_batch),
        cmocka_unit_test(duplicates),
        cmocka_unit_test(no_room_for_all_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
