#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/prng.h"
#include "mptcp/addresses.h"
#include "support.h"

static struct hawser_addr make_addr(uint8_t last, uint16_t port)
{
    return (struct hawser_addr){.ip = {[10] = 0xff, [11] = 0xff, [12] = 10, [15] = last}, .port = port};
}

static const struct known_address *entry_of(const struct addresses *a, uint8_t id)
{
    for (unsigned i = 0; i < a->count; i++)
        if (a->list[i].id == id)
            return &a->list[i];
    return NULL;
}

static void records_replaces_and_forgets(void **state)
{
    (void)state;
    struct addresses a = {0};
    struct hawser_addr one = make_addr(1, 0), same_ip = make_addr(1, 4711), two = make_addr(2, 0);
    assert_null(entry_of(&a, 1));
    assert_false(addresses_drop(&a, 1));

    assert_int_equal(addresses_put(&a, 1, &one), ADDRESSES_ADDED);
    assert_int_equal(addresses_put(&a, 1, &one), ADDRESSES_SAME);
    assert_int_equal(a.count, 1);

    assert_int_equal(addresses_put(&a, 1, &same_ip), ADDRESSES_CHANGED);
    assert_int_equal(entry_of(&a, 1)->addr.port, 4711);
    assert_int_equal(addresses_put(&a, 1, &two), ADDRESSES_CHANGED);
    assert_int_equal(a.count, 1);

    assert_true(addresses_drop(&a, 1));
    assert_false(addresses_drop(&a, 1));
    assert_int_equal(a.count, 0);
}

static void knows_id_zero(void **state)
{
    (void)state;
    struct addresses a = {0};
    struct hawser_addr one = make_addr(1, 0);
    assert_null(entry_of(&a, 0));
    assert_int_equal(addresses_put(&a, 0, &one), ADDRESSES_ADDED);
    assert_int_equal(entry_of(&a, 0)->addr.ip[15], 1);
    assert_true(addresses_drop(&a, 0));
}

static void refuses_more_than_the_limit(void **state)
{
    (void)state;
    struct addresses a = {0};
    for (uint8_t i = 0; i < ADDRESSES_MAX; i++) {
        struct hawser_addr addr = make_addr(i, 0);
        assert_int_equal(addresses_put(&a, (uint8_t)(i + 1), &addr), ADDRESSES_ADDED);
    }
    struct hawser_addr more = make_addr(200, 0);
    assert_int_equal(addresses_put(&a, 200, &more), ADDRESSES_FULL);
    assert_null(entry_of(&a, 200));
    assert_int_equal(a.count, ADDRESSES_MAX);

    /* What is there can still be changed, and one dropped makes room for one. */
    assert_int_equal(addresses_put(&a, 5, &more), ADDRESSES_CHANGED);
    assert_true(addresses_drop(&a, 3));
    struct hawser_addr last = make_addr(201, 0);
    assert_int_equal(addresses_put(&a, 255, &last), ADDRESSES_ADDED);
    assert_int_equal(addresses_put(&a, 254, &last), ADDRESSES_FULL);
}

static void keeps_the_order_of_arrival(void **state)
{
    (void)state;
    struct addresses a = {0};
    for (uint8_t id = 10; id < 15; id++) {
        struct hawser_addr addr = make_addr(id, 0);
        addresses_put(&a, id, &addr);
    }
    addresses_drop(&a, 12);
    static const uint8_t left[] = {10, 11, 13, 14};
    assert_int_equal(a.count, 4);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(a.list[i].id, left[i]);
}

/* The model: one slot an ID. */
struct model {
    bool known[256];
    struct hawser_addr addr[256];
    unsigned count;
};

static void check_against(const struct addresses *a, const struct model *m)
{
    assert_int_equal(a->count, m->count);
    for (unsigned id = 0; id < 256; id++) {
        const struct known_address *entry = entry_of(a, (uint8_t)id);
        assert_int_equal(entry != NULL, m->known[id]);
        if (entry)
            assert_true(hawser_addr_equal(&entry->addr, &m->addr[id]));
    }
}

static void agrees_with_a_table_of_all_ids(void **state)
{
    (void)state;
    struct test_env t;
    test_env_init(&t, test_seed());
    struct addresses a = {0};
    struct model m = {0};
    for (unsigned step = 0; step < 4000; step++) {
        uint8_t id = (uint8_t)prng_below(&t.rng, 24);
        if (prng_below(&t.rng, 3) == 0) {
            assert_int_equal(addresses_drop(&a, id), m.known[id]);
            m.count -= m.known[id];
            m.known[id] = false;
        } else {
            struct hawser_addr addr = make_addr((uint8_t)prng_below(&t.rng, 8), (uint16_t)prng_below(&t.rng, 2));
            enum addresses_result expected = !m.known[id] ? m.count == ADDRESSES_MAX ? ADDRESSES_FULL : ADDRESSES_ADDED
                                             : hawser_addr_equal(&m.addr[id], &addr) ? ADDRESSES_SAME
                                                                                     : ADDRESSES_CHANGED;
            assert_int_equal(addresses_put(&a, id, &addr), expected);
            if (expected != ADDRESSES_FULL) {
                m.count += !m.known[id];
                m.known[id] = true;
                m.addr[id] = addr;
            }
        }
        check_against(&a, &m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_replaces_and_forgets),   cmocka_unit_test(knows_id_zero),
        cmocka_unit_test(refuses_more_than_the_limit),    cmocka_unit_test(keeps_the_order_of_arrival),
        cmocka_unit_test(agrees_with_a_table_of_all_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
