/* What the two kinds of relays have in common. */
#ifndef HW_APPS_RUN_RELAY_STATE_H
#define HW_APPS_RUN_RELAY_STATE_H

#include "base/list.h"
#include "run/relay.h"

struct relay {
    sd_event *loop;
    struct inlet inlet;
    sd_event_source *source; /* of the inlet */
    struct list all;         /* what is under way */
    unsigned count;
    void (*end_one)(struct list *one);
};

int relay_new(sd_event *loop, const struct inlet *inlet, sd_event_io_handler_t came, void (*end_one)(struct list *one),
              struct relay **out);

/* A socket outside, connected or connecting to the inlet's address, non-blocking; or a negative errno. */
int relay_connect(const struct relay *relay);

#endif
