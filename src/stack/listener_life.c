/* How a listener comes, and how it goes. */
#include <errno.h>

#include "stack/stack.h"

int listener_new(struct hawser_stack *stack, const struct hawser_conn_options *options, unsigned backlog,
                 struct hawser_listener **out)
{
    const struct hawser_env *env = &stack->host.tcp.env;
    struct path_plan *plan;
    int err = conn_plan_take(stack, options, &plan);
    if (err < 0)
        return err;
    struct hawser_listener *listener = env->alloc(env->ctx, sizeof *listener);
    if (!listener) {
        path_plan_unref(plan, env);
        return -ENOMEM;
    }
    *listener = (struct hawser_listener){.stack = stack, .options = *options, .plan = plan};
    list_init(&listener->link);
    told_init(&listener->told, true);
    quota_init(&listener->half_open, backlog);
    quota_init(&listener->acceptable, backlog);
    request_queue_init(&listener->requests, backlog);
    *out = listener;
    return 0;
}

void listener_free(struct hawser_listener *listener)
{
    struct hawser_stack *stack = listener->stack;
    const struct hawser_env *env = &stack->host.tcp.env;
    if (listener->door) {
        requests_close(&stack->requests, &listener->requests);
        listener->door->listener = NULL;
    }
    told_leave(&listener->told);
    path_plan_unref(listener->plan, env);
    env->free(env->ctx, listener);
}
