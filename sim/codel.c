/* Controlled delay (RFC 8289): drops at the head when packets have waited longer than the target for an interval. */
#include "base/compiler.h"
#include "base/units.h"
#include "sim/queue.h"

#define TARGET_DEFAULT_NS (5 * NS_PER_MS)
#define INTERVAL_DEFAULT_NS (100 * NS_PER_MS)
#define FULL_PACKET_BYTES 1500u

static uint64_t square_root(uint64_t x)
{
    uint64_t root = 0;
    for (uint64_t bit = UINT64_C(1) << 31; bit; bit >>= 1)
        if ((root | bit) * (root | bit) <= x)
            root |= bit;
    return root;
}

static uint64_t interval(const struct queue *queue)
{
    return queue->config.codel_interval_ns ? queue->config.codel_interval_ns : INTERVAL_DEFAULT_NS;
}

/* RFC 8289 5.3: the next drop comes interval / sqrt(count) after `from_ns`; the root in 16 fractional bits. */
static uint64_t control_law(const struct queue *queue, uint64_t from_ns)
{
    uint64_t root = square_root((uint64_t)queue->codel.count << 32);
    return from_ns + (interval(queue) << 16) / HW_MAX(root, 1u);
}

/* RFC 8289 5.4: takes the first packet and tells whether the sojourn time has been too long for an interval. */
static struct packet *take(struct queue *queue, uint64_t now_ns, bool *ok_to_drop)
{
    struct codel_state *codel = &queue->codel;
    uint64_t target = queue->config.codel_target_ns ? queue->config.codel_target_ns : TARGET_DEFAULT_NS;
    struct packet *packet = queue_take_first(queue);
    *ok_to_drop = false;
    if (!packet) {
        codel->first_above_ns = 0;
        return NULL;
    }
    if (now_ns - packet->queued_ns < target || queue->bytes <= FULL_PACKET_BYTES)
        codel->first_above_ns = 0;
    else if (codel->first_above_ns == 0)
        codel->first_above_ns = now_ns + interval(queue);
    else
        *ok_to_drop = now_ns >= codel->first_above_ns;
    return packet;
}

/* Drops or marks one packet; returns what to go on with. */
static struct packet *punish(struct queue *queue, struct packet *packet, uint64_t now_ns, bool *ok_to_drop)
{
    if (queue_mark(queue, packet))
        return packet;
    queue->late_drops++;
    packet_free(packet);
    return take(queue, now_ns, ok_to_drop);
}

static struct packet *keep_dropping(struct queue *queue, struct packet *packet, uint64_t now_ns, bool ok_to_drop)
{
    struct codel_state *codel = &queue->codel;
    if (!ok_to_drop)
        codel->dropping = false;
    while (codel->dropping && now_ns >= codel->drop_next_ns) {
        codel->count++;
        uint64_t dropped = queue->late_drops;
        packet = punish(queue, packet, now_ns, &ok_to_drop);
        if (!packet || !ok_to_drop)
            codel->dropping = false;
        else
            codel->drop_next_ns = control_law(queue, codel->drop_next_ns);
        if (queue->late_drops == dropped) /* marked: it goes out */
            break;
    }
    return packet;
}

static struct packet *start_dropping(struct queue *queue, struct packet *packet, uint64_t now_ns, bool ok_to_drop)
{
    struct codel_state *codel = &queue->codel;
    packet = punish(queue, packet, now_ns, &ok_to_drop);
    codel->dropping = true;
    /* RFC 8289 5.5: soon after the last episode its rate is a better start than one. */
    uint32_t delta = codel->count - codel->last_count;
    bool recent = now_ns - codel->drop_next_ns < 16 * interval(queue);
    codel->count = delta > 1 && recent ? delta : 1;
    codel->last_count = codel->count;
    codel->drop_next_ns = control_law(queue, now_ns);
    return packet;
}

static struct packet *codel_pop(struct queue *queue, uint64_t now_ns)
{
    bool ok_to_drop;
    struct packet *packet = take(queue, now_ns, &ok_to_drop);
    if (!packet) {
        queue->codel.dropping = false;
        return NULL;
    }
    if (queue->codel.dropping)
        return keep_dropping(queue, packet, now_ns, ok_to_drop);
    return ok_to_drop ? start_dropping(queue, packet, now_ns, ok_to_drop) : packet;
}

static bool codel_push(struct queue *queue, struct packet *packet, uint64_t now_ns)
{
    if (!queue_has_room(queue, packet->len))
        return false;
    queue_append(queue, packet, now_ns);
    return true;
}

const struct queue_ops queue_codel = {codel_push, codel_pop};
