#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/prng.h"
#include "link/rx_buffers.h"
#include "support.h"

enum { CAPACITY = 3 * LINK_PACKET_MAX };

static struct rx_buffers buffers; /* too large for the stack under a sanitizer */

struct fixture {
    struct test_env t;
    struct hawser_buf_pool *pool;
};

static void setup(struct fixture *f, uint32_t limit)
{
    test_env_init(&f->t, 1);
    assert_int_equal(hawser_buf_pool_new(&f->t.env, CAPACITY, limit, &f->pool), 0);
    rx_buffers_init(&buffers, f->pool);
}

static void teardown(struct fixture *f)
{
    rx_buffers_destroy(&buffers);
    assert_int_equal(buf_pool_in_use(f->pool), 0);
    hawser_buf_pool_close(f->pool);
    test_env_check_clean(&f->t);
}

static void small_packets_share_a_buffer(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, 1);
    const uint8_t *last = NULL;
    for (int i = 0; i < LINK_BATCH; i++) {
        struct hawser_buf *buf;
        uint8_t *room = rx_buffers_room(&buffers, &buf);
        assert_non_null(buf);
        assert_true(room >= hawser_buf_data(buf));
        if (last)
            assert_true(room >= last + 100);
        last = room;
        rx_buffers_commit(&buffers, buf, 100);
    }
    assert_int_equal(buf_pool_in_use(f.pool), 1);
    teardown(&f);
}

/* Packets keep their bytes while somebody holds them, whatever arrives later. */
static void held_packets_keep_their_bytes(void **state)
{
    (void)state;
    enum { HELD_MAX = 40, ROUNDS = 4000 };
    struct held {
        struct hawser_buf *buf;
        uint8_t *data;
        uint32_t len;
        uint8_t fill;
    } held[HELD_MAX] = {{0}};
    struct fixture f;
    struct prng rng;
    setup(&f, HELD_MAX + 1);
    prng_seed(&rng, test_seed());

    for (int round = 0; round < ROUNDS; round++) {
        struct hawser_buf *buf;
        uint8_t *room = rx_buffers_room(&buffers, &buf);
        assert_non_null(buf);
        uint32_t len = (uint32_t)prng_below(&rng, prng_below(&rng, 4) ? 1500 : LINK_PACKET_MAX) + 1;
        assert_true(room + LINK_PACKET_MAX <= hawser_buf_data(buf) + CAPACITY);
        memset(room, round, len);
        rx_buffers_commit(&buffers, buf, len);

        struct held *h = &held[prng_below(&rng, HELD_MAX)];
        if (h->buf) {
            for (uint32_t i = 0; i < h->len; i++)
                assert_int_equal(h->data[i], h->fill);
            hawser_buf_unref(h->buf);
        }
        *h = (struct held){hawser_buf_ref(buf), room, len, (uint8_t)round};
        if (round % LINK_BATCH == LINK_BATCH - 1 || prng_below(&rng, 8) == 0)
            rx_buffers_release(&buffers);
    }
    for (int i = 0; i < HELD_MAX; i++) {
        if (held[i].buf)
            hawser_buf_unref(held[i].buf);
    }
    teardown(&f);
}

static void empty_pool_gives_the_spare_once_a_batch(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, 1);
    struct hawser_buf *taken = hawser_buf_new(f.pool);
    struct hawser_buf *buf;
    for (int batch = 0; batch < 3; batch++) {
        uint8_t *room = rx_buffers_room(&buffers, &buf);
        assert_non_null(room);
        assert_null(buf);
        memset(room, 7, LINK_PACKET_MAX);
        rx_buffers_commit(&buffers, buf, LINK_PACKET_MAX);
        assert_null(rx_buffers_room(&buffers, &buf));
        rx_buffers_release(&buffers);
    }
    hawser_buf_unref(taken);
    assert_non_null(rx_buffers_room(&buffers, &buf));
    assert_non_null(buf);
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_packets_share_a_buffer),
        cmocka_unit_test(held_packets_keep_their_bytes),
        cmocka_unit_test(empty_pool_gives_the_spare_once_a_batch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
