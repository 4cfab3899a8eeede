/* Events: each thing is told once, when it is so, and to nobody who knows it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/units.h"
#include "world.h"

#define PORT 5001
#define BUFFER (64u << 10)

struct scene {
    struct world w;
    struct hawser_listener *listener;
    struct hawser_conn *conn[2];
};

static void run(struct scene *s, uint64_t ns)
{
    uint64_t until_ns = s->w.now_ns + ns;
    while (world_step(&s->w, until_ns))
        ;
    s->w.now_ns = until_ns;
}

/* What is told next at one end; 0: nothing. What is pending agrees. */
static unsigned next(struct scene *s, int end, struct hawser_event *event)
{
    bool pending = hawser_stack_pending(s->w.stack[end]);
    *event = (struct hawser_event){0};
    assert_int_equal(hawser_next_event(s->w.stack[end], event), pending);
    assert_int_equal(event->what != 0, pending);
    assert_int_equal(pending, !!event->conn + !!event->listener);
    return event->what;
}

/* The next event is of the end's connection, or there is none. */
static void expect(struct scene *s, int end, unsigned what)
{
    struct hawser_event event;
    assert_int_equal(next(s, end, &event), what);
    assert_ptr_equal(event.conn, what ? s->conn[end] : NULL);
    assert_ptr_equal(event.user, what ? hawser_conn_user(s->conn[end]) : NULL);
}

static void expect_listener(struct scene *s)
{
    struct hawser_event event;
    assert_int_equal(next(s, 1, &event), HAWSER_ACCEPTABLE);
    assert_ptr_equal(event.listener, s->listener);
    assert_ptr_equal(event.user, s);
}

static void begin(struct scene *s, bool plain, const struct hawser_conn_options *client)
{
    const struct hawser_stack_options options = {.size = sizeof options, .no_mptcp = plain};
    const struct hawser_conn_options server = {
        .size = sizeof server, .send_buffer_bytes = BUFFER, .recv_buffer_bytes = BUFFER};
    const struct hawser_addr any = {.port = PORT};
    memset(s, 0, sizeof *s);
    world_init(&s->w, 3, 1, 1, false, &options, NULL);
    const struct hawser_addr to = world_server_addr(&s->w, 0, PORT);
    assert_int_equal(hawser_listen(s->w.stack[1], &any, 4, &server, &s->listener), 0);
    hawser_listener_set_user(s->listener, s);
    assert_ptr_equal(hawser_listener_user(s->listener), s);
    assert_int_equal(hawser_connect(s->w.stack[0], &to, client, s->w.now_ns, &s->conn[0]), 0);
    hawser_conn_set_user(s->conn[0], &s->conn[0]);
    expect(s, 0, 0);
    run(s, NS_PER_S);
}

static void accept_it(struct scene *s)
{
    assert_int_equal(hawser_accept(s->listener, &s->conn[1]), 0);
    hawser_conn_set_user(s->conn[1], &s->conn[1]);
}

static void meet(struct scene *s, bool plain, const struct hawser_conn_options *client)
{
    begin(s, plain, client);
    expect(s, 0, HAWSER_CONNECTED | HAWSER_WRITABLE);
    expect_listener(s);
    accept_it(s);
    expect(s, 1, HAWSER_CONNECTED | HAWSER_WRITABLE);
}

static void done(struct scene *s)
{
    expect(s, 0, 0);
    expect(s, 1, 0);
    world_destroy(&s->w);
}

static void send_all(struct scene *s, int from, const char *text)
{
    size_t len = strlen(text);
    assert_int_equal(hawser_send(s->conn[from], text, len), len);
    run(s, NS_PER_S);
}

static void bytes_are_told_each_time_some_arrive(void **state)
{
    (void)state;
    char bytes[16];
    struct scene s;
    meet(&s, false, NULL);
    send_all(&s, 0, "one");
    expect(&s, 1, HAWSER_READABLE);
    expect(&s, 1, 0); /* they wait, but that is known */
    send_all(&s, 0, "two");
    send_all(&s, 0, "three");
    expect(&s, 1, HAWSER_READABLE);
    assert_int_equal(hawser_recv(s.conn[1], bytes, 4), 4);
    expect(&s, 1, 0);
    send_all(&s, 0, "four"); /* less than was there when it was told last */
    expect(&s, 1, HAWSER_READABLE);
    assert_int_equal(hawser_recv(s.conn[1], bytes, sizeof bytes), 11);
    assert_memory_equal(bytes, "wothreefour", 11);
    send_all(&s, 0, "five");
    assert_int_equal(hawser_recv(s.conn[1], bytes, sizeof bytes), 4); /* who reads them need not be told */
    done(&s);
}

