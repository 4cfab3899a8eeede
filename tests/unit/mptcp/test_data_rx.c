/* The incoming stream alone: no connection, no subflow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "base/units.h"
#include "mptcp/data_rx.h"
#include "support.h"

enum { MEMORY = 4 << 20, RESERVE = 1 << 18, LIMIT = 1 << 20, UNIT = 128 };
#define FIRST (UINT64_MAX - 3000) /* so that numbers wrap on the way */

static uint8_t stream[LIMIT], got[LIMIT];

struct bench {
    struct test_env env;
    struct account_root stack;
    struct account conn, other;
    struct store store;
    struct pool nodes;
    struct data_rx rx;
};

static void set_up(struct bench *b)
{
    test_env_init(&b->env, 1);
    prng_fill(&b->env.rng, stream, sizeof stream);
    account_init(&b->stack, &b->env.env, MEMORY, RESERVE);
    account_open(&b->conn, &b->stack.account);
    account_open(&b->other, &b->stack.account);
    assert_int_equal(store_init(&b->store, &b->env.env), 0);
    pool_init(&b->nodes, &b->env.env, reassembly_node_size(), UINT32_MAX);
    data_rx_init(&b->rx, &b->nodes, &b->store, &b->conn, LIMIT);
    data_rx_rebase(&b->rx, dsn_at(FIRST));
}

static void tear_down(struct bench *b)
{
    data_rx_destroy(&b->rx);
    account_release(&b->other, b->other.held);
    account_close(&b->other);
    account_close(&b->conn);
    store_close(&b->store);
    pool_destroy(&b->nodes);
    test_env_check_clean(&b->env);
}

static dsn64 nth(uint64_t n) { return dsn_add(dsn_at(FIRST), n); }

static enum data_rx_answer place(struct bench *b, uint32_t from, uint32_t len, uint32_t *taken)
{
    return data_rx_place(&b->rx, nth(from), (struct slice){NULL, stream + from, len}, false, taken);
}

/* Others hold all but the reserve and `left` bytes. */
static void press(struct bench *b, uint64_t left)
{
    account_charge(&b->other, MEMORY - RESERVE - left - b->stack.account.held);
}

static void what_closes_the_gap_makes_it_readable(void **state)
{
    (void)state;
    struct bench b;
    uint32_t taken;
    set_up(&b);
    assert_int_equal(place(&b, 1000, 2000, &taken), DATA_RX_PLACED);
    assert_true(data_rx_has_disorder(&b.rx) && data_rx_is_early(&b.rx, nth(1)));
    assert_int_equal(data_rx_readable(&b.rx), 0);
    assert_int_equal(place(&b, 0, 1500, &taken), DATA_RX_PLACED);
    assert_int_equal(taken, 1500);
    assert_false(data_rx_has_disorder(&b.rx));
    assert_true(dsn_eq(data_rx_next(&b.rx), nth(3000)));
    assert_int_equal(data_rx_read(&b.rx, got, sizeof got), 3000);
    assert_memory_equal(got, stream, 3000);
    (void)data_rx_consumed(&b.rx);
    assert_int_equal(b.conn.held, 0); /* an idle stream holds nothing */
    tear_down(&b);
}

static void the_end(void **state)
{
    (void)state;
    struct bench b;
    uint32_t taken;
    set_up(&b);
    assert_true(data_rx_know_end(&b.rx, nth(100)));
    assert_false(data_rx_know_end(&b.rx, nth(50))); /* only the first word counts */
    assert_true(data_rx_know_end(&b.rx, nth(100)));
    assert_int_equal(place(&b, 100, 10, &taken), DATA_RX_BEYOND_END);
    assert_int_equal(taken, 10);
    assert_int_equal(place(&b, 0, 99, &taken), DATA_RX_PLACED);
    assert_false(data_rx_take_end(&b.rx));
    assert_int_equal(place(&b, 50, 100, &taken), DATA_RX_BEYOND_END);
    assert_true(data_rx_take_end(&b.rx));
    assert_false(data_rx_take_end(&b.rx));
    assert_true(data_rx_is_over(&b.rx));
    assert_true(dsn_eq(data_rx_next(&b.rx), nth(101)));
    assert_int_equal(data_rx_readable(&b.rx), 100);
    tear_down(&b);
}

