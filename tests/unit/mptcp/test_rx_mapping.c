/* Payload that waits, alone: no connection, no subflow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/units.h"
#include "mptcp/rx_mapping.h"
#include "support.h"

enum { MEMORY = 4 << 20, RESERVE = 1 << 18, DSN = 7000 };

static uint8_t stream[200000];

struct bench {
    struct test_env env;
    struct account_root stack;
    struct account conn, side, other;
    struct store store;
    struct pool pieces;
    struct rx_mapping m;
};

static void set_up(struct bench *b)
{
    test_env_init(&b->env, 1);
    account_init(&b->stack, &b->env.env, MEMORY, RESERVE);
    account_open(&b->conn, &b->stack.account);
    account_open(&b->side, &b->conn);
    account_open(&b->other, &b->stack.account);
    assert_int_equal(store_init(&b->store, &b->env.env), 0);
    pool_init(&b->pieces, &b->env.env, holdq_node_size(), UINT32_MAX);
    rx_mapping_init(&b->m, &b->pieces, &b->store, &b->side);
}

static void tear_down(struct bench *b)
{
    rx_mapping_destroy(&b->m);
    assert_int_equal(b->side.held, 0);
    account_release(&b->other, b->other.held);
    account_close(&b->side);
    account_close(&b->conn);
    account_close(&b->other);
    store_close(&b->store);
    pool_destroy(&b->pieces);
    test_env_check_clean(&b->env);
}

static struct slice part(uint32_t from, uint32_t len) { return (struct slice){NULL, stream + from, len}; }

/* The mapping of the bytes [from, from + len), with a checksum that is right. */
static struct mapping map_of(uint32_t from, uint16_t len)
{
    struct csum sum = {0, false};
    csum_add(&sum, stream + from, len);
    return (struct mapping){.ssn = from,
                            .dsn = dsn_at(DSN + from),
                            .len = len,
                            .has_checksum = true,
                            .checksum = csum_dss(DSN + from, from, len, &sum)};
}

/* All that is held of it, piece by piece. */
static uint32_t take_all(struct bench *b, const struct mapping *map)
{
    uint64_t ssn, next = map->ssn;
    struct slice bytes;
    while (rx_mapping_take(&b->m, map, &ssn, &bytes)) {
        assert_true(ssn == next);
        assert_memory_equal(bytes.data, stream + ssn, bytes.len);
        next += bytes.len;
        hawser_buf_unref(bytes.buf);
    }
    rx_mapping_finish(&b->m, map);
    return (uint32_t)(next - map->ssn);
}

/* Byte by byte, more than a subflow may hold pieces: they are one. */
static void a_mapping_in_any_number_of_pieces(void **state)
{
    (void)state;
    struct bench b;
    const struct mapping map = map_of(100, 60000);
    set_up(&b);
    for (uint32_t i = 0; i < 60000; i++)
        assert_int_equal(rx_mapping_hold_next(&b.m, &map, 100 + i, part(100 + i, 1), CLAIM_URGENT, 1), RX_HELD);
    assert_true(rx_mapping_is_begun(&b.m, &map));
    assert_true(rx_mapping_is_proved(&b.m, &map));
    assert_int_equal(take_all(&b, &map), 60000);
    assert_false(rx_mapping_holds(&b.m));
    tear_down(&b);
}

static void wrong_bytes_are_told(void **state)
{
    (void)state;
    struct bench b;
    struct mapping map = map_of(0, 1000);
    set_up(&b);
    map.checksum ^= 1;
    assert_int_equal(rx_mapping_hold_next(&b.m, &map, 0, part(0, 1000), CLAIM_URGENT, 1), RX_HELD);
    assert_false(rx_mapping_is_proved(&b.m, &map));
    tear_down(&b);
}

