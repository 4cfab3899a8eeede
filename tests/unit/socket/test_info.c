/* What a program is told of a connection (hawser/info.h): why it is plain TCP, and by what its packets leave. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/units.h"
#include "peer.h"

static void expect_why(const struct hawser_conn *conn, const char *why)
{
    struct hawser_conn_info info = {.size = sizeof info};
    assert_int_equal(hawser_conn_get_info(conn, &info), 0);
    assert_int_equal(info.mptcp, why == NULL);
    if (why)
        assert_string_equal(info.plain_why, why);
    else
        assert_null(info.plain_why);
}

static void multipath_has_no_reason(void **state)
{
    struct peer p;
    struct hawser_conn_info info = {.size = sizeof info};
    (void)state;
    peer_init(&p, NULL, NULL);
    peer_connect(&p, false);
    assert_int_equal(hawser_conn_get_info(p.conn, &info), 0);
    assert_true(!info.mptcp && !info.plain_why); /* nobody knows yet */
    peer_destroy(&p);
    peer_init(&p, NULL, NULL);
    peer_open_mptcp(&p);
    expect_why(p.conn, NULL);
    peer_destroy(&p);
}

static void wanted(void **state)
{
    const struct hawser_stack_options stack = {.size = sizeof stack, .no_mptcp = true};
    const struct hawser_conn_options listener = {.size = sizeof listener, .no_mptcp = true};
    struct peer p;
    (void)state;
    peer_init(&p, NULL, NULL);
    peer_connect(&p, true);
    peer_send(&p, TCP_SYN | TCP_ACK, 0, 1, NULL, NULL, 0);
    expect_why(p.conn, "wanted");
    peer_destroy(&p);
    peer_init(&p, &stack, NULL);
    peer_open_plain(&p);
    expect_why(p.conn, "wanted");
    peer_destroy(&p);
    peer_init(&p, NULL, &listener);
    peer_open_plain(&p);
    expect_why(p.conn, "wanted");
    peer_destroy(&p);
}

static void not_offered(void **state)
{
    struct peer p;
    (void)state;
    peer_init(&p, NULL, NULL);
    peer_open_plain(&p);
    expect_why(p.conn, "not offered");
    peer_destroy(&p);
    peer_init(&p, NULL, NULL);
    peer_connect(&p, false);
    peer_send(&p, TCP_SYN | TCP_ACK, 0, 1, NULL, NULL, 0);
    expect_why(p.conn, "not offered");
    peer_destroy(&p);
}

/* A middlebox eats SYNs that offer MPTCP. The next connection there does not ask at all. */
static void unanswered_and_remembered(void **state)
{
    struct peer p;
    (void)state;
    peer_init(&p, NULL, NULL);
    peer_connect(&p, false);
    for (unsigned s = 0; s < 30 && mptcp_has(&peer_last(&p, TCP_SYN)->options.mp, MPTCP_CAPABLE); s++) {
        peer_forget(&p);
        while (!peer_last(&p, TCP_SYN))
            peer_wait(&p, NS_PER_S / 10);
    }
    const struct peer_segment *syn = peer_last(&p, TCP_SYN);
    assert_false(mptcp_has(&syn->options.mp, MPTCP_CAPABLE));
    p.own = syn->local;
    p.irs = syn->number;
    peer_send(&p, TCP_SYN | TCP_ACK, 0, 1, NULL, NULL, 0);
    expect_why(p.conn, "unanswered");
    hawser_abort(p.conn);
    peer_drain(&p);
    peer_forget(&p);
    peer_connect(&p, false);
    assert_false(mptcp_has(&peer_last(&p, TCP_SYN)->options.mp, MPTCP_CAPABLE));
    expect_why(p.conn, "remembered");
    peer_destroy(&p);
}

static void options_lost(void **state)
{
    struct peer p;
    (void)state;
    peer_init(&p, NULL, NULL);
    peer_open_mptcp(&p);
    assert_int_equal(hawser_send(p.conn, "abc", 3), 3);
    peer_drain(&p);
    peer_send(&p, TCP_ACK, 1, 4, NULL, NULL, 0);
    expect_why(p.conn, "options lost");
    peer_destroy(&p);
}

static void checksum_failed(void **state)
{
    const struct hawser_stack_options options = {.size = sizeof options, .checksum_required = true};
    struct peer p;
    (void)state;
    peer_init(&p, &options, NULL);
    peer_open_mptcp(&p);
    struct tcp_options o = {.mp = {.present = 1u << MPTCP_FAIL, .fail.dsn = p.stack_idsn + 1}};
    peer_send(&p, TCP_ACK, 1, 1, &o, NULL, 0);
    expect_why(p.conn, "checksum failed");
    peer_destroy(&p);
}

static void peer_fell_back(void **state)
{
    struct peer p;
    (void)state;
    peer_init(&p, NULL, NULL);
    peer_open_mptcp(&p);
    struct tcp_options o = peer_dss(&p, 1, 0, 0, 0);
    o.mp.dss.has_map = o.mp.dss.dsn_is_64 = true;
    o.mp.dss.dsn = p.idsn + 1;
    o.mp.dss.ssn = 1;
    peer_send(&p, TCP_ACK | TCP_PSH, 1, 1, &o, "ab", 2);
    expect_why(p.conn, "peer fell back");
    peer_destroy(&p);
}

static void links_and_windows(void **state)
{
    struct peer p;
    struct hawser_subflow_info info = {.size = sizeof info};
    (void)state;
    peer_init(&p, NULL, NULL);
    p.window = 5000;
    peer_open_plain(&p);
    assert_int_equal(hawser_subflow_get_info(p.conn, 0, &info), 0);
    assert_int_equal(info.link, p.link);
    assert_int_equal(info.peer_window_bytes, 5000);
    peer_destroy(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(multipath_has_no_reason),
        cmocka_unit_test(wanted),
        cmocka_unit_test(not_offered),
        cmocka_unit_test(unanswered_and_remembered),
        cmocka_unit_test(options_lost),
        cmocka_unit_test(checksum_failed),
        cmocka_unit_test(peer_fell_back),
        cmocka_unit_test(links_and_windows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
