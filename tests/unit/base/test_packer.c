#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/packer.h"
#include "support.h"

enum { CAP = STORE_SMALL_BYTES, LIMIT = 1 << 20, RESERVE = 1 << 18 };

struct fixture {
    struct test_env t;
    struct account_root stack;
    struct account conn, side;
    struct store store;
    struct packer packer;
};

static void begin(struct fixture *f)
{
    *f = (struct fixture){0};
    test_env_init(&f->t, 1);
    account_init(&f->stack, &f->t.env, LIMIT, RESERVE);
    account_open(&f->conn, &f->stack.account);
    account_open(&f->side, &f->conn);
    assert_int_equal(store_init(&f->store, &f->t.env), 0);
}

static void end(struct fixture *f)
{
    packer_release(&f->packer);
    assert_int_equal(f->side.held, 0);
    account_close(&f->side);
    account_close(&f->conn);
    store_close(&f->store);
    test_env_check_clean(&f->t);
}

static uint8_t bytes[100000];

/* Copies the first of `len` bytes of value `v` and keeps the slice. */
static struct slice keep(struct fixture *f, uint8_t v, uint32_t len)
{
    memset(bytes, v, len);
    struct slice s = packer_copy(&f->packer, &f->store, &f->side, (struct slice){NULL, bytes, len}, len, CLAIM_NEED);
    if (s.len)
        hawser_buf_ref(s.buf);
    return s;
}

static void check(struct slice s, uint8_t v, uint32_t len)
{
    assert_int_equal(s.len, len);
    for (uint32_t i = 0; i < s.len; i++)
        assert_int_equal(s.data[i], v);
}

static void pieces_share_a_buffer(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    struct slice a = keep(&f, 1, 400), b = keep(&f, 2, CAP), c = keep(&f, 3, 1);
    assert_ptr_equal(a.buf, b.buf);
    assert_ptr_not_equal(b.buf, c.buf);
    check(a, 1, 400);
    check(b, 2, CAP - 400); /* what was left of it */
    hawser_buf_unref(a.buf);
    assert_int_equal(store_in_use(&f.store), 2);
    hawser_buf_unref(b.buf);
    assert_int_equal(store_in_use(&f.store), 1);
    hawser_buf_unref(c.buf);
    end(&f);
}

static void a_buffer_nobody_holds_is_filled_again(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    uint64_t before = f.t.allocations;
    for (unsigned i = 0; i < 10; i++) {
        struct slice s = keep(&f, (uint8_t)i, CAP / 2 + 1);
        check(s, (uint8_t)i, CAP / 2 + 1);
        hawser_buf_unref(s.buf);
    }
    assert_int_equal(f.t.allocations, before + 1);
    end(&f);
}

static void takes_back_the_last_one(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    struct slice a = keep(&f, 1, 10), b = keep(&f, 2, 20);
    hawser_buf_unref(b.buf);
    packer_take_back(&f.packer, b);
    packer_take_back(&f.packer, (struct slice){NULL, bytes, 5}); /* was no copy */
    struct slice c = keep(&f, 3, 20);
    assert_ptr_equal(c.data, b.data);
    check(a, 1, 10);
    hawser_buf_unref(a.buf);
    hawser_buf_unref(c.buf);
    end(&f);
}

static void refuses_without_memory(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    account_charge(&f.side, LIMIT - RESERVE - CAP);
    struct slice a = keep(&f, 1, 60);
    assert_int_equal(a.len, 0);
    account_release(&f.side, LIMIT - RESERVE - CAP);
    end(&f);
}

/* By reference where that wastes no more than three quarters of a buffer that is not scarce. */
static void keeps_what_is_worth_it(void **state)
{
    (void)state;
    enum { LARGE = 80000 };
    struct fixture f;
    begin(&f);
    struct hawser_buf_pool *link;
    assert_int_equal(hawser_buf_pool_new(&f.t.env, LARGE, 2, &link), 0);
    struct hawser_buf *buf = hawser_buf_new(link);
    struct slice quarter = {buf, hawser_buf_data(buf), LARGE / 4}, less = {buf, hawser_buf_data(buf), LARGE / 4 - 1};
    assert_int_equal(slice_cost(quarter), buf_size(buf));
    struct slice kept = packer_keep(&f.packer, &f.store, &f.side, quarter, quarter.len, CLAIM_NEED);
    assert_ptr_equal(kept.buf, buf);
    kept = packer_keep(&f.packer, &f.store, &f.side, less, less.len, CLAIM_NEED);
    assert_ptr_not_equal(kept.buf, buf);
    assert_int_equal(slice_cost(kept), 0); /* charged already */
    assert_ptr_equal(packer_keep(&f.packer, &f.store, &f.side, kept, 1, CLAIM_SURPLUS).buf, kept.buf);
    packer_release(&f.packer);
    account_charge(&f.side, (LIMIT - RESERVE) / 2); /* not admitted: small pieces may be */
    kept = packer_keep(&f.packer, &f.store, &f.side, quarter, 100, CLAIM_OWED);
    assert_ptr_equal(kept.buf, buf);
    account_release(&f.side, (LIMIT - RESERVE) / 2);
    struct hawser_buf *other = hawser_buf_new(link); /* now more than half are lent out */
    kept = packer_keep(&f.packer, &f.store, &f.side, quarter, quarter.len, CLAIM_NEED);
    assert_ptr_not_equal(kept.buf, buf);
    hawser_buf_unref(other);
    hawser_buf_unref(buf);
    hawser_buf_pool_close(link);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_share_a_buffer),   cmocka_unit_test(a_buffer_nobody_holds_is_filled_again),
        cmocka_unit_test(takes_back_the_last_one), cmocka_unit_test(refuses_without_memory),
        cmocka_unit_test(keeps_what_is_worth_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
