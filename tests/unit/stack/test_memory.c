/* Memory is charged to who makes the stack hold it: whatever others hold, a client is served, and the limit binds. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/units.h"
#include "lines.h"
#include "stack/stack.h"

enum { MEMORY = 8 << 20, BUFFER = 256 * 1024, BUFFERS = 256, CROWD = 63 };
static uint8_t got[1 << 20];

static uint64_t held(const struct peer *p) { return p->stack->host.memory.account.held; }

static uint64_t held_by(const struct line *line) { return ((const struct conn *)line->conn)->account.held; }

/* A new client connects, sends 5 bytes and gets 8 back. */
static void serve_a_victim(struct peer *p)
{
    peer_forget(p);
    p->addr.port = 9000;
    peer_open_plain(p);
    peer_forget(p);
    peer_send(p, TCP_ACK, 1, 1, NULL, "hello", 5);
    assert_int_equal(hawser_recv(p->conn, got, sizeof got), 5);
    assert_memory_equal(got, "hello", 5);
    assert_int_equal(hawser_send(p->conn, "answered", 8), 8);
    peer_drain(p);
    assert_int_equal(peer_last(p, TCP_ACK)->len, 8);
    assert_memory_equal(peer_last(p, TCP_ACK)->payload, "answered", 8);
    assert_true(held(p) <= MEMORY);
}

/* Its program sends all that the connection takes. */
static void fill_up(struct peer *p, const struct line *line)
{
    while (hawser_send(line->conn, lines_stream, sizeof lines_stream) > 0)
        ;
    peer_drain(p);
}

/* What programs queue for peers that read nothing. */
static void shut_windows(void **state)
{
    (void)state;
    struct peer p;
    lines_init(&p, MEMORY, false, NULL);
    for (uint16_t i = 0; i < 4 * CROWD; i++) {
        struct line line = line_open(&p, (uint16_t)(4000 + i));
        fill_up(&p, &line);
    }
    assert_true(held(&p) > MEMORY / 2);
    serve_a_victim(&p);
    peer_destroy(&p);
}

static bool is_told(struct peer *p)
{
    bool told = false;
    for (struct hawser_conn *conn; (conn = next_told(p->stack));)
        told |= conn == p->conn;
    return told;
}

/* The program sends what it can when it is told to, the peer acknowledges what it sees: bytes of one round trip. */
static uint32_t exchange(struct peer *p, bool told, uint32_t from)
{
    uint32_t next = from;
    for (; told; told = is_told(p)) {
        while (hawser_send(p->conn, lines_stream, BUFFER) > 0)
            ;
        peer_drain(p);
    }
    for (unsigned i = 0; i < p->seen_count; i++)
        if (p->seen[i].remote.port == p->addr.port)
            next = HW_MAX(next, p->seen[i].seq + p->seen[i].len);
    peer_forget(p);
    peer_send(p, TCP_ACK, 1, next, NULL, NULL, 0);
    return next - from;
}

/* A crowd whose programs send all they can and whose peers acknowledge nothing: whose peer does goes on in each round
 * trip, and is told at once, where there is room enough for all and where there is only a little for the next bytes. */
static void who_takes_what_is_sent_goes_on(void **state)
{
    (void)state;
    enum { ROUNDS = 40 };
    static const struct {
        uint32_t memory;
        uint16_t crowd;
        uint32_t least; /* bytes a round trip */
    } cases[] = {{4 * MEMORY, CROWD, UINT16_MAX}, {4 * MEMORY, 4 * CROWD, UINT16_MAX}, {MEMORY, 4 * CROWD, 2000}};
    for (unsigned c = 0; c < HW_ARRAY_LEN(cases); c++) {
        struct peer p;
        lines_init(&p, cases[c].memory, false, NULL);
        for (uint16_t i = 0; i < cases[c].crowd; i++) {
            struct line line = line_open(&p, (uint16_t)(4000 + i));
            fill_up(&p, &line);
        }
        peer_forget(&p);
        p.addr.port = 9000;
        peer_open_plain(&p);
        uint32_t next = 1;
        bool told = true;
        for (unsigned round = 0; round < ROUNDS; round++) {
            uint32_t bytes = exchange(&p, told, next);
            assert_true(round < 5 || bytes >= cases[c].least);
            next += bytes;
            told = is_told(&p);
        }
        peer_destroy(&p);
    }
}

/* There was room, and it lined up to be told of that; then others took the memory. Nobody says that there is news, and
 * it is told when there is room again. */
