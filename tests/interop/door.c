/*
 * The program behind a door: door LINK [FROM TO PORT]
 *
 * Answers what comes in by LINK, a door, by its destination port (see decide()); what it accepts is sent back. With
 * FROM it first opens a connection from that address to TO, which hears that address.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hawser/hawser.h>

enum { PORT_ECHO = 7, PORT_LATE = 8, PORT_REFUSALS = 100, LATE_MS = 2500, BACKLOG = 64, ROOM = 65536 };

struct line {
    struct hawser_conn *conn;
    size_t have, sent;
    bool ended;
    char bytes[ROOM];
};

struct program {
    struct hawser_host *host;
    struct hawser_listener *listener;
    struct hawser_request *late; /* answered only when its client has asked again */
    uint64_t late_ns;
    const char *first_words; /* of the connection that the program opens itself */
};

static void die(const char *what, int error)
{
    fprintf(stderr, "%s: %s\n", what, strerror(-error));
    exit(1);
}

static struct line *line_of(struct hawser_conn *conn)
{
    struct line *line = calloc(1, sizeof *line);
    if (!line)
        die("no memory", -ENOMEM);
    line->conn = conn;
    hawser_conn_set_user(conn, line);
    return line;
}

static void accept_it(struct hawser_request *request)
{
    struct hawser_conn *conn;
    int error = hawser_request_accept(request, &conn);
    if (error < 0)
        die("cannot accept", error);
    (void)line_of(conn);
}

static void decide(struct program *p, struct hawser_request *request)
{
    struct hawser_addr to;
    hawser_request_addrs(request, NULL, &to);
    if (hawser_request_withdrawn(request)) {
        hawser_request_refuse(request, HAWSER_REFUSE_SILENTLY);
    } else if (to.port == PORT_ECHO) {
        accept_it(request);
    } else if (to.port == PORT_LATE) {
        p->late = request;
        p->late_ns = hawser_host_now(p->host) + LATE_MS * UINT64_C(1000000);
    } else if (to.port >= PORT_REFUSALS && to.port <= PORT_REFUSALS + HAWSER_REFUSE_SILENTLY) {
        hawser_request_refuse(request, (enum hawser_refusal)(to.port - PORT_REFUSALS));
    } else {
        hawser_request_refuse(request, HAWSER_REFUSE_RESET);
    }
}

/* Sends back what there is, as far as it goes. */
static void echo(struct line *line)
{
    ssize_t n = 1;
    while (n > 0) {
        if (line->sent == line->have) {
            n = line->ended ? 0 : hawser_recv(line->conn, line->bytes, ROOM);
            line->ended |= n == 0;
            line->have = n > 0 ? (size_t)n : 0;
            line->sent = 0;
        }
        if (line->sent < line->have) {
            n = hawser_send(line->conn, line->bytes + line->sent, line->have - line->sent);
            line->sent += n > 0 ? (size_t)n : 0;
        }
    }
    bool failed = n < 0 && n != -EAGAIN && n != -ENOBUFS && n != -ENOTCONN;
    if (!failed && !line->ended)
        return;
    hawser_close(line->conn);
    free(line);
}

static void serve(struct program *p)
{
    struct hawser_stack *stack = hawser_host_stack(p->host);
    struct hawser_request *request;
    struct hawser_event event;
    while (hawser_next_request(p->listener, &request) == 0)
        decide(p, request);
    if (p->late && hawser_host_now(p->host) >= p->late_ns) {
        accept_it(p->late);
        p->late = NULL;
    }
    while (hawser_next_event(stack, &event)) {
        if (p->first_words && event.what & HAWSER_CONNECTED) {
            (void)hawser_send(event.conn, p->first_words, strlen(p->first_words));
            hawser_shutdown(event.conn);
            p->first_words = NULL;
        }
        if (event.user)
            echo(event.user);
    }
}

static void open_from(struct program *p, int link, const char *from, const char *to, const char *port)
{
    struct hawser_conn_options options = {.size = sizeof options, .foreign_local = true, .link = link};
    struct hawser_addr remote;
    struct hawser_conn *conn;
    if (hawser_addr_parse(&options.local, from, 0) < 0 || hawser_addr_parse(&remote, to, (uint16_t)atoi(port)) < 0)
        die("an address", -EINVAL);
    int error = hawser_connect(hawser_host_stack(p->host), &remote, &options, hawser_host_now(p->host), &conn);
    if (error < 0)
        die("cannot connect", error);
    (void)line_of(conn);
    p->first_words = from;
}

int main(int argc, char **argv)
{
    struct program p = {0};
    char why[512];
    int error = hawser_host_new(NULL, &p.host);
    if (error < 0)
        die("no host", error);
    int link = argc > 1 ? hawser_host_add_link(p.host, argv[1], why, sizeof why) : -EINVAL;
    if (link < 0)
        die(why, link);
    error = hawser_listen_link(hawser_host_stack(p.host), link, BACKLOG, NULL, &p.listener);
    if (error < 0)
        die("cannot listen", error);
    puts("ready");
    fflush(stdout);
    if (argc == 5 && getchar() != EOF) /* until the caller has set up what leads here */
        open_from(&p, link, argv[2], argv[3], argv[4]);
    for (;;) {
        struct pollfd readable = {.fd = hawser_host_fd(p.host), .events = POLLIN};
        hawser_host_step(p.host);
        serve(&p);
        hawser_host_step(p.host);
        poll(&readable, 1, p.late ? 10 : -1);
    }
}