/* Once begun it finds room, whatever others hold by then. */
static void what_is_begun_can_be_finished(void **state)
{
    (void)state;
    struct bench b;
    const struct mapping map = map_of(0, 60001), next = map_of(60001, 60000);
    set_up(&b);
    assert_int_equal(rx_mapping_hold_next(&b.m, &map, 0, part(0, 1), CLAIM_SURPLUS, 1), RX_HELD);
    account_charge(&b.other, MEMORY - b.stack.account.held);
    for (uint32_t at = 1; at < 60001; at += 7500)
        assert_int_equal(rx_mapping_hold_next(&b.m, &map, at, part(at, 7500), CLAIM_URGENT, 1), RX_HELD);
    assert_true(rx_mapping_is_proved(&b.m, &map));
    assert_int_equal(take_all(&b, &map), 60001);
    account_charge(&b.other, MEMORY - b.stack.account.held);
    assert_int_equal(rx_mapping_hold_next(&b.m, &next, 60001, part(60001, 1), CLAIM_URGENT, 1), RX_NO_ROOM);
    tear_down(&b);
}

/* Whichever allocation fails, nothing is begun by halves, and the same part finds room when it comes again. */
static void no_memory_for_a_mapping(void **state)
{
    (void)state;
    unsigned refused = 0;
    for (unsigned nth = 1; nth <= 4; nth++) {
        struct bench b;
        const struct mapping map = map_of(0, 60000);
        set_up(&b);
        b.env.fail_at = nth;
        refused += rx_mapping_hold_next(&b.m, &map, 0, part(0, 1), CLAIM_URGENT, 1) == RX_NO_ROOM;
        b.env.fail_at = 0;
        if (!rx_mapping_holds(&b.m))
            assert_int_equal(rx_mapping_hold_next(&b.m, &map, 0, part(0, 1), CLAIM_URGENT, 1), RX_HELD);
        assert_int_equal(rx_mapping_hold_next(&b.m, &map, 1, part(1, 59999), CLAIM_URGENT, 1), RX_HELD);
        assert_int_equal(take_all(&b, &map), 60000);
        tear_down(&b);
    }
    assert_int_equal(refused, 3); /* the buffer, what is known of the assembly, the piece */
}

/* Under pressure an unfinished mapping has its term; else it gets another. */
static void a_begun_mapping_has_its_time(void **state)
{
    (void)state;
    struct bench b;
    const struct mapping map = map_of(0, 60000);
    set_up(&b);
    assert_int_equal(rx_mapping_assembly_due(&b.m), TIME_NEVER);
    assert_int_equal(rx_mapping_hold_next(&b.m, &map, 0, part(0, 1), CLAIM_SURPLUS, NS_PER_S), RX_HELD);
    assert_int_equal(rx_mapping_assembly_due(&b.m), 11 * NS_PER_S);
    assert_true(rx_mapping_extend_assembly(&b.m, 11 * NS_PER_S));
    assert_int_equal(rx_mapping_assembly_due(&b.m), 21 * NS_PER_S);
    account_charge(&b.other, MEMORY / 2);
    assert_true(rx_mapping_extend_assembly(&b.m, 21 * NS_PER_S)); /* within its share */
    account_charge(&b.conn, MEMORY / 2);
    assert_false(rx_mapping_extend_assembly(&b.m, 31 * NS_PER_S));
    account_release(&b.conn, MEMORY / 2);
    tear_down(&b);
}

