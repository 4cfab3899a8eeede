/* The tun link against the real kernel: its TCP talks to a few lines of TCP played here over the device. */
#define _GNU_SOURCE 1 /* unshare() */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <stdlib.h>

#include "base/prng.h"
#include "base/seq.h"
#include "link/namespace.h"
#include "link/packets.h"
#include "link/tun.h"
#include "support.h"
#include "wire/icmp.h"

enum { PAYLOAD = 40000, MSS = 1400, PATIENCE_MS = 5000 };

/* The kernel's end and ours. */
static const struct family {
    const char *kernel, *ours, *subnet;
    bool v6;
} families[] = {{"10.9.0.1", "10.9.0.2", "10.9.0.1/24", false}, {"fd09::1", "fd09::2", "fd09::1/64", true}};

struct fixture {
    struct link *link;
    struct hawser_buf_pool *pool;
    struct test_env t;
    struct packet_flow flow; /* from us to the kernel */
    int sock;
    unsigned merged; /* super-segments that came */
    uint8_t payload[PAYLOAD], got[2 * PAYLOAD];
};

static bool have_namespace;

static int group_setup(void **state)
{
    (void)state;
    have_namespace = namespace_enter();
    return 0;
}

/* In cmocka a skip is not a failure, so the reason is printed by namespace_enter(). */
static void need_namespace(void)
{
    if (!have_namespace)
        skip();
}

static void set_sockaddr(struct sockaddr_storage *out, socklen_t *len, const char *text, uint16_t port)
{
    struct hawser_addr addr = packet_addr(text, port);
    memset(out, 0, sizeof(*out));
    if (hawser_addr_is_v4(&addr)) {
        struct sockaddr_in *in = (struct sockaddr_in *)out;
        in->sin_family = AF_INET;
        in->sin_port = htons(port);
        memcpy(&in->sin_addr, addr.ip + 12, 4);
        *len = sizeof(*in);
    } else {
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons(port);
        memcpy(&in6->sin6_addr, addr.ip, 16);
        *len = sizeof(*in6);
    }
}

struct in6_request { /* struct in6_ifreq of linux/ipv6.h, whose header does not agree with netinet/in.h */
    struct in6_addr addr;
    uint32_t prefix_len;
    int index;
};

/* Gives the device the kernel's address and sets it up. */
static void configure(const char *device, const struct family *family)
{
    struct ifreq request = {0};
    struct sockaddr_storage address, mask;
    socklen_t len;
    strcpy(request.ifr_name, device);
    int sock = socket(AF_INET, SOCK_DGRAM, 0);
    int sock6 = socket(AF_INET6, SOCK_DGRAM, 0);
    set_sockaddr(&address, &len, family->kernel, 0);
    if (!family->v6) {
        memcpy(&request.ifr_addr, &address, sizeof(request.ifr_addr));
        assert_int_equal(ioctl(sock, SIOCSIFADDR, &request), 0);
        set_sockaddr(&mask, &len, "255.255.255.0", 0);
        memcpy(&request.ifr_netmask, &mask, sizeof(request.ifr_netmask));
        assert_int_equal(ioctl(sock, SIOCSIFNETMASK, &request), 0);
    }
    request.ifr_flags = IFF_UP;
    assert_int_equal(ioctl(sock, SIOCSIFFLAGS, &request), 0);
    if (family->v6) {
        /* Tools that watch memory take it for an ifreq, which is longer. */
        struct in6_request request6[2] = {{.prefix_len = 64, .index = (int)if_nametoindex(device)}};
        request6->addr = ((struct sockaddr_in6 *)&address)->sin6_addr;
        assert_int_equal(ioctl(sock6, SIOCSIFADDR, request6), 0);
    }
    close(sock);
    close(sock6);
}

static struct fixture *setup(const struct family *family, bool gso)
{
    char why[200] = "";
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    test_env_init(&f->t, test_seed());
    assert_int_equal(hawser_buf_pool_new(&f->t.env, 256 * 1024, 4, &f->pool), 0);
    if (tun_open("hwtest0", gso, f->pool, &f->link, why, sizeof(why)) != 0)
        fail_msg("tun_open: %s", why);
    configure("hwtest0", family);
    f->flow = (struct packet_flow){.src = packet_addr(family->ours, 80), .window = 65535};
    prng_fill(&f->t.rng, f->payload, sizeof(f->payload));
    f->sock = -1;
    return f;
}

