#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/prng.h"
#include "mptcp/addresses.h"
#include "support.h"

struct bench {
    struct test_env env;
    struct account_root memory;
    struct addresses a;
};

static void begin(struct bench *b)
{
    *b = (struct bench){0};
    test_env_init(&b->env, test_seed());
    account_init(&b->memory, &b->env.env, 1 << 20, 0);
}

static void finish(struct bench *b)
{
    addresses_destroy(&b->a, &b->memory.account);
    account_close(&b->memory.account);
    test_env_check_clean(&b->env);
}

static enum addresses_result put(struct bench *b, uint8_t id, const struct hawser_addr *addr)
{
    return addresses_put(&b->a, &b->memory.account, id, addr);
}

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
    struct bench b;
    begin(&b);
    struct hawser_addr one = make_addr(1, 0), same_ip = make_addr(1, 4711), two = make_addr(2, 0);
    assert_null(entry_of(&b.a, 1));
    assert_false(addresses_drop(&b.a, 1));

    assert_int_equal(put(&b, 1, &one), ADDRESSES_ADDED);
    assert_int_equal(put(&b, 1, &one), ADDRESSES_SAME);
    assert_int_equal(b.a.count, 1);

    assert_int_equal(put(&b, 1, &same_ip), ADDRESSES_CHANGED);
    assert_int_equal(entry_of(&b.a, 1)->addr.port, 4711);
    assert_int_equal(put(&b, 1, &two), ADDRESSES_TAKEN); /* RFC 8684 3.4.1: it is removed first */
    assert_int_equal(entry_of(&b.a, 1)->addr.ip[15], 1);
    assert_int_equal(b.a.count, 1);

    assert_true(addresses_drop(&b.a, 1));
    assert_false(addresses_drop(&b.a, 1));
    assert_int_equal(b.a.count, 0);
    finish(&b);
}

static void knows_id_zero(void **state)
{
    (void)state;
    struct bench b;
    begin(&b);
    struct hawser_addr one = make_addr(1, 0);
    assert_null(entry_of(&b.a, 0));
    assert_int_equal(put(&b, 0, &one), ADDRESSES_ADDED);
    assert_int_equal(entry_of(&b.a, 0)->addr.ip[15], 1);
    assert_true(addresses_drop(&b.a, 0));
    finish(&b);
}

static void refuses_more_than_the_limit(void **state)
{
    (void)state;
    struct bench b;
    begin(&b);
    for (uint8_t i = 0; i < ADDRESSES_MAX; i++) {
        struct hawser_addr addr = make_addr(i, 0);
        assert_int_equal(put(&b, (uint8_t)(i + 1), &addr), ADDRESSES_ADDED);
    }
    struct hawser_addr more = make_addr(200, 0);
    assert_int_equal(put(&b, 200, &more), ADDRESSES_FULL);
    assert_null(entry_of(&b.a, 200));
    assert_int_equal(b.a.count, ADDRESSES_MAX);

    /* What is there can still be changed, and one dropped makes room for one. */
    struct hawser_addr other_port = make_addr(4, 4711);
    assert_int_equal(put(&b, 5, &other_port), ADDRESSES_CHANGED);
    assert_true(addresses_drop(&b.a, 3));
    struct hawser_addr last = make_addr(201, 0);
    assert_int_equal(put(&b, 255, &last), ADDRESSES_ADDED);
    assert_int_equal(put(&b, 254, &last), ADDRESSES_FULL);
    finish(&b);
}

static void keeps_the_order_of_arrival(void **state)
{
    (void)state;
    struct bench b;
    begin(&b);
    for (uint8_t id = 10; id < 15; id++) {
        struct hawser_addr addr = make_addr(id, 0);
        put(&b, id, &addr);
    }
    addresses_drop(&b.a, 12);
    static const uint8_t left[] = {10, 11, 13, 14};
    assert_int_equal(b.a.count, 4);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(b.a.list[i].id, left[i]);
    finish(&b);
}

