/*
 * Many connections of the kernel's MPTCP at once to an echo server: load ADDRESS PORT COUNT BYTES AT_ONCE. Each one
 * writes and reads at the same time, and every byte that comes back is compared. Exit status 0: all came back; no time
 * is too long for that as long as something moves.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/mptcp.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef SOL_MPTCP
#define SOL_MPTCP 284
#endif

enum {
    PROTOCOL_MPTCP = 262,
    STALL_MS = 60000,
    PIECE_BYTES = 64 * 1024,
    PATTERN_BYTES = 1000003, /* a prime: a piece in a wrong place does not look right */
    EVENTS = 64,
};

struct client {
    int fd;
    uint32_t shift; /* where in the pattern its stream begins */
    uint64_t sent, received;
};

struct load {
    struct sockaddr_in server;
    unsigned count, at_once, started, finished, joined;
    uint64_t bytes;
    int epoll_fd;
    struct client *clients;
    uint8_t pattern[PATTERN_BYTES];
};

static void fail(const char *what, const struct client *c)
{
    fprintf(stderr, "load: %s: %s", what, strerror(errno));
    if (c)
        fprintf(stderr, " (%llu bytes sent, %llu received)", (unsigned long long)c->sent,
                (unsigned long long)c->received);
    fputc('\n', stderr);
    exit(EXIT_FAILURE);
}

/* The stream's bytes from `at` on, as far as they lie in one piece. */
static const uint8_t *stream(const struct load *l, const struct client *c, uint64_t at, size_t *len)
{
    size_t from = (size_t)((c->shift + at) % PATTERN_BYTES), left = PATTERN_BYTES - from;
    *len = *len < left ? *len : left;
    return l->pattern + from;
}

static void start(struct load *l)
{
    struct client *c = &l->clients[l->started];
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.ptr = c};
    *c = (struct client){.shift = (uint32_t)(l->started * 7919u % PATTERN_BYTES)};
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, PROTOCOL_MPTCP);
    if (c->fd < 0 || (connect(c->fd, (struct sockaddr *)&l->server, sizeof l->server) < 0 && errno != EINPROGRESS) ||
        epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, c->fd, &event) < 0)
        fail("connect", NULL);
    l->started++;
}

static void write_some(const struct load *l, struct client *c)
{
    while (c->sent < l->bytes) {
        size_t len = (size_t)(l->bytes - c->sent < PIECE_BYTES ? l->bytes - c->sent : PIECE_BYTES);
        const uint8_t *from = stream(l, c, c->sent, &len);
        ssize_t n = send(c->fd, from, len, MSG_NOSIGNAL);
        if (n < 0 && (errno == EAGAIN || errno == EINPROGRESS))
            return;
        if (n < 0)
            fail("send", c);
        c->sent += (uint64_t)n;
    }
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    epoll_ctl(l->epoll_fd, EPOLL_CTL_MOD, c->fd, &event);
}

/* All is back: only now may the stream end, for the kernel makes no joins once a direction has. */
static void note_whole(struct load *l, const struct client *c)
{
    struct mptcp_info info = {0};
    socklen_t len = sizeof info;
    if (getsockopt(c->fd, SOL_MPTCP, MPTCP_INFO, &info, &len) == 0 && info.mptcpi_subflows > 0)
        l->joined++;
    shutdown(c->fd, SHUT_WR);
}

static void finish(struct load *l, struct client *c)
{
    if (c->received != l->bytes) {
        errno = EPIPE;
        fail("the end came early", c);
    }
    close(c->fd);
    c->fd = -1;
    l->finished++;
    if (l->started < l->count)
        start(l);
}

static void read_some(struct load *l, struct client *c)
{
    uint8_t bytes[PIECE_BYTES];
    for (ssize_t n; (n = recv(c->fd, bytes, sizeof bytes, 0)) != 0;) {
        if (n < 0 && (errno == EAGAIN || errno == EINPROGRESS))
            return;
        if (n < 0)
            fail("recv", c);
        for (size_t done = 0, len; done < (size_t)n; done += len) {
            len = (size_t)n - done;
            const uint8_t *expected = stream(l, c, c->received, &len);
            errno = EILSEQ;
            if (c->received + len > l->bytes || memcmp(bytes + done, expected, len) != 0)
                fail("what came back is not what was sent", c);
            c->received += len;
        }
        if (c->received == l->bytes)
            note_whole(l, c);
    }
    finish(l, c);
}

static void stalled(const struct load *l)
{
    unsigned shown = 0;
    fprintf(stderr, "load: nothing moves any more; %u of %u are whole\n", l->finished, l->count);
    for (unsigned i = 0; i < l->started && shown < 5; i++) {
        const struct client *c = &l->clients[i];
        if (c->fd >= 0 && ++shown)
            fprintf(stderr, "load: connection %u: %llu bytes sent, %llu received\n", i, (unsigned long long)c->sent,
                    (unsigned long long)c->received);
    }
    if (system("ss -Htinmo dport = 5001 >&2; ss -HMin dport = 5001 >&2") != 0)
        fprintf(stderr, "load: there is no ss(8) to tell more\n");
    exit(EXIT_FAILURE);
}

static void run(struct load *l)
{
    struct epoll_event events[EVENTS];
    while (l->started < l->at_once)
        start(l);
    while (l->finished < l->count) {
        int n = epoll_wait(l->epoll_fd, events, EVENTS, STALL_MS);
        if (n == 0)
            stalled(l);
        for (int i = 0; i < n; i++) {
            struct client *c = events[i].data.ptr;
            if (c->sent < l->bytes)
                write_some(l, c);
            read_some(l, c);
        }
    }
    printf("%u whole, %u with more than one subflow\n", l->finished, l->joined);
}

int main(int argc, char **argv)
{
    static struct load l;
    if (argc != 6 || inet_pton(AF_INET, argv[1], &l.server.sin_addr) != 1) {
        fprintf(stderr, "usage: load ADDRESS PORT COUNT BYTES AT_ONCE\n");
        return 2;
    }
    l.server.sin_family = AF_INET;
    l.server.sin_port = htons((uint16_t)atoi(argv[2]));
    l.count = (unsigned)atoi(argv[3]);
    l.bytes = strtoull(argv[4], NULL, 10);
    l.at_once = (unsigned)atoi(argv[5]) < l.count ? (unsigned)atoi(argv[5]) : l.count;
    l.clients = calloc(l.count, sizeof *l.clients);
    l.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct rlimit files = {l.at_once + 100, l.at_once + 100};
    if (!l.clients || l.epoll_fd < 0 || setrlimit(RLIMIT_NOFILE, &files) < 0)
        fail("cannot begin", NULL);
    uint64_t x = 88172645463325252u;
    for (size_t i = 0; i < PATTERN_BYTES; i++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        l.pattern[i] = (uint8_t)(x >> 32);
    }
    run(&l);
    return EXIT_SUCCESS;
}
