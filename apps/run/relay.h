/* Carries what comes in by a program's inlets to the same address outside, and back. */
#ifndef HW_APPS_RUN_RELAY_H
#define HW_APPS_RUN_RELAY_H

#include <systemd/sd-event.h>

#include "run/inlets.h"

enum {
    RELAY_QUERIES_MAX = 256, /* datagrams that wait for their answer, of an inlet; the oldest gives way */
    RELAY_PAIRS_MAX = 256,   /* connections, of an inlet; others wait */
    RELAY_QUERY_S = 15,
    RELAY_TURNS_PER_S = 2048, /* of an inlet; without descriptors it would turn in circles */
};

struct relay;

/* Serves an inlet, whose socket is the relay's from now on. Returns 0 and *out or a negative errno. */
int relay_queries(sd_event *loop, const struct inlet *inlet, struct relay **out);
int relay_streams(sd_event *loop, const struct inlet *inlet, struct relay **out);

/* Ends it, and whatever goes on by it. */
void relay_end(struct relay *relay);

#endif
