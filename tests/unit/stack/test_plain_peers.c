/* Destinations on whose way MP_CAPABLE is eaten. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/units.h"
#include "stack/plain_peers.h"
#include "support.h"

static struct hawser_addr address(unsigned i)
{
    return (struct hawser_addr){.ip = {[10] = 0xff, [11] = 0xff, 10, 0, (uint8_t)(i >> 8), (uint8_t)i}, .port = 80};
}

static void note(struct plain_peers *p, unsigned i, uint64_t now_ns)
{
    const struct hawser_addr addr = address(i);
    plain_peers_note(p, &addr, now_ns);
}

static bool holds(const struct plain_peers *p, unsigned i, uint64_t now_ns)
{
    const struct hawser_addr addr = address(i);
    return plain_peers_hold(p, &addr, now_ns);
}

/* A minute, eight, 64... and never more than a day; what is found out at the same time counts once. */
static void terms_grow(void **state)
{
    (void)state;
    static const unsigned minutes[] = {1, 8, 64, 512, 1440, 1440};
    struct test_env env;
    struct counters counters = {0};
    struct plain_peers p;
    uint64_t now_ns = NS_PER_S;
    test_env_init(&env, 1);
    assert_int_equal(plain_peers_init(&p, &env.env, &counters), 0);
    for (unsigned i = 0; i < sizeof minutes / sizeof minutes[0]; i++) {
        note(&p, 1, now_ns);
        note(&p, 1, now_ns + 1);
        const struct plain_peer *peer = plain_peers_at(&p, 0);
        assert_int_equal(peer->times, i + 1);
        assert_int_equal(peer->until_ns, now_ns + minutes[i] * 60 * NS_PER_S);
        assert_true(holds(&p, 1, peer->until_ns - 1));
        assert_false(holds(&p, 1, peer->until_ns));
        assert_false(holds(&p, 2, now_ns));
        now_ns = peer->until_ns;
    }
    assert_int_equal(counters.v[COUNT_MPTCP_PLAIN_PEERS], sizeof minutes / sizeof minutes[0]);
    const struct hawser_addr addr = address(1);
    plain_peers_forget(&p, &addr);
    plain_peers_forget(&p, &addr);
    assert_null(plain_peers_at(&p, 0));
    plain_peers_destroy(&p);
    test_env_check_clean(&env);
}

/* At the limit the one that was proved longest ago makes way. */
static void the_oldest_makes_way(void **state)
{
    (void)state;
    struct test_env env;
    struct counters counters = {0};
    struct plain_peers p;
    test_env_init(&env, 1);
    assert_int_equal(plain_peers_init(&p, &env.env, &counters), 0);
    for (unsigned i = 0; i < PLAIN_PEERS_MAX; i++)
        note(&p, i, 1 + i);
    note(&p, 0, 2 * PLAIN_PEER_NS); /* once more, so that the next one is the oldest */
    assert_int_equal(counters.v[COUNT_LIMIT_PLAIN_PEERS], 0);
    note(&p, PLAIN_PEERS_MAX, 2 * PLAIN_PEER_NS);
    assert_int_equal(counters.v[COUNT_LIMIT_PLAIN_PEERS], 1);
    assert_true(holds(&p, 0, 2 * PLAIN_PEER_NS));
    assert_false(holds(&p, 1, 1));
    assert_true(holds(&p, 2, 1));
    assert_non_null(plain_peers_at(&p, PLAIN_PEERS_MAX - 1));
    assert_null(plain_peers_at(&p, PLAIN_PEERS_MAX));
    plain_peers_destroy(&p);
    test_env_check_clean(&env);
}

/* Without memory nothing is remembered, and nothing breaks. */
static void without_memory(void **state)
{
    (void)state;
    struct test_env env;
    struct counters counters = {0};
    struct plain_peers p;
    test_env_init(&env, 1);
    env.refuses = true;
    assert_true(plain_peers_init(&p, &env.env, &counters) < 0);
    env.refuses = false;
    assert_int_equal(plain_peers_init(&p, &env.env, &counters), 0);
    env.refuses = true;
    note(&p, 1, 1);
    assert_false(holds(&p, 1, 1));
    assert_int_equal(counters.v[COUNT_MPTCP_PLAIN_PEERS], 0);
    plain_peers_destroy(&p);
    test_env_check_clean(&env);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(terms_grow),
        cmocka_unit_test(the_oldest_makes_way),
        cmocka_unit_test(without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
