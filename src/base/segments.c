#include "base/segments.h"

#include <errno.h>

/* A part has a size that a size_t holds, on 32 bits too. */
#define CAPACITY_MAX (UINT32_C(1) << 28)

void segments_init(struct segments *s, const struct hawser_env *env, uint32_t first)
{
    *s = (struct segments){.env = env};
    while (UINT32_C(1) << s->shift < HW_MIN(first, CAPACITY_MAX))
        s->shift++;
}

void segments_destroy(struct segments *s) { segments_trim(s, 0); }

/* How many parts there are when they hold so many entries. */
static unsigned parts_of(const struct segments *s, uint32_t capacity)
{
    return capacity ? hw_log2(capacity >> s->shift) + 1 : 0;
}

int segments_reserve(struct segments *s, uint32_t count)
{
    while (s->capacity < count) {
        uint32_t more = s->capacity ? s->capacity : UINT32_C(1) << s->shift;
        void **part = s->capacity < CAPACITY_MAX ? s->env->alloc(s->env->ctx, more * sizeof *part) : NULL;
        if (!part)
            return -ENOMEM;
        s->parts[parts_of(s, s->capacity)] = part;
        s->capacity += more;
    }
    return 0;
}

void segments_trim(struct segments *s, uint32_t count)
{
    while (s->capacity) {
        unsigned last = parts_of(s, s->capacity) - 1;
        uint32_t before = last ? s->capacity / 2 : 0;
        if (count > before)
            return;
        s->env->free(s->env->ctx, s->parts[last]);
        s->capacity = before;
    }
}
