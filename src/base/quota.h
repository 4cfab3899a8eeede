/* A bounded list that knows how long it is: what one owner may hold of something, oldest first. */
#ifndef HW_BASE_QUOTA_H
#define HW_BASE_QUOTA_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

struct quota {
    struct list members;
    uint32_t count, limit;
};

static inline void quota_init(struct quota *q, uint32_t limit)
{
    list_init(&q->members);
    q->count = 0;
    q->limit = limit;
}

static inline bool quota_full(const struct quota *q) { return q->count >= q->limit; }

/* The caller made sure that there is room. */
static inline void quota_enter(struct quota *q, struct list *node)
{
    list_push_back(&q->members, node);
    q->count++;
}

static inline void quota_leave(struct quota *q, struct list *node)
{
    list_remove(node);
    q->count--;
}

#endif
