/* What a connection keeps for its scheduler. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "mptcp/scheduler.h"
#include "support.h"

#define NOW NS_PER_S
#define LIMIT (1 << 20)

static struct hawser_decision send_nothing(const struct hawser_stream *stream, const struct hawser_path *path)
{
    (void)stream;
    (void)path;
    return hawser_send_nothing(0);
}

static const struct hawser_scheduler lazy = {
    .size = sizeof lazy, .name = "lazy", .conn_bytes = 100, .path_bytes = 33, .ask = send_nothing};

struct bench {
    struct test_env env;
    struct account_root memory;
    struct account conn;
    struct scheduler s;
    struct counters counters;
};

/* False: for want of memory. */
static bool serve(struct bench *b, uint32_t slots)
{
    uint64_t before = b->counters.v[COUNT_LIMIT_SCHEDULER];
    scheduler_serve(&b->s, &b->conn, slots, &b->counters);
    return b->counters.v[COUNT_LIMIT_SCHEDULER] == before;
}

static void set_up(struct bench *b, const struct hawser_scheduler *policy)
{
    test_env_init(&b->env, 1);
    account_init(&b->memory, &b->env.env, LIMIT, LIMIT / 8);
    account_open(&b->conn, &b->memory.account);
    scheduler_init(&b->s, policy);
    b->counters = (struct counters){{0}};
}

static void tear_down(struct bench *b)
{
    scheduler_destroy(&b->s, &b->conn);
    account_close(&b->conn);
    test_env_check_clean(&b->env);
}

static void which_are_valid(void **state)
{
    (void)state;
    struct hawser_scheduler s = lazy;
    assert_int_equal(scheduler_check(NULL), 0);
    assert_int_equal(scheduler_check(&s), 0);
    s.size--;
    assert_int_equal(scheduler_check(&s), -EINVAL);
    s = lazy;
    s.name = NULL;
    assert_int_equal(scheduler_check(&s), -EINVAL);
    s.name = "";
    assert_int_equal(scheduler_check(&s), -EINVAL);
    s = lazy;
    s.ask = NULL;
    assert_int_equal(scheduler_check(&s), -EINVAL);
    s = lazy;
    s.conn_bytes = s.path_bytes = HAWSER_SCHEDULER_MEMORY_MAX;
    assert_int_equal(scheduler_check(&s), 0);
    s.conn_bytes++;
    assert_int_equal(scheduler_check(&s), -EINVAL);
    s = lazy;
    s.path_bytes = HAWSER_SCHEDULER_MEMORY_MAX + 1;
    assert_int_equal(scheduler_check(&s), -EINVAL);
}

/* A table of a program that knows more: good as long as it does not use it. */
static void a_table_of_tomorrow(void **state)
{
    (void)state;
    struct {
        struct hawser_scheduler s;
        void (*more)(void);
    } tomorrow = {.s = lazy};
    tomorrow.s.size = sizeof tomorrow;
    assert_int_equal(scheduler_check(&tomorrow.s), 0);
    tomorrow.more = abort;
    assert_int_equal(scheduler_check(&tomorrow.s), -E2BIG);
}

static bool is_zero(const void *block, size_t len)
{
    static const uint8_t zero[256];
    assert_in_range(len, 1, sizeof zero);
    return memcmp(block, zero, len) == 0;
}

static void memory_comes_with_the_second_path(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b, &lazy);
    assert_true(serve(&b, 1));
    assert_null(scheduler_conn_memory(&b.s));
    assert_null(scheduler_path(&b.s, 0));
    assert_int_equal(b.conn.held, 0);
    assert_true(serve(&b, 1 | 1u << 31));
    uint8_t *conn = scheduler_conn_memory(&b.s), *first = scheduler_path_memory(&b.s, 0);
    assert_true(is_zero(conn, 100) && is_zero(first, 33) && is_zero(scheduler_path_memory(&b.s, 31), 33));
    assert_int_equal((uintptr_t)conn % _Alignof(max_align_t), 0);
    assert_int_equal((uintptr_t)first % _Alignof(max_align_t), 0);
    assert_null(scheduler_path_memory(&b.s, 1));
    memset(conn, 1, 100);
    memset(first, 2, 33);
    uint64_t held = b.conn.held;
    scheduler_drop(&b.s, &b.conn, 31, 7);
    assert_true(b.conn.held < held);
    assert_null(scheduler_path_memory(&b.s, 31));
    assert_true(serve(&b, 1 | 1u << 1)); /* what others have stays */
    assert_ptr_equal(scheduler_path_memory(&b.s, 0), first);
    assert_int_equal(first[32], 2);
    assert_int_equal(conn[99], 1);
    scheduler_drop(&b.s, &b.conn, 0, 7);
    scheduler_drop(&b.s, &b.conn, 1, 7);
    assert_true(serve(&b, 1)); /* and a lone one has its own, once there is any */
    assert_true(is_zero(scheduler_path_memory(&b.s, 0), 33));
    tear_down(&b);
}

