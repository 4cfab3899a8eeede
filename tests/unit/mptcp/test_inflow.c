/* Arrived payload on its way from subflows to the stream, without a connection. */
#include <errno.h>

#include "inflow_bench.h"

/* ---- without a checksum ---- */

static void plain_bytes_are_the_streams(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b);
    b.in.plain = true;
    assert_int_equal(arrive(&b, b.s, 0, 0, 1500), INFLOW_TAKEN);
    assert_int_equal(b.taken, 1500);
    assert_int_equal(arrive(&b, b.s, 2000, 2000, 500), INFLOW_TAKEN);
    assert_int_equal(arrive(&b, b.s, 1500, 1500, 500), INFLOW_TAKEN);
    expect_read(&b, 2500);
    tear_down(&b);
}

/* One segment, merged on the way, two mappings, in the other order. */
static void a_segment_may_span_mappings(void **state)
{
    (void)state;
    struct bench b;
    uint8_t merged[2 * FEW];
    uint32_t taken;
    set_up(&b);
    map_on(&b, b.s, 0, FEW, FEW);
    map_on(&b, b.s, FEW, 0, FEW);
    memcpy(merged, b.bundle.bytes + FEW, FEW);
    memcpy(merged + FEW, b.bundle.bytes, FEW);
    const struct slice bytes = {NULL, merged, sizeof merged};
    assert_int_equal(inflow_place(&b.in, b.s, nth_ssn(0), bytes, &taken, b.bundle.now_ns), INFLOW_TAKEN);
    assert_int_equal(taken, 2 * FEW);
    expect_read(&b, 2 * FEW);
    tear_down(&b);
}

static void bytes_wait_for_their_mapping(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b);
    assert_int_equal(arrive(&b, b.s, 0, 0, 300), INFLOW_TAKEN);
    assert_int_equal(b.taken, 300);
    expect_read(&b, 0);
    struct mapping map = map_on(&b, b.s, 0, 0, 200);
    assert_int_equal(inflow_mapped(&b.in, b.s, &map, b.bundle.now_ns), INFLOW_TAKEN);
    expect_read(&b, 200);
    assert_true(rx_mapping_holds(&b.s->rx_mapping)); /* the rest is another mapping's */
    map = map_on(&b, b.s, 200, 200, 100);
    assert_int_equal(inflow_mapped(&b.in, b.s, &map, b.bundle.now_ns), INFLOW_TAKEN);
    expect_read(&b, 100);
    assert_false(rx_mapping_holds(&b.s->rx_mapping));
    tear_down(&b);
}

/* More than comes by accident: without checksums no mapping can be so late. */
static void too_much_without_a_mapping(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b);
    assert_int_equal(arrive(&b, b.s, 0, 0, RX_UNMAPPED_MAX), INFLOW_TAKEN);
    assert_int_equal(b.s->tcp.state, TCPS_ESTABLISHED);
    assert_int_equal(arrive(&b, b.s, RX_UNMAPPED_MAX, 0, 1), INFLOW_TAKEN);
    assert_int_equal(b.s->tcp.state, TCPS_CLOSED);
    assert_int_equal(b.taken, 1);
    assert_int_equal(counted(&b, COUNT_DROP_UNMAPPED), 1);
    tear_down(&b);
}

static void beyond_the_window_and_the_end(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b);
    b.in.plain = true;
    assert_int_equal(arrive(&b, b.s, BUNDLE_LIMIT, 0, 10), INFLOW_TAKEN);
    assert_int_equal(b.taken, 0);
    end_arrival(&b, b.s);
    assert_int_equal(counted(&b, COUNT_DROP_DATA_WINDOW), 1);
    data_rx_know_end(&b.bundle.rx, nth_byte(50));
    assert_int_equal(arrive(&b, b.s, 0, 0, FEW), INFLOW_TAKEN);
    assert_int_equal(b.taken, FEW); /* nobody wants the rest */
    assert_int_equal(counted(&b, COUNT_DROP_DATA_WINDOW), 2);
    expect_read(&b, 50);
    tear_down(&b);
}

/* ---- no room ---- */