static void an_end_that_cannot_be(void **state)
{
    (void)state;
    struct bench b;
    uint32_t taken;
    set_up(&b);
    assert_int_equal(place(&b, 0, 100, &taken), DATA_RX_PLACED);
    assert_false(data_rx_know_end(&b.rx, nth(99)));
    assert_false(data_rx_knows_end(&b.rx));
    assert_int_equal(place(&b, 100, 100, &taken), DATA_RX_PLACED);
    assert_true(data_rx_know_end(&b.rx, nth(200)));
    assert_true(data_rx_take_end(&b.rx));
    assert_int_equal(data_rx_readable(&b.rx), 200);
    tear_down(&b);
}

static void beyond_the_window(void **state)
{
    (void)state;
    struct bench b;
    uint32_t taken;
    set_up(&b);
    assert_int_equal(place(&b, DATA_RX_WINDOW_FIRST - 10, 11, &taken), DATA_RX_OUT_OF_WINDOW);
    assert_int_equal(taken, 0);
    data_rx_promise(&b.rx, DATA_RX_WINDOW_FIRST + 100);
    assert_int_equal(place(&b, DATA_RX_WINDOW_FIRST - 10, 11, &taken), DATA_RX_PLACED);
    tear_down(&b);
}

/* With nothing left but the reserve: what lies behind a gap waits, what comes next finds room, piece by piece, until
 * the program reads. */
static void the_next_bytes_find_room(void **state)
{
    (void)state;
    struct bench b;
    uint32_t taken, at = 0;
    set_up(&b);
    press(&b, 0);
    assert_false(data_rx_has_room(&b.rx, (struct slice){NULL, stream, 1000}));
    assert_int_equal(place(&b, 1000, 1000, &taken), DATA_RX_NO_ROOM);
    for (int i = 0; i < 100; i++) {
        enum data_rx_answer answer = place(&b, at, 20000, &taken);
        assert_true(taken > 0);
        assert_int_equal(answer, taken == 20000 ? DATA_RX_PLACED : DATA_RX_NO_ROOM);
        assert_int_equal(data_rx_read(&b.rx, got, sizeof got), taken);
        assert_memory_equal(got, stream + at, taken);
        (void)data_rx_consumed(&b.rx);
        at += taken % 8000;
        b.rx.reassembly.read_next = nth(at); /* once more over the same bytes */
    }
    assert_true(b.stack.account.held <= MEMORY);
    tear_down(&b);
}

/* The right edge, as the peer hears it. */
static dsn64 said_edge(struct bench *b)
{
    return dsn_add(data_rx_next(&b->rx), data_rx_window(&b->rx, 1400, UINT16_MAX * UNIT) / UNIT * UNIT);
}

/* It never moves back, whatever the field can say. */
static void the_edge_stays(void **state)
{
    (void)state;
    struct bench b;
    uint32_t taken, at = 0;
    set_up(&b);
    dsn64 edge = nth(0);
    for (int i = 0; i < 300; i++, at += taken) {
        dsn64 said = said_edge(&b);
        assert_true(dsn_diff(edge, said) < UNIT);
        edge = dsn_max(edge, said);
        if (i == 150)
            press(&b, 0);
        uint32_t len = 1 + (uint32_t)prng_below(&b.env.rng, 300);
        (void)place(&b, at, len, &taken);
    }
    tear_down(&b);
}

/* Where the program reads, the field says enough: the edge does not move back at all, whatever the segments' sizes. */
static void no_edge_moves_back_before_a_reader(void **state)
{
    (void)state;
    struct bench b;
    uint32_t taken, at = 0;
    set_up(&b);
    dsn64 edge = nth(0);
    for (int i = 0; i < 1000; i++, at += taken) {
        dsn64 said = said_edge(&b);
        assert_true(dsn_le(edge, said));
        edge = said;
        (void)place(&b, at, 1 + (uint32_t)prng_below(&b.env.rng, 300), &taken);
        assert_int_equal(data_rx_read(&b.rx, got, sizeof got), taken);
    }
    tear_down(&b);
}

static void a_fast_reader_is_offered_more(void **state)
{
    (void)state;
    struct bench b;
    uint32_t taken;
    uint64_t now_ns = NS_PER_S;
    set_up(&b);
    for (uint32_t at = 0; at + 10000 < LIMIT; at += taken, now_ns += NS_PER_MS) {
        assert_int_equal(place(&b, at, 10000, &taken), DATA_RX_PLACED);
        data_rx_consume(&b.rx, SIZE_MAX);
        if (data_rx_tunes(&b.rx))
            data_rx_tune(&b.rx, 50 * NS_PER_MS, now_ns);
    }
    assert_int_equal(data_rx_limit(&b.rx), LIMIT);
    press(&b, 0);
    assert_int_equal(data_rx_limit(&b.rx), (MEMORY - RESERVE) / 2 / 2); /* one of two connections, of one direction */
    tear_down(&b);
}

