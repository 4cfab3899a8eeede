/* The deadline queue: which timer is due next. A binary heap with the position kept in each node. */
#ifndef HW_BASE_DEADLINE_H
#define HW_BASE_DEADLINE_H

#include <stdbool.h>
#include <stdint.h>

#include <hawser/env.h>

#include "base/segments.h"

struct deadline {
    uint64_t at_ns; /* meaningful while queued */
    uint64_t order; /* breaks ties first come, first served, so that runs repeat exactly */
    uint32_t pos;   /* index in the heap + 1; 0: not queued */
    void (*fire)(struct deadline *self, uint64_t now_ns);
};

struct deadline_queue {
    struct segments heap;
    uint32_t count, reserved;
    uint64_t next_order;
    uint64_t floor_ns; /* while nodes fire: the time they fire at; else 0 */
};

void deadline_queue_init(struct deadline_queue *q, const struct hawser_env *env);
/* Frees the heap; nodes still queued are forgotten. */
void deadline_queue_destroy(struct deadline_queue *q);

/* Makes room for `count` more nodes, so that deadline_set() can never fail: call it when the owner of a node is
 * created, and deadline_queue_release() when it goes. Returns 0 or -ENOMEM. Takes memory in steps, and copies nothing.
 */
int deadline_queue_reserve(struct deadline_queue *q, uint32_t count);
void deadline_queue_release(struct deadline_queue *q, uint32_t count);

/* Readies a node that is not queued. */
void deadline_init(struct deadline *d, void (*fire)(struct deadline *self, uint64_t now_ns));

/* Queues the node at `at_ns`, or moves it there; TIME_NEVER takes it out. O(log n); O(1) when unchanged. While nodes
 * fire, a time before deadline_run()'s now means now. */
void deadline_set(struct deadline_queue *q, struct deadline *d, uint64_t at_ns);

/* The earliest time, or TIME_NEVER. */
uint64_t deadline_next(const struct deadline_queue *q);

/* Takes out and fires every node due at `now_ns`, earliest first. A node that is set while others fire, at a time that
 * is already due, waits for the next call, so the loop always ends; it does not hold up those that were due before. */
void deadline_run(struct deadline_queue *q, uint64_t now_ns);

#endif
