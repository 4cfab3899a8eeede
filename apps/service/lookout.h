/* A look at what others may have changed of the host: soon after each change that matters, and again a second after one
 * that failed. */
#ifndef HW_APPS_SERVICE_LOOKOUT_H
#define HW_APPS_SERVICE_LOOKOUT_H

#include <systemd/sd-event.h>

#include "service/netlink_watch.h"

struct lookout {
    struct netlink_watch watch;
    sd_event_source *news, *timer;
    bool due;
    int error; /* of the last look, which is said once */
    /* Puts right what is not any more, and changes nothing of what is. Returns 0, or a negative errno and one line in
     * `why`. */
    int (*look)(void *of, char *why, size_t why_size);
    void *of;
};

/* Returns 0 or a negative errno: lookout_close() is due all the same. */
int lookout_open(struct lookout *lookout, sd_event *loop, int (*look)(void *of, char *why, size_t why_size), void *of);

/* Zero is nothing. */
void lookout_close(struct lookout *lookout);

/* What netlink_watch_see_own() says. */
void lookout_see_own(struct lookout *lookout);

/* Something else has changed: looks soon, once for all that are so near to each other. */
void lookout_soon(struct lookout *lookout);

#endif
