/* The ports that connections are opened from. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "peer.h"
#include "stack/ports.h"

#define SECOND UINT64_C(1000000000)

static struct hawser_addr address(const char *text, uint16_t port)
{
    struct hawser_addr addr;
    assert_int_equal(hawser_addr_parse(&addr, text, port), 0);
    return addr;
}

/* Against an array: each port is given once, the next free one is found whatever is taken, and in the end there is
 * none; as memory goes, few ports take little, and none takes none. */
static void each_port_is_given_once(void **state)
{
    (void)state;
    static const uint32_t shards[] = {1, 2, 3, 255, 256};
    static bool taken[65536];
    struct hawser_addr local = address("10.0.0.1", 0), remote = address("10.0.0.2", 80),
                       other = address("10.0.0.3", 80);
    for (size_t s = 0; s < HW_ARRAY_LEN(shards); s++) {
        struct test_env t;
        struct ports p;
        uint32_t used = 0;
        test_env_init(&t, test_seed());
        assert_int_equal(ports_init(&p, &t.env, 8, ports_part(shards[s] - 1, shards[s])), 0);
        memset(taken, 0, sizeof taken);
        assert_int_equal(ports_take(&p, &local, &other, p.first), 0); /* concerns nobody else */
        while (used < p.count) {
            uint16_t from = ports_random(&p), port = ports_free_from(&p, &local, &remote, from);
            assert_in_range(port, p.first, p.first + p.count - 1);
            for (uint32_t i = from; i != port; i = i + 1 == (uint32_t)p.first + p.count ? p.first : i + 1)
                assert_true(taken[i]);
            assert_false(taken[port]);
            assert_int_equal(ports_take(&p, &local, &remote, port), 0);
            taken[port] = true;
            used++;
            if (prng_below(&t.rng, 3) == 0) { /* one comes back */
                uint16_t back = ports_random(&p);
                used -= taken[back];
                if (taken[back])
                    ports_give(&p, &local, &remote, back);
                taken[back] = false;
            }
        }
        assert_int_equal(ports_free_from(&p, &local, &remote, ports_random(&p)), 0);
        for (uint32_t port = p.first; port < (uint32_t)p.first + p.count; port++) {
            ports_give(&p, &local, &remote, (uint16_t)port);
            assert_int_equal(ports_free_from(&p, &local, &remote, p.first), port == p.first ? port : p.first);
        }
        ports_give(&p, &local, &other, p.first);
        assert_int_equal(p.table.count, 0);
        ports_destroy(&p);
        test_env_check_clean(&t);
    }
}

/* Every port is in the part of one shard, and is said to be. */
static void parts_are_whole(void **state)
{
    (void)state;
    for (uint32_t shards = 1; shards <= 256; shards += shards < 10 ? 1 : 41) {
        uint32_t next = PORTS_FIRST;
        for (uint32_t shard = 0; shard < shards; shard++) {
            struct test_env t;
            struct ports p;
            test_env_init(&t, 1);
            assert_int_equal(ports_init(&p, &t.env, 1, ports_part(shard, shards)), 0);
            assert_int_equal(p.first, next);
            for (uint32_t i = 0; i < p.count; i++)
                assert_int_equal(ports_shard((uint16_t)(p.first + i), shards), shard);
            next += p.count;
            ports_destroy(&p);
            test_env_check_clean(&t);
        }
        assert_int_equal(next, PORTS_FIRST + PORTS_COUNT);
        assert_int_equal(ports_shard(PORTS_FIRST - 1, shards), -1);
        assert_int_equal(ports_shard((uint16_t)next, shards), -1);
    }
}

static void limits_and_memory(void **state)
{
    (void)state;
    enum { FEW = 16 };
    struct test_env t;
    struct ports p;
    struct hawser_addr local = address("10.0.0.1", 0), remote = address("10.0.0.2", 80),
                       other = address("10.0.0.3", 80);
    test_env_init(&t, 1);
    assert_int_equal(ports_init(&p, &t.env, 1, ports_part(0, 1)), 0);
    for (uint16_t i = 0; i < FEW; i++)
        assert_int_equal(ports_take(&p, &local, &remote, (uint16_t)(p.first + i)), 0);
    assert_int_equal(ports_take(&p, &local, &other, p.first), -ENOBUFS);
    t.fail_at = 1;
    assert_int_equal(ports_take(&p, &local, &remote, (uint16_t)(p.first + FEW)), -ENOBUFS);
    assert_int_equal(ports_free_from(&p, &local, &remote, p.first), p.first + FEW);
    assert_int_equal(ports_take(&p, &local, &remote, (uint16_t)(p.first + FEW)), 0);
    for (uint16_t i = 0; i <= FEW; i++)
        ports_give(&p, &local, &remote, (uint16_t)(p.first + i));
    ports_destroy(&p);
    test_env_check_clean(&t);
}

/* As many connections to one destination as there are ports, and the one that finds none: none of them looks at more
 * than one port. Others are not concerned. */
