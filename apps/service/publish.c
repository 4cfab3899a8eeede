#include "service/publish.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/list.h"
#include "base/units.h"
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
};

struct publish {
    struct service *service;
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

int publish_rule_read(const char *text, struct publish_rule *rule, char *why, size_t why_size)
{
    char copy[160];
    memset(rule, 0, sizeof(*rule));
    if (strlen(text) < sizeof(copy)) {
        strcpy(copy, text);
        char *to = strchr(copy, ',');
        if (to)
            *to++ = '\0';
        bool good = read_port(copy, &rule->port);
        if (good && to)
            good = strncmp(to, "to=", 3) == 0 && read_server(to + 3, rule->port, &rule->to);
        if (good)
            return 0;
    }
    snprintf(why, why_size, "\"%.60s\": a port, or a port and a server: 443, or 443,to=127.0.0.1:8443", text);
    return -EINVAL;
}

static void forget(struct visitor *v)
{
    list_remove(&v->link);
    v->stall->counts.waiting--;
    free(v);
}

static void turn_away(struct visitor *v)
{
    v->stall->counts.refused++;
    hawser_abort(v->near);
    hawser_abort(v->far);
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

static int call_server(struct stall *stall, struct hawser_conn *near, uint64_t now_ns)
{
    struct publish *p = stall->publish;
    struct hawser_addr inside, to;
    struct hawser_conn_options options = {
        .size = sizeof(options), .no_mptcp = true, .foreign_local = true, .link = p->link};
    hawser_conn_local(near, &inside);
    hawser_conn_peer(near, &options.local);
    if (!find_server(stall, &inside, &to))
        return -EADDRNOTAVAIL;
    struct visitor *v = malloc(sizeof(*v));
    if (!v)
        return -ENOMEM;
    *v = (struct visitor){.near_watch = {near_heard}, .far_watch = {far_heard}, .stall = stall, .near = near};
    int error = hawser_connect(hawser_host_stack(p->service->host), &to, &options, now_ns, &v->far);
    if (error) {
        free(v);
        return error;
    }
    hawser_conn_set_user(v->far, &v->far_watch);
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
    int error = count <= PUBLISH_MAX ? open_way(p, why, why_size) : -E2BIG;
    if (count > PUBLISH_MAX)
        snprintf(why, why_size, "more than %d published ports", PUBLISH_MAX);
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
    if (!p) {
        snprintf(why, why_size, "no memory to publish: free some and try again");
        return -ENOMEM;
    }
    p->service = service;
    p->ways = ways;
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
