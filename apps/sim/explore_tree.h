/*
 * All stories of a scenario with a few deviations. They share what they have in common: at each packet the process that
 * plays a story becomes the parent of those that go on otherwise.
 */
#ifndef HW_APPS_SIM_EXPLORE_TREE_H
#define HW_APPS_SIM_EXPLORE_TREE_H

#include <sys/types.h>

#include "sim/explore_story.h"

enum {
    EXPLORE_JOBS_MAX = 64,
    /* A story takes a millisecond of the processor; one that takes this long never ends. */
    EXPLORE_STORY_SECONDS = 20,
};

struct explore_verdict {
    struct explored_story story;
    bool good;
    unsigned points; /* those that came in the undisturbed story, a set */
    char rule[48], text[320];
    uint64_t trace;
    int capture_err; /* 0 or a negative errno; the verdict stands either way */
};

struct explore_plan {
    const struct scenario *scenario;
    uint64_t seed;
    unsigned points; /* a set */
    unsigned packets, deviations, jobs;
    const struct explored_story *only; /* this story and no other, its packets printed; NULL: all */
    const char *capture;               /* of the only story; NULL: none */
    /* Changes the stage before anything happens on it, for all stories; NULL: it stays as it is. */
    void (*prepare)(struct stage *stage, void *ctx);
    void *ctx;
};

struct explore_tree {
    pid_t pid;
    int fd; /* verdicts come through here until its end */
};

/* Begins to play. 0 or -errno. */
int explore_tree_start(struct explore_tree *tree, const struct explore_plan *plan);

/* The next verdict, in no order; false when all were given. A process that died is a verdict of the rule "no-crash". */
bool explore_tree_next(struct explore_tree *tree, struct explore_verdict *verdict);

#endif
