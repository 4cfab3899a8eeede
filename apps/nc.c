/* hawser nc: standard input and output over one connection. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <hawser/hawser.h>

#include "commands.h"
#include "nc_options.h"
#include "nc_report.h"
#include "output.h"

enum {
    NC_INPUT_BYTES = 256 * 1024,
    NC_TURN_BYTES = 1024 * 1024, /* moved each way before the network gets its turn */
    NC_PARTS = 16,
    NC_PATIENCE_MS = 2000, /* then it says what it waits for */
};

/* After the end the last acknowledgements may be lost, and the peer ask for them again: answer for a while. */
#define NC_LINGER_MIN_NS UINT64_C(50000000)
#define NC_LINGER_MAX_NS UINT64_C(500000000)

struct nc {
    struct nc_options options;
    struct hawser_host *host;
    struct hawser_listener *listener;
    struct hawser_conn *conn;
    struct output output;
    struct nc_report report;
    int signal_fd;
    unsigned links_alive;

    bool opened;       /* it listens or connects: there is something to report on */
    bool input_ended;  /* standard input is at its end */
    bool sent_all;     /* ... and so is our direction of the stream */
    bool received_all; /* the peer's direction is at its end, and written */
    bool output_full;  /* standard output had no room */
    bool moved;        /* the last nc_pump() gave the stack something to say */
    bool told_wait;    /* the user knows what it waits for, or it waits no more */
    uint64_t opened_ns;
    uint64_t queued_bytes;
    size_t input_from, input_len;
    uint8_t input[NC_INPUT_BYTES];
};

/* What the loop goes on with: more, or an exit status. */
enum { NC_GO_ON = -1 };

#define nc_fail(...) command_fail("nc", __VA_ARGS__)

static int nc_fail_conn(const struct nc *nc, int error)
{
    char peer[HAWSER_ADDR_STRLEN];
    if (nc->options.listen)
        strcpy(peer, "the peer");
    else
        hawser_addr_format(&nc->options.addr, peer, sizeof(peer));
    switch (error) {
    case -ECONNREFUSED:
        return nc_fail("%s refused the connection: is something listening there?", peer);
    case -ECONNRESET:
        return nc_fail("%s reset the connection before it was complete: look for the reason there", peer);
    case -ETIMEDOUT:
        return nc_fail("no answer from %s: check the address, the routes back to this link, and firewalls", peer);
    case -EADDRNOTAVAIL:
        nc_fail("no link has an address of the family of %s: add one with --link ...,addr=", peer);
        return EXIT_USAGE;
    case -EINVAL:
        nc_fail("%s is an address of a link itself, or of no single host: name the peer's", peer);
        return EXIT_USAGE;
    default:
        return nc_fail("connection to %s failed: %s", peer, strerror(-error));
    }
}

/* Takes what the connection has to standard output. */
static int nc_pump_out(struct nc *nc)
{
    for (size_t moved = 0; moved < NC_TURN_BYTES && !nc->received_all;) {
        struct hawser_part parts[NC_PARTS];
        size_t count = hawser_peek(nc->conn, parts, NC_PARTS);
        if (count == 0) {
            uint8_t none;
            nc->received_all = hawser_recv(nc->conn, &none, 1) == 0;
            break;
        }
        ssize_t n = output_write(&nc->output, parts, count);
        if (n == -EAGAIN) {
            nc->output_full = true;
            break;
        }
        if (n == -EPIPE)
            return nc_fail("standard output was closed by its reader before the stream was complete");
        if (n < 0)
            return nc_fail("cannot write to standard output: %s", strerror((int)-n));
        hawser_consume(nc->conn, (size_t)n);
        moved += (size_t)n;
        nc->moved = true;
    }
    return NC_GO_ON;
}

/* Reads standard input when that cannot block. */
static int nc_fill_input(struct nc *nc)
{
    struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
    if (nc->input_ended || nc->input_len || poll(&p, 1, 0) != 1)
        return NC_GO_ON;
    ssize_t n = read(STDIN_FILENO, nc->input, sizeof(nc->input));
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return NC_GO_ON;
    if (n < 0)
        return nc_fail("cannot read standard input: %s", strerror(errno));
    nc->input_ended = n == 0;
    nc->input_from = 0;
    nc->input_len = (size_t)n;
    return NC_GO_ON;
}

/* Takes standard input to the connection, and its end. */
static int nc_pump_in(struct nc *nc)
{
    for (size_t moved = 0; moved < NC_TURN_BYTES;) {
        int status = nc_fill_input(nc);
        if (status != NC_GO_ON)
            return status;
        if (nc->input_len == 0)
            break;
        ssize_t n = hawser_send(nc->conn, nc->input + nc->input_from, nc->input_len);
        if (n <= 0)
            break; /* no room, or an error that the readiness shows too */
        nc->input_from += (size_t)n;
        nc->input_len -= (size_t)n;
        moved += (size_t)n;
        nc->queued_bytes += (uint64_t)n;
        nc->moved = true;
    }
    if (nc->input_ended && !nc->sent_all) {
        nc->sent_all = nc->moved = true;
        hawser_shutdown(nc->conn);
    }
    return NC_GO_ON;
}

