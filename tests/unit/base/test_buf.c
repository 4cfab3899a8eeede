#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include "base/buf.h"
#include "support.h"

enum { CAP = 100, LIMIT = 20 };

static void lends_as_many_as_the_limit(void **state)
{
    (void)state;
    struct test_env t;
    struct hawser_buf *held[LIMIT];
    test_env_init(&t, 1);
    struct hawser_buf_pool *pool;
    assert_int_equal(hawser_buf_pool_new(&t.env, CAP, LIMIT, &pool), 0);
    for (uint32_t i = 0; i < LIMIT; i++) {
        held[i] = hawser_buf_new(pool);
        assert_non_null(held[i]);
        assert_int_equal(hawser_buf_capacity(held[i]), CAP);
        memset(hawser_buf_data(held[i]), (int)i, CAP);
        assert_int_equal(buf_pool_in_use(pool), i + 1);
    }
    assert_null(hawser_buf_new(pool));
    assert_int_equal(buf_pool_refusals(pool), 1);
    for (uint32_t i = 0; i < LIMIT; i++) {
        for (uint32_t k = 0; k < CAP; k++)
            assert_int_equal(hawser_buf_data(held[i])[k], i);
    }
    hawser_buf_unref(held[3]);
    held[3] = hawser_buf_new(pool);
    assert_non_null(held[3]);
    assert_null(hawser_buf_new(pool));
    for (uint32_t i = 0; i < LIMIT; i++)
        hawser_buf_unref(held[i]);
    assert_int_equal(t.allocations, LIMIT + 1); /* buffers given back are used again */
    hawser_buf_pool_close(pool);
    test_env_check_clean(&t);
}

/* Random references, taken and dropped in any order; the pool closed in the middle. */
static void lives_until_the_last_reference(void **state)
{
    (void)state;
    uint64_t seed = test_seed();
    for (uint64_t run = 0; run < 60; run++) {
        struct test_env t;
        struct {
            struct hawser_buf *buf;
            uint32_t refs;
        } held[LIMIT] = {{0}};
        test_env_init(&t, seed + run);
        struct hawser_buf_pool *pool;
        assert_int_equal(hawser_buf_pool_new(&t.env, CAP, LIMIT, &pool), 0);
        uint32_t lent = 0;
        for (uint64_t steps = prng_below(&t.rng, 2000); steps > 0; steps--) {
            uint32_t i = (uint32_t)prng_below(&t.rng, LIMIT);
            if (held[i].refs == 0) {
                held[i].buf = hawser_buf_new(pool);
                assert_non_null(held[i].buf);
                held[i].refs = 1;
                lent++;
                memset(hawser_buf_data(held[i].buf), (int)i, CAP);
            } else if (prng_below(&t.rng, 5) < 2) {
                assert_ptr_equal(hawser_buf_ref(held[i].buf), held[i].buf);
                held[i].refs++;
            } else {
                assert_int_equal(hawser_buf_data(held[i].buf)[CAP - 1], i);
                hawser_buf_unref(held[i].buf);
                lent -= --held[i].refs == 0;
            }
            assert_int_equal(buf_pool_in_use(pool), lent);
        }
        hawser_buf_pool_close(pool);
        assert_int_equal(t.live, lent ? lent + 1 : 0);
        for (uint32_t i = 0; i < LIMIT; i++) {
            if (held[i].refs == 0)
                continue;
            for (; held[i].refs > 0; held[i].refs--) {
                assert_int_equal(hawser_buf_data(held[i].buf)[0], i);
                hawser_buf_unref(held[i].buf);
            }
            lent--;
            assert_int_equal(t.live, lent ? lent + 1 : 0); /* each buffer goes with its last reference */
        }
        test_env_check_clean(&t);
    }
}

