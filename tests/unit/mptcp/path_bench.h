/* Paths and subflows, without a connection: what the path manager works with. */
#ifndef HW_TESTS_MPTCP_PATH_BENCH_H
#define HW_TESTS_MPTCP_PATH_BENCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bundle.h"
#include "mptcp/path_manager.h"
#include "mptcp/pm_cover.h"
#include "wire/keys.h"

#define RTT (40 * NS_PER_MS)

enum { LOCAL_KEY = 11, REMOTE_KEY = 22 };

struct bench {
    struct bundle bundle;
    struct local_address locals[HOST_ADDRESSES_MAX];
    struct identity id;
    struct paths paths;
    struct path_manager pm;
    struct subflow *first;
    struct path_wishes wishes;
};

/* We have `locals` addresses, and the first subflow. */
static inline void set_up(struct bench *b, bool opens, unsigned locals)
{
    bundle_init(&b->bundle);
    for (unsigned n = 1; n <= locals; n++) {
        struct hawser_addr addr = bundle_local(n);
        addr.port = 0;
        b->locals[n - 1] = (struct local_address){.addr = addr, .outside = addr, .prefix_len = 24, .id = (uint8_t)n};
    }
    b->id = (struct identity){.local_key = LOCAL_KEY, .remote_key = REMOTE_KEY};
    const struct hawser_addr remote = bundle_remote(1);
    struct path_plan *plan;
    assert_int_equal(path_plan_new(&b->bundle.env.env, NULL, &pm_default, &plan), 0);
    paths_init(&b->paths, plan, opens);
    paths_begin(&b->paths, &b->locals[0], 5000, &remote);
    b->pm = (struct path_manager){.paths = &b->paths,
                                  .subflows = &b->bundle.subflows,
                                  .locals = {b->locals, locals},
                                  .payer = data_rx_account(&b->bundle.rx),
                                  .id = &b->id,
                                  .counters = &b->bundle.host.counters};
    b->first = bundle_open(&b->bundle, RTT);
    paths_confirm(&b->paths);
    if (!opens)
        (void)paths_take_news(&b->paths, b->bundle.now_ns);
}

static inline void tear_down(struct bench *b)
{
    paths_destroy(&b->paths, b->pm.payer, &b->bundle.env.env);
    bundle_destroy(&b->bundle);
}

static inline uint64_t counted(const struct bench *b, enum counter which) { return bundle_counted(&b->bundle, which); }
static inline unsigned say(struct bench *b, struct subflow *s) { return bundle_say(&b->bundle, s); }

/* When something is due, but for what TCP itself has to do. */
static inline uint64_t due(const struct bench *b)
{
    uint64_t due_ns = paths_deadline(&b->paths);
    LIST_EACH (it, &b->bundle.subflows)
        due_ns = HW_MIN(due_ns, subflow_judge_due(subflow_at(it)));
    return due_ns;
}

static inline void run(struct bench *b, uint64_t now_ns)
{
    path_manager_judge(b->pm.subflows, now_ns);
    path_manager_speak_up(&b->pm, now_ns);
}

/* As many as are wished for now, of one at most. */
static inline unsigned wish(struct bench *b)
{
    b->pm.subflow_limit = subflows_alive(b->pm.subflows) + 1;
    path_manager_decide(&b->pm, &b->wishes, b->bundle.now_ns);
    return b->wishes.count;
}

/* From our n-th address to the peer's m-th. */
static inline void expect_wish(struct bench *b, unsigned n, unsigned m)
{
    const struct hawser_addr remote = bundle_remote(m);
    assert_int_equal(wish(b), 1);
    assert_ptr_equal(b->wishes.opens[0].local, &b->locals[n - 1]);
    assert_true(hawser_addr_equal(&b->wishes.opens[0].remote.addr, &remote));
    assert_int_equal(b->wishes.opens[0].remote.id, m == 1 ? 0 : m);
}

/* The peer's n-th address, announced by it. */
static inline struct mp_add_addr announcement(unsigned m)
{
    struct mp_add_addr add = {.is_v4 = true, .address_id = (uint8_t)m, .addr = bundle_remote(m)};
    add.addr.port = 0;
    add.hmac64 = mptcp_add_addr_hmac(REMOTE_KEY, LOCAL_KEY, &add);
    return add;
}

static inline void hear(struct bench *b, const struct mp_add_addr *add)
{
    path_manager_take_add_addr(&b->pm, b->first, add, b->bundle.now_ns);
}

#endif
