#include "link/tun.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <linux/if_tun.h>
#include <linux/virtio_net.h>

#include "base/check.h"
#include "link/rx_buffers.h"
#include "wire/tcp.h"

enum { TCP_FLAGS_OFFSET = 13, TCP_CHECKSUM_OFFSET = 16 };

struct tun_link {
    struct link link;
    bool offload; /* packets carry a virtio-net header */
    bool persistent;
    struct rx_buffers buffers;
};

static void tun_explain_open(int error, char *why, size_t size)
{
    if (error == EACCES || error == EPERM)
        snprintf(why, size, "no permission to open /dev/net/tun: run as root");
    else if (error == ENOENT || error == ENODEV || error == ENXIO)
        snprintf(why, size,
                 "no /dev/net/tun here: load the kernel module (modprobe tun), or give the container "
                 "the device (--device /dev/net/tun)");
    else
        snprintf(why, size, "cannot open /dev/net/tun: %s", strerror(error));
}

static void tun_explain_attach(const char *name, int error, char *why, size_t size)
{
    if (error == EPERM || error == EACCES)
        snprintf(why, size, "no permission to make device %s: run as root, or with CAP_NET_ADMIN", name);
    else if (error == EBUSY)
        snprintf(why, size, "device %s is in use, by another program or host: choose another dev=", name);
    else if (error == EINVAL)
        snprintf(why, size, "device %s exists and is not a single-queue tun device: choose another dev=", name);
    else
        snprintf(why, size, "cannot make device %s: %s", name, strerror(error));
}

static int tun_set_offload(const struct tun_link *t)
{
    int header_len = sizeof(struct virtio_net_hdr);
    unsigned long offloads = t->offload ? TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN : 0;
    bool done = (!t->offload || ioctl(t->link.fd, TUNSETVNETHDRSZ, &header_len) == 0) &&
                ioctl(t->link.fd, TUNSETOFFLOAD, offloads) == 0;
    return done ? 0 : -errno;
}

static int tun_attach(struct tun_link *t, const char *name, char *why, size_t size)
{
    struct ifreq request = {0};
    memcpy(request.ifr_name, name, strlen(name));
    request.ifr_flags = (short)(IFF_TUN | IFF_NO_PI | (t->offload ? IFF_VNET_HDR : 0));
    if (ioctl(t->link.fd, TUNSETIFF, &request) != 0) {
        int error = errno;
        tun_explain_attach(name, error, why, size);
        return error == EINVAL ? -EEXIST : -error;
    }
    if (ioctl(t->link.fd, TUNGETIFF, &request) == 0)
        t->persistent = (request.ifr_flags & IFF_PERSIST) != 0;

    int error = tun_set_offload(t);
    if (error)
        snprintf(why, size, "device %s cannot do segmentation offload (%s): add ,nogso to the link", name,
                 strerror(-error));
    return error;
}

static int tun_read_mtu(struct tun_link *t, const char *name, char *why, size_t size)
{
    struct ifreq request = {0};
    memcpy(request.ifr_name, name, strlen(name));
    int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (sock < 0 || ioctl(sock, SIOCGIFMTU, &request) != 0) {
        int error = errno;
        snprintf(why, size, "cannot read the MTU of device %s (%s): is IPv4 missing in this kernel?", name,
                 strerror(error));
        if (sock >= 0)
            close(sock);
        return -error;
    }
    close(sock);
    t->link.mtu = (uint32_t)request.ifr_mtu;
    return 0;
}

static void tun_note_header(const struct virtio_net_hdr *header, struct hawser_rx *rx)
{
    if (header->flags & (VIRTIO_NET_HDR_F_NEEDS_CSUM | VIRTIO_NET_HDR_F_DATA_VALID))
        rx->flags |= HAWSER_RX_CSUM_OK;
    unsigned type = header->gso_type & (unsigned)~VIRTIO_NET_HDR_GSO_ECN;
    if (type == VIRTIO_NET_HDR_GSO_TCPV4 || type == VIRTIO_NET_HDR_GSO_TCPV6)
        rx->gso_size = header->gso_size;
}

/* Reads one packet; 1, 0 when none was to be had now, or -ENODEV. */
static int tun_receive_one(struct tun_link *t, struct hawser_rx *out)
{
    struct hawser_buf *buf;
    uint8_t *room = rx_buffers_room(&t->buffers, &buf);
    if (!room)
        return 0;

    struct virtio_net_hdr header = {0};
    struct iovec iov[2] = {{&header, sizeof(header)}, {room, LINK_PACKET_MAX}};
    size_t header_len = t->offload ? sizeof(header) : 0;
    ssize_t n = readv(t->link.fd, t->offload ? iov : iov + 1, t->offload ? 2 : 1);
    if (n < 0) {
        if (errno == EBADFD || errno == ENODEV)
            return -ENODEV;
        if (errno != EAGAIN && errno != EINTR)
            t->link.counters.rx_errors++;
        return 0;
    }
    if ((size_t)n <= header_len) {
        t->link.counters.rx_errors++;
        return 0;
    }
    *out = (struct hawser_rx){.buf = buf, .data = room, .len = (uint32_t)((size_t)n - header_len)};
    tun_note_header(&header, out);
    rx_buffers_commit(&t->buffers, buf, out->len);
    t->link.counters.rx_packets++;
    t->link.counters.rx_bytes += out->len;
    t->link.counters.rx_unpooled += !buf;
    return 1;
}

static int tun_receive(struct link *link, struct hawser_rx *out, size_t max, uint64_t now_ns)
{
    (void)now_ns;
    struct tun_link *t = HW_CONTAINER(link, struct tun_link, link);
    CHECK(max <= LINK_BATCH);
    size_t count = 0;
    while (count < max) {
        int got = tun_receive_one(t, &out[count]);
        if (got < 0 && count == 0)
            return got;
        if (got <= 0)
            break;
        count++;
    }
    return (int)count;
}

