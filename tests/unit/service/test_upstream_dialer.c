/* Dialling by way of an upstream (apps/service/upstream_dialer.h). */
#include "service/callers.h"
#include "service/credentials.h"
#include "service/session.h"
#include "service/upstream_dialer.h"

/* Both sides: a dialer, whose way to the server is one connection that the test made, and a server with a dialer of the
 * test's. */
struct chain {
    struct ends e;
    struct fake way, far;
    struct tls client, server;
    struct sessions sessions;
    struct upstream_dialer dialer;
    struct caller caller;
    struct dial *under_way;
};

static const char key[] = "the key", wrong[] = "another";

/* A network of this host's. */
static int route_of_10(const struct hawser_addr *to, struct host_route *out)
{
    *out = (struct host_route){.prefix_len = to->ip[12] == 10 ? 8 : 0};
    return to->ip[12] == 11 ? -ENETUNREACH : 0;
}

static void chain_init(struct chain *c, const char *client_key)
{
    struct endpoint {
        struct destination to;
    } server = {0};
    memset(c, 0, sizeof *c);
    ends_init(&c->e);
    c->way.dialer = c->far.dialer = (struct dialer){fake_begin, fake_cancel};
    tls_init(&c->client, credentials_of_key(TLS_CLIENT, client_key), hawser_host_env(c->e.host));
    tls_init(&c->server, credentials_of_key(TLS_SERVER, key), hawser_host_env(c->e.host));
    assert_int_equal(sessions_init(&c->sessions, c->e.loop, c->e.host), 0);
    c->sessions.joints = &c->e.joints;
    c->sessions.dialer = &c->far.dialer;
    c->sessions.spoken = SESSION_SOCKS;
    c->sessions.tls = &c->server;
    upstream_dialer_init(&c->dialer, c->e.loop, c->e.host, &c->way.dialer, &server.to, &c->client);
    c->dialer.ask_route = route_of_10;
}

static void chain_destroy(struct chain *c)
{
    sessions_destroy(&c->sessions);
    joints_break(&c->e.joints);
    tls_destroy(&c->client);
    tls_destroy(&c->server);
    ends_destroy(&c->e);
}

/* The server is reached. */
static void chain_connect(struct chain *c)
{
    int fds[2];
    tcp_pair(fds);
    assert_int_equal(session_begin(&c->sessions, end_of_socket(&c->e, fds[0])), 0);
    fake_answer(&c->way, 0, 0, end_of_socket(&c->e, fds[1]));
    ends_run(&c->e, 30);
}

static void upstream_goes_on_from_there(void **state)
{
    (void)state;
    struct chain c;
    struct hawser_slice slice;
    int far;
    chain_init(&c, key);
    assert_int_equal(dial(&c.caller, &c.dialer.dialer, NULL, "192.0.2.9", 443, &c.under_way), 0);
    chain_connect(&c);
    assert_int_equal(c.caller.told, 0);
    struct hawser_addr expected;
    assert_int_equal(hawser_addr_parse(&expected, "192.0.2.9", 443), 0);
    assert_int_equal(c.far.count, 1);
    assert_true(hawser_addr_equal(&c.far.addrs[0], &expected));
    fake_answer(&c.far, 0, 0, tcp_end(&c.e, &far));
    ends_run(&c.e, 20);
    assert_int_equal(c.caller.told, 1);
    assert_int_equal(c.caller.error, 0);
    assert_int_equal(write(far, "welcome", 7), 7);
    ends_run(&c.e, 20);
    assert_int_equal(end_take(c.caller.end, &slice), 1);
    assert_memory_equal(slice.data, "welcome", 7);
    hawser_buf_unref(slice.buf);
    end_close(c.caller.end);
    close(far);
    ends_run(&c.e, 20);
    assert_int_equal(c.e.joints.count, 0);
    assert_int_equal(c.e.joints.broken, 0);
    chain_destroy(&c);
}

static void what_is_near_is_called_without_it(void **state)
{
    (void)state;
    struct chain c;
    chain_init(&c, key);
    assert_int_equal(hawser_addr_parse(&c.dialer.met, "192.0.2.1", 8443), 0);
    static const char *const near[] = {"10.0.0.1", "192.0.2.1"}, *const far[] = {"192.0.2.9", "11.0.0.1", "127.0.0.1"};
    for (unsigned i = 0; i < HW_ARRAY_LEN(near); i++) {
        struct hawser_addr to;
        assert_int_equal(hawser_addr_parse(&to, near[i], 443), 0);
        assert_int_equal(dial(&c.caller, &c.dialer.dialer, NULL, near[i], 443, &c.under_way), 0);
        assert_true(hawser_addr_equal(&c.way.addrs[c.way.count - 1], &to));
        fake_answer(&c.way, c.way.count - 1, -ECONNREFUSED, (struct end){0});
        assert_int_equal(c.caller.error, -ECONNREFUSED); /* its own word */
    }
    for (unsigned i = 0; i < HW_ARRAY_LEN(far); i++) {
        assert_int_equal(dial(&c.caller, &c.dialer.dialer, NULL, far[i], 443, &c.under_way), 0);
        assert_true(hawser_addr_same_ip(&c.way.addrs[c.way.count - 1], &c.dialer.server.addr));
        fake_answer(&c.way, c.way.count - 1, -ECONNREFUSED, (struct end){0});
        assert_int_equal(c.caller.error, -EHOSTUNREACH);
    }
    assert_int_equal(c.dialer.counts.unreachable, HW_ARRAY_LEN(far));
    chain_destroy(&c);
}

