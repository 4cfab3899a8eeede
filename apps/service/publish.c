#include "service/publish.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "service/endpoint.h"
#include "service/publish_way.h"
#include "service/sysctls.h"

/* A published port. */
struct published {
    struct publish *publish;
    struct publish_rule rule;
    struct stall *stall; /* NULL: shut */
};

struct publish {
    struct stalls *stalls;
    struct stall_sockets sockets; /* to servers that are told of their clients */
    struct publish_way *way;
    int link;
    char memory[512];
    size_t count;
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

static int open_port(struct publish *p, const struct publish_rule *rule, char *why, size_t why_size)
{
    struct published *port = &p->ports[p->count];
    *port = (struct published){.publish = p, .rule = *rule};
    const struct stall_options options = {.port = rule->port,
                                          .link = p->link,
                                          .sockets = rule->tells ? &p->sockets : NULL,
                                          .owner = "the service itself",
                                          .server = find_server,
                                          .of = port};
    int error = stall_open(p->stalls, &options, &port->stall, why, why_size);
    p->count += error == 0;
    return error;
}

static int open_way(struct publish *p, char *why, size_t why_size)
{
    p->link = service_add_link(p->stalls->service, "tun,dev=" PUBLISH_DEVICE ",door", why, why_size);
    if (p->link < 0)
        return p->link;
    sysctls_choose_memory(p->memory, sizeof(p->memory), "publish");
    return publish_way_open(&p->way, PUBLISH_DEVICE, p->memory, why, why_size);
}

static int publish_begin(struct publish *p, const struct publish_rule *rules, size_t count, char *why, size_t why_size)
{
    bool transparent = false;
    if (count > PUBLISH_MAX) {
        snprintf(why, why_size, "more than %d published ports", PUBLISH_MAX);
        return -E2BIG;
    }
    for (size_t i = 0; i < count; i++)
        transparent |= !rules[i].tells;
    int error = transparent ? open_way(p, why, why_size) : 0;
    for (size_t i = 0; i < count && !error; i++)
        error = open_port(p, &rules[i], why, why_size);
    return error ? error : stalls_apply(p->stalls, why, why_size);
}

int publish_open(struct publish **out, struct stalls *stalls, const struct publish_rule *rules, size_t count, char *why,
                 size_t why_size)
{
    struct publish *p = calloc(1, sizeof(*p));
    if (!p || stall_sockets_init(&p->sockets, stalls->service, PUBLISH_SOCKETS) < 0) {
        free(p);
        snprintf(why, why_size, "no memory to publish: free some and try again");
        return -ENOMEM;
    }
    p->stalls = stalls;
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
    for (size_t i = 0; p && i < p->count; i++) {
        if (p->ports[i].stall)
            stall_close(p->ports[i].stall);
        p->ports[i].stall = NULL;
    }
}

void publish_close(struct publish *p)
{
    if (!p)
        return;
    publish_way_close(p->way);
    stall_sockets_end(&p->sockets);
    free(p);
}

bool publish_count(const struct publish *p, size_t i, struct publish_rule *rule, struct stall_counts *out)
{
    if (i >= p->count || !p->ports[i].stall)
        return false;
    *rule = p->ports[i].rule;
    stall_count(p->ports[i].stall, out);
    return true;
}
