/* A path manager and what it is shown. */
#ifndef HW_TESTS_MPTCP_POLICY_BENCH_H
#define HW_TESTS_MPTCP_POLICY_BENCH_H

#include "paths_alone.h"

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
    begin_paths(b, options, opens, locals);
    b->view.limit = 8;
    b->now_ns = NS_PER_S;
    paths_confirm(&b->paths);
    use(b, 1, 1, HAWSER_PM_UP);
}

static inline void begin_named(struct bench *b, const char *name, unsigned locals)
{
    const struct hawser_path_options options = {.size = sizeof options, .manager = hawser_path_manager_find(name)};
    assert_non_null(options.manager);
    begin(b, &options, true, locals);
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
