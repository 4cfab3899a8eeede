/* Arrived payload that a checksum has to prove (RFC 8684 3.3.1, 3.7), without a connection. */
#include <errno.h>

#include "inflow_bench.h"

static void nothing_goes_up_before_it_is_proved(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b);
    b.in.checksums = true;
    map_on(&b, b.s, 0, 0, 3000);
    assert_int_equal(arrive(&b, b.s, 2000, 2000, 1000), INFLOW_TAKEN);
    assert_int_equal(arrive(&b, b.s, 0, 0, 1000), INFLOW_TAKEN);
    assert_int_equal(b.taken, 1000);
    expect_read(&b, 0);
    assert_int_not_equal(subflow_judge_due(b.s), TIME_NEVER);
    assert_int_equal(arrive(&b, b.s, 1000, 1000, 1000), INFLOW_TAKEN);
    assert_int_equal(subflow_judge_due(b.s), TIME_NEVER); /* it is done with */
    expect_read(&b, 3000);
    tear_down(&b);
}

/* RFC 8684 3.7: from there on no mapping can be trusted, but the infinite one that answers. */
static void a_wrong_checksum(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b);
    b.in.checksums = true;
    struct mapping map = mapping_of(&b, 0, 0, 2 * FEW);
    map.checksum ^= 1;
    assert_int_equal(rx_mapping_add(&b.s->rx_mapping, &map, false), RXMAP_ADDED);
    map_on(&b, b.s, 2 * FEW, 2 * FEW, FEW);
    assert_int_equal(arrive(&b, b.s, 0, 0, FEW), INFLOW_TAKEN);
    assert_int_equal(arrive(&b, b.s, FEW, FEW, FEW), INFLOW_FORGED);
    assert_int_equal(b.taken, FEW);
    assert_true(dsn_eq(b.s->fail_dsn, nth_byte(0)));
    b.s->fail_stage = FAIL_ASKING;
    assert_int_equal(place_rest(&b, b.s, FEW), INFLOW_TAKEN);
    assert_int_equal(arrive(&b, b.s, 2 * FEW, 2 * FEW, FEW), INFLOW_TAKEN);
    assert_false(data_rx_has_disorder(&b.bundle.rx));
    expect_read(&b, 0);
    b.in.checksums = false;
    const struct mapping infinite = {.ssn = nth_ssn(0), .dsn = nth_byte(0)};
    assert_int_equal(inflow_mapped(&b.in, b.s, &infinite, b.bundle.now_ns), INFLOW_TAKEN);
    expect_read(&b, 3 * FEW);
    tear_down(&b);
}

/* RFC 8684 3.3.3: the end is part of what the checksum proves; and there is one end. */
static void the_end_is_proved_too(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b);
    b.in.checksums = true;
    struct mapping map = mapping_of(&b, 0, 0, FEW);
    map.ends = true;
    map.checksum ^= 1;
    assert_int_equal(arrive(&b, b.s, 0, 0, FEW), INFLOW_TAKEN);
    assert_int_equal(inflow_mapped(&b.in, b.s, &map, b.bundle.now_ns), INFLOW_FORGED);
    assert_false(data_rx_knows_end(&b.bundle.rx));
    map.checksum ^= 1;
    assert_int_equal(inflow_mapped(&b.in, b.s, &map, b.bundle.now_ns), INFLOW_TAKEN);
    assert_true(data_rx_take_end(&b.bundle.rx));
    expect_read(&b, FEW);
    assert_int_equal(counted(&b, COUNT_DROP_MAPPING), 0);
    map = mapping_of(&b, FEW, FEW, FEW);
    map.ends = true;
    assert_int_equal(arrive(&b, b.s, FEW, FEW, FEW), INFLOW_TAKEN);
    assert_int_equal(inflow_mapped(&b.in, b.s, &map, b.bundle.now_ns), INFLOW_TAKEN);
    assert_int_equal(counted(&b, COUNT_DROP_MAPPING), 1);
    expect_read(&b, 0);
    tear_down(&b);
}

/* The mapping came last: it is told once, whatever is done about it. */
static void a_wrong_checksum_is_told_once(void **state)
{
    (void)state;
    for (int way_back = 0; way_back <= 1; way_back++) {
        struct bench b;
        set_up(&b);
        b.in.checksums = true;
        assert_int_equal(arrive(&b, b.s, 0, 0, FEW), INFLOW_TAKEN);
        struct mapping map = mapping_of(&b, 0, 0, FEW);
        map.checksum ^= 1;
        assert_int_equal(inflow_mapped(&b.in, b.s, &map, b.bundle.now_ns), INFLOW_FORGED);
        if (way_back)
            b.s->fail_stage = FAIL_ASKING;
        else
            subflow_give_up(b.s, COUNT_DROP_DATA_CHECKSUM, b.bundle.now_ns);
        assert_int_equal(inflow_mapped(&b.in, b.s, &map, b.bundle.now_ns), INFLOW_TAKEN);
        expect_read(&b, 0);
        tear_down(&b);
    }
}

