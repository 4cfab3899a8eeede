/* Lists against an array. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/list.h"
#include "base/prng.h"
#include "support.h"

enum { NODES = 12 };

struct node {
    int tag;
    struct list link;
};

struct model {
    int order[NODES], count;
};

static int index_of(const struct model *m, int tag)
{
    for (int i = 0; i < m->count; i++)
        if (m->order[i] == tag)
            return i;
    return -1;
}

static void model_insert(struct model *m, int at, int tag)
{
    memmove(m->order + at + 1, m->order + at, (size_t)(m->count - at) * sizeof m->order[0]);
    m->order[at] = tag;
    m->count++;
}

static void model_remove(struct model *m, int tag)
{
    int at = index_of(m, tag);
    if (at < 0)
        return;
    m->count--;
    memmove(m->order + at, m->order + at + 1, (size_t)(m->count - at) * sizeof m->order[0]);
}

static void assert_same(const struct list *head, const struct model *m)
{
    const struct list *at = head;
    for (int i = 0; i < m->count; i++) {
        assert_ptr_equal(at->next->prev, at);
        at = at->next;
        assert_int_equal(((const struct node *)(const void *)((const char *)at - offsetof(struct node, link)))->tag,
                         m->order[i]);
    }
    assert_ptr_equal(at->next, head);
    assert_ptr_equal(head->prev, at);
    assert_int_equal(list_empty(head), m->count == 0);
    assert_ptr_equal(list_first(head), m->count ? head->next : NULL);
}

static void insert_somewhere(struct list *head, struct node *nodes, struct model *m, int tag, struct prng *rng)
{
    struct node *n = &nodes[tag];
    uint64_t how = prng_below(rng, m->count ? 3 : 2);
    if (how == 0) {
        list_push_back(head, &n->link);
        model_insert(m, m->count, tag);
    } else if (how == 1) {
        list_push_front(head, &n->link);
        model_insert(m, 0, tag);
    } else {
        int at = (int)prng_below(rng, (uint64_t)m->count);
        list_insert_after(&nodes[m->order[at]].link, &n->link);
        model_insert(m, at + 1, tag);
    }
}

static void behaves_like_an_array(void **state)
{
    (void)state;
    struct prng rng;
    struct list head;
    struct node nodes[NODES];
    struct model m = {.count = 0};
    prng_seed(&rng, test_seed());
    list_init(&head);
    for (int i = 0; i < NODES; i++) {
        nodes[i].tag = i;
        list_init(&nodes[i].link);
    }
    for (int step = 0; step < 20000; step++) {
        int tag = (int)prng_below(&rng, NODES);
        if (prng_below(&rng, 6) == 0) {
            list_move_back(&head, &nodes[tag].link); /* also one that is in no list */
            model_remove(&m, tag);
            model_insert(&m, m.count, tag);
        } else if (index_of(&m, tag) >= 0 || prng_below(&rng, 8) == 0) {
            list_remove(&nodes[tag].link); /* also of one that is in no list */
            model_remove(&m, tag);
            assert_true(list_empty(&nodes[tag].link));
        } else {
            insert_somewhere(&head, nodes, &m, tag, &rng);
        }
        assert_same(&head, &m);
    }
}

static void each_allows_removal(void **state)
{
    (void)state;
    struct list head;
    struct node nodes[NODES];
    list_init(&head);
    for (int i = 0; i < NODES; i++) {
        nodes[i].tag = i;
        list_push_back(&head, &nodes[i].link);
    }
    int visited = 0;
    LIST_EACH (it, &head) {
        struct node *n = LIST_ENTRY(it, struct node, link);
        assert_int_equal(n->tag, visited++);
        if (n->tag % 3)
            list_remove(it);
    }
    assert_int_equal(visited, NODES);
    visited = 0;
    LIST_EACH (it, &head) {
        assert_int_equal(LIST_ENTRY(it, struct node, link)->tag, visited);
        visited += 3;
    }
    assert_int_equal(visited, NODES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(behaves_like_an_array),
        cmocka_unit_test(each_allows_removal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
