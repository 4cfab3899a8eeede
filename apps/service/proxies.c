#include "service/proxies.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/scope.h"
#include "service/acceptor.h"
#include "service/complain.h"
#include "service/endpoint.h"
#include "service/kernel_dialer.h"
#include "service/name_dialer.h"
#include "service/secret.h"
#include "service/tls_end.h"
#include "service/upstream_dialer.h"

enum { PROXY_LOGIN_SIZE = PROXY_LOGIN_MAX + 3 }; /* and the end of a line */

/* A port on which somebody asks for destinations. */
struct port {
    struct proxies *proxies;
    const char *name; /* as it was written */
    struct sessions sessions;
    struct acceptor *acceptor;        /* of the kernel, */
    struct hawser_listener *listener; /* and of the stack */
    struct watch watch;
};

struct proxies {
    struct service_part part;
    struct service *service;
    struct sockets sockets;
    struct resolver *resolver;
    struct name_dialer direct;       /* by the uplinks */
    struct kernel_dialer kernel;     /* of who is upstream */
    struct name_dialer kernel_names; /* likewise */
    const char *server_name;         /* as it was written; NULL: none */
    struct endpoint server;
    char server_host[DIAL_NAME_MAX + 1]; /* as its certificate says, if no other name is told */
    struct tls to_server, from_clients;
    struct tls_credentials *to_server_next, *from_clients_next; /* read again; NULL: as before */
    struct upstream_dialer upstream;
    struct pace handshakes; /* of from_clients */
    bool serves_upstream;
    char login[PROXY_LOGIN_SIZE];
    char *password;                      /* in `login`, behind the colon, which is a NUL; NULL: anybody may */
    struct port *ports[PROXIES_MAX + 1]; /* upstream is one more */
    unsigned count;
};

/* ---- life ---- */

static void close_port(struct port *port)
{
    sessions_destroy(&port->sessions);
    if (port->acceptor)
        acceptor_close(port->acceptor);
    if (port->listener)
        hawser_listener_close(port->listener);
    free(port);
}

static void forget_next(struct proxies *proxies)
{
    tls_credentials_unref(proxies->to_server_next);
    tls_credentials_unref(proxies->from_clients_next);
    proxies->to_server_next = proxies->from_clients_next = NULL;
}

/* Doors and joints are gone: nobody dials any more. What is left of TLS is above sockets that came by the ports. */
static void stop(struct service_part *part)
{
    struct proxies *proxies = HW_CONTAINER(part, struct proxies, part);
    for (unsigned i = 0; i < proxies->count; i++)
        sessions_break(&proxies->ports[i]->sessions);
    if (proxies->server_name)
        tls_destroy(&proxies->to_server);
    if (proxies->serves_upstream)
        tls_destroy(&proxies->from_clients);
    for (unsigned i = 0; i < proxies->count; i++)
        close_port(proxies->ports[i]);
    proxies->service->proxies = NULL;
    forget_next(proxies);
    resolver_free(proxies->resolver);
    kernel_dialer_end(&proxies->kernel);
    sockets_end(&proxies->sockets);
    explicit_bzero(proxies->login, sizeof proxies->login);
    free(proxies);
}

int proxies_new(struct service *service, struct proxies **out)
{
    struct proxies *proxies = calloc(1, sizeof *proxies);
    int error = proxies ? resolver_new(service->loop, hawser_host_env(service->host), &proxies->resolver) : -ENOMEM;
    if (error < 0) {
        free(proxies);
        return error;
    }
    proxies->service = service;
    sockets_init(&proxies->sockets, service->loop, service->host);
    error = kernel_dialer_init(&proxies->kernel, &proxies->sockets, PROXY_CLIENTS, true);
    if (error < 0) {
        sockets_end(&proxies->sockets);
        resolver_free(proxies->resolver);
        free(proxies);
        return error;
    }
    name_dialer_init(&proxies->direct, service->loop, service->host, proxies->resolver, &service->direct.dialer);
    name_dialer_init(&proxies->kernel_names, service->loop, service->host, proxies->resolver, &proxies->kernel.dialer);
    proxies->part.stop = stop;
    service_add_part(service, &proxies->part);
    service->proxies = proxies;
    *out = proxies;
    return 0;
}

/* ---- ports ---- */

static void begin(struct port *port, struct end client)
{
    if (session_begin(&port->sessions, client) < 0)
        end_abort(client);
}

/* By a socket of the kernel. */
static void came(void *of, struct end client) { begin(of, client); }

/* By the stack. */
static void heard(struct watch *watch, const struct hawser_event *event, uint64_t now_ns)
{
    struct port *port = HW_CONTAINER(watch, struct port, watch);
    struct hawser_conn *conn;
    (void)event;
    (void)now_ns;
    while (hawser_accept(port->listener, &conn) == 0)
        begin(port, conn_end(conn));
}

