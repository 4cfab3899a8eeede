#include "kernel_end.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/mptcp.h>

#include "base/units.h"
#include "lab/stream.h"
#include "lab/topology.h"
#include "run/system.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif
#ifndef SOL_MPTCP
#define SOL_MPTCP 284
#endif

enum { KERNEL_RECEIVE_BYTES = 1 << 20 };

struct kernel_end {
    const struct lab_options *options;
    enum lab_side side;
    struct lab_progress *progress;
    struct lab_result *result;
    int listener, sock; /* -1: none */
};

__attribute__((format(printf, 2, 3))) static bool kernel_fail(struct kernel_end *k, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(k->result->why, sizeof(k->result->why), format, args);
    va_end(args);
    return false;
}

static socklen_t kernel_sockaddr(const struct hawser_addr *addr, struct sockaddr_storage *out)
{
    memset(out, 0, sizeof(*out));
    if (hawser_addr_is_v4(addr)) {
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(addr->port)};
        memcpy(&in.sin_addr, addr->ip + 12, 4);
        memcpy(out, &in, sizeof(in));
        return sizeof(in);
    }
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(addr->port)};
    memcpy(&in6.sin6_addr, addr->ip, 16);
    memcpy(out, &in6, sizeof(in6));
    return sizeof(in6);
}

static bool kernel_set_cc(struct kernel_end *k, int sock)
{
    const char *cc = k->options->cc;
    if (setsockopt(sock, IPPROTO_TCP, TCP_CONGESTION, cc, (socklen_t)strlen(cc)) == 0)
        return true;
    return kernel_fail(k, "the kernel has no congestion control \"%s\" (%s): try modprobe tcp_%s, or another --cc", cc,
                       strerror(errno), cc);
}

static bool kernel_open(struct kernel_end *k, int *sock)
{
    const struct lab_options *o = k->options;
    bool tcp = o->ends[k->side].tcp;
    *sock = socket(o->ipv6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, tcp ? IPPROTO_TCP : IPPROTO_MPTCP);
    if (*sock < 0)
        return kernel_fail(k, "the kernel gives no %s socket (%s): take --tcp, or Hawser at this end",
                           tcp ? "TCP" : "MPTCP", strerror(errno));
    struct sockaddr_storage storage;
    struct hawser_addr own = lab_address(o, k->side, 0);
    /* A server listens on every address: to the kernel a join to an announced one needs that. */
    if (k->side == LAB_SERVER)
        hawser_addr_parse(&own, o->ipv6 ? "::" : "0.0.0.0", LAB_PORT);
    socklen_t len = kernel_sockaddr(&own, &storage);
    const int one = 1;
    setsockopt(*sock, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(*sock, (struct sockaddr *)&storage, len) != 0)
        return kernel_fail(k, "cannot bind: %s", strerror(errno));
    return kernel_set_cc(k, *sock);
}

static bool kernel_connect(struct kernel_end *k, struct lab_shared *shared)
{
    struct sockaddr_storage storage;
    struct hawser_addr to = lab_address(k->options, LAB_SERVER, 0);
    to.port = LAB_PORT;
    socklen_t len = kernel_sockaddr(&to, &storage);
    if (!kernel_open(k, &k->sock))
        return false;
    lab_set_phase(k->progress, LAB_WAITING);
    lab_set(&shared->start_ns, system_now());
    if (connect(k->sock, (struct sockaddr *)&storage, len) != 0)
        return kernel_fail(k, "cannot connect: %s", strerror(errno));
    return true;
}

/* The listener stays open: the kernel refuses joins once it is closed. */
static bool kernel_accept(struct kernel_end *k)
{
    if (!kernel_open(k, &k->listener))
        return false;
    if (listen(k->listener, 8) != 0)
        return kernel_fail(k, "cannot listen: %s", strerror(errno));
    lab_set_phase(k->progress, LAB_WAITING);
    k->sock = accept4(k->listener, NULL, NULL, SOCK_CLOEXEC);
    if (k->sock < 0)
        return kernel_fail(k, "cannot accept: %s", strerror(errno));
    return kernel_set_cc(k, k->sock);
}

