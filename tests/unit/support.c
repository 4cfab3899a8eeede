#include "support.h"

#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static void *counted_alloc(void *ctx, size_t size)
{
    struct test_env *t = ctx;
    if (t->refuses || (t->fail_at && --t->fail_at == 0))
        return NULL;
    void *p = malloc(size);
    assert_non_null(p);
    memset(p, 0xa5, size); /* whoever counts on zeroes shall notice */
    t->live++;
    t->allocations++;
    return p;
}

static void counted_free(void *ctx, void *ptr)
{
    struct test_env *t = ctx;
    assert_true(t->live > 0);
    t->live--;
    free(ptr);
}

static void seeded_random(void *ctx, void *dst, size_t len)
{
    struct test_env *t = ctx;
    prng_fill(&t->rng, dst, len);
}

void test_env_init(struct test_env *t, uint64_t seed)
{
    *t = (struct test_env){.env = {t, counted_alloc, counted_free, seeded_random}};
    prng_seed(&t->rng, seed);
}

void test_env_check_clean(struct test_env *t) { assert_int_equal(t->live, 0); }

uint64_t test_seed(void)
{
    const char *given = getenv("HAWSER_TEST_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
    printf("seed %" PRIu64 " (HAWSER_TEST_SEED=%" PRIu64 " replays it)\n", seed, seed);
    return seed;
}

bool test_aborts(void (*run)(void *arg), void *arg)
{
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        signal(SIGABRT, SIG_DFL);
        fclose(stderr); /* the bug's report is expected */
        run(arg);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

struct hawser_conn *next_told(struct hawser_stack *stack)
{
    struct hawser_event event;
    bool pending = hawser_stack_pending(stack), is = hawser_next_event(stack, &event);
    assert_int_equal(is, pending); /* who looks there before it sleeps misses nothing, and is not kept awake */
    assert_true(!is || event.what);
    return is ? event.conn : NULL;
}