static void room_that_others_took_is_no_news(void **state)
{
    (void)state;
    struct peer p;
    struct hawser_conn_options soon = {
        .size = sizeof soon, .send_buffer_bytes = 64 * 1024, .send_low_water_bytes = LINES_PIECE};
    struct account others;
    lines_init(&p, MEMORY, false, &soon);
    p.addr.port = 9000;
    peer_open_plain(&p);
    uint32_t next = 1 + exchange(&p, true, 1);
    assert_true(hawser_stack_pending(p.stack));
    account_open(&others, &p.stack->host.memory.account);
    account_charge(&others, MEMORY / 4);
    assert_false(hawser_stack_pending(p.stack));
    assert_null(next_told(p.stack));
    account_release(&others, MEMORY / 4);
    account_close(&others);
    (void)exchange(&p, false, next);
    assert_ptr_equal(next_told(p.stack), p.conn);
    peer_destroy(&p);
}

/* What peers send to programs that read nothing, in small segments and large, and what they promise. */
static void unread_data(void **state)
{
    (void)state;
    for (unsigned len = 500; len <= 1000; len += 500) {
        struct peer p;
        lines_init(&p, MEMORY, false, NULL);
        assert_int_equal(hawser_buf_pool_new(&p.env.env, BUFFER, BUFFERS, &p.rx), 0);
        for (uint16_t i = 0; i < CROWD; i++) {
            struct line line = line_open(&p, (uint16_t)(4000 + i));
            for (uint32_t at = 1; at + len < 65000; at += len)
                line_send(&p, &line, at, at, (uint16_t)len, at, at, len);
        }
        assert_int_equal(buf_pool_in_use(p.rx), 0); /* none is held for a few bytes of it */
        serve_a_victim(&p);
        hawser_buf_pool_close(p.rx);
        peer_destroy(&p);
    }
}

/* Few bytes, behind a gap or queued to be sent, hold little. */
static void few_bytes_hold_little(void **state)
{
    (void)state;
    struct peer p;
    lines_init(&p, MEMORY, false, NULL);
    assert_int_equal(hawser_buf_pool_new(&p.env.env, BUFFER, BUFFERS, &p.rx), 0);
    struct line line = line_open(&p, 4000);
    line_take(&p, &line);
    peer_send(&p, TCP_ACK, 1, 2, NULL, NULL, 0);
    uint64_t before = held_by(&line);
    line_send(&p, &line, 1001, 1001, 1, 1001, 1001, 1);
    assert_in_range(held_by(&line) - before, 1, 4096);
    assert_int_equal(buf_pool_in_use(p.rx), 0);
    before = held_by(&line);
    assert_int_equal(hawser_send(line.conn, "bytes", 5), 5);
    assert_in_range(held_by(&line) - before, 1, 4096);
    hawser_buf_pool_close(p.rx);
    peer_destroy(&p);
}

/* Segments of one byte, every other one of the stream: pieces and gaps count. */
static void bytes_and_gaps(void **state)
{
    (void)state;
    enum { PIECES = 1500, CONNS = 44 };
    struct peer p;
    lines_init(&p, 2 << 20, false, NULL);
    for (uint16_t i = 0; i < CONNS; i++) {
        struct line line = line_open(&p, (uint16_t)(4000 + i));
        uint64_t before = held_by(&line);
        for (uint32_t k = 0; k < PIECES; k++)
            line_send(&p, &line, 1001 + 2 * k, 1001 + 2 * k, 1, 1001 + 2 * k, 1001 + 2 * k, 1);
        if (i == 0)
            assert_true(held_by(&line) - before > PIECES / 2 * 48);
        assert_true(held(&p) <= 2 << 20);
    }
    serve_a_victim(&p);
    peer_destroy(&p);
}

/* Data without a mapping is limited in bytes, and charged. */
static void unmapped_data(void **state)
{
    (void)state;
    for (int checksums = 0; checksums < 2; checksums++) {
        struct peer p;
        lines_init(&p, MEMORY, checksums, NULL);
        struct line line = line_open(&p, 4000);
        uint64_t before = held_by(&line);
        for (uint32_t at = 1001; at < 600000; at += LINES_PIECE) {
            line_take(&p, &line);
            struct tcp_options o = peer_dss(&p, 1, 0, 0, 0);
            peer_send(&p, TCP_ACK, at, 1, &o, lines_stream, LINES_PIECE);
            assert_true(held_by(&line) - before < 2 * RX_UNMAPPED_MAX);
        }
        serve_a_victim(&p);
        peer_destroy(&p);
    }
}