static void teardown(struct fixture *f)
{
    /* Reset, or the kernel goes on to say its FIN in the next test. */
    static const struct linger at_once = {.l_onoff = 1};
    if (f->sock >= 0) {
        assert_int_equal(setsockopt(f->sock, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), 0);
        close(f->sock);
    }
    link_destroy(f->link);
    hawser_buf_pool_close(f->pool);
    test_env_check_clean(&f->t);
    assert_int_equal(if_nametoindex("hwtest0"), 0);
    free(f);
}

static bool wait_readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, PATIENCE_MS) == 1;
}

static void send_packet(struct fixture *f, uint8_t flags, const uint8_t *payload, uint32_t len, uint16_t gso_size)
{
    f->flow.flags = flags;
    struct hawser_tx tx = packet_make(&f->flow, payload, len, gso_size);
    assert_int_equal(link_transmit(f->link, &tx, 1, 0), 1);
    f->flow.seq = seq_add(f->flow.seq, len + (flags & TCP_SYN ? 1 : 0));
}

/* Waits for the next TCP packet of our flow; what else the kernel says (IPv6 housekeeping) is passed over. */
static struct packet_view receive_packet(struct fixture *f, struct hawser_rx *rx)
{
    for (;;) {
        if (link_receive(f->link, rx, 1, 0) == 0) {
            assert_true(wait_readable(f->link->fd));
            continue;
        }
        bool tcp = rx->data[0] >> 4 == 4 ? rx->data[9] == IP_PROTO_TCP : rx->data[6] == IP_PROTO_TCP;
        if (tcp)
            return packet_parse(rx->data, rx->len, rx->gso_size != 0);
        link_release(f->link);
    }
}

/* A fresh IPv6 address is tentative for a moment (RFC 4862 5.4) and cannot be bound until that is over. */
static void bind_patiently(int sock, const struct family *family)
{
    struct sockaddr_storage address;
    socklen_t len;
    set_sockaddr(&address, &len, family->kernel, 0);
    for (int ms = 0; bind(sock, (struct sockaddr *)&address, len) != 0; ms++) {
        assert_int_equal(errno, EADDRNOTAVAIL);
        assert_true(ms < PATIENCE_MS);
        poll(NULL, 0, 1);
    }
}