/* A quarter of the window is read at once, and another one so much later. */
static void where_no_round_trip_is_known_a_long_one_counts(void **state)
{
    (void)state;
    static const struct {
        uint64_t rtt_ms, took_ms;
        bool more;
    } rows[] = {{0, 60, true},  {0, 200, true}, {0, 201, false}, {1, 10, true},
                {1, 11, false}, {40, 50, true}, {40, 51, false}, {400, 500, true}};
    for (size_t i = 0; i < HW_ARRAY_LEN(rows); i++) {
        struct bench b;
        uint32_t taken;
        uint64_t now_ns = NS_PER_S;
        set_up(&b);
        const uint32_t limit = data_rx_limit(&b.rx), quarter = limit / 4;
        for (uint32_t at = 0; at < 2 * quarter; at += quarter, now_ns += rows[i].took_ms * NS_PER_MS) {
            assert_int_equal(place(&b, at, quarter, &taken), DATA_RX_PLACED);
            data_rx_consume(&b.rx, SIZE_MAX);
            assert_true(data_rx_tunes(&b.rx));
            data_rx_tune(&b.rx, rows[i].rtt_ms * NS_PER_MS, now_ns);
        }
        assert_int_equal(data_rx_limit(&b.rx), rows[i].more ? 2 * limit : limit);
        tear_down(&b);
    }
}

/* What comes once more takes no room, even where there is none. */
static void repeats_hold_nothing(void **state)
{
    (void)state;
    struct bench b;
    uint32_t taken;
    set_up(&b);
    assert_int_equal(place(&b, 0, 1000, &taken), DATA_RX_PLACED);
    assert_int_equal(data_rx_read(&b.rx, got, sizeof got), 1000);
    (void)data_rx_consumed(&b.rx);
    press(&b, 0);
    account_charge(&b.other, RESERVE);
    for (uint32_t from = 0; from < 1000; from += 100) {
        assert_int_equal(place(&b, from, 100, &taken), DATA_RX_PLACED);
        assert_int_equal(taken, 100);
        assert_int_equal(b.conn.held, 0);
    }
    assert_int_equal(data_rx_duplicate_bytes(&b.rx), 1000);
    assert_int_equal(place(&b, 900, 200, &taken), DATA_RX_NO_ROOM);
    assert_int_equal(taken, 100);
    assert_int_equal(b.conn.held, 0);
    tear_down(&b);
}

/* Nothing follows the end: what the last words said of the window stays true. */
static void the_edge_rests_after_the_end(void **state)
{
    (void)state;
    struct bench b;
    uint32_t taken;
    set_up(&b);
    assert_int_equal(place(&b, 0, 20000, &taken), DATA_RX_PLACED);
    data_rx_know_end(&b.rx, nth(30000));
    assert_int_equal(data_rx_consumed(&b.rx).open, 10000); /* all that will come */
    assert_int_equal(place(&b, 20000, 10000, &taken), DATA_RX_PLACED);
    uint32_t window = data_rx_window(&b.rx, 1400, UINT16_MAX * UNIT);
    assert_true(data_rx_take_end(&b.rx));
    assert_int_equal(data_rx_window(&b.rx, 1400, UINT16_MAX * UNIT), window);
    assert_int_equal(data_rx_read(&b.rx, got, sizeof got), 30000);
    assert_int_equal(data_rx_consumed(&b.rx).open, 0);
    assert_int_equal(data_rx_window(&b.rx, 1400, UINT16_MAX * UNIT), window);
    tear_down(&b);
}

