/* What a client hears of what was tried for it (apps/service/door.h). */
#include "service/relay.h"

static struct door_counts counts(const struct relay *r)
{
    struct door_counts c;
    door_count(r->door, &c);
    return c;
}

static void nothing_is_said_before_the_destination_has(void **state)
{
    (void)state;
    struct relay r;
    relay_init(&r, true, NULL, NULL);
    r.cut[FAR_LINK] = true;
    struct hawser_conn *client = relay_connect(&r, "10.2.0.2", SERVER_PORT, RELAY_ONE_TRY), *server;
    relay_run(&r, 2500 * NS_PER_MS);
    assert_int_equal(hawser_conn_ready(client), 0);
    assert_int_equal(counts(&r).waiting, 1);
    r.cut[FAR_LINK] = false;
    relay_run(&r, 3 * NS_PER_S);
    assert_true(hawser_conn_ready(client) & HAWSER_CONNECTED);
    assert_int_equal(hawser_accept(r.servers, &server), 0);
    assert_int_equal(counts(&r).asked, 1);
    assert_int_equal(counts(&r).accepted, 1);
    assert_int_equal(counts(&r).waiting, 0);
    assert_int_equal(r.joints.count, 1);
    hawser_close(client);
    hawser_close(server);
    relay_run(&r, 3 * NS_PER_S);
    assert_int_equal(r.joints.count, 0);
    relay_destroy(&r);
}

/* A server that speaks first, and is over before its client knows that it is connected. */
static void a_server_that_is_quick(void **state)
{
    (void)state;
    struct relay r;
    char bytes[8];
    relay_init(&r, true, NULL, NULL);
    struct hawser_conn *client = relay_connect(&r, "10.2.0.2", SERVER_PORT, NULL), *server = NULL;
    for (uint64_t until = r.now_ns + NS_PER_S; !server && relay_step(&r, until);)
        (void)hawser_accept(r.servers, &server);
    assert_int_equal(hawser_send(server, "welcome", 7), 7);
    hawser_close(server);
    relay_run(&r, NS_PER_S);
    assert_int_equal(hawser_recv(client, bytes, sizeof bytes), 7);
    assert_int_equal(hawser_recv(client, bytes, sizeof bytes), 0);
    hawser_close(client);
    relay_run(&r, 2 * NS_PER_S);
    assert_int_equal(r.joints.count, 0);
    assert_int_equal(r.joints.broken, 0);
    relay_destroy(&r);
}

static void a_refusal_is_one(void **state)
{
    (void)state;
    struct relay r;
    relay_init(&r, true, NULL, NULL);
    struct hawser_conn *client = relay_connect(&r, "10.2.0.2", SERVER_PORT + 1, NULL);
    relay_run(&r, NS_PER_S);
    assert_int_equal(hawser_conn_error(client), -ECONNREFUSED);
    assert_int_equal(counts(&r).refused[HAWSER_REFUSE_RESET], 1);
    assert_int_equal(counts(&r).waiting, 0);
    hawser_close(client);
    relay_destroy(&r);
}

/* What cannot even be tried. */
static void no_way_is_told_at_once(void **state)
{
    (void)state;
    static const char *const nowhere[] = {"10.2.0.1", "2001:db8::1"}; /* the uplink's own; no uplink has IPv6 */
    for (unsigned i = 0; i < 2; i++) {
        struct relay r;
        struct hawser_addr six = relay_addr("2001:db8:1::2", 0);
        relay_init(&r, true, NULL, NULL);
        assert_int_equal(hawser_stack_add_address(r.stacks[CLIENT], 0, &six, 64, r.now_ns), 0);
        struct hawser_conn *client = relay_connect(&r, nowhere[i], SERVER_PORT, NULL);
        relay_run(&r, 100 * NS_PER_MS);
        assert_int_equal(counts(&r).asked, 1);
        assert_int_equal(counts(&r).refused[HAWSER_REFUSE_NETWORK], 1);
        assert_int_equal(counts(&r).waiting, 0);
        hawser_abort(client);
        relay_destroy(&r);
    }
}

