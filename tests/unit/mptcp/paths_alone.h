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

static inline void add_local(struct bench *b, uint8_t net, uint8_t id)
{
    const struct hawser_addr addr = address(net, 1, 0);
    b->locals[b->view.locals.count++] =
        (struct local_address){.addr = addr, .outside = addr, .prefix_len = 24, .link = net, .id = id};
}

/* We have addresses in so many nets, of which the connection begins in the first. */
static inline void begin_paths(struct bench *b, const struct hawser_path_options *options, bool opens, unsigned nets)
{
    const struct hawser_addr remote = address(1, 2, 80);
    struct path_plan *plan;
    memset(b, 0, sizeof *b);
    test_env_init(&b->env, 1);
    test_env_init(&b->plans, 1);
    account_init(&b->memory, &b->env.env, 1 << 20, 0);
    account_open(&b->payer, &b->memory.account);
    b->view.locals.list = b->locals;
    b->view.uses = b->uses;
    for (unsigned net = 1; net <= nets; net++)
        add_local(b, (uint8_t)net, (uint8_t)net);
    assert_int_equal(path_plan_new(&b->plans.env, options, hawser_path_manager_find("default"), &plan), 0);
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

#endif