static void nothing_of_a_closed_subflow_goes_up(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b);
    assert_int_equal(arrive(&b, b.s, 0, 0, FEW), INFLOW_TAKEN);
    const struct mapping map = map_on(&b, b.s, 0, 0, 2 * FEW);
    tcp_abort(&b.s->tcp, -EPROTO, b.bundle.now_ns);
    assert_int_equal(inflow_mapped(&b.in, b.s, &map, b.bundle.now_ns), INFLOW_TAKEN);
    assert_int_equal(arrive(&b, b.s, FEW, FEW, FEW), INFLOW_TAKEN);
    assert_int_equal(b.taken, 0);
    expect_read(&b, 0);
    tear_down(&b);
}

/* The first part of a mapping takes room for all of it, or none does. */
static void room_for_a_whole_mapping(void **state)
{
    (void)state;
    for (int hopeless = 0; hopeless <= 1; hopeless++) {
        struct bench b;
        set_up(&b);
        b.in.checksums = true;
        map_on(&b, b.s, 0, 0, 3000);
        no_room(&b);
        assert_int_equal(arrive(&b, b.s, 0, 0, 1000), INFLOW_NO_ROOM);
        assert_int_equal(b.taken, 0);
        if (hopeless) {
            b.in.hopeless = true;
            assert_int_equal(place_rest(&b, b.s, 0), INFLOW_TAKEN);
            assert_int_equal(b.taken, 0);
            assert_int_equal(counted(&b, COUNT_DROP_NO_MEMORY), 1);
            end_arrival(&b, b.s);
        } else {
            make_room(&b);
            assert_int_equal(place_rest(&b, b.s, 0), INFLOW_TAKEN);
            no_room(&b);
            assert_int_equal(arrive(&b, b.s, 1000, 1000, 2000), INFLOW_TAKEN);
            expect_read(&b, 3000);
        }
        tear_down(&b);
    }
}

/* Nor is a mapping of which a part found none: the others are there. */
static void what_found_no_room_is_not_judged(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b);
    b.in.checksums = b.in.hopeless = true;
    map_on(&b, b.s, 0, 0, 2 * FEW);
    assert_int_equal(arrive(&b, b.s, FEW, FEW, FEW), INFLOW_TAKEN);
    no_room(&b);
    assert_int_equal(arrive(&b, b.s, 0, 0, FEW), INFLOW_TAKEN);
    assert_int_equal(b.taken, 0);
    end_arrival(&b, b.s);
    make_room(&b);
    assert_int_equal(arrive(&b, b.s, 0, 0, FEW), INFLOW_TAKEN);
    expect_read(&b, 2 * FEW);
    tear_down(&b);
}

/* A mapping behind a gap is swallowed as a whole, so that the subflow goes on. */
static void an_early_mapping_is_swallowed(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b);
    b.in.checksums = b.in.sheds = true;
    const struct mapping map = map_on(&b, b.s, 0, 5000, 3 * FEW);
    map_on(&b, b.s, 3 * FEW, 0, FEW);
    no_room(&b);
    assert_int_equal(arrive(&b, b.s, 0, 5000, FEW), INFLOW_TAKEN);
    assert_int_equal(b.taken, FEW);
    assert_int_equal(arrive(&b, b.s, FEW, 5000 + FEW, 2 * FEW), INFLOW_TAKEN);
    assert_int_equal(b.taken, 2 * FEW);
    assert_int_equal(counted(&b, COUNT_LIMIT_DISORDER_DROPPED), 1); /* once a mapping */
    make_room(&b);
    assert_int_equal(inflow_mapped(&b.in, b.s, &map, b.bundle.now_ns), INFLOW_TAKEN);
    assert_false(rx_mapping_holds(&b.s->rx_mapping));
    assert_int_equal(arrive(&b, b.s, 3 * FEW, 0, FEW), INFLOW_TAKEN);
    expect_read(&b, FEW);
    assert_false(data_rx_has_disorder(&b.bundle.rx));
    tear_down(&b);
}

/* Of what little is left nobody has any for what lies behind a gap. */
static void the_last_room_is_for_what_comes_next(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b);
    b.in.checksums = true;
    map_on(&b, b.s, 0, 0, 3000);
    map_on(&b, b.s, 3000, 9000, 3000);
    bundle_press(&b.bundle, BUNDLE_MEMORY / 4);
    assert_int_equal(arrive(&b, b.s, 0, 0, 1000), INFLOW_TAKEN);
    assert_int_equal(b.taken, 1000);
    assert_int_equal(arrive(&b, b.s, 1000, 1000, 2000), INFLOW_TAKEN);
    expect_read(&b, 3000);
    rx_mapping_idle(&b.s->rx_mapping);
    assert_int_equal(arrive(&b, b.s, 3000, 9000, 1000), INFLOW_TAKEN);
    assert_int_equal(b.taken, 0);
    end_arrival(&b, b.s);
    tear_down(&b);
}