/* Everything got across, even if the connection's own end did not go by the book. */
static bool nc_complete(const struct nc *nc)
{
    struct hawser_conn_info info = {.size = sizeof info};
    if (!nc->sent_all || !nc->received_all)
        return false;
    return hawser_conn_get_info(nc->conn, &info) == 0 && info.acked_bytes >= nc->queued_bytes;
}

static void nc_accept(struct nc *nc)
{
    if (hawser_accept(nc->listener, &nc->conn) != 0)
        return;
    hawser_listener_close(nc->listener);
    nc->listener = NULL;
}

/* Lets bytes flow. Returns NC_GO_ON or the exit status. */
static int nc_pump(struct nc *nc)
{
    nc->moved = nc->output_full = false;
    if (nc->listener)
        nc_accept(nc);
    if (!nc->conn)
        return NC_GO_ON;
    unsigned ready = hawser_conn_ready(nc->conn);
    int status = NC_GO_ON;
    if (ready & HAWSER_READABLE)
        status = nc_pump_out(nc);
    if (status == NC_GO_ON && ready & HAWSER_WRITABLE && !(ready & HAWSER_ERROR))
        status = nc_pump_in(nc);
    if (status != NC_GO_ON)
        return status;

    bool unread = nc->output_full; /* what arrived before an error is still delivered */
    ready = hawser_conn_ready(nc->conn);
    if (ready & HAWSER_ERROR && !unread)
        return nc_complete(nc) ? EXIT_SUCCESS : nc_fail_conn(nc, hawser_conn_error(nc->conn));
    if (ready & HAWSER_CLOSED && nc->sent_all && nc->received_all)
        return EXIT_SUCCESS;
    return NC_GO_ON;
}

static int nc_step(struct nc *nc)
{
    if (hawser_host_step(nc->host) != 0 && --nc->links_alive == 0)
        return nc_fail("the device of the last link was deleted: nothing can arrive any more");
    struct hawser_event event;
    while (hawser_next_event(hawser_host_stack(nc->host), &event))
        ; /* there is one connection, and its readiness is asked for each time */
    if (nc->conn && nc->options.verbose)
        nc_report_note(&nc->report, nc->conn);
    return NC_GO_ON;
}

/* Sleeps until there is something to do. Returns NC_GO_ON, or the status of having been told to stop. */
static int nc_wait(struct nc *nc, int timeout_ms)
{
    unsigned ready = nc->conn ? hawser_conn_ready(nc->conn) : 0;
    bool want_input = ready & HAWSER_WRITABLE && !nc->input_ended && !nc->input_len;
    struct pollfd fds[] = {
        {.fd = hawser_host_fd(nc->host), .events = POLLIN},
        {.fd = nc->signal_fd, .events = POLLIN},
        {.fd = want_input ? STDIN_FILENO : -1, .events = POLLIN},
        {.fd = nc->output_full ? nc->output.fd : -1, .events = POLLOUT},
    };
    if (poll(fds, sizeof(fds) / sizeof(fds[0]), timeout_ms) < 0 && errno != EINTR)
        return nc_fail("cannot wait for events: %s", strerror(errno));
    struct signalfd_siginfo info;
    if (fds[1].revents && read(nc->signal_fd, &info, sizeof(info)) == sizeof(info)) {
        nc_fail("stopped by signal %u (%s)", info.ssi_signo, strsignal((int)info.ssi_signo));
        return 128 + (int)info.ssi_signo;
    }
    return NC_GO_ON;
}

/* Whoever sees nothing happen is told what is awaited, once. Returns the milliseconds until then, or -1. */
static int nc_tell_wait(struct nc *nc)
{
    char peer[HAWSER_ADDR_STRLEN];
    uint64_t waited_ms = (hawser_host_now(nc->host) - nc->opened_ns) / 1000000;
    nc->told_wait |= nc->conn && hawser_conn_ready(nc->conn);
    if (nc->told_wait)
        return -1;
    if (waited_ms < NC_PATIENCE_MS)
        return NC_PATIENCE_MS - (int)waited_ms;
    nc->told_wait = true;
    if (nc->options.listen && !nc->conn)
        fprintf(stderr, "hawser nc: waiting for somebody to connect to port %u\n", nc->options.addr.port);
    else
        fprintf(
            stderr,
            "hawser nc: waiting for an answer from %s: does a route lead there from the links' addresses, and back?\n",
            nc->options.listen ? "the peer" : hawser_addr_format(&nc->options.addr, peer, sizeof(peer)));
    return -1;
}

