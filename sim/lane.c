#include "sim/lane.h"

#include "base/check.h"
#include "base/units.h"

#define BITS UINT64_C(8)
#define OPPORTUNITY_BYTES 1500u

void lane_init(struct lane *lane, const struct lane_config *config, const struct prng *rng,
               struct hawser_buf_pool *packets, uint64_t now_ns)
{
    *lane = (struct lane){.config = *config, .rng = *rng, .packets = packets, .trace_start_ns = now_ns};
    queue_init(&lane->queue, &config->queue, &lane->rng);
    lane->queue.packet_ns = config->rate_bps ? OPPORTUNITY_BYTES * BITS * NS_PER_S / config->rate_bps : 0;
    list_init(&lane->wire);
}

void lane_fini(struct lane *lane)
{
    queue_fini(&lane->queue);
    if (lane->sending)
        packet_free(lane->sending);
    LIST_EACH (it, &lane->wire)
        packet_free(LIST_ENTRY(it, struct packet, link));
}

void lane_configure(struct lane *lane, const struct lane_config *config, uint64_t now_ns)
{
    if (config->trace != lane->config.trace) {
        lane->trace_start_ns = now_ns;
        lane->trace_next = 0;
        lane->trace_left = 0;
    }
    lane->config = *config;
    lane->queue.config.bytes = config->queue.bytes; /* the kind of queue stays what it was built as */
    lane->queue.config.packets = config->queue.packets;
}

static uint64_t opportunity_at(const struct lane *lane, uint64_t index)
{
    const struct rate_trace *trace = lane->config.trace;
    uint64_t period_ms = trace->at_ms[trace->count - 1];
    return lane->trace_start_ns + (index / trace->count * period_ms + trace->at_ms[index % trace->count]) * NS_PER_MS;
}

/* When enough opportunities have come for `len` more bytes. What an idle link could have sent is gone. */
static uint64_t trace_finish(struct lane *lane, uint32_t len, uint64_t now_ns)
{
    uint64_t at = now_ns;
    while (opportunity_at(lane, lane->trace_next) < now_ns) {
        lane->trace_next++;
        lane->trace_left = 0;
    }
    while (lane->trace_left < len) {
        len -= lane->trace_left;
        at = opportunity_at(lane, lane->trace_next++);
        lane->trace_left = OPPORTUNITY_BYTES;
    }
    lane->trace_left -= len;
    return at;
}

/* Puts the next waiting packet into the transmitter, which became free at `now_ns`. */
static void transmit_next(struct lane *lane, uint64_t now_ns, bool was_idle)
{
    struct packet *packet = lane->queue.ops->pop(&lane->queue, now_ns);
    lane->sending = packet;
    if (!packet)
        return;
    if (lane->config.trace) {
        packet->at_ns = trace_finish(lane, packet->len, now_ns);
    } else if (lane->config.rate_bps) {
        uint64_t work = packet->len * BITS * NS_PER_S + (was_idle ? 0 : lane->remainder);
        packet->at_ns = now_ns + work / lane->config.rate_bps;
        lane->remainder = work % lane->config.rate_bps;
    } else {
        packet->at_ns = now_ns;
    }
    lane->counters.busy_ns += packet->at_ns - now_ns;
}

static bool chance(struct lane *lane, uint32_t ppm) { return ppm && prng_below(&lane->rng, PPM_ALL) < ppm; }

static bool loses(struct lane *lane)
{
    const struct loss_config *loss = &lane->config.loss;
    if (loss->kind == LOSS_INDEPENDENT)
        return chance(lane, loss->ppm);
    if (loss->kind != LOSS_BURSTY)
        return false;
    if (chance(lane, lane->bad_state ? loss->to_good_ppm : loss->to_bad_ppm))
        lane->bad_state = !lane->bad_state;
    return chance(lane, lane->bad_state ? loss->bad_ppm : loss->good_ppm);
}

