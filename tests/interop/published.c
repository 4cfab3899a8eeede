/*
 * A port of a host that is the stack's, for interop/published.
 *
 * usage: published PORT
 *
 * Finds the host's uplinks as `hawser up` does and takes connections from outside to PORT, of which it reads all and
 * prints a line each: how many bytes, and over how many subflows at most. Ends at SIGTERM.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "service/ways_out.h"

struct visitor {
    struct watch watch;
    struct hawser_conn *conn;
    unsigned long long bytes;
    unsigned subflows;
};

struct shop {
    struct watch watch;
    struct hawser_listener *listener;
};

static void visitor_heard(struct watch *watch, const struct hawser_event *event, uint64_t now_ns)
{
    struct visitor *v = HW_CONTAINER(watch, struct visitor, watch);
    static char bytes[65536];
    struct hawser_conn_info info = {.size = sizeof(info)};
    ssize_t n;
    (void)event;
    (void)now_ns;
    if (hawser_conn_get_info(v->conn, &info) == 0)
        v->subflows = HW_MAX(v->subflows, info.subflows);
    while ((n = hawser_recv(v->conn, bytes, sizeof(bytes))) > 0)
        v->bytes += (unsigned long long)n;
    if (n != 0 && hawser_conn_error(v->conn) == 0)
        return;
    printf("%llu bytes over %u\n", v->bytes, v->subflows);
    fflush(stdout);
    hawser_close(v->conn);
    free(v);
}

static void shop_heard(struct watch *watch, const struct hawser_event *event, uint64_t now_ns)
{
    struct shop *shop = HW_CONTAINER(watch, struct shop, watch);
    struct hawser_conn *conn;
    (void)event;
    (void)now_ns;
    while (hawser_accept(shop->listener, &conn) == 0) {
        struct visitor *v = calloc(1, sizeof(*v));
        if (!v)
            abort();
        *v = (struct visitor){.watch = {visitor_heard}, .conn = conn};
        hawser_conn_set_user(conn, &v->watch);
    }
}

static int told_to_end(sd_event_source *source, const struct signalfd_siginfo *info, void *user)
{
    (void)info;
    (void)user;
    return sd_event_exit(sd_event_source_get_event(source), 0);
}

static int serve(struct service *service, struct ways_out **ways, uint16_t port)
{
    struct shop shop = {.watch = {shop_heard}};
    const struct uplink_names names = {.own = NULL};
    const struct hawser_addr any = {.port = port};
    char why[600];
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    if (sd_event_add_signal(service->loop, NULL, SIGTERM, told_to_end, NULL) < 0)
        return 1;
    if (ways_open(ways, service, &names, why, sizeof(why)) != 0 ||
        ways_publish(*ways, &port, 1, why, sizeof(why)) != 0) {
        printf("%s\n", why);
        return 1;
    }
    if (hawser_listen(hawser_host_stack(service->host), &any, 100, NULL, &shop.listener) != 0)
        return 1;
    hawser_listener_set_user(shop.listener, &shop.watch);
    puts("ready");
    fflush(stdout);
    int status = service_run(service);
    hawser_listener_close(shop.listener);
    return status;
}

int main(int argc, char **argv)
{
    struct service service;
    struct ways_out *ways = NULL;
    const struct hawser_stack_options options = {
        .size = sizeof(options), .first_port = UPLINKS_FIRST_PORT, .last_port = UPLINKS_LAST_PORT};
    if (argc != 2 || service_init(&service, &options) != 0)
        return 2;
    int status = serve(&service, &ways, (uint16_t)atoi(argv[1]));
    service_end(&service);
    ways_close(ways);
    return status;
}
