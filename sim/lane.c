#include "sim/lane.h"

#include "base/check.h"
#include "base/units.h"

#define BITS UINT64_C(8)
#define OPPORTUNITY_BYTES 1500u

/* For RED: the time that a typical packet takes. */
static uint64_t typical_packet_ns(const struct lane_config *config)
{
    return config->rate_bps ? OPPORTUNITY_BYTES * BITS * NS_PER_S / config->rate_bps : 0;
}

static void check_trace(const struct rate_trace *trace)
{
    CHECK(!trace || (trace->count > 0 && trace->at_ms[trace->count - 1] > 0)); /* else it would never get on */
}

static bool loss_same(const struct loss_config *a, const struct loss_config *b)
{
    return a->kind == b->kind && a->ppm == b->ppm && a->to_bad_ppm == b->to_bad_ppm &&
           a->to_good_ppm == b->to_good_ppm && a->good_ppm == b->good_ppm && a->bad_ppm == b->bad_ppm;
}

static bool queue_same(const struct queue_config *a, const struct queue_config *b)
{
    return a->kind == b->kind && a->bytes == b->bytes && a->packets == b->packets && a->ecn == b->ecn &&
           a->red_min_bytes == b->red_min_bytes && a->red_max_bytes == b->red_max_bytes &&
           a->red_max_ppm == b->red_max_ppm && a->codel_target_ns == b->codel_target_ns &&
           a->codel_interval_ns == b->codel_interval_ns;
}

bool lane_config_same(const struct lane_config *a, const struct lane_config *b)
{
    return a->rate_bps == b->rate_bps && a->trace == b->trace && a->delay_ns == b->delay_ns &&
           a->jitter_ns == b->jitter_ns && a->jitter_reorders == b->jitter_reorders &&
           queue_same(&a->queue, &b->queue) && loss_same(&a->loss, &b->loss) && a->corrupt_ppm == b->corrupt_ppm &&
           a->duplicate_ppm == b->duplicate_ppm && a->reorder_ppm == b->reorder_ppm && a->reorder_ns == b->reorder_ns &&
           a->mtu == b->mtu && a->mtu_told == b->mtu_told && a->down == b->down;
}

void lane_init(struct lane *lane, const struct lane_config *config, const struct prng *rng,
               struct hawser_buf_pool *packets, uint64_t now_ns)
{
    struct prng seeds = *rng;
    check_trace(config->trace);
    *lane = (struct lane){.config = *config, .packets = packets, .trace_start_ns = now_ns};
    for (unsigned i = 0; i < LANE_DRAWS; i++)
        prng_seed(&lane->rng[i], prng_next(&seeds));
    queue_init(&lane->queue, &config->queue, &lane->rng[DRAW_QUEUE]);
    lane->queue.packet_ns = typical_packet_ns(config);
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
    check_trace(config->trace);
    if (config->rate_bps != lane->config.rate_bps)
        lane->remainder = 0; /* it was in units of the old rate */
    if (config->trace != lane->config.trace) {
        lane->trace_start_ns = now_ns;
        lane->trace_next = 0;
        lane->trace_left = 0;
    }
    lane->config = *config;
    queue_configure(&lane->queue, &config->queue);
    lane->queue.packet_ns = typical_packet_ns(config);
}

static uint64_t opportunity_at(const struct lane *lane, uint64_t index)
{
    const struct rate_trace *trace = lane->config.trace;
    uint64_t period_ms = trace->at_ms[trace->count - 1];
    return lane->trace_start_ns + (index / trace->count * period_ms + trace->at_ms[index % trace->count]) * NS_PER_MS;
}

/* When enough opportunities have come for `len` more bytes. What an idle link could have sent is gone, and so is the
 * rest of the opportunity that sent its last packet. */
