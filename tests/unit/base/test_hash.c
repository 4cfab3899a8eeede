#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "base/hash.h"
#include "support.h"

enum { ENTRIES = 500 };

struct entry {
    struct hash_node node;
    uint32_t key;
    bool in;
};

/* The answers of another implementation (OpenSSL's SIPHASH with one and three rounds) for the bytes 0, 1, 2... */
static void siphash_of_known_bytes(void **state)
{
    (void)state;
    static const uint64_t keys[][2] = {
        {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)},
        {0, 0},
        {UINT64_C(0x8899aabbccddeeff), UINT64_C(0x0011223344556677)},
    };
    static const struct {
        size_t len;
        uint64_t hash[3];
    } vectors[] = {
        {0, {UINT64_C(0xabac0158050fc4dc), UINT64_C(0xd1fba762150c532c), UINT64_C(0x38e0eddaaa6431b9)}},
        {1, {UINT64_C(0xc9f49bf37d57ca93), UINT64_C(0x68a914128e01e473), UINT64_C(0xa6ef5feb55082562)}},
        {7, {UINT64_C(0xd3927d989bb11140), UINT64_C(0x2f098ab0c751325a), UINT64_C(0xf1ce4ee8ebf69b4e)}},
        {8, {UINT64_C(0x369095118d299a8e), UINT64_C(0xead411e67ebe2eea), UINT64_C(0xed6cbbeefdfdb6b4)}},
        {9, {UINT64_C(0x25a48eb36c063de4), UINT64_C(0x75927f9d95124362), UINT64_C(0x4f0d7e69c6ba97d5)}},
        {15, {UINT64_C(0xd320d86d2a519956), UINT64_C(0xf30eb725bb91c9ea), UINT64_C(0x76aa58336fed3f28)}},
        {16, {UINT64_C(0xcc4fdd1a7d908b66), UINT64_C(0x8972188433a5c5b7), UINT64_C(0x4d33e57ed39fcc4b)}},
        {37, {UINT64_C(0xb6101c2da3c33057), UINT64_C(0x422a9751192ff266), UINT64_C(0x2d3ac9387d1822f3)}},
        {63, {UINT64_C(0x9d199062b7bbb3a8), UINT64_C(0x385d3e39e5f37359), UINT64_C(0x7f49a89588d657de)}},
        {256, {UINT64_C(0x75b3e64e167de370), UINT64_C(0x31ae646afba70308), UINT64_C(0xe9f12226d55e7326)}},
    };
    uint8_t bytes[1 + 256];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i - 1); /* at an odd address, for those who mind */
    for (size_t k = 0; k < HW_ARRAY_LEN(keys); k++) {
        struct hash_table t = {.key = {keys[k][0], keys[k][1]}};
        for (size_t i = 0; i < HW_ARRAY_LEN(vectors); i++)
            assert_true(hash_bytes(&t, bytes + 1, vectors[i].len) == vectors[i].hash[k]);
    }
}

static void key_comes_from_the_environment(void **state)
{
    (void)state;
    uint64_t hash[3];
    for (int i = 0; i < 3; i++) {
        struct test_env t;
        struct hash_table table;
        test_env_init(&t, i == 2 ? 6 : 5);
        assert_int_equal(hash_init(&table, &t.env, 1), 0);
        hash[i] = hash_bytes(&table, "hawser", 6);
        hash_destroy(&table);
        test_env_check_clean(&t);
    }
    assert_true(hash[0] == hash[1]);
    assert_true(hash[0] != hash[2]);
}

static uint64_t hash_of(const struct hash_table *table, uint32_t key, bool collide)
{
    return collide ? key % 3 : hash_bytes(table, &key, sizeof key);
}

static struct entry *look_up(const struct hash_table *table, uint32_t key, bool collide)
{
    struct entry *found = NULL;
    uint64_t hash = hash_of(table, key, collide);
    for (struct hash_node *n = hash_first(table, hash); n; n = hash_next(n)) {
        assert_true(n->hash == hash);
        struct entry *e = HW_CONTAINER(n, struct entry, node);
        if (e->key == key) {
            assert_null(found);
            found = e;
        }
    }
    return found;
}

static void assert_all(const struct hash_table *table, struct entry *entries, bool collide)
{
    uint32_t in = 0;
    for (uint32_t i = 0; i < ENTRIES; i++) {
        in += entries[i].in;
        assert_ptr_equal(look_up(table, entries[i].key, collide), entries[i].in ? &entries[i] : NULL);
    }
    assert_int_equal(table->count, in);
}

static void finds_what_is_in(void **state)
{
    (void)state;
    uint64_t seed = test_seed();
    for (int collide = 0; collide <= 1; collide++) {
        struct test_env t;
        struct hash_table table;
        struct entry entries[ENTRIES] = {{.in = false}};
        test_env_init(&t, seed);
        assert_int_equal(hash_init(&table, &t.env, 0), 0);
        uint32_t first_size = table.size;
        for (uint32_t i = 0; i < ENTRIES; i++)
            entries[i].key = i * UINT32_C(2654435761);
        for (int step = 0; step < 6000; step++) {
            struct entry *e = &entries[prng_below(&t.rng, ENTRIES)];
            if (e->in)
                hash_remove(&table, &e->node);
            else
                hash_insert(&table, &e->node, hash_of(&table, e->key, collide));
            e->in = !e->in;
            if (step % 100 == 0)
                assert_all(&table, entries, collide);
        }
        assert_true(table.size > first_size);
        assert_true(table.size >= table.count);
        assert_true(table.size <= 2 * ENTRIES);
        hash_destroy(&table);
        test_env_check_clean(&t);
    }
}

