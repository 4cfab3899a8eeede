#include "service/publish.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/list.h"
#include "base/units.h"
#include "service/guests.h"
#include "service/kernel_dialer.h"
#include "service/proxy_header.h"
#include "service/publish_way.h"
#include "service/sysctls.h"

/* Of which nobody hears any more: clients on the Internet come and go. */
#define PUBLISH_KEEPALIVE_NS (7200 * NS_PER_S)

/* A published port. */
struct stall {
    struct watch watch;
    struct publish *publish;
    struct hawser_listener *listener;
    struct publish_rule rule;
    struct publish_counts counts;
};

/* A client that was let in, and the connection to the server that is tried for it. */
struct visitor {
    struct watch near_watch, far_watch;
    struct stall *stall;
    struct list link;
    struct hawser_conn *near, *far;
    /* Of a server that is told of its clients, instead of `far` */
    struct dial_user dial_user;
    struct dial *dial;
    struct place *place;
};

/* A client's place among the sockets, which it leaves when that is closed. */
struct place {
    struct guests *guests;
    struct guest *guest;
};

struct publish {
    struct service *service;
    struct sockets sockets;
    struct kernel_dialer kernel;
    struct guests guests;
    struct ways_out *ways;
    struct publish_way *way;
    int link;
    char memory[512];
    struct list visitors;
    size_t count;
    struct stall stalls[PUBLISH_MAX];
};

static bool read_port(const char *text, uint16_t *port)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    *port = (uint16_t)value;
    return text[0] >= '0' && text[0] <= '9' && !*end && value > 0 && value <= UINT16_MAX;
}

/* "192.0.2.1", "192.0.2.1:80", "2001:db8::1", "[2001:db8::1]:80". */
static bool read_server(char *text, uint16_t port, struct hawser_addr *to)
{
    char *host = text, *colon = strrchr(text, ':');
    if (text[0] == '[') {
        char *close = strchr(text, ']');
        if (!close)
            return false;
        *close = '\0';
        host = text + 1;
        colon = close[1] ? close + 1 : NULL;
        if (colon && *colon != ':')
            return false;
    } else if (colon && strchr(text, ':') != colon) {
        colon = NULL;
    }
    if (colon) {
        if (!read_port(colon + 1, &port))
            return false;
        *colon = '\0';
    }
    return hawser_addr_parse(to, host, port) == 0;
}

static bool read_word(char *word, struct publish_rule *rule)
{
    if (strcmp(word, "proxy-protocol") == 0)
        return rule->tells = true;
    return strncmp(word, "to=", 3) == 0 && !rule->to.port && read_server(word + 3, rule->port, &rule->to);
}

int publish_rule_read(const char *text, struct publish_rule *rule, char *why, size_t why_size)
{
    char copy[160], *rest = copy;
    memset(rule, 0, sizeof(*rule));
    if (strlen(text) < sizeof(copy)) {
        strcpy(copy, text);
        bool good = read_port(strsep(&rest, ","), &rule->port);
        while (good && rest)
            good = read_word(strsep(&rest, ","), rule);
        if (good)
            return 0;
    }
    snprintf(why, why_size,
             "\"%.60s\": a port, and what may follow: 443, or 443,to=127.0.0.1:8443, or "
             "443,to=192.0.2.1:8443,proxy-protocol",
             text);
    return -EINVAL;
}

static void leave(void *of)
{
    struct place *place = of;
    guests_leave(place->guests, place->guest);
    free(place);
}

static struct place *enter(struct guests *guests, const struct hawser_addr *client)
{
    struct place *place = malloc(sizeof(*place));
    struct guest *guest = place ? guests_enter(guests, client) : NULL;
    if (!guest) {
        free(place);
        return NULL;
    }
    *place = (struct place){guests, guest};
    return place;
}

static void forget(struct visitor *v)
{
    list_remove(&v->link);
    v->stall->counts.waiting--;
    if (v->place)
        leave(v->place);
    free(v);
}

