/* The live view: a bar per path, redrawn in place. */
#ifndef HW_APPS_LAB_VIEW_H
#define HW_APPS_LAB_VIEW_H

#include "lab/run.h"

struct view {
    const struct lab_options *options;
    bool active, drawn; /* active: standard output is a terminal and nobody asked for JSON */
    uint64_t last_ns, last_bytes[LAB_PATHS], last_total;
};

void view_init(struct view *v, const struct lab_options *o);
/* A run_watch. */
void view_draw(void *ctx, const struct run *run, uint64_t now_ns);

#endif
