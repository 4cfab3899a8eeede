#include "base/deadline.h"

#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "base/units.h"

#define HEAP_MIN 64u

void deadline_queue_init(struct deadline_queue *q, const struct hawser_env *env)
{
    *q = (struct deadline_queue){.count = 0};
    segments_init(&q->heap, env, HEAP_MIN);
}

void deadline_queue_destroy(struct deadline_queue *q)
{
    segments_destroy(&q->heap);
    q->count = q->reserved = 0;
}

int deadline_queue_reserve(struct deadline_queue *q, uint32_t count)
{
    if (count > UINT32_MAX - q->reserved || segments_reserve(&q->heap, q->reserved + count) < 0)
        return -ENOMEM;
    q->reserved += count;
    return 0;
}

void deadline_queue_release(struct deadline_queue *q, uint32_t count)
{
    q->reserved -= count;
    CHECK(q->count <= q->reserved);
    segments_trim(&q->heap, HW_MAX(q->reserved, HEAP_MIN / 2) * 2); /* so that one that comes and goes takes none */
}

void deadline_init(struct deadline *d, void (*fire)(struct deadline *self, uint64_t now_ns))
{
    *d = (struct deadline){.at_ns = TIME_NEVER, .fire = fire};
}

static bool before(const struct deadline *a, const struct deadline *b)
{
    return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->order < b->order;
}

static struct deadline *at(const struct deadline_queue *q, uint32_t i) { return *segments_at(&q->heap, i); }

static void place(struct deadline_queue *q, uint32_t i, struct deadline *d)
{
    *segments_at(&q->heap, i) = d;
    d->pos = i + 1;
}

static void sift_up(struct deadline_queue *q, uint32_t i, struct deadline *d)
{
    for (struct deadline *parent; i > 0 && before(d, parent = at(q, (i - 1) / 2)); i = (i - 1) / 2)
        place(q, i, parent);
    place(q, i, d);
}

static void sift_down(struct deadline_queue *q, uint32_t i, struct deadline *d)
{
    for (uint32_t child; (child = 2 * i + 1) < q->count; i = child) {
        struct deadline *least = at(q, child), *other;
        if (child + 1 < q->count && before(other = at(q, child + 1), least)) {
            least = other;
            child++;
        }
        if (!before(least, d))
            break;
        place(q, i, least);
    }
    place(q, i, d);
}

/* Where it belongs, from the entry `i` that is free. */
static void sift(struct deadline_queue *q, uint32_t i, struct deadline *d)
{
    if (i > 0 && before(d, at(q, (i - 1) / 2)))
        sift_up(q, i, d);
    else
        sift_down(q, i, d);
}

static void take_out(struct deadline_queue *q, struct deadline *d)
{
    uint32_t i = d->pos - 1;
    struct deadline *last = at(q, --q->count);
    d->pos = 0;
    if (last != d)
        sift(q, i, last);
}

void deadline_set(struct deadline_queue *q, struct deadline *d, uint64_t at_ns)
{
    at_ns = HW_MAX(at_ns, q->floor_ns);
    if (d->pos && d->at_ns == at_ns)
        return;
    d->at_ns = at_ns;
    d->order = q->next_order++;
    if (at_ns == TIME_NEVER) {
        if (d->pos)
            take_out(q, d);
    } else if (d->pos) {
        sift(q, d->pos - 1, d);
    } else {
        CHECK(q->count < q->reserved);
        sift_up(q, q->count++, d);
    }
}

uint64_t deadline_next(const struct deadline_queue *q) { return q->count ? at(q, 0)->at_ns : TIME_NEVER; }

void deadline_run(struct deadline_queue *q, uint64_t now_ns)
{
    /* What is set from here on waits for the next call. The floor sorts it behind all that was due before, else it
     * could hide them. */
    uint64_t fence = q->next_order;
    q->floor_ns = now_ns;
    while (q->count && at(q, 0)->at_ns <= now_ns && at(q, 0)->order < fence) {
        struct deadline *d = at(q, 0);
        take_out(q, d);
        d->fire(d, now_ns);
    }
    q->floor_ns = 0;
}