static void the_default_needs_none(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b, &scheduler_lowest_rtt);
    assert_true(scheduler_is_default(&b.s));
    assert_true(serve(&b, 3));
    assert_int_equal(b.conn.held, 0);
    assert_int_equal(scheduler_due(&b.s), TIME_NEVER);
    scheduler_set_due(&b.s, NOW);
    scheduler_postpone(&b.s, NOW, NOW);
    assert_int_equal(scheduler_due(&b.s), TIME_NEVER);
    assert_false(scheduler_may_wait(&b.s, NOW, NOW));
    scheduler_sent(&b.s, 5);
    assert_int_equal(scheduler_copied_bytes(&b.s), 0);
    scheduler_drop(&b.s, &b.conn, 0, 7);
    tear_down(&b);
}

static void without_memory_lowest_rtt_decides(void **state)
{
    (void)state;
    for (unsigned paths = 0; paths < 2; paths++) { /* the memory of the connection is refused; of the second path */
        struct bench b;
        set_up(&b, &lazy);
        assert_true(serve(&b, 1));
        struct account other;
        account_open(&other, &b.memory.account);
        uint64_t spare = paths ? 700 : 100;
        account_charge(&other, (LIMIT - LIMIT / 8) / 2 - spare);
        account_charge(&b.conn, LIMIT / 4);
        account_release(&other, LIMIT / 4);
        assert_false(serve(&b, UINT32_MAX));
        assert_true(scheduler_is_default(&b.s));
        assert_null(scheduler_conn_memory(&b.s));
        assert_int_equal(b.conn.held, LIMIT / 4);
        assert_true(serve(&b, 3));
        account_release(&b.conn, LIMIT / 4);
        account_release(&other, other.held);
        account_close(&other);
        tear_down(&b);
    }
}

static void when_it_is_asked_again(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b, &lazy);
    assert_true(serve(&b, 3));
    assert_int_equal(scheduler_due(&b.s), TIME_NEVER);
    scheduler_postpone(&b.s, 0, NOW);
    assert_int_equal(scheduler_due(&b.s), TIME_NEVER);
    scheduler_postpone(&b.s, NOW + NS_PER_S, NOW);
    assert_int_equal(scheduler_due(&b.s), NOW + NS_PER_S);
    scheduler_postpone(&b.s, NOW - 1, NOW); /* not at once, and not for ever */
    assert_in_range(scheduler_due(&b.s), NOW + 1, NOW + NS_PER_MS);
    scheduler_set_due(&b.s, TIME_NEVER);
    assert_int_equal(scheduler_due(&b.s), TIME_NEVER);
    tear_down(&b);
}

static void patience_has_an_end(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b, &lazy);
    assert_true(serve(&b, 3));
    assert_false(scheduler_may_wait(&b.s, 0, NOW));
    assert_true(scheduler_may_wait(&b.s, TIME_NEVER, NOW));
    assert_int_equal(scheduler_due(&b.s), NOW + NS_PER_S);
    assert_true(scheduler_may_wait(&b.s, NOW + 5, NOW));
    assert_in_range(scheduler_due(&b.s), NOW + 5, NOW + NS_PER_MS);
    assert_false(scheduler_may_wait(&b.s, TIME_NEVER, NOW + NS_PER_S));
    scheduler_sent(&b.s, 0);
    assert_true(scheduler_may_wait(&b.s, TIME_NEVER, NOW + NS_PER_S));
    scheduler_postpone(&b.s, 0, NOW + NS_PER_S); /* something is under way: it is no more all that can move things */
    assert_true(scheduler_may_wait(&b.s, TIME_NEVER, NOW + 3 * NS_PER_S));
    tear_down(&b);
}

static void copies_are_counted(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b, &lazy);
    assert_int_equal(scheduler_copied_bytes(&b.s), 0);
    assert_true(serve(&b, 3));
    scheduler_sent(&b.s, 5);
    scheduler_sent(&b.s, UINT32_MAX);
    assert_int_equal(scheduler_copied_bytes(&b.s), UINT64_C(5) + UINT32_MAX);
    tear_down(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(which_are_valid),
        cmocka_unit_test(a_table_of_tomorrow),
        cmocka_unit_test(memory_comes_with_the_second_path),
        cmocka_unit_test(the_default_needs_none),
        cmocka_unit_test(without_memory_lowest_rtt_decides),
        cmocka_unit_test(when_it_is_asked_again),
        cmocka_unit_test(patience_has_an_end),
        cmocka_unit_test(copies_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
