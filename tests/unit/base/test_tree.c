/* Balanced trees against an array, which is obviously in order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/prng.h"
#include "base/tree.h"
#include "support.h"

enum { NODES = 4096, STEPS = 4000 };

struct model {
    struct tree tree;
    struct tree_node nodes[NODES];
    struct tree_node *order[NODES]; /* those in the tree */
    size_t count;
};

static void insert_after(struct model *m, size_t at, struct tree_node *node)
{
    tree_insert_after(&m->tree, at ? m->order[at - 1] : NULL, node);
    memmove(m->order + at + 1, m->order + at, (m->count - at) * sizeof *m->order);
    m->order[at] = node;
    m->count++;
}

static void remove_at(struct model *m, size_t at)
{
    tree_remove(&m->tree, m->order[at]);
    m->count--;
    memmove(m->order + at, m->order + at + 1, (m->count - at) * sizeof *m->order);
}

/* Asserts that the nodes below are those of the model from *at on, that they lean as they say, and by one at most.
 * Returns the height. */
static int check_below(const struct model *m, const struct tree_node *node, const struct tree_node *parent, size_t *at)
{
    if (!node)
        return 0;
    assert_ptr_equal(node->parent, parent);
    int left = check_below(m, node->side[TREE_LEFT], node, at);
    assert_ptr_equal(node, m->order[*at]);
    ++*at;
    int right = check_below(m, node->side[TREE_RIGHT], node, at);
    assert_int_equal(node->lean, right - left);
    assert_in_range(node->lean + 1, 0, 2);
    return 1 + (left > right ? left : right);
}

static int check(const struct model *m)
{
    size_t at = 0;
    int height = check_below(m, m->tree.root, NULL, &at);
    assert_int_equal(at, m->count);
    assert_ptr_equal(tree_last(&m->tree), m->count ? m->order[m->count - 1] : NULL);
    return height;
}

/* Any insertions and removals, in trees of any size, keep order and balance. */
static void anything_goes(void **state)
{
    static struct model m;
    (void)state;
    uint64_t seed = test_seed();
    for (uint64_t run = 0; run < 30; run++) {
        struct prng rng;
        struct tree_node *idle[NODES];
        size_t idle_count = 1 + run * run % 100;
        memset(&m, 0, sizeof m);
        prng_seed(&rng, seed + run);
        for (size_t i = 0; i < idle_count; i++)
            idle[i] = &m.nodes[i];
        for (unsigned step = 0; step < STEPS; step++) {
            bool insert = idle_count && (m.count == 0 || prng_below(&rng, 2));
            size_t at = (size_t)prng_below(&rng, m.count + insert);
            if (insert) {
                insert_after(&m, at, idle[--idle_count]);
            } else {
                idle[idle_count++] = m.order[at];
                remove_at(&m, at);
            }
            check(&m);
        }
    }
}

/* 4,095 nodes fill 12 levels; in whatever order they came, there are at most 17 (1.44 times as many). */
static void no_path_is_long(void **state)
{
    static struct model m;
    (void)state;
    for (unsigned way = 0; way < 3; way++) {
        memset(&m, 0, sizeof m);
        for (size_t i = 0; i < NODES - 1; i++)
            insert_after(&m, way == 0 ? m.count : way == 1 ? 0 : m.count / 2, &m.nodes[i]);
        assert_in_range(check(&m), 12, 17);
        while (m.count > 255) /* all that is left lies together */
            remove_at(&m, way == 0 ? 0 : way == 1 ? m.count - 1 : m.count / 2);
        assert_in_range(check(&m), 8, 11);
        while (m.count)
            remove_at(&m, m.count / 2);
        assert_null(m.tree.root);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(anything_goes),
        cmocka_unit_test(no_path_is_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
