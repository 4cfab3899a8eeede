#include "service/stall.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/units.h"
#include "service/proxy_header.h"
#include "service/service.h"
#include "service/socket_end.h"

/* Of which nobody hears any more: clients on the Internet come and go. */
#define STALL_KEEPALIVE_NS (7200 * NS_PER_S)

struct stall {
    struct watch watch;
    struct list link;
    struct stalls *stalls;
    struct hawser_listener *listener;
    struct stall_options options;
    struct stall_counts counts;
    struct guests guests; /* visitors, of whom one has no more than he leaves to others */
    struct list visitors;
};

/* A client that was let in, and the connection to the server that is tried for it. */
struct visitor {
    struct watch near_watch, far_watch;
    struct stall *stall;
    struct list link;
    struct hawser_conn *near, *far;
    struct guest *guest;
    sd_event_source *timer;
    /* By a socket, instead of `far` */
    struct dial_user dial_user;
    struct dial *dial;
};

void stalls_init(struct stalls *stalls, struct service *service)
{
    *stalls = (struct stalls){.service = service, .patience_s = STALL_PATIENCE_S};
    list_init(&stalls->all);
}

int stall_sockets_init(struct stall_sockets *sockets, struct service *service, uint32_t max)
{
    sockets_init(&sockets->sockets, service->loop, service->host);
    int error = kernel_dialer_init(&sockets->kernel, &sockets->sockets, max, false);
    if (error < 0)
        sockets_end(&sockets->sockets);
    return error;
}

void stall_sockets_end(struct stall_sockets *sockets)
{
    sockets_end(&sockets->sockets);
    kernel_dialer_end(&sockets->kernel);
}

static void let_go(struct visitor *v)
{
    sd_event_source_disable_unref(v->timer);
    if (v->guest)
        guests_leave(&v->stall->guests, v->guest);
    free(v);
}

static void forget(struct visitor *v)
{
    list_remove(&v->link);
    v->stall->counts.waiting--;
    let_go(v);
}

static void turn_away(struct visitor *v)
{
    v->stall->counts.refused++;
    hawser_abort(v->near);
    if (v->far)
        hawser_abort(v->far);
    if (v->dial)
        dial_cancel(&v->stall->options.sockets->kernel.dialer, v->dial);
    forget(v);
}

static bool join(struct visitor *v, struct end server, uint64_t now_ns)
{
    struct stall *stall = v->stall;
    const struct joint_origin origin = {.way = JOINT_BY_PORT, .published = stall->options.port};
    if (joint_make(&stall->stalls->service->joints, server, conn_end(v->near), &origin, now_ns) < 0)
        return false;
    stall->counts.accepted++;
    forget(v);
    return true;
}

static void near_heard(struct watch *watch, const struct hawser_event *event, uint64_t now_ns)
{
    (void)now_ns;
    if (event->what & HAWSER_ERROR) /* the client does not wait for the server */
        turn_away(HW_CONTAINER(watch, struct visitor, near_watch));
}

static void far_heard(struct watch *watch, const struct hawser_event *event, uint64_t now_ns)
{
    struct visitor *v = HW_CONTAINER(watch, struct visitor, far_watch);
    if (event->what & HAWSER_ERROR) {
        turn_away(v);
    } else if (event->what & HAWSER_CONNECTED) {
        if (!join(v, conn_end(v->far), now_ns))
            turn_away(v);
    }
}

static int time_is_up(sd_event_source *source, uint64_t usec, void *of)
{
    (void)source;
    (void)usec;
    turn_away(of);
    return 0;
}

/* The client's connection, as seen from outside. */
static bool tell_server(const struct visitor *v, struct end far)
{
    struct hawser_addr client, called;
    uint8_t header[PROXY_HEADER_MAX];
    hawser_conn_peer(v->near, &client);
    hawser_conn_local(v->near, &called);
    const struct uplink *uplink = ways_find(v->stall->stalls->ways, &called);
    if (!uplink)
        return false;
    called = uplink->outside[0];
    called.port = v->stall->options.port;
    size_t len = proxy_header_write(&client, &called, header);
    return end_give(far, (struct hawser_slice){.data = header, .len = (uint32_t)len}) == (ssize_t)len;
}

static void server_answered(struct dial_user *user, int error, struct end far, uint64_t now_ns)
{
    struct visitor *v = HW_CONTAINER(user, struct visitor, dial_user);
    v->dial = NULL;
    if (error) {
        turn_away(v);
        return;
    }
    if (!tell_server(v, far) || !join(v, far, now_ns)) {
        end_abort(far);
        turn_away(v);
    }
}

/* From this host's address. */
static int call_by_socket(struct visitor *v, const struct hawser_addr *client, const struct hawser_addr *to,
                          uint64_t now_ns)
{
    struct stall_sockets *sockets = v->stall->options.sockets;
    const struct destination destination = {.addr = *to, .from = *client};
    v->dial_user = (struct dial_user){server_answered};
    return dial_begin(&sockets->kernel.dialer, &destination, &v->dial_user, now_ns, &v->dial);
}

/* From the client's. */
static int call_by_stack(struct visitor *v, const struct hawser_addr *to, uint64_t now_ns)
{
    struct hawser_stack *stack = hawser_host_stack(v->stall->stalls->service->host);
    struct hawser_conn_options options = {
        .size = sizeof(options), .no_mptcp = true, .foreign_local = true, .link = v->stall->options.link};
    hawser_conn_peer(v->near, &options.local);
    int error = hawser_connect(stack, to, &options, now_ns, &v->far);
    if (error == -EADDRINUSE) { /* one before it is in TIME-WAIT, or by another uplink: the address is what matters */
        options.local.port = 0;
        error = hawser_connect(stack, to, &options, now_ns, &v->far);
    }
    if (!error)
        hawser_conn_set_user(v->far, &v->far_watch);
    return error;
}

