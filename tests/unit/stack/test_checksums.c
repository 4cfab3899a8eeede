/* Mappings with checksums, in pieces, against a peer by hand and little memory: what waits for its checksum lies where
 * it must, and leaves room for what others wait for. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/units.h"
#include "lines.h"
#include "wire/checksum.h"

enum { CROWD = 10, TRIES = 20 };

/* A mapping that begins where an old one did, which is gone, and is longer: its bytes have no place in the old one's.
 */
static void a_mapping_said_again_and_longer(void **state)
{
    (void)state;
    static const uint32_t lengths[] = {5000, 65535};
    static uint8_t got[80000];
    for (int i = 0; i < 2; i++) {
        struct peer p;
        uint32_t len = lengths[i];
        lines_init(&p, 0, true, NULL);
        struct line line = line_open(&p, 4000);
        line_send(&p, &line, 1, 1, 2000, 1, 1, 2000);
        line_send(&p, &line, 2001, 2001, 2000, 2001, 2001, 2000);
        line_send(&p, &line, 2001, 2001, (uint16_t)len, 4001, 4001, len - 2000);
        line_send(&p, &line, 2001 + len, 2001 + len, 3000, 2001 + len, 2001 + len, 3000);
        ssize_t n = hawser_recv(line.conn, got, sizeof got);
        assert_true(n >= 4000);
        assert_memory_equal(got, lines_stream + 1, (size_t)n);
        peer_destroy(&p);
    }
}

/* Memory is scarce, and the first part of a mapping behind a gap is refused: so it is when it comes again. */
static void what_is_too_early_stays_too_early(void **state)
{
    (void)state;
    struct peer p;
    lines_init(&p, 1 << 20, true, NULL); /* room for seven large buffers before it is scarce */
    for (uint16_t port = 4000; port < 4008; port++) {
        struct line line = line_open(&p, port);
        line_send(&p, &line, 1, 1, 60000, 1, 1, 1);
    }
    struct line line = line_open(&p, 5000);
    for (int i = 0; i < 3; i++) {
        line_send(&p, &line, 1, 1001, 60000, 1, 1, LINES_PIECE);
        peer_wait(&p, NS_PER_S);
        assert_int_equal(peer_last(&p, TCP_ACK)->ack, 1);
    }
    peer_destroy(&p);
}

/* Honest peers: data behind a gap comes on the second subflow of each, then again and again what closes the gap. */
static void what_closes_a_gap_finds_room(void **state)
{
    (void)state;
    struct peer p;
    struct line first[CROWD], second[CROWD];
    uint8_t got[20000];
    uint32_t whole = 0, read[CROWD] = {0};
    lines_init(&p, 1 << 20, true, NULL);
    for (uint16_t i = 0; i < CROWD; i++) {
        first[i] = line_open(&p, (uint16_t)(4000 + i));
        second[i] = line_join(&p, &first[i], (uint16_t)(5000 + i));
        line_send(&p, &second[i], 1, 5001, 5000, 1, 1, 5000);
    }
    for (int tries = 0; tries < TRIES; tries++) {
        for (int i = 0; i < CROWD; i++) {
            line_send(&p, &first[i], 1, 1, 5000, 1, 1, 5000);
            ssize_t n = hawser_recv(first[i].conn, got, sizeof got);
            read[i] += n > 0 ? (uint32_t)n : 0;
        }
        peer_forget(&p);
        peer_wait(&p, 100 * NS_PER_MS);
    }
    for (int i = 0; i < CROWD; i++)
        whole += read[i] >= 5000;
    assert_int_equal(whole, CROWD);
    peer_destroy(&p);
}

/* Peers that begin mappings and never go on, a byte each. */
static void begun_mappings_leave_room_for_others(void **state)
{
    (void)state;
    struct peer p;
    uint8_t got[10];
    ssize_t n = 0;
    lines_init(&p, 16 << 20, true, NULL); /* a hundred and some begin before memory is scarce */
    for (uint16_t port = 4000; port < 4130; port++) {
        struct line line = line_open(&p, port);
        line_send(&p, &line, 1, 1, 60000, 1, 1, 1);
    }
    struct line line = line_open(&p, 5000);
    for (int tries = 0; tries < TRIES && n <= 0; tries++) {
        line_send(&p, &line, 1, 1, 5, 1, 1, 2);
        line_send(&p, &line, 1, 1, 5, 1, 3, 3);
        n = hawser_recv(line.conn, got, sizeof got);
        peer_forget(&p);
        peer_wait(&p, NS_PER_S); /* a begun mapping has ten, where memory is scarce */
    }
    assert_int_equal(n, 5);
    peer_destroy(&p);
}

/* ---- the end of the stream is proved, too (RFC 8684 3.3.1, 3.3.3) ---- */

/* `len` bytes of the stream from `at` on, of stream and subflow, and a DATA_FIN behind them; `wrong` is added to the
 * checksum. All but the first `skipped` of the bytes come. */
static void send_end(struct peer *p, uint32_t at, uint16_t len, uint16_t wrong, uint16_t skipped)
{
    const uint32_t ssn = len ? at : 0;
    struct tcp_options o = peer_dss(p, 1, at, ssn, (uint16_t)(len + 1));
    struct csum sum = {0, false};
    csum_add(&sum, lines_stream + at, len);
    o.mp.dss.data_fin = o.mp.dss.has_checksum = true;
    o.mp.dss.checksum = (uint16_t)(csum_dss(o.mp.dss.dsn, ssn, (uint16_t)(len + 1), &sum) + wrong);
    peer_send(p, TCP_ACK, at + skipped, 1, &o, lines_stream + at + skipped, len - skipped);
}

