#include "service/watch.h"

bool watch_serve(struct hawser_stack *stack, uint64_t now_ns)
{
    struct hawser_event event;
    bool any = false;
    while (hawser_next_event(stack, &event)) {
        struct watch *watch = event.user;
        any = true;
        if (watch)
            watch->heard(watch, &event, now_ns);
    }
    return any;
}
