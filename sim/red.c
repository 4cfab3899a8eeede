/* Random early detection (Floyd and Jacobson 1993), "gentle" above the upper threshold. Integers throughout. */
#include "base/compiler.h"
#include "sim/queue.h"

/* The weight of the running average: 2^-9, as the paper proposes. */
enum { RED_WEIGHT_SHIFT = 9, RED_IDLE_STEPS_MAX = 4096 };
#define PPM 1000000u

/* While the queue was empty the average decays as if small packets had arrived at line rate. */
static void decay_while_idle(struct queue *queue, uint64_t now_ns)
{
    struct red_state *red = &queue->red;
    if (queue->packets || !red->idle_since_ns)
        return;
    uint64_t steps = queue->packet_ns ? (now_ns - red->idle_since_ns) / queue->packet_ns : RED_IDLE_STEPS_MAX;
    for (steps = HW_MIN(steps, (uint64_t)RED_IDLE_STEPS_MAX); steps && red->average_256; steps--)
        red->average_256 -= (red->average_256 >> RED_WEIGHT_SHIFT) + 1;
    red->idle_since_ns = now_ns; /* for it stays empty if the packet is dropped */
}

static void update_average(struct queue *queue, uint64_t now_ns)
{
    decay_while_idle(queue, now_ns);
    uint64_t *average = &queue->red.average_256, now = queue->bytes << 8;
    if (now > *average)
        *average += (now - *average) >> RED_WEIGHT_SHIFT;
    else
        *average -= (*average - now) >> RED_WEIGHT_SHIFT;
}

/* The share of packets to drop at this average, in millionths, before the spreading of drops. */
static uint32_t drop_share(const struct queue_config *c, uint64_t average)
{
    if (average < c->red_min_bytes)
        return 0;
    if (average < c->red_max_bytes)
        return (uint32_t)((average - c->red_min_bytes) * c->red_max_ppm / (c->red_max_bytes - c->red_min_bytes));
    if (average < 2 * c->red_max_bytes)
        return c->red_max_ppm + (uint32_t)((average - c->red_max_bytes) * (PPM - c->red_max_ppm) / c->red_max_bytes);
    return PPM;
}

/* p / (1 - count p): the gaps between drops come out uniform. */
static bool drops_now(struct queue *queue, uint32_t share)
{
    struct red_state *red = &queue->red;
    uint64_t used = (uint64_t)red->since_drop * share;
    uint64_t odds = used >= PPM ? PPM : (uint64_t)share * PPM / (PPM - used);
    red->since_drop++;
    if (prng_below(queue->rng, PPM) >= odds)
        return false;
    red->since_drop = 0;
    return true;
}

static bool red_push(struct queue *queue, struct packet *packet, uint64_t now_ns)
{
    update_average(queue, now_ns);
    uint32_t share = drop_share(&queue->config, queue->red.average_256 >> 8);
    if (share == 0)
        queue->red.since_drop = 0;
    else if (drops_now(queue, share) && (share == PPM || !queue_mark(queue, packet))) {
        queue->early_drops++;
        return false;
    }
    if (!queue_has_room(queue, packet->len))
        return false;
    queue_append(queue, packet, now_ns);
    return true;
}

static struct packet *red_pop(struct queue *queue, uint64_t now_ns)
{
    struct packet *packet = queue_take_first(queue);
    if (packet && queue->packets == 0)
        queue->red.idle_since_ns = now_ns;
    return packet;
}

const struct queue_ops queue_red = {red_push, red_pop};
