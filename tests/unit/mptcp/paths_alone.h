/* The paths of a connection without a connection: addresses 10.0.`net`.1 are ours, 10.0.`net`.2 the peer's. */
#ifndef HW_TESTS_MPTCP_PATHS_ALONE_H
#define HW_TESTS_MPTCP_PATHS_ALONE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/units.h"
#include "mptcp/path_policy.h"
#include "mptcp/pm_cover.h"
#include "support.h"

struct bench {
    struct test_env env, plans;
    struct account_root memory;
    struct account payer;
    struct paths paths;
    struct local_address locals[4];
    struct hawser_addr remotes[PATH_USES_MAX];
    struct path_use uses[PATH_USES_MAX];
    struct paths_view view;
    struct hawser_pm pm;
    uint64_t now_ns;
};

static inline struct hawser_addr address(uint8_t net, uint8_t host, uint16_t port)
{
    return (struct hawser_addr){.ip = {[10] = 0xff, [11] = 0xff, 10, 0, net, host}, .port = port};
}

static inline void add_local(struct bench *b, uint8_t net, uint8_t id)
{
    b->locals[b->view.locals.count++] =
        (struct local_address){.addr = address(net, 1, 0), .prefix_len = 24, .link = net, .id = id};
}

static inline void begin(struct bench *b, bool opens, uint8_t nets)
{
    memset(b, 0, sizeof *b);
    test_env_init(&b->env, 1);
    account_init(&b->memory, &b->env.env, 1 << 20, 0);
    account_open(&b->payer, &b->memory.account);
    b->view.locals.list = b->locals;
    b->view.uses = b->uses;
    for (uint8_t net = 1; net <= nets; net++)
        add_local(b, net, net);
    struct hawser_addr remote = address(1, 2, 80);
    struct path_plan *plan;
    test_env_init(&b->plans, 1);
    assert_int_equal(path_plan_new(&b->plans.env, NULL, &pm_default, &plan), 0);
    paths_init(&b->paths, plan, opens);
    paths_begin(&b->paths, &b->locals[0], 5000, &remote);
}

static inline void finish(struct bench *b)
{
    paths_destroy(&b->paths, &b->payer, &b->plans.env);
    assert_int_equal(b->payer.held, 0);
    test_env_check_clean(&b->plans);
    test_env_check_clean(&b->env);
}

/* The i-th subflow goes from our `local` to the peer's address in `net`. */
static inline void use(struct bench *b, unsigned i, uint8_t local, uint8_t net, enum hawser_pm_state state)
{
    if (b->view.use_count <= i)
        b->view.use_count = i + 1;
    b->remotes[i] = address(net, 2, 80);
    b->uses[i] = (struct path_use){.local = &b->locals[local].addr, .remote = &b->remotes[i], .state = state};
}

static inline enum paths_news hear(struct bench *b, uint8_t id, struct hawser_addr addr)
{
    struct mp_add_addr add = {.is_v4 = hawser_addr_is_v4(&addr), .address_id = id, .addr = addr};
    return paths_add_addr(&b->paths, &b->payer, &b->view.locals, &add, b->now_ns);
}

static inline void ended(struct bench *b, uint8_t local, uint8_t net, enum path_end why)
{
    struct hawser_addr remote = address(net, 2, 80);
    assert_true(paths_ended(&b->paths, &b->payer, &b->locals[local], &remote, why, b->now_ns));
}

/* One at most. */
static inline bool next_wish(struct bench *b, struct path_wish *wish)
{
    b->view.limit = b->view.use_count + 1;
    path_policy_run(&b->pm, &b->paths, &b->payer, &b->view, b->now_ns);
    if (path_policy_opens(&b->pm) == 0)
        return false;
    *wish = path_policy_open_at(&b->pm, 0);
    return true;
}

static inline void expect_wish(struct bench *b, uint8_t local, uint8_t net)
{
    struct path_wish wish;
    assert_true(next_wish(b, &wish));
    assert_ptr_equal(wish.local, &b->locals[local]);
    struct hawser_addr remote = address(net, 2, 80);
    assert_true(hawser_addr_equal(&wish.remote.addr, &remote));
}

static inline void expect_no_wish(struct bench *b)
{
    struct path_wish wish;
    assert_false(next_wish(b, &wish));
}

#endif