static void expected_nodes_need_no_growth(void **state)
{
    (void)state;
    static struct entry entries[ENTRIES];
    struct test_env t;
    struct hash_table table;
    test_env_init(&t, 1);
    assert_int_equal(hash_init(&table, &t.env, ENTRIES), 0);
    for (uint32_t i = 0; i < ENTRIES; i++) {
        entries[i] = (struct entry){.key = i, .in = true};
        hash_insert(&table, &entries[i].node, hash_of(&table, i, false));
    }
    assert_int_equal(t.allocations, 1);
    assert_all(&table, entries, false);
    hash_destroy(&table);
    test_env_check_clean(&t);
}

static void *never_alloc(void *ctx, size_t size)
{
    (void)ctx;
    (void)size;
    return NULL;
}

static void works_on_without_memory(void **state)
{
    (void)state;
    static struct entry entries[ENTRIES];
    struct test_env t;
    struct hash_table table;
    test_env_init(&t, 1);
    t.fail_at = 1;
    assert_int_equal(hash_init(&table, &t.env, 8), -ENOMEM);
    hash_destroy(&table);
    assert_int_equal(hash_init(&table, &t.env, 8), 0);

    void *(*alloc)(void *, size_t) = t.env.alloc;
    t.env.alloc = never_alloc;
    for (uint32_t i = 0; i < ENTRIES; i++) {
        if (i == ENTRIES / 2) {
            assert_int_equal(table.size, 8);
            assert_int_equal(table.count, ENTRIES / 2);
            t.env.alloc = alloc; /* memory is back: the next insertions make up for it */
        }
        entries[i] = (struct entry){.key = i, .in = true};
        hash_insert(&table, &entries[i].node, hash_of(&table, i, false));
    }
    assert_all(&table, entries, false);
    assert_int_equal(table.size, ENTRIES);
    for (uint32_t i = 0; i < ENTRIES; i++) {
        hash_remove(&table, &entries[i].node);
        entries[i].in = false;
    }
    assert_all(&table, entries, false);
    hash_destroy(&table);
    test_env_check_clean(&t);
}

static void assert_short_chains(const struct hash_table *table)
{
    for (uint32_t b = 0; b < table->size; b++) {
        int length = 0;
        for (const struct hash_node *n = *segments_at(&table->buckets, b); n; n = n->next)
            length++;
        assert_true(length < 20); /* one or two on average; 20 is a matter of one in 10^12 */
    }
}

/* No call has more to do than any other: a few chains change, an allocation at most, and nothing is copied. */
static void grows_and_shrinks_step_by_step(void **state)
{
    (void)state;
    enum { MANY = 100000 };
    static struct hash_node nodes[MANY];
    struct test_env t;
    struct hash_table table;
    test_env_init(&t, test_seed());
    assert_int_equal(hash_init(&table, &t.env, 8), 0);
    for (uint32_t i = 0; i < MANY; i++) {
        uint32_t size = table.size;
        uint64_t allocations = t.allocations;
        hash_insert(&table, &nodes[i], hash_bytes(&table, &i, sizeof i));
        assert_in_range(table.size, size, size + 2);
        assert_true(t.allocations <= allocations + 1);
        assert_true(table.size >= table.count);
        if (i % 10007 == 0)
            assert_short_chains(&table);
    }
    assert_true(t.allocations < 20);
    for (uint32_t i = 0; i < MANY; i++) {
        uint32_t size = table.size;
        hash_remove(&table, &nodes[i]);
        assert_in_range(table.size, HW_MAX(size, 4u) - 4, size);
        assert_true(table.size <= HW_MAX(4 * (table.count + 1), 8u));
        if (i % 10007 == 0)
            assert_short_chains(&table);
        uint32_t last = MANY - 1;
        if (i < last) {
            const struct hash_node *found = hash_first(&table, hash_bytes(&table, &last, sizeof last));
            assert_ptr_equal(found, &nodes[last]);
        }
    }
    assert_int_equal(table.buckets.capacity, 8);
    hash_destroy(&table);
    test_env_check_clean(&t);
}

static void spreads_keys(void **state)
{
    (void)state;
    static struct hash_node nodes[4096];
    struct test_env t;
    struct hash_table table;
    test_env_init(&t, test_seed());
    assert_int_equal(hash_init(&table, &t.env, 4096), 0);
    for (uint32_t i = 0; i < 4096; i++)
        hash_insert(&table, &nodes[i], hash_bytes(&table, &i, sizeof i));
    assert_short_chains(&table);
    hash_destroy(&table);
    test_env_check_clean(&t);
}

static void remove_stranger(void *arg)
{
    struct hash_node stranger = {.hash = 1};
    hash_remove(arg, &stranger);
}

static void removing_a_stranger_is_a_bug(void **state)
{
    (void)state;
    struct test_env t;
    struct hash_table table;
    struct hash_node node;
    test_env_init(&t, 1);
    assert_int_equal(hash_init(&table, &t.env, 8), 0);
    hash_insert(&table, &node, 1);
    assert_true(test_aborts(remove_stranger, &table));
    hash_destroy(&table);
    test_env_check_clean(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(siphash_of_known_bytes),
        cmocka_unit_test(key_comes_from_the_environment),
        cmocka_unit_test(finds_what_is_in),
        cmocka_unit_test(expected_nodes_need_no_growth),
        cmocka_unit_test(works_on_without_memory),
        cmocka_unit_test(grows_and_shrinks_step_by_step),
        cmocka_unit_test(spreads_keys),
        cmocka_unit_test(removing_a_stranger_is_a_bug),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