static struct port *new_port(struct proxies *proxies, const char *name, struct tls *tls)
{
    struct service *service = proxies->service;
    struct port *port = proxies->count < HW_ARRAY_LEN(proxies->ports) ? calloc(1, sizeof *port) : NULL;
    if (!port)
        return NULL;
    *port = (struct port){.proxies = proxies, .name = name, .watch = {heard}};
    if (sessions_init(&port->sessions, service->loop, service->host) < 0) {
        free(port);
        return NULL;
    }
    port->sessions.joints = &service->joints;
    port->sessions.port = name;
    port->sessions.tls = tls;
    port->sessions.upstream = tls != NULL;
    proxies->ports[proxies->count++] = port;
    return port;
}

static int listen_kernel(struct port *port, const struct hawser_addr *local, bool internet)
{
    const struct acceptor_options options = {
        .local = *local, .internet = internet, .max = PROXY_CLIENTS, .came = came, .of = port};
    return acceptor_open(&port->proxies->sockets, &options, &port->acceptor);
}

static int read_local(const char *local, struct endpoint *out, char *why, size_t why_size)
{
    if (endpoint_read(local, out) == 0 && !out->name[0])
        return 0;
    return complain(-EINVAL, why, why_size, "\"%s\": not ADDRESS:PORT, as in 127.0.0.1:1080 or [::1]:1080", local);
}

int proxies_open(struct proxies *proxies, const char *local, unsigned spoken, char *why, size_t why_size)
{
    struct endpoint at;
    int error = read_local(local, &at, why, why_size);
    if (error < 0)
        return error;
    struct port *port = new_port(proxies, local, NULL);
    if (!port)
        return complain(-ENOSPC, why, why_size, "\"%s\": no memory, or there are %u ports already", local, PROXIES_MAX);
    port->sessions.spoken = spoken;
    port->sessions.user = proxies->password ? proxies->login : NULL;
    port->sessions.password = proxies->password;
    port->sessions.dialer = proxies->server_name ? &proxies->upstream.dialer : &proxies->direct.dialer;
    error = listen_kernel(port, &at.addr, false);
    if (error < 0)
        return complain(error, why, why_size, "\"%s\": cannot listen: %s", local, strerror(-error));
    return 0;
}

/* ---- who may ---- */

/* The user, ended by a NUL, and behind that the password. */
static int read_login(const char *path, char login[PROXY_LOGIN_SIZE], char **password, char *why, size_t why_size)
{
    ssize_t n = secret_read(path, login, PROXY_LOGIN_SIZE, why, why_size);
    if (n < 0 && n != -E2BIG)
        return (int)n;
    if (n < 0 || strlen(login) != (size_t)n)
        login[0] = '\0';
    login[strcspn(login, "\r\n")] = '\0';
    char *colon = strchr(login, ':');
    if (!colon || colon == login || colon - login > 255 || strlen(colon + 1) > 255 || !colon[1])
        return complain(-EINVAL, why, why_size, "%s: not USER:PASSWORD in one line, of at most 255 bytes each", path);
    *colon = '\0';
    *password = colon + 1;
    return 0;
}

int proxies_read_login(struct proxies *proxies, const char *path, char *why, size_t why_size)
{
    return read_login(path, proxies->login, &proxies->password, why, why_size);
}

int proxies_check_login(const char *path, char *why, size_t why_size)
{
    char login[PROXY_LOGIN_SIZE], *password;
    int error = read_login(path, login, &password, why, why_size);
    explicit_bzero(login, sizeof login);
    return error;
}

/* ---- upstream ---- */

static int read_credentials(const struct proxies *proxies, const struct upstream_words *words, enum tls_role role,
                            struct tls_credentials **out, char *why, size_t why_size)
{
    const struct tls_files files = upstream_words_files(words, role, proxies->server_host);
    return tls_credentials_read(role, &files, out, why, why_size);
}

static void name_server(struct proxies *proxies)
{
    struct hawser_addr host = proxies->server.addr;
    host.port = 0;
    if (proxies->server.name[0])
        snprintf(proxies->server_host, sizeof proxies->server_host, "%s", proxies->server.name);
    else
        hawser_addr_format(&host, proxies->server_host, sizeof proxies->server_host);
}

int proxies_use_upstream(struct proxies *proxies, const struct upstream_words *words, char *why, size_t why_size)
{
    struct service *service = proxies->service;
    struct tls_credentials *credentials;
    if (endpoint_read(words->server, &proxies->server) < 0)
        return complain(-EINVAL, why, why_size, "\"%s\": not HOST:PORT, as in server.example:8443", words->server);
    name_server(proxies);
    int error = read_credentials(proxies, words, TLS_CLIENT, &credentials, why, why_size);
    if (error < 0)
        return error;
    proxies->server_name = words->server;
    if (tls_init(&proxies->to_server, credentials, hawser_host_env(service->host)) < 0)
        return complain(-ENOMEM, why, why_size, "no memory for TLS");
    const struct destination to = endpoint_destination(&proxies->server);
    upstream_dialer_init(&proxies->upstream, service->loop, service->host, &proxies->direct.dialer, &to,
                         &proxies->to_server);
    service->far = &proxies->upstream.dialer;
    return 0;
}

