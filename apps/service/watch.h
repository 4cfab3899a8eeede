/* Who hears what becomes of a connection or a listener of the service: what its user pointer points to. */
#ifndef HW_APPS_SERVICE_WATCH_H
#define HW_APPS_SERVICE_WATCH_H

#include <hawser/event.h>

struct watch {
    void (*heard)(struct watch *watch, const struct hawser_event *event, uint64_t now_ns);
};

/* Tells everybody what is new; returns whether there was anything. A handle that nobody watches is passed over. */
bool watch_serve(struct hawser_stack *stack, uint64_t now_ns);

#endif
