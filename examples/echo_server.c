/*
 * Sends back what it receives, on thousands of connections at once:
 *
 *     echo_server PORT LINK...                   each link as in hawser_host_add_link(); until SIGINT or SIGTERM
 *     echo_server --load N ADDRESS PORT LINK...  the other side: N connections at once, every byte compared
 *     echo_server --self-test [N]                both in this process, without any privilege
 */
#define _GNU_SOURCE /* signalfd, epoll */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include <hawser/hawser.h>

enum { BACKLOG = 4096, CONNECTIONS_MAX = 20000, STREAM_BYTES = 20000, STALL_MS = 30000 };

/* After a signal: how long clients may go on, and how long what is queued then may take to be delivered. */
#define LAST_ORDERS_NS UINT64_C(5000000000)
#define DRAIN_NS UINT64_C(2000000000)

/* How long a client may be silent before it is asked whether it is there. One that is, and says nothing, may stay:
 * http_file_server.c shows how such ones are left. */
#define SILENT_NS UINT64_C(60000000000)

static void check(int error, const char *what)
{
    if (error < 0) {
        fprintf(stderr, "%s: %s\n", what, strerror(-error));
        exit(EXIT_FAILURE);
    }
}

static struct hawser_host *new_host(void)
{
    struct hawser_stack_options options = {.size = sizeof(options), .max_connections = CONNECTIONS_MAX};
    struct hawser_host *host;
    check(hawser_host_new(&options, &host), "hawser_host_new");
    return host;
}

static void add_links(struct hawser_host *host, char **specs)
{
    char why[300];
    for (; *specs; specs++) {
        if (hawser_host_add_link(host, *specs, why, sizeof(why)) < 0) {
            fprintf(stderr, "%s: %s\n", *specs, why);
            exit(EXIT_FAILURE);
        }
    }
}

static void print_counters(struct hawser_host *host)
{
    struct hawser_counter c;
    for (size_t i = 0; hawser_stack_counter(hawser_host_stack(host), i, &c); i++)
        if (c.value)
            fprintf(stderr, "%-28s %" PRIu64 "\n", c.name, c.value);
    for (size_t i = 0; hawser_host_counter(host, i, &c); i++)
        if (c.value)
            fprintf(stderr, "%-28s %" PRIu64 "\n", c.name, c.value);
}

/* The server. Its sessions are in a list, so that those left over at the end can be reset. */

struct session {
    struct hawser_conn *conn;
    struct session *next, **at; /* `*at` is this one */
};

struct server {
    struct hawser_host *host;
    struct hawser_listener *listener; /* NULL: the last orders are taken */
    struct session *sessions;
};

static void server_start(struct server *server, struct hawser_host *host, uint16_t port)
{
    struct hawser_addr any = {.port = port};
    struct hawser_conn_options options = {.size = sizeof(options), .keepalive_idle_ns = SILENT_NS};
    *server = (struct server){.host = host};
    check(hawser_listen(hawser_host_stack(host), &any, BACKLOG, &options, &server->listener), "listen");
}

static void session_begin(struct server *server, struct hawser_conn *conn)
{
    struct session *s = malloc(sizeof(*s));
    if (!s) {
        hawser_abort(conn);
        return;
    }
    *s = (struct session){conn, server->sessions, &server->sessions};
    if (s->next)
        s->next->at = &s->next;
    server->sessions = s;
    hawser_conn_set_user(conn, s);
}

/* Takes it off the list; the handle is given up by hawser_close() or hawser_abort(), as the caller says. */
static void session_end(struct session *s, void (*give_up)(struct hawser_conn *))
{
    give_up(s->conn);
    *s->at = s->next;
    if (s->next)
        s->next->at = s->at;
    free(s);
}

/*
 * Moves what there is, without a copy of its own. What the sending side has no room for stays unread: so the window of
 * the client shuts, and an event comes when there is room. Whatever the event was, this does what can be done.
 */
static void session_echo(struct session *s)
{
    struct hawser_part part;
    uint8_t byte;
    ssize_t n = 0;
    while (hawser_peek(s->conn, &part, 1) == 1 && (n = hawser_send(s->conn, part.data, part.len)) > 0)
        hawser_consume(s->conn, (size_t)n);
    if (n >= 0)
        n = hawser_recv(s->conn, &byte, 1); /* there is no byte: is that the end? */
    if (n != -EAGAIN && n != -ENOBUFS)
        session_end(s, hawser_close); /* the end, or an error; what is queued is still delivered */
}