static int listen_stack(struct port *port, const struct hawser_addr *local)
{
    const struct hawser_conn_options options = {.size = sizeof options, .keepalive_idle_ns = 300 * NS_PER_S};
    int error = hawser_listen(hawser_host_stack(port->proxies->service->host), local, PROXY_CLIENTS / 8, &options,
                              &port->listener);
    if (error == 0)
        hawser_listener_set_user(port->listener, &port->watch);
    return error;
}

static bool is_any(const struct hawser_addr *addr)
{
    static const struct hawser_addr any, any_v4 = {.ip = {[10] = 0xff, [11] = 0xff}};
    return hawser_addr_same_ip(addr, &any) || hawser_addr_same_ip(addr, &any_v4);
}

int proxies_serve_upstream(struct proxies *proxies, const struct upstream_words *words, char *why, size_t why_size)
{
    const char *local = words->serve;
    struct tls_credentials *credentials;
    struct endpoint at;
    int error = read_local(local, &at, why, why_size);
    if (error == 0)
        error = read_credentials(proxies, words, TLS_SERVER, &credentials, why, why_size);
    if (error < 0)
        return error;
    proxies->serves_upstream = true;
    if (tls_init(&proxies->from_clients, credentials, hawser_host_env(proxies->service->host)) < 0)
        return complain(-ENOMEM, why, why_size, "no memory for TLS");
    pace_init(&proxies->handshakes, SESSION_HANDSHAKES, SESSION_HANDSHAKES_PER_S);
    struct port *port = new_port(proxies, local, &proxies->from_clients);
    if (!port)
        return complain(-ENOSPC, why, why_size, "\"%s\": no memory, or there are %u ports already", local, PROXIES_MAX);
    port->sessions.spoken = SESSION_SOCKS;
    port->sessions.handshakes = &proxies->handshakes;
    port->sessions.dialer = &proxies->kernel_names.dialer;
    error = listen_stack(port, &at.addr);
    if (error == -EADDRNOTAVAIL || (error == 0 && is_any(&at.addr))) /* none of the stack's, or the kernel's too */
        error = listen_kernel(port, &at.addr, true);
    if (error < 0)
        return complain(error, why, why_size, "\"%s\": cannot listen: %s", local, strerror(-error));
    return 0;
}

static int read_side_again(struct proxies *proxies, const struct upstream_words *words, enum tls_role role,
                           const struct tls *tls, struct tls_credentials **next, char *why, size_t why_size)
{
    const struct tls_files files = upstream_words_files(words, role, proxies->server_host);
    return tls_credentials_outdated(tls->credentials, &files) ? tls_credentials_read(role, &files, next, why, why_size)
                                                              : 0;
}

int proxies_read_again(struct proxies *proxies, const struct upstream_words *words, char *why, size_t why_size)
{
    int error = 0;
    forget_next(proxies);
    if (proxies->server_name)
        error =
            read_side_again(proxies, words, TLS_CLIENT, &proxies->to_server, &proxies->to_server_next, why, why_size);
    if (!error && proxies->serves_upstream)
        error = read_side_again(proxies, words, TLS_SERVER, &proxies->from_clients, &proxies->from_clients_next, why,
                                why_size);
    return error;
}

void proxies_renew(struct proxies *proxies)
{
    if (proxies->to_server_next)
        tls_renew(&proxies->to_server, proxies->to_server_next);
    if (proxies->from_clients_next)
        tls_renew(&proxies->from_clients, proxies->from_clients_next);
    proxies->to_server_next = proxies->from_clients_next = NULL;
}

/* ---- what is told ---- */

const char *proxies_upstream_name(const struct proxies *proxies) { return proxies->server_name; }

bool proxies_upstream(const struct proxies *proxies, struct upstream_counts *out, const char **failure)
{
    *out = proxies->upstream.counts;
    out->tls = tls_counts(&proxies->to_server);
    *failure = proxies->to_server.failure;
    return proxies->server_name;
}

const char *proxies_status(const struct proxies *proxies, size_t i, struct session_counts *out)
{
    if (i >= proxies->count)
        return NULL;
    const struct port *port = proxies->ports[i];
    *out = port->sessions.counts;
    out->turned_away += port->acceptor ? acceptor_turned_away(port->acceptor) : 0;
    if (port->sessions.tls)
        out->tls = tls_counts(port->sessions.tls);
    return port->name;
}