/* Whoever holds more than his share gives up what lies behind his gaps for what others need next; nothing else. */
static void the_greedy_give_way(void **state)
{
    (void)state;
    struct peer p;
    lines_init(&p, 1 << 20, false, NULL);
    struct line greedy = line_open(&p, 4000), modest = line_open(&p, 4001);
    for (uint32_t at = 1001; at + LINES_PIECE < 60000; at += LINES_PIECE)
        line_send(&p, &greedy, at, at, LINES_PIECE, at, at, LINES_PIECE);
    line_send(&p, &modest, 5001, 5001, STORE_SMALL_BYTES, 5001, 5001, STORE_SMALL_BYTES);
    struct account_root *memory = &p.stack->host.memory;
    struct account others[10];
    for (int i = 0; i < 10; i++)
        account_open(&others[i], &memory->account); /* shares are small, and nothing is left but for this */
    uint64_t elsewhere = memory->limit - memory->account.held - 100;
    account_charge(&others[0], elsewhere);
    uint64_t kept = held_by(&modest);
    line_send(&p, &modest, 1, 1, LINES_PIECE, 1, 1, LINES_PIECE);
    assert_int_equal(peer_counter(&p, "limit.sacked_dropped"), 1);
    assert_int_equal(hawser_recv(modest.conn, got, sizeof got), LINES_PIECE);
    assert_in_range(held_by(&modest), STORE_SMALL_BYTES, kept + 4096); /* nothing of it went */
    assert_true(held_by(&greedy) < 20000);
    /* What was SACKed and forgotten comes again. */
    account_release(&others[0], elsewhere);
    for (uint32_t at = 1; at + LINES_PIECE < 60000; at += LINES_PIECE)
        line_send(&p, &greedy, at, at, LINES_PIECE, at, at, LINES_PIECE);
    ssize_t n = hawser_recv(greedy.conn, got, sizeof got);
    assert_int_equal(n, 59000);
    assert_memory_equal(got, lines_stream + 1, n);
    for (int i = 0; i < 10; i++)
        account_close(&others[i]);
    peer_destroy(&p);
}

/* Others hold all that is left, or all but the emergency reserve. */
static void hold_elsewhere(struct peer *p, struct account *others, bool but_the_reserve)
{
    struct account_root *memory = &p->stack->host.memory;
    account_open(others, &memory->account);
    account_charge(others, memory->limit - (but_the_reserve ? memory->reserve : 0) - memory->account.held);
}

static void give_back(struct account *others)
{
    account_release(others, others->held);
    account_close(others);
}

/* When nothing else helps, the greediest goes. */
static void the_last_resorts(void **state)
{
    (void)state;
    struct peer p;
    lines_init(&p, 1 << 20, false, NULL);
    struct line greedy = line_open(&p, 4000), modest = line_open(&p, 4001);
    fill_up(&p, &greedy);
    struct account others;
    hold_elsewhere(&p, &others, false);
    for (int i = 0; i < 13; i++) {
        line_send(&p, &modest, 1, 1, LINES_PIECE, 1, 1, LINES_PIECE);
        assert_int_equal(peer_counter(&p, "limit.reset_for_memory"), i >= 10);
        peer_wait(&p, NS_PER_S);
    }
    assert_true(hawser_conn_error(greedy.conn) < 0);
    assert_int_equal(hawser_conn_error(modest.conn), 0);
    give_back(&others);
    peer_destroy(&p);
}

/* Nobody with something to send waits for ever for what others keep. */
static void who_has_nothing_to_send_gets_room(void **state)
{
    (void)state;
    struct peer p;
    lines_init(&p, 1 << 20, false, NULL);
    struct line greedy = line_open(&p, 4000), modest = line_open(&p, 4001);
    fill_up(&p, &greedy);
    struct account others;
    hold_elsewhere(&p, &others, true);
    assert_int_equal(hawser_send(modest.conn, lines_stream, LINES_PIECE), -ENOBUFS);
    for (int i = 0; i < 13; i++) {
        assert_int_equal(peer_counter(&p, "limit.reset_for_memory"), i > 10);
        peer_wait(&p, NS_PER_S);
    }
    assert_true(hawser_conn_error(greedy.conn) < 0);
    hawser_close(greedy.conn);
    peer_wait(&p, NS_PER_S);
    assert_int_equal(hawser_send(modest.conn, lines_stream, LINES_PIECE), LINES_PIECE);
    give_back(&others);
    peer_destroy(&p);
}

