/* Options and infos say how large they are: whoever takes them looks. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/units.h"
#include "lines.h"
#include "mptcp/scheduler.h"
#include "peer.h"

/* A struct of a program that knows more than the library. */
#define NEWER(type)                                                                                                    \
    struct {                                                                                                           \
        struct type known;                                                                                             \
        uint64_t more;                                                                                                 \
    }

static int make_stack(const struct hawser_stack_options *options)
{
    struct test_env env;
    struct hawser_stack *stack;
    test_env_init(&env, 1);
    int err = hawser_stack_new(&env.env, options, &stack);
    if (err == 0)
        hawser_stack_free(stack);
    test_env_check_clean(&env);
    return err;
}

static void of_a_stack(void **state)
{
    (void)state;
    NEWER(hawser_stack_options) o = {.more = 0};
    assert_int_equal(make_stack(&o.known), -EINVAL);
    o.known.size = sizeof o.known.size;
    assert_int_equal(make_stack(&o.known), -EINVAL);
    o.known.size = sizeof o;
    assert_int_equal(make_stack(&o.known), 0);
    o.known.congestion = "vegas";
    assert_int_equal(make_stack(&o.known), -EINVAL);
    const struct hawser_congestion nobody = {.size = sizeof nobody, .name = "nobody"};
    o.known.controller = &nobody; /* goes before the name, and does nothing */
    assert_int_equal(make_stack(&o.known), -EINVAL);
    o.known.controller = hawser_congestion_find("bbr");
    assert_int_equal(make_stack(&o.known), 0);
    o.known.controller = NULL;
    o.more = 1;
    assert_int_equal(make_stack(&o.known), -E2BIG);
    assert_int_equal(make_stack(NULL), 0);
}

static void of_a_link(void **state)
{
    (void)state;
    struct peer p;
    NEWER(hawser_link_options) o = {.more = 0};
    peer_init(&p, NULL, NULL);
    assert_int_equal(hawser_stack_add_link(p.stack, &o.known), -EINVAL);
    o.known.size = sizeof o;
    assert_int_equal(hawser_stack_add_link(p.stack, &o.known), 1);
    o.more = 1;
    assert_int_equal(hawser_stack_add_link(p.stack, &o.known), -E2BIG);
    assert_int_equal(hawser_stack_add_link(p.stack, NULL), 2);
    peer_destroy(&p);
}

static void of_a_connection(void **state)
{
    (void)state;
    struct peer p;
    struct hawser_conn *conn;
    struct hawser_listener *listener;
    const struct hawser_addr any = {.port = 81};
    NEWER(hawser_conn_options) o = {.more = 0};
    peer_init(&p, NULL, NULL);
    assert_int_equal(hawser_connect(p.stack, &p.addr, &o.known, p.now_ns, &conn), -EINVAL);
    assert_int_equal(hawser_listen(p.stack, &any, 1, &o.known, &listener), -EINVAL);
    o.known.size = sizeof o;
    o.more = 1;
    assert_int_equal(hawser_connect(p.stack, &p.addr, &o.known, p.now_ns, &conn), -E2BIG);
    assert_int_equal(hawser_listen(p.stack, &any, 1, &o.known, &listener), -E2BIG);
    o.more = 0;
    assert_int_equal(hawser_connect(p.stack, &p.addr, &o.known, p.now_ns, &conn), 0);
    assert_int_equal(hawser_listen(p.stack, &any, 1, &o.known, &listener), 0);
    peer_destroy(&p);
}

static void of_infos(void **state)
{
    (void)state;
    struct peer p;
    NEWER(hawser_conn_info) conn = {.more = 1};
    NEWER(hawser_subflow_info) subflow = {.more = 1};
    peer_init(&p, NULL, NULL);
    peer_connect_mptcp(&p);
    assert_int_equal(hawser_conn_get_info(p.conn, &conn.known), -EINVAL);
    assert_int_equal(hawser_subflow_get_info(p.conn, 0, &subflow.known), -EINVAL);
    conn.known.size = sizeof conn;
    subflow.known.size = sizeof subflow;
    assert_int_equal(hawser_conn_get_info(p.conn, &conn.known), 0);
    assert_int_equal(hawser_subflow_get_info(p.conn, 0, &subflow.known), 0);
    assert_true(conn.known.mptcp && conn.known.size == sizeof conn && conn.more == 0);
    assert_true(subflow.known.mss_bytes > 0 && subflow.known.size == sizeof subflow && subflow.more == 0);
    assert_int_equal(hawser_subflow_get_info(p.conn, 1, &subflow.known), -ENOENT);
    peer_destroy(&p);
}