/* Waits for room, but not past `until_ns`. */
static void kernel_wait_room(int sock, uint64_t until_ns)
{
    struct pollfd p = {.fd = sock, .events = POLLOUT};
    struct timespec timeout, *limit = NULL;
    if (until_ns != UINT64_MAX) {
        uint64_t now_ns = system_now(), wait_ns = until_ns > now_ns ? until_ns - now_ns : 0;
        timeout = (struct timespec){.tv_sec = (time_t)(wait_ns / NS_PER_S), .tv_nsec = (long)(wait_ns % NS_PER_S)};
        limit = &timeout;
    }
    ppoll(&p, 1, limit, NULL);
}

static bool kernel_send(struct kernel_end *k)
{
    struct sender s;
    if (!sender_init(&s, k->options, k->progress))
        return kernel_fail(k, "no memory: free some and try again");
    sender_start(&s, k->options, system_now());
    bool ok = true;
    for (;;) {
        size_t len;
        const uint8_t *data = sender_next(&s, system_now(), &len);
        if (!data)
            break;
        ssize_t n = send(k->sock, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n > 0) {
            sender_sent(&s, (size_t)n);
        } else if (errno == EAGAIN) {
            kernel_wait_room(k->sock, s.until_ns);
        } else if (errno != EINTR) {
            ok = kernel_fail(k, "sending failed after %llu bytes: %s", (unsigned long long)s.bytes, strerror(errno));
            break;
        }
    }
    k->result->bytes = s.bytes;
    sender_destroy(&s);
    return ok;
}

/* Ends the stream and waits for the peer to end its own, which says that it has got everything. */
static bool kernel_finish_sending(struct kernel_end *k)
{
    uint8_t byte;
    lab_set_phase(k->progress, LAB_CLOSING);
    if (shutdown(k->sock, SHUT_WR) != 0)
        return kernel_fail(k, "cannot end the stream: %s", strerror(errno));
    ssize_t n;
    do
        n = recv(k->sock, &byte, 1, 0);
    while (n < 0 && errno == EINTR);
    if (n > 0)
        return kernel_fail(k, "the receiver sent bytes, where none were due");
    return n == 0 ? true : kernel_fail(k, "the stream's end was not acknowledged: %s", strerror(errno));
}

static bool kernel_receive(struct kernel_end *k)
{
    struct receiver r;
    uint8_t *buffer = malloc(KERNEL_RECEIVE_BYTES);
    if (!buffer || !receiver_init(&r, k->options, k->progress)) {
        free(buffer);
        return kernel_fail(k, "no memory: free some and try again");
    }
    bool ok = true;
    for (;;) {
        ssize_t n = recv(k->sock, buffer, KERNEL_RECEIVE_BYTES, 0);
        if (n == 0)
            break;
        if (n > 0) {
            receiver_take(&r, buffer, (size_t)n, system_now());
        } else if (errno != EINTR) {
            ok = kernel_fail(k, "receiving failed after %llu bytes: %s", (unsigned long long)r.bytes, strerror(errno));
            break;
        }
    }
    receiver_finish(&r, k->result);
    receiver_destroy(&r);
    free(buffer);
    return ok;
}

static void kernel_note_info(struct kernel_end *k)
{
    struct mptcp_info info = {0};
    socklen_t len = sizeof(info);
    if (k->options->ends[k->side].tcp || getsockopt(k->sock, SOL_MPTCP, MPTCP_INFO, &info, &len) != 0)
        return;
    k->result->mptcp = !(info.mptcpi_flags & MPTCP_INFO_FLAG_FALLBACK);
    k->result->subflows = info.mptcpi_subflows + 1u; /* it counts the ones beyond the first */
}

void kernel_end_run(const struct lab_options *o, enum lab_side side, struct lab_shared *shared,
                    struct lab_result *result)
{
    struct kernel_end k = {
        .options = o, .side = side, .progress = &shared->ends[side], .result = result, .listener = -1, .sock = -1};
    bool ok = side == LAB_CLIENT ? kernel_connect(&k, shared) : kernel_accept(&k);
    if (ok) {
        lab_set_phase(k.progress, LAB_STREAMING);
        ok = side == o->sender ? kernel_send(&k) : kernel_receive(&k);
        kernel_note_info(&k);
    }
    if (ok && side == o->sender)
        ok = kernel_finish_sending(&k);
    if (k.sock >= 0)
        close(k.sock);
    if (k.listener >= 0)
        close(k.listener);
    lab_set_phase(k.progress, ok ? LAB_FINISHED : lab_phase(k.progress));
    result->ok = ok;
}
