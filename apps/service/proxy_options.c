#include "service/proxy_options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "service/endpoint.h"

#define usage_error(...) command_misused("up", __VA_ARGS__)

/* One port may speak both. */
static int add_port(struct proxy_options *o, const char *local, unsigned spoken)
{
    unsigned i = 0;
    while (i < o->count && strcmp(o->ports[i].local, local) != 0)
        i++;
    if (i == PROXIES_MAX)
        return usage_error("more than %d local ports", PROXIES_MAX);
    o->ports[i].local = local;
    o->ports[i].spoken |= spoken;
    o->count += i == o->count;
    return -1;
}

int proxy_option_read(struct proxy_options *o, int option, const char *value)
{
    switch (option) {
    case OPTION_SOCKS:
        return add_port(o, value, SESSION_SOCKS);
    case OPTION_HTTP_PROXY:
        return add_port(o, value, SESSION_HTTP);
    case OPTION_PROXY_LOGIN:
        o->login_path = value;
        return -1;
    case OPTION_UPSTREAM:
        o->upstream.server = value;
        return -1;
    case OPTION_SERVE_UPSTREAM:
        o->upstream.serve = value;
        return -1;
    case OPTION_KEY:
        o->upstream.key = value;
        return -1;
    case OPTION_CERTIFICATE:
        o->upstream.certificate = value;
        return -1;
    case OPTION_PRIVATE_KEY:
        o->upstream.private_key = value;
        return -1;
    case OPTION_CA:
        o->upstream.ca = value;
        return -1;
    case OPTION_SERVER_NAME:
        o->upstream.server_name = value;
        return -1;
    default:
        o->upstream.client_ca = value;
        return -1;
    }
}

void proxy_options_complete(struct proxy_options *o, const struct config *config)
{
    if (o->count == 0) {
        for (unsigned i = 0; i < config->socks.count; i++)
            (void)add_port(o, config->socks.at[i], SESSION_SOCKS);
        for (unsigned i = 0; i < config->http.count; i++)
            (void)add_port(o, config->http.at[i], SESSION_HTTP);
    }
    o->login_path = o->login_path || !o->count ? o->login_path : config->login;
    upstream_words_complete(&o->upstream, &config->upstream);
}

static bool is_local(const char *text)
{
    struct endpoint at;
    return endpoint_read(text, &at) == 0 && !at.name[0];
}

static int check_ports(const struct proxy_options *o)
{
    static const char wrong[] = "%s \"%s\": not ADDRESS:PORT, as in %s";
    struct endpoint server;
    for (unsigned i = 0; i < o->count; i++) {
        if (!is_local(o->ports[i].local))
            return usage_error(wrong, o->ports[i].spoken & SESSION_SOCKS ? "--socks" : "--http-proxy",
                               o->ports[i].local, "127.0.0.1:1080 or [::1]:1080");
    }
    if (o->upstream.serve && !is_local(o->upstream.serve))
        return usage_error(wrong, "--serve-upstream", o->upstream.serve, "192.0.2.1:8443 or [::]:8443");
    if (o->upstream.server && endpoint_read(o->upstream.server, &server) < 0)
        return usage_error("--upstream \"%s\": not HOST:PORT, as in server.example:8443", o->upstream.server);
    return -1;
}

int proxy_options_check(const struct proxy_options *o)
{
    const char *left_over = upstream_words_left_over(&o->upstream);
    char why[256];
    if (left_over)
        return usage_error("--%s is for --upstream and --serve-upstream", left_over);
    if (!upstream_words_check(&o->upstream, why, sizeof why))
        return usage_error("upstream: %s", why);
    if (o->login_path && !o->count)
        return usage_error("--proxy-login is for --socks and --http-proxy");
    return check_ports(o);
}

static int fail(const char *option, int error, const char *why)
{
    command_fail("up", "%s %s", option, why);
    return error == -EINVAL ? EXIT_USAGE : EXIT_FAILURE;
}

int proxy_options_open(const struct proxy_options *o, struct service *service, struct proxies **out)
{
    char why[512];
    int error;
    if (!o->count && !o->upstream.server && !o->upstream.serve)
        return -1;
    if (proxies_new(service, out) < 0)
        return command_fail("up", "cannot look up names: no memory");
    if (o->upstream.server && (error = proxies_use_upstream(*out, &o->upstream, why, sizeof why)) < 0)
        return fail("--upstream", error, why);
    if (o->login_path && (error = proxies_read_login(*out, o->login_path, why, sizeof why)) < 0)
        return fail("--proxy-login", error, why);
    for (unsigned i = 0; i < o->count; i++) {
        error = proxies_open(*out, o->ports[i].local, o->ports[i].spoken, why, sizeof why);
        if (error < 0)
            return fail(o->ports[i].spoken & SESSION_SOCKS ? "--socks" : "--http-proxy", error, why);
    }
    if (o->upstream.serve && (error = proxies_serve_upstream(*out, &o->upstream, why, sizeof why)) < 0)
        return fail("--serve-upstream", error, why);
    return -1;
}
