/* Who may wait at a published port (apps/service/stall.h) for a server that does not answer. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "service/service.h"
#include "service/stall.h"

enum { PORT = 443, AT_ONCE = 64 };

struct fixture {
    struct service service;
    struct stalls stalls;
    struct stall_sockets sockets;
    struct stall *stall;
    struct hawser_host *clients;
    struct hawser_conn *conns[STALL_WAITING + 8];
    unsigned count, asked, cancelled;
};

static int ask(struct dialer *dialer, const struct destination *to, struct dial_user *user, uint64_t now_ns,
               struct dial **out)
{
    struct fixture *f = HW_CONTAINER(dialer, struct fixture, sockets.kernel.dialer);
    (void)to;
    (void)user;
    (void)now_ns;
    f->asked++;
    *out = (struct dial *)f;
    return 0;
}

static void cancel(struct dialer *dialer, struct dial *dial)
{
    struct fixture *f = HW_CONTAINER(dialer, struct fixture, sockets.kernel.dialer);
    assert_ptr_equal(dial, f);
    f->cancelled++;
}

static bool find_server(void *of, const struct hawser_addr *inside, struct hawser_addr *to)
{
    (void)of;
    *to = *inside;
    return true;
}

static struct hawser_addr addr_of(const char *text, uint16_t port)
{
    struct hawser_addr addr;
    assert_int_equal(hawser_addr_parse(&addr, text, port), 0);
    return addr;
}

static void join(struct fixture *f, const char *own, const char *client)
{
    const struct hawser_addr a = addr_of(own, 0), b = addr_of(client, 0);
    assert_int_equal(hawser_host_add_pair(f->service.host, &a, f->clients, &b, 24), 0);
}

static void set_up(struct fixture *f, unsigned patience_s)
{
    char why[256];
    memset(f, 0, sizeof *f);
    assert_int_equal(hawser_host_new(NULL, &f->service.host), 0);
    assert_int_equal(hawser_host_new(NULL, &f->clients), 0);
    assert_true(sd_event_new(&f->service.loop) >= 0);
    join(f, "10.1.0.1", "10.1.0.2");
    join(f, "10.2.0.1", "10.2.0.2");
    joints_init(&f->service.joints);
    stalls_init(&f->stalls, &f->service);
    f->stalls.patience_s = patience_s;
    assert_int_equal(stall_sockets_init(&f->sockets, &f->service, 4 * STALL_WAITING), 0);
    f->sockets.kernel.dialer = (struct dialer){ask, cancel};
    const struct stall_options options = {.port = PORT, .sockets = &f->sockets, .server = find_server};
    assert_int_equal(stall_open(&f->stalls, &options, &f->stall, why, sizeof why), 0);
}

static void tear_down(struct fixture *f)
{
    stall_close(f->stall);
    assert_int_equal(f->asked, f->cancelled);
    stall_sockets_end(&f->sockets);
    hawser_host_free(f->service.host);
    hawser_host_free(f->clients);
    sd_event_unref(f->service.loop);
}

static struct stall_counts counts(const struct fixture *f)
{
    struct stall_status status;
    assert_true(stalls_status(&f->stalls, 0, &status));
    assert_int_equal(status.port, PORT);
    return status.counts;
}

static void turn(struct fixture *f)
{
    hawser_host_step(f->clients);
    hawser_host_step(f->service.host);
    watch_serve(hawser_host_stack(f->service.host), hawser_host_now(f->service.host));
    assert_true(sd_event_run(f->service.loop, 0) >= 0);
    hawser_host_step(f->service.host);
}

/* So many that `f` has heard of, one way or another. */
static unsigned came(const struct fixture *f)
{
    const struct stall_counts c = counts(f);
    return c.waiting + (unsigned)c.refused;
}

static void come(struct fixture *f, const char *from, const char *to, unsigned count)
{
    const struct hawser_addr server = addr_of(to, PORT);
    const struct hawser_conn_options options = {.size = sizeof options, .no_mptcp = true, .local = addr_of(from, 0)};
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(hawser_connect(hawser_host_stack(f->clients), &server, &options, hawser_host_now(f->clients),
                                        &f->conns[f->count++]),
                         0);
        while (came(f) + AT_ONCE < f->count)
            turn(f);
    }
    while (came(f) < f->count)
        turn(f);
}

static void one_client_leaves_places_for_others(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, STALL_PATIENCE_S);
    come(&f, "10.1.0.2", "10.1.0.1", STALL_WAITING);
    assert_int_equal(counts(&f).waiting, STALL_WAITING / 2);
    assert_int_equal(counts(&f).turned_away, STALL_WAITING / 2);
    come(&f, "10.2.0.2", "10.2.0.1", 1);
    assert_int_equal(counts(&f).waiting, STALL_WAITING / 2 + 1);
    assert_int_equal(counts(&f).refused, STALL_WAITING / 2);
    assert_int_equal(f.cancelled, 0);
    tear_down(&f);
}

static void nobody_waits_for_ever(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, 1);
    come(&f, "10.1.0.2", "10.1.0.1", 3);
    while (counts(&f).refused < 3)
        turn(&f);
    assert_int_equal(counts(&f).waiting, 0);
    assert_int_equal(counts(&f).turned_away, 0);
    assert_int_equal(f.cancelled, 3);
    turn(&f);
    for (unsigned i = 0; i < f.count; i++)
        assert_int_equal(hawser_conn_error(f.conns[i]), -ECONNRESET);
    come(&f, "10.1.0.2", "10.1.0.1", 1);
    assert_int_equal(counts(&f).waiting + counts(&f).refused, 4);
    assert_int_equal(counts(&f).turned_away, 0);
    tear_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_client_leaves_places_for_others),
        cmocka_unit_test(nobody_waits_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