/* All ports to a destination are taken, as by 28,000 connections in a minute: who asks then waits for one. */
static void who_finds_no_port_waits_for_one(void **state)
{
    (void)state;
    const struct hawser_stack_options one_port = {.size = sizeof one_port, .first_port = 40000, .last_port = 40000};
    struct relay r;
    relay_init_of(&r, true, NULL, NULL, &one_port);
    struct line first = relay_line(&r, RELAY_ONE_TRY);
    struct hawser_conn *second = relay_connect(&r, "10.2.0.2", SERVER_PORT, RELAY_ONE_TRY);
    relay_run(&r, 500 * NS_PER_MS);
    assert_int_equal(hawser_conn_ready(second), 0);
    assert_int_equal(counts(&r).without_port, 1);
    assert_int_equal(counts(&r).waiting, 1);
    hawser_abort(first.client);
    hawser_abort(first.server);
    relay_run(&r, 3 * NS_PER_S);
    assert_true(hawser_conn_ready(second) & HAWSER_CONNECTED);
    assert_int_equal(counts(&r).waiting, 0);
    assert_int_equal(counts(&r).without_port, 1);
    struct hawser_conn *third = relay_connect(&r, "10.2.0.2", SERVER_PORT, RELAY_ONE_TRY);
    relay_run(&r, 500 * NS_PER_MS);
    assert_int_equal(counts(&r).waiting, 1);
    door_shut(r.door);
    relay_run(&r, NS_PER_S);
    assert_int_equal(hawser_conn_error(third), -ECONNREFUSED);
    hawser_abort(second);
    hawser_close(third);
    relay_run(&r, NS_PER_S);
    relay_destroy(&r);
}

static void silence_is_silence(void **state)
{
    (void)state;
    const struct hawser_conn_options impatient = {.size = sizeof impatient, .user_timeout_ns = 5 * NS_PER_S};
    struct relay r;
    relay_init(&r, true, NULL, &impatient);
    r.cut[FAR_LINK] = true;
    struct hawser_conn *client = relay_connect(&r, "10.2.0.2", SERVER_PORT, RELAY_ONE_TRY);
    relay_run(&r, 10 * NS_PER_S);
    assert_int_equal(counts(&r).refused[HAWSER_REFUSE_SILENTLY], 1);
    assert_int_equal(counts(&r).waiting, 0);
    assert_int_equal(hawser_conn_error(client), 0); /* in its own time */
    relay_run(&r, 300 * NS_PER_S);
    assert_int_equal(hawser_conn_error(client), -ETIMEDOUT);
    hawser_close(client);
    relay_destroy(&r);
}

/* By which uplink a connection begins is somebody's choice. */
static void it_begins_where_it_is_said(void **state)
{
    (void)state;
    static const char *const own[] = {"10.2.0.7", "10.2.0.8", "10.2.0.9"};
    struct relay r;
    relay_init(&r, true, NULL, NULL);
    for (unsigned i = 0; i < HW_ARRAY_LEN(own); i++) {
        struct hawser_addr addr = relay_addr(own[i], 0);
        assert_int_equal(hawser_stack_add_address(r.stacks[RELAY], FAR_LINK, &addr, 24, r.now_ns), 0);
        assert_int_equal(choice_came(&r.choice, "up", &addr, i), 0);
    }
    r.choice.share = true;
    for (unsigned i = 0; i < 2 * HW_ARRAY_LEN(own); i++) {
        struct line line = relay_line(&r, RELAY_ONE_TRY);
        struct hawser_addr expected = relay_addr(own[i % HW_ARRAY_LEN(own)], 0), from;
        hawser_conn_peer(line.server, &from);
        assert_true(hawser_addr_same_ip(&from, &expected));
        hawser_abort(line.client);
        hawser_abort(line.server);
    }
    relay_run(&r, NS_PER_S);
    relay_destroy(&r);
}

/* What a client wants holds for its own connections. */
static void what_a_client_demands(void **state)
{
    (void)state;
    static const char *const own[] = {"10.2.0.7", "10.2.0.8"}, *const names[] = {"one", "two"};
    struct relay r;
    relay_init(&r, true, NULL, NULL);
    for (unsigned i = 0; i < HW_ARRAY_LEN(own); i++) {
        struct hawser_addr addr = relay_addr(own[i], 0);
        assert_int_equal(hawser_stack_add_address(r.stacks[RELAY], FAR_LINK, &addr, 24, r.now_ns), 0);
        assert_int_equal(choice_came(&r.choice, names[i], &addr, i), 0);
    }
    struct demands two = {.only = {{"two"}, 1}, .mptcp = true};
    r.demands = &two;
    struct line line = relay_line(&r, RELAY_ONE_TRY);
    struct hawser_addr expected = relay_addr(own[1], 0), from;
    hawser_conn_peer(line.server, &from);
    assert_true(hawser_addr_same_ip(&from, &expected));
    relay_run(&r, 5 * NS_PER_S);
    struct hawser_conn_info info = {.size = sizeof info};
    assert_int_equal(hawser_conn_get_info(line.server, &info), 0);
    assert_true(info.mptcp);
    assert_int_equal(info.subflows, 1);
    choice_went(&r.choice, &expected);
    struct hawser_conn *client = relay_connect(&r, "10.2.0.2", SERVER_PORT, RELAY_ONE_TRY);
    relay_run(&r, 5 * NS_PER_S);
    assert_int_equal(hawser_conn_error(client), -ENETUNREACH);
    hawser_close(client);
    relay_destroy(&r);
}

