/* What is given up when memory is scarce, or a limit is met: never what closes a gap, nor the way there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/units.h"
#include "lines.h"
#include "stack/stack.h"

enum { CROWD = 8 };
static uint8_t got[200000];

/* The stack's last word on how far the subflow has come; 0: none. */
static uint32_t acked(const struct peer *p)
{
    const struct peer_segment *ack = peer_last(p, TCP_ACK);
    return ack ? ack->ack : 0;
}

static unsigned copies_in_use(const struct peer *p) { return store_in_use(&p->stack->host.store); }

/* More gaps than a connection may have: the subflow must get past them to what closes them. */
static void more_gaps_than_allowed(void **state)
{
    (void)state;
    enum { GAPS = REASSEMBLY_GAPS_MIN + 10, LEN = 60 };
    struct peer p;
    struct hawser_conn_options small = {.size = sizeof small, .recv_buffer_bytes = 1 << 20};
    lines_init(&p, 0, false, &small);
    struct line first = line_open(&p, 4000), second = line_join(&p, &first, 5000);
    for (uint32_t i = 0; i < GAPS; i++)
        line_send(&p, &second, 1 + LEN * i, 2 + (LEN + 1) * i, LEN, 1 + LEN * i, 1 + LEN * i, LEN);
    peer_wait(&p, NS_PER_S);
    assert_int_equal(acked(&p), 1 + LEN * GAPS);
    peer_destroy(&p);
}

/* Under checksums data behind gaps lies in copies, however much memory the link has. Many connections have lost one
 * path of two, and what closes their gaps comes last. */
static void disorder_leaves_copies_to_others(void **state)
{
    (void)state;
    static const uint32_t begins[] = {50001, 110001, 1}, lengths[] = {60000, 60000, 50000};
    enum { MAPPINGS = 3, TRIES = 60 };
    struct peer p;
    struct line line[CROWD];
    uint32_t done[CROWD] = {0}, whole = 0;
    lines_init(&p, 1 << 20, true, NULL); /* seven buffers for copies */
    assert_int_equal(hawser_buf_pool_new(&p.env.env, 2048, 100000, &p.rx), 0);
    for (uint16_t i = 0; i < CROWD; i++) {
        struct line first = line_open(&p, (uint16_t)(4000 + i));
        line[i] = line_join(&p, &first, (uint16_t)(5000 + i));
    }
    for (int tries = 0; tries < TRIES; tries++) {
        for (int i = 0; i < CROWD; i++) {
            uint32_t ssn = 1;
            for (uint32_t m = 0; m < done[i]; m++)
                ssn += lengths[m];
            if (done[i] < MAPPINGS) {
                uint16_t len = (uint16_t)lengths[done[i]];
                line_send(&p, &line[i], ssn, begins[done[i]], len, ssn, ssn, len);
                done[i] += acked(&p) == ssn + len;
            }
            while (hawser_recv(line[i].conn, got, sizeof got) > 0)
                ;
        }
        peer_forget(&p);
        peer_wait(&p, 2 * NS_PER_S);
    }
    for (int i = 0; i < CROWD; i++)
        whole += done[i] == MAPPINGS;
    assert_int_equal(whole, CROWD);
    hawser_buf_pool_close(p.rx);
    peer_destroy(&p);
}

/* What a checksum proves wrong is gone, and so is the memory it would have been copied to. */
static void garbage_takes_no_copies(void **state)
{
    (void)state;
    struct peer p;
    lines_init(&p, 1 << 20, true, NULL);
    assert_int_equal(hawser_buf_pool_new(&p.env.env, 2048, 1, &p.rx), 0); /* always scarce */
    for (uint16_t i = 0; i < CROWD; i++) {
        struct line first = line_open(&p, (uint16_t)(4000 + i)), second = line_join(&p, &first, (uint16_t)(5000 + i));
        line_send(&p, &second, 1, 5001, 1000, 2, 1, 1000);
        assert_true(peer_last(&p, TCP_RST));
    }
    assert_int_equal(copies_in_use(&p), 0);
    hawser_buf_pool_close(p.rx);
    peer_destroy(&p);
}