/* What a program takes to keep counts to nobody any more, and lies in a buffer that is not much larger. */
static void takes_for_the_program(void **state)
{
    (void)state;
    struct bench b;
    uint32_t taken;
    struct slice kept[4];
    set_up(&b);
    assert_false(data_rx_take(&b.rx, &kept[0]));
    assert_int_equal(place(&b, 0, 1500, &taken), DATA_RX_PLACED);
    assert_true(data_rx_take(&b.rx, &kept[0]));
    data_rx_idle(&b.rx);
    assert_int_equal(b.conn.held, 0);
    assert_int_equal(place(&b, 1500, 100, &taken), DATA_RX_PLACED); /* less than a quarter of its buffer */
    assert_int_equal(place(&b, 2000, 1500, &taken), DATA_RX_PLACED);
    assert_true(data_rx_take(&b.rx, &kept[1]));
    assert_false(data_rx_take(&b.rx, &kept[2]));
    assert_int_equal(place(&b, 1600, 400, &taken), DATA_RX_PLACED);
    assert_true(data_rx_take(&b.rx, &kept[2])); /* their buffer has other pieces, too */
    assert_int_equal(data_rx_readable(&b.rx), 0);
    assert_int_equal(kept[2].len, 1900); /* as one */
    data_rx_idle(&b.rx);
    assert_int_equal(b.conn.held, 0);
    for (uint32_t i = 0, at = 0; i < 3; at += kept[i++].len) {
        assert_memory_equal(kept[i].data, stream + at, kept[i].len);
        assert_in_range(hawser_buf_capacity(kept[i].buf), kept[i].len, HW_MAX(4 * kept[i].len, STORE_SMALL_BYTES));
    }
    for (uint32_t i = 0; i < 3; i++)
        hawser_buf_unref(kept[i].buf);
    tear_down(&b);
}

/* Where memory for a copy is out the bytes stay readable. */
static void takes_nothing_without_memory(void **state)
{
    (void)state;
    struct bench b;
    uint32_t taken;
    struct slice kept;
    set_up(&b);
    assert_int_equal(place(&b, 0, 100, &taken), DATA_RX_PLACED);
    b.env.refuses = true;
    assert_false(data_rx_take(&b.rx, &kept));
    b.env.refuses = false;
    assert_int_equal(data_rx_readable(&b.rx), 100);
    assert_true(data_rx_take(&b.rx, &kept));
    assert_memory_equal(kept.data, stream, 100);
    hawser_buf_unref(kept.buf);
    tear_down(&b);
}

/* A link has few buffers: a program that keeps them gets copies once half of them are lent out. */
static void spares_the_buffers_of_links(void **state)
{
    (void)state;
    enum { BUFFERS = 8, LEN = 1000 };
    struct bench b;
    uint32_t taken;
    struct hawser_buf_pool *link;
    struct slice kept[BUFFERS];
    set_up(&b);
    assert_int_equal(hawser_buf_pool_new(&b.env.env, LEN, BUFFERS, &link), 0);
    for (uint32_t i = 0; i < BUFFERS; i++) {
        struct hawser_buf *buf = hawser_buf_new(link);
        assert_non_null(buf);
        memcpy(hawser_buf_data(buf), stream + i * LEN, LEN);
        struct slice bytes = {buf, hawser_buf_data(buf), LEN};
        assert_int_equal(data_rx_place(&b.rx, nth(i * LEN), bytes, true, &taken), DATA_RX_PLACED);
        assert_true(data_rx_take(&b.rx, &kept[i]));
        assert_int_equal(kept[i].buf == buf, i < BUFFERS / 2);
        hawser_buf_unref(buf);
        assert_memory_equal(kept[i].data, stream + i * LEN, LEN);
    }
    data_rx_idle(&b.rx);
    assert_int_equal(b.conn.held, 0);
    assert_int_equal(buf_pool_in_use(link), BUFFERS / 2);
    for (uint32_t i = 0; i < BUFFERS; i++)
        hawser_buf_unref(kept[i].buf);
    hawser_buf_pool_close(link);
    tear_down(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_closes_the_gap_makes_it_readable),
        cmocka_unit_test(the_end),
        cmocka_unit_test(an_end_that_cannot_be),
        cmocka_unit_test(beyond_the_window),
        cmocka_unit_test(the_next_bytes_find_room),
        cmocka_unit_test(the_edge_stays),
        cmocka_unit_test(no_edge_moves_back_before_a_reader),
        cmocka_unit_test(repeats_hold_nothing),
        cmocka_unit_test(the_edge_rests_after_the_end),
        cmocka_unit_test(takes_for_the_program),
        cmocka_unit_test(takes_nothing_without_memory),
        cmocka_unit_test(spares_the_buffers_of_links),
        cmocka_unit_test(a_fast_reader_is_offered_more),
        cmocka_unit_test(where_no_round_trip_is_known_a_long_one_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
