/* A scenario on stage: its world built, its time line set, its flows begun. */
#ifndef HW_SIM_STAGE_H
#define HW_SIM_STAGE_H

#include "sim/scenario.h"

struct stage;

/* Somebody who watches a stage: judges, recorders. All calls but destroy() may be NULL. */
struct watcher {
    struct list link;
    /* The world is built and nothing has happened yet. */
    void (*begin)(struct watcher *watcher, struct stage *stage);
    /* The story is over, everything still alive. */
    void (*end)(struct watcher *watcher, struct stage *stage);
    void (*destroy)(struct watcher *watcher);
};

struct stage {
    struct world world;
    const struct scenario *scenario; /* borrowed */
    struct pattern pattern;
    struct host **hosts;   /* as in the scenario */
    struct cable **cables; /* likewise */
    struct flow **flows;   /* likewise */
    struct stage_change *changes;
    struct stage_address *address_changes;
    struct list watchers;
    bool must_complete; /* as in the scenario; a watcher that changes the story may decide otherwise */
    bool meddled;       /* a watcher did to a path what else only middleboxes do */
};

/* Builds the world of a scenario that scenario_check() passed. */
void stage_init(struct stage *stage, const struct scenario *scenario, uint64_t seed);

/* From here on the stage owns the watcher. Before stage_run(). */
void stage_watch(struct stage *stage, struct watcher *watcher);

/*
 * Plays to the end of the scenario's duration, or until every flow has finished and fallen silent, or to the first
 * violation. With heal_ns set, flows that end must have finished by heal_ns + patience_ns. True when no rule was
 * broken.
 */
bool stage_run(struct stage *stage);

/* Ends all: the stacks must not leave anything behind. The world's verdict is final after this. */
bool stage_close(struct stage *stage);
/* After stage_close(): frees what is left. */
void stage_fini(struct stage *stage);

#endif
