/* Which addresses of its own a connection has, and which of them are backups. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/units.h"
#include "pair.h"
#include "peer.h"
#include "stack/attempts.h"

static struct hawser_path_options by_default(void)
{
    return (struct hawser_path_options){.size = sizeof(struct hawser_path_options),
                                        .manager = hawser_path_manager_find("default")};
}

/* At this end, be it that of the first subflow or of another. */
static void an_address_that_is_not_its_own(void **state)
{
    (void)state;
    for (unsigned which = 0; which < 2; which++) {
        struct pair p;
        world_init(&p.w, 9, 2, 1, false, NULL, NULL);
        const struct hawser_prefix only = {world_client_addr(&p.w, which), 32};
        struct hawser_path_options own = by_default();
        own.own = &only;
        own.own_count = 1;
        pair_open(&p, &own, NULL, 0);
        pair_live(&p, 10 * NS_PER_S);
        assert_int_equal(pair_subflows(&p, 0), 1);
        const struct hawser_subflow_info info = pair_subflow(&p, 0, 0);
        assert_true(hawser_addr_same_ip(&info.local, &only.addr));
        const struct hawser_addr other = world_client_addr(&p.w, !which), to = world_server_addr(&p.w, 0, PAIR_PORT);
        const struct hawser_conn_options named_one = {.size = sizeof named_one, .paths = &own, .local = other};
        struct hawser_conn *conn;
        assert_int_equal(hawser_connect(p.w.stack[0], &to, &named_one, p.w.now_ns, &conn), -EADDRNOTAVAIL);
        pair_close(&p);
    }
}

/* Of the side that is joined: it tells of no others, and takes no joins there. */
static void what_is_not_its_own_is_not_announced(void **state)
{
    (void)state;
    struct pair p;
    world_init(&p.w, 9, 2, 2, false, NULL, NULL);
    const struct hawser_prefix only = {world_server_addr(&p.w, 0, 0), 32};
    struct hawser_path_options own = by_default();
    own.own = &only;
    own.own_count = 1;
    pair_open(&p, NULL, &own, 0);
    pair_live(&p, 10 * NS_PER_S);
    for (size_t i = 0; i < pair_subflows(&p, 1); i++) {
        const struct hawser_subflow_info info = pair_subflow(&p, 1, i);
        assert_true(hawser_addr_same_ip(&info.local, &only.addr));
    }
    pair_close(&p);
}

/* What the stack says of an address holds for who says nothing, at either end. */
static void the_stack_marks_backups(void **state)
{
    (void)state;
    for (int marker = 0; marker < 2; marker++)
        for (unsigned says = 0; says < 2; says++) {
            struct pair p;
            world_init(&p.w, 6, 2, 2, false, NULL, NULL);
            const struct hawser_addr addrs[2] = {marker ? world_server_addr(&p.w, 0, 0) : world_client_addr(&p.w, 0),
                                                 marker ? world_server_addr(&p.w, 1, 0) : world_client_addr(&p.w, 1)};
            const struct hawser_prefix first = {addrs[0], 32};
            struct hawser_path_options own = by_default();
            own.backup = &first;
            own.backup_count = 1;
            assert_int_equal(hawser_stack_set_backup(p.w.stack[marker], &addrs[1], true), 0);
            pair_open(&p, says && !marker ? &own : NULL, says && marker ? &own : NULL, 0);
            assert_int_equal(pair_subflows(&p, 0), 3);
            for (int end = 0; end < 2; end++)
                for (size_t i = 0; i < 3; i++) {
                    const struct hawser_subflow_info info = pair_subflow(&p, end, i);
                    const struct hawser_addr *at = end == marker ? &info.local : &info.remote;
                    assert_int_equal(info.backup, hawser_addr_same_ip(at, &addrs[!says]));
                }
            assert_int_equal(hawser_stack_set_backup(p.w.stack[!marker], &addrs[1], true), -ENOENT);
            pair_close(&p);
        }
}

static void expect_syn_from(const struct peer *p, unsigned i, const char *text)
{
    struct hawser_addr addr;
    assert_int_equal(hawser_addr_parse(&addr, text, 0), 0);
    assert_true(p->seen_count > i);
    assert_int_equal(p->seen[i].flags, TCP_SYN);
    assert_true(hawser_addr_same_ip(&p->seen[i].local, &addr));
}

