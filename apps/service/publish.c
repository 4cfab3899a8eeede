#include "service/publish.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "service/device.h"
#include "service/endpoint.h"
#include "service/publish_way.h"
#include "service/sysctls.h"

#define PUBLISH_MEMORY "publish" /* its name */

/* A published port, or room for one. */
struct published {
    struct publish *publish;
    struct publish_rule rule;
    struct stall *stall; /* NULL: none */
};

struct publish {
    struct stalls *stalls;
    struct stall_sockets sockets; /* to servers that are told of their clients */
    struct publish_way *way;      /* to servers that see their clients; NULL: none has been wanted so far */
    int link;                     /* below 0: likewise */
    char memory[512];
    struct published ports[PUBLISH_MAX];
};

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
        if (!endpoint_read_port(colon + 1, &port))
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
        bool good = endpoint_read_port(strsep(&rest, ","), &rule->port);
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

/* Where the client wanted to go, as seen from outside; or where the rule says. */
static bool find_server(void *of, const struct hawser_addr *inside, struct hawser_addr *to)
{
    const struct published *port = of;
    const struct uplink *uplink = ways_find(port->publish->stalls->ways, inside);
    *to = port->rule.to;
    if (to->port)
        return true;
    if (!uplink)
        return false;
    *to = uplink->outside[0];
    to->port = port->rule.port;
    return true;
}

static int open_port(struct published *port, const struct publish_rule *rule, char *why, size_t why_size)
{
    struct publish *p = port->publish;
    port->rule = *rule;
    const struct stall_options options = {.port = rule->port,
                                          .link = p->link,
                                          .sockets = rule->tells ? &p->sockets : NULL,
                                          .server = find_server,
                                          .of = port};
    return stall_open(p->stalls, &options, &port->stall, why, why_size);
}

static void close_port(struct published *port)
{
    if (port->stall)
        stall_close(port->stall);
    port->stall = NULL;
}

static int open_way(struct publish *p, char *why, size_t why_size)
{
    if (p->link < 0)
        p->link = service_add_own_device(p->stalls->service, PUBLISH_DEVICE, "door", why, why_size);
    if (p->link < 0)
        return p->link;
    sysctls_choose_memory(p->memory, sizeof(p->memory), PUBLISH_MEMORY);
    return publish_way_open(&p->way, p->stalls->service->loop, PUBLISH_DEVICE, p->memory, why, why_size);
}

void publish_sweep(void)
{
    struct netlink netlink;
    unsigned index;
    if (device_index(PUBLISH_DEVICE, &index) != -ENODEV)
        return;
    if (netlink_open(&netlink) == 0)
        publish_way_sweep(&netlink, PUBLISH_DEVICE);
    netlink_close(&netlink);
    sysctls_sweep(PUBLISH_MEMORY);
}

static bool same_rule(const struct publish_rule *a, const struct publish_rule *b)
{
    return a->port == b->port && a->tells == b->tells && hawser_addr_equal(&a->to, &b->to);
}

/* The one that is published so, and that no other rule before has; NULL: none is. */
static struct published *find_port(struct publish *p, const struct publish_rule *rules, size_t i)
{
    struct published *found = NULL;
    for (size_t k = 0; k < PUBLISH_MAX; k++) {
        if (p->ports[k].stall && same_rule(&p->ports[k].rule, &rules[i]))
            found = &p->ports[k];
    }
    for (size_t k = 0; k < i; k++) {
        if (same_rule(&rules[k], &rules[i]))
            return NULL;
    }
    return found;
}

/* Returns whether any was. */
static bool close_others(struct publish *p, const struct publish_rule *rules, size_t count)
{
    bool any = false;
    for (size_t i = 0; i < PUBLISH_MAX; i++) {
        struct published *port = &p->ports[i];
        bool stays = !port->stall;
        for (size_t k = 0; k < count && !stays; k++)
            stays = same_rule(&port->rule, &rules[k]);
        any |= !stays;
        if (!stays)
            close_port(port);
    }
    return any;
}

static int publish_one(struct publish *p, const struct publish_rule *rule, char *why, size_t why_size)
{
    size_t i = 0;
    int error = rule->tells || p->way ? 0 : open_way(p, why, why_size);
    while (i < PUBLISH_MAX - 1 && p->ports[i].stall)
        i++;
    return error ? error : open_port(&p->ports[i], rule, why, why_size);
}

int publish_set(struct publish *p, const struct publish_rule *rules, size_t count, char *why, size_t why_size)
{
    char unsaid[600];
    int error = 0;
    if (count > PUBLISH_MAX) {
        snprintf(why, why_size, "more than %d published ports", PUBLISH_MAX);
        return -E2BIG;
    }
    bool changes = close_others(p, rules, count);
    for (size_t i = 0; i < count && !error; i++) {
        if (find_port(p, rules, i))
            continue;
        error = publish_one(p, &rules[i], why, why_size);
        changes = true;
    }
    if (!changes)
        return 0;
    int applied = stalls_apply(p->stalls, error ? unsaid : why, error ? sizeof(unsaid) : why_size);
    return error ? error : applied;
}

int publish_new(struct publish **out, struct stalls *stalls)
{
    struct publish *p = calloc(1, sizeof(*p));
    int error = p ? stall_sockets_init(&p->sockets, stalls->service, PUBLISH_SOCKETS) : -ENOMEM;
    if (error < 0) {
        free(p);
        return error;
    }
    p->stalls = stalls;
    p->link = -1;
    for (size_t i = 0; i < PUBLISH_MAX; i++)
        p->ports[i].publish = p;
    *out = p;
    return 0;
}

void publish_shut(struct publish *p)
{
    for (size_t i = 0; p && i < PUBLISH_MAX; i++)
        close_port(&p->ports[i]);
}

void publish_close(struct publish *p)
{
    if (!p)
        return;
    publish_way_close(p->way);
    stall_sockets_end(&p->sockets);
    free(p);
}
