#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include <hawser/hawser.h>

#include "base/prng.h"
#include "run/host_state.h"
#include "run/host_turn.h"
#include "stack/stack.h"
#include "support.h"

enum { PORT = 5000, STREAM_MAX = 3000000, PATIENCE_MS = 10000 };

struct pair {
    struct hawser_host *a, *b;
    struct hawser_listener *listener; /* on b */
    struct hawser_conn *from, *to;
};

static struct hawser_addr addr_of(const char *text, uint16_t port)
{
    struct hawser_addr addr;
    assert_int_equal(hawser_addr_parse(&addr, text, port), 0);
    return addr;
}

static int join(struct hawser_host *a, const char *addr_a, struct hawser_host *b, const char *addr_b)
{
    struct hawser_addr local = addr_of(addr_a, 0), remote = addr_of(addr_b, 0);
    return hawser_host_add_pair(a, &local, b, &remote, 24);
}

static void setup(struct pair *p, bool two_paths)
{
    *p = (struct pair){0};
    assert_int_equal(hawser_host_new(NULL, &p->a), 0);
    assert_int_equal(hawser_host_new(NULL, &p->b), 0);
    assert_true(p->a && p->b);
    assert_int_equal(join(p->a, "10.1.0.1", p->b, "10.1.0.2"), 0);
    if (two_paths)
        assert_int_equal(join(p->a, "fd01::1", p->b, "fd01::2"), 0);
}

static void teardown(struct pair *p, bool a_first)
{
    hawser_host_free(a_first ? p->a : p->b);
    hawser_host_free(a_first ? p->b : p->a);
}

static bool readable(const struct hawser_host *host, int timeout_ms)
{
    struct pollfd p = {.fd = hawser_host_fd(host), .events = POLLIN};
    return poll(&p, 1, timeout_ms) == 1;
}

static void run(struct pair *p)
{
    struct pollfd fds[] = {{.fd = hawser_host_fd(p->a), .events = POLLIN},
                           {.fd = hawser_host_fd(p->b), .events = POLLIN}};
    assert_true(poll(fds, 2, PATIENCE_MS) > 0);
    if (fds[0].revents)
        assert_int_equal(hawser_host_step(p->a), 0);
    if (fds[1].revents)
        assert_int_equal(hawser_host_step(p->b), 0);
    while (next_told(hawser_host_stack(p->a)) || next_told(hawser_host_stack(p->b)))
        ; /* or the descriptors would stay readable */
}

/* Steps that take in all there is on the way, while nobody looks at the news they bring. */
static void step_both(struct pair *p)
{
    for (int i = 0; i < 10; i++) {
        assert_int_equal(hawser_host_step(p->a), 0);
        assert_int_equal(hawser_host_step(p->b), 0);
    }
}

static void open_connection_as(struct pair *p, const struct hawser_conn_options *options)
{
    struct hawser_addr any = {.port = PORT}, remote = addr_of("10.1.0.2", PORT);
    assert_int_equal(hawser_listen(hawser_host_stack(p->b), &any, 1, NULL, &p->listener), 0);
    assert_int_equal(hawser_connect(hawser_host_stack(p->a), &remote, options, hawser_host_now(p->a), &p->from), 0);
    hawser_host_step(p->a);
    while (hawser_accept(p->listener, &p->to) != 0)
        run(p);
    while (!(hawser_conn_ready(p->from) & HAWSER_CONNECTED))
        run(p);
}

static void open_connection(struct pair *p) { open_connection_as(p, NULL); }

/* Each host is stepped only when its own descriptor says so: enough for a stream to arrive whole. */
static void a_stream_arrives_driven_by_the_descriptors(void **state)
{
    (void)state;
    static uint8_t sent[STREAM_MAX], got[STREAM_MAX + 1];
    struct prng rng;
    struct pair p;
    prng_seed(&rng, test_seed());
    prng_fill(&rng, sent, sizeof(sent));
    for (int i = 0; i < 4; i++) {
        size_t queued = 0, arrived = 0;
        ssize_t n = -1;
        setup(&p, i & 1);
        open_connection(&p);
        while (n != 0) {
            if (queued < STREAM_MAX && hawser_conn_ready(p.from) & HAWSER_WRITABLE) {
                n = hawser_send(p.from, sent + queued, STREAM_MAX - queued);
                assert_true(n > 0);
                queued += (size_t)n;
                if (queued == STREAM_MAX)
                    hawser_shutdown(p.from);
                hawser_host_step(p.a);
            }
            run(&p);
            while ((n = hawser_recv(p.to, got + arrived, sizeof(got) - arrived)) > 0)
                arrived += (size_t)n;
        }
        assert_int_equal(arrived, STREAM_MAX);
        assert_memory_equal(got, sent, STREAM_MAX);
        teardown(&p, i & 2);
    }
}