/* Nor does what everybody has read already stay with those to whom it was said again. */
static void repeats_leave_nothing(void **state)
{
    (void)state;
    enum { REPEATS = 5 };
    for (unsigned checksums = 0; checksums < 2; checksums++) {
        struct peer p;
        lines_init(&p, MEMORY, checksums, NULL);
        struct line line = line_open(&p, 4000);
        for (uint32_t i = 0; i < REPEATS; i++) {
            uint32_t ssn = 1 + i * LINES_PIECE;
            line_send(&p, &line, ssn, 1, LINES_PIECE, ssn, ssn, LINES_PIECE);
            peer_wait(&p, NS_PER_S);
            assert_int_equal(peer_last(&p, TCP_ACK)->ack, ssn + LINES_PIECE);
            assert_int_equal(hawser_recv(line.conn, got, sizeof got), i ? -EAGAIN : LINES_PIECE);
            assert_int_equal(held_by(&line), 0);
        }
        peer_destroy(&p);
    }
}

/* No new connection when nearly all is held; when that lasts the greediest goes for it, so that it may come again. */
static void the_greediest_goes_for_a_new_one(void **state)
{
    (void)state;
    struct peer p;
    lines_init(&p, 1 << 20, false, NULL);
    struct line modest = line_open(&p, 4000), greedy = line_open(&p, 4001);
    fill_up(&p, &greedy);
    struct account others;
    hold_elsewhere(&p, &others, true);
    peer_forget(&p);
    p.addr.port = 9000;
    peer_send(&p, TCP_SYN, 0, 0, NULL, NULL, 0);
    peer_send(&p, TCP_ACK, 1, 1, NULL, NULL, 0);
    assert_true(hawser_accept(p.listener, &p.conn) < 0);
    assert_int_equal(peer_counter(&p, "limit.connections_for_memory"), 1);
    assert_int_equal(peer_counter(&p, "limit.reset_for_memory"), 0);
    peer_wait(&p, NS_PER_S);
    peer_send(&p, TCP_ACK, 1, 1, NULL, NULL, 0);
    assert_int_equal(peer_counter(&p, "limit.reset_for_memory"), 1);
    assert_true(hawser_conn_error(greedy.conn) < 0);
    hawser_close(greedy.conn);
    peer_drain(&p);
    peer_send(&p, TCP_ACK, 1, 1, NULL, NULL, 0);
    assert_int_equal(hawser_accept(p.listener, &p.conn), 0);
    assert_int_equal(hawser_conn_error(modest.conn), 0);
    give_back(&others);
    peer_destroy(&p);
}

/* Nobody goes for what comes back by itself, however often it was gone for a moment. */
static void nobody_goes_for_a_moment(void **state)
{
    (void)state;
    struct peer p;
    lines_init(&p, 1 << 20, false, NULL);
    struct line greedy = line_open(&p, 4000);
    fill_up(&p, &greedy);
    peer_forget(&p);
    for (uint16_t i = 0; i < 5; i++) {
        struct account others;
        hold_elsewhere(&p, &others, true);
        p.addr.port = (uint16_t)(9000 + i);
        peer_send(&p, TCP_SYN, 0, 0, NULL, NULL, 0);
        peer_send(&p, TCP_ACK, 1, 1, NULL, NULL, 0);
        assert_int_equal(peer_counter(&p, "limit.connections_for_memory"), i + 1);
        p.now_ns += NS_PER_S / 2;
        give_back(&others);
        peer_wait(&p, NS_PER_S);
    }
    assert_int_equal(peer_counter(&p, "limit.reset_for_memory"), 0);
    assert_int_equal(hawser_conn_error(greedy.conn), 0);
    peer_destroy(&p);
}

static void fill(struct peer *p, uint16_t port)
{
    struct line line = line_open(p, port);
    fill_up(p, &line);
    for (struct hawser_conn *conn; (conn = next_told(p->stack));)
        if (hawser_conn_error(conn))
            hawser_close(conn);
    peer_drain(p);
}

/* One of one address, and of another one as many as it takes to use up what they can get. */
static void crowd_in(struct peer *p)
{
    const struct account_root *memory = &p->stack->host.memory;
    uint64_t last_eighth = (memory->limit - memory->reserve) / 8 * 7;
    struct hawser_addr crowd = p->addr;
    p->addr.ip[15] ^= 0x40;
    (void)line_open(p, 4000);
    p->addr = crowd;
    for (uint16_t i = 0; i < 300 && held(p) <= last_eighth; i++)
        fill(p, (uint16_t)(4000 + i));
    assert_true(held(p) > last_eighth / 8 * 7);
}

