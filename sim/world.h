/*
 * The simulated world: time, the nodes, and what was found wrong. The loop jumps from one deadline to the next; nothing
 * reads a clock, and one seed decides everything.
 */
#ifndef HW_SIM_WORLD_H
#define HW_SIM_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include <hawser/env.h>

#include "base/compiler.h"
#include "base/deadline.h"
#include "base/list.h"
#include "base/prng.h"
#include "sim/addresses.h"
#include "sim/node.h"

#define WORLD_START_NS UINT64_C(1000000000)
/* Hand-overs of packets at one moment. More means that time does not pass any more: an endless transfer over links
 * without rate and delay takes no time, and so never ends. */
#define WORLD_MOMENT_HOPS_MAX 4000000u

struct world {
    uint64_t seed, now_ns;
    struct hawser_env env; /* the simulator's own memory: never refuses */
    struct deadline_queue timers;
    struct list nodes;
    uint32_t node_count;
    struct hawser_buf_pool *packets;
    struct address_book addresses; /* that routers know of */
    uint64_t trace;                /* hash over every hand-over of a packet */
    uint64_t hops;                 /* hand-overs of packets */
    uint64_t moment_hops;          /* those before this moment */
    uint64_t violations;           /* of rules that judges watch over */
    char first_rule[48];           /* of the first violation; empty: none */
    char first_story[320];         /* one line, with the time */
};

/* An empty world at WORLD_START_NS, for packets of up to `packet_room` bytes. */
void world_init(struct world *world, uint64_t seed, uint32_t packet_room);
/* Destroys the nodes, then the rest. */
void world_destroy(struct world *world);

/* A stream of randomness that depends on the world's seed and `name` alone: another element does not disturb it. */
void world_stream(const struct world *world, const char *name, struct prng *out);

/* A timer on the world's time line, not queued. Each needs its place reserved once. */
void world_timer_init(struct world *world, struct deadline *timer, void (*fire)(struct deadline *, uint64_t now_ns));
void world_timer_set(struct world *world, struct deadline *timer, uint64_t at_ns);

/* Advances to `until_ns`, or to the first violation, or until nothing is left to happen; true in the first case. */
bool world_run(struct world *world, uint64_t until_ns);

/* A judge found a rule broken. The first story is kept. */
void world_violation(struct world *world, const char *rule, const char *format, ...) HW_PRINTF(3, 4);

static inline bool world_failed(const struct world *world) { return world->violations > 0; }

/* The node of that name, or NULL. */
struct node *world_find(const struct world *world, const char *name);

#endif
