/* What arrived of a sequence space that starts at 0: all below `next`, and islands beyond it. The judges' own. */
#ifndef HW_SIM_JUDGES_SPANS_H
#define HW_SIM_JUDGES_SPANS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SPANS_ISLANDS_MAX 8192u

struct span {
    uint64_t start, end; /* [start, end) */
};

struct spans {
    uint64_t next;
    struct span *islands; /* sorted, apart from each other, all beyond `next` */
    size_t count, capacity;
};

void spans_fini(struct spans *s);

/* False when there are too many islands: nothing was added. */
bool spans_add(struct spans *s, uint64_t start, uint64_t end);

/* Did all of [start, end) arrive? */
bool spans_has(const struct spans *s, uint64_t start, uint64_t end);

/* Islands that end after `at`: the index of the first one. */
size_t spans_find(const struct spans *s, uint64_t at);

#endif
