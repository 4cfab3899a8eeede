/* The service's loop (apps/service/service.h), with another host behind a cable. */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "service/service.h"

enum { PORT = 80, STATUS = 7, ROUNDS = 100 };

struct fixture {
    struct service service;
    struct hawser_host *peer;
    struct hawser_listener *listener;
    struct hawser_conn *conn;
    struct watch watch;
    unsigned heard, calls;
};

static unsigned open_descriptors(void)
{
    unsigned count = 0;
    DIR *dir = opendir("/proc/self/fd");
    assert_non_null(dir);
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

static struct hawser_addr addr_of(const char *text, uint16_t port)
{
    struct hawser_addr addr;
    assert_int_equal(hawser_addr_parse(&addr, text, port), 0);
    return addr;
}

static int step_peer(sd_event_source *source, int fd, uint32_t events, void *user)
{
    struct fixture *f = user;
    struct hawser_event event;
    (void)source;
    (void)fd;
    (void)events;
    hawser_host_step(f->peer);
    while (hawser_next_event(hawser_host_stack(f->peer), &event))
        ;
    return 0;
}

/* Somebody came. */
static void heard(struct watch *watch, const struct hawser_event *event, uint64_t now_ns)
{
    struct fixture *f = HW_CONTAINER(watch, struct fixture, watch);
    struct hawser_conn *conn;
    (void)event;
    (void)now_ns;
    f->heard++;
    assert_int_equal(hawser_accept(f->listener, &conn), 0);
    hawser_abort(conn);
    sd_event_exit(f->service.loop, STATUS);
}

static void set_up(struct fixture *f)
{
    const struct hawser_addr own = addr_of("10.1.0.1", 0), other = addr_of("10.1.0.2", 0);
    const struct hawser_addr at = addr_of("10.1.0.1", PORT);
    *f = (struct fixture){.watch = {heard}};
    assert_int_equal(service_init(&f->service, NULL), 0);
    assert_int_equal(hawser_host_new(NULL, &f->peer), 0);
    assert_int_equal(hawser_host_add_pair(f->service.host, &own, f->peer, &other, 24), 0);
    assert_int_equal(hawser_listen(hawser_host_stack(f->service.host), &at, 4, NULL, &f->listener), 0);
    hawser_listener_set_user(f->listener, &f->watch);
    assert_true(sd_event_add_io(f->service.loop, NULL, hawser_host_fd(f->peer), EPOLLIN, step_peer, f) >= 0);
}

static void call(struct fixture *f)
{
    const struct hawser_addr at = addr_of("10.1.0.1", PORT);
    assert_int_equal(hawser_connect(hawser_host_stack(f->peer), &at, NULL, hawser_host_now(f->peer), &f->conn), 0);
    hawser_host_step(f->peer);
}

static void tear_down(struct fixture *f)
{
    hawser_listener_close(f->listener);
    service_end(&f->service);
    hawser_host_free(f->peer);
}

static void serves_the_host_until_told_to_stop(void **state)
{
    struct fixture f;
    unsigned before = open_descriptors();
    (void)state;
    set_up(&f);
    call(&f);
    assert_int_equal(service_run(&f.service), STATUS);
    assert_int_equal(f.heard, 1);
    tear_down(&f);
    assert_int_equal(open_descriptors(), before);
}

static int always(sd_event_source *source, int fd, uint32_t events, void *user)
{
    struct fixture *f = user;
    (void)source;
    (void)fd;
    (void)events;
    f->calls++;
    return 0;
}

/* A source that always has something to do leaves the network its turns. */
static void busy_sources_do_not_starve_the_host(void **state)
{
    struct fixture f;
    int fd = eventfd(1, EFD_CLOEXEC);
    (void)state;
    set_up(&f);
    assert_true(sd_event_add_io(f.service.loop, NULL, fd, EPOLLIN, always, &f) >= 0);
    call(&f);
    assert_int_equal(service_run(&f.service), STATUS);
    assert_int_equal(f.heard, 1);
    assert_in_range(f.calls, SERVICE_DISPATCHES / 2, ROUNDS * SERVICE_DISPATCHES);
    tear_down(&f);
    close(fd);
}

static void was_refused(struct watch *watch, const struct hawser_event *event, uint64_t now_ns)
{
    struct fixture *f = HW_CONTAINER(watch, struct fixture, watch);
    (void)now_ns;
    assert_true(event->what & HAWSER_ERROR);
    assert_int_equal(hawser_conn_error(f->conn), -ECONNREFUSED);
    hawser_close(f->conn);
    sd_event_exit(f->service.loop, 0);
}

static int call_out(sd_event_source *source, void *user)
{
    struct fixture *f = user;
    const struct hawser_addr at = addr_of("10.1.0.2", PORT);
    struct hawser_host *host = f->service.host;
    (void)source;
    assert_int_equal(hawser_connect(hawser_host_stack(host), &at, NULL, hawser_host_now(host), &f->conn), 0);
    f->watch.heard = was_refused;
    hawser_conn_set_user(f->conn, &f->watch);
    return 0;
}

/* Though no packet comes. */
static void what_sources_ask_leaves_at_once(void **state)
{
    struct fixture f;
    sd_event_source *source;
    (void)state;
    set_up(&f);
    assert_true(sd_event_add_defer(f.service.loop, &source, call_out, &f) >= 0);
    assert_int_equal(service_run(&f.service), 0);
    sd_event_source_unref(source);
    tear_down(&f);
}

static void what_cannot_be_leaves_nothing(void **state)
{
    const struct hawser_stack_options wrong = {.size = sizeof wrong, .congestion = "none"};
    const struct door_options options = {.backlog = 4, .near = {.size = sizeof options.near}};
    struct service service;
    struct fixture f;
    char why[200] = "";
    unsigned before = open_descriptors();
    (void)state;
    assert_int_equal(service_init(&service, &wrong), -EINVAL);
    assert_int_equal(open_descriptors(), before);
    set_up(&f);
    assert_int_equal(service_add_link(&f.service, "tun", why, sizeof why), -EINVAL);
    assert_true(why[0] != '\0');
    assert_int_equal(f.service.links_alive, 0);
    assert_int_equal(service_add_door(&f.service, 0, "x", &options, NULL), -EINVAL); /* it is no door */
    assert_true(list_empty(&f.service.doors));
    tear_down(&f);
    assert_int_equal(open_descriptors(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(serves_the_host_until_told_to_stop),
        cmocka_unit_test(busy_sources_do_not_starve_the_host),
        cmocka_unit_test(what_sources_ask_leaves_at_once),
        cmocka_unit_test(what_cannot_be_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