static void waiting_events_keep_the_descriptor_readable(void **state)
{
    (void)state;
    uint8_t bytes[10000] = {0};
    struct pair p;
    setup(&p, false);
    open_connection(&p);
    assert_int_equal(hawser_send(p.from, bytes, sizeof(bytes)), sizeof(bytes));
    step_both(&p);
    assert_true(hawser_stack_pending(hawser_host_stack(p.b)));
    assert_true(readable(p.b, 0));
    assert_ptr_equal(next_told(hawser_host_stack(p.b)), p.to);
    assert_int_equal(hawser_recv(p.to, bytes, sizeof(bytes)), sizeof(bytes));
    assert_false(hawser_stack_pending(hawser_host_stack(p.b)));
    assert_int_equal(hawser_host_step(p.b), 0);
    assert_false(p.b->signalled);
    teardown(&p, true);
}

/* Until the program was told; and one that fails while it waits is nothing to wake up for. */
static void waiting_connections_make_the_descriptor_readable(void **state)
{
    (void)state;
    struct hawser_addr any = {.port = PORT}, remote = addr_of("10.1.0.2", PORT);
    struct hawser_conn *conns[3];
    struct pair p;
    setup(&p, false);
    assert_int_equal(hawser_listen(hawser_host_stack(p.b), &any, 4, NULL, &p.listener), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(hawser_connect(hawser_host_stack(p.a), &remote, NULL, hawser_host_now(p.a), &conns[i]), 0);
    step_both(&p);
    assert_true(readable(p.b, 0));
    assert_int_equal(hawser_accept(p.listener, &p.to), 0);
    assert_int_equal(hawser_host_step(p.b), 0);
    assert_true(readable(p.b, 0)); /* there are more, and nobody was told */
    assert_null(next_told(hawser_host_stack(p.b)));
    assert_ptr_equal(next_told(hawser_host_stack(p.b)), p.to);
    hawser_abort(conns[0]);
    hawser_abort(conns[1]);
    hawser_abort(conns[2]);
    step_both(&p);
    hawser_listener_close(p.listener);
    while (next_told(hawser_host_stack(p.b)))
        ;
    assert_int_equal(hawser_host_step(p.b), 0);
    assert_false(p.b->signalled);
    teardown(&p, true);
}

/* One connection and others have all the memory; who was refused any is told when some comes back. */
static void memory_that_comes_back_wakes_who_was_refused(void **state)
{
    (void)state;
    static const uint8_t bytes[1 << 20];
    struct hawser_stack_options small = {.size = sizeof(small), .max_memory_bytes = 1 << 20};
    struct hawser_addr remote = addr_of("10.1.0.2", PORT);
    struct hawser_conn *refused, *told = NULL;
    struct pair p = {0};
    assert_int_equal(hawser_host_new(&small, &p.a), 0);
    assert_int_equal(hawser_host_new(NULL, &p.b), 0);
    assert_int_equal(join(p.a, "10.1.0.1", p.b, "10.1.0.2"), 0);
    open_connection(&p);
    assert_int_equal(hawser_connect(hawser_host_stack(p.a), &remote, NULL, hawser_host_now(p.a), &refused), 0);
    hawser_host_step(p.a);
    while (!(hawser_conn_ready(refused) & HAWSER_CONNECTED))
        run(&p);
    while (hawser_send(p.from, bytes, sizeof(bytes)) > 0)
        ;
    struct account_root *memory = &hawser_host_stack(p.a)->host.memory;
    uint64_t elsewhere = memory->limit - memory->reserve - memory->account.held;
    account_charge(&memory->account, elsewhere);
    assert_int_equal(hawser_send(refused, bytes, sizeof(bytes)), -ENOBUFS);
    hawser_host_step(p.a);
    static uint8_t got[1 << 16];
    do {
        assert_true(readable(p.a, PATIENCE_MS));
        step_both(&p);
        while (hawser_recv(p.to, got, sizeof got) > 0)
            ;
        while (told != refused && (told = next_told(hawser_host_stack(p.a))))
            ;
    } while (told != refused || hawser_send(refused, bytes, sizeof(bytes)) <= 0);
    account_release(&memory->account, elsewhere);
    teardown(&p, true);
}

/* A loop that looks at events between the halves of a step: what it says to them leaves with the second one. */
static void a_step_has_two_halves(void **state)
{
    (void)state;
    char got[8];
    struct pair p;
    setup(&p, false);
    open_connection(&p);
    step_both(&p);
    while (next_told(hawser_host_stack(p.a)) || next_told(hawser_host_stack(p.b)))
        ;
    step_both(&p);
    assert_int_equal(hawser_send(p.from, "ping", 4), 4);
    assert_false(host_send_out(p.a));
    assert_true(readable(p.b, 0));
    assert_int_equal(host_take_in(p.b), 0);
    assert_ptr_equal(next_told(hawser_host_stack(p.b)), p.to);
    assert_int_equal(hawser_recv(p.to, got, sizeof got), 4);
    assert_int_equal(hawser_send(p.to, "pong", 4), 4);
    assert_false(readable(p.a, 0));
    assert_false(host_send_out(p.b));
    assert_true(readable(p.a, 0));
    assert_int_equal(host_take_in(p.a), 0);
    assert_true(host_send_out(p.a)); /* nobody has looked at the event */
    assert_true(readable(p.a, 0));
    assert_int_equal(hawser_recv(p.from, got, sizeof got), 4);
    assert_memory_equal(got, "pong", 4);
    assert_false(host_send_out(p.a));
    teardown(&p, true);
}

/* More packets than leave in one step: what is left needs no packet and no timer to go. */
static void output_that_is_left_keeps_the_descriptor_readable(void **state)
{
    (void)state;
    enum { CONNECTIONS = 1100 };
    struct hawser_addr remote = addr_of("10.1.0.2", PORT);
    struct hawser_conn *conn;
    struct hawser_counter out = {0};
    struct pair p;
    setup(&p, false);
    for (int i = 0; i < CONNECTIONS; i++)
        assert_int_equal(hawser_connect(hawser_host_stack(p.a), &remote, NULL, hawser_host_now(p.a), &conn), 0);
    for (int steps = 0; out.value < CONNECTIONS; steps++) {
        assert_true(steps == 0 || readable(p.a, 0));
        assert_int_equal(hawser_host_step(p.a), 0);
        for (size_t i = 0; hawser_stack_counter(hawser_host_stack(p.a), i, &out); i++)
            if (strcmp(out.name, "ip.packets_out") == 0)
                break;
    }
    assert_false(p.a->signalled);
    teardown(&p, true);
}

/* A program sends, closes and ends: once the host is drained all has arrived, and nothing before says so. */
static void a_host_is_drained_before_it_ends(void **state)
{
    (void)state;
    static uint8_t sent[1000000], got[1000001];
    for (int plain = 0; plain < 2; plain++) {
        const struct hawser_conn_options options = {.size = sizeof(options), .no_mptcp = plain};
        struct hawser_unfinished left;
        size_t arrived = 0;
        ssize_t n;
        int error;
        struct pair p;
        setup(&p, false);
        open_connection_as(&p, &options);
        memset(sent, 7 + plain, sizeof(sent));
        assert_int_equal(hawser_send(p.from, sent, sizeof(sent)), sizeof(sent));
        assert_int_equal(hawser_host_drain(p.a, 0, &left), 0); /* it is not closed: that is the program's affair */
        hawser_close(p.from);
        while ((error = hawser_host_drain(p.a, 0, &left)) != 0) {
            assert_int_equal(error, -ETIMEDOUT);
            assert_int_equal(left.connections, 1);
            assert_true(left.bytes <= sizeof(sent) - arrived);
            assert_true(readable(p.a, PATIENCE_MS) || readable(p.b, 0));
            hawser_host_step(p.b);
            while ((n = hawser_recv(p.to, got + arrived, sizeof(got) - arrived)) > 0)
                arrived += (size_t)n;
        }
        assert_int_equal(left.connections + left.bytes + left.failed, 0);
        hawser_host_free(p.a);
        while ((n = hawser_recv(p.to, got + arrived, sizeof(got) - arrived)) > 0)
            arrived += (size_t)n;
        assert_int_equal(n, 0);
        assert_int_equal(arrived, sizeof(sent));
        assert_memory_equal(got, sent, sizeof(sent));
        hawser_host_free(p.b);
    }
}

/* The peers of a program that goes learn of it at once. */
static void a_host_that_goes_says_so(void **state)
{
    (void)state;
    for (int plain = 0; plain < 2; plain++) {
        const struct hawser_conn_options options = {.size = sizeof(options), .no_mptcp = plain};
        for (int end = 0; end < 2; end++) {
            struct pair p;
            setup(&p, true);
            open_connection_as(&p, &options);
            step_both(&p);
            hawser_host_free(end ? p.b : p.a);
            hawser_host_step(end ? p.a : p.b);
            assert_int_equal(hawser_conn_error(end ? p.from : p.to), -ECONNRESET);
            hawser_host_free(end ? p.a : p.b);
        }
    }
}

/* The peer does not even acknowledge: patience ends, and what is left is told. Events of others wait meanwhile. */
static void a_drain_without_an_end_says_what_is_left(void **state)
{
    (void)state;
    static const uint8_t bytes[1000000];
    struct hawser_unfinished left;
    struct hawser_conn *waiting;
    struct hawser_addr nobody = addr_of("10.1.0.2", PORT + 1);
    struct pair p;
    setup(&p, false);
    open_connection(&p);
    assert_int_equal(hawser_connect(hawser_host_stack(p.a), &nobody, NULL, hawser_host_now(p.a), &waiting), 0);
    step_both(&p); /* refused: an event */
    assert_int_equal(hawser_send(p.from, bytes, sizeof(bytes)), sizeof(bytes));
    hawser_close(p.from);
    assert_int_equal(hawser_host_drain(p.a, 50000000, &left), -ETIMEDOUT);
    assert_int_equal(left.connections, 1);
    assert_int_equal(left.bytes, sizeof(bytes));
    assert_true(readable(p.a, 0));
    assert_ptr_equal(next_told(hawser_host_stack(p.a)), waiting);
    teardown(&p, true);
}

static void a_drain_tells_of_failure(void **state)
{
    (void)state;
    static const uint8_t bytes[1000000];
    struct hawser_unfinished left;
    struct pair p;
    setup(&p, false);
    open_connection(&p);
    assert_int_equal(hawser_send(p.from, bytes, sizeof(bytes)), sizeof(bytes));
    hawser_close(p.from);
    hawser_abort(p.to);
    hawser_host_step(p.b);
    assert_int_equal(hawser_host_drain(p.a, HAWSER_NEVER, &left), -ECONNRESET);
    assert_int_equal(left.connections, 0);
    assert_int_equal(left.failed, 1);
    assert_int_equal(hawser_host_drain(p.a, HAWSER_NEVER, &left), 0); /* told */
    assert_int_equal(left.failed, 1);
    teardown(&p, true);
}

static void ignore_signal(int number) { (void)number; }

static void a_signal_ends_a_drain(void **state)
{
    (void)state;
    struct hawser_unfinished left;
    struct sigaction action = {.sa_handler = ignore_signal};
    struct itimerval soon = {.it_value.tv_usec = 20000, .it_interval.tv_usec = 20000}, never = {0};
    struct pair p;
    setup(&p, false);
    open_connection(&p);
    assert_int_equal(hawser_send(p.from, "x", 1), 1);
    hawser_close(p.from);
    assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
    setitimer(ITIMER_REAL, &soon, NULL);
    assert_int_equal(hawser_host_drain(p.a, HAWSER_NEVER, &left), -EINTR);
    setitimer(ITIMER_REAL, &never, NULL);
    assert_int_equal(left.connections, 1);
    teardown(&p, true);
}

static void an_idle_host_sleeps(void **state)
{
    (void)state;
    struct pair p;
    setup(&p, true);
    hawser_host_step(p.a);
    hawser_host_step(p.b);
    assert_false(readable(p.a, 50));
    assert_false(readable(p.b, 0));
    teardown(&p, true);
}

/* Nobody answers: the descriptor must wake the host for each retransmission by itself, and sleep in between. */
static void the_timer_wakes_the_host(void **state)
{
    (void)state;
    struct pair p;
    struct hawser_conn *conn;
    struct hawser_addr remote = addr_of("10.1.0.9", PORT);
    struct hawser_counter counter = {0};
    setup(&p, false);
    hawser_host_free(p.b);
    assert_int_equal(hawser_connect(hawser_host_stack(p.a), &remote, NULL, hawser_host_now(p.a), &conn), 0);
    hawser_host_step(p.a);
    uint64_t start_ns = hawser_host_now(p.a);
    unsigned wakes = 0;
    do {
        assert_true(readable(p.a, PATIENCE_MS));
        hawser_host_step(p.a);
        wakes++;
        for (size_t i = 0; hawser_stack_counter(hawser_host_stack(p.a), i, &counter); i++) {
            if (strcmp(counter.name, "tcp.timeouts") == 0)
                break;
        }
    } while (counter.value < 1);
    uint64_t slept_ns = hawser_host_now(p.a) - start_ns;
    assert_true(slept_ns > 500000000 && slept_ns < 3000000000); /* RFC 6298 2.1: one second */
    assert_true(wakes <= 5);
    hawser_host_free(p.a);
}

static void bad_pairs_are_refused_and_leave_nothing(void **state)
{
    (void)state;
    struct pair p;
    setup(&p, false);
    assert_int_equal(join(p.a, "10.1.0.1", p.b, "10.1.0.3"), -EEXIST);
    assert_int_equal(join(p.a, "10.1.0.3", p.b, "10.1.0.2"), -EEXIST);
    struct hawser_addr local = addr_of("10.3.0.1", 0), remote = addr_of("10.3.0.2", 0);
    assert_int_equal(hawser_host_add_pair(p.a, &local, p.b, &remote, 33), -EINVAL);

    int error = 0;
    for (int i = 0; i < 300 && !error; i++) {
        char a[20], b[20];
        snprintf(a, sizeof(a), "10.4.%d.1", i);
        snprintf(b, sizeof(b), "10.4.%d.2", i);
        error = join(p.a, a, p.b, b);
    }
    assert_int_equal(error, -ENOSPC);
    open_connection(&p);
    teardown(&p, false);
}

static void counters_of_links_are_summed(void **state)
{
    (void)state;
    struct pair p;
    struct hawser_counter a, b;
    setup(&p, true);
    open_connection(&p);
    size_t i = 0;
    for (; hawser_host_counter(p.a, i, &a); i++) {
        assert_non_null(a.name);
        if (strcmp(a.name, "link.packets_out") == 0)
            break;
    }
    assert_true(a.value >= 2);
    uint64_t out = a.value;
    host_detach(p.a, 0); /* what a link that is gone counted is not forgotten */
    assert_true(hawser_host_counter(p.a, i, &a));
    assert_int_equal(a.value, out);
    for (i = 0; hawser_host_counter(p.b, i, &b) && strcmp(b.name, "link.packets_in") != 0; i++)
        ;
    assert_true(b.value >= 2 && b.value <= out);
    while (hawser_host_counter(p.b, i, &b))
        i++;
    assert_false(hawser_host_counter(p.b, i + 1, &b));
    teardown(&p, true);
}

/* For a buffer pool of the program's own, say; two draws of the system's randomness differ. */
static void its_environment_is_the_systems(void **state)
{
    (void)state;
    struct pair p;
    struct hawser_buf_pool *pool;
    uint8_t random[2][16] = {{0}};
    setup(&p, false);
    const struct hawser_env *env = hawser_host_env(p.a);
    teardown(&p, true);
    env->random(env->ctx, random[0], sizeof(random[0]));
    env->random(env->ctx, random[1], sizeof(random[1]));
    assert_memory_not_equal(random[0], random[1], sizeof(random[0]));
    assert_int_equal(hawser_buf_pool_new(env, 100, 1, &pool), 0);
    struct hawser_buf *buf = hawser_buf_new(pool);
    assert_non_null(buf);
    hawser_buf_pool_close(pool);
    hawser_buf_unref(buf);
}

static void options_say_their_size(void **state)
{
    (void)state;
    const struct hawser_stack_options options = {.max_connections = 1};
    struct hawser_host *host;
    assert_int_equal(hawser_host_new(&options, &host), -EINVAL);
}

static void bad_specs_are_refused_with_a_reason(void **state)
{
    (void)state;
    char why[200] = "";
    struct hawser_host *host;
    assert_int_equal(hawser_host_new(NULL, &host), 0);
    assert_int_equal(hawser_host_add_link(host, "tun,dev=hw0", why, sizeof(why)), -EINVAL);
    assert_non_null(strstr(why, "addr="));
    hawser_host_free(host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_arrives_driven_by_the_descriptors),
        cmocka_unit_test(waiting_events_keep_the_descriptor_readable),
        cmocka_unit_test(waiting_connections_make_the_descriptor_readable),
        cmocka_unit_test(memory_that_comes_back_wakes_who_was_refused),
        cmocka_unit_test(a_step_has_two_halves),
        cmocka_unit_test(output_that_is_left_keeps_the_descriptor_readable),
        cmocka_unit_test(a_host_is_drained_before_it_ends),
        cmocka_unit_test(a_host_that_goes_says_so),
        cmocka_unit_test(a_drain_without_an_end_says_what_is_left),
        cmocka_unit_test(a_drain_tells_of_failure),
        cmocka_unit_test(a_signal_ends_a_drain),
        cmocka_unit_test(an_idle_host_sleeps),
        cmocka_unit_test(the_timer_wakes_the_host),
        cmocka_unit_test(bad_pairs_are_refused_and_leave_nothing),
        cmocka_unit_test(counters_of_links_are_summed),
        cmocka_unit_test(its_environment_is_the_systems),
        cmocka_unit_test(options_say_their_size),
        cmocka_unit_test(bad_specs_are_refused_with_a_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
