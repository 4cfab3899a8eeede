/* Where a connection may go, and from which address it starts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include <hawser/hawser.h>

#include "support.h"

enum { PORT = 80, NOW_NS = 1000000000 };

struct rig {
    struct test_env env;
    struct hawser_stack *stack;
};

static struct hawser_addr parse(const char *text, uint16_t port)
{
    struct hawser_addr addr;
    assert_int_equal(hawser_addr_parse(&addr, text, port), 0);
    return addr;
}

static void start(struct rig *r)
{
    static const struct {
        const char *text;
        unsigned prefix_len;
    } own[] = {{"10.0.0.1", 8}, {"10.9.0.1", 24}, {"10.9.1.1", 24}, {"fd09:1::1", 64}, {"fd09:2::1", 64}};
    const struct hawser_link_options link = {.size = sizeof link};
    test_env_init(&r->env, 1);
    assert_int_equal(hawser_stack_new(&r->env.env, NULL, &r->stack), 0);
    assert_int_equal(hawser_stack_add_link(r->stack, &link), 0);
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        struct hawser_addr addr = parse(own[i].text, 0);
        assert_int_equal(hawser_stack_add_address(r->stack, 0, &addr, own[i].prefix_len, 0), 0);
    }
}

static void stop(struct rig *r)
{
    hawser_stack_free(r->stack);
    test_env_check_clean(&r->env);
}

static void expect_source(struct rig *r, const char *to, const char *from)
{
    struct hawser_conn *conn;
    struct hawser_subflow_info info = {.size = sizeof info};
    struct hawser_addr remote = parse(to, PORT), local = parse(from, 0);
    assert_int_equal(hawser_connect(r->stack, &remote, NULL, NOW_NS, &conn), 0);
    assert_int_equal(hawser_subflow_get_info(conn, 0, &info), 0);
    if (!hawser_addr_same_ip(&info.local, &local)) {
        char text[HAWSER_ADDR_STRLEN];
        fail_msg("to %s from %s, not %s", to, hawser_addr_format(&info.local, text, sizeof text), from);
    }
    hawser_abort(conn);
}

static void the_longest_prefix_gives_the_source(void **state)
{
    (void)state;
    struct rig r;
    start(&r);
    expect_source(&r, "10.9.1.2", "10.9.1.1");
    expect_source(&r, "10.9.0.2", "10.9.0.1");
    expect_source(&r, "10.7.0.2", "10.0.0.1");
    expect_source(&r, "192.0.2.1", "10.0.0.1"); /* nothing covers it: the first */
    expect_source(&r, "fd09:2::7", "fd09:2::1");
    expect_source(&r, "fd0a::7", "fd09:1::1");
    stop(&r);
}

/* RFC 6724 5, rule 2: who is known here only does not speak to those beyond. */
static void scopes_come_before_prefixes(void **state)
{
    (void)state;
    struct rig r;
    struct hawser_conn *conn;
    test_env_init(&r.env, 1);
    assert_int_equal(hawser_stack_new(&r.env.env, NULL, &r.stack), 0);
    struct hawser_link_options link = {.size = sizeof link, .mtu = 1500};
    assert_int_equal(hawser_stack_add_link(r.stack, &link), 0);
    const struct hawser_addr near = parse("fe80::1", 0), wide = parse("2001:db8::1", 0), v4 = parse("169.254.0.1", 0);
    const struct hawser_addr far = parse("2001:db9::7", PORT), far_v4 = parse("192.0.2.7", PORT);
    assert_int_equal(hawser_stack_add_address(r.stack, 0, &near, 64, 0), 0);
    assert_int_equal(hawser_stack_add_address(r.stack, 0, &v4, 16, 0), 0);
    assert_int_equal(hawser_connect(r.stack, &far, NULL, NOW_NS, &conn), -EADDRNOTAVAIL);
    assert_int_equal(hawser_connect(r.stack, &far_v4, NULL, NOW_NS, &conn), -EADDRNOTAVAIL);
    assert_int_equal(hawser_stack_add_address(r.stack, 0, &wide, 64, 0), 0);
    expect_source(&r, "2001:db9::7", "2001:db8::1");
    expect_source(&r, "fe80::7", "fe80::1");
    expect_source(&r, "fe81::7", "fe80::1"); /* which no prefix covers */
    expect_source(&r, "169.254.0.2", "169.254.0.1");
    stop(&r);
}

static void only_other_hosts_are_connected_to(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "10.9.1.1", "fd09:2::1", "0.0.0.0", "::", "224.0.0.1", "239.1.2.3", "255.255.255.255", "ff02::1"};
    struct rig r;
    struct hawser_conn *conn;
    start(&r);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct hawser_addr remote = parse(wrong[i], PORT);
        assert_int_equal(hawser_connect(r.stack, &remote, NULL, NOW_NS, &conn), -EINVAL);
    }
    struct hawser_addr no_port = parse("10.9.1.2", 0);
    assert_int_equal(hawser_connect(r.stack, &no_port, NULL, NOW_NS, &conn), -EINVAL);
    stop(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_longest_prefix_gives_the_source),
        cmocka_unit_test(scopes_come_before_prefixes),
        cmocka_unit_test(only_other_hosts_are_connected_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