static void no_connect_searches(void **state)
{
    (void)state;
    struct peer p;
    struct hawser_stack_options options = {.size = sizeof options, .max_connections = PORTS_COUNT + PORTS_COUNT / 8};
    struct hawser_conn_options plain = {.size = sizeof plain, .no_mptcp = true};
    struct hawser_conn *conn, *first = NULL;
    peer_init(&p, &options, NULL);
    for (uint32_t i = 0; i < PORTS_COUNT; i++) {
        assert_int_equal(hawser_connect(p.stack, &p.addr, &plain, p.now_ns, &conn), 0);
        first = first ? first : conn;
    }
    assert_int_equal(peer_counter(&p, "tcp.port_tries"), PORTS_COUNT);
    for (unsigned i = 1; i <= 3; i++) {
        assert_int_equal(hawser_connect(p.stack, &p.addr, &plain, p.now_ns, &conn), -EADDRNOTAVAIL);
        assert_int_equal(peer_counter(&p, "tcp.port_tries"), PORTS_COUNT + i);
        assert_int_equal(peer_counter(&p, "limit.ports"), i);
    }
    struct hawser_addr elsewhere = p.addr;
    elsewhere.port++;
    assert_int_equal(hawser_connect(p.stack, &elsewhere, &plain, p.now_ns, &conn), 0);
    hawser_abort(first);
    struct hawser_tx tx;
    while (hawser_stack_output(p.stack, &tx, 1, p.now_ns)) /* more than the peer keeps */
        ;
    assert_int_equal(hawser_connect(p.stack, &p.addr, &plain, p.now_ns, &conn), 0);
    peer_destroy(&p);
}

static unsigned connect_all(struct peer *p)
{
    struct hawser_conn_options plain = {.size = sizeof plain, .no_mptcp = true};
    struct hawser_conn *conn;
    unsigned n = 0;
    while (hawser_connect(p->stack, &p->addr, &plain, p->now_ns, &conn) == 0)
        n++;
    return n;
}

/* A port that a program asked for is not chosen, nor is one in TIME-WAIT; that comes back. */
static void ports_taken_otherwise(void **state)
{
    (void)state;
    const unsigned part = PORTS_COUNT - 255 * PORTS_COUNT / 256;
    struct peer p;
    struct hawser_tx tx;
    struct hawser_stack_options options = {.size = sizeof options, .shard = 255, .shard_count = 256};
    struct hawser_conn_options asked = {.size = sizeof asked, .no_mptcp = true};
    struct hawser_conn *conn;
    peer_init(&p, &options, NULL);
    peer_connect(&p, true);
    peer_send(&p, TCP_SYN | TCP_ACK, 0, 1, NULL, NULL, 0);
    hawser_close(p.conn);
    peer_drain(&p);
    peer_send(&p, TCP_FIN | TCP_ACK, 1, 2, NULL, NULL, 0);
    assert_int_equal(hawser_stack_time_wait(p.stack), 1);
    asked.local = p.own;
    asked.local.port = PORTS_FIRST + PORTS_COUNT - 7;
    if (asked.local.port == p.own.port)
        asked.local.port++;
    assert_int_equal(hawser_connect(p.stack, &p.addr, &asked, p.now_ns, &conn), 0);
    assert_int_equal(connect_all(&p), part - 2);
    for (unsigned i = 0; i < 61; i++) {
        p.now_ns += SECOND;
        hawser_stack_advance(p.stack, p.now_ns);
        while (hawser_stack_output(p.stack, &tx, 1, p.now_ns)) /* more than the peer keeps */
            ;
    }
    assert_int_equal(hawser_stack_time_wait(p.stack), 0);
    assert_int_equal(connect_all(&p), 1);
    peer_destroy(&p);
}

/* Of so many, all are used, and no other. */
static void a_range_of_the_programs_own(void **state)
{
    (void)state;
    static const struct {
        uint16_t first, last;
        uint32_t shards;
        int result;
    } table[] = {{20000, 20004, 0, 5},      {65535, 65535, 1, 1},   {1, 70, 0, 70},
                 {0, 20004, 0, -EINVAL},    {20000, 0, 0, -EINVAL}, {20001, 20000, 0, -EINVAL},
                 {20000, 20004, 2, -EINVAL}};
    for (unsigned i = 0; i < HW_ARRAY_LEN(table); i++) {
        struct test_env env;
        struct hawser_stack *stack;
        struct hawser_stack_options options = {.size = sizeof options,
                                               .first_port = table[i].first,
                                               .last_port = table[i].last,
                                               .shard_count = table[i].shards};
        test_env_init(&env, 1);
        if (table[i].result < 0) {
            assert_int_equal(hawser_stack_new(&env.env, &options, &stack), table[i].result);
            test_env_check_clean(&env);
            continue;
        }
        struct peer p;
        peer_init(&p, &options, NULL);
        assert_int_equal(connect_all(&p), table[i].result);
        peer_drain(&p);
        assert_int_equal(peer_last(&p, TCP_SYN)->flags, TCP_SYN);
        for (unsigned s = 0; s < p.seen_count; s++)
            assert_in_range(p.seen[s].local.port, table[i].first, table[i].last);
        peer_destroy(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_port_is_given_once), cmocka_unit_test(parts_are_whole),
        cmocka_unit_test(limits_and_memory),       cmocka_unit_test(no_connect_searches),
        cmocka_unit_test(ports_taken_otherwise),   cmocka_unit_test(a_range_of_the_programs_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