/* One turn: packets in, everything that waits for the program, packets out. */
static void server_turn(struct server *server)
{
    struct hawser_event event;
    struct hawser_conn *conn;
    check(hawser_host_step(server->host), "a link is gone");
    while (hawser_next_event(hawser_host_stack(server->host), &event)) {
        if (event.conn)
            session_echo(event.user);
        while (event.listener && hawser_accept(event.listener, &conn) == 0)
            session_begin(server, conn);
    }
    check(hawser_host_step(server->host), "a link is gone");
}

/* No new clients; those that are here have some seconds to finish. */
static void server_last_orders(struct server *server)
{
    hawser_listener_close(server->listener);
    server->listener = NULL;
}

static void server_stop(struct server *server, uint64_t patience_ns)
{
    struct hawser_unfinished left;
    while (server->sessions)
        session_end(server->sessions, hawser_abort);
    if (hawser_host_drain(server->host, patience_ns, &left) < 0)
        fprintf(stderr, "not delivered: %" PRIu64 " bytes on %u connections\n", left.bytes, left.connections);
}

/* A descriptor that tells of SIGINT and SIGTERM, which end the loop instead of the program. */
static int open_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int watch(int epoll, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : -errno;
}

static void serve(uint16_t port, char **links)
{
    struct server server;
    struct hawser_host *host = new_host();
    int epoll = epoll_create1(EPOLL_CLOEXEC), signals = open_signals();
    add_links(host, links);
    server_start(&server, host, port);
    check(epoll < 0 || signals < 0 ? -errno : 0, "epoll");
    check(watch(epoll, hawser_host_fd(host)), "epoll");
    check(watch(epoll, signals), "epoll");

    uint64_t end_ns = HAWSER_NEVER, now_ns;
    while ((now_ns = hawser_host_now(host)) < end_ns && (server.listener || server.sessions)) {
        struct epoll_event event;
        struct signalfd_siginfo info;
        int patience_ms = end_ns == HAWSER_NEVER ? -1 : (int)((end_ns - now_ns) / 1000000 + 1);
        if (epoll_wait(epoll, &event, 1, patience_ms) < 0 && errno != EINTR)
            check(-errno, "epoll_wait");
        server_turn(&server);
        if (read(signals, &info, sizeof(info)) == sizeof(info)) {
            end_ns = server.listener ? now_ns + LAST_ORDERS_NS : now_ns; /* a second one: at once */
            if (server.listener)
                server_last_orders(&server);
        }
    }
    server_stop(&server, DRAIN_NS);
    print_counters(host);
    hawser_host_free(host);
    close(signals);
    close(epoll);
}

/* The other side: every stream has bytes of its own, and counts when all of them came back and then the end. */

struct stream {
    struct hawser_conn *conn;
    size_t sent, received;
    unsigned number;
};

struct load {
    struct hawser_host *host;
    struct stream *streams;
    unsigned count, whole, failed;
};

static void fill(uint8_t *bytes, size_t len, size_t at, unsigned number)
{
    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)(((at + i) * 2654435761u >> 9) + number * 97);
}

static void load_start(struct load *load, struct hawser_host *host, unsigned count, const struct hawser_addr *remote)
{
    *load = (struct load){.host = host, .streams = calloc(count, sizeof(struct stream)), .count = count};
    check(load->streams ? 0 : -ENOMEM, "streams");
    for (unsigned i = 0; i < count; i++) {
        struct stream *s = &load->streams[i];
        s->number = i;
        check(hawser_connect(hawser_host_stack(host), remote, NULL, hawser_host_now(host), &s->conn), "connect");
        hawser_conn_set_user(s->conn, s);
    }
}

static void stream_end(struct load *load, struct stream *s, int error)
{
    bool whole = !error && s->received == STREAM_BYTES;
    load->whole += whole;
    load->failed += !whole;
    if (!whole)
        fprintf(stderr, "stream %u: %zu of %d bytes came back: %s\n", s->number, s->received, STREAM_BYTES,
                strerror(-error));
    hawser_close(s->conn);
}