static void each_end_is_told_once(void **state)
{
    (void)state;
    char byte;
    for (int plain = 0; plain < 2; plain++) {
        struct scene s;
        meet(&s, plain, NULL);
        assert_int_equal(hawser_send(s.conn[0], "last", 4), 4);
        hawser_shutdown(s.conn[0]);
        run(&s, NS_PER_S);
        expect(&s, 0, HAWSER_DELIVERED);
        expect(&s, 1, HAWSER_READABLE | HAWSER_PEER_FINISHED);
        hawser_consume(s.conn[1], 4);
        assert_int_equal(hawser_recv(s.conn[1], &byte, 1), 0);
        expect(&s, 1, 0);
        hawser_shutdown(s.conn[1]);
        run(&s, NS_PER_S);
        expect(&s, 0, HAWSER_READABLE | HAWSER_PEER_FINISHED | HAWSER_CLOSED);
        expect(&s, 1, HAWSER_DELIVERED | HAWSER_CLOSED);
        run(&s, 200 * NS_PER_S);
        expect(&s, 0, 0);
        expect(&s, 1, 0);
        assert_int_equal(hawser_conn_ready(s.conn[0]),
                         HAWSER_CONNECTED | HAWSER_READABLE | HAWSER_PEER_FINISHED | HAWSER_DELIVERED | HAWSER_CLOSED);
        hawser_close(s.conn[0]);
        hawser_close(s.conn[1]);
        done(&s);
    }
}

static void what_is_not_acknowledged_is_not_delivered(void **state)
{
    (void)state;
    for (int plain = 0; plain < 2; plain++) {
        struct scene s;
        meet(&s, plain, NULL);
        s.w.paths[0].down = true;
        assert_int_equal(hawser_send(s.conn[0], "last", 4), 4);
        hawser_shutdown(s.conn[0]);
        run(&s, NS_PER_S);
        expect(&s, 0, 0);
        s.w.paths[0].down = false;
        run(&s, 10 * NS_PER_S);
        expect(&s, 0, HAWSER_DELIVERED);
        expect(&s, 1, HAWSER_READABLE | HAWSER_PEER_FINISHED);
        done(&s);
    }
}

/* Fills the client's buffer; the server does not read. Returns how much that took. */
static size_t fill(struct scene *s)
{
    static uint8_t bytes[1000];
    size_t all = 0;
    ssize_t n;
    do {
        while ((n = hawser_send(s->conn[0], bytes, sizeof bytes)) > 0)
            all += (size_t)n;
        assert_int_equal(n, -EAGAIN);
        run(s, NS_PER_S);
    } while (hawser_conn_ready(s->conn[0]) & HAWSER_WRITABLE);
    return all;
}

static uint32_t room(const struct scene *s, size_t sent)
{
    struct hawser_conn_info info = {.size = sizeof info};
    assert_int_equal(hawser_conn_get_info(s->conn[0], &info), 0);
    return (uint32_t)(BUFFER - (sent - info.acked_bytes));
}

/* The server reads in small steps; room is told when there is enough, once. */
static void room_is_told_from_the_low_water_mark_on(void **state)
{
    (void)state;
    static const struct {
        uint32_t asked, mark;
    } cases[] = {{0, BUFFER / 8}, {1, 1}, {BUFFER / 2, BUFFER / 2}, {BUFFER, BUFFER}, {UINT32_MAX, BUFFER}};
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct hawser_conn_options client = {
            .size = sizeof client, .send_buffer_bytes = BUFFER, .send_low_water_bytes = cases[i].asked};
        struct hawser_event event;
        struct scene s;
        meet(&s, i & 1, &client);
        size_t sent = fill(&s);
        for (unsigned told = 0; told == 0;) {
            assert_true(hawser_conn_ready(s.conn[1]) & HAWSER_READABLE);
            hawser_consume(s.conn[1], 3000);
            run(&s, NS_PER_S);
            told = next(&s, 0, &event);
            assert_int_equal(told, room(&s, sent) >= cases[i].mark ? HAWSER_WRITABLE : 0);
        }
        hawser_consume(s.conn[1], BUFFER);
        run(&s, 10 * NS_PER_S);
        expect(&s, 0, 0); /* there is more, but nobody was refused */
        while (next(&s, 1, &event))
            ;
        done(&s);
    }
}

/* Who sends what there is room for and looks at hawser_conn_ready() is not refused, and yet waits for room. */
static void who_leaves_no_room_is_told(void **state)
{
    (void)state;
    static uint8_t bytes[BUFFER];
    const struct hawser_conn_options client = {.size = sizeof client, .send_buffer_bytes = BUFFER};
    struct scene s;
    meet(&s, false, &client);
    assert_int_equal(hawser_send(s.conn[0], bytes, BUFFER), BUFFER);
    assert_false(hawser_conn_ready(s.conn[0]) & HAWSER_WRITABLE);
    run(&s, NS_PER_S);
    expect(&s, 0, HAWSER_WRITABLE);
    expect(&s, 1, HAWSER_READABLE);
    done(&s);
}

