/* A story of the explorer: which packets went otherwise, and how that is written. */
#ifndef HW_APPS_SIM_EXPLORE_STORY_H
#define HW_APPS_SIM_EXPLORE_STORY_H

#include "sim/explorer.h"

enum { EXPLORE_DEVIATIONS_MAX = 3 };

/* What tells it from the undisturbed one. */
struct explored_story {
    enum explorer_point point;
    unsigned count;
    struct explored_step {
        unsigned number; /* of the packet, ascending */
        enum deviation what;
    } steps[EXPLORE_DEVIATIONS_MAX];
};

/* As after --only: "3:strip,7:lose", "none". Returns `text`. */
char *explored_story_text(const struct explored_story *story, char *text, size_t size);
/* Reads that; false when it makes no sense. Leaves the point alone. */
bool explored_story_read(struct explored_story *story, const char *text);

/* Order of a report: the fewest deviations first. */
int explored_story_compare(const struct explored_story *a, const struct explored_story *b);
/* Does `a` hold all that happens in `b`? */
bool explored_story_holds(const struct explored_story *a, const struct explored_story *b);

/* One line on stdout about a packet and what became of it. */
void print_explored_packet(const struct explored_packet *packet, enum deviation what);

#endif