/* What comes next in the stream is worth somebody's while. */
static void room_is_made_for_what_comes_next(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b);
    map_on(&b, b.s, 0, 0, 3000);
    no_room(&b);
    assert_int_equal(arrive(&b, b.s, 0, 0, 3000), INFLOW_NO_ROOM);
    assert_int_equal(b.taken, 0);
    make_room(&b);
    assert_int_equal(place_rest(&b, b.s, 0), INFLOW_TAKEN);
    assert_int_equal(b.taken, 3000);
    assert_int_equal(counted(&b, COUNT_DROP_NO_MEMORY), 0);
    expect_read(&b, 3000);
    tear_down(&b);
}

/* Room for some of it: the rest goes on where that ended. */
static void what_found_room_is_not_asked_for_again(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b);
    map_on(&b, b.s, 0, 0, 30000);
    bundle_press(&b.bundle, 3000);
    assert_int_equal(arrive(&b, b.s, 0, 0, 30000), INFLOW_NO_ROOM);
    assert_in_range(b.taken, 1, 3000);
    make_room(&b);
    assert_int_equal(place_rest(&b, b.s, 0), INFLOW_TAKEN);
    assert_int_equal(b.taken, 30000);
    expect_read(&b, 30000);
    tear_down(&b);
}

static void without_hope_it_did_not_arrive(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b);
    map_on(&b, b.s, 0, 0, 3000);
    no_room(&b);
    assert_int_equal(arrive(&b, b.s, 0, 0, 3000), INFLOW_NO_ROOM);
    b.in.hopeless = true;
    assert_int_equal(place_rest(&b, b.s, 0), INFLOW_TAKEN);
    assert_int_equal(b.taken, 0);
    assert_int_equal(counted(&b, COUNT_DROP_NO_MEMORY), 1);
    end_arrival(&b, b.s);
    assert_int_equal(b.s->tcp.state, TCPS_ESTABLISHED);
    assert_false(b.in.missed);
    tear_down(&b);
}

/* What lies behind a gap of the stream makes nobody give anything up. The next of its subflow is acknowledged there,
 * where the peer's data level sends it again; what is ahead there, too, may come again. */
static void what_is_early_gives_way(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b);
    map_on(&b, b.s, 0, 5000, 2 * FEW);
    no_room(&b);
    b.in.sheds = true;
    assert_int_equal(arrive(&b, b.s, FEW, 5000 + FEW, FEW), INFLOW_TAKEN);
    assert_int_equal(b.taken, 0);
    assert_int_equal(counted(&b, COUNT_LIMIT_DISORDER), 1);
    end_arrival(&b, b.s);
    assert_int_equal(arrive(&b, b.s, 0, 5000, FEW), INFLOW_TAKEN);
    assert_int_equal(b.taken, FEW);
    assert_int_equal(counted(&b, COUNT_LIMIT_DISORDER_DROPPED), 1);
    end_arrival(&b, b.s);
    b.in.sheds = false;
    assert_int_equal(arrive(&b, b.s, FEW, 5000 + FEW, FEW), INFLOW_TAKEN);
    assert_int_equal(b.taken, 0);
    assert_int_equal(counted(&b, COUNT_LIMIT_DISORDER), 2);
    end_arrival(&b, b.s);
    assert_int_equal(counted(&b, COUNT_DROP_NO_MEMORY), 0);
    make_room(&b);
    assert_false(data_rx_has_disorder(&b.bundle.rx));
    tear_down(&b);
}

/* In plain TCP nobody sends again what was acknowledged. */
static void plain_bytes_are_never_forgotten(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b);
    b.in.plain = b.in.sheds = true;
    no_room(&b);
    assert_int_equal(arrive(&b, b.s, FEW, FEW, FEW), INFLOW_TAKEN);
    assert_int_equal(b.taken, 0);
    end_arrival(&b, b.s);
    b.s->tcp.rx.next = nth_ssn(FEW); /* as if its subflow were in order and the stream not */
    assert_int_equal(arrive(&b, b.s, FEW, FEW, FEW), INFLOW_TAKEN);
    assert_int_equal(b.taken, 0);
    tear_down(&b);
}

/* ---- what its subflow has acknowledged finds no room ---- */

/* Held in pieces at 0, 200 and 400, as there is one of 100 each. */
static struct mapping hold_pieces(struct bench *b)
{
    for (uint32_t at = 0; at < 500; at += 2 * FEW) {
        assert_int_equal(arrive(b, b->s, at, at, FEW), INFLOW_TAKEN);
        assert_int_equal(b->taken, FEW);
    }
    return map_on(b, b->s, 0, 0, 500);
}