static void a_failure_is_told_once(void **state)
{
    (void)state;
    struct scene s;
    meet(&s, false, NULL);
    hawser_abort(s.conn[1]);
    run(&s, NS_PER_S);
    expect(&s, 0, HAWSER_ERROR | HAWSER_READABLE | HAWSER_WRITABLE | HAWSER_CLOSED);
    assert_int_equal(hawser_conn_error(s.conn[0]), -ECONNRESET);
    run(&s, 100 * NS_PER_S);
    expect(&s, 0, 0);
    assert_int_equal(hawser_send(s.conn[0], "", 1), -ECONNRESET);
    expect(&s, 0, 0);
    hawser_close(s.conn[0]);
    done(&s);
}

/* Neither for what was there, nor for what comes. */
static void who_gave_up_a_handle_is_not_told_of_it(void **state)
{
    (void)state;
    for (int aborts = 0; aborts < 2; aborts++) {
        struct scene s;
        begin(&s, false, NULL);
        assert_true(hawser_stack_pending(s.w.stack[0]));
        if (aborts)
            hawser_abort(s.conn[0]);
        else
            hawser_close(s.conn[0]);
        expect(&s, 0, 0);
        run(&s, 100 * NS_PER_S);
        expect(&s, 0, 0);
        hawser_listener_close(s.listener);
        done(&s);
    }
}

static void a_listener_is_told_of_each_that_comes(void **state)
{
    (void)state;
    struct scene s;
    struct hawser_conn *others[3];
    begin(&s, false, NULL);
    const struct hawser_addr to = world_server_addr(&s.w, 0, PORT);
    assert_int_equal(hawser_send(s.conn[0], "early", 5), 5);
    run(&s, NS_PER_S);
    expect_listener(&s); /* and nothing of bytes on what nobody accepted */
    expect(&s, 1, 0);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(hawser_connect(s.w.stack[0], &to, NULL, s.w.now_ns, &others[i]), 0);
    run(&s, NS_PER_S);
    expect_listener(&s);
    expect(&s, 1, 0); /* four wait, and that is known */
    accept_it(&s);
    expect(&s, 1, HAWSER_CONNECTED | HAWSER_READABLE | HAWSER_WRITABLE);
    expect(&s, 1, 0);
    assert_int_equal(hawser_connect(s.w.stack[0], &to, NULL, s.w.now_ns, &s.conn[0]), 0);
    run(&s, NS_PER_S);
    assert_true(hawser_stack_pending(s.w.stack[1]));
    for (unsigned i = 0; i < 4; i++)
        accept_it(&s);
    assert_int_equal(hawser_accept(s.listener, &s.conn[1]), -EAGAIN);
    struct hawser_event event; /* all were accepted: there is nothing to be told of the listener */
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(next(&s, 1, &event), HAWSER_CONNECTED | HAWSER_WRITABLE);
        assert_non_null(event.conn);
    }
    assert_int_equal(next(&s, 1, &event), 0);
    world_destroy(&s.w);
}

/* One event at a time, and the others keep their turns. */
static void in_the_order_in_which_they_came(void **state)
{
    (void)state;
    struct scene s;
    struct hawser_event event;
    struct hawser_conn *other;
    meet(&s, false, NULL);
    const struct hawser_addr to = world_server_addr(&s.w, 0, PORT);
    send_all(&s, 0, "one");
    assert_int_equal(hawser_connect(s.w.stack[0], &to, NULL, s.w.now_ns, &other), 0);
    run(&s, NS_PER_S);
    send_all(&s, 0, "two");
    expect(&s, 1, HAWSER_READABLE);
    send_all(&s, 0, "three");
    expect_listener(&s);
    expect(&s, 1, HAWSER_READABLE);
    assert_int_equal(next(&s, 0, &event), HAWSER_CONNECTED | HAWSER_WRITABLE);
    assert_ptr_equal(event.conn, other);
    done(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_are_told_each_time_some_arrive),
        cmocka_unit_test(each_end_is_told_once),
        cmocka_unit_test(what_is_not_acknowledged_is_not_delivered),
        cmocka_unit_test(room_is_told_from_the_low_water_mark_on),
        cmocka_unit_test(who_leaves_no_room_is_told),
        cmocka_unit_test(a_failure_is_told_once),
        cmocka_unit_test(who_gave_up_a_handle_is_not_told_of_it),
        cmocka_unit_test(a_listener_is_told_of_each_that_comes),
        cmocka_unit_test(in_the_order_in_which_they_came),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
