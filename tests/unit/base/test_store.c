#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/store.h"
#include "support.h"

enum { LIMIT = 4 << 20, RESERVE = 1 << 20 };

struct fixture {
    struct test_env t;
    struct account_root stack;
    struct account conn, side;
    struct store store;
};

static void begin(struct fixture *f)
{
    test_env_init(&f->t, 1);
    account_init(&f->stack, &f->t.env, LIMIT, RESERVE);
    account_open(&f->conn, &f->stack.account);
    account_open(&f->side, &f->conn);
    assert_int_equal(store_init(&f->store, &f->t.env), 0);
}

static void end(struct fixture *f)
{
    assert_int_equal(f->side.held, 0);
    assert_int_equal(store_in_use(&f->store), 0);
    account_close(&f->side);
    account_close(&f->conn);
    store_close(&f->store);
    test_env_check_clean(&f->t);
}

static void few_bytes_lie_in_a_small_buffer(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    struct hawser_buf *small = store_take(&f.store, &f.side, 5, CLAIM_NEED);
    assert_int_equal(hawser_buf_capacity(small), STORE_SMALL_BYTES);
    assert_int_equal(f.side.held, buf_size(small));
    struct hawser_buf *medium = store_take(&f.store, &f.side, STORE_LARGE_BYTES / 4 - 1, CLAIM_NEED);
    assert_int_equal(hawser_buf_capacity(medium), STORE_MEDIUM_BYTES);
    hawser_buf_unref(medium);
    struct hawser_buf *large = store_take(&f.store, &f.side, STORE_LARGE_BYTES / 4, CLAIM_NEED);
    assert_int_equal(hawser_buf_capacity(large), STORE_LARGE_BYTES);
    assert_int_equal(f.side.held, buf_size(small) + buf_size(large));
    assert_int_equal(store_in_use(&f.store), 2);
    hawser_buf_ref(large);
    hawser_buf_unref(large);
    assert_int_equal(f.side.held, buf_size(small) + buf_size(large)); /* until the last reference goes */
    hawser_buf_unref(large);
    hawser_buf_unref(small);
    assert_int_equal(store_returns(&f.store), 3);
    end(&f);
}

static void room_for_all_or_none(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    struct hawser_buf *buf = store_take_room(&f.store, &f.side, STORE_SMALL_BYTES, CLAIM_NEED);
    assert_int_equal(hawser_buf_capacity(buf), STORE_SMALL_BYTES);
    hawser_buf_unref(buf);
    buf = store_take_room(&f.store, &f.side, STORE_SMALL_BYTES + 1, CLAIM_NEED);
    assert_int_equal(hawser_buf_capacity(buf), STORE_MEDIUM_BYTES);
    hawser_buf_unref(buf);
    assert_null(store_take_room(&f.store, &f.side, STORE_LARGE_BYTES + 1, CLAIM_NEED));
    buf = store_take_room(&f.store, &f.side, STORE_LARGE_BYTES, CLAIM_NEED);
    assert_int_equal(hawser_buf_capacity(buf), STORE_LARGE_BYTES);
    hawser_buf_unref(buf);
    account_charge(&f.side, LIMIT - RESERVE - 3000);
    assert_null(store_take_room(&f.store, &f.side, STORE_SMALL_BYTES + 1, CLAIM_SURPLUS));
    account_release(&f.side, LIMIT - RESERVE - 3000);
    end(&f);
}

/* When the many bytes find no large buffer, a small one does. */
static void a_small_one_rather_than_none(void **state)
{
    (void)state;
    struct fixture f;
    struct account other;
    begin(&f);
    account_open(&other, &f.conn);
    account_charge(&other, (LIMIT - RESERVE) / 4 * 3);
    struct hawser_buf *buf = store_take(&f.store, &f.side, 1 << 20, CLAIM_NEED);
    assert_int_equal(hawser_buf_capacity(buf), STORE_SMALL_BYTES);
    hawser_buf_unref(buf);
    account_release(&other, (LIMIT - RESERVE) / 4 * 3);
    account_close(&other);
    end(&f);
}

/* What others own is charged like what is our own, and refused where it is not admitted. */
static void views(void **state)
{
    (void)state;
    static const uint8_t bytes[1000];
    struct fixture f;
    struct hawser_buf *whole, *huge;
    begin(&f);
    assert_int_equal(hawser_buf_wrap(&f.t.env, bytes, sizeof bytes, NULL, NULL, &whole), 0);
    assert_int_equal(hawser_buf_wrap(&f.t.env, bytes, LIMIT, NULL, NULL, &huge), 0);
    assert_null(store_take_view(&f.store, &f.side, huge, CLAIM_NEED));
    struct hawser_buf *view = store_take_view(&f.store, &f.side, whole, CLAIM_NEED);
    assert_int_equal(f.side.held, buf_size(view));
    assert_true(f.side.held > buf_size(whole));
    assert_int_equal(store_in_use(&f.store), 1);
    hawser_buf_unref(whole);
    hawser_buf_unref(view);
    hawser_buf_unref(huge);
    assert_int_equal(store_returns(&f.store), 1);
    end(&f);
}

static void failed_allocations(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    f.t.fail_at = 1;
    assert_null(store_take(&f.store, &f.side, 5, CLAIM_NEED));
    assert_int_equal(f.side.held, 0);
    end(&f);
    for (uint64_t nth = 1; nth <= STORE_POOLS; nth++) {
        test_env_init(&f.t, 1);
        f.t.fail_at = nth;
        assert_true(store_init(&f.store, &f.t.env) < 0);
        test_env_check_clean(&f.t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_bytes_lie_in_a_small_buffer),
        cmocka_unit_test(room_for_all_or_none),
        cmocka_unit_test(a_small_one_rather_than_none),
        cmocka_unit_test(views),
        cmocka_unit_test(failed_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
