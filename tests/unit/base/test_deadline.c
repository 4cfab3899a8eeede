/* The deadline queue against an array that is searched from end to end. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "base/deadline.h"
#include "base/units.h"
#include "support.h"

enum { NODES = 60 };

struct world;

struct node {
    struct deadline deadline;
    struct world *world;
    uint64_t at_ns, order; /* the model's */
    uint64_t fired_round;
};

struct world {
    struct test_env t;
    struct deadline_queue q;
    struct node nodes[NODES];
    uint64_t next_order, now_ns, fence, round;
    bool running, chaos;
    uint64_t fired;
};

/* What the queue promises: earliest first, ties in the order in which they were set. */
static struct node *model_first(struct world *w)
{
    struct node *first = NULL;
    for (int i = 0; i < NODES; i++) {
        struct node *n = &w->nodes[i];
        if (n->at_ns != TIME_NEVER &&
            (!first || n->at_ns < first->at_ns || (n->at_ns == first->at_ns && n->order < first->order)))
            first = n;
    }
    return first;
}

static void set(struct world *w, struct node *n, uint64_t at_ns)
{
    deadline_set(&w->q, &n->deadline, at_ns);
    if (w->running)
        at_ns = HW_MAX(at_ns, w->now_ns);
    if (n->at_ns == at_ns)
        return;
    n->at_ns = at_ns;
    n->order = w->next_order++;
}

static void set_at_random(struct world *w)
{
    struct prng *rng = &w->t.rng;
    uint64_t at = prng_below(rng, 8) == 0 ? TIME_NEVER : w->now_ns + prng_below(rng, 40);
    if (prng_below(rng, 8) == 0)
        at = prng_below(rng, w->now_ns + 1);
    set(w, &w->nodes[prng_below(rng, NODES)], at);
}

static void on_fire(struct deadline *self, uint64_t now_ns)
{
    struct node *n = HW_CONTAINER(self, struct node, deadline);
    struct world *w = n->world;
    assert_int_equal(now_ns, w->now_ns);
    assert_ptr_equal(n, model_first(w));
    assert_true(n->at_ns <= now_ns);
    assert_true(n->order < w->fence);
    assert_true(n->fired_round != w->round);
    n->fired_round = w->round;
    n->at_ns = TIME_NEVER;
    w->fired++;
    for (uint64_t i = w->chaos ? prng_below(&w->t.rng, 4) : 0; i > 0; i--)
        set_at_random(w);
    if (w->chaos && prng_below(&w->t.rng, 4) == 0)
        set(w, n, prng_below(&w->t.rng, now_ns + 10));
}

static void setup(struct world *w, uint64_t seed)
{
    *w = (struct world){.chaos = false};
    test_env_init(&w->t, seed);
    deadline_queue_init(&w->q, &w->t.env);
    assert_int_equal(deadline_queue_reserve(&w->q, NODES), 0);
    for (int i = 0; i < NODES; i++) {
        deadline_init(&w->nodes[i].deadline, on_fire);
        w->nodes[i].world = w;
        w->nodes[i].at_ns = TIME_NEVER;
    }
}

static void teardown(struct world *w)
{
    deadline_queue_destroy(&w->q);
    test_env_check_clean(&w->t);
}

static void run(struct world *w)
{
    w->round++;
    w->fence = w->next_order;
    w->running = true;
    deadline_run(&w->q, w->now_ns);
    w->running = false;
    for (int i = 0; i < NODES; i++) /* all that was due before is done */
        assert_true(w->nodes[i].at_ns > w->now_ns || w->nodes[i].order >= w->fence);
}

static void assert_same(struct world *w)
{
    const struct node *first = model_first(w);
    assert_int_equal(deadline_next(&w->q), first ? first->at_ns : TIME_NEVER);
    uint32_t queued = 0;
    for (int i = 0; i < NODES; i++) {
        bool in = w->nodes[i].at_ns != TIME_NEVER;
        queued += in;
        assert_int_equal(w->nodes[i].deadline.pos != 0, in);
        if (in)
            assert_int_equal(w->nodes[i].deadline.at_ns, w->nodes[i].at_ns);
    }
    assert_int_equal(w->q.count, queued);
}

static void behaves_like_a_searched_array(void **state)
{
    (void)state;
    uint64_t seed = test_seed();
    for (int chaos = 0; chaos <= 1; chaos++) {
        struct world w;
        setup(&w, seed + (uint64_t)chaos);
        w.chaos = chaos;
        for (int step = 0; step < 20000; step++) {
            set_at_random(&w);
            if (prng_below(&w.t.rng, 8) == 0) {
                w.now_ns += prng_below(&w.t.rng, 30);
                run(&w);
            }
            assert_same(&w);
        }
        assert_true(w.fired > 1000);
        teardown(&w);
    }
}

static void ties_fire_first_come_first_served(void **state)
{
    (void)state;
    struct world w;
    setup(&w, 1);
    for (int i = NODES - 1; i >= 0; i--)
        set(&w, &w.nodes[(i * 7) % NODES], 5);
    set(&w, &w.nodes[7], 5); /* unchanged: it keeps its place */
    set(&w, &w.nodes[14], 6);
    set(&w, &w.nodes[14], 5); /* moved: to the end */
    w.now_ns = 4;
    run(&w);
    assert_int_equal(w.fired, 0);
    w.now_ns = 5;
    run(&w); /* on_fire() asserts the order */
    assert_int_equal(w.fired, NODES);
    assert_int_equal(deadline_next(&w.q), TIME_NEVER);
    teardown(&w);
}