static void who_wants_multipath_tcp_gets_nothing_else(void **state)
{
    (void)state;
    const struct hawser_conn_options plain = {.size = sizeof plain, .no_mptcp = true};
    const struct demands mptcp = {.mptcp = true};
    struct relay r;
    relay_init(&r, true, NULL, &plain);
    r.demands = &mptcp;
    struct hawser_conn *client = relay_connect(&r, "10.2.0.2", SERVER_PORT, RELAY_ONE_TRY);
    relay_run(&r, NS_PER_S);
    assert_int_equal(hawser_conn_error(client), -ECONNREFUSED);
    assert_int_equal(counts(&r).without_mptcp, 1);
    assert_int_equal(counts(&r).refused[HAWSER_REFUSE_RESET], 1);
    hawser_close(client);
    r.demands = NULL;
    relay_line(&r, RELAY_ONE_TRY);
    assert_int_equal(counts(&r).without_mptcp, 1);
    relay_destroy(&r);
}

/* A client that says no more: the destination is not tried for it any longer. */
static void who_gives_up_is_forgotten(void **state)
{
    (void)state;
    struct relay r;
    relay_init(&r, true, NULL, NULL);
    r.cut[FAR_LINK] = true;
    struct hawser_conn *client = relay_connect(&r, "10.2.0.2", SERVER_PORT, RELAY_ONE_TRY);
    relay_run(&r, NS_PER_S);
    assert_int_equal(counts(&r).waiting, 1);
    r.cut[NEAR_LINK] = true;
    relay_run(&r, 72 * NS_PER_S);
    assert_int_equal(counts(&r).waiting, 0);
    assert_int_equal(counts(&r).withdrawn, 1);
    hawser_abort(client);
    relay_destroy(&r);
}

/* It is accepted, and has gone meanwhile: the destination hears of it. */
static void who_does_not_go_on_is_reset_at_the_far_side(void **state)
{
    (void)state;
    struct relay r;
    struct hawser_conn *server = NULL;
    relay_init(&r, true, NULL, NULL);
    struct hawser_conn *client = relay_connect(&r, "10.2.0.2", SERVER_PORT, NULL);
    relay_output(&r);
    r.now_ns += NS_PER_MS;
    relay_input(&r);
    r.cut[NEAR_LINK] = true;
    for (uint64_t until = r.now_ns + NS_PER_S; !server && relay_step(&r, until);)
        (void)hawser_accept(r.servers, &server);
    assert_non_null(server);
    relay_run(&r, 70 * NS_PER_S);
    assert_int_equal(hawser_conn_error(server), -ECONNRESET);
    assert_int_equal(r.joints.count, 0);
    hawser_close(server);
    hawser_abort(client);
    relay_destroy(&r);
}

/* One client can keep half of those who may wait; others still come in. */
static void one_client_leaves_room(void **state)
{
    (void)state;
    struct relay r;
    struct hawser_conn *clients[100];
    struct hawser_addr other = relay_addr("10.1.0.3", 0);
    relay_init(&r, true, NULL, NULL);
    r.cut[FAR_LINK] = true;
    for (unsigned i = 0; i < 100; i++)
        clients[i] = relay_connect(&r, "10.2.0.2", SERVER_PORT, RELAY_ONE_TRY);
    relay_run(&r, 500 * NS_PER_MS);
    uint32_t waiting = counts(&r).waiting;
    assert_in_range(waiting, 16, 40); /* of a backlog of 64 */
    assert_int_equal(hawser_stack_add_address(r.stacks[CLIENT], 0, &other, 24, r.now_ns), 0);
    const struct hawser_conn_options from = {.size = sizeof from, .local = other};
    struct hawser_conn *another = relay_connect(&r, "10.2.0.2", SERVER_PORT, &from);
    relay_run(&r, 10 * NS_PER_MS);
    assert_int_equal(counts(&r).waiting, waiting + 1);
    for (unsigned i = 0; i < 100; i++)
        hawser_abort(clients[i]);
    hawser_abort(another);
    relay_destroy(&r);
}

