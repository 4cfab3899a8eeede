#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/units.h"
#include "mptcp/announcements.h"

static struct mp_add_addr peers(uint8_t id)
{
    return (struct mp_add_addr){.is_v4 = true, .address_id = id, .addr.ip = {[10] = 0xff, [11] = 0xff, 10, [15] = id}};
}

static void announce_next(struct announcements *a, uint8_t slot, uint8_t expected)
{
    const struct announced *next = announcements_next(a);
    assert_non_null(next);
    assert_int_equal(next->id, expected);
    struct mptcp_options sent = {.present = 1u << MPTCP_ADD_ADDR, .add_addr.address_id = next->id};
    bool first = next->tries == 0;
    assert_int_equal(announcements_sent(a, slot, &sent), first);
}

static void an_address_is_announced_until_it_is_echoed(void **state)
{
    (void)state;
    struct announcements a;
    announcements_init(&a);
    assert_true(announcements_add(&a, 1, 0));
    assert_true(announcements_add(&a, 2, 0));
    announcements_turn(&a, 1, NS_PER_S, 0);
    announce_next(&a, 0, 1);
    announce_next(&a, 0, 2);
    assert_null(announcements_next(&a));
    assert_int_equal(a.again_ns, NS_PER_S);
    announcements_echoed(&a, 1);
    announcements_turn(&a, 1, NS_PER_S, NS_PER_S);
    announce_next(&a, 0, 2);
    assert_null(announcements_next(&a));
    announcements_echoed(&a, 2);
    assert_true(announcements_empty(&a));
    announcements_turn(&a, 1, NS_PER_S, 2 * NS_PER_S);
    assert_int_equal(a.again_ns, TIME_NEVER);
}

static void an_address_that_is_never_echoed_is_given_up(void **state)
{
    (void)state;
    struct announcements a;
    uint64_t now_ns = 0;
    announcements_init(&a);
    announcements_add(&a, 9, 0);
    for (unsigned i = 0; i < ANNOUNCE_TRIES_MAX; i++, now_ns += NS_PER_S) {
        assert_int_equal(announcements_turn(&a, 1, NS_PER_S, now_ns), 0);
        announce_next(&a, 0, 9);
    }
    assert_int_equal(announcements_turn(&a, 1, NS_PER_S, now_ns), 1);
    assert_true(announcements_empty(&a));
}

/* RFC 8684 3.4.2: nobody acknowledges it, so it is told on every subflow, in rounds. */
static void a_removal_is_told_on_every_subflow_in_rounds(void **state)
{
    (void)state;
    struct announcements a;
    uint64_t now_ns = 0;
    announcements_init(&a);
    assert_true(announcements_remove(&a, 3));
    assert_true(announcements_settling(&a, 3));
    announcements_turn(&a, 0, NS_PER_S, now_ns);
    assert_false(announcements_due_on(&a, 0)); /* there is no subflow to tell it on */
    for (unsigned round = 0; round < REMOVE_ROUNDS_MAX; round++, now_ns += NS_PER_S) {
        announcements_turn(&a, 5, NS_PER_S, now_ns);
        for (uint8_t slot = 0; slot < 3; slot++) {
            struct mptcp_options mp = {0};
            announcements_write_removals(&a, slot, &mp);
            assert_int_equal(mptcp_has(&mp, MPTCP_REMOVE_ADDR), slot != 1);
            if (slot == 1)
                continue;
            assert_int_equal(mp.remove_addr.count, 1);
            assert_int_equal(mp.remove_addr.ids[0], 3);
            announcements_sent(&a, slot, &mp);
            assert_false(announcements_due_on(&a, slot));
        }
        assert_true(announcements_settling(&a, 3));
    }
    announcements_turn(&a, 5, NS_PER_S, now_ns);
    assert_true(announcements_empty(&a));
}

/* RFC 8684 3.4.1: a host that replaces an address ID must first remove it. */
static void an_id_is_not_announced_before_its_removal_is_settled(void **state)
{
    (void)state;
    struct announcements a;
    announcements_init(&a);
    announcements_add(&a, 3, 0);
    announcements_remove(&a, 3);
    assert_int_equal(a.added_count, 0);
    announcements_add(&a, 3, 0);
    assert_null(announcements_next(&a));
    announcements_echoed(&a, 3); /* late, of what it was before */
    for (uint64_t round = 0; round <= REMOVE_ROUNDS_MAX; round++) {
        struct mptcp_options mp = {0};
        announcements_turn(&a, 1, NS_PER_S, round * NS_PER_S);
        announcements_write_removals(&a, 0, &mp);
        announcements_sent(&a, 0, &mp);
    }
    announce_next(&a, 0, 3);
}

static void removals_beyond_the_limit_push_out_the_oldest(void **state)
{
    (void)state;
    struct announcements a;
    announcements_init(&a);
    for (uint8_t id = 0; id < MPTCP_REMOVE_MAX; id++)
        assert_true(announcements_remove(&a, id));
    assert_true(announcements_remove(&a, 4)); /* once more */
    assert_false(announcements_remove(&a, 100));
    assert_int_equal(a.removed_count, MPTCP_REMOVE_MAX);
    assert_false(announcements_settling(&a, 0));
    assert_true(announcements_settling(&a, 4));
}

static void echoes_wait_in_line(void **state)
{
    (void)state;
    struct announcements a;
    announcements_init(&a);
    for (uint8_t id = 1; id <= ECHOES_MAX; id++) {
        struct mp_add_addr add = peers(id);
        assert_true(announcements_echo(&a, &add));
        assert_true(announcements_echo(&a, &add)); /* which is in it already */
    }
    struct mp_add_addr more = peers(100);
    assert_false(announcements_echo(&a, &more));
    for (uint8_t id = 1; id <= ECHOES_MAX; id++) {
        struct mptcp_options mp = {0};
        assert_true(announcements_write_echo(&a, &mp));
        assert_true(mp.add_addr.echo && mp.add_addr.is_v4 && mp.add_addr.address_id == id);
        assert_false(announcements_sent(&a, 0, &mp));
    }
    assert_true(announcements_empty(&a));
}

static void announcements_beyond_the_limit_are_refused(void **state)
{
    (void)state;
    struct announcements a;
    announcements_init(&a);
    for (uint8_t id = 1; id <= ANNOUNCEMENTS_MAX; id++)
        assert_true(announcements_add(&a, id, 0));
    assert_true(announcements_add(&a, 1, 0));
    assert_false(announcements_add(&a, 100, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_is_announced_until_it_is_echoed),
        cmocka_unit_test(an_address_that_is_never_echoed_is_given_up),
        cmocka_unit_test(a_removal_is_told_on_every_subflow_in_rounds),
        cmocka_unit_test(an_id_is_not_announced_before_its_removal_is_settled),
        cmocka_unit_test(removals_beyond_the_limit_push_out_the_oldest),
        cmocka_unit_test(echoes_wait_in_line),
        cmocka_unit_test(announcements_beyond_the_limit_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