static void one_copy_of_a_begun_mapping(void **state)
{
    (void)state;
    struct peer p;
    lines_init(&p, 16 << 20, true, NULL);
    assert_int_equal(hawser_buf_pool_new(&p.env.env, 2048, 1, &p.rx), 0);
    struct line first = line_open(&p, 4000), second = line_join(&p, &first, 5000);
    line_send(&p, &second, 1, 5001, 50000, 1, 1, 1000);
    assert_int_equal(copies_in_use(&p), 1);
    hawser_buf_pool_close(p.rx);
    peer_destroy(&p);
}

/* Payload without a mapping, behind a hole of its subflow: nothing tells when it will be of use. */
static void unmapped_payload_leaves_buffers(void **state)
{
    (void)state;
    enum { BUFFERS = 40, LEN = 600 };
    for (int checksums = 0; checksums < 2; checksums++) {
        struct peer p;
        lines_init(&p, 0, checksums, NULL);
        struct line line = line_open(&p, 4000);
        assert_int_equal(hawser_buf_pool_new(&p.env.env, 256 * 1024, BUFFERS, &p.rx), 0);
        line_take(&p, &line);
        struct tcp_options o = peer_dss(&p, 1, 0, 0, 0);
        for (uint32_t i = 0; i < BUFFERS + 5; i++)
            peer_send(&p, TCP_ACK, 1001 + LEN * i, 1, &o, lines_stream + LEN * i, LEN);
        assert_int_equal(buf_pool_in_use(p.rx), 0);
        hawser_buf_pool_close(p.rx);
        peer_destroy(&p);
    }
}

/* A link of `buffers` of which more than half are taken by others. */
static void begin_scarce_link(struct peer *p, struct hawser_buf **held, unsigned buffers)
{
    assert_int_equal(hawser_buf_pool_new(&p->env.env, 256 * 1024, buffers, &p->rx), 0);
    for (unsigned i = 0; i <= buffers / 2; i++)
        assert_non_null(held[i] = hawser_buf_new(p->rx));
}

static void end_scarce_link(struct peer *p, struct hawser_buf **held, unsigned buffers)
{
    for (unsigned i = 0; i <= buffers / 2; i++)
        hawser_buf_unref(held[i]);
    hawser_buf_pool_close(p->rx);
}

/* What the peer says again takes no room. */
static void repeats_fill_no_copies(void **state)
{
    (void)state;
    enum { BUFFERS = 8, REPEATS = 200, LEN = 1000 };
    struct peer p;
    struct hawser_buf *held[BUFFERS];
    lines_init(&p, 1 << 20, false, NULL);
    struct line line = line_open(&p, 4000);
    begin_scarce_link(&p, held, BUFFERS);
    for (uint32_t i = 0; i < REPEATS; i++)
        line_send(&p, &line, 1 + i * LEN, 5001, LEN, 5001, 1 + i * LEN, LEN);
    assert_int_equal(acked(&p), 1 + REPEATS * LEN);
    assert_int_equal(copies_in_use(&p), 1);
    end_scarce_link(&p, held, BUFFERS);
    peer_destroy(&p);
}

