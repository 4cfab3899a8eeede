/* Which pair of addresses has its turn next. */
#ifndef HW_TESTS_MPTCP_WISH_BENCH_H
#define HW_TESTS_MPTCP_WISH_BENCH_H

#include "paths_alone.h"

static inline void begin(struct bench *b, bool opens, uint8_t nets) { begin_paths(b, NULL, opens, nets); }

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