static struct hawser_decision send_new(const struct hawser_stream *stream, const struct hawser_path *path)
{
    (void)path;
    return stream->new_bytes ? hawser_send_new(UINT32_MAX) : hawser_send_nothing(0);
}
static const struct hawser_scheduler own = {.size = sizeof own, .name = "own", .path_bytes = 1, .ask = send_new};

static const char *scheduler_of(struct hawser_conn *conn)
{
    struct hawser_conn_info info = {.size = sizeof info};
    assert_int_equal(hawser_conn_get_info(conn, &info), 0);
    return info.scheduler;
}

/* A connection has the one of its options, of its listener's, or the stack's. */
static void a_scheduler(void **state)
{
    (void)state;
    struct peer p;
    const struct hawser_stack_options ours = {.size = sizeof ours, .scheduler = &scheduler_redundant};
    struct hawser_conn_options o = {.size = sizeof o, .scheduler = &own};
    for (unsigned i = 0; i < 2; i++) {
        peer_init(&p, &ours, i ? &o : NULL);
        peer_open_mptcp(&p);
        assert_string_equal(scheduler_of(p.conn), i ? "own" : "redundant");
        struct hawser_conn *conn;
        assert_int_equal(hawser_connect(p.stack, &p.addr, i ? &o : NULL, p.now_ns, &conn), 0);
        assert_string_equal(scheduler_of(conn), i ? "own" : "redundant");
        peer_destroy(&p);
    }
    peer_init(&p, NULL, NULL);
    peer_open_mptcp(&p);
    assert_string_equal(scheduler_of(p.conn), "lowest-rtt");
    peer_destroy(&p);
}

static void a_scheduler_that_is_none(void **state)
{
    (void)state;
    struct peer p;
    struct hawser_conn *conn;
    struct hawser_listener *listener;
    const struct hawser_addr any = {.port = 81};
    struct hawser_scheduler unfit = own;
    struct hawser_conn_options o = {.size = sizeof o, .scheduler = &unfit};
    struct hawser_stack_options s = {.size = sizeof s, .scheduler = &unfit};
    unfit.conn_bytes = HAWSER_SCHEDULER_MEMORY_MAX + 1;
    peer_init(&p, NULL, NULL);
    assert_int_equal(hawser_connect(p.stack, &p.addr, &o, p.now_ns, &conn), -EINVAL);
    assert_int_equal(hawser_listen(p.stack, &any, 1, &o, &listener), -EINVAL);
    assert_int_equal(make_stack(&s), -EINVAL);
    unfit.conn_bytes--;
    assert_int_equal(hawser_connect(p.stack, &p.addr, &o, p.now_ns, &conn), 0);
    assert_int_equal(make_stack(&s), 0);
    peer_destroy(&p);
}

/* When its second path comes, a connection gets no memory for its scheduler: the default serves it. */
static void a_scheduler_without_memory(void **state)
{
    (void)state;
    for (unsigned refused = 0; refused < 2; refused++) {
        struct peer p;
        const struct hawser_conn_options o = {.size = sizeof o, .scheduler = &own};
        lines_init(&p, 0, false, &o);
        struct line line = line_open(&p, 4001);
        line = line_join(&p, &line, 4002); /* what joins need is there from now on */
        struct line other = line_open(&p, 4003);
        p.env.refuses = refused;
        line_join(&p, &other, 4004);
        p.env.refuses = false;
        assert_string_equal(scheduler_of(line.conn), "own");
        assert_string_equal(scheduler_of(other.conn), refused ? "lowest-rtt" : "own");
        assert_int_equal(peer_counter(&p, "limit.scheduler_memory"), refused);
        peer_destroy(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_a_stack),
        cmocka_unit_test(of_a_link),
        cmocka_unit_test(of_a_connection),
        cmocka_unit_test(of_infos),
        cmocka_unit_test(a_scheduler),
        cmocka_unit_test(a_scheduler_that_is_none),
        cmocka_unit_test(a_scheduler_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