static void stream_move(struct load *load, struct stream *s)
{
    uint8_t bytes[4096], expected[4096];
    ssize_t n = 0;
    while (s->sent < STREAM_BYTES) {
        size_t len = STREAM_BYTES - s->sent < sizeof(bytes) ? STREAM_BYTES - s->sent : sizeof(bytes);
        fill(bytes, len, s->sent, s->number);
        if ((n = hawser_send(s->conn, bytes, len)) < 0)
            break; /* no room, or not connected yet; an error is what hawser_recv() says, too */
        s->sent += (size_t)n;
        if (s->sent == STREAM_BYTES)
            hawser_shutdown(s->conn);
    }
    while ((n = hawser_recv(s->conn, bytes, sizeof(bytes))) > 0) {
        fill(expected, (size_t)n, s->received, s->number);
        if (memcmp(bytes, expected, (size_t)n) != 0) {
            stream_end(load, s, -EILSEQ);
            return;
        }
        s->received += (size_t)n;
    }
    if (n != -EAGAIN)
        stream_end(load, s, (int)n);
}

static void load_turn(struct load *load)
{
    struct hawser_event event;
    check(hawser_host_step(load->host), "a link is gone");
    while (hawser_next_event(hawser_host_stack(load->host), &event))
        stream_move(load, event.user);
    check(hawser_host_step(load->host), "a link is gone");
}

/* Runs until every stream has ended; `server`, if any, is in this process. Returns the exit status. */
static int load_run(struct load *load, struct server *server)
{
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event;
    check(epoll < 0 ? -errno : watch(epoll, hawser_host_fd(load->host)), "epoll");
    if (server)
        check(watch(epoll, hawser_host_fd(server->host)), "epoll");
    load_turn(load);
    while (load->whole + load->failed < load->count) {
        check(epoll_wait(epoll, &event, 1, STALL_MS) == 0 ? -ETIMEDOUT : 0, "nothing moves any more");
        if (server)
            server_turn(server);
        load_turn(load);
    }
    close(epoll);
    free(load->streams);
    printf("%u of %u streams of %d bytes came back whole\n", load->whole, load->count, STREAM_BYTES);
    return load->whole == load->count ? EXIT_SUCCESS : EXIT_FAILURE;
}

static struct hawser_addr address(const char *text, uint16_t port)
{
    struct hawser_addr addr;
    check(hawser_addr_parse(&addr, text, port), text);
    return addr;
}

static int run_load(unsigned count, const char *to, uint16_t port, char **links)
{
    struct load load;
    struct hawser_host *host = new_host();
    struct hawser_addr remote = address(to, port);
    struct hawser_unfinished left;
    add_links(host, links);
    load_start(&load, host, count, &remote);
    int status = load_run(&load, NULL);
    hawser_host_drain(host, DRAIN_NS, &left);
    hawser_host_free(host);
    return status;
}

static int self_test(unsigned count)
{
    struct hawser_host *client = new_host(), *host = new_host();
    struct hawser_addr a[] = {address("10.1.0.1", 0), address("10.2.0.1", 0)};
    struct hawser_addr b[] = {address("10.1.0.2", 7), address("10.2.0.2", 0)};
    for (int i = 0; i < 2; i++)
        check(hawser_host_add_pair(client, &a[i], host, &b[i], 24), "add_pair");
    struct server server;
    struct load load;
    server_start(&server, host, b[0].port);
    load_start(&load, client, count, &b[0]);
    int status = load_run(&load, &server);
    server_last_orders(&server);
    server_stop(&server, 0); /* a peer in this thread cannot answer while we wait */
    hawser_host_free(client);
    hawser_host_free(host);
    return status;
}

static unsigned number(const char *text, unsigned max)
{
    char *end;
    unsigned long n = strtoul(text, &end, 10);
    check(n < 1 || n > max || *end ? -ERANGE : 0, text);
    return (unsigned)n;
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--self-test") == 0)
        return self_test(argc > 2 ? number(argv[2], CONNECTIONS_MAX / 2) : 1000);
    if (argc > 5 && strcmp(argv[1], "--load") == 0)
        return run_load(number(argv[2], CONNECTIONS_MAX), argv[3], (uint16_t)number(argv[4], UINT16_MAX), argv + 5);
    if (argc < 3 || argv[1][0] == '-') {
        fprintf(stderr, "usage: echo_server PORT LINK... | --load N ADDRESS PORT LINK... | --self-test [N]\n");
        return EXIT_FAILURE;
    }
    serve((uint16_t)number(argv[1], UINT16_MAX), argv + 2);
    return EXIT_SUCCESS;
}