/* Two ports are two addresses. */
static void one_address_has_one_latest_id(void **state)
{
    (void)state;
    struct bench b;
    begin(&b);
    struct hawser_addr one = make_addr(1, 80), other_port = make_addr(1, 81), two = make_addr(2, 80);
    put(&b, 7, &one);
    put(&b, 5, &two);
    put(&b, 6, &one);
    assert_true(!entry_of(&b.a, 7)->latest && entry_of(&b.a, 6)->latest && entry_of(&b.a, 5)->latest);
    put(&b, 6, &other_port);
    assert_true(entry_of(&b.a, 7)->latest && entry_of(&b.a, 6)->latest);
    put(&b, 7, &other_port);
    assert_true(!entry_of(&b.a, 7)->latest && entry_of(&b.a, 6)->latest);
    addresses_drop(&b.a, 6);
    assert_true(entry_of(&b.a, 7)->latest);
    finish(&b);
}

static void without_memory_what_is_known_stays(void **state)
{
    (void)state;
    struct bench b;
    begin(&b);
    struct hawser_addr one = make_addr(1, 0), two = make_addr(2, 0);
    b.env.fail_at = 1;
    assert_int_equal(put(&b, 1, &one), ADDRESSES_FULL);
    assert_int_equal(put(&b, 1, &one), ADDRESSES_ADDED);
    assert_int_equal(put(&b, 2, &two), ADDRESSES_ADDED);
    b.env.fail_at = 1;
    assert_int_equal(put(&b, 3, &two), ADDRESSES_FULL);
    assert_int_equal(b.a.count, 2);
    assert_int_equal(entry_of(&b.a, 2)->addr.ip[15], 2);
    finish(&b);
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
    for (unsigned i = 0; i < a->count; i++) {
        bool last = true;
        for (unsigned k = i + 1; k < a->count; k++)
            last &= !hawser_addr_equal(&a->list[i].addr, &a->list[k].addr);
        assert_int_equal(a->list[i].latest, last);
    }
}

static void agrees_with_a_table_of_all_ids(void **state)
{
    (void)state;
    struct bench b;
    begin(&b);
    struct model m = {0};
    for (unsigned step = 0; step < 4000; step++) {
        uint8_t id = (uint8_t)prng_below(&b.env.rng, 24);
        if (prng_below(&b.env.rng, 3) == 0) {
            assert_int_equal(addresses_drop(&b.a, id), m.known[id]);
            m.count -= m.known[id];
            m.known[id] = false;
        } else {
            struct hawser_addr addr =
                make_addr((uint8_t)prng_below(&b.env.rng, 8), (uint16_t)prng_below(&b.env.rng, 2));
            enum addresses_result expected = !m.known[id] ? m.count == ADDRESSES_MAX ? ADDRESSES_FULL : ADDRESSES_ADDED
                                             : hawser_addr_equal(&m.addr[id], &addr)   ? ADDRESSES_SAME
                                             : hawser_addr_same_ip(&m.addr[id], &addr) ? ADDRESSES_CHANGED
                                                                                       : ADDRESSES_TAKEN;
            assert_int_equal(put(&b, id, &addr), expected);
            if (expected != ADDRESSES_FULL && expected != ADDRESSES_TAKEN) {
                m.count += !m.known[id];
                m.known[id] = true;
                m.addr[id] = addr;
            }
        }
        check_against(&b.a, &m);
    }
    finish(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_replaces_and_forgets),   cmocka_unit_test(knows_id_zero),
        cmocka_unit_test(refuses_more_than_the_limit),    cmocka_unit_test(keeps_the_order_of_arrival),
        cmocka_unit_test(one_address_has_one_latest_id),  cmocka_unit_test(without_memory_what_is_known_stays),
        cmocka_unit_test(agrees_with_a_table_of_all_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