/* So many of one address that what each has at least is all there is: others are served, and nobody has to go. */
static void a_crowd_leaves_room_to_others(void **state)
{
    (void)state;
    struct peer p;
    lines_init(&p, 1 << 20, false, NULL);
    crowd_in(&p);
    p.addr.ip[15] ^= 0x80;
    serve_a_victim(&p);
    assert_int_equal(peer_counter(&p, "limit.reset_for_memory"), 0);
    peer_destroy(&p);
}

/* One address has all, and acknowledges nothing: after ten seconds new ones of it get what is held by the old ones. */
static void a_crowd_gives_way_to_its_own(void **state)
{
    (void)state;
    struct peer p;
    lines_init(&p, 1 << 20, false, NULL);
    crowd_in(&p);
    for (int i = 0; i < 22; i++) { /* each is sent again and again */
        peer_forget(&p);
        peer_wait(&p, NS_PER_S / 2);
    }
    for (int i = 0; i < 3; i++) { /* what is reset now is there for who comes then */
        p.addr.port = (uint16_t)(8000 + i);
        peer_send(&p, TCP_SYN, 0, 0, NULL, NULL, 0);
        peer_send(&p, TCP_ACK, 1, 1, NULL, NULL, 0);
        for (struct hawser_conn *conn; (conn = next_told(p.stack));)
            if (hawser_conn_error(conn))
                hawser_close(conn);
        peer_drain(&p);
    }
    while (hawser_accept(p.listener, &p.conn) == 0)
        ;
    serve_a_victim(&p);
    assert_true(peer_counter(&p, "limit.reset_for_memory") > 0);
    peer_destroy(&p);
}

/* Always another address, and each takes what it can get: the next one is served, for somebody has to go. */
static void many_addresses_leave_room_to_others(void **state)
{
    (void)state;
    struct peer p;
    lines_init(&p, 1 << 20, false, NULL);
    for (uint16_t i = 0; i < 400; i++) {
        p.addr.ip[14] = (uint8_t)(1 + i / 200);
        p.addr.ip[15] = (uint8_t)(1 + i % 200);
        p.now_ns += 50 * NS_PER_MS;
        fill(&p, 4000);
    }
    p.addr.ip[14] = 9;
    serve_a_victim(&p);
    assert_true(peer_counter(&p, "limit.reset_for_memory") > 0);
    assert_int_equal(peer_counter(&p, "limit.connections_for_memory"), 0);
    peer_destroy(&p);
}

/* A mapping of bytes that came before, on an acknowledgement. */
static void an_old_mapping_leaves_nothing(void **state)
{
    (void)state;
    struct peer p;
    peer_init(&p, NULL, NULL);
    peer_open_mptcp(&p);
    struct tcp_options o = peer_dss(&p, 1, 1, 1, 5);
    peer_send(&p, TCP_ACK, 1, 1, &o, "hello", 5);
    assert_int_equal(hawser_recv(p.conn, got, sizeof got), 5);
    uint64_t before = held(&p);
    peer_send(&p, TCP_ACK, 6, 1, &o, NULL, 0);
    assert_int_equal(held(&p), before);
    peer_destroy(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shut_windows),
        cmocka_unit_test(who_takes_what_is_sent_goes_on),
        cmocka_unit_test(room_that_others_took_is_no_news),
        cmocka_unit_test(unread_data),
        cmocka_unit_test(few_bytes_hold_little),
        cmocka_unit_test(bytes_and_gaps),
        cmocka_unit_test(unmapped_data),
        cmocka_unit_test(the_greedy_give_way),
        cmocka_unit_test(the_last_resorts),
        cmocka_unit_test(the_greediest_goes_for_a_new_one),
        cmocka_unit_test(nobody_goes_for_a_moment),
        cmocka_unit_test(a_crowd_leaves_room_to_others),
        cmocka_unit_test(a_crowd_gives_way_to_its_own),
        cmocka_unit_test(many_addresses_leave_room_to_others),
        cmocka_unit_test(who_has_nothing_to_send_gets_room),
        cmocka_unit_test(an_old_mapping_leaves_nothing),
        cmocka_unit_test(repeats_leave_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
