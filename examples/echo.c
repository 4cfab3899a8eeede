/* Sends back what it receives, on any number of connections: echo PORT LINK... (each as in hawser_host_add_link()). */
#define _POSIX_C_SOURCE 200809L /* signals */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>

#include <hawser/hawser.h>

enum { BACKLOG = 1024 };

/* How long connections that are closed may take to deliver what is queued, once the program is to end. */
#define DRAIN_NS UINT64_C(2000000000)

static int fail(const char *what, const char *why)
{
    fprintf(stderr, "echo: %s: %s\n", what, why);
    return EXIT_FAILURE;
}

/* A descriptor that tells of SIGINT and SIGTERM, which end the loop instead of the program. */
static int open_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC);
}

/*
 * Moves what there is, without a copy of its own. What the sending side has no room for stays unread: so the window of
 * the other side shuts, and an event comes when there is room.
 */
static void echo(struct hawser_conn *conn)
{
    struct hawser_part part;
    uint8_t byte;
    ssize_t n = 0;
    while (hawser_peek(conn, &part, 1) == 1 && (n = hawser_send(conn, part.data, part.len)) > 0)
        hawser_consume(conn, (size_t)n);
    if (n >= 0)
        n = hawser_recv(conn, &byte, 1); /* there is no byte: is that the end? */
    if (n != -EAGAIN && n != -ENOBUFS)
        hawser_close(conn); /* the end, or an error; what is queued is still delivered */
}

static void serve(struct hawser_host *host, struct hawser_listener *listener, int signals)
{
    struct hawser_stack *stack = hawser_host_stack(host);
    struct hawser_conn *conn;
    struct hawser_event event;
    struct pollfd fds[] = {{.fd = hawser_host_fd(host), .events = POLLIN}, {.fd = signals, .events = POLLIN}};
    while (poll(fds, 2, -1) > 0 && !fds[1].revents) {
        hawser_host_step(host);
        while (hawser_accept(listener, &conn) == 0)
            ; /* what has arrived on it already is an event below */
        while (hawser_next_event(stack, &event))
            echo(event.conn);
        hawser_host_step(host); /* sends, and takes in what the next turn of the loop will find */
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

int main(int argc, char **argv)
{
    char why[300];
    struct hawser_host *host;
    int error = hawser_host_new(NULL, &host);
    long port = argc > 1 ? strtol(argv[1], NULL, 10) : 0;
    struct hawser_addr any = {.port = (uint16_t)port};
    struct hawser_listener *listener;
    struct hawser_unfinished left;
    if (error || port < 1 || port > UINT16_MAX || argc < 3)
        return fail(argv[0], error ? strerror(-error) : "usage: echo PORT LINK..., a port from 1 to 65535");
    for (int i = 2; i < argc; i++)
        if (hawser_host_add_link(host, argv[i], why, sizeof why) < 0)
            return fail(argv[i], why);
    error = hawser_listen(hawser_host_stack(host), &any, BACKLOG, NULL, &listener);
    if (error)
        return fail("listen", strerror(-error));
    serve(host, listener, open_signals());
    if (hawser_host_drain(host, DRAIN_NS, &left) < 0)
        fprintf(stderr, "not delivered: %" PRIu64 " bytes on %u connections\n", left.bytes, left.connections);
    print_counters(host);
    hawser_host_free(host);
    return EXIT_SUCCESS;
}
