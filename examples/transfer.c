/* One megabyte over two paths between two hosts of this process; exit status 0 only when it arrived whole. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hawser/hawser.h>

enum { STREAM_BYTES = 1000000, PORT = 5000, PATIENCE_MS = 10000 };

static void check(int error, const char *what)
{
    if (error < 0) {
        fprintf(stderr, "%s: %s\n", what, strerror(-error));
        exit(EXIT_FAILURE);
    }
}

/* A path of its own for each pair of addresses. */
static void join(struct hawser_host *a, const char *addr_a, struct hawser_host *b, const char *addr_b)
{
    struct hawser_addr local, remote;
    check(hawser_addr_parse(&local, addr_a, 0), addr_a);
    check(hawser_addr_parse(&remote, addr_b, 0), addr_b);
    check(hawser_host_add_pair(a, &local, b, &remote, 24), "add_pair");
}

/* Takes packets in and sends what there is to say. */
static void step(struct hawser_host *a, struct hawser_host *b)
{
    check(hawser_host_step(a), "step");
    check(hawser_host_step(b), "step");
}

/* Sleeps until one of the hosts has something to do or something for us, and takes it. */
static void wait_for(struct hawser_host *a, struct hawser_host *b)
{
    struct pollfd fds[] = {{.fd = hawser_host_fd(a), .events = POLLIN}, {.fd = hawser_host_fd(b), .events = POLLIN}};
    check(poll(fds, 2, PATIENCE_MS) == 0 ? -ETIMEDOUT : 0, "nothing moves any more");
    step(a, b);
    struct hawser_event event;
    while (hawser_next_event(hawser_host_stack(a), &event) || hawser_next_event(hawser_host_stack(b), &event))
        ; /* each has one connection, which is looked at in any case */
}

static void print_subflows(const struct hawser_conn *conn)
{
    struct hawser_subflow_info s = {.size = sizeof s};
    char local[HAWSER_ADDR_STRLEN], remote[HAWSER_ADDR_STRLEN];
    for (size_t i = 0; hawser_subflow_get_info(conn, i, &s) == 0; i++)
        printf("subflow %s -> %s: sent %" PRIu64 " bytes\n", hawser_addr_format(&s.local, local, sizeof(local)),
               hawser_addr_format(&s.remote, remote, sizeof(remote)), s.sent_bytes);
}

static uint8_t sent[STREAM_BYTES], received[STREAM_BYTES + 1];

int main(void)
{
    struct hawser_host *client, *server;
    check(hawser_host_new(NULL, &client), "hawser_host_new");
    check(hawser_host_new(NULL, &server), "hawser_host_new");
    join(client, "10.1.0.1", server, "10.1.0.2");
    join(client, "10.2.0.1", server, "10.2.0.2");

    struct hawser_listener *listener;
    struct hawser_conn *out = NULL, *in = NULL;
    struct hawser_addr any = {.port = PORT}, remote;
    check(hawser_addr_parse(&remote, "10.1.0.2", PORT), "address");
    check(hawser_listen(hawser_host_stack(server), &any, 1, NULL, &listener), "listen");
    check(hawser_connect(hawser_host_stack(client), &remote, NULL, hawser_host_now(client), &out), "connect");
    for (size_t i = 0; i < STREAM_BYTES; i++)
        sent[i] = (uint8_t)(i * 2654435761u >> 13);

    size_t queued = 0, got = 0;
    ssize_t n = -1;
    step(client, server);
    while (n != 0) {
        wait_for(client, server);
        check(hawser_conn_error(out), "connection");
        if (queued < STREAM_BYTES && hawser_conn_ready(out) & HAWSER_WRITABLE) {
            n = hawser_send(out, sent + queued, STREAM_BYTES - queued);
            queued += n > 0 ? (size_t)n : 0;
            if (queued == STREAM_BYTES)
                hawser_shutdown(out);
        }
        if (!in)
            hawser_accept(listener, &in);
        while (in && (n = hawser_recv(in, received + got, sizeof(received) - got)) > 0)
            got += (size_t)n;
        step(client, server); /* what was said to the connections goes out, and news may come in: it waits */
    }
    print_subflows(out);
    bool equal = got == STREAM_BYTES && memcmp(sent, received, STREAM_BYTES) == 0;
    printf("%zu bytes arrived, %s\n", got, equal ? "all of them right" : "NOT what was sent");
    hawser_host_free(client);
    hawser_host_free(server);
    return equal ? EXIT_SUCCESS : EXIT_FAILURE;
}
