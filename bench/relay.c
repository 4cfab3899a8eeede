/*
 * What a relay is measured beside: the kernel's own means, and who talks through either.
 *
 *     hawser-relay splice PORT ADDRESS PORT   takes connections on PORT and splices each to ADDRESS PORT
 *     hawser-relay pump A B [C D]...          makes TUN devices and passes what is sent into one of a pair to the other
 *     hawser-relay answer NAME                makes a TUN device and sends each packet of IPv4 back to its source
 *     hawser-relay source PORT                sends whoever comes on PORT as much as he takes
 *     hawser-relay drain PORT                 takes as much as they send
 *     hawser-relay echo PORT                  sends each byte back
 *     hawser-relay hold PORT                  sends the first byte back, and leaves it at that
 *     hawser-relay sink ADDRESS PORT SECONDS  reads from there; prints Gbit/s, but for the first second
 *     hawser-relay pour ADDRESS PORT SECONDS  writes to there; prints likewise
 *     hawser-relay exchange ADDRESS PORT SECONDS
 *                                             sends a byte and waits for it, again and again; prints the median in us
 *     hawser-relay datagram ADDRESS PORT SECONDS
 *                                             the same by UDP
 *     hawser-relay connects ADDRESS PORT SECONDS
 *                                             connects for one byte, eight at once; prints how many a second
 *     hawser-relay idle ADDRESS PORT          connects as often as each line of standard input says, for one byte each,
 *                                             and stays; answers with a line
 *
 * `source PORT mptcp`, and so drain, echo and hold, speak Multipath TCP where the other end does.
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
#include <sys/resource.h>
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
    TUN_PACKET = 65536 + 64,
    IPV4_SOURCE = 12, /* in its header */
    EXCHANGES = 1 << 20
};

#define WARM_S 1.0 /* until windows have grown */

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

static int connect_by(int type, const char *text, const char *port)
{
    struct sockaddr_in addr = address(text, port);
    int fd = socket(AF_INET, type, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof addr) < 0)
        die("connect");
    return fd;
}

static int connect_to(const char *text, const char *port) { return connect_by(SOCK_STREAM, text, port); }

/* Many connections stay. */
static void want_descriptors(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) < 0)
        die("descriptors");
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
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

