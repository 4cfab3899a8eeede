/*
 * The step that flushes what a program sent takes packets in as well. Whatever it leaves for the program must keep the
 * descriptor readable, or the program sleeps on it. Exit status 0: it was readable as long as something waited.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include <hawser/hawser.h>

enum { STREAM_BYTES = 10000, PORT = 5000, STEPS = 10 };

static void check(bool right, const char *what)
{
    if (right)
        return;
    fprintf(stderr, "wrong: %s\n", what);
    exit(EXIT_FAILURE);
}

static bool readable(const struct hawser_host *host)
{
    struct pollfd p = {.fd = hawser_host_fd(host), .events = POLLIN};
    return poll(&p, 1, 0) == 1;
}

/* Until all that is under way has arrived: nobody looks at events meanwhile. */
static void step_both(struct hawser_host *a, struct hawser_host *b)
{
    for (int i = 0; i < STEPS; i++) {
        check(hawser_host_step(a) == 0, "step");
        check(hawser_host_step(b) == 0, "step");
    }
}

int main(void)
{
    struct hawser_host *a = NULL, *b = NULL;
    struct hawser_addr local, remote, any = {.port = PORT};
    struct hawser_listener *listener;
    struct hawser_conn *out, *in;
    struct hawser_event event;
    uint8_t bytes[STREAM_BYTES + 1] = {0};

    check(hawser_host_new(NULL, &a) == 0 && hawser_host_new(NULL, &b) == 0, "hawser_host_new");
    hawser_addr_parse(&local, "10.1.0.1", 0);
    hawser_addr_parse(&remote, "10.1.0.2", 0);
    check(hawser_host_add_pair(a, &local, b, &remote, 24) == 0, "hawser_host_add_pair");
    remote.port = PORT;
    check(hawser_listen(hawser_host_stack(b), &any, 1, NULL, &listener) == 0, "hawser_listen");
    check(hawser_connect(hawser_host_stack(a), &remote, NULL, hawser_host_now(a), &out) == 0, "hawser_connect");
    step_both(a, b);
    check(readable(a), "the connection is made, but the descriptor is not readable");
    check(readable(b), "a connection is to be accepted, but the descriptor is not readable");
    check(hawser_accept(listener, &in) == 0, "hawser_accept");
    while (hawser_next_event(hawser_host_stack(b), &event))
        ;
    check(hawser_send(out, bytes, STREAM_BYTES) == STREAM_BYTES, "hawser_send");
    hawser_shutdown(out);
    step_both(a, b);
    check(readable(b), "bytes arrived, but the descriptor is not readable");
    check(hawser_next_event(hawser_host_stack(b), &event) && event.conn == in, "hawser_next_event");
    check(hawser_recv(in, bytes, sizeof bytes) == STREAM_BYTES, "hawser_recv");
    hawser_host_free(a);
    hawser_host_free(b);
    return EXIT_SUCCESS;
}