/* A byte every nine seconds does not keep an unfinished mapping for ever where memory is scarce. */
static void begun_mappings_are_finished(void **state)
{
    (void)state;
    struct peer p;
    struct line line[CROWD];
    lines_init(&p, 1 << 20, true, NULL);
    for (uint16_t i = 0; i < CROWD; i++)
        line[i] = line_open(&p, (uint16_t)(4000 + i));
    for (uint32_t round = 0; round < 8; round++) {
        for (int i = 0; i < CROWD; i++)
            if (!hawser_conn_error(line[i].conn))
                line_send(&p, &line[i], 1, 1, 60000, 1, 1 + round, 1);
        peer_forget(&p);
        peer_wait(&p, 9 * NS_PER_S);
        for (unsigned i = 0; i < p.seen_count; i++)
            if (p.seen[i].flags & TCP_RST) { /* RFC 8684 3.6: nobody spoilt it, and it need not be for ever */
                assert_int_equal(p.seen[i].options.mp.tcprst.reason, MP_RST_RESOURCES);
                assert_true(p.seen[i].options.mp.tcprst.transient);
                assert_false(mptcp_has(&p.seen[i].options.mp, MPTCP_FASTCLOSE)); /* another subflow may come */
            }
    }
    assert_true(peer_counter(&p, "limit.unfinished_mappings") > 0);
    assert_false(account_is_pressed(&p.stack->host.memory.account));
    peer_destroy(&p);
}

/* What is dropped to make room gives its buffer back, the one that a subflow gathers mappings in too: what waits for
 * its rest as well as what lies behind a gap. */
static void what_is_shed_gives_room(void **state)
{
    (void)state;
    for (int whole = 0; whole < 2; whole++) {
        struct peer p;
        lines_init(&p, 1 << 20, true, NULL);
        for (uint16_t i = 0; i < 8; i++) {
            struct line first = line_open(&p, (uint16_t)(4000 + i)),
                        second = line_join(&p, &first, (uint16_t)(5000 + i));
            line_send(&p, &second, 1, whole ? 5001 : 1, whole ? 5000 : 60000, 1, 1, 5000);
        }
        unsigned before = copies_in_use(&p);
        struct conn *any = LIST_ENTRY(list_first(&p.stack->host.disordered), struct conn, disorder_link);
        assert_true(pressure_make_room(any->host, any, p.now_ns));
        assert_true(copies_in_use(&p) < before);
        assert_int_equal(peer_counter(&p, "limit.unmapped_dropped"), !whole);
        assert_int_equal(peer_counter(&p, "limit.out_of_order_dropped"), whole);
        peer_destroy(&p);
    }
}

/* Data without a mapping goes first, then data behind gaps that its subflow acknowledged, then data that was SACKed and
 * not acknowledged, wherever they wait in line; and then nothing. */
static void what_costs_least_goes_first(void **state)
{
    (void)state;
    enum { PIECES = 20, OTHERS = 10 };
    struct peer p;
    lines_init(&p, 1 << 20, false, NULL);
    struct line plain = line_open(&p, 4000), early = line_open(&p, 4001), unmapped = line_open(&p, 4002),
                needy = line_open(&p, 4003);
    struct line second = line_join(&p, &early, 5001), third = line_join(&p, &unmapped, 5002);
    for (uint32_t i = 0, at = 1001; i < PIECES; i++, at += LINES_PIECE)
        line_send(&p, &plain, at, at, LINES_PIECE, at, at, LINES_PIECE);
    for (uint32_t i = 0, at = 1; i < PIECES; i++, at += LINES_PIECE)
        line_send(&p, &second, at, 1000 + at, LINES_PIECE, at, at, LINES_PIECE);
    line_take(&p, &third);
    for (uint32_t i = 0, at = 1; i < PIECES; i++, at += LINES_PIECE) {
        const struct tcp_options o = peer_dss(&p, 1, 0, 0, 0);
        peer_send(&p, TCP_ACK, at, 1, &o, lines_stream, LINES_PIECE);
    }
    struct mp_host *host = &p.stack->host;
    struct account others[OTHERS];
    for (int i = 0; i < OTHERS; i++)
        account_open(&others[i], &host->memory.account); /* so that all three hold more than their share */
    struct conn *helped = (struct conn *)needy.conn;
    for (uint64_t i = 0; i < 4; i++) {
        assert_int_equal(pressure_make_room(host, helped, p.now_ns), i < 3);
        assert_int_equal(peer_counter(&p, "limit.unmapped_dropped"), 1);
        assert_int_equal(peer_counter(&p, "limit.out_of_order_dropped"), i >= 1);
        assert_int_equal(peer_counter(&p, "limit.sacked_dropped"), i >= 2);
    }
    for (int i = 0; i < OTHERS; i++)
        account_close(&others[i]);
    peer_destroy(&p);
}

