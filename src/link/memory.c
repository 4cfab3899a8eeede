#include "link/memory.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/check.h"
#include "link/rx_buffers.h"

/* One packet on the wire between the ends. */
struct memory_packet {
    uint8_t *bytes;
    uint32_t len;
    uint16_t gso_size;
    uint8_t flags;
};

struct memory_end {
    struct link link;
    const struct hawser_env *env;
    struct memory_end *peer; /* NULL once destroyed */
    struct memory_options options;
    struct rx_buffers buffers;

    /* The ring of packets that wait for receive(). */
    struct memory_packet *queue;
    uint32_t first, count, bytes;
};

static void memory_signal(struct memory_end *end)
{
    const uint64_t one = 1;
    ssize_t n = write(end->link.fd, &one, sizeof(one));
    CHECK(n == sizeof(one) || errno == EAGAIN);
}

static void memory_unsignal(struct memory_end *end)
{
    uint64_t value;
    ssize_t n = read(end->link.fd, &value, sizeof(value));
    CHECK(n == sizeof(value) || errno == EAGAIN);
}

/* Puts one packet, a wire segment or a super-segment, into the queue of `to`. Returns whether it was taken. */
static bool memory_enqueue(struct memory_end *from, struct memory_end *to, const struct hawser_tx *tx, uint8_t flags)
{
    uint32_t len = tx->head_len + tx->payload_len;
    bool merged = tx->gso_size && tx->payload_len > tx->gso_size;
    uint32_t wire_len = merged ? (uint32_t)tx->head_len + tx->gso_size : len;
    if (wire_len > from->options.mtu || len > LINK_PACKET_MAX) {
        from->link.counters.tx_too_big++;
        return false;
    }
    uint8_t *bytes = NULL;
    if (to->count < to->options.queue_packets && to->bytes + len <= to->options.queue_bytes)
        bytes = to->env->alloc(to->env->ctx, len);
    if (!bytes) {
        from->link.counters.tx_full++;
        return false;
    }
    hawser_tx_flatten(tx, bytes);
    to->queue[(to->first + to->count) % to->options.queue_packets] =
        (struct memory_packet){bytes, len, merged ? tx->gso_size : 0, flags};
    to->bytes += len;
    if (to->count++ == 0)
        memory_signal(to);
    from->link.counters.tx_packets++;
    from->link.counters.tx_bytes += len;
    return true;
}

/* Takes the oldest packet off the queue; the caller frees its bytes. */
static struct memory_packet memory_dequeue(struct memory_end *end)
{
    struct memory_packet p = end->queue[end->first];
    end->first = (end->first + 1) % end->options.queue_packets;
    end->bytes -= p.len;
    if (--end->count == 0)
        memory_unsignal(end);
    return p;
}

static int memory_receive(struct link *link, struct hawser_rx *out, size_t max, uint64_t now_ns)
{
    (void)now_ns;
    struct memory_end *end = HW_CONTAINER(link, struct memory_end, link);
    CHECK(max <= LINK_BATCH);
    size_t got = 0;
    while (got < max && end->count) {
        struct hawser_buf *buf;
        uint8_t *room = rx_buffers_room(&end->buffers, &buf);
        if (!room)
            break;
        struct memory_packet p = memory_dequeue(end);
        memcpy(room, p.bytes, p.len);
        end->env->free(end->env->ctx, p.bytes);
        rx_buffers_commit(&end->buffers, buf, p.len);
        out[got++] =
            (struct hawser_rx){.buf = buf, .data = room, .len = p.len, .gso_size = p.gso_size, .flags = p.flags};
        end->link.counters.rx_packets++;
        end->link.counters.rx_bytes += p.len;
        end->link.counters.rx_unpooled += !buf;
    }
    return (int)got;
}

static void memory_release(struct link *link)
{
    rx_buffers_release(&HW_CONTAINER(link, struct memory_end, link)->buffers);
}

static bool memory_transmit_one(struct memory_end *end, const struct hawser_tx *tx)
{
    if (!end->peer) {
        end->link.counters.tx_errors++;
        return false;
    }
    if (end->options.gso)
        return memory_enqueue(end, end->peer, tx, HAWSER_RX_CSUM_OK);

    struct hawser_tx segment;
    uint32_t offset = 0;
    bool taken = true;
    while (hawser_tx_segment(tx, &offset, &segment)) {
        hawser_tx_finish_checksum(&segment);
        taken &= memory_enqueue(end, end->peer, &segment, 0);
    }
    return taken;
}

static int memory_transmit(struct link *link, const struct hawser_tx *packets, size_t count, uint64_t now_ns)
{
    (void)now_ns;
    struct memory_end *end = HW_CONTAINER(link, struct memory_end, link);
    int sent = 0;
    for (size_t i = 0; i < count; i++)
        sent += memory_transmit_one(end, &packets[i]);
    return sent;
}

static void memory_destroy(struct link *link)
{
    struct memory_end *end = HW_CONTAINER(link, struct memory_end, link);
    const struct hawser_env *env = end->env;
    if (end->peer)
        end->peer->peer = NULL;
    while (end->count) {
        struct memory_packet p = memory_dequeue(end);
        env->free(env->ctx, p.bytes);
    }
    rx_buffers_destroy(&end->buffers);
    close(end->link.fd);
    env->free(env->ctx, end->queue);
    env->free(env->ctx, end);
}

static const struct link_ops memory_ops = {memory_receive, memory_release, memory_transmit, memory_destroy};

static int memory_end_new(const struct hawser_env *env, const struct memory_options *options,
                          struct hawser_buf_pool *pool, struct memory_end **out)
{
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (fd < 0)
        return -errno;
    struct memory_end *end = env->alloc(env->ctx, sizeof(*end));
    struct memory_packet *queue = env->alloc(env->ctx, options->queue_packets * sizeof(*queue));
    if (!end || !queue) {
        if (end)
            env->free(env->ctx, end);
        if (queue)
            env->free(env->ctx, queue);
        close(fd);
        return -ENOMEM;
    }
    memset(&end->link, 0, sizeof(end->link));
    end->link.ops = &memory_ops;
    end->link.fd = fd;
    end->link.mtu = options->mtu;
    end->link.gso_bytes = options->gso ? UINT16_MAX - HAWSER_TX_HEAD : 0;
    end->env = env;
    end->peer = NULL;
    end->options = *options;
    end->queue = queue;
    end->first = end->count = end->bytes = 0;
    rx_buffers_init(&end->buffers, pool);
    *out = end;
    return 0;
}

int memory_pair_new(const struct hawser_env *env, const struct memory_options *options, struct hawser_buf_pool *pool_a,
                    struct hawser_buf_pool *pool_b, struct link **a, struct link **b)
{
    struct memory_end *end_a = NULL, *end_b = NULL;
    CHECK(options->queue_packets > 0);
    int error = memory_end_new(env, options, pool_a, &end_a);
    if (error)
        return error;
    error = memory_end_new(env, options, pool_b, &end_b);
    if (error) {
        memory_destroy(&end_a->link);
        return error;
    }
    CHECK(end_a && end_b);
    end_a->peer = end_b;
    end_b->peer = end_a;
    *a = &end_a->link;
    *b = &end_b->link;
    return 0;
}
