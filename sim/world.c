#include "sim/world.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/units.h"
#include "sim/digest.h"
#include "sim/memory.h"

static void *own_alloc(void *ctx, size_t size)
{
    (void)ctx;
    return sim_new(size);
}

static void own_free(void *ctx, void *ptr)
{
    (void)ctx;
    sim_free(ptr);
}

static void no_randomness(void *ctx, void *dst, size_t len)
{
    (void)ctx;
    memset(dst, 0, len);
}

void world_init(struct world *world, uint64_t seed, uint32_t packet_room)
{
    *world = (struct world){.seed = seed, .now_ns = WORLD_START_NS, .env = {NULL, own_alloc, own_free, no_randomness}};
    list_init(&world->nodes);
    deadline_queue_init(&world->timers, &world->env);
    CHECK(hawser_buf_pool_new(&world->env, packet_buffer_bytes(packet_room), UINT32_MAX, &world->packets) == 0);
}

void world_destroy(struct world *world)
{
    LIST_EACH (it, &world->nodes) {
        struct node *node = LIST_ENTRY(it, struct node, link);
        node->ops->destroy(node);
    }
    address_book_fini(&world->addresses);
    hawser_buf_pool_close(world->packets);
    deadline_queue_destroy(&world->timers);
}

void world_stream(const struct world *world, const char *name, struct prng *out)
{
    prng_seed(out, digest_bytes(world->seed, (const uint8_t *)name, strlen(name)));
}

void world_timer_init(struct world *world, struct deadline *timer, void (*fire)(struct deadline *, uint64_t now_ns))
{
    deadline_init(timer, fire);
    int reserved = deadline_queue_reserve(&world->timers, 1);
    CHECK(reserved == 0);
}

void world_timer_set(struct world *world, struct deadline *timer, uint64_t at_ns)
{
    deadline_set(&world->timers, timer, at_ns);
}

bool world_run(struct world *world, uint64_t until_ns)
{
    while (!world_failed(world)) {
        uint64_t next = deadline_next(&world->timers);
        if (next > until_ns) {
            world->now_ns = HW_MAX(world->now_ns, until_ns);
            return next != TIME_NEVER;
        }
        if (next > world->now_ns)
            world->moment_hops = world->hops;
        else if (world->hops - world->moment_hops > WORLD_MOMENT_HOPS_MAX)
            world_violation(world, "time-passes",
                            "%u packets were handed over at one moment: give a link rate or delay",
                            WORLD_MOMENT_HOPS_MAX);
        world->now_ns = HW_MAX(world->now_ns, next);
        deadline_run(&world->timers, world->now_ns);
    }
    return false;
}

void world_violation(struct world *world, const char *rule, const char *format, ...)
{
    if (world->violations++)
        return;
    char story[256];
    va_list args;
    va_start(args, format);
    vsnprintf(story, sizeof story, format, args);
    va_end(args);
    snprintf(world->first_rule, sizeof world->first_rule, "%s", rule);
    uint64_t us = (world->now_ns - WORLD_START_NS) / NS_PER_US;
    snprintf(world->first_story, sizeof world->first_story, "%" PRIu64 ".%06" PRIu64 " s: %s: %s", us / 1000000,
             us % 1000000, rule, story);
}

struct node *world_find(const struct world *world, const char *name)
{
    LIST_EACH (it, &world->nodes) {
        struct node *node = LIST_ENTRY(it, struct node, link);
        if (strcmp(node->name, name) == 0)
            return node;
    }
    return NULL;
}