/* The kernel asks for a connection to us; its SYN. */
static struct packet_view receive_syn(struct fixture *f, const struct family *family, struct hawser_rx *rx)
{
    struct sockaddr_storage address;
    socklen_t len;
    f->sock = socket(family->v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    bind_patiently(f->sock, family);
    set_sockaddr(&address, &len, family->ours, 80);
    assert_int_equal(connect(f->sock, (struct sockaddr *)&address, len), -1);
    assert_int_equal(errno, EINPROGRESS);
    struct packet_view v = receive_packet(f, rx);
    assert_int_equal(v.tcp.flags, TCP_SYN);
    assert_int_equal(v.tcp.dst_port, 80);
    return v;
}

/* The kernel connects; we answer. */
static void open_connection(struct fixture *f, const struct family *family, bool gso)
{
    struct hawser_rx rx;
    struct packet_view v = receive_syn(f, family, &rx);
    /* With offload the kernel leaves the checksum to us and says so; without, it must be right. */
    assert_int_equal(rx.flags, gso ? HAWSER_RX_CSUM_OK : 0);
    if (!gso)
        assert_true(packet_checksum_ok(rx.data, &v));
    struct hawser_addr expected = packet_addr(family->kernel, 0);
    assert_true(hawser_addr_same_ip(&v.ip.src, &expected));
    f->flow.dst = v.ip.src;
    f->flow.dst.port = v.tcp.src_port;
    f->flow.ack = seq_add(v.tcp.seq, 1);
    f->flow.seq = seq_at(0xffffff00);
    link_release(f->link);

    send_packet(f, TCP_SYN | TCP_ACK, NULL, 0, 0);
    v = receive_packet(f, &rx);
    assert_int_equal(v.tcp.flags, TCP_ACK);
    link_release(f->link);
    struct pollfd p = {.fd = f->sock, .events = POLLOUT};
    assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
}

/* The kernel sends PAYLOAD bytes; we take them in order and acknowledge each packet. */
static void kernel_to_us(struct fixture *f, bool gso)
{
    uint32_t total = 0;
    assert_int_equal(send(f->sock, f->payload, PAYLOAD, 0), PAYLOAD);
    while (total < PAYLOAD) {
        struct hawser_rx rx;
        struct packet_view v = receive_packet(f, &rx);
        if (v.payload_len && seq_eq(v.tcp.seq, f->flow.ack)) {
            assert_true(total + v.payload_len <= PAYLOAD);
            memcpy(f->got + total, v.payload, v.payload_len);
            total += v.payload_len;
            f->flow.ack = seq_add(f->flow.ack, v.payload_len);
        }
        if (gso)
            assert_int_equal(rx.flags, HAWSER_RX_CSUM_OK);
        else
            assert_true(rx.flags == 0 && rx.len <= f->link->mtu && packet_checksum_ok(rx.data, &v));
        f->merged += rx.gso_size != 0;
        link_release(f->link);
        send_packet(f, TCP_ACK, NULL, 0, 0);
    }
    assert_memory_equal(f->got, f->payload, PAYLOAD);
    assert_true(gso ? f->merged > 0 : f->merged == 0);
}

/* We send one super-segment of PAYLOAD bytes; the kernel's application reads them. */
static void us_to_kernel(struct fixture *f, bool gso)
{
    size_t total = 0;
    uint64_t packets_before = f->link->counters.tx_packets;
    send_packet(f, TCP_ACK | TCP_PSH, f->payload, PAYLOAD, MSS);
    uint64_t packets = f->link->counters.tx_packets - packets_before;
    assert_int_equal(packets, gso ? 1 : (PAYLOAD + MSS - 1) / MSS);
    while (total < PAYLOAD) {
        assert_true(wait_readable(f->sock));
        ssize_t n = recv(f->sock, f->got + total, sizeof(f->got) - total, 0);
        assert_true(n > 0);
        total += (size_t)n;
    }
    assert_int_equal(total, PAYLOAD);
    assert_memory_equal(f->got, f->payload, PAYLOAD);
}

static void a_stream_passes_both_ways(void **state)
{
    (void)state;
    need_namespace();
    for (int i = 0; i < 4; i++) {
        bool gso = i & 1;
        const struct family *family = &families[i / 2];
        struct fixture *f = setup(family, gso);
        assert_int_equal(f->link->mtu, 1500);
        assert_int_equal(f->link->gso_bytes != 0, gso);
        open_connection(f, family, gso);
        kernel_to_us(f, gso);
        us_to_kernel(f, gso);
        teardown(f);
    }
}

/* No TCP, and nothing left for the device to complete. */
static void an_icmp_error_reaches_the_kernel(void **state)
{
    (void)state;
    need_namespace();
    for (unsigned i = 0; i < 4; i++) {
        const struct family *family = &families[i / 2];
        struct fixture *f = setup(family, i % 2);
        struct hawser_rx rx;
        int error;
        socklen_t len = sizeof(error);
        struct packet_view v = receive_syn(f, family, &rx);
        struct hawser_tx tx = {.flags = HAWSER_TX_CSUM_DONE, .part_count = 1, .payload_len = rx.len};
        tx.parts[0] = (struct hawser_part){rx.data, rx.len};
        tx.head_len =
            (uint8_t)icmp_unreachable_emit(tx.head, ICMP_UNREACHABLE_NETWORK, &v.ip.dst, &v.ip.src, rx.data, rx.len);
        tx.l3_len = tx.head_len - ICMP_HEADER_LEN;
        assert_int_equal(link_transmit(f->link, &tx, 1, 0), 1);
        assert_true(wait_readable(f->sock));
        assert_int_equal(getsockopt(f->sock, SOL_SOCKET, SO_ERROR, &error, &len), 0);
        assert_int_equal(error, ENETUNREACH);
        link_release(f->link);
        teardown(f);
    }
}

static void an_empty_pool_does_not_stop_reception(void **state)
{
    (void)state;
    need_namespace();
    struct fixture *f = setup(&families[0], true);
    struct hawser_buf *taken[4];
    for (int i = 0; i < 4; i++)
        taken[i] = hawser_buf_new(f->pool);
    open_connection(f, &families[0], true);
    kernel_to_us(f, true);
    assert_int_equal(f->link->counters.rx_unpooled, f->link->counters.rx_packets);
    for (int i = 0; i < 4; i++)
        hawser_buf_unref(taken[i]);
    teardown(f);
}

static void a_device_in_use_is_refused(void **state)
{
    (void)state;
    need_namespace();
    struct fixture *f = setup(&families[0], true);
    char why[200] = "";
    struct link *second;
    assert_int_equal(tun_open("hwtest0", true, f->pool, &second, why, sizeof(why)), -EBUSY);
    assert_non_null(strstr(why, "hwtest0 is in use"));
    assert_int_equal(tun_open("lo", true, f->pool, &second, why, sizeof(why)), -EEXIST);
    assert_non_null(strstr(why, "lo exists and is not"));
    teardown(f);
}

static void a_device_that_is_down_counts_what_it_drops(void **state)
{
    (void)state;
    need_namespace();
    struct fixture *f = setup(&families[0], true);
    struct ifreq request = {.ifr_name = "hwtest0"};
    int sock = socket(AF_INET, SOCK_DGRAM, 0);
    assert_int_equal(ioctl(sock, SIOCSIFFLAGS, &request), 0);
    close(sock);
    f->flow.dst = packet_addr(families[0].kernel, 1);
    struct hawser_tx tx = packet_make(&f->flow, NULL, 0, 0);
    struct hawser_rx rx;
    while (link_receive(f->link, &rx, 1, 0) > 0) /* what the kernel had to say of its own while it was up */
        link_release(f->link);
    assert_int_equal(link_transmit(f->link, &tx, 1, 0), 0);
    assert_int_equal(f->link->counters.tx_errors, 1);
    assert_int_equal(link_receive(f->link, &rx, 1, 0), 0);
    link_release(f->link);
    teardown(f);
}

static void a_persistent_device_is_joined_and_stays(void **state)
{
    (void)state;
    need_namespace();
    struct fixture f = {.link = NULL};
    char why[200] = "";
    struct ifreq request = {.ifr_name = "hwstay0", .ifr_flags = IFF_TUN | IFF_NO_PI};
    int fd = open("/dev/net/tun", O_RDWR);
    assert_int_equal(ioctl(fd, TUNSETIFF, &request), 0);
    assert_int_equal(ioctl(fd, TUNSETPERSIST, 1), 0);
    close(fd);

    test_env_init(&f.t, 1);
    assert_int_equal(hawser_buf_pool_new(&f.t.env, 256 * 1024, 4, &f.pool), 0);
    assert_int_equal(tun_open("hwstay0", true, f.pool, &f.link, why, sizeof(why)), 0);
    assert_true(tun_is_persistent(f.link));
    link_destroy(f.link);
    assert_true(if_nametoindex("hwstay0") > 0);
    hawser_buf_pool_close(f.pool);

    fd = open("/dev/net/tun", O_RDWR);
    assert_int_equal(ioctl(fd, TUNSETIFF, &request), 0);
    assert_int_equal(ioctl(fd, TUNSETPERSIST, 0), 0);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_passes_both_ways),
        cmocka_unit_test(an_icmp_error_reaches_the_kernel),
        cmocka_unit_test(an_empty_pool_does_not_stop_reception),
        cmocka_unit_test(a_device_in_use_is_refused),
        cmocka_unit_test(a_device_that_is_down_counts_what_it_drops),
        cmocka_unit_test(a_persistent_device_is_joined_and_stays),
    };
    return cmocka_run_group_tests(tests, group_setup, NULL);
}
