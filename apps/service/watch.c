#include "service/watch.h"

void watch_serve(struct hawser_stack *stack, uint64_t now_ns)
{
    struct hawser_event event;
    while (hawser_next_event(stack, &event)) {
        struct watch *watch = event.user;
        if (watch)
            watch->heard(watch, &event, now_ns);
    }
}
