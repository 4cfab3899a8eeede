/* What the unit tests share: an environment that counts and can fail, and seeds that can be replayed. */
#ifndef HW_TESTS_SUPPORT_H
#define HW_TESTS_SUPPORT_H

#include <stdbool.h>
#include <stdint.h>

#include <hawser/socket.h>

#include "base/prng.h"

struct test_env {
    struct hawser_env env;
    struct prng rng;
    uint64_t live;        /* allocations not freed yet */
    uint64_t allocations; /* in all */
    uint64_t fail_at;     /* 0: never; n: the n-th allocation from now fails, once */
    bool refuses;         /* all fail, as long as it lasts */
};

void test_env_init(struct test_env *t, uint64_t seed);

/* Asserts that everything was freed. */
void test_env_check_clean(struct test_env *t);

/* HAWSER_TEST_SEED, or a fresh seed; printed, so that a failure can be replayed. */
uint64_t test_seed(void);

/* The connection that the next event is of, or NULL when there is none. */
struct hawser_conn *next_told(struct hawser_stack *stack);

/* Whether `run(arg)`, in a process of its own, ends by a failed CHECK. */
bool test_aborts(void (*run)(void *arg), void *arg);

#endif
