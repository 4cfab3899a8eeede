/* Doors, for the application. */
#include <errno.h>

#include <hawser/door.h>

#include "stack/stack.h"

static struct hawser_stack *stack_of_request(const struct hawser_request *r) { return r->handshake.listener->stack; }

int hawser_listen_link(struct hawser_stack *stack, int link, unsigned backlog,
                       const struct hawser_conn_options *options, struct hawser_listener **out)
{
    struct hawser_conn_options o;
    int err = conn_options_take(&o, options);
    if (err < 0)
        return err;
    if (!stack_has_door(stack, link) || backlog == 0)
        return -EINVAL;
    if (stack->links[link].listener)
        return -EADDRINUSE;
    err = listener_new(stack, &o, backlog, out);
    if (err < 0)
        return err;
    (*out)->door = &stack->links[link];
    stack->links[link].listener = *out;
    return 0;
}

int hawser_next_request(struct hawser_listener *listener, struct hawser_request **out)
{
    struct hawser_request *request = requests_next(&listener->requests);
    if (!request)
        return -EAGAIN;
    *out = request;
    return 0;
}

void hawser_request_addrs(const struct hawser_request *request, struct hawser_addr *from, struct hawser_addr *to)
{
    if (from)
        *from = request->handshake.remote;
    if (to)
        *to = request->handshake.local;
}

bool hawser_request_withdrawn(const struct hawser_request *request) { return request->state == REQUEST_WITHDRAWN; }

void hawser_request_set_user(struct hawser_request *request, void *user) { request->user = user; }

void *hawser_request_user(const struct hawser_request *request) { return request->user; }

int hawser_request_accept(struct hawser_request *request, struct hawser_conn **out)
{
    struct hawser_stack *stack = stack_of_request(request);
    struct conn *conn;
    if (request->state == REQUEST_WITHDRAWN)
        return -ECONNRESET;
    int err = handshake_promise(stack, &request->handshake, &conn);
    if (err < 0)
        return err;
    conn->user = request->user;
    requests_drop(&stack->requests, request);
    *out = (struct hawser_conn *)(void *)conn;
    return 0;
}

int hawser_request_refuse(struct hawser_request *request, enum hawser_refusal how)
{
    if ((unsigned)how > HAWSER_REFUSE_SILENTLY)
        return -EINVAL;
    requests_refuse(&stack_of_request(request)->requests, request, how);
    return 0;
}