static void corrupt(struct lane *lane, struct packet *packet)
{
    packet_settle(packet);
    uint64_t bit = prng_below(&lane->rng, packet->len * BITS);
    packet->data[bit / BITS] ^= (uint8_t)(1u << bit % BITS);
    packet->damaged = true;
    lane->counters.corrupted++;
}

/* In order of arrival at the far end, first come first served among equals. */
static void put_on_wire(struct lane *lane, struct packet *packet, uint64_t at_ns)
{
    packet->at_ns = at_ns;
    struct list *after = lane->wire.prev;
    while (after != &lane->wire && LIST_ENTRY(after, struct packet, link)->at_ns > at_ns)
        after = after->prev;
    list_insert_after(after, &packet->link);
}

static uint64_t exit_time(struct lane *lane, uint64_t sent_ns)
{
    const struct lane_config *c = &lane->config;
    uint64_t at = sent_ns + c->delay_ns;
    if (c->jitter_ns)
        at += prng_below(&lane->rng, c->jitter_ns + 1);
    if (!c->jitter_reorders)
        at = HW_MAX(at, lane->last_exit_ns);
    lane->last_exit_ns = HW_MAX(lane->last_exit_ns, at);
    if (chance(lane, c->reorder_ppm)) {
        at += c->reorder_ns;
        lane->counters.reordered++;
    }
    return at;
}

/* The last bit is on the wire: what becomes of the packet is drawn now. */
static void send_off(struct lane *lane, struct packet *packet)
{
    uint64_t sent_ns = packet->at_ns;
    if (loses(lane)) {
        lane->counters.lost_wire++;
        packet_free(packet);
        return;
    }
    if (chance(lane, lane->config.corrupt_ppm))
        corrupt(lane, packet);
    struct packet *twin = chance(lane, lane->config.duplicate_ppm) ? packet_copy(lane->packets, packet) : NULL;
    put_on_wire(lane, packet, exit_time(lane, sent_ns));
    if (twin) {
        lane->counters.duplicated++;
        put_on_wire(lane, twin, exit_time(lane, sent_ns));
    }
}

void lane_push(struct lane *lane, struct packet *packet, uint64_t now_ns)
{
    const struct lane_config *c = &lane->config;
    lane->counters.entered++;
    lane->counters.entered_bytes += packet->len;
    if (c->down || (c->mtu && packet->len > c->mtu)) {
        if (c->down)
            lane->counters.lost_down++;
        else
            lane->counters.lost_size++;
        packet_free(packet);
        return;
    }
    if (!lane->queue.ops->push(&lane->queue, packet, now_ns)) {
        lane->counters.lost_queue++;
        packet_free(packet);
        return;
    }
    if (!lane->sending)
        transmit_next(lane, now_ns, true);
}

static struct packet *first_on_wire(const struct lane *lane)
{
    struct list *first = list_first(&lane->wire);
    return first ? LIST_ENTRY(first, struct packet, link) : NULL;
}

uint64_t lane_next_at(const struct lane *lane)
{
    const struct packet *first = first_on_wire(lane);
    uint64_t at = lane->sending ? lane->sending->at_ns : TIME_NEVER;
    return first ? HW_MIN(at, first->at_ns) : at;
}

struct packet *lane_pop(struct lane *lane, uint64_t now_ns)
{
    while (lane->sending && lane->sending->at_ns <= now_ns) {
        struct packet *packet = lane->sending;
        uint64_t free_at = packet->at_ns;
        transmit_next(lane, free_at, false);
        send_off(lane, packet);
    }
    for (struct packet *first; (first = first_on_wire(lane)) && first->at_ns <= now_ns;) {
        list_remove(&first->link);
        if (!lane->config.down) {
            lane->counters.delivered++;
            lane->counters.delivered_bytes += first->len;
            return first;
        }
        lane->counters.lost_down++;
        packet_free(first);
    }
    return NULL;
}
