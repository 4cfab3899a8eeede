/*
 * The controller of congestion.c at work: four megabytes between two hosts of this process. Exit status 0 only when
 * they arrived, by windows that it had made larger.
 *
 *     cc congestion_demo.c congestion.c $(pkg-config --cflags --libs hawser-host)
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hawser/hawser.h>

extern const struct hawser_congestion calm; /* of congestion.c */

enum { STREAM_BYTES = 4000000, PORT = 5000, PATIENCE_MS = 10000 };

static void check(int error, const char *what)
{
    if (error < 0) {
        fprintf(stderr, "%s: %s\n", what, strerror(-error));
        exit(EXIT_FAILURE);
    }
}

static void join(struct hawser_host *a, const char *addr_a, struct hawser_host *b, const char *addr_b)
{
    struct hawser_addr local, remote;
    check(hawser_addr_parse(&local, addr_a, 0), addr_a);
    check(hawser_addr_parse(&remote, addr_b, 0), addr_b);
    check(hawser_host_add_pair(a, &local, b, &remote, 24), "add_pair");
}

/* Steps both hosts, once one has something to do. */
static void step(struct hawser_host *a, struct hawser_host *b)
{
    struct pollfd fds[] = {{.fd = hawser_host_fd(a), .events = POLLIN}, {.fd = hawser_host_fd(b), .events = POLLIN}};
    struct hawser_event event;
    check(poll(fds, 2, PATIENCE_MS) == 0 ? -ETIMEDOUT : 0, "nothing moves any more");
    check(hawser_host_step(a), "step");
    check(hawser_host_step(b), "step");
    while (hawser_next_event(hawser_host_stack(a), &event) || hawser_next_event(hawser_host_stack(b), &event))
        ; /* each has one connection, which is looked at in any case */
}

/* Sends it all, and returns the largest window on the way. */
static uint32_t transfer(struct hawser_host *client, struct hawser_host *server, struct hawser_conn *out,
                         struct hawser_listener *listener)
{
    static uint8_t bytes[1 << 16];
    struct hawser_conn *in = NULL;
    uint64_t queued = 0, got = 0;
    uint32_t largest = 0;
    while (got < STREAM_BYTES) {
        ssize_t n;
        check(hawser_host_step(client), "step"); /* what was said to the connections goes out */
        check(hawser_host_step(server), "step");
        step(client, server);
        check(hawser_conn_error(out), "connection");
        size_t want = STREAM_BYTES - queued < sizeof bytes ? (size_t)(STREAM_BYTES - queued) : sizeof bytes;
        if (want && hawser_conn_ready(out) & HAWSER_WRITABLE && (n = hawser_send(out, bytes, want)) > 0)
            queued += (uint64_t)n;
        if (!in)
            hawser_accept(listener, &in);
        struct hawser_subflow_info s = {.size = sizeof s};
        if (hawser_subflow_get_info(out, 0, &s) == 0 && s.cwnd_bytes > largest)
            largest = s.cwnd_bytes;
        while (in && (n = hawser_recv(in, bytes, sizeof bytes)) > 0)
            got += (uint64_t)n;
    }
    return largest;
}

/* A host whose connections are its own. */
static struct hawser_host *calm_host(void)
{
    struct hawser_host *host;
    const struct hawser_stack_options options = {.size = sizeof options, .controller = &calm};
    check(hawser_host_new(&options, &host), "hawser_host_new");
    return host;
}

int main(void)
{
    enum { FIRST_WINDOW = 14600 }; /* at most (RFC 6928) */
    struct hawser_host *client = calm_host(), *server = calm_host();
    struct hawser_listener *listener;
    struct hawser_conn *out;
    struct hawser_addr any = {.port = PORT}, remote;
    join(client, "10.1.0.1", server, "10.1.0.2");
    check(hawser_addr_parse(&remote, "10.1.0.2", PORT), "address");
    check(hawser_listen(hawser_host_stack(server), &any, 1, NULL, &listener), "listen");
    check(hawser_connect(hawser_host_stack(client), &remote, NULL, hawser_host_now(client), &out), "connect");
    uint32_t largest = transfer(client, server, out, listener);
    printf("%d bytes arrived, by windows of up to %" PRIu32 "\n", STREAM_BYTES, largest);
    hawser_host_free(client);
    hawser_host_free(server);
    return largest > FIRST_WINDOW ? EXIT_SUCCESS : EXIT_FAILURE;
}
