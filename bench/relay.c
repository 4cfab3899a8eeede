/*
 * What a relay is measured beside: the kernel's own means.
 *
 *     hawser-relay splice PORT ADDRESS PORT   takes connections on PORT and splices each to ADDRESS PORT
 *     hawser-relay pump A B [C D]...          makes TUN devices and passes what is sent into one of a pair to the other
 *     hawser-relay source PORT                sends whoever comes on PORT as much as he takes
 *     hawser-relay echo PORT                  sends each byte back
 *     hawser-relay sink ADDRESS PORT SECONDS  reads from there; prints Gbit/s, but for the first half a second
 *     hawser-relay exchange ADDRESS PORT SECONDS  sends a byte and waits for it, again and again; prints microseconds
 *     hawser-relay connects ADDRESS PORT SECONDS  connects for one byte, eight at once; prints how many a second
 *
 * `source PORT mptcp` and `echo PORT mptcp` speak Multipath TCP where the other end does.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    PIPE_BYTES = 1 << 20,
    PIECE = 1 << 20,
    BACKLOG = 1024,
    WORKERS = 8,
    TUNS = 8,
    TUN_BATCH = 32,
    TUN_PACKET = 65536 + 64
};

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static struct sockaddr_in address(const char *text, const char *port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    if (inet_pton(AF_INET, text, &addr.sin_addr) != 1)
        die(text);
    return addr;
}

static int listen_on(const char *port, int protocol)
{
    struct sockaddr_in addr = address("0.0.0.0", port);
    int one = 1, fd = socket(AF_INET, SOCK_STREAM, protocol);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) < 0 ||
        bind(fd, (struct sockaddr *)&addr, sizeof addr) < 0 || listen(fd, BACKLOG) < 0)
        die("listen");
    puts("ready");
    fflush(stdout);
    return fd;
}

static int connect_to(const char *text, const char *port)
{
    struct sockaddr_in addr = address(text, port);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof addr) < 0)
        die("connect");
    return fd;
}

/* One direction of a pair. */
struct lane {
    int from, to, pipe[2];
    size_t held;
    bool ended;
};

static bool moves(struct lane *lane)
{
    unsigned flags = SPLICE_F_MOVE | SPLICE_F_NONBLOCK;
    bool moved = false;
    if (!lane->ended && lane->held < PIPE_BYTES) {
        ssize_t n = splice(lane->from, NULL, lane->pipe[1], NULL, PIPE_BYTES, flags);
        lane->ended = n == 0;
        lane->held += n > 0 ? (size_t)n : 0;
        moved |= n > 0;
    }
    if (lane->held) {
        ssize_t n = splice(lane->pipe[0], NULL, lane->to, NULL, lane->held, flags);
        if (n < 0 && errno != EAGAIN)
            exit(0);
        lane->held -= n > 0 ? (size_t)n : 0;
        moved |= n > 0;
    }
    if (lane->ended && lane->held == 0)
        shutdown(lane->to, SHUT_WR);
    return moved;
}

static void relay(int near, int far)
{
    struct lane lanes[2] = {{.from = near, .to = far}, {.from = far, .to = near}};
    for (int i = 0; i < 2; i++) {
        if (pipe2(lanes[i].pipe, O_NONBLOCK) < 0 || fcntl(lanes[i].pipe[1], F_SETPIPE_SZ, PIPE_BYTES) < 0)
            die("pipe");
        fcntl(lanes[i].from, F_SETFL, O_NONBLOCK);
    }
    while (!lanes[0].ended || !lanes[1].ended || lanes[0].held || lanes[1].held) {
        bool moved = moves(&lanes[0]);
        if (moves(&lanes[1]) || moved)
            continue;
        struct pollfd fds[2];
        for (int i = 0; i < 2; i++) {
            bool reads = !lanes[i].ended && lanes[i].held < PIPE_BYTES;
            bool writes = lanes[!i].held;
            fds[i] =
                (struct pollfd){.fd = lanes[i].from, .events = (short)((reads ? POLLIN : 0) | (writes ? POLLOUT : 0))};
        }
        poll(fds, 2, -1);
    }
}

static void splice_main(char **argv)
{
    int listener = listen_on(argv[2], 0);
    for (;;) {
        int near = accept(listener, NULL, NULL);
        if (near < 0)
            die("accept");
        if (fork() == 0) {
            relay(near, connect_to(argv[3], argv[4]));
            exit(0);
        }
        close(near);
    }
}

static void source_main(int protocol, char **argv)
{
    static char bytes[PIECE];
    int listener = listen_on(argv[2], protocol);
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        if (fd < 0)
            die("accept");
        while (send(fd, bytes, sizeof bytes, MSG_NOSIGNAL) > 0)
            ;
        close(fd);
    }
}