/* Nor does one that keeps all connections it can get: for somebody else one of these goes. */
static void one_client_leaves_connections(void **state)
{
    (void)state;
    struct relay r;
    struct hawser_conn *clients[40];
    struct hawser_addr other = relay_addr("10.1.0.3", 0);
    relay_init_with(&r, true, NULL, NULL, 40);
    for (unsigned i = 0; i < 40; i++) {
        clients[i] = relay_connect(&r, "10.2.0.2", SERVER_PORT, RELAY_ONE_TRY);
        relay_run(&r, 50 * NS_PER_MS);
    }
    assert_int_equal(hawser_stack_add_address(r.stacks[CLIENT], 0, &other, 24, r.now_ns), 0);
    const struct hawser_conn_options from = {.size = sizeof from, .no_mptcp = true, .local = other};
    for (unsigned i = 0; i < 5; i++) {
        struct hawser_conn *another = relay_connect(&r, "10.2.0.2", SERVER_PORT, &from);
        relay_run(&r, 50 * NS_PER_MS);
        assert_true(hawser_conn_ready(another) & HAWSER_CONNECTED);
        hawser_abort(clients[39 - i]);
        clients[39 - i] = another;
    }
    unsigned gone = 0;
    for (unsigned i = 0; i < 35; i++)
        gone += hawser_conn_error(clients[i]) == -ECONNRESET;
    assert_in_range(gone, 1, 5);
    for (unsigned i = 0; i < 40; i++)
        hawser_abort(clients[i]);
    relay_destroy(&r);
}

/* Where there is no room for another pair the client learns at once, and those that there are go on. */
static void a_full_relay_refuses(void **state)
{
    (void)state;
    struct relay r;
    struct hawser_conn *clients[40], *server;
    unsigned connected = 0, refused = 0;
    char bytes[4];
    relay_init_with(&r, true, NULL, NULL, 40);
    for (unsigned i = 0; i < 40; i++) {
        clients[i] = relay_connect(&r, "10.2.0.2", SERVER_PORT, RELAY_ONE_TRY);
        relay_run(&r, 50 * NS_PER_MS);
        connected += hawser_conn_ready(clients[i]) & HAWSER_CONNECTED ? 1 : 0;
        refused += hawser_conn_error(clients[i]) == -ECONNREFUSED;
    }
    assert_in_range(connected, 15, 20);
    assert_int_equal(connected + refused, 40);
    assert_int_equal(counts(&r).refused[HAWSER_REFUSE_RESET], refused);
    assert_int_equal(hawser_accept(r.servers, &server), 0);
    assert_int_equal(hawser_send(clients[0], "on", 2), 2);
    relay_run(&r, 50 * NS_PER_MS);
    assert_int_equal(hawser_recv(server, bytes, sizeof bytes), 2);
    for (unsigned i = 0; i < 40; i++)
        hawser_abort(clients[i]);
    hawser_abort(server);
    relay_run(&r, 50 * NS_PER_MS);
    assert_int_equal(r.joints.count, 0);
    relay_destroy(&r);
}

/* Whatever there is no memory for, nothing is left behind. */
static void memory_fails_at_any_moment(void **state)
{
    (void)state;
    for (uint64_t at = 1; at <= 120; at++) {
        struct relay r;
        struct hawser_conn *server = NULL;
        char bytes[3000] = {0};
        relay_init(&r, true, NULL, NULL);
        struct hawser_conn *client = relay_connect(&r, "10.2.0.2", SERVER_PORT, RELAY_ONE_TRY);
        r.env.fail_at = at;
        for (unsigned i = 0; i < 100; i++) {
            relay_run(&r, 20 * NS_PER_MS);
            (void)hawser_send(client, bytes, sizeof bytes);
            if (server || hawser_accept(r.servers, &server) == 0)
                (void)hawser_send(server, bytes, sizeof bytes);
        }
        hawser_abort(client);
        if (server)
            hawser_close(server);
        relay_run(&r, 150 * NS_PER_S); /* until a client that went without a word is forgotten */
        assert_int_equal(counts(&r).waiting, 0);
        relay_destroy(&r);
    }
}