/* What many needed once goes back to the system, when it was not needed for a while. */
static void shrinks(void **state)
{
    (void)state;
    enum { MANY = 1000 };
    static struct hawser_buf *held[MANY];
    struct test_env t;
    test_env_init(&t, 1);
    struct hawser_buf_pool *pool;
    assert_int_equal(hawser_buf_pool_new(&t.env, CAP, MANY, &pool), 0);
    for (int i = 0; i < MANY; i++)
        held[i] = hawser_buf_new(pool);
    for (int i = MANY; i-- > 10;)
        hawser_buf_unref(held[i]);
    assert_int_equal(buf_pool_idle_bytes(pool), (uint64_t)(MANY - 10) * buf_pool_each(pool));
    buf_pool_trim(pool);
    assert_int_equal(t.live, 1 + MANY); /* they were, a moment ago */
    for (int i = 10; i < 30; i++)
        held[i] = hawser_buf_new(pool);
    for (int i = 10; i < 30; i++)
        hawser_buf_unref(held[i]);
    uint64_t before = t.allocations;
    buf_pool_trim(pool);
    assert_int_equal(t.live, 1 + 30);
    buf_pool_trim(pool);
    assert_int_equal(t.live, 1 + 10);
    assert_int_equal(t.allocations, before);
    for (int i = 0; i < 10; i++)
        hawser_buf_unref(held[i]);
    hawser_buf_pool_close(pool);
    test_env_check_clean(&t);
}

static void is_paid_for_until_the_last_reference(void **state)
{
    (void)state;
    struct test_env t;
    struct account_root root;
    struct account account;
    test_env_init(&t, 1);
    account_init(&root, &t.env, 1000, 0);
    account_open(&account, &root.account);
    struct hawser_buf_pool *pool;
    assert_int_equal(hawser_buf_pool_new(&t.env, CAP, 1, &pool), 0);
    struct hawser_buf *buf = hawser_buf_new(pool);
    struct slice s = {buf, hawser_buf_data(buf), 1};
    assert_int_equal(slice_cost(s), buf_pool_each(pool));
    buf_charge(buf, &account);
    assert_int_equal(slice_cost(s), 0);
    assert_int_equal(account.held, buf_size(buf));
    hawser_buf_ref(buf);
    hawser_buf_unref(buf);
    assert_int_equal(account.held, buf_size(buf));
    hawser_buf_unref(buf);
    assert_int_equal(account.held, 0);
    buf = hawser_buf_new(pool); /* whoever takes it next does not pay by himself */
    hawser_buf_unref(buf);
    hawser_buf_pool_close(pool);
    test_env_check_clean(&t);
}

static void count_release(void *ctx) { ++*(unsigned *)ctx; }

/* The bytes are the program's, until the last reference goes. */
static void wraps_what_others_own(void **state)
{
    (void)state;
    static const uint8_t bytes[CAP] = {7};
    struct test_env t;
    struct hawser_buf *buf, *silent;
    unsigned released = 0;
    test_env_init(&t, 1);
    assert_int_equal(hawser_buf_wrap(&t.env, bytes, 0, count_release, &released, &buf), -EINVAL);
    assert_int_equal(hawser_buf_wrap(&t.env, bytes, UINT32_MAX, count_release, &released, &buf), -EINVAL);
    t.fail_at = 1;
    assert_int_equal(hawser_buf_wrap(&t.env, bytes, CAP, count_release, &released, &buf), -ENOMEM);
    assert_int_equal(hawser_buf_wrap(&t.env, bytes, CAP, count_release, &released, &buf), 0);
    assert_int_equal(hawser_buf_wrap(&t.env, bytes, CAP, NULL, NULL, &silent), 0);
    assert_ptr_equal(hawser_buf_data(buf), bytes);
    assert_int_equal(hawser_buf_capacity(buf), CAP);
    assert_false(buf_is_scarce(buf));
    assert_true(buf_size(buf) > CAP);
    hawser_buf_unref(hawser_buf_ref(buf));
    assert_int_equal(released, 0);
    hawser_buf_unref(buf);
    hawser_buf_unref(silent);
    assert_int_equal(released, 1);
    test_env_check_clean(&t);
}

/* Who queues what others hold as well is charged for all of it, until his own last reference goes. */
static void a_view_is_charged_for_the_whole(void **state)
{
    (void)state;
    static const uint8_t bytes[CAP] = {7};
    struct test_env t;
    struct account_root root;
    struct account account;
    struct hawser_buf *whole;
    unsigned released = 0;
    test_env_init(&t, 1);
    account_init(&root, &t.env, 1000, 0);
    account_open(&account, &root.account);
    struct hawser_buf_pool *views;
    assert_int_equal(hawser_buf_pool_new(&t.env, 0, 2, &views), 0);
    assert_int_equal(hawser_buf_wrap(&t.env, bytes, CAP, count_release, &released, &whole), 0);
    struct hawser_buf *view = buf_new_view(views, whole), *other = buf_new_view(views, whole);
    assert_null(buf_new_view(views, whole));
    assert_true(buf_is_view_of(view, whole) && buf_is_view_of(whole, NULL) && !buf_is_view_of(view, NULL));
    assert_ptr_equal(hawser_buf_data(view), bytes);
    assert_int_equal(hawser_buf_capacity(view), CAP);
    buf_charge(view, &account);
    assert_int_equal(account.held, buf_pool_each(views) + buf_size(whole));
    hawser_buf_unref(whole);
    hawser_buf_ref(view);
    hawser_buf_unref(view);
    assert_true(account.held > CAP);
    hawser_buf_unref(view);
    assert_int_equal(account.held, 0);
    assert_int_equal(released, 0);
    buf_charge(other, &account);
    buf_discharge(other);
    assert_int_equal(account.held, 0);
    hawser_buf_pool_close(views); /* which lives as long as what it lent */
    hawser_buf_unref(other);
    assert_int_equal(released, 1);
    test_env_check_clean(&t);
}