/* Nobody need hold too much: what a connection itself holds without a mapping goes for its own next bytes, which would
 * find no place beside it. */
static void what_has_no_mapping_makes_way_for_its_own_stream(void **state)
{
    (void)state;
    struct peer p;
    lines_init(&p, 1 << 20, true, NULL);
    struct line first = line_open(&p, 4000), second = line_join(&p, &first, 5000);
    line_send(&p, &second, 1, 1, 60000, 1, 1, 5000);
    struct conn *conn = LIST_ENTRY(list_first(&p.stack->host.disordered), struct conn, disorder_link);
    assert_false(account_is_greedy(&conn->account));
    assert_true(pressure_make_room(conn->host, conn, p.now_ns));
    assert_int_equal(peer_counter(&p, "limit.unmapped_dropped"), 1);
    assert_false(pressure_make_room(conn->host, conn, p.now_ns));
    peer_destroy(&p);
}

/* Bytes that their subflow acknowledged find no place once they are proved, and nobody would send them again: the
 * subflow goes, for the time being (RFC 8684 3.6), and not the connection. */
static void what_was_acknowledged_and_lost_its_place(void **state)
{
    (void)state;
    struct peer p;
    lines_init(&p, 0, true, NULL);
    struct line line = line_open(&p, 4000);
    line_send(&p, &line, 1, 1, 2 * LINES_PIECE, 1, 1, LINES_PIECE);
    assert_int_equal(acked(&p), 1 + LINES_PIECE);
    p.stack->host.nodes.limit = 0;
    line_send(&p, &line, 1, 1, 2 * LINES_PIECE, 1, 1 + LINES_PIECE, LINES_PIECE);
    const struct peer_segment *rst = peer_last(&p, TCP_RST);
    assert_non_null(rst);
    assert_int_equal(rst->options.mp.tcprst.reason, MP_RST_RESOURCES);
    assert_true(rst->options.mp.tcprst.transient);
    assert_int_equal(hawser_conn_error(line.conn), 0);
    assert_true(peer_counter(&p, "drop.no_memory") > 0);
    peer_destroy(&p);
}

/* The first mapping may come with MP_CAPABLE (RFC 8684 3.1). */
static void the_first_mapping_comes_again_when_it_finds_no_room(void **state)
{
    (void)state;
    struct peer p;
    lines_init(&p, 0, false, NULL);
    struct line line = line_open(&p, 4000);
    struct tcp_options o = {.mp.present = 1u << MPTCP_CAPABLE};
    o.mp.capable = (struct mp_capable){.version = 1, .algorithms = 1, .has_sender_key = true, .has_receiver_key = true};
    o.mp.capable.sender_key = p.key;
    o.mp.capable.receiver_key = p.stack_key;
    o.mp.capable.has_data_len = true;
    o.mp.capable.data_len = 10;
    p.env.fail_at = 1; /* the array of mappings */
    peer_send(&p, TCP_ACK, 1, 1, &o, lines_stream + 1, 10);
    assert_int_equal(peer_counter(&p, "limit.mappings"), 1);
    peer_send(&p, TCP_ACK, 1, 1, &o, lines_stream + 1, 10);
    assert_int_equal(acked(&p), 11);
    assert_int_equal(hawser_recv(line.conn, got, sizeof got), 10);
    peer_destroy(&p);
}