static uint64_t trace_finish(struct lane *lane, uint32_t len, uint64_t now_ns, bool was_idle)
{
    uint64_t at = now_ns;
    if (was_idle)
        lane->trace_left = 0;
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
        packet->at_ns = trace_finish(lane, packet->len, now_ns, was_idle);
    } else if (lane->config.rate_bps) {
        uint64_t work = packet->len * BITS * NS_PER_S + (was_idle ? 0 : lane->remainder);
        packet->at_ns = now_ns + work / lane->config.rate_bps;
        lane->remainder = work % lane->config.rate_bps;
    } else {
        packet->at_ns = now_ns;
    }
    lane->counters.busy_ns += packet->at_ns - now_ns;
}

static bool chance(struct lane *lane, enum lane_draw draw, uint32_t ppm)
{
    return ppm && prng_below(&lane->rng[draw], PPM_ALL) < ppm;
}

static bool loses(struct lane *lane)
{
    const struct loss_config *loss = &lane->config.loss;
    if (loss->kind == LOSS_INDEPENDENT)
        return chance(lane, DRAW_LOSS, loss->ppm);
    if (loss->kind != LOSS_BURSTY)
        return false;
    if (chance(lane, DRAW_LOSS, lane->bad_state ? loss->to_good_ppm : loss->to_bad_ppm))
        lane->bad_state = !lane->bad_state;
    return chance(lane, DRAW_LOSS, lane->bad_state ? loss->bad_ppm : loss->good_ppm);
}

/* Once: two flipped bits may cancel out in the checksum, and then no transport could tell. */
static void corrupt(struct lane *lane, struct packet *packet)
{
    if (packet->damaged)
        return;
    packet_settle(packet);
    uint64_t bit = prng_below(&lane->rng[DRAW_CORRUPT], packet->len * BITS);
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
        at += prng_below(&lane->rng[DRAW_JITTER], c->jitter_ns + 1);
    if (!c->jitter_reorders)
        at = HW_MAX(at, lane->last_exit_ns);
    lane->last_exit_ns = HW_MAX(lane->last_exit_ns, at);
    if (chance(lane, DRAW_REORDER, c->reorder_ppm)) {
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
    if (chance(lane, DRAW_CORRUPT, lane->config.corrupt_ppm))
        corrupt(lane, packet);
    struct packet *twin =
        chance(lane, DRAW_DUPLICATE, lane->config.duplicate_ppm) ? packet_copy(lane->packets, packet) : NULL;
    put_on_wire(lane, packet, exit_time(lane, sent_ns));
    if (twin) {
        lane->counters.duplicated++;
        put_on_wire(lane, twin, exit_time(lane, sent_ns));
    }
}

/* Sends off what has been transmitted by `now_ns`. */
static void advance(struct lane *lane, uint64_t now_ns)
{
    while (lane->sending && lane->sending->at_ns <= now_ns) {
        struct packet *packet = lane->sending;
        transmit_next(lane, packet->at_ns, false);
        send_off(lane, packet);
    }
}

bool lane_refuses_size(const struct lane *lane, const struct packet *packet)
{
    return !lane->config.down && lane->config.mtu && packet->len > lane->config.mtu;
}

/* Why the packet may not enter: the counter of such, or NULL. */
static uint64_t *refused_by(struct lane *lane, const struct packet *packet)
{
    const struct lane_config *c = &lane->config;
    if (c->down)
        return &lane->counters.lost_down;
    return lane_refuses_size(lane, packet) ? &lane->counters.lost_size : NULL;
}

void lane_push(struct lane *lane, struct packet *packet, uint64_t now_ns)
{
    bool unlimited = !lane->config.rate_bps && !lane->config.trace;
    uint64_t *lost = refused_by(lane, packet);
    lane->counters.entered++;
    if (!lost) {
        advance(lane, now_ns); /* what leaves the transmitter at this moment makes room */
        if (unlimited && !lane->sending) {
            packet->at_ns = now_ns;
            send_off(lane, packet);
            return;
        }
        if (!lane->queue.ops->push(&lane->queue, packet, now_ns))
            lost = &lane->counters.lost_queue;
    }
    if (lost) {
        ++*lost;
        packet_free(packet);
    } else if (!lane->sending) {
        transmit_next(lane, now_ns, true);
    }
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
    advance(lane, now_ns);
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