static void refuses_at_each_failed_allocation(void **state)
{
    (void)state;
    struct test_env t;
    test_env_init(&t, 1);
    t.fail_at = 1;
    struct hawser_buf_pool *pool;
    assert_int_equal(hawser_buf_pool_new(&t.env, CAP, LIMIT, &pool), -ENOMEM);
    test_env_check_clean(&t);

    assert_int_equal(hawser_buf_pool_new(&t.env, CAP, 1, &pool), 0);
    t.fail_at = 1;
    assert_null(hawser_buf_new(pool));
    assert_int_equal(buf_pool_refusals(pool), 1);
    assert_int_equal(buf_pool_in_use(pool), 0);
    struct hawser_buf *buf = hawser_buf_new(pool); /* the failure did not use up the limit */
    assert_non_null(buf);
    hawser_buf_unref(buf);
    hawser_buf_pool_close(pool);
    test_env_check_clean(&t);
}

static void absurd_sizes(void **state)
{
    (void)state;
    struct test_env t;
    test_env_init(&t, 1);
    struct hawser_buf_pool *pool;
    assert_int_equal(hawser_buf_pool_new(&t.env, UINT32_MAX, 1, &pool), -EINVAL);
    assert_int_equal(hawser_buf_pool_new(&t.env, 0, 0, &pool), 0);
    assert_null(hawser_buf_new(pool));
    hawser_buf_pool_close(pool);
    test_env_check_clean(&t);
}

static void slices_name_parts(void **state)
{
    (void)state;
    struct test_env t;
    test_env_init(&t, 1);
    struct hawser_buf_pool *pool;
    assert_int_equal(hawser_buf_pool_new(&t.env, CAP, 1, &pool), 0);
    struct hawser_buf *buf = hawser_buf_new(pool);
    struct slice whole = {buf, hawser_buf_data(buf) + 10, 50};
    struct slice part = slice_sub(slice_sub(whole, 5, 40), 2, 3);
    assert_ptr_equal(part.buf, buf);
    assert_ptr_equal(part.data, hawser_buf_data(buf) + 17);
    assert_int_equal(part.len, 3);
    hawser_buf_unref(buf);
    hawser_buf_pool_close(pool);
    test_env_check_clean(&t);
}

static void unref_again(void *buf) { hawser_buf_unref(buf); }
static void ref_again(void *buf) { hawser_buf_ref(buf); }

static void use_after_the_last_reference_is_a_bug(void **state)
{
    (void)state;
    struct test_env t;
    test_env_init(&t, 1);
    struct hawser_buf_pool *pool;
    assert_int_equal(hawser_buf_pool_new(&t.env, CAP, 1, &pool), 0);
    struct hawser_buf *buf = hawser_buf_new(pool);
    hawser_buf_unref(buf);
    assert_true(test_aborts(unref_again, buf));
    assert_true(test_aborts(ref_again, buf));
    hawser_buf_pool_close(pool);
    test_env_check_clean(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lends_as_many_as_the_limit),
        cmocka_unit_test(lives_until_the_last_reference),
        cmocka_unit_test(shrinks),
        cmocka_unit_test(is_paid_for_until_the_last_reference),
        cmocka_unit_test(wraps_what_others_own),
        cmocka_unit_test(a_view_is_charged_for_the_whole),
        cmocka_unit_test(refuses_at_each_failed_allocation),
        cmocka_unit_test(absurd_sizes),
        cmocka_unit_test(slices_name_parts),
        cmocka_unit_test(use_after_the_last_reference_is_a_bug),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