static void unmapped_bytes_are_limited(void **state)
{
    (void)state;
    struct bench b;
    uint32_t taken, at = 1000;
    set_up(&b);
    while (rx_mapping_hold_unmapped(&b.m, at, part(at, 1000), &taken) == RX_HELD)
        at += taken;
    assert_in_range(at - 1000, RX_UNMAPPED_MAX - 1000, RX_UNMAPPED_MAX);
    assert_true(b.side.held < 2 * RX_UNMAPPED_MAX);
    rx_mapping_note_unmapped(&b.m, 1000, 5);
    assert_int_equal(rx_mapping_unmapped_since(&b.m), 0); /* as long as it is ahead of its subflow */
    rx_mapping_note_unmapped(&b.m, 2000, 5);
    rx_mapping_note_unmapped(&b.m, 2000, 7);
    assert_int_equal(rx_mapping_unmapped_since(&b.m), 5);
    assert_true(rx_mapping_forget_ahead(&b.m, 2000));
    assert_false(rx_mapping_forget_ahead(&b.m, 2000));
    const struct mapping map = map_of(1000, 3000);
    assert_int_equal(rx_mapping_add(&b.m, &map, true), RXMAP_ADDED);
    rx_mapping_note_unmapped(&b.m, 2000, 9);
    assert_int_equal(rx_mapping_unmapped_since(&b.m), 0);
    assert_int_equal(take_all(&b, &map), 1000);
    tear_down(&b);
}

/* What was given up is not waited for. */
static void surrendered_mappings_are_swallowed(void **state)
{
    (void)state;
    struct bench b;
    const struct mapping map = map_of(0, 3000), later = map_of(3000, 1000);
    uint32_t taken;
    set_up(&b);
    assert_int_equal(rx_mapping_hold_next(&b.m, &map, 0, part(0, 1000), CLAIM_URGENT, 1), RX_HELD);
    assert_int_equal(rx_mapping_hold_ahead(&b.m, &map, 2000, part(2000, 500), &taken), RX_HELD);
    rx_mapping_surrender(&b.m);
    assert_int_equal(b.side.held, 0);
    assert_true(rx_mapping_is_swallowed(&b.m, 2499));
    assert_false(rx_mapping_is_swallowed(&b.m, 2500));
    rx_mapping_swallow(&b.m, &map);
    assert_true(rx_mapping_is_swallowed(&b.m, 2999));
    assert_int_equal(rx_mapping_hold_next(&b.m, &later, 3000, part(3000, 1000), CLAIM_URGENT, 1), RX_HELD);
    assert_true(rx_mapping_is_proved(&b.m, &later));
    tear_down(&b);
}

/* What went up lies behind a gap of the stream, and is still held there when the next mapping comes. */
static void one_buffer_for_many_mappings(void **state)
{
    (void)state;
    struct bench b;
    struct slice up[20];
    uint64_t ssn;
    set_up(&b);
    for (uint32_t i = 0; i < 20; i++) {
        const struct mapping map = map_of(3000 * i, 2500);
        for (uint32_t at = 0; at < 2500; at += 1250)
            assert_int_equal(rx_mapping_hold_next(&b.m, &map, map.ssn + at, part(3000 * i + at, 1250), CLAIM_URGENT, 1),
                             RX_HELD);
        assert_true(rx_mapping_take(&b.m, &map, &ssn, &up[i]));
        assert_int_equal(up[i].len, 2500);
        rx_mapping_finish(&b.m, &map);
        rx_mapping_idle(&b.m); /* as after every batch in which nothing could be read */
    }
    assert_in_range(b.side.held, 20 * 2500, 2 * 20 * 2500);
    for (uint32_t i = 0; i < 20; i++) {
        assert_memory_equal(up[i].data, stream + 3000 * i, 2500);
        hawser_buf_unref(up[i].buf);
    }
    rx_mapping_idle(&b.m);
    assert_int_equal(store_in_use(&b.store), 0);
    tear_down(&b);
}

int main(void)
{
    for (uint32_t i = 0; i < sizeof stream; i++)
        stream[i] = (uint8_t)(i * 7 + i / 251);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mapping_in_any_number_of_pieces), cmocka_unit_test(wrong_bytes_are_told),
        cmocka_unit_test(what_is_begun_can_be_finished),     cmocka_unit_test(a_begun_mapping_has_its_time),
        cmocka_unit_test(unmapped_bytes_are_limited),        cmocka_unit_test(surrendered_mappings_are_swallowed),
        cmocka_unit_test(no_memory_for_a_mapping),           cmocka_unit_test(one_buffer_for_many_mappings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