static void turn_away(struct visitor *v)
{
    v->stall->counts.refused++;
    hawser_abort(v->near);
    if (v->far)
        hawser_abort(v->far);
    if (v->dial)
        dial_cancel(&v->stall->publish->kernel.dialer, v->dial);
    forget(v);
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
        struct joints *joints = &v->stall->publish->service->joints;
        if (joint_make(joints, conn_end(v->far), conn_end(v->near), now_ns) < 0) { /* as ever: the program's first */
            turn_away(v);
            return;
        }
        v->stall->counts.accepted++;
        forget(v);
    }
}

/* Where the client wanted to go, as seen from outside; or where the rule says. */
static bool find_server(const struct stall *stall, const struct hawser_addr *inside, struct hawser_addr *to)
{
    const struct uplink *uplink = ways_find(stall->publish->ways, inside);
    *to = stall->rule.to;
    if (to->port)
        return true;
    if (!uplink)
        return false;
    *to = uplink->outside[0];
    to->port = stall->rule.port;
    return true;
}

/* The client's connection, as seen from outside. */
static bool tell_server(const struct visitor *v, struct end far)
{
    struct hawser_addr client, called;
    uint8_t header[PROXY_HEADER_MAX];
    hawser_conn_peer(v->near, &client);
    hawser_conn_local(v->near, &called);
    const struct uplink *uplink = ways_find(v->stall->publish->ways, &called);
    if (!uplink)
        return false;
    called = uplink->outside[0];
    called.port = v->stall->rule.port;
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
    socket_end_on_close(far, leave, v->place);
    v->place = NULL;
    if (!tell_server(v, far) || joint_make(&v->stall->publish->service->joints, far, conn_end(v->near), now_ns) < 0) {
        end_abort(far);
        turn_away(v);
        return;
    }
    v->stall->counts.accepted++;
    forget(v);
}

/* From this host's address. */
static int call_by_socket(struct visitor *v, const struct hawser_addr *to, uint64_t now_ns)
{
    struct publish *p = v->stall->publish;
    const struct destination destination = {.addr = *to};
    struct hawser_addr client;
    hawser_conn_peer(v->near, &client);
    v->place = enter(&p->guests, &client);
    if (!v->place) {
        v->stall->counts.turned_away++;
        return -EUSERS;
    }
    v->dial_user = (struct dial_user){server_answered};
    return dial_begin(&p->kernel.dialer, &destination, &v->dial_user, now_ns, &v->dial);
}

/* From the client's. */
static int call_by_stack(struct visitor *v, const struct hawser_addr *to, uint64_t now_ns)
{
    struct publish *p = v->stall->publish;
    struct hawser_conn_options options = {
        .size = sizeof(options), .no_mptcp = true, .foreign_local = true, .link = p->link};
    hawser_conn_peer(v->near, &options.local);
    int error = hawser_connect(hawser_host_stack(p->service->host), to, &options, now_ns, &v->far);
    if (error == -EADDRINUSE) { /* one before it is in TIME-WAIT, or by another uplink: the address is what matters */
        options.local.port = 0;
        error = hawser_connect(hawser_host_stack(p->service->host), to, &options, now_ns, &v->far);
    }
    if (!error)
        hawser_conn_set_user(v->far, &v->far_watch);
    return error;
}

