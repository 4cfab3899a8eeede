#include "base/deadline.h"

#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "base/units.h"

void deadline_queue_init(struct deadline_queue *q, const struct hawser_env *env)
{
    *q = (struct deadline_queue){.env = env};
}

void deadline_queue_destroy(struct deadline_queue *q)
{
    if (q->heap)
        q->env->free(q->env->ctx, q->heap);
    *q = (struct deadline_queue){.env = q->env};
}

int deadline_queue_reserve(struct deadline_queue *q, uint32_t count)
{
    if (count <= q->capacity)
        return 0;
    struct deadline **heap = q->env->alloc(q->env->ctx, count * sizeof(struct deadline *));
    if (!heap)
        return -ENOMEM;
    if (q->heap) {
        memcpy(heap, q->heap, q->count * sizeof(struct deadline *));
        q->env->free(q->env->ctx, q->heap);
    }
    q->heap = heap;
    q->capacity = count;
    return 0;
}

void deadline_init(struct deadline *d, void (*fire)(struct deadline *self, uint64_t now_ns))
{
    *d = (struct deadline){.at_ns = TIME_NEVER, .fire = fire};
}

static bool before(const struct deadline *a, const struct deadline *b)
{
    return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->order < b->order;
}

static void place(struct deadline_queue *q, uint32_t i, struct deadline *d)
{
    q->heap[i] = d;
    d->pos = i + 1;
}

static void sift_up(struct deadline_queue *q, uint32_t i, struct deadline *d)
{
    while (i > 0 && before(d, q->heap[(i - 1) / 2])) {
        place(q, i, q->heap[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    place(q, i, d);
}

static void sift_down(struct deadline_queue *q, uint32_t i, struct deadline *d)
{
    for (uint32_t child; (child = 2 * i + 1) < q->count; i = child) {
        if (child + 1 < q->count && before(q->heap[child + 1], q->heap[child]))
            child++;
        if (!before(q->heap[child], d))
            break;
        place(q, i, q->heap[child]);
    }
    place(q, i, d);
}

static void take_out(struct deadline_queue *q, struct deadline *d)
{
    uint32_t i = d->pos - 1;
    struct deadline *last = q->heap[--q->count];
    d->pos = 0;
    if (last == d)
        return;
    if (i > 0 && before(last, q->heap[(i - 1) / 2]))
        sift_up(q, i, last);
    else
        sift_down(q, i, last);
}

void deadline_set(struct deadline_queue *q, struct deadline *d, uint64_t at_ns)
{
    at_ns = HW_MAX(at_ns, q->floor_ns);
    if (d->pos && d->at_ns == at_ns)
        return;
    if (d->pos)
        take_out(q, d);
    d->at_ns = at_ns;
    if (at_ns == TIME_NEVER)
        return;
    CHECK(q->count < q->capacity);
    d->order = q->next_order++;
    q->count++;
    sift_up(q, q->count - 1, d);
}

uint64_t deadline_next(const struct deadline_queue *q) { return q->count ? q->heap[0]->at_ns : TIME_NEVER; }

void deadline_run(struct deadline_queue *q, uint64_t now_ns)
{
    /* What is set from here on waits for the next call. The floor sorts it behind all that was due before, else it
     * could hide them. */
    uint64_t fence = q->next_order;
    q->floor_ns = now_ns;
    while (q->count && q->heap[0]->at_ns <= now_ns && q->heap[0]->order < fence) {
        struct deadline *d = q->heap[0];
        take_out(q, d);
        d->fire(d, now_ns);
    }
    q->floor_ns = 0;
}
