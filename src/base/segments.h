/* An array of pointers that grows and shrinks without being copied: it lies in parts, each as large as all before. */
#ifndef HW_BASE_SEGMENTS_H
#define HW_BASE_SEGMENTS_H

#include <stdint.h>

#include <hawser/env.h>

#include "base/compiler.h"

/* More parts than it takes until they hold as many entries as 32 bits can count. */
#define SEGMENTS_MAX 32

struct segments {
    const struct hawser_env *env; /* borrowed */
    void **parts[SEGMENTS_MAX];
    uint8_t shift;     /* the first part has 1 << shift entries */
    uint32_t capacity; /* entries in all parts */
};

/* Allocates nothing yet. The first part will have the power of two from `first` (at most 2^28) on. */
void segments_init(struct segments *s, const struct hawser_env *env, uint32_t first);
void segments_destroy(struct segments *s);

/* Makes room for `count` entries in all, at most 2^28, new ones indeterminate. Returns 0 or -ENOMEM. */
int segments_reserve(struct segments *s, uint32_t count);

/* Gives back the parts that `count` entries do not need. */
void segments_trim(struct segments *s, uint32_t count);

/* The entry `i`, below the capacity. */
static inline void **segments_at(const struct segments *s, uint32_t i)
{
    uint32_t high = i >> s->shift;
    if (high == 0)
        return &s->parts[0][i];
    unsigned k = hw_log2(high);
    return &s->parts[k + 1][i - (UINT32_C(1) << (k + s->shift))];
}

#endif