/* It is put back, and goes on from there before anything that comes later. */
static void what_is_held_is_put_back(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b);
    assert_int_equal(arrive(&b, b.s, 0, 0, 3 * FEW), INFLOW_TAKEN);
    const struct mapping map = map_on(&b, b.s, 0, 0, 5 * FEW);
    b.bundle.nodes.limit = 0;
    assert_int_equal(inflow_mapped(&b.in, b.s, &map, b.bundle.now_ns), INFLOW_NO_ROOM);
    assert_true(b.in.stuck);
    assert_int_equal(inflow_mapped(&b.in, b.s, &map, b.bundle.now_ns), INFLOW_NO_ROOM);
    expect_read(&b, 0);
    b.bundle.nodes.limit = UINT32_MAX;
    assert_int_equal(inflow_mapped(&b.in, b.s, &map, b.bundle.now_ns), INFLOW_TAKEN);
    assert_false(b.in.stuck || b.in.missed);
    expect_read(&b, 3 * FEW);
    assert_false(rx_mapping_holds(&b.s->rx_mapping));
    tear_down(&b);
}

/* Where nobody makes room it is missed: the subflow is of no use any more, or it is sent again at the data level. */
static void what_is_missed(void **state)
{
    (void)state;
    for (int sheds = 0; sheds <= 1; sheds++) {
        struct bench b;
        set_up(&b);
        const struct mapping map = hold_pieces(&b);
        b.in.sheds = sheds;
        b.bundle.nodes.limit = 0;
        assert_int_equal(inflow_mapped(&b.in, b.s, &map, b.bundle.now_ns), INFLOW_NO_ROOM);
        assert_false(b.in.missed);
        b.in.hopeless = true;
        assert_int_equal(inflow_mapped(&b.in, b.s, &map, b.bundle.now_ns), INFLOW_TAKEN);
        assert_true(b.in.missed);
        assert_false(b.in.stuck);
        assert_int_equal(b.s->tcp.state, sheds ? TCPS_ESTABLISHED : TCPS_CLOSED);
        assert_true(counted(&b, COUNT_DROP_NO_MEMORY) > 0);
        expect_read(&b, 0);
        tear_down(&b);
    }
}

/* Behind a gap it is missed at once; what comes first is there. */
static void what_is_early_is_missed_at_once(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b);
    const struct mapping map = hold_pieces(&b);
    b.in.sheds = true;
    b.bundle.nodes.limit = 1;
    assert_int_equal(inflow_mapped(&b.in, b.s, &map, b.bundle.now_ns), INFLOW_TAKEN);
    assert_true(b.in.missed);
    assert_false(rx_mapping_holds(&b.s->rx_mapping));
    expect_read(&b, FEW);
    tear_down(&b);
}

/* ---- what can be given up ---- */

static void what_waits_for_a_mapping_is_given_up(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b);
    struct subflow *other = bundle_open(&b.bundle, 0);
    b.in.checksums = true;
    assert_false(inflow_holds_unmapped(&b.bundle.subflows));
    assert_false(inflow_drop_unmapped(&b.bundle.subflows));
    assert_int_equal(arrive(&b, other, 0, 0, FEW), INFLOW_TAKEN);
    assert_true(inflow_holds_unmapped(&b.bundle.subflows));
    assert_true(inflow_drop_unmapped(&b.bundle.subflows));
    assert_false(inflow_holds_unmapped(&b.bundle.subflows));
    assert_int_equal(data_rx_account(&b.bundle.rx)->held, 0);
    const struct mapping map = map_on(&b, other, 0, 0, 2 * FEW); /* nobody waits for the rest of it */
    assert_int_equal(arrive(&b, other, FEW, FEW, FEW), INFLOW_TAKEN);
    assert_int_equal(b.taken, FEW);
    assert_int_equal(inflow_mapped(&b.in, other, &map, b.bundle.now_ns), INFLOW_TAKEN);
    expect_read(&b, 0);
    tear_down(&b);
}

