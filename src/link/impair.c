#include "link/impair.h"

#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "base/units.h"

enum { IMPAIR_BITS = 8 };

int impair_init(struct impair *im, const struct hawser_env *env, const struct impair_config *config, uint64_t seed)
{
    memset(im, 0, sizeof(*im));
    if (config->packet_limit == 0 || config->loss_ppm > IMPAIR_ALL || config->reorder_ppm > IMPAIR_ALL ||
        config->delay_ns > IMPAIR_TIME_MAX_NS || config->jitter_ns > IMPAIR_TIME_MAX_NS)
        return -EINVAL;
    im->config = *config;
    im->env = env;
    prng_seed(&im->rng, seed);
    im->queue = env->alloc(env->ctx, config->packet_limit * sizeof(*im->queue));
    im->heap = env->alloc(env->ctx, config->packet_limit * sizeof(*im->heap));
    if (im->queue && im->heap)
        return 0;
    impair_destroy(im);
    return -ENOMEM;
}

void impair_destroy(struct impair *im)
{
    if (im->queue)
        im->env->free(im->env->ctx, im->queue);
    if (im->heap)
        im->env->free(im->env->ctx, im->heap);
    im->queue = NULL;
    im->heap = NULL;
}

void impair_set_down(struct impair *im, bool down) { im->down = down; }

static bool impair_before(const struct impair_packet *a, const struct impair_packet *b)
{
    return a->at_ns < b->at_ns || (a->at_ns == b->at_ns && a->order < b->order);
}

static void impair_heap_add(struct impair *im, struct impair_packet packet)
{
    uint32_t at = im->count++;
    while (at > 0 && impair_before(&packet, &im->heap[(at - 1) / 2])) {
        im->heap[at] = im->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    im->heap[at] = packet;
}

static struct impair_packet impair_heap_take(struct impair *im)
{
    CHECK(im->count > 0);
    struct impair_packet first = im->heap[0], last = im->heap[--im->count];
    uint32_t at = 0;
    for (uint32_t child; (child = 2 * at + 1) < im->count; at = child) {
        if (child + 1 < im->count && impair_before(&im->heap[child + 1], &im->heap[child]))
            child++;
        if (!impair_before(&im->heap[child], &last))
            break;
        im->heap[at] = im->heap[child];
    }
    im->heap[at] = last;
    return first;
}

uint64_t impair_backlog(struct impair *im, uint64_t now_ns)
{
    while (im->queue_count && im->queue[im->queue_first].end_ns <= now_ns) {
        im->queue_bytes -= im->queue[im->queue_first].len;
        im->queue_first = (im->queue_first + 1) % im->config.packet_limit;
        im->queue_count--;
    }
    return im->queue_bytes;
}

/* Queues for transmission; returns when the last bit will be on the wire. */
static uint64_t impair_transmit(struct impair *im, uint64_t now_ns, uint32_t len)
{
    if (im->config.rate_bps == 0)
        return now_ns;
    if (im->busy_until_ns <= now_ns) {
        im->busy_until_ns = now_ns;
        im->remainder = 0;
    }
    uint64_t work = (uint64_t)len * IMPAIR_BITS * NS_PER_S + im->remainder;
    im->busy_until_ns += work / im->config.rate_bps;
    im->remainder = work % im->config.rate_bps;
    im->queue[(im->queue_first + im->queue_count++) % im->config.packet_limit] =
        (struct impair_queued){im->busy_until_ns, len};
    im->queue_bytes += len;
    if (im->queue_bytes > im->queue_peak_bytes)
        im->queue_peak_bytes = im->queue_bytes;
    return im->busy_until_ns;
}

enum impair_entry impair_push(struct impair *im, uint64_t now_ns, void *handle, uint32_t len)
{
    const struct impair_config *c = &im->config;
    uint64_t backlog = impair_backlog(im, now_ns);
    if (im->down)
        return IMPAIR_DOWN;
    if (im->count == c->packet_limit)
        return IMPAIR_TOO_MANY;
    if (c->queue_bytes && backlog && backlog + len > c->queue_bytes)
        return IMPAIR_QUEUE_FULL;

    /* The same number of draws whatever the fate, so that one setting does not change the other's luck. */
    bool lost = prng_below(&im->rng, IMPAIR_ALL) < c->loss_ppm;
    bool detour = prng_below(&im->rng, IMPAIR_ALL) < c->reorder_ppm;
    uint64_t jitter_ns = prng_below(&im->rng, c->jitter_ns + 1);
    uint64_t at_ns = impair_transmit(im, now_ns, len) + c->delay_ns + jitter_ns;
    if (detour)
        at_ns += IMPAIR_DETOUR_NS + c->delay_ns / 8;
    impair_heap_add(im, (struct impair_packet){at_ns, im->next_order++, handle, lost});
    return IMPAIR_TAKEN;
}

uint64_t impair_next_time(const struct impair *im) { return im->count ? im->heap[0].at_ns : TIME_NEVER; }

enum impair_exit impair_pop(struct impair *im, uint64_t now_ns, void **handle)
{
    *handle = NULL;
    if (impair_next_time(im) > now_ns || im->count == 0)
        return IMPAIR_NOTHING;
    struct impair_packet packet = impair_heap_take(im);
    *handle = packet.handle;
    if (im->down)
        return IMPAIR_CUT;
    return packet.lost ? IMPAIR_LOST : IMPAIR_DELIVER;
}

void *impair_drain(struct impair *im) { return im->count ? impair_heap_take(im).handle : NULL; }
