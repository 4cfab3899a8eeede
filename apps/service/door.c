#include "service/door.h"

#include <errno.h>
#include <stdlib.h>

#include "base/compiler.h"
#include "base/list.h"

/* A client that waits, and the connection that is tried for it. */
struct call {
    struct watch watch;
    struct door *door;
    struct list link;
    struct hawser_request *request;
    struct hawser_conn *far;
};

struct door {
    struct watch watch;
    struct hawser_stack *stack;
    struct hawser_listener *listener;
    struct joints *joints;
    struct hawser_conn_options far;
    struct list calls;
    bool shut;
    struct door_counts counts;
};

enum hawser_refusal door_refusal(int error)
{
    static const struct {
        int error;
        enum hawser_refusal how;
    } table[] = {
        {-ECONNREFUSED, HAWSER_REFUSE_RESET},
        {-ECONNRESET, HAWSER_REFUSE_RESET},
        {-ENETUNREACH, HAWSER_REFUSE_NETWORK},
        {-EADDRNOTAVAIL, HAWSER_REFUSE_NETWORK}, /* no uplink has an address of that family */
        {-EINVAL, HAWSER_REFUSE_NETWORK},        /* no single host has that address, or it is an uplink's own */
        {-EHOSTUNREACH, HAWSER_REFUSE_HOST},
        {-EACCES, HAWSER_REFUSE_PROHIBITED},
        {-ENOPROTOOPT, HAWSER_REFUSE_PORT},
        {-EPROTO, HAWSER_REFUSE_PORT},
        {-ETIMEDOUT, HAWSER_REFUSE_SILENTLY},
    };
    for (size_t i = 0; i < HW_ARRAY_LEN(table); i++) {
        if (table[i].error == error)
            return table[i].how;
    }
    return HAWSER_REFUSE_RESET; /* a limit, or no memory: the client learns at once, and may try again */
}

static void end_call(struct call *call)
{
    list_remove(&call->link);
    call->door->counts.waiting--;
    free(call);
}

static void refuse(struct door *door, struct hawser_request *request, int error)
{
    enum hawser_refusal how = door_refusal(error);
    hawser_request_refuse(request, how);
    door->counts.refused[how]++;
}

static void let_in(struct call *call, uint64_t now_ns)
{
    struct door *door = call->door;
    struct hawser_conn *near;
    int error = hawser_request_accept(call->request, &near);
    if (error == -ECONNRESET) /* it has given up: so we shall be told */
        return;
    if (error < 0) {
        hawser_abort(call->far);
        refuse(door, call->request, error);
    } else if (joint_make(door->joints, conn_end(near), conn_end(call->far), now_ns) < 0) {
        hawser_abort(call->far);
        hawser_abort(near);
    } else {
        door->counts.accepted++;
    }
    end_call(call);
}

static void far_heard(struct watch *watch, const struct hawser_event *event, uint64_t now_ns)
{
    struct call *call = HW_CONTAINER(watch, struct call, watch);
    if (event->what & HAWSER_CONNECTED) {
        let_in(call, now_ns);
    } else if (event->what & HAWSER_ERROR) {
        refuse(call->door, call->request, hawser_conn_error(call->far));
        hawser_close(call->far);
        end_call(call);
    }
}

static int call_far(struct door *door, struct hawser_request *request, uint64_t now_ns)
{
    struct hawser_addr to;
    struct call *call = malloc(sizeof *call);
    if (!call)
        return -ENOMEM;
    *call = (struct call){.watch = {far_heard}, .door = door, .request = request};
    hawser_request_addrs(request, NULL, &to);
    int error = hawser_connect(door->stack, &to, &door->far, now_ns, &call->far);
    if (error < 0) {
        free(call);
        return error;
    }
    hawser_conn_set_user(call->far, &call->watch);
    hawser_request_set_user(request, call);
    list_push_back(&door->calls, &call->link);
    door->counts.waiting++;
    return 0;
}

/* The client hears nothing any more; the destination must not wait for it. */
static void withdraw(struct door *door, struct hawser_request *request)
{
    struct call *call = hawser_request_user(request);
    hawser_request_refuse(request, HAWSER_REFUSE_SILENTLY);
    door->counts.withdrawn++;
    if (!call)
        return;
    hawser_abort(call->far);
    end_call(call);
}

static void door_heard(struct watch *watch, const struct hawser_event *event, uint64_t now_ns)
{
    struct door *door = HW_CONTAINER(watch, struct door, watch);
    struct hawser_request *request;
    (void)event;
    while (hawser_next_request(door->listener, &request) == 0) {
        if (hawser_request_withdrawn(request)) {
            withdraw(door, request);
            continue;
        }
        door->counts.asked++;
        int error = door->shut ? -ECONNRESET : call_far(door, request, now_ns);
        if (error < 0)
            refuse(door, request, error);
    }
}

int door_open(struct hawser_stack *stack, int link, struct joints *joints, const struct door_options *options,
              struct door **out)
{
    struct door *door = calloc(1, sizeof *door);
    if (!door)
        return -ENOMEM;
    *door = (struct door){.watch = {door_heard}, .stack = stack, .joints = joints, .far = options->far};
    list_init(&door->calls);
    int error = hawser_listen_link(stack, link, options->backlog, &options->near, &door->listener);
    if (error < 0) {
        free(door);
        return error;
    }
    hawser_listener_set_user(door->listener, &door->watch);
    *out = door;
    return 0;
}

void door_count(const struct door *door, struct door_counts *out) { *out = door->counts; }

void door_shut(struct door *door)
{
    door->shut = true;
    LIST_EACH (it, &door->calls) {
        struct call *call = LIST_ENTRY(it, struct call, link);
        hawser_abort(call->far);
        refuse(door, call->request, -ECONNRESET);
        end_call(call);
    }
}

void door_close(struct door *door)
{
    door_shut(door);
    hawser_listener_close(door->listener);
    free(door);
}