static int open_tun(const char *name)
{
    struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE};
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
    strncpy(request.ifr_name, name, IFNAMSIZ - 1);
    if (fd < 0 || ioctl(fd, TUNSETIFF, &request) < 0 ||
        ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN) < 0)
        die(name);
    return fd;
}

/* Super-segments pass as they are. */
static void pump(int from, int to)
{
    static char packet[TUN_PACKET];
    ssize_t n = 0;
    for (int i = 0; i < TUN_BATCH && (n = read(from, packet, sizeof packet)) > 0; i++) {
        if (write(to, packet, (size_t)n) < 0 && errno != EIO && errno != EINVAL)
            die("write"); /* but that the other one is not up yet */
    }
}

static void pump_main(int count, char **names)
{
    struct pollfd fds[TUNS];
    for (int i = 0; i < count; i++)
        fds[i] = (struct pollfd){.fd = open_tun(names[i]), .events = POLLIN};
    puts("ready");
    fflush(stdout);
    for (;;) {
        if (poll(fds, (nfds_t)count, -1) < 0)
            die("poll");
        for (int i = 0; i < count; i++) {
            if (fds[i].revents)
                pump(fds[i].fd, fds[i ^ 1].fd);
        }
    }
}

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void sink_main(char **argv)
{
    static char bytes[PIECE];
    int fd = connect_to(argv[2], argv[3]);
    double begin_s = now_s() + 0.5, end_s = begin_s + atof(argv[4]);
    uint64_t total = 0;
    double at_s;
    while ((at_s = now_s()) < end_s) {
        ssize_t n = recv(fd, bytes, sizeof bytes, 0);
        if (n <= 0)
            die("recv");
        total += at_s >= begin_s ? (uint64_t)n : 0;
    }
    printf("%.3f\n", (double)total * 8 / (end_s - begin_s) / 1e9);
}

static void echo_main(int protocol, char **argv)
{
    int listener = listen_on(argv[2], protocol);
    for (int i = 1; i < WORKERS && fork() != 0; i++)
        ;
    for (;;) {
        char byte;
        int one = 1, fd = accept(listener, NULL, NULL);
        if (fd < 0)
            die("accept");
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        while (recv(fd, &byte, 1, 0) == 1 && send(fd, &byte, 1, MSG_NOSIGNAL) == 1)
            ;
        close(fd);
    }
}

static void exchange(int fd)
{
    char byte = 1;
    if (send(fd, &byte, 1, MSG_NOSIGNAL) != 1 || recv(fd, &byte, 1, 0) != 1)
        die("exchange");
}

static void exchange_main(char **argv)
{
    int one = 1, fd = connect_to(argv[2], argv[3]);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    double begin_s = now_s(), end_s = begin_s + atof(argv[4]);
    uint64_t count = 0;
    for (; now_s() < end_s; count++)
        exchange(fd);
    printf("%.1f\n", (now_s() - begin_s) / (double)count * 1e6);
}

static void connects_main(char **argv)
{
    double seconds = atof(argv[4]), end_s = now_s() + seconds;
    uint64_t sum = 0,
             *counts = mmap(NULL, WORKERS * sizeof *counts, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (counts == MAP_FAILED)
        die("mmap");
    signal(SIGCHLD, SIG_DFL);
    for (int i = 0; i < WORKERS; i++) {
        if (fork() != 0)
            continue;
        for (; now_s() < end_s; counts[i]++) {
            int fd = connect_to(argv[2], argv[3]);
            exchange(fd);
            close(fd);
        }
        exit(0);
    }
    int status, failed = 0;
    while (wait(&status) > 0)
        failed |= status;
    for (int i = 0; i < WORKERS; i++)
        sum += counts[i];
    if (failed)
        exit(1);
    printf("%.0f\n", (double)sum / seconds);
}

int main(int argc, char **argv)
{
    signal(SIGCHLD, SIG_IGN);
    if (argc == 5 && strcmp(argv[1], "splice") == 0)
        splice_main(argv);
    else if (argc > 2 && argc % 2 == 0 && argc - 2 <= TUNS && strcmp(argv[1], "pump") == 0)
        pump_main(argc - 2, argv + 2);
    else if (argc >= 3 && strcmp(argv[1], "source") == 0)
        source_main(argc > 3 ? IPPROTO_MPTCP : 0, argv);
    else if (argc >= 3 && strcmp(argv[1], "echo") == 0)
        echo_main(argc > 3 ? IPPROTO_MPTCP : 0, argv);
    else if (argc == 5 && strcmp(argv[1], "exchange") == 0)
        exchange_main(argv);
    else if (argc == 5 && strcmp(argv[1], "connects") == 0)
        connects_main(argv);
    else if (argc == 5 && strcmp(argv[1], "sink") == 0)
        sink_main(argv);
    else
        return 2;
    return 0;
}
