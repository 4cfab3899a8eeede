#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/packer.h"
#include "support.h"

enum { CAP = 100, LIMIT = 2 };

struct fixture {
    struct test_env t;
    struct hawser_buf_pool *pool;
    struct packer packer;
};

static void begin(struct fixture *f)
{
    *f = (struct fixture){0};
    test_env_init(&f->t, 1);
    f->pool = hawser_buf_pool_new(&f->t.env, CAP, LIMIT);
    assert_non_null(f->pool);
}

static void end(struct fixture *f)
{
    packer_release(&f->packer);
    assert_int_equal(buf_pool_in_use(f->pool), 0);
    hawser_buf_pool_close(f->pool);
    test_env_check_clean(&f->t);
}

/* Copies `len` bytes of value `v` and keeps the slice. */
static struct slice keep(struct fixture *f, uint8_t v, uint32_t len)
{
    uint8_t bytes[CAP];
    struct slice s = {NULL, bytes, len};
    memset(bytes, v, len);
    assert_true(packer_copy(&f->packer, f->pool, &s));
    assert_int_equal(s.len, len);
    hawser_buf_ref(s.buf);
    return s;
}

static void check(struct slice s, uint8_t v)
{
    for (uint32_t i = 0; i < s.len; i++)
        assert_int_equal(s.data[i], v);
}

static void pieces_share_a_buffer(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    struct slice a = keep(&f, 1, 40), b = keep(&f, 2, 60), c = keep(&f, 3, 1);
    assert_ptr_equal(a.buf, b.buf);
    assert_ptr_not_equal(b.buf, c.buf);
    check(a, 1);
    check(b, 2);
    hawser_buf_unref(a.buf);
    assert_int_equal(buf_pool_in_use(f.pool), 2);
    hawser_buf_unref(b.buf);
    assert_int_equal(buf_pool_in_use(f.pool), 1);
    hawser_buf_unref(c.buf);
    end(&f);
}

static void a_buffer_nobody_holds_is_filled_again(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    for (unsigned i = 0; i < 10; i++) {
        struct slice s = keep(&f, (uint8_t)i, 60);
        check(s, (uint8_t)i);
        hawser_buf_unref(s.buf);
    }
    assert_int_equal(f.t.allocations, 2); /* the pool and one buffer */
    end(&f);
}

static void refuses_without_memory(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    struct slice a = keep(&f, 1, 60), b = keep(&f, 2, 60);
    uint8_t bytes[CAP + 1] = {0};
    struct slice more = {NULL, bytes, 60}, large = {NULL, bytes, sizeof bytes};
    assert_false(packer_copy(&f.packer, f.pool, &more));
    assert_ptr_equal(more.data, bytes);
    hawser_buf_unref(a.buf);
    assert_false(packer_copy(&f.packer, f.pool, &large)); /* more than any buffer holds */
    assert_ptr_equal(large.data, bytes);
    check(b, 2);
    hawser_buf_unref(b.buf);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_share_a_buffer),
        cmocka_unit_test(a_buffer_nobody_holds_is_filled_again),
        cmocka_unit_test(refuses_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
