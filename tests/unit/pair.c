#include "pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/units.h"

void pair_live(struct pair *p, uint64_t for_ns)
{
    uint64_t until = p->w.now_ns + for_ns;
    while (world_step(&p->w, until))
        ;
    p->w.now_ns = until;
}

void pair_open(struct pair *p, const struct hawser_path_options *client, const struct hawser_path_options *server,
               uint32_t max_subflows)
{
    struct hawser_listener *listener;
    const struct hawser_addr to = world_server_addr(&p->w, 0, PAIR_PORT), any = {.port = PAIR_PORT};
    const struct hawser_conn_options ours = {.size = sizeof ours, .paths = client, .max_subflows = max_subflows};
    const struct hawser_conn_options theirs = {.size = sizeof theirs, .paths = server, .max_subflows = max_subflows};
    assert_int_equal(hawser_listen(p->w.stack[1], &any, 4, &theirs, &listener), 0);
    assert_int_equal(hawser_connect(p->w.stack[0], &to, &ours, p->w.now_ns, &p->conn[0]), 0);
    while (hawser_accept(listener, &p->conn[1]) < 0)
        assert_true(world_step(&p->w, p->w.now_ns + NS_PER_S));
    for (int end = 0; end < 2; end++)
        assert_int_equal(hawser_send(p->conn[end], "x", 1), 1);
    pair_live(p, NS_PER_S / 2);
}

void pair_close(struct pair *p)
{
    hawser_abort(p->conn[0]);
    hawser_abort(p->conn[1]);
    world_destroy(&p->w);
}

uint32_t pair_subflows(const struct pair *p, int end)
{
    struct hawser_conn_info info = {.size = sizeof info};
    assert_int_equal(hawser_conn_get_info(p->conn[end], &info), 0);
    return info.subflows;
}

struct hawser_subflow_info pair_subflow(const struct pair *p, int end, size_t i)
{
    struct hawser_subflow_info info = {.size = sizeof info};
    assert_int_equal(hawser_subflow_get_info(p->conn[end], i, &info), 0);
    return info;
}