/* Of the places one client has his share only, and none for ever. */
static int call_in_turn(struct visitor *v, const struct hawser_addr *to, uint64_t now_ns)
{
    struct stall *stall = v->stall;
    struct hawser_addr client;
    hawser_conn_peer(v->near, &client);
    guest_subscriber(&client);
    v->guest = guests_enter(&stall->guests, &client);
    if (!v->guest)
        return -EUSERS;
    int error = sd_event_add_time_relative(stall->stalls->service->loop, &v->timer, CLOCK_MONOTONIC,
                                           stall->stalls->patience_s * UINT64_C(1000000), 0, time_is_up, v);
    if (error < 0)
        return error;
    return stall->options.sockets ? call_by_socket(v, &client, to, now_ns) : call_by_stack(v, to, now_ns);
}

static int call_server(struct stall *stall, struct hawser_conn *near, uint64_t now_ns)
{
    struct hawser_addr inside, to;
    hawser_conn_local(near, &inside);
    if (!stall->options.server(stall->options.of, &inside, &to))
        return -EADDRNOTAVAIL;
    struct visitor *v = malloc(sizeof(*v));
    if (!v)
        return -ENOMEM;
    *v = (struct visitor){.near_watch = {near_heard}, .far_watch = {far_heard}, .stall = stall, .near = near};
    int error = call_in_turn(v, &to, now_ns);
    if (error) {
        stall->counts.turned_away += error == -EUSERS;
        let_go(v);
        return error;
    }
    hawser_conn_set_user(near, &v->near_watch);
    list_push_back(&stall->visitors, &v->link);
    stall->counts.waiting++;
    return 0;
}

static void stall_heard(struct watch *watch, const struct hawser_event *event, uint64_t now_ns)
{
    struct stall *stall = HW_CONTAINER(watch, struct stall, watch);
    struct hawser_conn *near;
    (void)event;
    while (hawser_accept(stall->listener, &near) == 0) {
        if (call_server(stall, near, now_ns) == 0)
            continue;
        stall->counts.refused++;
        hawser_abort(near);
    }
}

static const struct stall *find(const struct stalls *stalls, uint16_t port)
{
    LIST_EACH (it, &stalls->all) {
        const struct stall *stall = LIST_ENTRY(it, struct stall, link);
        if (stall->options.port == port)
            return stall;
    }
    return NULL;
}

static int say_taken(const struct stall *by, char *why, size_t why_size)
{
    const struct stall_owner *owner = &by->options.owner;
    char text[64] = "the service itself";
    if (owner->is_program)
        snprintf(text, sizeof(text), "a program of user %u", owner->user);
    snprintf(why, why_size, "port %u is published already, by %s: choose another one", by->options.port, text);
    return -EADDRINUSE;
}

static int listen_there(struct stall *stall)
{
    const struct hawser_conn_options options = {
        .size = sizeof(options), .keepalive_idle_ns = STALL_KEEPALIVE_NS, .paths = stall->options.paths};
    const struct hawser_addr any = {.port = stall->options.port};
    int error =
        hawser_listen(hawser_host_stack(stall->stalls->service->host), &any, STALL_BACKLOG, &options, &stall->listener);
    if (!error)
        hawser_listener_set_user(stall->listener, &stall->watch);
    return error;
}

int stall_open(struct stalls *stalls, const struct stall_options *options, struct stall **out, char *why,
               size_t why_size)
{
    const struct stall *taken = find(stalls, options->port);
    if (taken)
        return say_taken(taken, why, why_size);
    if (stalls->count == UPLINKS_PUBLISHED) {
        snprintf(why, why_size, "%d ports are published already: leave some out", UPLINKS_PUBLISHED);
        return -ENOSPC;
    }
    struct stall *stall = calloc(1, sizeof(*stall));
    int error = stall ? 0 : -ENOMEM;
    if (!error) {
        *stall = (struct stall){.watch = {stall_heard}, .stalls = stalls, .options = *options};
        list_init(&stall->visitors);
        error = guests_init(&stall->guests, hawser_host_env(stalls->service->host), STALL_WAITING);
    }
    if (!error && (error = listen_there(stall)) != 0)
        guests_destroy(&stall->guests);
    if (error) {
        snprintf(why, why_size, "cannot publish port %u: %s", options->port, strerror(-error));
        free(stall);
        return error;
    }
    stall->options.paths = NULL; /* they were copied */
    list_push_back(&stalls->all, &stall->link);
    stalls->count++;
    *out = stall;
    return 0;
}

void stall_close(struct stall *stall)
{
    LIST_EACH (it, &stall->visitors)
        turn_away(LIST_ENTRY(it, struct visitor, link));
    hawser_listener_close(stall->listener);
    list_remove(&stall->link);
    stall->stalls->count--;
    guests_destroy(&stall->guests);
    free(stall);
}

int stalls_apply(struct stalls *stalls, char *why, size_t why_size)
{
    uint16_t ports[UPLINKS_PUBLISHED];
    size_t count = 0;
    LIST_EACH (it, &stalls->all)
        ports[count++] = LIST_ENTRY(it, struct stall, link)->options.port;
    return stalls->ways ? ways_publish(stalls->ways, ports, count, why, why_size) : 0;
}

bool stalls_status(const struct stalls *stalls, size_t i, struct stall_status *out)
{
    LIST_EACH (it, &stalls->all) {
        const struct stall *stall = LIST_ENTRY(it, struct stall, link);
        if (i-- > 0)
            continue;
        *out = (struct stall_status){stall->options.port, stall->options.owner, stall->counts};
        return true;
    }
    return false;
}