static void expect_end(struct peer *p, ssize_t bytes)
{
    static uint8_t got[20000];
    assert_int_equal(hawser_recv(p->conn, got, sizeof got), bytes);
    assert_int_equal(hawser_recv(p->conn, got, sizeof got), 0);
}

static void a_proved_end_is_the_end(void **state)
{
    (void)state;
    static const uint16_t lengths[] = {0, 1000};
    for (int i = 0; i < 2; i++) {
        struct peer p;
        lines_init(&p, 0, true, NULL);
        struct line line = line_open(&p, 4000);
        line_send(&p, &line, 1, 1, 1000, 1, 1, 1000);
        send_end(&p, 1001, lengths[i], 0, 0);
        expect_end(&p, 1000 + lengths[i]);
        peer_destroy(&p);
    }
}

/* On the only subflow the peer is asked to become plain TCP. */
static void a_forged_end_is_none(void **state)
{
    (void)state;
    static const uint16_t lengths[] = {0, 1000};
    for (int i = 0; i < 2; i++) {
        struct peer p;
        lines_init(&p, 0, true, NULL);
        (void)line_open(&p, 4000);
        peer_forget(&p);
        send_end(&p, 1, lengths[i], 1, 0);
        const struct tcp_options *answer = &peer_last(&p, TCP_ACK)->options;
        assert_true(mptcp_has(&answer->mp, MPTCP_FAIL));
        assert_int_equal(answer->mp.fail.dsn, p.idsn + 1);
        assert_int_equal(hawser_recv(p.conn, &(uint8_t){0}, 1), -EAGAIN);
        assert_int_equal(peer_counter(&p, "drop.dss_bad_checksum"), 1);
        send_end(&p, 1 + lengths[i], 0, 1, 0); /* nothing is trusted any more */
        assert_int_equal(hawser_recv(p.conn, &(uint8_t){0}, 1), -EAGAIN);
        assert_int_equal(peer_counter(&p, "drop.dss_bad_checksum"), 1);
        struct tcp_options o = {.mp.present = 1u << MPTCP_FAIL, .mp.fail.dsn = p.stack_idsn + 1};
        peer_send(&p, TCP_ACK | TCP_FIN, 1 + lengths[i], 1, &o, NULL, 0);
        if (lengths[i])
            expect_end(&p, lengths[i]);
        else
            assert_int_equal(hawser_recv(p.conn, &(uint8_t){0}, 1), 0);
        peer_destroy(&p);
    }
}

/* Nor is a mapping waited for, from then on: plain TCP would need none. */
static void who_is_asked_has_time_to_answer(void **state)
{
    (void)state;
    struct peer p;
    lines_init(&p, 0, true, NULL);
    struct line line = line_open(&p, 4000);
    line_send(&p, &line, 1, 1, 1000, 1, 1, 1000);
    peer_send(&p, TCP_ACK, 1001, 1, NULL, lines_stream, 100);
    peer_wait(&p, 500 * NS_PER_MS);
    peer_forget(&p);
    send_end(&p, 1101, 0, 1, 0);
    assert_true(mptcp_has(&peer_last(&p, TCP_ACK)->options.mp, MPTCP_FAIL));
    peer_wait(&p, 6 * NS_PER_S);
    assert_null(peer_last(&p, TCP_RST));
    peer_destroy(&p);
}

/* Where there are others the subflow goes, and the stream goes on behind what was said to be its end. */
static void a_forged_end_on_one_of_several(void **state)
{
    (void)state;
    static const uint16_t lengths[] = {0, 1000};
    for (int i = 0; i < 2; i++) {
        struct peer p;
        lines_init(&p, 0, true, NULL);
        struct line line = line_open(&p, 4000), other = line_join(&p, &line, 4001);
        line_take(&p, &line);
        send_end(&p, 1, lengths[i], 1, 0);
        const struct peer_segment *rst = peer_last(&p, TCP_RST);
        assert_non_null(rst);
        assert_true(mptcp_has(&rst->options.mp, MPTCP_FAIL));
        assert_int_equal(rst->options.mp.tcprst.reason, MP_RST_MIDDLEBOX);
        line_send(&p, &other, 1, 1, 5000, 1, 1, 5000);
        send_end(&p, 5001, 0, 0, 0);
        expect_end(&p, 5000);
        peer_destroy(&p);
    }
}

/* It is proved with the bytes before it, which come in pieces; only the last one may know of it. */
static void an_end_comes_with_the_last_piece(void **state)
{
    (void)state;
    struct peer p;
    lines_init(&p, 0, true, NULL);
    struct line line = line_open(&p, 4000);
    line_send(&p, &line, 1, 1, 1000, 1, 1, 400);
    assert_int_equal(hawser_recv(p.conn, &(uint8_t){0}, 1), -EAGAIN);
    send_end(&p, 1, 1000, 0, 400);
    expect_end(&p, 1000);
    peer_destroy(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mapping_said_again_and_longer),
        cmocka_unit_test(what_is_too_early_stays_too_early),
        cmocka_unit_test(what_closes_a_gap_finds_room),
        cmocka_unit_test(begun_mappings_leave_room_for_others),
        cmocka_unit_test(a_proved_end_is_the_end),
        cmocka_unit_test(who_is_asked_has_time_to_answer),
        cmocka_unit_test(a_forged_end_is_none),
        cmocka_unit_test(a_forged_end_on_one_of_several),
        cmocka_unit_test(an_end_comes_with_the_last_piece),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