static void set_again_in_the_past(struct deadline *self, uint64_t now_ns)
{
    struct node *n = HW_CONTAINER(self, struct node, deadline);
    n->world->fired++;
    deadline_set(&n->world->q, self, now_ns - 10);
}

/* A node that keeps asking for a time that has passed neither locks the loop up nor starves the others. */
static void impatient_node_starves_nobody(void **state)
{
    (void)state;
    struct world w;
    setup(&w, 1);
    deadline_init(&w.nodes[0].deadline, set_again_in_the_past);
    deadline_set(&w.q, &w.nodes[0].deadline, 90);
    set(&w, &w.nodes[1], 95);
    set(&w, &w.nodes[2], 100);
    w.now_ns = 100;
    run(&w);
    assert_int_equal(w.fired, 3);
    assert_int_equal(deadline_next(&w.q), 100);
    run(&w);
    assert_int_equal(w.fired, 4);
    deadline_set(&w.q, &w.nodes[0].deadline, 20); /* outside of a run the past is the past */
    assert_int_equal(deadline_next(&w.q), 20);
    teardown(&w);
}

static void never_takes_out(void **state)
{
    (void)state;
    struct world w;
    setup(&w, 1);
    set(&w, &w.nodes[0], TIME_NEVER);
    assert_int_equal(w.q.count, 0);
    set(&w, &w.nodes[0], TIME_NEVER - 1);
    assert_int_equal(deadline_next(&w.q), TIME_NEVER - 1);
    set(&w, &w.nodes[0], 0);
    assert_int_equal(deadline_next(&w.q), 0);
    set(&w, &w.nodes[0], TIME_NEVER);
    w.now_ns = TIME_NEVER - 2;
    run(&w);
    assert_int_equal(w.fired, 0);
    teardown(&w);
}

static void reserve_fails_cleanly(void **state)
{
    (void)state;
    struct world w;
    setup(&w, 1);
    for (int i = 0; i < NODES; i++)
        set(&w, &w.nodes[i], (uint64_t)(NODES - i));
    w.t.fail_at = 1;
    assert_int_equal(deadline_queue_reserve(&w.q, NODES), -ENOMEM);
    assert_int_equal(w.q.reserved, NODES);
    assert_same(&w);
    assert_int_equal(deadline_queue_reserve(&w.q, 1), 0); /* of which there is room already */
    assert_int_equal(w.t.allocations, 1);
    assert_int_equal(deadline_queue_reserve(&w.q, NODES), 0);
    assert_int_equal(deadline_queue_reserve(&w.q, UINT32_MAX), -ENOMEM);
    assert_same(&w);
    w.now_ns = NODES;
    run(&w);
    assert_int_equal(w.fired, NODES);
    teardown(&w);
}

/* Who comes takes one place, and who goes gives it back; seldom is there an allocation, and never a copy. */
static void room_grows_and_shrinks_step_by_step(void **state)
{
    (void)state;
    enum { MANY = 20000 };
    static struct deadline nodes[MANY];
    struct test_env t;
    struct deadline_queue q;
    test_env_init(&t, 1);
    deadline_queue_init(&q, &t.env);
    for (uint32_t i = 0; i < MANY; i++) {
        uint64_t allocations = t.allocations;
        assert_int_equal(deadline_queue_reserve(&q, 1), 0);
        assert_true(t.allocations <= allocations + 1);
        deadline_init(&nodes[i], on_fire);
        deadline_set(&q, &nodes[i], MANY - i);
    }
    assert_true(t.allocations < 20);
    for (uint32_t i = MANY; i-- > 0;) {
        assert_int_equal(deadline_next(&q), MANY - i);
        deadline_set(&q, &nodes[i], TIME_NEVER);
        deadline_queue_release(&q, 1);
        assert_true(q.heap.capacity <= HW_MAX(4 * i, 64u));
    }
    uint64_t allocations = t.allocations;
    for (uint32_t i = 0; i < 1000; i++) { /* at the edge of a part */
        assert_int_equal(deadline_queue_reserve(&q, i % 2 ? 1 : 64), 0);
        deadline_queue_release(&q, i % 2 ? 64 : 1);
    }
    assert_true(t.allocations <= allocations + 1);
    deadline_queue_destroy(&q);
    test_env_check_clean(&t);
}

static void set_beyond_reserve(void *arg)
{
    struct deadline_queue *q = arg;
    struct deadline d[NODES + 1];
    for (int i = 0; i <= NODES; i++) {
        deadline_init(&d[i], on_fire);
        deadline_set(q, &d[i], 1);
    }
}

static void more_than_reserved_is_a_bug(void **state)
{
    (void)state;
    struct world w;
    setup(&w, 1);
    assert_true(test_aborts(set_beyond_reserve, &w.q));
    teardown(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(behaves_like_a_searched_array), cmocka_unit_test(ties_fire_first_come_first_served),
        cmocka_unit_test(impatient_node_starves_nobody), cmocka_unit_test(never_takes_out),
        cmocka_unit_test(reserve_fails_cleanly),         cmocka_unit_test(room_grows_and_shrinks_step_by_step),
        cmocka_unit_test(more_than_reserved_is_a_bug),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