/* Where nobody sends it again it did not arrive, and neither did what is ahead of its subflow. */
static void an_early_mapping_is_refused(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b);
    b.in.checksums = true;
    map_on(&b, b.s, 0, 5000, 3 * FEW);
    no_room(&b);
    assert_int_equal(arrive(&b, b.s, 0, 5000, FEW), INFLOW_TAKEN);
    assert_int_equal(b.taken, 0);
    end_arrival(&b, b.s);
    assert_int_equal(arrive(&b, b.s, FEW, 5000 + FEW, FEW), INFLOW_TAKEN);
    assert_int_equal(b.taken, 0);
    end_arrival(&b, b.s);
    assert_int_equal(counted(&b, COUNT_LIMIT_DISORDER), 2);
    assert_int_equal(counted(&b, COUNT_LIMIT_DISORDER_DROPPED), 0);
    tear_down(&b);
}

/* What the stream has already is worth no room. */
static void an_old_mapping_is_swallowed(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b);
    struct subflow *other = bundle_open(&b.bundle, 0);
    map_on(&b, b.s, 0, 0, FEW);
    assert_int_equal(arrive(&b, b.s, 0, 0, FEW), INFLOW_TAKEN);
    expect_read(&b, FEW);
    b.in.checksums = b.in.sheds = true;
    map_on(&b, other, 0, 0, FEW);
    no_room(&b);
    assert_int_equal(arrive(&b, other, 0, 0, 50), INFLOW_TAKEN);
    assert_int_equal(b.taken, 50);
    assert_true(rx_mapping_is_swallowed(&other->rx_mapping, nth_ssn(FEW - 1)));
    tear_down(&b);
}

static void with_checksums_it_is_refused(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b);
    b.in.checksums = true;
    assert_int_equal(arrive(&b, b.s, 0, 0, RX_UNMAPPED_MAX), INFLOW_TAKEN);
    assert_int_equal(arrive(&b, b.s, RX_UNMAPPED_MAX, 0, 1), INFLOW_TAKEN);
    assert_int_equal(b.taken, 0);
    end_arrival(&b, b.s);
    assert_int_equal(b.s->tcp.state, TCPS_ESTABLISHED);
    assert_int_equal(counted(&b, COUNT_LIMIT_UNMAPPED), 1);
    tear_down(&b);
}

/* An infinite mapping proves nothing as long as checksums are in use (RFC 8684 3.7: it ends their use). */
static void under_checksums_an_infinite_mapping_is_none(void **state)
{
    (void)state;
    struct bench b;
    const struct mapping infinite = {.ssn = nth_ssn(0), .dsn = nth_byte(0)};
    set_up(&b);
    b.in.checksums = true;
    assert_int_equal(rx_mapping_add(&b.s->rx_mapping, &infinite, false), RXMAP_ADDED);
    assert_int_equal(arrive(&b, b.s, 0, 0, FEW), INFLOW_TAKEN);
    assert_int_equal(b.taken, FEW);
    expect_read(&b, 0);
    b.in.checksums = false;
    assert_int_equal(inflow_mapped(&b.in, b.s, &infinite, b.bundle.now_ns), INFLOW_TAKEN);
    expect_read(&b, FEW);
    tear_down(&b);
}

/* Under a checksum the last part arrives, all is proved, and some of it goes up before the rest is stuck: which is not
 * judged again. The arrival itself is taken by then, so that the next call brings nothing but goes on. */
static void what_is_proved_is_put_back(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b);
    b.in.checksums = true;
    map_on(&b, b.s, 0, 0, 2000);
    assert_int_equal(arrive(&b, b.s, 1000, 1000, 1000), INFLOW_TAKEN);
    b.bundle.nodes.limit = 1;
    assert_int_equal(arrive(&b, b.s, 0, 0, 1000), INFLOW_NO_ROOM);
    assert_int_equal(b.taken, 1000);
    assert_true(b.in.stuck);
    assert_int_equal(data_rx_readable(&b.bundle.rx), 1000);
    b.bundle.nodes.limit = UINT32_MAX;
    assert_int_equal(place_rest(&b, b.s, 0), INFLOW_TAKEN);
    assert_false(b.in.stuck);
    expect_read(&b, 2000);
    tear_down(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(with_checksums_it_is_refused),
        cmocka_unit_test(under_checksums_an_infinite_mapping_is_none),
        cmocka_unit_test(what_is_proved_is_put_back),
        cmocka_unit_test(nothing_goes_up_before_it_is_proved),
        cmocka_unit_test(a_wrong_checksum),
        cmocka_unit_test(the_end_is_proved_too),
        cmocka_unit_test(a_wrong_checksum_is_told_once),
        cmocka_unit_test(nothing_of_a_closed_subflow_goes_up),
        cmocka_unit_test(room_for_a_whole_mapping),
        cmocka_unit_test(what_found_no_room_is_not_judged),
        cmocka_unit_test(an_early_mapping_is_swallowed),
        cmocka_unit_test(the_last_room_is_for_what_comes_next),
        cmocka_unit_test(an_early_mapping_is_refused),
        cmocka_unit_test(an_old_mapping_is_swallowed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