static void a_backup_is_tried_last(void **state)
{
    (void)state;
    struct peer p;
    struct hawser_addr first, more;
    peer_init(&p, NULL, NULL);
    assert_int_equal(hawser_addr_parse(&first, "10.0.0.1", 0), 0);
    assert_int_equal(hawser_addr_parse(&more, "10.0.0.11", 0), 0);
    assert_int_equal(hawser_stack_add_address(p.stack, 0, &more, 24, p.now_ns), 0);
    assert_int_equal(hawser_stack_set_backup(p.stack, &first, true), 0);
    peer_connect(&p, false);
    peer_wait(&p, ATTEMPT_DELAY_NS);
    expect_syn_from(&p, 0, "10.0.0.11");
    expect_syn_from(&p, 1, "10.0.0.1");
    hawser_abort(p.conn);
    assert_int_equal(hawser_stack_set_backup(p.stack, &first, false), 0);
    peer_drain(&p);
    peer_forget(&p);
    peer_connect(&p, false);
    expect_syn_from(&p, 0, "10.0.0.1");
    peer_destroy(&p);
}

/* Backups come last, but before the limit: it may be that nothing else works. */
static void a_backup_has_its_turn(void **state)
{
    (void)state;
    struct peer p;
    struct hawser_addr addr;
    char text[32];
    peer_init(&p, NULL, NULL);
    assert_int_equal(hawser_addr_parse(&addr, "10.0.0.1", 0), 0);
    assert_int_equal(hawser_stack_set_backup(p.stack, &addr, true), 0);
    for (unsigned i = 0; i < ATTEMPT_ADDRESSES_MAX + 2; i++) {
        snprintf(text, sizeof text, "10.0.0.%u", 11 + i);
        assert_int_equal(hawser_addr_parse(&addr, text, 0), 0);
        assert_int_equal(hawser_stack_add_address(p.stack, 0, &addr, 24, p.now_ns), 0);
    }
    peer_connect(&p, true);
    for (unsigned i = 0; i < ATTEMPT_ADDRESSES_MAX; i++) {
        snprintf(text, sizeof text, "10.0.0.%u", i < ATTEMPT_ADDRESSES_MAX - 1 ? 11 + i : 1);
        expect_syn_from(&p, p.seen_count - 1, text);
        peer_forget(&p);
        peer_wait(&p, ATTEMPT_DELAY_NS);
    }
    peer_destroy(&p);
}

static const struct path_plan *plan_of(const struct hawser_conn *conn)
{
    return ((const struct conn *)(const void *)conn)->paths.plan;
}

/* Thousands of connections of which the same is asked hold one copy of it; each word of it counts. */
static void who_asks_for_the_same_shares_it(void **state)
{
    (void)state;
    struct hawser_prefix some = {.bits = 32}, others = {.bits = 32};
    struct hawser_path_options asked[] = {by_default(), by_default(), by_default(), by_default(),
                                          by_default(), by_default(), by_default(), by_default()};
    struct world w;
    world_init(&w, 9, 2, 1, false, NULL, NULL);
    const struct hawser_addr to = world_server_addr(&w, 0, PAIR_PORT);
    some.addr = world_client_addr(&w, 0);
    others.addr = world_client_addr(&w, 1);
    asked[1].own = asked[2].allow = asked[3].deny = asked[4].backup = &some;
    asked[1].own_count = asked[2].allow_count = asked[3].deny_count = asked[4].backup_count = 1;
    asked[5].manager = hawser_path_manager_find("fullmesh");
    asked[6].subflows = 3;
    asked[7].demand_ns = NS_PER_S;
    for (size_t i = 0; i < HW_ARRAY_LEN(asked); i++) {
        const struct hawser_conn_options options = {.size = sizeof options, .paths = &asked[i]};
        struct hawser_conn *same[2], *usual;
        assert_int_equal(hawser_connect(w.stack[0], &to, NULL, w.now_ns, &usual), 0);
        for (unsigned k = 0; k < 2; k++)
            assert_int_equal(hawser_connect(w.stack[0], &to, &options, w.now_ns, &same[k]), 0);
        assert_ptr_equal(plan_of(same[0]), plan_of(same[1]));
        assert_int_equal(plan_of(same[0]) == plan_of(usual), i == 0); /* it is what the stack does anyway */
    }
    struct hawser_conn *conn[2];
    for (unsigned i = 0; i < 2; i++) { /* lists that are equally long */
        asked[1].own = i ? &others : &some;
        const struct hawser_conn_options options = {.size = sizeof options, .paths = &asked[1]};
        assert_int_equal(hawser_connect(w.stack[0], &to, &options, w.now_ns, &conn[i]), 0);
    }
    assert_ptr_not_equal(plan_of(conn[0]), plan_of(conn[1]));
    hawser_stack_abort(w.stack[0]);
    world_destroy(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_that_is_not_its_own), cmocka_unit_test(what_is_not_its_own_is_not_announced),
        cmocka_unit_test(the_stack_marks_backups),        cmocka_unit_test(a_backup_is_tried_last),
        cmocka_unit_test(a_backup_has_its_turn),          cmocka_unit_test(who_asks_for_the_same_shares_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