/* Whoever waits when the door is shut is refused, and so is who comes later. */
static void shut_it_refuses_everybody(void **state)
{
    (void)state;
    char bytes[4];
    struct relay r;
    relay_init(&r, true, NULL, NULL);
    struct line line = relay_line(&r, NULL);
    r.cut[FAR_LINK] = true;
    struct hawser_conn *waits = relay_connect(&r, "10.2.0.2", SERVER_PORT, RELAY_ONE_TRY);
    relay_run(&r, 100 * NS_PER_MS);
    assert_int_equal(counts(&r).waiting, 1);
    door_shut(r.door);
    assert_int_equal(counts(&r).waiting, 0);
    struct hawser_conn *late = relay_connect(&r, "10.2.0.2", SERVER_PORT, RELAY_ONE_TRY);
    relay_run(&r, 100 * NS_PER_MS);
    assert_int_equal(hawser_conn_error(waits), -ECONNREFUSED);
    assert_int_equal(hawser_conn_error(late), -ECONNREFUSED);
    assert_int_equal(counts(&r).refused[HAWSER_REFUSE_RESET], 2);
    door_close(r.door);
    r.door = NULL;
    r.cut[FAR_LINK] = false;
    assert_int_equal(hawser_send(line.client, "on", 2), 2); /* joints live on */
    relay_run(&r, 100 * NS_PER_MS);
    assert_int_equal(hawser_recv(line.server, bytes, sizeof bytes), 2);
    hawser_close(waits);
    hawser_close(late);
    hawser_abort(line.client);
    hawser_abort(line.server);
    relay_run(&r, 100 * NS_PER_MS);
    relay_destroy(&r);
}

/* The plain one speaks plain TCP to the destination. */
static void the_far_side_has_its_own_options(void **state)
{
    (void)state;
    const struct hawser_conn_options plain = {.size = sizeof plain, .no_mptcp = true};
    for (unsigned kind = 0; kind < 2; kind++) {
        struct relay r;
        struct hawser_conn_info info = {.size = sizeof info};
        relay_init(&r, true, NULL, kind ? &plain : NULL);
        struct line line = relay_line(&r, NULL);
        assert_int_equal(hawser_conn_get_info(line.server, &info), 0);
        assert_int_equal(info.mptcp, !kind);
        hawser_abort(line.client);
        hawser_abort(line.server);
        relay_run(&r, 100 * NS_PER_MS);
        relay_destroy(&r);
    }
}

static void each_error_has_its_refusal(void **state)
{
    (void)state;
    assert_int_equal(door_refusal(-ECONNREFUSED), HAWSER_REFUSE_RESET);
    assert_int_equal(door_refusal(-ENETUNREACH), HAWSER_REFUSE_NETWORK);
    assert_int_equal(door_refusal(-EHOSTUNREACH), HAWSER_REFUSE_HOST);
    assert_int_equal(door_refusal(-EACCES), HAWSER_REFUSE_PROHIBITED);
    assert_int_equal(door_refusal(-ENOPROTOOPT), HAWSER_REFUSE_PROTOCOL);
    assert_int_equal(door_refusal(-ETIMEDOUT), HAWSER_REFUSE_SILENTLY);
    assert_int_equal(door_refusal(-EADDRNOTAVAIL), HAWSER_REFUSE_NETWORK);
    assert_int_equal(door_refusal(-ENOBUFS), HAWSER_REFUSE_RESET);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_said_before_the_destination_has),
        cmocka_unit_test(a_server_that_is_quick),
        cmocka_unit_test(a_refusal_is_one),
        cmocka_unit_test(no_way_is_told_at_once),
        cmocka_unit_test(who_finds_no_port_waits_for_one),
        cmocka_unit_test(silence_is_silence),
        cmocka_unit_test(it_begins_where_it_is_said),
        cmocka_unit_test(what_a_client_demands),
        cmocka_unit_test(who_wants_multipath_tcp_gets_nothing_else),
        cmocka_unit_test(who_gives_up_is_forgotten),
        cmocka_unit_test(who_does_not_go_on_is_reset_at_the_far_side),
        cmocka_unit_test(one_client_leaves_room),
        cmocka_unit_test(one_client_leaves_connections),
        cmocka_unit_test(a_full_relay_refuses),
        cmocka_unit_test(memory_fails_at_any_moment),
        cmocka_unit_test(shut_it_refuses_everybody),
        cmocka_unit_test(the_far_side_has_its_own_options),
        cmocka_unit_test(each_error_has_its_refusal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
