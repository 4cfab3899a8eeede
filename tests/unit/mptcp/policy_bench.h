/* A path manager and what it is shown, without a connection. Addresses 10.0.n.1 are ours, 10.0.n.2 the peer's. */
#ifndef HW_TESTS_MPTCP_POLICY_BENCH_H
#define HW_TESTS_MPTCP_POLICY_BENCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/units.h"
#include "mptcp/path_policy.h"
#include "support.h"

struct bench {
    struct test_env env, plans;
    struct account_root memory;
    struct account payer;
    struct paths paths;
    struct local_address locals[HOST_ADDRESSES_MAX];
    struct hawser_addr remotes[PATH_USES_MAX];
    struct path_use uses[PATH_USES_MAX];
    struct paths_view view;
    struct hawser_pm pm;
    uint64_t now_ns;
};

static inline struct hawser_addr address(unsigned net, uint8_t host, uint16_t port)
{
    return (struct hawser_addr){.ip = {[10] = 0xff, [11] = 0xff, 10, 0, (uint8_t)net, host}, .port = port};
}

static inline struct hawser_addr v6_address(uint8_t host)
{
    return (struct hawser_addr){.ip = {0x20, 0x01, 0x0d, 0xb8, [15] = host}};
}

/* A subflow between our n-th address and the peer's m-th. */
static inline void use(struct bench *b, unsigned n, unsigned m, enum hawser_pm_state state)
{
    unsigned i = b->view.use_count++;
    b->remotes[i] = address(m, 2, 80);
    b->uses[i] = (struct path_use){
        .local = &b->locals[n - 1].addr, .remote = &b->remotes[i], .state = state, .id = i + 1, .ours = i > 0};
}

/* We have `locals` addresses, and the first subflow. */
static inline void begin(struct bench *b, const struct hawser_path_options *options, bool opens, unsigned locals)
{
    const struct hawser_addr remote = address(1, 2, 80);
    struct path_plan *plan;
    memset(b, 0, sizeof *b);
    test_env_init(&b->env, 1);
    test_env_init(&b->plans, 1);
    account_init(&b->memory, &b->env.env, 1 << 20, 0);
    account_open(&b->payer, &b->memory.account);
    for (unsigned n = 1; n <= locals; n++)
        b->locals[n - 1] =
            (struct local_address){.addr = address(n, 1, 0), .prefix_len = 24, .link = (uint8_t)n, .id = (uint8_t)n};
    b->view = (struct paths_view){.locals = {b->locals, locals}, .uses = b->uses, .limit = 8};
    b->now_ns = NS_PER_S;
    assert_int_equal(path_plan_new(&b->plans.env, options, hawser_path_manager_find("default"), &plan), 0);
    paths_init(&b->paths, plan, opens);
    paths_begin(&b->paths, &b->locals[0], 5000, &remote);
    paths_confirm(&b->paths);
    use(b, 1, 1, HAWSER_PM_UP);
}

static inline void begin_named(struct bench *b, const char *name, unsigned locals)
{
    const struct hawser_path_options options = {.size = sizeof options, .manager = hawser_path_manager_find(name)};
    assert_non_null(options.manager);
    begin(b, &options, true, locals);
}

static inline void finish(struct bench *b)
{
    paths_destroy(&b->paths, &b->payer, &b->plans.env);
    assert_int_equal(b->payer.held, 0);
    test_env_check_clean(&b->env);
    test_env_check_clean(&b->plans);
}

static inline void announce(struct bench *b, unsigned m)
{
    const struct mp_add_addr add = {.is_v4 = true, .address_id = (uint8_t)m, .addr = address(m, 2, 0)};
    assert_int_equal(paths_add_addr(&b->paths, &b->payer, &b->view.locals, &add, b->now_ns), PATHS_LEARNED);
}

/* Calls the path manager; returns how many subflows it wishes for. */
static inline unsigned call(struct bench *b)
{
    path_policy_run(&b->pm, &b->paths, &b->payer, &b->view, b->now_ns);
    return path_policy_opens(&b->pm);
}

static inline bool opens(const struct bench *b, unsigned n, unsigned m)
{
    const struct hawser_addr remote = address(m, 2, 80);
    for (unsigned i = 0; i < path_policy_opens(&b->pm); i++) {
        const struct path_wish wish = path_policy_open_at(&b->pm, i);
        if (wish.local == &b->locals[n - 1] && hawser_addr_equal(&wish.remote.addr, &remote))
            return true;
    }
    return false;
}

static inline void ended(struct bench *b, unsigned n, unsigned m, enum path_end why)
{
    const struct hawser_addr remote = address(m, 2, 80);
    assert_true(paths_ended(&b->paths, &b->payer, &b->locals[n - 1], &remote, why, b->now_ns));
    paths_note(&b->paths, HAWSER_PM_SUBFLOW_DOWN);
}

#endif
