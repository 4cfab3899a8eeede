#include "sim/queue.h"

#include "base/compiler.h"
#include "sim/packet.h"

static const struct queue_ops *const kinds[] = {
    [QUEUE_DROP_TAIL] = &queue_drop_tail, [QUEUE_RED] = &queue_red, [QUEUE_CODEL] = &queue_codel};

void queue_init(struct queue *queue, const struct queue_config *config, struct prng *rng)
{
    *queue = (struct queue){.ops = kinds[config->kind], .config = *config, .rng = rng};
    list_init(&queue->waiting);
}

void queue_configure(struct queue *queue, const struct queue_config *config)
{
    if (config->kind != queue->config.kind) { /* a new discipline knows nothing of the past */
        queue->ops = kinds[config->kind];
        queue->red = (struct red_state){0};
        queue->codel = (struct codel_state){0};
    }
    queue->config = *config;
}

void queue_fini(struct queue *queue)
{
    for (struct packet *packet; (packet = queue_take_first(queue));)
        packet_free(packet);
}

bool queue_has_room(const struct queue *queue, uint32_t len)
{
    const struct queue_config *c = &queue->config;
    if (queue->packets == 0)
        return true;
    return (c->bytes == 0 || queue->bytes + len <= c->bytes) && (c->packets == 0 || queue->packets < c->packets);
}

void queue_append(struct queue *queue, struct packet *packet, uint64_t now_ns)
{
    packet->queued_ns = now_ns;
    list_push_back(&queue->waiting, &packet->link);
    queue->packets++;
    queue->bytes += packet->len;
    queue->peak_bytes = HW_MAX(queue->peak_bytes, queue->bytes);
}

struct packet *queue_take_first(struct queue *queue)
{
    struct list *first = list_first(&queue->waiting);
    if (!first)
        return NULL;
    struct packet *packet = LIST_ENTRY(first, struct packet, link);
    list_remove(first);
    queue->packets--;
    queue->bytes -= packet->len;
    return packet;
}

bool queue_mark(struct queue *queue, struct packet *packet)
{
    if (!queue->config.ecn || !packet_mark_ce(packet))
        return false;
    queue->marks++;
    return true;
}

static bool drop_tail_push(struct queue *queue, struct packet *packet, uint64_t now_ns)
{
    if (!queue_has_room(queue, packet->len))
        return false;
    queue_append(queue, packet, now_ns);
    return true;
}

static struct packet *drop_tail_pop(struct queue *queue, uint64_t now_ns)
{
    (void)now_ns;
    return queue_take_first(queue);
}

const struct queue_ops queue_drop_tail = {drop_tail_push, drop_tail_pop};