static void errors_come_back(void **state)
{
    (void)state;
    static const int errors[] = {-ECONNREFUSED, -ENETUNREACH, -EHOSTUNREACH, -ETIMEDOUT, -EACCES, -ENOENT};
    for (unsigned i = 0; i < HW_ARRAY_LEN(errors); i++) {
        struct chain c;
        chain_init(&c, key);
        c.sessions.upstream = true;
        assert_int_equal(dial(&c.caller, &c.dialer.dialer, NULL, "192.0.2.9", 443, &c.under_way), 0);
        chain_connect(&c);
        fake_answer(&c.far, 0, errors[i], (struct end){0});
        ends_run(&c.e, 20);
        assert_int_equal(c.caller.told, 1);
        assert_int_equal(c.caller.error, errors[i]);
        ends_run(&c.e, 20);
        assert_int_equal(c.sessions.counts.count, 0);
        chain_destroy(&c);
    }
}

static void the_way_there_may_fail(void **state)
{
    (void)state;
    struct chain c;
    chain_init(&c, key);
    assert_int_equal(dial(&c.caller, &c.dialer.dialer, NULL, "192.0.2.9", 443, &c.under_way), 0);
    fake_answer(&c.way, 0, -ECONNREFUSED, (struct end){0}); /* the server, not the destination, refuses */
    assert_int_equal(c.caller.error, -EHOSTUNREACH);
    assert_int_equal(c.dialer.counts.unreachable, 1);
    assert_string_equal(c.dialer.told, "Connection refused");
    c.way.at_once = -ENETUNREACH;
    assert_int_equal(dial(&c.caller, &c.dialer.dialer, NULL, "192.0.2.9", 443, &c.under_way), -EHOSTUNREACH);
    assert_string_equal(c.client.failure,
                        "no uplink, or no router behind it, leads to that address"); /* and the log is not flooded */
    assert_string_equal(c.dialer.told, "Connection refused");
    chain_destroy(&c);
    chain_init(&c, wrong);
    assert_int_equal(dial(&c.caller, &c.dialer.dialer, NULL, "192.0.2.9", 443, &c.under_way), 0);
    chain_connect(&c);
    assert_int_equal(c.caller.error, -EHOSTUNREACH);
    assert_int_equal(c.dialer.counts.strangers, 1);
    assert_int_equal(c.sessions.counts.count, 0);
    assert_int_equal(c.far.count, 0);
    chain_destroy(&c);
}

/* What is held for who asks is too much to begin, or to go on. */
static void there_may_be_no_room(void **state)
{
    (void)state;
    for (unsigned begins = 0; begins < 2; begins++) {
        struct chain c;
        chain_init(&c, key);
        c.client.holders.max = begins * TLS_SESSION_BYTES;
        assert_int_equal(dial(&c.caller, &c.dialer.dialer, NULL, "192.0.2.9", 443, &c.under_way), 0);
        chain_connect(&c);
        assert_int_equal(c.caller.told, 1);
        assert_int_equal(c.caller.error, -ENOBUFS);
        assert_int_equal(c.dialer.counts.strangers + c.dialer.counts.unreachable, 0);
        const struct tls_counts counts = tls_counts(&c.client);
        assert_int_equal(counts.no_room, !begins);
        assert_int_equal(counts.reset, begins);
        assert_int_equal(counts.held_bytes, 0);
        chain_destroy(&c);
    }
}

/* No handshake was begun, so that none is counted. */
static void who_has_no_room_is_not_hasty(void **state)
{
    (void)state;
    struct chain c;
    struct pace pace;
    chain_init(&c, key);
    pace_init(&pace, 1, 1);
    c.sessions.handshakes = &pace;
    c.server.holders.max = 0;
    for (unsigned i = 0; i < 3; i++) {
        int fds[2];
        tcp_pair(fds);
        const struct end below = end_of_socket(&c.e, fds[0]);
        assert_int_equal(session_begin(&c.sessions, below), -ENOBUFS);
        end_abort(below);
        close(fds[1]);
    }
    assert_int_equal(c.sessions.counts.turned_away, 3);
    assert_int_equal(c.sessions.counts.hasty, 0);
    chain_destroy(&c);
}

/* At any moment. */
static void it_may_be_given_up(void **state)
{
    (void)state;
    for (unsigned moment = 0; moment < 2; moment++) {
        struct chain c;
        chain_init(&c, key);
        assert_int_equal(dial(&c.caller, &c.dialer.dialer, NULL, "192.0.2.9", 443, &c.under_way), 0);
        if (moment)
            chain_connect(&c);
        dial_cancel(&c.dialer.dialer, c.under_way);
        ends_run(&c.e, 20);
        assert_int_equal(c.caller.told, 0);
        assert_int_equal(c.way.cancelled, moment == 0);
        assert_int_equal(c.far.cancelled, moment == 1);
        assert_int_equal(c.sessions.counts.count, 0);
        chain_destroy(&c);
    }
}

/* A name that nobody could look up is not even asked for. */
static void names_go_along(void **state)
{
    (void)state;
    struct chain c;
    char name[DIAL_NAME_MAX + 2];
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    chain_init(&c, key);
    assert_int_equal(dial(&c.caller, &c.dialer.dialer, name, NULL, 80, &c.under_way), -EINVAL);
    assert_int_equal(c.way.count, 0);
    assert_int_equal(dial(&c.caller, &c.dialer.dialer, name + 1, NULL, 80, &c.under_way), 0);
    dial_cancel(&c.dialer.dialer, c.under_way);
    chain_destroy(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(upstream_goes_on_from_there),
        cmocka_unit_test(what_is_near_is_called_without_it),
        cmocka_unit_test(errors_come_back),
        cmocka_unit_test(the_way_there_may_fail),
        cmocka_unit_test(there_may_be_no_room),
        cmocka_unit_test(who_has_no_room_is_not_hasty),
        cmocka_unit_test(it_may_be_given_up),
        cmocka_unit_test(names_go_along),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
