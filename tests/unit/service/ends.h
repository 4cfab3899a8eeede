/* Ends of sockets of the kernel, in a loop (apps/service/end.h). */
#ifndef HW_TESTS_SERVICE_ENDS_H
#define HW_TESTS_SERVICE_ENDS_H

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "service/joint.h"
#include "service/sockaddr.h"
#include "service/socket_end.h"

/* What a watch heard. */
struct ear {
    struct watch watch;
    uint32_t what;
    unsigned times;
};

struct ends {
    sd_event *loop;
    struct hawser_host *host;
    struct sockets sockets;
    struct joints joints;
    unsigned descriptors; /* before */
};

static inline unsigned open_descriptors(void)
{
    unsigned count = 0;
    DIR *dir = opendir("/proc/self/fd");
    assert_non_null(dir);
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

static inline void ends_init(struct ends *e)
{
    memset(e, 0, sizeof *e);
    e->descriptors = open_descriptors();
    assert_int_equal(hawser_host_new(NULL, &e->host), 0);
    assert_true(sd_event_new(&e->loop) >= 0);
    sockets_init(&e->sockets, e->loop, e->host);
    joints_init(&e->joints);
}

/* Nothing is left. */
static inline void ends_destroy(struct ends *e)
{
    joints_break(&e->joints);
    sockets_end(&e->sockets);
    e->loop = sd_event_unref(e->loop);
    hawser_host_free(e->host);
    assert_int_equal(open_descriptors(), e->descriptors);
}

/* Until nothing has happened for so many milliseconds. */
static inline void ends_run(struct ends *e, unsigned ms)
{
    for (int happened = 1; happened > 0;) {
        bool more = joints_turn(&e->joints);
        happened = sd_event_run(e->loop, more ? 0 : ms * UINT64_C(1000));
        assert_true(happened >= 0);
        happened |= more;
    }
}

/* A connection of TCP: one side of it ours, and the other one the test's own, at 127.0.0.`host`. */
static inline void tcp_pair_from(unsigned host, int fds[2])
{
    const struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000000 | host)};
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int on = 1;
    socklen_t len = sizeof addr;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&addr, sizeof addr), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&addr, &len), 0);
    fds[1] = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fds[1], (const struct sockaddr *)&from, sizeof from), 0);
    assert_int_equal(connect(fds[1], (struct sockaddr *)&addr, sizeof addr), 0);
    fds[0] = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    assert_true(fds[0] >= 0);
    close(listener);
    for (unsigned i = 0; i < 2; i++) /* nobody waits for acknowledgements */
        assert_int_equal(setsockopt(fds[i], IPPROTO_TCP, TCP_NODELAY, &on, sizeof on), 0);
    assert_int_equal(fcntl(fds[1], F_SETFL, O_NONBLOCK), 0);
}

static inline void tcp_pair(int fds[2]) { tcp_pair_from(1, fds); }

/* Where a connected socket's other end is. */
static inline void peer_of_socket(int fd, struct hawser_addr *out)
{
    struct sockaddr_storage addr;
    socklen_t len = sizeof addr;
    assert_int_equal(getpeername(fd, (struct sockaddr *)&addr, &len), 0);
    assert_true(sockaddr_read(&addr, out));
}

static inline struct end end_of_socket(struct ends *e, int fd)
{
    struct hawser_addr peer;
    struct end end;
    peer_of_socket(fd, &peer);
    assert_int_equal(socket_end_new(&e->sockets, fd, &peer, &end), 0);
    return end;
}

static inline struct end tcp_end_from(struct ends *e, unsigned host, int *other)
{
    int fds[2];
    tcp_pair_from(host, fds);
    *other = fds[1];
    return end_of_socket(e, fds[0]);
}

static inline struct end tcp_end(struct ends *e, int *other) { return tcp_end_from(e, 1, other); }

static inline void ear_heard(struct watch *watch, const struct hawser_event *event, uint64_t now_ns)
{
    struct ear *ear = HW_CONTAINER(watch, struct ear, watch);
    (void)now_ns;
    ear->what |= event->what;
    ear->times++;
}

static inline void listen_by(struct ear *ear, struct end end)
{
    *ear = (struct ear){.watch = {ear_heard}};
    end_watch(end, &ear->watch);
}

static inline ssize_t give_text(struct end end, const char *text)
{
    return end_give(end, (struct hawser_slice){.data = (const uint8_t *)text, .len = (uint32_t)strlen(text)});
}

static inline void expect_bytes(int fd, const char *text)
{
    char got[512];
    ssize_t n = read(fd, got, sizeof got);
    assert_int_equal(n, strlen(text));
    assert_memory_equal(got, text, strlen(text));
}

/* "ab!cd", of which the third byte is urgent. */
static inline void write_urgently(int fd)
{
    assert_int_equal(write(fd, "ab", 2), 2);
    assert_int_equal(send(fd, "!", 1, MSG_OOB), 1);
    assert_int_equal(write(fd, "cd", 2), 2);
}

static inline void reset(int fd)
{
    const struct linger now = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(fd);
}

#endif