/* Whatever others hold; it may come with the third packet, which nothing came before. */
static void the_first_mapping_finds_room_when_memory_is_short(void **state)
{
    (void)state;
    enum { MEMORY = 4 << 20, OTHERS = MEMORY / 32 * 25 };
    struct peer p;
    lines_init(&p, MEMORY, false, NULL);
    account_charge(&p.stack->host.memory.account, OTHERS);
    struct tcp_options o = {.mp.present = 1u << MPTCP_CAPABLE};
    struct mp_capable *capable = &o.mp.capable;
    *capable = (struct mp_capable){.version = MPTCP_VERSION, .algorithms = 1};
    peer_send(&p, TCP_SYN, 0, 0, &o, NULL, 0);
    capable->receiver_key = peer_last(&p, TCP_SYN | TCP_ACK)->options.mp.capable.sender_key;
    capable->sender_key = p.key;
    capable->has_sender_key = capable->has_receiver_key = capable->has_data_len = true;
    capable->data_len = 10;
    peer_send(&p, TCP_ACK, 1, 1, &o, lines_stream + 1, 10);
    assert_int_equal(hawser_accept(p.listener, &p.conn), 0);
    assert_int_equal(hawser_recv(p.conn, got, sizeof got), 10);
    assert_int_equal(peer_counter(&p, "limit.mappings"), 0);
    account_release(&p.stack->host.memory.account, OTHERS);
    peer_destroy(&p);
}

/* Each refusal has a name; what was refused is not acknowledged and finds room when it comes again. */
static void refusals_are_counted(void **state)
{
    (void)state;
    struct peer p;
    lines_init(&p, 0, true, NULL);
    struct line line = line_open(&p, 4000);
    struct mp_host *host = &p.stack->host;
    p.env.fail_at = 1; /* the array of mappings */
    line_send(&p, &line, 1, 1, LINES_PIECE, 1, 1, LINES_PIECE);
    assert_int_equal(peer_counter(&p, "limit.mappings"), 1);
    assert_int_equal(peer_counter(&p, "drop.bad_mapping"), 0);
    uint32_t holds = host->holds.limit;
    host->holds.limit = 0;
    line_send(&p, &line, 1, 1, LINES_PIECE, 1, 1, LINES_PIECE);
    assert_int_equal(peer_counter(&p, "drop.no_memory"), 1);
    host->holds.limit = holds;
    uint32_t records = host->tcp.records.limit;
    host->tcp.records.limit = 0;
    assert_int_equal(hawser_send(line.conn, lines_stream, 10), 10);
    peer_drain(&p);
    assert_int_equal(peer_counter(&p, "limit.records"), 1);
    host->tcp.records.limit = records;
    assert_true(acked(&p) <= 1);
    line_send(&p, &line, 1, 1, LINES_PIECE, 1, 1, LINES_PIECE);
    peer_wait(&p, 2 * NS_PER_S);
    assert_int_equal(acked(&p), 1 + LINES_PIECE);
    assert_int_equal(peer_last(&p, TCP_ACK | TCP_PSH)->len, 10);
    assert_int_equal(hawser_recv(line.conn, got, sizeof got), LINES_PIECE);
    peer_destroy(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refusals_are_counted),
        cmocka_unit_test(more_gaps_than_allowed),
        cmocka_unit_test(disorder_leaves_copies_to_others),
        cmocka_unit_test(garbage_takes_no_copies),
        cmocka_unit_test(one_copy_of_a_begun_mapping),
        cmocka_unit_test(unmapped_payload_leaves_buffers),
        cmocka_unit_test(repeats_fill_no_copies),
        cmocka_unit_test(begun_mappings_are_finished),
        cmocka_unit_test(what_is_shed_gives_room),
        cmocka_unit_test(what_costs_least_goes_first),
        cmocka_unit_test(what_has_no_mapping_makes_way_for_its_own_stream),
        cmocka_unit_test(the_first_mapping_comes_again_when_it_finds_no_room),
        cmocka_unit_test(the_first_mapping_finds_room_when_memory_is_short),
        cmocka_unit_test(what_was_acknowledged_and_lost_its_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
