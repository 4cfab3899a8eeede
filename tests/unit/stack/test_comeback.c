/* A path that was silent for a while is used again within a second of its return, whoever sends. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "base/units.h"
#include "world.h"

#define PORT 5001

struct pair {
    struct world w;
    struct hawser_listener *listener;
    struct hawser_conn *conn[2];
};

static void begin(struct pair *p, uint64_t one_way_ns)
{
    static const struct hawser_addr any = {.port = PORT};
    world_init(&p->w, 5, 2, 1, false, NULL, NULL);
    for (unsigned i = 0; i < 2; i++) {
        p->w.paths[i].rate_bps = 20000000;
        p->w.paths[i].delay_ns = one_way_ns;
        p->w.paths[i].queue_bytes = 128 * 1024;
    }
    const struct hawser_addr server = world_server_addr(&p->w, 0, PORT);
    assert_int_equal(hawser_listen(p->w.stack[1], &any, 8, NULL, &p->listener), 0);
    assert_int_equal(hawser_connect(p->w.stack[0], &server, NULL, p->w.now_ns, &p->conn[0]), 0);
    while (hawser_accept(p->listener, &p->conn[1]) < 0)
        assert_true(world_step(&p->w, p->w.now_ns + NS_PER_S));
}

static void end(struct pair *p)
{
    for (int i = 0; i < 2; i++) {
        assert_int_equal(hawser_conn_error(p->conn[i]), 0);
        hawser_close(p->conn[i]);
    }
    world_destroy(&p->w);
}

/* One end sends without a pause. */
static void stream(struct pair *p, int sender, uint64_t for_ns)
{
    static uint8_t bytes[1 << 16];
    const uint64_t until_ns = p->w.now_ns + for_ns;
    do {
        while (hawser_send(p->conn[sender], bytes, sizeof bytes) > 0)
            ;
        while (hawser_recv(p->conn[!sender], bytes, sizeof bytes) > 0)
            ;
    } while (world_step(&p->w, until_ns));
}

static void a_path_comes_back(void **state)
{
    (void)state;
    static const uint32_t holes_ms[] = {1000, 1600, 2000, 3000, 5500, 20000};
    static const uint32_t one_ways_ms[] = {5, 30, 75};
    for (size_t i = 0; i < HW_ARRAY_LEN(holes_ms); i++) {
        for (size_t j = 0; j < HW_ARRAY_LEN(one_ways_ms); j++) {
            for (int sender = 0; sender < 2; sender++) {
                struct pair p;
                begin(&p, one_ways_ms[j] * NS_PER_MS);
                for (unsigned path = 0; path < 2; path++) {
                    stream(&p, sender, 2 * NS_PER_S);
                    const uint64_t *delivered = &p.w.paths[path].delivered_bytes[sender];
                    uint64_t before = *delivered;
                    p.w.paths[path].down = true;
                    stream(&p, sender, holes_ms[i] * NS_PER_MS);
                    p.w.paths[path].down = false;
                    stream(&p, sender, NS_PER_S);
                    if (*delivered - before < 100000)
                        fail_msg("hole of %" PRIu32 " ms in path %u, %" PRIu32 " ms away, end %d sends: %" PRIu64
                                 " bytes in the second after it",
                                 holes_ms[i], path, one_ways_ms[j], sender, *delivered - before);
                }
                end(&p);
            }
        }
    }
}

/* Nothing but a question or two in a second goes to a path that is dead, and none to one that rests. */
static void questions_are_few(void **state)
{
    (void)state;
    struct pair p;
    begin(&p, 20 * NS_PER_MS);
    stream(&p, 1, 2 * NS_PER_S);
    p.w.paths[1].down = true;
    stream(&p, 1, 4 * NS_PER_S);
    uint64_t before = p.w.paths[1].dropped;
    stream(&p, 1, 10 * NS_PER_S);
    assert_in_range(p.w.paths[1].dropped - before, 10, 2 * 2 * 2 * 10 + 2); /* two of two packets from either end */
    end(&p);
}

static bool note_largest(void *ctx, int to, uint8_t *packet, uint16_t *len)
{
    uint16_t *largest = ctx;
    (void)packet;
    if (to == 1)
        *largest = *len > *largest ? *len : *largest;
    return true;
}

/* That nobody answered in a hole says nothing of the size of packets, to this connection or to later ones. */
static void silence_is_no_narrow_path(void **state)
{
    (void)state;
    struct pair p;
    struct hawser_conn *next;
    uint16_t largest = 0;
    begin(&p, 20 * NS_PER_MS);
    for (unsigned path = 0; path < 2; path++)
        p.w.paths[path].down = true;
    stream(&p, 0, 2 * NS_PER_S);
    for (unsigned path = 0; path < 2; path++)
        p.w.paths[path].down = false;
    stream(&p, 0, 4 * NS_PER_S);
    p.w.tamper = note_largest;
    p.w.tamper_ctx = &largest;
    stream(&p, 0, NS_PER_S);
    assert_in_range(largest, 1480, 1500);
    hawser_close(p.conn[0]);
    hawser_close(p.conn[1]);
    const struct hawser_addr server = world_server_addr(&p.w, 0, PORT);
    assert_int_equal(hawser_connect(p.w.stack[0], &server, NULL, p.w.now_ns, &p.conn[0]), 0);
    while (hawser_accept(p.listener, &next) < 0)
        assert_true(world_step(&p.w, p.w.now_ns + NS_PER_S));
    p.conn[1] = next;
    largest = 0;
    stream(&p, 0, NS_PER_S / 2);
    assert_in_range(largest, 1480, 1500);
    end(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_comes_back),
        cmocka_unit_test(questions_are_few),
        cmocka_unit_test(silence_is_no_narrow_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