static void what_lies_behind_gaps_is_given_up(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b);
    map_on(&b, b.s, 0, 0, 3 * FEW);
    assert_int_equal(arrive(&b, b.s, 0, 0, FEW), INFLOW_TAKEN);
    assert_false(inflow_drop_disorder(&b.bundle.rx, &b.bundle.subflows));
    assert_int_equal(arrive(&b, b.s, 2 * FEW, 2 * FEW, FEW), INFLOW_TAKEN);
    assert_true(inflow_drop_disorder(&b.bundle.rx, &b.bundle.subflows));
    assert_false(data_rx_has_disorder(&b.bundle.rx));
    assert_int_equal(rxseq_gaps(&b.s->tcp.rx), 1); /* its subflow has told the peer */
    expect_read(&b, FEW);
    tear_down(&b);
}

/* With the memory that it was put together in. */
static void nothing_is_kept_for_what_was_given_up(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b);
    b.in.checksums = true;
    map_on(&b, b.s, 0, 5000, 3000);
    assert_int_equal(arrive(&b, b.s, 0, 5000, 1000), INFLOW_TAKEN);
    assert_int_equal(arrive(&b, b.s, 1000, 6000, 2000), INFLOW_TAKEN);
    assert_true(data_rx_account(&b.bundle.rx)->held > 3000);
    assert_true(inflow_drop_disorder(&b.bundle.rx, &b.bundle.subflows));
    assert_true(data_rx_account(&b.bundle.rx)->held < FEW * sizeof(struct mapping));
    tear_down(&b);
}

/* RFC 2018 8: and it is said no more. */
static void what_was_sacked_is_given_up(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b);
    b.in.plain = true;
    assert_int_equal(arrive(&b, b.s, 0, 0, FEW), INFLOW_TAKEN);
    assert_false(inflow_renege(&b.bundle.rx, &b.bundle.subflows));
    assert_int_equal(arrive(&b, b.s, 2 * FEW, 2 * FEW, FEW), INFLOW_TAKEN);
    assert_int_equal(rxseq_gaps(&b.s->tcp.rx), 1);
    assert_true(inflow_renege(&b.bundle.rx, &b.bundle.subflows));
    assert_int_equal(rxseq_gaps(&b.s->tcp.rx), 0);
    assert_false(data_rx_has_disorder(&b.bundle.rx));
    assert_true(b.s->tcp.rx.next == nth_ssn(FEW));
    expect_read(&b, FEW);
    tear_down(&b);
}

/* Payload without a mapping is kept where it was acknowledged, and goes where it was SACKed only. */
static void what_was_acknowledged_is_kept(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b);
    assert_int_equal(arrive(&b, b.s, 0, 0, FEW), INFLOW_TAKEN);
    assert_false(inflow_renege(&b.bundle.rx, &b.bundle.subflows));
    assert_int_equal(arrive(&b, b.s, 2 * FEW, 2 * FEW, FEW), INFLOW_TAKEN);
    assert_true(inflow_renege(&b.bundle.rx, &b.bundle.subflows));
    assert_int_equal(rxseq_gaps(&b.s->tcp.rx), 0);
    const struct mapping map = map_on(&b, b.s, 0, 0, 3 * FEW);
    assert_int_equal(inflow_mapped(&b.in, b.s, &map, b.bundle.now_ns), INFLOW_TAKEN);
    expect_read(&b, FEW);
    assert_false(data_rx_has_disorder(&b.bundle.rx));
    tear_down(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_bytes_are_the_streams),
        cmocka_unit_test(a_segment_may_span_mappings),
        cmocka_unit_test(bytes_wait_for_their_mapping),
        cmocka_unit_test(too_much_without_a_mapping),
        cmocka_unit_test(beyond_the_window_and_the_end),
        cmocka_unit_test(room_is_made_for_what_comes_next),
        cmocka_unit_test(what_found_room_is_not_asked_for_again),
        cmocka_unit_test(without_hope_it_did_not_arrive),
        cmocka_unit_test(what_is_early_gives_way),
        cmocka_unit_test(plain_bytes_are_never_forgotten),
        cmocka_unit_test(what_is_held_is_put_back),
        cmocka_unit_test(what_is_missed),
        cmocka_unit_test(what_is_early_is_missed_at_once),
        cmocka_unit_test(what_waits_for_a_mapping_is_given_up),
        cmocka_unit_test(what_lies_behind_gaps_is_given_up),
        cmocka_unit_test(nothing_is_kept_for_what_was_given_up),
        cmocka_unit_test(what_was_sacked_is_given_up),
        cmocka_unit_test(what_was_acknowledged_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