static void tun_release(struct link *link) { rx_buffers_release(&HW_CONTAINER(link, struct tun_link, link)->buffers); }

static struct virtio_net_hdr tun_header_of(const struct hawser_tx *tx)
{
    if (tx->flags & HAWSER_TX_CSUM_DONE)
        return (struct virtio_net_hdr){0};
    struct virtio_net_hdr header = {
        .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
        .hdr_len = tx->head_len,
        .csum_start = tx->l3_len,
        .csum_offset = TCP_CHECKSUM_OFFSET,
    };
    if (tx->gso_size && tx->payload_len > tx->gso_size) {
        header.gso_size = tx->gso_size;
        header.gso_type = tx->head[0] >> 4 == 4 ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6;
        /* RFC 3168 6.1.2: only the first segment may carry CWR, so the one who cuts must know of it. */
        if (tx->head[tx->l3_len + TCP_FLAGS_OFFSET] & TCP_CWR)
            header.gso_type |= VIRTIO_NET_HDR_GSO_ECN;
    }
    return header;
}

/* Writes one packet; 1, 0 when it was dropped and counted, or -ENODEV. */
static int tun_write(struct tun_link *t, const struct hawser_tx *tx, struct virtio_net_hdr *header)
{
    struct iovec iov[2 + HAWSER_TX_PARTS];
    int n = 0;
    if (header)
        iov[n++] = (struct iovec){header, sizeof(*header)};
    /* writev() reads only; its type cannot say so. */
    iov[n++] = (struct iovec){(void *)(uintptr_t)tx->head, tx->head_len};
    for (unsigned i = 0; i < tx->part_count; i++)
        iov[n++] = (struct iovec){(void *)(uintptr_t)tx->parts[i].data, tx->parts[i].len};

    ssize_t written;
    do {
        written = writev(t->link.fd, iov, n);
    } while (written < 0 && errno == EINTR);
    if (written >= 0) {
        t->link.counters.tx_packets++;
        t->link.counters.tx_bytes += tx->head_len + tx->payload_len;
        return 1;
    }
    if (errno == EBADFD || errno == ENODEV)
        return -ENODEV;
    if (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM)
        t->link.counters.tx_full++;
    else
        t->link.counters.tx_errors++;
    return 0;
}

static int tun_transmit_cut(struct tun_link *t, const struct hawser_tx *tx)
{
    struct hawser_tx segment;
    uint32_t offset = 0;
    int result = 1;
    while (result >= 0 && hawser_tx_segment(tx, &offset, &segment)) {
        hawser_tx_finish_checksum(&segment);
        int sent = tun_write(t, &segment, NULL);
        result = HW_MIN(result, sent);
    }
    return result;
}

static int tun_transmit(struct link *link, const struct hawser_tx *packets, size_t count, uint64_t now_ns)
{
    (void)now_ns;
    struct tun_link *t = HW_CONTAINER(link, struct tun_link, link);
    int sent = 0;
    for (size_t i = 0; i < count; i++) {
        const struct hawser_tx *tx = &packets[i];
        int result = 0;
        if (t->offload && tx->payload_len > TUN_GSO_BYTES) {
            t->link.counters.tx_too_big++;
        } else if (t->offload) {
            struct virtio_net_hdr header = tun_header_of(tx);
            result = tun_write(t, tx, &header);
        } else {
            result = tun_transmit_cut(t, tx);
        }
        if (result < 0)
            return result;
        sent += result;
    }
    return sent;
}

void tun_abandon(struct link *link)
{
    struct tun_link *t = HW_CONTAINER(link, struct tun_link, link);
    rx_buffers_destroy(&t->buffers);
    free(t);
}

static void tun_destroy(struct link *link)
{
    close(link->fd);
    tun_abandon(link);
}

static const struct link_ops tun_ops = {tun_receive, tun_release, tun_transmit, tun_destroy};

static struct tun_link *tun_new(int fd, bool offload, struct hawser_buf_pool *pool)
{
    struct tun_link *t = calloc(1, sizeof(*t));
    if (!t)
        return NULL;
    t->link.ops = &tun_ops;
    t->link.fd = fd;
    t->link.gso_bytes = offload ? TUN_GSO_BYTES : 0;
    t->offload = offload;
    rx_buffers_init(&t->buffers, pool);
    return t;
}

int tun_open(const char *name, bool gso, struct hawser_buf_pool *pool, struct link **out, char *why, size_t why_size)
{
    CHECK(strlen(name) < IFNAMSIZ);
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        int error = errno;
        tun_explain_open(error, why, why_size);
        return -error;
    }
    struct tun_link *t = tun_new(fd, gso, pool);
    if (!t) {
        close(fd);
        snprintf(why, why_size, "no memory for device %s: free some and try again", name);
        return -ENOMEM;
    }
    int error = tun_attach(t, name, why, why_size);
    if (!error)
        error = tun_read_mtu(t, name, why, why_size);
    if (error) {
        tun_destroy(&t->link);
        return error;
    }
    *out = &t->link;
    return 0;
}

int tun_adopt(int fd, uint32_t mtu, struct hawser_buf_pool *pool, struct link **out)
{
    struct tun_link *t = tun_new(fd, true, pool);
    if (!t)
        return -ENOMEM;
    t->link.mtu = mtu;
    int error = tun_set_offload(t);
    if (error)
        free(t);
    else
        *out = &t->link;
    return error;
}

bool tun_is_persistent(const struct link *link)
{
    const struct tun_link *t = (const struct tun_link *)(const void *)link; /* its first member */
    return t->persistent;
}