static int call_server(struct stall *stall, struct hawser_conn *near, uint64_t now_ns)
{
    struct publish *p = stall->publish;
    struct hawser_addr inside, to;
    hawser_conn_local(near, &inside);
    if (!find_server(stall, &inside, &to))
        return -EADDRNOTAVAIL;
    struct visitor *v = malloc(sizeof(*v));
    if (!v)
        return -ENOMEM;
    *v = (struct visitor){.near_watch = {near_heard}, .far_watch = {far_heard}, .stall = stall, .near = near};
    int error = stall->rule.tells ? call_by_socket(v, &to, now_ns) : call_by_stack(v, &to, now_ns);
    if (error) {
        if (v->place)
            leave(v->place);
        free(v);
        return error;
    }
    hawser_conn_set_user(near, &v->near_watch);
    list_push_back(&p->visitors, &v->link);
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

static int open_stall(struct publish *p, const struct publish_rule *rule, char *why, size_t why_size)
{
    struct stall *stall = &p->stalls[p->count];
    const struct hawser_conn_options options = {.size = sizeof(options), .keepalive_idle_ns = PUBLISH_KEEPALIVE_NS};
    const struct hawser_addr any = {.port = rule->port};
    *stall = (struct stall){.watch = {stall_heard}, .publish = p, .rule = *rule};
    int error = hawser_listen(hawser_host_stack(p->service->host), &any, PUBLISH_BACKLOG, &options, &stall->listener);
    if (error) {
        snprintf(why, why_size, "cannot publish port %u: %s", rule->port,
                 error == -EADDRINUSE ? "it is said twice: leave one out" : strerror(-error));
        return error;
    }
    hawser_listener_set_user(stall->listener, &stall->watch);
    p->count++;
    return 0;
}

static int open_way(struct publish *p, char *why, size_t why_size)
{
    p->link = service_add_link(p->service, "tun,dev=" PUBLISH_DEVICE ",door", why, why_size);
    if (p->link < 0)
        return p->link;
    sysctls_choose_memory(p->memory, sizeof(p->memory), "publish");
    return publish_way_open(&p->way, PUBLISH_DEVICE, p->memory, why, why_size);
}

static int publish_begin(struct publish *p, const struct publish_rule *rules, size_t count, char *why, size_t why_size)
{
    uint16_t ports[PUBLISH_MAX];
    bool transparent = false;
    if (count > PUBLISH_MAX) {
        snprintf(why, why_size, "more than %d published ports", PUBLISH_MAX);
        return -E2BIG;
    }
    for (size_t i = 0; i < count; i++)
        transparent |= !rules[i].tells;
    int error = transparent ? open_way(p, why, why_size) : 0;
    for (size_t i = 0; i < count && !error; i++) {
        error = open_stall(p, &rules[i], why, why_size);
        ports[i] = rules[i].port;
    }
    return error ? error : ways_publish(p->ways, ports, count, why, why_size);
}

int publish_open(struct publish **out, struct service *service, struct ways_out *ways, const struct publish_rule *rules,
                 size_t count, char *why, size_t why_size)
{
    struct publish *p = calloc(1, sizeof(*p));
    if (!p || guests_init(&p->guests, hawser_host_env(service->host), PUBLISH_SOCKETS) < 0) {
        free(p);
        snprintf(why, why_size, "no memory to publish: free some and try again");
        return -ENOMEM;
    }
    p->service = service;
    p->ways = ways;
    sockets_init(&p->sockets, service->loop, service->host);
    kernel_dialer_init(&p->kernel, &p->sockets, false);
    list_init(&p->visitors);
    int error = publish_begin(p, rules, count, why, why_size);
    if (error) {
        publish_shut(p);
        publish_close(p);
    } else {
        *out = p;
    }
    return error;
}

void publish_shut(struct publish *p)
{
    if (!p)
        return;
    LIST_EACH (it, &p->visitors)
        turn_away(LIST_ENTRY(it, struct visitor, link));
    for (size_t i = 0; i < p->count; i++) {
        if (p->stalls[i].listener)
            hawser_listener_close(p->stalls[i].listener);
        p->stalls[i].listener = NULL;
    }
}

void publish_close(struct publish *p)
{
    if (!p)
        return;
    publish_way_close(p->way);
    sockets_end(&p->sockets);
    guests_destroy(&p->guests);
    free(p);
}

bool publish_count(const struct publish *p, size_t i, struct publish_rule *rule, struct publish_counts *out)
{
    if (i >= p->count)
        return false;
    *rule = p->stalls[i].rule;
    *out = p->stalls[i].counts;
    return true;
}