static void splice_main(int argc, char **argv)
{
    (void)argc;
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

static int accept_from(int listener)
{
    int one = 1, fd = accept(listener, NULL, NULL);
    if (fd < 0)
        die("accept");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

static int serve(int argc, char **argv) { return listen_on(argv[2], argc > 3 ? IPPROTO_MPTCP : 0); }

static void source_main(int argc, char **argv)
{
    static char bytes[PIECE];
    for (int listener = serve(argc, argv);;) {
        int fd = accept_from(listener);
        while (send(fd, bytes, sizeof bytes, MSG_NOSIGNAL) > 0)
            ;
        close(fd);
    }
}

static void drain_main(int argc, char **argv)
{
    static char bytes[PIECE];
    for (int listener = serve(argc, argv);;) {
        int fd = accept_from(listener);
        while (recv(fd, bytes, sizeof bytes, 0) > 0)
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

static void pump_main(int argc, char **argv)
{
    struct pollfd fds[TUNS];
    char **names = argv + 2;
    int count = argc - 2;
    if (count % 2 || count > TUNS)
        exit(2);
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

/* Where a packet of UDP came from is where it goes to: that changes no checksum. */
static void turn_round(uint8_t *ip)
{
    uint8_t from[4], *addresses = ip + IPV4_SOURCE, *ports = ip + 4 * (ip[0] & 15);
    memcpy(from, addresses, 4);
    memcpy(addresses, addresses + 4, 4);
    memcpy(addresses + 4, from, 4);
    memcpy(from, ports, 2);
    memcpy(ports, ports + 2, 2);
    memcpy(ports + 2, from, 2);
}

static void answer_main(int argc, char **argv)
{
    static uint8_t packet[TUN_PACKET];
    struct pollfd p = {.fd = open_tun(argv[2]), .events = POLLIN};
    (void)argc;
    puts("ready");
    fflush(stdout);
    while (poll(&p, 1, -1) > 0) {
        ssize_t n = read(p.fd, packet, sizeof packet);
        uint8_t *ip = packet + sizeof(struct virtio_net_hdr);
        if (n < 0 || ip[0] >> 4 != 4)
            continue;
        turn_round(ip);
        if (write(p.fd, packet, (size_t)n) < 0)
            die("write");
    }
}

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* What `pass` takes from there, or gives there. */
static void measure_rate(char **argv, ssize_t (*pass)(int fd))
{
    int fd = connect_to(argv[2], argv[3]);
    double begin_s = now_s() + WARM_S, end_s = begin_s + atof(argv[4]);
    uint64_t total = 0;
    double at_s;
    while ((at_s = now_s()) < end_s) {
        ssize_t n = pass(fd);
        if (n <= 0)
            die("no more bytes");
        total += at_s >= begin_s ? (uint64_t)n : 0;
    }
    printf("%.4f\n", (double)total * 8 / (end_s - begin_s) / 1e9);
}

static ssize_t takes(int fd)
{
    static char bytes[PIECE];
    return recv(fd, bytes, sizeof bytes, 0);
}

static ssize_t gives(int fd)
{
    static char bytes[PIECE];
    return send(fd, bytes, sizeof bytes, MSG_NOSIGNAL);
}

static void sink_main(int argc, char **argv)
{
    (void)argc;
    measure_rate(argv, takes);
}

static void pour_main(int argc, char **argv)
{
    (void)argc;
    measure_rate(argv, gives);
}

static void echo_main(int argc, char **argv)
{
    int listener = serve(argc, argv);
    for (int i = 1; i < WORKERS && fork() != 0; i++)
        ;
    for (;;) {
        char byte;
        int fd = accept_from(listener);
        while (recv(fd, &byte, 1, 0) == 1 && send(fd, &byte, 1, MSG_NOSIGNAL) == 1)
            ;
        close(fd);
    }
}

static void hold_main(int argc, char **argv)
{
    want_descriptors();
    for (int listener = serve(argc, argv);;) {
        char byte;
        int fd = accept_from(listener);
        if (recv(fd, &byte, 1, 0) != 1 || send(fd, &byte, 1, MSG_NOSIGNAL) != 1)
            die("hold");
    }
}

static void exchange(int fd)
{
    char byte = 1;
    if (send(fd, &byte, 1, MSG_NOSIGNAL) != 1 || recv(fd, &byte, 1, 0) != 1)
        die("exchange");
}

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static void measure_exchanges(int fd, double seconds)
{
    static float took_us[EXCHANGES];
    size_t count = 0;
    double at_s = now_s(), end_s = at_s + seconds;
    while (at_s < end_s && count < EXCHANGES) {
        exchange(fd);
        double then_s = at_s;
        at_s = now_s();
        took_us[count++] = (float)((at_s - then_s) * 1e6);
    }
    qsort(took_us, count, sizeof took_us[0], by_value);
    printf("%.2f\n", (double)took_us[count / 2]);
}

static void exchange_main(int argc, char **argv)
{
    int one = 1, fd = connect_to(argv[2], argv[3]);
    (void)argc;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    measure_exchanges(fd, atof(argv[4]));
}

static void datagram_main(int argc, char **argv)
{
    (void)argc;
    measure_exchanges(connect_by(SOCK_DGRAM, argv[2], argv[3]), atof(argv[4]));
}

static void connects_main(int argc, char **argv)
{
    double seconds = atof(argv[4]), end_s = now_s() + seconds;
    uint64_t sum = 0,
             *counts = mmap(NULL, WORKERS * sizeof *counts, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    (void)argc;
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

static void idle_main(int argc, char **argv)
{
    char line[32];
    (void)argc;
    want_descriptors();
    while (fgets(line, sizeof line, stdin)) {
        for (int left = atoi(line); left > 0; left--)
            exchange(connect_to(argv[2], argv[3]));
        puts("ready");
        fflush(stdout);
    }
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int least, most; /* words */
        void (*run)(int argc, char **argv);
    } uses[] = {
        {"splice", 3, 3, splice_main},     {"pump", 2, TUNS, pump_main},      {"answer", 1, 1, answer_main},
        {"source", 1, 2, source_main},     {"drain", 1, 2, drain_main},       {"echo", 1, 2, echo_main},
        {"hold", 1, 2, hold_main},         {"sink", 3, 3, sink_main},         {"pour", 3, 3, pour_main},
        {"exchange", 3, 3, exchange_main}, {"datagram", 3, 3, datagram_main}, {"connects", 3, 3, connects_main},
        {"idle", 2, 2, idle_main},
    };
    signal(SIGCHLD, SIG_IGN);
    for (size_t i = 0; argc > 1 && i < sizeof uses / sizeof uses[0]; i++) {
        if (strcmp(argv[1], uses[i].name) == 0 && argc - 2 >= uses[i].least && argc - 2 <= uses[i].most) {
            uses[i].run(argc, argv);
            return 0;
        }
    }
    return 2;
}