static int nc_loop(struct nc *nc)
{
    nc->opened_ns = hawser_host_now(nc->host);
    for (;;) {
        int status = nc_step(nc);
        if (status == NC_GO_ON)
            status = nc_pump(nc);
        int patience_ms = nc_tell_wait(nc);
        if (status == NC_GO_ON)
            status = nc_wait(nc, nc->moved ? 0 : patience_ms);
        if (status != NC_GO_ON)
            return status;
    }
}

static void nc_linger(struct nc *nc)
{
    uint64_t srtt_ns = 0;
    struct hawser_subflow_info info = {.size = sizeof info};
    for (size_t i = 0; hawser_subflow_get_info(nc->conn, i, &info) == 0; i++)
        srtt_ns = info.srtt_ns > srtt_ns ? info.srtt_ns : srtt_ns;
    uint64_t linger_ns = 4 * srtt_ns;
    linger_ns = linger_ns < NC_LINGER_MIN_NS ? NC_LINGER_MIN_NS : linger_ns;
    linger_ns = linger_ns > NC_LINGER_MAX_NS ? NC_LINGER_MAX_NS : linger_ns;
    uint64_t end_ns = hawser_host_now(nc->host) + linger_ns;

    hawser_close(nc->conn);
    nc->conn = NULL;
    for (uint64_t now_ns; (now_ns = hawser_host_now(nc->host)) < end_ns;) {
        if (hawser_host_step(nc->host) != 0 || nc_wait(nc, (int)((end_ns - now_ns) / 1000000) + 1) != NC_GO_ON)
            break;
    }
}

static int nc_open(struct nc *nc)
{
    const struct hawser_conn_options conn_options = {.size = sizeof(conn_options),
                                                     .no_mptcp = nc->options.no_mptcp,
                                                     .scheduler = nc->options.scheduler,
                                                     .keepalive_idle_ns = nc->options.keepalive_ns,
                                                     .keepalive_interval_ns = nc->options.keepalive_ns};
    struct hawser_stack *stack = hawser_host_stack(nc->host);
    char text[HAWSER_ADDR_STRLEN];
    int error;
    if (!nc->options.listen) {
        error = hawser_connect(stack, &nc->options.addr, &conn_options, hawser_host_now(nc->host), &nc->conn);
        return error ? nc_fail_conn(nc, error) : NC_GO_ON;
    }
    error = hawser_listen(stack, &nc->options.addr, 1, &conn_options, &nc->listener);
    if (error == -EADDRNOTAVAIL) {
        nc_fail("%s is not an address of a link: listen on one that is, or on *",
                hawser_addr_format(&nc->options.addr, text, sizeof(text)));
        return EXIT_USAGE;
    }
    if (error)
        return nc_fail("cannot listen: %s", strerror(-error));
    return NC_GO_ON;
}

static int nc_catch_signals(struct nc *nc)
{
    nc->signal_fd = command_catch_signals();
    return nc->signal_fd >= 0 ? NC_GO_ON : nc_fail("cannot receive signals: %s", strerror(errno));
}

static int nc_add_links(struct nc *nc)
{
    char why[512];
    for (unsigned i = 0; i < nc->options.link_count; i++) {
        int error = hawser_host_add_link(nc->host, nc->options.links[i], why, sizeof(why));
        if (error < 0) {
            nc_fail("--link %s: %s", nc->options.links[i], why);
            return error == -EINVAL ? EXIT_USAGE : EXIT_FAILURE;
        }
        nc->links_alive++;
    }
    return NC_GO_ON;
}

static int nc_run(struct nc *nc)
{
    int status = nc_catch_signals(nc);
    if (status == NC_GO_ON)
        status = nc_add_links(nc);
    if (status == NC_GO_ON)
        status = nc_open(nc);
    nc->opened = status == NC_GO_ON;
    if (nc->opened)
        status = nc_loop(nc);
    if (nc->conn && status == EXIT_SUCCESS) {
        nc_linger(nc);
    } else if (nc->conn) {
        hawser_abort(nc->conn);
        hawser_host_step(nc->host);
    }
    return status;
}

int nc_main(int argc, char **argv)
{
    struct nc *nc = calloc(1, sizeof(*nc));
    if (!nc)
        return nc_fail("no memory: free some and try again");
    int status = nc_options_read(&nc->options, argc, argv);
    if (status != NC_GO_ON) {
        free(nc);
        return status;
    }
    int error = hawser_host_new(NULL, &nc->host);
    if (error) {
        status = nc_fail("cannot make a host: %s", strerror(-error));
        free(nc);
        return status;
    }
    output_open(&nc->output, STDOUT_FILENO);
    status = nc_run(nc);
    if (nc->options.verbose && nc->opened)
        nc_report_print(&nc->report, nc->host, stderr);
    output_close(&nc->output);
    hawser_host_free(nc->host);
    if (nc->signal_fd >= 0)
        close(nc->signal_fd);
    free(nc);
    return status;
}
